//! ALTER TABLE: its actions reversed, the last first, in one ALTER TABLE where they fit into one.

use super::{Context, Derived, Need, column};
use crate::sql::ast::{
    AlterTable, ConstraintKind, ObjectKind, Persistence, RowSecurity, Statement, Stmt, TableAction, TriggerMode,
    TriggerScope,
};
use crate::sql::name::{Name, quoted};
use crate::sql::print;
use crate::sql::reverse::{attached, restore};
use crate::sql::schema::{Fact, RowSecurityFlag, Schema, Table, parameters};

/// How one action is taken back.
#[derive(Default)]
pub(super) struct Undo {
    /// Actions of the down's ALTER TABLE.
    pub actions: Vec<String>,
    /// Whole statements behind it: indexes, comments and the rest that went with what it brings back.
    pub statements: Vec<String>,
}

impl Undo {
    pub(super) fn action(text: impl Into<String>) -> Self {
        Self { actions: vec![text.into()], statements: Vec::new() }
    }

    pub(super) fn nothing() -> Self {
        Self::default()
    }
}

/// One action with the table it acts on, as it was before this action.
pub(super) struct Act<'a> {
    pub context: Context<'a>,
    pub alter: &'a AlterTable,
    /// The table's name in the schema.
    pub resolved: Name,
}

impl Act<'_> {
    pub(super) fn table(&self) -> Option<&Table> {
        self.context.before.table(&self.resolved)
    }

    /// Whether what is not listed about the table is known not to be there.
    pub(super) fn complete(&self) -> bool {
        self.table().is_some_and(|table| table.complete)
    }

    /// `orders.status`, for messages.
    pub(super) fn of_table(&self, name: &str) -> String {
        format!("{}.{}", self.alter.name, quoted(name))
    }

    fn fact<T: Clone>(&self, read: impl Fn(&Table) -> &Fact<T>) -> Fact<T> {
        self.table().map_or(Fact::Unknown, |table| read(table).clone())
    }
}

pub(super) fn alter_table(alter: &AlterTable, context: &Context<'_>) -> Derived {
    if alter.if_exists && context.before.world == crate::sql::schema::World::Closed && !exists(alter, context.before) {
        return Derived::Nothing("the relation is not there, and IF EXISTS says that this is fine");
    }
    let mut state = context.before.clone();
    let mut undone = Vec::new();
    let mut needs: Vec<Need> = Vec::new();
    for action in &alter.actions {
        let alone = Statement {
            span: 0..0,
            text: String::new(),
            stmt: Stmt::AlterTable(AlterTable { actions: vec![action.clone()], ..alter.clone() }),
        };
        let mut next = state.clone();
        // PostgreSQL sorts the actions into passes; one that only works behind a later one is read off the whole.
        if next.apply(&alone, context.pg.max()).is_err() {
            next = context.after.clone();
        }
        let resolved = state.resolve(&alter.name);
        let act = Act { context: Context { before: &state, after: &next, pg: context.pg }, alter, resolved };
        match undo(action, &act) {
            Ok(undo) => undone.push(undo),
            Err(need) => {
                undone.push(Undo { actions: need.template.clone().into_iter().collect(), statements: Vec::new() });
                needs.push(need);
            }
        }
        state = next;
    }
    if alter.actions.iter().all(|action| matches!(action, TableAction::ValidateConstraint { .. })) {
        return Derived::Nothing("VALIDATE CONSTRAINT only finds out that the rows are right");
    }
    undone.reverse();
    let actions: Vec<_> = undone.iter().flat_map(|undo| undo.actions.iter().cloned()).collect();
    // A column that ONLY took from the parent cannot be given to it alone: it merges with those of the children.
    let only = alter.only && !actions.iter().any(|action| action.starts_with("ADD COLUMN "));
    let head = head(alter, only);
    let mut statements = Vec::new();
    if !actions.is_empty() {
        statements.push(format!("{head} {}", actions.join(", ")));
    }
    statements.extend(undone.iter().flat_map(|undo| undo.statements.iter().cloned()));
    if needs.is_empty() {
        return Ok(statements).into();
    }
    let why: Vec<_> = needs.into_iter().map(|need| need.why).collect();
    let template = (!statements.is_empty()).then(|| statements.join(";\n"));
    Derived::Needs(why.join("; "), template)
}

fn exists(alter: &AlterTable, before: &Schema) -> bool {
    before.find_relation(&alter.name).is_some()
}

/// `ALTER TABLE ONLY orders`, by the name that the table has after the up.
fn head(alter: &AlterTable, only: bool) -> String {
    let mut name = alter.name.clone();
    for action in &alter.actions {
        match action {
            TableAction::RenameTo { to } => name.name.clone_from(to),
            TableAction::SetSchema { to } => name.schema = Some(to.clone()),
            _ => {}
        }
    }
    let if_exists = if alter.if_exists { "IF EXISTS " } else { "" };
    let only = if only { "ONLY " } else { "" };
    format!("ALTER {} {if_exists}{only}{name}", alter.kind.sql())
}

#[allow(clippy::too_many_lines, reason = "one arm an action: a table")]
fn undo(action: &TableAction, act: &Act<'_>) -> Result<Undo, Need> {
    use TableAction as A;
    let context = &act.context;
    Ok(match action {
        A::AddColumn { .. }
        | A::DropColumn { .. }
        | A::SetType { .. }
        | A::SetDefault { .. }
        | A::DropDefault { .. }
        | A::SetNotNull { .. }
        | A::DropNotNull { .. }
        | A::SetExpression { .. }
        | A::DropExpression { .. }
        | A::AddIdentity { .. }
        | A::SetIdentity { .. }
        | A::DropIdentity { .. }
        | A::SetStatistics { .. }
        | A::SetStorage { .. }
        | A::SetCompression { .. }
        | A::SetColumnOptions { .. }
        | A::ResetColumnOptions { .. } => return column::undo(action, act),

        A::AddConstraint(added) => return add_constraint(added, act),
        A::AlterConstraint { name, .. } => return alter_constraint(name, action, act),
        A::ValidateConstraint { .. } | A::SetWithoutOids => Undo::nothing(),
        A::DropConstraint { name, if_exists, .. } => return drop_constraint(name, *if_exists, act),
        A::RenameColumn { name, to } => Undo::action(format!("RENAME COLUMN {} TO {}", quoted(to), quoted(name))),
        A::RenameConstraint { name, to } => {
            Undo::action(format!("RENAME CONSTRAINT {} TO {}", quoted(to), quoted(name)))
        }
        A::RenameTo { .. } => Undo::action(format!("RENAME TO {}", quoted(&act.alter.name.name))),
        A::SetSchema { .. } => {
            let schema = act.resolved.schema.as_deref().unwrap_or("public");
            Undo::action(format!("SET SCHEMA {}", quoted(schema)))
        }
        A::OwnerTo { .. } => match act.fact(|table| &table.owner) {
            Fact::Known(owner) => Undo::action(format!("OWNER TO {}", print::role(&owner))),
            Fact::Unknown => {
                return Err(Need::new(
                    format!("the owner that {} had before is not in this migration", act.alter.name),
                    "OWNER TO <role>",
                ));
            }
        },

        A::EnableTrigger { which, mode } => return trigger_mode(which, Some(*mode), act),
        A::DisableTrigger { which } => return trigger_mode(which, None, act),
        A::EnableRule { name, mode } => return rule_mode(name, Some(*mode), act),
        A::DisableRule { name } => return rule_mode(name, None, act),
        A::RowSecurity(wanted) => row_security(*wanted, act),
        A::ClusterOn { .. } | A::SetWithoutCluster => match act.fact(|table| &table.clustered_on) {
            Fact::Known(Some(index)) => Undo::action(format!("CLUSTER ON {}", quoted(&index))),
            Fact::Known(None) => Undo::action("SET WITHOUT CLUSTER"),
            Fact::Unknown => {
                return Err(Need::new(
                    format!("whether {} was clustered on an index before is not in this migration", act.alter.name),
                    if matches!(action, A::SetWithoutCluster) { "CLUSTER ON <index>" } else { "SET WITHOUT CLUSTER" },
                ));
            }
        },
        A::SetTablespace { .. } => match act.fact(|table| &table.tablespace) {
            Fact::Known(space) => {
                Undo::action(format!("SET TABLESPACE {}", quoted(space.as_deref().unwrap_or("pg_default"))))
            }
            Fact::Unknown => {
                return Err(Need::new(
                    format!("the tablespace that {} was in before is not in this migration", act.alter.name),
                    "SET TABLESPACE <tablespace>",
                ));
            }
        },
        A::SetLogged if act.fact(|table| &table.persistence) == Fact::Known(Persistence::Permanent) => Undo::nothing(),
        A::SetLogged => Undo::action("SET UNLOGGED"),
        A::SetUnlogged if act.fact(|table| &table.persistence) == Fact::Known(Persistence::Unlogged) => Undo::nothing(),
        A::SetUnlogged => Undo::action("SET LOGGED"),
        A::SetAccessMethod { .. } => match act.fact(|table| &table.access_method) {
            Fact::Known(method) => {
                Undo::action(format!("SET ACCESS METHOD {}", quoted(method.as_deref().unwrap_or("heap"))))
            }
            Fact::Unknown => {
                return Err(Need::new(
                    format!("the access method that {} had before is not in this migration", act.alter.name),
                    "SET ACCESS METHOD <method>",
                ));
            }
        },
        A::SetOptions { options } => {
            let names: Vec<_> = options.iter().map(|(name, _)| name.as_str()).collect();
            return table_options(&names, act);
        }
        A::ResetOptions { options } => {
            let names: Vec<_> = options.iter().map(String::as_str).collect();
            return table_options(&names, act);
        }
        A::Inherit { parent } => Undo::action(format!("NO INHERIT {parent}")),
        A::NoInherit { parent } => Undo::action(format!("INHERIT {parent}")),
        A::OfType { .. } | A::NotOf => match act.table().map(|table| (&table.of_type, table.complete)) {
            Some((Some(name), _)) => Undo::action(format!("OF {name}")),
            Some((None, true)) => Undo::action("NOT OF"),
            _ if matches!(action, A::OfType { .. }) => Undo::action("NOT OF"),
            _ => {
                return Err(Need::new(
                    format!("the type that {} was of is not in this migration", act.alter.name),
                    "OF <type>",
                ));
            }
        },
        A::ReplicaIdentity(_) => match act.fact(|table| &table.replica_identity) {
            Fact::Known(identity) => Undo::action(replica_identity(identity.as_deref())),
            Fact::Unknown => {
                return Err(Need::new(
                    format!("the replica identity that {} had before is not in this migration", act.alter.name),
                    "REPLICA IDENTITY DEFAULT",
                ));
            }
        },
        A::AttachPartition { partition, .. } => Undo::action(format!("DETACH PARTITION {partition}")),
        A::DetachPartition { finalize: true, .. } => {
            return Err(Need::bare(
                "FINALIZE completes a detachment that an earlier statement began; that statement's down attaches the partition again",
            ));
        }
        A::DetachPartition { partition, concurrently: _, .. } => {
            let known = context
                .before
                .table(&context.before.resolve(partition))
                .and_then(|table| table.partition_of.known().cloned().flatten());
            match known {
                Some((_, bound)) => Undo {
                    actions: vec![format!("ATTACH PARTITION {partition} {}", print::bound(&bound))],
                    statements: bound_checks(partition, act),
                },
                None => {
                    return Err(Need::new(
                        format!("the bounds of partition {partition} are not in this migration"),
                        format!("ATTACH PARTITION {partition} FOR VALUES <bounds>"),
                    ));
                }
            }
        }
        A::ForeignOptions { column, text } if let Some(back) = foreign_back(column.as_deref(), text, act) => {
            Undo::action(back)
        }
        A::ForeignOptions { .. } => {
            return Err(Need::new(
                "the options that were there before are not in this migration",
                "OPTIONS (<options>)",
            ));
        }
        A::Unsupported { text } => return Err(Need::bare(format!("no released server has {text}"))),
    })
}

/// Options of a foreign table, or of a column of it, as they were.
fn foreign_back(column: Option<&str>, clause: &str, act: &Act<'_>) -> Option<String> {
    let table = act.table().filter(|table| table.complete)?;
    let held = match column {
        Some(column) => &table.column(column)?.options,
        None => &table.options,
    };
    let options = parameters::foreign_back(held, clause);
    let of = column.map_or_else(String::new, |column| format!("ALTER COLUMN {} ", quoted(column)));
    Some(format!("{of}OPTIONS ({options})"))
}

/// DETACH CONCURRENTLY leaves the bound behind as a CHECK (manual, ALTER TABLE), which goes when the partition is back.
fn bound_checks(partition: &Name, act: &Act<'_>) -> Vec<String> {
    let name = act.context.before.resolve(partition);
    let (Some(was), Some(is)) = (act.context.before.table(&name), act.context.after.table(&name)) else {
        return Vec::new();
    };
    is.constraints
        .keys()
        .filter(|constraint| !was.constraints.contains_key(*constraint))
        .map(|constraint| format!("ALTER TABLE {partition} DROP CONSTRAINT {}", quoted(constraint)))
        .collect()
}

/// The identity as the schema keeps it: `default`, `full`, `nothing`, or an index.
fn replica_identity(identity: Option<&str>) -> String {
    match identity {
        None | Some("DEFAULT") => "REPLICA IDENTITY DEFAULT".to_owned(),
        Some(word @ ("FULL" | "NOTHING")) => format!("REPLICA IDENTITY {word}"),
        Some(index) => {
            let index = index.strip_prefix("USING INDEX ").unwrap_or(index);
            format!("REPLICA IDENTITY USING INDEX {}", quoted(index))
        }
    }
}

fn row_security(wanted: RowSecurity, act: &Act<'_>) -> Undo {
    let flags = act.fact(|table| &table.row_security);
    let (flag, on) = match wanted {
        RowSecurity::Enable => (RowSecurityFlag::Enabled, true),
        RowSecurity::Disable => (RowSecurityFlag::Enabled, false),
        RowSecurity::Force => (RowSecurityFlag::Forced, true),
        RowSecurity::NoForce => (RowSecurityFlag::Forced, false),
    };
    if flags.known().is_some_and(|flags| flags.contains(&flag) == on) {
        return Undo::nothing();
    }
    Undo::action(match wanted {
        RowSecurity::Enable => "DISABLE ROW LEVEL SECURITY",
        RowSecurity::Disable => "ENABLE ROW LEVEL SECURITY",
        RowSecurity::Force => "NO FORCE ROW LEVEL SECURITY",
        RowSecurity::NoForce => "FORCE ROW LEVEL SECURITY",
    })
}

/// The words of ENABLE and DISABLE, as the schema keeps them.
pub(crate) fn switch(mode: Option<TriggerMode>) -> &'static str {
    match mode {
        None => "DISABLE",
        Some(TriggerMode::Origin) => "ENABLE",
        Some(TriggerMode::Always) => "ENABLE ALWAYS",
        Some(TriggerMode::Replica) => "ENABLE REPLICA",
    }
}

/// A trigger or rule back to how it was enabled.
fn switch_back(noun: &str, name: &str, known: bool, wanted: &str, act: &Act<'_>) -> Result<Undo, Need> {
    let word = noun.to_uppercase();
    let back = |state: &str| Undo::action(format!("{state} {word} {}", quoted(name)));
    match attached::state(noun, &act.resolved, name, act.context.before) {
        Some(state) if state == wanted => Ok(Undo::nothing()),
        Some(state) => Ok(back(state)),
        None if known && wanted == "ENABLE" => Ok(Undo::nothing()),
        None if known || wanted == "DISABLE" => Ok(back("ENABLE")),
        None if wanted == "ENABLE" => Ok(back("DISABLE")),
        None => Err(Need::new(
            format!("whether {noun} {name} was enabled before is not in this migration"),
            format!("ENABLE {word} {}", quoted(name)),
        )),
    }
}

fn trigger_mode(which: &TriggerScope, wanted: Option<TriggerMode>, act: &Act<'_>) -> Result<Undo, Need> {
    let opposite = if wanted.is_none() { "ENABLE" } else { "DISABLE" };
    match which {
        TriggerScope::Named(name) => {
            let listed = act
                .table()
                .and_then(|table| table.triggers.get(name))
                .filter(|found| found.definition.known().is_some());
            match listed {
                Some(listed) if listed.mode == wanted => Ok(Undo::nothing()),
                Some(listed) => Ok(Undo::action(format!("{} TRIGGER {}", switch(listed.mode), quoted(name)))),
                None => switch_back("trigger", name, false, switch(wanted), act),
            }
        }
        TriggerScope::All => Ok(Undo::action(format!("{opposite} TRIGGER ALL"))),
        TriggerScope::User => Ok(Undo::action(format!("{opposite} TRIGGER USER"))),
    }
}

fn rule_mode(name: &str, wanted: Option<TriggerMode>, act: &Act<'_>) -> Result<Undo, Need> {
    let known = act.table().and_then(|table| table.rules.get(name)).is_some_and(|text| !text.is_empty());
    switch_back("rule", name, known, switch(wanted), act)
}

/// SET and RESET of storage parameters: each back to what it was.
fn table_options(names: &[&str], act: &Act<'_>) -> Result<Undo, Need> {
    let known = act.table().filter(|_| matches!(act.alter.kind, ObjectKind::Table | ObjectKind::ForeignTable));
    let (mut set, mut reset, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for &name in names {
        match known.and_then(|table| table.options.get(name)) {
            Some(value) => set.push((name.to_owned(), value.clone())),
            None if act.complete() && known.is_some() => reset.push(print::option_name(name)),
            None => unknown.push(print::option_name(name)),
        }
    }
    if !unknown.is_empty() {
        return Err(Need::new(
            format!("the value that {} of {} had before is not in this migration", unknown.join(", "), act.alter.name),
            format!("RESET ({})", unknown.join(", ")),
        ));
    }
    let mut undo = Undo::nothing();
    if !set.is_empty() {
        undo.actions.push(format!("SET {}", print::options(&set)));
    }
    if !reset.is_empty() {
        undo.actions.push(format!("RESET ({})", reset.join(", ")));
    }
    Ok(undo)
}

/// The names of the constraints that the action made.
fn made_constraints(act: &Act<'_>) -> Vec<String> {
    let before = act.table();
    let after = act.context.after.table(&act.resolved);
    after.map_or_else(Vec::new, |after| {
        after
            .constraints
            .keys()
            .filter(|name| before.is_none_or(|before| !before.constraints.contains_key(*name)))
            .cloned()
            .collect()
    })
}

fn add_constraint(added: &crate::sql::ast::ConstraintDef, act: &Act<'_>) -> Result<Undo, Need> {
    let made = made_constraints(act);
    let name = match &added.name {
        Some(name) => name.clone(),
        None => match made.iter().find(|name| same_kind(name, added, act)) {
            Some(name) => name.clone(),
            None => {
                return Err(Need::new(
                    "the constraint has no name in the statement, and the one PostgreSQL would choose is not known",
                    "DROP CONSTRAINT <name>",
                ));
            }
        },
    };
    let mut undo = Undo::action(format!("DROP CONSTRAINT {}", quoted(&name)));
    // A primary key makes its columns NOT NULL, and dropping it leaves them so.
    if let Some(after) = act.context.after.table(&act.resolved) {
        for column in &after.columns {
            let was = act.table().and_then(|table| table.column(&column.name)).map(|column| &column.not_null);
            let not_null_is_the_constraint = matches!(added.kind, ConstraintKind::NotNull { .. });
            if column.not_null == Fact::Known(true) && was == Some(&Fact::Known(false)) && !not_null_is_the_constraint {
                undo.actions.push(format!("ALTER COLUMN {} DROP NOT NULL", quoted(&column.name)));
            }
        }
    }
    if let ConstraintKind::UniqueUsingIndex { index } | ConstraintKind::PrimaryKeyUsingIndex { index } = &added.kind {
        let full = Name { schema: act.resolved.schema.clone(), name: index.clone() };
        let known = act.context.before.index(&full).and_then(|found| restore::index(&full, found));
        match known {
            Some(statement) => undo.statements.push(statement),
            None => {
                return Err(Need {
                    why: format!(
                        "the constraint takes index {index} over, and goes with it; its definition is not in this migration: write two statements, DROP CONSTRAINT {} and CREATE UNIQUE INDEX {} ON … (…)",
                        quoted(&name),
                        quoted(index)
                    ),
                    template: None,
                });
            }
        }
    }
    Ok(undo)
}

fn same_kind(name: &str, added: &crate::sql::ast::ConstraintDef, act: &Act<'_>) -> bool {
    let Some(made) = act.context.after.table(&act.resolved).and_then(|table| table.constraints.get(name)) else {
        return false;
    };
    made.kind.known().is_some_and(|kind| {
        std::mem::discriminant(kind) == std::mem::discriminant(&added.kind)
            || matches!(
                (kind, &added.kind),
                (ConstraintKind::Unique { .. }, ConstraintKind::UniqueUsingIndex { .. })
                    | (ConstraintKind::PrimaryKey { .. }, ConstraintKind::PrimaryKeyUsingIndex { .. })
            )
    })
}

fn alter_constraint(name: &str, action: &TableAction, act: &Act<'_>) -> Result<Undo, Need> {
    let TableAction::AlterConstraint { deferrable, initially_deferred, enforced, inherit, .. } = action else {
        return Ok(Undo::nothing());
    };
    let known = act.table().and_then(|table| table.constraints.get(name)).filter(|found| found.kind.known().is_some());
    let Some(before) = known else {
        return Err(Need::new(
            format!("what constraint {name} was like before is not in this migration"),
            format!("ALTER CONSTRAINT {} <as it was>", quoted(name)),
        ));
    };
    let mut words = vec![format!("ALTER CONSTRAINT {}", quoted(name))];
    if deferrable.is_some() || initially_deferred.is_some() {
        words.push(if before.deferrable { "DEFERRABLE" } else { "NOT DEFERRABLE" }.to_owned());
        if before.deferrable {
            words.push(if before.initially_deferred { "INITIALLY DEFERRED" } else { "INITIALLY IMMEDIATE" }.to_owned());
        }
    }
    if enforced.is_some() {
        words.push(if before.enforced { "ENFORCED" } else { "NOT ENFORCED" }.to_owned());
    }
    if inherit.is_some() {
        words.push(if before.no_inherit { "NO INHERIT" } else { "INHERIT" }.to_owned());
    }
    Ok(Undo::action(words.join(" ")))
}

fn drop_constraint(name: &str, if_exists: bool, act: &Act<'_>) -> Result<Undo, Need> {
    let known = act.table().and_then(|table| table.constraints.get(name));
    let Some(constraint) = known else {
        if if_exists && act.complete() {
            return Ok(Undo::nothing());
        }
        return Err(Need::new(
            format!("the definition of constraint {name} of {} is not in this migration", act.alter.name),
            format!("ADD CONSTRAINT {} <definition>", quoted(name)),
        ));
    };
    let Some(definition) = restore::constraint(name, constraint) else {
        return Err(Need::new(
            format!("the definition of constraint {name} of {} is not in this migration", act.alter.name),
            format!("ADD CONSTRAINT {} <definition>", quoted(name)),
        ));
    };
    let mut undo = Undo::action(format!("ADD {}", print::constraint(&definition)));
    undo.statements = restore::lost(
        act.context.before,
        act.context.after,
        &restore::Except { constraint: Some((&act.resolved, name)), ..restore::Except::default() },
    )
    .map_err(Need::bare)?;
    Ok(undo)
}

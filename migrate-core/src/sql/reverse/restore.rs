//! What the schema knows, as the statements that make it again: for what a drop took away, and what went with it.

use super::attached;
use crate::sql::ast::{
    ColumnDef, ConstraintDef, ConstraintKind, CreateDomain, CreateSequence, CreateTable, Persistence, SequenceOptions,
    TriggerMode,
};
use crate::sql::name::{Name, quoted};
use crate::sql::print;
use crate::sql::schema::{
    Column, Constraint, Domain, Fact, Function, Index, Relation, RowSecurityFlag, Schema, Sequence, Table, Trigger,
    Type, View,
};
use std::collections::BTreeSet;

/// Things that the caller brings back itself.
#[derive(Default, Clone, Copy)]
pub(crate) struct Except<'a> {
    pub column: Option<(&'a Name, &'a str)>,
    pub constraint: Option<(&'a Name, &'a str)>,
}

/// The column's definition; `None` where a part of it is not known.
pub(crate) fn column(of: &Column) -> Option<ColumnDef> {
    Some(ColumnDef {
        name: of.name.clone(),
        data_type: Some(of.data_type.known()?.clone()),
        collation: of.collation.known()?.clone(),
        storage: None,
        compression: of.compression.clone(),
        options: Vec::new(),
        constraints: Vec::new(),
        default: of.default.known()?.clone(),
        generated: of.generated.known()?.clone(),
        identity: of.identity.known()?.clone(),
        // An identity column is NOT NULL by itself; saying it again does no harm and is what people write.
        not_null: *of.not_null.known()?,
        null: false,
    })
}

/// The constraint's definition; `None` where it is only mentioned.
pub(crate) fn constraint(name: &str, of: &Constraint) -> Option<ConstraintDef> {
    Some(ConstraintDef {
        name: Some(name.to_owned()),
        kind: of.kind.known()?.clone(),
        not_valid: of.validated == Fact::Known(false),
        deferrable: of.deferrable,
        initially_deferred: of.initially_deferred,
        no_inherit: of.no_inherit,
        not_enforced: !of.enforced,
    })
}

/// CREATE INDEX; `None` where its definition is not known.
pub(crate) fn index(name: &Name, of: &Index) -> Option<String> {
    let definition = of.definition.known()?;
    let (unique, rest) = match definition.strip_prefix("UNIQUE ") {
        Some(rest) => ("UNIQUE ", rest),
        None => ("", definition.as_str()),
    };
    // What everybody leaves out.
    let rest = rest.strip_prefix("USING btree ").unwrap_or(rest);
    Some(format!("CREATE {unique}INDEX {} ON {} {rest}", quoted(&name.name), of.table.known()?))
}

/// CREATE VIEW or CREATE MATERIALIZED VIEW; `None` where its definition is not known.
pub(crate) fn view(head: &str, name: &Name, of: &View) -> Option<String> {
    let columns = of.columns.known().cloned().unwrap_or_default();
    let mut text = print::view(head, name, &columns, &of.options, of.definition.known()?);
    if head.ends_with("MATERIALIZED VIEW") && !of.populated {
        text.push_str(" WITH NO DATA");
    }
    Some(text)
}

/// CREATE DOMAIN, and the constraints of it that were not valid.
pub(crate) fn domain(name: &Name, of: &Domain) -> Vec<String> {
    let create = CreateDomain {
        name: name.clone(),
        data_type: of.base.clone(),
        collation: of.collation.clone(),
        default: of.default.clone(),
        not_null: of.not_null,
        checks: of
            .checks
            .iter()
            .filter(|(_, (_, validated))| *validated)
            .map(|(name, (expression, _))| (Some(name.clone()), expression.clone()))
            .collect(),
    };
    let mut statements = vec![print::create_domain(&create)];
    for (check, (expression, validated)) in &of.checks {
        if !validated {
            statements.push(format!(
                "ALTER DOMAIN {name} ADD CONSTRAINT {} CHECK {} NOT VALID",
                quoted(check),
                print::parenthesised(expression)
            ));
        }
    }
    statements
}

/// The settings that `changed` names, as `before` has them or as they are by default.
pub(crate) fn sequence_settings(
    changed: &SequenceOptions,
    before: &SequenceOptions,
) -> Result<Vec<(String, String)>, String> {
    let mut out = Vec::new();
    for (name, _) in &changed.settings {
        match before.settings.iter().find(|(known, _)| known == name) {
            Some((_, value)) => out.push((name.clone(), value.clone())),
            None => {
                // The defaults of CREATE SEQUENCE for an ascending sequence (manual, CREATE SEQUENCE).
                let value = match name.as_str() {
                    "INCREMENT" | "START" | "CACHE" => "1",
                    "MINVALUE" | "MAXVALUE" | "CYCLE" => "NO",
                    _ => return Err(format!("the value of {name} before is not in this migration")),
                };
                out.push((name.clone(), value.to_owned()));
            }
        }
    }
    Ok(out)
}

/// CREATE SEQUENCE without its owner, which may not be there yet.
pub(crate) fn sequence(name: &Name, of: &Sequence) -> Option<String> {
    let mut options = of.options.known()?.clone();
    options.owned_by = None;
    options.restart = None;
    Some(print::create_sequence(&CreateSequence {
        name: name.clone(),
        temporary: false,
        unlogged: of.unlogged,
        if_not_exists: false,
        options,
    }))
}

/// CREATE TABLE with its columns and the constraints that need no other table, then what can only be set afterwards.
fn table(name: &Name, of: &Table) -> Result<Vec<String>, String> {
    if !of.complete {
        return Err(format!("the definition of table {name} is not in this migration"));
    }
    let unknown = |what: &str| format!("{what} of table {name} is not known");
    let mut columns = Vec::new();
    for listed in &of.columns {
        columns.push(column(listed).ok_or_else(|| unknown(&format!("the definition of column {}", listed.name)))?);
    }
    let partition_of = of.partition_of.known().cloned().flatten();
    let mut constraints = Vec::new();
    for (constraint_name, listed) in &of.constraints {
        let definition = constraint(constraint_name, listed)
            .ok_or_else(|| unknown(&format!("the definition of constraint {constraint_name}")))?;
        let later = matches!(definition.kind, ConstraintKind::ForeignKey(_)) || definition.not_valid;
        if listed.inherited || later {
            continue;
        }
        match &definition.kind {
            // Before 18 NOT NULL stands only with its column, and a name that PostgreSQL makes up need not be said.
            ConstraintKind::NotNull { column } => {
                let made_up =
                    constraint_name.trim_end_matches(|char: char| char.is_ascii_digit()).ends_with("_not_null");
                if let Some(of) = columns.iter_mut().find(|of| of.name == *column)
                    && (!made_up || definition.no_inherit)
                {
                    of.constraints.push(definition);
                }
            }
            _ => constraints.push(definition),
        }
    }
    if partition_of.is_some() || !of.inherits.is_empty() {
        columns.retain(|column| of.columns.iter().any(|listed| listed.name == column.name && !listed.inherited));
    }
    let create = CreateTable {
        name: name.clone(),
        if_not_exists: false,
        persistence: of.persistence.known().copied().unwrap_or_default(),
        foreign_server: None,
        columns,
        constraints,
        likes: Vec::new(),
        inherits: of.inherits.clone(),
        of_type: of.of_type.clone(),
        partition_of,
        partition_by: of.partition_by.known().cloned().flatten(),
        using: of.access_method.known().cloned().flatten(),
        with: of.options.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        on_commit: None,
        tablespace: of.tablespace.known().cloned().flatten(),
    };
    if of.foreign == Fact::Known(true) {
        return Err(format!("the server and options of foreign table {name} are not known"));
    }
    if create.persistence == Persistence::Temporary {
        return Err(format!("{name} is temporary: it goes with the session that made it"));
    }
    let mut statements = vec![print::create_table(&create)];
    let flags = of.row_security.known().cloned().unwrap_or_default();
    for (flag, action) in
        [(RowSecurityFlag::Enabled, "ENABLE ROW LEVEL SECURITY"), (RowSecurityFlag::Forced, "FORCE ROW LEVEL SECURITY")]
    {
        if flags.contains(&flag) {
            statements.push(format!("ALTER TABLE {name} {action}"));
        }
    }
    for listed in &of.columns {
        let column = quoted(&listed.name);
        let mut settings = Vec::new();
        if let Some(storage) = &listed.storage {
            settings.push(format!("ALTER COLUMN {column} SET STORAGE {storage}"));
        }
        if let Some(target) = &listed.statistics {
            settings.push(format!("ALTER COLUMN {column} SET STATISTICS {target}"));
        }
        if !listed.options.is_empty() {
            let options: Vec<_> = listed.options.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            settings.push(format!("ALTER COLUMN {column} SET {}", print::options(&options)));
        }
        if !settings.is_empty() {
            statements.push(format!("ALTER TABLE {name} {}", settings.join(", ")));
        }
    }
    Ok(statements)
}

/// What was there before and is not after, as statements in an order in which they work: `Err` says what is not known.
pub(crate) fn lost(before: &Schema, after: &Schema, except: &Except<'_>) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    for schema in before.schemas.difference(&after.schemas) {
        out.push(format!("CREATE SCHEMA {}", quoted(schema)));
    }
    for (name, schema) in &before.extensions {
        if !after.extensions.contains_key(name) {
            let schema = schema.as_ref().map(|schema| format!(" SCHEMA {}", quoted(schema))).unwrap_or_default();
            out.push(format!("CREATE EXTENSION {}{schema}", quoted(name)));
        }
    }
    lost_types(before, after, &mut out)?;
    lost_sequences(before, after, &mut out)?;
    lost_functions(before, after, &mut out)?;
    let tables = lost_tables(before, after, &mut out)?;
    lost_columns(before, after, except, &mut out)?;
    lost_constraints(before, after, &tables, except, false, &mut out)?;
    lost_indexes(before, after, false, &mut out)?;
    lost_constraints(before, after, &tables, except, true, &mut out)?;
    lost_views(before, after, &mut out)?;
    lost_indexes(before, after, true, &mut out)?;
    lost_hangers_on(before, after, &mut out)?;
    for (name, (_, text)) in &before.statistics {
        if !after.statistics.contains_key(name) {
            out.push(format!("CREATE STATISTICS {name} {text}"));
        }
    }
    for (name, scope) in &before.publications {
        if !after.publications.contains_key(name) {
            out.push(print::create_publication(name, scope));
        }
    }
    out.extend(attached::lost(before, after));
    Ok(out)
}

fn lost_types(before: &Schema, after: &Schema, out: &mut Vec<String>) -> Result<(), String> {
    for (name, listed) in &before.types {
        if after.types.contains_key(name) {
            continue;
        }
        match listed {
            Type::Defined { definition, .. } => out.push(print::create_type(name, definition)),
            Type::Domain(of) => out.extend(domain(name, of)),
            Type::Mentioned { .. } => return Err(format!("the definition of type {name} is not in this migration")),
        }
    }
    Ok(())
}

/// Sequences that no identity column makes by itself.
fn lost_sequences(before: &Schema, after: &Schema, out: &mut Vec<String>) -> Result<(), String> {
    for (name, of) in before.sequences() {
        if after.relations.contains_key(name) || of.identity {
            continue;
        }
        out.push(
            sequence(name, of).ok_or_else(|| format!("the options of sequence {name} are not in this migration"))?,
        );
    }
    Ok(())
}

fn lost_functions(before: &Schema, after: &Schema, out: &mut Vec<String>) -> Result<(), String> {
    for (name, overloads) in &before.functions {
        for of in overloads {
            let kept = after.functions.get(name).is_some_and(|kept| kept.iter().any(|kept| kept.routine == of.routine));
            if !kept {
                out.push(
                    function(of)
                        .ok_or_else(|| format!("the definition of function {name} is not in this migration"))?,
                );
            }
        }
    }
    Ok(())
}

/// CREATE FUNCTION or CREATE PROCEDURE from the text that the schema keeps: parameters, options, ` AS ` and the bare body.
/// `None` where it is not known.
pub(crate) fn function(of: &Function) -> Option<String> {
    let definition = of.definition.known()?;
    let (head, body) = definition.split_once(" AS ")?;
    let head = head
        .strip_prefix("((")
        .and_then(|rest| rest.split_once("))"))
        .map_or_else(|| head.to_owned(), |(parameters, rest)| format!("({parameters}){rest}"));
    let kind = of.routine.kind.sql();
    Some(format!("CREATE {kind} {}{head} {}", of.routine.name, print::function_body(body)))
}

fn lost_tables(before: &Schema, after: &Schema, out: &mut Vec<String>) -> Result<BTreeSet<Name>, String> {
    let mut gone: Vec<(&Name, &Table)> =
        before.tables().filter(|(name, _)| !after.relations.contains_key(*name)).collect();
    let names: BTreeSet<Name> = gone.iter().map(|(name, _)| (*name).clone()).collect();
    // Parents before their partitions and children.
    let mut made = BTreeSet::new();
    while !gone.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) = gone.into_iter().partition(|(_, of)| {
            let parent = of.partition_of.known().and_then(|of| of.as_ref().map(|(parent, _)| parent));
            parent.into_iter().chain(&of.inherits).all(|parent| !names.contains(parent) || made.contains(parent))
        });
        if ready.is_empty() {
            return Err("the dropped tables inherit from each other".to_owned());
        }
        for (name, of) in ready {
            out.extend(table(name, of)?);
            made.insert(name.clone());
        }
        gone = waiting;
    }
    Ok(names)
}

/// Columns, defaults and owners of sequences.
fn lost_columns(before: &Schema, after: &Schema, except: &Except<'_>, out: &mut Vec<String>) -> Result<(), String> {
    for (name, of) in before.tables() {
        let Some(now) = after.table(name) else { continue };
        for listed in &of.columns {
            let column_name = quoted(&listed.name);
            match now.column(&listed.name) {
                // A column that came down from a parent comes down again.
                None if except.column == Some((name, &listed.name)) || listed.inherited => {}
                None => {
                    let definition = column(listed).ok_or_else(|| {
                        format!("the definition of column {name}.{column_name} is not in this migration")
                    })?;
                    out.push(format!("ALTER TABLE {name} ADD COLUMN {}", print::column(&definition)));
                }
                Some(now) => {
                    if let (Fact::Known(Some(default)), Fact::Known(None)) = (&listed.default, &now.default) {
                        out.push(format!("ALTER TABLE {name} ALTER COLUMN {column_name} SET DEFAULT {}", default.text));
                    }
                }
            }
        }
    }
    for (name, of) in before.sequences() {
        if let Fact::Known(Some((table, column))) = &of.owned_by
            && !of.identity
            && !after.relations.contains_key(name)
        {
            out.push(format!("ALTER SEQUENCE {name} OWNED BY {table}.{}", quoted(column)));
        }
    }
    Ok(())
}

/// Constraints: `foreign` says whether foreign keys or all others, which they may refer to.
fn lost_constraints(
    before: &Schema,
    after: &Schema,
    tables: &BTreeSet<Name>,
    except: &Except<'_>,
    foreign: bool,
    out: &mut Vec<String>,
) -> Result<(), String> {
    for (name, of) in before.tables() {
        let now = after.table(name);
        for (constraint_name, listed) in &of.constraints {
            let gone = now.is_none_or(|now| !now.constraints.contains_key(constraint_name));
            if !gone || listed.inherited || except.constraint == Some((name, constraint_name)) {
                continue;
            }
            let definition = constraint(constraint_name, listed).ok_or_else(|| {
                format!("the definition of constraint {constraint_name} of {name} is not in this migration")
            })?;
            let is_foreign = matches!(definition.kind, ConstraintKind::ForeignKey(_));
            // CREATE TABLE said it.
            let with_table = tables.contains(name) && !is_foreign && !definition.not_valid;
            if is_foreign != foreign || with_table {
                continue;
            }
            if let ConstraintKind::NotNull { column } = &definition.kind
                && !definition.not_valid
            {
                // A column that comes back brings its NOT NULL along.
                if now.is_some_and(|now| now.column(column).is_some()) {
                    out.push(format!("ALTER TABLE {name} ALTER COLUMN {} SET NOT NULL", quoted(column)));
                }
                continue;
            }
            out.push(format!("ALTER TABLE {name} ADD {}", print::constraint(&definition)));
        }
    }
    Ok(())
}

/// Indexes: of materialized views, or of tables.
fn lost_indexes(before: &Schema, after: &Schema, of_views: bool, out: &mut Vec<String>) -> Result<(), String> {
    for (name, of) in before.indexes() {
        if after.relations.contains_key(name) || of.constraint.is_some() || of.parent.is_some() {
            continue;
        }
        let of_view = of.table.known().is_some_and(|table| before.view(table).is_some());
        if of_view == of_views {
            out.push(
                index(name, of).ok_or_else(|| format!("the definition of index {name} is not in this migration"))?,
            );
        }
    }
    Ok(())
}

/// Triggers, rules and policies.
fn lost_hangers_on(before: &Schema, after: &Schema, out: &mut Vec<String>) -> Result<(), String> {
    for (name, of) in before.tables() {
        let now = after.table(name);
        for (trigger_name, listed) in &of.triggers {
            if now.is_none_or(|now| !now.triggers.contains_key(trigger_name)) {
                // The trigger of a partitioned table makes those of its partitions.
                let parent = of.partition_of.known().and_then(|of| of.as_ref().map(|(parent, _)| parent));
                let from_above = parent.and_then(|parent| before.table(parent)).is_some_and(|parent| {
                    parent.triggers.get(trigger_name).is_some_and(|above| above.definition == listed.definition)
                });
                if !from_above {
                    out.push(trigger(trigger_name, name, listed)?);
                    if listed.mode != Some(TriggerMode::Origin) {
                        let state = super::derive::switch(listed.mode);
                        out.push(format!("ALTER TABLE {name} {state} TRIGGER {}", quoted(trigger_name)));
                    }
                }
            }
        }
        for (rule_name, text) in &of.rules {
            if now.is_none_or(|now| !now.rules.contains_key(rule_name)) {
                out.push(rule(text)?);
            }
        }
        for (policy_name, listed) in &of.policies {
            if now.is_none_or(|now| !now.policies.contains_key(policy_name)) {
                let Fact::Known(definition) = &listed.definition else {
                    return Err(format!("the definition of policy {policy_name} of {name} is not in this migration"));
                };
                out.push(format!("CREATE POLICY {} ON {name} {definition}", quoted(policy_name)));
            }
        }
    }
    Ok(())
}

/// CREATE TRIGGER. Whether it was enabled is not its definition's to say.
pub(crate) fn trigger(name: &str, table: &Name, of: &Trigger) -> Result<String, String> {
    let Fact::Known(definition) = &of.definition else {
        return Err(format!("the definition of trigger {name} of {table} is not in this migration"));
    };
    // Timing and events stand before ON and the table, all else behind it.
    let words = [
        " for each ",
        " when (",
        " execute ",
        " from ",
        " not deferrable",
        " deferrable",
        " initially ",
        " referencing ",
    ];
    let split = words
        .iter()
        .filter_map(|word| definition.find(word))
        .min()
        .ok_or_else(|| format!("trigger {name} of {table} has no function"))?;
    let (events, rest) = definition.split_at(split);
    let constraint =
        [" from ", " not deferrable", " deferrable", " initially "].iter().any(|word| rest.starts_with(word));
    let kind = if constraint { "CONSTRAINT TRIGGER" } else { "TRIGGER" };
    Ok(format!("CREATE {kind} {} {events} ON {table}{rest}", quoted(name)))
}

/// The text that the schema keeps is the statement itself.
pub(crate) fn rule(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("the definition of the rule is not in this migration".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// Views in the order in which they read each other.
fn lost_views(before: &Schema, after: &Schema, out: &mut Vec<String>) -> Result<(), String> {
    let mut gone: Vec<(&Name, &View, &str)> = before
        .relations
        .iter()
        .filter(|(name, _)| !after.relations.contains_key(*name))
        .filter_map(|(name, relation)| match relation {
            Relation::View(view) => Some((name, view, "CREATE VIEW")),
            Relation::MaterializedView(view) => Some((name, view, "CREATE MATERIALIZED VIEW")),
            _ => None,
        })
        .collect();
    while !gone.is_empty() {
        let names: BTreeSet<Name> = gone.iter().map(|(name, ..)| (*name).clone()).collect();
        let (ready, waiting): (Vec<_>, Vec<_>) = gone
            .into_iter()
            .partition(|(name, of, _)| of.depends.keys().all(|read| read == *name || !names.contains(read)));
        if ready.is_empty() {
            return Err("the dropped views read each other".to_owned());
        }
        for (name, of, head) in ready {
            out.push(
                view(head, name, of)
                    .ok_or_else(|| format!("the definition of view {name} is not in this migration"))?,
            );
        }
        gone = waiting;
    }
    Ok(())
}

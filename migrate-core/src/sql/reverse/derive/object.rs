//! Everything that is neither ALTER TABLE, nor DROP, nor a type.

use super::{Context, Derived, Need};
use crate::sql::ast::{
    CreateFunction, CreateIndex, CreateTrigger, CreateView, Dml, DmlKind, Grant, ObjectKind, OtherVerb,
    PublicationAction, PublicationScope, Query, Routine, SequenceOptions, Statement, Stmt, Target,
};
use crate::sql::name::{Name, quoted};
use crate::sql::print;
use crate::sql::reverse::{attached, restore};
use crate::sql::schema::{Fact, Relation, Table, World};

const IN_SESSION: Derived = Derived::Nothing("it lives in the session, not in the database");
const ALREADY: Derived = Derived::Nothing("the object is there already, and IF NOT EXISTS says that this is fine");

impl Context<'_> {
    fn table_of(&self, name: &Name) -> Option<&Table> {
        self.before.table(&self.before.resolve(name))
    }

    fn listed(&self, name: &Name) -> bool {
        self.before.find_relation(name).is_some()
    }
}

fn sql(statement: String) -> Derived {
    Derived::Sql(vec![statement])
}

fn unknown(what: impl std::fmt::Display, template: String) -> Derived {
    Need::new(format!("{what} is not in this migration"), template).into()
}

#[allow(clippy::too_many_lines, reason = "one arm a statement: a table")]
pub(super) fn other(stmt: &Stmt, context: &Context<'_>) -> Derived {
    match stmt {
        Stmt::CreateTable(create) if create.if_not_exists && context.listed(&create.name) => ALREADY,
        Stmt::CreateTable(create) => {
            let kind = if create.foreign_server.is_some() { "FOREIGN TABLE" } else { "TABLE" };
            sql(format!("DROP {kind} {}", create.name))
        }
        Stmt::CreateTableAs(create) if create.if_not_exists && context.listed(&create.name) => ALREADY,
        Stmt::CreateTableAs(create) if create.with_data && !create.query.writes.is_empty() => {
            of_query(&create.query, context)
        }
        Stmt::CreateTableAs(create) => sql(format!("DROP TABLE {}", create.name)),
        Stmt::AlterAllInTablespace { kind, from, to } => unknown(
            format_args!("which relations were in {} before", quoted(to)),
            format!("ALTER {} ALL IN TABLESPACE {} SET TABLESPACE {}", kind.sql(), quoted(to), quoted(from)),
        ),
        Stmt::CreateIndex(create) => create_index(create, context),
        Stmt::AttachIndex { index, child } => Derived::Irreversible(format!(
            "PostgreSQL cannot detach {child} from {index}: only dropping one of their tables, or the parent index, parts them"
        )),
        Stmt::Reindex(_) => Derived::Nothing("REINDEX builds the same index again"),
        Stmt::CreateView(create) => create_view(create, context),
        Stmt::CreateMaterializedView(create) if create.if_not_exists && context.listed(&create.name) => ALREADY,
        Stmt::CreateMaterializedView(create) => sql(format!("DROP MATERIALIZED VIEW {}", create.name)),
        Stmt::RefreshMaterializedView { .. } => Derived::Nothing("REFRESH computes the same query again"),
        Stmt::CreateSequence(create) if create.if_not_exists && context.listed(&create.name) => ALREADY,
        Stmt::CreateSequence(create) => sql(format!("DROP SEQUENCE {}", create.name)),
        Stmt::AlterSequence { name, options, .. } => alter_sequence(name, options, context),
        Stmt::CreateFunction(create) => create_function(create, context),
        Stmt::AlterFunction { routine, .. } => alter_function(routine, context),
        Stmt::CreateTrigger(create) => create_trigger(create, context),
        Stmt::CreateEventTrigger { name, .. } => sql(format!("DROP EVENT TRIGGER {}", quoted(name))),
        Stmt::AlterEventTrigger { name, text } => alter_event_trigger(name, text),
        Stmt::CreateRule { name, table, or_replace, .. } => {
            let old = context.table_of(table).and_then(|table| table.rules.get(name));
            match old {
                Some(text) if *or_replace => match restore::rule(text) {
                    Ok(statement) => sql(statement.replacen("create rule", "create or replace rule", 1)),
                    Err(why) => Need::bare(why).into(),
                },
                None if *or_replace && !context.table_of(table).is_some_and(|table| table.complete) => unknown(
                    format_args!("whether rule {} was there before, and what it did,", quoted(name)),
                    format!("DROP RULE {} ON {table}", quoted(name)),
                ),
                _ => sql(format!("DROP RULE {} ON {table}", quoted(name))),
            }
        }
        Stmt::CreatePolicy(create) => sql(format!("DROP POLICY {} ON {}", quoted(&create.name), create.table)),
        Stmt::AlterPolicy { name, table, .. } => {
            let policy = context.table_of(table).and_then(|listed| listed.policies.get(name));
            match policy.and_then(|policy| policy.definition.known()) {
                // ALTER POLICY cannot take a clause away: made again, it has those that it had.
                Some(definition) => Derived::Sql(vec![
                    format!("DROP POLICY {} ON {table}", quoted(name)),
                    format!("CREATE POLICY {} ON {table} {definition}", quoted(name)),
                ]),
                None => unknown(
                    format_args!("the definition of policy {} before", quoted(name)),
                    format!("ALTER POLICY {} ON {table} <as it was>", quoted(name)),
                ),
            }
        }
        Stmt::CreateSchema { name, if_not_exists, authorization, elements } => {
            let Some(name) = name.as_ref().or(authorization.as_ref()) else {
                return Need::bare("the statement names no schema").into();
            };
            if *if_not_exists && context.before.schemas.contains(name) {
                return ALREADY;
            }
            create_schema(name, elements, context)
        }
        Stmt::CreateExtension { name, if_not_exists, .. } => {
            if *if_not_exists && context.before.extensions.contains_key(name) {
                return ALREADY;
            }
            sql(format!("DROP EXTENSION {}", quoted(name)))
        }
        Stmt::AlterExtension { name, set_schema, .. } => match set_schema {
            Some(_) => unknown(
                format_args!("the schema that extension {} was in before", quoted(name)),
                format!("ALTER EXTENSION {} SET SCHEMA <schema>", quoted(name)),
            ),
            None => unknown(
                format_args!("the version of extension {} before", quoted(name)),
                format!("ALTER EXTENSION {} UPDATE TO '<version>'", quoted(name)),
            ),
        },
        Stmt::CreateStatistics { name, if_not_exists, table, .. } => {
            create_statistics(name.as_ref(), *if_not_exists, table, context)
        }
        Stmt::AlterStatistics { name, .. } => unknown(
            format_args!("the statistics target of {name} before"),
            format!("ALTER STATISTICS {name} SET STATISTICS -1"),
        ),
        Stmt::CreatePublication { name, .. } => sql(format!("DROP PUBLICATION {}", quoted(name))),
        Stmt::AlterPublication { name, action, scope, .. } => alter_publication(name, *action, scope, context),
        Stmt::CreateSubscription { name, .. } => sql(format!("DROP SUBSCRIPTION {}", quoted(name))),
        Stmt::AlterSubscription { name, .. } => unknown(
            format_args!("what subscription {} was like before", quoted(name)),
            format!("ALTER SUBSCRIPTION {} <as it was>", quoted(name)),
        ),
        Stmt::Rename { target, to, .. } => sql(rename_back(target, to)),
        Stmt::SetSchema { target, to, .. } => sql(move_back(target, to, context)),
        Stmt::SetOwner { target, .. } => owner_back(target, context),
        Stmt::DependsOnExtension { target, no, extension } => {
            if *no && context.after.others == context.before.others {
                return Derived::Nothing("it did not depend on the extension");
            }
            let no = if *no { "" } else { "NO " };
            sql(format!("ALTER {} {no}DEPENDS ON EXTENSION {}", print::target(target), quoted(extension)))
        }
        Stmt::Comment { target, text } => comment_back(target, text.as_deref(), context),
        Stmt::SecurityLabel { target, .. } => unknown(
            format_args!("the security label of {} before", print::target(target)),
            format!("SECURITY LABEL ON {} IS <as it was>", print::target(target)),
        ),
        Stmt::Grant(grant) => grant_back(grant),
        Stmt::AlterDefaultPrivileges { text } => default_privileges_back(text),
        Stmt::ReassignOwned { .. } => {
            Need::bare("who owned what before is not in this migration; write ALTER … OWNER TO for each object").into()
        }
        Stmt::Query(query) => of_query(query, context),
        Stmt::Explain { analyze: true, statement } => other(statement, context),
        Stmt::Explain { .. } => Derived::Nothing("EXPLAIN only shows the plan"),
        Stmt::Truncate { tables, .. } => {
            let names: Vec<_> = tables.iter().map(|(name, _)| name.to_string()).collect();
            Need::bare(format!("the rows of {} are gone; the down must insert them again", names.join(", "))).into()
        }
        Stmt::LockTable { .. } => Derived::Nothing("the lock goes with the transaction"),
        Stmt::Copy { table: Some(table), from: true, .. } => Need::new(
            format!("which rows COPY adds to {table} is not known"),
            format!("DELETE FROM {table} WHERE <those rows>"),
        )
        .into(),
        Stmt::Copy { query: Some(query), .. } => match of_query(query, context) {
            Derived::Nothing(_) => Derived::Nothing("COPY … TO only reads"),
            writes => writes,
        },
        Stmt::Copy { .. } => Derived::Nothing("COPY … TO only reads"),
        Stmt::Call { function, .. } => Need::bare(format!("what procedure {function} does is not known")).into(),
        Stmt::Do { .. } => Need::bare("what the DO block does depends on what it finds").into(),
        Stmt::Prepare { .. }
        | Stmt::SessionStatement { .. }
        | Stmt::DeclareCursor { .. }
        | Stmt::Setting { .. }
        | Stmt::Discard { .. }
        | Stmt::Listen { .. }
        | Stmt::Load { .. } => IN_SESSION,
        Stmt::Vacuum { .. } => Derived::Nothing("VACUUM only tidies"),
        Stmt::Analyze { .. } => Derived::Nothing("ANALYZE only gathers statistics"),
        Stmt::Cluster { table, index } => cluster_back(table.as_ref(), index.as_deref(), context),
        Stmt::Checkpoint => Derived::Nothing("CHECKPOINT only writes what is there"),
        Stmt::Transaction { .. } => Derived::Nothing("transaction control changes no schema"),
        // DROP of these asks for more than their name.
        Stmt::Other { verb: OtherVerb::Create, target, .. }
            if matches!(
                target.kind,
                ObjectKind::Operator
                    | ObjectKind::OperatorClass
                    | ObjectKind::OperatorFamily
                    | ObjectKind::Cast
                    | ObjectKind::Transform
                    | ObjectKind::UserMapping
                    | ObjectKind::Aggregate
            ) && target.args.is_none() =>
        {
            Need::new(
                format!("DROP {} needs more than the name {}", target.kind.sql(), target.name),
                format!("DROP {} <as CREATE names it>", target.kind.sql()),
            )
            .into()
        }
        Stmt::Other { verb: OtherVerb::Create, target, .. } => sql(format!("DROP {}", print::target(target))),
        Stmt::Other { verb: OtherVerb::Alter, target, .. } => unknown(
            format_args!("what {} was like before", print::target(target)),
            format!("ALTER {} <as it was>", print::target(target)),
        ),
        // Handled before this table is asked.
        Stmt::AlterTable(_)
        | Stmt::Drop(_)
        | Stmt::CreateType { .. }
        | Stmt::AlterEnumAddValue { .. }
        | Stmt::AlterEnumRenameValue { .. }
        | Stmt::AlterComposite { .. }
        | Stmt::CreateDomain(_)
        | Stmt::AlterDomain { .. } => Need::bare("the reverse of this statement is not known").into(),
    }
}

fn create_index(create: &CreateIndex, context: &Context<'_>) -> Derived {
    let schema = create.table.schema.clone();
    let name = match &create.name {
        Some(name) => {
            let full = Name { schema: context.before.resolve(&create.table).schema, name: name.clone() };
            if create.if_not_exists && context.before.index(&full).is_some() {
                return ALREADY;
            }
            name.clone()
        }
        None => {
            let made = context
                .after
                .indexes()
                // Those of partitions go with that of the partitioned table.
                .find(|(name, index)| !context.before.relations.contains_key(*name) && index.parent.is_none())
                .map(|(name, _)| name.name.clone());
            match made {
                Some(name) => name,
                None => {
                    return Need::new(
                        "the index has no name in the statement, and the one PostgreSQL would choose is not known",
                        "DROP INDEX <name>",
                    )
                    .into();
                }
            }
        }
    };
    let name = Name { schema, name };
    sql(if create.concurrently {
        format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")
    } else {
        format!("DROP INDEX {name}")
    })
}

fn create_view(create: &CreateView, context: &Context<'_>) -> Derived {
    let drop = format!("DROP VIEW {}", create.name);
    if !create.or_replace {
        return sql(drop);
    }
    let Some(resolved) = context.before.find_relation(&create.name) else {
        return if context.before.world == World::Closed
            || context.before.dropped.contains(&context.before.resolve(&create.name))
        {
            sql(drop)
        } else {
            Need::new(
                format!(
                    "whether view {0} was there before, and what it showed, is not in this migration; write DROP VIEW {0} for a new one, \
                     else CREATE OR REPLACE VIEW {0} AS its query before",
                    create.name
                ),
                drop,
            )
            .into()
        };
    };
    let Some(Relation::View(old)) = context.before.relations.get(&resolved) else {
        return Need::bare(format!("{} is not a view", create.name)).into();
    };
    // OR REPLACE can add columns behind the others, and take none away (manual, CREATE VIEW).
    let new_columns = context.after.view(&resolved).and_then(|view| view.columns.known().cloned());
    let same = old.columns.known().is_some() && old.columns.known() == new_columns.as_ref();
    let head = if same { "CREATE OR REPLACE VIEW" } else { "CREATE VIEW" };
    match restore::view(head, &create.name, old) {
        Some(statement) if same => sql(statement),
        Some(statement) => Derived::Sql(vec![drop, statement]),
        None => unknown(
            format_args!("what view {} showed before", create.name),
            format!("CREATE OR REPLACE VIEW {} AS <its query before>", create.name),
        ),
    }
}

fn create_function(create: &CreateFunction, context: &Context<'_>) -> Derived {
    let drop = format!("DROP {}", print::routine(&create.routine));
    if !create.or_replace {
        return sql(drop);
    }
    let listed = context.before.find_functions(&create.routine.name);
    let old = listed
        .and_then(|name| context.before.functions.get(&name))
        .and_then(|overloads| overloads.iter().find(|of| of.routine.args == create.routine.args));
    match old {
        Some(old) => match restore::function(old) {
            Some(statement) => sql(replacing(&statement, create.routine.kind)),
            None => unknown(
                format_args!("what {} did before", print::routine(&create.routine)),
                format!("CREATE OR REPLACE {} <as it was>", print::routine(&create.routine)),
            ),
        },
        None if context.before.world == World::Closed => sql(drop),
        None => Need::new(
            format!(
                "whether {0} was there before, and what it did, is not in this migration; write DROP {0} for a new one, \
                 else CREATE OR REPLACE with its definition before",
                print::routine(&create.routine)
            ),
            drop,
        )
        .into(),
    }
}

/// The whole of it again: what it was like is what it was made by.
fn alter_function(routine: &Routine, context: &Context<'_>) -> Derived {
    let listed = context.before.find_functions(&routine.name);
    let mut fitting = listed
        .and_then(|name| context.before.functions.get(&name))
        .into_iter()
        .flatten()
        .filter(|of| routine.args.is_none() || of.routine.args == routine.args);
    match (fitting.next().and_then(restore::function), fitting.next()) {
        (Some(statement), None) => sql(replacing(&statement, routine.kind)),
        _ => unknown(
            format_args!("what {} was like before", print::routine(routine)),
            format!("ALTER {} <options as they were>", print::routine(routine)),
        ),
    }
}

/// CREATE OR REPLACE, whichever of the two the kept statement was.
fn replacing(statement: &str, kind: ObjectKind) -> String {
    let word = kind.sql();
    match statement.strip_prefix(&format!("CREATE {word}")) {
        Some(rest) => format!("CREATE OR REPLACE {word}{rest}"),
        None => statement.to_owned(),
    }
}

fn create_trigger(create: &CreateTrigger, context: &Context<'_>) -> Derived {
    let drop = format!("DROP TRIGGER {} ON {}", quoted(&create.name), create.table);
    if !create.or_replace {
        return sql(drop);
    }
    let table = context.table_of(&create.table);
    match table.and_then(|table| table.triggers.get(&create.name)) {
        Some(old) => match restore::trigger(&create.name, &create.table, old) {
            Ok(statement) => sql(statement.replacen("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1)),
            Err(why) => {
                Need::new(why, format!("CREATE OR REPLACE TRIGGER {} <as it was>", quoted(&create.name))).into()
            }
        },
        None if table.is_some_and(|table| table.complete) => sql(drop),
        None => Need::new(
            format!(
                "whether trigger {} of {} was there before is not in this migration; for a new one, the down is {drop}",
                quoted(&create.name),
                create.table
            ),
            drop.clone(),
        )
        .into(),
    }
}

fn alter_event_trigger(name: &str, text: &str) -> Derived {
    let lower = text.to_ascii_lowercase();
    if lower.ends_with("disable") {
        sql(format!("ALTER EVENT TRIGGER {} ENABLE", quoted(name)))
    } else if lower.ends_with(" enable") {
        sql(format!("ALTER EVENT TRIGGER {} DISABLE", quoted(name)))
    } else {
        unknown(
            format_args!("what event trigger {} was like before", quoted(name)),
            format!("ALTER EVENT TRIGGER {} ENABLE", quoted(name)),
        )
    }
}

/// The schema and what the statement makes in it, the last first.
fn create_schema(name: &str, elements: &[Statement], context: &Context<'_>) -> Derived {
    let mut statements = Vec::new();
    for element in elements.iter().rev() {
        let inner = match &element.stmt {
            Stmt::CreateTable(create) => format!("DROP TABLE {}", inside(name, &create.name)),
            Stmt::CreateView(create) => format!("DROP VIEW {}", inside(name, &create.name)),
            Stmt::CreateSequence(create) => format!("DROP SEQUENCE {}", inside(name, &create.name)),
            // These go with their tables.
            Stmt::CreateIndex(_) | Stmt::CreateTrigger(_) | Stmt::Grant(_) => continue,
            other_stmt => match super::statement(other_stmt, context) {
                Derived::Sql(inner) => {
                    statements.extend(inner);
                    continue;
                }
                not_sql => return not_sql,
            },
        };
        statements.push(inner);
    }
    statements.push(format!("DROP SCHEMA {}", quoted(name)));
    Derived::Sql(statements)
}

fn inside(schema: &str, name: &Name) -> Name {
    Name { schema: Some(name.schema.clone().unwrap_or_else(|| schema.to_owned())), name: name.name.clone() }
}

fn create_statistics(name: Option<&Name>, if_not_exists: bool, table: &Name, context: &Context<'_>) -> Derived {
    if let Some(name) = name {
        if if_not_exists && context.before.statistics.contains_key(&context.before.place(name)) {
            return ALREADY;
        }
        return sql(format!("DROP STATISTICS {name}"));
    }
    let made = context.after.statistics.keys().find(|name| !context.before.statistics.contains_key(*name));
    match made {
        Some(made) => {
            sql(format!("DROP STATISTICS {}", Name { schema: table.schema.clone(), name: made.name.clone() }))
        }
        None => Need::new("the statistics object has no name in the statement", "DROP STATISTICS <name>").into(),
    }
}

fn alter_sequence(name: &Name, options: &SequenceOptions, context: &Context<'_>) -> Derived {
    if options.restart.is_some() {
        return Need::new(
            format!("RESTART loses the position of sequence {name}, and nothing in the schema says what it was"),
            format!("ALTER SEQUENCE {name} RESTART WITH <position>"),
        )
        .into();
    }
    let known = context.before.sequence(&context.before.resolve(name));
    let old = known.and_then(|sequence| sequence.options.known());
    let mut parts = Vec::new();
    let mut missing = Vec::new();
    if options.data_type.is_some() {
        match old {
            Some(old) => {
                parts.push(format!(
                    "AS {}",
                    old.data_type.as_ref().map_or_else(|| "bigint".to_owned(), print::type_name)
                ));
            }
            None => missing.push("AS <type>".to_owned()),
        }
    }
    if !options.settings.is_empty() {
        match old.map(|old| restore::sequence_settings(options, old)) {
            Some(Ok(settings)) => {
                parts.extend(settings.iter().map(|(name, value)| print::sequence_setting(name, value)));
            }
            _ => missing.extend(options.settings.iter().map(|(name, _)| format!("{name} <as it was>"))),
        }
    }
    if options.owned_by.is_some() {
        match known.map(|sequence| &sequence.owned_by) {
            Some(Fact::Known(Some((table, column)))) => parts.push(format!("OWNED BY {table}.{}", quoted(column))),
            Some(Fact::Known(None)) => parts.push("OWNED BY NONE".to_owned()),
            _ => missing.push("OWNED BY <column or NONE>".to_owned()),
        }
    }
    if missing.is_empty() && parts.is_empty() {
        // SET LOGGED and SET UNLOGGED have no option of their own.
        return unknown(
            format_args!("what sequence {name} was like before"),
            format!("ALTER SEQUENCE {name} <as it was>"),
        );
    }
    if missing.is_empty() {
        return sql(format!("ALTER SEQUENCE {name} {}", parts.join(" ")));
    }
    parts.extend(missing);
    unknown(format_args!("what sequence {name} was like before"), format!("ALTER SEQUENCE {name} {}", parts.join(" ")))
}

fn alter_publication(
    name: &str,
    action: PublicationAction,
    scope: &PublicationScope,
    context: &Context<'_>,
) -> Derived {
    let head = format!("ALTER PUBLICATION {}", quoted(name));
    let old = context.before.publications.get(name);
    match action {
        PublicationAction::Add => {
            // DROP names tables without columns and filters.
            let bare = PublicationScope {
                tables: scope.tables.iter().map(|(table, only, ..)| (table.clone(), *only, Vec::new(), None)).collect(),
                ..scope.clone()
            };
            sql(format!("{head} DROP {}", print::publication_scope(&bare)))
        }
        PublicationAction::Drop => {
            let same = |left: &Name, right: &Name| context.before.resolve(left) == context.before.resolve(right);
            let tables: Option<Vec<_>> = old.and_then(|old| {
                scope
                    .tables
                    .iter()
                    .map(|(dropped, ..)| old.tables.iter().find(|(table, ..)| same(table, dropped)).cloned())
                    .collect()
            });
            match tables {
                Some(tables) => sql(format!(
                    "{head} ADD {}",
                    print::publication_scope(&PublicationScope { tables, ..scope.clone() })
                )),
                None => unknown(
                    format_args!("which columns and rows publication {} published before", quoted(name)),
                    format!("{head} ADD {}", print::publication_scope(scope)),
                ),
            }
        }
        PublicationAction::Set => match old {
            Some(old) if !old.tables.is_empty() || !old.schemas.is_empty() => {
                sql(format!("{head} SET {}", print::publication_scope(old)))
            }
            _ => unknown(
                format_args!("what publication {} published before", quoted(name)),
                format!("{head} SET TABLE <tables as they were>"),
            ),
        },
        PublicationAction::Options => match old.and_then(|old| old.with.as_ref()) {
            Some(with) => sql(format!("{head} SET {}", print::wrapped(with.trim_start_matches("with").trim()))),
            None => unknown(
                format_args!("the options of publication {} before", quoted(name)),
                format!("{head} SET (<options as they were>)"),
            ),
        },
    }
}

/// The target under another name.
fn renamed(target: &Target, to: &str) -> Target {
    Target { name: Name { schema: target.name.schema.clone(), name: to.to_owned() }, ..target.clone() }
}

fn rename_back(target: &Target, to: &str) -> String {
    let old = quoted(&target.name.name);
    match (target.kind, &target.on) {
        (ObjectKind::DomainConstraint, Some(domain)) => {
            format!("ALTER DOMAIN {domain} RENAME CONSTRAINT {} TO {old}", quoted(to))
        }
        (ObjectKind::Constraint, Some(table)) => {
            format!("ALTER TABLE {table} RENAME CONSTRAINT {} TO {old}", quoted(to))
        }
        (ObjectKind::Column, Some(table)) => format!("ALTER TABLE {table} RENAME COLUMN {} TO {old}", quoted(to)),
        _ => format!("ALTER {} RENAME TO {old}", print::target(&renamed(target, to))),
    }
}

fn move_back(target: &Target, to: &str, context: &Context<'_>) -> String {
    let here = match &target.name.schema {
        Some(schema) => schema.clone(),
        None => context.before.resolve(&target.name).schema.unwrap_or_else(|| "public".to_owned()),
    };
    let moved = Target { name: Name::qualified(to, &target.name.name), ..target.clone() };
    format!("ALTER {} SET SCHEMA {}", print::target(&moved), quoted(&here))
}

fn owner_back(target: &Target, context: &Context<'_>) -> Derived {
    let template = |owner: &str| format!("ALTER {} OWNER TO {owner}", print::target(target));
    match context.table_of(&target.name).map(|table| &table.owner) {
        Some(Fact::Known(owner)) if target.kind == ObjectKind::Table => sql(template(&print::role(owner))),
        _ => unknown(format_args!("the owner of {} before", print::target(target)), template("<role>")),
    }
}

fn cluster_back(table: Option<&Name>, index: Option<&str>, context: &Context<'_>) -> Derived {
    let (Some(table), Some(index)) = (table, index) else {
        return Derived::Nothing("CLUSTER only puts the rows in order");
    };
    let found = context.table_of(table);
    if found.is_some_and(|table| matches!(table.partition_by, Fact::Known(Some(_)))) {
        return Derived::Nothing("CLUSTER only puts the rows of the partitions in order");
    }
    match found.map(|table| &table.clustered_on) {
        Some(Fact::Known(Some(old))) if old == index => Derived::Nothing("CLUSTER only puts the rows in order"),
        Some(Fact::Known(Some(old))) => sql(format!("ALTER TABLE {table} CLUSTER ON {}", quoted(old))),
        Some(Fact::Known(None)) => sql(format!("ALTER TABLE {table} SET WITHOUT CLUSTER")),
        _ => unknown(
            format_args!("whether {table} was clustered on an index before"),
            format!("ALTER TABLE {table} SET WITHOUT CLUSTER"),
        ),
    }
}

/// GRANT for REVOKE and the other way round. A grant option goes with its grant, and is all that GRANT OPTION FOR takes.
fn grant_back(grant: &Grant) -> Derived {
    if grant.revoke && grant.cascade {
        return Need::new(
            "which privileges CASCADE takes from others is not known",
            print::grant(&Grant { revoke: false, cascade: false, ..grant.clone() }),
        )
        .into();
    }
    sql(print::grant(&Grant {
        revoke: !grant.revoke,
        // Revoking takes the privilege with its option; granting again after GRANT OPTION FOR gives the option.
        grant_option: grant.revoke && grant.grant_option,
        ..grant.clone()
    }))
}

/// ALTER DEFAULT PRIVILEGES with GRANT … TO and REVOKE … FROM changed about.
fn default_privileges_back(text: &str) -> Derived {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let position = |word: &str| words.iter().position(|known| known.eq_ignore_ascii_case(word));
    let swapped = match (position("grant"), position("revoke")) {
        (Some(verb), None) => position("to").map(|to| (verb, "REVOKE", to, "FROM")),
        (None, Some(verb)) => position("from").map(|from| (verb, "GRANT", from, "TO")),
        _ => None,
    };
    let option =
        words.windows(2).any(|pair| pair[0].eq_ignore_ascii_case("grant") && pair[1].eq_ignore_ascii_case("option"));
    match swapped {
        Some((verb, new_verb, direction, new_direction)) if !option => {
            let mut words = words.clone();
            words[verb] = new_verb;
            words[direction] = new_direction;
            sql(words.join(" "))
        }
        _ => Need::bare("the default privileges before are not in this migration").into(),
    }
}

fn of_query(query: &Query, context: &Context<'_>) -> Derived {
    if let Some((table, temporary)) = &query.into
        && query.writes.is_empty()
    {
        return if *temporary { IN_SESSION } else { sql(format!("DROP TABLE {table}")) };
    }
    if let Some(write) = query.writes.first() {
        let table = &write.table;
        let (why, template) = match write.kind {
            // What is in a table that this migration made is what it wrote.
            DmlKind::Insert if context.before.is_new(&context.before.resolve(table)) => {
                return sql(format!("DELETE FROM {table}"));
            }
            DmlKind::Insert => (
                format!("which rows to delete again from {table} is not known; delete them by their key"),
                Some(format!("DELETE FROM {table} WHERE <the rows inserted>")),
            ),
            DmlKind::Update => (
                format!("the values that the rows of {table} had before are not known"),
                Some(format!("UPDATE {table} SET {} WHERE {}", values_before(write), rows_updated(write))),
            ),
            DmlKind::Delete => (
                format!("the rows that are deleted from {table} are not known"),
                Some(format!("INSERT INTO {table} (<columns>) VALUES (<the rows as they were>)")),
            ),
            DmlKind::Merge => (format!("the rows of {table} before are not known"), None),
        };
        return Derived::Needs(why, template);
    }
    let writes_by_function = query.functions.iter().find(|function| {
        matches!(function.name.as_str(), "setval" | "nextval") || context.before.find_functions(function).is_some()
    });
    match writes_by_function {
        Some(function) => {
            Need::bare(format!("{function} may change the database, and what was there before is not known")).into()
        }
        None => Derived::Nothing("it only reads"),
    }
}

fn values_before(write: &Dml) -> String {
    let values: Vec<String> = write.columns.iter().map(|column| format!("{} = <before>", quoted(column))).collect();
    values.join(", ")
}

/// The rows by the up's own condition, where that holds after it as well.
fn rows_updated(write: &Dml) -> String {
    match &write.filter {
        Some(filter) if !write.columns.iter().any(|set| filter.columns.contains(set)) => filter.text.clone(),
        _ => "<the rows updated>".to_owned(),
    }
}

fn comment_back(target: &Target, text: Option<&str>, context: &Context<'_>) -> Derived {
    let on = print::target(target);
    match attached::old_comment(target, context.before) {
        Fact::Known(Some(old)) if Some(old.as_str()) == text => Derived::Nothing("the comment is the same already"),
        Fact::Known(Some(old)) => sql(format!("COMMENT ON {on} IS {}", print::literal(&old))),
        Fact::Known(None) if text.is_none() => Derived::Nothing("there is no comment to take away"),
        Fact::Known(None) => sql(format!("COMMENT ON {on} IS NULL")),
        Fact::Unknown => unknown(
            format_args!("the comment on {on} before"),
            format!("COMMENT ON {on} IS {}", if text.is_none() { "'<as it was>'" } else { "NULL" }),
        ),
    }
}

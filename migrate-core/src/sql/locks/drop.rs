//! DROP, and everything that goes with an object: read off the difference between the schema before and after, so that
//! what depends on what is decided in one place, where the statement is applied.

use super::look::Look;
use super::table::{self, Row};
use crate::model::LockClass;
use crate::sql::ast::{ConstraintKind, Drop, ObjectKind};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Relation, Schema, Table, Type};
use crate::sql::server::Server;
use std::collections::BTreeSet;

pub(super) fn drop_objects(look: &mut Look<'_>, drop: &Drop) {
    let row = match drop.kind {
        ObjectKind::Subscription if !has_slot(look, drop) => &table::SUBSCRIPTION,
        _ => drop_row(drop),
    };
    look.row(row);
    if drop.kind == ObjectKind::Index {
        return drop_indexes(look, row, drop);
    }
    match drop.kind {
        ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy => {
            for target in &drop.targets {
                let Some(on) = target.on.as_ref().map(|on| look.resolve(on)) else { continue };
                if (look.before.relation(&on).is_none() && !look.open())
                    || is_absent(look, drop.kind, &on, &target.name.name)
                {
                    continue;
                }
                // A row trigger of a partitioned table is on every partition.
                for name in
                    look.family(&on, drop.kind != ObjectKind::Trigger || !is_row_trigger(look, &on, &target.name.name))
                {
                    look.lock(row, &name, row.lock);
                }
            }
        }
        ObjectKind::Statistics => {
            for target in &drop.targets {
                let found = look
                    .before
                    .statistics
                    .iter()
                    .find(|(name, _)| {
                        name.name == target.name.name
                            && target.name.schema.as_ref().is_none_or(|schema| name.schema.as_ref() == Some(schema))
                    })
                    .map(|(_, (table, _))| table.clone());
                match found {
                    Some(on) => {
                        let on = look.resolve(&on);
                        look.lock(row, &on, row.lock);
                    }
                    None if look.open() => {
                        look.maybe_stronger(format!(
                            "the table of the statistics {} is not known: it is locked in SHARE UPDATE EXCLUSIVE mode",
                            target.name
                        ));
                    }
                    None => {}
                }
            }
        }
        ObjectKind::Publication | ObjectKind::EventTrigger => {}
        ObjectKind::Database if drop.targets.iter().any(|target| !made_here(look, "database", &target.name.name)) => {
            look.lose_elsewhere("every table of the database is gone, and no connection to this one can bring it back");
        }
        ObjectKind::Extension => {
            for target in &drop.targets {
                let name = target.name.name.as_str();
                let made_here = look.open() && look.before.extensions.contains_key(name);
                if !OWN_NO_TABLES.contains(&name) && !made_here {
                    look.lose_elsewhere(format!(
                        "which tables the extension {name} owns is not known: they go with it"
                    ));
                }
            }
        }
        ObjectKind::Owned => owned(look, row, drop),
        ObjectKind::Server | ObjectKind::ForeignDataWrapper if drop.cascade => {
            // Which server a foreign table is on is not kept: each may be.
            let foreign: Vec<Name> = look
                .before
                .tables()
                .filter(|(_, table)| table.foreign == Fact::Known(true))
                .map(|(name, _)| name.clone())
                .collect();
            for name in foreign {
                look.lock(row, &name, LockClass::AccessExclusive);
            }
        }
        ObjectKind::Table
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::Sequence
        | ObjectKind::ForeignTable => {
            for target in &drop.targets {
                let name = look.resolve(&target.name);
                if look.before.relation(&name).is_none() && !look.open() {
                    continue;
                }
                look.lock(row, &name, row.lock);
                match drop.kind {
                    ObjectKind::Table | ObjectKind::MaterializedView => look.lose(&name, None),
                    ObjectKind::Sequence => look.lose_value(&name, None),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    reached(look, row);
    open_world(look, row, drop);
}

fn drop_row(drop: &Drop) -> &'static Row {
    match drop.kind {
        ObjectKind::Table => &table::DROP_TABLE,
        ObjectKind::ForeignTable => &table::DROP_FOREIGN_TABLE,
        ObjectKind::View => &table::DROP_VIEW,
        ObjectKind::MaterializedView => &table::DROP_MATERIALIZED_VIEW,
        ObjectKind::Sequence => &table::DROP_SEQUENCE,
        ObjectKind::Index if drop.concurrently => &table::DROP_INDEX_CONCURRENTLY,
        ObjectKind::Index => &table::DROP_INDEX,
        ObjectKind::Type | ObjectKind::Domain => &table::DROP_TYPE,
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate => {
            &table::DROP_FUNCTION
        }
        ObjectKind::Trigger => &table::DROP_TRIGGER,
        ObjectKind::Rule => &table::DROP_RULE,
        ObjectKind::Policy => &table::DROP_POLICY,
        ObjectKind::EventTrigger => &table::EVENT_TRIGGER,
        ObjectKind::Schema => &table::DROP_SCHEMA,
        ObjectKind::Extension => &table::DROP_EXTENSION,
        ObjectKind::Owned => &table::DROP_OWNED,
        ObjectKind::Statistics => &table::DROP_STATISTICS,
        ObjectKind::Publication => &table::PUBLICATION,
        ObjectKind::Subscription => &table::SUBSCRIPTION_ALONE,
        ObjectKind::Database | ObjectKind::Tablespace => &table::OUTSIDE,
        _ => &table::OTHER_OBJECT,
    }
}

/// The extensions that ship with PostgreSQL 14 to 18: none of their scripts makes a table (`contrib/*/*.sql`, `src/pl`).
const OWN_NO_TABLES: &[&str] = &[
    "adminpack",
    "amcheck",
    "autoinc",
    "bloom",
    "bool_plperl",
    "bool_plperlu",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dblink",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "file_fdw",
    "fuzzystrmatch",
    "hstore",
    "hstore_plperl",
    "hstore_plperlu",
    "hstore_plpython3u",
    "insert_username",
    "intagg",
    "intarray",
    "isn",
    "jsonb_plperl",
    "jsonb_plperlu",
    "jsonb_plpython3u",
    "lo",
    "ltree",
    "ltree_plpython3u",
    "moddatetime",
    "old_snapshot",
    "pageinspect",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_logicalinspect",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_surgery",
    "pg_trgm",
    "pg_visibility",
    "pg_walinspect",
    "pgcrypto",
    "pgrowlocks",
    "pgstattuple",
    "plperl",
    "plperlu",
    "plpgsql",
    "plpython3u",
    "pltcl",
    "pltclu",
    "postgres_fdw",
    "refint",
    "seg",
    "sslinfo",
    "tablefunc",
    "tcn",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "xml2",
];

/// Whether earlier statements of the migration made it, in a schema of which nothing else is known.
fn made_here(look: &Look<'_>, kind: &str, name: &str) -> bool {
    look.open() && look.before.others.contains_key(&format!("{kind} {name}"))
}

/// Whether it is certain that the table has no such part: IF EXISTS then lets the table go again.
fn is_absent(look: &Look<'_>, kind: ObjectKind, on: &Name, part: &str) -> bool {
    look.before.table(on).is_some_and(|table| {
        table.complete
            && match kind {
                ObjectKind::Trigger => !table.triggers.contains_key(part),
                ObjectKind::Policy => !table.policies.contains_key(part),
                _ => !table.rules.contains_key(part),
            }
    })
}

/// A subscription that has no replication slot, or is not there, can be dropped in a transaction block.
fn has_slot(look: &Look<'_>, drop: &Drop) -> bool {
    drop.targets.iter().any(|target| match look.before.others.get(&format!("subscription {}", target.name)) {
        Some(text) => {
            let text = text.to_ascii_lowercase().replace(' ', "");
            !text.rsplit_once("slot_name=").is_some_and(|(_, last)| last.starts_with("none"))
        }
        None => look.open(),
    })
}

fn is_row_trigger(look: &Look<'_>, on: &Name, trigger: &str) -> bool {
    look.before.table(on).and_then(|table| table.triggers.get(trigger)).is_none_or(|trigger| trigger.row)
}

fn drop_indexes(look: &mut Look<'_>, row: &'static Row, drop: &Drop) {
    for target in &drop.targets {
        let name = look.resolve(&target.name);
        let Some(index) = look.before.index(&name) else {
            if look.open() {
                look.lock(row, &name, row.lock);
                look.unknown(format!(
                    "the table of the index {name} is not known: it is locked in {} mode too",
                    row.lock.sql()
                ));
            }
            continue;
        };
        look.lock(row, &name, row.lock);
        match index.table.known() {
            Some(on) => {
                let on = look.resolve(on);
                for table in look.family(&on, !index.partitioned) {
                    look.lock_because(row, &table, row.lock, || {
                        format!("{} takes {} on the index's table {table}", row.statement, row.lock.sql())
                    });
                }
            }
            None => look.unknown(format!(
                "the table of the index {name} is not known: it is locked in {} mode too",
                row.lock.sql()
            )),
        }
    }
    reached(look, row);
}

/// DROP OWNED: the relations of the roles, and the other sides of their foreign keys.
fn owned(look: &mut Look<'_>, row: &'static Row, drop: &Drop) {
    let roles: Vec<&str> = drop.targets.iter().map(|target| target.name.name.as_str()).collect();
    let tables: Vec<(Name, Vec<Name>)> = look
        .before
        .tables()
        .filter(|(_, table)| table.owner.known().is_some_and(|owner| roles.contains(&owner.as_str())))
        .map(|(name, table)| (name.clone(), other_sides(table).cloned().collect()))
        .collect();
    for (name, others) in tables {
        for member in look.family(&name, false) {
            look.lock(row, &member, row.lock);
            look.lose(&member, None);
        }
        let referencing = look.before.referencing_tables(&name);
        for other in others.iter().chain(&referencing) {
            let other = look.resolve(other);
            look.lock(row, &other, row.second());
        }
        for view in look.before.views_reading(&name) {
            look.lock(row, &view, row.second());
        }
    }
}

/// Locks on everything that the statement took away or took something from, besides what it names: `AccessExclusive`, all
/// of it (`AcquireDeletionLock`, and `performDeletion` of each part).
pub(super) fn reached(look: &mut Look<'_>, row: &'static Row) {
    if !look.first_to_reach(row) {
        return;
    }
    let (before, after) = (look.before, look.after);
    let mut touched: BTreeSet<Name> = BTreeSet::new();
    let mut lost: Vec<(Name, Option<String>)> = Vec::new();
    let mut positions: Vec<Name> = Vec::new();
    for (name, relation) in &before.relations {
        let Some(now) = after.relations.get(name) else {
            touched.insert(name.clone());
            match relation {
                Relation::Table(table) => {
                    if table.foreign != Fact::Known(true) {
                        lost.push((name.clone(), None));
                    }
                    for other in other_sides(table) {
                        let other = before.resolve(other);
                        other_side(before, look.pg, other, &mut touched);
                    }
                    if let Fact::Known(Some((parent, _))) = &table.partition_of {
                        touched.insert(parent.clone());
                        touched.extend(before.default_partition_of(parent));
                    }
                }
                Relation::MaterializedView(_) => lost.push((name.clone(), None)),
                Relation::Index(index) => touched.extend(index.table.known().map(|table| before.resolve(table))),
                Relation::Sequence(_) => positions.push(name.clone()),
                Relation::View(_) => {}
            }
            continue;
        };
        if let (Relation::Table(was), Relation::Table(is)) = (relation, now) {
            table_parts(was, is, name, (before, look.pg), &mut touched, &mut lost);
        }
    }
    for name in touched {
        let class = match before.relation(&name) {
            Some(Relation::Index(_)) if row.lock == LockClass::ShareUpdateExclusive => row.lock,
            _ if std::ptr::eq(row, &raw const table::DROP_INDEX_CONCURRENTLY) => row.lock,
            _ => LockClass::AccessExclusive,
        };
        look.lock_because(row, &name, class, || format!("{} reaches {name}", row.statement));
    }
    for (name, column) in lost {
        look.lose(&name, column.as_deref());
    }
    for name in positions {
        look.lose_value(&name, None);
    }
    for (name, listed) in &before.types {
        let composite = matches!(
            listed,
            Type::Defined { new: false, definition: crate::sql::ast::TypeDefinition::Composite { .. } }
        );
        if composite && after.types.get(name) != Some(listed) {
            look.lock_type(row, name, LockClass::AccessExclusive);
        }
    }
}

fn table_parts(
    was: &Table,
    is: &Table,
    name: &Name,
    (before, pg): (&Schema, Server<'_>),
    touched: &mut BTreeSet<Name>,
    lost: &mut Vec<(Name, Option<String>)>,
) {
    for column in &was.columns {
        match is.columns.iter().find(|listed| listed.name == column.name) {
            None => {
                touched.insert(name.clone());
                lost.push((name.clone(), Some(column.name.clone())));
            }
            Some(now) => {
                if matches!(column.default, Fact::Known(Some(_))) && now.default == Fact::Known(None) {
                    touched.insert(name.clone());
                }
            }
        }
    }
    for (constraint, listed) in &was.constraints {
        if !is.constraints.contains_key(constraint) {
            touched.insert(name.clone());
            if let Fact::Known(ConstraintKind::ForeignKey(key)) = &listed.kind
                && !listed.inherited
            {
                let referenced = before.resolve(&key.references);
                other_side(before, pg, referenced, touched);
            }
        }
    }
    let fewer = was.triggers.keys().any(|key| !is.triggers.contains_key(key))
        || was.policies.keys().any(|key| !is.policies.contains_key(key))
        || was.rules.keys().any(|key| !is.rules.contains_key(key));
    if fewer {
        touched.insert(name.clone());
    }
}

/// A referenced table, on which the triggers of a foreign key go; 14 has none on a partitioned one
/// (`addFkRecurseReferenced`).
fn other_side(before: &Schema, pg: Server<'_>, referenced: Name, touched: &mut BTreeSet<Name>) {
    let mut family = before.descendants_of(&referenced);
    family.push(referenced);
    touched.extend(family.into_iter().filter(|name| pg.at_least(15) || !before.is_partitioned(name)));
}

/// The tables that a table's foreign keys reference.
fn other_sides(table: &Table) -> impl Iterator<Item = &Name> {
    table.constraints.values().filter_map(|constraint| match &constraint.kind {
        // The triggers on the referenced table are those of the parent's key.
        Fact::Known(ConstraintKind::ForeignKey(key)) if !constraint.inherited => Some(&key.references),
        _ => None,
    })
}

/// What cannot be known of what goes with the objects.
fn open_world(look: &mut Look<'_>, row: &'static Row, drop: &Drop) {
    if !look.open() {
        return;
    }
    let names = || drop.targets.iter().map(|target| target.name.to_string()).collect::<Vec<_>>().join(", ");
    if drop.kind == ObjectKind::Owned {
        return look.worst(row, format!("what {} owns is not known", names()));
    }
    if drop.kind == ObjectKind::Table {
        let all_known = drop
            .targets
            .iter()
            .all(|target| look.before.table(&look.resolve(&target.name)).is_some_and(|table| table.complete));
        if !all_known {
            look.unknown(format!("the foreign keys of {} are not known: the tables that they reference are locked in ACCESS EXCLUSIVE mode too", names()));
        }
    }
    if !drop.cascade {
        return;
    }
    match drop.kind {
        ObjectKind::Schema => look.worst(row, format!("what the schema {} holds, and what depends on it, is not known", names())),
        ObjectKind::Type | ObjectKind::Domain | ObjectKind::Extension => {
            look.worst(row, format!("which columns CASCADE takes with {} is not known", names()));
        }
        ObjectKind::Publication | ObjectKind::EventTrigger | ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule | ObjectKind::Statistics => {}
        _ => look.maybe_stronger(format!("what CASCADE takes with {} is not known: each table, view and materialized view of it is locked in ACCESS EXCLUSIVE mode", names())),
    }
}

//! ALTER TABLE: the strongest lock that any of its actions wants is taken on the table, and on the children that an
//! action reaches (`ATController`: one lock mode for the whole command). Then each action's own work and second tables.

use super::look::Look;
use super::table::{self, Row};
use super::{attach, column, constraint};
use crate::model::LockClass;
use crate::sql::RelationKind;
use crate::sql::ast::{AlterTable, ConstraintKind, ObjectKind, RowSecurity, TableAction, TriggerMode, TriggerScope};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Relation};

pub(super) fn alter_table(look: &mut Look<'_>, alter: &AlterTable) {
    let target = look.resolve(&alter.name);
    if look.before.relation(&target).is_none() && !look.open() {
        return;
    }
    let kind = relation_kind(look, &target, alter.kind);
    match kind {
        RelationKind::Index => return index_actions(look, &target, alter),
        RelationKind::View => return view_actions(look, &target, alter),
        RelationKind::Sequence => return sequence_actions(look, &target, alter),
        _ => {}
    }

    let strongest = alter.actions.iter().map(|action| row(look, action, kind)).max_by_key(|row| row.lock);
    let Some(strongest) = strongest else { return };
    let class = strongest.lock;
    look.lock(strongest, &target, class);
    for action in &alter.actions {
        let action_row = row(look, action, kind);
        look.row(action_row);
        for child in children(look, &target, alter.only, action) {
            // Adding an index to a partitioned table is the one action that takes its own mode on the partitions.
            let own_mode = std::ptr::eq(action_row, &raw const table::ADD_UNIQUE)
                || (std::ptr::eq(action_row, &raw const table::ADD_EXCLUDE) && look.pg.before(18));
            let class = if own_mode { action_row.second() } else { class };
            look.lock(action_row, &child, class);
        }
        act(look, &target, alter, action, action_row);
    }
}

/// The children and partitions that an action is done on too.
fn children(look: &Look<'_>, target: &Name, only: bool, action: &TableAction) -> Vec<Name> {
    let before = look.before;
    let partitioned = before.is_partitioned(target);
    match action {
        // Partitions must not be in use, told to recurse or not (`ATCheckPartitionsNotInUse`).
        TableAction::DropConstraint { .. } if partitioned => before.descendants_of(target),
        // The direct children are told that the constraint is now theirs.
        TableAction::DropNotNull { column } if only && look.pg.at_least(18) && !is_nullable(look, target, column) => {
            before.children_of(target)
        }
        _ if only || !reaches_children(look, target, action) => Vec::new(),
        TableAction::AddColumn { column, .. } => without_merged(look, target, &column.name),
        TableAction::ValidateConstraint { name } if constraint::is_valid(look, target, name) => Vec::new(),
        TableAction::DropConstraint { name, .. }
        | TableAction::RenameConstraint { name, .. }
        | TableAction::ValidateConstraint { name }
        | TableAction::AlterConstraint { name, .. } => constraint::heirs(look, target, name),
        _ => before.descendants_of(target),
    }
}

/// ADD COLUMN goes no further below a child that has the column already: the two are merged there (`ATExecAddColumn`).
fn without_merged(look: &Look<'_>, target: &Name, column: &str) -> Vec<Name> {
    let mut reached = Vec::new();
    for child in look.before.children_of(target) {
        let merged = look.before.table(&child).is_some_and(|table| table.column(column).is_some());
        let below = if merged { Vec::new() } else { without_merged(look, &child, column) };
        for name in std::iter::once(child).chain(below) {
            if !reached.contains(&name) {
                reached.push(name);
            }
        }
    }
    reached
}

fn is_nullable(look: &Look<'_>, target: &Name, column: &str) -> bool {
    look.before
        .table(target)
        .and_then(|table| table.column(column))
        .is_some_and(|column| column.not_null == Fact::Known(false))
}

/// Whether there is nothing to do, which is seen before the children are: the column is there (or is not), has no
/// identity, is NOT NULL already (or is not).
fn is_done(look: &Look<'_>, target: &Name, action: &TableAction) -> bool {
    let Some(table) = look.before.table(target) else { return false };
    let listed = |name: &str| table.column(name);
    match action {
        TableAction::AddColumn { if_not_exists: true, column } => listed(&column.name).is_some(),
        TableAction::DropColumn { name, if_exists: true, .. } => listed(name).is_none() && table.complete,
        TableAction::DropConstraint { name, if_exists: true, .. } => {
            table.complete && !table.constraints.contains_key(name)
        }
        TableAction::DropIdentity { column, if_exists: true } => {
            listed(column).is_some_and(|column| column.identity == Fact::Known(None))
        }
        TableAction::SetNotNull { column } => {
            let valid = table.constraints.values().all(|listed| {
                !matches!(&listed.kind, Fact::Known(ConstraintKind::NotNull { column: known }) if known == column)
                    || listed.validated == Fact::Known(true)
            });
            (look.pg.at_least(18) || look.before.is_partitioned(target))
                && valid
                && listed(column).is_some_and(|column| column.not_null == Fact::Known(true))
        }
        TableAction::DropNotNull { column } => look.pg.at_least(18) && is_nullable(look, target, column),
        _ => false,
    }
}

/// What the schema says the relation is; where it does not say, what the statement says.
fn relation_kind(look: &Look<'_>, target: &Name, said: ObjectKind) -> RelationKind {
    match look.before.relation(target) {
        Some(Relation::View(_)) => RelationKind::View,
        Some(Relation::MaterializedView(_)) => RelationKind::MaterializedView,
        Some(Relation::Sequence(_)) => RelationKind::Sequence,
        Some(Relation::Index(_)) => RelationKind::Index,
        Some(Relation::Table(table)) if table.foreign == Fact::Known(true) => RelationKind::ForeignTable,
        Some(Relation::Table(table)) if table.complete => RelationKind::Table,
        _ => match said {
            ObjectKind::View => RelationKind::View,
            ObjectKind::MaterializedView => RelationKind::MaterializedView,
            ObjectKind::Sequence => RelationKind::Sequence,
            ObjectKind::Index => RelationKind::Index,
            ObjectKind::ForeignTable => RelationKind::ForeignTable,
            _ => RelationKind::Table,
        },
    }
}

/// The row that an action goes by.
fn row(look: &Look<'_>, action: &TableAction, kind: RelationKind) -> &'static Row {
    match action {
        TableAction::AddColumn { .. } => &table::ADD_COLUMN,
        TableAction::DropColumn { .. } => &table::DROP_COLUMN,
        TableAction::SetType { .. } => &table::SET_TYPE,
        TableAction::SetDefault { .. } => &table::SET_DEFAULT,
        TableAction::DropDefault { .. } => &table::DROP_DEFAULT,
        TableAction::SetNotNull { .. } => &table::SET_NOT_NULL,
        TableAction::DropNotNull { .. } => &table::DROP_NOT_NULL,
        TableAction::SetExpression { .. } => &table::SET_EXPRESSION,
        TableAction::DropExpression { .. } => &table::DROP_EXPRESSION,
        TableAction::AddIdentity { .. } => &table::ADD_IDENTITY,
        TableAction::SetIdentity { .. } => &table::SET_IDENTITY,
        TableAction::DropIdentity { .. } => &table::DROP_IDENTITY,
        TableAction::SetStatistics { .. } => &table::SET_STATISTICS,
        TableAction::SetStorage { .. } => &table::SET_STORAGE,
        TableAction::SetCompression { .. } => &table::SET_COMPRESSION,
        TableAction::SetColumnOptions { .. } | TableAction::ResetColumnOptions { .. } => &table::SET_COLUMN_OPTIONS,
        TableAction::AddConstraint(constraint) => constraint::row(look, constraint),
        TableAction::AlterConstraint { .. } => &table::ALTER_CONSTRAINT,
        TableAction::ValidateConstraint { .. } => &table::VALIDATE_CONSTRAINT,
        TableAction::DropConstraint { .. } => &table::DROP_CONSTRAINT,
        TableAction::RenameColumn { .. } => &table::RENAME_COLUMN,
        TableAction::RenameConstraint { .. } => &table::RENAME_CONSTRAINT,
        TableAction::RenameTo { .. } => &table::RENAME_TABLE,
        TableAction::SetSchema { .. } => &table::SET_SCHEMA,
        TableAction::OwnerTo { .. } => &table::OWNER_TO,
        TableAction::EnableTrigger {
            mode: TriggerMode::Origin | TriggerMode::Always | TriggerMode::Replica, ..
        }
        | TableAction::DisableTrigger { .. } => &table::TRIGGER_STATE,
        TableAction::EnableRule { .. } | TableAction::DisableRule { .. } => &table::RULE_STATE,
        TableAction::RowSecurity(
            RowSecurity::Enable | RowSecurity::Disable | RowSecurity::Force | RowSecurity::NoForce,
        ) => &table::ROW_SECURITY,
        TableAction::ClusterOn { .. } | TableAction::SetWithoutCluster => &table::CLUSTER_ON,
        TableAction::SetWithoutOids => &table::SET_WITHOUT_OIDS,
        TableAction::SetTablespace { .. } => &table::SET_TABLESPACE,
        TableAction::SetLogged | TableAction::SetUnlogged => &table::SET_LOGGED,
        TableAction::SetAccessMethod { .. } => &table::SET_ACCESS_METHOD,
        TableAction::SetOptions { options } => options_row(options.iter().map(|(name, _)| name.as_str()), kind),
        TableAction::ResetOptions { options } => options_row(options.iter().map(String::as_str), kind),
        TableAction::Inherit { .. } => &table::INHERIT,
        TableAction::NoInherit { .. } => &table::NO_INHERIT,
        TableAction::OfType { .. } | TableAction::NotOf => &table::OF_TYPE,
        TableAction::ReplicaIdentity(_) => &table::REPLICA_IDENTITY,
        TableAction::AttachPartition { .. } => &table::ATTACH_PARTITION,
        TableAction::DetachPartition { concurrently: true, .. } => &table::DETACH_CONCURRENTLY,
        TableAction::DetachPartition { finalize: true, .. } => &table::DETACH_FINALIZE,
        TableAction::DetachPartition { .. } => &table::DETACH_PARTITION,
        TableAction::ForeignOptions { .. } | TableAction::Unsupported { .. } => &table::FOREIGN_OPTIONS,
    }
}

/// `reloptions.c` gives each option its lock mode; tables have one strong option.
fn options_row<'a>(mut names: impl Iterator<Item = &'a str>, kind: RelationKind) -> &'static Row {
    let strong = names.any(|name| name.eq_ignore_ascii_case("user_catalog_table") || !is_weak_option(name));
    if strong || kind == RelationKind::View { &table::SET_STRONG_OPTIONS } else { &table::SET_OPTIONS }
}

fn is_weak_option(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix("toast.").unwrap_or(&name);
    name.starts_with("autovacuum_")
        || matches!(
            name,
            "fillfactor"
                | "toast_tuple_target"
                | "parallel_workers"
                | "vacuum_index_cleanup"
                | "vacuum_truncate"
                | "vacuum_max_eager_freeze_failure_rate"
                | "log_autovacuum_min_duration"
                | "log_autoanalyze_min_duration"
                | "deduplicate_items"
                | "n_distinct"
                | "n_distinct_inherited"
                // Not an option of any server: WITH OIDS is refused, and takes no lock worth naming.
                | "oids"
        )
}

/// Whether the action is done on children and partitions too (`ATPrepCmd`, the recursion of each action).
fn reaches_children(look: &Look<'_>, target: &Name, action: &TableAction) -> bool {
    if is_done(look, target, action) {
        return false;
    }
    match action {
        TableAction::AddColumn { .. }
        | TableAction::DropColumn { .. }
        | TableAction::SetType { .. }
        | TableAction::SetDefault { .. }
        | TableAction::DropDefault { .. }
        | TableAction::SetNotNull { .. }
        | TableAction::DropNotNull { .. }
        | TableAction::SetExpression { .. }
        | TableAction::DropExpression { .. }
        | TableAction::SetStatistics { .. }
        | TableAction::SetStorage { .. }
        | TableAction::ValidateConstraint { .. }
        | TableAction::DropConstraint { .. }
        | TableAction::RenameColumn { .. }
        | TableAction::AlterConstraint { .. } => true,
        // Of those that children inherit (`rename_constraint_internal`).
        TableAction::RenameConstraint { name, .. } => {
            let listed = look.before.table(target).and_then(|table| table.constraints.get(name));
            listed
                .and_then(|listed| listed.kind.known())
                .is_none_or(|kind| matches!(kind, ConstraintKind::Check(_) | ConstraintKind::NotNull { .. }))
        }
        TableAction::EnableTrigger { which, .. } | TableAction::DisableTrigger { which } => match which {
            // Only row triggers are on the partitions too.
            TriggerScope::Named(name) => {
                let listed = look.before.table(target).and_then(|table| table.triggers.get(name));
                look.before.is_partitioned(target) && listed.is_none_or(|trigger| trigger.row)
            }
            TriggerScope::All | TriggerScope::User => look.before.is_partitioned(target),
        },
        TableAction::AddConstraint(constraint) => constraint::reaches_children(look, target, constraint),
        TableAction::AddIdentity { .. } | TableAction::SetIdentity { .. } | TableAction::DropIdentity { .. } => {
            look.pg.at_least(17) && look.before.is_partitioned(target)
        }
        _ => false,
    }
}

fn act(look: &mut Look<'_>, target: &Name, alter: &AlterTable, action: &TableAction, row: &'static Row) {
    let family = look.family(target, alter.only);
    match action {
        TableAction::AddColumn { if_not_exists, column } => {
            column::add(look, row, target, &family, *if_not_exists, column);
        }
        TableAction::DropColumn { name, if_exists, .. } => {
            column::drop(look, row, target, &family, alter.only, name, *if_exists);
        }
        TableAction::SetType { column, data_type, collation, using } => {
            column::set_type(look, row, &family, column, data_type, collation.as_ref(), using.as_ref());
        }
        TableAction::SetNotNull { column } => {
            // What the statement drops is gone before (`AT_PASS_DROP`).
            let dropped = alter.actions.iter().filter_map(|action| match action {
                TableAction::DropConstraint { name, .. } => Some(name.as_str()),
                _ => None,
            });
            column::set_not_null(look, row, &family, column, &dropped.collect::<Vec<_>>());
        }
        TableAction::SetExpression { column, expression } => {
            column::set_expression(look, row, &family, column, expression);
        }
        TableAction::DropIdentity { column, .. } => column::drop_identity(look, row, target, column),
        TableAction::SetIdentity { column, options, .. } => column::set_identity(look, row, target, column, options),
        TableAction::AddConstraint(new) => constraint::add(look, row, target, &family, new),
        TableAction::AlterConstraint { name, enforced, .. } => {
            constraint::alter(look, row, target, &family, name, *enforced);
        }
        TableAction::ValidateConstraint { name } => constraint::validate(look, row, target, &family, name),
        TableAction::DropConstraint { name, .. } => {
            constraint::drop(look, row, target, alter.only, name);
        }
        TableAction::SetSchema { .. } => {
            for sequence in look.before.sequences_owned_by(target, None) {
                look.lock(row, &sequence, row.second());
            }
        }
        TableAction::SetTablespace { to } => {
            let there = look.before.table(target).is_some_and(|table| {
                table.tablespace == Fact::Known(Some(to.clone()))
                    || (to == "pg_default" && table.tablespace == Fact::Known(None))
            });
            // A materialized view that was made in this history is where it is made without TABLESPACE.
            let there = there
                || matches!(look.before.relation(target), Some(Relation::MaterializedView(view))
                    if to == view.tablespace.as_deref().unwrap_or("pg_default"));
            if !there && !look.before.is_partitioned(target) {
                look.work(row, target, row.work, format!("SET TABLESPACE copies {target} to the other tablespace"));
            }
        }
        TableAction::SetLogged | TableAction::SetUnlogged => persistence(look, row, target, action),
        TableAction::SetAccessMethod { method } => {
            let there = look.before.table(target).is_some_and(|table| match &table.access_method {
                Fact::Known(known) => known.as_deref().unwrap_or("heap") == method.as_deref().unwrap_or("heap"),
                Fact::Unknown => false,
            });
            // No other method of materialized views comes with the server.
            let there = there
                || (look.before.view(target).is_some() && method.as_deref().is_none_or(|method| method == "heap"));
            if !there && !look.before.is_partitioned(target) {
                look.work(row, target, row.work, format!("SET ACCESS METHOD rewrites {target}"));
            }
        }
        TableAction::Inherit { parent } => {
            let parent = look.resolve(parent);
            look.lock(row, &parent, row.second());
            // The child's own children are visited for the columns that they inherit.
            for child in look.before.descendants_of(target) {
                look.lock(row, &child, LockClass::AccessShare);
            }
        }
        TableAction::NoInherit { parent } => {
            let parent = look.resolve(parent);
            look.lock(row, &parent, row.second());
        }
        TableAction::AttachPartition { partition, bound } => attach::attach(look, row, target, partition, bound),
        TableAction::DetachPartition { partition, .. } => attach::detach(look, row, target, partition),
        TableAction::ClusterOn { index } => {
            let index = Name { schema: target.schema.clone(), name: index.clone() };
            look.lock(row, &index, LockClass::ShareUpdateExclusive);
        }
        _ => {}
    }
}

fn persistence(look: &mut Look<'_>, row: &'static Row, target: &Name, action: &TableAction) {
    use crate::sql::ast::Persistence;
    let wanted = if matches!(action, TableAction::SetLogged) { Persistence::Permanent } else { Persistence::Unlogged };
    let known = look.before.table(target).and_then(|table| table.persistence.known());
    if known == Some(&wanted) || look.before.is_partitioned(target) {
        return;
    }
    if known.is_none() {
        look.unknown(format!("whether {target} is UNLOGGED is not known; if it is not as wanted, it is rewritten"));
    }
    look.work(
        row,
        target,
        row.work,
        format!("{} rewrites {target}", if wanted == Persistence::Permanent { "SET LOGGED" } else { "SET UNLOGGED" }),
    );
}

fn index_actions(look: &mut Look<'_>, index: &Name, alter: &AlterTable) {
    for action in &alter.actions {
        let row = match action {
            // ALTER TABLE … RENAME of an index does not know in time that it is one.
            TableAction::RenameTo { .. } if alter.kind == ObjectKind::Index => &table::RENAME_INDEX,
            TableAction::RenameTo { .. } => &table::RENAME_TABLE,
            TableAction::SetOptions { options } => index_options_row(options.iter().map(|(name, _)| name.as_str())),
            TableAction::ResetOptions { options } => index_options_row(options.iter().map(String::as_str)),
            TableAction::SetTablespace { .. } => &table::ALTER_INDEX_TABLESPACE,
            TableAction::SetStatistics { .. } => &table::ALTER_INDEX_STATISTICS,
            TableAction::ClusterOn { .. } => &table::CLUSTER_ON,
            other => self::row(look, other, RelationKind::Index),
        };
        look.lock(row, index, row.lock);
    }
}

/// `reloptions.c`: `fillfactor` and `deduplicate_items` are weak; fastupdate, buffering and the rest are not.
fn index_options_row<'a>(mut names: impl Iterator<Item = &'a str>) -> &'static Row {
    let weak = names.all(|name| matches!(name.to_ascii_lowercase().as_str(), "fillfactor" | "deduplicate_items"));
    if weak { &table::ALTER_INDEX_OPTIONS } else { &table::SET_STRONG_OPTIONS }
}

fn view_actions(look: &mut Look<'_>, view: &Name, alter: &AlterTable) {
    for action in &alter.actions {
        // Views have no option but their own, and those are strong; RESET takes any name (`reloptions.c`).
        let row = match action {
            TableAction::ResetOptions { options } if options.iter().all(|name| is_weak_option(name)) => {
                &table::SET_OPTIONS
            }
            TableAction::SetOptions { options } if options.iter().all(|(name, _)| is_weak_option(name)) => {
                &table::SET_OPTIONS
            }
            _ => &table::ALTER_VIEW,
        };
        look.lock(row, view, row.lock);
    }
}

fn sequence_actions(look: &mut Look<'_>, sequence: &Name, alter: &AlterTable) {
    if !alter.actions.is_empty() {
        look.lock(&table::ALTER_SEQUENCE_OBJECT, sequence, table::ALTER_SEQUENCE_OBJECT.lock);
    }
}

/// ALTER … ALL IN TABLESPACE moves what is listed as being there; what else is there is not known in an open world.
pub(super) fn all_in_tablespace(look: &mut Look<'_>, kind: ObjectKind, from: &str, to: &str, text: &str) {
    let row = &table::ALL_IN_TABLESPACE;
    look.row(row);
    let owners = owned_by(text);
    let mut moved = Vec::new();
    for (name, relation) in &look.before.relations {
        let there = match (kind, relation) {
            (ObjectKind::Table, Relation::Table(table)) => {
                let owned = owners.is_empty() || table.owner.known().is_some_and(|owner| owners.contains(owner));
                let at = match &table.tablespace {
                    Fact::Known(known) => known.as_deref().unwrap_or("pg_default") == from,
                    Fact::Unknown => true,
                };
                owned && at && table.foreign != Fact::Known(true)
            }
            (ObjectKind::Index, Relation::Index(index)) => index.definition.known().is_some_and(|text| {
                text.contains(&format!("TABLESPACE {from}")) || (from == "pg_default" && !text.contains(" TABLESPACE "))
            }),
            // Where one was made to be elsewhere is not kept.
            (ObjectKind::MaterializedView, Relation::MaterializedView(_)) => from == "pg_default" && owners.is_empty(),
            _ => false,
        };
        if there {
            moved.push(name.clone());
        }
    }
    for name in moved {
        look.lock(row, &name, row.lock);
        if from != to && kind != ObjectKind::Index && !look.before.is_partitioned(&name) {
            look.work(row, &name, row.work, format!("{name} is copied to the other tablespace"));
        }
    }
    if look.open() {
        look.worst(row, format!("which relations are in the tablespace {from} is not known"));
    }
}

/// The roles of `OWNED BY a, b`.
fn owned_by(text: &str) -> Vec<String> {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
    let Some(start) =
        words.windows(2).position(|pair| pair[0].eq_ignore_ascii_case("owned") && pair[1].eq_ignore_ascii_case("by"))
    else {
        return Vec::new();
    };
    words[start + 2..]
        .iter()
        .take_while(|word| !word.eq_ignore_ascii_case("set"))
        .map(|word| word.trim_matches('"').to_owned())
        .collect()
}

//! Rows that are written: the partitions that they are in or go to, and the parents whose bounds they are held against.

use super::look::{Look, is_system};
use super::query::{in_hash_partitions, unpruned, unqualified};
use super::table::{self, Row};
use super::{bound, fired};
use crate::model::{LockClass, Work};
use crate::sql::ast::{ConflictAction, Dml, DmlKind, Query};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Relation};
use std::collections::BTreeSet;

/// One row of VALUES: the columns that are given literals, and those.
pub(super) type Literals = Vec<(String, String)>;

/// One INSERT, UPDATE, DELETE or MERGE.
pub(super) fn dml(look: &mut Look<'_>, write: &Dml, query: &Query) {
    let name = look.resolve(&write.table);
    if is_system(&name) {
        return;
    }
    let row = dml_row(write.kind);
    look.lock(row, &name, row.lock);
    if let Some(Relation::View(view)) = look.before.relation(&name) {
        let base = view.query.known().and_then(|query| query.reads.first()).map(|(base, _)| look.resolve(base));
        match base {
            Some(base) if base != name => {
                // What the view has not is not given a value.
                let columns = match &view.columns {
                    Fact::Known(columns) if write.columns.is_empty() && write.kind == DmlKind::Insert => {
                        columns.clone()
                    }
                    _ => write.columns.clone(),
                };
                let through = Dml { table: base, columns, ..write.clone() };
                dml(look, &through, query);
            }
            _ => look.maybe_stronger(format!("what a write to the view {name} reaches is not known")),
        }
        return;
    }
    let kinds: Vec<DmlKind> = match write.kind {
        DmlKind::Merge => write.merge_actions.clone(),
        DmlKind::Insert if write.on_conflict == Some(ConflictAction::Update) => vec![DmlKind::Insert, DmlKind::Update],
        kind => vec![kind],
    };
    let mut replaced = false;
    for kind in &kinds {
        replaced |= fired::rules(look, &name, *kind);
    }
    if replaced {
        return;
    }
    let condition = write.filter.as_ref().map(|filter| unqualified(&filter.text)).unwrap_or_default();
    let mut children = match write.kind {
        DmlKind::Insert => routed(look, &name, write, query),
        _ => unpruned(look, &name, write.only, &condition),
    };
    // A row whose key changes moves to any partition of the table whose key it is.
    let mut moves = false;
    if write.kind == DmlKind::Update {
        let changed: Vec<Name> = std::iter::once(&name)
            .chain(&children)
            .filter(|table| is_key(look, table, &write.columns))
            .cloned()
            .collect();
        moves = !changed.is_empty();
        for table in changed {
            let set: Vec<(String, String)> = write
                .columns
                .iter()
                .filter_map(|column| Some((column.clone(), bound::assigned(&query.text, column)?)))
                .collect();
            let row: Vec<(&str, &str)> = set.iter().map(|(column, value)| (column.as_str(), value.as_str())).collect();
            route(look, &table, &row, &mut children);
        }
    }
    if kinds.iter().any(|kind| *kind != DmlKind::Delete) && look.runs() {
        partition_of(look, row, &name);
    }
    for child in &children {
        look.lock(row, child, row.lock);
    }
    let mut written = vec![name.clone()];
    written.extend(children);
    let work = if kinds.is_empty() { Work::Scan } else { row.work };
    for name in look.with_storage(&written) {
        look.work(row, &name, work, format!("{} writes rows of {name}", row.statement));
    }
    let deletes = write.kind == DmlKind::Delete
        || (write.kind == DmlKind::Merge && write.merge_actions.contains(&DmlKind::Delete));
    if deletes {
        look.lose(&name, None);
    }
    if look.runs() {
        let mut seen = BTreeSet::new();
        for kind in &kinds {
            let updates = *kind == DmlKind::Update && matches!(write.kind, DmlKind::Insert | DmlKind::Merge);
            let columns = if updates { &write.conflict_columns } else { &write.columns };
            let rows = if *kind == DmlKind::Insert { literal_rows(look, &name, write, query) } else { None };
            fired::foreign_keys(look, &name, (*kind, columns, rows.as_deref()), &mut seen, 0);
            if moves {
                fired::foreign_keys(look, &name, (DmlKind::Insert, &[], None), &mut seen, 0);
            }
            fired::triggers(look, &name, *kind, columns);
            fired::own_sequences(look, &name, *kind, &write.columns);
        }
    }
    if look.open() && look.before.table(&name).is_none_or(|table| !table.complete) && look.existed(&name) {
        look.maybe_stronger(format!(
            "the foreign keys, triggers and rules of {name} are not known: they may lock other tables"
        ));
    }
}

/// Whether one of the columns is in the table's partition key.
fn is_key(look: &Look<'_>, table: &Name, columns: &[String]) -> bool {
    let key = look.before.table(table).and_then(|table| table.partition_by.known()).and_then(Option::as_ref);
    key.is_some_and(|key| key.columns.iter().any(|column| columns.contains(column)))
}

/// A row written to a partition is checked against its bound, for which the parents are opened
/// (`RelationGetPartitionQual`).
pub(super) fn partition_of(look: &mut Look<'_>, row: &'static Row, name: &Name) {
    let mut below = name.clone();
    while let Some((parent, _)) =
        look.before.table(&below).and_then(|table| table.partition_of.known()).cloned().flatten()
    {
        look.lock_because(row, &parent, LockClass::AccessShare, || {
            format!("the bound of the partition {name} is read from its parent {parent}")
        });
        below = parent;
    }
}

pub(super) fn dml_row(kind: DmlKind) -> &'static Row {
    match kind {
        DmlKind::Insert => &table::INSERT,
        DmlKind::Update => &table::UPDATE,
        DmlKind::Delete => &table::DELETE,
        DmlKind::Merge => &table::MERGE,
    }
}

/// The partitions that inserted rows go to: read from VALUES where they are plain, else any.
fn routed(look: &Look<'_>, name: &Name, write: &Dml, query: &Query) -> Vec<Name> {
    if !look.before.is_partitioned(name) {
        return Vec::new();
    }
    let Some(rows) = literal_rows(look, name, write, query) else { return look.before.descendants_of(name) };
    let mut kept = Vec::new();
    for row in &rows {
        let row: Vec<(&str, &str)> = row.iter().map(|(column, value)| (column.as_str(), value.as_str())).collect();
        route(look, name, &row, &mut kept);
    }
    kept
}

/// The rows of an `INSERT … VALUES`, each with the columns that are given literals.
fn literal_rows(look: &Look<'_>, name: &Name, write: &Dml, query: &Query) -> Option<Vec<Literals>> {
    let table = look.before.table(name)?;
    let columns: Vec<String> = if write.columns.is_empty() {
        table.columns.iter().map(|column| column.name.clone()).collect()
    } else {
        write.columns.clone()
    };
    // INSERT … SELECT: what is the same in all its rows stands for them.
    let Some(rows) = write.values else {
        let literals = columns.into_iter().enumerate();
        let row: Literals =
            literals.filter_map(|(at, column)| Some((column, bound::selected_at(&query.text, at)?))).collect();
        return (!row.is_empty()).then(|| vec![row]);
    };
    let values: Vec<(String, Vec<String>)> = columns
        .into_iter()
        .enumerate()
        .filter_map(|(at, column)| Some((column, bound::values_at(&query.text, at)?)))
        .filter(|(_, values)| values.len() == rows)
        .collect();
    let row = |at: usize| values.iter().map(|(column, values)| (column.clone(), values[at].clone())).collect();
    Some((0..rows).map(row).collect())
}

/// Where one row goes below a partitioned table, given its known values.
pub(super) fn route(look: &Look<'_>, name: &Name, row: &[(&str, &str)], kept: &mut Vec<Name>) {
    let key = look.before.table(name).and_then(|table| table.partition_by.known()).and_then(Option::as_ref);
    let Some(key) = key else { return };
    let value =
        bound::key_column(key).and_then(|key| row.iter().find(|(column, _)| *column == key)).map(|(_, value)| *value);
    let partitions = look.before.partitions_of(name);
    let mut chosen = Vec::new();
    let by_hash = bound::hash_column(key).and_then(|column| {
        let (_, value) = row.iter().find(|(of, _)| *of == column)?;
        in_hash_partitions(look, name, column, &[(*value).to_owned()])
    });
    match value {
        None if by_hash.is_some() => chosen = by_hash.unwrap_or_default(),
        Some(value) => {
            for child in partitions {
                let of = look.before.table(&child).and_then(|table| table.partition_of.known());
                if let Some(Some((_, crate::sql::ast::PartitionBound::Values(text)))) = of
                    && bound::holds(text, value) != Some(false)
                {
                    chosen.push(child);
                }
            }
            if chosen.is_empty() {
                chosen.extend(look.before.default_partition_of(name));
            }
        }
        None => chosen = partitions,
    }
    for child in chosen {
        route(look, &child, row, kept);
        kept.push(child);
    }
}

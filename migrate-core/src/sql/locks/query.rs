//! Queries and DML: the relations they name, the partitions that planning does not prune, the relations behind views,
//! and what foreign keys and triggers reach when rows are written.

use super::look::{Look, is_system};
use super::table::{self, Row};
use super::{bound, column, program};
use crate::model::{LockClass, Work};
use crate::sql::ast::{ConflictAction, Dml, DmlKind, ForeignKey, Query, Statement, Stmt};
use crate::sql::name::Name;
use crate::sql::schema::{ApplyError, Fact, Relation};
use std::collections::BTreeSet;

/// One row of VALUES: the columns that are given literals, and those.
type Literals = Vec<(String, String)>;

/// How deep views are followed into views, and cascades into cascades.
const DEPTH: u8 = 24;

/// The query is run.
pub(super) fn run(look: &mut Look<'_>, query: &Query) {
    names(look, query, 0);
    // Rows that are written to tables that were there weigh more than those that are read for it.
    let writes = query.writes.iter().any(|write| look.existed(&look.resolve(&write.table)));
    if !writes && query.scans && !is_point_lookup(look, query) && !is_index_end(look, query) {
        for (name, only) in &query.reads {
            let name = look.resolve(name);
            read_work(look, &name, *only, &condition(query), 0);
        }
    }
    for write in &query.writes {
        dml(look, write, query);
    }
    program::functions(look, &query.functions);
}

/// The query is planned, not run: DECLARE CURSOR, EXPLAIN.
pub(super) fn plan(look: &mut Look<'_>, query: &Query) {
    look.planned(|look| run(look, query));
}

/// PREPARE parses and rewrites: views are opened, partitions are not.
pub(super) fn prepare(look: &mut Look<'_>, statement: &Stmt) {
    if let Stmt::Query(query) = statement {
        look.parsed(|look| run(look, query));
    }
}

pub(super) fn explain(look: &mut Look<'_>, analyze: bool, statement: &Stmt, text: &str) -> Result<(), ApplyError> {
    let mut result = Ok(());
    if analyze {
        result = super::statement_facts(look, statement, text);
    } else {
        look.planned(|look| result = super::statement_facts(look, statement, text));
    }
    result
}

pub(super) fn copy(look: &mut Look<'_>, to: Option<&Name>, query: Option<&Query>, from: bool, columns: &[String]) {
    if let Some(query) = query {
        run(look, query);
    }
    let Some(to) = to else { return };
    let to = look.resolve(to);
    if from {
        let row = &table::COPY_FROM;
        let insert = Dml {
            kind: DmlKind::Insert,
            table: to,
            only: false,
            columns: columns.to_vec(),
            conflict_columns: Vec::new(),
            overwrites: Vec::new(),
            computed: Vec::new(),
            own_columns: Vec::new(),
            filter: None,
            on_conflict: None,
            values: None,
            merge_actions: Vec::new(),
        };
        look.row(row);
        dml(look, &insert, &Query::default());
    } else {
        let row = &table::COPY_TO;
        look.lock(row, &to, row.lock);
        look.work(row, &to, row.work, format!("COPY TO reads every row of {to}"));
    }
}

/// The relations that a query opens when it is parsed: for CREATE VIEW and SQL function bodies, nothing behind them.
pub(super) fn named_relations(look: &mut Look<'_>, row: &'static Row, query: &Query) {
    for (name, _) in &query.reads {
        let name = look.resolve(name);
        if !query.row_locks.iter().any(|locked| look.resolve(locked) == name) {
            look.lock(row, &name, LockClass::AccessShare);
        }
    }
    for name in &query.row_locks {
        let name = look.resolve(name);
        look.lock(row, &name, LockClass::RowShare);
    }
    for write in &query.writes {
        let name = look.resolve(&write.table);
        look.lock(row, &name, LockClass::RowExclusive);
    }
}

/// Locks on everything the query reads.
fn names(look: &mut Look<'_>, query: &Query, depth: u8) {
    for (name, only) in &query.reads {
        let name = look.resolve(name);
        let condition = condition_on(look, query, &name);
        open(look, &table::READ, &name, *only, LockClass::AccessShare, &condition, depth);
    }
    for name in &query.row_locks {
        let name = look.resolve(name);
        let condition = condition_on(look, query, &name);
        open(look, &table::ROW_LOCK, &name, false, LockClass::RowShare, &condition, depth);
    }
    let mut sequences: Vec<Name> = query.sequences.iter().map(|sequence| look.resolve(sequence)).collect();
    let draws = |name: &Name| matches!(name.name.as_str(), "nextval" | "setval");
    if query.functions.iter().any(draws) {
        for (table, column) in serial_arguments(&query.text) {
            sequences.extend(look.before.sequences_owned_by(&look.resolve(&table), Some(&column)));
        }
    }
    for sequence in sequences {
        look.lock(&table::DRAW_SEQUENCE, &sequence, table::DRAW_SEQUENCE.lock);
    }
}

/// The tables and columns of calls with constants, `pg_get_serial_sequence('orders', 'id')`.
fn serial_arguments(text: &str) -> Vec<(Name, String)> {
    let constant = |text: &str| {
        let text = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        Some(text.replace("''", "'"))
    };
    let calls = text.split("pg_get_serial_sequence(").skip(1);
    calls
        .filter_map(|rest| {
            let (table, rest) = rest.split_once(',')?;
            let (column, _) = rest.split_once(')')?;
            Some((crate::sql::parse::name_in(&constant(table)?)?, constant(column)?))
        })
        .collect()
}

/// Opens a relation, its children that are not pruned, and what is behind it if it is a view.
fn open(look: &mut Look<'_>, row: &'static Row, name: &Name, only: bool, class: LockClass, condition: &str, depth: u8) {
    if is_system(name) || depth > DEPTH {
        return;
    }
    look.lock(row, name, class);
    match look.before.relation(name) {
        Some(Relation::View(view)) => match view.query.known() {
            Some(query) => {
                let query = query.clone();
                let condition = if passes_conditions(&query) { condition } else { "" };
                for (inner, only) in &query.reads {
                    let inner = look.resolve(inner);
                    open(look, row, &inner, *only, class, condition, depth + 1);
                }
                program::functions(look, &query.functions);
            }
            None => look.maybe_stronger(format!("what the view {name} reads is not known")),
        },
        Some(Relation::Table(_)) => {
            for child in unpruned(look, name, only, condition) {
                look.lock(row, &child, class);
            }
        }
        _ => {}
    }
}

/// Whether a condition on the view is one on the relation behind it: one relation, its columns under their own names.
fn passes_conditions(query: &Query) -> bool {
    let text = query.text.to_ascii_lowercase();
    query.reads.len() == 1
        && !text.contains(" group by ")
        && !text.contains("distinct")
        && query
            .outputs
            .as_ref()
            .is_none_or(|outputs| outputs.iter().all(|output| output.column.is_none() || output.name == output.column))
}

/// The children and partitions that are opened: those that the condition does not rule out.
fn unpruned(look: &Look<'_>, name: &Name, only: bool, condition: &str) -> Vec<Name> {
    let all: Vec<Name> = look.family(name, only).into_iter().skip(1).collect();
    let key = look.before.table(name).and_then(|table| table.partition_by.known()).and_then(Option::as_ref);
    if condition.is_empty() || all.is_empty() {
        return all;
    }
    if let Some(kept) = hashed(look, name, condition) {
        let below = |child: Name| {
            let mut kept = unpruned(look, &child, false, condition);
            kept.push(child);
            kept
        };
        return kept.into_iter().flat_map(below).collect();
    }
    let Some(column) = key.and_then(bound::key_column) else {
        // A key that is not read prunes nothing; partitions below may have one that is.
        let below = |child: Name| {
            let mut kept = unpruned(look, &child, false, condition);
            kept.push(child);
            kept
        };
        return look.before.children_of(name).into_iter().flat_map(below).collect();
    };
    let values = |child: &Name| {
        look.before
            .table(child)
            .and_then(|table| table.partition_of.known())
            .and_then(Option::as_ref)
            .map(|(_, bound)| bound.clone())
    };
    let one = bound::equals(condition, column);
    // Every value has a partition of its own: none is in the default one.
    let each = bound::one_of(condition, column).is_some_and(|values| {
        values.iter().all(|value| {
            look.before
                .partitions_of(name)
                .iter()
                .any(|child| matches!(values_of(look, child), Some(text) if bound::holds(&text, value) == Some(true)))
        })
    });
    let taken = each || one.as_ref().is_some_and(|one| {
        look.before.partitions_of(name).iter().any(|child| {
            matches!(values(child), Some(crate::sql::ast::PartitionBound::Values(text)) if bound::holds(&text, one) == Some(true))
        })
    }) || look.before.partitions_of(name).iter().any(|child| {
        matches!(values(child), Some(crate::sql::ast::PartitionBound::Values(text)) if bound::holds_all(&text, column, condition))
    });
    let mut kept = Vec::new();
    for child in look.before.partitions_of(name) {
        let opened = match values(&child) {
            Some(crate::sql::ast::PartitionBound::Values(text)) => match &one {
                Some(one) => bound::holds(&text, one) != Some(false),
                None => bound::may_meet(&text, column, condition),
            },
            Some(crate::sql::ast::PartitionBound::Default) => !taken,
            None => true,
        };
        if opened {
            kept.extend(unpruned(look, &child, false, condition));
            kept.push(child);
        }
    }
    kept
}

/// The values of a partition's bound.
fn values_of(look: &Look<'_>, partition: &Name) -> Option<String> {
    match look.before.table(partition)?.partition_of.known()? {
        Some((_, crate::sql::ast::PartitionBound::Values(text))) => Some(text.clone()),
        _ => None,
    }
}

/// The hash partitions in which rows can be whose key is one of a few literals.
fn hashed(look: &Look<'_>, name: &Name, condition: &str) -> Option<Vec<Name>> {
    let table = look.before.table(name)?;
    let column = bound::hash_column(table.partition_by.known()?.as_ref()?)?;
    let values = bound::one_of(condition, column)?;
    in_hash_partitions(look, name, column, &values)
}

fn in_hash_partitions(look: &Look<'_>, name: &Name, column: &str, values: &[String]) -> Option<Vec<Name>> {
    let data_type = look.before.table(name)?.column(column)?.data_type.known()?;
    let data_type = look.before.resolve_type(data_type);
    let mut kept = Vec::new();
    for child in look.before.partitions_of(name) {
        let text = values_of(look, &child)?;
        let found: Option<Vec<bool>> =
            values.iter().map(|value| bound::hashes_to(&text, &data_type.name.name, value)).collect();
        if data_type.array == 0 && found?.contains(&true) {
            kept.push(child);
        }
    }
    Some(kept)
}

fn read_work(look: &mut Look<'_>, name: &Name, only: bool, condition: &str, depth: u8) {
    if depth > DEPTH {
        return;
    }
    if let Some(Relation::View(view)) = look.before.relation(name) {
        if let Some(query) = view.query.known() {
            for (inner, only) in &query.reads {
                let inner = look.resolve(inner);
                read_work(look, &inner, *only, "", depth + 1);
            }
        }
        return;
    }
    // A sequence is one row.
    if look.before.sequence(name).is_some() {
        return;
    }
    let mut read = vec![name.clone()];
    read.extend(unpruned(look, name, only, condition));
    for name in look.with_storage(&read) {
        look.work(&table::READ, &name, Work::Scan, format!("the query reads {name}"));
    }
}

/// `WHERE key = constant`, where a unique index is over the key.
fn is_point_lookup(look: &Look<'_>, query: &Query) -> bool {
    let (Some(column), [(table, _)]) = (&query.point_lookup, query.reads.as_slice()) else { return false };
    let table = look.resolve(table);
    look.before.indexes_of(&table).iter().any(|(_, index)| {
        // Of an index that is not unique, or has more keys, how many rows are read is not known.
        index.unique == Fact::Known(true)
            && index.predicate.is_none()
            && index.columns.known().is_some_and(|columns| *columns == [Some(column.clone())])
    })
}

/// `SELECT max(key) FROM t`, where an index begins with the key: its one end is read (`preprocess_minmax_aggregates`).
fn is_index_end(look: &Look<'_>, query: &Query) -> bool {
    let [(table, _)] = query.reads.as_slice() else { return false };
    let text = query.text.to_ascii_lowercase();
    if [" where ", " group by ", " order by ", " having ", " join "].iter().any(|word| text.contains(word)) {
        return false;
    }
    let table = look.resolve(table);
    look.before.indexes_of(&table).iter().any(|(_, index)| {
        let first = index.columns.known().and_then(|columns| columns.first()).and_then(Option::as_ref);
        first.is_some_and(|key| {
            let key = crate::sql::name::quoted(key);
            ["max", "min"].iter().any(|end| text.contains(&format!("select {end}({key}) from ")))
        })
    })
}

/// The condition, without the qualifications of its columns, as far as it can be one on the relation: a column of that
/// name in another relation of the query makes it uncertain.
fn condition_on(look: &Look<'_>, query: &Query, relation: &Name) -> String {
    let condition = condition(query);
    if condition.is_empty() {
        return condition;
    }
    let key = look.before.table(relation).and_then(|table| table.partition_by.known()).and_then(Option::as_ref);
    let column = key.and_then(|key| bound::key_column(key).or_else(|| bound::hash_column(key)));
    let Some(column) = column else { return condition };
    let ambiguous = query.reads.iter().map(|(other, _)| look.resolve(other)).any(|other| {
        other != *relation
            && match look.before.relation(&other) {
                Some(Relation::Table(table)) => !table.complete || table.column(column).is_some(),
                Some(Relation::View(view) | Relation::MaterializedView(view)) => {
                    view.columns.known().is_none_or(|columns| columns.iter().any(|listed| listed == column))
                }
                _ => true,
            }
    });
    if ambiguous { String::new() } else { unqualified(&condition) }
}

/// `r.taken_on = '2024'` as `taken_on = '2024'`.
fn unqualified(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let mut quoted = false;
    for char in text.chars() {
        if char == '\'' {
            quoted = !quoted;
        }
        let of_word = !quoted && (char.is_alphanumeric() || char == '_' || char == '"');
        if of_word {
            word.push(char);
        } else if char == '.' && !quoted && word.starts_with(|first: char| !first.is_ascii_digit()) && !word.is_empty()
        {
            word.clear();
        } else {
            out.push_str(&word);
            word.clear();
            out.push(char);
        }
    }
    out.push_str(&word);
    out
}

/// The text of the query's one WHERE; empty where there are several, or set operations.
fn condition(query: &Query) -> String {
    let lower = query.text.to_ascii_lowercase();
    if lower.matches(" where ").count() != 1 || lower.contains(" union ") {
        return String::new();
    }
    let Some(start) = lower.find(" where ").map(|at| at + 7) else { return String::new() };
    let end =
        [" group by ", " order by ", " limit ", " having ", " for ", " returning ", " window ", " offset ", " fetch "]
            .iter()
            .filter_map(|word| lower[start..].find(word))
            .min()
            .map_or(query.text.len(), |at| start + at);
    query.text[start..end].trim().to_owned()
}

/// One INSERT, UPDATE, DELETE or MERGE.
fn dml(look: &mut Look<'_>, write: &Dml, query: &Query) {
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
        replaced |= rules(look, &name, *kind);
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
            children.extend(look.before.descendants_of(&table));
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
            foreign_keys(look, &name, (*kind, columns, rows.as_deref()), &mut seen, 0);
            if moves {
                foreign_keys(look, &name, (DmlKind::Insert, &[], None), &mut seen, 0);
            }
            triggers(look, &name, *kind);
            own_sequences(look, &name, *kind, &write.columns);
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

fn dml_row(kind: DmlKind) -> &'static Row {
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
    let (table, rows) = (look.before.table(name)?, write.values?);
    let columns: Vec<String> = if write.columns.is_empty() {
        table.columns.iter().map(|column| column.name.clone()).collect()
    } else {
        write.columns.clone()
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

/// The partitions of a referenced table in which the new rows' keys are looked up: those that the plan for each key is
/// left with (`RI_FKey_check`).
fn looked_up(look: &Look<'_>, key: &ForeignKey, rows: Option<&[Literals]>) -> Vec<Name> {
    let referenced = look.resolve(&key.references);
    if !look.before.is_partitioned(&referenced) {
        return Vec::new();
    }
    let Some(rows) = rows else { return look.before.descendants_of(&referenced) };
    let columns = column::referenced_columns(look.before.table(&referenced), key);
    let mut kept = Vec::new();
    for row in rows {
        let value = |column: &String| row.iter().find(|(of, _)| of == column).map(|(_, value)| value.as_str());
        if key.columns.iter().filter_map(value).any(bound::is_null) {
            continue;
        }
        let looked_for: Vec<(&str, &str)> =
            key.columns.iter().zip(&columns).filter_map(|(own, other)| Some((other.as_str(), value(own)?))).collect();
        route(look, &referenced, &looked_for, &mut kept);
    }
    kept
}

/// Where one row goes below a partitioned table, given its known values.
fn route(look: &Look<'_>, name: &Name, row: &[(&str, &str)], kept: &mut Vec<Name>) {
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

/// What the triggers of foreign keys open (`ri_triggers.c`): the referenced row is locked FOR KEY SHARE, referencing
/// rows are looked for, or changed.
fn foreign_keys(
    look: &mut Look<'_>,
    name: &Name,
    (kind, columns, rows): (DmlKind, &[String], Option<&[Literals]>),
    seen: &mut BTreeSet<(Name, DmlKind)>,
    depth: u8,
) {
    if depth > DEPTH || !seen.insert((name.clone(), kind)) {
        return;
    }
    let row = dml_row(kind);
    let before = look.before;
    if kind != DmlKind::Delete {
        for key in before.foreign_keys_of(name) {
            if is_checked_now(look, key.table, key.constraint) && sets(look, name, kind, columns, &key.key.columns) {
                let referenced = look.resolve(&key.key.references);
                let mut looked_in = looked_up(look, key.key, rows);
                looked_in.push(referenced);
                for name in looked_in {
                    look.lock_because(row, &name, LockClass::RowShare, || {
                        format!("the foreign key {} looks the row up in {name}", key.constraint)
                    });
                }
            }
        }
    }
    if kind == DmlKind::Insert {
        return;
    }
    // The triggers of a key that references a partitioned table are on its partitions too.
    let mut referenced_as = vec![name.clone()];
    while let Some((parent, _)) = referenced_as
        .last()
        .and_then(|last| before.table(last))
        .and_then(|table| table.partition_of.known())
        .cloned()
        .flatten()
    {
        referenced_as.push(parent);
    }
    for key in before.all_foreign_keys().filter(|key| referenced_as.contains(&before.resolve(&key.key.references))) {
        let referenced = column::referenced_columns(before.table(name), key.key);
        if !is_enforced(look, key.table, key.constraint)
            || (kind == DmlKind::Update
                && !columns.is_empty()
                && !referenced.iter().any(|column| columns.contains(column)))
        {
            continue;
        }
        let action = if kind == DmlKind::Delete { &key.key.on_delete } else { &key.key.on_update };
        let action = action.as_deref().unwrap_or("NO ACTION").to_ascii_uppercase();
        // Only the check of NO ACTION can wait for COMMIT; the other actions never do.
        if action == "NO ACTION" && !is_checked_now(look, key.table, key.constraint) {
            continue;
        }
        let other = key.table.clone();
        let constraint = key.constraint;
        let changes = action.starts_with("CASCADE") || action.starts_with("SET");
        let class = if changes { LockClass::RowExclusive } else { LockClass::RowShare };
        for target in look.family(&other, false) {
            look.lock_because(row, &target, class, || {
                format!("the foreign key {constraint} of {target} references {name}: ON {} {action}", row.statement)
            });
            if changes && !before.is_partitioned(&target) {
                look.work(row, &target, Work::Rows, format!("{action} changes rows of {target}"));
            }
        }
        if changes {
            let next = if action.starts_with("CASCADE") && kind == DmlKind::Delete {
                DmlKind::Delete
            } else {
                DmlKind::Update
            };
            if next == DmlKind::Delete {
                look.lose(&other, None);
            }
            foreign_keys(look, &other, (next, &key.key.columns, None), seen, depth + 1);
            triggers(look, &other, next);
        }
    }
}

/// Whether rows are looked up by the statement: those of a key that is deferred are by COMMIT, which may come much later.
fn is_checked_now(look: &Look<'_>, table: &Name, constraint: &str) -> bool {
    let listed = look.before.table(table).and_then(|table| table.constraints.get(constraint));
    listed.is_none_or(|constraint| constraint.enforced && !constraint.initially_deferred)
}

fn is_enforced(look: &Look<'_>, table: &Name, constraint: &str) -> bool {
    look.before
        .table(table)
        .and_then(|table| table.constraints.get(constraint))
        .is_none_or(|constraint| constraint.enforced)
}

/// Whether the statement gives the key's columns values that may not be null.
fn sets(look: &Look<'_>, name: &Name, kind: DmlKind, columns: &[String], key: &[String]) -> bool {
    if columns.is_empty() {
        return kind == DmlKind::Insert;
    }
    if key.iter().any(|column| columns.contains(column)) {
        return true;
    }
    kind == DmlKind::Insert
        && look.before.table(name).is_some_and(|table| {
            key.iter().all(|wanted| {
                table
                    .columns
                    .iter()
                    .any(|column| column.name == *wanted && !matches!(column.default, Fact::Known(None)))
            })
        })
}

/// User triggers and rules: what the trigger's function does, where its body is known.
fn triggers(look: &mut Look<'_>, name: &Name, kind: DmlKind) {
    let Some(listed) = look.before.table(name) else { return };
    let word = match kind {
        DmlKind::Insert => "insert",
        DmlKind::Update => "update",
        DmlKind::Delete => "delete",
        DmlKind::Merge => return,
    };
    let mut called = Vec::new();
    for (trigger, listed) in &listed.triggers {
        let fires = listed.definition.known().is_none_or(|text| text.to_ascii_lowercase().contains(word));
        if fires {
            called.push((trigger.clone(), listed.function.known().cloned()));
        }
    }
    for (trigger, function) in called {
        match function {
            Some(function) => program::trigger(look, name, &trigger, &function),
            None => look.maybe_stronger(format!("what the trigger {trigger} of {name} does is not known")),
        }
    }
}

/// The actions of rules on the event, which the rewriter adds. Whether one is instead of the statement itself, without
/// condition.
fn rules(look: &mut Look<'_>, name: &Name, kind: DmlKind) -> bool {
    let event = match kind {
        DmlKind::Insert => "on insert",
        DmlKind::Update => "on update",
        DmlKind::Delete => "on delete",
        DmlKind::Merge => return false,
    };
    let Some(listed) = look.before.table(name) else { return false };
    let of_event: Vec<(String, String)> = listed
        .rules
        .iter()
        .filter(|(_, text)| text.to_ascii_lowercase().contains(event))
        .map(|(rule, text)| (rule.clone(), text.clone()))
        .collect();
    let mut replaced = false;
    for (rule, text) in of_event {
        let itself = Name::bare(format!("rule {rule} on {name}"));
        if look.is_running(&itself) {
            continue;
        }
        let Some(parts) = RuleParts::read(&text) else {
            look.maybe_stronger(format!("the rule {rule} of {name} may reach other tables"));
            continue;
        };
        look.running(&itself, |look| {
            for action in &parts.actions {
                run(look, action);
            }
        });
        replaced |= parts.instead && !parts.conditional;
    }
    replaced
}

/// What a rule does, read from its text.
pub(super) struct RuleParts {
    pub conditional: bool,
    /// What its condition reads in subqueries.
    pub condition: Option<Query>,
    pub instead: bool,
    pub actions: Vec<Query>,
}

impl RuleParts {
    /// `None` where it cannot be read.
    pub(super) fn read(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let start = lower.find(" do ")? + 4;
        let condition = lower[..start].find(" where ").and_then(|at| text.get(at + 7..start - 4));
        let mut action = text[start..].trim();
        let instead = action.to_ascii_lowercase().starts_with("instead");
        for word in ["instead", "also"] {
            if action.to_ascii_lowercase().starts_with(word) {
                action = action[word.len()..].trim_start();
            }
        }
        let mut parts = Self { conditional: condition.is_some(), condition: None, instead, actions: Vec::new() };
        if let Some(condition) = condition {
            parts.condition = crate::sql::parse::parse_expression(condition).ok()?.subquery.map(|query| *query);
        }
        if !action.eq_ignore_ascii_case("nothing") {
            let inner = action.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(action);
            let statements = crate::sql::parse::parse(inner).ok()?;
            parts.actions = statements.iter().filter_map(query_of).cloned().collect();
        }
        Some(parts)
    }
}

/// Sequences that defaults and identities draw from.
fn own_sequences(look: &mut Look<'_>, name: &Name, kind: DmlKind, columns: &[String]) {
    if kind != DmlKind::Insert {
        return;
    }
    let Some(listed) = look.before.table(name) else { return };
    let mut drawn = Vec::new();
    for column in &listed.columns {
        if columns.contains(&column.name) {
            continue;
        }
        if let Fact::Known(Some(default)) = &column.default {
            drawn.extend(default.sequences.iter().map(|sequence| look.resolve(sequence)));
        }
        if matches!(column.identity, Fact::Known(Some(_))) {
            drawn.extend(look.before.sequences_owned_by(name, Some(&column.name)));
        }
    }
    for sequence in drawn {
        look.lock(&table::DRAW_SEQUENCE, &sequence, table::DRAW_SEQUENCE.lock);
    }
}

/// Whether the statement is a query of some kind (for SQL function bodies).
pub(super) fn query_of(statement: &Statement) -> Option<&Query> {
    match &statement.stmt {
        Stmt::Query(query) => Some(query),
        _ => None,
    }
}

//! Queries: the relations they name, the partitions that planning does not prune, and the relations behind views.

use super::dml::dml;
use super::look::{Look, is_system};
use super::table::{self, Row};
use super::{bound, program};
use crate::model::{LockClass, Work};
use crate::sql::ast::{Dml, DmlKind, Query, Statement, Stmt};
use crate::sql::name::Name;
use crate::sql::schema::{ApplyError, Fact, Relation, Schema};
use std::collections::BTreeSet;

/// How deep views are followed into views, and cascades into cascades.
pub(super) const DEPTH: u8 = 24;

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
    let set = query.functions.iter().any(|name| name.name == "setval");
    for sequence in sequences {
        look.lock(&table::DRAW_SEQUENCE, &sequence, table::DRAW_SEQUENCE.lock);
        // Where it stood is gone, as after ALTER SEQUENCE RESTART.
        if set {
            look.lose_value(&sequence, None);
        }
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
pub(super) fn unpruned(look: &Look<'_>, name: &Name, only: bool, condition: &str) -> Vec<Name> {
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

pub(super) fn in_hash_partitions(look: &Look<'_>, name: &Name, column: &str, values: &[String]) -> Option<Vec<Name>> {
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
pub(super) fn unqualified(text: &str) -> String {
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

/// The queries that a statement runs itself: what they write, it writes.
pub(crate) fn run_by(stmt: &Stmt) -> Vec<&Query> {
    match stmt {
        Stmt::Query(query) | Stmt::Call { query, .. } | Stmt::Copy { query: Some(query), .. } => vec![query],
        Stmt::CreateTableAs(create) if create.with_data => vec![&create.query],
        Stmt::CreateMaterializedView(create) if create.with_data => vec![&create.query],
        Stmt::Explain { analyze: true, statement } => run_by(statement),
        Stmt::Do { body, .. } => body.statements.iter().flat_map(|inner| run_by(&inner.stmt)).collect(),
        _ => Vec::new(),
    }
}

/// The same, with those of the functions that are called and whose bodies are known.
pub(crate) fn run_within<'a>(stmt: &'a Stmt, schema: &'a Schema) -> Vec<&'a Query> {
    let mut all = run_by(stmt);
    let called = |query: &'a Query| query.functions.iter();
    let mut open: Vec<&Name> = all.iter().flat_map(|query| called(query)).collect();
    if let Stmt::Call { function, .. } = stmt {
        open.push(function);
    }
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        let Some(found) = schema.find_functions(name).filter(|found| seen.insert(found.clone())) else { continue };
        let bodies = schema.functions.get(&found).into_iter().flatten().filter_map(|function| function.body.known());
        for inner in bodies.flat_map(|body| &body.statements) {
            let queries = run_by(&inner.stmt);
            open.extend(queries.iter().flat_map(|query| called(query)));
            if let Stmt::Call { function, .. } = &inner.stmt {
                open.push(function);
            }
            all.extend(queries);
        }
    }
    all
}

/// Whether the statement is a query of some kind (for SQL function bodies).
pub(super) fn query_of(statement: &Statement) -> Option<&Query> {
    match &statement.stmt {
        Stmt::Query(query) => Some(query),
        _ => None,
    }
}

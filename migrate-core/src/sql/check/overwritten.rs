//! Values that are overwritten where they stand: nobody can tell afterwards what they were, unless the `down` can.

use super::declaration::SqlText;
use crate::sql::ast::{Dml, DmlKind, Query, Stmt};
use crate::sql::facts::LostData;
use crate::sql::locks::run_within;
use crate::sql::name::{Name, quoted};
use crate::sql::parse::parse;
use crate::sql::phase::Fresh;
use crate::sql::schema::{Relation, Schema};

/// The columns of tables that were there whose values the statement overwrites, and its down does not bring back.
pub(super) fn overwritten(stmt: &Stmt, downs: &[SqlText], before: &Schema, fresh: &Fresh) -> Vec<LostData> {
    let downs: Vec<Query> = downs.iter().filter_map(|text| only_query(&text.text)).collect();
    let mut lost = Vec::new();
    for write in run_within(stmt, before).into_iter().flat_map(|query| &query.writes) {
        let table = base(&before.resolve(&write.table), before);
        if before.is_new(&table) {
            continue;
        }
        let back: Vec<&Dml> = downs
            .iter()
            .flat_map(|query| &query.writes)
            .filter(|down| down.kind == DmlKind::Update && before.resolve(&down.table) == before.resolve(&write.table))
            .collect();
        for column in &write.overwrites {
            let had_none = fresh.has_column(&table, column);
            let loss = LostData { relation: table.clone(), column: Some(column.clone()), cascades: false };
            if !had_none && !back.iter().any(|down| brings_back(down, write, column)) && !lost.contains(&loss) {
                lost.push(loss);
            }
        }
    }
    lost
}

/// What keeps old values, to say where they would be lost.
pub(super) fn instead(lost: &[LostData]) -> Option<String> {
    let columns: Vec<String> = lost.iter().filter_map(|loss| loss.column.as_deref()).map(quoted).collect();
    if columns.is_empty() {
        return None;
    }
    let nulls: Vec<String> = columns.iter().map(|column| format!("{column} IS NULL")).collect();
    Some(format!(
        "where only rows without a value are meant, say so: `{}`\n  = or write a down that brings the old values back, computed from columns or named under the same WHERE: \"UPDATE … SET {} = … WHERE …\"",
        nulls.join(" AND "),
        columns[0],
    ))
}

/// By what it computes from columns, or by the values that it names for the very same rows. That they are right is seen
/// on a server, in `cargo test`.
fn brings_back(down: &Dml, up: &Dml, column: &str) -> bool {
    let same_rows = match (&up.filter, &down.filter) {
        (Some(up_filter), Some(down_filter)) => {
            up_filter.text == down_filter.text && up.columns.iter().all(|set| !up_filter.columns.contains(set))
        }
        _ => false,
    };
    let names = |columns: &[String]| columns.iter().any(|known| known == column);
    names(&down.columns) && (names(&down.computed) || (same_rows && up.kind == DmlKind::Update))
}

/// The table behind a view that is written through.
fn base(name: &Name, before: &Schema) -> Name {
    match before.relation(name) {
        Some(Relation::View(view)) => match view.query.known().and_then(|query| query.reads.first()) {
            Some((behind, _)) if before.resolve(behind) != *name => before.resolve(behind),
            _ => name.clone(),
        },
        _ => name.clone(),
    }
}

fn only_query(text: &str) -> Option<Query> {
    match parse(text).ok()?.into_iter().next()?.stmt {
        Stmt::Query(query) => Some(query),
        _ => None,
    }
}

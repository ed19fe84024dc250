//! INSERT, UPDATE, DELETE and MERGE as writes to one table.

use super::super::ast::{ConflictAction, Dml, DmlKind};
use super::expr;
use super::names;
use super::tree::{K, Node, Result, Tree};
use super::walk::Walk;

/// Notes the write that the statement does; its subqueries are the walk's.
pub(super) fn record(walk: &mut Walk, node: &Node) -> Result<()> {
    let kind = match node.kind() {
        K::INSERT => DmlKind::Insert,
        K::UPDATE => DmlKind::Update,
        K::DELETE => DmlKind::Delete,
        K::MERGE => DmlKind::Merge,
        other => return Err(node.fail(format!("not a statement that writes: {}", super::tree::spoken(other)))),
    };
    let target = node
        .any(&[K::RELATION_NAME_REF, K::RELATION_NAME, K::TABLE_RELATION_NAME])
        .ok_or_else(|| node.fail("expected a table here"))?;
    let mut columns = Vec::new();
    written(node, &mut columns);
    let values =
        node.child(K::VALUES).and_then(|values| values.child(K::ROW_LIST)).map(|rows| rows.all(K::ROW).count());
    let conflict = node.child(K::ON_CONFLICT_CLAUSE);
    let mut conflict_columns = Vec::new();
    if let Some(clause) = &conflict {
        written(clause, &mut conflict_columns);
    }
    let filter = node.child(K::WHERE_CLAUSE).and_then(|clause| clause.expr());
    let filter = filter.map(|filter| expr::scoped(&filter, &walk.scopes)).transpose()?;
    walk.found.writes.push(Dml {
        kind,
        table: names::name(&target),
        only: target.has(K::ONLY_KW),
        columns,
        conflict_columns,
        filter,
        on_conflict: conflict.map(|clause| {
            if clause.has(K::CONFLICT_DO_UPDATE_SET) { ConflictAction::Update } else { ConflictAction::Nothing }
        }),
        values: values.or_else(|| node.has(K::DEFAULT_VALUES).then_some(1)),
        merge_actions: merge_actions(node),
    });
    Ok(())
}

/// Columns that the statement assigns, also in ON CONFLICT and in the actions of MERGE.
fn written(node: &Node, into: &mut Vec<String>) {
    for child in node.children() {
        match child.kind() {
            K::COLUMN_TARGET => {
                if let Some(name) = child.child(K::COLUMN_NAME_REF).map(|name| names::ident(&name))
                    && !into.contains(&name)
                {
                    into.push(name);
                }
            }
            K::COLUMN_TARGET_LIST
            | K::SET_CLAUSE
            | K::SET_COLUMN_LIST
            | K::SET_SINGLE_COLUMN
            | K::SET_MULTIPLE_COLUMNS
            | K::ON_CONFLICT_CLAUSE
            | K::CONFLICT_DO_UPDATE_SET
            | K::MERGE_WHEN_MATCHED
            | K::MERGE_WHEN_NOT_MATCHED_SOURCE
            | K::MERGE_WHEN_NOT_MATCHED_TARGET
            | K::MERGE_UPDATE
            | K::MERGE_INSERT => written(&child, into),
            _ => {}
        }
    }
}

fn merge_actions(node: &Node) -> Vec<DmlKind> {
    let mut actions: Vec<DmlKind> = node
        .children()
        .flat_map(|clause| clause.children().collect::<Vec<_>>())
        .filter_map(|action| match action.kind() {
            K::MERGE_INSERT => Some(DmlKind::Insert),
            K::MERGE_UPDATE => Some(DmlKind::Update),
            K::MERGE_DELETE => Some(DmlKind::Delete),
            _ => None,
        })
        .collect();
    actions.sort_unstable();
    actions.dedup();
    actions
}

//! INSERT, UPDATE, DELETE and MERGE as writes to one table.

use super::super::ast::{ConflictAction, Dml, DmlKind, Expr};
use super::expr;
use super::names;
use super::tree::{K, Node, Result, Tree, is_select};
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
    for clause in node.children() {
        for update in clause.all(K::MERGE_UPDATE) {
            written(&update, &mut conflict_columns);
        }
    }
    let filter = node.child(K::WHERE_CLAUSE).and_then(|clause| clause.expr());
    let filter = filter.map(|filter| expr::scoped(&filter, &walk.scopes)).transpose()?;
    let table = names::name(&target);
    let alias = node.child(K::OPTIONAL_AS_ALIAS).and_then(|alias| alias.child(K::TABLE_ALIAS));
    let own = Own { alias: alias.map_or_else(|| table.name.clone(), |alias| names::ident(&alias)) };
    let nulls = node.child(K::WHERE_CLAUSE).and_then(|clause| clause.expr()).map(|filter| expr::nulls(&filter));
    let (mut overwrites, mut computed) = (Vec::new(), Vec::new());
    let (mut assigned, mut values_read) = (Vec::new(), Vec::new());
    assignments(node, &mut assigned);
    for (column, value) in assigned {
        let null = nulls.iter().flatten().any(|path| own.is(path, &column));
        let kept = value.as_ref().and_then(expr::keeps).is_some_and(|path| own.is(&path, &column));
        if !null && !kept {
            overwrites.push(column.clone());
        }
        let Some(value) = value else { continue };
        let read = expr::scoped(&value, &walk.scopes)?;
        if expr::column(&value).as_ref() != Some(&column) && !read.columns.is_empty() {
            computed.push(column);
        }
        values_read.extend(read.columns);
    }
    let alone = matches!(kind, DmlKind::Update | DmlKind::Delete)
        && node.any(&[K::FROM_CLAUSE, K::USING_CLAUSE]).is_none()
        && !node.descendants().any(|inner| is_select(inner.kind()));
    let mut own_columns = Vec::new();
    if alone {
        let filter_reads = filter.iter().flat_map(|filter: &Expr| &filter.columns);
        for column in columns.iter().chain(&values_read).chain(filter_reads) {
            // The table's own name is the whole row.
            if *column != own.alias && !own_columns.contains(column) {
                own_columns.push(column.clone());
            }
        }
    }
    walk.found.writes.push(Dml {
        kind,
        table,
        only: target.has(K::ONLY_KW),
        columns,
        conflict_columns,
        overwrites,
        computed,
        own_columns,
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

/// How the table's own columns may be qualified.
struct Own {
    alias: String,
}

impl Own {
    /// Whether the dotted name is that column of the table.
    fn is(&self, path: &[String], column: &str) -> bool {
        match path {
            [only] => only == column,
            [.., table, last] => *table == self.alias && last == column,
            [] => false,
        }
    }
}

/// What is set in rows that are there, and to which expression, where it is one.
fn assignments(node: &Node, into: &mut Vec<(String, Option<Node>)>) {
    for child in node.children() {
        match child.kind() {
            K::SET_SINGLE_COLUMN | K::SET_MULTIPLE_COLUMNS => {
                let mut targets = Vec::new();
                written(&child, &mut targets);
                let value = child.child(K::SET_EXPR).and_then(|value| value.expr());
                into.extend(targets.into_iter().map(|column| (column, value.clone())));
            }
            K::SET_CLAUSE
            | K::SET_COLUMN_LIST
            | K::ON_CONFLICT_CLAUSE
            | K::CONFLICT_DO_UPDATE_SET
            | K::MERGE_WHEN_MATCHED
            | K::MERGE_WHEN_NOT_MATCHED_SOURCE
            | K::MERGE_UPDATE => assignments(&child, into),
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

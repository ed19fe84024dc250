//! Queries and DML statements as a whole.

use super::super::ast::{OutputColumn, Query};
use super::canonical;
use super::expr;
use super::tree::{K, Node, Result, Tree, is_dml};
use super::walk::{self, Found};
use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::column_name::ColumnName;

/// The query or DML statement.
pub(super) fn query(node: &Node) -> Result<Query> {
    let found = walk::walk([node], &[])?;
    Ok(Query { outputs: outputs(node), point_lookup: point_lookup(node), ..assembled(canonical::text(node), found) })
}

/// Several queries (of one expression) as one: everything that any of them does.
pub(super) fn merged(nodes: &[Node], scopes: &walk::Scopes) -> Result<Query> {
    let merged = assembled(canonical::texts(nodes), walk::walk(nodes, scopes)?);
    Ok(match nodes {
        [one] => Query { outputs: outputs(one), point_lookup: point_lookup(one), ..merged },
        _ => merged,
    })
}

/// What runs when the nodes are evaluated, as a query without outputs: a call's arguments, a PL/pgSQL expression.
pub(super) fn evaluated(node: &Node) -> Result<Query> {
    Ok(assembled(canonical::text(node), walk::walk([node], &[])?))
}

fn assembled(text: String, found: Found) -> Query {
    Query {
        text,
        reads: found.reads,
        row_locks: found.row_locks,
        writes: found.writes,
        functions: found.functions,
        into: found.into,
        outputs: None,
        sequences: found.sequences,
        scans: found.scans,
        point_lookup: None,
        columns: found.columns,
    }
}

fn outputs(node: &Node) -> Option<Vec<OutputColumn>> {
    let list = match node.kind() {
        K::SELECT | K::SELECT_INTO => node.child(K::SELECT_CLAUSE)?.child(K::TARGET_LIST),
        K::PAREN_SELECT | K::COMPOUND_SELECT => {
            let first = node.children().find(|child| child.kind() != K::WITH_CLAUSE)?;
            return outputs(&first);
        }
        K::PAREN_EXPR => return outputs(&canonical::query_in(node)?),
        K::VALUES => {
            let row = node.child(K::ROW_LIST)?.child(K::ROW)?;
            let named = |at: usize| OutputColumn { name: Some(format!("column{at}")), column: None };
            return Some((1..=row.exprs().count()).map(named).collect());
        }
        kind if is_dml(kind) => match node.child(K::RETURNING_CLAUSE) {
            Some(clause) => clause.child(K::TARGET_LIST),
            None => return Some(Vec::new()),
        },
        _ => return None,
    };
    let Some(list) = list else { return Some(Vec::new()) };
    list.all(K::TARGET).map(|target| output(&target)).collect()
}

fn output(target: &Node) -> Option<OutputColumn> {
    let expression = target.expr();
    if target.has(K::STAR)
        || expression.as_ref().is_some_and(|expression| expression.has(K::STAR) && expression.kind() == K::FIELD_EXPR)
    {
        return None;
    }
    let column = expression.as_ref().and_then(expr::column);
    let alias =
        target.child(K::AS_NAME).and_then(|name| name.child(K::COLUMN_NAME)).map(|name| super::names::ident(&name));
    let name = alias.or_else(|| column.clone()).or_else(|| {
        match ColumnName::from_target(ast::Target::cast(target.clone())?)?.0 {
            ColumnName::Column(value) | ColumnName::UnknownColumn(Some(value)) => Some(value.to_string()),
            ColumnName::UnknownColumn(None) => Some("?column?".to_owned()),
            ColumnName::Star => None,
        }
    });
    Some(OutputColumn { name, column })
}

/// So many constants at most are a few.
const FEW: usize = 100;

/// The one column that WHERE compares with a constant or with a few, if exactly one of its conjuncts does.
fn point_lookup(node: &Node) -> Option<String> {
    if !matches!(node.kind(), K::SELECT | K::UPDATE | K::DELETE) {
        return None;
    }
    let mut columns = Vec::new();
    equalities(&node.child(K::WHERE_CLAUSE)?.expr()?, &mut columns);
    if columns.len() == 1 { columns.pop() } else { None }
}

fn equalities(node: &Node, into: &mut Vec<String>) {
    let node = canonical::unwrapped(node);
    if node.kind() != K::BIN_EXPR {
        return;
    }
    if node.has(K::AND_KW) {
        node.exprs().for_each(|side| equalities(&side, into));
    } else if node.has(K::EQ) {
        let sides: Vec<_> = node.exprs().collect();
        if let [left, right] = sides.as_slice() {
            let column = match (expr::constant(left), expr::constant(right)) {
                (false, true) => expr::column(left),
                (true, false) => expr::column(right),
                _ => None,
            };
            into.extend(column);
        }
    } else if node.has(K::IN_KW) {
        let sides: Vec<_> = node.exprs().collect();
        if let [left, list] = sides.as_slice() {
            let constants: Vec<_> = list.exprs().collect();
            let few = (1..=FEW).contains(&constants.len()) && constants.iter().all(expr::constant);
            into.extend(expr::column(left).filter(|_| few));
        }
    }
}

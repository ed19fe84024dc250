//! Expressions: their text and everything that follows from them.

use super::super::ast::Expr;
use super::canonical;
use super::names;
use super::query;
use super::tree::{K, Node, Result, Tree, is_select};
use super::walk;

/// The expression.
pub(super) fn expr(node: &Node) -> Result<Expr> {
    scoped(node, &[])
}

/// The expression, where CTEs are in scope.
pub(super) fn scoped(node: &Node, scopes: &walk::Scopes) -> Result<Expr> {
    let node = canonical::unwrapped(node);
    let found = walk::walk([&node], scopes)?;
    let mut queries = Vec::new();
    subqueries(&node, &mut queries);
    let subquery = if queries.is_empty() { None } else { Some(Box::new(query::merged(&queries, scopes)?)) };
    let mut proves = Vec::new();
    proves_not_null(&node, &mut proves);
    Ok(Expr {
        text: canonical::text(&node),
        functions: found.functions,
        columns: found.columns,
        casts: found.casts,
        operators: found.operators,
        literal: literal(&node).is_some(),
        null: literal(&node) == Some(K::NULL_KW),
        subquery,
        proves_not_null: proves,
        sequences: found.sequences,
    })
}

/// The first expression in the node, which the grammar promises.
pub(super) fn expr_in(node: &Node) -> Result<Expr> {
    expr(&node.need_expr()?)
}

/// The expression in the child of the kind, where there is one.
pub(super) fn optional(node: &Node, kind: K) -> Result<Option<Expr>> {
    node.child(kind).map(|child| expr_in(&child)).transpose()
}

fn subqueries(node: &Node, into: &mut Vec<Node>) {
    for child in std::iter::once(node.clone()).filter(|own| is_select(own.kind())).chain(node.children()) {
        if is_select(child.kind()) {
            into.push(child);
        } else {
            subqueries(&child, into);
        }
    }
}

/// The kind of the literal that the expression is, perhaps cast or signed.
fn literal(node: &Node) -> Option<K> {
    let mut node = walk::uncast(node);
    while node.kind() == K::PREFIX_EXPR && (node.has(K::MINUS) || node.has(K::PLUS)) {
        node = walk::uncast(&node.expr()?);
    }
    if node.kind() == K::CAST_EXPR {
        // `date '2020-01-01'`: the type stands before its literal.
        node = node.child(K::LITERAL)?;
    }
    let kind = node.tokens().next().filter(|_| node.kind() == K::LITERAL)?.kind();
    (!matches!(kind, K::DEFAULT_KW | K::POSITIONAL_PARAM)).then_some(kind)
}

/// Whether the expression is a literal or a parameter, perhaps cast or signed.
pub(super) fn constant(node: &Node) -> bool {
    let bare = walk::uncast(node);
    literal(node).is_some() || (bare.kind() == K::LITERAL && bare.has(K::POSITIONAL_PARAM))
}

/// Columns that cannot be null where the expression holds, as `predicate_implied_by` sees it.
fn proves_not_null(node: &Node, into: &mut Vec<String>) {
    let mut tested = Vec::new();
    null_tests(node, false, &mut tested);
    for column in tested.iter().filter_map(column) {
        if !into.contains(&column) {
            into.push(column);
        }
    }
}

/// What is NULL wherever the expression holds: columns, as they are written.
pub(super) fn nulls(node: &Node) -> Vec<Vec<String>> {
    let mut tested = Vec::new();
    null_tests(node, true, &mut tested);
    tested.iter().map(canonical::unwrapped).filter_map(|tested| names::dotted(&tested)).collect()
}

/// What is NULL, or is not, wherever the expression holds.
fn null_tests(node: &Node, null: bool, into: &mut Vec<Node>) {
    let node = canonical::unwrapped(node);
    match node.kind() {
        K::BIN_EXPR if node.has(K::AND_KW) => node.exprs().for_each(|side| null_tests(&side, null, into)),
        _ if says_null(&node, null) => into.extend(node.expr()),
        K::PREFIX_EXPR if node.has(K::NOT_KW) => {
            let inner = node.expr().map(|inner| canonical::unwrapped(&inner));
            into.extend(inner.filter(|inner| says_null(inner, !null)).and_then(|inner| inner.expr()));
        }
        _ => {}
    }
}

/// `… IS NULL`, or `… IS NOT NULL`.
fn says_null(node: &Node, null: bool) -> bool {
    let (is, postfix) = if null { (K::IS_KW, K::ISNULL_KW) } else { (K::IS_NOT, K::NOTNULL_KW) };
    match node.kind() {
        K::BIN_EXPR => node.has(is) && null_side(node),
        K::POSTFIX_EXPR => node.has(postfix),
        _ => false,
    }
}

/// The column, as it is written, whose value the expression is wherever that is not NULL: of `coalesce(c, …)`.
pub(super) fn keeps(node: &Node) -> Option<Vec<String>> {
    let node = canonical::unwrapped(node);
    let callee = node.children().next().filter(|callee| node.kind() == K::CALL_EXPR && callee.kind() == K::NAME_REF)?;
    callee.tokens().next().filter(|token| token.kind() == K::COALESCE_KW)?;
    names::dotted(&canonical::unwrapped(&node.child(K::ARG_LIST)?.child(K::ARG)?.expr()?))
}

fn null_side(node: &Node) -> bool {
    node.exprs().nth(1).is_some_and(|side| side.kind() == K::LITERAL && side.has(K::NULL_KW))
}

/// The column, if the expression is one and no more.
pub(super) fn column(node: &Node) -> Option<String> {
    let node = canonical::unwrapped(node);
    let special = node.kind() == K::NAME_REF
        && node.tokens().next().is_some_and(|token| token.kind() != K::IDENT && walk::is_value_function(token.kind()));
    if special { None } else { names::dotted(&node)?.pop() }
}

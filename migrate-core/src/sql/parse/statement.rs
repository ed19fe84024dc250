//! Which module reads which statement.

use super::super::ast::{Statement, Stmt};
use super::tree::{K, Node, Result, Tree, is_dml, is_select, spoken};
use super::{alter_table, drop, function, index, query, sequence, table, user_type, view};

/// The statements directly in the node.
pub(super) fn statements(node: &Node) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    for child in node.children() {
        statements.extend(statement(&child)?);
    }
    Ok(statements)
}

/// The statement; `None` for an empty one.
pub(super) fn statement(node: &Node) -> Result<Option<Statement>> {
    if node.kind() == K::EMPTY_STMT {
        return Ok(None);
    }
    let mut span = node.range();
    let text = node.text().to_string();
    let start = usize::from(node.text_range().start());
    let mut written = text.get(span.start - start..span.end - start).unwrap_or(&text);
    if node.last_token().is_some() && node.tokens().last().is_some_and(|token| token.kind() == K::SEMICOLON) {
        written = written.strip_suffix(';').unwrap_or(written).trim_end();
        span.end = span.start + written.len();
    }
    Ok(Some(Statement { span, text: written.to_owned(), stmt: stmt(node)? }))
}

/// What the statement says.
pub(super) fn stmt(node: &Node) -> Result<Stmt> {
    if let Some(drop) = drop::drop(node)? {
        return Ok(drop);
    }
    match node.kind() {
        kind if is_select(kind) || is_dml(kind) => query::query(node).map(Stmt::Query),
        K::CREATE_TABLE | K::CREATE_FOREIGN_TABLE => table::create(node),
        K::CREATE_TABLE_AS => table::create_as(node),
        K::ALTER_TABLE | K::ALTER_FOREIGN_TABLE | K::ALTER_VIEW | K::ALTER_MATERIALIZED_VIEW | K::ALTER_INDEX => {
            alter_table::alter(node)
        }
        K::CREATE_INDEX => index::create(node),
        K::REINDEX => index::reindex(node),
        K::CREATE_VIEW => view::create(node),
        K::CREATE_MATERIALIZED_VIEW => view::create_materialized(node),
        K::REFRESH => view::refresh(node),
        K::CREATE_SEQUENCE => sequence::create(node),
        K::ALTER_SEQUENCE => sequence::alter(node),
        K::CREATE_TYPE => user_type::create_type(node),
        K::ALTER_TYPE => user_type::alter_type(node),
        K::CREATE_DOMAIN => user_type::create_domain(node),
        K::ALTER_DOMAIN => user_type::alter_domain(node),
        K::CREATE_FUNCTION | K::CREATE_PROCEDURE => function::create(node),
        K::ALTER_FUNCTION | K::ALTER_PROCEDURE | K::ALTER_ROUTINE => function::alter(node),
        K::CALL => function::call(node),
        K::DO => function::do_block(node),
        kind => Err(node.fail(format!("a statement that is not known: {}", spoken(kind)))),
    }
}

//! Which module reads which statement.

use super::super::ast::ObjectKind;
use super::super::ast::{Statement, Stmt};
use super::tree::{K, Node, Result, Tree, is_dml, is_select, spoken};
use super::{
    access, alter_table, describe, drop, function, index, maintenance, other, query, replication, schema, sequence,
    session, table, trigger, user_type, view,
};

/// The statements directly in the node.
pub(super) fn statements(node: &Node) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    for child in node.children() {
        statements.extend(statement(&child)?);
        if child.kind() == K::CREATE_SCHEMA {
            for after in schema::split(&child).1 {
                statements.extend(statement(&after)?);
            }
        }
    }
    Ok(statements)
}

/// The statement; `None` for an empty one.
pub(super) fn statement(node: &Node) -> Result<Option<Statement>> {
    if node.kind() == K::EMPTY_STMT {
        return Ok(None);
    }
    let mut span = if node.kind() == K::CREATE_SCHEMA { schema::range(node) } else { node.range() };
    let text = node.text().to_string();
    let start = usize::from(node.text_range().start());
    let mut written = text.get(span.start - start..span.end - start).unwrap_or(&text);
    if let Some(without) = written.strip_suffix(';') {
        written = without.trim_end();
        span.end = span.start + written.len();
    }
    Ok(Some(Statement { span, text: written.to_owned(), stmt: stmt(node)? }))
}

/// What the statement says.
pub(super) fn stmt(node: &Node) -> Result<Stmt> {
    if let Some(drop) = drop::drop(node)? {
        return Ok(drop);
    }
    for family in [session::statement, maintenance::statement, other::statement] {
        if let Some(statement) = family(node)? {
            return Ok(statement);
        }
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
        K::CREATE_TRIGGER => trigger::create(node),
        K::ALTER_TRIGGER => trigger::alter(node, ObjectKind::Trigger),
        K::CREATE_EVENT_TRIGGER => trigger::create_event_trigger(node),
        K::ALTER_EVENT_TRIGGER => trigger::alter_event_trigger(node),
        K::CREATE_RULE => trigger::create_rule(node),
        K::ALTER_RULE => trigger::alter(node, ObjectKind::Rule),
        K::CREATE_POLICY => trigger::create_policy(node),
        K::ALTER_POLICY => trigger::alter(node, ObjectKind::Policy),
        K::CREATE_SCHEMA => schema::create(node),
        K::CREATE_EXTENSION => schema::create_extension(node),
        K::ALTER_EXTENSION => schema::alter_extension(node),
        K::CREATE_STATISTICS => schema::create_statistics(node),
        K::ALTER_STATISTICS => schema::alter_statistics(node),
        K::CREATE_PUBLICATION => replication::create_publication(node),
        K::ALTER_PUBLICATION => replication::alter_publication(node),
        K::CREATE_SUBSCRIPTION => replication::create_subscription(node),
        K::ALTER_SUBSCRIPTION => replication::alter_subscription(node),
        K::COMMENT_ON => describe::comment(node),
        K::SECURITY_LABEL => describe::security_label(node),
        K::GRANT | K::REVOKE => access::grant(node),
        K::ALTER_DEFAULT_PRIVILEGES => Ok(access::alter_default(node)),
        K::REASSIGN => Ok(access::reassign(node)),
        K::CREATE_PROPERTY_GRAPH | K::ALTER_PROPERTY_GRAPH | K::DROP_PROPERTY_GRAPH | K::REPACK => {
            Err(node.fail(format!("in no released version of PostgreSQL: {}", spoken(node.kind()))))
        }
        kind => Err(node.fail(format!("a statement that is not known: {}", spoken(kind)))),
    }
}

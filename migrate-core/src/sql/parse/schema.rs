//! Schemas, extensions, extended statistics.

use super::super::ast::{ObjectKind, Stmt};
use super::canonical;
use super::names;
use super::object;
use super::options;
use super::statement;
use super::tree::{K, Node, Result, Tree};

pub(super) fn create(node: &Node) -> Result<Stmt> {
    let target = node
        .any(&[K::NAMED_SCHEMA, K::AUTHORIZATION_SCHEMA])
        .ok_or_else(|| node.fail("expected a schema's name here"))?;
    let role = target.any(&[K::ROLE_REF, K::ROLE]).map(|role| names::ident(&role));
    let mut elements = Vec::new();
    for element in split(node).0 {
        elements.extend(statement::statement(&element)?);
    }
    Ok(Stmt::CreateSchema {
        name: target.child(K::SCHEMA).map(|name| names::ident(&name)),
        if_not_exists: node.has(K::IF_NOT_EXISTS),
        authorization: role,
        elements,
    })
}

/// The elements of CREATE SCHEMA, and what follows a semicolon after one: the parser takes that for elements too, but it
/// is statements of their own.
pub(super) fn split(node: &Node) -> (Vec<Node>, Vec<Node>) {
    let heads = [K::NAMED_SCHEMA, K::AUTHORIZATION_SCHEMA, K::IF_NOT_EXISTS];
    let elements: Vec<_> = node.children().filter(|child| !heads.contains(&child.kind())).collect();
    let ended = |element: &Node| element.tokens().last().is_some_and(|token| token.kind() == K::SEMICOLON);
    let own = elements.iter().position(ended).map_or(elements.len(), |last| last + 1);
    let (own, after) = elements.split_at(own);
    (own.to_vec(), after.to_vec())
}

/// The range of CREATE SCHEMA with its own elements.
pub(super) fn range(node: &Node) -> std::ops::Range<usize> {
    let whole = node.range();
    match split(node) {
        (own, after) if !after.is_empty() => whole.start..own.last().map_or(whole.end, |last| last.range().end),
        _ => whole,
    }
}

pub(super) fn create_extension(node: &Node) -> Result<Stmt> {
    let version = node.child(K::EXTENSION_VERSION_CLAUSE).map(|clause| {
        options::string_in(&clause)
            .or_else(|| clause.child(K::EXTENSION_VERSION).map(|name| names::ident(&name)))
            .unwrap_or_default()
    });
    Ok(Stmt::CreateExtension {
        name: names::ident_in(node, K::EXTENSION)?,
        if_not_exists: node.has(K::IF_NOT_EXISTS),
        schema: node.child(K::EXTENSION_SCHEMA).map(|clause| names::ident_in(&clause, K::SCHEMA_REF)).transpose()?,
        cascade: options::cascade(node),
        version,
    })
}

pub(super) fn alter_extension(node: &Node) -> Result<Stmt> {
    let set_schema = node.child(K::SET_SCHEMA).map(|action| names::ident_in(&action, K::SCHEMA_REF)).transpose()?;
    Ok(Stmt::AlterExtension { name: names::ident_in(node, K::EXTENSION_REF)?, text: canonical::text(node), set_schema })
}

pub(super) fn create_statistics(node: &Node) -> Result<Stmt> {
    let kinds = [K::STAT_TYPES, K::STATISTICS_ON_CLAUSE, K::FROM_TABLE];
    let parts: Vec<_> = kinds.into_iter().filter_map(|kind| node.child(kind)).collect();
    Ok(Stmt::CreateStatistics {
        name: node.child(K::STATISTICS).map(|name| names::name(&name)),
        if_not_exists: node.has(K::IF_NOT_EXISTS),
        table: names::name_in(&node.need(K::FROM_TABLE)?, K::TABLE_NAME_REF)?,
        text: canonical::texts(&parts),
    })
}

pub(super) fn alter_statistics(node: &Node) -> Result<Stmt> {
    let name = names::name_in(node, K::STATISTICS_REF)?;
    if let Some(action) = node.children().find(|child| object::is_common(child.kind())) {
        return object::common_action(&action, object::named(ObjectKind::Statistics, name), false);
    }
    Ok(Stmt::AlterStatistics { name, text: canonical::text(node) })
}

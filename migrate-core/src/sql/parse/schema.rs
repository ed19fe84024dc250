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
    for element in node.children().filter(|child| *child != target && child.kind() != K::IF_NOT_EXISTS) {
        elements.extend(statement::statement(&element)?);
    }
    Ok(Stmt::CreateSchema {
        name: target.child(K::SCHEMA).map(|name| names::ident(&name)),
        if_not_exists: node.has(K::IF_NOT_EXISTS),
        authorization: role,
        elements,
    })
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
    Ok(Stmt::CreateStatistics {
        name: node.child(K::STATISTICS).map(|name| names::name(&name)),
        if_not_exists: node.has(K::IF_NOT_EXISTS),
        table: names::name_in(&node.need(K::FROM_TABLE)?, K::TABLE_NAME_REF)?,
        text: canonical::text(node),
    })
}

pub(super) fn alter_statistics(node: &Node) -> Result<Stmt> {
    let name = names::name_in(node, K::STATISTICS_REF)?;
    if let Some(action) = node.children().find(|child| object::is_common(child.kind())) {
        return object::common_action(&action, object::named(ObjectKind::Statistics, name), false);
    }
    Ok(Stmt::AlterStatistics { name, text: canonical::text(node) })
}

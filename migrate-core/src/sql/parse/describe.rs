//! COMMENT and SECURITY LABEL: statements about any object that has a name.

use super::super::ast::{ObjectKind, Stmt, Target};
use super::super::name::Name;
use super::canonical;
use super::drop;
use super::names;
use super::object;
use super::options;
use super::tree::{K, Node, Result, Tree, spoken};

pub(super) fn comment(node: &Node) -> Result<Stmt> {
    let (target, text) = described(node)?;
    Ok(Stmt::Comment { target, text })
}

pub(super) fn security_label(node: &Node) -> Result<Stmt> {
    let (target, _) = described(node)?;
    Ok(Stmt::SecurityLabel { target, text: canonical::text(node) })
}

fn described(node: &Node) -> Result<(Target, Option<String>)> {
    let is_object = |child: &Node| spoken(child.kind()).starts_with("object ");
    let object = node.children().find(is_object).ok_or_else(|| node.fail("expected an object here"))?;
    Ok((target(&object)?, options::string_in(node)))
}

/// The object that an `Object…` rule names.
pub(super) fn target(node: &Node) -> Result<Target> {
    let first = || node.children().next().ok_or_else(|| node.fail("expected a name here"));
    let kind = match node.kind() {
        K::OBJECT_ACCESS_METHOD => ObjectKind::AccessMethod,
        K::OBJECT_AGGREGATE => return object::routine_target(&first()?, ObjectKind::Aggregate),
        K::OBJECT_CAST => return object::cast(&first()?),
        K::OBJECT_COLLATION => ObjectKind::Collation,
        K::OBJECT_COLUMN => {
            let mut parts = names::parts(&first()?);
            let column = parts.pop().unwrap_or_default();
            return Ok(Target {
                kind: ObjectKind::Column,
                name: Name::bare(column),
                on: Some(names::from_parts(parts)),
                args: None,
            });
        }
        K::OBJECT_CONSTRAINT => {
            let on = node
                .any(&[K::TABLE_NAME_REF, K::DOMAIN_REF])
                .ok_or_else(|| node.fail("expected a table or domain here"))?;
            let domain = on.kind() == K::DOMAIN_REF;
            let kind = if domain { ObjectKind::DomainConstraint } else { ObjectKind::Constraint };
            return Ok(Target {
                kind,
                name: names::name_in(node, K::CONSTRAINT_NAME_REF)?,
                on: Some(names::name(&on)),
                args: None,
            });
        }
        K::OBJECT_CONVERSION => ObjectKind::Conversion,
        K::OBJECT_DATABASE => ObjectKind::Database,
        K::OBJECT_DOMAIN => ObjectKind::Domain,
        K::OBJECT_EVENT_TRIGGER => ObjectKind::EventTrigger,
        K::OBJECT_EXTENSION => ObjectKind::Extension,
        K::OBJECT_FOREIGN_DATA_WRAPPER => ObjectKind::ForeignDataWrapper,
        K::OBJECT_FOREIGN_TABLE => ObjectKind::ForeignTable,
        K::OBJECT_FUNCTION => return object::routine_target(&first()?, ObjectKind::Function),
        K::OBJECT_INDEX => ObjectKind::Index,
        K::OBJECT_LANGUAGE => ObjectKind::Language,
        K::OBJECT_LARGE_OBJECT => {
            return Ok(object::named(ObjectKind::LargeObject, Name::bare(canonical::text(&node.need(K::LITERAL)?))));
        }
        K::OBJECT_MATERIALIZED_VIEW => ObjectKind::MaterializedView,
        K::OBJECT_OPERATOR => return object::operator(node, ObjectKind::Operator),
        K::OBJECT_OPERATOR_CLASS => {
            return drop::by_method(&node.need(K::OP_CLASS_REF)?, node, ObjectKind::OperatorClass);
        }
        K::OBJECT_OPERATOR_FAMILY => {
            return drop::by_method(&node.need(K::OP_FAMILY_REF)?, node, ObjectKind::OperatorFamily);
        }
        K::OBJECT_POLICY => return on_table(node, ObjectKind::Policy),
        K::OBJECT_PROCEDURE => return object::routine_target(&first()?, ObjectKind::Procedure),
        K::OBJECT_PUBLICATION => ObjectKind::Publication,
        K::OBJECT_ROLE => ObjectKind::Role,
        K::OBJECT_ROUTINE => return object::routine_target(&first()?, ObjectKind::Routine),
        K::OBJECT_RULE => return on_table(node, ObjectKind::Rule),
        K::OBJECT_SCHEMA => ObjectKind::Schema,
        K::OBJECT_SEQUENCE => ObjectKind::Sequence,
        K::OBJECT_SERVER => ObjectKind::Server,
        K::OBJECT_STATISTICS => ObjectKind::Statistics,
        K::OBJECT_SUBSCRIPTION => ObjectKind::Subscription,
        K::OBJECT_TABLE => ObjectKind::Table,
        K::OBJECT_TABLESPACE => ObjectKind::Tablespace,
        K::OBJECT_TEXT_SEARCH_CONFIG => ObjectKind::TextSearchConfiguration,
        K::OBJECT_TEXT_SEARCH_DICT => ObjectKind::TextSearchDictionary,
        K::OBJECT_TEXT_SEARCH_PARSER => ObjectKind::TextSearchParser,
        K::OBJECT_TEXT_SEARCH_TEMPLATE => ObjectKind::TextSearchTemplate,
        K::OBJECT_TRANSFORM => return object::transform(node),
        K::OBJECT_TRIGGER => return on_table(node, ObjectKind::Trigger),
        K::OBJECT_TYPE => ObjectKind::Type,
        K::OBJECT_VIEW => ObjectKind::View,
        kind => return Err(node.fail(format!("in no released version of PostgreSQL: {}", spoken(kind)))),
    };
    Ok(object::named(kind, names::name(&first()?)))
}

fn on_table(node: &Node, kind: ObjectKind) -> Result<Target> {
    let mut children = node.children();
    let (Some(own), Some(table)) = (children.next(), children.next()) else {
        return Err(node.fail("expected a name and a table here"));
    };
    Ok(Target { kind, name: names::name(&own), on: Some(names::name(&table)), args: None })
}

//! DROP of every kind of object.

use super::super::ast::{Drop, ObjectKind, Stmt, Target};
use super::super::name::Name;
use super::names;
use super::object;
use super::options;
use super::tree::{K, Node, Result, Tree};

/// The kind of object that a DROP statement drops, and the rule by which it names each; `None`: not a DROP.
fn dropped(kind: K) -> Option<(ObjectKind, K)> {
    Some(match kind {
        K::DROP_ACCESS_METHOD => (ObjectKind::AccessMethod, K::ACCESS_METHOD_REF),
        K::DROP_AGGREGATE => (ObjectKind::Aggregate, K::AGGREGATE),
        K::DROP_CAST => (ObjectKind::Cast, K::CAST_SIG),
        K::DROP_COLLATION => (ObjectKind::Collation, K::COLLATION_REF),
        K::DROP_CONVERSION => (ObjectKind::Conversion, K::CONVERSION_REF),
        K::DROP_DATABASE => (ObjectKind::Database, K::DATABASE_REF),
        K::DROP_DOMAIN => (ObjectKind::Domain, K::DOMAIN_REF),
        K::DROP_EVENT_TRIGGER => (ObjectKind::EventTrigger, K::EVENT_TRIGGER_REF),
        K::DROP_EXTENSION => (ObjectKind::Extension, K::EXTENSION_REF),
        K::DROP_FOREIGN_DATA_WRAPPER => (ObjectKind::ForeignDataWrapper, K::FOREIGN_DATA_WRAPPER_REF),
        K::DROP_FOREIGN_TABLE => (ObjectKind::ForeignTable, K::TABLE_NAME_REF),
        K::DROP_FUNCTION => (ObjectKind::Function, K::FUNCTION_SIG_LIST),
        K::DROP_GROUP | K::DROP_ROLE | K::DROP_USER => (ObjectKind::Role, K::ROLE_REF),
        K::DROP_INDEX => (ObjectKind::Index, K::INDEX_REF),
        K::DROP_LANGUAGE => (ObjectKind::Language, K::LANGUAGE_REF),
        K::DROP_MATERIALIZED_VIEW => (ObjectKind::MaterializedView, K::VIEW_REF),
        K::DROP_OPERATOR => (ObjectKind::Operator, K::OP_SIG_LIST),
        K::DROP_OPERATOR_CLASS => (ObjectKind::OperatorClass, K::OP_CLASS_REF),
        K::DROP_OPERATOR_FAMILY => (ObjectKind::OperatorFamily, K::OP_FAMILY_REF),
        K::DROP_OWNED => (ObjectKind::Owned, K::ROLE_REF_LIST),
        K::DROP_POLICY => (ObjectKind::Policy, K::POLICY_REF),
        K::DROP_PROCEDURE => (ObjectKind::Procedure, K::PROCEDURE_SIG_LIST),
        K::DROP_PUBLICATION => (ObjectKind::Publication, K::PUBLICATION_REF),
        K::DROP_ROUTINE => (ObjectKind::Routine, K::ROUTINE_SIG_LIST),
        K::DROP_RULE => (ObjectKind::Rule, K::RULE_REF),
        K::DROP_SCHEMA => (ObjectKind::Schema, K::SCHEMA_REF),
        K::DROP_SEQUENCE => (ObjectKind::Sequence, K::SEQUENCE_REF),
        K::DROP_SERVER => (ObjectKind::Server, K::SERVER_REF),
        K::DROP_STATISTICS => (ObjectKind::Statistics, K::STATISTICS_REF),
        K::DROP_SUBSCRIPTION => (ObjectKind::Subscription, K::SUBSCRIPTION_REF),
        K::DROP_TABLE => (ObjectKind::Table, K::TABLE_NAME_REF),
        K::DROP_TABLESPACE => (ObjectKind::Tablespace, K::TABLESPACE_REF),
        K::DROP_TEXT_SEARCH_CONFIG => (ObjectKind::TextSearchConfiguration, K::TEXT_SEARCH_CONFIGURATION_REF),
        K::DROP_TEXT_SEARCH_DICT => (ObjectKind::TextSearchDictionary, K::TEXT_SEARCH_DICTIONARY_REF),
        K::DROP_TEXT_SEARCH_PARSER => (ObjectKind::TextSearchParser, K::TEXT_SEARCH_PARSER_REF),
        K::DROP_TEXT_SEARCH_TEMPLATE => (ObjectKind::TextSearchTemplate, K::TEXT_SEARCH_TEMPLATE_REF),
        K::DROP_TRANSFORM => (ObjectKind::Transform, K::LANGUAGE_REF),
        K::DROP_TRIGGER => (ObjectKind::Trigger, K::TRIGGER_REF),
        K::DROP_TYPE => (ObjectKind::Type, K::TYPE_NAME_REF),
        K::DROP_USER_MAPPING => (ObjectKind::UserMapping, K::USER_MAPPING_ROLE),
        K::DROP_VIEW => (ObjectKind::View, K::VIEW_REF),
        _ => return None,
    })
}

/// The DROP statement; `None` if the node is not one.
pub(super) fn drop(node: &Node) -> Result<Option<Stmt>> {
    let Some((kind, rule)) = dropped(node.kind()) else { return Ok(None) };
    let targets = match kind {
        ObjectKind::Transform => vec![object::transform(node)?],
        ObjectKind::UserMapping => vec![user_mapping(node)?],
        ObjectKind::OperatorClass | ObjectKind::OperatorFamily => vec![by_method(&node.need(rule)?, node, kind)?],
        _ => {
            let mut targets = Vec::new();
            for reference in node.all(rule) {
                targets_of(&reference, node, kind, &mut targets)?;
            }
            targets
        }
    };
    if targets.is_empty() {
        return Err(node.fail("expected the name of what to drop here"));
    }
    Ok(Some(Stmt::Drop(Drop {
        kind,
        targets,
        if_exists: node.has(K::IF_EXISTS),
        cascade: options::cascade(node),
        concurrently: node.has(K::CONCURRENTLY_KW),
    })))
}

fn targets_of(reference: &Node, node: &Node, kind: ObjectKind, into: &mut Vec<Target>) -> Result<()> {
    match reference.kind() {
        K::FUNCTION_SIG_LIST | K::PROCEDURE_SIG_LIST | K::ROUTINE_SIG_LIST => {
            for signature in reference.children() {
                into.push(object::routine_target(&signature, kind)?);
            }
        }
        K::AGGREGATE => into.push(object::routine_target(reference, kind)?),
        K::OP_SIG_LIST => {
            for signature in reference.all(K::OP_SIG) {
                into.push(object::operator(&signature, kind)?);
            }
        }
        K::CAST_SIG => into.push(object::cast(reference)?),
        K::ROLE_REF_LIST => {
            into.extend(
                names::idents(reference, K::ROLE_REF).into_iter().map(|role| object::named(kind, Name::bare(role))),
            );
        }
        _ => into.push(Target { kind, name: names::name(reference), on: on(node), args: None }),
    }
    Ok(())
}

/// The table after ON, of a trigger, rule or policy.
fn on(node: &Node) -> Option<Name> {
    node.any(&[K::ON_RELATION, K::ON_TABLE]).map(|clause| names::name(&clause))
}

/// Operator classes and families have a name per access method.
pub(super) fn by_method(reference: &Node, node: &Node, kind: ObjectKind) -> Result<Target> {
    let method = names::ident_in(&node.need(K::USING_METHOD)?, K::ACCESS_METHOD_REF)?;
    Ok(Target { kind, name: names::name(reference), on: Some(Name::bare(method)), args: None })
}

/// A user mapping: its role, on its server.
pub(super) fn user_mapping(node: &Node) -> Result<Target> {
    let role = node.any(&[K::USER_MAPPING_ROLE, K::ROLE_REF]);
    let role = role.map_or_else(|| "user".to_owned(), |role| names::ident(&role));
    let server = names::ident_in(&node.need(K::SERVER_CLAUSE)?, K::SERVER_REF)?;
    Ok(Target { kind: ObjectKind::UserMapping, name: Name::bare(role), on: Some(Name::bare(server)), args: None })
}

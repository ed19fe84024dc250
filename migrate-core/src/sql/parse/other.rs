//! Objects of which kind and name suffice: databases, roles, servers, operators, text search, casts, languages …

use super::super::ast::{ObjectKind, OtherVerb, Stmt, Target};
use super::super::name::Name;
use super::canonical;
use super::drop;
use super::names;
use super::object;
use super::tree::{K, Node, Result, Tree};

/// The statement; `None` if it is not about one of these.
pub(super) fn statement(node: &Node) -> Result<Option<Stmt>> {
    if let Some((kind, rule)) = created(node.kind()) {
        return Ok(Some(object::other_create(node, kind, names::name_in(node, rule)?)));
    }
    if let Some((kind, rule)) = altered(node.kind()) {
        let subject = node.child(rule);
        // ALTER ROLE ALL names no role.
        return subject
            .map_or_else(
                || Ok(object::other_alter(node, kind, Name::bare("all"))),
                |subject| object::alter(node, kind, &subject),
            )
            .map(Some);
    }
    let create = |target| Stmt::Other { verb: OtherVerb::Create, target, text: canonical::text(node) };
    let alter = |target: Target| match node.children().find(|child| object::is_common(child.kind())) {
        Some(action) => object::common_action(&action, target, false),
        None => Ok(Stmt::Other { verb: OtherVerb::Alter, target, text: canonical::text(node) }),
    };
    Ok(Some(match node.kind() {
        K::CREATE_AGGREGATE => create(aggregate(node)?),
        K::CREATE_CAST => create(object::cast(&node.need(K::CAST_SIG)?)?),
        K::CREATE_OPERATOR => create(object::named(ObjectKind::Operator, object::operator_name(&node.need(K::OP)?))),
        K::CREATE_OPERATOR_CLASS => {
            create(drop::by_method(&node.need(K::OP_CLASS_NAME)?, node, ObjectKind::OperatorClass)?)
        }
        K::CREATE_OPERATOR_FAMILY => {
            create(drop::by_method(&node.need(K::OP_FAMILY_NAME)?, node, ObjectKind::OperatorFamily)?)
        }
        K::CREATE_TRANSFORM => create(object::transform(node)?),
        K::CREATE_USER_MAPPING => create(drop::user_mapping(node)?),
        K::IMPORT_FOREIGN_SCHEMA => create(object::named(
            ObjectKind::Schema,
            Name::bare(names::ident_in(&node.need(K::INTO_SCHEMA)?, K::SCHEMA_REF)?),
        )),
        K::ALTER_AGGREGATE => alter(object::routine_target(&node.need(K::AGGREGATE)?, ObjectKind::Aggregate)?)?,
        K::ALTER_OPERATOR => alter(object::operator(&node.need(K::OP_SIG)?, ObjectKind::Operator)?)?,
        K::ALTER_OPERATOR_CLASS => {
            alter(drop::by_method(&node.need(K::OP_CLASS_REF)?, node, ObjectKind::OperatorClass)?)?
        }
        K::ALTER_OPERATOR_FAMILY => {
            alter(drop::by_method(&node.need(K::OP_FAMILY_REF)?, node, ObjectKind::OperatorFamily)?)?
        }
        K::ALTER_USER_MAPPING => alter(drop::user_mapping(node)?)?,
        K::ALTER_LARGE_OBJECT => {
            let target = object::named(ObjectKind::LargeObject, Name::bare(canonical::text(&node.need(K::LITERAL)?)));
            Stmt::SetOwner { target, to: names::ident_in(node, K::ROLE_REF)? }
        }
        K::ALTER_SYSTEM => alter(object::named(ObjectKind::System, Name::bare("system")))?,
        _ => return Ok(None),
    }))
}

fn aggregate(node: &Node) -> Result<Target> {
    let args = node.child(K::PARAM_LIST).map(|list| object::input_types(&list)).transpose()?;
    Ok(Target { kind: ObjectKind::Aggregate, name: names::name_in(node, K::AGGREGATE_NAME)?, on: None, args })
}

fn created(kind: K) -> Option<(ObjectKind, K)> {
    Some(match kind {
        K::CREATE_ACCESS_METHOD => (ObjectKind::AccessMethod, K::ACCESS_METHOD),
        K::CREATE_COLLATION => (ObjectKind::Collation, K::COLLATION),
        K::CREATE_CONVERSION => (ObjectKind::Conversion, K::CONVERSION),
        K::CREATE_DATABASE => (ObjectKind::Database, K::DATABASE),
        K::CREATE_FOREIGN_DATA_WRAPPER => (ObjectKind::ForeignDataWrapper, K::FOREIGN_DATA_WRAPPER),
        K::CREATE_GROUP | K::CREATE_ROLE | K::CREATE_USER => (ObjectKind::Role, K::ROLE),
        K::CREATE_LANGUAGE => (ObjectKind::Language, K::LANGUAGE),
        K::CREATE_SERVER => (ObjectKind::Server, K::SERVER),
        K::CREATE_TABLESPACE => (ObjectKind::Tablespace, K::TABLESPACE),
        K::CREATE_TEXT_SEARCH_CONFIGURATION => (ObjectKind::TextSearchConfiguration, K::TEXT_SEARCH_CONFIGURATION),
        K::CREATE_TEXT_SEARCH_DICTIONARY => (ObjectKind::TextSearchDictionary, K::TEXT_SEARCH_DICTIONARY),
        K::CREATE_TEXT_SEARCH_PARSER => (ObjectKind::TextSearchParser, K::TEXT_SEARCH_PARSER),
        K::CREATE_TEXT_SEARCH_TEMPLATE => (ObjectKind::TextSearchTemplate, K::TEXT_SEARCH_TEMPLATE),
        _ => return None,
    })
}

fn altered(kind: K) -> Option<(ObjectKind, K)> {
    Some(match kind {
        K::ALTER_COLLATION => (ObjectKind::Collation, K::COLLATION_REF),
        K::ALTER_CONVERSION => (ObjectKind::Conversion, K::CONVERSION_REF),
        K::ALTER_DATABASE => (ObjectKind::Database, K::DATABASE_REF),
        K::ALTER_FOREIGN_DATA_WRAPPER => (ObjectKind::ForeignDataWrapper, K::FOREIGN_DATA_WRAPPER_REF),
        K::ALTER_GROUP | K::ALTER_ROLE | K::ALTER_USER => (ObjectKind::Role, K::ROLE_REF),
        K::ALTER_LANGUAGE => (ObjectKind::Language, K::LANGUAGE_REF),
        K::ALTER_SCHEMA => (ObjectKind::Schema, K::SCHEMA_REF),
        K::ALTER_SERVER => (ObjectKind::Server, K::SERVER_REF),
        K::ALTER_TABLESPACE => (ObjectKind::Tablespace, K::TABLESPACE_REF),
        K::ALTER_TEXT_SEARCH_CONFIGURATION => (ObjectKind::TextSearchConfiguration, K::TEXT_SEARCH_CONFIGURATION_REF),
        K::ALTER_TEXT_SEARCH_DICTIONARY => (ObjectKind::TextSearchDictionary, K::TEXT_SEARCH_DICTIONARY_REF),
        K::ALTER_TEXT_SEARCH_PARSER => (ObjectKind::TextSearchParser, K::TEXT_SEARCH_PARSER_REF),
        K::ALTER_TEXT_SEARCH_TEMPLATE => (ObjectKind::TextSearchTemplate, K::TEXT_SEARCH_TEMPLATE_REF),
        _ => return None,
    })
}

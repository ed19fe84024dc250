//! Publications and subscriptions.

use super::super::ast::{ObjectKind, PublicationAction, PublicationScope, Stmt};
use super::canonical;
use super::names;
use super::object;
use super::options;
use super::tree::{K, Node, Result, Tree};

pub(super) fn create_publication(node: &Node) -> Result<Stmt> {
    let clause = node.any(&[K::FOR_ALL_PUBLICATION_OBJECTS, K::FOR_PUBLICATION_OBJECTS]);
    let mut scope = scope(clause.as_ref())?;
    scope.with = options::text_of(node, K::WITH_PARAMS);
    Ok(Stmt::CreatePublication { name: names::ident_in(node, K::PUBLICATION)?, scope, text: canonical::text(node) })
}

pub(super) fn alter_publication(node: &Node) -> Result<Stmt> {
    let reference = node.need(K::PUBLICATION_REF)?;
    let action =
        node.children().find(|child| *child != reference).ok_or_else(|| node.fail("expected an action here"))?;
    if object::is_common(action.kind()) {
        return object::common_action(&action, object::named(ObjectKind::Publication, names::name(&reference)), false);
    }
    let what = match action.kind() {
        K::ADD_PUBLICATION_OBJECTS => PublicationAction::Add,
        K::DROP_PUBLICATION_OBJECTS => PublicationAction::Drop,
        K::SET_OPTIONS => PublicationAction::Options,
        _ => PublicationAction::Set,
    };
    let mut scope = scope(Some(&action))?;
    if what == PublicationAction::Options {
        scope.with = options::text_of(&action, K::ATTRIBUTE_LIST);
    }
    Ok(Stmt::AlterPublication { name: names::ident(&reference), action: what, scope, text: canonical::text(node) })
}

fn scope(clause: Option<&Node>) -> Result<PublicationScope> {
    let mut scope = PublicationScope { all_tables: false, tables: Vec::new(), schemas: Vec::new(), with: None };
    let mut of_schemas = false;
    for object in clause.into_iter().flat_map(Node::children) {
        // A name after the first without TABLE or SCHEMA before it continues what stood there.
        let table = object.kind() == K::PUBLICATION_OBJECT_TABLE;
        if table && of_schemas && !object.has(K::TABLE_KW) {
            scope.schemas.push(Some(names::name_in(&object, K::TABLE_NAME_REF)?.name));
            continue;
        }
        of_schemas = !table;
        match object.kind() {
            K::ALL_PUBLICATION_TABLES => scope.all_tables = true,
            K::PUBLICATION_OBJECT_TABLE => {
                let filter = object.child(K::WHERE_CONDITION_CLAUSE).and_then(|clause| clause.expr());
                scope.tables.push((
                    names::name_in(&object, K::TABLE_NAME_REF)?,
                    object.has(K::ONLY_KW),
                    names::columns_in(&object, K::COLUMN_REF_LIST),
                    filter.map(|filter| canonical::expression(&filter)),
                ));
            }
            K::PUBLICATION_OBJECT_TABLES_IN_SCHEMA => {
                scope.schemas.push(object.child(K::SCHEMA_REF).map(|schema| names::ident(&schema)));
            }
            K::PUBLICATION_OBJECT_CURRENT_SCHEMA => scope.schemas.push(None),
            _ => {}
        }
    }
    Ok(scope)
}

pub(super) fn create_subscription(node: &Node) -> Result<Stmt> {
    let given = options::attributes_in(node, K::WITH_PARAMS);
    // `connect = false` turns the slot off as well (`parse_subscription_options`).
    let slot = ["create_slot", "connect"].into_iter().all(|name| is_on(&given, name));
    Ok(Stmt::CreateSubscription { name: names::ident_in(node, K::SUBSCRIPTION)?, slot, text: canonical::text(node) })
}

pub(super) fn alter_subscription(node: &Node) -> Result<Stmt> {
    let reference = node.need(K::SUBSCRIPTION_REF)?;
    let action =
        node.children().find(|child| *child != reference).ok_or_else(|| node.fail("expected an action here"))?;
    if object::is_common(action.kind()) {
        return object::common_action(&action, object::named(ObjectKind::Subscription, names::name(&reference)), false);
    }
    let refresh = match action.kind() {
        K::REFRESH_PUBLICATION => true,
        K::SET_PUBLICATION | K::ADD_PUBLICATION | K::DROP_SUBSCRIPTION_PUBLICATION => {
            is_on(&options::attributes_in(&action, K::WITH_PARAMS), "refresh")
        }
        _ => false,
    };
    Ok(Stmt::AlterSubscription { name: names::ident(&reference), refresh, text: canonical::text(node) })
}

/// A boolean option that is on unless given as off.
fn is_on(options: &[(String, Option<String>)], name: &str) -> bool {
    let given = options.iter().rev().find(|(given, _)| given == name).and_then(|(_, value)| value.as_deref());
    !given.is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "false" | "off" | "0" | "no"))
}

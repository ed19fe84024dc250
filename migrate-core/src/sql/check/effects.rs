//! Changes become effects: the text of the object, and the keys that the history check compares.

use super::checked::{CheckedEffect, CheckedObject};
use crate::__private::v1;
use crate::model::{EffectKind, Space};
use crate::sql::ast::Stmt;
use crate::sql::facts::{Change, ObjectId};
use crate::sql::name::quoted;

/// The effects of one statement.
pub(super) fn effects(stmt: &Stmt, changes: &[Change]) -> Vec<CheckedEffect> {
    changes
        .iter()
        .map(|change| CheckedEffect {
            kind: change.kind,
            verb: change.verb,
            object: in_words(&change.object),
            definition: change.definition.clone(),
            id: object_key(&change.object),
            to: change.to.as_ref().map_or(0, own_key),
            to_name: change.to.as_ref().map_or_else(String::new, own_name),
            columns_listed: change.kind == EffectKind::CreateTable && lists_its_columns(stmt),
        })
        .collect()
}

/// The key of a relation by its schema-qualified name.
pub(super) fn relation_key(name: &crate::sql::name::Name) -> u64 {
    v1::key(Space::Relation, &name.to_string())
}

fn lists_its_columns(stmt: &Stmt) -> bool {
    match stmt {
        Stmt::CreateTable(table) => {
            table.likes.is_empty()
                && table.inherits.is_empty()
                && table.of_type.is_none()
                && table.partition_of.is_none()
                && table.foreign_server.is_none()
        }
        _ => false,
    }
}

/// `column public.orders.status`, `index public.idx_orders_status`, `constraint orders_check on public.orders`.
pub(crate) fn in_words(object: &ObjectId) -> String {
    match (&object.owner, object.space) {
        (Some(owner), Space::Column) => format!("{} {owner}.{}", object.noun, quoted(&object.name.name)),
        (Some(owner), space) if named_within_owner(space) => {
            format!("{} {} on {owner}", object.noun, quoted(&object.name.name))
        }
        _ => format!("{} {}", object.noun, object.name),
    }
}

fn named_within_owner(space: Space) -> bool {
    matches!(space, Space::Column | Space::Constraint | Space::Trigger | Space::Policy | Space::Rule | Space::EnumValue)
}

/// The object as the history check follows it.
pub(super) fn object_key(object: &ObjectId) -> CheckedObject {
    CheckedObject {
        space: object.space,
        key: own_key(object),
        name: own_name(object),
        owner: owner_key(object),
        owner_name: object.owner.as_ref().map_or_else(String::new, ToString::to_string),
    }
}

/// 0 where the history check does not follow the object.
fn own_key(object: &ObjectId) -> u64 {
    match object.space {
        Space::Other | Space::Role => 0,
        space => v1::key(space, &own_name(object)),
    }
}

fn own_name(object: &ObjectId) -> String {
    if named_within_owner(object.space) { object.name.name.clone() } else { object.name.to_string() }
}

fn owner_key(object: &ObjectId) -> u64 {
    let Some(owner) = &object.owner else { return 0 };
    match object.space {
        Space::EnumValue => v1::key(Space::Type, &owner.to_string()),
        _ => relation_key(owner),
    }
}

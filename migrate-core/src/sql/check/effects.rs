//! Changes become effects: the text of the object, and the keys that the history check compares.

use super::checked::{CheckedEffect, CheckedObject};
use crate::model::{EffectKind, ObjectKey, Space};
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
            to: change.to.as_ref().map_or(0, |to| object_key(to).key),
            to_name: change.to.as_ref().map_or_else(String::new, own_name),
            columns_listed: change.kind == EffectKind::CreateTable && lists_its_columns(stmt),
        })
        .collect()
}

/// The key of a relation by its schema-qualified name.
pub(super) fn relation_key(name: &crate::sql::name::Name) -> u128 {
    ObjectKey::own(Space::Relation, &name.to_string())
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
    let (space, name) = (object.space, own_name(object));
    let owner_name = object.owner.as_ref().map_or_else(String::new, ToString::to_string);
    let (key, owner) = (ObjectKey::own(space, &name), ObjectKey::owner(space, &owner_name));
    CheckedObject { space, key, name, owner, owner_name }
}

fn own_name(object: &ObjectId) -> String {
    if named_within_owner(object.space) { object.name.name.clone() } else { object.name.to_string() }
}

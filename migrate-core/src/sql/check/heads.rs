//! What the records of a trace say in their heads: the little of an effect or a property that the history check goes by. See
//! [`trace`].

use super::checked::{CheckedEffect, CheckedProperty};
use crate::model::written::trace;
use crate::model::{EffectKind, Space, Verb};
use crate::sql::schema::OPAQUE;

pub(super) fn of_space(space: Space) -> u128 {
    let part = matches!(
        space,
        Space::Column | Space::Constraint | Space::Trigger | Space::Policy | Space::Rule | Space::EnumValue
    );
    let mut head = if part { trace::PART } else { 0 };
    head |= if space == Space::Column { trace::COLUMN } else { 0 };
    head | if matches!(space, Space::Relation | Space::Type) { trace::FOLLOWED } else { 0 }
}

pub(super) fn of_effect(CheckedEffect { kind, verb, id, columns_listed, .. }: &CheckedEffect) -> u128 {
    let complete = *kind == EffectKind::CreateTable && *columns_listed;
    let of_table = matches!(
        kind,
        EffectKind::AddColumn
            | EffectKind::DropColumn
            | EffectKind::RenameColumn
            | EffectKind::ChangeColumnType
            | EffectKind::SetNotNull
            | EffectKind::DropNotNull
            | EffectKind::CreateIndex
    );
    let mut head = of_space(id.space);
    head |= match verb {
        Verb::Make => trace::MAKE,
        Verb::Ensure => trace::ENSURE,
        Verb::Take => trace::TAKE,
        Verb::TakeIfThere => trace::TAKE_IF_THERE,
        Verb::Alter | Verb::Rename | Verb::Rows | Verb::Use => trace::NEED,
    };
    head |= if complete { trace::COMPLETE } else { 0 };
    head |= if of_table && id.owner != 0 && *verb != Verb::TakeIfThere { trace::OF_TABLE } else { 0 };
    head | match kind {
        EffectKind::ReplaceView | EffectKind::ReplaceFunction => trace::REPLACES,
        EffectKind::Assumed | EffectKind::RenameSchema => trace::TRUSTED,
        EffectKind::MoveToSchema => trace::MOVES,
        _ => 0,
    }
}

pub(super) fn of_property(CheckedProperty { id, what, what_key, text, .. }: &CheckedProperty) -> u128 {
    let mut head = of_space(id.space) | u128::from(*what_key) << 64;
    head |= if text.is_empty() { trace::EMPTY } else { 0 };
    head | match &**what {
        OPAQUE => trace::WHOLE,
        "definition" | "type" => trace::DEFINES,
        // What a type is stored as by default is not among its properties.
        "STORAGE" => trace::BY_TYPE,
        // Who owns what is made again is whoever makes it, and that is the role that migrates.
        "owner" => trace::COMES_BY_ITSELF,
        _ => 0,
    }
}

//! What a statement does to the schema, as data. The derive writes effects into constants; history checks compare their
//! keys, reports print their text.

use super::{ObjectKey, kinds};
use std::fmt;

/// What becomes of the object of an effect: the part that history checks go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// The object comes to be; its name must be free.
    Make,
    /// The object comes to be unless it is there (`IF NOT EXISTS`, `OR REPLACE`).
    Ensure,
    /// The object is changed in place; it must be there.
    Alter,
    /// The object takes another name; it must be there and the new name must be free.
    Rename,
    /// The object is gone, and with it what it owns; it must have been there.
    Take,
    /// The object is gone if it was there (`IF EXISTS`).
    TakeIfThere,
    /// Rows of the object are written or removed; it must be there.
    Rows,
    /// The object is only used; it must be there.
    Use,
}

impl Verb {
    /// In the order of their numbers, which constants are written by.
    pub(super) const ALL: &'static [Self] =
        &[Self::Make, Self::Ensure, Self::Alter, Self::Rename, Self::Take, Self::TakeIfThere, Self::Rows, Self::Use];
}

/// The namespace an object's name lives in: two objects of one space cannot share a name (under one owner).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
#[derive(PartialOrd, Ord)]
pub enum Space {
    Schema,
    /// Tables, partitions, views, materialized views, sequences, indexes and foreign tables: `pg_class`.
    Relation,
    Type,
    /// Functions and procedures, by name and argument types.
    Routine,
    Column,
    Constraint,
    Trigger,
    Policy,
    Rule,
    EnumValue,
    Extension,
    Role,
    Publication,
    Statistics,
    /// Whatever has a space of its own that history checks do not follow.
    Other,
}

impl Space {
    /// In the order of their numbers, which constants are written by.
    pub(super) const ALL: &'static [Self] = &[
        Self::Schema,
        Self::Relation,
        Self::Type,
        Self::Routine,
        Self::Column,
        Self::Constraint,
        Self::Trigger,
        Self::Policy,
        Self::Rule,
        Self::EnumValue,
        Self::Extension,
        Self::Role,
        Self::Publication,
        Self::Statistics,
        Self::Other,
    ];
}

/// One effect of one statement.
///
/// The history check follows its object by hashes of the owner's and the object's own name.
#[derive(Debug, Clone, Copy)]
pub struct Effect {
    pub(crate) kind: EffectKind,
    pub(crate) verb: Verb,
    pub(crate) object: &'static str,
    pub(crate) definition: &'static str,
    pub(crate) id: ObjectKey,
    pub(crate) to: u128,
    pub(crate) to_name: &'static str,
}

impl Effect {
    /// What kind of change this is, `AddColumn`.
    pub const fn kind(&self) -> EffectKind {
        self.kind
    }

    /// What becomes of the object.
    pub const fn verb(&self) -> Verb {
        self.verb
    }

    /// The object in words, `column public.orders.status`.
    pub const fn object(&self) -> &'static str {
        self.object
    }

    /// What the object is afterwards, as normalised SQL: `text DEFAULT 'pending'`. Empty where there is nothing to say.
    pub const fn definition(&self) -> &'static str {
        self.definition
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.object)?;
        if self.definition.is_empty() { Ok(()) } else { write!(f, ": {}", self.definition) }
    }
}

kinds::named! {
    /// The kinds of change a statement can make to a schema.
    #[allow(missing_docs)]
    "kind of effect" EffectKind {
        CreateSchema, RenameSchema, DropSchema,
        CreateTable, RenameTable, DropTable, TruncateTable, SetTableOption, SetLogged, SetTablespace, SetAccessMethod,
        MoveToSchema, ChangeOwner, AttachPartition, DetachPartition, ChangeInheritance,
        AddColumn, RenameColumn, DropColumn, ChangeColumnType, SetDefault, DropDefault, SetNotNull, DropNotNull,
        AddIdentity, ChangeIdentity, DropIdentity, SetExpression, DropExpression, SetColumnOption,
        AddConstraint, RenameConstraint, ValidateConstraint, ChangeConstraint, DropConstraint,
        CreateIndex, RenameIndex, ChangeIndex, DropIndex, Reindex, ClusterTable, SetReplicaIdentity,
        CreateView, ReplaceView, ChangeView, RenameView, DropView,
        CreateMaterializedView, ChangeMaterializedView, RefreshMaterializedView, DropMaterializedView,
        CreateSequence, ChangeSequence, RenameSequence, DropSequence,
        CreateType, ChangeType, RenameType, DropType, AddEnumValue, RenameEnumValue,
        CreateDomain, ChangeDomain, DropDomain,
        CreateFunction, ReplaceFunction, ChangeFunction, RenameFunction, DropFunction,
        CreateTrigger, ChangeTrigger, RenameTrigger, DropTrigger,
        CreatePolicy, ChangePolicy, DropPolicy, EnableRowSecurity, DisableRowSecurity,
        CreateRule, DropRule,
        CreateExtension, ChangeExtension, DropExtension,
        CreatePublication, ChangePublication, DropPublication,
        CreateStatistics, ChangeStatistics, DropStatistics,
        CreateObject, ChangeObject, DropObject,
        Grant, Revoke, SetComment, SetSetting,
        InsertRows, UpdateRows, DeleteRows, ReadRows, LockRelation, Maintain,
        /// Taken on trust: the analysis did not look.
        Assumed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_in_the_order_of_their_numbers() {
        assert!(Verb::ALL.iter().enumerate().all(|(at, &verb)| verb as usize == at));
        assert!(Space::ALL.iter().enumerate().all(|(at, &space)| space as usize == at));
        assert!(EffectKind::ALL.iter().enumerate().all(|(at, &kind)| kind as usize == at));
        assert_eq!(Verb::Use as usize + 1, Verb::ALL.len());
        assert_eq!(Space::Other as usize + 1, Space::ALL.len());
        assert!(EffectKind::ALL.len() <= 0x100, "a kind is written in eight bits");
    }
}

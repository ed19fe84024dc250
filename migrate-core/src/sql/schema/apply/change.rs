//! Writing changes down: the identities of objects and the changes to them.

use super::Apply;
use crate::model::{EffectKind, Space, Verb};
use crate::sql::ast::TypeName;
use crate::sql::name::Name;
use crate::sql::schema::text::type_text;
use crate::sql::schema::{Relation, Schema, Type};
use crate::sql::{Change, ObjectId, RelationKind};

/// A thing that lives in a table (or view) under its own name there.
pub(super) fn part(space: Space, noun: &'static str, owner: &Name, name: &str) -> ObjectId {
    ObjectId { space, noun, owner: Some(owner.clone()), name: Name::bare(name) }
}

pub(super) fn column(table: &Name, name: &str) -> ObjectId {
    part(Space::Column, "column", table, name)
}

pub(super) fn constraint(table: &Name, name: &str) -> ObjectId {
    part(Space::Constraint, "constraint", table, name)
}

/// A thing with a name of its own in the database or in a schema.
pub(super) fn object(space: Space, noun: &'static str, name: Name) -> ObjectId {
    ObjectId { space, noun, owner: None, name }
}

/// A routine: its argument types are part of its name.
pub(super) fn routine(noun: &'static str, name: &Name, args: Option<&[TypeName]>) -> ObjectId {
    let signature = match args {
        Some(args) => format!("{}({})", name.name, args.iter().map(type_text).collect::<Vec<_>>().join(", ")),
        None => name.name.clone(),
    };
    object(Space::Routine, noun, Name { schema: name.schema.clone(), name: signature })
}

impl Schema {
    /// The identity of a relation, by what the schema says it is.
    pub(crate) fn relation_id(&self, name: &Name) -> ObjectId {
        let noun = match self.relation_kind(name) {
            RelationKind::Table | RelationKind::Unknown => "table",
            RelationKind::ForeignTable => "foreign table",
            RelationKind::View => "view",
            RelationKind::MaterializedView => "materialized view",
            RelationKind::Sequence => "sequence",
            RelationKind::Index => "index",
            RelationKind::CompositeType => "type",
        };
        let owner = match self.relations.get(name) {
            Some(Relation::Index(index)) => index.table.known().cloned(),
            _ => None,
        };
        ObjectId { space: Space::Relation, noun, owner, name: name.clone() }
    }

    /// The identity of a type.
    pub(crate) fn type_id(&self, name: &Name) -> ObjectId {
        let noun = if matches!(self.types.get(name), Some(Type::Domain(_))) { "domain" } else { "type" };
        object(Space::Type, noun, name.clone())
    }
}

impl Apply<'_> {
    pub(super) fn change(&mut self, kind: EffectKind, verb: Verb, object: ObjectId, definition: impl Into<String>) {
        self.changes.push(Change { kind, verb, object, to: None, definition: definition.into() });
    }

    pub(super) fn alter_relation(&mut self, kind: EffectKind, name: &Name, definition: impl Into<String>) {
        let object = self.schema.relation_id(name);
        self.change(kind, Verb::Alter, object, definition);
    }

    pub(super) fn alter_column_change(
        &mut self,
        kind: EffectKind,
        table: &Name,
        name: &str,
        definition: impl Into<String>,
    ) {
        self.change(kind, Verb::Alter, column(table, name), definition);
    }

    pub(super) fn renamed(&mut self, kind: EffectKind, object: ObjectId, to: ObjectId) {
        self.changes.push(Change { kind, verb: Verb::Rename, object, to: Some(to), definition: String::new() });
    }
}

//! Which object a name means: along the search path, temporary objects first (manual, section 5.10.3, "The Schema Search
//! Path"), and where a new object goes.

use super::{Relation, Schema, World};
use crate::sql::ast::TypeName;
use crate::sql::name::Name;

/// The schema that temporary objects live in, whatever its number on the server.
pub(super) const TEMP: &str = "pg_temp";

/// Schemas whose objects are the server's own: never listed, always there.
pub(super) fn is_system(schema: &str) -> bool {
    matches!(schema, "pg_catalog" | "information_schema" | "pg_toast")
}

impl Schema {
    /// The schema-qualified name of the relation that `name` means: the first along the search path, else the name that
    /// it would have if it were made now.
    pub(crate) fn resolve(&self, name: &Name) -> Name {
        self.find_relation(name).unwrap_or_else(|| {
            if name.schema.is_none() && name.name.starts_with("pg_") {
                Name::qualified("pg_catalog", &name.name)
            } else {
                self.place(name)
            }
        })
    }

    /// The relation that `name` means, if it is listed.
    pub(crate) fn find_relation(&self, name: &Name) -> Option<Name> {
        self.candidates(name).find(|candidate| self.relations.contains_key(candidate))
    }

    /// The type that `name` means, if it is listed.
    pub(crate) fn find_type(&self, name: &Name) -> Option<Name> {
        self.candidates(name).find(|candidate| self.types.contains_key(candidate))
    }

    /// The schema-qualified name of a type; a name of no listed type stays as it is (`int4`, or one not known).
    pub(crate) fn resolve_type(&self, name: &TypeName) -> TypeName {
        match self.find_type(&name.name) {
            Some(found) => TypeName { name: found, ..name.clone() },
            None => name.clone(),
        }
    }

    /// The functions by that name, under the name they are listed by.
    pub(crate) fn find_functions(&self, name: &Name) -> Option<Name> {
        self.candidates(name).find(|candidate| self.functions.contains_key(candidate))
    }

    /// Where a new object of that name goes.
    pub(crate) fn place(&self, name: &Name) -> Name {
        match &name.schema {
            Some(schema) => Name::qualified(temp_or(schema), &name.name),
            None => Name::qualified(self.creation_schema(), &name.name),
        }
    }

    /// The schema that new objects without schema go to: the first of the path that exists; where other schemas may be
    /// there, simply the first.
    pub(crate) fn creation_schema(&self) -> String {
        let first = match self.world {
            World::Open => self.search_path.first(),
            World::Closed => self.search_path.iter().find(|schema| self.schemas.contains(*schema)),
        };
        first.map_or_else(|| "public".to_owned(), Clone::clone)
    }

    /// Every place where an object of that name may be, in the order of search.
    pub(super) fn candidates(&self, name: &Name) -> impl Iterator<Item = Name> {
        let schemas: Vec<String> = match &name.schema {
            Some(schema) => vec![temp_or(schema).to_owned()],
            None => std::iter::once(TEMP.to_owned()).chain(self.search_path.iter().cloned()).collect(),
        };
        let name = name.name.clone();
        schemas.into_iter().map(move |schema| Name::qualified(schema, name.clone()))
    }

    /// The listed relation by its schema-qualified name.
    pub(crate) fn relation(&self, name: &Name) -> Option<&Relation> {
        self.relations.get(name)
    }
}

fn temp_or(schema: &str) -> &str {
    if schema.starts_with("pg_temp_") { TEMP } else { schema }
}

//! The symbolic schema: what the tables, types, indexes and the rest look like after the statements so far, as far as the
//! statements say. Locks, work and hazards depend on it, and reversal is decided by comparing two of them.

mod alike;
mod apply;
mod diff;
mod error;
mod ledger;
mod naming;
pub(crate) mod parameters;
mod properties;
mod queries;
mod resolve;
mod row_columns;
mod shelf;
mod text;
mod types;

pub(crate) use alike::Mentions;
pub(crate) use diff::{Difference, Witness, compare, default_storage, described};
pub(crate) use error::ApplyError;
pub(crate) use ledger::Ledger;
pub(crate) use properties::{OPAQUE, Property, PropertyKey, in_words, is_followed, is_held, properties};
pub(crate) use row_columns::{columns_after, row_columns, update_of};
pub(crate) use types::*;

use super::name::Name;
use shelf::Shelf;
use std::collections::BTreeSet;

/// A database's schema, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schema {
    pub world: World,
    /// Where names without schema are looked for, first the one they are made in.
    pub search_path: Vec<String>,
    pub schemas: BTreeSet<String>,
    /// Schema-qualified.
    pub relations: Shelf<Name, Relation>,
    pub types: Shelf<Name, Type>,
    /// By name, then in order of making.
    pub functions: Shelf<Name, Vec<Function>>,
    /// With the schema that they are in.
    pub extensions: Shelf<String, Option<String>>,
    pub publications: Shelf<String, crate::sql::ast::PublicationScope>,
    pub statistics: Shelf<Name, (Name, String)>,
    /// Comments, privileges, security labels, and objects of kinds that have nothing but a definition, by the text of
    /// their target.
    pub others: Shelf<String, String>,
    /// Names of relations that the statements so far took away and did not make again.
    pub dropped: BTreeSet<Name>,
    /// The same for types.
    pub dropped_types: BTreeSet<Name>,
    /// `check_function_bodies`, which scripts that restore a dump turn off.
    pub checks_bodies: bool,
}

impl Schema {
    /// Nothing is known of the database: other objects may be there.
    pub(crate) fn open() -> Self {
        Self::in_world(World::Open)
    }

    /// An empty database.
    pub(crate) fn empty() -> Self {
        let mut schema = Self::in_world(World::Closed);
        // `template1` has it (`load_plpgsql` in `initdb.c`).
        schema.extensions.insert("plpgsql".to_owned(), Some("pg_catalog".to_owned()));
        // And its own comments (`setup_description` in `initdb.c`, `pg_namespace.dat`).
        let comments =
            [("schema public", "standard public schema"), ("extension plpgsql", "PL/pgSQL procedural language")];
        for (of, text) in comments {
            schema.others.insert(format!("comment on {of}"), text.to_owned());
        }
        schema
    }

    /// Whether an extension may have brought types, casts or functions: any but the one that every database has.
    pub(crate) fn is_extended(&self) -> bool {
        self.extensions.keys().any(|name| name != "plpgsql")
    }

    fn in_world(world: World) -> Self {
        Self {
            world,
            search_path: vec!["public".to_owned()],
            schemas: BTreeSet::from(["public".to_owned(), "pg_catalog".to_owned()]),
            relations: Shelf::default(),
            types: Shelf::default(),
            functions: Shelf::default(),
            extensions: Shelf::default(),
            publications: Shelf::default(),
            statistics: Shelf::default(),
            others: Shelf::default(),
            dropped: BTreeSet::new(),
            dropped_types: BTreeSet::new(),
            checks_bodies: true,
        }
    }
}

#[cfg(test)]
mod tests;

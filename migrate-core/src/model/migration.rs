//! The traits that tie a struct to its [`Meta`].

use super::{Meta, RowConverter};
use postgres_types::ToSql;
use std::fmt;

/// A struct with a `Meta`: what `#[derive(Migration)]` implements.
///
/// The constant lets history checks read it at compile time; [`Migration`] is the form that can be a trait object.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a migration",
    label = "this is of the type `{Self}`, which does not implement `Migration`",
    note = "put `#[derive(Migration)]` with `#[migration(…)]` and its steps on the struct `{Self}`"
)]
pub trait Described {
    /// What is known of the migration.
    const META: &'static Meta;

    /// The values of the fields that are bound to `$1` …, in order.
    fn binds(&self) -> Vec<Bind<'_>> {
        Vec::new()
    }

    /// How its backfill in Rust converts a row, where it has one.
    fn converter(&self) -> Option<&dyn RowConverter> {
        None
    }
}

/// A migration as the runner sees it. Implemented for everything that is [`Described`].
pub trait Migration: Send + Sync {
    /// What is known of the migration.
    fn meta(&self) -> &'static Meta;

    /// The values of the fields that are bound to `$1` …, in order.
    fn binds(&self) -> Vec<Bind<'_>>;

    /// How its backfill in Rust converts a row, where it has one.
    fn converter(&self) -> Option<&dyn RowConverter> {
        None
    }
}

impl<T: Described + Send + Sync> Migration for T {
    fn meta(&self) -> &'static Meta {
        T::META
    }

    fn binds(&self) -> Vec<Bind<'_>> {
        Described::binds(self)
    }

    fn converter(&self) -> Option<&dyn RowConverter> {
        Described::converter(self)
    }
}

/// A field's value, bound to a parameter.
#[derive(Clone, Copy)]
pub struct Bind<'a> {
    /// The PostgreSQL type that the attribute declares, `text`.
    pub sql_type: &'static str,
    /// The value.
    pub value: &'a (dyn ToSql + Sync),
}

/// Without the value, which is nobody's but the application's.
impl fmt::Debug for Bind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bind").field("sql_type", &self.sql_type).finish_non_exhaustive()
    }
}

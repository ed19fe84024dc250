//! The ordered list of all migrations in the program.

pub(crate) mod check;
mod follow;
mod near;
mod restored;
mod text;
mod verdict;
mod world;

use super::{Effect, Meta, Migration, Version, Written, read};
use std::fmt;

/// All migrations of a program, in order, and the schema that was there before the first. `migrations!` makes one.
pub struct History {
    entries: Vec<Box<dyn Migration>>,
    baseline: Option<Baseline>,
}

impl History {
    /// The history of these migrations. `migrations!` calls this after it has checked them.
    #[doc(hidden)]
    pub fn from_checked(entries: Vec<Box<dyn Migration>>, baseline: Option<Baseline>) -> Self {
        Self { entries, baseline }
    }

    /// The migrations, in order.
    pub fn migrations(&self) -> impl ExactSizeIterator<Item = &dyn Migration> {
        self.entries.iter().map(|entry| &**entry)
    }

    /// What is known of each migration, in order.
    pub fn metas(&self) -> impl ExactSizeIterator<Item = &'static Meta> {
        self.entries.iter().map(|entry| entry.meta())
    }

    /// The migration with this version.
    pub fn find(&self, version: Version) -> Option<&dyn Migration> {
        self.migrations().find(|migration| migration.meta().version() == version)
    }

    /// How many migrations there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The migrations whose downs the compiler could not hold against what was there before, with the reason: their
    /// reversal is proved in `cargo test` only. In order.
    pub fn unsettled(&self) -> Vec<(Version, String)> {
        let metas: Vec<&'static Meta> = self.metas().collect();
        check::verdicts_now(&metas, self.baseline.as_ref())
            .iter()
            .zip(&metas)
            .filter_map(|(verdict, meta)| Some((meta.version(), verdict.unsettled(&metas, self.baseline.as_ref())?)))
            .collect()
    }

    /// The schema that was there before.
    pub const fn baseline(&self) -> Option<&Baseline> {
        self.baseline.as_ref()
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("migrations", &self.metas().map(|meta| (meta.version().get(), meta.name())).collect::<Vec<_>>())
            .field("baseline", &self.baseline.is_some())
            .finish()
    }
}

/// The schema of a database that was there before the history.
#[derive(Clone, Copy)]
pub struct Baseline {
    pub(crate) sql: &'static str,
    pub(crate) digest: &'static str,
    pub(crate) written: Written,
}

/// The name of an object that a baseline makes, in parts, each as the catalog stores it: where it is found on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectName {
    /// The schema that it is in, where it is in one.
    pub schema: Option<&'static str>,
    /// The schema and the name of what owns it: the table of a column, a constraint, a trigger; the type of an enum's value.
    pub owner: Option<(Option<&'static str>, &'static str)>,
    /// Its own name.
    pub name: &'static str,
    /// The types of a routine's arguments, as `to_regtype` reads them; `None` where they are not known.
    pub arguments: Option<&'static [&'static str]>,
}

/// Without the SQL, which may hold a password.
impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Baseline").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Baseline {
    /// The SQL of the file, without the commands of `psql` that `pg_dump` writes.
    pub const fn sql(&self) -> &'static str {
        self.sql
    }

    /// `v1:` and 16 hexadecimal digits over its tokens.
    pub const fn digest(&self) -> &'static str {
        self.digest
    }

    /// The objects it makes.
    pub fn effects(&self) -> &'static [Effect] {
        &read::objects(self.written).effects
    }

    /// The names of the objects of [`Baseline::effects`], in their order.
    pub fn names(&self) -> &'static [ObjectName] {
        &read::objects(self.written).names
    }
}

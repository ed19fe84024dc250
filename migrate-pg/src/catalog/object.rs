//! One object of a schema: what it is, what it is called, and its properties.

use super::Kind;
use std::collections::BTreeMap;
use std::fmt;

/// What an object is and what it is called: `index public.idx_a`, `constraint total_positive on public.orders`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub(super) kind: Kind,
    pub(super) name: String,
}

impl Key {
    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name, with schema, table and quotes where it has them.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// An object of a schema. Its properties are named as in SQL where SQL has a word for them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object {
    pub(super) of: Option<Key>,
    pub(super) properties: BTreeMap<String, String>,
}

/// The rank of a column among the live columns of its table.
pub(super) const POSITION: &str = "position";
/// Where a sequence stands.
pub(super) const LAST_VALUE: &str = "last value";
/// What the role may not read.
pub(super) const HIDDEN: &str = "hidden";

impl Object {
    /// The object that this one is a part of, and goes with: a column's table, an index's constraint.
    pub fn of(&self) -> Option<&Key> {
        self.of.as_ref()
    }

    /// One of its properties; `Some("")` is one that needs no value, such as `NOT NULL`.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }

    /// All its properties, by name.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The rank of a column among the live columns, from 1.
    pub(super) fn position(&self) -> Option<usize> {
        self.property(POSITION)?.parse().ok()
    }
}

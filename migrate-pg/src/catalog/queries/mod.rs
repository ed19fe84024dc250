//! One query a kind of object, each a readable constant.
//!
//! A query answers with the columns `kind`, `name` and, for what is part of another object, `of_kind` and `of_name`. Every
//! further column is a property under its own name; NULL is a property that the object does not have, the empty text one
//! that needs no value (`NOT NULL`). A column whose name begins with `*` holds any number of properties. `hidden` says what the
//! role may not read.
//!
//! A line that ends in `-- 15+`, `-- 15..16` or `-- ..16` is there for these major versions only, and one that ends in
//! `-- superuser` or `-- others` for such roles only.

mod column;
mod constraint;
mod database;
mod foreign;
mod function;
mod index;
mod operator;
mod program;
mod relation;
mod replication;
mod schema;
mod search;
mod sequence;
mod types;

/// A query, and which columns of the catalogs it takes into the fingerprint.
pub(super) struct Query {
    /// What it reads, in words.
    pub(super) reads: &'static str,
    pub(super) sql: &'static str,
    /// Catalog, and the columns of it that the query names.
    pub(super) covers: &'static [(&'static str, &'static str)],
    /// A function of the server, a catalog, and the columns of it that the text of the function tells.
    pub(super) through: &'static [(&'static str, &'static str, &'static str)],
}

/// A column of a system catalog that a fingerprint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Covered {
    /// The system catalog.
    pub catalog: &'static str,
    /// Its column.
    pub column: &'static str,
    /// The function of the server, or the view, that tells it; `None` if it is read itself.
    pub through: Option<&'static str>,
    /// The query that reads it.
    pub sql: &'static str,
}

/// What of the system catalogs a fingerprint takes. [`OMISSIONS`](super::OMISSIONS) is the rest.
pub fn covered() -> impl Iterator<Item = Covered> {
    QUERIES.iter().copied().chain([DATABASE]).flat_map(|query| {
        let read = query.covers.iter().map(|&(catalog, columns)| (None, catalog, columns));
        let told = query.through.iter().map(|&(through, catalog, columns)| (Some(through), catalog, columns));
        read.chain(told).flat_map(move |(through, catalog, columns)| {
            columns.split_whitespace().map(move |column| Covered { catalog, column, through, sql: query.sql })
        })
    })
}

/// All of them, but for the database itself.
pub(super) const QUERIES: &[&Query] = &[
    &schema::SCHEMAS,
    &schema::EXTENSIONS,
    &schema::EXTENSION_MEMBERS,
    &schema::DEFAULT_PRIVILEGES,
    &relation::RELATIONS,
    &column::COLUMNS,
    &constraint::CONSTRAINTS,
    &index::INDEXES,
    &index::STATISTICS,
    &sequence::SEQUENCES,
    &types::TYPES,
    &function::FUNCTIONS,
    &function::AGGREGATES,
    &operator::OPERATORS,
    &operator::FAMILIES,
    &operator::CLASSES,
    &operator::CASTS,
    &program::TRIGGERS,
    &program::RULES,
    &program::POLICIES,
    &program::EVENT_TRIGGERS,
    &program::LANGUAGES,
    &program::TRANSFORMS,
    &program::ACCESS_METHODS,
    &search::COLLATIONS,
    &search::CONVERSIONS,
    &search::PARSERS,
    &search::TEMPLATES,
    &search::DICTIONARIES,
    &search::CONFIGURATIONS,
    &foreign::WRAPPERS,
    &foreign::SERVERS,
    &foreign::USER_MAPPINGS,
    &replication::PUBLICATIONS,
    &replication::SUBSCRIPTIONS,
];

/// The database itself, which is asked for apart.
pub(super) const DATABASE: &Query = &database::DATABASE;

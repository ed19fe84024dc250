//! Why a statement cannot be applied: PostgreSQL's SQLSTATE and its own wording.

use crate::sql::name::Name;

/// The error that a server would answer, as far as the schema can know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({sqlstate})")]
pub(crate) struct ApplyError {
    pub sqlstate: &'static str,
    pub message: String,
}

pub(super) type Applied<T = ()> = Result<T, ApplyError>;

impl ApplyError {
    pub(super) fn new(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self { sqlstate, message: message.into() }
    }

    /// 42P01, the message PostgreSQL gives for a missing relation of any kind.
    pub(super) fn no_relation(name: &Name) -> Self {
        Self::new("42P01", format!("relation \"{}\" does not exist", plain(name)))
    }

    pub(super) fn no_column(column: &str, table: &Name) -> Self {
        Self::new("42703", format!("column \"{column}\" of relation \"{}\" does not exist", table.name))
    }

    pub(super) fn relation_exists(name: &Name) -> Self {
        Self::new("42P07", format!("relation \"{}\" already exists", name.name))
    }

    pub(super) fn column_exists(column: &str, table: &Name) -> Self {
        Self::new("42701", format!("column \"{column}\" of relation \"{}\" already exists", table.name))
    }

    pub(super) fn no_constraint(constraint: &str, table: &Name) -> Self {
        Self::new("42704", format!("constraint \"{constraint}\" of relation \"{}\" does not exist", table.name))
    }

    pub(super) fn constraint_exists(constraint: &str, table: &Name) -> Self {
        Self::new("42710", format!("constraint \"{constraint}\" for relation \"{}\" already exists", table.name))
    }

    /// 42704 for `what` (`type`, `schema` has its own code).
    pub(super) fn undefined(what: &str, name: &Name) -> Self {
        Self::new("42704", format!("{what} \"{}\" does not exist", plain(name)))
    }

    pub(super) fn duplicate(what: &str, name: &str) -> Self {
        Self::new("42710", format!("{what} \"{name}\" already exists"))
    }

    pub(super) fn no_schema(name: &str) -> Self {
        Self::new("3F000", format!("schema \"{name}\" does not exist"))
    }

    /// 42809: the object is of another kind than the statement says.
    pub(super) fn wrong_kind(name: &Name, expected: &str) -> Self {
        Self::new("42809", format!("\"{}\" is not {expected}", name.name))
    }
}

/// The name without quotes, as messages show it.
pub(super) fn plain(name: &Name) -> String {
    match &name.schema {
        Some(schema) if schema != "public" => format!("{schema}.{}", name.name),
        _ => name.name.clone(),
    }
}

//! Why a backfill did not go on.

use crate::online::Blocker;
use tokio_postgres::error::SqlState;

/// Why a backfill did not go on. What it filled before stays filled, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BackfillError {
    #[error(
        "the table {table} of the backfill does not exist; without a schema in its name it is looked for along the \
         `search_path` of the session"
    )]
    NoTable { table: String },
    #[error("{table} is {kind}, and a backfill needs a table: name the table that holds the rows")]
    NotATable { table: String, kind: &'static str },
    #[error("the table {table} has no column {column}, which the backfill names as its key")]
    NoColumn { table: String, column: String },
    #[error(
        "the key column {column} of {table} may be NULL{}; rows without a key would be passed over. Name a key whose \
         columns are NOT NULL",
        if *.unvalidated { " (its NOT NULL constraint is NOT VALID)" } else { "" }
    )]
    NullableKey { table: String, column: String, unvalidated: bool },
    #[error("the key ({key}) of {table} is not unique: {}", unique_keys(.unique))]
    KeyNotUnique { table: String, key: String, unique: Vec<String> },
    #[error("the ledger has no row for step {step} of version {version} any more; the batch was taken back")]
    NoLedgerRow { version: i64, step: i32 },
    #[error(
        "the ledger's cursor {cursor} does not fit the key ({key}) of the backfill: was the key changed after the \
         backfill had begun?"
    )]
    ForeignCursor { cursor: String, key: String },
    #[error(
        "the row of {table} with key ({row}) still satisfies the filter `{filter}` after `{set}`: the backfill would \
         never end. Its batch was taken back. Let it make the filter false for every row, or the filter leave out the \
         rows that it cannot"
    )]
    FilterStillHolds { table: String, row: String, filter: String, set: String },
    #[error(
        "rows of {table} satisfy the filter `{filter}`, but updating them changes nothing: does a trigger BEFORE UPDATE \
         return NULL?"
    )]
    NoProgress { table: String, filter: String },
    #[error(
        "after {passes} passes, rows of {table} that satisfy the filter `{filter}` are still being written. Let the \
         clients stop writing them first (a default, a trigger, the next release), then run again"
    )]
    Restless { table: String, filter: String, passes: u32 },
    #[error("a batch of {size} row(s) of {table} could not get its locks in {attempts} attempts in a row")]
    Contended {
        table: String,
        size: i64,
        attempts: u32,
        blockers: Vec<Blocker>,
        unseen: Option<String>,
        source: tokio_postgres::Error,
    },
    #[error(
        "row security policies would hide rows of {table} from the backfill, also from the table's owner where they are \
         forced: run it under a role with BYPASSRLS"
    )]
    RowSecurity { table: String, source: tokio_postgres::Error },
    #[error("the row of {table} with key ({row}) cannot be filled: {reason}")]
    Row { table: String, row: String, reason: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(
        "the conversion in Rust does not fit: the column {column} of {table} is of type {sql_type}, for which {rust} has no \
         form"
    )]
    Unfit { table: String, column: String, sql_type: String, rust: &'static str },
    #[error(
        "the column {column} of {table} is of type {sql_type}, and PostgreSQL has no arrays of that, in which the values \
         of a batch travel: fill it by `set`, in SQL"
    )]
    NoArray { table: String, column: String, sql_type: String },
    #[error("the migration has a backfill in Rust, and no conversion: was its `Migration` written by hand?")]
    NoConverter,
    #[error("it was cancelled from another session")]
    Cancelled,
    #[error("no connection for a worker of the backfill of {table}: {source}")]
    Worker { table: String, source: crate::error::Error },
    #[error("the backfill of {table} cannot {doing}")]
    Database { table: String, doing: &'static str, source: tokio_postgres::Error },
}

fn unique_keys(unique: &[String]) -> String {
    if unique.is_empty() {
        return "the table has no unique key at all; make one first (an INVALID, partial or DEFERRABLE one will not do)".to_owned();
    }
    format!("the table's unique keys are {}", unique.join(", "))
}

impl BackfillError {
    /// Whether it was found out before any row was written.
    pub(crate) fn is_before_the_first_batch(&self) -> bool {
        matches!(
            self,
            Self::NoTable { .. }
                | Self::NotATable { .. }
                | Self::NoColumn { .. }
                | Self::NullableKey { .. }
                | Self::KeyNotUnique { .. }
                | Self::ForeignCursor { .. }
        )
    }

    pub(super) fn database(table: &str, doing: &'static str) -> impl FnOnce(tokio_postgres::Error) -> BackfillError {
        let table = table.to_owned();
        // 42501 is also a missing grant; the message of that one names the privilege, and only this one is raised with
        // row_security off by a table that the role may read (guc `row_security`, manual, section 20.11.1).
        move |source| {
            if policies_in_the_way(&source) {
                Self::RowSecurity { table, source }
            } else {
                Self::Database { table, doing, source }
            }
        }
    }
}

/// Whether the server refuses a row of the batch, whatever becomes of the others: a value that is out of its type's range
/// or cannot be read as one (class 22), a constraint (class 23), a view's or policy's check (44), a trigger that says no
/// (`RAISE`, P0001) (manual, appendix A).
pub(super) fn is_of_a_row(error: &BackfillError) -> bool {
    let BackfillError::Database { source, .. } = error else { return false };
    source.code().is_some_and(|code| is_state_of_a_row(code.code()))
}

pub(crate) fn is_state_of_a_row(sqlstate: &str) -> bool {
    ["22", "23", "44"].iter().any(|class| sqlstate.starts_with(class)) || sqlstate == "P0001"
}

/// Why the server refused a row, without the row's values: they stand in its message and detail.
pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| "the connection failed".to_owned(), reason_of)
}

pub(crate) fn reason_of(db: &tokio_postgres::error::DbError) -> String {
    let mut reason = format!("SQLSTATE {}", db.code().code());
    for (what, name) in [("constraint", db.constraint()), ("column", db.column()), ("type", db.datatype())] {
        if let Some(name) = name {
            reason.push_str(&format!(", {what} {name}"));
        }
    }
    reason
}

/// `check_enable_rls` of rls.c raises it; the routine's name is the part of the message that is not translated.
fn policies_in_the_way(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        *error.code() == SqlState::INSUFFICIENT_PRIVILEGE && error.routine() == Some("check_enable_rls")
    })
}

//! Why a picture of a database could not be taken.

/// Why a fingerprint or a digest could not be taken, or read from JSON.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// A query failed.
    #[error("reading {reads} failed: {}", said(.source))]
    Query {
        /// What was being read.
        reads: String,
        /// What the server or the driver said.
        source: tokio_postgres::Error,
    },
    /// The server's catalogs are not known.
    #[error(
        "the server is PostgreSQL {major}: the catalogs of versions 14 to 18 are known, and a fingerprint that left out what is new would not be complete"
    )]
    UnsupportedVersion {
        /// Its major version.
        major: u32,
    },
    /// The server answered what was not expected.
    #[error("reading {reads}: {problem}")]
    Answer {
        /// What was being read.
        reads: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// A row filter hides rows of a table from the role.
    #[error(
        "the rows of table {table} cannot be digested: row level security hides some of them from this role. Read them as the owner without FORCE ROW LEVEL SECURITY, or as a role with BYPASSRLS"
    )]
    HiddenRows {
        /// The table.
        table: String,
        /// What the server said.
        source: tokio_postgres::Error,
    },
    /// The tables changed while they were read.
    #[error("the tables changed while their rows were read: digest them while no other session alters the schema")]
    Moved,
    /// JSON that is not a fingerprint's.
    #[error("this is not the JSON of a fingerprint: {problem}")]
    Json {
        /// What is wrong with it.
        problem: String,
    },
}

/// The driver's own text of a server's error does not say what the server said.
fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
        None => error.to_string(),
    }
}

//! Why a gate was not passed.

use std::path::PathBuf;

/// Why a gate was not passed. The step it stands before does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// A program that the gate runs is not installed.
    #[error(
        "`{program}` was not found; looked in {}. Install the PostgreSQL client programs, or name their directory in \
         the environment variable MIGRATE_PG_BIN or by `Dump::bin_dir`",
        list(.searched)
    )]
    ToolNotFound {
        /// The program.
        program: &'static str,
        /// The directories that were searched.
        searched: Vec<PathBuf>,
    },
    /// The newest `pg_dump` there is cannot dump this server.
    #[error(
        "{} is of version {found}, and cannot dump a server of version {server}: pg_dump must be at least as new as the \
         server. Install the client programs of PostgreSQL {server}, or name their directory in the environment \
         variable MIGRATE_PG_BIN or by `Dump::bin_dir`",
        .path.display()
    )]
    ToolTooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The server's major version.
        server: u32,
    },
    /// A program ran and failed.
    #[error("{} failed ({status}) while {doing}: {message}", .path.display())]
    ToolFailed {
        /// The program.
        path: PathBuf,
        /// What it was asked for.
        doing: &'static str,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// What it wrote to its standard error.
        message: String,
    },
    /// A program's answer is not understood.
    #[error("{} --version answers {answer:?}, which names no PostgreSQL version", .path.display())]
    ToolUnknown {
        /// The program.
        path: PathBuf,
        /// What it wrote.
        answer: String,
    },
    /// A file or a program could not be worked with.
    #[error("cannot {doing} {}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file, directory or program.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The server refused a question that the gate asked.
    #[error("cannot {doing}")]
    Query {
        /// What was tried.
        doing: &'static str,
        /// The server's answer.
        source: tokio_postgres::Error,
    },
    /// The gate cannot protect a relation that the step destroys data of.
    #[error("{relation} cannot be dumped: {why}")]
    NotDumpable {
        /// The relation.
        relation: String,
        /// Why not.
        why: &'static str,
    },
    /// A dump was made and does not hold what it must.
    #[error(
        "the dump does not hold the data of {}; it was removed. Is the configuration given to `Dump::to` the one of \
         the database that is being migrated?",
        .missing.join(", ")
    )]
    Incomplete {
        /// The relations that are not in it.
        missing: Vec<String>,
    },
    /// A gate of the user's own refused.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: String,
        /// What caused it.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl GateError {
    /// A refusal by a gate of one's own.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into(), source: None }
    }

    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    pub(super) fn query(doing: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Self {
        move |source| Self::Query { doing, source }
    }
}

fn list(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "no directory at all (PATH is empty)".to_owned();
    }
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

//! Why there is no server, or no database, for a test; each message says what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a server for tests could not be found, started or used.
///
/// `Debug` prints the message too, so that `unwrap` in a test shows it readably.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// No server binaries of a supported version on this machine.
    #[error(
        "no PostgreSQL server of version 14 to 18 was found (its programs `initdb` and `postgres`)\n\
         looked in: {}\n\
         install one (Debian, Ubuntu: `apt-get install postgresql`; Homebrew: `brew install postgresql@17`), or set \
         MIGRATE_PG_BIN to the directory that holds `initdb`, or MIGRATE_TEST_DATABASE_URL to a running server whose \
         role may create databases",
        .searched.join("; ")
    )]
    NotFound {
        /// Each place that was looked in, with the reason where something was there that could not be used.
        searched: Vec<String>,
    },

    /// A directory that was named does not hold a usable server.
    #[error(
        "{}`{}` is not the bin directory of a PostgreSQL server: {reason}\n\
         name the directory that holds `initdb` (`pg_config --bindir` prints the installed one)",
        .variable.map(|name| format!("{name}: ")).unwrap_or_default(),
        .directory.display()
    )]
    BadBinDirectory {
        /// The environment variable that named it, if one did.
        variable: Option<&'static str>,
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// The process runs as root, which `initdb` refuses, and no other user can run the server.
    #[error(
        "PostgreSQL does not run as root, and no other user can run it here: {reason}\n\
         create the user `postgres` (the server packages do), run the tests as another user, or set \
         MIGRATE_TEST_DATABASE_URL to a running server"
    )]
    NoUnprivilegedUser {
        /// What was tried.
        reason: String,
    },

    /// The user that the server has to run as cannot run its programs.
    #[error(
        "the tests run as root, so the server runs as user `{user}`, which cannot run `{}`: {reason}\n\
         every directory above it must be open to that user (mode o+x)",
        .program.display()
    )]
    Unreachable {
        /// The program.
        program: PathBuf,
        /// The user.
        user: String,
        /// What came of running it.
        reason: String,
    },

    /// No directory for the server's files.
    #[error("no temporary directory for a server: {reason}")]
    Directory {
        /// What was tried, and what came of it.
        reason: String,
    },

    /// A file or process operation failed while the server was being started.
    #[error("starting a server: {action}: {source}")]
    Io {
        /// What was being done.
        action: String,
        /// The operating system's error.
        source: io::Error,
    },

    /// `initdb` or `postgres` gave up.
    #[error("PostgreSQL {version} from `{}` did not start; the end of its log:\n{log}", .directory.display())]
    DidNotStart {
        /// The server's version.
        version: String,
        /// Its bin directory.
        directory: PathBuf,
        /// The end of what `initdb` and `postgres` wrote.
        log: String,
    },

    /// The server was not ready in time.
    #[error(
        "PostgreSQL {version} from `{}` was not ready after {} s; the end of its log:\n{log}",
        .directory.display(), .waited.as_secs()
    )]
    TimedOut {
        /// The server's version.
        version: String,
        /// Its bin directory.
        directory: PathBuf,
        /// How long it was waited for.
        waited: Duration,
        /// The end of what `initdb` and `postgres` wrote.
        log: String,
    },

    /// The connection string is not one. It is not shown, since it may hold a password.
    #[error("{origin} is not a PostgreSQL connection string (`postgresql://user@host/database`): {reason}")]
    BadUrl {
        /// Where the string came from.
        origin: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// No connection to the server.
    #[error("connecting to {server}: {}", Described(.source))]
    Connect {
        /// The server, without password.
        server: String,
        /// The driver's error.
        source: tokio_postgres::Error,
    },

    /// The server has a version that is not supported.
    #[error("{server} is PostgreSQL {major}; versions 14 to 18 are supported")]
    UnsupportedVersion {
        /// The server, without password.
        server: String,
        /// Its major version.
        major: u16,
    },

    /// The server refused to create, or to drop, a database.
    #[error("{action} on {server}: {}{}", Described(.source), advice(.source))]
    Database {
        /// What was being done.
        action: String,
        /// The server, without password.
        server: String,
        /// The driver's error.
        source: tokio_postgres::Error,
    },

    /// The shared server failed to start when the first test of this process asked for it.
    #[error(transparent)]
    Shared(&'static ServerError),
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The driver's `Display` stops at "db error": what the server said is in the cause.
struct Described<'a>(&'a tokio_postgres::Error);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(db) = self.0.as_db_error() {
            write!(f, "{} (SQLSTATE {})", db.message(), db.code().code())?;
            for (label, text) in [("detail", db.detail()), ("hint", db.hint())] {
                if let Some(text) = text {
                    write!(f, "\n{label}: {text}")?;
                }
            }
            return Ok(());
        }
        write!(f, "{}", self.0)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

fn advice(error: &tokio_postgres::Error) -> &'static str {
    if error.code() == Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE) {
        "\nthe role needs the attribute CREATEDB: ALTER ROLE … CREATEDB"
    } else {
        ""
    }
}

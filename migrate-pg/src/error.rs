//! The one error of this crate: opaque, with a kind to match on, and a text that names migration, step and statement,
//! what the server said of it, and what to do. No foreign type shows but through `source()`, and no connection string,
//! bound value or password is ever part of it.

use crate::backfill::{is_state_of_a_row, reason_of};
use crate::online::Blocker;
use crate::secrets::without_passwords;
use migrate_core::model::{Meta, Version};
use migrate_core::plan::{Refusal, Refused};
use std::error::Error as StdError;
use std::fmt;

/// What went wrong, coarsely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection could be had.
    Connect,
    /// The connection string could not be read.
    ConnectionString,
    /// The session could not be set up: a role or a setting that the server refuses.
    Session,
    /// The session was lost while it was used.
    ConnectionLost,
    /// An applied migration was edited.
    Edited,
    /// A migration appeared before one that is applied.
    OutOfOrder,
    /// The database is newer than the program, by a Contract too.
    Ahead,
    /// An applied migration is not in the program.
    Missing,
    /// The server's version is outside of what was checked.
    Server,
    /// The history itself cannot be run.
    History,
    /// The baseline and the database do not fit each other.
    Baseline,
    /// The ledger could not be read or written, or its format is newer than this program copes with.
    Ledger,
    /// Another runner held the lease for longer than the wait that is allowed.
    Lease,
    /// The session that ran the DDL no longer holds the lease.
    LeaseLost,
    /// A proxy that pools transactions stands between this program and the server.
    Proxy,
    /// A statement failed.
    Statement,
    /// A lock was not had in time, also after the retries.
    LockTimeout,
    /// A statement took a stronger lock on a relation that was there before than is declared, and its transaction was
    /// rolled back: the text names statement, lock and relation.
    LockStronger,
    /// A gate that must be passed is not configured.
    GateMissing,
    /// A gate refused.
    Gate,
    /// A backfill failed.
    Backfill,
    /// A backfill was cancelled from another session.
    Cancelled,
    /// A step cannot be taken back.
    Irreversible,
    /// An undo would bring back the definition and not the data, and that was not asked for.
    DataNotRestored,
    /// An interrupted step could neither be finished nor undone.
    Recovery,
    /// A version that was asked for is not there.
    NotFound,
    /// The proof that downs reverse their ups could not be begun.
    Proof,
    /// The run was asked to stop and did, at a boundary.
    Stopped,
}

/// Why a run, an undo or a look at the ledger failed.
///
/// Its text (`Display`) is whole: what the server said, the statement, what to do. `source()` is what a layer below raised,
/// `tokio_postgres::Error` for one, for who wants its fields; a report that prints every source says some of it twice.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    message: String,
    migration: Option<(Version, String)>,
    step: Option<usize>,
    down: bool,
    statement: Option<String>,
    db: Option<Db>,
    help: Option<String>,
    refusals: Vec<Refusal>,
    blockers: Vec<Blocker>,
    unseen: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What the server said of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Db {
    sqlstate: String,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    /// Counted in characters from 1, of the statement that was sent.
    position: Option<u32>,
    context: Option<String>,
    /// SQLSTATE, and the names of what refused a row.
    names: String,
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message: message.into(),
                migration: None,
                step: None,
                down: false,
                statement: None,
                db: None,
                help: None,
                refusals: Vec::new(),
                blockers: Vec::new(),
                unseen: None,
                source: None,
            }),
        }
    }

    /// An error of the driver. `kind` stands unless the session itself is gone.
    pub(crate) fn db(kind: ErrorKind, message: impl Into<String>, error: tokio_postgres::Error) -> Self {
        let lost = is_lost(&error);
        let kind = if lost && kind != ErrorKind::Connect { ErrorKind::ConnectionLost } else { kind };
        let mut made = Self::new(kind, message);
        made.inner.db = error.as_db_error().map(Db::of);
        if kind == ErrorKind::ConnectionLost {
            made.inner.help = Some(
                "What was committed stands, and the ledger knows it. Run again: it goes on from there.".to_owned(),
            );
        }
        made.inner.source = Some(Box::new(error));
        made
    }

    pub(crate) fn refused(refused: Refused) -> Self {
        let kind = match refused.refusals().first() {
            Some(Refusal::Edited { .. }) => ErrorKind::Edited,
            Some(Refusal::OutOfOrder { .. }) => ErrorKind::OutOfOrder,
            Some(Refusal::Ahead { .. }) => ErrorKind::Ahead,
            Some(Refusal::Missing { .. }) => ErrorKind::Missing,
            Some(Refusal::Server { .. } | Refusal::UnsupportedServer { .. }) => ErrorKind::Server,
            _ => ErrorKind::History,
        };
        let mut made = Self::new(kind, refused.to_string());
        made.inner.refusals = refused.refusals().to_vec();
        made
    }

    pub(crate) fn at(mut self, meta: &Meta) -> Self {
        self.inner.migration.get_or_insert_with(|| (meta.version(), meta.name().to_owned()));
        self
    }

    pub(crate) fn at_step(mut self, step: usize, down: bool) -> Self {
        if self.inner.step.is_none() {
            self.inner.step = Some(step);
            self.inner.down = down;
        }
        self
    }

    pub(crate) fn statement(mut self, sql: &str) -> Self {
        self.inner.statement.get_or_insert_with(|| without_passwords(sql));
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.inner.help = Some(help.into());
        self
    }

    pub(crate) fn more(mut self, text: &str) -> Self {
        self.inner.message.push_str(text);
        self
    }

    /// The same place and cause, but a stop that was asked for.
    pub(crate) fn stopped(mut self, message: &str) -> Self {
        self.inner.kind = ErrorKind::Stopped;
        message.clone_into(&mut self.inner.message);
        self.help("What was done before is recorded. Run again: it goes on from there.")
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = source.into();
        // Whatever was being done: that the session is gone is what the caller has to know.
        if self.inner.kind != ErrorKind::Connect && is_of_lost_session(&*source) {
            self.inner.kind = ErrorKind::ConnectionLost;
        }
        self.inner.source = Some(source);
        self
    }

    pub(crate) fn blockers(mut self, blockers: Vec<Blocker>, unseen: Option<String>) -> Self {
        self.inner.blockers = blockers;
        self.inner.unseen = unseen;
        self
    }

    /// What went wrong, to match on.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The version and the name of the migration that failed.
    pub fn migration(&self) -> Option<(Version, &str)> {
        self.inner.migration.as_ref().map(|(version, name)| (*version, name.as_str()))
    }

    /// The step that failed, counted from 1.
    pub fn step(&self) -> Option<usize> {
        self.inner.step
    }

    /// The statement that failed, passwords in it blotted out.
    pub fn sql(&self) -> Option<&str> {
        self.inner.statement.as_deref()
    }

    /// The SQLSTATE, where the server raised the error.
    pub fn sqlstate(&self) -> Option<&str> {
        self.inner.db.as_ref().map(|db| db.sqlstate.as_str())
    }

    /// The server's own message.
    pub fn server_message(&self) -> Option<&str> {
        self.inner.db.as_ref().map(|db| db.message.as_str())
    }

    /// The server's detail.
    pub fn server_detail(&self) -> Option<&str> {
        self.inner.db.as_ref()?.detail.as_deref()
    }

    /// The server's hint.
    pub fn server_hint(&self) -> Option<&str> {
        self.inner.db.as_ref()?.hint.as_deref()
    }

    /// What to do.
    pub fn what_to_do(&self) -> Option<&str> {
        self.inner.help.as_deref()
    }

    /// Who was in the way of a lock that was not had, as far as it could be seen.
    pub fn in_the_way(&self) -> &[Blocker] {
        &self.inner.blockers
    }

    /// Why nothing may be run, where that is the error.
    pub fn refusals(&self) -> &[Refusal] {
        &self.inner.refusals
    }
}

impl Db {
    fn of(error: &tokio_postgres::error::DbError) -> Self {
        use tokio_postgres::error::ErrorPosition;
        Self {
            sqlstate: error.code().code().to_owned(),
            // The server quotes statements: one that a function ran is in the context.
            message: without_passwords(error.message()),
            detail: error.detail().map(without_passwords),
            hint: error.hint().map(without_passwords),
            position: match error.position() {
                Some(ErrorPosition::Original(position)) => Some(*position),
                _ => None,
            },
            context: error.where_().map(without_passwords),
            names: reason_of(error),
        }
    }

    fn write(&self, f: &mut impl fmt::Write) -> fmt::Result {
        write!(f, "\n  server: {} {}", self.sqlstate, self.message)?;
        for (what, text) in [("detail", &self.detail), ("hint", &self.hint), ("context", &self.context)] {
            if let Some(text) = text {
                write!(f, "\n  {what}: {}", text.replace('\n', "\n    "))?;
            }
        }
        Ok(())
    }

    /// Detail and context may quote a row whatever the error; the message and the hint where the error is of a row.
    fn write_without_values(&self, f: &mut impl fmt::Write) -> fmt::Result {
        if is_state_of_a_row(&self.sqlstate) {
            return write!(f, "\n  server: {}", self.names);
        }
        write!(f, "\n  server: {} {}", self.sqlstate, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {}", hint.replace('\n', "\n    ")),
            None => Ok(()),
        }
    }
}

/// Whether the server ended the session with this error (manual, appendix A, classes 57 and 08; 25P03 and 25P04 are the
/// timeouts that terminate).
fn is_session_end(sqlstate: &str) -> bool {
    matches!(sqlstate, "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04") || sqlstate.starts_with("08")
}

fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.as_db_error().is_none_or(|db| is_session_end(db.code().code()))
}

fn is_of_lost_session(error: &(dyn StdError + 'static)) -> bool {
    // What the driver could not convert is no loss: that error has a cause of its own, and no code either.
    let lost = |error: &tokio_postgres::Error| {
        error.is_closed() || error.as_db_error().is_some_and(|db| is_session_end(db.code().code()))
    };
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref().is_some_and(lost) {
            return true;
        }
        next = error.source();
    }
    false
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Db::write, ToString::to_string)
    }
}

impl Error {
    fn write<W: fmt::Write>(
        &self,
        f: &mut W,
        tell: impl Fn(&Db, &mut W) -> fmt::Result,
        show: impl Fn(&Blocker) -> String,
    ) -> fmt::Result {
        let Inner { message, migration, step, down, statement, db, help, blockers, unseen, .. } = &*self.inner;
        if let Some((version, name)) = migration {
            write!(f, "migration {version} {name}")?;
            if let Some(step) = step {
                write!(f, ", step {step}{}", if *down { " (down)" } else { "" })?;
            }
            f.write_str(": ")?;
        }
        f.write_str(message)?;
        for blocker in blockers {
            write!(f, "\n  in the way: {}", show(blocker))?;
        }
        if let Some(why) = unseen {
            write!(f, "\n  in the way: not seen, {why}")?;
        }
        if let Some(db) = db {
            tell(db, f)?;
        }
        if let Some(sql) = statement {
            let position = db.as_ref().and_then(|db| db.position);
            match position.and_then(|position| quote(sql, position)) {
                Some(quoted) => f.write_str(&quoted)?,
                None => write!(f, "\n  statement: {}", shorten(sql, 300))?,
            }
        }
        if let Some(help) = help {
            write!(f, "\n  what to do: {}", help.replace('\n', "\n    "))?;
        }
        Ok(())
    }

    /// The text for a ledger that every role may read, and for logs: what the server says of a row can hold its values
    /// (`Failing row contains …`), and stays with the caller; so do the queries of who is in the way.
    pub(crate) fn without_row_values(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text, Db::write_without_values, Blocker::name);
        text
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What `fn main() -> Result` prints: the text is the useful form.
        write!(f, "{:?}: {self}", self.inner.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

/// The line of the statement that the position is in, with a caret under it.
fn quote(sql: &str, position: u32) -> Option<String> {
    let target = usize::try_from(position).ok()?.checked_sub(1)?;
    let mut before = 0;
    for (number, line) in sql.split('\n').enumerate() {
        let length = line.chars().count();
        if target <= before + length {
            let column = target - before;
            // A long line is shown around the place.
            let from = column.saturating_sub(60);
            let shown: String = line.chars().skip(from).take(120).collect();
            let caret = " ".repeat(column - from);
            return Some(format!(
                "\n  statement, line {}, column {}:\n    {shown}\n    {caret}^",
                number + 1,
                column + 1
            ));
        }
        before += length + 1;
    }
    None
}

/// A statement on one line, cut to `most` characters.
pub(crate) fn shorten(sql: &str, most: usize) -> String {
    let sql = without_passwords(sql);
    let words = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= most { words } else { format!("{} …", words.chars().take(most).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_shown_in_its_line() {
        let quoted = quote("ALTER TABLE orders\n  ADD COLUM x text", 26).unwrap();
        assert_eq!(quoted, "\n  statement, line 2, column 7:\n      ADD COLUM x text\n          ^");
        assert_eq!(quote("SELECT 1", 99), None);
        let long = format!("SELECT {}x", "a, ".repeat(100));
        let quoted = quote(&long, 308).unwrap();
        assert!(quoted.ends_with(&format!("x\n    {}^", " ".repeat(60))), "{quoted}");
    }

    #[test]
    fn long_statements_are_shortened() {
        assert_eq!(shorten("SELECT\n   1", 20), "SELECT 1");
        assert_eq!(shorten("SELECT 1234567890", 10), "SELECT 123 …");
    }

    #[test]
    fn the_text_says_where_what_and_what_to_do() {
        let mut error = Error::new(ErrorKind::Statement, "the statement failed").statement("SELECT 1").help("mend it");
        error.inner.migration = Some((Version::new(7), "Seven".to_owned()));
        let error = error.at_step(2, true);
        assert_eq!(
            error.to_string(),
            "migration 7 Seven, step 2 (down): the statement failed\n  statement: SELECT 1\n  what to do: mend it"
        );
    }
}

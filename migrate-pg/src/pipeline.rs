//! Several statements in one round trip, each with an answer of its own, so that an error names its statement.

use crate::emptied::Empty;
use crate::error::{Error, ErrorKind};
use crate::held::{self, Held};
use crate::lease::Lease;
use crate::ledger;
use crate::online::Limits;
use futures_util::TryStreamExt as _;
use migrate_core::model::{DownStatement, LockClass, Step, Work as WorkClass};
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, SimpleQueryMessage};

/// What became of one statement.
pub(crate) struct Answer {
    pub(crate) rows: u64,
    pub(crate) elapsed: Duration,
}

/// A statement that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) at: At,
    pub(crate) error: tokio_postgres::Error,
    /// At [`At::Locks`]: what was locked too strongly.
    pub(crate) stronger: Vec<Held>,
}

/// Where in a transaction it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// BEGIN, or what is sent before the work: the guard, the ledger's rows.
    Before,
    /// The look, before the work at this position, whether somebody is in its way in vain.
    Queue(usize),
    /// The look, right before the work at this position, whether what it drops is still empty.
    Empty(usize),
    /// The work, by position.
    Work(usize),
    /// The look at the locks after the work at this position.
    Locks(usize),
    /// The ledger's rows after the work.
    After,
    Commit,
    /// It is committed; the session is set for what comes next.
    Over,
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// Sent by itself before BEGIN: were it cancelled, BEGIN would not be.
const READS_ONLY: &str = "SET default_transaction_read_only = on";
const WRITES: &str = "SET default_transaction_read_only = off";

impl Failed {
    pub(crate) fn of_work(index: usize, error: tokio_postgres::Error) -> Self {
        Self { at: At::Work(index), error, stronger: Vec::new() }
    }

    pub(crate) fn sqlstate(&self) -> Option<&str> {
        self.error.code().map(tokio_postgres::error::SqlState::code)
    }

    /// Whether a lock was not had: the statement may be tried again as it is.
    pub(crate) fn is_lock(&self) -> bool {
        matches!(self.sqlstate(), Some("55P03" | "40P01"))
    }
}

/// One statement of the work, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'a str,
    /// The strongest lock that it takes on a relation that was there before.
    pub(crate) lock: LockClass,
    pub(crate) work: WorkClass,
    /// The strongest lock that may be held after it on a relation that was there before.
    pub(crate) limit: LockClass,
    /// The relations that it locks, as far as they are known.
    pub(crate) relations: &'static [(&'static str, LockClass)],
    /// Counted from 1.
    pub(crate) step: usize,
    pub(crate) down: bool,
    /// What has to be empty still when it runs.
    pub(crate) empty: Option<&'a Empty>,
}

impl Statement<'static> {
    pub(crate) fn up(step: &'static Step, index: usize, limit: LockClass) -> Self {
        let (sql, lock, work) = (step.up(), step.lock(), step.work());
        Self { sql, lock, work, limit, relations: step.locks(), step: index + 1, down: false, empty: None }
    }

    pub(crate) fn down(down: &'static DownStatement, index: usize, limit: LockClass) -> Self {
        let (sql, lock, work) = (down.sql(), down.lock(), down.work());
        Self { sql, lock, work, limit, relations: down.locks(), step: index + 1, down: true, empty: None }
    }
}

/// A transaction that is sent as a whole.
pub(crate) struct Transaction<'a> {
    pub(crate) lease: &'a Lease,
    /// Conditions on the ledger, as SQL, without which the work must not be done.
    pub(crate) given: &'a [String],
    /// Statements of the ledger before the work.
    pub(crate) before: &'a [String],
    pub(crate) work: &'a [Statement<'a>],
}

impl Transaction<'_> {
    /// Sends it, with what `after` makes of the rows that the work wrote, and COMMIT. In one round trip, or, where the
    /// rows are wanted, in two. `looks` are statements that raise where a statement of the work would queue in vain.
    pub(crate) async fn send(
        &self,
        limits: &Limits,
        looks: &[Option<String>],
        rows_wanted: bool,
        after: impl Fn(&[Answer]) -> Vec<String>,
    ) -> Result<Vec<Answer>, Failed> {
        let client = self.lease.client();
        let mut result = self.send_inner(client, limits, looks, rows_wanted, &after).await;
        if let Err(failed) = &mut result
            && !failed.error.is_closed()
        {
            // Within an aborted transaction this ends it; without one it warns.
            let ended = client.batch_execute("ROLLBACK").await;
            if let Err(error) = ended.and(client.batch_execute(WRITES).await) {
                tracing::debug!(target: "migrate", %error, "ROLLBACK failed");
            }
            if let (At::Locks(_), Some("22P02"), Some(db)) = (failed.at, failed.sqlstate(), failed.error.as_db_error())
            {
                let mut stronger = held::told(db.message());
                if let Err(error) = held::name(client, &mut stronger).await {
                    tracing::warn!(target: "migrate", %error, "the relations are shown by OID");
                }
                failed.stronger = stronger;
            }
        }
        result
    }

    async fn send_inner(
        &self,
        client: &Client,
        limits: &Limits,
        looks: &[Option<String>],
        rows_wanted: bool,
        after: &impl Fn(&[Answer]) -> Vec<String>,
    ) -> Result<Vec<Answer>, Failed> {
        let mut setup = limits.begin(self.work);
        // The guard raises by a cast that cannot be done, and so needs neither a function nor plpgsql.
        let _ = write!(setup, "SELECT {};", guard(&self.lease.holds(), NO_LEASE));
        for condition in self.given {
            let _ = write!(setup, "SELECT {};", guard(condition, CHANGED));
        }
        for statement in self.before {
            let _ = write!(setup, "{statement};");
        }
        if self.work.iter().any(|statement| held::can_be_exceeded(statement.limit)) {
            setup.push_str(&held::record());
            setup.push(';');
        }
        let settings = limits.before_each(self.work);
        if self.work.is_empty() {
            return self.send_ledger(client, limits, setup, after).await;
        }
        setup.push_str(settings.first().map_or("", String::as_str));

        // BEGIN goes alone: were it in one message with something that does not parse, what follows would run outside of
        // a transaction. It does so too where BEGIN itself is cancelled, each message committed by itself: outside of this
        // transaction the session therefore reads only, until it is over.
        let mut parts = vec![(At::Before, READS_ONLY.to_owned()), (At::Before, BEGIN.to_owned()), (At::Before, setup)];
        for (index, statement) in self.work.iter().enumerate() {
            if let Some(Some(look)) = looks.get(index) {
                parts.push((At::Queue(index), look.clone()));
            }
            if let Some(empty) = statement.empty {
                parts.push((At::Empty(index), empty.check(statement.lock, limits)));
            }
            // Alone, so that positions in an error are positions in it.
            parts.push((At::Work(index), statement.sql.to_owned()));
            let mut then = String::new();
            if held::can_be_exceeded(statement.limit) {
                then = format!("{};", held::check(statement.limit));
            }
            then.push_str(settings.get(index + 1).map_or("", String::as_str));
            if !then.is_empty() {
                parts.push((At::Locks(index), then));
            }
        }
        let tail = |done: &[Answer]| {
            let mut sql = limits.end();
            for statement in after(done) {
                let _ = write!(sql, "; {statement}");
            }
            [(At::After, sql), (At::Commit, "COMMIT".to_owned()), (At::Over, WRITES.to_owned())]
        };
        if !rows_wanted {
            parts.extend(tail(&[]));
        }
        // Writing to the ledger takes no time, and is not cancelled.
        let busy = self.lease.busy();
        let mut done = Vec::with_capacity(self.work.len());
        let mut over = send_all(client, &parts, &mut done).await?;
        drop(busy);
        if rows_wanted {
            let tail = tail(&done);
            over = send_all(client, &tail, &mut done).await?;
        }
        // It is committed: what is wrong with the session is told by what comes next.
        if let Err(error) = over
            && let Err(again) = client.batch_execute(WRITES).await
        {
            tracing::debug!(target: "migrate", %error, %again, "the session still reads only");
        }
        Ok(done)
    }

    /// Without work, all of it but COMMIT is one message, which ends where BEGIN fails.
    async fn send_ledger(
        &self,
        client: &Client,
        limits: &Limits,
        setup: String,
        after: &impl Fn(&[Answer]) -> Vec<String>,
    ) -> Result<Vec<Answer>, Failed> {
        let mut sql = format!("{BEGIN}; {setup}{}", limits.end());
        for statement in after(&[]) {
            let _ = write!(sql, "; {statement}");
        }
        let mut done = Vec::new();
        let parts = [(At::Before, sql), (At::Commit, "COMMIT".to_owned())];
        send_all(client, &parts, &mut done).await.map(|_| done)
    }
}

/// Sends all of it, keeps the answers of the work, and stops at the first failure. What comes back is what became of the part
/// that is [`At::Over`], where it is no failure of the transaction.
async fn send_all(
    client: &Client,
    parts: &[(At, String)],
    done: &mut Vec<Answer>,
) -> Result<Result<(), tokio_postgres::Error>, Failed> {
    let texts: Vec<&str> = parts.iter().map(|(_, sql)| sql.as_str()).collect();
    let mut over = Ok(());
    for (&(at, _), answer) in parts.iter().zip(send(client, &texts).await) {
        match (at, answer) {
            (At::Over, answer) => over = answer.map(drop),
            (At::Work(_), Ok(answer)) => done.push(answer),
            (_, Ok(_)) => {}
            (at, Err(error)) => return Err(Failed { at, error, stronger: Vec::new() }),
        }
    }
    Ok(over)
}

const NO_LEASE: &str = "the lease is lost";
const CHANGED: &str = "the ledger changed";

/// Whether a [`guard`] of the transaction raised it, and not some other cast.
fn is_of_guard(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|db| [NO_LEASE, CHANGED].iter().any(|why| db.message().contains(why)))
}

/// An SQL expression that raises 22P02 with `why` in its message unless the condition holds. `pg_backend_pid` keeps the
/// planner from evaluating the cast beforehand.
pub(crate) fn guard(condition: &str, why: &str) -> String {
    format!("CASE WHEN {condition} THEN 0 ELSE ('{why}, backend ' || pg_catalog.pg_backend_pid())::integer END")
}

/// Sends statements together, and collects what became of each. The simple protocol: nothing is prepared, so that a
/// proxy has nothing to lose.
pub(crate) async fn send(client: &Client, parts: &[&str]) -> Vec<Result<Answer, tokio_postgres::Error>> {
    let mut begun = Instant::now();
    let mut streams = Vec::with_capacity(parts.len());
    for part in parts {
        // Returns as soon as the message is queued.
        streams.push(client.simple_query_raw(part).await);
    }
    let mut answers = Vec::with_capacity(parts.len());
    for stream in streams {
        let result = match stream {
            Ok(stream) => rows_of(stream).await,
            Err(error) => Err(error),
        };
        let now = Instant::now();
        answers.push(result.map(|rows| Answer { rows, elapsed: now - begun }));
        begun = now;
    }
    answers
}

async fn rows_of(stream: tokio_postgres::SimpleQueryStream) -> Result<u64, tokio_postgres::Error> {
    stream
        .try_fold(0, |rows, message| {
            std::future::ready(Ok(match message {
                SimpleQueryMessage::CommandComplete(rows) => rows,
                _ => rows,
            }))
        })
        .await
}

/// The error of a transaction whose failure was not the work's.
pub(crate) fn around(failed: Failed) -> Error {
    let Failed { at, error, .. } = failed;
    match (at, error.code().map(tokio_postgres::error::SqlState::code)) {
        (At::Before, Some("22P02")) if is_of_guard(&error) => Error::db(
            ErrorKind::LeaseLost,
            "this session no longer holds the lease, or the ledger was changed by somebody else; nothing was done",
            error,
        )
        .help(
            "A proxy that pools transactions gives each transaction another session, and loses session locks: connect \
             to the server itself, or to a pool in session mode. Otherwise run again.",
        ),
        (At::Empty(_), _) => Error::db(
            ErrorKind::Gate,
            "whether what the down drops is empty could not be found out; the transaction was rolled back",
            error,
        ),
        (At::Queue(_) | At::Locks(_), _) => Error::db(
            ErrorKind::Statement,
            "the locks that are held could not be looked at; the transaction was rolled back",
            error,
        ),
        _ if error.is_closed() => Error::db(
            ErrorKind::ConnectionLost,
            "the connection was lost; whether the transaction was committed is not known",
            error,
        )
        .help("Run again: the ledger tells what was done, and the rest is done."),
        (At::Commit, _) => Error::db(ErrorKind::Statement, "COMMIT failed, and with it the whole transaction", error),
        (_, Some("42P01" | "3F000")) => {
            Error::db(ErrorKind::Ledger, "the ledger was removed; the transaction was rolled back", error)
                .help(ledger::GONE)
        }
        _ => Error::db(ErrorKind::Ledger, "the ledger could not be written; the transaction was rolled back", error),
    }
}

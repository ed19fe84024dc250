//! Several statements in one round trip, each with an answer of its own, so that an error names its statement.

use crate::error::{Error, ErrorKind};
use crate::held::{self, Held};
use crate::lease::Lease;
use futures_util::TryStreamExt as _;
use migrate_core::model::LockClass;
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
    /// The work, by position.
    Work(usize),
    /// The look at the locks after the work at this position.
    Locks(usize),
    /// The ledger's rows after the work.
    After,
    Commit,
}

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

/// A transaction that is sent as a whole.
pub(crate) struct Transaction<'a> {
    pub(crate) lease: &'a Lease,
    pub(crate) lock_timeout: Duration,
    /// Conditions on the ledger, as SQL, without which the work must not be done.
    pub(crate) given: &'a [String],
    /// Statements of the ledger before the work.
    pub(crate) before: &'a [String],
    pub(crate) work: &'a [&'a str],
    /// For each of the work, the strongest lock that may be held after it on a relation that was there before.
    pub(crate) locks: &'a [LockClass],
}

impl Transaction<'_> {
    /// Sends it, with what `after` makes of the rows that the work wrote, and COMMIT. In one round trip, or, where the
    /// rows are wanted, in two.
    pub(crate) async fn send(
        &self,
        rows_wanted: bool,
        after: impl Fn(&[Answer]) -> Vec<String>,
    ) -> Result<Vec<Answer>, Failed> {
        let client = self.lease.client();
        let mut result = self.send_inner(client, rows_wanted, &after).await;
        if let Err(failed) = &mut result
            && !failed.error.is_closed()
        {
            // Within an aborted transaction this ends it; without one it warns.
            if let Err(error) = client.batch_execute("ROLLBACK").await {
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
        rows_wanted: bool,
        after: &impl Fn(&[Answer]) -> Vec<String>,
    ) -> Result<Vec<Answer>, Failed> {
        let mut setup = format!("SET LOCAL lock_timeout = {};", self.lock_timeout.as_millis());
        // The guard raises by a cast that cannot be done, and so needs neither a function nor plpgsql.
        let _ = write!(setup, "SELECT {};", guard(&self.lease.holds(), "the lease is lost"));
        for condition in self.given {
            let _ = write!(setup, "SELECT {};", guard(condition, "the ledger changed"));
        }
        for statement in self.before {
            let _ = write!(setup, "{statement};");
        }
        if self.locks.iter().copied().any(held::can_be_exceeded) {
            setup.push_str(&held::record());
        }

        // BEGIN goes alone: were it in one message with something that does not parse, what follows would run outside of
        // a transaction.
        let mut parts = vec!["BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", &setup];
        let mut places = vec![At::Before; 2];
        let checks: Vec<Option<String>> = (0..self.work.len())
            .map(|index| {
                self.locks.get(index).filter(|&&limit| held::can_be_exceeded(limit)).map(|&limit| held::check(limit))
            })
            .collect();
        for (index, (work, check)) in self.work.iter().zip(&checks).enumerate() {
            parts.push(work);
            places.push(At::Work(index));
            if let Some(check) = check {
                parts.push(check);
                places.push(At::Locks(index));
            }
        }
        let tail;
        if !rows_wanted {
            tail = after(&[]).join(";");
            parts.extend([tail.as_str(), "COMMIT"]);
        }
        let mut done = Vec::with_capacity(self.work.len());
        let ends = [At::After, At::Commit];
        for (answer, &at) in send(client, &parts).await.into_iter().zip(places.iter().chain(&ends)) {
            let answer = answer.map_err(|error| Failed { at, error, stronger: Vec::new() })?;
            if matches!(at, At::Work(_)) {
                done.push(answer);
            }
        }
        if rows_wanted {
            let tail = after(&done).join(";");
            for (answer, at) in send(client, &[&tail, "COMMIT"]).await.into_iter().zip(ends) {
                answer.map_err(|error| Failed { at, error, stronger: Vec::new() })?;
            }
        }
        Ok(done)
    }
}

/// An SQL expression that raises 22P02 with `why` in its message unless the condition holds. `pg_backend_pid` keeps the
/// planner from evaluating the cast beforehand.
fn guard(condition: &str, why: &str) -> String {
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
        (At::Before, Some("22P02")) => Error::db(
            ErrorKind::LeaseLost,
            "this session no longer holds the lease, or the ledger was changed by somebody else; nothing was done",
            error,
        )
        .help(
            "A proxy that pools transactions gives each transaction another session, and loses session locks: connect \
             to the server itself, or to a pool in session mode. Otherwise run again.",
        ),
        (At::Locks(_), _) => Error::db(
            ErrorKind::Statement,
            "the locks that were taken could not be looked at; the transaction was rolled back",
            error,
        ),
        _ if error.is_closed() => Error::db(
            ErrorKind::ConnectionLost,
            "the connection was lost; whether the transaction was committed is not known",
            error,
        )
        .help("Run again: the ledger tells what was done, and the rest is done."),
        (At::Commit, _) => Error::db(ErrorKind::Statement, "COMMIT failed, and with it the whole transaction", error),
        _ => Error::db(ErrorKind::Ledger, "the ledger could not be written; the transaction was rolled back", error),
    }
}

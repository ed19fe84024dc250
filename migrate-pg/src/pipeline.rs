//! Several statements in one round trip, each with an answer of its own, so that an error names its statement.

use crate::error::Error;
use crate::lease::Lease;
use futures_util::TryStreamExt as _;
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
}

/// Where in a transaction it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// BEGIN, or what is sent before the work: the guard, the ledger's rows.
    Before,
    /// The work, by position.
    Work(usize),
    /// The ledger's rows after the work.
    After,
    Commit,
}

impl Failed {
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
}

impl Transaction<'_> {
    /// Sends it, with what `after` makes of the rows that the work wrote, and COMMIT. In one round trip, or, where the
    /// rows are wanted, in two.
    pub(crate) async fn send(
        self,
        rows_wanted: bool,
        after: impl Fn(&[Answer]) -> Vec<String>,
    ) -> Result<Vec<Answer>, Failed> {
        let client = self.lease.client();
        let result = self.send_inner(client, rows_wanted, &after).await;
        if let Err(failed) = &result
            && !failed.error.is_closed()
        {
            // Within an aborted transaction this ends it; without one it warns.
            if let Err(error) = client.batch_execute("ROLLBACK").await {
                tracing::debug!(target: "migrate", %error, "ROLLBACK failed");
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
        setup.push_str(&self.before.join(";"));

        // BEGIN goes alone: were it in one message with something that does not parse, what follows would run outside of
        // a transaction.
        let mut parts = vec!["BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", &setup];
        parts.extend(self.work);
        let tail;
        if !rows_wanted {
            tail = after(&[]).join(";");
            parts.extend([tail.as_str(), "COMMIT"]);
        }
        let mut answers = send(client, &parts).await;
        let worked = 2 + self.work.len();
        let place = |index: usize| match index {
            0 | 1 => At::Before,
            index if index < worked => At::Work(index - 2),
            index if index == worked => At::After,
            _ => At::Commit,
        };
        if let Some(index) = answers.iter().position(Result::is_err) {
            let error = answers.swap_remove(index).err().expect("it was just seen to be one");
            return Err(Failed { at: place(index), error });
        }
        let done: Vec<Answer> = answers.into_iter().flatten().skip(2).take(self.work.len()).collect();
        if rows_wanted {
            let tail = after(&done).join(";");
            for (index, answer) in send(client, &[&tail, "COMMIT"]).await.into_iter().enumerate() {
                answer.map_err(|error| Failed { at: place(worked + index), error })?;
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
    use crate::error::ErrorKind;
    let Failed { at, error } = failed;
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
        (At::Commit, _) => Error::db(ErrorKind::Statement, "COMMIT failed, and with it the whole transaction", error),
        _ => Error::db(ErrorKind::Ledger, "the ledger could not be written; the transaction was rolled back", error),
    }
}

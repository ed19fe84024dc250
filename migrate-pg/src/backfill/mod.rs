//! Backfills: `UPDATE … SET … WHERE filter` over a whole table, or rows converted in Rust, in keyset batches that are each a
//! short transaction, can be stopped between any two, and go on where the ledger says they were.
//!
//! A pass walks the table in the order of the key. It looks for the end of the next [`WINDOW`] rows, whatever they hold,
//! and fills the rows of that half-open range that satisfy the filter, a batch at a time: so no statement reads for long,
//! however few rows there are to fill. Passes are repeated until one finds nothing to fill, since clients write rows
//! behind the cursor meanwhile: those after the first look at each range before they lock anything of it.

mod batch;
mod error;
mod in_order;
mod pace;
mod progress;
mod ranges;
mod retry;
mod rows;
mod sql;
mod target;
mod throttle;
mod walk;

pub(crate) use self::error::{BackfillError, is_state_of_a_row, reason_of};
pub use self::pace::Pace;
pub use self::progress::BackfillProgress;

use self::progress::Share;
use self::ranges::{Crew, Crewed};
pub(crate) use self::retry::Again;
use self::retry::Retry;
use self::rows::Shape;
use self::sql::{Place, Statements};
use self::target::Target;
use self::walk::Walk;
use crate::connect::Session;
use crate::online::Watch;
use futures_util::future::BoxFuture;
use migrate_core::model::{Backfill, RowConverter, Version};
use std::time::Duration;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// How many rows the range of a statement holds, at least: ten batches, or this many.
const WINDOW: i64 = 20_000;

/// How many passes over the table there may be, with growing pauses in between, before clients that keep writing rows to
/// fill are an error.
const PASSES: u32 = 12;

/// A backfill that is to be run, or to go on.
pub(crate) struct Job<'a> {
    /// The session: outside of a transaction, with its role and `search_path` set.
    pub client: &'a Client,
    pub backfill: &'a Backfill,
    /// Where Rust fills the rows.
    pub converter: Option<&'a dyn RowConverter>,
    /// The values of `$1` … in `set` and `filter`, with their types.
    pub binds: Vec<(Type, &'a (dyn ToSql + Sync))>,
    pub checkpoint: Checkpoint,
    /// How long a batch waits for the lock on a row or on the table.
    pub lock_timeout: Duration,
    /// How long this program may be silent within a batch.
    pub idle: Duration,
    pub pace: &'a Pace,
    pub bad_rows: BadRows,
    /// Makes the connection of a worker, and looks on at what a batch waits for.
    pub connect: &'a (dyn Connect + Sync),
    /// The backend of the session.
    pub pid: i32,
    /// Called after each batch that was committed.
    pub on_progress: &'a (dyn Fn(BackfillProgress) + Send + Sync),
    /// Called with what else there is to tell.
    pub tell: &'a (dyn Fn(Told<'_>) + Send + Sync),
    /// The statement that adds an event to the ledger.
    pub event: &'a (dyn Fn(&str) -> String + Send + Sync),
    /// Asked between batches: whether to leave off here, resumable.
    pub stop: &'a (dyn Fn() -> bool + Send + Sync),
}

/// Makes connections of a backfill's own.
pub(crate) trait Connect {
    /// Outside of a transaction, with their role and `search_path` set.
    fn connect(&self) -> BoxFuture<'_, crate::error::Result<Session>>;

    /// Looks on at this backend; `None` where nobody is to.
    fn watch(&self, version: Version, pid: i32) -> Option<Watch<'_>>;
}

/// What a backfill does about a row that cannot be filled: one that its conversion in Rust refuses, or whose new values
/// the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BadRows {
    /// Stops there, with an error that names the row's key; the rows before it are filled.
    #[default]
    Stop,
    /// Records its key and the reason in the ledger (`skipped_rows`), and goes on. It stays as it was.
    Skip,
}

/// What a backfill tells besides its progress.
pub(crate) enum Told<'a> {
    /// It waits, for this reason, and has for as long.
    Held {
        why: &'a str,
        waited: Duration,
    },
    /// It goes half as fast, for this reason.
    Slowed(&'a str),
    /// This is not shown to its role.
    Hidden(&'a str),
    /// A batch did not get its locks, and is tried again.
    Again(Again),
    Paused,
    Resumed,
    /// A row was passed over.
    Skipped {
        key: &'a str,
        reason: &'a str,
    },
}

/// Where the ledger keeps the cursor of a backfill.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    /// The table of steps, schema-qualified and quoted as SQL needs it: with the columns `version bigint`, `step integer`,
    /// `cursor jsonb`, `rows bigint` and `asked text`.
    pub steps_table: String,
    /// The table of rows that were passed over: `version`, `step`, `key jsonb`, `reason text`, `at timestamptz`.
    pub skipped_table: String,
    /// The table of ranges that workers walk: `version`, `step`, `range`, `owner`, `until jsonb`, `cursor`, `rows`, `done`.
    pub ranges_table: String,
    pub version: i64,
    pub step: i32,
}

/// How a backfill left off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BackfillOutcome {
    /// Rows updated by this run.
    pub rows: u64,
    /// Rows passed over, by earlier runs too.
    pub skipped: u64,
    /// Whether nothing is left to fill; otherwise it was asked to stop.
    pub finished: bool,
}

/// A place in the order of the key: the text form of each key column.
type Key = Vec<String>;

/// Runs the backfill until nothing is left to fill, or until it is asked to stop.
pub(crate) async fn run(job: Job<'_>) -> Result<BackfillOutcome, BackfillError> {
    let retry = Retry::new(job.backfill.batch(), job.pace.batch_time);
    Box::pin(run_with(job, retry)).await
}

/// What of a backfill's declaration does not fit the table that is there, found out before anything is run. `Ok` where
/// it fits, and where that cannot be known yet: the server does not answer, or, `unless_missing`, the table or a column is
/// not there, which a step before it may make.
pub(crate) async fn fits(client: &Client, backfill: &Backfill, unless_missing: bool) -> Result<(), BackfillError> {
    match Target::find(client, backfill).await {
        Err(BackfillError::NoTable { .. } | BackfillError::NoColumn { .. }) if unless_missing => Ok(()),
        Err(BackfillError::Database { source, .. }) => {
            tracing::debug!(target: "migrate", error = %source, "the key of a backfill could not be looked at");
            Ok(())
        }
        found => found.map(drop),
    }
}

async fn run_with(job: Job<'_>, retry: Retry) -> Result<BackfillOutcome, BackfillError> {
    let target = Target::find(job.client, job.backfill).await?;
    let shape = match (job.backfill.write().is_empty(), job.converter) {
        (true, _) => None,
        (false, None) => return Err(BackfillError::NoConverter),
        (false, Some(converter)) => Some((Shape::find(job.client, &target, job.backfill, converter).await?, converter)),
    };
    let found = Begun::read(&job, &target).await?;
    let skipping = job.bad_rows == BadRows::Skip || found.skipped > 0;
    let statements = Statements::new(&target, job.backfill, job.binds.len(), &job.checkpoint, Place::Step, skipping);
    let remaining = progress::remaining(&job, &target, &statements, found.cursor.as_ref()).await?;
    let share = Share::new(found.rows, target.estimated_rows, remaining);
    let crew = Crew { job: &job, target: &target, shape: shape.as_ref(), share: &share, skipping };
    let walked = match crew.walk(found.cursor.as_ref()).await? {
        Crewed::Nothing => None,
        Crewed::Through(ends) => Some(ends),
        Crewed::Stopped => {
            let skipped = Begun::read(&job, &target).await?.skipped;
            return Ok(BackfillOutcome { rows: share.rows(), skipped, finished: false });
        }
    };
    let walk = Walk::new(&job, (job.client, job.pid), &target, shape.as_ref(), statements, retry, &share);
    let finished = walk.until_filled(found.cursor, walked).await?;
    let skipped = Begun::read(&job, &target).await?.skipped;
    Ok(BackfillOutcome { rows: share.rows(), skipped, finished })
}

/// What the ledger has of a backfill.
struct Begun {
    cursor: Option<Key>,
    rows: u64,
    skipped: u64,
}

impl Begun {
    async fn read(job: &Job<'_>, target: &Target) -> Result<Self, BackfillError> {
        let Checkpoint { steps_table, skipped_table, version, step, .. } = &job.checkpoint;
        let sql = format!(
            "SELECT \"cursor\"::text, \"rows\", (SELECT count(*) FROM {skipped_table} AS s \
             WHERE s.version = $1 AND s.step = $2) FROM {steps_table} WHERE version = $1 AND step = $2"
        );
        let row = job
            .client
            .query_typed_opt(&sql, &[(version, Type::INT8), (step, Type::INT4)])
            .await
            .map_err(BackfillError::database(&target.table, "read its cursor in the ledger"))?
            .ok_or(BackfillError::NoLedgerRow { version: *version, step: *step })?;
        let (rows, skipped) = (unsigned(row.get(1)), unsigned(row.get(2)));
        let Some(text) = row.get::<_, Option<String>>(0) else { return Ok(Self { cursor: None, rows, skipped }) };
        Ok(Self { cursor: Some(read_key(&text, job.backfill, target)?), rows, skipped })
    }
}

/// A key as the ledger has it.
fn read_key(text: &str, backfill: &Backfill, target: &Target) -> Result<Key, BackfillError> {
    match serde_json::from_str::<Key>(text) {
        Ok(key) if key.len() == target.key.len() => Ok(key),
        _ => Err(BackfillError::ForeignCursor { cursor: text.to_owned(), key: backfill.key().join(", ") }),
    }
}

/// A count of the server's.
fn unsigned(count: i64) -> u64 {
    count.unsigned_abs()
}

#[cfg(test)]
mod tests;

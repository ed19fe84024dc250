//! Backfills: `UPDATE … SET … WHERE filter` over a whole table, in keyset batches that are each a short transaction, can be
//! stopped between any two, and go on where the ledger says they were.
//!
//! A pass walks the table in the order of the key. It looks for the end of the next [`WINDOW`] rows, whatever they hold,
//! and fills the rows of that half-open range that satisfy the filter, a batch at a time: so no statement reads for long,
//! however few rows there are to fill. Passes are repeated until one finds nothing to fill, since clients write rows
//! behind the cursor meanwhile.

mod error;
mod retry;
mod sql;
mod target;

pub(crate) use self::error::BackfillError;

use self::retry::Retry;
use self::sql::Statements;
use self::target::Target;
use migrate_core::model::Backfill;
use std::time::{Duration, Instant};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

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
    /// The values of `$1` … in `set` and `filter`, with their types.
    pub binds: Vec<(Type, &'a (dyn ToSql + Sync))>,
    pub checkpoint: Checkpoint,
    /// How long a batch waits for the lock on a row or on the table.
    pub lock_timeout: Duration,
    /// Called after each batch that was committed.
    pub on_progress: &'a (dyn Fn(BackfillProgress) + Send + Sync),
    /// Asked between batches: whether to leave off here, resumable.
    pub stop: &'a (dyn Fn() -> bool + Send + Sync),
}

/// Where the ledger keeps the cursor of a backfill: a row with the columns `version bigint`, `step integer`, `cursor jsonb`
/// and `rows bigint`.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    /// The table of steps, schema-qualified and quoted as SQL needs it.
    pub steps_table: String,
    pub version: i64,
    pub step: i32,
}

/// How far a backfill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BackfillProgress {
    /// Rows updated, by earlier runs too.
    pub rows: u64,
    /// Rows of the table by its statistics, whether they are to be filled or not; `None` where it has none.
    pub estimated_rows: Option<u64>,
    /// Rows updated by the batch.
    pub batch_rows: u64,
    /// How long the batch took, its waits included.
    pub batch: Duration,
}

/// How a backfill left off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BackfillOutcome {
    /// Rows updated by this run.
    pub rows: u64,
    /// Whether nothing is left to fill; otherwise it was asked to stop.
    pub finished: bool,
}

/// A place in the order of the key: the text form of each key column.
type Key = Vec<String>;

/// Runs the backfill until nothing is left to fill, or until it is asked to stop.
pub(crate) async fn run(job: Job<'_>) -> Result<BackfillOutcome, BackfillError> {
    let retry = Retry::new(job.backfill.batch());
    run_with(job, retry).await
}

async fn run_with(job: Job<'_>, retry: Retry) -> Result<BackfillOutcome, BackfillError> {
    let target = Target::find(job.client, job.backfill).await?;
    let (cursor, rows_before) = read_cursor(&job, &target).await?;
    let statements = Statements::new(&target, job.backfill, job.binds.len());
    let walk = Walk { job: &job, target: &target, statements, retry, rows: 0, rows_before };
    walk.until_filled(cursor).await
}

async fn read_cursor(job: &Job<'_>, target: &Target) -> Result<(Option<Key>, u64), BackfillError> {
    let Checkpoint { steps_table, version, step } = &job.checkpoint;
    let sql = format!("SELECT \"cursor\"::text, \"rows\" FROM {steps_table} WHERE version = $1 AND step = $2");
    let row = job
        .client
        .query_typed_opt(&sql, &[(version, Type::INT8), (step, Type::INT4)])
        .await
        .map_err(BackfillError::database(&target.table, "read its cursor in the ledger"))?
        .ok_or(BackfillError::NoLedgerRow { version: *version, step: *step })?;
    let rows = unsigned(row.get(1));
    let Some(text) = row.get::<_, Option<String>>(0) else { return Ok((None, rows)) };
    match serde_json::from_str::<Key>(&text) {
        Ok(key) if key.len() == target.key.len() => Ok((Some(key), rows)),
        _ => Err(BackfillError::ForeignCursor { cursor: text, key: job.backfill.key().join(", ") }),
    }
}

/// A backfill on its way through the table.
struct Walk<'a> {
    job: &'a Job<'a>,
    target: &'a Target,
    statements: Statements<'a>,
    retry: Retry,
    rows: u64,
    rows_before: u64,
}

/// What became of a part of the walk.
enum Reached {
    End,
    Stopped,
}

/// What a pass found.
#[derive(Default)]
struct Found {
    matched: u64,
    updated: u64,
}

/// What a batch did.
struct Batch {
    matched: u64,
    updated: u64,
    last: Option<Key>,
}

impl Walk<'_> {
    async fn until_filled(mut self, mut cursor: Option<Key>) -> Result<BackfillOutcome, BackfillError> {
        let mut passes = 0;
        loop {
            let from_the_start = cursor.is_none();
            let mut found = Found::default();
            passes += 1;
            if let Reached::Stopped = self.pass(cursor.take(), passes > 1, &mut found).await? {
                return Ok(BackfillOutcome { rows: self.rows, finished: false });
            }
            if found.matched == 0 && from_the_start {
                return Ok(BackfillOutcome { rows: self.rows, finished: true });
            }
            if found.updated == 0 && found.matched > 0 {
                return Err(BackfillError::NoProgress { table: self.table(), filter: self.filter() });
            }
            if passes >= PASSES {
                return Err(BackfillError::Restless { table: self.table(), filter: self.filter(), passes });
            }
            if passes > 1 {
                self.retry.pause(passes - 1).await;
            }
        }
    }

    async fn pass(
        &mut self,
        mut cursor: Option<Key>,
        check: bool,
        found: &mut Found,
    ) -> Result<Reached, BackfillError> {
        let window = (i64::from(self.job.backfill.batch()) * 10).max(WINDOW);
        loop {
            if (self.job.stop)() {
                return Ok(Reached::Stopped);
            }
            let Some((end, size)) = self.window(cursor.as_ref(), window).await? else { return Ok(Reached::End) };
            if let Reached::Stopped = self.fill(cursor, &end, check, found).await? {
                return Ok(Reached::Stopped);
            }
            if size < window {
                return Ok(Reached::End);
            }
            cursor = Some(end);
        }
    }

    /// Fills the rows behind the cursor up to the end that satisfy the filter.
    async fn fill(
        &mut self,
        mut cursor: Option<Key>,
        end: &Key,
        check: bool,
        found: &mut Found,
    ) -> Result<Reached, BackfillError> {
        loop {
            let began = Instant::now();
            // A `set` that leaves the filter true would be found out by the second pass only, after it has written the
            // whole table: so the first batch is looked at, too.
            let check = check || self.rows == 0;
            let (batch, size) = loop {
                if (self.job.stop)() {
                    return Ok(Reached::Stopped);
                }
                let size = self.retry.size();
                match self.batch(cursor.as_ref(), end, size, check).await {
                    Ok(batch) => break (batch, size),
                    Err(error) => self.retry.after(error).await?,
                }
            };
            self.retry.succeeded();
            found.matched += batch.matched;
            found.updated += batch.updated;
            self.rows += batch.updated;
            if batch.matched > 0 {
                (self.job.on_progress)(BackfillProgress {
                    rows: self.rows_before + self.rows,
                    estimated_rows: self.target.estimated_rows,
                    batch_rows: batch.updated,
                    batch: began.elapsed(),
                });
            }
            if batch.matched < unsigned(size) {
                return Ok(Reached::End);
            }
            cursor = batch.last;
        }
    }

    /// The end of the next rows behind the cursor, and how many they are. `None` at the end of the table.
    async fn window(&self, cursor: Option<&Key>, size: i64) -> Result<Option<(Key, i64)>, BackfillError> {
        let sql = self.statements.window(cursor.is_some());
        let mut params = Vec::new();
        push_key(&mut params, cursor);
        params.push((&size, Type::INT8));
        let (begun, rows, ended) = tokio::join!(
            biased;
            self.begin("READ ONLY"),
            self.job.client.query_typed_opt(&sql, &params),
            self.job.client.batch_execute("COMMIT"),
        );
        let failed = |error| BackfillError::database(&self.target.table, "look for its next rows")(error);
        begun.map_err(failed)?;
        let row = rows.map_err(failed)?;
        ended.map_err(failed)?;
        Ok(row.map(|row| (row.get(0), row.get(1))))
    }

    /// One transaction: what goes wrong in it is taken back.
    async fn batch(&self, cursor: Option<&Key>, end: &Key, size: i64, check: bool) -> Result<Batch, BackfillError> {
        let outcome = self.try_batch(cursor, end, size, check).await;
        let client = self.job.client;
        match outcome {
            Ok(batch) => {
                let ended = client.batch_execute("COMMIT").await;
                ended.map_err(BackfillError::database(&self.target.table, "commit a batch"))?;
                Ok(batch)
            }
            Err(error) => {
                // A connection that is lost has rolled back by itself; what failed first is what is reported.
                if let Err(error) = client.batch_execute("ROLLBACK").await {
                    tracing::debug!(%error, "a failed batch could not be rolled back");
                }
                Err(error)
            }
        }
    }

    async fn try_batch(&self, cursor: Option<&Key>, end: &Key, size: i64, check: bool) -> Result<Batch, BackfillError> {
        let Checkpoint { steps_table, version, step } = &self.job.checkpoint;
        let mut params: Vec<(&(dyn ToSql + Sync), Type)> = Vec::new();
        params.extend(self.job.binds.iter().map(|(sql_type, value)| (*value, sql_type.clone())));
        push_key(&mut params, cursor);
        push_key(&mut params, Some(end));
        let range_params = params.clone();
        params.push((&size, Type::INT8));
        params.push((version, Type::INT8));
        params.push((step, Type::INT4));

        let sql = self.statements.batch(cursor.is_some(), steps_table);
        let still_holds = async {
            if !check {
                return Ok(None);
            }
            let sql = self.statements.still_holds(cursor.is_some());
            self.job.client.query_typed_opt(&sql, &range_params).await
        };
        let (begun, row, still) = tokio::join!(
            biased;
            self.begin("READ WRITE"),
            self.job.client.query_typed_one(&sql, &params),
            still_holds,
        );
        let failed = |error| BackfillError::database(&self.target.table, "fill a batch")(error);
        begun.map_err(failed)?;
        let row = row.map_err(failed)?;
        let still: Option<Row> = still.map_err(failed)?;
        let batch = Batch { matched: unsigned(row.get(0)), updated: unsigned(row.get(1)), last: row.get(3) };
        if batch.matched > 0 && row.get::<_, i64>(2) != 1 {
            return Err(BackfillError::NoLedgerRow { version: *version, step: *step });
        }
        if let Some(row) = still {
            return Err(BackfillError::FilterStillHolds {
                table: self.table(),
                row: row.get::<_, Key>(0).join(", "),
                filter: self.filter(),
                set: self.job.backfill.set().to_owned(),
            });
        }
        Ok(batch)
    }

    /// The isolation level is spelled out since the session's default may be another: under REPEATABLE READ a row that
    /// was written since the transaction began fails the batch instead of being looked at again.
    async fn begin(&self, access: &str) -> Result<(), tokio_postgres::Error> {
        // 0 would mean no limit at all.
        let lock_timeout = self.job.lock_timeout.as_millis().clamp(1, i32::MAX as u128);
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED {access}; SET LOCAL row_security = off; \
             SET LOCAL lock_timeout = {lock_timeout}"
        );
        self.job.client.batch_execute(&sql).await
    }

    fn table(&self) -> String {
        self.target.table.clone()
    }

    fn filter(&self) -> String {
        self.job.backfill.filter().to_owned()
    }
}

fn push_key<'a>(params: &mut Vec<(&'a (dyn ToSql + Sync), Type)>, key: Option<&'a Key>) {
    params.extend(key.into_iter().flatten().map(|column| (column as &(dyn ToSql + Sync), Type::TEXT)));
}

/// A count of the server's.
fn unsigned(count: i64) -> u64 {
    count.unsigned_abs()
}

#[cfg(test)]
mod tests;

//! How far a backfill is, how fast it goes, and when it will be through, as far as statistics can tell: nothing is
//! counted for it.

use super::error::BackfillError;
use super::sql::Statements;
use super::target::Target;
use super::{Job, Key};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::types::{ToSql, Type};

/// How far a backfill is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct BackfillProgress {
    /// Rows filled, by earlier runs too.
    pub rows: u64,
    /// Rows of the table by its statistics, whether they are to be filled or not; `None` where it has none.
    pub estimated_rows: Option<u64>,
    /// Rows filled by the batch.
    pub batch_rows: u64,
    /// How long the batch took, its waits included.
    pub batch: Duration,
    /// Rows filled per second, in this run, its pauses included.
    pub rate: f64,
    /// How long the rest of this pass will take at the pace so far, where statistics know how much of the table is left.
    pub left: Option<Duration>,
}

/// What those that work on one backfill count together.
pub(super) struct Share {
    rows: AtomicU64,
    /// Rows of the table that were passed, whatever they hold.
    walked: AtomicU64,
    rows_before: u64,
    estimated_rows: Option<u64>,
    /// Rows of the table that were left at the beginning of this run.
    remaining: Option<u64>,
    began: Instant,
    pub(super) paused: AtomicBool,
    pub(super) slowed: AtomicBool,
    abandoned: AtomicBool,
}

impl Share {
    pub(super) fn new(rows_before: u64, estimated_rows: Option<u64>, remaining: Option<u64>) -> Self {
        Self {
            rows: AtomicU64::new(0),
            walked: AtomicU64::new(0),
            rows_before,
            estimated_rows,
            remaining,
            began: Instant::now(),
            paused: AtomicBool::new(false),
            slowed: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
        }
    }

    /// Rows filled by this run.
    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    pub(super) fn filled(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    pub(super) fn walked(&self, rows: u64) {
        self.walked.fetch_add(rows, Ordering::Relaxed);
    }

    /// One of the workers failed: the others are to stop.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// The progress after a batch, in a window of the table of which these many rows are behind it.
    #[allow(clippy::cast_precision_loss, reason = "a rate and an estimate")]
    pub(super) fn progress(&self, batch_rows: u64, batch: Duration, in_window: u64) -> BackfillProgress {
        let elapsed = self.began.elapsed().as_secs_f64().max(1e-6);
        let walked = self.walked.load(Ordering::Relaxed) + in_window;
        let left = self.remaining.filter(|_| walked > 0).and_then(|remaining| {
            let left = remaining.saturating_sub(walked) as f64;
            Duration::try_from_secs_f64(left / walked as f64 * elapsed).ok()
        });
        BackfillProgress {
            rows: self.rows_before + self.rows(),
            estimated_rows: self.estimated_rows,
            batch_rows,
            batch,
            rate: self.rows() as f64 / elapsed,
            left,
        }
    }
}

/// How many rows of the table are behind the cursor, by its statistics: the planner's own estimate.
pub(super) async fn remaining(
    job: &Job<'_>,
    target: &Target,
    statements: &Statements<'_>,
    cursor: Option<&Key>,
) -> Result<Option<u64>, BackfillError> {
    let (Some(cursor), Some(_)) = (cursor, target.estimated_rows) else { return Ok(target.estimated_rows) };
    let params: Vec<(&(dyn ToSql + Sync), Type)> =
        cursor.iter().map(|column| (column as &(dyn ToSql + Sync), Type::TEXT)).collect();
    let row = job
        .client
        .query_typed_one(&statements.remaining(), &params)
        .await
        .map_err(BackfillError::database(&target.table, "estimate what is left"))?;
    let plan: Json = row.get(0);
    let rows = plan.0.pointer("/0/Plan/Plan Rows").and_then(serde_json::Value::as_f64);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, not negative")]
    Ok(rows.map(|rows| rows.max(0.0) as u64))
}

/// `json`, read.
pub(super) struct Json(pub(super) serde_json::Value);

impl<'a> tokio_postgres::types::FromSql<'a> for Json {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(serde_json::from_slice(raw)?))
    }

    fn accepts(sql_type: &Type) -> bool {
        *sql_type == Type::JSON
    }
}

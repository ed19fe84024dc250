//! How large the next batch is, and how long to wait before it: its size follows the time that batches take, and a batch
//! that could not get its locks is tried again smaller, a few times.

use super::BackfillError;
use crate::online::{Blocker, Seen, doubling, jittered};
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// How often in a row a batch may fail to get its locks.
const ATTEMPTS: u32 = 12;

/// The rows of the first batch, until it is known how long one takes.
const FIRST_SIZE: i64 = 1_000;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

pub(super) struct Retry {
    declared: i64,
    size: i64,
    /// How long a batch should take.
    time: Duration,
    failed: u32,
    first_pause: Duration,
}

/// A batch is tried again.
pub(crate) struct Again {
    pub(crate) attempt: u32,
    pub(crate) pause: Duration,
    pub(crate) sqlstate: String,
    pub(crate) blockers: Vec<Blocker>,
    pub(crate) unseen: Option<String>,
}

impl Retry {
    pub(super) fn new(declared: u32, time: Duration) -> Self {
        let declared = i64::from(declared).max(1);
        Self { declared, size: declared.min(FIRST_SIZE), time, failed: 0, first_pause: FIRST_PAUSE }
    }

    #[cfg(test)]
    pub(super) fn with_first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// How many rows the next batch may have.
    pub(super) const fn size(&self) -> i64 {
        self.size
    }

    /// A batch went through: the next may be larger, or had better be smaller.
    pub(super) fn succeeded(&mut self, rows: u64, took: Duration) {
        self.failed = 0;
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        if took > self.time {
            // At most a quarter at a time: one slow batch is no measure.
            let fitting = rows.min(self.size) * millis(self.time) / millis(took).max(1);
            self.size = fitting.max(self.size / 4).max(1);
        } else if rows >= self.size {
            let fitting = self.size.saturating_mul(millis(self.time)) / millis(took).max(1);
            self.size = fitting.clamp(self.size, self.size.saturating_mul(2)).min(self.declared);
        }
    }

    /// A row of the batch is refused: smaller batches, until it is alone.
    pub(super) fn split(&mut self) {
        self.size = (self.size / 4).max(1);
    }

    /// A batch failed: how long to wait before the next attempt, where it is worth one. `seen` is who was in its way.
    pub(super) fn after(&mut self, error: BackfillError, seen: &mut Seen) -> Result<Again, BackfillError> {
        let BackfillError::Database { table, doing, source } = error else { return Err(error) };
        if !is_contention(&source) && seen.cancelled.is_none() {
            return Err(BackfillError::Database { table, doing, source });
        }
        self.failed += 1;
        let (blockers, unseen) = (std::mem::take(&mut seen.blockers), seen.unseen.take());
        if self.failed >= ATTEMPTS {
            let (size, attempts) = (self.size, self.failed);
            return Err(BackfillError::Contended { table, size, attempts, blockers, unseen, source });
        }
        self.size = (self.size / 2).max(1);
        let sqlstate = source.code().map_or_else(String::new, |code| code.code().to_owned());
        Ok(Again { attempt: self.failed, pause: self.pause(self.failed), sqlstate, blockers, unseen })
    }

    /// Longer, the more often there was reason to wait.
    pub(super) fn pause(&self, times: u32) -> Duration {
        jittered(doubling(self.first_pause, LONGEST_PAUSE, times))
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn is_contention(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        [SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_SERIALIZATION_FAILURE]
            .contains(code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_grows_back_to_the_declared_size() {
        let mut retry = Retry::new(1000, Duration::from_millis(500));
        retry.size = 3;
        let mut sizes = Vec::new();
        for _ in 0..10 {
            retry.succeeded(retry.size().unsigned_abs(), Duration::from_micros(300));
            sizes.push(retry.size());
        }
        assert_eq!(sizes[..2], [6, 12]);
        assert_eq!(sizes[9], 1000);
    }

    #[test]
    fn a_batch_shrinks_and_grows_towards_its_time() {
        let mut retry = Retry::new(10_000, Duration::from_millis(100));
        assert_eq!(retry.size(), 1_000, "careful at first");
        retry.succeeded(1_000, Duration::from_millis(200));
        assert_eq!(retry.size(), 500);
        retry.succeeded(500, Duration::from_mins(1));
        assert_eq!(retry.size(), 125, "one slow batch is no measure");
        retry.succeeded(125, Duration::from_millis(80));
        assert_eq!(retry.size(), 156);
        retry.succeeded(100, Duration::from_millis(1));
        assert_eq!(retry.size(), 156, "a batch that was not full says nothing");
        for _ in 0..100 {
            retry.succeeded(retry.size().unsigned_abs(), Duration::from_secs(1));
        }
        assert_eq!(retry.size(), 1);
    }
}

//! How large the next batch is, and how long to wait before it: a batch that could not get its locks is tried again
//! smaller, a few times.

use super::BackfillError;
use crate::online::{doubling, jittered};
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// How often in a row a batch may fail to get its locks.
const ATTEMPTS: u32 = 12;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

pub(super) struct Retry {
    declared: i64,
    size: i64,
    failed: u32,
    first_pause: Duration,
}

impl Retry {
    pub(super) fn new(declared: u32) -> Self {
        let declared = i64::from(declared).max(1);
        Self { declared, size: declared, failed: 0, first_pause: FIRST_PAUSE }
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

    /// A batch went through: the next may be larger again.
    pub(super) fn succeeded(&mut self) {
        self.failed = 0;
        self.size = (self.size * 2).min(self.declared);
    }

    /// A batch failed: waits a little, where it is worth another attempt.
    pub(super) async fn after(&mut self, error: BackfillError) -> Result<(), BackfillError> {
        let BackfillError::Database { table, doing, source } = error else { return Err(error) };
        if !is_contention(&source) {
            return Err(BackfillError::Database { table, doing, source });
        }
        self.failed += 1;
        if self.failed >= ATTEMPTS {
            return Err(BackfillError::Contended { table, size: self.size, attempts: self.failed, source });
        }
        self.size = (self.size / 2).max(1);
        tracing::debug!(table, attempt = self.failed, size = self.size, code = ?source.code(), "batch is tried again");
        self.pause(self.failed).await;
        Ok(())
    }

    /// Waits: longer, the more often there was reason to.
    pub(super) async fn pause(&self, times: u32) {
        tokio::time::sleep(jittered(doubling(self.first_pause, LONGEST_PAUSE, times))).await;
    }
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
        let mut retry = Retry::new(1000);
        retry.size = 3;
        let mut sizes = Vec::new();
        for _ in 0..10 {
            retry.succeeded();
            sizes.push(retry.size());
        }
        assert_eq!(sizes[..2], [6, 12]);
        assert_eq!(sizes[9], 1000);
    }
}

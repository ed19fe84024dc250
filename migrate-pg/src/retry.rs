//! Trying again for a lock, with pauses that grow and that instances do not share.

use crate::error::{Error, Result};
use crate::event::Event;
use crate::jitter::jittered;
use crate::pipeline::{Answer, At, Failed, Transaction};
use crate::work::Work;
use migrate_core::model::Meta;
use std::time::Duration;

impl Work {
    /// Sends a transaction, again and again while only a lock is missing.
    pub(crate) async fn transact(
        &self,
        meta: &'static Meta,
        transaction: Transaction<'_>,
        rows_wanted: bool,
        after: impl Fn(&[Answer]) -> Vec<String>,
        error: impl Fn(Failed) -> Error,
    ) -> Result<Vec<Answer>> {
        let mut retries = Retries::new(self, meta);
        loop {
            match transaction.send(rows_wanted, &after).await {
                Ok(answers) => return Ok(answers),
                Err(failed) => retries.after(failed, &error).await?,
            }
        }
    }
}

/// The attempts of one transaction or statement.
pub(crate) struct Retries<'a> {
    work: &'a Work,
    meta: &'static Meta,
    attempt: u32,
    pause: Duration,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(work: &'a Work, meta: &'static Meta) -> Self {
        Self { work, meta, attempt: 0, pause: work.options.lock_pause }
    }

    /// Pauses before the next attempt, or hands the error back where there is to be none.
    pub(crate) async fn after(&mut self, failed: Failed, error: impl FnOnce(Failed) -> Error) -> Result<()> {
        self.attempt += 1;
        if !failed.is_lock() || self.attempt >= self.work.options.lock_attempts {
            let tries = self.attempt;
            let is_lock = failed.is_lock();
            let made = error(failed);
            return Err(if is_lock && tries > 1 { made.more(&format!(" ({tries} attempts)")) } else { made });
        }
        let pause = jittered(self.pause);
        self.pause = (self.pause * 2).min(Duration::from_secs(30).max(self.work.options.lock_pause));
        let version = self.meta.version();
        let step = match failed.at {
            At::Work(index) | At::Locks(index) => Some(index + 1),
            _ => None,
        };
        let sqlstate = failed.sqlstate().unwrap_or_default().to_owned();
        tracing::warn!(target: "migrate", %version, ?step, attempt = self.attempt, ?pause, sqlstate, "a lock was not had; trying again");
        self.work.tell(&Event::Retry { version, step, attempt: self.attempt, pause, sqlstate });
        self.work.stop.sleep(pause).await;
        self.work.stop.check()
    }
}

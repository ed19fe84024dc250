//! How long a transaction may wait, work and idle, as settings of that transaction.
//!
//! `lock_timeout` is per acquisition (manual, 20.11.1): DROP of three tables at 1 s waits up to 3 s, and holds the first
//! lock all the while. So the *sum* is bounded, from two sides. Between statements the server itself takes off what has
//! passed: a clock starts before the first statement that locks anything that was there, and each later statement gets
//! the rest of the time; that costs no round trip. Within one statement that takes several locks only somebody else can
//! see that it waits: the [`watch`](super::watch) on a second connection, which cancels it when the time is over. Where
//! there is no second connection, `statement_timeout` is the bound for statements that only touch the catalog. After a
//! statement whose work grows with a table the clock starts anew: how long it worked says nothing of how long it waited.

use crate::pipeline::Statement;
use migrate_core::model::{LockClass, Work as WorkClass};
use std::fmt::Write as _;
use std::time::Duration;

/// Where the transaction keeps the time at which it began to take locks.
const SINCE: &str = "migrate.locks_since";

/// The limits of a run's transactions. A duration of zero is no limit.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Of all waits for locks of one transaction together.
    pub(crate) lock: Duration,
    /// Of one statement, by what it does.
    pub(crate) statement: [(WorkClass, Duration); WorkClass::ALL.len()],
    /// Of the silence of this program within a transaction.
    pub(crate) idle: Duration,
    /// Of a whole transaction that only touches the catalog; ends the session (17+).
    pub(crate) transaction: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lock: Duration::from_secs(2),
            statement: [
                (WorkClass::Metadata, Duration::from_secs(10)),
                (WorkClass::Scan, Duration::ZERO),
                (WorkClass::Rows, Duration::ZERO),
                (WorkClass::IndexBuild, Duration::ZERO),
                (WorkClass::Rewrite, Duration::ZERO),
            ],
            idle: Duration::from_secs(10),
            transaction: Duration::from_mins(1),
        }
    }
}

impl Limits {
    pub(crate) fn set_statement(&mut self, work: WorkClass, limit: Duration) {
        for (of, set) in &mut self.statement {
            if *of == work {
                *set = limit;
            }
        }
    }

    pub(crate) fn statement(&self, work: WorkClass) -> Duration {
        self.statement.iter().find(|(of, _)| *of == work).map_or(Duration::ZERO, |(_, limit)| *limit)
    }

    /// The settings of a transaction, before anything else in it. With `row_security` off, a policy that would leave rows
    /// out of a data step, of the table's owner too where it is forced, is an error (manual, 20.11.1).
    pub(crate) fn begin(&self, work: &[Statement<'_>]) -> String {
        let mut sql = format!(
            "SET LOCAL lock_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}; SET LOCAL row_security = off;",
            milliseconds(self.lock),
            milliseconds(self.idle)
        );
        // Zero would be no limit of ours, and is not set: a limit that grows with a table is nobody's to guess.
        if !self.transaction.is_zero() && work.iter().all(|statement| statement.work == WorkClass::Metadata) {
            // Servers before 17 have no such setting, and setting it would be an error.
            let _ = write!(
                sql,
                "SELECT CASE WHEN pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL THEN \
                 pg_catalog.set_config('transaction_timeout', '{}', true) END;",
                milliseconds(self.transaction)
            );
        }
        sql
    }

    /// For each statement of the work, the settings right before it; empty where they are as they should be.
    pub(crate) fn before_each(&self, work: &[Statement<'_>]) -> Vec<String> {
        let mut clock = false;
        let mut last = None;
        work.iter()
            .map(|statement| {
                let locks = statement.lock != LockClass::None;
                let mut settings = Vec::new();
                if locks && !clock {
                    settings.push(format!(
                        "pg_catalog.set_config('{SINCE}', extract(epoch FROM pg_catalog.clock_timestamp())::text, true)"
                    ));
                    settings.push(format!("pg_catalog.set_config('lock_timeout', '{}', true)", milliseconds(self.lock)));
                    clock = true;
                } else if clock && !self.lock.is_zero() {
                    // Gone is the time only after RESET ALL; 1 ms waits for nobody, and takes what is free.
                    settings.push(format!(
                        "pg_catalog.set_config('lock_timeout', greatest(1, {whole} - coalesce(1000 * (extract(epoch FROM \
                         pg_catalog.clock_timestamp()) - nullif(pg_catalog.current_setting('{SINCE}', true), '')::numeric), 0)\
                         )::integer::text, true)",
                        whole = milliseconds(self.lock)
                    ));
                }
                // What locks nothing that was there is in nobody's way.
                let limit = if clock { self.statement(statement.work) } else { Duration::ZERO };
                if last.replace(limit) != Some(limit) {
                    settings.push(format!("pg_catalog.set_config('statement_timeout', '{}', true)", milliseconds(limit)));
                }
                if statement.work != WorkClass::Metadata {
                    clock = false;
                }
                if settings.is_empty() { String::new() } else { format!("SELECT {};", settings.join(", ")) }
            })
            .collect()
    }

    /// The settings for the ledger's rows after the work, and COMMIT. A timeout during COMMIT would end the wait for a
    /// synchronous standby, and the server would only warn of that (`SyncRepWaitForLSN`, syncrep.c).
    pub(crate) fn end(&self) -> String {
        format!("SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = 0", milliseconds(self.lock))
    }
}

/// For a setting that takes milliseconds as an integer, where 0 is no limit.
pub(crate) fn milliseconds(limit: Duration) -> i32 {
    if limit.is_zero() { 0 } else { i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(lock: LockClass, work: WorkClass) -> Statement<'static> {
        Statement { sql: "", lock, work, limit: lock, relations: &[], step: 1, down: false, empty: None }
    }

    #[test]
    fn the_clock_starts_at_the_first_lock_and_anew_after_what_grows() {
        use LockClass::{AccessExclusive, None};
        use WorkClass::{Metadata, Rewrite};
        let work = [
            statement(None, Metadata),
            statement(AccessExclusive, Metadata),
            statement(AccessExclusive, Metadata),
            statement(AccessExclusive, Rewrite),
            statement(None, Metadata),
            statement(AccessExclusive, Metadata),
        ];
        let before = Limits::default().before_each(&work);
        let starts: Vec<_> = before.iter().map(|sql| sql.contains("set_config('migrate.locks_since'")).collect();
        assert_eq!(starts, [false, true, false, false, false, true], "{before:#?}");
        let rests: Vec<_> = before.iter().map(|sql| sql.contains("greatest")).collect();
        assert_eq!(rests, [false, false, true, true, false, false], "{before:#?}");
        let bounds: Vec<_> = before.iter().map(|sql| sql.contains("'statement_timeout', '10000'")).collect();
        assert_eq!(bounds, [false, true, false, false, false, true], "{before:#?}");
    }

    #[test]
    fn only_metadata_is_under_a_limit_that_ends_the_session() {
        let limits = Limits::default();
        let scan = statement(LockClass::Share, WorkClass::Scan);
        let metadata = || statement(LockClass::AccessExclusive, WorkClass::Metadata);
        assert!(limits.begin(&[metadata()]).contains("'60000'"));
        assert!(!limits.begin(&[metadata(), scan]).contains("transaction_timeout"));
        assert!(!Limits { transaction: Duration::ZERO, ..limits }.begin(&[metadata()]).contains("transaction_timeout"));
    }

    #[test]
    fn milliseconds_fit_and_never_become_no_limit() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_micros(1)), 1);
        assert_eq!(milliseconds(Duration::MAX), i32::MAX);
    }
}

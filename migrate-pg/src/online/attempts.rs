//! A transaction or a statement tried again while only a lock is missing.

use super::blocker::{Blocker, BlockerKind};
use super::limits::Limits;
use super::preflight::{self, Wanted};
use super::watch::{Bound, Seen, Watch};
use super::{Span, policy};
use crate::apply::statement_error;
use crate::emptied;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::held::stronger;
use crate::lease::Lease;
use crate::pipeline::{Answer, At, Failed, Statement, Transaction, around};
use crate::work::Work;
use migrate_core::model::{Meta, Work as WorkClass};
use std::time::Duration;

/// By how much a lock timeout must exceed `deadlock_timeout` for the server to have cancelled autovacuum by then.
const AUTOVACUUM_MARGIN: Duration = Duration::from_millis(500);

/// The attempts of one transaction or statement.
pub(crate) struct Attempts<'a> {
    work: &'a Work,
    lease: &'a Lease,
    meta: &'static Meta,
    watch: Watch<'a>,
    pauses: Box<dyn Iterator<Item = Duration> + Send>,
    attempt: u32,
    limits: Limits,
    seen: Seen,
    /// What a statement was seen to wait for, by its position: the next attempt looks there before it queues.
    learned: Vec<(usize, Wanted)>,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(work: &'a Work, lease: &'a Lease, meta: &'static Meta) -> Self {
        Self {
            work,
            lease,
            meta,
            watch: Watch::new(work, meta.version(), lease.pid()),
            pauses: Box::new(work.options.lock_schedule.pauses()),
            attempt: 0,
            limits: work.options.limits.clone(),
            seen: Seen::default(),
            learned: Vec::new(),
        }
    }

    /// The limits of the next attempt.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What to look for before the statement at this position.
    fn wanted(&self, index: usize, statement: &Statement<'_>) -> Vec<Wanted> {
        let named = statement.relations.iter().map(|&(name, lock)| Wanted::Named(name.into(), lock));
        named.chain(self.learned.iter().filter(|(at, _)| *at == index).map(|(_, wanted)| wanted.clone())).collect()
    }

    /// Waits for what was sent, and sees who is in its way.
    pub(crate) async fn watched<T>(&mut self, sent: impl Future<Output = T>, only_waits: bool) -> T {
        let bound = Bound { lock: self.limits.lock, only_waits };
        let (done, seen) = self.watch.over(sent, bound).await;
        self.seen = seen;
        done
    }

    /// Pauses before the next attempt, or hands the error back where there is to be none. `rolled_back` is what the error
    /// adds of what became of the rest; `half` says that it is half done, so that the way on is the only one, whatever the
    /// failure.
    pub(crate) async fn after(
        &mut self,
        failed: Failed,
        statements: &[Statement<'_>],
        rolled_back: &str,
        half: bool,
    ) -> Result<()> {
        let seen = std::mem::take(&mut self.seen);
        self.attempt += 1;
        let index = match failed.at {
            At::Queue(index) | At::Empty(index) | At::Work(index) | At::Locks(index) => Some(index),
            _ => None,
        };
        let in_vain = matches!(failed.at, At::Queue(_))
            && failed.error.as_db_error().is_some_and(|db| preflight::is_in_vain(db.message()));
        let cancelled = seen.cancelled.filter(|_| failed.sqlstate() == Some("57014"));
        let is_lock = failed.is_lock() || in_vain || cancelled.is_some();
        if !(is_lock || half) || failed.error.is_closed() {
            return Err(describe(failed, statements, rolled_back));
        }
        let sqlstate = match failed.sqlstate() {
            Some(state) if state == "40P01" || !is_lock => state.to_owned(),
            _ => "55P03".to_owned(),
        };
        let mut unseen = seen.unseen;
        let mut blockers = seen.blockers;
        if let (Some(index), Some((oid, lock))) = (index, seen.wanted) {
            let wanted = Wanted::Oid(oid, lock);
            if !self.learned.iter().any(|(at, known)| *at == index && *known == wanted) {
                self.learned.push((index, wanted));
            }
        }
        if blockers.is_empty()
            && let Some(index) = index
        {
            // The transaction is rolled back: this session can look for itself, if a moment late.
            let wanted = self.wanted(index, &statements[index]);
            let old = in_vain.then_some(self.work.options.old_transaction);
            match preflight::who(self.lease.client(), &wanted, old).await {
                Ok(found) => blockers = found,
                Err(error) => unseen = unseen.or_else(|| Some(error.to_string())),
            }
            if in_vain {
                policy::apply(self.work, self.meta.version(), self.lease.client(), &blockers).await;
            }
        }
        if !blockers.is_empty() {
            unseen = None;
        }
        // The server cancels autovacuum for whoever has waited for `deadlock_timeout` (ProcSleep, proc.c).
        if let Some(deadlock) = seen.deadlock_timeout
            && blockers.iter().any(|blocker| blocker.kind == BlockerKind::Autovacuum)
        {
            self.limits.lock = self.limits.lock.max(deadlock + AUTOVACUUM_MARGIN);
        }
        let grows = |at: usize| statements[..at].iter().find(|statement| statement.work != WorkClass::Metadata);
        let before = index.map_or_else(|| grows(statements.len()), grows);
        let pause = if before.is_none() { self.pauses.next() } else { None };
        let Some(pause) = pause else {
            let mut error = match index {
                Some(index) if in_vain || cancelled.is_some() => not_had(&statements[index], cancelled, rolled_back),
                _ => describe(failed, statements, rolled_back),
            };
            if let Some(before) = before {
                error = error.more(&format!(
                    "; not tried again, since step {} before it does work that grows with a table ({}), and each attempt \
                     would do it again under its locks",
                    before.step, before.work
                ));
            } else if self.attempt > 1 {
                error = error.more(&format!(" ({} attempts)", self.attempt));
            }
            return Err(error.blockers(blockers, unseen));
        };
        let (version, step) = (self.meta.version(), index.map(|index| statements[index].step));
        tracing::warn!(
            target: "migrate", %version, ?step, attempt = self.attempt, ?pause, sqlstate,
            blockers = ?blockers.iter().map(Blocker::name).collect::<Vec<_>>(), unseen, "a lock was not had; trying again"
        );
        self.work.tell(&Event::Retry { version, step, attempt: self.attempt, pause, sqlstate, blockers, unseen });
        self.work.stop.sleep(pause).await;
        self.work.stop.check()
    }

    pub(crate) async fn close(self) {
        self.watch.close().await;
    }
}

impl Work {
    /// Sends a transaction, again and again while only a lock is missing. `whole` is what an error rolls back.
    pub(crate) async fn transact(
        &self,
        meta: &'static Meta,
        transaction: &Transaction<'_>,
        rows_wanted: bool,
        after: impl Fn(&[Answer]) -> Vec<String>,
        whole: &str,
    ) -> Result<Vec<Answer>> {
        let rolled_back = format!("; {whole} was rolled back");
        let mut attempts = Attempts::new(self, transaction.lease, meta);
        let only_waits = transaction.work.iter().all(|statement| statement.work == WorkClass::Metadata);
        let result = loop {
            let looks: Vec<_> = transaction
                .work
                .iter()
                .enumerate()
                .map(|(index, statement)| {
                    preflight::check(&attempts.wanted(index, statement), self.options.old_transaction)
                })
                .collect();
            let limits = attempts.limits().clone();
            let sent = transaction.send(&limits, &looks, rows_wanted, &after);
            match attempts.watched(sent, only_waits).await {
                Ok(answers) => break Ok(answers),
                Err(failed) => {
                    if let Err(error) = attempts.after(failed, transaction.work, &rolled_back, false).await {
                        break Err(error);
                    }
                }
            }
        };
        attempts.close().await;
        result
    }
}

/// The error of a transaction or a statement.
fn describe(failed: Failed, statements: &[Statement<'_>], rolled_back: &str) -> Error {
    if failed.error.is_closed() {
        return around(failed);
    }
    match failed.at {
        // The look at what a down drops takes the down's own lock.
        At::Empty(index) | At::Work(index) if matches!(failed.at, At::Work(_)) || failed.is_lock() => {
            let statement = &statements[index];
            statement_error(statement, failed.error).at_step(statement.step, statement.down).more(rolled_back)
        }
        At::Empty(index) if emptied::is_written(&failed) => {
            let statement = &statements[index];
            emptied::written(statement, failed.error).more(rolled_back)
        }
        At::Locks(index) if !failed.stronger.is_empty() => {
            let statement = &statements[index];
            let declared = if statement.down { "the down" } else { "the migration" };
            stronger(statement.sql, declared, statement.limit, &failed.stronger)
                .at_step(statement.step, statement.down)
                .more(rolled_back)
        }
        _ => around(failed),
    }
}

/// The error where the server has none of its own: nothing was queued for, or it was cancelled for having waited.
fn not_had(statement: &Statement<'_>, cancelled: Option<Duration>, rolled_back: &str) -> Error {
    let lock = statement.lock.sql();
    let text = match cancelled {
        Some(waited) => format!("the waits for locks came to {} (the step takes {lock})", Span(waited)),
        None => format!("{lock} was not queued for, since it would be in vain and make others wait{rolled_back}"),
    };
    Error::new(ErrorKind::LockTimeout, if cancelled.is_some() { text + rolled_back } else { text })
        .statement(statement.sql)
        .at_step(statement.step, statement.down)
        .help(
            "End who is in the way and run again; or allow more by `lock_timeout` (all waits of a transaction together), \
             `lock_schedule` and `old_transaction`; or let the runner end them, by `blockers`.",
        )
}

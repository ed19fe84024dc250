//! Applying one migration: in one transaction with its ledger rows, or step by step, each recorded before and after.

use crate::alone::Settled;
use crate::cancel::is_of_cancelled;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::guardian::Need;
use crate::lease::Lease;
use crate::ledger::{self, MigrationEntry, StepRow, StepState, normalised};
use crate::pipeline::{Answer, Statement, Transaction};
use crate::report::Done;
use crate::secrets::without_passwords;
use crate::under_way::UnderWay;
use crate::undo::Gates;
use crate::work::Work;
use migrate_core::model::{Down, EffectKind, Meta, StepKind};
use migrate_core::plan::{Planned, State};
use serde_json::{Value, json};
use std::time::Instant;
use tracing::Instrument as _;

/// What a migration that was applied wrote, and what its gates handed back.
struct Wrote {
    rows: u64,
    /// Rows that its backfills passed over.
    skipped: u64,
    receipts: Vec<Value>,
}

impl Work {
    /// Applies a migration, or what is left of it, and records why where it fails.
    pub(crate) async fn apply(&self, lease: &Lease, planned: &Planned, server: u32) -> Result<Done> {
        let meta = planned.meta;
        let (version, name) = (meta.version(), meta.name());
        let span = tracing::info_span!(
            target: "migrate", "migration", %version, name, lock = %meta.lock(),
            rows = tracing::field::Empty, seconds = tracing::field::Empty
        );
        let begun = Instant::now();
        let resumed = planned.unfinished.is_some();
        self.tell(&Event::Begun { version, name, resumed });
        let worked = async {
            if meta.transactional() && !resumed {
                let mut there = Vec::new();
                loop {
                    let result = self.apply_whole(lease, planned, server, &there).await;
                    let Err(error) = &result else { return result };
                    match self.is_left(lease, meta, error).await? {
                        Some(index) if !there.contains(&index) => there.push(index),
                        _ => return result,
                    }
                }
            } else {
                self.apply_stepwise(lease, planned, server).await
            }
        };
        match worked.instrument(span.clone()).await {
            Ok(Wrote { rows, skipped, receipts }) => {
                let elapsed = begun.elapsed();
                span.record("rows", rows).record("seconds", elapsed.as_secs_f64());
                span.in_scope(|| tracing::info!(target: "migrate", rows, ?elapsed, "applied"));
                self.tell(&Event::Applied { version, name, elapsed });
                Ok(Done {
                    version,
                    name,
                    phase: meta.phase(),
                    lock: meta.lock(),
                    elapsed,
                    rows,
                    skipped,
                    resumed,
                    receipts,
                })
            }
            Err(error) => {
                span.in_scope(|| tracing::error!(target: "migrate", error = error.without_row_values(), "failed"));
                Err(self.note_failure(lease, meta, error, "failed").await)
            }
        }
    }

    /// Adds the failure to the events, if the session still can, and hands the error back.
    pub(crate) async fn note_failure(&self, lease: &Lease, meta: &'static Meta, error: Error, event: &str) -> Error {
        let error = self.stopped_if_cancelled(error.at(meta));
        let lost = matches!(
            error.kind(),
            ErrorKind::Stopped | ErrorKind::Cancelled | ErrorKind::ConnectionLost | ErrorKind::LeaseLost
        );
        if lost || lease.client().is_closed() {
            return error;
        }
        let text = error.without_row_values();
        let details = json!({"error": text, "sqlstate": error.sqlstate()});
        let mut statements = vec![self.ledger.event(event, Some(meta), error.step(), &details)];
        if let Some(step) = error.step() {
            statements.push(self.ledger.step_error(meta.version(), step, &text));
        }
        if let Err(second) = self.record(lease, &statements).await {
            tracing::warn!(target: "migrate", error = %second, "the failure could not be recorded");
        }
        error
    }

    /// The error of what was cancelled because that was asked for.
    fn stopped_if_cancelled(&self, error: Error) -> Error {
        let cancelled = self.stop.is_cancelled()
            && error.kind() != ErrorKind::Stopped
            && std::error::Error::source(&error).is_some_and(is_of_cancelled);
        if cancelled { error.stopped("what was in flight was cancelled, as the run was asked to stop") } else { error }
    }

    /// The step that failed because its enum value is there, where the ledger says that this history made it: an undo
    /// passed over the step, which PostgreSQL cannot take back. Whether the value is there only the server knows: the type
    /// may have been made anew since.
    async fn is_left(&self, lease: &Lease, meta: &'static Meta, error: &Error) -> Result<Option<usize>> {
        if error.sqlstate() != Some("42710") {
            return Ok(None);
        }
        let Some((index, step)) = error.step().and_then(|step| Some((step - 1, meta.steps().get(step - 1)?))) else {
            return Ok(None);
        };
        let adds_a_value = matches!(step.effects(), [only] if only.kind() == EffectKind::AddEnumValue);
        if !adds_a_value || !matches!(step.down(), Down::Irreversible(_)) {
            return Ok(None);
        }
        let left = self.ledger.was_left(lease.client(), meta.version(), index + 1, step.up()).await?;
        Ok(left.then_some(index))
    }

    /// All of it and its ledger rows in one transaction, tried again while only a lock is missing. What the steps `there`
    /// make is there.
    async fn apply_whole(&self, lease: &Lease, planned: &Planned, server: u32, there: &[usize]) -> Result<Wrote> {
        let meta = planned.meta;
        let mut receipts = Vec::new();
        for need in (0..meta.steps().len()).filter_map(|index| Need::up(meta, index)) {
            receipts.push(self.pass(lease, &need, server).await?);
        }
        // A gate may have taken long.
        self.stop.check()?;
        let entry = MigrationEntry { meta, state: State::Applied, passed: &planned.passes, receipts: &receipts };
        let before = [self.ledger.insert(&entry)];
        let sent: Vec<usize> = (0..meta.steps().len()).filter(|index| !there.contains(index)).collect();
        let work: Vec<_> = sent.iter().map(|&index| Statement::up(&meta.steps()[index], index, meta.lock())).collect();
        let after = |answers: &[Answer]| {
            let steps = meta.steps().iter().enumerate().flat_map(|(index, step)| {
                let done = self.ledger.step(meta.version(), index + 1, StepState::Done, step.up());
                let answer = sent.iter().position(|&sent| sent == index).and_then(|at| answers.get(at));
                let rows = answer.filter(|_| writes_rows(step)).map(|answer| answer.rows);
                std::iter::once(done).chain(rows.map(|rows| self.ledger.step_rows(meta.version(), index + 1, rows)))
            });
            let left: Vec<usize> = there.iter().map(|index| index + 1).collect();
            let details = json!({"digest": meta.digest(), "receipts": receipts, "there": left});
            steps
                .chain([self.ledger.finish(meta.version()), self.ledger.event("applied", Some(meta), None, &details)])
                .collect()
        };
        let rows_wanted = meta.steps().iter().any(writes_rows);
        let transaction = Transaction { lease, given: &[], before: &before, work: &work };
        let answers = self.transact(meta, &transaction, rows_wanted, after, "the whole migration").await?;
        let mut rows = 0;
        for (&index, answer) in sent.iter().zip(&answers) {
            let written = if writes_rows(&meta.steps()[index]) { answer.rows } else { 0 };
            rows += written;
            self.step_done(meta, index, written, answer.elapsed, false);
        }
        Ok(Wrote { rows, skipped: 0, receipts })
    }

    /// Step by step: what is done stays done, and the ledger knows it.
    async fn apply_stepwise(&self, lease: &Lease, planned: &Planned, server: u32) -> Result<Wrote> {
        let meta = planned.meta;
        let version = meta.version();
        let found = match planned.unfinished {
            None => {
                let entry = MigrationEntry { meta, state: State::Applying, passed: &planned.passes, receipts: &[] };
                let event = self.ledger.event("begun", Some(meta), None, &json!({"digest": meta.digest()}));
                self.record(lease, &[self.ledger.insert(&entry), event]).await?;
                Vec::new()
            }
            Some(state) => self.take_up(lease, meta, state).await?,
        };
        let mut rows = 0;
        let mut skipped = 0;
        let mut receipts = Vec::new();
        for (index, step) in meta.steps().iter().enumerate() {
            let row = found.iter().find(|row| row.step == index + 1);
            if row.is_some_and(|row| row.state == StepState::Done) {
                continue;
            }
            if let Some(row) = row.filter(|row| row.state == StepState::Undoing) {
                // Rows may have been written since the undo was interrupted.
                let gates = Gates { server, receipts: &mut receipts };
                self.undo_step(lease, meta, index, row, State::Applying, gates).await?;
            }
            let started = row.filter(|row| row.state == StepState::Started);
            self.stop.check()?;
            self.pass_and_record(lease, Need::up(meta, index), server, &mut receipts).await?;
            // A gate may have taken long.
            self.stop.check()?;
            let span = tracing::info_span!(
                target: "migrate", "step", %version, step = index + 1, lock = %step.lock(),
                rows = tracing::field::Empty, seconds = tracing::field::Empty
            );
            let begun = Instant::now();
            let sql = without_passwords(step.up());
            self.tell(&Event::StepBegun { version, step: index + 1, lock: step.lock(), sql, down: false });
            let worked = match step.kind() {
                StepKind::Backfill(backfill) => {
                    // A cursor says how far the text went that it belongs to.
                    let same = started.is_some_and(|row| row.up == normalised(step.up()));
                    let filled = self.fill(lease, meta, index, backfill, same).instrument(span.clone()).await;
                    filled.map(|outcome| {
                        skipped += outcome.skipped;
                        outcome.rows
                    })
                }
                StepKind::Statement if step.transactional() => {
                    self.step_in_transaction(lease, meta, index).instrument(span.clone()).await
                }
                StepKind::Statement => {
                    let begun = started.and_then(|row| row.begun(&row.up, step.concurrent()));
                    self.step_alone(lease, meta, index, begun, State::Applying).instrument(span.clone()).await
                }
                _ => Err(Error::new(ErrorKind::History, "this release does not know steps of this kind")),
            };
            let written = match worked.map_err(|error| error.at_step(index + 1, false)) {
                Ok(written) => written,
                Err(error) if self.is_left(lease, meta, &error).await?.is_some() => {
                    self.record(lease, &[self.ledger.step(version, index + 1, StepState::Done, step.up())]).await?;
                    0
                }
                Err(error) => return Err(error),
            };
            rows += written;
            span.record("rows", written).record("seconds", begun.elapsed().as_secs_f64());
            self.step_done(meta, index, written, begun.elapsed(), false);
        }
        let event =
            self.ledger.event("applied", Some(meta), None, &json!({"digest": meta.digest(), "receipts": receipts}));
        self.record(lease, &[self.ledger.set_state(version, State::Applied), event]).await?;
        Ok(Wrote { rows, skipped, receipts })
    }

    /// Goes on with what another run did not finish. The text of what is left may have been mended since.
    async fn take_up(&self, lease: &Lease, meta: &'static Meta, state: State) -> Result<Vec<StepRow>> {
        let mut found = self.ledger.steps(lease.client(), meta.version()).await?;
        self.same_downs(lease, meta, &found).await?;
        let mut settled = Vec::new();
        for row in &mut found {
            if row.state == StepState::Undone {
                continue;
            }
            let index = row.step.checked_sub(1).filter(|&index| index < meta.steps().len());
            let now = index.map(|index| normalised(meta.steps()[index].up()));
            if now.as_deref() == Some(row.up.as_str()) {
                continue;
            }
            // What failed and left nothing behind may be mended.
            let mended = match index.filter(|_| row.state == StepState::Started && row.rows == 0) {
                Some(index) => self.mended(lease, meta, index, row).await?,
                None => Settled::Refused,
            };
            match (mended, &now) {
                (Settled::Afresh, Some(_)) => {
                    row.under_way = false;
                    settled.push(self.ledger.settled(meta.version(), row.step));
                    continue;
                }
                (Settled::GoesOn(begun), Some(now)) => {
                    row.acts_on = Some(UnderWay { sql: now.clone(), ..begun });
                    row.up.clone_from(now);
                    continue;
                }
                _ => {}
            }
            let now = now.unwrap_or_else(|| "(no such step)".to_owned());
            return Err(Error::new(
                ErrorKind::Recovery,
                format!(
                    "the migration was begun with another text, and this step of it is done or under way already:\n    - {}\n    + {now}",
                    row.up
                ),
            )
            .at(meta)
            .at_step(row.step, false)
            .help(
                "Put the text of this step back and mend only the steps after it; or put all of it back, take it back \
                 by undo(1), and run the new text then.",
            ));
        }
        let mut statements = settled;
        statements.push(self.ledger.rewrite(meta));
        if state != State::Applying {
            statements.push(self.ledger.set_state(meta.version(), State::Applying));
        }
        statements.push(self.ledger.event(
            "resumed",
            Some(meta),
            None,
            &json!({"digest": meta.digest(), "was": state.name()}),
        ));
        self.record(lease, &statements).await?;
        Ok(found)
    }

    /// What a step whose text was mended begins from.
    async fn mended(&self, lease: &Lease, meta: &'static Meta, index: usize, row: &StepRow) -> Result<Settled> {
        // A backfill that wrote no row left nothing.
        if !row.under_way || matches!(meta.steps()[index].kind(), StepKind::Backfill(_)) && row.acts_on.is_none() {
            return Ok(Settled::Afresh);
        }
        match row.acts_on.as_ref().filter(|acts_on| acts_on.sql == row.up) {
            Some(begun) => self.settle_mended(lease, meta, index, begun).await,
            None => Ok(Settled::Refused),
        }
    }

    /// A step that was half taken back is taken back to its end by the down that began it.
    async fn same_downs(&self, lease: &Lease, meta: &'static Meta, found: &[StepRow]) -> Result<()> {
        let undoing = |row: &&StepRow| row.state == StepState::Undoing;
        if !found.iter().any(|row| undoing(&row)) {
            return Ok(());
        }
        let recorded = self.ledger.recorded(lease.client(), meta.version()).await?;
        for row in found.iter().filter(undoing) {
            let Some(index) = row.step.checked_sub(1) else { continue };
            let was = recorded.get(index).and_then(|step| step.get("down"));
            let now = meta.steps().get(index).map(|step| ledger::down(step.down()));
            if was.is_none() || was != now.as_ref() {
                return Err(Error::new(
                    ErrorKind::Recovery,
                    format!(
                        "this step was being taken back by another down, which has not ended:\n    - {}\n    + {}",
                        was.unwrap_or(&Value::Null),
                        now.unwrap_or(Value::Null)
                    ),
                )
                .at(meta)
                .at_step(row.step, true)
                .help("Put the down of this step back, and run again: it is taken back to its end first."));
            }
        }
        Ok(())
    }

    /// A step that may run in a transaction, with its own ledger row.
    async fn step_in_transaction(&self, lease: &Lease, meta: &'static Meta, index: usize) -> Result<u64> {
        let step = &meta.steps()[index];
        let given = [self.ledger.is_in_state(meta.version(), State::Applying)];
        let work = [Statement::up(step, index, meta.lock())];
        let after = |answers: &[Answer]| {
            let mut all = vec![self.ledger.step(meta.version(), index + 1, StepState::Done, step.up())];
            all.extend(answers.first().map(|answer| self.ledger.step_rows(meta.version(), index + 1, answer.rows)));
            all
        };
        let transaction = Transaction { lease, given: &given, before: &[], work: &work };
        let answers = self.transact(meta, &transaction, writes_rows(step), after, "the step").await?;
        Ok(answers.first().filter(|_| writes_rows(step)).map_or(0, |answer| answer.rows))
    }

    pub(crate) fn step_done(&self, meta: &Meta, index: usize, rows: u64, elapsed: std::time::Duration, down: bool) {
        let (version, step) = (meta.version(), index + 1);
        tracing::info!(target: "migrate", %version, step, down, lock = %meta.steps()[index].lock(), rows, ?elapsed, "step done");
        self.tell(&Event::StepDone { version, step, rows, elapsed, down });
    }
}

/// Whether the count in the statement's command tag is one of rows written.
fn writes_rows(step: &migrate_core::model::Step) -> bool {
    use EffectKind::{DeleteRows, InsertRows, UpdateRows};
    step.effects().iter().any(|effect| matches!(effect.kind(), InsertRows | UpdateRows | DeleteRows))
}

/// The error of a statement, with what to do about it where its SQLSTATE tells.
pub(crate) fn statement_error(statement: &Statement<'_>, error: tokio_postgres::Error) -> Error {
    let Statement { sql, lock, .. } = *statement;
    let state = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
    let (kind, message, help) = match state.as_str() {
        "55P03" => (
            ErrorKind::LockTimeout,
            format!("a lock was not had in time (the step takes {})", lock.sql()),
            "End who is in the way and run again; or allow more by `lock_timeout` (all waits of a transaction together) \
             and `lock_schedule`; or let the runner end them, by `blockers`.",
        ),
        "40P01" => (
            ErrorKind::LockTimeout,
            "the statement and another session waited for each other".to_owned(),
            "Run again; if it happens each time, lock the relations in the order in which the application does.",
        ),
        "57014" => (
            ErrorKind::Statement,
            "the statement was cancelled, by its time limit or by somebody".to_owned(),
            "`Migrator::statement_timeout` says how long a statement may take, by its work; see the server's log for \
             who else cancelled it. Then run again.",
        ),
        "25P03" | "25P04" => (
            ErrorKind::ConnectionLost,
            "the server ended the session, and the lease with it, by a time limit of the transaction".to_owned(),
            "",
        ),
        "42501" => (
            ErrorKind::Statement,
            "the role may not do this".to_owned(),
            "Run as the owner of the object: `Migrator::role(…)` sets the role that migrations run as. Where a policy would \
             hide rows (row-level security that is forced holds for the owner too), as a role with BYPASSRLS.",
        ),
        "42P07" | "42710" | "42701" | "42P06" | "42723" => (
            ErrorKind::Statement,
            "what the statement makes is there already".to_owned(),
            "Something else than this history made it, or the ledger that knew of it was removed. If it is the same, take it \
             into the baseline or remove the migration; if not, rename one of them. A ledger that was removed comes back \
             from a backup of the database.",
        ),
        "42P01" | "42703" | "42704" | "42883" | "3F000" => (
            ErrorKind::Statement,
            "what the statement names is not there".to_owned(),
            "See that the name is spelled as the database has it. If it is, compare the database with the history \
             (`status`), and see that `search_path` is the one the SQL was written for.",
        ),
        "23505" | "23503" | "23514" | "23502" | "23P01" => (
            ErrorKind::Statement,
            "rows that are there already do not satisfy what the statement asks".to_owned(),
            "Mend the rows (a backfill before this migration) and run again.",
        ),
        _ => (
            ErrorKind::Statement,
            "the statement failed".to_owned(),
            "Mend the statement, or what the server complains of, and run again.",
        ),
    };
    let made = Error::db(kind, message, error).statement(sql);
    if made.kind() == ErrorKind::ConnectionLost { made } else { made.help(help) }
}

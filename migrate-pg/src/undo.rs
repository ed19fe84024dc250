//! `undo`, `down_to` and `redo`: migrations taken back, the last applied first, their steps in reverse.

use crate::alone::Alone;
use crate::emptied::Emptied;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::guardian::Need;
use crate::lease::Lease;
use crate::ledger::{Look, StepRow, StepState, normalised};
use crate::pipeline::{Answer, Statement, Transaction};
use crate::report::{Done, UndoReport};
use crate::secrets::without_passwords;
use crate::work::Work;
use migrate_core::model::{Down, DownStatement, Meta, StepKind, Version};
use migrate_core::plan::{Planned, State};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Instant;
use tracing::Instrument as _;

/// What to take back.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    Last(usize),
    Above(Version),
}

/// What the gates of a step's down are asked with, and where their receipts go.
pub(crate) struct Gates<'a> {
    pub(crate) server: u32,
    pub(crate) receipts: &'a mut Vec<Value>,
}

/// A migration to take back, and how far it had got.
struct Target {
    meta: &'static Meta,
    state: State,
}

impl Work {
    pub(crate) async fn undo(self, which: Which) -> Result<UndoReport> {
        let session = self.source.session().await?;
        if self.look_at_ledger(session.client()).await?.rows.is_empty() {
            session.close().await;
            return Ok(UndoReport::default());
        }
        let lease = self.lease(session).await?;
        let result = self.undo_leased(&lease, which).await;
        lease.release().await;
        result
    }

    async fn undo_leased(&self, lease: &Lease, which: Which) -> Result<UndoReport> {
        let look = self.look(lease.client()).await?;
        let targets = self.targets(&look, which)?;
        fits_server(&targets, look.server_version_num)?;
        self.want_schema_only(lease, &targets).await?;
        self.preflight_down(lease, &targets, look.server_version_num).await?;
        let mut report = UndoReport::default();
        for target in &targets {
            self.stop.check()?;
            report.undone.push(self.take_back(lease, target, look.server_version_num).await?);
        }
        Ok(report)
    }

    pub(crate) async fn redo(self) -> Result<UndoReport> {
        let session = self.source.session().await?;
        let lease = self.lease(session).await?;
        let result = self.redo_leased(&lease).await;
        lease.release().await;
        result
    }

    async fn redo_leased(&self, lease: &Lease) -> Result<UndoReport> {
        let look = self.look(lease.client()).await?;
        let server = look.server_version_num;
        let targets = self.targets(&look, Which::Last(1))?;
        fits_server(&targets, server)?;
        let mut report = UndoReport::default();
        let Some(target) = targets.first() else { return Ok(report) };
        self.want_schema_only(lease, &targets).await?;
        // Both ways are looked at before the first is gone.
        self.preflight_down(lease, &targets, server).await?;
        self.preflight_up(lease, &[target.meta], server).await?;
        report.undone.push(self.take_back(lease, target, server).await?);
        let applied: HashSet<Version> = look.rows.iter().map(|row| row.version).collect();
        let earlier = self.metas().into_iter().map(Meta::version).filter(|&version| version < target.meta.version());
        let planned = Planned {
            meta: target.meta,
            unfinished: None,
            gates: Vec::new(),
            passes: earlier.filter(|version| !applied.contains(version)).collect(),
        };
        report.applied.push(self.apply(lease, &planned, server).await?);
        Ok(report)
    }

    /// What is to be taken back, in that order, and nothing that cannot be.
    fn targets(&self, look: &Look, which: Which) -> Result<Vec<Target>> {
        let newest_first = look.rows.iter().rev();
        let rows: Vec<_> = match which {
            Which::Last(count) => newest_first.take(count).collect(),
            Which::Above(version) => newest_first.filter(|row| row.version > version).collect(),
        };
        let mut targets = Vec::new();
        for row in rows {
            let Some(migration) = self.history.find(row.version) else {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!(
                        "{} {} is to be taken back, and this program does not have it; nothing was taken back",
                        row.version, row.name
                    ),
                )
                .help("Take it back from a release that has it."));
            };
            let meta = migration.meta();
            let same = row.digest == meta.digest() || meta.supersedes().contains(&row.digest.as_str());
            if !same {
                return Err(Error::new(
                    ErrorKind::Edited,
                    format!(
                        "the text was edited after it was applied (digest {} then, {} now), so that its down may not reverse what was \
                         run; nothing was taken back",
                        row.digest,
                        meta.digest()
                    ),
                )
                .at(meta)
                .help("Put the text back, or take it back from the release that applied it."));
            }
            let irreversible = meta.steps().iter().enumerate().find_map(|(index, step)| match step.down() {
                Down::Irreversible(why) => Some((index, why)),
                _ => None,
            });
            if let (Some((index, why)), false) = (irreversible, self.options.irreversible) {
                return Err(Error::new(
                    ErrorKind::Irreversible,
                    format!("this step cannot be taken back: {why}; nothing was taken back"),
                )
                .at(meta)
                .at_step(index + 1, true)
                .statement(meta.steps()[index].up())
                .help("Roll forward by a new migration; or pass over what cannot be taken back by `allow_irreversible(true)`."));
            }
            targets.push(Target { meta, state: row.state });
        }
        Ok(targets)
    }

    /// The down of a destructive step brings back the definition, and no backup that there is brings back the data by
    /// itself: unless that is what was asked for, the undo says so and where the data is.
    async fn want_schema_only(&self, lease: &Lease, targets: &[Target]) -> Result<()> {
        if self.options.schema_only {
            return Ok(());
        }
        let Some(target) = targets.iter().find(|target| target.meta.destructive().is_some()) else { return Ok(()) };
        let receipts = self.ledger.receipts(lease.client(), target.meta.version()).await?;
        let kept: Vec<&str> =
            receipts.iter().filter_map(|receipt| receipt.pointer("/receipt/path")?.as_str()).collect();
        let kept = if kept.is_empty() {
            "the ledger names no backup of it".to_owned()
        } else {
            format!("it is in {}", kept.join(", "))
        };
        Err(Error::new(
            ErrorKind::DataNotRestored,
            format!(
                "taking this back brings the definition back, and not the data that it destroyed: {kept}; nothing was taken back"
            ),
        )
        .at(target.meta)
        .help(
            "To have the definition alone, ask for it by `schema_only(true)`; then take the data out of the backup \
             (`pg_restore --data-only` into a scratch database, and from there).",
        ))
    }

    /// What would destroy rows written since needs a gate, and is refused before anything is taken back.
    async fn preflight_down(&self, lease: &Lease, targets: &[Target], server: u32) -> Result<()> {
        for target in targets {
            let mut steps: Vec<usize> = (0..target.meta.steps().len()).rev().collect();
            if target.state != State::Applied {
                // Only what was begun is taken back.
                let rows = self.ledger.steps(lease.client(), target.meta.version()).await?;
                let begun =
                    |index: usize| rows.iter().any(|row| row.step == index + 1 && row.state != StepState::Undone);
                steps.retain(|&index| begun(index));
            }
            for index in steps {
                if let Some(need) = Need::of_down(target.meta, index)
                    && need.held(lease).await?.data
                {
                    self.preflight(lease, &need, server).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes one migration back, passing over what cannot be and without asking for its data.
    #[cfg(feature = "testing")]
    pub(crate) async fn undo_one(&self, lease: &Lease, meta: &'static Meta, state: State, server: u32) -> Result<Done> {
        self.take_back(lease, &Target { meta, state }, server).await
    }

    async fn take_back(&self, lease: &Lease, target: &Target, server: u32) -> Result<Done> {
        let meta = target.meta;
        let (version, name) = (meta.version(), meta.name());
        let span = tracing::info_span!(
            target: "migrate", "undo", %version, name, lock = %meta.lock(), seconds = tracing::field::Empty
        );
        let begun = Instant::now();
        let worked = async {
            let whole = meta.transactional()
                && target.state == State::Applied
                && meta.steps().iter().all(|step| downs(step.down()).iter().all(DownStatement::transactional));
            if whole {
                self.undo_whole(lease, meta, server).await
            } else {
                self.undo_stepwise(lease, target, server).await
            }
        };
        match worked.instrument(span.clone()).await {
            Ok(receipts) => {
                let elapsed = begun.elapsed();
                span.record("seconds", elapsed.as_secs_f64());
                span.in_scope(|| tracing::info!(target: "migrate", ?elapsed, "taken back"));
                self.tell(&Event::Undone { version, name, elapsed });
                let resumed = target.state != State::Applied;
                Ok(Done {
                    version,
                    name,
                    phase: meta.phase(),
                    lock: meta.lock(),
                    elapsed,
                    rows: 0,
                    skipped: 0,
                    resumed,
                    receipts,
                })
            }
            Err(error) => {
                span.in_scope(|| tracing::error!(target: "migrate", error = error.without_row_values(), "undo failed"));
                Err(self.note_failure(lease, meta, error, "undo failed").await)
            }
        }
    }

    async fn undo_whole(&self, lease: &Lease, meta: &'static Meta, server: u32) -> Result<Vec<Value>> {
        let mut receipts = Vec::new();
        let mut emptied = Emptied::new(meta, server);
        for index in (0..meta.steps().len()).rev() {
            receipts.extend(emptied.pass(self, lease, index).await?);
        }
        let given = [self.ledger.is_in_state(meta.version(), State::Applied)];
        loop {
            self.stop.check()?;
            let mut statements: Vec<Statement<'_>> = Vec::new();
            for (index, step) in meta.steps().iter().enumerate().rev() {
                for (at, down) in downs(step.down()).iter().enumerate() {
                    // What an earlier statement locked is still locked after a later one.
                    let limit = statements.last().map_or(down.lock(), |last| down.lock().max(last.limit));
                    statements.push(Statement { empty: emptied.of(index, at), ..Statement::down(down, index, limit) });
                }
            }
            let transaction = Transaction { lease, given: &given, before: &[], work: &statements };
            let after = |_: &[Answer]| self.gone(meta, &receipts, |_| true);
            match self.transact(meta, &transaction, false, after, "the whole undo of this migration").await {
                Ok(answers) => {
                    for (answer, sent) in answers.iter().zip(&statements) {
                        self.step_done(meta, sent.step - 1, 0, answer.elapsed, true);
                    }
                    return Ok(receipts);
                }
                Err(error) => receipts.push(emptied.pass_after(self, lease, error).await?),
            }
        }
    }

    async fn undo_stepwise(&self, lease: &Lease, target: &Target, server: u32) -> Result<Vec<Value>> {
        let meta = target.meta;
        let event = self.ledger.event("undo begun", Some(meta), None, &json!({"was": target.state.name()}));
        self.record(lease, &[self.ledger.set_state(meta.version(), State::Undoing), event]).await?;
        let rows = self.ledger.steps(lease.client(), meta.version()).await?;
        let mut receipts = Vec::new();
        for index in (0..meta.steps().len()).rev() {
            let Some(row) = rows.iter().find(|row| row.step == index + 1 && row.state != StepState::Undone) else {
                continue;
            };
            self.stop.check()?;
            self.fence(lease, meta, row).await?;
            if !self.stands(lease, meta, index, row).await? {
                self.record(lease, &[self.ledger.step_undone(meta.version(), index + 1)]).await?;
                continue;
            }
            let begun = Instant::now();
            self.undo_step(lease, meta, index, row, State::Undoing, Gates { server, receipts: &mut receipts }).await?;
            self.step_done(meta, index, 0, begun.elapsed(), true);
        }
        let stood = |index: usize| rows.iter().any(|row| row.step == index + 1 && row.state != StepState::Undone);
        self.record(lease, &self.gone(meta, &receipts, stood)).await?;
        Ok(receipts)
    }

    /// The workers of a backfill have sessions of their own, which may outlive the one that held the lease: without their
    /// ranges they write no more. Waits for the batch that is under way.
    async fn fence(&self, lease: &Lease, meta: &'static Meta, row: &StepRow) -> Result<()> {
        let backfill = row.step.checked_sub(1).and_then(|index| match meta.steps().get(index)?.kind() {
            StepKind::Backfill(backfill) => Some(backfill),
            _ => None,
        });
        if backfill.is_none() || row.state != StepState::Started {
            return Ok(());
        }
        let _busy = lease.busy();
        let sql = self.ledger.forget_ranges(meta.version(), row.step);
        lease.client().batch_execute(&sql).await.map_err(|error| {
            Error::db(ErrorKind::Ledger, "the workers of the backfill could not be kept from writing on", error)
                .at(meta)
                .at_step(row.step, true)
        })
    }

    /// Takes one step back, from the statement of its down on that is next, while the migration is in this state; through
    /// the gate, unless what it drops is empty.
    pub(crate) async fn undo_step(
        &self,
        lease: &Lease,
        meta: &'static Meta,
        index: usize,
        row: &StepRow,
        state: State,
        gates: Gates<'_>,
    ) -> Result<()> {
        let version = meta.version();
        let mut emptied = Emptied::new(meta, gates.server);
        if let Some(receipt) = emptied.pass(self, lease, index).await? {
            self.record_receipt(lease, meta, receipt, gates.receipts).await?;
        }
        self.stop.check()?;
        let statements = downs(meta.steps()[index].down());
        let undoing = row.state == StepState::Undoing;
        let first = if undoing { row.down_at } else { 0 };
        for (at, down) in statements.iter().enumerate().skip(first) {
            let (lock, sql) = (down.lock(), down.sql());
            self.tell(&Event::StepBegun { version, step: index + 1, lock, sql: without_passwords(sql), down: true });
            if down.transactional() {
                while let Err(error) = self.down_in_transaction(lease, index, (at, down), state, &emptied).await {
                    let receipt = emptied.pass_after(self, lease, error).await?;
                    self.record_receipt(lease, meta, receipt, gates.receipts).await?;
                }
            } else {
                let begun = if undoing && at == first { row.begun(&normalised(sql), down.concurrent()) } else { None };
                let (down_at, concurrent) = (Some(at), down.concurrent());
                let work = down.work();
                let statement = Alone { meta, step: index, down: down_at, sql, lock, work, concurrent, begun, state };
                self.run_alone(lease, &statement).await?;
                self.record(lease, &[self.ledger.step_undoing(version, index + 1, at + 1, None)]).await?;
            }
        }
        self.record(lease, &[self.ledger.step_undone(version, index + 1)]).await
    }

    async fn down_in_transaction(
        &self,
        lease: &Lease,
        index: usize,
        (at, down): (usize, &'static DownStatement),
        state: State,
        emptied: &Emptied,
    ) -> Result<()> {
        let meta = emptied.meta();
        let given = [self.ledger.is_in_state(meta.version(), state)];
        let work = [Statement { empty: emptied.of(index, at), ..Statement::down(down, index, down.lock()) }];
        let transaction = Transaction { lease, given: &given, before: &[], work: &work };
        let next = |_: &[Answer]| vec![self.ledger.step_undoing(meta.version(), index + 1, at + 1, None)];
        self.transact(meta, &transaction, false, next, "the statement").await.map(drop)
    }

    /// The ledger without the migration, and with the event. `stood`: the steps that there was anything of.
    fn gone(&self, meta: &'static Meta, receipts: &[Value], stood: impl Fn(usize) -> bool) -> Vec<String> {
        let kept: Vec<Value> = meta
            .steps()
            .iter()
            .enumerate()
            .filter(|&(index, _)| stood(index))
            .filter_map(|(index, step)| match step.down() {
                Down::Keep(why) => Some(json!({"step": index + 1, "kept": why})),
                Down::Nothing(why) => Some(json!({"step": index + 1, "nothing": why})),
                Down::Irreversible(why) => {
                    Some(json!({"step": index + 1, "irreversible": why, "up": normalised(step.up())}))
                }
                _ => None,
            })
            .collect();
        let details = json!({"digest": meta.digest(), "receipts": receipts, "left": kept});
        vec![self.ledger.event("undone", Some(meta), None, &details), self.ledger.remove(meta.version())]
    }
}

/// What was checked for other versions is not run on this one, up or down.
fn fits_server(targets: &[Target], server_version_num: u32) -> Result<()> {
    let major = u16::try_from(server_version_num / 10_000).unwrap_or(u16::MAX);
    match targets.iter().find(|target| !target.meta.pg().contains(major)) {
        None => Ok(()),
        Some(target) => Err(Error::new(
            ErrorKind::Server,
            format!(
                "the server is PostgreSQL {major}, and this was checked for {}; nothing was taken back",
                target.meta.pg()
            ),
        )
        .at(target.meta)
        .help("Declare the range with `pg = …`, so that the compiler checks it for this version too.")),
    }
}

/// `limit`: the strongest lock that it may leave.
fn downs(down: &'static Down) -> &'static [DownStatement] {
    match down {
        Down::Sql(statements) => statements,
        _ => &[],
    }
}

//! A down that drops what is empty needs no gate. That it is empty is asked before; but clients go on writing while the down
//! waits for its lock. So it is asked again inside the transaction, under the lock, right before the down; and where
//! somebody has written meanwhile, nothing is dropped, and the gate is asked after all.

use crate::error::{Error, ErrorKind, Result};
use crate::gate::{self, are_empty};
use crate::guardian::Need;
use crate::lease::Lease;
use crate::online::{Limits, milliseconds};
use crate::pipeline::{Failed, Statement, guard};
use crate::work::Work;
use migrate_core::model::{Down, DownStatement, LockClass, Loss, Meta};
use serde_json::Value;

/// What the message has in front where there is data.
const WRITTEN: &str = "migrate found data";

/// Where the transaction keeps a setting meanwhile.
const KEPT: &str = "migrate.statement_timeout";

/// What one statement of a down drops without a gate.
#[derive(Debug)]
pub(crate) struct Empty {
    losses: Vec<Loss>,
    tables: Vec<String>,
}

impl Empty {
    /// SQL that raises 22P02 where there is anything in it. The look may have to read a whole table to find that a column
    /// of it is empty, and nobody else gets at the table meanwhile: it may take as long as one may wait for the lock.
    pub(crate) fn check(&self, lock: LockClass, limits: &Limits) -> String {
        let mut sql = String::new();
        if !self.tables.is_empty() && lock != LockClass::None {
            sql = format!("LOCK TABLE {} IN {} MODE; ", self.tables.join(", "), lock.sql());
        }
        let losses: Vec<&Loss> = self.losses.iter().collect();
        sql + &format!(
            "SELECT pg_catalog.set_config('{KEPT}', pg_catalog.current_setting('statement_timeout'), true), \
             pg_catalog.set_config('statement_timeout', '{}', true); SELECT {}; \
             SELECT pg_catalog.set_config('statement_timeout', pg_catalog.current_setting('{KEPT}'), true)",
            milliseconds(limits.lock),
            guard(&are_empty(&losses), WRITTEN)
        )
    }
}

/// Whether there is data, or the time did not suffice to see that there is none.
pub(crate) fn is_written(failed: &Failed) -> bool {
    match failed.sqlstate() {
        Some("22P02") => failed.error.as_db_error().is_some_and(|db| db.message().contains(WRITTEN)),
        state => state == Some("57014"),
    }
}

/// The error where no gate is asked any more.
pub(crate) fn written(statement: &Statement<'_>, error: tokio_postgres::Error) -> Error {
    let text =
        "what the down drops was empty before, and now holds data, or it could not be seen in time that it does not";
    Error::db(ErrorKind::Gate, text, error).statement(statement.sql).at_step(statement.step, true)
}

/// The downs of a migration as they are taken back: which steps have passed a gate, and what has to be empty for the others.
pub(crate) struct Emptied {
    meta: &'static Meta,
    server: u32,
    /// The position of each step that passed one.
    passed: Vec<usize>,
    /// By step and by statement of its down.
    empty: Vec<((usize, usize), Empty)>,
}

impl Emptied {
    pub(crate) const fn new(meta: &'static Meta, server: u32) -> Self {
        Self { meta, server, passed: Vec::new(), empty: Vec::new() }
    }

    pub(crate) const fn meta(&self) -> &'static Meta {
        self.meta
    }

    /// What has to be empty still when this statement runs.
    pub(crate) fn of(&self, step: usize, at: usize) -> Option<&Empty> {
        self.empty.iter().find(|(place, _)| *place == (step, at)).map(|(_, empty)| empty)
    }

    /// Asks the gate before a step's down, unless all that it drops is empty, and hands back its receipt.
    pub(crate) async fn pass(&mut self, work: &Work, lease: &Lease, step: usize) -> Result<Option<Value>> {
        let Some(need) = Need::of_down(self.meta, step) else { return Ok(None) };
        let held = need.held(lease).await?;
        if held.data {
            return self.pass_gate(work, lease, need).await.map(Some);
        }
        self.watch(step, &need.losses, &held.tables);
        Ok(None)
    }

    /// Asks the gate after all where the error is that somebody has written; any other is handed back.
    pub(crate) async fn pass_after(&mut self, work: &Work, lease: &Lease, error: Error) -> Result<Value> {
        let step = error.step().and_then(|step| step.checked_sub(1));
        let Some(step) = step.filter(|_| error.kind() == ErrorKind::Gate && !work.stop.is_cancelled()) else {
            return Err(error);
        };
        if self.passed.contains(&step) {
            return Err(error.help(
                "It had another name when the gate was asked: a down of a later step renames or moves it. Take the steps \
                 back one by one (`transactional = false`).",
            ));
        }
        tracing::warn!(target: "migrate", version = %self.meta.version(), step = step + 1, "what was empty was written to");
        let need = Need::of_down(self.meta, step).ok_or(error)?;
        self.pass_gate(work, lease, need).await
    }

    async fn pass_gate(&mut self, work: &Work, lease: &Lease, need: Need) -> Result<Value> {
        let receipt = work.pass(lease, &need, self.server).await?;
        self.passed.push(need.index);
        self.empty.retain(|((step, _), _)| *step != need.index);
        // What the gate did not find may be there by then: the down of a later step may give it this name.
        let failed = |error| {
            Error::db(ErrorKind::Gate, "whether all that the down destroys was there could not be found out", error)
                .at(need.meta)
                .at_step(need.index + 1, true)
        };
        let missing = gate::not_there(lease.client(), &need.losses).await.map_err(failed)?;
        let missing: Vec<Loss> =
            need.losses.iter().filter(|loss| missing.iter().any(|name| name == loss.relation)).copied().collect();
        self.watch(need.index, &missing, &[]);
        Ok(receipt)
    }

    fn watch(&mut self, step: usize, losses: &[Loss], tables: &[(String, String)]) {
        let Down::Sql(statements) = self.meta.steps()[step].down() else { return };
        for (at, down) in statements.iter().enumerate() {
            let losses: Vec<Loss> = own(down, losses);
            let tables = tables.iter().filter(|(written, _)| losses.iter().any(|loss| loss.relation == written));
            let tables = tables.map(|(_, name)| name.clone()).collect();
            if !losses.is_empty() {
                self.empty.push(((step, at), Empty { losses, tables }));
            }
        }
    }
}

fn own(down: &DownStatement, losses: &[Loss]) -> Vec<Loss> {
    down.destroys().iter().filter(|loss| losses.contains(loss)).copied().collect()
}

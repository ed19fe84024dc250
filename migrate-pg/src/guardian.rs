//! Passing the gates: all that stand before a plan are asked beforehand, and each again right before its step.

use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::gate::{Direction, Gate, GateContext, GateError, Held, held, not_there};
use crate::lease::Lease;
use crate::ledger::normalised;
use crate::work::Work;
use migrate_core::model::{Backup, Down, Loss, Meta};
use serde_json::{Value, json};
use std::sync::Arc;

/// A step that wants a backup.
pub(crate) struct Need {
    pub(crate) meta: &'static Meta,
    /// Counted from 0.
    pub(crate) index: usize,
    pub(crate) backup: Backup,
    pub(crate) losses: Vec<Loss>,
    pub(crate) direction: Direction,
}

impl Need {
    /// What a step wants on its way up.
    pub(crate) fn up(meta: &'static Meta, index: usize) -> Option<Self> {
        let destructive = meta.destructive()?;
        let step = meta.steps().get(index).filter(|step| step.destructive())?;
        let losses = step.destroys().to_vec();
        Some(Self { meta, index, backup: destructive.backup, losses, direction: Direction::Up })
    }

    /// What a step wants on its way down, unless all that it drops is empty.
    pub(crate) fn of_down(meta: &'static Meta, index: usize) -> Option<Self> {
        let Down::Sql(statements) = meta.steps()[index].down() else { return None };
        let losses: Vec<Loss> =
            statements.iter().flat_map(migrate_core::model::DownStatement::destroys).copied().collect();
        let backup = meta.destructive().map_or(Backup::Dump, |destructive| destructive.backup);
        (!losses.is_empty()).then_some(Self { meta, index, backup, losses, direction: Direction::Down })
    }

    /// What there is now of what the down drops.
    pub(crate) async fn held(&self, lease: &Lease) -> Result<Held> {
        held(lease.client(), &self.losses).await.map_err(|error| {
            Error::db(ErrorKind::Gate, "whether the down destroys anything could not be found out", error)
                .at(self.meta)
                .at_step(self.index + 1, true)
        })
    }
}

impl Work {
    /// Everything that can be known before the first step of a plan.
    pub(crate) async fn preflight_up(&self, lease: &Lease, metas: &[&'static Meta], server: u32) -> Result<()> {
        for &meta in metas {
            for need in (0..meta.steps().len()).filter_map(|index| Need::up(meta, index)) {
                self.preflight(lease, &need, server).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn preflight(&self, lease: &Lease, need: &Need, server: u32) -> Result<()> {
        let gate = self.gate_for(need)?;
        gate.preflight(&context(lease, need, server))
            .await
            .map_err(|error| refused(&**gate, need, error, "nothing was run"))
    }

    /// Passes the gate before a step, and hands back what the ledger is to keep.
    pub(crate) async fn pass(&self, lease: &Lease, need: &Need, server: u32) -> Result<Value> {
        let gate = self.gate_for(need)?;
        all_there(lease, need).await?;
        let receipt = gate
            .pass(&context(lease, need, server))
            .await
            .map_err(|error| refused(&**gate, need, error, "the step was not run"))?;
        let version = need.meta.version();
        tracing::info!(target: "migrate", %version, step = need.index + 1, gate = gate.name(), "gate passed");
        self.tell(&Event::GatePassed {
            version,
            step: need.index + 1,
            gate: gate.name(),
            receipt: receipt.json.clone(),
        });
        Ok(json!({
            "gate": gate.name(),
            "step": need.index + 1,
            "direction": need.direction.name(),
            "kind": receipt.kind,
            "receipt": receipt.json,
        }))
    }

    /// Passes the gate that a step needs, if it needs one, and writes the receipt into the ledger before the step runs.
    pub(crate) async fn pass_and_record(
        &self,
        lease: &Lease,
        need: Option<Need>,
        server: u32,
        receipts: &mut Vec<Value>,
    ) -> Result<()> {
        let Some(need) = need else { return Ok(()) };
        let receipt = self.pass(lease, &need, server).await?;
        self.record_receipt(lease, need.meta, receipt, receipts).await
    }

    pub(crate) async fn record_receipt(
        &self,
        lease: &Lease,
        meta: &'static Meta,
        receipt: Value,
        receipts: &mut Vec<Value>,
    ) -> Result<()> {
        self.record(lease, &[self.ledger.add_receipt(meta.version(), &receipt)]).await?;
        receipts.push(receipt);
        Ok(())
    }

    fn gate_for(&self, need: &Need) -> Result<&Arc<dyn Gate>> {
        self.options.gates.iter().find(|gate| gate.provides() == Some(need.backup)).ok_or_else(|| {
            let losses: Vec<String> = need.losses.iter().map(name).collect();
            Error::new(
                ErrorKind::GateMissing,
                format!(
                    "this would destroy data in {} and needs a backup of kind {}, and no gate that makes one is configured; \
                     nothing was run",
                    losses.join(", "),
                    need.backup
                ),
            )
            .at(need.meta)
            .at_step(need.index + 1, need.direction == Direction::Down)
            .help(format!("Migrator::new(history()).gate({}::to(directory, &config))", need.backup))
        })
    }
}

/// No gate can keep what it does not find, while the statement may find it: under another name by then, or another
/// `search_path`.
async fn all_there(lease: &Lease, need: &Need) -> Result<()> {
    if need.direction == Direction::Down || says_if_exists(need.meta.steps()[need.index].up()) {
        return Ok(());
    }
    let at = |error: Error| error.at(need.meta).at_step(need.index + 1, false);
    let missing = not_there(lease.client(), &need.losses).await.map_err(|error| {
        at(Error::db(ErrorKind::Gate, "whether what the step destroys is there could not be found out", error))
    })?;
    if missing.is_empty() {
        return Ok(());
    }
    let text =
        format!("{} is to lose data, and is not there for a gate to keep; the step was not run", missing.join(", "));
    Err(at(Error::new(ErrorKind::Gate, text)).statement(need.meta.steps()[need.index].up()).help(
        "See that `search_path` is the one the SQL was written for. What a step before it in the same transaction renames or \
         moves is not there yet when the gates are asked: destroy it in a migration of its own. Where it may be gone \
         already, write IF EXISTS.",
    ))
}

fn says_if_exists(sql: &str) -> bool {
    let sql = normalised(sql).to_ascii_uppercase();
    let words: Vec<&str> = sql.split(' ').collect();
    words.windows(2).any(|pair| pair == ["IF", "EXISTS"])
}

fn context<'a>(lease: &'a Lease, need: &'a Need, server: u32) -> GateContext<'a> {
    GateContext {
        client: lease.client(),
        version: need.meta.version().get(),
        migration: need.meta.name(),
        step: need.index,
        losses: &need.losses,
        direction: need.direction,
        server_version_num: server,
    }
}

fn refused(gate: &dyn Gate, need: &Need, error: GateError, then: &str) -> Error {
    let text = format!("the gate `{}` refused: {}; {then}", gate.name(), crate::connect::chain(&error));
    Error::new(ErrorKind::Gate, text)
        .at(need.meta)
        .at_step(need.index + 1, need.direction == Direction::Down)
        .because(error)
}

fn name(loss: &Loss) -> String {
    match loss.column {
        Some(column) => format!("{}.{column}", loss.relation),
        None => loss.relation.to_owned(),
    }
}

//! Passing the gates: all that stand before a plan are asked beforehand, and each again right before its step.

use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::gate::{Direction, Gate, GateContext, GateError, holds_data};
use crate::lease::Lease;
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
    pub(crate) async fn down(lease: &Lease, meta: &'static Meta, index: usize) -> Result<Option<Self>> {
        let Down::Sql(statements) = meta.steps()[index].down() else { return Ok(None) };
        let losses: Vec<Loss> =
            statements.iter().flat_map(migrate_core::model::DownStatement::destroys).copied().collect();
        if losses.is_empty() {
            return Ok(None);
        }
        let failed = |error| {
            Error::db(ErrorKind::Gate, "whether the down destroys anything could not be found out", error)
                .at(meta)
                .at_step(index + 1, true)
        };
        if !holds_data(lease.client(), &losses).await.map_err(failed)? {
            return Ok(None);
        }
        let backup = meta.destructive().map_or(Backup::Dump, |destructive| destructive.backup);
        Ok(Some(Self { meta, index, backup, losses, direction: Direction::Down }))
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
        self.record(lease, &[self.ledger.add_receipt(need.meta.version(), &receipt)]).await?;
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

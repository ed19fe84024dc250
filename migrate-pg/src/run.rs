//! `run`: a look, a plan, and, where there is anything to do, the lease, another look, and the migrations one by one.

use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::lease::Lease;
use crate::ledger::Look;
use crate::report::{PlanReport, RunReport};
use crate::work::Work;
use migrate_core::model::Phase;
use migrate_core::plan::Plan;
use serde_json::json;

impl Work {
    pub(crate) async fn run(self, ceiling: Phase) -> Result<RunReport> {
        let session = self.source.session().await?;
        let look = self.look_once(session.client()).await?;
        if let Some(look) = look {
            let plan = self.plan(session.client(), &look, ceiling).await?;
            self.want_gates(&plan)?;
            if plan.is_nothing() && !self.wants_baseline(&look) {
                session.close().await;
                return Ok(self.nothing(&plan));
            }
        } else if self.history.is_empty() && self.history.baseline().is_none() {
            return Ok(RunReport::default());
        }
        self.stop.check()?;
        let lease = self.lease(session).await?;
        let result = self.run_leased(&lease, ceiling).await;
        lease.release().await;
        result
    }

    /// One round trip; `None` where there is no ledger yet.
    async fn look_once(&self, client: &tokio_postgres::Client) -> Result<Option<Look>> {
        let look = self.look_at_ledger(client).await?;
        Ok(look.format.is_some().then_some(look))
    }

    async fn run_leased(&self, lease: &Lease, ceiling: Phase) -> Result<RunReport> {
        let look = self.look(lease.client()).await?;
        let plan = self.plan(lease.client(), &look, ceiling).await?;
        self.want_gates(&plan)?;
        let planned: Vec<_> = plan.planned().iter().map(|planned| planned.meta).collect();
        self.preflight_up(lease, &planned, look.server_version_num).await?;

        let mut report = self.nothing(&plan);
        report.baseline = self.settle_baseline(lease, &look).await?;
        // The table of a backfill may be the baseline's.
        self.preflight_keys(lease, &plan).await?;
        for edit in plan.accepted() {
            let details = json!({"was": edit.was, "is": edit.meta.digest()});
            self.record(
                lease,
                &[self.ledger.rewrite(edit.meta), self.ledger.event("accepted edit", Some(edit.meta), None, &details)],
            )
            .await?;
            report.accepted.push((edit.meta.version(), edit.meta.name()));
        }
        for planned in plan.planned() {
            self.stop.check()?;
            report.applied.push(self.apply(lease, planned, look.server_version_num).await?);
        }
        Ok(report)
    }

    /// A report with nothing applied yet.
    fn nothing(&self, plan: &Plan) -> RunReport {
        for held in plan.held() {
            let (version, name) = (held.meta.version(), held.meta.name());
            tracing::info!(target: "migrate", %version, name, why = %held, "held back");
            self.tell(&Event::Held { version, name, why: held.to_string() });
        }
        RunReport::of(plan)
    }

    /// Writes to the ledger alone, in one transaction.
    pub(crate) async fn record(&self, lease: &Lease, statements: &[String]) -> Result<()> {
        crate::pipeline::Transaction { lease, given: &[], before: statements, work: &[] }
            .send(&self.options.limits, &[], false, |_| Vec::new())
            .await
            .map(drop)
            .map_err(crate::pipeline::around)
    }

    pub(crate) async fn plan_only(self, ceiling: Phase) -> Result<PlanReport> {
        let session = self.source.session().await?;
        let look = self.look(session.client()).await?;
        let plan = self.plan(session.client(), &look, ceiling).await?;
        let fires = self.fires(session.client(), &plan).await?;
        let unfinished: Vec<_> = plan
            .planned()
            .iter()
            .filter(|planned| planned.unfinished.is_some())
            .map(|planned| planned.meta.version())
            .collect();
        let begun =
            if unfinished.is_empty() { Vec::new() } else { self.ledger.begun(session.client(), &unfinished).await? };
        session.close().await;
        let mut unsettled = self.history.unsettled();
        unsettled.retain(|(version, _)| plan.planned().iter().any(|planned| planned.meta.version() == *version));
        Ok(PlanReport { plan, fires, begun, unsettled })
    }

    /// Refuses a plan with a destructive migration that no configured gate satisfies.
    fn want_gates(&self, plan: &Plan) -> Result<()> {
        let provided: Vec<_> = self.options.gates.iter().filter_map(|gate| gate.provides()).collect();
        let missing = plan.missing_backups(&provided);
        let Some(&(first, backup)) = missing.first() else { return Ok(()) };
        let all = missing.iter().map(|(meta, _)| format!("{} {}", meta.version(), meta.name())).collect::<Vec<_>>();
        Err(Error::new(
            ErrorKind::GateMissing,
            format!(
                "nothing was run: {} destroys data, asks for a backup of kind {backup}, and no gate that makes one is configured",
                all.join(", ")
            ),
        )
        .at(first)
        .help(format!("Migrator::new(history()).gate({backup}::to(directory, &config)).run_through(…)")))
    }
}

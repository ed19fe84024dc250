//! The baseline: the schema that was there before the history. It is not run but found, and recorded as adopted; on
//! request, an empty database is given it.

mod probe;

use crate::error::{Error, ErrorKind, Result};
use crate::lease::Lease;
use crate::ledger::{Look, field, rows, unreadable};
use crate::report::Baselined;
use crate::work::Work;
use migrate_core::model::{Baseline, Effect, Meta};
use migrate_core::plan::{State, baseline_objects};
use serde_json::json;

impl Work {
    pub(crate) fn wants_baseline(&self, look: &Look) -> bool {
        self.history.baseline().is_some_and(|baseline| look.baseline_digest.as_deref() != Some(baseline.digest()))
    }

    /// Finds the baseline on the server, or loads it where that was asked for, and records it.
    pub(crate) async fn settle_baseline(&self, lease: &Lease, look: &Look) -> Result<Option<Baselined>> {
        let Some(baseline) = self.history.baseline().filter(|_| self.wants_baseline(look)) else { return Ok(None) };
        if let Some(was) = &look.baseline_digest {
            // What it made may have changed by migrations since: there is nothing to compare it with on the server.
            let details = json!({"was": was, "is": baseline.digest()});
            self.record_baseline(lease, baseline, "changed baseline", &details).await?;
            return Ok(Some(Baselined::Changed));
        }
        let applied: Vec<&'static Meta> = look
            .rows
            .iter()
            .filter(|row| row.state == State::Applied)
            .filter_map(|row| self.history.find(row.version))
            .map(migrate_core::model::Migration::meta)
            .collect();
        let expected = baseline_objects(baseline, &applied);
        let probed: Vec<(&Effect, String)> = expected
            .iter()
            .filter_map(|&(effect, name)| probe::is_there(effect.kind(), name).map(|sql| (effect, sql)))
            .collect();
        let missing = missing(lease, &probed).await?;
        // A baseline that makes nothing says that there was nothing: that is so of any database.
        if missing.is_empty() && (!probed.is_empty() || expected.is_empty()) {
            let details = json!({"objects": probed.len(), "not looked for": expected.len() - probed.len()});
            self.record_baseline(lease, baseline, "adopted baseline", &details).await?;
            return Ok(Some(Baselined::Adopted { objects: probed.len() }));
        }
        if missing.len() < probed.len() {
            let list = missing.join("\n    ");
            return Err(Error::new(
                ErrorKind::Baseline,
                format!("the baseline is not adopted: {} of its {} objects are not there:\n    {list}", missing.len(), probed.len()),
            )
            .help(
                "Dump the schema of this database anew (pg_dump --schema-only) into the baseline's file, or make what is \
                 missing; and see that `search_path` and the database are the right ones.",
            ));
        }
        if !self.options.load_baseline {
            return Err(Error::new(
                ErrorKind::Baseline,
                "the history has a baseline, a schema that was there before it, and none of it is in this database",
            )
            .help(
                "Connect to the database that it was taken from; or, for a new one, load it by `load_baseline(true)`.",
            ));
        }
        self.load(lease, baseline).await?;
        self.record_baseline(lease, baseline, "loaded baseline", &json!({})).await?;
        Ok(Some(Baselined::Loaded))
    }

    async fn record_baseline(
        &self,
        lease: &Lease,
        baseline: &Baseline,
        event: &str,
        details: &serde_json::Value,
    ) -> Result<()> {
        let digest = baseline.digest();
        self.record(lease, &[self.ledger.adopt_baseline(digest), self.ledger.event(event, None, None, details)]).await
    }

    async fn load(&self, lease: &Lease, baseline: &Baseline) -> Result<()> {
        let sql = baseline.sql();
        let result = lease.client().batch_execute(&format!("BEGIN;\n{sql}\n;COMMIT")).await;
        if let Err(error) = result {
            if let Err(second) = lease.client().batch_execute("ROLLBACK").await {
                tracing::debug!(target: "migrate", error = %second, "ROLLBACK failed");
            }
            return Err(Error::db(
                ErrorKind::Baseline,
                "the baseline could not be loaded; nothing of it was kept",
                error,
            ));
        }
        // A dump sets the session up for itself, an empty search_path among other things.
        let reset = lease.client().batch_execute("RESET ALL").await;
        reset.map_err(|error| Error::db(ErrorKind::Baseline, "the session could not be reset", error))?;
        self.configure(lease.client()).await
    }
}

/// Which of the objects are not there, in words.
async fn missing(lease: &Lease, probed: &[(&Effect, String)]) -> Result<Vec<&'static str>> {
    if probed.is_empty() {
        return Ok(Vec::new());
    }
    let values: Vec<String> = probed.iter().enumerate().map(|(index, (_, sql))| format!("({index}, {sql})")).collect();
    let sql =
        format!("SELECT n FROM (VALUES {}) AS probe (n, there) WHERE there IS NOT TRUE ORDER BY n", values.join(", "));
    let found = lease.client().simple_query(&sql).await.map(rows).map_err(|error| {
        Error::db(ErrorKind::Baseline, "the objects of the baseline could not be looked for", error)
    })?;
    found
        .iter()
        .map(|row| {
            let index: usize = field(row, "n")?.parse().map_err(unreadable)?;
            let (effect, _) = probed.get(index).ok_or_else(|| unreadable("a row that was not asked for"))?;
            Ok(effect.object())
        })
        .collect()
}

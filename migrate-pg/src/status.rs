//! `status`: what the ledger says, beside the history.

use crate::error::{Error, ErrorKind, Result};
use crate::lease::current_holder;
use crate::ledger::Details;
use crate::report::{StatusReport, StatusRow};
use crate::work::Work;
use std::collections::BTreeMap;

impl Work {
    pub(crate) async fn status(self) -> Result<StatusReport> {
        let session = self.source.session().await?;
        let client = session.client();
        let look = self.look(client).await?;
        let mut all: BTreeMap<_, StatusRow> =
            self.metas().into_iter().map(|meta| (meta.version(), StatusRow::pending(meta))).collect();
        if look.format.is_some() {
            let mut details = self.ledger.details(client).await?;
            for row in &look.rows {
                let meta = self.history.find(row.version).map(migrate_core::model::Migration::meta);
                let Details { started, finished, role, application, host, rows, error } =
                    details.remove(&row.version).ok_or_else(|| {
                        Error::new(ErrorKind::Ledger, format!("{} left the ledger while it was read", row.version))
                    })?;
                let edited = meta.is_some_and(|meta| meta.digest() != row.digest);
                let (version, name, phase, known) = (row.version, row.name.clone(), row.phase, meta.is_some());
                let state = Some(row.state);
                let row = StatusRow {
                    version,
                    name,
                    phase,
                    state,
                    known,
                    edited,
                    started,
                    finished,
                    role,
                    application,
                    host,
                    rows,
                    error,
                };
                all.insert(version, row);
            }
        }
        let runner = current_holder(client, &self.ledger.name).await?;
        session.close().await;
        Ok(StatusReport { migrations: all.into_values().collect(), runner, baseline: look.baseline_digest })
    }
}

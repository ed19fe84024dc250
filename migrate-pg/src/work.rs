//! What every verb stands on: the history, the ledger, the plan made of both, and a session that holds the lease.

use crate::connect::{Session, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::handle::Stop;
use crate::lease::{Lease, Terms};
use crate::ledger::{Ledger, Look, ask, field, normalised, unreadable};
use crate::migrator::Options;
use crate::online::Blocker;
use crate::{pipeline, quote};
use migrate_core::model::{History, Meta, Migration, Phase, Version};
use migrate_core::plan::{Plan, Refusal};
use std::sync::Arc;
use tokio_postgres::Client;

/// One call of a verb.
pub(crate) struct Work {
    pub(crate) history: Arc<History>,
    pub(crate) options: Options,
    pub(crate) source: Source,
    pub(crate) stop: Stop,
    pub(crate) ledger: Ledger,
}

impl Work {
    pub(crate) fn new(history: Arc<History>, options: Options, source: Source, stop: Stop) -> Self {
        let ledger = Ledger::new(&options.schema, host_name(), options.limits.lock);
        Self { history, options, source, stop, ledger }
    }

    pub(crate) fn tell(&self, event: &Event) {
        if let Some(listener) = &self.options.listener {
            listener(event);
        }
    }

    pub(crate) fn metas(&self) -> Vec<&'static Meta> {
        self.history.metas().collect()
    }

    pub(crate) fn migration(&self, version: Version) -> Result<&dyn Migration> {
        self.history
            .find(version)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("this program has no migration {version}")))
    }

    /// The plan, or an error that shows what was edited.
    pub(crate) async fn plan(&self, client: &Client, look: &Look, ceiling: Phase) -> Result<Plan> {
        let major = u16::try_from(look.server_version_num / 10_000).unwrap_or(u16::MAX);
        match Plan::new(&self.metas(), &look.rows, major, ceiling) {
            Ok(plan) => Ok(plan),
            Err(refused) => {
                let mut differences = String::new();
                for refusal in refused.refusals() {
                    if let Refusal::Edited { meta, .. } = refusal {
                        let was = self.ledger.applied_sql(client, meta.version()).await?;
                        differences.push_str(&difference(meta, &was));
                    }
                }
                Err(Error::refused(refused).more(&differences))
            }
        }
    }

    /// One round trip, and no more than `lock_timeout` in it; tried again, as the schedule says, while somebody holds the
    /// ledger.
    pub(crate) async fn look_at_ledger(&self, client: &Client) -> Result<Look> {
        let (mut pauses, mut attempt) = (self.options.lock_schedule.pauses(), 0);
        loop {
            let error = match self.ledger.look(client).await {
                Err(error) if error.kind() == ErrorKind::LockTimeout => error,
                found => return found,
            };
            attempt += 1;
            let Some(pause) = pauses.next() else {
                return Err(if attempt == 1 { error } else { error.more(&format!(" ({attempt} attempts)")) });
            };
            let blockers = error.in_the_way().to_vec();
            tracing::warn!(
                target: "migrate", attempt, ?pause,
                blockers = ?blockers.iter().map(Blocker::name).collect::<Vec<_>>(), "the ledger is locked; trying again"
            );
            self.tell(&Event::LedgerLocked { attempt, pause, blockers });
            self.stop.sleep(pause).await;
            self.stop.check()?;
        }
    }

    /// A look at the ledger that knows the server's version also where there is no ledger.
    pub(crate) async fn look(&self, client: &Client) -> Result<Look> {
        let mut look = self.look_at_ledger(client).await?;
        if look.server_version_num == 0 {
            let failed = |error| Error::db(ErrorKind::Session, "the server's version could not be read", error);
            let found = ask(client, "SHOW server_version_num").await.map_err(failed)?;
            let row = found.first().ok_or_else(|| unreadable("the server names no version"))?;
            look.server_version_num = field(row, "server_version_num")?.parse().map_err(unreadable)?;
        }
        Ok(look)
    }

    /// A session of our own that holds the lease, configured, and the ledger made or upgraded.
    pub(crate) async fn lease(&self, session: Session) -> Result<Lease> {
        let tell = |event: Event| self.tell(&event);
        let terms = Terms {
            ledger: &self.ledger.name,
            wait: self.options.lease_wait,
            stop: &self.stop,
            tell: &tell,
            source: &self.source,
        };
        let mut lease = Lease::take(session.detach(), &terms).await?;
        lease.cancel_when_asked(&self.source, &self.stop);
        match self.settle(&lease).await {
            Ok(()) => Ok(lease),
            Err(error) => {
                lease.release().await;
                Err(error)
            }
        }
    }

    async fn settle(&self, lease: &Lease) -> Result<()> {
        self.configure(lease.client()).await?;
        let look = self.look_at_ledger(lease.client()).await?;
        self.ledger.prepare(lease.client(), look.format).await
    }

    /// Sets the session up. It is ours, and closed in the end: nothing of this reaches the pool.
    pub(crate) async fn configure(&self, client: &Client) -> Result<()> {
        // A default of the role or the database that cuts statements off would cut an index build off. A runner that is
        // frozen inside a transaction must not hold its locks for long.
        let mut settings = vec![
            // And what says that this role had better not write by mistake is not said to a migration. A policy that would
            // hide rows from it is an error, and leaves none out in silence.
            "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = '60s'; \
             SET default_transaction_read_only = off; SET row_security = off"
                .to_owned(),
            // Those that not every version has: a gate that takes minutes leaves the session idle, and 17's limit on a
            // transaction ends the session, and the lease with it.
            "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings \
             WHERE name IN ('idle_session_timeout', 'transaction_timeout')"
                .to_owned(),
        ];
        settings.push(match &self.options.application {
            Some(name) => format!("SET application_name = {}", quote::literal(name)),
            None => "SELECT pg_catalog.set_config('application_name', coalesce(nullif(current_setting(\
                     'application_name'), ''), 'migrate'), false)"
                .to_owned(),
        });
        if let Some(role) = &self.options.role {
            settings.push(format!("SET ROLE {}", quote::ident(role)));
        }
        if let Some(path) = &self.options.search_path {
            settings.push(format!("SELECT pg_catalog.set_config('search_path', {}, false)", quote::literal(path)));
        }
        // Lets the server notice within a second that this process is gone (manual, 20.3.2). Not on every platform.
        settings.push("SET client_connection_check_interval = '1s'".to_owned());
        let optional = settings.len() - 1;
        let parts: Vec<&str> = settings.iter().map(String::as_str).collect();
        for (index, answer) in pipeline::send(client, &parts).await.into_iter().enumerate() {
            match answer {
                Err(error) if index == optional && !error.is_closed() => {
                    tracing::debug!(target: "migrate", %error, "client_connection_check_interval is not to be had here");
                }
                Err(error) => {
                    let text = format!("the session could not be set up by {}", settings[index]);
                    return Err(Error::db(ErrorKind::Session, text, error));
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }
}

/// What was run, and what the program has now, step by step where they differ.
fn difference(meta: &Meta, was: &[String]) -> String {
    use std::fmt::Write as _;
    let now: Vec<String> = meta.steps().iter().map(|step| normalised(step.up())).collect();
    let mut text = format!("\n  {} {}:", meta.version(), meta.name());
    let mut differs = false;
    for index in 0..was.len().max(now.len()) {
        let (was, now) = (was.get(index), now.get(index));
        if was != now {
            differs = true;
            let _ = write!(text, "\n    step {}", index + 1);
            if let Some(was) = was {
                let _ = write!(text, "\n    - {was}");
            }
            if let Some(now) = now {
                let _ = write!(text, "\n    + {now}");
            }
        }
    }
    if !differs {
        text.push_str(" its ups are the same; a down differs");
    }
    text
}

/// The name of the machine, for the ledger.
fn host_name() -> Option<String> {
    let file = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let variable = || std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok();
    file.or_else(variable).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

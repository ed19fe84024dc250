//! The front door: a history, how it is to be run, and the verbs.

use crate::connect::Source;
use crate::event::Event;
use crate::gate::Gate;
use crate::handle::Running;
use crate::report::{PlanReport, RunReport, StatusReport, UndoReport};
use crate::undo::Which;
use crate::work::Work;
use migrate_core::model::{History, Phase, Version};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Runs a history against databases.
///
/// Every verb takes a pool, a connection string or a `tokio_postgres::Config` (see [`Source`]) and returns a [`Running`],
/// which does nothing until it is awaited and stops at the next boundary when it is dropped.
#[derive(Clone)]
pub struct Migrator {
    history: Arc<History>,
    options: Options,
}

type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) gates: Vec<Arc<dyn Gate>>,
    pub(crate) schema: String,
    pub(crate) role: Option<String>,
    pub(crate) search_path: Option<String>,
    pub(crate) application: Option<String>,
    pub(crate) lock_timeout: Duration,
    pub(crate) lock_attempts: u32,
    pub(crate) lock_pause: Duration,
    pub(crate) lease_wait: Duration,
    pub(crate) load_baseline: bool,
    pub(crate) irreversible: bool,
    pub(crate) schema_only: bool,
    pub(crate) listener: Option<Listener>,
}

impl Migrator {
    /// A runner for this history, as `migrations!` makes it.
    pub fn new(history: History) -> Self {
        Self {
            history: Arc::new(history),
            options: Options {
                gates: Vec::new(),
                schema: "migrate".to_owned(),
                role: None,
                search_path: None,
                application: None,
                lock_timeout: Duration::from_secs(2),
                lock_attempts: 10,
                lock_pause: Duration::from_secs(1),
                lease_wait: Duration::from_mins(10),
                load_baseline: false,
                irreversible: false,
                schema_only: false,
                listener: None,
            },
        }
    }

    /// A gate that destructive steps pass. Without one that provides the backup a migration asks for, nothing of a plan
    /// that holds it runs.
    #[must_use]
    pub fn gate(mut self, gate: impl Gate) -> Self {
        self.options.gates.push(Arc::new(gate));
        self
    }

    /// The schema of the ledger, `migrate` unless said otherwise. It is made where it is missing.
    #[must_use]
    pub fn ledger_schema(mut self, schema: impl Into<String>) -> Self {
        self.options.schema = schema.into();
        self
    }

    /// The role that runs the migrations, by SET ROLE: the owner of the tables, where the login is not.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.options.role = Some(role.into());
        self
    }

    /// The `search_path` that migrations run with, as `SET search_path` takes it: `app, public`.
    #[must_use]
    pub fn search_path(mut self, search_path: impl Into<String>) -> Self {
        self.options.search_path = Some(search_path.into());
        self
    }

    /// The `application_name` of the session that runs the migrations, which the ledger records; that of the connection
    /// unless said otherwise.
    #[must_use]
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.options.application = Some(name.into());
        self
    }

    /// How long a statement waits for a lock before it makes room for what queues behind it: 2 s unless said otherwise.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.options.lock_timeout = timeout;
        self
    }

    /// How often a lock is tried for, and the first of the pauses between, which grow and are jittered: 10 times and 1 s
    /// unless said otherwise.
    #[must_use]
    pub fn lock_retries(mut self, attempts: u32, pause: Duration) -> Self {
        self.options.lock_attempts = attempts.max(1);
        self.options.lock_pause = pause;
        self
    }

    /// How long to wait while another runner holds the lease: 10 minutes unless said otherwise.
    #[must_use]
    pub fn lease_wait(mut self, wait: Duration) -> Self {
        self.options.lease_wait = wait;
        self
    }

    /// Whether an empty database is given the baseline by running its file: for tests and new environments. Without it
    /// a baseline is only looked for.
    #[must_use]
    pub fn load_baseline(mut self, load: bool) -> Self {
        self.options.load_baseline = load;
        self
    }

    /// Whether `undo` passes over steps that PostgreSQL cannot take back instead of refusing.
    #[must_use]
    pub fn allow_irreversible(mut self, allow: bool) -> Self {
        self.options.irreversible = allow;
        self
    }

    /// Whether `undo` of a destructive step may bring back the definition without the data. Without it such an undo is
    /// refused, and says where the data is.
    #[must_use]
    pub fn schema_only(mut self, schema_only: bool) -> Self {
        self.options.schema_only = schema_only;
        self
    }

    /// Whom to tell what happens while it happens.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.options.listener = Some(Arc::new(listener));
        self
    }

    /// The history.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Applies what is pending and of phase Expand: what a start-up may do while the previous release still serves.
    /// The report says what was held back. With nothing pending it is one round trip.
    pub fn run(&self, source: impl Into<Source>) -> Running<RunReport> {
        self.run_through(Phase::Expand, source)
    }

    /// Applies what is pending up to and including this phase.
    pub fn run_through(&self, phase: Phase, source: impl Into<Source>) -> Running<RunReport> {
        self.running(source, move |work| async move { work.run(phase).await })
    }

    /// What [`Migrator::run_through`] this phase would do. Reads the ledger and nothing else.
    pub fn plan(&self, phase: Phase, source: impl Into<Source>) -> Running<PlanReport> {
        self.running(source, move |work| async move { work.plan_only(phase).await })
    }

    /// What the ledger says of every migration. Reads only.
    pub fn status(&self, source: impl Into<Source>) -> Running<StatusReport> {
        self.running(source, |work| async move { work.status().await })
    }

    /// Takes back the last `count` migrations, the last applied first.
    pub fn undo(&self, count: usize, source: impl Into<Source>) -> Running<UndoReport> {
        self.running(source, move |work| async move { work.undo(Which::Last(count)).await })
    }

    /// Takes back every migration with a version above this one, the last applied first. 0 takes back all.
    pub fn down_to(&self, version: impl Into<Version>, source: impl Into<Source>) -> Running<UndoReport> {
        let version = version.into();
        self.running(source, move |work| async move { work.undo(Which::Above(version)).await })
    }

    /// Takes back the last migration and applies it again, whatever its phase.
    pub fn redo(&self, source: impl Into<Source>) -> Running<UndoReport> {
        self.running(source, |work| async move { work.redo().await })
    }

    /// The work of a verb, for who does other than the verbs.
    #[cfg(feature = "testing")]
    pub(crate) fn work_on(&self, source: Source, stop: crate::handle::Stop) -> Work {
        Work::new(self.history.clone(), self.options.clone(), source, stop)
    }

    fn running<T, F>(&self, source: impl Into<Source>, verb: impl FnOnce(Work) -> F) -> Running<T>
    where
        F: Future<Output = crate::error::Result<T>> + Send + 'static,
    {
        Running::new(|stop| verb(Work::new(self.history.clone(), self.options.clone(), source.into(), stop)))
    }
}

impl fmt::Debug for Migrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrator")
            .field("history", &self.history)
            .field("ledger_schema", &self.options.schema)
            .field("gates", &self.options.gates.iter().map(|gate| gate.name()).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

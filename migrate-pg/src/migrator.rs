//! The front door: a history, how it is to be run, and the verbs.

use crate::backfill::{BadRows, Pace};
use crate::connect::Source;
use crate::event::Event;
use crate::gate::Gate;
use crate::handle::Running;
use crate::online::{BlockerPolicy, Limits, LockSchedule};
use crate::report::{PlanReport, RunReport, StatusReport, UndoReport};
use crate::undo::Which;
use crate::work::Work;
use migrate_core::model::{History, Phase, Version, Work as WorkClass};
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
    pub(crate) limits: Limits,
    pub(crate) lock_schedule: LockSchedule,
    pub(crate) old_transaction: Duration,
    pub(crate) blockers: BlockerPolicy,
    pub(crate) snapshot_wait: Duration,
    pub(crate) lease_wait: Duration,
    pub(crate) load_baseline: bool,
    pub(crate) irreversible: bool,
    pub(crate) schema_only: bool,
    pub(crate) pace: Pace,
    pub(crate) bad_rows: BadRows,
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
                limits: Limits::default(),
                lock_schedule: LockSchedule::default(),
                old_transaction: Duration::from_secs(10),
                blockers: BlockerPolicy::Leave,
                snapshot_wait: Duration::from_mins(10),
                lease_wait: Duration::from_mins(10),
                load_baseline: false,
                irreversible: false,
                schema_only: false,
                pace: Pace::default(),
                bad_rows: BadRows::Stop,
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

    /// How long a transaction waits for locks before it makes room for what queues behind it, all of its waits together:
    /// 2 s unless said otherwise, which clients take for a slow query and not for an outage. 0 is no limit.
    ///
    /// Where autovacuum holds the table it is longer than the server's `deadlock_timeout`, by which autovacuum is cancelled.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.options.limits.lock = timeout;
        self
    }

    /// How often, and after which pauses, a lock is tried for again: see [`LockSchedule`]. A transaction is tried again as a
    /// whole, and so only where nothing in it before the lock does work that grows with a table.
    #[must_use]
    pub fn lock_schedule(mut self, schedule: LockSchedule) -> Self {
        self.options.lock_schedule = schedule;
        self
    }

    /// From which age on an open transaction that holds a conflicting lock on a table is expected to stay: a lock that
    /// makes clients wait is not queued for behind it, and tried for again as the schedule says. 10 s unless said
    /// otherwise; 0 queues behind any. Behind a prepared transaction, or autovacuum against wraparound, it never queues.
    #[must_use]
    pub fn old_transaction(mut self, age: Duration) -> Self {
        self.options.old_transaction = age;
        self
    }

    /// How long a step that runs CONCURRENTLY waits, before it begins, for the open transactions that it would wait for
    /// anyway, half done: 10 minutes unless said otherwise. Then it is an error, and nothing was begun.
    #[must_use]
    pub fn snapshot_wait(mut self, wait: Duration) -> Self {
        self.options.snapshot_wait = wait;
        self
    }

    /// What may be done to sessions that are in the way: nothing, unless said otherwise. See [`BlockerPolicy`].
    #[must_use]
    pub fn blockers(mut self, policy: BlockerPolicy) -> Self {
        self.options.blockers = policy;
        self
    }

    /// How long a statement that locks what was there may take, its waits included, by the work that it does: 10 s for
    /// `Metadata`, whose time does not grow with the table, and no limit for the rest, whose time nobody can guess. 0 is no
    /// limit.
    #[must_use]
    pub fn statement_timeout(mut self, work: WorkClass, timeout: Duration) -> Self {
        self.options.limits.set_statement(work, timeout);
        self
    }

    /// How long the server lets this program be silent within a transaction before it ends the session, so that a
    /// frozen process does not hold its locks: 10 s unless said otherwise. 0 is no limit.
    #[must_use]
    pub fn idle_in_transaction_timeout(mut self, timeout: Duration) -> Self {
        self.options.limits.idle = timeout;
        self
    }

    /// How long a transaction of nothing but `Metadata` work may take as a whole: 60 s unless said otherwise, on
    /// PostgreSQL 17 and newer, which have the setting. The server ends the session, and the lease with it: the run fails,
    /// and the next goes on from there. 0 is no limit.
    #[must_use]
    pub fn transaction_timeout(mut self, timeout: Duration) -> Self {
        self.options.limits.transaction = timeout;
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

    /// How fast backfills may go, and what they make way for.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.options.pace = pace;
        self
    }

    /// What a backfill does about a row that cannot be filled: it stops there, unless said otherwise.
    #[must_use]
    pub fn bad_rows(mut self, bad_rows: BadRows) -> Self {
        self.options.bad_rows = bad_rows;
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

    /// As [`Migrator::run`], until `shutdown` is there: see [`Running::until`], which every verb has.
    pub async fn run_until(&self, shutdown: impl Future, source: impl Into<Source>) -> crate::error::Result<RunReport> {
        self.run(source).until(shutdown).await
    }

    /// Applies what is pending up to and including this phase.
    pub fn run_through(&self, phase: Phase, source: impl Into<Source>) -> Running<RunReport> {
        self.running(source, move |work| async move { work.run(phase).await })
    }

    /// What [`Migrator::run_through`] this phase would do. Reads the ledger, and which triggers its backfills
    /// will fire.
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

    /// Pauses the backfills of this history that are under way, in whatever process: they wait between two batches, and keep
    /// what they have. Also for the runs that come after, until [`Migrator::resume`]. Says which they are, by version and
    /// step; none is no error.
    pub fn pause(&self, source: impl Into<Source>) -> Running<Vec<(Version, usize)>> {
        self.running(source, |work| async move { work.ask(Some("pause")).await })
    }

    /// Lets backfills that were paused go on. Says which they are.
    pub fn resume(&self, source: impl Into<Source>) -> Running<Vec<(Version, usize)>> {
        self.running(source, |work| async move { work.ask(None).await })
    }

    /// Ends the backfills that are under way, in whatever process: their runs fail with [`ErrorKind::Cancelled`] between two
    /// batches, and the next run goes on from there. Says which they are.
    ///
    /// [`ErrorKind::Cancelled`]: crate::ErrorKind::Cancelled
    pub fn cancel_backfill(&self, source: impl Into<Source>) -> Running<Vec<(Version, usize)>> {
        self.running(source, |work| async move { work.ask(Some("cancel")).await })
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

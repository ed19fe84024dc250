//! What a run tells while it runs.

use crate::backfill::BackfillProgress;
use crate::lease::Holder;
use crate::online::Blocker;
use migrate_core::model::{LockClass, Version};
use std::time::Duration;

/// Something that happened in a run. `Migrator::on_event` receives them, in order, on the run's own task: a listener that
/// blocks holds the run up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// Another runner has the lease, and this one waits.
    LeaseWaiting {
        /// Who has it, as far as the server shows.
        holder: Option<Holder>,
        /// For how long it has waited.
        waited: Duration,
    },
    /// The lease was taken.
    LeaseTaken {
        /// After how long a wait.
        waited: Duration,
    },
    /// A migration begins.
    Begun {
        /// Its version.
        version: Version,
        /// Its name.
        name: &'static str,
        /// Whether an earlier run began it.
        resumed: bool,
    },
    /// A step that runs by itself begins. The steps of a transactional migration are sent together, and tell their end
    /// only.
    StepBegun {
        /// The version of its migration.
        version: Version,
        /// Its number, from 1.
        step: usize,
        /// The strongest lock it takes.
        lock: LockClass,
        /// Its statement, passwords in it blotted out.
        sql: String,
        /// Whether it is taken back.
        down: bool,
    },
    /// A step is done.
    StepDone {
        /// The version of its migration.
        version: Version,
        /// Its number, from 1.
        step: usize,
        /// The rows it wrote.
        rows: u64,
        /// How long it took.
        elapsed: Duration,
        /// Whether it was taken back.
        down: bool,
    },
    /// A backfill has filled another batch.
    Backfill {
        /// The version of its migration.
        version: Version,
        /// Its step's number, from 1.
        step: usize,
        /// How far it is, how fast it goes, and how long the rest will take.
        progress: BackfillProgress,
    },
    /// A backfill that begins will fire triggers of the table's own.
    BackfillFires {
        /// The version of its migration.
        version: Version,
        /// Its step's number, from 1.
        step: usize,
        /// The table.
        table: &'static str,
        /// The triggers, by name.
        triggers: Vec<String>,
    },
    /// A backfill waits between two batches: for a standby, or for the archiver. Told every 5 s while it does.
    BackfillHeld {
        /// The version of its migration.
        version: Version,
        /// Its step's number, from 1.
        step: usize,
        /// What it waits for.
        why: String,
        /// How long it has waited.
        waited: Duration,
    },
    /// A backfill goes half as fast from here on: it rests after each batch for as long as the batch took, while a vacuum
    /// cleans the table.
    BackfillSlowed {
        /// The version of its migration.
        version: Version,
        /// Its step's number, from 1.
        step: usize,
        /// What it makes way for.
        why: String,
    },
    /// A backfill cannot see something that it would make way for, because its role may not.
    BackfillBlind {
        /// The version of its migration.
        version: Version,
        /// Its step's number, from 1.
        step: usize,
        /// What, and which privilege shows it.
        what: String,
    },
    /// A backfill was paused from another session, and waits.
    BackfillPaused {
        /// The version of its migration.
        version: Version,
        /// Its step's number, from 1.
        step: usize,
    },
    /// A backfill that was paused goes on.
    BackfillResumed {
        /// The version of its migration.
        version: Version,
        /// Its step's number, from 1.
        step: usize,
    },
    /// A backfill passed over a row that cannot be filled, and recorded it.
    RowSkipped {
        /// The version of its migration.
        version: Version,
        /// Its step's number, from 1.
        step: usize,
        /// The row's key.
        key: String,
        /// Why.
        reason: String,
    },
    /// A lock was not had in time; it is tried again after a pause.
    Retry {
        /// The version of the migration.
        version: Version,
        /// The step that waited.
        step: Option<usize>,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// The pause before the next.
        pause: Duration,
        /// `55P03` where it was not had in time, or not queued for since that would have been in vain; `40P01` for a
        /// deadlock; another where a step was cut off halfway, and has to be finished.
        sqlstate: String,
        /// Who was in the way.
        blockers: Vec<Blocker>,
        /// Why nobody could be seen, where that is so.
        unseen: Option<String>,
    },
    /// The ledger could not be looked at, since somebody holds it locked; it is tried again after a pause.
    LedgerLocked {
        /// The attempt that failed, from 1.
        attempt: u32,
        /// The pause before the next.
        pause: Duration,
        /// Who holds it.
        blockers: Vec<Blocker>,
    },
    /// A step that runs CONCURRENTLY waits for transactions that are open: before it begins, or while it runs. Told after a
    /// second, and again when they are others.
    Waiting {
        /// The version of the migration.
        version: Version,
        /// The step's number, from 1.
        step: usize,
        /// For how long it has waited, or has run.
        waited: Duration,
        /// For whom.
        blockers: Vec<Blocker>,
        /// Why nobody could be seen, where that is so: the step runs on unwatched.
        unseen: Option<String>,
    },
    /// How far an index is that is built CONCURRENTLY: told each second in which something has changed.
    Indexing {
        /// The version of the migration.
        version: Version,
        /// The step's number, from 1.
        step: usize,
        /// How far it is.
        progress: IndexProgress,
    },
    /// Somebody who was in the way was dealt with, as [`BlockerPolicy`](crate::BlockerPolicy) allows.
    Ended {
        /// The version of the migration that waited.
        version: Version,
        /// Who it was.
        blocker: Blocker,
        /// Whether the session was ended; otherwise its statement was cancelled.
        terminated: bool,
        /// Why the server refused it, where it did.
        refused: Option<String>,
    },
    /// What an interrupted step left behind was dealt with.
    Recovered {
        /// The version of the migration.
        version: Version,
        /// The step's number, from 1.
        step: usize,
        /// What was found and done.
        what: String,
    },
    /// A gate was passed.
    GatePassed {
        /// The version of the migration.
        version: Version,
        /// The step's number, from 1.
        step: usize,
        /// The gate.
        gate: &'static str,
        /// What it handed back.
        receipt: serde_json::Value,
    },
    /// A migration is applied.
    Applied {
        /// Its version.
        version: Version,
        /// Its name.
        name: &'static str,
        /// How long it took.
        elapsed: Duration,
    },
    /// A migration is taken back.
    Undone {
        /// Its version.
        version: Version,
        /// Its name.
        name: &'static str,
        /// How long it took.
        elapsed: Duration,
    },
    /// A migration is held back.
    Held {
        /// Its version.
        version: Version,
        /// Its name.
        name: &'static str,
        /// Why.
        why: String,
    },
}

/// How far the building of an index is, as `pg_stat_progress_create_index` has it (manual, 28.4.4). Each pair is how many are
/// done, and of how many; both are 0 in phases that do not count them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexProgress {
    /// `building index: scanning table`, `waiting for old snapshots`, …
    pub phase: String,
    /// Transactions that are waited for.
    pub lockers: (u64, u64),
    /// Blocks of the table or of the index.
    pub blocks: (u64, u64),
    /// Rows.
    pub tuples: (u64, u64),
}

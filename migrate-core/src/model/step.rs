//! One step of a migration: an `up`, the `down` that reverses it, and what is known of both.

use super::{Effect, LockClass, Phase, Work};
use crate::__private::v1;
use std::fmt;

/// One `up` and the `down` that reverses it, with everything the derive found out about them.
#[derive(Clone, Copy)]
pub struct Step {
    pub(crate) data: v1::Step,
}

/// Without the SQL, which may hold a password.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("phase", &self.phase())
            .field("lock", &self.lock())
            .field("work", &self.work())
            .field("transactional", &self.transactional())
            .field("down", self.down())
            .finish_non_exhaustive()
    }
}

impl Step {
    /// Whether this is one statement or a backfill.
    pub const fn kind(&self) -> &StepKind {
        &self.data.kind
    }

    /// The statement of the `up`, as it was written; for a backfill, the `UPDATE` that one batch amounts to.
    pub const fn up(&self) -> &'static str {
        self.data.up
    }

    /// How the step is reversed.
    pub const fn down(&self) -> &Down {
        &self.data.down
    }

    /// What clients lose by this step.
    pub const fn phase(&self) -> Phase {
        self.data.phase
    }

    /// The strongest lock the `up` takes on a relation that existed before the migration.
    pub const fn lock(&self) -> LockClass {
        self.data.lock
    }

    /// The lock on each relation that existed before, schema-qualified, as far as it can be known from the SQL.
    pub const fn locks(&self) -> &'static [(&'static str, LockClass)] {
        self.data.locks
    }

    /// The work done while the lock is held.
    pub const fn work(&self) -> Work {
        self.data.work
    }

    /// Whether the `up` may run in a transaction block.
    pub const fn transactional(&self) -> bool {
        self.data.transactional
    }

    /// Whether data that existed before cannot be had back from the database afterwards.
    pub const fn destructive(&self) -> bool {
        self.data.destructive
    }

    /// What the `up` does to the schema.
    pub const fn effects(&self) -> &'static [Effect] {
        self.data.effects
    }

    /// The relations whose data the `up` destroys, as SQL names, for a backup: empty unless destructive.
    pub const fn destroys(&self) -> &'static [Loss] {
        self.data.destroys
    }

    /// What the `up` does CONCURRENTLY, and to what, where it does.
    pub const fn concurrent(&self) -> Option<&Concurrent> {
        self.data.concurrent.as_ref()
    }

    /// What could not be known without a server, in words; empty where everything was.
    pub const fn notes(&self) -> &'static [&'static str] {
        self.data.notes
    }
}

/// What a step runs.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum StepKind {
    /// One SQL statement.
    Statement,
    /// Rows filled in batches.
    Backfill(Backfill),
}

/// How a step is reversed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Down {
    /// By these statements, in this order.
    Sql(&'static [DownStatement]),
    /// Not at all, on purpose: the rows that a backfill filled stay. Holds the reason.
    Keep(&'static str),
    /// There is nothing to take back. Holds the reason.
    Nothing(&'static str),
    /// PostgreSQL cannot take it back (an enum value that was added). Holds the reason.
    Irreversible(&'static str),
}

/// One statement of a `down`, with what is known of it.
#[derive(Clone, Copy)]
pub struct DownStatement {
    pub(crate) data: v1::DownStatement,
}

/// Without the SQL, which may hold a password.
impl fmt::Debug for DownStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownStatement")
            .field("lock", &self.lock())
            .field("work", &self.work())
            .field("transactional", &self.transactional())
            .finish_non_exhaustive()
    }
}

impl DownStatement {
    /// The statement, as it was written or derived.
    pub const fn sql(&self) -> &'static str {
        self.data.sql
    }

    /// The strongest lock it takes on a relation that existed before the migration was applied or was made by it.
    pub const fn lock(&self) -> LockClass {
        self.data.lock
    }

    /// The lock on each relation that is there when it runs, schema-qualified, as far as it can be known from the SQL.
    pub const fn locks(&self) -> &'static [(&'static str, LockClass)] {
        self.data.locks
    }

    /// The work done while the lock is held.
    pub const fn work(&self) -> Work {
        self.data.work
    }

    /// Whether it may run in a transaction block.
    pub const fn transactional(&self) -> bool {
        self.data.transactional
    }

    /// The data it destroys: what was written since the `up`. Empty where it destroys none.
    pub const fn destroys(&self) -> &'static [Loss] {
        self.data.destroys
    }

    /// What it does CONCURRENTLY, and to what, where it does.
    pub const fn concurrent(&self) -> Option<&Concurrent> {
        self.data.concurrent.as_ref()
    }

    /// The names of the hazards that it raises.
    pub const fn hazards(&self) -> &'static [&'static str] {
        self.data.hazards
    }
}

/// Data that a statement destroys: a relation's rows, or one column of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Loss {
    /// The relation, quoted as SQL needs it: `public."Order Items"`, or without schema where the SQL named none.
    pub relation: &'static str,
    /// The column, quoted as SQL needs it; `None` where whole rows go.
    pub column: Option<&'static str>,
    /// Whether the rows of every table go too whose foreign keys lead here, directly or through others: TRUNCATE … CASCADE.
    pub cascades: bool,
}

/// A backfill: `UPDATE table SET set WHERE filter`, in keyset batches over `key`; or, with `read` and `write` in place of
/// `set`, what the migration's [`RowBackfill`](super::RowBackfill) makes of those rows.
#[derive(Debug, Clone, Copy)]
pub struct Backfill {
    pub(crate) data: v1::Backfill,
}

impl Backfill {
    /// The table, as the attribute names it.
    pub const fn table(&self) -> &'static str {
        self.data.table
    }

    /// The key columns that batches walk along, in order: unique together, and NOT NULL.
    pub const fn key(&self) -> &'static [&'static str] {
        self.data.key
    }

    /// Rows a batch.
    pub const fn batch(&self) -> u32 {
        self.data.batch
    }

    /// The SET list, with `$1` … for the struct's bound fields; empty where rows are converted in Rust.
    pub const fn set(&self) -> &'static str {
        self.data.set
    }

    /// The columns that are handed to the conversion in Rust, as the attribute names them; none where SQL fills the rows.
    pub const fn read(&self) -> &'static [&'static str] {
        self.data.read
    }

    /// The columns that the conversion in Rust fills, as the attribute names them; none where SQL does.
    pub const fn write(&self) -> &'static [&'static str] {
        self.data.write
    }

    /// Which rows still want filling, as an SQL condition.
    pub const fn filter(&self) -> &'static str {
        self.data.filter
    }
}

/// What a `CONCURRENTLY` statement does, and to what: what recovery after a crash goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Concurrent {
    /// What is done.
    pub action: ConcurrentAction,
    /// The schema of what it is done to, unquoted, where the SQL names one.
    pub schema: Option<&'static str>,
    /// The name of the index, of the table for REINDEX TABLE, of the partition for DETACH PARTITION; unquoted.
    pub name: &'static str,
    /// The table of the index, or the parent of the partition, as SQL names it, where the SQL does.
    pub table: Option<&'static str>,
}

/// What a `CONCURRENTLY` statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConcurrentAction {
    /// CREATE INDEX CONCURRENTLY.
    Create,
    /// DROP INDEX CONCURRENTLY.
    Drop,
    /// REINDEX INDEX CONCURRENTLY.
    Reindex,
    /// REINDEX TABLE CONCURRENTLY: every index of the table.
    ReindexTable,
    /// ALTER TABLE … DETACH PARTITION … CONCURRENTLY.
    Detach,
}

impl ConcurrentAction {
    /// In the order of their numbers, which constants are written by.
    pub(crate) const ALL: &'static [Self] =
        &[Self::Create, Self::Drop, Self::Reindex, Self::ReindexTable, Self::Detach];
}

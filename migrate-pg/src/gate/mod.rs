//! Gates: conditions that are checked right before a step runs. A destructive step needs one that provides the kind of
//! backup its migration asks for; what a gate hands back, its receipt, is stored in the ledger beside the step.

mod dump;
mod error;
mod holds;

pub use self::dump::Dump;
pub use self::error::GateError;
pub(crate) use self::holds::{Held, are_empty, held, not_there};

use migrate_core::model::{Backup, Loss};
use std::future::Future;
use std::pin::Pin;

/// The rows, one column, of what the column `written` may mean, NULL where there is nothing: the compiler takes `public` for
/// what the SQL does not say, and the `search_path` may say otherwise, so that of such a name both are meant.
const MEANT: &str = "(VALUES (pg_catalog.to_regclass(written)::oid), \
     (CASE WHEN written LIKE 'public.%' THEN pg_catalog.to_regclass(substr(written, 8))::oid END))";

/// The future that the methods of a [`Gate`] return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A condition that must hold before a step runs.
pub trait Gate: Send + Sync + 'static {
    /// What the gate is called in messages and in the ledger.
    fn name(&self) -> &'static str;

    /// The kind of backup that the gate makes, where it makes one.
    fn provides(&self) -> Option<Backup>;

    /// Checks, before any step of the whole plan runs, whatever can be checked that early: tools, access, space.
    fn preflight<'a>(&'a self, ctx: &'a GateContext<'a>) -> BoxFuture<'a, Result<(), GateError>>;

    /// Checks the condition right before the step, and hands back the proof. An error keeps the step from running.
    fn pass<'a>(&'a self, ctx: &'a GateContext<'a>) -> BoxFuture<'a, Result<Receipt, GateError>>;
}

/// What a gate is told of the step it stands before.
#[derive(Clone, Copy)]
pub struct GateContext<'a> {
    /// The session that is going to run the step, outside of a transaction, with its role and `search_path` set.
    pub client: &'a tokio_postgres::Client,
    /// The version of the migration.
    pub version: i64,
    /// The name of the migration.
    pub migration: &'a str,
    /// The position of the step in its migration, from 0.
    pub step: usize,
    /// The data that the step is about to destroy.
    pub losses: &'a [Loss],
    /// Whether the step is applied or taken back.
    pub direction: Direction,
    /// `server_version_num` of the session, `150018`.
    pub server_version_num: u32,
}

/// Whether a step is applied or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Its `up` is going to run.
    Up,
    /// Its `down` is going to run.
    Down,
}

impl Direction {
    /// `up` or `down`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What a gate hands back: the proof that it was passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// The kind of receipt, `dump`: what tells a reader how to understand the rest.
    pub kind: String,
    /// The receipt itself.
    pub json: serde_json::Value,
}

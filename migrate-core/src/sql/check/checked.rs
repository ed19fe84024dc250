//! What the check found out: the output, from which the derive writes constants.

use crate::model::{ConcurrentAction, EffectKind, LockClass, Phase, Space, Verb, Work};
use crate::sql::facts::LostData;
use crate::sql::name::Name;

/// A declaration that is true, and what is known of it.
#[derive(Debug, Clone)]
pub struct Checked {
    /// `v1:` and 16 hexadecimal digits.
    pub digest: String,
    /// The steps, in order.
    pub steps: Vec<CheckedStep>,
    /// Relations that must have been made since `deploy_from`: what the history check settles.
    pub new_since: Vec<NewSince>,
}

/// A relation that must have been made since `deploy_from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSince {
    /// The version of `deploy_from`.
    pub from: i64,
    /// Its key in the history check.
    pub key: u128,
    /// The relation, as the history check knows it by.
    pub relation: String,
    /// What it would mean if it were older.
    pub because: String,
}

/// One step.
#[derive(Debug, Clone)]
pub struct CheckedStep {
    /// The statement as written, without comments around it or a trailing semicolon; for a backfill the UPDATE it amounts to.
    pub up: String,
    /// How it is reversed.
    pub down: CheckedDown,
    /// What clients lose by it.
    pub phase: Phase,
    /// The strongest lock on a relation that existed before the migration.
    pub lock: LockClass,
    /// The lock on each relation that existed before, quoted as SQL needs it.
    pub locks: Vec<(String, LockClass)>,
    /// The work under the lock.
    pub work: Work,
    /// Whether it may run in a transaction block.
    pub transactional: bool,
    /// Whether it destroys data.
    pub destructive: bool,
    /// What it does to the schema.
    pub effects: Vec<CheckedEffect>,
    /// What is known of the schema after it that was not before.
    pub makes: Vec<CheckedProperty>,
    /// What its down says was there before.
    pub restores: Vec<CheckedProperty>,
    /// The data it destroys.
    pub destroys: Vec<LostData>,
    /// What it does CONCURRENTLY, and to what.
    pub concurrent: Option<CheckedConcurrent>,
    /// What could not be known without a server.
    pub notes: Vec<String>,
}

/// How a step is reversed.
#[derive(Debug, Clone)]
pub enum CheckedDown {
    /// By these statements.
    Sql(Vec<CheckedDownStatement>),
    /// Rows stay, for this reason.
    Keep(String),
    /// There is nothing to take back, for this reason.
    Nothing(String),
    /// PostgreSQL cannot take it back, for this reason.
    Irreversible(String),
}

/// One statement of a `down`.
#[derive(Debug, Clone)]
pub struct CheckedDownStatement {
    /// The statement.
    pub sql: String,
    /// The strongest lock it takes.
    pub lock: LockClass,
    /// The lock on each relation that is there when it runs, quoted as SQL needs it.
    pub locks: Vec<(String, LockClass)>,
    /// The work under the lock.
    pub work: Work,
    /// Whether it may run in a transaction block.
    pub transactional: bool,
    /// The data it destroys.
    pub destroys: Vec<LostData>,
    /// What it does CONCURRENTLY, and to what.
    pub concurrent: Option<CheckedConcurrent>,
    /// The hazards it raises, by name.
    pub hazards: Vec<&'static str>,
    /// What it does to the schema.
    pub effects: Vec<CheckedEffect>,
}

/// See [`crate::model::Concurrent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedConcurrent {
    /// What is done to it.
    pub action: ConcurrentAction,
    /// The index, the table of REINDEX TABLE, the partition of DETACH PARTITION.
    pub name: Name,
    /// The table of the index, where the SQL names one, or the parent of the partition.
    pub table: Option<Name>,
}

/// A baseline that was read.
#[derive(Debug, Clone)]
pub struct CheckedBaseline {
    /// `v1:` and 16 hexadecimal digits.
    pub digest: String,
    /// What a server is given: the text without what only `psql` understands. `None` where that is the text as it stands.
    pub sql: Option<String>,
    /// The objects that it makes.
    pub effects: Vec<CheckedEffect>,
    /// Where each of them is found: see [`crate::model::ObjectName`].
    pub names: Vec<CheckedName>,
    /// What is known of them.
    pub properties: Vec<CheckedProperty>,
}

/// The name of an object in parts: see [`crate::model::ObjectName`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CheckedName {
    pub owner: Option<Name>,
    pub name: Name,
    pub arguments: Option<Vec<String>>,
}

/// An effect, ready to become a constant: see [`crate::model::Effect`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CheckedEffect {
    pub kind: EffectKind,
    pub verb: Verb,
    pub object: String,
    pub definition: String,
    pub id: CheckedObject,
    pub to: u128,
    pub to_name: String,
    /// A table made with all its columns in the statement: no LIKE, INHERITS, OF, PARTITION OF, AS.
    pub columns_listed: bool,
}

/// See [`crate::model::ObjectKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CheckedObject {
    pub space: Space,
    pub key: u128,
    pub name: String,
    pub owner: u128,
    pub owner_name: String,
}

/// A property, ready to become a constant: what the history check compares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CheckedProperty {
    pub id: CheckedObject,
    pub object: String,
    pub what: String,
    pub what_key: u64,
    pub text: String,
    pub sql: String,
    pub strict_key: u128,
    pub loose_key: u64,
    pub constants_key: u64,
    pub reworded: bool,
    pub mentions: u8,
    pub with: Vec<CheckedObject>,
}

//! What the analysis answers: the facts of one statement, of one migration, and the changes that statements make.

use crate::model::{EffectKind, LockClass, Phase, Space, Verb, Work};
use crate::sql::name::Name;
use std::{collections::BTreeMap, fmt, ops::Range};

/// What one statement does, on the servers of a range of versions: the strongest of each fact over them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Facts {
    /// The lock on each relation that existed before the migration, of every kind (indexes and sequences too).
    pub locks: BTreeMap<Name, RelationLock>,
    /// The strongest of `locks`.
    pub lock_class: LockClass,
    /// The heaviest work done on relations that existed before.
    pub work: Work,
    /// Whether the statement may run in a transaction block.
    pub in_transaction: bool,
    /// Whether data that existed before cannot be had back from the database afterwards.
    pub destructive: bool,
    /// What running clients lose.
    pub phase: Phase,
    /// What is destroyed, for a backup.
    pub losses: Vec<LostData>,
    /// The changes it makes to the schema, in order.
    pub changes: Vec<Change>,
    /// What was not known, each as a sentence: why a fact is the worst case, or where a stronger one may be right.
    pub unknowns: Vec<String>,
    /// Whether a lock class stronger than `lock_class` may be right (functions whose bodies are not known, triggers).
    pub may_be_stronger: bool,
    /// Why the facts are what they are: one sentence a fact, the rule's own words, for messages and reports.
    pub reasons: Vec<Reason>,
}

impl Facts {
    /// No lock, no work, nothing lost: where looking begins.
    pub(crate) fn nothing() -> Self {
        Self {
            locks: BTreeMap::new(),
            lock_class: LockClass::None,
            work: Work::Metadata,
            in_transaction: true,
            destructive: false,
            phase: Phase::Expand,
            losses: Vec::new(),
            changes: Vec::new(),
            unknowns: Vec::new(),
            may_be_stronger: false,
            reasons: Vec::new(),
        }
    }
}

/// The lock on one relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelationLock {
    /// How strong.
    pub class: LockClass,
    /// On what kind of relation.
    pub kind: RelationKind,
}

/// The kinds of relation that can be locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum RelationKind {
    Table,
    ForeignTable,
    View,
    MaterializedView,
    Sequence,
    Index,
    /// A composite type is a relation that only ALTER TYPE and DROP TYPE lock.
    CompositeType,
    /// Nothing says which.
    Unknown,
}

/// Why a fact is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reason {
    /// The row of the lock table that said it, `alter-table/add-column`.
    pub rule: &'static str,
    /// The relation it is about.
    pub relation: Option<Name>,
    /// The lock.
    pub lock: LockClass,
    /// The work.
    pub work: Work,
    /// The sentence: `ADD COLUMN with a volatile default rewrites the table (random() is volatile)`.
    pub because: String,
    /// Where in the statement, as bytes of its text; the whole statement where nothing narrower is known.
    pub span: Option<Range<usize>>,
}

/// Data that a statement destroys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LostData {
    /// The relation.
    pub relation: Name,
    /// The column; `None` where whole rows go.
    pub column: Option<String>,
    /// Whether the rows of every table go too whose foreign keys lead here: TRUNCATE … CASCADE.
    pub cascades: bool,
}

/// One change to the schema: an effect, before it becomes a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// What kind of change.
    pub kind: EffectKind,
    /// What becomes of the object.
    pub verb: Verb,
    /// The object.
    pub object: ObjectId,
    /// The object's new identity, for a rename or a move.
    pub to: Option<ObjectId>,
    /// What the object is afterwards, normalised; empty where there is nothing to say.
    pub definition: String,
}

/// An object by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ObjectId {
    /// Its namespace.
    pub space: Space,
    /// Its kind in words: `column`, `table`, `index`.
    pub noun: &'static str,
    /// The relation (or type) that owns it, schema-qualified as far as known: the table of a column, of an index.
    pub owner: Option<Name>,
    /// Its own name (qualified where it lives in a schema).
    pub name: Name,
}

impl fmt::Display for ObjectId {
    /// `column public.orders.status`, `index public.idx_orders_status`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { space, noun, owner, name } = self;
        let within_owner = matches!(
            space,
            Space::Column | Space::Constraint | Space::Trigger | Space::Policy | Space::Rule | Space::EnumValue
        );
        match owner {
            Some(owner) if within_owner => write!(f, "{noun} {owner}.{name}"),
            _ => write!(f, "{noun} {name}"),
        }
    }
}

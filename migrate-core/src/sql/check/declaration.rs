//! What a migration declares, as the derive read it from the attributes: the input of the check.

use crate::model::{Backup, LockClass, PgRange, Phase};

/// One migration as its attributes declare it.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// The struct's name.
    pub name: String,
    /// The file it stands in, where known: for the command that signs an approval.
    pub file: Option<String>,
    /// The version, as a number.
    pub version: i64,
    /// The declared phase.
    pub phase: Phase,
    /// The declared lock class.
    pub lock: LockClass,
    /// The declared transactionality.
    pub transactional: bool,
    /// The server range.
    pub pg: PgRange,
    /// The steps, in order.
    pub steps: Vec<StepDeclaration>,
    /// `#[destructive(…)]`, where given.
    pub destructive: Option<DestructiveDeclaration>,
    /// `allow(…)`, in order.
    pub allows: Vec<AllowDeclaration>,
    /// The first version of the deploy that this migration ships in.
    pub deploy_from: Option<i64>,
    /// The SQL types of the bound fields, in order: `$1` is the first.
    pub binds: Vec<String>,
}

/// One step.
#[derive(Debug, Clone)]
pub enum StepDeclaration {
    /// `#[step(…)]`.
    Statement {
        /// The statement.
        up: SqlText,
        /// How it is reversed; `None` where the attribute says nothing.
        down: Option<DownDeclaration>,
        /// `assume(…)`: taken on trust.
        assume: Option<Assume>,
    },
    /// `#[backfill(…)]`.
    Backfill {
        /// The table, as SQL.
        table: String,
        /// The key columns, as SQL identifiers; empty where the attribute says nothing.
        key: Vec<String>,
        /// Rows a batch.
        batch: u32,
        /// What fills the rows.
        fill: Fill,
        /// The condition for rows that still want filling; `None` where the attribute says nothing.
        filter: Option<String>,
        /// How it is reversed.
        down: Option<DownDeclaration>,
    },
    /// One of the statements that a `#[sync(…)]` comes to (see [`sync_steps`](super::sync_steps)).
    Sync {
        /// The statement.
        up: SqlText,
        /// How it is reversed.
        down: DownDeclaration,
        /// Whether it makes the trigger, or takes it away.
        install: bool,
    },
}

/// What fills the rows of a backfill.
#[derive(Debug, Clone)]
pub enum Fill {
    /// SQL: the SET list.
    Set(String),
    /// A conversion in Rust.
    Rows {
        /// The columns that it is handed, as SQL identifiers.
        read: Vec<String>,
        /// The columns that it fills, as SQL identifiers.
        write: Vec<String>,
    },
}

/// SQL and where it came from.
#[derive(Debug, Clone)]
pub struct SqlText {
    /// The text.
    pub text: String,
    /// The file, as the attribute names it; `None` for a string literal.
    pub file: Option<String>,
}

/// How a step is reversed.
#[derive(Debug, Clone)]
pub enum DownDeclaration {
    /// By these statements.
    Sql(Vec<SqlText>),
    /// By what the analysis derives.
    Derived,
    /// `keep("why")`.
    Keep(String),
    /// `nothing("why")`.
    Nothing(String),
}

/// `#[destructive(…)]`.
#[derive(Debug, Clone)]
pub struct DestructiveDeclaration {
    /// The kind of backup, where given.
    pub backup: Option<Backup>,
    /// `NAME @ digest`, where given.
    pub approved: Option<String>,
}

/// `allow(hazard, reason = "…")`.
#[derive(Debug, Clone)]
pub struct AllowDeclaration {
    /// The hazard's name as written: `index_not_concurrent`.
    pub hazard: String,
    /// The reason; empty where the attribute says nothing.
    pub reason: String,
}

/// `assume(…)`: what is taken on trust of a statement that the analysis does not know. What is not stated is the worst.
#[derive(Debug, Clone)]
pub struct Assume {
    /// The lock class.
    pub lock: Option<LockClass>,
    /// The phase.
    pub phase: Option<Phase>,
    /// The effects, in words.
    pub effects: Option<String>,
    /// Whether it may run in a transaction block.
    pub transactional: Option<bool>,
    /// Whether it destroys data.
    pub destructive: Option<bool>,
    /// Why this is so.
    pub reason: String,
}

/// What is wrong with a declaration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The part of the declaration to point at.
    pub site: Site,
    /// What is wrong, why, and what to write instead; several lines.
    pub message: String,
}

/// A part of a declaration: what the derive turns into the span of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Site {
    /// The struct as a whole.
    Migration,
    /// The value of `phase`.
    Phase,
    /// The value of `lock`.
    Lock,
    /// The value of `transactional`, or the attribute where it is left out.
    Transactional,
    /// The value of `deploy_from`.
    DeployFrom,
    /// A step's attribute.
    Step(usize),
    /// A step's `up`.
    Up(usize),
    /// A step's `down`, whole.
    Down(usize),
    /// One statement of a step's `down`.
    DownStatement(usize, usize),
    /// A step's `assume`.
    Assume(usize),
    /// A backfill's `table`, `key`, `set`, `read`, `write` or `filter` (the attribute where it is left out).
    BackfillTable(usize),
    /// See [`Site::BackfillTable`].
    BackfillKey(usize),
    /// See [`Site::BackfillTable`].
    BackfillSet(usize),
    /// See [`Site::BackfillTable`].
    BackfillRead(usize),
    /// See [`Site::BackfillTable`].
    BackfillWrite(usize),
    /// See [`Site::BackfillTable`].
    BackfillFilter(usize),
    /// `#[destructive(…)]`, whole.
    Destructive,
    /// The value of `backup`, or the attribute where it is left out.
    Backup,
    /// The value of `approved`, or the attribute where it is left out.
    Approved,
    /// One `allow(…)`.
    Allow(usize),
    /// The type that a field is bound as.
    BindType(usize),
    /// One bound field.
    Bind(usize),
}

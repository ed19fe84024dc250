//! The parts of the symbolic schema. What nobody has said is `Unknown`, not a default: facts that hang on it are the worst
//! case, and say so.

use crate::sql::ast::{
    Body, ConstraintKind, Expr, Generated, Identity, PartitionBound, PartitionBy, Persistence, Query, Routine,
    SequenceOptions, TriggerMode, TypeDefinition, TypeName, Volatility,
};
use crate::sql::name::Name;
use std::collections::{BTreeMap, BTreeSet};

/// A property that may not be known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact<T> {
    Known(T),
    Unknown,
}

impl<T> Fact<T> {
    pub(crate) fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown => None,
        }
    }
}

/// Whether what is not in the schema is not in the database either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// Other objects may be there: one migration, seen alone.
    Open,
    /// Nothing else is there: a baseline and the whole history, or a setup script.
    Closed,
}

/// Everything in the namespace of `pg_class`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Relation {
    Table(Table),
    View(View),
    MaterializedView(View),
    Sequence(Sequence),
    Index(Index),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    /// All columns, constraints, indexes … are listed. False for a table that only statements have mentioned.
    pub complete: bool,
    /// Made by the migration under analysis: nobody else has it open.
    pub new: bool,
    pub foreign: Fact<bool>,
    pub persistence: Fact<Persistence>,
    /// In rank order, as far as known. A column that is only mentioned is listed with unknown properties.
    pub columns: Vec<Column>,
    /// Names known not to be columns (dropped, or proved free by ADD COLUMN), in an incomplete table.
    pub absent: BTreeSet<String>,
    pub constraints: BTreeMap<String, Constraint>,
    pub triggers: BTreeMap<String, Trigger>,
    pub policies: BTreeMap<String, Policy>,
    pub rules: BTreeMap<String, String>,
    pub partition_by: Fact<Option<PartitionBy>>,
    pub partition_of: Fact<Option<(Name, PartitionBound)>>,
    /// Inheritance parents (not partitions).
    pub inherits: Vec<Name>,
    pub of_type: Option<Name>,
    pub row_security: Fact<BTreeSet<RowSecurityFlag>>,
    pub options: BTreeMap<String, Option<String>>,
    pub tablespace: Fact<Option<String>>,
    pub access_method: Fact<Option<String>>,
    pub replica_identity: Fact<Option<String>>,
    pub clustered_on: Fact<Option<String>>,
    pub owner: Fact<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RowSecurityFlag {
    Enabled,
    Forced,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub name: String,
    pub data_type: Fact<TypeName>,
    pub collation: Fact<Option<Name>>,
    pub not_null: Fact<bool>,
    pub default: Fact<Option<Expr>>,
    pub generated: Fact<Option<Generated>>,
    pub identity: Fact<Option<Identity>>,
    pub storage: Option<String>,
    pub compression: Option<String>,
    pub statistics: Option<String>,
    pub options: BTreeMap<String, Option<String>>,
    /// Inherited from a parent (`attislocal` false).
    pub inherited: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constraint {
    /// `Unknown` where the constraint is only mentioned by name.
    pub kind: Fact<ConstraintKind>,
    pub validated: Fact<bool>,
    pub enforced: bool,
    pub deferrable: bool,
    pub initially_deferred: bool,
    pub no_inherit: bool,
    /// The index that backs it (same name, in the table's schema), for UNIQUE, PRIMARY KEY and EXCLUDE.
    pub index: Option<Name>,
    /// Came down from a parent.
    pub inherited: bool,
    /// Is the table's own (`conislocal`), perhaps besides coming down from a parent.
    pub local: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Index {
    pub table: Fact<Name>,
    pub new: bool,
    pub unique: Fact<bool>,
    pub method: String,
    /// Key columns by name; `None` an expression.
    pub columns: Fact<Vec<Option<String>>>,
    /// Columns of INCLUDE.
    pub include: Vec<String>,
    /// Every column that keys, expressions, INCLUDE and predicate use.
    pub uses: BTreeSet<String>,
    pub predicate: Option<Expr>,
    /// Functions that key expressions and predicate call, as written.
    pub functions: Vec<Name>,
    /// Canonical text of everything after the name, for comparison.
    pub definition: Fact<String>,
    pub valid: bool,
    /// A partitioned index, and the parent it is attached to.
    pub partitioned: bool,
    pub parent: Option<Name>,
    /// The constraint that it backs.
    pub constraint: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    pub new: bool,
    pub columns: Fact<Vec<String>>,
    pub query: Fact<Query>,
    pub definition: Fact<String>,
    pub options: String,
    pub populated: bool,
    /// Of a materialized view; `None` is the default one.
    pub tablespace: Option<String>,
    /// What the query reads, resolved when the view was made.
    pub depends: BTreeMap<Name, ColumnUse>,
    /// Functions that the query calls, as written.
    pub functions: Vec<Name>,
}

/// Which columns of one relation a query uses. Names in a query are not qualified, so that some are only possible.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ColumnUse {
    pub certain: BTreeSet<String>,
    pub possible: BTreeSet<String>,
    /// A `*`, or a relation whose columns are not all known: perhaps any column.
    pub any: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sequence {
    pub new: bool,
    pub options: Fact<SequenceOptions>,
    pub unlogged: bool,
    /// Table and column, with whether it is of an identity.
    pub owned_by: Fact<Option<(Name, String)>>,
    pub identity: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trigger {
    pub definition: Fact<String>,
    pub function: Fact<Name>,
    pub row: bool,
    pub mode: Option<TriggerMode>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policy {
    pub definition: Fact<String>,
    /// Relations that its expressions read.
    pub reads: Vec<Name>,
    /// Columns of its own table that its expressions use.
    pub columns: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there are few types in a schema")]
pub(crate) enum Type {
    Defined {
        new: bool,
        definition: TypeDefinition,
    },
    Domain(Domain),
    /// A type that statements only mentioned.
    Mentioned {
        kind: Option<MentionedKind>,
        /// Enum values, attributes or domain constraints by name: whether they are known to be there, or known not to be.
        parts: BTreeMap<String, bool>,
    },
}

/// What the statement that mentions a type says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MentionedKind {
    Enum,
    Composite,
    Domain,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Domain {
    pub new: bool,
    pub base: TypeName,
    pub collation: Option<Name>,
    pub default: Option<Expr>,
    pub not_null: bool,
    /// CHECK constraints: expression and whether validated.
    pub checks: BTreeMap<String, (Expr, bool)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Function {
    pub routine: Routine,
    pub new: bool,
    pub volatility: Fact<Volatility>,
    pub returns: Option<String>,
    /// Canonical text of the whole definition, for comparison.
    pub definition: Fact<String>,
    /// Relations that a SQL-standard body depends on.
    pub depends: Vec<Name>,
    pub language: Fact<String>,
    pub returns_set: bool,
    /// Canonical texts of the options besides volatility, `SECURITY DEFINER`.
    pub options: Vec<String>,
    /// What it runs, as far as it can be read.
    pub body: Fact<Body>,
}

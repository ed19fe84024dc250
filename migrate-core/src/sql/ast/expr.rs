//! Expressions, types and queries, reduced to what facts follow from: the canonical text, and everything they name.

use super::Name;

/// A type as the SQL names it. Spelling is normalised: `int4` for INTEGER and INT, `varchar` for CHARACTER VARYING,
/// `bpchar` for CHAR, `timestamptz` for TIMESTAMP WITH TIME ZONE, `float8` for DOUBLE PRECISION, `numeric` for DECIMAL;
/// `serial` and its relatives stay (`serial2`, `serial4`, `serial8`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TypeName {
    pub name: Name,
    /// Type modifiers as written, `(10,2)` → `["10", "2"]`; interval fields as text.
    pub mods: Vec<String>,
    /// Number of array dimensions; 0 for none. PostgreSQL ignores more than whether there is one.
    pub array: u8,
    /// `SETOF`.
    pub setof: bool,
    /// `table.column%TYPE`.
    pub percent_type: bool,
}

impl TypeName {
    /// The integer type of a serial one, a column of which has a sequence (manual, "Serial Types").
    pub(crate) fn serial(&self) -> Option<&'static str> {
        if self.array > 0 || self.name.schema.is_some() {
            return None;
        }
        match self.name.name.as_str() {
            "serial2" | "smallserial" => Some("int2"),
            "serial4" | "serial" => Some("int4"),
            "serial8" | "bigserial" => Some("int8"),
            _ => None,
        }
    }
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expr {
    /// Canonical text: comments gone, whitespace normalised, keywords lower-case, identifiers quoted only as needed.
    pub text: String,
    /// Functions called, including those behind special syntax (`CURRENT_TIMESTAMP` → `now`, `CURRENT_USER` → `current_user`).
    pub functions: Vec<Name>,
    /// Columns named, without their qualification.
    pub columns: Vec<String>,
    /// Types that it casts to.
    pub casts: Vec<TypeName>,
    /// Operators by symbol, `||`, with their schema where `OPERATOR(s.op)`.
    pub operators: Vec<Name>,
    /// The expression is a literal, perhaps cast or signed.
    pub literal: bool,
    /// The expression is the literal NULL, perhaps cast.
    pub null: bool,
    /// A subquery stands in it: what it reads.
    pub subquery: Option<Box<Query>>,
    /// Columns for which the expression, if true, proves NOT NULL: `c IS NOT NULL`, alone or `ANDed`.
    pub proves_not_null: Vec<String>,
    /// String arguments of `nextval`/`currval`/`setval`/`lastval`, parsed as names.
    pub sequences: Vec<Name>,
}

/// A query or DML statement: what it reads, writes, locks and calls, at any depth (CTEs, subqueries).
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Query {
    /// Canonical text.
    pub text: String,
    /// Relations read in FROM, USING, subqueries; not CTE names.
    pub reads: Vec<(Name, bool /* ONLY */)>,
    /// SELECT … FOR UPDATE/SHARE …: the relations so locked (all of FROM unless OF says).
    pub row_locks: Vec<Name>,
    pub writes: Vec<Dml>,
    pub functions: Vec<Name>,
    /// `SELECT … INTO [TEMP] table`: the table, and whether temporary.
    pub into: Option<(Name, bool)>,
    /// Output columns, where known: name and the expression's bare column if it is one. `None`: a `*` or unknown.
    pub outputs: Option<Vec<OutputColumn>>,
    /// Sequences named in `nextval`/`setval` calls.
    pub sequences: Vec<Name>,
    /// It reads at least one row source with other than a single-row literal: false for `SELECT f(1)` and VALUES.
    pub scans: bool,
    /// A top-level WHERE that is an equality of one column with a constant, or with a few (`id = 5`, `id IN (5, 6)`): the
    /// column.
    pub point_lookup: Option<String>,
    /// LIMIT 0 / WHERE false style emptiness is not looked at.
    pub columns: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputColumn {
    pub name: Option<String>,
    pub column: Option<String>,
}

/// One INSERT, UPDATE, DELETE or MERGE inside a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dml {
    pub kind: DmlKind,
    pub table: Name,
    pub only: bool,
    /// Columns written.
    pub columns: Vec<String>,
    /// Columns that ON CONFLICT DO UPDATE sets.
    pub conflict_columns: Vec<String>,
    /// Columns whose old values are lost where they are set: neither does WHERE say that they are NULL, nor are they kept
    /// where they are not (`c = coalesce(c, …)`).
    pub overwrites: Vec<String>,
    /// Columns that are given what follows from columns: `cents = euros * 100`, and not `c = c`.
    pub computed: Vec<String>,
    /// Columns of UPDATE and DELETE that can only be the table's, where nothing else is read.
    pub own_columns: Vec<String>,
    pub filter: Option<Expr>,
    /// INSERT … ON CONFLICT DO UPDATE; INSERT … SELECT.
    pub on_conflict: Option<ConflictAction>,
    /// INSERT … VALUES with this many rows; `None` for a query.
    pub values: Option<usize>,
    /// MERGE: which actions its WHEN clauses hold.
    pub merge_actions: Vec<DmlKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DmlKind {
    Insert,
    Update,
    Delete,
    Merge,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConflictAction {
    Nothing,
    Update,
}

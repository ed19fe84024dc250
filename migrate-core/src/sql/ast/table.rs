//! Tables: columns, constraints, and every action of ALTER TABLE.

use super::{Expr, Name, ObjectKind, Query, SequenceOptions, TypeName};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateTable {
    pub name: Name,
    pub if_not_exists: bool,
    pub persistence: Persistence,
    pub foreign_server: Option<String>,
    pub columns: Vec<ColumnDef>,
    pub constraints: Vec<ConstraintDef>,
    /// LIKE source, with the canonical names of what is INCLUDED (`ALL`, `DEFAULTS`, …) and EXCLUDED.
    pub likes: Vec<LikeClause>,
    pub inherits: Vec<Name>,
    pub of_type: Option<Name>,
    pub partition_of: Option<(Name, PartitionBound)>,
    pub partition_by: Option<PartitionBy>,
    pub using: Option<String>,
    /// Storage parameters, `WITH (…)` (or foreign OPTIONS), canonical.
    pub with: Vec<(String, Option<String>)>,
    pub on_commit: Option<String>,
    pub tablespace: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Persistence {
    #[default]
    Permanent,
    Unlogged,
    Temporary,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LikeClause {
    pub source: Name,
    pub including: Vec<String>,
    pub excluding: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateTableAs {
    pub name: Name,
    pub if_not_exists: bool,
    pub persistence: Persistence,
    pub columns: Vec<String>,
    pub query: Query,
    pub definition: String,
    pub with_data: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PartitionBy {
    /// `RANGE`, `LIST`, `HASH`.
    pub strategy: String,
    /// Plain columns of the key (expressions left out).
    pub columns: Vec<String>,
    /// Canonical text, `RANGE (at)`.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PartitionBound {
    Default,
    /// Canonical text, `FOR VALUES FROM (…) TO (…)`.
    Values(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnDef {
    pub name: String,
    /// `None` in `CREATE TABLE … OF` / `PARTITION OF` column options.
    pub data_type: Option<TypeName>,
    pub collation: Option<Name>,
    pub storage: Option<String>,
    pub compression: Option<String>,
    /// OPTIONS of a foreign table's column.
    pub options: Vec<(String, Option<String>)>,
    pub constraints: Vec<ConstraintDef>,
    pub default: Option<Expr>,
    pub generated: Option<Generated>,
    pub identity: Option<Identity>,
    /// NOT NULL given (its name and options are in `constraints` too where named or marked).
    pub not_null: bool,
    pub null: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Generated {
    pub expression: Expr,
    pub stored: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    pub always: bool,
    pub options: SequenceOptions,
}

/// A table or column constraint. A column constraint's `columns` holds that column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConstraintDef {
    pub name: Option<String>,
    pub kind: ConstraintKind,
    pub not_valid: bool,
    pub deferrable: bool,
    pub initially_deferred: bool,
    pub no_inherit: bool,
    /// `NOT ENFORCED` (18+).
    pub not_enforced: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ConstraintKind {
    Check(Expr),
    NotNull {
        column: String,
    },
    Unique {
        columns: Vec<String>,
        include: Vec<String>,
        nulls_not_distinct: bool,
        with: Option<String>,
        tablespace: Option<String>,
        without_overlaps: bool,
    },
    PrimaryKey {
        columns: Vec<String>,
        include: Vec<String>,
        with: Option<String>,
        tablespace: Option<String>,
        without_overlaps: bool,
    },
    UniqueUsingIndex {
        index: String,
    },
    PrimaryKeyUsingIndex {
        index: String,
    },
    /// Canonical text of the elements, `USING gist (room WITH =) WHERE (…)`.
    Exclude {
        method: String,
        elements: String,
        columns: Vec<String>,
        predicate: Option<Expr>,
    },
    ForeignKey(ForeignKey),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ForeignKey {
    pub columns: Vec<String>,
    pub references: Name,
    /// Empty: the primary key.
    pub referenced_columns: Vec<String>,
    /// `FULL`, `PARTIAL`, `SIMPLE`.
    pub match_type: Option<String>,
    /// `NO ACTION`, `RESTRICT`, `CASCADE`, `SET NULL`, `SET DEFAULT`, with column list where given.
    pub on_delete: Option<String>,
    pub on_update: Option<String>,
    /// PERIOD (18+).
    pub period: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AlterTable {
    /// `Table`, `ForeignTable`, `View`, `MaterializedView`, `Index` or `Sequence`: what the statement says it is.
    pub kind: ObjectKind,
    pub name: Name,
    pub only: bool,
    pub if_exists: bool,
    pub actions: Vec<TableAction>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TableAction {
    AddColumn {
        if_not_exists: bool,
        column: Box<ColumnDef>,
    },
    DropColumn {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    SetType {
        column: String,
        data_type: TypeName,
        collation: Option<Name>,
        using: Option<Expr>,
    },
    SetDefault {
        column: String,
        expression: Expr,
    },
    DropDefault {
        column: String,
    },
    SetNotNull {
        column: String,
    },
    DropNotNull {
        column: String,
    },
    SetExpression {
        column: String,
        expression: Expr,
    },
    DropExpression {
        column: String,
        if_exists: bool,
    },
    AddIdentity {
        column: String,
        identity: Identity,
    },
    SetIdentity {
        column: String,
        always: Option<bool>,
        options: SequenceOptions,
    },
    DropIdentity {
        column: String,
        if_exists: bool,
    },
    /// Column by name, or by number for indexes.
    SetStatistics {
        column: String,
        target: String,
    },
    SetStorage {
        column: String,
        storage: String,
    },
    SetCompression {
        column: String,
        method: String,
    },
    /// Attribute options, `SET (n_distinct = …)`.
    SetColumnOptions {
        column: String,
        options: Vec<(String, Option<String>)>,
    },
    ResetColumnOptions {
        column: String,
        options: Vec<String>,
    },
    AddConstraint(ConstraintDef),
    AlterConstraint {
        name: String,
        deferrable: Option<bool>,
        initially_deferred: Option<bool>,
        enforced: Option<bool>,
        inherit: Option<bool>,
    },
    ValidateConstraint {
        name: String,
    },
    DropConstraint {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    RenameColumn {
        name: String,
        to: String,
    },
    RenameConstraint {
        name: String,
        to: String,
    },
    RenameTo {
        to: String,
    },
    SetSchema {
        to: String,
    },
    OwnerTo {
        to: String,
    },
    EnableTrigger {
        which: TriggerScope,
        mode: TriggerMode,
    },
    DisableTrigger {
        which: TriggerScope,
    },
    EnableRule {
        name: String,
        mode: TriggerMode,
    },
    DisableRule {
        name: String,
    },
    RowSecurity(RowSecurity),
    ClusterOn {
        index: String,
    },
    SetWithoutCluster,
    SetWithoutOids,
    SetTablespace {
        to: String,
    },
    SetLogged,
    SetUnlogged,
    SetAccessMethod {
        method: Option<String>,
    },
    /// Storage parameters (or view options).
    SetOptions {
        options: Vec<(String, Option<String>)>,
    },
    ResetOptions {
        options: Vec<String>,
    },
    Inherit {
        parent: Name,
    },
    NoInherit {
        parent: Name,
    },
    OfType {
        name: Name,
    },
    NotOf,
    ReplicaIdentity(ReplicaIdentity),
    AttachPartition {
        partition: Name,
        bound: PartitionBound,
    },
    DetachPartition {
        partition: Name,
        concurrently: bool,
        finalize: bool,
    },
    /// OPTIONS (…) of a foreign table or of its column: canonical text.
    ForeignOptions {
        column: Option<String>,
        text: String,
    },
    /// SPLIT / MERGE PARTITION: in the grammar, in no released server of 14 to 18.
    Unsupported {
        text: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TriggerScope {
    Named(String),
    All,
    User,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TriggerMode {
    Origin,
    Always,
    Replica,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowSecurity {
    Enable,
    Disable,
    Force,
    NoForce,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReplicaIdentity {
    Default,
    Full,
    Nothing,
    Index(String),
}

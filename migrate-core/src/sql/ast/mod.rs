//! Our own statement facts: what a statement says, in the shape that locks, schema, hazards and reversal go by. `parse`
//! is the only module that knows the parser crate; nothing of that crate shows here.
//!
//! Identifiers are what the catalog stores (folded, unquoted). Every `Stmt` is total: a statement kind that PostgreSQL 14
//! to 18 has is represented, in full where something follows from its parts, else by its kind and the names it touches.

mod expr;
mod table;

pub(crate) use expr::*;
pub(crate) use table::*;

use super::name::Name;
use std::ops::Range;

/// One statement and where it stands in the source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    /// Byte range in the source, without the semicolon.
    pub span: Range<usize>,
    /// The statement as written, trimmed.
    pub text: String,
    pub stmt: Stmt,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stmt {
    CreateTable(CreateTable),
    CreateTableAs(CreateTableAs),
    /// ALTER TABLE, and ALTER FOREIGN TABLE / VIEW / MATERIALIZED VIEW / SEQUENCE / INDEX with table actions.
    AlterTable(AlterTable),
    /// ALTER TABLE / INDEX / MATERIALIZED VIEW ALL IN TABLESPACE.
    AlterAllInTablespace {
        kind: ObjectKind,
        from: String,
        to: String,
    },
    CreateIndex(CreateIndex),
    /// ALTER INDEX … ATTACH PARTITION.
    AttachIndex {
        index: Name,
        child: Name,
    },
    Reindex(Reindex),
    CreateView(CreateView),
    CreateMaterializedView(CreateMaterializedView),
    RefreshMaterializedView {
        name: Name,
        concurrently: bool,
        with_data: bool,
    },
    CreateSequence(CreateSequence),
    AlterSequence {
        name: Name,
        if_exists: bool,
        options: SequenceOptions,
    },
    CreateType {
        name: Name,
        definition: TypeDefinition,
    },
    AlterEnumAddValue {
        name: Name,
        if_not_exists: bool,
        value: String,
        place: Option<(Placement, String)>,
    },
    AlterEnumRenameValue {
        name: Name,
        from: String,
        to: String,
    },
    /// ALTER TYPE … ADD/DROP/ALTER/RENAME ATTRIBUTE.
    AlterComposite {
        name: Name,
        actions: Vec<AttributeAction>,
    },
    CreateDomain(CreateDomain),
    AlterDomain {
        name: Name,
        action: DomainAction,
    },
    CreateFunction(Box<CreateFunction>),
    /// ALTER FUNCTION/PROCEDURE/ROUTINE with options (volatility, SET …): text of the options.
    AlterFunction {
        routine: Routine,
        options: String,
        /// Each option in one spelling.
        list: Vec<String>,
    },
    CreateTrigger(CreateTrigger),
    CreateEventTrigger {
        name: String,
        text: String,
    },
    AlterEventTrigger {
        name: String,
        text: String,
    },
    CreateRule {
        name: String,
        table: Name,
        or_replace: bool,
        text: String,
    },
    CreatePolicy(CreatePolicy),
    AlterPolicy {
        name: String,
        table: Name,
        text: String,
    },
    CreateSchema {
        name: Option<String>,
        if_not_exists: bool,
        authorization: Option<String>,
        elements: Vec<Statement>,
    },
    CreateExtension {
        name: String,
        if_not_exists: bool,
        schema: Option<String>,
        cascade: bool,
        version: Option<String>,
    },
    AlterExtension {
        name: String,
        text: String,
        set_schema: Option<String>,
    },
    CreateStatistics {
        name: Option<Name>,
        if_not_exists: bool,
        table: Name,
        /// Canonical text behind the name, `(ndistinct) on a, b from t`.
        text: String,
    },
    AlterStatistics {
        name: Name,
        text: String,
    },
    CreatePublication {
        name: String,
        scope: PublicationScope,
        text: String,
    },
    AlterPublication {
        name: String,
        action: PublicationAction,
        scope: PublicationScope,
        text: String,
    },
    /// CREATE SUBSCRIPTION: `slot` is whether it creates a replication slot, which refuses a transaction.
    CreateSubscription {
        name: String,
        slot: bool,
        text: String,
    },
    /// ALTER SUBSCRIPTION: `refresh` is whether it refreshes publications, which refuses a transaction.
    AlterSubscription {
        name: String,
        refresh: bool,
        text: String,
    },

    /// DROP of any kind of object.
    Drop(Drop),
    /// ALTER … RENAME TO (and RENAME COLUMN / CONSTRAINT / ATTRIBUTE of tables is in `AlterTable`).
    Rename {
        target: Target,
        if_exists: bool,
        to: String,
    },
    /// ALTER … SET SCHEMA.
    SetSchema {
        target: Target,
        if_exists: bool,
        to: String,
    },
    /// ALTER … OWNER TO (of tables: in `AlterTable`).
    SetOwner {
        target: Target,
        to: String,
    },
    /// ALTER … [NO] DEPENDS ON EXTENSION.
    DependsOnExtension {
        target: Target,
        no: bool,
        extension: String,
    },
    Comment {
        target: Target,
        text: Option<String>,
    },
    SecurityLabel {
        target: Target,
        text: String,
    },
    Grant(Grant),
    AlterDefaultPrivileges {
        text: String,
    },
    ReassignOwned {
        text: String,
    },

    /// SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE, MERGE, with everything they reach.
    Query(Query),
    Explain {
        analyze: bool,
        statement: Box<Stmt>,
    },
    Truncate {
        tables: Vec<(Name, bool /* ONLY */)>,
        restart_identity: bool,
        cascade: bool,
    },
    LockTable {
        tables: Vec<(Name, bool /* ONLY */)>,
        mode: crate::model::LockClass,
        nowait: bool,
    },
    Copy {
        table: Option<Name>,
        query: Option<Query>,
        from: bool,
        columns: Vec<String>,
        program_or_file: bool,
    },
    Call {
        function: Name,
        query: Query,
    },
    Do {
        language: String,
        body: Body,
    },
    Prepare {
        name: String,
        statement: Box<Stmt>,
    },
    /// EXECUTE, DEALLOCATE, FETCH, MOVE, CLOSE: of something the session prepared; cannot be known here.
    SessionStatement {
        kind: StatementKind,
        name: Option<String>,
    },
    DeclareCursor {
        query: Query,
        hold: bool,
    },

    Vacuum {
        tables: Vec<(Name, bool /* ONLY */)>,
        full: bool,
        analyze: bool,
    },
    Analyze {
        tables: Vec<(Name, bool /* ONLY */)>,
    },
    Cluster {
        table: Option<Name>,
        index: Option<String>,
    },
    Checkpoint,
    Load {
        library: String,
    },

    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, PREPARE TRANSACTION, SET TRANSACTION …
    Transaction {
        what: TransactionControl,
    },
    /// SET / RESET / SHOW of a session setting; SET CONSTRAINTS, SET ROLE, SET SESSION AUTHORIZATION.
    Setting {
        kind: StatementKind,
        local: bool,
        name: String,
        value: Option<String>,
    },
    Discard {
        all: bool,
    },
    Listen {
        kind: StatementKind,
        channel: String,
    },

    /// CREATE / ALTER DATABASE, TABLESPACE, ROLE, USER, GROUP, ALTER SYSTEM, CREATE/ALTER of aggregates, operators, casts,
    /// collations, conversions, text search objects, access methods, languages, servers, foreign data wrappers, user
    /// mappings, transforms, IMPORT FOREIGN SCHEMA …: kind and what it is about suffice.
    Other {
        verb: OtherVerb,
        target: Target,
        text: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherVerb {
    Create,
    Alter,
}

/// The statement's own name as PostgreSQL's command tags spell it, `ALTER SYSTEM`.
pub(crate) type StatementKind = &'static str;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionControl {
    Begin,
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackTo,
    PrepareTransaction,
    CommitPrepared,
    RollbackPrepared,
    SetTransaction,
}

impl TransactionControl {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::Savepoint => "SAVEPOINT",
            Self::Release => "RELEASE SAVEPOINT",
            Self::RollbackTo => "ROLLBACK TO SAVEPOINT",
            Self::PrepareTransaction => "PREPARE TRANSACTION",
            Self::CommitPrepared => "COMMIT PREPARED",
            Self::RollbackPrepared => "ROLLBACK PREPARED",
            Self::SetTransaction => "SET TRANSACTION",
        }
    }
}

/// Kinds of objects that DROP, COMMENT, RENAME, OWNER, GRANT … name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ObjectKind {
    AccessMethod,
    Aggregate,
    Cast,
    Collation,
    Column,
    Constraint,
    DomainConstraint,
    Conversion,
    Database,
    Domain,
    EventTrigger,
    Extension,
    ForeignDataWrapper,
    ForeignTable,
    Function,
    Index,
    Language,
    LargeObject,
    MaterializedView,
    Operator,
    OperatorClass,
    OperatorFamily,
    Owned,
    Parameter,
    Policy,
    Procedure,
    Publication,
    Role,
    Routine,
    Rule,
    Schema,
    Sequence,
    Server,
    Statistics,
    Subscription,
    System,
    Table,
    Tablespace,
    TextSearchConfiguration,
    TextSearchDictionary,
    TextSearchParser,
    TextSearchTemplate,
    Transform,
    Trigger,
    Type,
    UserMapping,
    View,
}

impl ObjectKind {
    /// The kind as SQL spells it, `MATERIALIZED VIEW`.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::AccessMethod => "ACCESS METHOD",
            Self::Aggregate => "AGGREGATE",
            Self::Cast => "CAST",
            Self::Collation => "COLLATION",
            Self::Column => "COLUMN",
            Self::Constraint => "CONSTRAINT",
            Self::DomainConstraint => "DOMAIN CONSTRAINT",
            Self::Conversion => "CONVERSION",
            Self::Database => "DATABASE",
            Self::Domain => "DOMAIN",
            Self::EventTrigger => "EVENT TRIGGER",
            Self::Extension => "EXTENSION",
            Self::ForeignDataWrapper => "FOREIGN DATA WRAPPER",
            Self::ForeignTable => "FOREIGN TABLE",
            Self::Function => "FUNCTION",
            Self::Index => "INDEX",
            Self::Language => "LANGUAGE",
            Self::LargeObject => "LARGE OBJECT",
            Self::MaterializedView => "MATERIALIZED VIEW",
            Self::Operator => "OPERATOR",
            Self::OperatorClass => "OPERATOR CLASS",
            Self::OperatorFamily => "OPERATOR FAMILY",
            Self::Owned => "OWNED",
            Self::Parameter => "PARAMETER",
            Self::Policy => "POLICY",
            Self::Procedure => "PROCEDURE",
            Self::Publication => "PUBLICATION",
            Self::Role => "ROLE",
            Self::Routine => "ROUTINE",
            Self::Rule => "RULE",
            Self::Schema => "SCHEMA",
            Self::Sequence => "SEQUENCE",
            Self::Server => "SERVER",
            Self::Statistics => "STATISTICS",
            Self::Subscription => "SUBSCRIPTION",
            Self::System => "SYSTEM",
            Self::Table => "TABLE",
            Self::Tablespace => "TABLESPACE",
            Self::TextSearchConfiguration => "TEXT SEARCH CONFIGURATION",
            Self::TextSearchDictionary => "TEXT SEARCH DICTIONARY",
            Self::TextSearchParser => "TEXT SEARCH PARSER",
            Self::TextSearchTemplate => "TEXT SEARCH TEMPLATE",
            Self::Transform => "TRANSFORM",
            Self::Trigger => "TRIGGER",
            Self::Type => "TYPE",
            Self::UserMapping => "USER MAPPING",
            Self::View => "VIEW",
        }
    }
}

/// One object that a statement names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Target {
    pub kind: ObjectKind,
    /// Schema and name; for kinds without schema (role, schema, extension …) only the name.
    pub name: Name,
    /// The table (or domain) of a column, constraint, trigger, rule or policy.
    pub on: Option<Name>,
    /// Argument types of a routine, aggregate or operator, normalised, where given.
    pub args: Option<Vec<TypeName>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drop {
    pub kind: ObjectKind,
    pub targets: Vec<Target>,
    pub if_exists: bool,
    pub cascade: bool,
    pub concurrently: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateIndex {
    pub name: Option<String>,
    pub table: Name,
    pub only: bool,
    pub unique: bool,
    pub concurrently: bool,
    pub if_not_exists: bool,
    /// Access method, `btree` unless given.
    pub method: String,
    pub elements: Vec<IndexElement>,
    pub include: Vec<String>,
    pub nulls_not_distinct: bool,
    /// Canonical text of `WITH (…)`.
    pub with: Option<String>,
    pub tablespace: Option<String>,
    pub predicate: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IndexElement {
    pub column: Option<String>,
    pub expression: Option<Expr>,
    /// Canonical text of COLLATE, operator class, ASC/DESC, NULLS FIRST/LAST, where given.
    pub collation: Option<Name>,
    pub opclass: Option<String>,
    pub descending: bool,
    pub nulls_first: Option<bool>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reindex {
    pub scope: ReindexScope,
    pub concurrently: bool,
    pub tablespace: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ReindexScope {
    Index(Name),
    Table(Name),
    Schema(String),
    Database,
    System,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateView {
    pub name: Name,
    pub or_replace: bool,
    pub temporary: bool,
    pub recursive: bool,
    pub columns: Vec<String>,
    /// Canonical text of `WITH (…)` and `WITH CHECK OPTION`.
    pub options: String,
    pub query: Query,
    /// Canonical text of the query.
    pub definition: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateMaterializedView {
    pub name: Name,
    pub if_not_exists: bool,
    pub columns: Vec<String>,
    pub with: Option<String>,
    pub using: Option<String>,
    pub tablespace: Option<String>,
    pub query: Query,
    pub definition: String,
    pub with_data: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateSequence {
    pub name: Name,
    pub temporary: bool,
    pub unlogged: bool,
    pub if_not_exists: bool,
    pub options: SequenceOptions,
}

/// Options of a sequence that the statement gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SequenceOptions {
    pub data_type: Option<TypeName>,
    /// Canonical texts by option name: `INCREMENT`, `MINVALUE`, `MAXVALUE`, `START`, `CACHE`, `CYCLE`; value as text.
    /// `NO MINVALUE`, `NO MAXVALUE`, `NO CYCLE` have the value `NO`; `CYCLE` has `YES`.
    pub settings: Vec<(String, String)>,
    /// `Some(None)`: OWNED BY NONE.
    pub owned_by: Option<Option<(Name, String)>>,
    /// `Some(None)`: RESTART without value.
    pub restart: Option<Option<String>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TypeDefinition {
    Shell,
    Base { text: String },
    Enum { values: Vec<String> },
    Composite { attributes: Vec<(String, TypeName, Option<Name> /* collation */)> },
    Range { text: String, subtype: Option<TypeName> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    Before,
    After,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AttributeAction {
    Add { name: String, data_type: TypeName, collation: Option<Name>, cascade: bool },
    Drop { name: String, if_exists: bool, cascade: bool },
    SetType { name: String, data_type: TypeName, collation: Option<Name>, cascade: bool },
    Rename { name: String, to: String, cascade: bool },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateDomain {
    pub name: Name,
    pub data_type: TypeName,
    pub collation: Option<Name>,
    pub default: Option<Expr>,
    pub not_null: bool,
    /// CHECK constraints: name and expression.
    pub checks: Vec<(Option<String>, Expr)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DomainAction {
    SetDefault(Expr),
    DropDefault,
    SetNotNull,
    DropNotNull,
    AddCheck {
        name: Option<String>,
        expression: Expr,
        not_valid: bool,
    },
    /// ALTER DOMAIN … ADD [CONSTRAINT name] NOT NULL (17+).
    AddNotNull {
        name: Option<String>,
    },
    DropConstraint {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    RenameConstraint {
        name: String,
        to: String,
    },
    ValidateConstraint {
        name: String,
    },
}

/// A routine by name and argument types.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Routine {
    pub kind: ObjectKind,
    pub name: Name,
    /// Types of the input arguments; `None` where the statement leaves them out.
    pub args: Option<Vec<TypeName>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateFunction {
    pub routine: Routine,
    pub or_replace: bool,
    /// Canonical text of the parameter list (names, modes, types, defaults).
    pub parameters: String,
    /// Canonical text of RETURNS; `None` for procedures and OUT-only functions.
    pub returns: Option<String>,
    pub returns_set: bool,
    pub language: String,
    pub volatility: Volatility,
    /// Canonical text of every other option (STRICT, SECURITY DEFINER, PARALLEL, COST, ROWS, SET …), sorted.
    pub options: Vec<String>,
    /// The body as text: the string constant, or the canonical text of a SQL-standard body.
    pub body_text: String,
    pub body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

/// What a DO block or a function's body runs, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Body {
    /// Statements found anywhere in it, in source order, whether or not control reaches them.
    pub statements: Vec<Statement>,
    /// An EXECUTE of a string, another language, or a part that does not parse: cannot be known. Says which.
    pub opaque: Option<String>,
    /// Literal strings given to EXECUTE that parse as statements are in `statements`; this says that there is transaction
    /// control (COMMIT/ROLLBACK in a procedure or DO).
    pub commits: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateTrigger {
    pub name: String,
    pub table: Name,
    pub or_replace: bool,
    pub constraint: bool,
    /// FROM of a constraint trigger.
    pub from: Option<Name>,
    pub instead_of: bool,
    pub for_each_row: bool,
    pub events: Vec<String>,
    pub function: Name,
    /// Canonical text after the table's name: timing, events, WHEN, function and arguments, deferrability.
    pub definition: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreatePolicy {
    pub name: String,
    pub table: Name,
    pub permissive: bool,
    pub command: String,
    pub roles: Vec<String>,
    pub using: Option<Expr>,
    pub with_check: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PublicationScope {
    pub all_tables: bool,
    /// Tables, with ONLY, their column lists and row filters (canonical text).
    pub tables: Vec<(Name, bool, Vec<String>, Option<String>)>,
    /// TABLES IN SCHEMA; `None` is `CURRENT_SCHEMA`.
    pub schemas: Vec<Option<String>>,
    /// Canonical text of WITH (…).
    pub with: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublicationAction {
    Add,
    Set,
    Drop,
    Options,
}

/// GRANT and REVOKE.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grant {
    pub revoke: bool,
    /// Privileges in upper case with column lists, `SELECT`, `ALL`; of roles: the role names.
    pub privileges: Vec<(String, Vec<String>)>,
    /// The objects; empty where roles are granted.
    pub objects: Vec<Target>,
    /// ALL TABLES/SEQUENCES/FUNCTIONS/PROCEDURES/ROUTINES IN SCHEMA.
    pub all_in_schemas: Vec<String>,
    pub all_kind: Option<ObjectKind>,
    /// Role membership instead of privileges.
    pub of_roles: bool,
    pub grantees: Vec<String>,
    /// WITH GRANT OPTION / ADMIN OPTION; for REVOKE: GRANT OPTION FOR.
    pub grant_option: bool,
    pub cascade: bool,
    pub granted_by: Option<String>,
}

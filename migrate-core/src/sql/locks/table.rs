//! The lock table: what each statement and each action takes and does, on PostgreSQL 14 to 18. The code decides from
//! these rows; small named conditions (`rewrite`, `volatility`, `proof`, `reach`) only choose between the work that a row
//! names. `docs/lock-table.md` is printed from them.
//!
//! A row says the lock on the relation that the statement names, the locks on the other relations it reaches, the work
//! in the plain case and what makes it heavier, whether a transaction block is allowed, and what is lost.

use crate::model::LockClass::{
    AccessExclusive, AccessShare, Exclusive, None as NoLock, RowExclusive, RowShare, Share, ShareRowExclusive,
    ShareUpdateExclusive,
};
use crate::model::Work::{IndexBuild, Metadata, Rewrite, Rows, Scan};
use crate::model::{LockClass, Work};

/// One row of the lock table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The rule's name, `alter-table/add-column`.
    pub rule: &'static str,
    /// The statement or action as SQL.
    pub statement: &'static str,
    /// The lock on the relation that the statement names.
    pub lock: LockClass,
    /// The locks on other relations.
    pub others: &'static [(LockClass, &'static str)],
    /// The work in the plain case.
    pub work: Work,
    /// What makes the work heavier (or lighter).
    pub unless: &'static [(Work, &'static str)],
    /// Whether it may run in a transaction block.
    pub transaction: bool,
    /// What data is lost.
    pub loses: &'static str,
    /// First and last server version that this row is true for.
    pub since: u16,
    pub until: u16,
    pub note: &'static str,
    /// Where PostgreSQL says so.
    pub source: &'static str,
}

impl Row {
    const fn new(rule: &'static str, statement: &'static str, lock: LockClass, work: Work) -> Self {
        Self {
            rule,
            statement,
            lock,
            others: &[],
            work,
            unless: &[],
            transaction: true,
            loses: "",
            since: 14,
            until: 18,
            note: "",
            source: "",
        }
    }
    const fn others(mut self, others: &'static [(LockClass, &'static str)]) -> Self {
        self.others = others;
        self
    }
    const fn unless(mut self, unless: &'static [(Work, &'static str)]) -> Self {
        self.unless = unless;
        self
    }
    const fn alone(mut self) -> Self {
        self.transaction = false;
        self
    }
    const fn loses(mut self, what: &'static str) -> Self {
        self.loses = what;
        self
    }
    const fn since(mut self, version: u16) -> Self {
        self.since = version;
        self
    }
    const fn until(mut self, version: u16) -> Self {
        self.until = version;
        self
    }
    const fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }
    const fn from(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    /// The lock on the first of the other relations.
    pub(crate) fn second(&self) -> LockClass {
        self.others.first().map_or(self.lock, |(lock, _)| *lock)
    }
}

macro_rules! rows {
    ($($(#[doc = $heading:literal])? $name:ident = $row:expr;)+) => {
        $(pub(crate) static $name: Row = $row;)+

        /// Every row, in the order of the file, each with the heading that it opens.
        pub(crate) static TABLE: &[(&str, &Row)] = &[$((concat!($($heading)?), &$name)),+];
    };
}

const LEVEL: &str = "tablecmds.c, AlterTableGetLockLevel";
const REFERENCED: (LockClass, &str) = (ShareRowExclusive, "the referenced table");
const BOTH_SIDES: (LockClass, &str) = (AccessExclusive, "the other table of each foreign key that goes");

rows! {
    #[doc = "ALTER TABLE: columns"]
    ADD_COLUMN = Row::new("alter-table/add-column", "ADD COLUMN", AccessExclusive, Metadata)
        .others(&[REFERENCED])
        .unless(&[
            (Rewrite, "volatile default, serial, identity, stored generated column, or constrained domain"),
            (IndexBuild, "UNIQUE or PRIMARY KEY in the column"),
            (Scan, "CHECK in the column, NOT NULL without default, REFERENCES with a default"),
        ])
        .note("Constant and stable defaults, and virtual generated columns (18), touch the catalog only. Children too.")
        .from("tablecmds.c, ATExecAddColumn");
    DROP_COLUMN = Row::new("alter-table/drop-column", "DROP COLUMN", AccessExclusive, Metadata)
        .others(&[BOTH_SIDES])
        .loses("the column")
        .note("Indexes and constraints that use the column go with it; CASCADE takes views. ONLY still locks the children.")
        .from("tablecmds.c, ATExecDropColumn");
    SET_TYPE = Row::new("alter-table/set-type", "ALTER COLUMN … TYPE", AccessExclusive, Rewrite)
        .others(&[(AccessExclusive, "the other table of a foreign key of the column")])
        .unless(&[
            (Metadata, "binary-coercible change, or a wider varchar, varbit, numeric, time, timestamp, interval"),
            (Scan, "no rewrite, but a CHECK uses the column"),
            (IndexBuild, "no rewrite, but an index over an expression, a predicate, another operator class or collation"),
        ])
        .loses("values that the new type cannot hold whole")
        .from("tablecmds.c, ATColumnChangeRequiresRewrite, ATPostAlterTypeCleanup, CheckIndexCompatible");
    SET_DEFAULT = Row::new("alter-table/set-default", "ALTER COLUMN … SET DEFAULT", AccessExclusive, Metadata)
        .note("Stored rows keep what they have.").from(LEVEL);
    DROP_DEFAULT = Row::new("alter-table/drop-default", "ALTER COLUMN … DROP DEFAULT", AccessExclusive, Metadata).from(LEVEL);
    SET_NOT_NULL = Row::new("alter-table/set-not-null", "ALTER COLUMN … SET NOT NULL", AccessExclusive, Scan)
        .unless(&[(Metadata, "the column is NOT NULL already, or a valid CHECK proves it")])
        .from("tablecmds.c, NotNullImpliedByRelConstraints");
    DROP_NOT_NULL = Row::new("alter-table/drop-not-null", "ALTER COLUMN … DROP NOT NULL", AccessExclusive, Metadata).from(LEVEL);
    SET_EXPRESSION = Row::new("alter-table/set-expression", "ALTER COLUMN … SET EXPRESSION", AccessExclusive, Rewrite)
        .unless(&[(Metadata, "virtual column (18)"), (Scan, "virtual column that a CHECK uses")])
        .since(17).from("tablecmds.c, ATExecSetExpression");
    DROP_EXPRESSION = Row::new("alter-table/drop-expression", "ALTER COLUMN … DROP EXPRESSION", AccessExclusive, Metadata).from(LEVEL);
    ADD_IDENTITY = Row::new("alter-table/add-identity", "ALTER COLUMN … ADD GENERATED … AS IDENTITY", AccessExclusive, Metadata)
        .note("Partitions too from 17 on.").from(LEVEL);
    SET_IDENTITY = Row::new("alter-table/set-identity", "ALTER COLUMN … SET GENERATED, SET sequence option, RESTART", AccessExclusive, Metadata)
        .others(&[(ShareRowExclusive, "the sequence, where its options change")]).from(LEVEL);
    DROP_IDENTITY = Row::new("alter-table/drop-identity", "ALTER COLUMN … DROP IDENTITY", AccessExclusive, Metadata)
        .others(&[(AccessExclusive, "the sequence")]).loses("the sequence's position").from(LEVEL);
    SET_STATISTICS = Row::new("alter-table/set-statistics", "ALTER COLUMN … SET STATISTICS", ShareUpdateExclusive, Metadata).from(LEVEL);
    SET_STORAGE = Row::new("alter-table/set-storage", "ALTER COLUMN … SET STORAGE", AccessExclusive, Metadata)
        .note("Stored rows keep their storage.").from(LEVEL);
    SET_COMPRESSION = Row::new("alter-table/set-compression", "ALTER COLUMN … SET COMPRESSION", AccessExclusive, Metadata)
        .note("Never reaches children.").from(LEVEL);
    SET_COLUMN_OPTIONS = Row::new("alter-table/set-column-options", "ALTER COLUMN … SET (…), RESET (…)", ShareUpdateExclusive, Metadata)
        .note("Never reaches children.").from(LEVEL);
    RENAME_COLUMN = Row::new("alter-table/rename-column", "RENAME COLUMN", AccessExclusive, Metadata).from("tablecmds.c, renameatt");

    #[doc = "ALTER TABLE: constraints"]
    ADD_CHECK = Row::new("alter-table/add-check", "ADD CHECK", AccessExclusive, Scan)
        .unless(&[(Metadata, "NOT VALID, or NOT ENFORCED (18)")]).from(LEVEL);
    ADD_NOT_NULL = Row::new("alter-table/add-not-null", "ADD CONSTRAINT … NOT NULL", AccessExclusive, Scan)
        .unless(&[(Metadata, "NOT VALID, the column is NOT NULL already, or a valid CHECK proves it")])
        .since(18).from(LEVEL);
    ADD_UNIQUE = Row::new("alter-table/add-unique", "ADD UNIQUE", AccessExclusive, IndexBuild)
        .others(&[(Share, "partitions")]).until(17).from("tablecmds.c, ATExecAddIndex; indexcmds.c, DefineIndex");
    ADD_UNIQUE_18 = Row::new("alter-table/add-unique", "ADD UNIQUE", AccessExclusive, IndexBuild)
        .others(&[(AccessExclusive, "partitions")]).since(18).from("tablecmds.c, ATPrepCmd (AT_AddConstraint recurses)");
    ADD_PRIMARY_KEY = Row::new("alter-table/add-primary-key", "ADD PRIMARY KEY", AccessExclusive, IndexBuild)
        .others(&[(AccessExclusive, "partitions and children, whose columns become NOT NULL")]).from(LEVEL);
    ADD_USING_INDEX = Row::new("alter-table/add-constraint-using-index", "ADD UNIQUE / PRIMARY KEY USING INDEX", AccessExclusive, Metadata)
        .unless(&[(Scan, "PRIMARY KEY over a column that is not NOT NULL and that no CHECK proves")])
        .note("Not on partitioned tables.").from("tablecmds.c, ATExecAddIndexConstraint");
    ADD_EXCLUDE = Row::new("alter-table/add-exclude", "ADD EXCLUDE", AccessExclusive, IndexBuild)
        .others(&[(Share, "partitions (17)"), (AccessExclusive, "partitions (18)")]).from("tablecmds.c, ATExecAddIndex; indexcmds.c, DefineIndex");
    ADD_FOREIGN_KEY = Row::new("alter-table/add-foreign-key", "ADD FOREIGN KEY", ShareRowExclusive, Scan)
        .others(&[REFERENCED])
        .unless(&[(Metadata, "NOT VALID, or NOT ENFORCED (18)")])
        .note("Partitions on both sides too. On a partitioned referencing table NOT VALID exists from 18 on.").from(LEVEL);
    ALTER_CONSTRAINT = Row::new("alter-table/alter-constraint", "ALTER CONSTRAINT", AccessExclusive, Metadata)
        .others(&[(ShareRowExclusive, "the referenced table, when it becomes ENFORCED"), (AccessExclusive, "the referenced table, when it becomes NOT ENFORCED")])
        .unless(&[(Scan, "becomes ENFORCED (18)")]).from("tablecmds.c, ATExecAlterConstrEnforceability");
    VALIDATE_CONSTRAINT = Row::new("alter-table/validate-constraint", "VALIDATE CONSTRAINT", ShareUpdateExclusive, Scan)
        .others(&[(RowShare, "the referenced table")])
        .unless(&[(Metadata, "valid already")]).from("tablecmds.c, ATExecValidateConstraint");
    DROP_CONSTRAINT = Row::new("alter-table/drop-constraint", "DROP CONSTRAINT", AccessExclusive, Metadata)
        .others(&[BOTH_SIDES]).from("tablecmds.c, ATExecDropConstraint");
    RENAME_CONSTRAINT = Row::new("alter-table/rename-constraint", "RENAME CONSTRAINT", AccessExclusive, Metadata).from("tablecmds.c, rename_constraint_internal");

    #[doc = "ALTER TABLE: the table"]
    RENAME_TABLE = Row::new("alter-table/rename", "RENAME TO", AccessExclusive, Metadata).from("tablecmds.c, RenameRelation");
    SET_SCHEMA = Row::new("alter-table/set-schema", "SET SCHEMA", AccessExclusive, Metadata)
        .others(&[(AccessExclusive, "sequences that the table owns")]).from("tablecmds.c, AlterTableNamespace");
    OWNER_TO = Row::new("alter-table/owner", "OWNER TO", AccessExclusive, Metadata)
        .others(&[(AccessExclusive, "indexes and owned sequences")]).from(LEVEL);
    TRIGGER_STATE = Row::new("alter-table/trigger-state", "ENABLE / DISABLE TRIGGER", ShareRowExclusive, Metadata)
        .note("Partitions too.").from(LEVEL);
    RULE_STATE = Row::new("alter-table/rule-state", "ENABLE / DISABLE RULE", AccessExclusive, Metadata).from(LEVEL);
    ROW_SECURITY = Row::new("alter-table/row-security", "[NO] FORCE / ENABLE / DISABLE ROW LEVEL SECURITY", AccessExclusive, Metadata).from(LEVEL);
    CLUSTER_ON = Row::new("alter-table/cluster-on", "CLUSTER ON, SET WITHOUT CLUSTER", ShareUpdateExclusive, Metadata).from(LEVEL);
    SET_WITHOUT_OIDS = Row::new("alter-table/set-without-oids", "SET WITHOUT OIDS", AccessExclusive, Metadata).from(LEVEL);
    SET_TABLESPACE = Row::new("alter-table/set-tablespace", "SET TABLESPACE", AccessExclusive, Rewrite)
        .unless(&[(Metadata, "it is there already, or a partitioned table")])
        .from("tablecmds.c, ATExecSetTableSpace");
    SET_LOGGED = Row::new("alter-table/set-logged", "SET LOGGED, SET UNLOGGED", AccessExclusive, Rewrite)
        .unless(&[(Metadata, "it is so already")]).from("tablecmds.c, ATPrepChangePersistence");
    SET_ACCESS_METHOD = Row::new("alter-table/set-access-method", "SET ACCESS METHOD", AccessExclusive, Rewrite)
        .unless(&[(Metadata, "it has it already, or a partitioned table (17)")]).since(15).from("tablecmds.c, ATPrepSetAccessMethod");
    SET_OPTIONS = Row::new("alter-table/set-options", "SET (…), RESET (…) of fillfactor, autovacuum_*, toast.*, parallel_workers, …", ShareUpdateExclusive, Metadata)
        .from("reloptions.c, lockmode of each option");
    SET_STRONG_OPTIONS = Row::new("alter-table/set-strong-options", "SET (…), RESET (…) of user_catalog_table, and of any option of a view", AccessExclusive, Metadata)
        .from("reloptions.c, lockmode of each option");
    INHERIT = Row::new("alter-table/inherit", "INHERIT", AccessExclusive, Metadata)
        .others(&[(ShareUpdateExclusive, "the parent")]).from("tablecmds.c, ATExecAddInherit");
    NO_INHERIT = Row::new("alter-table/no-inherit", "NO INHERIT", AccessExclusive, Metadata)
        .others(&[(AccessShare, "the parent")]).from("tablecmds.c, ATExecDropInherit");
    OF_TYPE = Row::new("alter-table/of-type", "OF, NOT OF", AccessExclusive, Metadata).from(LEVEL);
    REPLICA_IDENTITY = Row::new("alter-table/replica-identity", "REPLICA IDENTITY", AccessExclusive, Metadata).from(LEVEL);
    ATTACH_PARTITION = Row::new("alter-table/attach-partition", "ATTACH PARTITION", ShareUpdateExclusive, Scan)
        .others(&[(AccessExclusive, "the partition, its own partitions, and the default partition"), REFERENCED])
        .unless(&[
            (Metadata, "valid constraints of the partition prove its bound"),
            (IndexBuild, "the parent has an index that the partition has not"),
        ]).from("tablecmds.c, ATExecAttachPartition, QueuePartitionConstraintValidation");
    DETACH_PARTITION = Row::new("alter-table/detach-partition", "DETACH PARTITION", AccessExclusive, Metadata)
        .others(&[(AccessExclusive, "the partition, and the default partition")]).from("tablecmds.c, ATExecDetachPartition");
    DETACH_CONCURRENTLY = Row::new("alter-table/detach-partition-concurrently", "DETACH PARTITION … CONCURRENTLY", ShareUpdateExclusive, Metadata)
        .others(&[(AccessExclusive, "the partition, at the end")]).alone()
        .note("Refused beside a default partition.").from("tablecmds.c, ATExecDetachPartition");
    DETACH_FINALIZE = Row::new("alter-table/detach-partition-finalize", "DETACH PARTITION … FINALIZE", ShareUpdateExclusive, Metadata)
        .others(&[(AccessExclusive, "the partition")]).from("tablecmds.c, ATExecDetachPartitionFinalize");
    FOREIGN_OPTIONS = Row::new("alter-table/foreign-options", "OPTIONS (…) of a foreign table or its column", AccessExclusive, Metadata).from(LEVEL);
    ALL_IN_TABLESPACE = Row::new("alter-table/all-in-tablespace", "ALTER TABLE / INDEX / MATERIALIZED VIEW ALL IN TABLESPACE … SET TABLESPACE", AccessExclusive, Rewrite)
        .from("tablecmds.c, AlterTableMoveAll");

    #[doc = "Tables"]
    CREATE_TABLE = Row::new("create-table", "CREATE TABLE", NoLock, Metadata)
        .others(&[REFERENCED]).from("tablecmds.c, DefineRelation");
    CREATE_TABLE_LIKE = Row::new("create-table/like", "CREATE TABLE (LIKE …)", NoLock, Metadata)
        .others(&[(AccessShare, "the table it is like")]).from("parse_utilcmd.c, transformTableLikeClause");
    CREATE_TABLE_INHERITS = Row::new("create-table/inherits", "CREATE TABLE … INHERITS", NoLock, Metadata)
        .others(&[(ShareUpdateExclusive, "the parent")]).from("tablecmds.c, MergeAttributes");
    CREATE_PARTITION = Row::new("create-table/partition-of", "CREATE TABLE … PARTITION OF", NoLock, Metadata)
        .others(&[(AccessExclusive, "the parent, and the default partition"), REFERENCED])
        .unless(&[(Scan, "there is a default partition")]).from("tablecmds.c, DefineRelation");
    CREATE_TABLE_AS = Row::new("create-table-as", "CREATE TABLE AS, SELECT INTO", NoLock, Metadata)
        .others(&[(AccessShare, "the relations read")])
        .unless(&[(Scan, "it reads a table (not WITH NO DATA)")]).from("createas.c");
    DROP_TABLE = Row::new("drop-table", "DROP TABLE", AccessExclusive, Metadata)
        .others(&[BOTH_SIDES, (AccessExclusive, "the parent and the default partition, of a partition"), (AccessExclusive, "what CASCADE reaches")])
        .loses("the table").from("tablecmds.c, RemoveRelations, RangeVarCallbackForDropRelation");
    DROP_FOREIGN_TABLE = Row::new("drop-foreign-table", "DROP FOREIGN TABLE", AccessExclusive, Metadata).from("tablecmds.c, RemoveRelations");
    TRUNCATE = Row::new("truncate", "TRUNCATE", AccessExclusive, Metadata)
        .others(&[(AccessExclusive, "children, tables that CASCADE reaches; sequences with RESTART IDENTITY")])
        .unless(&[(IndexBuild, "the table has an index, which gets a new file")])
        .loses("every row").from("tablecmds.c, ExecuteTruncate");
    LOCK_TABLE = Row::new("lock-table", "LOCK TABLE", AccessExclusive, Metadata)
        .others(&[(AccessExclusive, "children, and the tables of a view")])
        .note("In the mode that the statement names.").from("lockcmds.c");
    COPY_FROM = Row::new("copy-from", "COPY … FROM", RowExclusive, Rows).from("copy.c, DoCopy");
    COPY_TO = Row::new("copy-to", "COPY … TO", AccessShare, Scan).from("copy.c, DoCopy");

    #[doc = "Indexes"]
    CREATE_INDEX = Row::new("create-index", "CREATE INDEX", Share, IndexBuild)
        .others(&[(Share, "partitions")])
        .unless(&[(Metadata, "the index is there (IF NOT EXISTS), or ON ONLY a partitioned table")]).from("indexcmds.c, DefineIndex");
    CREATE_INDEX_CONCURRENTLY = Row::new("create-index-concurrently", "CREATE INDEX CONCURRENTLY", ShareUpdateExclusive, IndexBuild)
        .unless(&[(Metadata, "the index is there (IF NOT EXISTS)")]).alone().from("indexcmds.c, DefineIndex");
    DROP_INDEX = Row::new("drop-index", "DROP INDEX", AccessExclusive, Metadata)
        .others(&[(AccessExclusive, "the index, and the partitions' indexes and partitions")]).from("tablecmds.c, RangeVarCallbackForDropRelation");
    DROP_INDEX_CONCURRENTLY = Row::new("drop-index-concurrently", "DROP INDEX CONCURRENTLY", ShareUpdateExclusive, Metadata)
        .alone().from("index.c, index_drop");
    REINDEX_INDEX = Row::new("reindex", "REINDEX INDEX / TABLE", Share, IndexBuild)
        .others(&[(AccessExclusive, "the indexes")])
        .note("Queries wait too: planning opens every index of the table.").from("index.c, reindex_index");
    REINDEX_PARTITIONED = Row::new("reindex-partitioned", "REINDEX INDEX / TABLE of a partitioned relation, SCHEMA, DATABASE, SYSTEM", Share, IndexBuild)
        .others(&[(AccessExclusive, "the indexes")]).alone()
        .note("A partitioned parent is locked only for the moment in which its partitions are listed.")
        .from("indexcmds.c, ReindexPartitions, ReindexMultipleTables");
    REINDEX_CONCURRENTLY = Row::new("reindex-concurrently", "REINDEX … CONCURRENTLY", ShareUpdateExclusive, IndexBuild)
        .others(&[(ShareUpdateExclusive, "the indexes; AccessExclusive on each old one at the end")]).alone().from("indexcmds.c, ReindexRelationConcurrently");
    RENAME_INDEX = Row::new("alter-index/rename", "ALTER INDEX … RENAME TO", ShareUpdateExclusive, Metadata).from("tablecmds.c, RenameRelation");
    ALTER_INDEX_OPTIONS = Row::new("alter-index/set-options", "ALTER INDEX … SET (…), RESET (…) of fillfactor, deduplicate_items", ShareUpdateExclusive, Metadata).from("reloptions.c, lockmode of each option");
    ALTER_INDEX_TABLESPACE = Row::new("alter-index/set-tablespace", "ALTER INDEX … SET TABLESPACE", AccessExclusive, Metadata)
        .note("Copies the index's file; queries of the table wait for the index.").from("tablecmds.c, ATExecSetTableSpace");
    ALTER_INDEX_STATISTICS = Row::new("alter-index/set-statistics", "ALTER INDEX … ALTER COLUMN n SET STATISTICS", ShareUpdateExclusive, Metadata).from(LEVEL);
    ATTACH_INDEX = Row::new("alter-index/attach-partition", "ALTER INDEX … ATTACH PARTITION", ShareUpdateExclusive, Metadata)
        .others(&[(AccessExclusive, "the attached index"), (AccessShare, "both tables")]).from("tablecmds.c, ATExecAttachPartitionIdx");
    CLUSTER = Row::new("cluster", "CLUSTER table", AccessExclusive, Rewrite).from("cluster.c");
    CLUSTER_MANY = Row::new("cluster/all", "CLUSTER of a partitioned table (15), or of all", AccessExclusive, Rewrite).alone().from("cluster.c");

    #[doc = "Views"]
    CREATE_VIEW = Row::new("create-view", "CREATE VIEW", NoLock, Metadata)
        .others(&[(AccessShare, "the relations named"), (AccessExclusive, "the view, with OR REPLACE")]).from("view.c");
    ALTER_VIEW = Row::new("alter-view", "ALTER VIEW, ALTER of a view as a table", AccessExclusive, Metadata).from(LEVEL);
    DROP_VIEW = Row::new("drop-view", "DROP VIEW", AccessExclusive, Metadata)
        .others(&[(AccessExclusive, "what CASCADE reaches")]).from("tablecmds.c, RemoveRelations");
    CREATE_MATERIALIZED_VIEW = Row::new("create-materialized-view", "CREATE MATERIALIZED VIEW", NoLock, Metadata)
        .others(&[(AccessShare, "the relations read")])
        .unless(&[(Scan, "it reads a table (not WITH NO DATA)")]).from("createas.c");
    REFRESH = Row::new("refresh-materialized-view", "REFRESH MATERIALIZED VIEW", AccessExclusive, Rewrite)
        .others(&[(AccessShare, "the relations read")]).from("matview.c");
    REFRESH_CONCURRENTLY = Row::new("refresh-materialized-view-concurrently", "REFRESH MATERIALIZED VIEW CONCURRENTLY", Exclusive, Scan)
        .others(&[(AccessShare, "the relations read")]).from("matview.c");
    ALTER_MATERIALIZED_VIEW = Row::new("alter-materialized-view", "ALTER MATERIALIZED VIEW: RENAME, SET SCHEMA, OWNER …", AccessExclusive, Metadata).from(LEVEL);
    DROP_MATERIALIZED_VIEW = Row::new("drop-materialized-view", "DROP MATERIALIZED VIEW", AccessExclusive, Metadata)
        .loses("its rows (they can be computed again)").from("tablecmds.c, RemoveRelations");

    #[doc = "Sequences"]
    CREATE_SEQUENCE = Row::new("create-sequence", "CREATE SEQUENCE", NoLock, Metadata)
        .others(&[(AccessShare, "the table of OWNED BY")]).from("sequence.c");
    ALTER_SEQUENCE = Row::new("alter-sequence", "ALTER SEQUENCE", ShareRowExclusive, Metadata)
        .others(&[(AccessShare, "the table of OWNED BY")])
        .loses("the position, with RESTART")
        .note("INSERTs that draw from it wait.").from("sequence.c, AlterSequence");
    ALTER_SEQUENCE_OBJECT = Row::new("alter-sequence/object", "ALTER SEQUENCE: RENAME, SET SCHEMA, OWNER, SET LOGGED (15)", AccessExclusive, Metadata).from(LEVEL);
    DROP_SEQUENCE = Row::new("drop-sequence", "DROP SEQUENCE", AccessExclusive, Metadata)
        .others(&[(AccessExclusive, "tables whose default CASCADE takes")]).loses("the position").from("tablecmds.c, RemoveRelations");
    DRAW_SEQUENCE = Row::new("sequence-functions", "nextval, setval", RowExclusive, Metadata).from("sequence.c");

    #[doc = "Types and domains"]
    CREATE_TYPE = Row::new("create-type", "CREATE TYPE, CREATE DOMAIN", NoLock, Metadata).from("typecmds.c");
    ALTER_ENUM = Row::new("alter-type/enum", "ALTER TYPE … ADD VALUE, RENAME VALUE", NoLock, Metadata)
        .note("A new value cannot be used in the transaction that adds it.").from("typecmds.c, AlterEnum");
    ALTER_COMPOSITE = Row::new("alter-type/composite", "ALTER TYPE … ADD / DROP / ALTER / RENAME ATTRIBUTE", AccessExclusive, Metadata)
        .others(&[(AccessExclusive, "typed tables, with CASCADE")])
        .unless(&[(Rewrite, "ALTER ATTRIBUTE … TYPE reaches a typed table")]).from(LEVEL);
    ALTER_COMPOSITE_OBJECT = Row::new("alter-type/composite-object", "ALTER TYPE … RENAME TO, OWNER TO of a composite type", AccessExclusive, Metadata).from("typecmds.c, RenameType");
    ALTER_TYPE = Row::new("alter-type", "ALTER TYPE / DOMAIN: RENAME, SET SCHEMA, OWNER", NoLock, Metadata).from("typecmds.c");
    DROP_TYPE = Row::new("drop-type", "DROP TYPE, DROP DOMAIN", NoLock, Metadata)
        .others(&[(AccessExclusive, "tables whose columns CASCADE takes")]).loses("columns that CASCADE takes").from("typecmds.c");
    ALTER_DOMAIN_CHECKED = Row::new("alter-domain/checked", "ALTER DOMAIN … ADD CONSTRAINT, VALIDATE CONSTRAINT, SET NOT NULL", NoLock, Metadata)
        .others(&[(Share, "each table with a column of the domain")])
        .unless(&[(Scan, "a table has a column of the domain")]).from("typecmds.c, get_rels_with_domain");
    ALTER_DOMAIN = Row::new("alter-domain", "ALTER DOMAIN: NOT VALID, DROP CONSTRAINT, DROP NOT NULL, defaults", NoLock, Metadata).from("typecmds.c");

    #[doc = "Functions, triggers, rules, policies"]
    CREATE_FUNCTION = Row::new("create-function", "CREATE FUNCTION / PROCEDURE", NoLock, Metadata)
        .others(&[(AccessShare, "relations that a SQL body reads, and what is behind views of them"), (RowExclusive, "tables that a SQL body writes")])
        .note("SQL bodies are parsed and rewritten, which locks what they name; PL/pgSQL bodies are not.").from("pg_proc.c, fmgr_sql_validator");
    DROP_FUNCTION = Row::new("drop-function", "DROP FUNCTION / PROCEDURE / AGGREGATE …", NoLock, Metadata)
        .others(&[(AccessExclusive, "tables whose triggers, indexes or defaults CASCADE takes")]).from("dependency.c");
    CREATE_TRIGGER = Row::new("create-trigger", "CREATE TRIGGER", ShareRowExclusive, Metadata)
        .others(&[(AccessShare, "the table of FROM"), (ShareRowExclusive, "partitions, of a row trigger")]).from("trigger.c, CreateTrigger");
    ALTER_TRIGGER = Row::new("alter-trigger", "ALTER TRIGGER", AccessExclusive, Metadata)
        .note("Partitions too from 15 on.").from("trigger.c, renametrig");
    DROP_TRIGGER = Row::new("drop-trigger", "DROP TRIGGER", AccessExclusive, Metadata)
        .others(&[(AccessExclusive, "partitions, of a row trigger")]).from("trigger.c, RemoveTriggerById");
    CREATE_RULE = Row::new("create-rule", "CREATE RULE", AccessExclusive, Metadata).from("rewriteDefine.c");
    ALTER_RULE = Row::new("alter-rule", "ALTER RULE", AccessExclusive, Metadata).from("rewriteDefine.c");
    DROP_RULE = Row::new("drop-rule", "DROP RULE", AccessExclusive, Metadata).from("rewriteRemove.c");
    CREATE_POLICY = Row::new("create-policy", "CREATE POLICY", AccessExclusive, Metadata)
        .others(&[(AccessShare, "relations that its expressions read")]).from("policy.c");
    ALTER_POLICY = Row::new("alter-policy", "ALTER POLICY", AccessExclusive, Metadata)
        .others(&[(AccessShare, "relations that its expressions read")]).from("policy.c");
    DROP_POLICY = Row::new("drop-policy", "DROP POLICY", AccessExclusive, Metadata).from("policy.c");
    EVENT_TRIGGER = Row::new("event-trigger", "CREATE / ALTER / DROP EVENT TRIGGER", NoLock, Metadata).from("event_trigger.c");

    #[doc = "Statistics, comments, privileges, publications, schemas, extensions"]
    CREATE_STATISTICS = Row::new("create-statistics", "CREATE STATISTICS", ShareUpdateExclusive, Metadata).from("statscmds.c");
    DROP_STATISTICS = Row::new("drop-statistics", "DROP STATISTICS", ShareUpdateExclusive, Metadata).from("statscmds.c, RemoveStatisticsById");
    ALTER_STATISTICS = Row::new("alter-statistics", "ALTER STATISTICS", NoLock, Metadata).from("statscmds.c");
    COMMENT = Row::new("comment", "COMMENT ON, SECURITY LABEL ON a relation or its column", ShareUpdateExclusive, Metadata).from("comment.c, CommentObject");
    COMMENT_SUBOBJECT = Row::new("comment/subobject", "COMMENT ON a constraint, trigger, rule or policy", AccessShare, Metadata).from("objectaddress.c, get_object_address_relobject");
    COMMENT_OBJECT = Row::new("comment/object", "COMMENT ON anything else", NoLock, Metadata).from("comment.c");
    GRANT = Row::new("grant", "GRANT, REVOKE on tables", NoLock, Metadata).until(17).from("aclchk.c");
    GRANT_18 = Row::new("grant", "GRANT, REVOKE on tables", AccessShare, Metadata).since(18)
        .note("Not ALL TABLES IN SCHEMA.").from("aclchk.c, objectNamesToOids");
    GRANT_OTHER = Row::new("grant/other", "GRANT, REVOKE on anything else; of roles; ALTER DEFAULT PRIVILEGES", NoLock, Metadata).from("aclchk.c");
    REASSIGN_OWNED = Row::new("reassign-owned", "REASSIGN OWNED", AccessExclusive, Metadata).from("pg_shdepend.c, shdepReassignOwned");
    DROP_OWNED = Row::new("drop-owned", "DROP OWNED", AccessExclusive, Metadata)
        .others(&[BOTH_SIDES]).loses("every object that the role owns").from("pg_shdepend.c, shdepDropOwned");
    PUBLICATION_TABLE = Row::new("publication/table", "CREATE / ALTER PUBLICATION … TABLE", ShareUpdateExclusive, Metadata).from("publicationcmds.c, OpenTableList");
    PUBLICATION = Row::new("publication", "CREATE / ALTER / DROP PUBLICATION without tables", NoLock, Metadata).from("publicationcmds.c");
    SUBSCRIPTION = Row::new("subscription", "CREATE / ALTER / DROP SUBSCRIPTION", NoLock, Metadata).from("subscriptioncmds.c");
    SUBSCRIPTION_ALONE = Row::new("subscription/slot", "CREATE / DROP SUBSCRIPTION with a slot, ALTER SUBSCRIPTION … REFRESH", NoLock, Metadata).alone().from("subscriptioncmds.c");
    SCHEMA = Row::new("schema", "CREATE / ALTER SCHEMA", NoLock, Metadata).from("schemacmds.c");
    DROP_SCHEMA = Row::new("drop-schema", "DROP SCHEMA", NoLock, Metadata)
        .others(&[(AccessExclusive, "everything in it, and what depends on it")]).loses("every table in it").from("dependency.c");
    EXTENSION = Row::new("extension", "CREATE / ALTER EXTENSION", NoLock, Metadata).from("extension.c");
    EXTENSION_MEMBER = Row::new("extension/member", "ALTER EXTENSION … ADD / DROP of a relation", ShareUpdateExclusive, Metadata)
        .from("extension.c, ExecAlterExtensionContentsStmt");
    DROP_EXTENSION = Row::new("drop-extension", "DROP EXTENSION", NoLock, Metadata)
        .others(&[(AccessExclusive, "tables whose columns, indexes or defaults CASCADE takes")]).loses("tables that it owns; columns of its types, with CASCADE").from("dependency.c");
    DEPENDS_ON_EXTENSION = Row::new("depends-on-extension", "ALTER INDEX / MATERIALIZED VIEW … DEPENDS ON EXTENSION", AccessExclusive, Metadata).from("alter.c, ExecAlterObjectDependsStmt");
    TRIGGER_DEPENDS_ON_EXTENSION = Row::new("depends-on-extension/trigger", "ALTER TRIGGER … DEPENDS ON EXTENSION", AccessShare, Metadata)
        .from("objectaddress.c, get_object_address_relobject");
    OTHER_OBJECT = Row::new("other-object", "CREATE / ALTER / DROP of roles, casts, operators, collations, conversions, text search, languages, servers, …", NoLock, Metadata)
        .others(&[(AccessExclusive, "what DROP … CASCADE reaches")]).from("dependency.c");
    OUTSIDE = Row::new("outside-transactions", "CREATE / DROP DATABASE, CREATE / DROP TABLESPACE, ALTER SYSTEM, ALTER DATABASE … SET TABLESPACE", NoLock, Metadata).alone().from("utility.c, PreventInTransactionBlock");

    #[doc = "Queries and rows"]
    READ = Row::new("select", "SELECT, VALUES, TABLE, WITH", AccessShare, Metadata)
        .others(&[(AccessShare, "partitions, children, the relations of views")])
        .unless(&[(Scan, "it reads more than one row by its key")]).from("manual, 13.3.1 Table-Level Locks");
    ROW_LOCK = Row::new("select-for-update", "SELECT … FOR UPDATE / SHARE", RowShare, Metadata)
        .unless(&[(Scan, "it reads more than one row by its key")]).from("manual, 13.3.1 Table-Level Locks");
    INSERT = Row::new("insert", "INSERT", RowExclusive, Rows)
        .others(&[(RowShare, "tables that its foreign keys reference")]).from("ri_triggers.c");
    UPDATE = Row::new("update", "UPDATE", RowExclusive, Rows)
        .others(&[(RowShare, "the other table of a foreign key whose columns change; RowExclusive with ON UPDATE CASCADE / SET …")]).from("ri_triggers.c");
    DELETE = Row::new("delete", "DELETE", RowExclusive, Rows)
        .others(&[(RowShare, "tables that reference it; RowExclusive with ON DELETE CASCADE / SET …")])
        .loses("the rows").from("ri_triggers.c");
    MERGE = Row::new("merge", "MERGE", RowExclusive, Rows).since(15)
        .others(&[(RowShare, "as INSERT, UPDATE and DELETE")]).from("ri_triggers.c");
    EXPLAIN = Row::new("explain", "EXPLAIN, PREPARE, DECLARE CURSOR", AccessShare, Metadata)
        .note("The locks of the statement, none of its work; EXPLAIN ANALYZE runs it.").from("explain.c");
    PROGRAM = Row::new("program", "DO, CALL, functions called", NoLock, Metadata)
        .note("The statements of the body. What EXECUTE runs cannot be known.").from("manual, 41.5.4 Executing Dynamic Commands");

    #[doc = "Maintenance and session"]
    VACUUM = Row::new("vacuum", "VACUUM", ShareUpdateExclusive, Metadata).alone().from("vacuum.c");
    VACUUM_FULL = Row::new("vacuum-full", "VACUUM FULL", AccessExclusive, Rewrite).alone().from("vacuum.c, cluster_rel");
    ANALYZE = Row::new("analyze", "ANALYZE", ShareUpdateExclusive, Metadata)
        .others(&[(ShareUpdateExclusive, "partitions"), (AccessShare, "inheritance children, which are sampled")]).from("analyze.c");
    CHECKPOINT = Row::new("checkpoint", "CHECKPOINT, LOAD", NoLock, Metadata).from("utility.c");
    SESSION = Row::new("session", "SET, RESET, SHOW, LISTEN, NOTIFY, DEALLOCATE, FETCH, MOVE, CLOSE, transaction control", NoLock, Metadata).from("utility.c");
    SESSION_ALONE = Row::new("session/alone", "DISCARD ALL, COMMIT PREPARED, ROLLBACK PREPARED", NoLock, Metadata).alone().from("utility.c, PreventInTransactionBlock");
}

//! Locks that are held while work is done.

use super::super::harness::{findings, shop_and};
use super::super::named;
use super::{MORE, Row, hold};
use crate::model::PgRange;

pub(super) const ROWS: &[Row] = &[
    (
        "CREATE INDEX on an existing table",
        "index-not-concurrent",
        "CREATE UNIQUE INDEX i ON orders (note)",
        "CREATE TABLE fresh (a int); CREATE UNIQUE INDEX i ON fresh (a)",
    ),
    (
        "CREATE INDEX, concurrently",
        "index-not-concurrent",
        "CREATE INDEX i ON events_2025 (id)",
        "CREATE INDEX CONCURRENTLY i ON events_2025 (id)",
    ),
    (
        "CREATE INDEX of a partitioned table",
        "index-not-concurrent",
        "CREATE INDEX i ON events (id)",
        "CREATE INDEX i ON ONLY events (id)",
    ),
    (
        "DROP INDEX",
        "drop-index-not-concurrent",
        "DROP INDEX orders_code_idx",
        "DROP INDEX CONCURRENTLY orders_code_idx",
    ),
    (
        "DROP INDEX of a new table",
        "drop-index-not-concurrent",
        "DROP INDEX users_email_idx",
        "CREATE TABLE fresh (a int); CREATE INDEX i ON fresh (a); DROP INDEX i",
    ),
    ("REINDEX", "reindex-not-concurrent", "REINDEX TABLE orders", "REINDEX TABLE CONCURRENTLY orders"),
    (
        "REFRESH",
        "refresh-not-concurrent",
        "REFRESH MATERIALIZED VIEW totals",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY ready",
    ),
    (
        "DETACH",
        "detach-not-concurrent",
        "ALTER TABLE events DETACH PARTITION events_2025",
        "ALTER TABLE events DETACH PARTITION events_2025 CONCURRENTLY",
    ),
    (
        "ATTACH that reads the partition",
        "attach-scans",
        "ALTER TABLE events ATTACH PARTITION events_old FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
        "ALTER TABLE events ATTACH PARTITION events_proved FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
    ),
    (
        "CREATE TABLE PARTITION OF a live parent",
        "partition-of-live-parent",
        "CREATE TABLE e26 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        "CREATE TABLE log (at date) PARTITION BY RANGE (at); CREATE TABLE log_1 PARTITION OF log DEFAULT",
    ),
    (
        "ADD COLUMN with a volatile default",
        "blocking-rewrite",
        "ALTER TABLE orders ADD COLUMN t uuid DEFAULT gen_random_uuid()",
        "ALTER TABLE orders ADD COLUMN t timestamptz DEFAULT now()",
    ),
    (
        "ADD COLUMN serial",
        "blocking-rewrite",
        "ALTER TABLE orders ADD COLUMN n serial",
        "CREATE TABLE fresh (a int); ALTER TABLE fresh ADD COLUMN n bigserial",
    ),
    (
        "ADD COLUMN identity",
        "blocking-rewrite",
        "ALTER TABLE orders ADD COLUMN n int GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE orders ADD COLUMN n int",
    ),
    (
        "ADD COLUMN stored generated",
        "blocking-rewrite",
        "ALTER TABLE orders ADD COLUMN n int GENERATED ALWAYS AS (total + 1) STORED",
        "ALTER TABLE orders ADD COLUMN n int DEFAULT 1",
    ),
    (
        "ADD COLUMN of a constrained domain",
        "blocking-rewrite",
        "ALTER TABLE orders ADD COLUMN p price",
        "ALTER TABLE orders ADD COLUMN p label",
    ),
    (
        "ADD COLUMN with CHECK",
        "add-column-constraint",
        "ALTER TABLE orders ADD COLUMN a int CHECK (a > 0)",
        "ALTER TABLE orders ADD COLUMN a int",
    ),
    (
        "ADD COLUMN with UNIQUE",
        "add-column-constraint",
        "ALTER TABLE orders ADD COLUMN a int UNIQUE",
        "CREATE TABLE fresh (b int); ALTER TABLE fresh ADD COLUMN a int UNIQUE",
    ),
    (
        "ADD COLUMN with REFERENCES and a default",
        "add-column-constraint",
        "ALTER TABLE orders ADD COLUMN a bigint DEFAULT 1 REFERENCES users (id)",
        "ALTER TABLE orders ADD COLUMN a bigint DEFAULT 1",
    ),
    (
        "ADD COLUMN NOT NULL without default",
        "add-column-not-null",
        "ALTER TABLE orders ADD COLUMN a int NOT NULL",
        "ALTER TABLE orders ADD COLUMN a int NOT NULL DEFAULT 0",
    ),
    (
        "SET NOT NULL without a proof",
        "set-not-null-scans",
        "ALTER TABLE orders ALTER COLUMN note SET NOT NULL",
        "ALTER TABLE orders ALTER COLUMN weight SET NOT NULL",
    ),
    (
        "TYPE that rewrites",
        "blocking-rewrite",
        "ALTER TABLE labels ALTER COLUMN e TYPE bigint",
        "ALTER TABLE orders ALTER COLUMN code TYPE varchar(20)",
    ),
    (
        "TYPE that checks",
        "type-change-scans",
        "ALTER TABLE labels ALTER COLUMN a TYPE text",
        "ALTER TABLE labels ALTER COLUMN b TYPE text",
    ),
    (
        "TYPE that rebuilds an index",
        "type-change-scans",
        "ALTER TABLE labels ALTER COLUMN c TYPE text",
        "ALTER TABLE labels ALTER COLUMN d TYPE text",
    ),
    (
        "ADD FOREIGN KEY",
        "foreign-key-not-valid",
        "ALTER TABLE items ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES users (id)",
        "ALTER TABLE items ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES users (id) NOT VALID",
    ),
    (
        "ADD CHECK",
        "check-not-valid",
        "ALTER TABLE orders ADD CONSTRAINT c CHECK (weight > 0)",
        "ALTER TABLE orders ADD CONSTRAINT c CHECK (weight > 0) NOT VALID",
    ),
    (
        "ADD UNIQUE",
        "unique-builds-index",
        "ALTER TABLE orders ADD CONSTRAINT u UNIQUE (code)",
        "ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX users_email_idx",
    ),
    (
        "ADD PRIMARY KEY",
        "primary-key-builds-index",
        "ALTER TABLE keyless ADD PRIMARY KEY (a)",
        "ALTER TABLE keyless ADD CONSTRAINT k PRIMARY KEY USING INDEX keyless_a",
    ),
    (
        "ADD EXCLUDE",
        "exclude-builds-index",
        "ALTER TABLE orders ADD CONSTRAINT x EXCLUDE USING gist (at WITH =)",
        "CREATE TABLE fresh (at tstzrange, CONSTRAINT x EXCLUDE USING gist (at WITH &&))",
    ),
    (
        "NOT VALID and VALIDATE in one transaction",
        "validate-with-not-valid",
        "ALTER TABLE orders ADD CONSTRAINT c CHECK (weight > 0) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT c",
        "ALTER TABLE orders VALIDATE CONSTRAINT pending",
    ),
    (
        "ALTER DOMAIN over used domains",
        "domain-constraint-scans",
        "ALTER DOMAIN price ADD CONSTRAINT c CHECK (VALUE < 100)",
        "ALTER DOMAIN price ADD CONSTRAINT c CHECK (VALUE < 100) NOT VALID",
    ),
    (
        "ALTER DOMAIN that nothing uses",
        "domain-constraint-scans",
        "ALTER DOMAIN price SET NOT NULL",
        "ALTER DOMAIN label SET NOT NULL",
    ),
    ("SET UNLOGGED", "physical-rewrite", "ALTER TABLE orders SET UNLOGGED", "ALTER TABLE orders SET LOGGED"),
    (
        "SET TABLESPACE",
        "physical-rewrite",
        "ALTER TABLE orders SET TABLESPACE fast",
        "ALTER TABLE orders SET TABLESPACE pg_default",
    ),
    ("VACUUM FULL", "physical-rewrite", "VACUUM FULL orders", "VACUUM orders"),
    (
        "CLUSTER",
        "physical-rewrite",
        "CLUSTER orders USING orders_code_idx",
        "ALTER TABLE orders CLUSTER ON orders_code_idx",
    ),
    (
        "O(n) work after a strong lock",
        "work-after-strong-lock",
        "ALTER TABLE users ADD COLUMN a int; CREATE TABLE copies AS SELECT * FROM orders",
        "ALTER TABLE users ADD COLUMN a int; CREATE TABLE copies (LIKE orders)",
    ),
    (
        "several existing tables locked",
        "several-tables-locked",
        "ALTER TABLE users ADD COLUMN a int; ALTER TABLE orders ADD COLUMN a int",
        "ALTER TABLE users ADD COLUMN a int; CREATE TABLE fresh (a int); ALTER TABLE fresh ADD COLUMN b int",
    ),
    (
        "a second table is locked",
        "second-table-locked",
        "ALTER TABLE notes DROP CONSTRAINT notes_user_id_fkey",
        "ALTER TABLE orders DROP CONSTRAINT orders_total_check",
    ),
    ("a second table, of DROP TABLE", "second-table-locked", "DROP TABLE notes", "DROP TABLE labels"),
    (
        "a trigger on a live table",
        "trigger-on-live-table",
        "CREATE TRIGGER t BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE TABLE fresh (a int); CREATE TRIGGER t BEFORE UPDATE ON fresh FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ),
    (
        "a policy on a live table",
        "trigger-on-live-table",
        "CREATE POLICY p ON orders USING (total > 0)",
        "CREATE TABLE fresh (a int); CREATE POLICY p ON fresh USING (a > 0)",
    ),
    (
        "row security of a live table",
        "trigger-on-live-table",
        "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
        "CREATE TABLE fresh (a int); ALTER TABLE fresh ENABLE ROW LEVEL SECURITY",
    ),
    ("LOCK TABLE", "explicit-lock", "LOCK TABLE orders", "CREATE TABLE fresh (a int); LOCK TABLE fresh"),
    (
        "many rows in one statement",
        "unbatched-rows",
        "UPDATE orders SET note = 'x'",
        "UPDATE orders SET note = 'x' WHERE id = 5",
    ),
    (
        "many rows, of DELETE with WHERE",
        "unbatched-rows",
        "DELETE FROM orders WHERE total > 5",
        "DELETE FROM orders WHERE id IN (5, 6)",
    ),
    (
        "ADD COLUMN with PRIMARY KEY",
        "add-column-constraint",
        "ALTER TABLE keyless ADD COLUMN k bigint DEFAULT 1 PRIMARY KEY",
        "CREATE TABLE fresh (b int); ALTER TABLE fresh ADD COLUMN k bigint PRIMARY KEY",
    ),
    (
        "ADD COLUMN with REFERENCES, nullable",
        "add-column-constraint",
        "ALTER TABLE orders ADD COLUMN a bigint DEFAULT 1 REFERENCES users (id)",
        "ALTER TABLE orders ADD COLUMN a bigint REFERENCES users (id)",
    ),
    (
        "ATTACH whose rows the default partition is looked through for",
        "attach-scans",
        "ALTER TABLE plain ATTACH PARTITION plain_new FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
        "ALTER TABLE plain_rest ADD CONSTRAINT apart CHECK (at >= '2021-01-01') NOT VALID",
    ),
    (
        "a new partition that the default partition is looked through for",
        "partition-of-live-parent",
        "CREATE TABLE plain_2 PARTITION OF plain FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
        "CREATE TABLE plain_2 (LIKE plain)",
    ),
    (
        "DETACH beside a default partition: there is no other form",
        "detach-not-concurrent",
        "ALTER TABLE events DETACH PARTITION events_2025",
        "ALTER TABLE plain DETACH PARTITION plain_1",
    ),
    (
        "TYPE that is binary-coercible",
        "blocking-rewrite",
        "ALTER TABLE labels ALTER COLUMN e TYPE bigint",
        "ALTER TABLE labels ALTER COLUMN d TYPE varchar(40)",
    ),
    ("SET LOGGED", "physical-rewrite", "ALTER TABLE scratch SET LOGGED", "ALTER TABLE scratch SET UNLOGGED"),
    (
        "SET LOGGED of a new table",
        "physical-rewrite",
        "ALTER TABLE orders SET UNLOGGED",
        "CREATE UNLOGGED TABLE fresh (a int); ALTER TABLE fresh SET LOGGED",
    ),
    (
        "O(n) work after a strong lock, of an UPDATE",
        "work-after-strong-lock",
        "ALTER TABLE orders ADD COLUMN a int; UPDATE orders SET a = 1",
        "CREATE TABLE fresh (a int); ALTER TABLE fresh ADD COLUMN b int; UPDATE fresh SET b = 1",
    ),
    (
        "a second table, of FK creation",
        "second-table-locked",
        "ALTER TABLE items ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES users (id) NOT VALID",
        "ALTER TABLE items ADD CONSTRAINT f CHECK (id > 0) NOT VALID",
    ),
    (
        "a second table, of CASCADE",
        "cascade",
        "ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE",
        "ALTER TABLE labels DROP COLUMN e CASCADE",
    ),
    (
        "a rule on a live table",
        "trigger-on-live-table",
        "CREATE RULE r AS ON DELETE TO orders DO ALSO NOTIFY gone",
        "CREATE TABLE fresh (a int); CREATE RULE r AS ON DELETE TO fresh DO ALSO NOTIFY gone",
    ),
    (
        "many rows, of DELETE without WHERE",
        "unbatched-rows",
        "DELETE FROM orders",
        "CREATE TABLE fresh (a int); DELETE FROM fresh",
    ),
];

#[test]
fn each_row_alarms_where_it_blocks_and_only_there() {
    hold(ROWS);
}

/// What only newer servers have.
#[test]
fn rows_of_later_versions() {
    let schema = shop_and(MORE);
    let names = |sql: &str, min: u16| -> Vec<&'static str> {
        let range = PgRange::new(min, 18).expect("a range");
        findings(&schema, sql, range, None).iter().map(|finding| finding.hazard.name).collect()
    };
    for (min, hazard, firing, quiet) in [
        (
            15,
            "physical-rewrite",
            "ALTER TABLE orders SET ACCESS METHOD heap2",
            "ALTER TABLE orders SET ACCESS METHOD heap",
        ),
        (
            18,
            "set-not-null-scans",
            "ALTER TABLE orders ADD CONSTRAINT n NOT NULL note",
            "ALTER TABLE orders ADD CONSTRAINT n NOT NULL note NOT VALID",
        ),
        (
            18,
            "blocking-rewrite",
            "ALTER TABLE orders ADD COLUMN n int GENERATED ALWAYS AS (total + 1) STORED",
            "ALTER TABLE orders ADD COLUMN n int GENERATED ALWAYS AS (total + 1) VIRTUAL",
        ),
        (
            18,
            "check-not-valid",
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (weight > 0)",
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (weight > 0) NOT ENFORCED",
        ),
    ] {
        assert!(named(hazard).is_some(), "{hazard}");
        assert!(names(firing, min).contains(&hazard), "{firing}: {:?}", names(firing, min));
        assert!(!names(quiet, min).contains(&hazard), "{quiet}: {:?}", names(quiet, min));
    }
}

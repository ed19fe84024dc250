//! Row by row through the hazards that the field's tools report, and those that none does: SQL that has the hazard, and SQL
//! next to it that has not.

use super::harness::{findings_or_error, shop_and};
use super::{Severity, named};
use crate::model::PgRange;

/// What it is about, the hazard's name, the SQL that has it, the SQL that has no hazard.
const ROWS: &[(&str, &str, &str, &str)] = &[
    // Locks held while work is done.
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
    // Transactionality.
    (
        "a new enum value used where it is added",
        "enum-value-used",
        "ALTER TYPE mood ADD VALUE 'new'; INSERT INTO people VALUES (1, 'new')",
        "ALTER TYPE mood ADD VALUE 'new'; INSERT INTO people VALUES (1, 'ok')",
    ),
    (
        "a step alone that is not safe to run twice",
        "not-safe-to-run-twice",
        "CREATE DATABASE reports",
        "DROP DATABASE IF EXISTS reports",
    ),
    ("BEGIN in a migration", "transaction-control", "BEGIN", "SET LOCAL work_mem = '64MB'"),
    (
        "CONCURRENTLY where it is refused",
        "concurrently-refused",
        "REINDEX (CONCURRENTLY) SYSTEM shop",
        "REINDEX TABLE CONCURRENTLY orders",
    ),
    (
        "IF NOT EXISTS keeps an invalid index",
        "index-if-not-exists-concurrently",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (note)",
        "CREATE INDEX CONCURRENTLY i ON orders (note)",
    ),
    // Destructive, and easily missed.
    ("CASCADE", "cascade", "DROP TABLE users CASCADE", "DROP TABLE labels"),
    ("DROP OWNED", "drop-owned", "DROP OWNED BY somebody", "DROP TABLE IF EXISTS labels"),
    (
        "the replica identity of a published table",
        "replica-identity-dropped",
        "ALTER TABLE published DROP CONSTRAINT published_pkey",
        "ALTER TABLE published ALTER COLUMN v DROP DEFAULT",
    ),
    (
        "a renamed column in use",
        "rename-in-use",
        "ALTER TABLE orders RENAME COLUMN note TO remark",
        "CREATE TABLE fresh (a int); ALTER TABLE fresh RENAME COLUMN a TO b",
    ),
    (
        "pending trigger events",
        "pending-trigger-events",
        "INSERT INTO later VALUES (1, 1); ALTER TABLE later ADD COLUMN b int",
        "INSERT INTO keyless VALUES (1); ALTER TABLE keyless ADD COLUMN b int",
    ),
    // Inside code that other tools do not read.
    (
        "DDL in a DO block",
        "index-not-concurrent",
        "DO $$ BEGIN CREATE INDEX i ON orders (note); END $$",
        "DO $$ BEGIN CREATE TABLE fresh (a int); CREATE INDEX i ON fresh (a); END $$",
    ),
    (
        "EXECUTE of a string",
        "dynamic-sql",
        "DO $$ DECLARE t text; BEGIN SELECT email INTO t FROM users; EXECUTE t; END $$",
        "DO $$ BEGIN EXECUTE 'CREATE TABLE fresh (a int)'; END $$",
    ),
];

const MORE: &str = "
    CREATE TABLE events_proved (id bigint, at timestamptz NOT NULL, CHECK (at >= '2020-01-01' AND at < '2021-01-01'));
    ALTER TABLE orders ADD CONSTRAINT weighed CHECK (weight IS NOT NULL);
    ALTER TABLE orders ADD CONSTRAINT pending CHECK (weight < 1000) NOT VALID;
    CREATE DOMAIN label AS text;
    CREATE TABLE labels (a varchar(10) CHECK (a <> ''), b varchar(10), c varchar(10), d varchar(10), e int);
    CREATE INDEX labels_c ON labels (lower(c));
    CREATE INDEX labels_d ON labels (d);
    CREATE TABLE keyless (a int NOT NULL);
    CREATE UNIQUE INDEX keyless_a ON keyless (a);
    CREATE TABLE published (id int PRIMARY KEY, v int DEFAULT 1);
    CREATE PUBLICATION p FOR TABLE published;
    CREATE TABLE later (id int PRIMARY KEY, up int REFERENCES keyless (a) DEFERRABLE INITIALLY DEFERRED);
    CREATE MATERIALIZED VIEW ready AS SELECT id FROM users;
    CREATE UNIQUE INDEX ready_id ON ready (id);";

#[test]
fn each_row_alarms_where_it_blocks_and_only_there() {
    let schema = shop_and(MORE);
    let mut wrong = String::new();
    for (row, hazard, firing, quiet) in ROWS {
        let hazard = named(hazard).unwrap_or_else(|| panic!("{row}: there is no hazard {hazard}"));
        match findings_or_error(&schema, firing, PgRange::SUPPORTED, None) {
            Ok(found) if found.iter().any(|finding| finding.hazard == hazard) => {}
            Ok(found) => {
                let names: Vec<_> = found.iter().map(|finding| finding.hazard.name).collect();
                wrong.push_str(&format!("{row}: {firing}\n  is not found to have {}, but {names:?}\n", hazard.name));
            }
            Err(error) => wrong.push_str(&format!("{row}: {error}\n")),
        }
        match findings_or_error(&schema, quiet, PgRange::SUPPORTED, None) {
            Ok(found) => {
                for it in found.iter().filter(|it| it.hazard == hazard || it.hazard.severity == Severity::Blocking) {
                    wrong.push_str(&format!("{row}: {quiet}\n  is found to have {}\n", it.hazard.name));
                }
            }
            Err(error) => wrong.push_str(&format!("{row}: {error}\n")),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

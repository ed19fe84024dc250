//! Transactionality: what refuses a transaction block, and what does not belong into one.

use super::super::harness::declare;
use super::{ALONE, Row, hold};
use crate::model::{LockClass, Phase};
use crate::sql::check::{Site, check};

pub(super) const ROWS: &[Row] = &[
    (
        "CREATE INDEX CONCURRENTLY",
        ALONE,
        "CREATE INDEX CONCURRENTLY i ON orders (note)",
        "CREATE INDEX i ON ONLY events (id)",
    ),
    ("DROP INDEX CONCURRENTLY", ALONE, "DROP INDEX CONCURRENTLY orders_code_idx", "ANALYZE orders"),
    ("REINDEX CONCURRENTLY", ALONE, "REINDEX INDEX CONCURRENTLY orders_code_idx", "ANALYZE orders"),
    (
        "DETACH CONCURRENTLY",
        ALONE,
        "ALTER TABLE events DETACH PARTITION events_2025 CONCURRENTLY",
        "ALTER TABLE plain DETACH PARTITION plain_1",
    ),
    ("VACUUM", ALONE, "VACUUM orders", "ANALYZE orders"),
    ("ALTER SYSTEM", ALONE, "ALTER SYSTEM SET work_mem = '64MB'", "SET LOCAL work_mem = '64MB'"),
    ("CREATE DATABASE", ALONE, "CREATE DATABASE reports", "CREATE SCHEMA reports"),
    ("DROP DATABASE", ALONE, "DROP DATABASE reports", "ALTER DATABASE reports SET work_mem = '64MB'"),
    (
        "CREATE TABLESPACE",
        ALONE,
        "CREATE TABLESPACE fast LOCATION '/fast'",
        "ALTER TABLESPACE fast SET (random_page_cost = 1)",
    ),
    ("DROP TABLESPACE", ALONE, "DROP TABLESPACE fast", "ALTER TABLESPACE fast RENAME TO quick"),
    ("REINDEX SCHEMA", ALONE, "REINDEX SCHEMA public", "CREATE TABLE fresh (a int PRIMARY KEY); REINDEX TABLE fresh"),
    (
        "REINDEX of a partitioned table",
        ALONE,
        "REINDEX TABLE events",
        "CREATE TABLE fresh (a int); REINDEX TABLE fresh",
    ),
    ("CLUSTER of every table", ALONE, "CLUSTER", "ALTER TABLE orders CLUSTER ON orders_code_idx"),
    (
        "CREATE SUBSCRIPTION with a slot",
        ALONE,
        "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p",
        "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false)",
    ),
    (
        "ALTER SUBSCRIPTION … REFRESH",
        ALONE,
        "ALTER SUBSCRIPTION fed REFRESH PUBLICATION",
        "ALTER SUBSCRIPTION fed DISABLE",
    ),
    ("DISCARD ALL", ALONE, "DISCARD ALL", "DISCARD PLANS"),
    // Where the server refuses the form itself: by name where the schema says so, or with its SQLSTATE.
    (
        "CONCURRENTLY on a partitioned parent",
        "0A000",
        "CREATE INDEX CONCURRENTLY i ON events (id)",
        "CREATE INDEX CONCURRENTLY i ON events_2025 (id)",
    ),
    (
        "CONCURRENTLY of an exclusion constraint's index",
        "concurrently-refused",
        "REINDEX INDEX CONCURRENTLY apart",
        "REINDEX INDEX CONCURRENTLY orders_code_idx",
    ),
    (
        "CONCURRENTLY of system catalogs",
        "concurrently-refused",
        "REINDEX (CONCURRENTLY) SYSTEM shop",
        "REINDEX TABLE CONCURRENTLY orders",
    ),
    (
        "DETACH CONCURRENTLY beside a default partition",
        "55000",
        "ALTER TABLE plain DETACH PARTITION plain_1 CONCURRENTLY",
        "ALTER TABLE events DETACH PARTITION events_2025 CONCURRENTLY",
    ),
    (
        "REFRESH CONCURRENTLY without a unique index",
        "55000",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY ready",
    ),
    (
        "IF NOT EXISTS keeps an invalid index",
        "index-if-not-exists-concurrently",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (note)",
        "CREATE INDEX CONCURRENTLY i ON orders (note)",
    ),
    ("BEGIN in a migration", "transaction-control", "BEGIN", "SET LOCAL work_mem = '64MB'"),
    ("COMMIT in a migration", "transaction-control", "COMMIT", "SET CONSTRAINTS ALL IMMEDIATE"),
    ("SAVEPOINT in a migration", "transaction-control", "SAVEPOINT s", "SET CONSTRAINTS ALL DEFERRED"),
    ("COMMIT in a block", "transaction-control", "DO $$ BEGIN COMMIT; END $$", "DO $$ BEGIN NULL; END $$"),
    (
        "a new enum value used where it is added",
        "enum-value-used",
        "ALTER TYPE mood ADD VALUE 'new'; INSERT INTO people VALUES (1, 'new')",
        "ALTER TYPE mood ADD VALUE 'new'; INSERT INTO people VALUES (1, 'ok')",
    ),
    (
        "a new enum value in a type that is new too",
        "enum-value-used",
        "ALTER TYPE mood ADD VALUE 'new'; ALTER TABLE people ALTER COLUMN now SET DEFAULT 'new'",
        "CREATE TYPE fresh AS ENUM ('a', 'b'); CREATE TABLE f (x fresh DEFAULT 'b')",
    ),
    (
        "a step alone that is not safe to run twice",
        "not-safe-to-run-twice",
        "CREATE DATABASE reports",
        "DROP DATABASE IF EXISTS reports",
    ),
];

#[test]
fn each_row_is_known() {
    hold(ROWS);
}

/// Declared with a transaction, it does not compile, and the error says what to write; declared without, it does.
#[test]
fn what_refuses_a_transaction_is_refused_in_one() {
    use LockClass::{AccessExclusive, None, ShareUpdateExclusive};
    for (phase, lock, up, down) in [
        (
            Phase::Expand,
            ShareUpdateExclusive,
            "CREATE INDEX CONCURRENTLY i ON orders (note)",
            "DROP INDEX CONCURRENTLY IF EXISTS i",
        ),
        (
            Phase::Contract,
            ShareUpdateExclusive,
            "DROP INDEX CONCURRENTLY i",
            "CREATE UNIQUE INDEX CONCURRENTLY i ON orders (note)",
        ),
        (Phase::Expand, ShareUpdateExclusive, "REINDEX TABLE CONCURRENTLY orders", ""),
        (
            Phase::Contract,
            AccessExclusive,
            "ALTER TABLE events DETACH PARTITION e CONCURRENTLY",
            "ALTER TABLE events ATTACH PARTITION e FOR VALUES IN (1)",
        ),
        (Phase::Expand, ShareUpdateExclusive, "VACUUM orders", ""),
        (Phase::Expand, None, "ALTER SYSTEM SET work_mem = '64MB'", "ALTER SYSTEM RESET work_mem"),
    ] {
        let alone = declare(phase, lock, &[(up, down)]);
        let alone = crate::sql::check::Declaration { transactional: false, ..alone };
        let within = crate::sql::check::Declaration { transactional: true, ..alone.clone() };
        let problems = check(&within).expect_err(up);
        let said = problems.iter().find(|problem| problem.site == Site::Transactional);
        assert!(said.is_some_and(|said| said.message.contains("transactional = false")), "{up}: {problems:#?}");
        if let Err(problems) = check(&alone) {
            panic!("{up}: {problems:#?}");
        }
    }
}

//! Destructive: what takes data, and what takes definitions that the `down` must bring back whole.

use super::super::harness::{declare, shop_and};
use super::{DESTRUCTIVE, MORE, Row, hold};
use crate::model::{LockClass, PgRange, Phase};
use crate::sql::check::{Site, check};
use crate::sql::locks::facts_over;
use crate::sql::parse::parse;

pub(super) const ROWS: &[Row] = &[
    ("DROP TABLE", DESTRUCTIVE, "DROP TABLE labels", "CREATE TABLE fresh (a int); DROP TABLE fresh"),
    ("DROP COLUMN", DESTRUCTIVE, "ALTER TABLE labels DROP COLUMN e", "ALTER TABLE labels ALTER COLUMN e DROP DEFAULT"),
    (
        "DROP COLUMN of a new column",
        DESTRUCTIVE,
        "ALTER TABLE labels DROP COLUMN e",
        "CREATE TABLE fresh (a int); ALTER TABLE fresh DROP COLUMN a",
    ),
    ("DROP SCHEMA", DESTRUCTIVE, "DROP SCHEMA old CASCADE", "CREATE SCHEMA fresh; DROP SCHEMA fresh"),
    ("DROP DATABASE", DESTRUCTIVE, "DROP DATABASE reports", "ALTER DATABASE reports SET work_mem = '64MB'"),
    ("TRUNCATE", DESTRUCTIVE, "TRUNCATE labels", "CREATE TABLE fresh (a int); TRUNCATE fresh"),
    ("TRUNCATE … CASCADE", "cascade", "TRUNCATE users CASCADE", "TRUNCATE labels"),
    ("CASCADE", "cascade", "DROP TABLE users CASCADE", "DROP TABLE labels"),
    ("DELETE without WHERE", DESTRUCTIVE, "DELETE FROM orders", "CREATE TABLE fresh (a int); DELETE FROM fresh"),
    (
        "DELETE with WHERE",
        DESTRUCTIVE,
        "DELETE FROM orders WHERE id = 5",
        "INSERT INTO users (id, email) VALUES (1, 'a')",
    ),
    (
        "a type that narrows",
        DESTRUCTIVE,
        "ALTER TABLE labels ALTER COLUMN b TYPE varchar(5) USING substr(b, 1, 5)",
        "ALTER TABLE labels ALTER COLUMN b TYPE varchar(50)",
    ),
    (
        "a type that narrows, by its cast",
        DESTRUCTIVE,
        "ALTER TABLE orders ALTER COLUMN at TYPE date",
        "ALTER TABLE labels ALTER COLUMN b TYPE text",
    ),
    (
        "a materialized view",
        DESTRUCTIVE,
        "DROP MATERIALIZED VIEW ready",
        "CREATE MATERIALIZED VIEW fresh AS SELECT 1 AS a; DROP MATERIALIZED VIEW fresh",
    ),
    (
        "DROP IDENTITY, which loses its position",
        DESTRUCTIVE,
        "ALTER TABLE counted ALTER COLUMN id DROP IDENTITY",
        "ALTER TABLE counted ALTER COLUMN id SET GENERATED ALWAYS",
    ),
    (
        "a type whose CASCADE takes a column",
        DESTRUCTIVE,
        "DROP TYPE mood CASCADE",
        "CREATE TYPE fresh AS ENUM ('a'); DROP TYPE fresh",
    ),
    ("a domain whose CASCADE takes a column", DESTRUCTIVE, "DROP DOMAIN price CASCADE", "DROP DOMAIN label"),
    ("an extension, which may own tables", DESTRUCTIVE, "DROP EXTENSION postgis", "DROP EXTENSION pg_trgm"),
    (
        "a sequence, which loses its position",
        DESTRUCTIVE,
        "DROP SEQUENCE numbers",
        "CREATE SEQUENCE fresh; DROP SEQUENCE fresh",
    ),
    ("DROP OWNED", "drop-owned", "DROP OWNED BY somebody", "DROP TABLE IF EXISTS labels"),
    ("REASSIGN OWNED", "drop-owned", "REASSIGN OWNED BY somebody TO nobody", "ALTER TABLE labels OWNER TO nobody"),
    ("REVOKE", "revoke", "REVOKE SELECT ON orders FROM PUBLIC", "GRANT SELECT ON orders TO PUBLIC"),
];

#[test]
fn each_row_is_known() {
    hold(ROWS);
}

/// From 15 on.
#[test]
fn merge_deletes_too() {
    let schema = shop_and(MORE);
    let destructive = |sql: &str| -> bool {
        let [statement] = parse(sql).unwrap().try_into().unwrap();
        facts_over(&statement, &schema, PgRange::new(15, 18).unwrap()).unwrap().destructive
    };
    assert!(destructive("MERGE INTO labels USING orders ON e = id WHEN MATCHED THEN DELETE"));
    assert!(!destructive("MERGE INTO labels USING orders ON e = id WHEN MATCHED THEN DO NOTHING"));
}

/// The up, and the down that brings the definition back whole.
const DEFINITIONS: &[(LockClass, &str, &str)] = {
    use LockClass::{AccessExclusive, None};
    &[
        (AccessExclusive, "DROP VIEW v", "CREATE VIEW v AS SELECT 1 AS a"),
        (None, "DROP FUNCTION f(int)", "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1'"),
        (None, "DROP TYPE mood", "CREATE TYPE mood AS ENUM ('sad', 'ok')"),
        (None, "DROP DOMAIN price", "CREATE DOMAIN price AS int CHECK (value > 0)"),
        (None, "DROP EXTENSION pg_trgm", "CREATE EXTENSION pg_trgm"),
        (
            AccessExclusive,
            "ALTER TABLE orders ALTER COLUMN note DROP DEFAULT",
            "ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'x'",
        ),
        (
            AccessExclusive,
            "ALTER TABLE orders DROP CONSTRAINT c",
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0)",
        ),
        (
            AccessExclusive,
            "DROP TRIGGER t ON orders",
            "CREATE TRIGGER t BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION f()",
        ),
        (AccessExclusive, "DROP POLICY p ON orders", "CREATE POLICY p ON orders USING (total > 0)"),
        (
            AccessExclusive,
            "ALTER TABLE orders ALTER COLUMN note DROP NOT NULL",
            "ALTER TABLE orders ALTER COLUMN note SET NOT NULL",
        ),
    ]
};

/// What only loses a definition needs no backup; it needs its down.
#[test]
fn a_dropped_definition_is_brought_back_whole() {
    for (lock, up, down) in DEFINITIONS {
        let with = |down: &str| {
            let declared = |phase| declare(phase, *lock, &[(up, down)]);
            check(&declared(Phase::Contract)).or_else(|_| check(&declared(Phase::Expand)))
        };
        match with(down) {
            Ok(checked) => assert!(!checked.steps[0].destructive || up.contains("EXTENSION"), "{up}"),
            Err(problems) if up.contains("EXTENSION") => {
                // It may own tables: a backup and an approval too.
                assert!(problems.iter().any(|problem| problem.message.contains("#[destructive(")), "{problems:#?}");
                continue;
            }
            Err(problems) => panic!("{up}: {problems:#?}"),
        }
        let problems = with("").expect_err(up);
        let at_down = problems.iter().any(|problem| matches!(problem.site, Site::Down(_) | Site::Step(_)));
        assert!(at_down, "{up} with no down: {problems:#?}");
    }
    // What takes data with it, and what is not in a definition: a generation expression, an identity's position, rows.
    for (up, down) in [
        ("DROP MATERIALIZED VIEW m", "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a"),
        (
            "ALTER TABLE orders ALTER COLUMN id DROP IDENTITY",
            "ALTER TABLE orders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY",
        ),
        (
            "ALTER TABLE orders ALTER COLUMN twice DROP EXPRESSION",
            "ALTER TABLE orders ALTER COLUMN twice SET EXPRESSION AS (total * 2)",
        ),
    ] {
        let problems = check(&declare(Phase::Contract, LockClass::AccessExclusive, &[(up, "")])).expect_err(up);
        let at_down = problems.iter().any(|problem| matches!(problem.site, Site::Down(_) | Site::Step(_)));
        assert!(at_down, "{up} with no down: {problems:#?}");
        let _ = down;
    }
}

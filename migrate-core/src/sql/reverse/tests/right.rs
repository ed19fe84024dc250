//! Pairs whose down takes the up back.

use super::{Around, Made, Open, SHOP, verdict};

/// Where, up, down.
const PAIRS: &[(Around, &str, &str)] = &[
    // Columns, seen alone.
    (Open, "ALTER TABLE orders ADD COLUMN status text", "ALTER TABLE orders DROP COLUMN status"),
    (
        Open,
        "ALTER TABLE orders ADD COLUMN status text NOT NULL DEFAULT 'x'",
        "ALTER TABLE orders DROP COLUMN IF EXISTS status",
    ),
    (
        Open,
        "ALTER TABLE orders ADD COLUMN IF NOT EXISTS status text",
        "ALTER TABLE orders DROP COLUMN IF EXISTS status",
    ),
    (Open, "ALTER TABLE orders ADD COLUMN a int, ADD COLUMN b int", "ALTER TABLE orders DROP COLUMN b, DROP COLUMN a"),
    (
        Open,
        "ALTER TABLE orders ADD COLUMN a int, ADD COLUMN b int",
        "ALTER TABLE orders DROP COLUMN a; ALTER TABLE orders DROP COLUMN b",
    ),
    (
        Open,
        "ALTER TABLE orders ADD COLUMN user_id bigint REFERENCES users (id)",
        "ALTER TABLE orders DROP COLUMN user_id",
    ),
    (Open, "ALTER TABLE users DROP COLUMN full_name", "ALTER TABLE users ADD COLUMN full_name text"),
    (Open, "ALTER TABLE users DROP COLUMN IF EXISTS full_name", "ALTER TABLE users ADD COLUMN full_name text"),
    (Open, "ALTER TABLE users RENAME COLUMN name TO full_name", "ALTER TABLE users RENAME COLUMN full_name TO name"),
    (
        Open,
        "ALTER TABLE users ALTER COLUMN name TYPE varchar(20)",
        "ALTER TABLE users ALTER COLUMN name TYPE varchar(10)",
    ),
    (Open, "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x'", "ALTER TABLE users ALTER COLUMN name DROP DEFAULT"),
    (
        Open,
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x'",
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'y'",
    ),
    (Open, "ALTER TABLE users ALTER COLUMN name SET NOT NULL", "ALTER TABLE users ALTER COLUMN name DROP NOT NULL"),
    (Open, "ALTER TABLE users ALTER COLUMN name DROP NOT NULL", "ALTER TABLE users ALTER COLUMN name SET NOT NULL"),
    (Open, "ALTER TABLE users ALTER COLUMN name DROP DEFAULT", "ALTER TABLE users ALTER COLUMN name SET DEFAULT ''"),
    (
        Open,
        "ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE t ALTER COLUMN id DROP IDENTITY",
    ),
    (Open, "ALTER TABLE t ALTER COLUMN c SET STORAGE EXTERNAL", "ALTER TABLE t ALTER COLUMN c SET STORAGE EXTENDED"),
    // The names as another would write them.
    (Open, "ALTER TABLE orders ADD COLUMN status text", "alter table public.orders drop status"),
    (Open, "ALTER TABLE \"Orders\" ADD COLUMN \"Status\" text", "ALTER TABLE public.\"Orders\" DROP COLUMN \"Status\""),
    // Constraints.
    (Open, "ALTER TABLE orders ADD CONSTRAINT qty_ok CHECK (qty > 0)", "ALTER TABLE orders DROP CONSTRAINT qty_ok"),
    (
        Open,
        "ALTER TABLE orders ADD CONSTRAINT qty_ok CHECK (qty > 0) NOT VALID",
        "ALTER TABLE orders DROP CONSTRAINT IF EXISTS qty_ok",
    ),
    (
        Open,
        "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id)",
        "ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey",
    ),
    (Open, "ALTER TABLE orders DROP CONSTRAINT qty_ok", "ALTER TABLE orders ADD CONSTRAINT qty_ok CHECK (qty > 0)"),
    (Open, "ALTER TABLE orders RENAME CONSTRAINT a TO b", "ALTER TABLE orders RENAME CONSTRAINT b TO a"),
    (Open, "ALTER TABLE users ADD UNIQUE (email)", "ALTER TABLE users DROP CONSTRAINT users_email_key"),
    (Open, "ALTER TABLE users ADD PRIMARY KEY (id)", "ALTER TABLE users DROP CONSTRAINT users_pkey"),
    (Open, "ALTER TABLE t DISABLE TRIGGER tr", "ALTER TABLE t ENABLE TRIGGER tr"),
    // Tables.
    (Open, "CREATE TABLE t (id bigint PRIMARY KEY, v text)", "DROP TABLE t"),
    (Open, "CREATE TABLE IF NOT EXISTS t (id serial)", "DROP TABLE IF EXISTS t"),
    (Open, "CREATE TABLE t AS SELECT 1 AS a", "DROP TABLE t"),
    (Open, "DROP TABLE t", "CREATE TABLE t (id bigint PRIMARY KEY, v text UNIQUE)"),
    (Open, "DROP TABLE t", "CREATE TABLE t (id serial PRIMARY KEY); CREATE INDEX ON t (id)"),
    (Open, "ALTER TABLE a RENAME TO b", "ALTER TABLE b RENAME TO a"),
    (Open, "ALTER TABLE a SET SCHEMA s", "ALTER TABLE s.a SET SCHEMA public"),
    (Open, "ALTER TABLE a ENABLE ROW LEVEL SECURITY", "ALTER TABLE a DISABLE ROW LEVEL SECURITY"),
    (Open, "ALTER TABLE a SET (fillfactor = 70)", "ALTER TABLE a RESET (fillfactor)"),
    (Open, "ALTER TABLE a SET UNLOGGED", "ALTER TABLE a SET LOGGED"),
    (
        Open,
        "ALTER TABLE a RENAME TO b; ALTER TABLE b ADD COLUMN c int",
        "ALTER TABLE b DROP COLUMN c; ALTER TABLE b RENAME TO a",
    ),
    (
        Open,
        "ALTER TABLE a RENAME TO b; ALTER TABLE b ALTER COLUMN c SET NOT NULL",
        "ALTER TABLE b RENAME TO a; ALTER TABLE a ALTER COLUMN c DROP NOT NULL",
    ),
    // Indexes.
    (Open, "CREATE INDEX CONCURRENTLY i ON orders (status)", "DROP INDEX CONCURRENTLY IF EXISTS i"),
    (Open, "CREATE UNIQUE INDEX i ON s.orders (status)", "DROP INDEX s.i"),
    (Open, "CREATE INDEX ON orders (status)", "DROP INDEX orders_status_idx"),
    (Open, "DROP INDEX CONCURRENTLY i", "CREATE INDEX CONCURRENTLY i ON orders (status)"),
    (Open, "ALTER INDEX i RENAME TO j", "ALTER INDEX j RENAME TO i"),
    // Views, types, functions and the rest.
    (Open, "CREATE VIEW v AS SELECT 1 AS a", "DROP VIEW v"),
    (Open, "CREATE OR REPLACE VIEW v AS SELECT 1 AS a", "DROP VIEW v"),
    (Open, "CREATE OR REPLACE VIEW v AS SELECT 2 AS a", "CREATE OR REPLACE VIEW v AS SELECT 1 AS a"),
    (Open, "DROP VIEW v", "CREATE VIEW v AS SELECT 1 AS a"),
    (Open, "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a", "DROP MATERIALIZED VIEW v"),
    (Open, "CREATE TYPE mood AS ENUM ('a')", "DROP TYPE mood"),
    (Open, "ALTER TYPE mood RENAME VALUE 'a' TO 'b'", "ALTER TYPE mood RENAME VALUE 'b' TO 'a'"),
    (Open, "CREATE DOMAIN d AS text", "DROP DOMAIN d"),
    (Open, "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION f(int)"),
    (
        Open,
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ),
    (Open, "CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "DROP TRIGGER tr ON t"),
    (Open, "CREATE POLICY p ON t USING (true)", "DROP POLICY p ON t"),
    (Open, "CREATE SEQUENCE s", "DROP SEQUENCE s"),
    (Open, "CREATE SCHEMA s", "DROP SCHEMA s"),
    (Open, "CREATE EXTENSION pg_trgm", "DROP EXTENSION pg_trgm"),
    (Open, "CREATE EXTENSION IF NOT EXISTS pg_trgm", "DROP EXTENSION IF EXISTS pg_trgm"),
    (Open, "GRANT SELECT ON t TO app_ro", "REVOKE SELECT ON t FROM app_ro"),
    (Open, "COMMENT ON TABLE t IS 'x'", "COMMENT ON TABLE t IS NULL"),
    (Open, "CREATE STATISTICS st ON a, b FROM t", "DROP STATISTICS st"),
    (Open, "ALTER TABLE t ADD CONSTRAINT one EXCLUDE USING gist (a WITH =)", "ALTER TABLE t DROP CONSTRAINT one"),
    (Open, "REVOKE INSERT ON t FROM app_rw", "GRANT INSERT ON t TO app_rw"),
    (Open, "COMMENT ON COLUMN t.c IS NULL", "COMMENT ON COLUMN t.c IS 'what it said'"),
    (Open, "ALTER TABLE t OWNER TO a", "ALTER TABLE t OWNER TO b"),
    (Open, "ALTER TABLE t REPLICA IDENTITY FULL", "ALTER TABLE t REPLICA IDENTITY DEFAULT"),
    (Open, "ALTER TABLE t CLUSTER ON i", "ALTER TABLE t SET WITHOUT CLUSTER"),
    (Open, "ALTER TABLE p ATTACH PARTITION c FOR VALUES IN (1)", "ALTER TABLE p DETACH PARTITION c"),
    (Open, "ALTER TABLE p DETACH PARTITION c", "ALTER TABLE p ATTACH PARTITION c FOR VALUES IN (1)"),
    (Open, "ALTER TABLE c INHERIT p", "ALTER TABLE c NO INHERIT p"),
    (Open, "ALTER FUNCTION f(int) RENAME TO g", "ALTER FUNCTION g(int) RENAME TO f"),
    (Open, "ALTER TYPE mood RENAME TO moods", "ALTER TYPE moods RENAME TO mood"),
    (Open, "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0)", "ALTER DOMAIN d DROP CONSTRAINT k"),
    (Open, "DROP FUNCTION f(int)", "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    (Open, "DROP TYPE mood", "CREATE TYPE mood AS ENUM ('a')"),
    (Open, "DROP TRIGGER tr ON t", "CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"),
    (Open, "DROP POLICY p ON t", "CREATE POLICY p ON t USING (true)"),
    (Open, "DROP SEQUENCE s", "CREATE SEQUENCE s START WITH 10"),
    (Open, "DROP EXTENSION pg_trgm", "CREATE EXTENSION pg_trgm"),
    (Open, "DROP SCHEMA s", "CREATE SCHEMA s"),
    (Open, "DROP MATERIALIZED VIEW m", "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a"),
    (Open, "ALTER TRIGGER a ON t RENAME TO b", "ALTER TRIGGER b ON t RENAME TO a"),
    (Open, "ALTER SEQUENCE s INCREMENT BY 2", "ALTER SEQUENCE s INCREMENT BY 1"),
    (Open, "CREATE PUBLICATION pub FOR TABLE t", "DROP PUBLICATION pub"),
    (Open, "ALTER TABLE t ADD COLUMN n bigserial", "ALTER TABLE t DROP COLUMN n"),
    (Open, "ALTER TABLE t ADD COLUMN u bigint UNIQUE", "ALTER TABLE t DROP COLUMN u"),
    (Open, "CREATE TABLE c PARTITION OF p FOR VALUES IN (1)", "DROP TABLE c"),
    (Open, "CREATE TABLE t (id bigint, u bigint REFERENCES users)", "DROP TABLE t"),
    (Open, "DROP TABLE IF EXISTS t", "CREATE TABLE t (id int)"),
    (Open, "ALTER TABLE t ADD CONSTRAINT k CHECK (a IS NOT NULL) NOT VALID", "ALTER TABLE t DROP CONSTRAINT k"),
    // Names that change hands.
    (
        Open,
        "ALTER TABLE users RENAME TO accounts; CREATE VIEW users AS SELECT id FROM accounts",
        "DROP VIEW users; ALTER TABLE accounts RENAME TO users",
    ),
    (
        Open,
        "ALTER TABLE t RENAME COLUMN a TO b; ALTER TABLE t ADD COLUMN a text",
        "ALTER TABLE t DROP COLUMN a; ALTER TABLE t RENAME COLUMN b TO a",
    ),
    (
        Open,
        "ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t",
        "ALTER TABLE t RENAME TO t_new; ALTER TABLE t_old RENAME TO t",
    ),
    (
        Open,
        "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a); ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i",
        "ALTER TABLE t DROP CONSTRAINT k",
    ),
    (Open, "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a)", "DROP TABLE b; DROP TABLE a"),
    (Open, "CREATE SCHEMA s; CREATE TABLE s.t (id int)", "DROP SCHEMA s CASCADE"),
    (
        Open,
        "CREATE TYPE mood AS ENUM ('a'); ALTER TABLE t ADD COLUMN m mood",
        "ALTER TABLE t DROP COLUMN m; DROP TYPE mood",
    ),
    // A table and what is made on it, in one migration.
    (
        Open,
        "CREATE TABLE t (id bigint PRIMARY KEY); CREATE INDEX i ON t (id); COMMENT ON TABLE t IS 'x'; GRANT SELECT ON t TO app_ro",
        "DROP TABLE t",
    ),
    (Open, "INSERT INTO kinds VALUES (1, 'a')", "DELETE FROM kinds WHERE id = 1"),
    // Known in full.
    (
        Made(SHOP),
        "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'pending'",
        "ALTER TABLE orders ALTER COLUMN status DROP DEFAULT",
    ),
    (
        Made(SHOP),
        "ALTER TABLE orders ALTER COLUMN total SET DEFAULT 5",
        "ALTER TABLE orders ALTER COLUMN total SET DEFAULT 0",
    ),
    (
        Made(SHOP),
        "ALTER TABLE users ALTER COLUMN full_name TYPE text",
        "ALTER TABLE users ALTER COLUMN full_name TYPE varchar(40)",
    ),
    (
        Made(SHOP),
        "ALTER TABLE users DROP COLUMN full_name",
        "ALTER TABLE users ADD COLUMN full_name character varying(40) DEFAULT 'anonymous'; COMMENT ON COLUMN users.full_name IS 'as on the card'",
    ),
    (
        Made(SHOP),
        "ALTER TABLE users DROP COLUMN age",
        "ALTER TABLE users ADD COLUMN age int CONSTRAINT users_age_check CHECK (age > 0)",
    ),
    (
        Made(SHOP),
        "DROP INDEX orders_status_idx",
        "CREATE INDEX orders_status_idx ON orders USING btree (status) WHERE (status <> 'paid')",
    ),
    (
        Made(SHOP),
        "DROP INDEX orders_status_idx",
        "CREATE INDEX orders_status_idx ON public.orders (status) WHERE status != 'paid'",
    ),
    (
        Made(SHOP),
        "ALTER TABLE orders DROP CONSTRAINT orders_user_fk",
        "ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES public.users (id) ON DELETE CASCADE",
    ),
    (
        Made(SHOP),
        "DROP VIEW open_orders",
        "CREATE VIEW open_orders AS SELECT id, status FROM orders WHERE status = 'open'",
    ),
    (
        Made(SHOP),
        "DROP TRIGGER orders_touch ON orders",
        "CREATE TRIGGER orders_touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE PROCEDURE touch()",
    ),
    (Made(SHOP), "ALTER TABLE orders DISABLE TRIGGER orders_touch", "ALTER TABLE orders ENABLE TRIGGER orders_touch"),
    (Made(SHOP), "DROP POLICY own ON orders", "CREATE POLICY own ON orders USING (user_id = 1)"),
    (Made(SHOP), "REVOKE SELECT ON orders FROM app_ro", "GRANT SELECT ON orders TO app_ro"),
    (Made(SHOP), "ALTER SEQUENCE invoice_no INCREMENT BY 1", "ALTER SEQUENCE invoice_no INCREMENT BY 5"),
    (Made(SHOP), "COMMENT ON COLUMN users.full_name IS 'x'", "COMMENT ON COLUMN users.full_name IS 'as on the card'"),
    (
        Made(SHOP),
        "ALTER TABLE events DETACH PARTITION events_2024",
        "ALTER TABLE events ATTACH PARTITION events_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    ),
    (
        Made(SHOP),
        "CREATE OR REPLACE FUNCTION total(bigint) RETURNS numeric LANGUAGE sql STABLE AS $$ SELECT 2.0 $$",
        "CREATE OR REPLACE FUNCTION total(bigint) RETURNS numeric LANGUAGE sql STABLE AS $$ SELECT 1.0 $$",
    ),
    (
        Made(SHOP),
        "ALTER DOMAIN positive DROP CONSTRAINT positive_check",
        "ALTER DOMAIN positive ADD CONSTRAINT positive_check CHECK (VALUE > 0)",
    ),
    (Made(SHOP), "ALTER TYPE postal ADD ATTRIBUTE land text", "ALTER TYPE postal DROP ATTRIBUTE land"),
    (
        Made(SHOP),
        "ALTER TABLE orders ADD CONSTRAINT total_ok CHECK (total >= 0) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT total_ok",
        "ALTER TABLE orders DROP CONSTRAINT total_ok",
    ),
    (Made(SHOP), "DROP STATISTICS orders_stat", "CREATE STATISTICS orders_stat ON status, user_id FROM orders"),
];

#[test]
fn right_pairs_are_not_refused() {
    assert!(PAIRS.len() >= 60, "{}", PAIRS.len());
    let mut refused = Vec::new();
    for &(around, up, down) in PAIRS {
        let verdict = verdict(around, up, down);
        if !verdict.reverses() {
            refused.push(format!("{up}\n  {down}\n  {}", verdict.differences.join("\n  ")));
        }
    }
    assert!(refused.is_empty(), "{} of {} refused:\n{}", refused.len(), PAIRS.len(), refused.join("\n"));
}

/// What a down says of the schema before is handed on, for the history to check.
#[test]
fn a_down_is_a_witness() {
    for (up, down, sentence) in [
        (
            "ALTER TABLE users DROP COLUMN full_name",
            "ALTER TABLE users ADD COLUMN full_name text",
            "users.full_name was text",
        ),
        (
            "ALTER TABLE t ALTER COLUMN c TYPE varchar(20)",
            "ALTER TABLE t ALTER COLUMN c TYPE varchar(10)",
            "t.c was varchar(10)",
        ),
        ("ALTER TABLE t ALTER COLUMN c SET NOT NULL", "ALTER TABLE t ALTER COLUMN c DROP NOT NULL", "t.c was nullable"),
        (
            "ALTER TABLE t ALTER COLUMN c SET DEFAULT 1",
            "ALTER TABLE t ALTER COLUMN c DROP DEFAULT",
            "t.c had no default",
        ),
        ("DROP VIEW v", "CREATE VIEW v AS SELECT 1 AS a", "view v was (a) AS select 1 as a"),
        (
            "ALTER TABLE t DROP CONSTRAINT k",
            "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)",
            "constraint k of t was CHECK (a > 0)",
        ),
        ("DROP TABLE t", "CREATE TABLE t (id bigint)", "table t was (id int8)"),
        ("ALTER TABLE a SET SCHEMA s", "ALTER TABLE s.a SET SCHEMA public", ""),
    ] {
        let verdict = verdict(Open, up, down);
        let sentences: Vec<_> = verdict.assumes.iter().map(|witness| witness.sentence.as_str()).collect();
        if sentence.is_empty() {
            assert!(sentences.is_empty(), "{up}: {sentences:?}");
        } else {
            assert!(sentences.contains(&sentence), "{up}: {sentences:?}");
        }
    }
}

#[test]
fn what_only_a_server_can_tell_is_said() {
    let verdict = verdict(Open, "UPDATE orders SET status = 'x'", "UPDATE orders SET status = NULL");
    assert!(verdict.reverses());
    assert_eq!(verdict.server_only[0], "which rows UPDATE changes in orders depends on the data");
}

/// A down that narrows shows that the up widens: the earlier schema is filled in from what the pair comes back to.
#[test]
fn the_earlier_schema_is_filled_in() {
    use super::super::witnessed;
    use crate::sql::name::Name;
    let before = super::schema(Open, 18);
    let mut after = before.clone();
    for sql in
        ["ALTER TABLE users ALTER COLUMN name TYPE varchar(20)", "ALTER TABLE users ALTER COLUMN name TYPE varchar(10)"]
    {
        after.apply(&super::statements(sql)[0], 18).unwrap();
    }
    let filled = witnessed(&before, &after);
    let column = filled.table(&Name::qualified("public", "users")).and_then(|table| table.column("name")).unwrap();
    assert_eq!(column.data_type.known().map(|of| of.mods.clone()), Some(vec!["10".to_owned()]));
    assert!(!filled.is_new(&Name::qualified("public", "users")));
}

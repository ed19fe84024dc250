//! Pairs whose down looks right and is not, each with a sentence that must be said.

use super::{Around, Made, Open, SHOP, verdict};

/// Where, up, down, and what is left.
const PAIRS: &[(Around, &str, &str, &str)] = &[
    // The down is about something else.
    (
        Open,
        "ALTER TABLE orders ADD COLUMN status text",
        "ALTER TABLE users DROP COLUMN status",
        "the down drops column users.status, which the up does not touch",
    ),
    (
        Open,
        "ALTER TABLE orders ADD COLUMN status text",
        "ALTER TABLE users DROP COLUMN status",
        "column orders.status is still there",
    ),
    (
        Open,
        "ALTER TABLE orders ADD COLUMN status text",
        "ALTER TABLE orders DROP COLUMN state",
        "column orders.status is still there",
    ),
    (Open, "ALTER TABLE orders ADD COLUMN status text", "DROP INDEX status", "column orders.status is still there"),
    (
        Open,
        "ALTER TABLE orders ADD COLUMN status text",
        "ALTER TABLE orders RENAME COLUMN status TO old_status",
        "column orders.status is still there, as old_status",
    ),
    (
        Open,
        "ALTER TABLE orders ADD COLUMN a int, ADD COLUMN b int",
        "ALTER TABLE orders DROP COLUMN a",
        "column orders.b is still there",
    ),
    (
        Open,
        "ALTER TABLE s.orders ADD COLUMN a int",
        "ALTER TABLE orders DROP COLUMN a",
        "column s.orders.a is still there",
    ),
    (Open, "ALTER TABLE orders ADD COLUMN status text", "DROP TABLE orders", "table orders is missing"),
    (
        Open,
        "ALTER TABLE orders ADD COLUMN status text",
        "ALTER TABLE orders ALTER COLUMN status DROP NOT NULL",
        "column orders.status is still there",
    ),
    (
        Open,
        "ALTER TABLE orders ADD COLUMN status text",
        "ALTER TABLE orders DROP COLUMN status; ALTER TABLE orders ALTER COLUMN total DROP NOT NULL",
        "the down changes the nullability of orders.total, which the up does not touch",
    ),
    (
        Open,
        "ALTER TABLE orders ADD COLUMN \"Status\" text",
        "ALTER TABLE orders DROP COLUMN Status",
        "column orders.\"Status\" is still there",
    ),
    // The down does the up again, or only half.
    (
        Open,
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x'",
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x'",
        "users.name keeps DEFAULT 'x'",
    ),
    (
        Open,
        "ALTER TABLE users ALTER COLUMN name TYPE text",
        "ALTER TABLE users ALTER COLUMN name TYPE text",
        "users.name stays text",
    ),
    (
        Open,
        "ALTER TABLE users ALTER COLUMN name SET NOT NULL",
        "ALTER TABLE users ALTER COLUMN name DROP DEFAULT",
        "users.name stays NOT NULL",
    ),
    (
        Open,
        "ALTER TABLE users ALTER COLUMN name SET NOT NULL",
        "ALTER TABLE users ALTER COLUMN email DROP NOT NULL",
        "users.name stays NOT NULL",
    ),
    (
        Open,
        "ALTER TABLE users ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE users ALTER COLUMN name DROP NOT NULL",
        "users.name stays nullable",
    ),
    (
        Open,
        "ALTER TABLE users ALTER COLUMN name DROP DEFAULT",
        "ALTER TABLE users ALTER COLUMN name DROP DEFAULT",
        "users.name stays without default",
    ),
    (
        Open,
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x', ALTER COLUMN name SET NOT NULL",
        "ALTER TABLE users ALTER COLUMN name DROP NOT NULL",
        "users.name keeps DEFAULT 'x'",
    ),
    (
        Open,
        "ALTER TABLE users RENAME COLUMN a TO b",
        "ALTER TABLE users RENAME COLUMN b TO c",
        "column users.a is called c",
    ),
    (
        Open,
        "ALTER TABLE users RENAME COLUMN a TO b",
        "ALTER TABLE users RENAME COLUMN a TO b",
        "the down fails: column \"a\" does not exist",
    ),
    (
        Open,
        "ALTER TABLE users DROP COLUMN full_name",
        "ALTER TABLE users ADD COLUMN fullname text",
        "column users.full_name is missing",
    ),
    (
        Open,
        "ALTER TABLE users DROP COLUMN full_name",
        "ALTER TABLE customers ADD COLUMN full_name text",
        "column users.full_name is missing",
    ),
    (
        Open,
        "ALTER TABLE users DROP COLUMN a, DROP COLUMN b",
        "ALTER TABLE users ADD COLUMN a text",
        "column users.b is missing",
    ),
    // Constraints.
    (
        Open,
        "ALTER TABLE orders ADD CONSTRAINT qty_ok CHECK (qty > 0)",
        "ALTER TABLE orders DROP CONSTRAINT qty_okay",
        "constraint qty_ok of orders is still there",
    ),
    (
        Open,
        "ALTER TABLE orders ADD CONSTRAINT qty_ok CHECK (qty > 0)",
        "ALTER TABLE users DROP CONSTRAINT qty_ok",
        "constraint qty_ok of orders is still there",
    ),
    (
        Open,
        "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id)",
        "ALTER TABLE orders DROP CONSTRAINT orders_user_fk",
        "constraint orders_user_id_fkey of orders is still there",
    ),
    (
        Open,
        "ALTER TABLE orders DROP CONSTRAINT qty_ok",
        "ALTER TABLE orders ADD CONSTRAINT qty_okay CHECK (qty > 0)",
        "constraint qty_ok of orders is missing",
    ),
    (
        Open,
        "ALTER TABLE orders DROP CONSTRAINT qty_ok",
        "ALTER TABLE orders ADD CHECK (qty > 0)",
        "constraint qty_ok of orders is missing",
    ),
    (
        Open,
        "ALTER TABLE orders RENAME CONSTRAINT a TO b",
        "ALTER TABLE orders DROP CONSTRAINT b",
        "constraint a of orders is missing",
    ),
    // Tables.
    (Open, "CREATE TABLE t (id bigint)", "DROP TABLE IF EXISTS tt", "table t is still there"),
    (Open, "CREATE TABLE t (id bigint)", "DROP VIEW t", "the down fails: \"t\" is not a view"),
    (Open, "CREATE TABLE t (id bigint)", "TRUNCATE t", "table t is still there"),
    (Open, "CREATE TABLE t (id bigint)", "ALTER TABLE t RENAME TO old_t", "table t is still there, as old_t"),
    (Open, "CREATE TABLE t (id bigint); CREATE TABLE u (id bigint)", "DROP TABLE t", "table u is still there"),
    (Open, "CREATE TABLE s.t (id bigint)", "DROP TABLE t", "table s.t is still there"),
    (Open, "DROP TABLE t", "CREATE TABLE tt (id bigint)", "table t is missing"),
    (Open, "ALTER TABLE a RENAME TO b", "ALTER TABLE b RENAME TO aa", "table a is called aa"),
    (Open, "ALTER TABLE a SET SCHEMA s", "ALTER TABLE s.a SET SCHEMA t", "table a is called t.a"),
    (
        Open,
        "ALTER TABLE a ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE a NO FORCE ROW LEVEL SECURITY",
        "the row level security of a stays enabled",
    ),
    (
        Open,
        "ALTER TABLE a SET (fillfactor = 70)",
        "ALTER TABLE a RESET (autovacuum_enabled)",
        "a keeps parameter fillfactor = 70",
    ),
    (Open, "ALTER TABLE a SET UNLOGGED", "ALTER TABLE a SET UNLOGGED", "a stays unlogged"),
    (
        Open,
        "ALTER TABLE a RENAME TO b; ALTER TABLE b ADD COLUMN c int",
        "ALTER TABLE b RENAME TO a",
        "column a.c is still there",
    ),
    // Indexes.
    (
        Open,
        "CREATE INDEX CONCURRENTLY i ON orders (status)",
        "DROP INDEX CONCURRENTLY IF EXISTS idx",
        "index i is still there",
    ),
    (Open, "CREATE INDEX i ON s.orders (status)", "DROP INDEX i", "index s.i is still there"),
    (Open, "DROP INDEX i", "CREATE INDEX j ON orders (status)", "index i is missing"),
    (Open, "ALTER INDEX i RENAME TO j", "DROP INDEX j", "index i is missing"),
    // Views, types, functions and the rest.
    (
        Open,
        "CREATE VIEW v AS SELECT 1 AS a",
        "DROP MATERIALIZED VIEW v",
        "the down fails: \"v\" is not a materialized view",
    ),
    (
        Open,
        "CREATE OR REPLACE VIEW v AS SELECT 2 AS a",
        "CREATE OR REPLACE VIEW v AS SELECT 2 AS a",
        "view v is still there",
    ),
    (Open, "DROP VIEW v", "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a", "materialized view v was a view"),
    (Open, "CREATE TYPE mood AS ENUM ('a')", "DROP TYPE moods", "type mood is still there"),
    (
        Open,
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION f(text)",
        "function f(int4) is still there",
    ),
    (
        Open,
        "CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "DROP TRIGGER tr ON u",
        "trigger tr of t is still there",
    ),
    (Open, "CREATE POLICY p ON t USING (true)", "DROP POLICY q ON t", "policy p of t is still there"),
    (Open, "CREATE SEQUENCE s", "DROP SEQUENCE IF EXISTS sq", "sequence s is still there"),
    (Open, "CREATE SCHEMA s", "DROP SCHEMA IF EXISTS sc", "schema s is still there"),
    (Open, "GRANT SELECT, INSERT ON t TO app_ro", "REVOKE SELECT ON t FROM app_ro", "app_ro keeps INSERT on table t"),
    (Open, "COMMENT ON TABLE t IS 'x'", "COMMENT ON TABLE u IS NULL", "the comment on table t stays 'x'"),
    (
        Open,
        "DROP FUNCTION f(int)",
        "CREATE FUNCTION f(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "function f(int4) is missing",
    ),
    (Open, "DROP TYPE mood", "CREATE TYPE moods AS ENUM ('a')", "type mood is missing"),
    (
        Open,
        "DROP TRIGGER tr ON t",
        "CREATE TRIGGER tr AFTER INSERT ON u FOR EACH ROW EXECUTE FUNCTION f()",
        "trigger tr of t is missing",
    ),
    (Open, "DROP POLICY p ON t", "CREATE POLICY q ON t USING (true)", "policy p of t is missing"),
    (Open, "DROP EXTENSION pg_trgm", "CREATE EXTENSION citext", "extension pg_trgm is missing"),
    (Open, "ALTER TABLE t OWNER TO a", "ALTER TABLE t OWNER TO a", "the owner of t stays a"),
    (
        Open,
        "ALTER TABLE t REPLICA IDENTITY FULL",
        "ALTER TABLE t REPLICA IDENTITY FULL",
        "the replica identity of t stays FULL",
    ),
    (Open, "ALTER TABLE c INHERIT p", "ALTER TABLE c INHERIT q", "c still inherits from p"),
    (Open, "ALTER TYPE mood RENAME TO moods", "ALTER TYPE moods RENAME TO m", "type mood is called m"),
    (
        Open,
        "ALTER TABLE p ATTACH PARTITION c FOR VALUES IN (1)",
        "ALTER TABLE p DETACH PARTITION d",
        "c stays partition of p FOR VALUES IN (1)",
    ),
    (
        Open,
        "ALTER TABLE t DISABLE TRIGGER tr",
        "ALTER TABLE t ENABLE TRIGGER ts",
        "the state of trigger t.tr stays DISABLE",
    ),
    (Open, "REVOKE INSERT ON t FROM app_rw", "GRANT SELECT ON t TO app_rw", "app_rw stays without INSERT on table t"),
    (Open, "CREATE PUBLICATION pub FOR TABLE t", "DROP PUBLICATION IF EXISTS pubs", "publication pub is still there"),
    // Known in full: what went along is lost.
    (
        Made(SHOP),
        "ALTER TABLE users DROP COLUMN full_name",
        "ALTER TABLE users ADD COLUMN full_name text DEFAULT 'anonymous'",
        "users.full_name is text where it was varchar(40)",
    ),
    (
        Made(SHOP),
        "ALTER TABLE users DROP COLUMN full_name",
        "ALTER TABLE users ADD COLUMN full_name varchar(40)",
        "users.full_name loses DEFAULT 'anonymous'",
    ),
    (
        Made(SHOP),
        "ALTER TABLE users DROP COLUMN full_name",
        "ALTER TABLE users ADD COLUMN full_name varchar(40) DEFAULT 'anonymous'",
        "the comment on column users.full_name is missing: it was 'as on the card'",
    ),
    (
        Made(SHOP),
        "ALTER TABLE users DROP COLUMN email",
        "ALTER TABLE users ADD COLUMN email varchar(100) NOT NULL",
        "index users_email_idx is missing",
    ),
    (
        Made(SHOP),
        "ALTER TABLE users DROP COLUMN email",
        "ALTER TABLE users ADD COLUMN email varchar(100); CREATE UNIQUE INDEX users_email_idx ON users (email)",
        "users.email loses NOT NULL",
    ),
    (
        Made(SHOP),
        "ALTER TABLE users DROP COLUMN age",
        "ALTER TABLE users ADD COLUMN age int",
        "constraint users_age_check of users is missing",
    ),
    (
        Made(SHOP),
        "ALTER TABLE orders DROP COLUMN note",
        "ALTER TABLE orders ADD COLUMN note text",
        "orders.note loses COLLATE \"C\"",
    ),
    (
        Made(SHOP),
        "ALTER TABLE orders ALTER COLUMN id DROP IDENTITY",
        "ALTER TABLE orders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY",
        "orders.id has GENERATED ALWAYS AS IDENTITY where it had GENERATED BY DEFAULT AS IDENTITY",
    ),
    (
        Made(SHOP),
        "ALTER TABLE orders ALTER COLUMN total SET DEFAULT 5",
        "ALTER TABLE orders ALTER COLUMN total DROP DEFAULT",
        "orders.total loses DEFAULT 0",
    ),
    (
        Made(SHOP),
        "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'pending'",
        "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'open'",
        "orders.status keeps DEFAULT 'open'",
    ),
    (
        Made(SHOP),
        "ALTER TABLE orders ALTER COLUMN total TYPE numeric(12, 2)",
        "ALTER TABLE orders ALTER COLUMN total TYPE numeric(10, 3)",
        "orders.total is numeric(10,3) where it was numeric(10,2)",
    ),
    (
        Made(SHOP),
        "DROP INDEX orders_status_idx",
        "CREATE INDEX orders_status_idx ON orders (status)",
        "index orders_status_idx is ON orders USING btree (status) where it was ON orders USING btree (status) WHERE (status <> 'paid')",
    ),
    (
        Made(SHOP),
        "DROP INDEX users_email_idx",
        "CREATE INDEX users_email_idx ON users (email)",
        "index users_email_idx is ON users USING btree (email) where it was ON users UNIQUE USING btree (email)",
    ),
    (
        Made(SHOP),
        "ALTER TABLE orders DROP CONSTRAINT orders_user_fk",
        "ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES users (id)",
        "constraint orders_user_fk of orders is FOREIGN KEY (user_id) REFERENCES public.users(id) where it was FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE",
    ),
    (
        Made(SHOP),
        "ALTER TABLE users DROP CONSTRAINT users_age_check",
        "ALTER TABLE users ADD CONSTRAINT users_age_check CHECK (age > 0) NOT VALID",
        "constraint users_age_check of users is CHECK (age > 0) NOT VALID where it was CHECK (age > 0)",
    ),
    (
        Made(SHOP),
        "DROP VIEW open_orders",
        "CREATE VIEW open_orders AS SELECT id, status FROM orders",
        "view open_orders is (id, status) AS select id, status from orders where it was (id, status) AS select id, status from orders where status = 'open'",
    ),
    (
        Made(SHOP),
        "DROP POLICY own ON orders",
        "CREATE POLICY own ON orders FOR SELECT USING (user_id = 1)",
        "policy own of orders is AS PERMISSIVE FOR SELECT USING (user_id = 1) where it was AS PERMISSIVE FOR ALL USING (user_id = 1)",
    ),
    (
        Made(SHOP),
        "DROP TRIGGER orders_touch ON orders",
        "CREATE TRIGGER orders_touch AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch()",
        "trigger orders_touch of orders is after update for each row execute function touch() where it was before update for each row execute function touch()",
    ),
    (
        Made(SHOP),
        "REVOKE SELECT ON orders FROM app_ro",
        "GRANT INSERT ON orders TO app_ro",
        "app_ro loses SELECT on table orders",
    ),
    (
        Made(SHOP),
        "ALTER SEQUENCE invoice_no INCREMENT BY 1",
        "ALTER SEQUENCE invoice_no INCREMENT BY 2",
        "sequence invoice_no is INCREMENT 2 where it was INCREMENT 5",
    ),
    (
        Made(SHOP),
        "ALTER DOMAIN positive DROP CONSTRAINT positive_check",
        "ALTER DOMAIN positive ADD CONSTRAINT positive_check CHECK (VALUE >= 0)",
        "domain positive is int4 CONSTRAINT positive_check CHECK (value >= 0) where it was int4 CONSTRAINT positive_check CHECK (value > 0)",
    ),
    (
        Made(SHOP),
        "ALTER TABLE events DETACH PARTITION events_2024",
        "ALTER TABLE events ATTACH PARTITION events_2024 DEFAULT",
        "events_2024 is partition of events DEFAULT where it was partition of events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    ),
    (
        Made(SHOP),
        "DROP TABLE orders CASCADE",
        "CREATE TABLE orders (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL CONSTRAINT orders_user_fk REFERENCES users (id) ON DELETE CASCADE, status text, total numeric(10, 2) DEFAULT 0, note text COLLATE \"C\")",
        "view open_orders is missing",
    ),
    (
        Made(SHOP),
        "ALTER TABLE users ADD PRIMARY KEY (id)",
        "ALTER TABLE users DROP CONSTRAINT users_pkey",
        "the up itself fails: multiple primary keys for table \"users\" are not allowed",
    ),
];

#[test]
fn wrong_pairs_are_refused_with_the_sentence() {
    assert!(PAIRS.len() >= 60, "{}", PAIRS.len());
    let mut wrong = Vec::new();
    for &(around, up, down, sentence) in PAIRS {
        let verdict = verdict(around, up, down);
        if !verdict.differences.iter().any(|found| found == sentence) {
            wrong.push(format!(
                "{up}\n  {down}\n  wanted: {sentence}\n  found:  {}",
                verdict.differences.join("\n          ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} not so:\n{}", wrong.len(), PAIRS.len(), wrong.join("\n"));
}

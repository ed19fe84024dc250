//! Inside code that other tools do not read.

use super::{Row, UNKNOWN, hold};
use crate::sql::parse::parse;

pub(super) const ROWS: &[Row] = &[
    (
        "DDL in a DO block",
        "index-not-concurrent",
        "DO $$ BEGIN CREATE INDEX i ON orders (note); END $$",
        "DO $$ BEGIN CREATE TABLE fresh (a int); CREATE INDEX i ON fresh (a); END $$",
    ),
    (
        "DDL in a branch of a DO block",
        "blocking-rewrite",
        "DO $$ BEGIN IF now() > '2020-01-01' THEN ALTER TABLE labels ALTER COLUMN e TYPE bigint; END IF; END $$",
        "DO $$ BEGIN IF now() > '2020-01-01' THEN ALTER TABLE labels ALTER COLUMN d TYPE varchar(40); END IF; END $$",
    ),
    (
        "DDL in PL/pgSQL that the migration calls",
        "index-not-concurrent",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE INDEX i ON orders (note); END $$; SELECT f()",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE fresh (a int); END $$; SELECT f()",
    ),
    (
        "EXECUTE of a string",
        "dynamic-sql",
        "DO $$ DECLARE t text; BEGIN SELECT email INTO t FROM users; EXECUTE t; END $$",
        "DO $$ BEGIN EXECUTE 'CREATE TABLE fresh (a int)'; END $$",
    ),
    (
        "EXECUTE of a string is said to be unknown",
        UNKNOWN,
        "DO $$ BEGIN EXECUTE 'DROP TABLE ' || current_setting('a.b'); END $$",
        "DO $$ BEGIN EXECUTE 'CREATE TABLE fresh (a int)'; END $$",
    ),
];

#[test]
fn each_row_is_known() {
    hold(ROWS);
}

/// What stands after a syntax error is not guessed at.
#[test]
fn a_syntax_error_is_fatal() {
    assert!(parse("ALTER TABEL orders ADD COLUMN a int; DROP TABLE users").is_err());
    assert!(parse("DO $$ BEGIN ALTER TABEL orders ADD COLUMN a int; END $$").is_err());
    assert_eq!(parse("ALTER TABLE orders ADD COLUMN a int; DROP TABLE users").unwrap().len(), 2);
}

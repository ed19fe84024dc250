//! What is easily missed.

use super::super::harness::{findings, made_by, shop_and};
use super::MORE;
use super::{Row, hold};
use crate::model::{PgRange, Work};
use crate::sql::locks::facts_over;
use crate::sql::parse::parse;

pub(super) const ROWS: &[Row] = &[
    (
        "the primary key of a published table",
        "replica-identity-dropped",
        "ALTER TABLE published DROP CONSTRAINT published_pkey",
        "ALTER TABLE published ALTER COLUMN v DROP DEFAULT",
    ),
    (
        "the replica identity of a published table",
        "replica-identity-dropped",
        "ALTER TABLE published REPLICA IDENTITY NOTHING",
        "ALTER TABLE published REPLICA IDENTITY FULL",
    ),
    (
        "SELECT * prepared before ADD COLUMN",
        "prepared-select-star",
        "ALTER TABLE orders ADD COLUMN a int",
        "CREATE TABLE fresh (a int); ALTER TABLE fresh ADD COLUMN b int",
    ),
    (
        "a column that a view depends on, dropped",
        "2BP01",
        "ALTER TABLE users DROP COLUMN email",
        "ALTER TABLE users DROP COLUMN full_name",
    ),
    (
        "a column that a view depends on, retyped",
        "0A000",
        "ALTER TABLE users ALTER COLUMN email TYPE varchar(200)",
        "ALTER TABLE labels ALTER COLUMN b TYPE varchar(200)",
    ),
    (
        "pending trigger events",
        "pending-trigger-events",
        "INSERT INTO later VALUES (1, 1); ALTER TABLE later ADD COLUMN b int",
        "INSERT INTO keyless VALUES (1); ALTER TABLE keyless ADD COLUMN b int",
    ),
    (
        "an index expression whose function depends on search_path",
        "index-expression-search-path",
        "CREATE INDEX CONCURRENTLY i ON orders (plain_lower(note))",
        "CREATE INDEX CONCURRENTLY i ON orders (lower(note))",
    ),
    (
        "a nullable ADD COLUMN … REFERENCES does not scan, with a DEFAULT it does",
        "add-column-constraint",
        "ALTER TABLE orders ADD COLUMN a bigint DEFAULT 1 REFERENCES users (id)",
        "ALTER TABLE orders ADD COLUMN a bigint REFERENCES users (id)",
    ),
    (
        "USING INDEX of a partitioned table",
        "0A000",
        "ALTER TABLE events ADD CONSTRAINT u UNIQUE USING INDEX events_u",
        "ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX users_email_idx",
    ),
    (
        "a renamed column in use",
        "rename-in-use",
        "ALTER TABLE orders RENAME COLUMN note TO remark",
        "CREATE TABLE fresh (a int); ALTER TABLE fresh RENAME COLUMN a TO b",
    ),
    (
        "REINDEX INDEX blocks queries through the index",
        "reindex-not-concurrent",
        "REINDEX INDEX orders_code_idx",
        "REINDEX INDEX CONCURRENTLY orders_code_idx",
    ),
    (
        "ALTER INDEX SET TABLESPACE blocks queries through the index",
        "physical-rewrite",
        "ALTER INDEX orders_code_idx SET TABLESPACE fast",
        "ALTER INDEX orders_code_idx SET (fillfactor = 70)",
    ),
];

#[test]
fn each_row_is_known() {
    hold(ROWS);
}

/// The safe form of a foreign key of a partitioned referencing table exists from 18 on only.
#[test]
fn a_foreign_key_of_a_partitioned_table() {
    let schema = shop_and(MORE);
    let sql = "ALTER TABLE events ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES users (id) NOT VALID";
    let [statement] = parse(sql).unwrap().try_into().unwrap();
    let on = |min, max| facts_over(&statement, &schema, PgRange::new(min, max).unwrap());
    assert_eq!(on(14, 17).unwrap_err().sqlstate, "42809");
    assert_eq!(on(18, 18).unwrap().work, Work::Metadata);
    let plain = [
        "CREATE TABLE users (id bigint PRIMARY KEY); CREATE TABLE t (id bigint)",
        "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES users (id) NOT VALID",
    ];
    let [statement] = parse(plain[1]).unwrap().try_into().unwrap();
    assert_eq!(facts_over(&statement, &made_by(plain[0]), PgRange::SUPPORTED).unwrap().work, Work::Metadata);
}

/// A publication has column lists from 15 on.
#[test]
fn a_publications_column_list() {
    let schema = shop_and(MORE);
    let names = |sql: &str| -> Vec<&'static str> {
        let found = findings(&schema, sql, PgRange::new(15, 18).unwrap(), None);
        found.iter().map(|finding| finding.hazard.name).collect()
    };
    assert_eq!(names("CREATE PUBLICATION q FOR TABLE published (v)"), ["publication-column-list"]);
    assert_eq!(names("CREATE PUBLICATION q FOR TABLE published (id, v)"), Vec::<&str>::new());
}

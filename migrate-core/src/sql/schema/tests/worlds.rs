//! What is an error where the schema is known, and what may be there where it is not.

use super::{apply, closed};
use crate::model::{EffectKind, Verb};
use crate::sql::RelationKind;
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Schema};

fn state(setup: &str, sql: &str) -> Option<&'static str> {
    let mut schema = closed(setup, 16).unwrap();
    apply(&mut schema, sql, 16).err().map(|error| error.sqlstate)
}

fn open(sql: &str) -> Result<Schema, &'static str> {
    let mut schema = Schema::open();
    apply(&mut schema, sql, 16).map_err(|error| error.sqlstate)?;
    Ok(schema)
}

#[test]
fn a_closed_world_refuses_as_the_server_does() {
    let setup = "CREATE TABLE t (a int PRIMARY KEY, b text); CREATE TABLE r (a int REFERENCES t);
        CREATE VIEW v AS SELECT b FROM t; CREATE TYPE mood AS ENUM ('ok'); CREATE SEQUENCE s;
        CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE TABLE m (c mood, d int DEFAULT f(1));";
    for (sql, expected) in [
        ("ALTER TABLE missing ADD COLUMN a int", Some("42P01")),
        ("ALTER TABLE IF EXISTS missing ADD COLUMN a int", None),
        ("ALTER TABLE t ADD COLUMN a int", Some("42701")),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a int", None),
        ("ALTER TABLE t DROP COLUMN c", Some("42703")),
        ("ALTER TABLE t DROP COLUMN IF EXISTS c", None),
        ("ALTER TABLE t DROP COLUMN b", Some("2BP01")),
        ("ALTER TABLE t DROP COLUMN b CASCADE", None),
        ("ALTER TABLE t DROP CONSTRAINT t_pkey", Some("2BP01")),
        ("ALTER TABLE t DROP CONSTRAINT t_pkey CASCADE", None),
        ("ALTER TABLE t DROP CONSTRAINT nope", Some("42704")),
        ("DROP INDEX t_pkey", Some("2BP01")),
        ("DROP TABLE t", Some("2BP01")),
        ("DROP TABLE t, r, v", Some("42809")),
        ("DROP TABLE t CASCADE", None),
        ("DROP VIEW v; DROP TABLE t, r", None),
        ("DROP TYPE mood", Some("2BP01")),
        ("DROP TYPE mood CASCADE", None),
        ("DROP FUNCTION f(int)", Some("2BP01")),
        ("DROP FUNCTION f(text)", Some("42883")),
        ("DROP SEQUENCE nope", Some("42P01")),
        ("CREATE TABLE t (a int)", Some("42P07")),
        ("CREATE TABLE IF NOT EXISTS t (a int)", None),
        ("CREATE TABLE s (a int)", Some("42P07")),
        ("CREATE INDEX v ON t (a)", Some("42P07")),
        ("CREATE INDEX i ON t (nope)", Some("42703")),
        ("ALTER TABLE t ADD CONSTRAINT t_pkey CHECK (a > 0)", Some("42710")),
        ("ALTER TABLE t ADD PRIMARY KEY (b)", Some("42P16")),
        ("ALTER TABLE r ADD FOREIGN KEY (a) REFERENCES t (b)", Some("42830")),
        ("ALTER TYPE mood ADD VALUE 'ok'", Some("42710")),
        ("ALTER TYPE mood ADD VALUE 'bad' BEFORE 'ok'", None),
        ("ALTER TABLE t RENAME TO r", Some("42P07")),
        ("ALTER TABLE t RENAME COLUMN a TO b", Some("42701")),
        ("CREATE SCHEMA public", Some("42P06")),
        ("CREATE TABLE nowhere.t (a int)", Some("3F000")),
        ("INSERT INTO t (nope) VALUES (1)", Some("42703")),
        ("SELECT 1 FROM nope", Some("42P01")),
        ("WITH c AS (SELECT 1) SELECT * FROM c", None),
        ("ALTER VIEW t RENAME TO w", Some("42809")),
        ("ALTER TABLE t ALTER COLUMN b TYPE varchar(3)", Some("0A000")),
        ("CREATE OR REPLACE VIEW v AS SELECT a FROM t", Some("42P16")),
    ] {
        assert_eq!(state(setup, sql), expected, "{sql}");
    }
}

#[test]
fn an_open_world_knows_only_what_was_said() {
    let schema = open("ALTER TABLE orders DROP COLUMN a; ALTER TABLE orders ALTER COLUMN b SET NOT NULL").unwrap();
    let table = schema.table(&Name::qualified("public", "orders")).unwrap();
    assert!(!table.complete && !table.new);
    assert_eq!(table.column("b").unwrap().not_null, Fact::Known(true));
    assert_eq!(table.column("b").unwrap().data_type, Fact::Unknown);
    assert_eq!(schema.relation_kind(&Name::qualified("public", "orders")), RelationKind::Unknown);
    for (sql, expected) in [
        ("ALTER TABLE t DROP COLUMN a; ALTER TABLE t ALTER COLUMN a DROP NOT NULL", Err("42703")),
        ("ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a int", Ok(())),
        ("ALTER TABLE t ADD COLUMN a int; ALTER TABLE t ADD COLUMN a int", Err("42701")),
        ("DROP TABLE t; ALTER TABLE t ADD COLUMN a int", Err("42P01")),
        ("DROP TABLE t; CREATE TABLE t (a int); ALTER TABLE t DROP COLUMN b", Err("42703")),
        ("ALTER TABLE t RENAME TO u; ALTER TABLE t ADD COLUMN a int", Err("42P01")),
        ("DROP INDEX i; DROP INDEX i", Err("42704")),
        ("DROP INDEX i; DROP INDEX IF EXISTS i", Ok(())),
        ("ALTER TABLE t DROP CONSTRAINT c", Ok(())),
        ("ALTER TYPE mood ADD VALUE 'x'; ALTER TYPE mood ADD VALUE 'x'", Err("42710")),
        ("DROP TYPE mood; ALTER TYPE mood ADD VALUE 'x'", Err("42704")),
        ("ALTER VIEW v RENAME TO w; DROP VIEW v", Err("42P01")),
        ("SELECT f(1) FROM anything", Ok(())),
    ] {
        assert_eq!(open(sql).map(|_| ()), expected, "{sql}");
    }
}

#[test]
fn the_search_path_says_where() {
    let setup = "CREATE SCHEMA app; CREATE TABLE t (a int); SET search_path TO app, public; CREATE TABLE u (a int);";
    let schema = closed(setup, 16).unwrap();
    assert_eq!(schema.resolve(&Name::bare("t")), Name::qualified("public", "t"));
    assert_eq!(schema.resolve(&Name::bare("u")), Name::qualified("app", "u"));
    assert_eq!(schema.resolve(&Name::bare("new")), Name::qualified("app", "new"));
    assert_eq!(state(setup, "RESET search_path; SELECT 1 FROM u"), Some("42P01"));
    assert_eq!(state(setup, "DROP SCHEMA app"), Some("2BP01"));
    assert_eq!(state(setup, "DROP SCHEMA app CASCADE; SELECT 1 FROM u"), Some("42P01"));
}

#[test]
fn changes_say_what_is_made_and_taken() {
    let mut schema = Schema::empty();
    let made = apply(&mut schema, "CREATE TABLE t (id serial PRIMARY KEY, b text NOT NULL DEFAULT 'x')", 16).unwrap();
    let kinds: Vec<EffectKind> = made.iter().map(|change| change.kind).collect();
    for kind in [
        EffectKind::CreateTable,
        EffectKind::AddColumn,
        EffectKind::AddConstraint,
        EffectKind::CreateIndex,
        EffectKind::CreateSequence,
    ] {
        assert!(kinds.contains(&kind), "{kind}: {made:?}");
    }
    let column = made.iter().find(|change| change.object.name.name == "b").unwrap();
    assert_eq!(column.definition, "text NOT NULL DEFAULT 'x'");
    apply(&mut schema, "CREATE VIEW v AS SELECT b FROM t; CREATE TABLE r (t_id int REFERENCES t)", 16).unwrap();
    let taken = apply(&mut schema, "DROP TABLE t CASCADE", 16).unwrap();
    let taken: Vec<(EffectKind, String)> =
        taken.iter().map(|change| (change.kind, change.object.name.name.clone())).collect();
    for expected in [
        (EffectKind::DropTable, "t"),
        (EffectKind::DropView, "v"),
        (EffectKind::DropConstraint, "r_t_id_fkey"),
        (EffectKind::DropIndex, "t_pkey"),
        (EffectKind::DropSequence, "t_id_seq"),
    ] {
        assert!(taken.contains(&(expected.0, expected.1.to_owned())), "{expected:?} in {taken:?}");
    }
}

#[test]
fn what_a_do_block_does_is_uncertain() {
    let mut schema = Schema::open();
    let sql = "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_tables) THEN CREATE TABLE t (a int); END IF; END $$";
    let changes = apply(&mut schema, sql, 16).unwrap();
    let table = changes.iter().find(|change| change.kind == EffectKind::CreateTable).expect("seen in the body");
    assert_eq!(table.verb, Verb::Ensure);
}

#[test]
fn revoke_takes_a_grant_back() {
    let mut schema = closed("CREATE TABLE t (a int)", 16).unwrap();
    schema.settle();
    let before = schema.clone();
    apply(&mut schema, "GRANT SELECT, UPDATE (a) ON t TO reader", 16).unwrap();
    assert_ne!(schema, before);
    apply(&mut schema, "REVOKE SELECT, UPDATE (a) ON t FROM reader", 16).unwrap();
    assert_eq!(schema, before);
}

#[test]
fn types_are_found_inside_others() {
    let sql = "CREATE TYPE mood AS ENUM ('a'); CREATE TYPE pair AS (x mood, y int); CREATE DOMAIN pairs AS pair;
        CREATE TABLE t (a mood, b mood[], c pairs, d int);";
    let schema = closed(sql, 16).unwrap();
    let found = schema.columns_of_type(&Name::qualified("public", "mood"));
    let names: Vec<(&str, bool)> = found.iter().map(|column| (column.column.as_str(), column.direct)).collect();
    assert_eq!(names, [("a", true), ("b", false), ("c", false)]);
}

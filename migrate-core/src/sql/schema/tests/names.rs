//! Names that PostgreSQL makes up, and what the objects behind them are.

use super::{apply, closed};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Relation, Schema};

fn public(name: &str) -> Name {
    Name::qualified("public", name)
}

fn constraints(schema: &Schema, table: &str) -> Vec<String> {
    schema.table(&public(table)).expect("the table").constraints.keys().cloned().collect()
}

fn indexes(schema: &Schema, table: &str) -> Vec<String> {
    schema.indexes_of(&public(table)).into_iter().map(|(name, _)| name.name.clone()).collect()
}

#[test]
fn constraints_of_create_table() {
    let sql = "CREATE TABLE users (id int PRIMARY KEY);
        CREATE TABLE orders (
            id serial PRIMARY KEY, code text UNIQUE, a int CHECK (a > 0), b int,
            user_id int REFERENCES users, room int, during tsrange,
            CHECK (a < b), CHECK (a + b > 0), UNIQUE (a, b), EXCLUDE USING gist (room WITH =, during WITH &&));";
    let schema = closed(sql, 15).unwrap();
    assert_eq!(
        constraints(&schema, "orders"),
        [
            "orders_a_b_key",
            "orders_a_check",
            "orders_check",
            "orders_check1",
            "orders_code_key",
            "orders_pkey",
            "orders_room_during_excl",
            "orders_user_id_fkey"
        ]
    );
    assert_eq!(
        indexes(&schema, "orders"),
        ["orders_a_b_key", "orders_code_key", "orders_pkey", "orders_room_during_excl"]
    );
    let sequence = schema.sequence(&public("orders_id_seq")).expect("serial makes it");
    assert_eq!(sequence.owned_by, Fact::Known(Some((public("orders"), "id".to_owned()))));
    let on_18 = closed(sql, 18).unwrap();
    assert!(constraints(&on_18, "orders").contains(&"orders_id_not_null".to_owned()));
    assert!(constraints(&on_18, "users").contains(&"users_id_not_null".to_owned()));
}

#[test]
fn indexes_without_names_are_numbered() {
    let sql = "CREATE TABLE t (a int, b text);
        CREATE INDEX ON t (a); CREATE INDEX ON t (a); CREATE INDEX ON t (lower(b)); CREATE INDEX ON t ((a + 1), (a + 2));";
    let schema = closed(sql, 16).unwrap();
    assert_eq!(indexes(&schema, "t"), ["t_a_idx", "t_a_idx1", "t_expr_expr1_idx", "t_lower_idx"]);
}

#[test]
fn partitions_get_what_their_parent_has() {
    let sql = "CREATE TABLE events (id int, at date, PRIMARY KEY (id, at), CHECK (id > 0)) PARTITION BY RANGE (at);
        CREATE INDEX events_at ON events (at);
        CREATE TABLE events_1 PARTITION OF events DEFAULT;";
    let mut schema = closed(sql, 17).unwrap();
    assert_eq!(indexes(&schema, "events_1"), ["events_1_at_idx", "events_1_pkey"]);
    assert_eq!(constraints(&schema, "events_1"), ["events_1_pkey", "events_id_check"]);
    assert_eq!(schema.default_partition_of(&public("events")), Some(public("events_1")));
    assert_eq!(schema.index(&public("events_1_pkey")).unwrap().parent, Some(public("events_pkey")));
    let error = apply(&mut schema, "DROP INDEX events_1_at_idx", 17).unwrap_err();
    assert_eq!(error.sqlstate, "2BP01");
    apply(&mut schema, "DROP INDEX events_at; ALTER TABLE events DETACH PARTITION events_1", 17).unwrap();
    assert_eq!(indexes(&schema, "events_1"), ["events_1_pkey"]);
    assert!(schema.partitions_of(&public("events")).is_empty());
}

#[test]
fn an_index_on_only_the_parent_is_invalid_until_all_are_attached() {
    let sql = "CREATE TABLE p (a int) PARTITION BY LIST (a);
        CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
        CREATE INDEX p_a ON ONLY p (a); CREATE INDEX p1_a ON p1 (a); CREATE INDEX p2_a ON p2 (a);
        ALTER INDEX p_a ATTACH PARTITION p1_a;";
    let mut schema = closed(sql, 14).unwrap();
    assert!(!schema.index(&public("p_a")).unwrap().valid);
    apply(&mut schema, "ALTER INDEX p_a ATTACH PARTITION p2_a", 14).unwrap();
    assert!(schema.index(&public("p_a")).unwrap().valid);
}

#[test]
fn using_index_renames_the_index() {
    let sql = "CREATE TABLE t (a int); CREATE UNIQUE INDEX u ON t (a); ALTER TABLE t ADD CONSTRAINT t_key PRIMARY KEY USING INDEX u;";
    let schema = closed(sql, 15).unwrap();
    assert_eq!(indexes(&schema, "t"), ["t_key"]);
    assert_eq!(schema.table(&public("t")).unwrap().column("a").unwrap().not_null, Fact::Known(true));
    assert_eq!(schema.relation_id(&public("t_key")).owner, Some(public("t")));
}

#[test]
fn renames_follow_everywhere() {
    let sql = "CREATE TABLE a (id serial PRIMARY KEY, n int); CREATE TABLE b (a_id int REFERENCES a);
        CREATE INDEX a_n ON a (n); CREATE VIEW v AS SELECT n FROM a;
        ALTER TABLE a RENAME COLUMN n TO m; ALTER TABLE a RENAME TO c; ALTER TABLE c RENAME COLUMN id TO key;
        ALTER TABLE c RENAME CONSTRAINT a_pkey TO c_pkey;";
    let mut schema = closed(sql, 16).unwrap();
    assert_eq!(schema.referencing_tables(&public("c")).into_iter().collect::<Vec<_>>(), [public("b")]);
    assert_eq!(schema.foreign_keys_to(&public("c"))[0].key.referenced_columns, ["key"]);
    assert_eq!(schema.indexes_using_column(&public("c"), "m").len(), 1);
    assert_eq!(schema.views_using_column(&public("c"), "m", true), [public("v")]);
    assert!(matches!(schema.relation(&public("c_pkey")), Some(Relation::Index(_))));
    assert_eq!(schema.sequences_owned_by(&public("c"), Some("key")), [public("a_id_seq")]);
    assert_eq!(schema.columns_using_sequence(&public("a_id_seq")), [(public("c"), "key".to_owned())]);
    let error = apply(&mut schema, "ALTER TABLE c DROP COLUMN m", 16).unwrap_err();
    assert_eq!(error.sqlstate, "2BP01");
}

#[test]
fn not_null_constraints_are_seen_from_18_on() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL)";
    let (on_17, on_18) = (closed(sql, 17).unwrap(), closed(sql, 18).unwrap());
    assert_ne!(on_17, on_18);
    assert_eq!(on_17.clone().seen_by(18.into()), on_18);
    assert_eq!(on_18.seen_by(17.into()), on_17);
}

use super::*;
use crate::testing::{self, TestDatabase};

async fn database(setup: &str) -> (TestDatabase, Client) {
    let db = testing::database().await;
    let client = db.connect().await;
    client.batch_execute(setup).await.unwrap();
    (db, client)
}

async fn holds_data(client: &Client, losses: &[Loss]) -> Result<bool, tokio_postgres::Error> {
    held(client, losses).await.map(|held| held.data)
}

fn rows(relation: &'static str) -> Loss {
    Loss { relation, column: None, cascades: false }
}

#[tokio::test]
async fn what_holds_data_and_what_does_not() {
    let (_db, client) = database(
        "CREATE TABLE empty (id int, note text); CREATE TABLE full_one (id int, note text, \"Say \"\"it\"\"\" text);
         INSERT INTO full_one VALUES (1, NULL, 'x');
         CREATE VIEW v AS SELECT * FROM full_one;
         CREATE MATERIALIZED VIEW filled AS SELECT * FROM full_one;
         CREATE MATERIALIZED VIEW unfilled AS SELECT * FROM full_one WITH NO DATA;
         CREATE SEQUENCE untouched START 5; CREATE SEQUENCE used; SELECT nextval('used');
         CREATE SEQUENCE moved; SELECT setval('moved', 9, false);
         CREATE TABLE parted (id int) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF parted DEFAULT;
         INSERT INTO parted VALUES (1);
         CREATE TABLE head (id int PRIMARY KEY);
         CREATE SCHEMA \"S\"; CREATE TABLE \"S\".\"T\" (id int); INSERT INTO \"S\".\"T\" VALUES (1)",
    )
    .await;
    let column = |relation, column| Loss { relation, column: Some(column), cascades: false };
    for (loss, expected) in [
        (rows("empty"), false),
        (column("empty", "note"), false),
        (rows("full_one"), true),
        (column("full_one", "id"), true),
        (column("full_one", "ID"), true),
        (column("full_one", "note"), false),
        (column("full_one", "\"Say \"\"it\"\"\""), true),
        (column("full_one", "\"Id\""), false),
        (column("full_one", "missing"), false),
        (rows("missing"), false),
        (rows("nowhere.missing"), false),
        (rows("v"), false),
        (rows("filled"), true),
        (rows("unfilled"), false),
        (rows("untouched"), false),
        (rows("used"), true),
        (rows("moved"), true),
        (rows("parted"), true),
        (rows("\"S\".\"T\""), true),
    ] {
        assert_eq!(holds_data(&client, &[loss]).await.unwrap(), expected, "{loss:?}");
    }
    let cascading = |relation| Loss { relation, column: None, cascades: true };
    assert!(!holds_data(&client, &[cascading("head")]).await.unwrap(), "nothing leads to it yet");
    client.batch_execute("CREATE TABLE mid (id int PRIMARY KEY, head int REFERENCES head); CREATE TABLE tail (mid int REFERENCES mid); INSERT INTO tail VALUES (NULL)").await.unwrap();
    assert!(holds_data(&client, &[cascading("head")]).await.unwrap());
    assert!(!holds_data(&client, &[rows("head")]).await.unwrap());
    assert!(!holds_data(&client, &[]).await.unwrap());
    assert!(!holds_data(&client, &[rows("empty"), rows("missing")]).await.unwrap());
    assert!(holds_data(&client, &[rows("empty"), rows("missing"), rows("full_one")]).await.unwrap());
    let state = client.query_typed_one("SELECT current_setting('row_security')", &[]).await.unwrap();
    assert_eq!(state.get::<_, &str>(0), "on", "the setting went with the transaction");
}

#[tokio::test]
async fn a_name_without_a_schema_is_looked_up_along_the_path_too() {
    let (_db, client) = database(
        "CREATE SCHEMA app; SET search_path = app, public; CREATE TABLE orders (id int); INSERT INTO orders VALUES (1);
         CREATE TABLE public.both (id int); CREATE TABLE app.both (id int); INSERT INTO app.both VALUES (1)",
    )
    .await;
    for relation in ["public.orders", "orders", "app.orders", "public.both"] {
        assert!(holds_data(&client, &[rows(relation)]).await.unwrap(), "{relation}");
    }
    let losses = [rows("public.orders"), rows("public.gone"), rows("other.orders"), rows("public.both")];
    assert_eq!(not_there(&client, &losses).await.unwrap(), ["other.orders", "public.gone"]);
}

#[tokio::test]
async fn a_composite_with_a_null_in_it_is_a_value() {
    let (_db, client) = database(
        "CREATE TYPE place AS (street text, town text); CREATE TABLE t (id int, at place);
         INSERT INTO t VALUES (1, NULL)",
    )
    .await;
    let loss = [Loss { relation: "t", column: Some("at"), cascades: false }];
    assert!(!holds_data(&client, &loss).await.unwrap());
    client.batch_execute("INSERT INTO t VALUES (2, ROW('High Street', NULL))").await.unwrap();
    assert!(holds_data(&client, &loss).await.unwrap());
}

#[tokio::test]
async fn rows_that_policies_hide_are_not_taken_for_none() {
    let (db, client) = database("CREATE TABLE users (id int); INSERT INTO users VALUES (1)").await;
    let role = format!("{}_owner", db.name());
    let setup = format!(
        "CREATE ROLE {role}; ALTER TABLE users OWNER TO {role}; ALTER TABLE users ENABLE ROW LEVEL SECURITY;
         ALTER TABLE users FORCE ROW LEVEL SECURITY; SET ROLE {role}"
    );
    client.batch_execute(&setup).await.unwrap();
    let held = holds_data(&client, &[rows("users")]).await;
    let tidy = format!("RESET ROLE; ALTER TABLE users OWNER TO CURRENT_USER; DROP ROLE {role}");
    client.batch_execute(&tidy).await.unwrap();
    assert_eq!(held.unwrap_err().code(), Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE));
    assert!(holds_data(&client, &[rows("users")]).await.unwrap());
}

//! What the runner says where the role, the password or the address is not the right one.

mod support;

use migrate_pg::{ErrorKind, testing};
use support::{add, create, migrator, value};
use tokio_postgres::{Client, Config};

/// A role that may log in and nothing more, and a configuration for it.
async fn role(client: &Client, database: &testing::TestDatabase, which: &str) -> (String, Config) {
    let role = format!("{which}_{}", database.name());
    client
        .batch_execute(&format!("CREATE ROLE \"{role}\" LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        .await
        .unwrap();
    let mut config = database.config().clone();
    config.user(&role);
    (role, config)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_make_no_ledger_is_told_which_grant_it_wants() {
    let database = testing::database().await;
    let client = database.connect().await;
    let (role, config) = role(&client, &database, "plain").await;
    let error = migrator([create(1, "a")]).run(config).await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::Ledger, Some("42501")), "{error}");
    let said = error.to_string();
    assert!(said.contains("permission denied for database") && said.contains("needs CREATE on the database"), "{said}");
    client.batch_execute(&format!("DROP ROLE \"{role}\"")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_owns_no_table_is_told_the_statement_and_what_to_do() {
    let database = testing::database().await;
    let client = database.connect().await;
    migrator([create(1, "a")]).run(database.pool()).await.unwrap();
    let (role, config) = role(&client, &database, "guest").await;
    client
        .batch_execute(&format!(
            "GRANT ALL ON SCHEMA migrate TO \"{role}\"; GRANT ALL ON ALL TABLES IN SCHEMA migrate TO \"{role}\""
        ))
        .await
        .unwrap();
    let error = migrator([create(1, "a"), add(2, "a", "x")]).run(config).await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::Statement, Some("42501")), "{error}");
    let said = error.to_string();
    for part in ["must be owner of table a", "ALTER TABLE a ADD COLUMN x", "Migrator::role", "42501"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert_eq!(value(&client, "SELECT count(*) FROM migrate.migrations WHERE state = 'applied'").await, "1");
    client.batch_execute(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_or_database_that_is_not_there_is_said_to_be() {
    let database = testing::database().await;
    let mut config = database.config().clone();
    config.dbname("no_such_database");
    let error = migrator([create(1, "a")]).run(config).await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::Connect, Some("3D000")), "{error}");
    assert!(error.to_string().contains("no_such_database"), "{error}");

    let nobody = "postgres://joe:secret@127.0.0.1:1/shop?connect_timeout=2";
    let error = migrator([create(1, "a")]).run(nobody).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    let said = error.to_string();
    assert!(said.contains("refused") && !said.contains("secret"), "{said}");
}

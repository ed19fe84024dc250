//! What the runner says where the role, the password or the address is not the right one.

mod support;

use migrate_pg::{ErrorKind, testing};
use std::sync::Arc;
use support::{add, assert_clean, create, migration, migrator, value};
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

/// What a plain role loses while its backfill is under way, and how it gets that back.
const LOST: [(&str, &str); 4] = [
    ("REVOKE UPDATE ON a FROM {}", "GRANT UPDATE ON a TO {}"),
    ("REVOKE SELECT ON a FROM {}", "GRANT SELECT ON a TO {}"),
    ("REVOKE USAGE ON SCHEMA migrate FROM {}, PUBLIC", "GRANT USAGE ON SCHEMA migrate TO {}, PUBLIC"),
    ("REVOKE UPDATE ON migrate.steps FROM {}", "GRANT UPDATE ON migrate.steps TO {}"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_loses_a_privilege_on_its_way_is_told_which_and_goes_on_when_it_has_it_again() {
    for (revoke, grant) in LOST {
        let database = testing::database().await;
        let client = database.connect().await;
        let rows = "INSERT INTO a SELECT n, 'v' FROM generate_series(1, 3000) n";
        let before = || [create(1, "a"), add(2, "a", "x"), migration(3, "Rows").step(rows, "DELETE FROM a")];
        migrator(before()).run(database.pool()).await.unwrap();
        let (role, config) = role(&client, &database, "filler").await;
        client
            .batch_execute(&format!(
                "GRANT SELECT, UPDATE ON a TO \"{role}\"; GRANT ALL ON SCHEMA migrate TO \"{role}\"; \
                 GRANT ALL ON ALL TABLES IN SCHEMA migrate TO \"{role}\"; GRANT ALL ON ALL SEQUENCES IN SCHEMA migrate TO \"{role}\""
            ))
            .await
            .unwrap();
        let fill = migration(4, "Fill").backfill("a", "x = $1", "x IS NULL", 100, "x");
        let filling = || migrator(before().into_iter().chain([fill.clone()]));
        // The privilege is lost between two batches: the one who listens holds the run up meanwhile.
        let revoker = Arc::new(database.connect().await);
        let revoke = revoke.replace("{}", &format!("\"{role}\""));
        let sql = revoke.clone();
        let lost = filling().on_event(move |event| {
            if let migrate_pg::Event::Backfill { progress, .. } = event
                && progress.rows == 300
            {
                let revoked = revoker.batch_execute(&sql);
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(revoked)).unwrap();
            }
        });
        let error = lost.run_through(migrate_pg::model::Phase::Migrate, &config).await.unwrap_err();
        assert_eq!(error.sqlstate(), Some("42501"), "{revoke}: {error}");
        assert!(error.to_string().contains("permission denied for "), "{revoke}: {error}");
        assert_clean(&client).await;
        assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await, "300", "{revoke}");
        assert_eq!(value(&client, "SELECT rows FROM migrate.steps WHERE version = 4").await, "300", "{revoke}");
        client.batch_execute(&grant.replace("{}", &format!("\"{role}\""))).await.unwrap();
        filling().run_through(migrate_pg::model::Phase::Migrate, &config).await.unwrap();
        assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await, "3000", "{revoke}");
        client.batch_execute(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"")).await.unwrap();
    }
}

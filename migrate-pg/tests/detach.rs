//! DETACH PARTITION CONCURRENTLY that is interrupted on a real server: while it is pending, inserts fail, and nothing but
//! FINALIZE ends that.

#![allow(missing_docs, reason = "a history for a test")]

mod support;

use futures_util::future::join_all;
use migrate_pg::model::History;
use migrate_pg::prelude::*;
use migrate_pg::testing::{Server, TestDatabase};
use migrate_pg::{ErrorKind, Event};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{assert_clean, servers, value};
use tokio_postgres::Client;

#[derive(Migration)]
#[migration(version = 1, phase = Expand, lock = None)]
#[step(up = r#"CREATE SCHEMA "Größe 'x'""#, down = r#"DROP SCHEMA "Größe 'x'""#)]
#[step(
    up = r#"CREATE TABLE "Größe 'x'"."all of it" (id bigint NOT NULL, v text) PARTITION BY RANGE (id)"#,
    down = r#"DROP TABLE "Größe 'x'"."all of it""#
)]
#[step(
    up = r#"CREATE TABLE "Größe 'x'"."part ""one""" PARTITION OF "Größe 'x'"."all of it" FOR VALUES FROM (0) TO (100)"#,
    down = r#"DROP TABLE "Größe 'x'"."part ""one""""#
)]
pub struct Parts;

#[derive(Migration)]
#[migration(version = 2, phase = Contract, lock = AccessExclusive, transactional = false)]
#[step(
    up = r#"ALTER TABLE "Größe 'x'"."all of it" DETACH PARTITION "Größe 'x'"."part ""one""" CONCURRENTLY"#,
    down = r#"ALTER TABLE "Größe 'x'"."all of it" ATTACH PARTITION "Größe 'x'"."part ""one""" FOR VALUES FROM (0) TO (100)"#
)]
pub struct Detach;

/// Not by `migrations!`, whose proof refuses it rightly: the server leaves the partition's bound as a CHECK constraint (manual,
/// ALTER TABLE, `DETACH PARTITION … CONCURRENTLY`), and the attach that takes the detach back does not take that away.
fn history() -> History {
    History::from_checked(vec![Box::new(Parts), Box::new(Detach)], None)
}

const PENDING: &str = "SELECT coalesce((SELECT inhdetachpending::text FROM pg_inherits WHERE inhrelid = \
                       to_regclass('\"Größe ''x''\".\"part \"\"one\"\"\"')), 'none')";

/// A run whose backend is ended while its detach waits for an old transaction.
async fn interrupted(database: &TestDatabase, client: &Client) {
    let pool = database.pool();
    Migrator::new(history()).run(&pool).await.unwrap();
    client.batch_execute("INSERT INTO \"Größe 'x'\".\"all of it\" VALUES (1, 'x')").await.unwrap();
    // The run waits for the first transaction before it begins, and for the second, which came meanwhile, while it is at it.
    let reads = "BEGIN; SELECT * FROM \"Größe 'x'\".\"all of it\"";
    let first = database.connect().await;
    first.batch_execute(reads).await.unwrap();
    let (listener, waits) = support::when_it_waits();
    let run = tokio::spawn(Migrator::new(history()).on_event(listener).run_through(Phase::Contract, &pool));
    waits.notified().await;
    let old = database.connect().await;
    old.batch_execute(reads).await.unwrap();
    first.batch_execute("COMMIT").await.unwrap();
    wait_for(client, PENDING, "true").await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%DETACH%CONCURRENTLY%' AND \
               datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(value(client, end).await, "1");
    assert_eq!(run.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionLost);
    old.batch_execute("COMMIT").await.unwrap();
    assert_eq!(value(client, PENDING).await, "true");
    let error = client.batch_execute("INSERT INTO \"Größe 'x'\".\"all of it\" VALUES (2, 'x')").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "23514", "no partition takes it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_detach_is_finalized_by_the_next_run_on_every_version() {
    join_all(servers().await.iter().map(finalized)).await;
}

async fn finalized(server: &Server) {
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    interrupted(&database, &client).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = told.clone();
    let next = Migrator::new(history()).on_event(move |event| {
        if let Event::Recovered { what, .. } = event {
            listener.lock().unwrap().push(what.clone());
        }
    });
    next.run_through(Phase::Contract, database.pool()).await.unwrap();
    assert_eq!(*told.lock().unwrap(), ["finalizes the interrupted detach"]);
    assert_eq!(value(&client, PENDING).await, "none");
    assert_eq!(value(&client, "SELECT count(*) FROM \"Größe 'x'\".\"part \"\"one\"\"\"").await, "1");
    next.undo(1, database.pool()).await.unwrap();
    assert_eq!(value(&client, PENDING).await, "false");
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_detach_is_finished_before_it_is_taken_back_on_every_version() {
    join_all(servers().await.iter().map(finished)).await;
}

async fn finished(server: &Server) {
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    interrupted(&database, &client).await;
    Migrator::new(history()).undo(1, database.pool()).await.unwrap();
    assert_eq!(value(&client, PENDING).await, "false");
    assert_eq!(value(&client, "SELECT count(*) FROM \"Größe 'x'\".\"all of it\"").await, "1");
    client.batch_execute("INSERT INTO \"Größe 'x'\".\"all of it\" VALUES (2, 'x')").await.unwrap();
    assert_clean(&client).await;
}

async fn wait_for(client: &Client, sql: &str, expected: &str) {
    for _ in 0..500 {
        if value(client, sql).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never {expected}: {sql}");
}

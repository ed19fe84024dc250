//! An undo waits for locks as a run does: it looks before it queues, names who is in the way, and all its waits together are
//! bounded.

#![allow(missing_docs, reason = "a history for a test")]

mod support;

use migrate_pg::prelude::*;
use migrate_pg::testing::Server;
use migrate_pg::{Event, LockSchedule};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{assert_clean, has_column, value};

#[derive(Migration)]
#[migration(version = 1, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE \"Orders\" (id bigint PRIMARY KEY)", down = derived)]
#[step(up = "CREATE TABLE items (id bigint PRIMARY KEY)", down = derived)]
pub struct Tables;

#[derive(Migration)]
#[migration(version = 2, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE \"Orders\" ADD COLUMN note text", down = derived)]
pub struct OneNote;

#[derive(Migration)]
#[migration(version = 3, phase = Expand, lock = AccessExclusive, transactional = false)]
#[step(up = "ALTER TABLE \"Orders\" ADD COLUMN why text", down = "ALTER TABLE \"Orders\" DROP COLUMN why")]
#[step(up = "ALTER TABLE items ADD COLUMN why text", down = "ALTER TABLE items DROP COLUMN why")]
#[step(up = "CREATE INDEX CONCURRENTLY items_why ON items (why)", down = "DROP INDEX CONCURRENTLY items_why")]
pub struct Stepwise;

migrations! { pub fn history() = [Tables, OneNote, Stepwise] }

const SECOND: Duration = Duration::from_secs(1);

fn waiting() -> &'static str {
    "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE NOT granted AND relname IN ('Orders', 'items') \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_is_not_queued_behind_an_old_transaction_on_every_version() {
    futures_util::future::join_all(support::servers().await.iter().map(not_queued)).await;
}

async fn not_queued(server: &Server) {
    let database = server.database().await.unwrap();
    let (client, other) = (database.connect().await, database.connect().await);
    let pool = database.pool();
    let retries = Arc::new(Mutex::new(Vec::new()));
    let seen = retries.clone();
    let schedule = LockSchedule::new(1, 3).pause(SECOND / 10);
    let migrator =
        Migrator::new(history()).lock_schedule(schedule).old_transaction(SECOND / 2).on_event(move |event| {
            if let Event::Retry { step, blockers, .. } = event {
                seen.lock().unwrap().push((*step, blockers.len()));
            }
        });
    migrator.run(&pool).await.unwrap();
    client.batch_execute("BEGIN; SELECT FROM \"Orders\"").await.unwrap();
    let pid = value(&other, "SELECT min(pid) FROM pg_locks WHERE relation = '\"Orders\"'::regclass").await;
    tokio::time::sleep(SECOND * 3 / 4).await;
    let looking = tokio::spawn(async move {
        let (mut most, begun) = (String::from("0"), Instant::now());
        while begun.elapsed() < SECOND {
            let now = value(&other, waiting()).await;
            most = most.max(now);
        }
        most
    });
    // Step by step, the statements after the one in whose way somebody is are taken back already.
    let error = migrator.undo(1, &pool).await.unwrap_err();
    let context = format!("PostgreSQL {}: {error}", server.major());
    assert_eq!((error.kind(), error.sqlstate(), error.step()), (ErrorKind::LockTimeout, None, Some(1)), "{context}");
    assert!(error.to_string().contains("ACCESS EXCLUSIVE was not queued for"), "{context}");
    assert_eq!(
        error.in_the_way().iter().map(|blocker| blocker.pid.to_string()).collect::<Vec<_>>(),
        [pid],
        "{context}"
    );
    assert_eq!(looking.await.unwrap(), "0", "nobody had to wait behind it: {context}");
    assert_eq!(*retries.lock().unwrap(), [(Some(1), 1), (Some(1), 1)], "{context}");
    assert!(has_column(&client, "\"Orders\"", "why").await && !has_column(&client, "items", "why").await, "{context}");
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(migrator.undo(1, &pool).await.unwrap().undone.len(), 1);

    // In one transaction.
    client.batch_execute("BEGIN; SELECT FROM \"Orders\"").await.unwrap();
    tokio::time::sleep(SECOND * 3 / 4).await;
    let error = migrator.undo(1, &pool).await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::LockTimeout, None), "{context}: {error}");
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(migrator.undo(1, &pool).await.unwrap().undone.len(), 1);
    assert_clean(&client).await;
}

mod wide {
    use super::*;

    #[derive(Migration)]
    #[migration(version = 2, phase = Expand, lock = AccessExclusive, allow(several_tables_locked, reason = "it is what is tested"))]
    #[step(up = "ALTER TABLE \"Orders\" ADD COLUMN note text", down = derived)]
    #[step(up = "ALTER TABLE items ADD COLUMN note text", down = derived)]
    pub struct Notes;

    migrations! { pub fn history() = [Tables, Notes] }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_waits_of_an_undo_together_are_bounded_and_named_on_every_version() {
    futures_util::future::join_all(support::servers().await.iter().map(bounded)).await;
}

async fn bounded(server: &Server) {
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    let migrator = Migrator::new(wide::history()).lock_schedule(LockSchedule::once()).lock_timeout(4 * SECOND);
    migrator.run(database.pool()).await.unwrap();
    // Whoever is waited for first gives way in time; the other does not. Were each wait bounded by itself, it were 7.5 s.
    let mut readers = Vec::new();
    let gave_way = Arc::new(AtomicBool::new(false));
    for table in ["\"Orders\"", "items"] {
        let (holder, looker) = (database.connect().await, database.connect().await);
        holder.batch_execute(&format!("BEGIN; SELECT FROM {table}")).await.unwrap();
        let waited_for =
            format!("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass)");
        let gave_way = gave_way.clone();
        readers.push(tokio::spawn(async move {
            while value(&looker, &waited_for).await != "t" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            if gave_way.swap(true, Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(SECOND * 7 / 2).await;
            holder.batch_execute("COMMIT").await.unwrap();
        }));
    }
    let begun = Instant::now();
    let error = migrator.undo(1, database.pool()).await.unwrap_err();
    let waited = begun.elapsed();
    let context = format!("PostgreSQL {}, {waited:?}: {error}", server.major());
    assert_eq!(error.kind(), ErrorKind::LockTimeout, "{context}");
    assert!(waited >= SECOND * 7 / 2 && waited < SECOND * 7, "{context}");
    assert!(error.to_string().contains("in the way: backend") && error.in_the_way().len() == 1, "{context}");
    assert!(has_column(&client, "items", "note").await, "{context}");
    for reader in readers {
        reader.abort();
    }
    assert_clean(&client).await;
}

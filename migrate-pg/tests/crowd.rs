//! Many runners, and runners that die: one at a time, nothing left behind, and the next one goes on.

mod support;

use migrate_pg::{ErrorKind, Event, testing};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{add, assert_clean, create, events, has_column, has_table, migration, migrator, value};
use tokio_postgres::Client;

#[tokio::test(flavor = "multi_thread")]
async fn eight_instances_start_on_an_empty_database() {
    let database = testing::database().await;
    let client = database.connect().await;
    let all = || {
        [
            create(1, "a"),
            migration(2, "Rows").step("INSERT INTO a SELECT n FROM generate_series(1, 1000) n", "DELETE FROM a"),
            migration(3, "Index").step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i"),
            add(4, "a", "x"),
        ]
    };
    let runs = (0..8).map(|_| {
        let (pool, migrator) = (database.pool_of(1), migrator(all()));
        tokio::spawn(async move { migrator.run(&pool).await })
    });
    let mut applied = 0;
    for run in runs.collect::<Vec<_>>() {
        applied += run.await.unwrap().unwrap().applied.len();
    }
    assert_eq!(applied, 4, "each migration was applied by one of them");
    assert_eq!(events(&client).await, "applied 1, applied 2, begun 3, applied 3, applied 4");
    assert_eq!(value(&client, "SELECT count(*) FROM a").await, "1000");
    assert_eq!(value(&client, "SELECT count(*) FROM pg_index WHERE NOT indisvalid").await, "0");
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_the_lease_is_told_and_the_wait_is_bounded() {
    let database = testing::database().await;
    let client = database.connect().await;
    client.batch_execute("CREATE TABLE gate (n int)").await.unwrap();
    client.batch_execute("BEGIN; LOCK gate").await.unwrap();
    let first = migrator([migration(1, "Slow").step("INSERT INTO gate VALUES (1)", "")])
        .application_name("first one")
        .lock_timeout(Duration::from_secs(30));
    let first = tokio::spawn(first.run(database.pool()));
    let other = database.connect().await;
    wait_for(&other, "SELECT count(*) FROM pg_locks WHERE relation = 'gate'::regclass AND NOT granted", "1").await;

    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = told.clone();
    let second = migrator([create(2, "b")]).lease_wait(Duration::from_millis(500)).on_event(move |event| {
        if let Event::LeaseWaiting { holder, .. } = event {
            listener.lock().unwrap().push(holder.clone());
        }
    });
    let error = second.run(database.pool()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lease);
    assert!(
        error.to_string().contains("held by first one (backend ") && error.to_string().contains(" since 2"),
        "{error}"
    );
    assert!(told.lock().unwrap()[0].is_some());
    let status = second.status(database.pool()).await.unwrap();
    assert_eq!(status.runner.unwrap().application.as_deref(), Some("first one"));

    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().applied.len(), 1);
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_future_stops_at_the_next_boundary() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool_of(1);
    client.batch_execute("CREATE TABLE gate (n int)").await.unwrap();
    client.batch_execute("BEGIN; LOCK gate").await.unwrap();
    let all = || [migration(1, "First").step("INSERT INTO gate VALUES (1)", "DELETE FROM gate"), create(2, "b")];
    let patient = migrator(all()).lock_timeout(Duration::from_secs(30));
    let run = tokio::time::timeout(Duration::from_millis(600), patient.run(&pool)).await;
    assert!(run.is_err(), "it waits for the lock");
    // Its task goes on to the boundary: what was sent cannot be unsent, and it does not begin the second.
    client.batch_execute("COMMIT").await.unwrap();
    assert_clean(&client).await;
    assert_eq!(value(&client, "SELECT count(*) FROM gate").await, "1");
    assert_eq!(events(&client).await, "applied 1");
    assert!(!has_table(&client, "b").await);
    let report = migrator(all()).run(&pool).await.unwrap();
    assert_eq!((report.already, report.applied.len()), (1, 1));
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_future_that_waits_for_the_lease_leaves_no_lock() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool_of(1);
    client.batch_execute("CREATE TABLE gate (n int)").await.unwrap();
    client.batch_execute("BEGIN; LOCK gate").await.unwrap();
    let first =
        migrator([migration(1, "Slow").step("INSERT INTO gate VALUES (1)", "")]).lock_timeout(Duration::from_secs(30));
    let first = tokio::spawn(first.run(database.pool()));
    wait_for(
        &database.connect().await,
        "SELECT count(*) FROM pg_locks WHERE relation = 'gate'::regclass AND NOT granted",
        "1",
    )
    .await;
    let second = migrator([create(2, "b")]);
    assert!(tokio::time::timeout(Duration::from_millis(300), second.run(&pool)).await.is_err());
    client.batch_execute("COMMIT").await.unwrap();
    first.await.unwrap().unwrap();
    assert_clean(&client).await;
    assert!(!has_table(&client, "b").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_killed_anywhere_is_followed_by_a_run_that_converges() {
    let database = testing::database().await;
    let client = Arc::new(database.connect().await);
    let pool = database.pool();
    let all = || {
        [
            create(1, "a"),
            migration(2, "Half")
                .step("INSERT INTO a SELECT n FROM generate_series(1, 1000) n", "DELETE FROM a")
                .step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i")
                .step("ALTER TABLE a ADD COLUMN x text", "ALTER TABLE a DROP COLUMN x"),
            add(3, "a", "y"),
        ]
    };
    // At each event in turn the backend of the lease is ended.
    let mut kills = 0;
    for nth in 0.. {
        let seen = Arc::new(Mutex::new(0));
        let done = Arc::new(AtomicBool::new(false));
        let (count, hit, killer) = (seen.clone(), done.clone(), client.clone());
        let run = migrator(all()).on_event(move |_| {
            let mut count = count.lock().unwrap();
            if *count == nth && !hit.swap(true, Ordering::SeqCst) {
                let killer = killer.clone();
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(kill_holder(&killer)));
            }
            *count += 1;
        });
        let result = run.run(&pool).await;
        if !done.load(Ordering::SeqCst) {
            result.unwrap();
            break;
        }
        kills += 1;
        assert!(nth < 40, "it never ends");
        // A run that was killed after its last commit has nothing left to fail by.
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
        }
        assert_clean(&client).await;
        let report = migrator(all()).run(&pool).await.unwrap();
        assert!(report.held.is_empty());
        assert!(has_column(&client, "a", "x").await && has_column(&client, "a", "y").await);
        assert_eq!(value(&client, "SELECT count(*) FROM a").await, "1000", "killed at event {nth}");
        assert_eq!(value(&client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass").await, "t");
        assert_eq!(value(&client, "SELECT count(*) FROM pg_index WHERE NOT indisvalid").await, "0");
        assert_eq!(
            value(&client, "SELECT string_agg(state, ',') FROM migrate.migrations").await,
            "applied,applied,applied"
        );
        migrator(all()).down_to(0, &pool).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(!has_table(&client, "a").await);
    }
    assert!(kills >= 8, "{kills} kills");
    println!("{kills} kills, each followed by a run that converged");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_is_killed_anywhere_is_followed_by_one_that_converges() {
    let database = testing::database().await;
    let client = Arc::new(database.connect().await);
    let pool = database.pool();
    let all = || {
        [
            create(1, "a"),
            migration(2, "Half").step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i").step_downs(
                "ALTER TABLE a ADD COLUMN x text",
                &["ALTER TABLE a ALTER COLUMN x SET DEFAULT ''", "ALTER TABLE a DROP COLUMN x"],
            ),
            add(3, "a", "y"),
        ]
    };
    let mut kills = 0;
    for nth in 0.. {
        migrator(all()).run(&pool).await.unwrap();
        let seen = Arc::new(Mutex::new(0));
        let done = Arc::new(AtomicBool::new(false));
        let (count, hit, killer) = (seen.clone(), done.clone(), client.clone());
        let undo = migrator(all()).on_event(move |_| {
            let mut count = count.lock().unwrap();
            if *count == nth && !hit.swap(true, Ordering::SeqCst) {
                let killer = killer.clone();
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(kill_holder(&killer)));
            }
            *count += 1;
        });
        let result = undo.down_to(0, &pool).await;
        if !done.load(Ordering::SeqCst) {
            result.unwrap();
            break;
        }
        kills += 1;
        assert!(nth < 40, "it never ends");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
        }
        assert_clean(&client).await;
        // Half of the time the next is an undo, half of the time a run: both go on from what the ledger says.
        if nth % 2 == 0 {
            migrator(all()).down_to(0, &pool).await.unwrap_or_else(|error| panic!("killed at event {nth}: {error}"));
            assert!(!has_table(&client, "a").await);
        }
        migrator(all()).run(&pool).await.unwrap_or_else(|error| panic!("killed at event {nth}: {error}"));
        assert!(has_column(&client, "a", "x").await && has_column(&client, "a", "y").await);
        assert_eq!(value(&client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass").await, "t");
        assert_eq!(
            value(&client, "SELECT string_agg(state, ',') FROM migrate.migrations").await,
            "applied,applied,applied"
        );
    }
    assert!(kills >= 6, "{kills} kills");
    println!("{kills} kills, each followed by an undo or a run that converged");
}

async fn kill_holder(client: &Client) {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM (SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' \
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) holders";
    value(client, sql).await;
    wait_for(client, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", "0").await;
}

async fn wait_for(client: &Client, sql: &str, expected: &str) {
    for _ in 0..200 {
        if value(client, sql).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never {expected}: {sql}");
}

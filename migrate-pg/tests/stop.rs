//! Stopping a run: at its next boundary, when a shutdown has come; and at once, where that is asked for.

mod support;

use migrate_pg::model::Phase;
use migrate_pg::{ErrorKind, Event, testing};
use std::time::Duration;
use support::{assert_clean, create, has_table, migration, migrator, value};
use tokio_postgres::Client;

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_stops_at_the_next_boundary_and_the_next_run_goes_on() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool_of(1);
    let all = || {
        let two = migration(2, "Two")
            .step("CREATE TABLE b (id int)", "DROP TABLE b")
            .step("CREATE TABLE c (id int)", "DROP TABLE c");
        [create(1, "a"), two.stepwise(), create(3, "d")]
    };
    let (done, mut seen) = tokio::sync::mpsc::unbounded_channel();
    // It comes while the first step of the second migration is at work.
    let run = migrator(all()).on_event(move |event| {
        if matches!(event, Event::StepDone { step: 1, version, .. } if version.get() == 2) {
            done.send(()).unwrap();
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    let error = run.run_until(async move { seen.recv().await }, &pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    assert!(has_table(&client, "b").await && !has_table(&client, "c").await);
    assert_clean(&client).await;
    let report = migrator(all()).run_until(std::future::pending::<()>(), &pool).await.unwrap();
    assert_eq!((report.applied.len(), report.applied[0].resumed), (2, true));
    // One that is there before the run begins: where there is something to do, it is not begun.
    let error = migrator(all()).down_to(0, &pool).until(std::future::ready(())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    assert!(has_table(&client, "d").await);
    assert_clean(&client).await;
}

/// Waits until somebody waits in the server, as the condition on `pg_stat_activity` says.
async fn in_flight(client: &Client, what: &str) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND \
         wait_event_type = 'Lock' AND query LIKE '{what}%'"
    );
    for _ in 0..500 {
        if value(client, &sql).await == "1" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came to {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_is_cancelled_where_that_is_asked_for() {
    let database = testing::database().await;
    let client = database.connect().await;
    let other = database.connect().await;
    let later = database.connect().await;
    let all = || {
        [
            create(1, "a"),
            migration(2, "Rows").step("INSERT INTO a SELECT n FROM generate_series(1, 10) n", "DELETE FROM a"),
            migration(3, "Update").step("UPDATE a SET v = 'u' WHERE id = 5", ""),
            migration(4, "Index").step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i"),
            migration(5, "Fill").backfill("a", "v = $1", "v IS DISTINCT FROM 'x'", 4, "x"),
        ]
    };
    let through = |version: usize| all().into_iter().take(version);
    migrator(through(2)).run(database.config()).await.unwrap();
    // A transaction, a statement outside of transactions, a batch: each waits for another's row or snapshot.
    for (version, what) in [(3, "UPDATE a"), (4, "CREATE INDEX"), (5, "")] {
        client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM a WHERE id = 5 FOR UPDATE")
            .await
            .unwrap();
        let patient = migrator(through(version)).lock_timeout(Duration::from_mins(5));
        let (listener, waits) = support::when_it_waits();
        // A pool of one: the second connection is made when it is needed.
        let run = patient.on_event(listener).run_through(Phase::Migrate, database.pool_of(1));
        let stopper = run.stopper();
        let run = tokio::spawn(run);
        if what == "CREATE INDEX" {
            // It waits for the transaction before it begins, and for one that came meanwhile while it is at it.
            waits.notified().await;
            later.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM a").await.unwrap();
            client.batch_execute("COMMIT").await.unwrap();
        }
        in_flight(&other, what).await;
        // A stop waits for it.
        stopper.stop();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!run.is_finished(), "{version}");
        stopper.cancel();
        let error = tokio::time::timeout(Duration::from_secs(30), run).await.expect("it ends").unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stopped, "{version}: {error}");
        assert!(error.to_string().contains("cancelled"), "{error}");
        for held in [&client, &later] {
            held.batch_execute("COMMIT").await.unwrap();
        }
        assert_clean(&client).await;
        // To drop what was being built would have had to wait, too: then it is left to the next run, and the ledger knows.
        let invalid = value(&client, "SELECT count(*) FROM pg_index WHERE NOT indisvalid").await;
        let known = "SELECT count(*) FROM migrate.steps WHERE under_way AND acts_on->'target'->>'name' = 'i'";
        assert_eq!(value(&client, known).await, invalid, "{version}");
        migrator(through(version)).run_through(Phase::Migrate, database.config()).await.unwrap();
        assert_eq!(value(&client, "SELECT count(*) FROM pg_index WHERE NOT indisvalid").await, "0", "{version}");
    }
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE v = 'x'").await, "10");
    assert_clean(&client).await;
}

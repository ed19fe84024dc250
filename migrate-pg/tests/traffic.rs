//! A whole plan under writes: no write that a client was told is committed is lost, and none fails.

mod support;

use migrate_pg::model::Phase;
use migrate_pg::testing;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use support::accounts::plan;
use support::{assert_clean, migrator, value};

#[tokio::test(flavor = "multi_thread")]
async fn no_write_is_lost_and_none_fails_during_a_whole_plan() {
    let database = testing::database().await;
    let client = database.connect().await;
    // Each write goes to the mirror in the same transaction.
    client
        .batch_execute(
            "CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL, old text); \
             INSERT INTO accounts SELECT n, 0, 'x' FROM generate_series(1, 5000) n; \
             CREATE TABLE mirror (id bigint PRIMARY KEY, balance bigint NOT NULL); \
             INSERT INTO mirror SELECT id, balance FROM accounts",
        )
        .await
        .unwrap();
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4_u64 {
        let session = database.connect().await;
        let (stop, written) = (stop.clone(), written.clone());
        writers.spawn(async move {
            let mut round = 0;
            while !stop.load(Ordering::SeqCst) {
                round += 1;
                // Rows of its own, old ones and new ones, so that writers do not wait for each other.
                let id = (round * 37 + writer * 1250) % 1250 + writer * 1250 + 1;
                let new = 10_000 + round * 4 + writer;
                let sql = format!(
                    "BEGIN; UPDATE accounts SET balance = balance + 1 WHERE id = {id}; UPDATE mirror SET balance = balance + 1 WHERE \
                     id = {id}; INSERT INTO accounts (id, balance) VALUES ({new}, {round}); INSERT INTO mirror VALUES ({new}, {round}); COMMIT"
                );
                session.batch_execute(&sql).await.unwrap_or_else(|error| panic!("a write failed: {error:?}"));
                written.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    // Somebody idles in a transaction on the table for a while, as somebody always does.
    let idle = database.connect().await;
    idle.batch_execute("BEGIN; SELECT FROM accounts LIMIT 1").await.unwrap();
    let idler = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        idle.batch_execute("COMMIT").await.unwrap();
    });
    let schedule = migrate_pg::LockSchedule::new(10, 10).pause(std::time::Duration::from_millis(100));
    let patient = migrator(plan(500)).lock_schedule(schedule);
    let before = written.load(Ordering::SeqCst);
    let report = patient.run_through(Phase::Contract, database.pool()).await.unwrap();
    let during = written.load(Ordering::SeqCst) - before;
    stop.store(true, Ordering::SeqCst);
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    idler.await.unwrap();
    assert_eq!(report.applied.len(), 6);
    assert!(during > 100, "{during} writes went on meanwhile");
    let lost =
        "SELECT count(*) FROM accounts a FULL JOIN mirror m USING (id) WHERE a.balance IS DISTINCT FROM m.balance";
    assert_eq!(value(&client, lost).await, "0", "of {during} writes");
    assert_eq!(value(&client, "SELECT count(*) FROM accounts WHERE status IS DISTINCT FROM 'open'").await, "0");
    assert_clean(&client).await;
}

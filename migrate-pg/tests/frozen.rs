//! A runner that falls silent in the middle of a transaction, as a frozen process or a laptop's closed lid: the server ends
//! its session after a while, its locks are free, and the next run goes on.

mod support;

use migrate_pg::model::Phase;
use migrate_pg::testing::Server;
use migrate_pg::{ErrorKind, Migrator};
use std::time::{Duration, Instant};
use support::cutter::Cutter;
use support::{assert_clean, filling, history, servers, value};

/// What is sent within a transaction and not passed on.
const SILENT: [(&str, &str, &str); 4] = [
    // The ledger's rows, when the work of the transaction is done.
    ("", "'applied', 2", "of a transaction"),
    ("'begun', 3", "COMMIT", "of the ledger"),
    // A batch that is found and not updated; one that is updated and not committed.
    ("migrate.backfill", "__migrate_updated", "before a batch"),
    ("__migrate_updated", "COMMIT", "after a batch"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_silent_within_a_transaction_is_ended_on_every_version() {
    futures_util::future::join_all(servers().await.iter().map(silent)).await;
}

async fn silent(server: &Server) {
    for (behind, text, place) in SILENT {
        let context = format!("PostgreSQL {}: silent {place}", server.major());
        let database = server.database().await.unwrap();
        let client = database.connect().await;
        let migrator = || Migrator::new(history(filling(500))).lease_wait(Duration::from_secs(20));
        let before = if place.ends_with("transaction") { 1 } else { 2 };
        Migrator::new(history(filling(500).into_iter().take(before))).run(database.config()).await.unwrap();
        let cutter = Cutter::keeping(database.config(), behind, text).await;
        let impatient = migrator().idle_in_transaction_timeout(Duration::from_secs(1));
        let (begun, through) = (Instant::now(), cutter.config.clone());
        let run = tokio::spawn(async move { impatient.run_through(Phase::Contract, through).await });
        // Another runner waits for the lease, and needs what the silent one has locked.
        while !cutter.has_cut() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{context}: nothing to keep");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let in_transaction = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()";
        while value(&client, in_transaction).await == "0" {
            assert!(begun.elapsed() < Duration::from_secs(10), "{context}: it is in no transaction");
        }
        let other = migrator().run_through(Phase::Contract, database.config()).await;
        other.unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(begun.elapsed() < Duration::from_secs(15), "{context}: {:?}", begun.elapsed());
        let error = run.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{context}: {error}");
        assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await, "500", "{context}");
        assert_eq!(value(&client, "SELECT rows FROM migrate.steps WHERE version = 3").await, "500", "{context}");
        assert_clean(&client).await;
    }
}

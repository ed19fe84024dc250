//! What a batch does to its rows, as the server sees it: which locks it holds on them, in which transaction it writes them,
//! and by how many statements.

use super::*;
use crate::support::proxy::Proxy;
use crate::support::{hurried, migration};
use migrate_pg::model::{History, Migration as Described};
use migrate_pg::testing::TestDatabase;
use std::collections::BTreeMap;

/// In Rust; `tx` is written by a trigger.
#[derive(Migration)]
#[migration(version = 1, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "parents", key = "id", batch = 1000, read = "v", write = "w", filter = "w IS NULL", down = keep("goes with the column"))]
struct FillInRust;

impl RowBackfill for FillInRust {
    type In = (String,);
    type Out = (String,);

    fn convert(&self, (v,): Self::In) -> Result<Self::Out, RowError> {
        Ok((v.to_uppercase(),))
    }
}

type Made = fn() -> History;

/// The three ways in which a batch locks and writes its rows: its UPDATE does both; they are locked before; and Rust converts
/// them in between.
fn ways() -> [(&'static str, Made); 3] {
    fn of(set: &str, filter: &str) -> History {
        support::history([migration(1, "Fill").backfill("parents", set, filter, 1000, "V")])
    }
    [
        ("by the UPDATE", || of("w = $1", "w IS NULL")),
        ("before the UPDATE", || of("w = $1", "w IS NULL AND v IN (SELECT 'v')")),
        ("for Rust", || History::from_checked(vec![Box::new(FillInRust) as Box<dyn Described>], None)),
    ]
}

async fn parents(rows: u32) -> (TestDatabase, Client) {
    let database = testing::database().await;
    let client = database.connect().await;
    client
        .batch_execute(&format!(
            "CREATE TABLE parents (id bigint PRIMARY KEY, v text, w text, tx text);
             CREATE TABLE children (parent bigint REFERENCES parents);
             INSERT INTO parents SELECT n, 'v' FROM generate_series(1, {rows}) n; ANALYZE parents"
        ))
        .await
        .unwrap();
    (database, client)
}

/// FOR NO KEY UPDATE: clients that insert rows which refer to those of the batch take FOR KEY SHARE on them, and are not held
/// up (manual, 13.3.2).
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_refer_to_a_batch_are_inserted_while_it_is_open() {
    for (way, history) in ways() {
        let (database, client) = parents(100).await;
        // Its transaction stays open behind the UPDATE, until this lock is given up.
        client
            .batch_execute(
                "CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_advisory_xact_lock(1, 2); RETURN NULL; END $$;
                 CREATE TRIGGER waits AFTER UPDATE ON parents FOR EACH STATEMENT EXECUTE FUNCTION waits()",
            )
            .await
            .unwrap();
        client.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(1, 2)").await.unwrap();
        let migrator = Migrator::new(history()).lock_timeout(Duration::from_mins(2));
        let run = tokio::spawn(migrator.run_through(Phase::Migrate, database.config()));
        let other = database.connect().await;
        let query = "SELECT coalesce(min(query), '') FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()";
        until("the batch's UPDATE", async || !value(&other, query).await.is_empty()).await;
        let query = value(&other, query).await;
        assert_eq!(query.contains("FOR NO KEY UPDATE"), way == "before the UPDATE", "{way}: {query}");

        let error =
            other.batch_execute("SELECT FROM parents WHERE id = 10 FOR NO KEY UPDATE NOWAIT").await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "55P03", "{way}: the batch holds its rows");
        other
            .batch_execute("SET lock_timeout = '20s'; INSERT INTO children SELECT generate_series(1, 100)")
            .await
            .unwrap_or_else(|error| panic!("rows locked {way}: {error:?}"));
        assert_eq!(
            value(&other, "SELECT count(*) FROM parents WHERE w IS NULL").await,
            "100",
            "{way}: it is still open"
        );
        client.batch_execute("COMMIT").await.unwrap();
        run.await.unwrap().unwrap();
        assert_eq!(value(&client, "SELECT count(*) FROM parents WHERE w = 'V'").await, "100", "{way}");
        assert_clean(&client).await;
    }
}

/// Each row is stamped with the transaction that filled it: there are as many as batches, none has more rows than a batch may,
/// and the cursor was moved by the last of them.
#[tokio::test(flavor = "multi_thread")]
async fn no_transaction_holds_more_than_one_batch() {
    for (way, history) in ways() {
        for workers in [1, 3] {
            let (database, client) = parents(7_300).await;
            client
                .batch_execute(
                    "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN NEW.tx := pg_current_xact_id(); RETURN NEW; END $$;
                     CREATE TRIGGER stamp BEFORE UPDATE ON parents FOR EACH ROW EXECUTE FUNCTION stamp()",
                )
                .await
                .unwrap();
            let batches = Arc::new(Mutex::new(Vec::new()));
            let seen = batches.clone();
            let pace = Pace::default().batch_time(Duration::from_mins(1)).workers(workers);
            let migrator = Migrator::new(history()).pace(pace).on_event(move |event| {
                if let Event::Backfill { progress, .. } = event {
                    seen.lock().unwrap().push(progress.batch_rows);
                }
            });
            migrator.run_through(Phase::Migrate, database.config()).await.unwrap();
            let stamped =
                "SELECT string_agg(rows::text, ',') FROM (SELECT count(*) AS rows FROM parents GROUP BY tx) t";
            let mut stamped: Vec<u64> =
                value(&client, stamped).await.split(',').map(|rows| rows.parse().unwrap()).collect();
            let mut batches = batches.lock().unwrap().clone();
            stamped.sort_unstable();
            batches.sort_unstable();
            assert_eq!(stamped, batches, "{way}, by {workers}");
            assert!(stamped.len() >= 8 && stamped.iter().all(|&rows| rows <= 1000), "{way}, by {workers}: {stamped:?}");
            assert_eq!(stamped.iter().sum::<u64>(), 7_300, "{way}, by {workers}");
        }
    }
}

/// What it costs to fill a batch does not hang on its rows: as many round trips, and one UPDATE.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_written_at_once_however_many_rows_it_has() {
    for (way, history) in ways() {
        let mut costs = BTreeMap::new();
        for rows in [10, 900] {
            let (database, client) = parents(rows).await;
            client
                .batch_execute(
                    "CREATE SEQUENCE updates;
                     CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN PERFORM nextval('updates'); RETURN NULL; END $$;
                     CREATE TRIGGER counts AFTER UPDATE ON parents FOR EACH STATEMENT EXECUTE FUNCTION counts()",
                )
                .await
                .unwrap();
            let proxy = Proxy::before(database.config()).await;
            // Nothing that hangs on time.
            let pace = Pace::default().batch_time(Duration::from_mins(1)).look_every(Duration::from_hours(1));
            let migrator = hurried(Migrator::new(history())).lock_timeout(Duration::from_mins(2)).pace(pace);
            migrator.run_through(Phase::Migrate, &proxy.config).await.unwrap();
            assert_eq!(value(&client, "SELECT count(*) FROM parents WHERE w = 'V'").await, rows.to_string());
            costs.insert(rows, (proxy.trips(), value(&client, "SELECT last_value FROM updates").await));
        }
        assert_eq!(costs[&10], costs[&900], "{way}: {costs:?}");
        assert_eq!(costs[&900].1, "1", "{way}: {costs:?}");
    }
}

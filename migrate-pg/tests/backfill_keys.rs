//! Backfills and those who write meanwhile: rows are locked in the order of the key, whatever the key is, and whatever
//! plan the server has.

mod support;

use migrate_pg::model::{LockClass, Phase};
use migrate_pg::testing::{self, Server};
use migrate_pg::{ErrorKind, Event, Migrator, Pace};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{assert_clean, history, migration, value};
use tokio_postgres::Client;

/// The keys of this table lie on the disk in another order than theirs, and two indexes find the rows in yet others.
const ITEMS: &str = "\
CREATE TABLE items (id uuid PRIMARY KEY, n int NOT NULL, status text, touched int NOT NULL DEFAULT 0, written int NOT NULL DEFAULT 0);
INSERT INTO items SELECT md5(n::text)::uuid, n FROM generate_series(1, 20000) n;
CREATE INDEX ON items (status); CREATE INDEX ON items (n) WHERE status IS NULL;
ANALYZE items";

fn filling(batch: u32) -> Migrator {
    let set = "status = $1, touched = touched + 1";
    Migrator::new(history([migration(1, "Fill").backfill("items", set, "status IS NULL", batch, "new")]))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_locks_in_the_order_of_the_key_never_waits_in_a_circle() {
    for server in support::servers().await {
        for workers in [1, 2] {
            in_key_order(server, workers).await;
        }
    }
}

async fn in_key_order(server: &Server, workers: u32) {
    let context = format!("PostgreSQL {}, {workers} workers", server.major());
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    client.batch_execute(ITEMS).await.unwrap();
    let (over, writes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut writers = Vec::new();
    for seed in 0..3_u64 {
        let (client, over, writes) = (database.connect().await, over.clone(), writes.clone());
        writers.push(tokio::spawn(async move {
            let mut at = seed;
            while !over.load(Ordering::Relaxed) {
                at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Forty rows, far apart and in key order, each locked when the one before is.
                let sql = format!(
                    "SELECT count(*) FROM (SELECT id FROM items WHERE n % 500 = {} ORDER BY id FOR NO KEY UPDATE) AS locked",
                    (at >> 33) % 500
                );
                client.batch_execute(&format!("BEGIN; {sql}; {}; COMMIT", sql_of_writes((at >> 33) % 500))).await.unwrap();
                writes.fetch_add(40, Ordering::Relaxed);
            }
        }));
    }
    let retries = Arc::new(Mutex::new(Vec::new()));
    let seen = retries.clone();
    let migrator = filling(2_000).pace(Pace::default().workers(workers)).on_event(move |event| {
        if let Event::Retry { sqlstate, .. } = event {
            seen.lock().unwrap().push(sqlstate.clone());
        }
    });
    let report = migrator.run_through(Phase::Migrate, database.pool()).await;
    let report = report.unwrap_or_else(|error| panic!("{context}: {error}"));
    over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap_or_else(|error| panic!("{context}: a writer failed: {error}"));
    }
    assert_eq!(report.applied[0].rows, 20_000, "{context}");
    assert_eq!(*retries.lock().unwrap(), [""; 0], "{context}");
    assert_eq!(value(&client, "SELECT count(*) FROM items WHERE status = 'new' AND touched = 1").await, "20000");
    let written = value(&client, "SELECT sum(written) FROM items").await;
    assert_eq!(written, writes.load(Ordering::Relaxed).to_string(), "no write was lost: {context}");
    assert_eq!(value(&client, "SELECT rows FROM migrate.steps").await, "20000", "{context}");
    assert_clean(&client).await;
}

fn sql_of_writes(part: u64) -> String {
    format!("UPDATE items SET written = written + 1 WHERE n % 500 = {part}")
}

/// A key, the table's other columns, and an expression for each of its rows.
const KEYS: [(&str, &str, &[&str]); 4] = [
    ("id citext PRIMARY KEY", "CASE n % 2 WHEN 0 THEN 'Ab' ELSE 'aB' END || n", &["id"]),
    ("id text COLLATE \"und-x-icu\" PRIMARY KEY", "chr(64 + n % 60) || n", &["id"]),
    ("id text COLLATE loose PRIMARY KEY", "CASE n % 2 WHEN 0 THEN 'É' ELSE 'e' END || n", &["id"]),
    (
        "id citext, day date, part numeric(6, 2), PRIMARY KEY (id, day, part)",
        "chr(64 + n % 5 + n % 2 * 32), date '2026-01-01' - n % 7, n / 3.0",
        &["id", "day", "part"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn keys_whose_order_is_their_own_are_walked_on_every_version() {
    for server in support::servers().await {
        let database = server.database().await.unwrap();
        let client = database.connect().await;
        client
            .batch_execute(
                "CREATE EXTENSION citext; \
                 CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
            )
            .await
            .unwrap();
        for (columns, values, key) in KEYS {
            for workers in [1, 2] {
                let context = format!("PostgreSQL {}, {columns}, {workers} workers", server.major());
                let setup = format!(
                    "DROP TABLE IF EXISTS items; DROP SCHEMA IF EXISTS migrate CASCADE; \
                     CREATE TABLE items ({columns}, status text, touched int NOT NULL DEFAULT 0); \
                     INSERT INTO items SELECT {values} FROM generate_series(1, 400) n; ANALYZE items"
                );
                client.batch_execute(&setup).await.unwrap_or_else(|error| panic!("{context}: {error:?}"));
                let set = "status = $1, touched = touched + 1";
                let fill = migration(1, "Fill").backfill_by(key, "items", set, "status IS NULL", 30, "new");
                let batches = Arc::new(AtomicU64::new(0));
                let counted = batches.clone();
                let migrator =
                    Migrator::new(history([fill])).pace(Pace::default().workers(workers)).on_event(move |event| {
                        if let Event::Backfill { .. } = event {
                            counted.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                let report = migrator.run_through(Phase::Migrate, database.config()).await;
                let report = report.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(report.applied[0].rows, 400, "{context}");
                let filled = "SELECT count(*) FROM items WHERE status = 'new' AND touched = 1";
                assert_eq!(value(&client, filled).await, "400", "{context}");
                // In another order than the key's, a pass would leave rows out and more batches follow.
                let most = if workers == 1 { 14 } else { 22 };
                assert!(batches.load(Ordering::Relaxed) <= most, "{context}: {batches:?} batches");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_one_is_enough_for_a_backfill_and_for_naming_who_is_in_its_way() {
    let database = testing::database().await;
    let client = database.connect().await;
    client.batch_execute(ITEMS).await.unwrap();
    client.batch_execute("BEGIN; SELECT FROM items WHERE n = 7 FOR UPDATE").await.unwrap();
    let pid = value(&client, "SELECT pg_backend_pid()").await;
    let (retries, notify) = (Arc::new(Mutex::new(Vec::new())), Arc::new(tokio::sync::Notify::new()));
    let (seen, told) = (retries.clone(), notify.clone());
    let migrator = filling(1_000).lock_timeout(Duration::from_millis(500)).on_event(move |event| {
        if let Event::Retry { blockers, unseen, .. } = event {
            seen.lock().unwrap().push((blockers.clone(), unseen.clone()));
            told.notify_one();
        }
    });
    let pool = database.pool_of(1);
    let run = tokio::spawn(migrator.run_through(Phase::Migrate, &pool));
    notify.notified().await;
    client.batch_execute("COMMIT").await.unwrap();
    let report = tokio::time::timeout(Duration::from_mins(1), run).await.expect("it ends").unwrap().unwrap();
    assert_eq!(report.applied[0].rows, 20_000);
    let (blockers, unseen) = retries.lock().unwrap()[0].clone();
    assert_eq!(blockers.iter().map(|blocker| blocker.pid.to_string()).collect::<Vec<_>>(), [pid], "{unseen:?}");
    assert!(pool.get().await.is_ok(), "the pool has its place back");
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_from_a_role_is_said_while_a_batch_waits() {
    let database = testing::database().await;
    let client = database.connect().await;
    client.batch_execute(ITEMS).await.unwrap();
    let role = format!("plain_{}", database.name());
    client
        .batch_execute(&format!(
            "CREATE ROLE \"{role}\" LOGIN; GRANT CREATE ON DATABASE \"{}\" TO \"{role}\"; ALTER TABLE items OWNER TO \"{role}\"",
            database.name()
        ))
        .await
        .unwrap();
    client
        .batch_execute("BEGIN; SELECT FROM items WHERE n = 7 AND status IS DISTINCT FROM 'secret' FOR UPDATE")
        .await
        .unwrap();
    let (retries, notify) = (Arc::new(Mutex::new(Vec::new())), Arc::new(tokio::sync::Notify::new()));
    let (seen, told) = (retries.clone(), notify.clone());
    let migrator = filling(1_000).lock_timeout(Duration::from_millis(500)).on_event(move |event| {
        if let Event::Retry { blockers, .. } = event {
            seen.lock().unwrap().push(blockers.clone());
            told.notify_one();
        }
    });
    let mut config = database.config().clone();
    config.user(&role);
    let run = tokio::spawn(migrator.run_through(Phase::Migrate, &config));
    notify.notified().await;
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(run.await.unwrap().unwrap().applied[0].rows, 20_000);
    let blockers = retries.lock().unwrap()[0].clone();
    let [blocker] = &blockers[..] else { panic!("{blockers:?}") };
    assert!(blocker.hidden && blocker.query.is_none() && blocker.age.is_none(), "{blocker:?}");
    assert!(blocker.to_string().contains("hidden from this role: grant it pg_monitor"), "{blocker}");
    client.batch_execute(&format!("DROP OWNED BY \"{role}\" CASCADE; DROP ROLE \"{role}\"")).await.unwrap();
}

/// Unique indexes that do not make the key one.
const NOT_UNIQUE: [(&str, &str); 4] = [
    ("partial", "CREATE UNIQUE INDEX ON items (n) WHERE n > 0"),
    ("of an expression", "CREATE UNIQUE INDEX ON items ((n + 0))"),
    ("deferrable", "ALTER TABLE items ADD UNIQUE (n) DEFERRABLE"),
    (
        "INVALID",
        "CREATE UNIQUE INDEX bad ON items (n); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'bad'::regclass",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_does_not_make_a_key_unique_is_refused_before_anything_is_run() {
    for server in support::servers().await {
        for (what, sql) in NOT_UNIQUE {
            let context = format!("PostgreSQL {}: {what}", server.major());
            let database = server.database().await.unwrap();
            let client = database.connect().await;
            client.batch_execute(&format!("CREATE TABLE items (n int NOT NULL, status text); {sql}")).await.unwrap();
            refused_beforehand(&client, &database, &context, "not unique").await;
        }
        let database = server.database().await.unwrap();
        let client = database.connect().await;
        client.batch_execute("CREATE TABLE items (n int UNIQUE, status text)").await.unwrap();
        refused_beforehand(&client, &database, "nullable", "may be NULL").await;
    }
}

async fn refused_beforehand(client: &Client, database: &testing::TestDatabase, context: &str, why: &str) {
    let fill = || migration(2, "Fill").backfill_by(&["n"], "items", "status = $1", "status IS NULL", 30, "new");
    let all = || {
        [
            migration(1, "Other")
                .step("CREATE TABLE other (id int)", "DROP TABLE other")
                .with(|step| step.lock = LockClass::None),
            fill(),
        ]
    };
    let migrator = Migrator::new(history(all()));
    let error = migrator.run_through(Phase::Migrate, database.config()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backfill, "{context}: {error}");
    assert!(error.to_string().contains(why) && error.to_string().contains("nothing was run"), "{context}: {error}");
    assert!(error.to_string().starts_with("migration 2 Fill, step 1"), "{context}: {error}");
    assert_eq!(value(client, "SELECT to_regclass('other') IS NULL").await, "t", "{context}: {error}");

    // A step before it may make the key what it has to be: that is found out when its turn comes.
    let makes = migration(1, "Key").step("ALTER TABLE items ADD PRIMARY KEY (n)", "").with(|step| {
        step.locks = &[("public.items", LockClass::AccessExclusive)];
    });
    let migrator = Migrator::new(history([makes, fill()]));
    assert_eq!(migrator.run_through(Phase::Migrate, database.config()).await.unwrap().applied.len(), 2, "{context}");
}

//! CONCURRENTLY among other people's transactions: waited for before it begins, looked after while it runs, and nothing
//! INVALID is left whatever becomes of it.

mod support;

use migrate_pg::testing::{Binaries, Server, TestDatabase};
use migrate_pg::{BlockerKind, BlockerPolicy, ErrorKind, Event, LockSchedule, Migrator, testing};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{Builder, assert_clean, create, migration, value};
use tokio_postgres::Client;

const SECOND: Duration = Duration::from_secs(1);

type Events = Arc<Mutex<Vec<Event>>>;

fn migrator(all: impl IntoIterator<Item = Builder>, told: &Events) -> Migrator {
    let told = told.clone();
    Migrator::new(support::history(all))
        .lock_schedule(LockSchedule::new(1, 5).pause(SECOND / 20))
        .on_event(move |event| told.lock().unwrap().push(event.clone()))
}

/// Whom the waits that were told of were for: the pids, and whether the step was under way already.
fn waited_for(told: &Events) -> Vec<i32> {
    let told = told.lock().unwrap();
    let pids = told.iter().filter_map(|event| match event {
        Event::Waiting { blockers, .. } => Some(blockers.iter().map(|blocker| blocker.pid)),
        _ => None,
    });
    pids.flatten().collect()
}

async fn until(client: &Client, sql: &str) {
    let begun = Instant::now();
    while value(client, sql).await != "t" {
        assert!(begun.elapsed() < 60 * SECOND, "never came true: {sql}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_told(told: &Events, what: impl Fn(&Event) -> bool) {
    let begun = Instant::now();
    while !told.lock().unwrap().iter().any(&what) {
        assert!(begun.elapsed() < 60 * SECOND, "never told: {told:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn pid(client: &Client) -> i32 {
    value(client, "SELECT pg_backend_pid()").await.parse().unwrap()
}

/// The one CONCURRENTLY that waits for a lock or a transaction.
const STUCK: &str = "datname = current_database() AND query ~ '^(CREATE|DROP|REINDEX|ALTER).*CONCURRENTLY' AND wait_event_type = 'Lock'";

async fn until_stuck(client: &Client) {
    until(client, &format!("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE {STUCK})")).await;
}

const NOTHING_INVALID: &str = "SELECT NOT EXISTS (SELECT FROM pg_index i WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)) \
     AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhdetachpending) AND NOT EXISTS (SELECT FROM pg_class WHERE relname ~ '_cc(new|old)')";

async fn set_up(server: &Server) -> (TestDatabase, Client) {
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    client
        .batch_execute(
            "CREATE TABLE a (id bigint PRIMARY KEY, v text); INSERT INTO a SELECT n, n FROM generate_series(1, 100) n; \
             CREATE INDEX old_i ON a (v); CREATE TABLE other (id int); \
             CREATE TABLE parts (id int) PARTITION BY RANGE (id); \
             CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (100)",
        )
        .await
        .unwrap();
    (database, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_waits_for_old_snapshots_before_it_begins_on_every_version() {
    for binaries in Binaries::find_all().unwrap() {
        let server = Server::builder().binaries(binaries).start().await.unwrap();
        let (database, client) = set_up(&server).await;
        // It has nothing to do with the table.
        let old = database.connect().await;
        old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM other").await.unwrap();
        let old_pid = pid(&old).await;
        let told = Events::default();
        let one = || [migration(1, "I").step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i")];
        // No limit on locks is for the build: it would fail, and leave an INVALID index.
        let run = tokio::spawn(migrator(one(), &told).lock_timeout(SECOND / 5).run(database.pool_of(1)));
        until_told(&told, |event| matches!(event, Event::Waiting { .. })).await;
        assert_eq!(value(&client, "SELECT to_regclass('i') IS NULL").await, "t", "it has not begun");
        assert_eq!(value(&client, "SELECT count(*) FROM migrate.steps").await, "0", "nor does the ledger say so");
        // One that came later is not waited for beforehand.
        let later = database.connect().await;
        later.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM other").await.unwrap();
        let later_pid = pid(&later).await;
        old.batch_execute("COMMIT").await.unwrap();
        until_stuck(&client).await;
        assert_eq!(waited_for(&told).iter().filter(|&&pid| pid != old_pid).count(), 0);
        // It is waited for by the build, which is looked after meanwhile.
        until_told(&told, |event| {
            matches!(event, Event::Waiting { blockers, .. } if blockers.iter().any(|blocker| blocker.pid == later_pid))
        })
        .await;
        until_told(
            &told,
            |event| matches!(event, Event::Indexing { progress, .. } if progress.phase == "waiting for old snapshots"),
        )
        .await;
        tokio::time::sleep(SECOND).await;
        later.batch_execute("COMMIT").await.unwrap();
        assert_eq!(run.await.unwrap().unwrap().applied.len(), 1);
        assert_eq!(value(&client, NOTHING_INVALID).await, "t");

        // A prepared transaction on the table never ends by itself: named, and nothing is begun.
        old.batch_execute("BEGIN; INSERT INTO a VALUES (0, 'x'); PREPARE TRANSACTION 'left behind'").await.unwrap();
        let two = migration(2, "D").step("DROP INDEX CONCURRENTLY i", "CREATE INDEX CONCURRENTLY i ON a (v)");
        let impatient = migrator(one().into_iter().chain([two]), &told).snapshot_wait(SECOND / 5);
        let error = impatient.run(database.pool()).await.unwrap_err();
        assert_eq!((error.kind(), error.step()), (ErrorKind::LockTimeout, Some(1)), "{error}");
        let kinds: Vec<_> = error.in_the_way().iter().map(|blocker| blocker.kind.clone()).collect();
        assert_eq!(kinds, [BlockerKind::Prepared { gid: "left behind".to_owned() }], "{error}");
        assert!(error.to_string().contains("not begun"), "{error}");
        old.batch_execute("ROLLBACK PREPARED 'left behind'").await.unwrap();
        assert_eq!(impatient.run(database.pool()).await.unwrap().applied.len(), 1);
        assert_eq!(value(&client, NOTHING_INVALID).await, "t");
        assert_clean(&client).await;
    }
}

/// Sessions that have sent something CONCURRENTLY, locks of the runner's on anything of this database's own, and steps that the
/// ledger holds.
const NOT_BEGUN: &str = "SELECT concat_ws(' ', \
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^(CREATE|DROP|REINDEX|ALTER).*CONCURRENTLY'), \
    (SELECT count(*) FROM pg_locks l WHERE l.locktype = 'relation' AND l.relation >= 16384 AND l.pid IN \
      (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))), \
    (SELECT count(*) FROM migrate.steps))";

/// What is cut off halfway: the statement, whether the run itself goes on to finish it, and what shows that it did.
const CUT_OFF: [(&str, bool, &str); 4] = [
    ("CREATE UNIQUE INDEX CONCURRENTLY i ON a (v)", false, "SELECT to_regclass('i') IS NOT NULL"),
    ("REINDEX INDEX CONCURRENTLY old_i", false, "SELECT to_regclass('old_i') IS NOT NULL"),
    ("DROP INDEX CONCURRENTLY old_i", true, "SELECT to_regclass('old_i') IS NULL"),
    (
        "ALTER TABLE parts DETACH PARTITION part_1 CONCURRENTLY",
        true,
        "SELECT NOT relispartition FROM pg_class WHERE relname = 'part_1'",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_leaves_nothing_invalid_on_every_version() {
    for binaries in Binaries::find_all().unwrap() {
        let server = Server::builder().binaries(binaries).start().await.unwrap();
        let mut cases = tokio::task::JoinSet::new();
        for (sql, finishes, done) in CUT_OFF {
            for cut in ["pg_cancel_backend", "pg_terminate_backend"] {
                let server = server.clone();
                cases.spawn(async move { cut_off(&server, sql, cut, finishes, done).await });
            }
        }
        while let Some(case) = cases.join_next().await {
            case.unwrap();
        }
    }
}

async fn cut_off(server: &Server, sql: &str, cut: &str, finishes: bool, done: &str) {
    let (database, client) = set_up(server).await;
    // The first is waited for before it begins; the second, which came meanwhile, holds it up halfway.
    let (first, second) = (database.connect().await, database.connect().await);
    let hold = "BEGIN; UPDATE a SET v = v WHERE id = 1; SELECT FROM parts";
    // An old snapshot, too.
    first.batch_execute(&hold.replace("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ")).await.unwrap();
    let first_pid = pid(&first).await;
    let told = Events::default();
    let one = || [migration(1, "Cut").step(sql, "")];
    let run = tokio::spawn(migrator(one(), &told).run(database.pool()));
    until_told(&told, |event| matches!(event, Event::Waiting { .. })).await;
    let context = format!("{} {sql} {cut}", server.major());
    assert_eq!(waited_for(&told), [first_pid], "{context}");
    assert_eq!(value(&client, NOT_BEGUN).await, "0 0 0", "{context}");
    assert_eq!(value(&client, NOTHING_INVALID).await, "t", "{context}");
    // Another row: row locks are not what it is to wait for.
    second.batch_execute(&hold.replace("id = 1", "id = 2")).await.unwrap();
    first.batch_execute("COMMIT").await.unwrap();
    until_stuck(&client).await;
    assert_eq!(value(&client, &format!("SELECT {cut}(pid) FROM pg_stat_activity WHERE {STUCK}")).await, "t");
    let cancelled = cut == "pg_cancel_backend";
    if cancelled && finishes {
        until_told(&told, |event| matches!(event, Event::Retry { sqlstate, .. } if sqlstate == "57014")).await;
        second.batch_execute("COMMIT").await.unwrap();
        run.await.unwrap().unwrap_or_else(|error| panic!("{context}: {error}"));
    } else {
        if cancelled {
            // To remove what it left is CONCURRENTLY, too, and waits as well.
            second.batch_execute("COMMIT").await.unwrap();
        }
        let error = run.await.unwrap().unwrap_err();
        let expected = if cancelled { ErrorKind::Statement } else { ErrorKind::ConnectionLost };
        assert_eq!(error.kind(), expected, "{context}: {error}");
        if cancelled {
            assert_eq!(value(&client, NOTHING_INVALID).await, "t", "{context}");
        } else {
            second.batch_execute("COMMIT").await.unwrap();
        }
        let next = migrator(one(), &told).run(database.pool()).await;
        assert_eq!(next.unwrap_or_else(|error| panic!("{context}: {error}")).applied.len(), 1);
    }
    assert_eq!(value(&client, done).await, "t", "{context}");
    assert_eq!(value(&client, NOTHING_INVALID).await, "t", "{context}");
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_tells_how_far_it_is() {
    let database = testing::database().await;
    let client = database.connect().await;
    client
        .batch_execute(
            "CREATE TABLE a (id bigint PRIMARY KEY, v text); INSERT INTO a SELECT n, repeat('x', 1000) FROM generate_series(1, 100) n; \
             CREATE FUNCTION slow(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.03); RETURN $1; END $$",
        )
        .await
        .unwrap();
    let told = Events::default();
    let one = migration(1, "I").step("CREATE INDEX CONCURRENTLY i ON a (slow(v))", "DROP INDEX CONCURRENTLY i");
    migrator([one], &told).run(database.pool_of(1)).await.unwrap();
    let told = told.lock().unwrap();
    let scanned: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::Indexing { progress, .. } if progress.phase.contains("scanning table") => Some(progress.blocks),
            _ => None,
        })
        .collect();
    assert!(scanned.iter().any(|(done, total)| *total > 10 && done < total), "{told:?}");
    assert!(!told.iter().any(|event| matches!(event, Event::Waiting { .. })), "nobody was in the way: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn if_not_exists_does_not_keep_an_invalid_index() {
    let database = testing::database().await;
    let client = database.connect().await;
    client.batch_execute("CREATE TABLE a (id bigint, v text); INSERT INTO a VALUES (1, 'x'), (2, 'x')").await.unwrap();
    client.batch_execute("CREATE UNIQUE INDEX CONCURRENTLY i ON a (v)").await.unwrap_err();
    let told = Events::default();
    let one = || [migration(1, "I").step("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (v)", "")];
    let error = migrator(one(), &told).run(database.pool()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recovery, "{error}");
    assert!(error.to_string().contains("DROP INDEX CONCURRENTLY public.i"), "{error}");

    // An index of a partitioned table that is made ON ONLY it is INVALID by design, and nobody's to clean up.
    client
        .batch_execute(
            "DROP INDEX i; CREATE TABLE p (id int, v text) PARTITION BY RANGE (id); \
             CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (9); CREATE INDEX p_v ON ONLY p (v)",
        )
        .await
        .unwrap();
    let two = migration(2, "P").step("CREATE INDEX CONCURRENTLY p_1_v ON p_1 (v)", "DROP INDEX CONCURRENTLY p_1_v");
    migrator(one().into_iter().chain([two]), &told).run(database.pool()).await.unwrap();
    assert_eq!(value(&client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'p_v'::regclass").await, "f");
    assert_eq!(value(&client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'p_1_v'::regclass").await, "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_and_a_policy_are_heard_while_it_waits() {
    let database = testing::database().await;
    let client = database.connect().await;
    let role = format!("idle_{}", database.name());
    client.batch_execute(&format!("CREATE ROLE \"{role}\" LOGIN")).await.unwrap();
    let mut config = database.config().clone();
    config.user(&role);
    let (idle, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    idle.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();
    let told = Events::default();
    let all = || {
        [create(1, "a"), migration(2, "I").step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i")]
    };
    let running = migrator(all(), &told).run(database.pool());
    let stopper = running.stopper();
    let run = tokio::spawn(running);
    until_told(&told, |event| matches!(event, Event::Waiting { .. })).await;
    stopper.stop();
    assert_eq!(run.await.unwrap().unwrap_err().kind(), ErrorKind::Stopped);

    let policy = BlockerPolicy::Terminate { older_than: SECOND / 10 };
    migrator(all(), &told).blockers(policy).run(database.pool()).await.unwrap();
    assert!(connection.await.unwrap().is_err(), "its session was ended");
    assert!(told.lock().unwrap().iter().any(|event| matches!(event, Event::Ended { terminated: true, .. })));
    client.batch_execute(&format!("DROP ROLE \"{role}\"")).await.unwrap();
    assert_clean(&client).await;
}

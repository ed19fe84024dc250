//! What a run costs, and what it leaves in a pool: round trips, counted by a proxy, and the connections as they come back.

mod support;

use deadpool_postgres::{Manager, Pool};
use migrate_pg::catalog::data::{DataDigest, DataScope};
use migrate_pg::catalog::{Fingerprint, Kind, Scope};
use migrate_pg::model::LockClass;
use migrate_pg::{ErrorKind, Event, testing};
use std::sync::{Arc, Mutex};
use support::proxy::Proxy;
use support::{add, create, migration, migrator, value};
use tokio_postgres::NoTls;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_pending_is_one_trip_and_needs_no_privilege() {
    let database = testing::database().await;
    let client = database.connect().await;
    let all: Vec<_> = (1..=50).map(|version| create(version, &format!("t{version}"))).collect();
    migrator(all.clone()).run(database.pool()).await.unwrap();

    // The application's role owns nothing, may create nothing and write nothing.
    let role = format!("app_{}", database.name());
    client
        .batch_execute(&format!(
            "CREATE ROLE \"{role}\" LOGIN; ALTER ROLE \"{role}\" SET default_transaction_read_only = on; \
             REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        ))
        .await
        .unwrap();
    let mut config = database.config().clone();
    config.user(&role);
    let proxy = Proxy::before(&config).await;
    let pool = Pool::builder(Manager::new(proxy.config.clone(), NoTls)).max_size(1).build().unwrap();
    let object = pool.get().await.unwrap();
    assert_eq!(value(&object, "SELECT has_database_privilege(current_database(), 'CREATE')").await, "f");
    drop(object);

    proxy.trips();
    for _ in 0..3 {
        let report = migrator(all.clone()).run(&pool).await.unwrap();
        assert_eq!((report.already, report.applied.len()), (50, 0));
        assert_eq!(proxy.trips(), 1);
    }
    assert_eq!(pool.status().size, 1, "the connection stays in the pool");

    // Digests were compared in that trip.
    let mut edited = all.clone();
    edited[7] = add(8, "t1", "other");
    let error = migrator(edited).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Edited);
    drop(pool);
    client.batch_execute(&format!("DROP ROLE \"{role}\"")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transactional_migration_is_one_trip_and_with_rows_counted_two() {
    let database = testing::database().await;
    migrator([create(1, "a")]).run(database.pool()).await.unwrap();
    let proxy = Proxy::before(database.config()).await;
    let pool = Pool::builder(Manager::new(proxy.config.clone(), NoTls)).max_size(1).build().unwrap();
    let proxy = Arc::new(proxy);
    let trips = Arc::new(Mutex::new(Vec::new()));
    let (counter, list) = (proxy.clone(), trips.clone());
    let all = [
        create(1, "a"),
        // Whether it would queue in vain is looked at in the same trip, too.
        add(2, "a", "x").with(|step| step.locks = &[("public.a", LockClass::AccessExclusive)]),
        migration(3, "Three")
            .step("ALTER TABLE a ADD COLUMN y text", "ALTER TABLE a DROP COLUMN y")
            .step("ALTER TABLE a ALTER COLUMN y SET DEFAULT 'n'", "ALTER TABLE a ALTER COLUMN y DROP DEFAULT")
            .step("CREATE INDEX a_y ON a (y)", "DROP INDEX a_y"),
        migration(4, "Rows").step("INSERT INTO a SELECT n FROM generate_series(1, 10) n", "DELETE FROM a"),
        // What can be exceeded is looked at after each statement, in the same trips.
        migration(5, "Held")
            .step("CREATE TABLE b (id int)", "DROP TABLE b")
            .step("CREATE INDEX a_z ON a (id, y)", "DROP INDEX a_z")
            .lock(LockClass::Share),
        migration(6, "HeldRows")
            .step("INSERT INTO b VALUES (1)", "DELETE FROM b")
            .step("UPDATE a SET y = 'z'", "")
            .lock(LockClass::RowExclusive),
    ];
    let migrator = migrator(all).on_event(move |event| match event {
        Event::Begun { .. } => drop(counter.trips()),
        Event::Applied { version, .. } => list.lock().unwrap().push((version.get(), counter.trips())),
        _ => {}
    });
    migrator.run(&pool).await.unwrap();
    assert_eq!(*trips.lock().unwrap(), [(2, 1), (3, 1), (4, 2), (5, 1), (6, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_prepared_by_name() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    let object = pool.get().await.unwrap();
    assert_eq!(value(&object, "SELECT count(*) FROM pg_prepared_statements").await, "0");
    assert_eq!(value(&client, "SELECT count(*) FROM pg_prepared_statements").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_locked_is_not_waited_for_without_end_and_its_holder_is_named() {
    let database = testing::database().await;
    let client = database.connect().await;
    migrator([create(1, "a")]).run(database.pool()).await.unwrap();
    client.batch_execute("SET application_name = 'tidy'; BEGIN; LOCK TABLE migrate.migrations").await.unwrap();
    let pid: i32 = value(&client, "SELECT pg_backend_pid()").await.parse().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = told.clone();
    // Two attempts, as everywhere; whether there is anything to do or not is what it cannot know.
    let patient = migrator([create(1, "a")]).on_event(move |event| {
        if let Event::LedgerLocked { attempt, blockers, .. } = event {
            listener.lock().unwrap().push((*attempt, blockers.iter().map(|blocker| blocker.pid).collect::<Vec<_>>()));
        }
    });
    let pool = database.pool_of(1);
    let error = patient.run(&pool).await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::LockTimeout, Some("55P03")), "{error}");
    assert_eq!(*told.lock().unwrap(), [(1, vec![pid])]);
    assert_eq!(error.in_the_way().iter().map(|blocker| blocker.pid).collect::<Vec<_>>(), [pid], "{error}");
    for part in ["the ledger in schema migrate", "application tidy", "2 attempts"] {
        assert!(error.to_string().contains(part), "{part} is not in {error}");
    }
    for error in [
        patient.plan(migrate_pg::model::Phase::Contract, &pool).await.unwrap_err(),
        patient.status(&pool).await.unwrap_err(),
        patient.undo(1, &pool).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::LockTimeout, "{error}");
        assert_eq!(error.in_the_way().len(), 1, "{error}");
    }
    // What was set to wait no longer is gone with the look.
    let object = pool.get().await.unwrap();
    assert_eq!(
        value(&object, "SELECT current_setting('lock_timeout') || current_setting('statement_timeout')").await,
        "00"
    );
    drop(object);

    // Given up in time, it is only a wait.
    let listener = Arc::new(tokio::sync::Notify::new());
    let notify = listener.clone();
    let waiting = migrator([create(1, "a"), add(2, "a", "x")])
        .lock_schedule(migrate_pg::LockSchedule::new(1, 100).pause(std::time::Duration::from_millis(50)))
        .on_event(move |event| {
            if let Event::LedgerLocked { .. } = event {
                notify.notify_one();
            }
        });
    let run = tokio::spawn(waiting.run(&pool));
    listener.notified().await;
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(run.await.unwrap().unwrap().applied.len(), 1);
}

/// Whatever a connection may have kept of a run: settings, ours of no name in `pg_settings` too, roles, tables, locks, statements.
const KEPT: &str = "SELECT concat_ws(E'\\n', \
    (SELECT string_agg(name || ' ' || setting, E'\\n' ORDER BY name) FROM pg_settings), \
    'ours ' || concat_ws(',', current_setting('migrate.backfill', true), current_setting('migrate.locks_since', true)), \
    'role ' || current_user || ' ' || session_user || ' ' || current_setting('role'), \
    'temporary ' || (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()), \
    'locks ' || (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND (locktype = 'advisory' OR relation >= 16384)), \
    'prepared ' || (SELECT count(*) FROM pg_prepared_statements) || ' ' || (SELECT count(*) FROM pg_cursors), \
    'listens ' || (SELECT count(*) FROM pg_listening_channels()), \
    'transaction ' || (now() = statement_timestamp()))";

/// All connections that the pool has to give are as fresh ones.
async fn assert_fresh(pool: &Pool, database: &testing::TestDatabase, after: &str) {
    let fresh = value(&database.connect().await, KEPT).await;
    assert!(fresh.contains("\nlock_timeout 0\n") && fresh.contains("\nours \n"), "{fresh}");
    let mut objects = Vec::new();
    for _ in 0..pool.status().max_size {
        objects.push(pool.get().await.unwrap());
    }
    for object in &objects {
        let kept = value(object, KEPT).await;
        let differ: Vec<_> = kept.lines().zip(fresh.lines()).filter(|(kept, fresh)| kept != fresh).collect();
        assert!(kept == fresh, "after {after}: {differ:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_of_the_pool_comes_back_as_it_was() {
    let database = testing::database().await;
    let client = database.connect().await;
    let role = format!("owner {}", database.name());
    client
        .batch_execute(&format!("CREATE ROLE \"{role}\"; GRANT CREATE ON DATABASE {} TO \"{role}\"; GRANT CREATE ON SCHEMA public TO \"{role}\"", database.name()))
        .await
        .unwrap();
    let pool = database.pool_of(5);
    assert_fresh(&pool, &database, "nothing").await;
    let rows = "INSERT INTO a SELECT n, 'v' FROM generate_series(1, 3000) n";
    let all = vec![
        create(1, "a"),
        migration(2, "Rows").step(rows, "DELETE FROM a"),
        add(3, "a", "x"),
        migration(4, "Index")
            .step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i")
            .step("ANALYZE a", ""),
        migration(5, "Fill").backfill("a", "x = $1", "x IS NULL", 100, "x"),
    ];
    let set_up = |all: Vec<support::Builder>| {
        migrator(all)
            .role(&role)
            .search_path("public")
            .application_name("deploy")
            .pace(migrate_pg::Pace::default().workers(3))
    };
    let through = migrate_pg::model::Phase::Contract;
    set_up(all.clone()).run_through(through, &pool).await.unwrap();
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await, "3000");
    assert_fresh(&pool, &database, "a run with workers").await;
    set_up(all.clone()).run_through(through, &pool).await.unwrap();
    assert_fresh(&pool, &database, "a run with nothing to do").await;
    set_up(all.clone()).status(&pool).await.unwrap();
    set_up(all.clone()).pause(&pool).await.unwrap();
    set_up(all.clone()).resume(&pool).await.unwrap();
    set_up(all.clone()).undo(1, &pool).await.unwrap();
    assert_fresh(&pool, &database, "an undo").await;
    set_up(all.clone()).plan(through, &pool).await.unwrap();
    assert_fresh(&pool, &database, "a plan with a backfill").await;

    // Those that fail: a statement, a lock that a second connection looks on at, a build, a conversion's batch.
    let failing = [
        migration(5, "Wrong").step("ALTER TABLE a ADD COLUMN y text", "").step("ALTER TABLE a DROP COLUMN nowhere", ""),
        add(5, "a", "y"),
        migration(5, "Unique").step("CREATE UNIQUE INDEX CONCURRENTLY u ON a (v)", "DROP INDEX CONCURRENTLY u"),
        migration(5, "Fill").backfill("a", "x = (id / (id - 1500))::text || $1", "x IS NULL OR x = 'x'", 100, "y"),
    ];
    for one in failing {
        // In nobody's way but that of the column.
        client.batch_execute("BEGIN; LOCK TABLE a IN ACCESS SHARE MODE").await.unwrap();
        let waits = one.digest() == add(5, "a", "y").digest();
        if !waits {
            client.batch_execute("COMMIT").await.unwrap();
        }
        let plan: Vec<_> = all[..4].iter().cloned().chain([one]).collect();
        let error = set_up(plan).run_through(through, &pool).await.unwrap_err();
        assert_eq!(error.kind() == ErrorKind::LockTimeout, waits, "{error}");
        client.batch_execute("COMMIT").await.unwrap();
        assert_fresh(&pool, &database, &error.to_string()).await;
        client.batch_execute("DELETE FROM migrate.migrations WHERE version = 5").await.unwrap();
    }
    drop(pool);
    client.batch_execute(&format!("DROP OWNED BY \"{role}\" CASCADE; DROP ROLE \"{role}\"")).await.unwrap();
}

/// The version of the server in one, and in the other every query: one a kind of object, sent together, however many objects.
#[tokio::test(flavor = "multi_thread")]
async fn a_fingerprint_is_two_trips_and_a_digest_no_more_for_more_tables() {
    let database = testing::database().await;
    let client = database.connect().await;
    let proxy = Proxy::before(database.config()).await;
    let (counted, connection) = proxy.config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let mut of_data = Vec::new();
    for tables in [1, 30] {
        for number in 0..tables {
            let sql = format!(
                "CREATE TABLE IF NOT EXISTS t{number} (id bigint PRIMARY KEY, v text); CREATE OR REPLACE VIEW v{number} AS SELECT v FROM t{number}"
            );
            client.batch_execute(&sql).await.unwrap();
        }
        proxy.trips();
        let read = Fingerprint::read(&counted, &Scope::new()).await.unwrap();
        assert_eq!(proxy.trips(), 2, "{tables} tables");
        assert_eq!(read.objects().filter(|(key, _)| key.kind() == Kind::View).count(), tables);
        DataDigest::read(&counted, &DataScope::new()).await.unwrap();
        of_data.push(proxy.trips());
    }
    assert_eq!(of_data[0], of_data[1], "trips of a digest of 1 and of 30 tables");
    println!("a digest is {} trips", of_data[0]);
}

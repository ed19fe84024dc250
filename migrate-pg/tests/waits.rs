//! Locks under traffic: how long is waited for them, how often, who is named for it, and what is never queued for.

mod support;

use migrate_pg::model::{LockClass, Work};
use migrate_pg::testing::{Binaries, Server, TestDatabase};
use migrate_pg::{Blocker, BlockerKind, BlockerPolicy, ErrorKind, Event, LockSchedule, Migrator, testing};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{Builder, add, assert_clean, create, has_column, has_table, migration, server_of_slow_vacuums, value};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

const SECOND: Duration = Duration::from_secs(1);

fn migrator(all: impl IntoIterator<Item = Builder>) -> Migrator {
    Migrator::new(support::history(all)).lock_schedule(LockSchedule::once())
}

/// The retries of a run, as it tells them.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Event>>>);

impl Told {
    fn by(&self, migrator: Migrator) -> Migrator {
        let told = self.0.clone();
        migrator.on_event(move |event| told.lock().unwrap().push(event.clone()))
    }

    fn retries(&self) -> Vec<Retry> {
        let told = self.0.lock().unwrap();
        let retry = |event: &Event| match event {
            Event::Retry { attempt, step, sqlstate, blockers, unseen, .. } => Some(Retry {
                attempt: *attempt,
                step: *step,
                sqlstate: sqlstate.clone(),
                blockers: blockers.clone(),
                unseen: unseen.clone(),
            }),
            _ => None,
        };
        told.iter().filter_map(retry).collect()
    }
}

#[derive(Debug)]
struct Retry {
    attempt: u32,
    step: Option<usize>,
    sqlstate: String,
    blockers: Vec<Blocker>,
    unseen: Option<String>,
}

async fn until(client: &Client, sql: &str) {
    let begun = Instant::now();
    while value(client, sql).await != "t" {
        assert!(begun.elapsed() < 30 * SECOND, "never came true: {sql}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn waits_for(table: &str) -> String {
    format!("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = to_regclass('{table}'))")
}

/// A session that reads the table in a transaction, and commits when somebody has waited for it for this long.
async fn reader(database: &TestDatabase, table: &'static str, held: Duration) -> JoinHandle<()> {
    let (holder, looker) = (database.connect().await, database.connect().await);
    holder.batch_execute(&format!("BEGIN; SELECT FROM {table}")).await.unwrap();
    tokio::spawn(async move {
        until(&looker, &waits_for(table)).await;
        tokio::time::sleep(held).await;
        holder.batch_execute("COMMIT").await.unwrap();
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn all_waits_of_a_transaction_together_are_bounded() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool_of(1);
    let tables = || [create(1, "t1"), create(2, "t2"), create(3, "t3")];
    migrator(tables()).run(&pool).await.unwrap();
    // One statement with three locks, which only the second connection can bound; and three statements.
    let whole = migration(4, "Whole").step("DROP TABLE t1, t2, t3", "");
    let each = migration(4, "Each").step("DROP TABLE t1", "").step("DROP TABLE t2", "").step("DROP TABLE t3", "");
    for one in [whole, each] {
        let mut readers = Vec::new();
        for table in ["t1", "t2", "t3"] {
            readers.push(reader(&database, table, SECOND * 3 / 2).await);
        }
        let begun = Instant::now();
        let all = tables().into_iter().chain([one]);
        let error = migrator(all).lock_timeout(2 * SECOND).run(&pool).await.unwrap_err();
        let waited = begun.elapsed();
        assert_eq!(error.kind(), ErrorKind::LockTimeout, "{error}");
        // Each wait by itself is shorter than the timeout, and together they are 4.5 s.
        assert!(waited >= 3 * SECOND / 2 && waited < 4 * SECOND, "{waited:?}: {error}");
        assert!(error.to_string().contains("in the way: backend"), "{error}");
        assert!(has_table(&client, "t1").await && has_table(&client, "t3").await);
        for reader in readers {
            reader.abort();
        }
        assert_clean(&client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_way_is_named_on_every_version() {
    for binaries in Binaries::find_all().unwrap() {
        let server = Server::builder().binaries(binaries).start().await.unwrap();
        let database = server.database().await.unwrap();
        let client = database.connect().await;
        // A pool of one is enough: the runner's session has left it when the second is wanted.
        let pool = database.pool_of(1);
        migrator([create(1, "\"Odd Ä\"")]).run(&pool).await.unwrap();
        let other = database.connect().await;
        let sql =
            "SET application_name = 'reports'; BEGIN; SELECT count(*) FROM \"Odd Ä\" WHERE v = 'secret' AND id = 4711";
        other.batch_execute(sql).await.unwrap();
        let pid: i32 = value(&other, "SELECT pg_backend_pid()").await.parse().unwrap();
        other.simple_query("SELECT count(*) FROM \"Odd Ä\" WHERE v = 'secret' AND id = 4711").await.unwrap();
        let told = Told::default();
        let schedule = LockSchedule::new(1, 2).pause(Duration::from_millis(10));
        let all = [create(1, "\"Odd Ä\""), add(2, "\"Odd Ä\"", "x")];
        let error = told.by(migrator(all).lock_timeout(SECOND).lock_schedule(schedule)).run(&pool).await.unwrap_err();
        let [blocker] = error.in_the_way() else { panic!("{error}") };
        assert_eq!((blocker.pid, &blocker.kind), (pid, &BlockerKind::Client), "{error}");
        assert_eq!(blocker.application.as_deref(), Some("reports"));
        assert_eq!(blocker.state.as_deref(), Some("idle in transaction"));
        assert_eq!(blocker.holds, Some(LockClass::AccessShare));
        assert_eq!(blocker.relation.as_deref(), Some("public.\"Odd Ä\""));
        assert_eq!(blocker.query.as_deref(), Some("SELECT count(*) FROM \"Odd Ä\" WHERE v = ? AND id = ?"));
        assert!(blocker.age.is_some_and(|age| age >= SECOND && age < 60 * SECOND), "{error}");
        assert!(!error.to_string().contains("secret") && !error.to_string().contains("4711"), "{error}");
        let retries = told.retries();
        assert_eq!(retries.len(), 1);
        let Retry { attempt, step, blockers, unseen, .. } = &retries[0];
        assert_eq!((*attempt, *step, blockers[0].pid, unseen), (1, Some(1), pid, &None));
        // The ledger, which every role may read, has the name and not the query.
        let kept = value(&client, "SELECT details->>'error' FROM migrate.events WHERE event = 'failed'").await;
        assert!(kept.contains(&format!("backend {pid} of user")) && !kept.contains("count(*)"), "{kept}");

        assert_eq!(pool.status().size, 1, "the second connection went back");
        let object = pool.get().await.unwrap();
        assert_eq!(
            value(&object, "SELECT current_setting('lock_timeout') || current_setting('statement_timeout')").await,
            "00"
        );
        assert_eq!(value(&object, "SHOW idle_in_transaction_session_timeout").await, "0");
        drop(object);
        // A prepared transaction is named by its name, and not queued behind.
        other
            .batch_execute("COMMIT; BEGIN; INSERT INTO \"Odd Ä\" VALUES (1); PREPARE TRANSACTION 'it''s prepared'")
            .await
            .unwrap();
        let known =
            add(2, "\"Odd Ä\"", "x").with(|step| step.locks = &[("public.\"Odd Ä\"", LockClass::AccessExclusive)]);
        let error = migrator([create(1, "\"Odd Ä\""), known]).run(&pool).await.unwrap_err();
        let [blocker] = error.in_the_way() else { panic!("{error}") };
        assert_eq!(blocker.kind, BlockerKind::Prepared { gid: "it's prepared".to_owned() });
        assert_eq!((blocker.pid, blocker.holds), (0, Some(LockClass::RowExclusive)));
        assert!(error.to_string().contains("would be in vain"), "{error}");
        other.batch_execute("ROLLBACK PREPARED 'it''s prepared'").await.unwrap();

        assert_clean(&client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_said_to_be_hidden() {
    let database = testing::database().await;
    let client = database.connect().await;
    let role = format!("plain_{}", database.name());
    client
        .batch_execute(&format!(
            "CREATE ROLE \"{role}\" LOGIN; GRANT CREATE ON SCHEMA public TO \"{role}\"; \
            GRANT CREATE ON DATABASE \"{}\" TO \"{role}\"",
            database.name()
        ))
        .await
        .unwrap();
    let mut config = database.config().clone();
    config.user(&role);
    migrator([create(1, "a")]).run(&config).await.unwrap();
    client.batch_execute("BEGIN; SELECT FROM a WHERE v = 'secret'").await.unwrap();
    let error = migrator([create(1, "a"), add(2, "a", "x")]).lock_timeout(SECOND).run(&config).await.unwrap_err();
    let [blocker] = error.in_the_way() else { panic!("{error}") };
    assert!(blocker.hidden && blocker.query.is_none() && blocker.age.is_none() && blocker.state.is_none());
    assert_eq!(blocker.holds, Some(LockClass::AccessShare), "locks are everybody's to see");
    assert!(error.to_string().contains("hidden from this role: grant it pg_monitor"), "{error}");
    client.batch_execute("COMMIT").await.unwrap();
    migrator([create(1, "a"), add(2, "a", "x")]).run(&config).await.unwrap();
    client.batch_execute(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_second_connection_the_run_goes_on_and_says_so() {
    let server = Server::builder().setting("max_connections", "8").setting("superuser_reserved_connections", "0");
    let server = server.setting("max_wal_senders", "0").setting("wal_level", "replica").start().await.unwrap();
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    migrator([create(1, "a")]).run(database.url()).await.unwrap();
    client.batch_execute("BEGIN; SELECT FROM a").await.unwrap();
    // All but the one for the run are taken.
    let mut others = Vec::new();
    while let Ok(other) = database.try_connect().await {
        others.push(other);
    }
    others.pop();
    // Not by the session in a transaction, which sees pg_stat_activity as it was at its first look.
    until(&others[0], "SELECT count(*) < 8 FROM pg_stat_activity WHERE backend_type = 'client backend'").await;
    // The name is nothing that the lease's session could look up: only a second one could see.
    let told = Told::default();
    let schedule = LockSchedule::new(1, 2).pause(Duration::from_millis(10));
    let all = [create(1, "a"), add(2, "a", "x")];
    let error =
        told.by(migrator(all).lock_timeout(SECOND).lock_schedule(schedule)).run(database.url()).await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::LockTimeout, Some("55P03")), "{error}");
    let retries = told.retries();
    let unseen = retries[0].unseen.as_deref().unwrap_or_default();
    assert!(unseen.contains("no second connection") && unseen.contains("53300"), "{retries:?}");
    assert!(error.to_string().contains("in the way: not seen, no second connection"), "{error}");

    // Where the relations are known, the session of the lease looks by itself, a moment late.
    let known = || add(2, "a", "x").with(|step| step.locks = &[("public.a", LockClass::AccessExclusive)]);
    let error = migrator([create(1, "a"), known()]).run(database.url()).await.unwrap_err();
    assert_eq!(error.in_the_way().len(), 1, "{error}");
    client.batch_execute("COMMIT").await.unwrap();
    migrator([create(1, "a"), known()]).run(database.url()).await.unwrap();
}

fn rows_before() -> Builder {
    migration(2, "Rows")
        .step("UPDATE a SET v = 'x'", "")
        .with(|step| step.work = Work::Rows)
        .step("ALTER TABLE a ADD COLUMN x text", "ALTER TABLE a DROP COLUMN x")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grows_with_a_table_is_not_done_again_for_a_lock() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    client.batch_execute("BEGIN; SELECT FROM a").await.unwrap();
    let told = Told::default();
    let patient = LockSchedule::new(1, 5).pause(Duration::from_millis(10));
    let hasty = |all: Vec<Builder>| told.by(migrator(all).lock_timeout(SECOND / 5).lock_schedule(patient.clone()));
    let error = hasty(vec![create(1, "a"), rows_before()]).run(&pool).await.unwrap_err();
    assert_eq!((error.kind(), error.step()), (ErrorKind::LockTimeout, Some(2)));
    assert!(error.to_string().contains("not tried again, since step 1 before it"), "{error}");
    assert!(error.to_string().contains("(Rows)"), "{error}");
    assert!(told.retries().is_empty());
    // Step by step, the rows are done and stay so, and the lock is tried for.
    let error = hasty(vec![create(1, "a"), rows_before().stepwise()]).run(&pool).await.unwrap_err();
    assert!(error.to_string().contains("(5 attempts)"), "{error}");
    assert_eq!(told.retries().len(), 4);
    client.batch_execute("COMMIT").await.unwrap();
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_tried_again() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a"), create(2, "b")]).run(&pool).await.unwrap();
    // It has b and waits for a; the migration has a and waits for b. Whoever looks first after deadlock_timeout is ended:
    // the other session looks late.
    client.batch_execute("SET deadlock_timeout = '60s'; BEGIN; LOCK TABLE b").await.unwrap();
    let looker = database.connect().await;
    let other = tokio::spawn(async move {
        until(&looker, &waits_for("b")).await;
        client.batch_execute("LOCK TABLE a; COMMIT").await.unwrap();
    });
    let told = Told::default();
    let both = migration(3, "Both")
        .step("ALTER TABLE a ADD COLUMN x text", "ALTER TABLE a DROP COLUMN x")
        .step("ALTER TABLE b ADD COLUMN x text", "ALTER TABLE b DROP COLUMN x");
    let schedule = LockSchedule::new(1, 5).pause(Duration::from_millis(100));
    let patient = migrator([create(1, "a"), create(2, "b"), both]).lock_timeout(20 * SECOND).lock_schedule(schedule);
    told.by(patient).run(&pool).await.unwrap();
    other.await.unwrap();
    let states: Vec<_> = told.retries().into_iter().map(|retry| (retry.sqlstate, retry.step)).collect();
    assert_eq!(states, [("40P01".to_owned(), Some(2))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn autovacuum_is_given_the_time_to_be_cancelled() {
    let server = server_of_slow_vacuums().await;
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    migrator([create(1, "a")]).run(database.url()).await.unwrap();
    client
        .batch_execute(
            "ALTER TABLE a SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0); \
             INSERT INTO a SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n; DELETE FROM a WHERE id % 2 = 0",
        )
        .await
        .unwrap();
    until(&client, "SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum WHERE relid = 'a'::regclass)").await;
    // Shorter than deadlock_timeout, each attempt would fail for as long as autovacuum takes, which is an hour here.
    let told = Told::default();
    let schedule = LockSchedule::new(1, 2).pause(Duration::from_millis(10));
    let hasty = migrator([create(1, "a"), add(2, "a", "x")]).lock_timeout(SECOND / 2).lock_schedule(schedule);
    told.by(hasty).run(database.url()).await.unwrap();
    let retries = told.retries();
    assert_eq!(retries.len(), 1, "{retries:?}");
    assert_eq!(retries[0].blockers[0].kind, BlockerKind::Autovacuum, "{retries:?}");
    assert!(has_column(&client, "a", "x").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_has_a_time_limit_and_what_grows_has_none() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let slow = |work: Work, lock: LockClass| {
        migration(2, "Slow").step("SELECT pg_sleep(1.2)", "").with(|step| {
            step.work = work;
            step.lock = lock;
        })
    };
    let limited = |one: Builder| migrator([create(1, "a"), one]).statement_timeout(Work::Metadata, SECOND / 5);
    for stepwise in [false, true] {
        let one = slow(Work::Metadata, LockClass::AccessExclusive);
        let one = if stepwise { one.stepwise() } else { one };
        let error = limited(one).run(&pool).await.unwrap_err();
        assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::Statement, Some("57014")), "{error}");
        assert!(error.to_string().contains("statement_timeout"), "{error}");
        client.batch_execute("DELETE FROM migrate.migrations WHERE version = 2").await.unwrap();
    }
    limited(slow(Work::Scan, LockClass::AccessExclusive)).run(&pool).await.unwrap();
    limited(slow(Work::Scan, LockClass::AccessExclusive)).undo(1, &pool).await.unwrap();
    // What locks nothing that was there is in nobody's way.
    limited(slow(Work::Metadata, LockClass::None)).run(&pool).await.unwrap();
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_timeout_costs_the_session_and_the_next_run_goes_on() {
    for binaries in Binaries::find_all().unwrap().into_iter().filter(|binaries| binaries.major() >= 17) {
        let server = Server::builder().binaries(binaries).start().await.unwrap();
        let database = server.database().await.unwrap();
        let client = database.connect().await;
        let pool = database.pool_of(1);
        migrator([create(1, "a")]).run(&pool).await.unwrap();
        client.batch_execute("BEGIN; SELECT FROM a").await.unwrap();
        let all = || [create(1, "a"), add(2, "a", "x")];
        let short = migrator(all()).lock_timeout(30 * SECOND).statement_timeout(Work::Metadata, 30 * SECOND);
        let error = short.transaction_timeout(SECOND / 2).run(&pool).await.unwrap_err();
        assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::ConnectionLost, Some("25P04")), "{error}");
        assert!(error.to_string().contains("lease"), "{error}");
        client.batch_execute("COMMIT").await.unwrap();
        assert_clean(&client).await;
        assert_eq!(migrator(all()).run(&pool).await.unwrap().applied.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_transaction_is_not_queued_behind() {
    for binaries in Binaries::find_all().unwrap() {
        let server = Server::builder().binaries(binaries).start().await.unwrap();
        let database = server.database().await.unwrap();
        let (client, other) = (database.connect().await, database.connect().await);
        let pool = database.pool();
        migrator([create(1, "a")]).run(&pool).await.unwrap();
        client.batch_execute("BEGIN; SELECT FROM a").await.unwrap();
        tokio::time::sleep(SECOND * 6 / 5).await;
        let seen_waiting = tokio::spawn(async move {
            let mut seen = false;
            let begun = Instant::now();
            while begun.elapsed() < 2 * SECOND {
                seen |= value(&other, &waits_for("a")).await == "t";
            }
            seen
        });
        let known = || add(2, "a", "x").with(|step| step.locks = &[("public.a", LockClass::AccessExclusive)]);
        let told = Told::default();
        let schedule = LockSchedule::new(1, 4).pause(SECOND / 10);
        let careful =
            |one| told.by(migrator([create(1, "a"), one]).lock_schedule(schedule.clone()).old_transaction(SECOND));
        let error = careful(known()).run(&pool).await.unwrap_err();
        assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::LockTimeout, None), "{error}");
        assert!(error.to_string().contains("ACCESS EXCLUSIVE was not queued for"), "{error}");
        assert_eq!(error.in_the_way().len(), 1, "{error}");
        assert_eq!(told.retries().len(), 3);
        assert!(!seen_waiting.await.unwrap(), "nobody had to wait behind it");

        // Unknown from the SQL, it is queued for once; from then on it is known what for.
        told.0.lock().unwrap().clear();
        let error = careful(add(2, "a", "x")).lock_timeout(SECOND).run(&pool).await.unwrap_err();
        assert_eq!(error.sqlstate(), None, "{error}");
        assert_eq!(told.retries().len(), 3);

        client.batch_execute("COMMIT").await.unwrap();
        // A transaction that is young is waited for.
        client.batch_execute("BEGIN; SELECT FROM a").await.unwrap();
        let run = tokio::spawn(migrator([create(1, "a"), known()]).lock_timeout(30 * SECOND).run(&pool));
        let looker = database.connect().await;
        until(&looker, &waits_for("a")).await;
        client.batch_execute("COMMIT").await.unwrap();
        assert_eq!(run.await.unwrap().unwrap().applied.len(), 1);
        // And so is anything on its way down.
        assert_eq!(migrator([create(1, "a"), known()]).undo(1, &pool).await.unwrap().undone.len(), 1);
        assert_clean(&client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_ends_old_sessions_and_never_a_superusers() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    let role = format!("app_{}", database.name());
    client.batch_execute(&format!("CREATE ROLE \"{role}\" LOGIN; GRANT SELECT ON a TO \"{role}\"")).await.unwrap();
    let mut config = database.config().clone();
    config.user(&role);
    let terminate = |bound| BlockerPolicy::Terminate { older_than: bound };
    let all = || [create(1, "a"), add(2, "a", "x")];
    let run = |policy: BlockerPolicy, told: &Told| {
        told.by(migrator(all()).lock_timeout(2 * SECOND).blockers(policy)).run(&pool)
    };
    let ended = |told: &Told| -> Vec<(i32, bool, bool)> {
        let told = told.0.lock().unwrap();
        told.iter()
            .filter_map(|event| match event {
                Event::Ended { blocker, terminated, refused, .. } => {
                    Some((blocker.pid, *terminated, refused.is_none()))
                }
                _ => None,
            })
            .collect()
    };

    // Too young, and a superuser's, are left alone.
    client.batch_execute("BEGIN; SELECT FROM a").await.unwrap();
    let told = Told::default();
    let error = run(terminate(Duration::ZERO), &told).await.unwrap_err();
    assert_eq!((error.kind(), ended(&told)), (ErrorKind::LockTimeout, vec![]), "{error}");
    client.batch_execute("COMMIT").await.unwrap();
    let (app, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    app.batch_execute("BEGIN; SELECT FROM a").await.unwrap();
    let pid: i32 = value(&app, "SELECT pg_backend_pid()").await.parse().unwrap();
    let error = run(terminate(600 * SECOND), &told).await.unwrap_err();
    assert_eq!((error.kind(), ended(&told)), (ErrorKind::LockTimeout, vec![]), "{error}");
    // A role that replicates is left alone, as old as it may be.
    client.batch_execute(&format!("ALTER ROLE \"{role}\" REPLICATION")).await.unwrap();
    let error = run(terminate(Duration::ZERO), &told).await.unwrap_err();
    assert_eq!((error.kind(), ended(&told)), (ErrorKind::LockTimeout, vec![]), "{error}");
    client.batch_execute(&format!("ALTER ROLE \"{role}\" NOREPLICATION")).await.unwrap();
    // To cancel does nothing to a session that is idle.
    let error = run(BlockerPolicy::Cancel { older_than: Duration::ZERO }, &told).await.unwrap_err();
    assert_eq!((error.kind(), ended(&told)), (ErrorKind::LockTimeout, vec![]), "{error}");

    run(terminate(SECOND), &told).await.unwrap();
    assert_eq!(ended(&told), [(pid, true, true)]);
    assert!(connection.await.unwrap().is_err(), "its session was ended");
    assert!(has_column(&client, "a", "x").await);

    // A statement that runs is cancelled, and its transaction with it.
    migrator(all()).undo(1, &pool).await.unwrap();
    let (app, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let report =
        tokio::spawn(async move { app.batch_execute("SELECT pg_sleep(60) FROM (SELECT count(*) FROM a) a").await });
    until(&client, "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'a'::regclass AND pid <> pg_backend_pid())")
        .await;
    let told = Told::default();
    run(BlockerPolicy::Cancel { older_than: SECOND / 10 }, &told).await.unwrap();
    let state = report.await.unwrap().unwrap_err();
    assert_eq!(state.code().map(tokio_postgres::error::SqlState::code), Some("57014"));
    assert!(matches!(ended(&told)[..], [(_, false, true), ..]), "{:?}", ended(&told));
    client.batch_execute(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"")).await.unwrap();
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_against_wraparound_is_not_queued_behind() {
    let server = Server::builder().setting("autovacuum_naptime", "1s").start().await.unwrap();
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    migrator([create(1, "a")]).run(database.url()).await.unwrap();
    client
        .batch_execute(
            "INSERT INTO a SELECT n, repeat('v', 500) FROM generate_series(1, 5000) n; \
             ALTER TABLE a SET (autovacuum_freeze_max_age = 100000, autovacuum_vacuum_cost_delay = 100, \
             autovacuum_vacuum_cost_limit = 1)",
        )
        .await
        .unwrap();
    // As old as that setting may be at least (manual, 20.10).
    client
        .batch_execute("DO $$ BEGIN FOR n IN 1..110000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$")
        .await
        .unwrap();
    until(&client, "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%public.a (to prevent wraparound)'")
        .await;
    let named = add(2, "a", "x").with(|step| step.locks = &[("public.a", LockClass::AccessExclusive)]);
    let error = migrator([create(1, "a"), named]).run(database.url()).await.unwrap_err();
    let [blocker] = error.in_the_way() else { panic!("{error}") };
    assert_eq!((error.kind(), &blocker.kind), (ErrorKind::LockTimeout, &BlockerKind::AntiWraparound), "{error}");
    assert!(error.to_string().contains("was not queued for"), "{error}");
    assert!(!has_column(&client, "a", "x").await);
}

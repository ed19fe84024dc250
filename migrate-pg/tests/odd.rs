//! Backfills where something is unlike everywhere else: keys at the ends of their types, defaults of a database that would
//! end a run, a table under row security, a server that is a standby, somebody in the way of a batch.

mod support;

use migrate_pg::model::Phase;
use migrate_pg::testing::{self, Server};
use migrate_pg::{ErrorKind, Event};
use std::sync::Mutex;
use std::time::Duration;
use support::{Builder, add, assert_clean, create, events, migration, migrator, servers, value};

fn fill(version: i64, batch: u32) -> Builder {
    migration(version, "Fill").backfill("a", "x = coalesce(x, '') || $1", "x IS NULL", batch, "x")
}

async fn run(all: impl IntoIterator<Item = Builder>, config: &tokio_postgres::Config) {
    let run = migrator(all).run_through(Phase::Contract, config).await;
    run.unwrap_or_else(|error| panic!("{error}"));
}

/// Types of keys, and values in them that are at an end of their order, equal to nothing, or not plain text.
const KEYS: [(&str, &str); 9] = [
    ("bigint", "(9223372036854775807), (9223372036854775806), (-9223372036854775808), (0)"),
    ("numeric", "('NaN'), (1.50), (-1e300)"),
    ("float8", "('NaN'), ('Infinity'), ('-Infinity'), (0.1), (1e-300)"),
    ("timestamptz", "('infinity'), ('-infinity'), ('2026-01-01 00:00:00.000001+00'), ('4713-01-01 BC')"),
    ("date", "('infinity'), ('-infinity'), ('0044-03-15 BC')"),
    ("text", r#"(E'two\nlines'), ('it''s "quoted"'), (E'\\'), (''), ('Größe ß'), ('{a,b}'), ('NULL')"#),
    ("text COLLATE odd", "('a'), ('B'), ('é'), ('zz')"),
    ("bytea", r"('\x00'), ('\xff00'), ('')"),
    ("int4range", "('empty'), ('[1,5)'), ('(,)')"),
];

#[tokio::test(flavor = "multi_thread")]
async fn keys_at_the_ends_of_their_types_are_all_walked() {
    for server in servers().await {
        for (sql_type, values) in KEYS {
            let database = server.database().await.unwrap();
            let client = database.connect().await;
            client
                .batch_execute(&format!(
                    "CREATE COLLATION odd (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
                     CREATE TABLE a (id {sql_type} PRIMARY KEY, x text); INSERT INTO a (id) VALUES {values}"
                ))
                .await
                .unwrap();
            run([fill(1, 1)], database.config()).await;
            let left = value(&client, "SELECT count(*) FROM a WHERE x IS DISTINCT FROM 'x'").await;
            assert_eq!(left, "0", "{sql_type} on {}", server.major());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_table_is_filled_at_once() {
    let database = testing::database().await;
    run([create(1, "a"), add(2, "a", "x"), fill(3, 10)], database.config()).await;
    assert_eq!(events(&database.connect().await).await, "applied 1, applied 2, begun 3, applied 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn defaults_of_the_database_do_not_end_a_run() {
    for server in servers().await {
        let database = server.database().await.unwrap();
        let client = database.connect().await;
        for setting in [
            "statement_timeout = '1500ms'",
            "lock_timeout = '1ms'",
            "default_transaction_read_only = on",
            "default_transaction_isolation = 'serializable'",
            "standard_conforming_strings = off",
            "extra_float_digits = -5",
            "DateStyle = 'German'",
        ] {
            client.batch_execute(&format!("ALTER DATABASE {} SET {setting}", database.name())).await.unwrap();
        }
        let index = migration(4, "Index").step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i");
        let rows = "INSERT INTO a SELECT n, 'v' FROM generate_series(1, 2000) n";
        let slow = migration(6, "Slow").step("SELECT pg_sleep(2)", "").stepwise();
        let all = [
            create(1, "a"),
            migration(2, "Rows").step(rows, "DELETE FROM a"),
            add(3, "a", "x"),
            index,
            fill(5, 100),
            slow,
        ];
        run(all, database.config()).await;
        client.batch_execute("SET statement_timeout = 0").await.unwrap();
        assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await, "2000", "{}", server.major());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_security_that_is_forced_is_an_error_and_no_row_is_passed_over() {
    let database = testing::database().await;
    let client = database.connect().await;
    let role = format!("owner_{}", database.name());
    client
        .batch_execute(&format!(
            "CREATE ROLE {role}; GRANT CREATE ON DATABASE {} TO {role}; GRANT CREATE ON SCHEMA public TO {role}; \
             CREATE TABLE a (id bigint PRIMARY KEY, x text); INSERT INTO a (id) SELECT generate_series(1, 10); \
             CREATE POLICY few ON a USING (id < 5); ALTER TABLE a ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, OWNER TO {role}",
            database.name()
        ))
        .await
        .unwrap();
    let error = migrator([fill(1, 3)]).role(&role).run_through(Phase::Migrate, database.config()).await.unwrap_err();
    assert!(error.to_string().contains("run it under a role with BYPASSRLS"), "{error}");
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x IS NULL").await, "10");
    client.batch_execute(&format!("ALTER ROLE {role} BYPASSRLS")).await.unwrap();
    migrator([fill(1, 3)]).role(&role).run_through(Phase::Migrate, database.config()).await.unwrap();
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x IS NULL").await, "0");
    client.batch_execute(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_refused_by_name_and_nothing_pending_is_fine_there() {
    let primary = Server::builder().start().await.unwrap();
    let database = primary.database().await.unwrap();
    migrator([create(1, "a")]).run(database.config()).await.unwrap();
    let standby = Server::builder().standby_of(&primary, "reads").start().await.unwrap();
    let mut config = standby.config().clone();
    config.dbname(database.name());
    assert_eq!(migrator([create(1, "a")]).run(&config).await.unwrap().already, 1);
    let error = migrator([create(1, "a"), add(2, "a", "x")]).run(&config).await.unwrap_err();
    assert!(error.to_string().contains("standby"), "{:?} {error}", error.kind());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_way_of_a_batch_is_named() {
    let database = testing::database().await;
    let client = database.connect().await;
    let rows = "INSERT INTO a SELECT n, 'v' FROM generate_series(1, 50) n";
    let all = || [create(1, "a"), migration(2, "Rows").step(rows, "DELETE FROM a"), add(3, "a", "x"), fill(4, 10)];
    migrator(all()).run(database.config()).await.unwrap();
    let other = database.connect().await;
    other.batch_execute("SET application_name = 'reports'; BEGIN; UPDATE a SET v = 'w' WHERE id = 25").await.unwrap();
    let pid: i32 = value(&other, "SELECT pg_backend_pid()").await.parse().unwrap();
    let (named, told) = tokio::sync::oneshot::channel();
    let named = Mutex::new(Some(named));
    let run = migrator(all()).lock_timeout(Duration::from_millis(1500)).on_event(move |event| {
        if let Event::Retry { step: Some(1), sqlstate, blockers, .. } = event
            && let Some(blocker) = blockers.first()
            && let Some(named) = named.lock().unwrap().take()
        {
            named.send((sqlstate.clone(), blocker.clone())).unwrap();
        }
    });
    let run = tokio::spawn(run.run_through(Phase::Migrate, database.config()));
    let (sqlstate, blocker) = tokio::time::timeout(Duration::from_mins(1), told).await.expect("it is told").unwrap();
    assert_eq!((sqlstate.as_str(), blocker.pid, blocker.application.as_deref()), ("55P03", pid, Some("reports")));
    other.batch_execute("COMMIT").await.unwrap();
    run.await.unwrap().unwrap();
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await, "50");
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_renamed_meanwhile_is_an_error_that_says_so() {
    let database = testing::database().await;
    let client = database.connect().await;
    client
        .batch_execute("CREATE TABLE a (id bigint PRIMARY KEY, x text); INSERT INTO a SELECT generate_series(1, 100)")
        .await
        .unwrap();
    let first = Mutex::new(Some(database.connect().await));
    let renames = migrator([fill(1, 10)]).on_event(move |event| {
        if let Event::Backfill { .. } = event
            && let Some(session) = first.lock().unwrap().take()
        {
            let rename = session.batch_execute("ALTER TABLE a RENAME id TO key");
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(rename)).unwrap();
        }
    });
    let error = renames.run_through(Phase::Migrate, database.config()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backfill, "{error}");
    assert!(error.to_string().contains("id"), "{error}");
    client.batch_execute("ALTER TABLE a RENAME key TO id").await.unwrap();
    migrator([fill(1, 10)]).run_through(Phase::Migrate, database.config()).await.unwrap();
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await, "100");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_tables_do_not_slow_a_run_down() {
    let database = testing::database().await;
    let client = database.connect().await;
    for hundred in 0..50 {
        let sql = format!(
            "DO $$ BEGIN FOR n IN 0..99 LOOP EXECUTE format('CREATE TABLE t_%s_%s (id int)', {hundred}, n); END LOOP; END $$"
        );
        client.batch_execute(&sql).await.unwrap();
    }
    let timed = async |all: Vec<Builder>| {
        let begun = std::time::Instant::now();
        run(all, database.config()).await;
        begun.elapsed()
    };
    let took = timed(vec![create(1, "a"), add(2, "a", "x"), fill(3, 10)]).await;
    assert!(took < Duration::from_secs(30), "{took:?}");
}

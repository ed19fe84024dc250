//! Roles, databases and servers that are set up in ways that end a run which does not think of them.

mod support;

use migrate_pg::Migrator;
use migrate_pg::model::Phase;
use migrate_pg::testing::{Server, TestDatabase};
use support::{Builder, add, assert_clean, create, filling, history, migration, servers, value};
use tokio_postgres::{Client, Config, NoTls};

/// What somebody may have set for a role, each by itself and then all together.
const SETTINGS: [&str; 16] = [
    "statement_timeout = '1ms'",
    "lock_timeout = '1ms'",
    "idle_session_timeout = '300ms'",
    "idle_in_transaction_session_timeout = '1ms'",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_read_only = on",
    "default_transaction_deferrable = on",
    "standard_conforming_strings = off",
    "search_path = ''",
    "client_encoding = 'LATIN1'",
    "row_security = off",
    "enable_indexscan = off",
    "quote_all_identifiers = on",
    "bytea_output = 'escape'",
    "IntervalStyle = 'sql_standard'",
    "DateStyle = 'SQL, DMY'",
];

fn plan() -> Vec<Builder> {
    vec![
        create(1, "a"),
        migration(2, "Rows")
            .step("INSERT INTO a SELECT n, 'Grüße \\\\ ''' || n FROM generate_series(1, 300) n", "DELETE FROM a"),
        add(3, "a", "x"),
        migration(4, "Index").step("CREATE INDEX CONCURRENTLY \"i ü\" ON a (v)", "DROP INDEX CONCURRENTLY \"i ü\""),
        migration(5, "Fill").backfill("a", "x = $1", "x IS NULL", 50, "ß\\'"),
        migration(6, "Again").step("REINDEX INDEX CONCURRENTLY \"i ü\"", ""),
    ]
}

struct Role {
    name: String,
    config: Config,
}

async fn role(database: &TestDatabase, client: &Client, name: &str) -> Role {
    let name = format!("{name} {}", database.name());
    client
        .batch_execute(&format!(
            "CREATE ROLE \"{name}\" LOGIN; GRANT CREATE ON DATABASE {} TO \"{name}\"; GRANT CREATE ON SCHEMA public TO \"{name}\"",
            database.name()
        ))
        .await
        .unwrap();
    let mut config = database.config().clone();
    config.user(&name);
    Role { name, config }
}

/// The whole plan there and back.
async fn there_and_back(config: &Config, client: &Client, context: &str) {
    let migrator = || Migrator::new(history(plan())).search_path("public");
    let report = migrator().run_through(Phase::Contract, config).await;
    assert_eq!(report.unwrap_or_else(|error| panic!("{context}: {error}")).applied.len(), 6, "{context}");
    let filled = "SELECT count(*) FROM public.a WHERE x = 'ß\\'''";
    assert_eq!(value(client, filled).await, "300", "{context}");
    let nothing = migrator().run_through(Phase::Contract, config).await;
    assert_eq!(nothing.unwrap_or_else(|error| panic!("{context}: {error}")).already, 6, "{context}");
    migrator().plan(Phase::Contract, config).await.unwrap_or_else(|error| panic!("{context}: {error}"));
    migrator().status(config).await.unwrap_or_else(|error| panic!("{context}: {error}"));
    let undone = migrator().down_to(0, config).await;
    assert_eq!(undone.unwrap_or_else(|error| panic!("{context}: {error}")).undone.len(), 6, "{context}");
    assert_eq!(value(client, "SELECT to_regclass('public.a') IS NULL").await, "t", "{context}");
    assert_clean(client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_setting_of_a_role_ends_a_run_on_any_version() {
    futures_util::future::join_all(servers().await.iter().map(whatever_a_role_has_set)).await;
}

async fn whatever_a_role_has_set(server: &Server) {
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    let role = role(&database, &client, "odd \\ '").await;
    let mut all: Vec<Vec<&str>> = SETTINGS.iter().map(|setting| vec![*setting]).collect();
    all.push(SETTINGS.to_vec());
    for settings in all {
        let context = format!("PostgreSQL {}: {settings:?}", server.major());
        for setting in &settings {
            client.batch_execute(&format!("ALTER ROLE \"{}\" SET {setting}", role.name)).await.unwrap();
        }
        if server.major() >= 17 {
            client
                .batch_execute(&format!("ALTER ROLE \"{}\" SET transaction_timeout = '300ms'", role.name))
                .await
                .unwrap();
        }
        there_and_back(&role.config, &client, &context).await;
        client
            .batch_execute(&format!("ALTER ROLE \"{}\" RESET ALL; DROP SCHEMA migrate CASCADE", role.name))
            .await
            .unwrap();
    }
    client.batch_execute(&format!("DROP OWNED BY \"{0}\" CASCADE; DROP ROLE \"{0}\"", role.name)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_of_other_names_and_encodings_on_every_version() {
    for server in servers().await {
        let home = server.database().await.unwrap();
        let maker = home.connect().await;
        for (place, (name, options)) in [
            ("it's \"quoted\" \\ ü", ""),
            ("latin", "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"),
            ("ascii", "ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("{name} {place} {}", home.name());
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            maker.batch_execute(&format!("CREATE DATABASE {quoted} {options}")).await.unwrap();
            let mut config = home.config().clone();
            config.dbname(&name);
            let (client, connection) = config.connect(NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            there_and_back(&config, &client, &format!("PostgreSQL {}: {name}", server.major())).await;
            drop(client);
            connection.await.unwrap().unwrap();
            maker.batch_execute(&format!("DROP DATABASE {quoted} WITH (FORCE)")).await.unwrap();
        }
    }
}

/// What somebody does to a backfill that is under way, what undoes it, and how the run ends: as if nothing had been, where it
/// is a matter of waiting, or by this SQLSTATE.
const MEDDLING: [(&str, &str, Option<&str>); 7] = [
    ("BEGIN; LOCK TABLE a", "COMMIT", None),
    ("BEGIN; LOCK TABLE migrate.steps", "COMMIT", None),
    ("BEGIN; UPDATE migrate.steps SET asked = asked WHERE version = 3", "COMMIT", None),
    ("BEGIN; UPDATE a SET v = v", "COMMIT", None),
    ("REVOKE UPDATE ON a FROM CURRENT_USER", "GRANT UPDATE ON a TO CURRENT_USER", None),
    ("ALTER TABLE a RENAME TO b", "ALTER TABLE b RENAME TO a", Some("42P01")),
    ("ALTER TABLE migrate.steps RENAME TO gone", "ALTER TABLE migrate.gone RENAME TO steps", Some("42P01")),
];

#[tokio::test(flavor = "multi_thread")]
async fn whoever_meddles_with_a_backfill_is_waited_for_or_named_on_every_version() {
    futures_util::future::join_all(servers().await.iter().map(meddled_with)).await;
}

async fn meddled_with(server: &Server) {
    for (does, undoes, ends) in MEDDLING {
        let context = format!("PostgreSQL {}: {does}", server.major());
        let database = server.database().await.unwrap();
        let client = database.connect().await;
        let rows = "INSERT INTO a SELECT n, 'v' FROM generate_series(1, 60000) n";
        let plan = || {
            [
                create(1, "a"),
                migration(2, "Rows")
                    .step(rows, "DELETE FROM a")
                    .step("ALTER TABLE a ADD COLUMN x text", "ALTER TABLE a DROP COLUMN x"),
                migration(3, "Fill").backfill("a", "x = $1", "x IS NULL", 1000, "x"),
            ]
        };
        let [one, two, _] = plan();
        Migrator::new(history([one, two])).run(database.config()).await.unwrap();
        let (begun, told) = (std::sync::Arc::new(tokio::sync::Notify::new()), std::sync::Mutex::new(0));
        let notify = begun.clone();
        let migrator = Migrator::new(history(plan())).lock_timeout(std::time::Duration::from_millis(300));
        let meddled = migrator.clone().on_event(move |event| {
            if let migrate_pg::Event::Backfill { .. } = event {
                let mut batches = told.lock().unwrap();
                *batches += 1;
                if *batches == 5 {
                    notify.notify_one();
                }
            }
        });
        // Slower than the meddler.
        let pace = migrate_pg::Pace::default().throttle({
            let asked = std::sync::atomic::AtomicU64::new(0);
            move |_| {
                asked
                    .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
                    .is_multiple_of(2)
                    .then_some(std::time::Duration::from_millis(20))
            }
        });
        let run = tokio::spawn(meddled.pace(pace).run_through(Phase::Contract, database.config()));
        begun.notified().await;
        client.batch_execute(does).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        client.batch_execute(undoes).await.unwrap();
        match (run.await.unwrap(), ends) {
            (Ok(_), None) => {}
            (Err(error), Some(ends)) => {
                assert_eq!(error.sqlstate(), Some(ends), "{context}: {error}");
                migrator
                    .run_through(Phase::Contract, database.config())
                    .await
                    .unwrap_or_else(|error| panic!("{context}: {error}"));
            }
            (Ok(_), Some(_)) => panic!("{context}: it went through"),
            (Err(error), None) => panic!("{context}: {error}"),
        }
        assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await, "60000", "{context}");
        assert_eq!(value(&client, "SELECT rows FROM migrate.steps WHERE version = 3").await, "60000", "{context}");
        assert_clean(&client).await;
    }
}

/// A plan whose last migration fills 3,000 rows in batches of 100.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_dropped_on_the_way_is_said_to_be_gone_and_comes_back_from_a_dump() {
    let database = migrate_pg::testing::database().await;
    let client = std::sync::Arc::new(database.connect().await);
    let [one, two, _] = filling(3000);
    migrate_pg::Migrator::new(history([one, two])).run(database.config()).await.unwrap();
    let dump = database.server().binaries().expect("a server of our own").program("pg_dump");
    let (dropper, url, kept) =
        (client.clone(), database.url().to_owned(), std::sync::Arc::new(std::sync::Mutex::new(String::new())));
    let dumped = kept.clone();
    let migrator = Migrator::new(history(filling(3000)));
    let losing = migrator.clone().on_event(move |event| {
        if let migrate_pg::Event::Backfill { progress, .. } = event
            && progress.rows == 300
        {
            let output =
                std::process::Command::new(&dump).args(["--schema=migrate", "--inserts", &url]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            *dumped.lock().unwrap() = String::from_utf8(output.stdout).unwrap();
            let dropped = dropper.batch_execute("DROP SCHEMA migrate CASCADE");
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(dropped)).unwrap();
        }
    });
    let error = losing.run_through(Phase::Migrate, database.config()).await.unwrap_err();
    assert_eq!(error.kind(), migrate_pg::ErrorKind::Ledger, "{error}");
    for part in ["ledger", "removed", "pg_dump --schema="] {
        assert!(error.to_string().contains(part), "{part} is not in {error}");
    }
    assert_clean(&client).await;
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await, "300");

    // Without it nothing is known to be applied, and nothing that is there is made again.
    let error = migrator.run_through(Phase::Migrate, database.config()).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42P07"), "{error}");
    assert!(error.to_string().contains("ledger"), "{error}");
    assert_clean(&client).await;

    client.batch_execute("DROP SCHEMA migrate CASCADE").await.unwrap();
    // psql's own commands are not SQL (pg_dump since August 2025 writes two).
    let text: String =
        kept.lock().unwrap().lines().filter(|line| !line.starts_with('\\')).map(|line| format!("{line}\n")).collect();
    let restored = database.connect().await;
    restored.batch_execute(&text).await.unwrap();
    let report = migrator.run_through(Phase::Migrate, database.config()).await.unwrap();
    assert_eq!((report.already, report.applied.len()), (2, 1));
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await, "3000");
    assert_eq!(value(&client, "SELECT rows FROM migrate.steps WHERE version = 3").await, "3000");
}

/// Between two migrations, and between the steps of one, before and after something that is recorded before it is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_dropped_between_steps_takes_the_next_one_back() {
    for at in 0..6 {
        let database = migrate_pg::testing::database().await;
        let client = std::sync::Arc::new(database.connect().await);
        let dropper = client.clone();
        let events = std::sync::atomic::AtomicUsize::new(0);
        let plan = [
            create(1, "a"),
            add(2, "a", "x"),
            migration(3, "Index")
                .step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i")
                .step("ANALYZE a", ""),
        ];
        let losing = Migrator::new(history(plan)).on_event(move |event| {
            let counts = matches!(
                event,
                migrate_pg::Event::Applied { .. }
                    | migrate_pg::Event::StepBegun { .. }
                    | migrate_pg::Event::StepDone { .. }
            );
            if counts && events.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == at {
                let dropped = dropper.batch_execute("DROP SCHEMA migrate CASCADE");
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(dropped)).unwrap();
            }
        });
        let error = losing.run(database.config()).await.unwrap_err();
        assert_eq!(error.kind(), migrate_pg::ErrorKind::Ledger, "{at}: {error}");
        assert_eq!(error.sqlstate(), Some("42P01"), "{at}: {error}");
        assert!(error.to_string().contains("restored by psql"), "{at}: {error}");
        let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
        assert_eq!(value(&client, invalid).await, "0", "{at}");
        assert_clean(&client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_connection_to_spare_ends_workers_by_name_and_one_goes_on_alone() {
    let server = Server::builder().setting("max_connections", "8").setting("superuser_reserved_connections", "0");
    let server = server.setting("max_wal_senders", "0").setting("wal_level", "replica").start().await.unwrap();
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    let [one, two, _] = filling(3000);
    Migrator::new(history([one, two])).run(database.config()).await.unwrap();
    client.batch_execute("ANALYZE a").await.unwrap();
    // All but the one for the run, and one for a worker.
    let mut others = Vec::new();
    while let Ok(other) = database.try_connect().await {
        others.push(other);
    }
    others.truncate(others.len() - 2);
    let free = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'";
    while value(&client, free).await != "6" {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let crew = Migrator::new(history(filling(3000))).pace(migrate_pg::Pace::default().workers(3));
    let error = crew.run_through(Phase::Migrate, database.config()).await.unwrap_err();
    assert_eq!(error.kind(), migrate_pg::ErrorKind::Backfill, "{error}");
    for part in ["no connection for a worker", "53300"] {
        assert!(error.to_string().contains(part), "{part} is not in {error}");
    }
    assert_clean(&client).await;
    let filled = value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await;
    assert_eq!(value(&client, "SELECT rows FROM migrate.steps WHERE version = 3").await, filled);
    // One worker of the next run goes on in the ranges that the crew left; its own session and this one are all there is.
    while value(&client, free).await != "6" {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    Migrator::new(history(filling(3000))).run_through(Phase::Migrate, database.config()).await.unwrap();
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x = 'x'").await, "3000");
    assert_eq!(value(&client, "SELECT rows FROM migrate.steps WHERE version = 3").await, "3000");
    drop(others);
    assert_clean(&client).await;
}

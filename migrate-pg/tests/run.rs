//! Runs against a real server: what is applied, what is held back, what is refused, and what the ledger says of it.

mod support;

use migrate_pg::model::{Phase, Version};
use migrate_pg::plan::Refusal;
use migrate_pg::{ErrorKind, Migrator, testing};
use support::{add, assert_clean, create, events, has_column, has_table, migration, migrator, value};

#[tokio::test(flavor = "multi_thread")]
async fn expand_is_applied_and_the_rest_is_held_back() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let all = [
        create(1, "orders"),
        add(2, "orders", "status").phase(Phase::Migrate),
        create(3, "users"),
        add(4, "orders", "note"),
        migration(5, "Contract")
            .step("ALTER TABLE users DROP COLUMN v", "ALTER TABLE users ADD COLUMN v text")
            .phase(Phase::Contract),
    ];
    let migrator = migrator(all);
    let report = migrator.run(&pool).await.unwrap();
    let applied: Vec<_> = report.applied.iter().map(|done| done.version.get()).collect();
    let held: Vec<_> = report.held.iter().map(|held| (held.meta.version().get(), held.to_string())).collect();
    assert_eq!(applied, [1, 3]);
    assert_eq!(held[0].0, 2);
    assert!(held[1].1.contains("waits behind 2"), "{held:?}");
    assert_eq!(held.len(), 3);
    assert!(report.to_string().contains("run_through(Phase::Contract)"), "{report}");
    assert_eq!(report.to_json()["applied"][1]["name"], "Createusers");
    assert!(!has_column(&client, "orders", "status").await);

    let plan = migrator.plan(Phase::Contract, &pool).await.unwrap();
    assert_eq!(plan.plan.planned().len(), 3);
    assert!(plan.to_string().contains("ALTER TABLE orders ADD COLUMN status text"), "{plan}");

    let report = migrator.run_through(Phase::Contract, &pool).await.unwrap();
    assert_eq!(report.applied.len(), 3);
    assert_eq!(report.already, 2);
    assert!(has_column(&client, "orders", "note").await && !has_column(&client, "users", "v").await);
    assert_eq!(events(&client).await, "applied 1, applied 3, applied 2, applied 4, applied 5");
    assert_eq!(migrator.run_through(Phase::Contract, &pool).await.unwrap().applied.len(), 0);

    let status = migrator.status(&pool).await.unwrap();
    assert_eq!(status.migrations.len(), 5);
    assert!(
        status.migrations.iter().all(|row| row.state.is_some() && row.finished.is_some() && row.known && !row.edited)
    );
    assert!(status.to_string().contains("applied"), "{status}");
    let row = "SELECT phase || ' ' || lock || ' ' || (sql->0->>'up') || ' ' || (sql->0->'down'->>0) || ' ' || \
               (effects->0->>'object') || ' ' || role || ' ' || application FROM migrate.migrations WHERE version = 4";
    let row = value(&client, row).await;
    assert!(row.starts_with("Expand AccessExclusive ALTER TABLE orders ADD COLUMN note text ALTER TABLE orders DROP COLUMN note table orders"), "{row}");
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_refused_with_the_difference_and_accepted_on_purpose() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let was = create(1, "orders");
    migrator([was.clone()]).run(&pool).await.unwrap();
    let edited = migration(1, "Createorders")
        .step("CREATE TABLE orders (id bigint PRIMARY KEY, v varchar)", "DROP TABLE orders");
    let error = migrator([edited.clone(), create(2, "users")]).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Edited);
    let text = error.to_string();
    assert!(text.contains("- CREATE TABLE orders (id bigint PRIMARY KEY, v text)"), "{text}");
    assert!(text.contains("+ CREATE TABLE orders (id bigint PRIMARY KEY, v varchar)"), "{text}");
    assert!(text.contains(&format!("supersedes = \"{}\"", was.digest())), "{text}");
    assert!(!has_table(&client, "users").await, "nothing runs beside an edit");

    let accepted = edited.supersedes(&was.digest());
    let report = migrator([accepted.clone()]).run(&pool).await.unwrap();
    assert_eq!(report.accepted, [(Version::new(1), "Createorders")]);
    assert_eq!(events(&client).await, "applied 1, accepted edit 1");
    let digest = value(&client, "SELECT digest FROM migrate.migrations").await;
    assert_eq!(digest, accepted.digest());
    assert!(migrator([accepted]).run(&pool).await.unwrap().accepted.is_empty());
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_appears_between_is_refused_and_what_is_ahead_is_not() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a"), create(3, "c")]).run(&pool).await.unwrap();
    let error = migrator([create(1, "a"), create(2, "b"), create(3, "c")]).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfOrder);
    assert!(error.to_string().contains("Renumber") && error.to_string().contains("accept_late"), "{error}");
    let report = migrator([create(1, "a"), create(2, "b").accept_late(), create(3, "c")]).run(&pool).await.unwrap();
    assert_eq!(report.applied.len(), 1);

    // An older binary: 3 is ahead of it, and Expand.
    let older = migrator([create(1, "a"), create(2, "b")]);
    let report = older.run(&pool).await.unwrap();
    assert_eq!(report.ahead.len(), 1);
    // One that lacks 2 but has 3: that is neither ahead nor out of order.
    let error = migrator([create(1, "a"), create(3, "c")]).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Missing);

    let contract = migration(4, "Drop")
        .step("ALTER TABLE a DROP COLUMN v", "ALTER TABLE a ADD COLUMN v text")
        .phase(Phase::Contract);
    migrator([create(1, "a"), create(2, "b"), create(3, "c"), contract])
        .run_through(Phase::Contract, &pool)
        .await
        .unwrap();
    let error = older.run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ahead);
    assert!(matches!(error.refusals(), [Refusal::Ahead { contracts }] if contracts[0].version.get() == 4), "{error}");
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_transaction_leaves_nothing_and_is_mended() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool_of(1);
    let bad = migration(2, "Bad")
        .step("ALTER TABLE a ADD COLUMN x text", "ALTER TABLE a DROP COLUMN x")
        .step("ALTER TABLE a\n  ADD COLUMN y nonsense", "ALTER TABLE a DROP COLUMN y");
    let error = migrator([create(1, "a"), bad, create(3, "c")]).run(&pool).await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate(), error.step()), (ErrorKind::Statement, Some("42704"), Some(2)));
    assert_eq!(error.migration(), Some((Version::new(2), "Bad")));
    let text = error.to_string();
    for part in [
        "migration 2 Bad, step 2",
        "rolled back",
        "42704",
        "type \"nonsense\" does not exist",
        "line 2, column 16",
        "what to do",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(has_table(&client, "a").await && !has_column(&client, "a", "x").await && !has_table(&client, "c").await);
    assert_eq!(events(&client).await, "applied 1, failed 2");
    assert_clean(&client).await;

    // The pool of one serves on, and its session is as it was.
    let object = pool.get().await.unwrap();
    assert_eq!(value(&object, "SHOW lock_timeout").await, "0");
    drop(object);
    let mended = migration(2, "Bad")
        .step("ALTER TABLE a ADD COLUMN x text", "ALTER TABLE a DROP COLUMN x")
        .step("ALTER TABLE a ADD COLUMN y text", "ALTER TABLE a DROP COLUMN y");
    let report = migrator([create(1, "a"), mended, create(3, "c")]).run(&pool).await.unwrap();
    assert_eq!(report.applied.len(), 2);
    assert!(has_column(&client, "a", "y").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stepwise_migration_that_fails_halfway_is_mended_and_goes_on() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    client.batch_execute("CREATE TABLE seen (n int)").await.unwrap();
    let with = |second: &str| {
        migration(2, "Half")
            .step("INSERT INTO seen VALUES (1)", "")
            .step(second, "DROP INDEX CONCURRENTLY i")
            .step("INSERT INTO seen VALUES (3)", "")
    };
    let bad = with("CREATE INDEX CONCURRENTLY i ON a (nothing)");
    let error = migrator([create(1, "a"), bad]).run(&pool).await.unwrap_err();
    assert_eq!((error.sqlstate(), error.step()), (Some("42703"), Some(2)));
    let status = migrator([create(1, "a")]).status(&pool).await.unwrap();
    assert!(status.to_string().contains("applying") && status.to_string().contains("42703"), "{status}");

    // What is done may not be changed.
    let other = migration(2, "Half").step("INSERT INTO seen VALUES (99)", "").stepwise();
    let error = migrator([create(1, "a"), other]).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recovery);
    assert!(error.to_string().contains("INSERT INTO seen VALUES (1)"), "{error}");

    let good = migrator([create(1, "a"), with("CREATE INDEX CONCURRENTLY j ON a (v)")]);
    let report = good.run(&pool).await.unwrap();
    assert!(report.applied[0].resumed);
    assert_eq!(value(&client, "SELECT string_agg(n::text, ',' ORDER BY n) FROM seen").await, "1,3");
    assert_eq!(value(&client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'j'::regclass").await, "t");
    assert!(good.run(&pool).await.unwrap().applied.is_empty());
    assert_eq!(events(&client).await, "applied 1, begun 2, failed 2, failed 2, resumed 2, applied 2");
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_written_are_counted_in_report_and_ledger() {
    let database = testing::database().await;
    let client = database.connect().await;
    let fill = migration(2, "Fill").step("INSERT INTO a SELECT n, 'x' FROM generate_series(1, 7) n", "");
    let report = migrator([create(1, "a"), fill]).run(database.pool()).await.unwrap();
    assert_eq!(report.applied[1].rows, 7);
    assert_eq!(value(&client, "SELECT rows FROM migrate.steps WHERE version = 2").await, "7");
    assert_eq!(value(&client, "SELECT rows FROM migrate.steps WHERE version = 1").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_is_a_step() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let all = || {
        [
            create(1, "a"),
            migration(2, "Rows").step("INSERT INTO a (id) SELECT n FROM generate_series(1, 2500) n", ""),
            migration(3, "Fill").backfill("a", "v = $1", "v IS NULL", 1000, "it's"),
        ]
    };
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let told = seen.clone();
    let migrator = migrator(all()).on_event(move |event| {
        if let migrate_pg::Event::Backfill { progress: migrate_pg::BackfillProgress { rows, .. }, .. } = event {
            told.store(*rows, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let report = migrator.run_through(Phase::Migrate, &pool).await.unwrap();
    assert_eq!(report.applied[2].rows, 2500);
    assert_eq!(seen.load(std::sync::atomic::Ordering::SeqCst), 2500);
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE v = 'it''s'").await, "2500");
    assert_eq!(value(&client, "SELECT rows || ' ' || state FROM migrate.steps WHERE version = 3").await, "2500 done");
    assert_eq!(migrator.undo(1, &pool).await.unwrap().undone.len(), 1);
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE v IS NULL").await, "0", "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_outside_of_the_range_are_refused() {
    let database = testing::database().await;
    let major = database.server().major();
    let (min, max) = if major == 14 { (15, 18) } else { (14, major - 1) };
    let error = migrator([create(1, "a").pg(min, max)]).run(database.pool()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(!has_table(&database.connect().await, "a").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_tried_for_and_then_named() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    client.batch_execute("BEGIN; SELECT FROM a").await.unwrap();
    let retries = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let told = retries.clone();
    let migrator = migrator([create(1, "a"), add(2, "a", "x")]).on_event(move |event| {
        if let migrate_pg::Event::Retry { step, .. } = event {
            assert_eq!(*step, Some(1));
            told.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let error = migrator.run(&pool).await.unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (ErrorKind::LockTimeout, Some("55P03")));
    assert!(error.to_string().contains("ACCESS EXCLUSIVE") && error.to_string().contains("2 attempts"), "{error}");
    assert_eq!(retries.load(std::sync::atomic::Ordering::SeqCst), 1);
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(migrator.run(&pool).await.unwrap().applied.len(), 1);
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn role_search_path_application_and_schema_are_used() {
    let database = testing::database().await;
    let client = database.connect().await;
    let owner = format!("owner_{}", database.name());
    client
        .batch_execute(&format!(
            "CREATE ROLE \"{owner}\"; CREATE SCHEMA app AUTHORIZATION \"{owner}\"; CREATE SCHEMA \"my ledger\" AUTHORIZATION \"{owner}\"; \
             CREATE TABLE \"my ledger\".theirs (secret text); ALTER TABLE \"my ledger\".theirs OWNER TO \"{owner}\""
        ))
        .await
        .unwrap();
    let pool = database.pool();
    let migrator = migrator([create(1, "a")])
        .role(&owner)
        .search_path("app, public")
        .application_name("shop's job")
        .ledger_schema("my ledger");
    migrator.run(&pool).await.unwrap();
    assert!(has_table(&client, "app.a").await);
    let belongs_to = value(&client, "SELECT relowner::regrole::text FROM pg_class WHERE oid = 'app.a'::regclass").await;
    assert_eq!(belongs_to.trim_matches('"'), owner);
    let who = value(&client, "SELECT role || ' ' || application FROM \"my ledger\".migrations").await;
    assert_eq!(who, format!("{owner} shop's job"));
    let theirs = "SELECT relacl IS NULL FROM pg_class WHERE oid = '\"my ledger\".theirs'::regclass";
    assert_eq!(value(&client, theirs).await, "t", "what else is in the schema is nobody's to read");
    assert_eq!(migrator.undo(1, &pool).await.unwrap().undone.len(), 1);
    client.batch_execute(&format!("DROP OWNED BY \"{owner}\"; DROP ROLE \"{owner}\"")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_ledger_is_refused_by_number_only_if_it_says_so() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let migrator = migrator([create(1, "a")]);
    migrator.run(&pool).await.unwrap();
    client
        .batch_execute("UPDATE migrate.ledger SET format = 7; ALTER TABLE migrate.migrations ADD COLUMN later text")
        .await
        .unwrap();
    assert!(migrator.run(&pool).await.is_ok());
    client.batch_execute("UPDATE migrate.ledger SET needs = 7").await.unwrap();
    let error = migrator.run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ledger);
    assert!(error.to_string().contains("format 7"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_strings_work_and_never_show() {
    let database = testing::database().await;
    let migrator = migrator([create(1, "a")]);
    assert_eq!(migrator.run(database.url()).await.unwrap().applied.len(), 1);
    assert_eq!(migrator.run(database.config()).await.unwrap().applied.len(), 0);
    assert_clean(&database.connect().await).await;

    for text in [
        "host=127.0.0.1 port=1 user=u password=secret",
        "postgres://u:secret@127.0.0.1:1/d?sslmode=verify-full",
        "postgres://u:secret@h:x/",
    ] {
        let error = migrator.run(text).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Connect | ErrorKind::ConnectionString), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    // Nor does one in a statement, in what everybody may read.
    let role = format!("secretive_{}", database.name());
    let bad = migration(2, "Role")
        .step(&format!("CREATE ROLE \"{role}\" PASSWORD 'hunter2'"), &format!("DROP ROLE \"{role}\""))
        .step("ALTER ROLE nobody_at_all PASSWORD 'hunter2'", "");
    let error = support::migrator([create(1, "a"), bad.clone()]).run(database.url()).await.unwrap_err();
    assert!(error.to_string().contains("ALTER ROLE nobody_at_all PASSWORD '*******'"), "{error}");
    let stepwise = support::migrator([create(1, "a"), bad.stepwise()]);
    stepwise.run(database.url()).await.unwrap_err();
    let client = database.connect().await;
    let kept = "SELECT (SELECT string_agg(t::text, '') FROM migrate.migrations t) || (SELECT string_agg(t::text, '') FROM \
                migrate.steps t) || (SELECT string_agg(t::text, '') FROM migrate.events t)";
    let kept = value(&client, kept).await;
    assert!(kept.contains("PASSWORD '*") && !kept.contains("hunter2"), "{kept}");
    stepwise.undo(1, database.url()).await.unwrap();
    let nothing = Migrator::new(support::history([]));
    assert!(nothing.run(database.url()).await.is_ok());
}

/// Whatever comes back for BEGIN, the rest is on its way: it must not be done statement by statement.
#[tokio::test(flavor = "multi_thread")]
async fn a_begin_that_fails_leaves_nothing_behind() {
    let database = testing::database().await;
    let client = database.connect().await;
    let all = || {
        [
            create(1, "a"),
            migration(2, "Rows").step("INSERT INTO a VALUES (1)", "DELETE FROM a").step("UPDATE a SET v = 'x'", ""),
        ]
    };
    for at in 0..2 {
        // The work's alone is a message of its own.
        let cutter = support::cutter::Cutter::spoiling(database.config(), "COMMITTED READ WRITE\0").await;
        let error = migrator(all()).run(&cutter.config).await.unwrap_err();
        assert!(cutter.has_cut());
        assert_eq!(error.sqlstate(), Some("42601"), "{error}");
        assert_eq!(has_table(&client, "a").await, at > 0);
        assert_eq!(value(&client, "SELECT count(*) FROM migrate.migrations").await, at.to_string());
        if at > 0 {
            assert_eq!(value(&client, "SELECT count(*) FROM a").await, "0");
        }
        migrator(all().into_iter().take(1)).run(database.pool()).await.unwrap();
    }
    assert_eq!(migrator(all()).run(database.pool()).await.unwrap().applied.len(), 1);
    assert_eq!(value(&client, "SELECT v FROM a").await, "x");
    assert_clean(&client).await;
}

/// A policy hides rows from the table's owner too, where it is forced.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_policy_hides_are_not_left_out_in_silence() {
    let database = testing::database().await;
    let client = database.connect().await;
    let role = format!("{}_owner", database.name());
    client
        .batch_execute(&format!(
            "CREATE ROLE {role}; GRANT CREATE ON DATABASE {} TO {role}; CREATE TABLE a (id int, v text); \
             INSERT INTO a VALUES (1, NULL), (2, NULL); ALTER TABLE a OWNER TO {role}; \
             ALTER TABLE a ENABLE ROW LEVEL SECURITY; ALTER TABLE a FORCE ROW LEVEL SECURITY; CREATE POLICY one ON a USING (id = 1)",
            database.name()
        ))
        .await
        .unwrap();
    let whole = migration(1, "Whole").step("UPDATE a SET v = 'x'", "");
    for all in [
        whole.clone(),
        whole.stepwise(),
        migration(1, "Reset").step("RESET ALL", "").step("UPDATE a SET v = 'x'", "").stepwise(),
    ] {
        let error = migrator([all]).role(&role).run_through(Phase::Contract, database.pool()).await.unwrap_err();
        assert_eq!(error.sqlstate(), Some("42501"), "{error}");
        assert!(error.to_string().contains("BYPASSRLS"), "{error}");
        assert_eq!(value(&client, "SELECT count(v) FROM a").await, "0");
        client.batch_execute("DROP SCHEMA migrate CASCADE").await.unwrap();
    }
    client.batch_execute(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await.unwrap();
    assert_clean(&client).await;
}

/// The text of six characters is none of the character that `jsonb` has not.
#[tokio::test(flavor = "multi_thread")]
async fn an_escape_in_the_sql_is_recorded_as_it_stands() {
    let database = testing::database().await;
    let client = database.connect().await;
    let all = || [migration(1, "Escape").step(r"CREATE TABLE a (v text CHECK (v <> '\u0000'))", "DROP TABLE a")];
    migrator(all()).run(database.pool()).await.unwrap();
    assert!(value(&client, "SELECT sql->0->>'up' FROM migrate.migrations").await.contains(r"'\u0000'"));
    assert_eq!(migrator(all()).run(database.pool()).await.unwrap().already, 1);
}

/// A pool gives the session to somebody else next.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_fails_leaves_the_pools_session_outside_of_a_transaction() {
    let database = testing::database().await;
    let pool = database.pool_of(1);
    let all = || [create(1, "a"), migration(2, "Fill").backfill("a", "v = $1", "v IS NULL", 10, "new")];
    let error = migrator(all()).search_path("\"").plan(Phase::Migrate, &pool).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("22023"), "{error}");
    let session = pool.get().await.unwrap();
    assert_eq!(value(&session, "SELECT 1").await, "1");
    drop(session);
    assert_clean(&database.connect().await).await;
}

//! What an interrupted run left on the server, and what the next one makes of it.

mod support;

use migrate_pg::model::Baseline;
use migrate_pg::model::Phase;
use migrate_pg::testing::Server;
use migrate_pg::{Baselined, ErrorKind, Event, Migrator, testing};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{add, assert_clean, create, has_column, has_table, hurried, migration, migrator, value, with_baseline};

fn indexed() -> [support::Builder; 2] {
    [create(1, "a"), migration(2, "Index").step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i")]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_concurrent_index_is_dropped_and_rebuilt() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    // The run waits for the first transaction before it begins; the second, which came meanwhile, holds the build up after
    // its index is in the catalog. Then its backend is ended.
    let first = database.connect().await;
    first.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO a VALUES (1, 'x')").await.unwrap();
    let (listener, waits) = support::when_it_waits();
    let run = tokio::spawn(migrator(indexed()).on_event(listener).run(&pool));
    waits.notified().await;
    let old = database.connect().await;
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO a VALUES (2, 'x')").await.unwrap();
    first.batch_execute("COMMIT").await.unwrap();
    let mut there = false;
    for _ in 0..200 {
        there = value(&client, "SELECT to_regclass('i') IS NOT NULL").await == "t";
        if there {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(there, "the build never began");
    value(
        &client,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND \
         datname = current_database()",
    )
    .await;
    let error = run.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error}");
    assert_eq!(value(&client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass").await, "f");
    assert_eq!(value(&client, "SELECT state || under_way FROM migrate.steps WHERE version = 2").await, "startedtrue");
    // What is in the way of removing it is not waited for without a bound.
    let bounded = migrator(indexed()).snapshot_wait(Duration::from_millis(300));
    let error = tokio::time::timeout(Duration::from_mins(1), bounded.run(&pool)).await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.in_the_way().len()), (ErrorKind::LockTimeout, 1), "{error}");
    old.batch_execute("COMMIT").await.unwrap();

    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = told.clone();
    let next = migrator(indexed()).on_event(move |event| {
        if let Event::Recovered { what, .. } = event {
            listener.lock().unwrap().push(what.clone());
        }
    });
    next.run(&pool).await.unwrap();
    assert!(told.lock().unwrap()[0].contains("dropped public.i, which this had left"), "{told:?}");
    assert_eq!(value(&client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass").await, "t");
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_index_that_is_not_ours_is_left_alone() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    client.batch_execute("INSERT INTO a VALUES (1, 'x'), (2, 'x')").await.unwrap();
    client.batch_execute("CREATE UNIQUE INDEX CONCURRENTLY i ON a (v)").await.unwrap_err();
    let error = migrator(indexed()).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recovery);
    assert!(
        error.to_string().contains("INVALID") && error.to_string().contains("DROP INDEX CONCURRENTLY public.i"),
        "{error}"
    );
    assert_eq!(value(&client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass").await, "f");
    client.batch_execute("DROP INDEX i").await.unwrap();
    assert_eq!(migrator(indexed()).run(&pool).await.unwrap().applied.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_unique_build_leaves_nothing_and_can_be_run_again() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    client.batch_execute("INSERT INTO a VALUES (1, 'x'), (2, 'x')").await.unwrap();
    let unique = || {
        [
            create(1, "a"),
            migration(2, "U").step("CREATE UNIQUE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i"),
        ]
    };
    let error = migrator(unique()).run(&pool).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("23505"));
    assert_eq!(error.server_detail(), Some("Key (v)=(x) is duplicated."));
    assert_eq!(value(&client, "SELECT to_regclass('i') IS NULL").await, "t");
    client.batch_execute("DELETE FROM a WHERE id = 2").await.unwrap();
    assert!(migrator(unique()).run(&pool).await.unwrap().applied[0].resumed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_that_the_server_refused_is_not_taken_for_done() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let gone = || {
        [create(1, "a"), migration(2, "D").step("DROP INDEX CONCURRENTLY i", "CREATE INDEX CONCURRENTLY i ON a (v)")]
    };
    for _ in 0..2 {
        let error = migrator(gone()).run(&pool).await.unwrap_err();
        assert_eq!(error.sqlstate(), Some("42704"), "{error}");
    }
    client.batch_execute("CREATE INDEX i ON a (v)").await.unwrap();
    migrator(gone()).run(&pool).await.unwrap();
    assert_eq!(value(&client, "SELECT to_regclass('i') IS NULL").await, "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_and_not_recorded_is_found_done() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let begun = |state: &str| {
        format!(
            "UPDATE migrate.migrations SET state = '{state}' WHERE version = 2; \
             UPDATE migrate.steps SET state = '{}', under_way = true WHERE version = 2",
            if state == "applying" { "started" } else { "undoing" }
        )
    };
    migrator(indexed()).run(&pool).await.unwrap();
    client.batch_execute(&begun("applying")).await.unwrap();
    let oid = value(&client, "SELECT 'i'::regclass::oid").await;
    migrator(indexed()).run(&pool).await.unwrap();
    assert_eq!(value(&client, "SELECT 'i'::regclass::oid").await, oid, "the same index: it was not built again");

    // An undo whose DROP went through.
    client.batch_execute(&begun("undoing")).await.unwrap();
    client.batch_execute("DROP INDEX i").await.unwrap();
    assert_eq!(migrator(indexed()).undo(1, &pool).await.unwrap().undone.len(), 1);

    // The index of another table is not ours.
    migrator(indexed()).run(&pool).await.unwrap();
    client.batch_execute(&begun("applying")).await.unwrap();
    client.batch_execute("DROP INDEX i; CREATE TABLE other (v text); CREATE INDEX i ON other (v)").await.unwrap();
    let error = migrator(indexed()).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recovery);
    assert_eq!(value(&client, "SELECT to_regclass('i') IS NOT NULL").await, "t");
}

/// What a rebuild that is cut off leaves beside the index, of a table with a TOAST table, and of a partitioned one.
const REBUILDS: [(&str, &str); 4] = [
    ("REINDEX INDEX CONCURRENTLY i", "i_ccnew"),
    ("REINDEX TABLE CONCURRENTLY a", "a_pkey_ccnew, i_ccnew, toast"),
    ("REINDEX INDEX CONCURRENTLY p_v", "p_1_v_idx_ccnew"),
    ("REINDEX TABLE CONCURRENTLY p", "p_1_v_idx_ccnew, toast"),
];

const INVALID: &str = "SELECT string_agg(CASE WHEN relname LIKE 'pg_toast%' THEN 'toast' ELSE relname END, ', ' ORDER BY relname) \
     FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE NOT indisvalid AND relname <> 'theirs_ccnew' \
     AND relname !~ '_ccold'";

#[tokio::test(flavor = "multi_thread")]
async fn of_an_interrupted_reindex_what_it_left_is_swept_and_nothing_else_on_every_version() {
    let each = support::servers().await.iter().map(|server| async move {
        for (sql, left) in REBUILDS {
            rebuilt(server, sql, left).await;
        }
    });
    futures_util::future::join_all(each).await;
}

async fn rebuilt(server: &Server, sql: &str, left: &str) {
    let context = format!("PostgreSQL {}: {sql}", server.major());
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    client
        .batch_execute(
            "CREATE TABLE a (id bigint PRIMARY KEY, v text); INSERT INTO a VALUES (1, 'x'), (2, 'x'); CREATE INDEX i ON a (v); \
             CREATE TABLE p (id int, v text) PARTITION BY RANGE (id); \
             CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (9); CREATE INDEX p_v ON p (v)",
        )
        .await
        .unwrap();
    // Somebody else's, which have the names that a rebuild of i, and of p_1_v_idx, would leave.
    let invalid = |name: &str, on: &str| {
        format!(
            "CREATE INDEX \"{name}\" ON {on} (v); UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass"
        )
    };
    for (name, on) in [("i_ccold", "a"), ("theirs_ccnew", "a"), ("p_1_v_idx_ccold1", "p_1")] {
        client.batch_execute(&invalid(name, on)).await.unwrap();
    }
    // The first is waited for before it begins; the second, which came meanwhile, holds it up halfway.
    let (first, second) = (database.connect().await, database.connect().await);
    let hold = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM a; SELECT FROM p";
    first.batch_execute(hold).await.unwrap();
    let (listener, waits) = support::when_it_waits();
    let all = || [migration(1, "Re").step(sql, "")];
    let run = tokio::spawn(migrator(all()).on_event(listener).run(database.pool()));
    waits.notified().await;
    second.batch_execute(hold).await.unwrap();
    first.batch_execute("COMMIT").await.unwrap();
    let stuck = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'REINDEX%' AND wait_event = 'virtualxid' \
                 AND datname = current_database() AND pid <> pg_backend_pid()";
    while value(&client, stuck).await == "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    run.await.unwrap().unwrap_err();
    second.batch_execute("COMMIT").await.unwrap();
    assert_eq!(value(&client, INVALID).await, left, "{context}");

    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = told.clone();
    let next = migrator(all()).on_event(move |event| {
        if let Event::Recovered { what, .. } = event {
            listener.lock().unwrap().push(what.clone());
        }
    });
    next.run(database.pool()).await.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(value(&client, INVALID).await, "NULL", "{context}: {told:?}");
    assert_eq!(told.lock().unwrap().len(), left.split(", ").count(), "{context}: {told:?}");
    let theirs = "SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE NOT indisvalid";
    assert_eq!(value(&client, theirs).await, "i_ccold, p_1_v_idx_ccold1, theirs_ccnew", "{context}: {told:?}");
    assert_clean(&client).await;
}

/// A ledger of an earlier release says nothing of what was there before.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_reindex_of_an_earlier_release_is_swept() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let all = || {
        let [one, two] = indexed();
        [one, two, migration(3, "Re").step("REINDEX INDEX CONCURRENTLY i", "")]
    };
    migrator(all()).run(&pool).await.unwrap();
    client.batch_execute("UPDATE migrate.migrations SET state = 'applying' WHERE version = 3").await.unwrap();
    client
        .batch_execute("UPDATE migrate.steps SET state = 'started', under_way = true WHERE version = 3")
        .await
        .unwrap();
    client.batch_execute("CREATE INDEX i_ccnew ON a (v); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i_ccnew'::regclass").await.unwrap();
    migrator(all()).run(&pool).await.unwrap();
    assert_eq!(value(&client, "SELECT to_regclass('i_ccnew') IS NULL").await, "t");
    assert_eq!(value(&client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass").await, "t");
}

fn baseline() -> Baseline {
    support::read_baseline(
        "CREATE TABLE public.\"Old Table\" (id int);\n\\restrict x\nCREATE INDEX old_index ON public.\"Old Table\" (id);\n\
         SELECT pg_catalog.set_config('search_path', '', false);\nCREATE TYPE public.mood AS ENUM ('ok');",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_tool_is_adopted() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let made = || {
        hurried(Migrator::new(with_baseline(
            [create(1, "a"), add(2, "a", "x").phase(Phase::Migrate)],
            Some(baseline()),
        )))
    };
    let error = made().run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Baseline);
    assert!(error.to_string().contains("load_baseline(true)"), "{error}");
    assert!(!has_table(&client, "a").await);

    client.batch_execute("CREATE TABLE \"Old Table\" (id int); CREATE TYPE mood AS ENUM ('ok')").await.unwrap();
    let error = made().run(&pool).await.unwrap_err();
    assert!(
        error.to_string().contains("1 of its 4") && error.to_string().contains("index public.old_index"),
        "{error}"
    );

    client.batch_execute("CREATE INDEX old_index ON \"Old Table\" (id)").await.unwrap();
    let report = made().run(&pool).await.unwrap();
    assert_eq!((report.baseline, report.applied.len()), (Some(Baselined::Adopted { objects: 4 }), 1));
    assert_eq!(made().run(&pool).await.unwrap().baseline, None);
    let event = value(&client, "SELECT count(*) FROM migrate.events WHERE event = 'adopted baseline'").await;
    assert_eq!(event, "1");
    assert_eq!(made().status(&pool).await.unwrap().baseline.as_deref(), Some(baseline().digest()));
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_is_given_the_baseline_on_request() {
    let database = testing::database().await;
    let client = database.connect().await;
    let made = Migrator::new(with_baseline([create(1, "a")], Some(baseline()))).load_baseline(true);
    let report = made.run(database.pool()).await.unwrap();
    assert_eq!(report.baseline, Some(Baselined::Loaded));
    assert!(has_table(&client, "public.a").await, "the dump's search_path did not stay");
    assert!(has_column(&client, "\"Old Table\"", "id").await);
}

/// IF NOT EXISTS passes over an INVALID index and calls it a success: neither a clean-up that did not come to its end nor the
/// server's own success is taken for a build.
#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_index_is_never_recorded_as_built() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    client
        .batch_execute(
            "INSERT INTO a VALUES (1, 'x');
             CREATE FUNCTION f(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
               $$ BEGIN RAISE 'not now' USING ERRCODE = '55P03'; END $$;
             CREATE FUNCTION keep() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'kept'; END $$;
             CREATE EVENT TRIGGER keeps ON ddl_command_start WHEN TAG IN ('DROP INDEX') EXECUTE FUNCTION keep()",
        )
        .await
        .unwrap();
    let build = |of: &str| {
        let sql = format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a ({of})");
        [create(1, "a"), migration(2, "Index").step(&sql, "DROP INDEX CONCURRENTLY i")]
    };
    let valid = "SELECT coalesce((SELECT indisvalid::text FROM pg_index WHERE indexrelid = to_regclass('i')), 'none')";
    let state = "SELECT state || under_way FROM migrate.steps WHERE version = 2";
    let error = migrator(build("f(v)")).run(&pool).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("55P03"), "{error}");
    assert_eq!((value(&client, valid).await, value(&client, state).await), ("false".into(), "startedtrue".into()));
    client.batch_execute("DROP EVENT TRIGGER keeps; UPDATE a SET v = NULL").await.unwrap();
    client
        .batch_execute("CREATE OR REPLACE FUNCTION f(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'")
        .await
        .unwrap();
    migrator(build("f(v)")).run(&pool).await.unwrap();
    assert_eq!(value(&client, valid).await, "true");

    // It is good when it is looked at, and not any more when the statement comes to it.
    migrator(build("f(v)")).undo(1, &pool).await.unwrap();
    client
        .batch_execute(
            "CREATE INDEX i ON a (v);
             CREATE FUNCTION spoil() RETURNS event_trigger LANGUAGE plpgsql AS
               $$ BEGIN UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass; END $$;
             CREATE EVENT TRIGGER spoils ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION spoil()",
        )
        .await
        .unwrap();
    let error = migrator(build("v")).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recovery, "{error}");
    assert!(error.to_string().contains("the server passed over the build"), "{error}");
    assert_ne!(value(&client, state).await, "donefalse");
}

/// What the error says to do about a down whose end was not seen leads to its end, whichever it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_down_that_only_a_person_can_settle_goes_on_from_there() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    client
        .batch_execute(
            "CREATE TABLE calls (n int); CREATE PROCEDURE call_it() LANGUAGE sql AS 'INSERT INTO calls VALUES (1)'",
        )
        .await
        .unwrap();
    let downs = migrate_pg::model::Down::Sql(Vec::leak(vec![
        support::down_alone("CALL call_it()"),
        support::down_of("DROP TABLE a"),
    ]));
    let all = || [create(1, "a").with(move |step| step.down = downs)];
    for (answer, calls) in [("If so: ", "0"), ("If not: ", "1")] {
        migrator(all()).run(&pool).await.unwrap();
        client
            .batch_execute(
                "UPDATE migrate.migrations SET state = 'undoing'; UPDATE migrate.steps SET state = 'undoing', under_way = true",
            )
            .await
            .unwrap();
        let error = migrator(all()).undo(1, &pool).await.unwrap_err();
        assert_eq!((error.kind(), error.step()), (ErrorKind::Recovery, Some(1)), "{error}");
        let help = error.what_to_do().unwrap();
        let sql = help.split_once(answer).unwrap().1.split(". ").next().unwrap();
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        migrator(all()).undo(1, &pool).await.unwrap();
        assert_eq!(value(&client, "SELECT count(*) FROM calls").await, calls, "{sql}");
        assert!(!has_table(&client, "a").await, "{sql}");
        assert_eq!(value(&client, "SELECT count(*) FROM migrate.migrations").await, "0");
    }
    assert_clean(&client).await;
}

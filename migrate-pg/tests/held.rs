//! The declaration is held to at run time: what takes a stronger lock than it declares is rolled back, and named.

mod support;

use migrate_pg::model::{LockClass, Version};
use migrate_pg::testing::{Binaries, Server, TestDatabase};
use migrate_pg::{ErrorKind, testing};
use support::{Builder, assert_clean, create, has_column, has_table, migration, migrator, value};
use tokio_postgres::Client;

/// What is there before the migrations under test.
const SETUP: &str = r#"
CREATE TABLE orders (id bigint PRIMARY KEY, v text);
INSERT INTO orders VALUES (1, 'x');
CREATE INDEX orders_v ON orders (v);
CREATE TABLE users (id bigint PRIMARY KEY);
CREATE TABLE parts (id bigint, day date) PARTITION BY RANGE (day);
CREATE TABLE parts_2025 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."it's ""odd"", 16384 AccessExclusiveLock" (id int);
CREATE VIEW seen AS SELECT id FROM orders;
CREATE SEQUENCE numbers;
CREATE FUNCTION sly() RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN LOCK TABLE users IN EXCLUSIVE MODE; RETURN 1; END $$;
CREATE FUNCTION regrets() RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN
        BEGIN LOCK TABLE users IN EXCLUSIVE MODE; RAISE 'no'; EXCEPTION WHEN raise_exception THEN RETURN 1; END;
    END $$;
"#;

const ODD: &str = r#""Odd Schema"."it's ""odd"", 16384 AccessExclusiveLock""#;

/// SQL, the strongest lock it takes on what was there, and the relation it takes it on.
const CASES: &[(&str, LockClass, &str)] = &[
    ("ALTER TABLE orders ADD COLUMN x text", LockClass::AccessExclusive, "table public.orders"),
    ("DROP TABLE users", LockClass::AccessExclusive, "table public.users"),
    ("ALTER TABLE users RENAME TO people", LockClass::AccessExclusive, "table public.users"),
    ("DROP INDEX orders_v", LockClass::AccessExclusive, "index public.orders_v"),
    ("ALTER INDEX orders_v RENAME TO orders_w", LockClass::ShareUpdateExclusive, "index public.orders_v"),
    ("CREATE INDEX orders_w ON orders (v, id)", LockClass::Share, "table public.orders"),
    (
        "CREATE TABLE parts_2026 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        LockClass::AccessExclusive,
        "table public.parts",
    ),
    ("ALTER TABLE parts DETACH PARTITION parts_2025", LockClass::AccessExclusive, "table public.parts_2025"),
    ("CREATE TABLE lines (orders bigint REFERENCES orders)", LockClass::ShareRowExclusive, "table public.orders"),
    ("SELECT sly()", LockClass::Exclusive, "table public.users"),
    ("SELECT nextval('numbers')", LockClass::RowExclusive, "sequence public.numbers"),
    ("CREATE OR REPLACE VIEW seen AS SELECT id FROM orders", LockClass::AccessExclusive, "view public.seen"),
    ("INSERT INTO users SELECT id FROM orders", LockClass::RowExclusive, "table public.users"),
    ("SELECT count(*) FROM orders", LockClass::AccessShare, "table public.orders"),
    ("COMMENT ON TABLE orders IS 'x'", LockClass::ShareUpdateExclusive, "table public.orders"),
    (
        r#"ALTER TABLE "Odd Schema"."it's ""odd"", 16384 AccessExclusiveLock" ADD y int"#,
        LockClass::AccessExclusive,
        ODD,
    ),
    // What the transaction itself makes is nobody's yet.
    ("CREATE TABLE fresh (id bigserial PRIMARY KEY, v text UNIQUE)", LockClass::None, ""),
    (
        "DO $$ BEGIN CREATE TABLE f (id int); ALTER TABLE f ADD v text; ALTER TABLE f ALTER id TYPE bigint; DROP TABLE f; END $$",
        LockClass::None,
        "",
    ),
    ("CREATE TEMP TABLE scratch (id int)", LockClass::None, ""),
    ("CREATE SCHEMA later CREATE TABLE t (id int) CREATE VIEW v AS SELECT id FROM t", LockClass::None, ""),
    ("SELECT regrets()", LockClass::None, ""),
];

fn weaker(lock: LockClass) -> Option<LockClass> {
    LockClass::ALL.iter().copied().rfind(|&other| other < lock)
}

async fn set_up(server: &Server) -> (TestDatabase, Client) {
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    client.batch_execute(SETUP).await.unwrap();
    (database, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_every_version_the_lock_that_is_taken_passes_and_the_next_weaker_one_does_not() {
    for binaries in Binaries::find_all().unwrap() {
        let server = Server::builder().binaries(binaries).start().await.unwrap();
        let major = server.major();
        let (database, client) = set_up(&server).await;
        let pool = database.pool();
        // Each alone, in one transaction and as a step of its own; what passes is taken back by setting up anew.
        for stepwise in [false, true] {
            let made = |sql: &str, lock| {
                let one = migration(1, "One").step(sql, "").lock(lock);
                if stepwise { one.stepwise() } else { one }
            };
            for &(sql, lock, relation) in CASES {
                if let Some(declared) = weaker(lock) {
                    let error = migrator([made(sql, declared)]).run(&pool).await.unwrap_err();
                    let text = error.to_string();
                    assert_eq!(error.kind(), ErrorKind::LockStronger, "{major} {sql}: {text}");
                    assert_eq!((error.step(), error.sql()), (Some(1), Some(sql)), "{text}");
                    assert_eq!(error.migration(), Some((Version::new(1), "One")));
                    assert!(
                        text.contains(&format!("{} on ", lock.sql())) && text.contains(relation),
                        "{major} {sql}: {text}"
                    );
                    assert!(text.contains("rolled back"), "{text}");
                }
                // A step that failed may be mended; another one in its place is another migration.
                client.batch_execute("DELETE FROM migrate.migrations").await.unwrap();
            }
        }
        assert_eq!(value(&client, "SELECT count(*) FROM users").await, "0");
        assert!(has_table(&client, "users").await && !has_column(&client, "orders", "x").await);
        assert_clean(&client).await;

        for (at, &(sql, lock, _)) in CASES.iter().enumerate() {
            let (database, _client) = set_up(&server).await;
            let one = migration(1, "One").step(sql, "").lock(lock);
            let one = if at % 2 == 0 { one } else { one.stepwise() };
            if let Err(error) = migrator([one]).run(database.pool()).await {
                panic!("PostgreSQL {major}: {sql} with {lock}: {error}");
            }
        }
    }
}

async fn fresh() -> (TestDatabase, Client) {
    let database = testing::database().await;
    let client = database.connect().await;
    client.batch_execute(SETUP).await.unwrap();
    (database, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_step_is_named_and_the_whole_migration_is_rolled_back() {
    let (database, client) = fresh().await;
    let pool = database.pool();
    let sly = |lock| {
        migration(2, "Sly")
            .step("CREATE TABLE made (id int)", "DROP TABLE made")
            .step("ALTER TABLE made ADD COLUMN v text", "ALTER TABLE made DROP COLUMN v")
            .step("CREATE INDEX orders_w ON orders (v, id)", "DROP INDEX orders_w")
            .step("SELECT sly()", "")
            .step("INSERT INTO made VALUES (1, 'x')", "")
            .lock(lock)
    };
    let error = migrator([create(1, "a"), sly(LockClass::Share)]).run(&pool).await.unwrap_err();
    let text = error.to_string();
    assert_eq!((error.kind(), error.step(), error.sqlstate()), (ErrorKind::LockStronger, Some(4), None), "{text}");
    for part in [
        "migration 2 Sly, step 4: the statement took EXCLUSIVE on table public.users, and the migration declares SHARE at most; \
         the whole migration was rolled back",
        "statement: SELECT sly()",
        "what to do: ",
        "LOCK TABLE",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!has_table(&client, "made").await && has_table(&client, "a").await);
    assert_eq!(support::events(&client).await, "applied 1, failed 2");
    assert_clean(&client).await;
    let report = migrator([create(1, "a"), sly(LockClass::Exclusive)]).run(&pool).await.unwrap();
    assert_eq!(report.applied[0].rows, 1);
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_migration_wipes_hides_nothing() {
    let (database, client) = fresh().await;
    let one = migration(1, "One")
        .step("RESET ALL", "")
        .step("ALTER TABLE orders ADD COLUMN x text", "")
        .lock(LockClass::Share);
    let error = migrator([one]).run(database.pool()).await.unwrap_err();
    assert_eq!((error.kind(), error.step()), (ErrorKind::LockStronger, Some(2)), "{error}");
    assert!(!has_column(&client, "orders", "x").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn downs_are_held_to_their_own_locks() {
    let (database, client) = fresh().await;
    let pool = database.pool();
    let made = |stepwise: bool, first, second| {
        let one = migration(1, "One")
            .step("CREATE INDEX orders_w ON orders (v, id)", "DROP INDEX orders_w")
            .down_lock(first)
            .step("COMMENT ON TABLE users IS 'x'", "COMMENT ON TABLE users IS NULL")
            .down_lock(second)
            .lock(LockClass::Share);
        let one: Builder = if stepwise { one.stepwise() } else { one };
        migrator([one])
    };
    let (strong, comment) = (LockClass::AccessExclusive, LockClass::ShareUpdateExclusive);
    for stepwise in [false, true] {
        made(stepwise, strong, comment).run(&pool).await.unwrap();
        for (first, second, step, taken) in [
            (strong, LockClass::None, 2, "SHARE UPDATE EXCLUSIVE on table public.users, and the down declares no lock"),
            (LockClass::Exclusive, comment, 1, "ACCESS EXCLUSIVE on "),
        ] {
            let error = made(stepwise, first, second).undo(1, &pool).await.unwrap_err();
            let text = error.to_string();
            assert_eq!((error.kind(), error.step()), (ErrorKind::LockStronger, Some(step)), "{text}");
            assert!(text.contains(&format!("step {step} (down): the statement took {taken}")), "{text}");
            assert!(has_table(&client, "orders_w").await, "rolled back");
        }
        // A lock that an earlier down declares may still be held.
        made(stepwise, strong, comment).undo(1, &pool).await.unwrap();
        assert!(!has_table(&client, "orders_w").await);
        assert_clean(&client).await;
    }
}

//! What people are told is so: how long a step took, where a backfill goes on, what was written, what is there already.

mod support;

use migrate_pg::model::{EffectKind, Phase, Space, Verb};
use migrate_pg::{ErrorKind, Event, testing};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Builder, add, create, events, has_table, migration, migrator, value};

fn add_value(version: i64, value: &str) -> Builder {
    migration(version, "AddValue").step(&format!("ALTER TYPE mood ADD VALUE '{value}'"), "").irreversible().with(
        |step| {
            let effect = migrate_pg::__private::v1::Effect {
                kind: EffectKind::AddEnumValue,
                verb: Verb::Make,
                object: "enum value no_show on public.mood",
                definition: "",
                id: migrate_pg::__private::v1::object(Space::EnumValue, "no_show", "mood"),
                to: 0,
                to_name: "",
            };
            step.effects = Vec::leak(vec![effect.build()]);
        },
    )
}

fn mood() -> Builder {
    migration(1, "Mood").step("CREATE TYPE mood AS ENUM ('ok')", "DROP TYPE mood")
}

/// PostgreSQL takes no enum value back: an undo that passes over it leaves it, and the next run finds it.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_an_undo_passed_over_is_there_for_the_next_run() {
    let whole = || [mood(), add_value(2, "no_show").step("CREATE TABLE after (id int)", "DROP TABLE after")];
    let stepwise = || {
        let [mood, add] = whole();
        [mood, add.stepwise()]
    };
    for all in [&whole as &dyn Fn() -> [Builder; 2], &stepwise] {
        let database = testing::database().await;
        let (client, pool) = (database.connect().await, database.pool());
        let migrator = migrator(all()).allow_irreversible(true);
        migrator.run(&pool).await.unwrap();
        for _ in 0..2 {
            migrator.undo(1, &pool).await.unwrap();
            assert!(!has_table(&client, "after").await);
            migrator.run(&pool).await.unwrap_or_else(|error| panic!("{error}"));
            assert!(has_table(&client, "after").await);
            let done = "SELECT count(*) FROM migrate.steps WHERE version = 2 AND state = 'done'";
            assert_eq!(value(&client, done).await, "2");
        }
        // The type goes, and the value with it: then it is made, and not passed over.
        migrator.undo(2, &pool).await.unwrap();
        migrator.run(&pool).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(value(&client, "SELECT enum_range(NULL::mood)").await, "{ok,no_show}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_somebody_else_made_is_refused() {
    let database = testing::database().await;
    let (client, pool) = (database.connect().await, database.pool());
    let all = || migrator([mood(), add_value(2, "no_show")]).allow_irreversible(true);
    migrator([mood()]).run(&pool).await.unwrap();
    client.batch_execute("ALTER TYPE mood ADD VALUE 'no_show'").await.unwrap();
    let error = all().run(&pool).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42710"), "{error}");
    // Another value was passed over, under the same version.
    migrator([mood(), add_value(2, "other")]).run(&pool).await.unwrap();
    migrator([mood(), add_value(2, "other")]).allow_irreversible(true).undo(1, &pool).await.unwrap();
    assert_eq!(all().run(&pool).await.unwrap_err().sqlstate(), Some("42710"), "{}", events(&client).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_cannot_begin_says_that_nothing_was_run() {
    let database = testing::database().await;
    let (client, pool) = (database.connect().await, database.pool());
    client.batch_execute("CREATE TABLE t (id bigint NOT NULL, v text)").await.unwrap();
    let fill = migration(1, "Fill").backfill("t", "v = $1", "v IS NULL", 10, "x");
    let error = migrator([fill]).run_through(Phase::Migrate, &pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backfill);
    assert!(error.to_string().contains("nothing was run"), "{error}");
    assert!(!error.to_string().contains("batches before it are committed"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_where_a_backfill_goes_on_and_what_is_done() {
    let database = testing::database().await;
    let (client, pool) = (database.connect().await, database.pool());
    let fill = migration(2, "Fill").step("CREATE TABLE first (id int)", "DROP TABLE first").stepwise().backfill(
        "a",
        "v = $1",
        "v IS NULL",
        10,
        "x",
    );
    let migrator = migrator([create(1, "a"), fill]);
    migrator.run(&pool).await.unwrap();
    client
        .batch_execute(
            "INSERT INTO a SELECT g FROM generate_series(1, 40) g; CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql \
             AS 'BEGIN RAISE EXCEPTION ''not this one''; END'; CREATE TRIGGER stop BEFORE UPDATE ON a FOR EACH ROW WHEN \
             (OLD.id = 25) EXECUTE FUNCTION stop()",
        )
        .await
        .unwrap();
    let fresh = migrator.plan(Phase::Migrate, &pool).await.unwrap();
    assert!(fresh.begun.is_empty() && !fresh.to_string().contains("resumes"), "{fresh}");
    migrator.run_through(Phase::Migrate, &pool).await.unwrap_err();
    let rows = value(&client, "SELECT rows FROM migrate.steps WHERE version = 2 AND step = 2").await;
    assert_ne!(rows, "0");
    let plan = migrator.plan(Phase::Migrate, &pool).await.unwrap();
    let text = plan.to_string();
    assert!(text.contains(&format!("[resumes after {rows} rows, at ")) && text.contains("[done]"), "{text}");
    assert_eq!(plan.to_json().pointer("/planned/0/steps/1/begun/rows").unwrap().to_string(), rows);
    client.batch_execute("DROP TRIGGER stop ON a").await.unwrap();
    migrator.run_through(Phase::Migrate, &pool).await.unwrap();
    assert!(migrator.plan(Phase::Migrate, &pool).await.unwrap().begun.is_empty());
}

/// What a step waited for its lock is part of what it took.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_step_has_its_wait_in_it() {
    let database = testing::database().await;
    let (client, pool) = (database.connect().await, database.pool());
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    let other = database.connect().await;
    other.batch_execute("BEGIN; LOCK TABLE a IN ACCESS SHARE MODE").await.unwrap();
    let took = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&took);
    let run =
        migrator([create(1, "a"), add(2, "a", "x")]).lock_timeout(Duration::from_mins(1)).on_event(move |event| {
            if let Event::StepDone { elapsed, .. } = event {
                told.lock().unwrap().push(*elapsed);
            }
        });
    let run = tokio::spawn(run.run(&pool));
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass";
    while value(&client, waits).await == "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    other.batch_execute("COMMIT").await.unwrap();
    run.await.unwrap().unwrap();
    let took = took.lock().unwrap().clone();
    assert!(took.len() == 1 && took[0] >= Duration::from_millis(400), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_there_may_be_misspelled() {
    let database = testing::database().await;
    let wrong = migration(2, "Drop").step("ALTER TABLE a DROP COLUMN vv", "");
    let error = migrator([create(1, "a"), wrong]).run(database.pool()).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42703"));
    assert!(error.what_to_do().unwrap().starts_with("See that the name is spelled"), "{error}");
}

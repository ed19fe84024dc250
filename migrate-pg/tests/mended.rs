//! A step that was under way when its run ended, and whose text was mended since, or which is taken back: only what this
//! step made is removed, only what stands is taken back, and nothing passes for what it is not.

mod support;

use futures_util::future::join_all;
use migrate_pg::testing::{self, Server};
use migrate_pg::{ErrorKind, Event};
use std::sync::{Arc, Mutex};
use support::{Builder, assert_clean, create, has_column, has_table, migration, migrator, servers, value};
use tokio_postgres::Client;

/// A migration with one index step, beginning with a statement that stands by itself.
fn indexed(up: &str) -> [Builder; 2] {
    let index = migration(2, "Index")
        .step("ALTER TABLE a ADD COLUMN w text", "ALTER TABLE a DROP COLUMN w")
        .step(up, "DROP INDEX CONCURRENTLY i");
    [create(1, "a"), index]
}

/// As it is where a run ended after this text was sent and before its end was recorded.
async fn under_way(client: &Client, up: &str, name: &str, was_there: bool) {
    let acts_on = serde_json::json!({
        "sql": up, "was_there": was_there,
        "target": {"action": "create index", "schema": null, "name": name, "table": "a"},
    });
    let sql = format!(
        "UPDATE migrate.migrations SET state = 'applying' WHERE version = 2; UPDATE migrate.steps SET state = 'started', \
         under_way = true, up = '{up}', acts_on = '{acts_on}' WHERE version = 2 AND step = 2"
    );
    client.batch_execute(&sql).await.unwrap();
}

async fn index_of(client: &Client, name: &str) -> String {
    value(client, &format!("SELECT coalesce(pg_get_indexdef(to_regclass('{name}')), 'none')")).await
}

const OLD: &str = "CREATE INDEX CONCURRENTLY i ON a (v)";

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_the_old_text_does_not_pass_for_the_new_one() {
    // A case to a server: they take turns.
    let mut turns = servers().await.iter().cycle();
    for invalid in [false, true] {
        for (new, name) in
            [("CREATE INDEX CONCURRENTLY i ON a (w)", "i"), ("CREATE INDEX CONCURRENTLY \"İ j\" ON a (v)", "\"İ j\"")]
        {
            let database = turns.next().expect("there is a server").database().await.unwrap();
            let client = database.connect().await;
            let pool = database.pool();
            migrator(indexed(OLD)).run(&pool).await.unwrap();
            under_way(&client, OLD, "i", false).await;
            if invalid {
                let sql = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass";
                client.batch_execute(sql).await.unwrap();
            }
            let told = Arc::new(Mutex::new(Vec::new()));
            let listener = told.clone();
            let mended = [
                create(1, "a"),
                migration(2, "Index")
                    .step("ALTER TABLE a ADD COLUMN w text", "ALTER TABLE a DROP COLUMN w")
                    .step(new, "DROP INDEX CONCURRENTLY i")
                    .with(|step| {
                        step.concurrent.as_mut().expect("an index").name = if name == "i" { "i" } else { "İ j" }
                    }),
            ];
            let run = migrator(mended).on_event(move |event| {
                if let Event::Recovered { what, .. } = event {
                    listener.lock().unwrap().push(what.clone());
                }
            });
            run.run(&pool).await.unwrap();
            assert!(told.lock().unwrap()[0].contains("dropped public.i"), "{told:?}");
            if name == "i" {
                assert_eq!(index_of(&client, "i").await, "CREATE INDEX i ON public.a USING btree (w)");
            } else {
                assert_eq!(index_of(&client, "i").await, "none");
                assert_eq!(index_of(&client, name).await, "CREATE INDEX \"İ j\" ON public.a USING btree (v)");
            }
            assert_eq!(value(&client, "SELECT up FROM migrate.steps WHERE version = 2 AND step = 2").await, new);
            assert_clean(&client).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_an_index_in_another_word_is_not_its_name() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    // `i` is in every word of it; a text of no index at all cannot say what is left of it.
    let old = "CREATE STATISTICS this_is_it ON id, v FROM a";
    migrator(indexed(OLD)).run(&pool).await.unwrap();
    let sql = format!(
        "UPDATE migrate.migrations SET state = 'applying' WHERE version = 2; UPDATE migrate.steps SET state = 'started', \
         under_way = true, up = '{old}', acts_on = '{}' WHERE version = 2 AND step = 2",
        serde_json::json!({"sql": old})
    );
    client.batch_execute(&sql).await.unwrap();
    let error = migrator(indexed(OLD)).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recovery, "{error}");
    assert!(error.to_string().contains("begun with another text"), "{error}");
    // Nor does what a program of before wrote say it.
    client.batch_execute("UPDATE migrate.steps SET acts_on = NULL").await.unwrap();
    let error = migrator(indexed(OLD)).run(&pool).await.unwrap_err();
    assert!(error.to_string().contains("begun with another text"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_drop_goes_on_where_the_old_one_was_on_every_version() {
    join_all(servers().await.iter().map(dropped)).await;
}

async fn dropped(server: &Server) {
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    let pool = database.pool();
    let dropping = |up: &str| {
        let kept = migration(2, "Index").step(OLD, "DROP INDEX CONCURRENTLY i");
        [create(1, "a"), kept, migration(3, "D").step(up, "CREATE INDEX CONCURRENTLY i ON a (v)")]
    };
    let old = "DROP INDEX CONCURRENTLY i";
    migrator(dropping(old)).run(&pool).await.unwrap();
    let acts_on = serde_json::json!({
        "sql": old, "was_there": false, "target": {"action": "drop index", "schema": null, "name": "i", "table": null},
    });
    let begun = format!(
        "UPDATE migrate.migrations SET state = 'applying' WHERE version = 3; UPDATE migrate.steps SET state = 'started', \
         under_way = true, up = '{old}', acts_on = '{acts_on}' WHERE version = 3"
    );
    client.batch_execute(&begun).await.unwrap();
    migrator(dropping("DROP INDEX CONCURRENTLY IF EXISTS i")).run(&pool).await.unwrap();

    // One that drops another index instead cannot bring this one back.
    client.batch_execute(&begun).await.unwrap();
    let error = migrator(dropping("DROP INDEX CONCURRENTLY j")).run(&pool).await.unwrap_err();
    assert!(error.to_string().contains("begun with another text"), "{error}");
    // Where the old one did nothing, it does not matter.
    client.batch_execute("CREATE INDEX i ON a (v); CREATE INDEX j ON a (id)").await.unwrap();
    migrator(dropping("DROP INDEX CONCURRENTLY j")).run(&pool).await.unwrap();
    assert_ne!(index_of(&client, "i").await, "none");
    assert_eq!(index_of(&client, "j").await, "none");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_there_before_is_not_this_step_s() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    client.batch_execute("CREATE INDEX i ON a (id)").await.unwrap();
    let error = migrator(indexed(OLD)).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recovery, "{error}");
    assert!(error.to_string().contains("this step did not make it"), "{error}");
    // It was not begun, so that no later run takes that index for its own, and no undo drops it.
    assert_eq!(value(&client, "SELECT count(*) FROM migrate.steps WHERE version = 2 AND step = 2").await, "0");
    migrator(indexed(OLD)).undo(1, &pool).await.unwrap();
    assert!(!has_column(&client, "a", "w").await);
    assert_eq!(index_of(&client, "i").await, "CREATE INDEX i ON public.a USING btree (id)");

    // IF NOT EXISTS builds none; and one that was interrupted has none to take back, nor to make way for another.
    let kept = "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (v)";
    migrator(indexed(kept)).run(&pool).await.unwrap();
    assert_eq!(value(&client, "SELECT acts_on->>'was_there' FROM migrate.steps WHERE step = 2").await, "NULL");
    under_way(&client, kept, "i", true).await;
    migrator(indexed(kept)).undo(1, &pool).await.unwrap();
    assert_eq!(index_of(&client, "i").await, "CREATE INDEX i ON public.a USING btree (id)");
    assert!(!has_column(&client, "a", "w").await);

    // Under another relation's name IF NOT EXISTS would do nothing and say nothing.
    client.batch_execute("DROP INDEX i; CREATE TABLE i (n int)").await.unwrap();
    let error = migrator(indexed(kept)).run(&pool).await.unwrap_err();
    assert!(error.to_string().contains("pass over the build in silence"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_runs_downs_only_for_what_stands_on_every_version() {
    join_all(servers().await.iter().map(taken_back)).await;
}

async fn taken_back(server: &Server) {
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    let pool = database.pool();
    // A build that fails is cleaned up; its down, which would drop another's index, is not for it.
    let unique = || indexed("CREATE UNIQUE INDEX CONCURRENTLY i ON a (v)");
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    client.batch_execute("INSERT INTO a VALUES (1, 'x'), (2, 'x')").await.unwrap();
    assert_eq!(migrator(unique()).run(&pool).await.unwrap_err().sqlstate(), Some("23505"));
    client.batch_execute("CREATE INDEX i ON a (id)").await.unwrap();
    migrator(unique()).undo(1, &pool).await.unwrap();
    assert_eq!(index_of(&client, "i").await, "CREATE INDEX i ON public.a USING btree (id)");
    assert!(!has_column(&client, "a", "w").await);
    client.batch_execute("DROP INDEX i").await.unwrap();

    // One whose end nobody saw is looked at: not there, half there, there.
    for (left, there) in [
        ("DROP INDEX i", false),
        ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass", true),
        ("SELECT 1", true),
    ] {
        migrator(indexed(OLD)).run(&pool).await.unwrap();
        under_way(&client, OLD, "i", false).await;
        client.batch_execute(left).await.unwrap();
        assert_eq!(index_of(&client, "i").await != "none", there);
        migrator(indexed(OLD)).undo(1, &pool).await.unwrap_or_else(|error| panic!("{left}: {error}"));
        assert_eq!(index_of(&client, "i").await, "none", "{left}");
        assert!(!has_column(&client, "a", "w").await);
        assert_eq!(value(&client, "SELECT count(*) FROM migrate.migrations").await, "1");
    }

    // A step that never began has nothing to take back, not even a gate to pass.
    migrator(indexed(OLD)).run(&pool).await.unwrap();
    client
        .batch_execute(
            "UPDATE migrate.migrations SET state = 'applying' WHERE version = 2; \
             DELETE FROM migrate.steps WHERE version = 2 AND step = 2; DROP INDEX i; CREATE INDEX i ON a (id)",
        )
        .await
        .unwrap();
    migrator(indexed(OLD)).undo(1, &pool).await.unwrap();
    assert_ne!(index_of(&client, "i").await, "none");
    assert!(has_table(&client, "a").await);
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_undone_step_wants_the_down_that_began_it() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let all = |down: &str| {
        [create(1, "a"), migration(2, "Index").step(OLD, down).step("ALTER TABLE a ADD COLUMN w text", "")]
    };
    let down = "DROP INDEX CONCURRENTLY i";
    migrator(all(down)).run(&pool).await.unwrap();
    client
        .batch_execute(
            "UPDATE migrate.migrations SET state = 'undoing' WHERE version = 2; UPDATE migrate.steps SET state = \
             'undoing', under_way = true WHERE version = 2 AND step = 1; UPDATE migrate.steps SET state = 'undone' \
             WHERE version = 2 AND step = 2; ALTER TABLE a DROP COLUMN w",
        )
        .await
        .unwrap();
    let error = migrator(all("DROP INDEX CONCURRENTLY IF EXISTS i")).run(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recovery, "{error}");
    assert!(error.to_string().contains("taken back by another down"), "{error}");
    migrator(all(down)).run(&pool).await.unwrap();
    assert_ne!(index_of(&client, "i").await, "none");
    assert!(has_column(&client, "a", "w").await);
}

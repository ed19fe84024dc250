//! Backfills as an operator meets them: two shapes kept alike, other sessions that pause and cancel, workers, and what is
//! made way for.

#![allow(missing_docs, reason = "a history for a test")]

#[path = "backfill/pace.rs"]
mod pace;
#[path = "backfill/rows.rs"]
mod rows;
mod support;

use migrate_pg::prelude::*;
use migrate_pg::testing::{self, Binaries, Server};
use migrate_pg::{BackfillProgress, Event};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{assert_clean, events, value};
use tokio_postgres::Client;

#[derive(Migration)]
#[migration(version = 1, phase = Expand, lock = None)]
#[step(up = r#"CREATE TABLE "Shop Users" (id bigint PRIMARY KEY, "Full Name" text, note text)"#, down = derived)]
pub struct CreateUsers;

#[derive(Migration)]
#[migration(version = 2, phase = Expand, lock = AccessExclusive)]
#[step(up = r#"ALTER TABLE "Shop Users" ADD COLUMN first_name text, ADD COLUMN found json"#, down = derived)]
pub struct AddNames;

/// `found` is also a variable of PL/pgSQL, and `json` has no equality.
#[derive(Migration)]
#[migration(version = 3, phase = Expand, lock = ShareRowExclusive)]
#[sync(table = r#""Shop Users""#, old = r#""Full Name""#, new = "first_name, found",
       forward = [r#"split_part("Full Name", ' ', 1)"#, r#"to_json(substr("Full Name", strpos("Full Name", ' ') + 1))"#],
       backward = r#"concat_ws(' ', first_name, found #>> '{}')"#)]
pub struct SyncNames;

#[derive(Migration)]
#[migration(version = 4, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = r#""Shop Users""#, key = "id", batch = 100, read = r#""Full Name""#, write = "first_name",
           filter = r#"first_name IS NULL AND "Full Name" IS NOT NULL"#, down = keep("goes with the column"))]
pub struct SplitNames;

impl RowBackfill for SplitNames {
    type In = (String,);
    type Out = (String,);

    fn convert(&self, (full_name,): Self::In) -> Result<Self::Out, RowError> {
        Ok((full_name.split(' ').next().unwrap_or_default().to_owned(),))
    }
}

#[derive(Migration)]
#[migration(version = 5, phase = Contract, lock = AccessExclusive)]
#[sync(drop, table = r#""Shop Users""#, old = r#""Full Name""#, new = "first_name, found",
       forward = [r#"split_part("Full Name", ' ', 1)"#, r#"to_json(substr("Full Name", strpos("Full Name", ' ') + 1))"#],
       backward = r#"concat_ws(' ', first_name, found #>> '{}')"#)]
pub struct UnsyncNames;

migrations! { pub fn history() = [CreateUsers, AddNames, SyncNames, SplitNames, UnsyncNames] }
migrations! { pub fn before() = [CreateUsers] }

async fn row(client: &Client, id: i32) -> String {
    let sql = format!(
        "SELECT concat_ws('|', coalesce(\"Full Name\", '-'), coalesce(first_name, '-'), coalesce(found #>> '{{}}', '-'), note) \
         FROM \"Shop Users\" WHERE id = {id}"
    );
    value(client, &sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_shapes_are_kept_alike_on_every_server() {
    for binaries in Binaries::find_all().unwrap() {
        let server = Server::builder().binaries(binaries).start().await.unwrap();
        let database = server.database().await.unwrap();
        let client = database.connect().await;
        let migrator = Migrator::new(history());
        Migrator::new(before()).run(database.config()).await.unwrap();
        client.batch_execute(r#"INSERT INTO "Shop Users" VALUES (1, 'Ada  Lovelace'), (2, NULL)"#).await.unwrap();
        migrator.run(database.config()).await.unwrap();

        // Whoever writes one shape writes the other, and who writes both is left alone.
        client
            .batch_execute(
                r#"INSERT INTO "Shop Users" (id, "Full Name") VALUES (3, 'Alan Turing'), (4, NULL);
                   INSERT INTO "Shop Users" (id, first_name, found) VALUES (5, 'Grace', '"Hopper"');
                   INSERT INTO "Shop Users" (id, "Full Name", first_name) VALUES (6, 'both', 'sides')"#,
            )
            .await
            .unwrap();
        for (id, expected) in
            [(3, "Alan Turing|Alan|Turing"), (4, "-|-|-"), (5, "Grace Hopper|Grace|Hopper"), (6, "both|sides|-")]
        {
            assert_eq!(row(&client, id).await, expected, "PostgreSQL {}", server.major());
        }
        client
            .batch_execute(
                r#"UPDATE "Shop Users" SET "Full Name" = 'Kurt Gödel' WHERE id = 3;
                   UPDATE "Shop Users" SET first_name = 'Admiral' WHERE id = 5;
                   UPDATE "Shop Users" SET note = 'n', found = found WHERE id = 6;
                   INSERT INTO "Shop Users" (id, "Full Name") VALUES (4, 'Emmy Noether')
                     ON CONFLICT (id) DO UPDATE SET "Full Name" = EXCLUDED."Full Name""#,
            )
            .await
            .unwrap();
        for (id, expected) in [
            (3, "Kurt Gödel|Kurt|Gödel"),
            (5, "Admiral Hopper|Admiral|Hopper"),
            (6, "both|sides|-|n"),
            (4, "Emmy Noether|Emmy|Noether"),
        ] {
            assert_eq!(row(&client, id).await, expected, "PostgreSQL {}", server.major());
        }

        // The names in its expressions are those that the migration meant, whatever the client's search_path says.
        client
            .batch_execute(
                r#"CREATE SCHEMA evil; CREATE FUNCTION evil.split_part(text, text, int) RETURNS text LANGUAGE sql AS $$SELECT 'evil'$$;
                   SET search_path = evil, pg_catalog, public;
                   UPDATE "Shop Users" SET "Full Name" = 'Sofia Kowalewskaja' WHERE id = 3; RESET search_path"#,
            )
            .await
            .unwrap();
        assert_eq!(row(&client, 3).await, "Sofia Kowalewskaja|Sofia|Kowalewskaja");

        // The backfill's own writes are left alone: two spaces stay two. What another trigger writes because of it is not.
        client
            .batch_execute(
                r#"CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS
                   $$ BEGIN UPDATE "Shop Users" SET "Full Name" = 'Mary Somerville' WHERE id = 2; RETURN NULL; END $$;
                   CREATE TRIGGER other AFTER UPDATE OF first_name ON "Shop Users" FOR EACH ROW WHEN (NEW.id = 1)
                   EXECUTE FUNCTION other();
                   CREATE TRIGGER elsewhere AFTER UPDATE OF note ON "Shop Users" FOR EACH ROW EXECUTE FUNCTION other()"#,
            )
            .await
            .unwrap();
        let plan = migrator.plan(Phase::Migrate, database.config()).await.unwrap();
        assert_eq!(plan.fires[0].triggers, ["other"], "not one on another column, nor ours");
        assert!(plan.to_string().contains("fires other"), "{plan}");
        let fired = Arc::new(Mutex::new(Vec::new()));
        let seen = fired.clone();
        let telling = migrator.clone().on_event(move |event| {
            if let Event::BackfillFires { triggers, .. } = event {
                seen.lock().unwrap().extend(triggers.clone());
            }
        });
        telling.run_through(Phase::Migrate, database.config()).await.unwrap();
        assert_eq!(*fired.lock().unwrap(), ["other"]);
        assert_eq!(row(&client, 1).await, "Ada  Lovelace|Ada|-", "PostgreSQL {}", server.major());
        assert_eq!(row(&client, 2).await, "Mary Somerville|Mary|Somerville", "PostgreSQL {}", server.major());

        let triggers = "SELECT count(*) FROM pg_trigger t, pg_proc p WHERE p.oid = t.tgfoid AND tgname LIKE 'zz!_migrate!_%' ESCAPE '!' AND proname = tgname";
        assert_eq!(value(&client, triggers).await, "1");
        migrator.run_through(Phase::Contract, database.config()).await.unwrap();
        assert_eq!(value(&client, triggers).await, "0");
        assert_eq!(value(&client, "SELECT count(*) FROM pg_proc WHERE proname LIKE 'zz%'").await, "0");
        migrator.undo(1, database.config()).await.unwrap();
        assert_eq!(value(&client, triggers).await, "1");
        client.batch_execute(r#"UPDATE "Shop Users" SET "Full Name" = 'Hedy Lamarr' WHERE id = 3"#).await.unwrap();
        assert_eq!(row(&client, 3).await, "Hedy Lamarr|Hedy|Lamarr");
        migrator.down_to(2, database.config()).await.unwrap();
        assert_eq!(value(&client, "SELECT count(*) FROM pg_proc WHERE proname LIKE 'zz%'").await, "0");
        assert_clean(&client).await;
    }
}

mod wrong {
    use super::*;

    #[derive(Migration)]
    #[migration(version = 3, phase = Expand, lock = ShareRowExclusive)]
    #[sync(
        table = r#""Shop Users""#,
        old = r#""Full Name""#,
        new = "first_name",
        forward = r#"splitt_part("Full Name", ' ', 1)"#,
        backward = "first_name"
    )]
    pub struct SyncNames;

    migrations! {
        proof = never("it is wrong on purpose");
        pub fn history() = [CreateUsers, AddNames, SyncNames]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expression_that_means_nothing_never_reaches_the_clients() {
    let database = testing::database().await;
    let client = database.connect().await;
    let error = Migrator::new(wrong::history()).run(database.pool()).await.unwrap_err();
    assert_eq!((error.sqlstate(), error.step()), (Some("42883"), Some(1)), "{error}");
    assert_eq!(value(&client, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zz%'").await, "0");
    assert_clean(&client).await;
}

#[derive(Migration)]
#[migration(version = 11, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE items (id uuid PRIMARY KEY, price text, cents int, touched int NOT NULL DEFAULT 0)", down = derived)]
pub struct CreateItems;

#[derive(Migration)]
#[migration(version = 12, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(
    table = "items",
    key = "id",
    batch = 100,
    set = "cents = price::int * 100, touched = touched + 1",
    filter = "cents IS NULL AND price IS NOT NULL",
    down = "UPDATE items SET cents = NULL, touched = touched - 1 WHERE cents::text = price || '00'"
)]
pub struct FillCents;

migrations! { pub fn items() = [CreateItems, FillCents] }

const ROWS: u32 = 5_000;

async fn items_table(client: &Client, migrator: &Migrator, source: impl Into<Source>) {
    migrator.run(source).await.unwrap();
    let rows = format!(
        "INSERT INTO items SELECT md5(n::text)::uuid, n::text FROM generate_series(1, {ROWS}) n; ANALYZE items"
    );
    client.batch_execute(&rows).await.unwrap();
}

async fn filled(client: &Client) -> u32 {
    value(client, "SELECT count(*) FROM items WHERE cents = price::int * 100 AND touched = 1").await.parse().unwrap()
}

async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is().await {
        assert!(began.elapsed() < Duration::from_mins(1), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What a run tells, in short.
fn told() -> (Arc<Mutex<Vec<String>>>, impl Fn(&Event) + Send + Sync + 'static) {
    let all = Arc::new(Mutex::new(Vec::new()));
    let seen = all.clone();
    (all, move |event: &Event| {
        let text = match event {
            Event::Backfill { .. } => "batch".to_owned(),
            Event::BackfillPaused { .. } => "paused".to_owned(),
            Event::BackfillResumed { .. } => "resumed".to_owned(),
            Event::BackfillHeld { why, .. } => format!("held: {why}"),
            Event::BackfillSlowed { why, .. } => format!("slowed: {why}"),
            Event::BackfillBlind { what, .. } => format!("blind: {what}"),
            Event::RowSkipped { key, reason, .. } => format!("skipped {key}: {reason}"),
            _ => return,
        };
        seen.lock().unwrap().push(text);
    })
}

fn count(told: &Mutex<Vec<String>>, start: &str) -> usize {
    told.lock().unwrap().iter().filter(|text| text.starts_with(start)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_session_pauses_resumes_and_cancels() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let migrator = Migrator::new(items());
    assert_eq!(migrator.pause(&pool).await.unwrap(), [], "there is not even a ledger");
    items_table(&client, &migrator, &pool).await;
    assert_eq!(migrator.cancel_backfill(&pool).await.unwrap(), [], "nothing is under way");

    let (told, tell) = told();
    // Slow enough to be caught in between.
    let slow = AtomicBool::new(false);
    let pace = Pace::default().throttle(move |_| {
        slow.fetch_xor(true, Ordering::Relaxed).then_some(()).map_or(Some(Duration::from_millis(5)), |()| None)
    });
    let running = migrator.clone().pace(pace).on_event(tell);
    let run = tokio::spawn({
        let (running, pool) = (running.clone(), pool.clone());
        async move { running.run_through(Phase::Migrate, &pool).await }
    });
    until("a batch", async || count(&told, "batch") > 2).await;
    assert_eq!(migrator.pause(&pool).await.unwrap(), [(Version::new(12), 1)]);
    assert_eq!(migrator.pause(&pool).await.unwrap(), [], "it is asked for already");
    until("the pause", async || count(&told, "paused") == 1).await;
    let before = filled(&client).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(filled(&client).await, before, "nothing moves");
    assert!(before < ROWS);
    assert_eq!(migrator.resume(&pool).await.unwrap(), [(Version::new(12), 1)]);
    until("the end of the pause", async || count(&told, "resumed") == 1 && filled(&client).await > before).await;
    assert_eq!(migrator.cancel_backfill(&pool).await.unwrap(), [(Version::new(12), 1)]);
    let error = run.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    assert!(filled(&client).await < ROWS);

    // A pause outlives the run that it was asked of; and a run that is stopped while it is paused stops.
    client.batch_execute("UPDATE migrate.steps SET asked = 'pause' WHERE version = 12").await.unwrap();
    let handle = running.run_through(Phase::Migrate, &pool);
    let stopper = handle.stopper();
    let run = tokio::spawn(handle);
    until("the pause", async || count(&told, "paused") == 2).await;
    stopper.stop();
    assert_eq!(run.await.unwrap().unwrap_err().kind(), ErrorKind::Stopped);
    migrator.resume(&pool).await.unwrap();
    migrator.run_through(Phase::Migrate, &pool).await.unwrap();
    assert_eq!(filled(&client).await, ROWS);
    assert_eq!(
        events(&client).await,
        "applied 11, begun 12, backfill pause asked 12, backfill paused 12, backfill resume asked 12, backfill resumed 12, \
         backfill cancel asked 12, backfill cancelled 12, resumed 12, backfill paused 12, backfill resume asked 12, resumed 12, \
         applied 12"
    );
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_filled_is_the_operators_choice() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let migrator = Migrator::new(items());
    items_table(&client, &migrator, &pool).await;
    client.batch_execute("UPDATE items SET price = 'secret ' || price WHERE price IN ('77', '4000')").await.unwrap();
    let error = migrator.run_through(Phase::Migrate, &pool).await.unwrap_err();
    let key = error.to_string();
    assert!(
        error.kind() == ErrorKind::Backfill && key.contains("with key (") && key.contains("SQLSTATE 22P02"),
        "{error}"
    );
    assert!(!key.contains("secret"), "{error}");
    let logged = value(&client, "SELECT string_agg(details::text, ' ') FROM migrate.events").await;
    assert!(logged.contains("22P02") && !logged.contains("secret"), "{logged}");
    let (told, tell) = told();
    let report =
        migrator.clone().bad_rows(BadRows::Skip).on_event(tell).run_through(Phase::Migrate, &pool).await.unwrap();
    assert_eq!(report.applied[0].skipped, 2, "{report}");
    assert_eq!(count(&told, "skipped "), 2);
    assert_eq!(filled(&client).await, ROWS - 2);
    let skipped = "SELECT count(*) FROM migrate.skipped_rows s JOIN items i ON i.id::text = s.key->>0
                   WHERE i.price LIKE 'secret %' AND s.reason = 'SQLSTATE 22P02'";
    assert_eq!(value(&client, skipped).await, "2");
    migrator.undo(1, &pool).await.unwrap();
    assert_eq!(value(&client, "SELECT count(*) FROM migrate.skipped_rows").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_the_table_and_leave_no_row_out() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let crowd = Migrator::new(items()).application_name("crew").pace(Pace::default().workers(4));
    items_table(&client, &crowd, &pool).await;

    // Killed over and over, in whatever worker: what is filled stays filled, and nothing is filled twice.
    let mut runs = 0;
    let most = Arc::new(Mutex::new(0));
    loop {
        runs += 1;
        let batches = Arc::new(Mutex::new(Vec::<BackfillProgress>::new()));
        let seen = batches.clone();
        let telling = crowd.clone().on_event(move |event| {
            if let Event::Backfill { progress, .. } = event {
                seen.lock().unwrap().push(*progress);
            }
        });
        let run = tokio::spawn({
            let pool = pool.clone();
            async move { telling.run_through(Phase::Migrate, &pool).await }
        });
        until("some batches, or the end", async || {
            let crew = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crew' AND datname = current_database()";
            let crew: u32 = value(&client, crew).await.parse().unwrap();
            let mut most = most.lock().unwrap();
            *most = crew.max(*most);
            batches.lock().unwrap().len() >= 8 || run.is_finished()
        })
        .await;
        if runs <= 3 {
            // One of the workers; the session of the lease is the oldest.
            let victim = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'crew'
                          AND datname = current_database() ORDER BY backend_start DESC LIMIT 1";
            client.batch_execute(victim).await.unwrap();
        }
        match run.await.unwrap() {
            Ok(report) => {
                assert_eq!(report.applied.len(), 1);
                break;
            }
            Err(error) => assert!(runs <= 3, "{error}"),
        }
        assert_eq!(value(&client, "SELECT count(*) FROM items WHERE touched > 1").await, "0");
    }
    assert_eq!(filled(&client).await, ROWS);
    assert!(*most.lock().unwrap() > 2, "workers at a time: {most:?}");
    assert_eq!(value(&client, "SELECT rows FROM migrate.steps WHERE version = 12").await, ROWS.to_string());
    assert_eq!(value(&client, "SELECT count(*) FROM migrate.ranges").await, "0");
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_statistics_is_walked_by_one_worker_and_said_to_be() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let (told, tell) = told();
    let migrator = Migrator::new(items()).pace(Pace::default().workers(4)).on_event(tell);
    migrator.run(&pool).await.unwrap();
    client
        .batch_execute(
            "ALTER TABLE items SET (autovacuum_enabled = off);
                        INSERT INTO items SELECT md5(n::text)::uuid, n::text FROM generate_series(1, 300) n",
        )
        .await
        .unwrap();
    migrator.run_through(Phase::Migrate, &pool).await.unwrap();
    assert_eq!(filled(&client).await, 300);
    assert_eq!(count(&told, "blind: how the key is distributed"), 1, "{told:?}");
}

//! Taking back: in reverse, gated where rows would go, refused where there is no way back.

mod support;

use migrate_pg::gate::{BoxFuture, Direction};
use migrate_pg::model::{Backup, Phase, Version};
use migrate_pg::prelude::{Gate, GateContext, GateError, Receipt};
use migrate_pg::{ErrorKind, Event, LockSchedule, Migrator, testing};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{add, assert_clean, create, events, has_column, has_table, migration, migrator, value};

/// A gate that notes what it is asked.
#[derive(Clone, Default)]
struct Noted {
    asked: Arc<Mutex<Vec<String>>>,
    refuses: bool,
}

impl Gate for Noted {
    fn name(&self) -> &'static str {
        "noted"
    }

    fn provides(&self) -> Option<Backup> {
        Some(Backup::Dump)
    }

    fn preflight<'a>(&'a self, ctx: &'a GateContext<'a>) -> BoxFuture<'a, Result<(), GateError>> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(format!("preflight {} {}", ctx.version, ctx.direction.name()));
            if self.refuses { Err(GateError::refused("the disk is full")) } else { Ok(()) }
        })
    }

    fn pass<'a>(&'a self, ctx: &'a GateContext<'a>) -> BoxFuture<'a, Result<Receipt, GateError>> {
        Box::pin(async move {
            let loss = ctx.losses.iter().map(|loss| loss.relation).collect::<Vec<_>>().join(",");
            let up = ctx.direction == Direction::Up;
            self.asked.lock().unwrap().push(format!("pass {} {} {loss}", ctx.version, if up { "up" } else { "down" }));
            Ok(Receipt { kind: "note".to_owned(), json: serde_json::json!({"of": loss}) })
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_applied_is_taken_back_first() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool_of(1);
    let contract = migration(2, "Later")
        .step("ALTER TABLE b ALTER COLUMN v SET NOT NULL", "ALTER TABLE b ALTER COLUMN v DROP NOT NULL");
    let all = [create(0, "b"), create(1, "a"), contract.phase(Phase::Contract), add(3, "a", "x")];
    let migrator = migrator(all);
    migrator.run(&pool).await.unwrap();
    migrator.run_through(Phase::Contract, &pool).await.unwrap();
    assert_eq!(events(&client).await, "applied 0, applied 1, applied 3, applied 2");

    let report = migrator.undo(2, &pool).await.unwrap();
    let undone: Vec<_> = report.undone.iter().map(|done| done.version.get()).collect();
    assert_eq!(undone, [2, 3]);
    assert!(!has_column(&client, "a", "x").await);
    assert_eq!(value(&client, "SELECT count(*) FROM migrate.migrations").await, "2");
    assert!(report.to_string().contains("undone"), "{report}");

    assert_eq!(migrator.run(&pool).await.unwrap().applied.len(), 1);
    let report = migrator.redo(&pool).await.unwrap();
    assert_eq!((report.undone[0].version, report.applied[0].version), (Version::new(3), Version::new(3)));
    assert!(has_column(&client, "a", "x").await);
    // What was held back before stays in order.
    assert_eq!(migrator.run_through(Phase::Contract, &pool).await.unwrap().applied.len(), 1);

    let report = migrator.down_to(0, &pool).await.unwrap();
    assert_eq!(report.undone.len(), 3);
    assert!(!has_table(&client, "a").await && has_table(&client, "b").await);
    assert_eq!(migrator.undo(9, &pool).await.unwrap().undone.len(), 1);
    assert!(migrator.undo(1, &pool).await.unwrap().undone.is_empty());
    assert_eq!(migrator.run_through(Phase::Contract, &pool).await.unwrap().applied.len(), 4);
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stepwise_ones_are_taken_back_step_by_step() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let all = [
        create(1, "a"),
        migration(2, "Both")
            .step("ALTER TABLE a ADD COLUMN x text", "ALTER TABLE a DROP COLUMN x")
            .step("CREATE INDEX CONCURRENTLY i ON a (x)", "DROP INDEX CONCURRENTLY IF EXISTS i"),
    ];
    let migrator = migrator(all);
    migrator.run(&pool).await.unwrap();
    let blocker = database.connect().await;
    // The second down cannot have its lock; the first is done and recorded.
    blocker.batch_execute("BEGIN; SELECT FROM migrate.ledger").await.unwrap();
    let holder = database.connect().await;
    holder.batch_execute("CREATE VIEW on_x AS SELECT x FROM a").await.unwrap();
    blocker.batch_execute("COMMIT").await.unwrap();
    let error = migrator.undo(1, &pool).await.unwrap_err();
    assert_eq!((error.sqlstate(), error.step()), (Some("2BP01"), Some(1)));
    assert!(error.to_string().contains("step 1 (down)"), "{error}");
    assert_eq!(value(&client, "SELECT state FROM migrate.migrations WHERE version = 2").await, "undoing");
    assert_eq!(value(&client, "SELECT to_regclass('i') IS NULL").await, "t");
    holder.batch_execute("DROP VIEW on_x").await.unwrap();
    assert_eq!(migrator.undo(1, &pool).await.unwrap().undone.len(), 1);
    assert!(!has_column(&client, "a", "x").await);

    // An undo that did not end is finished by a run, too: forward.
    migrator.run(&pool).await.unwrap();
    holder.batch_execute("CREATE VIEW on_x AS SELECT x FROM a").await.unwrap();
    migrator.undo(1, &pool).await.unwrap_err();
    let report = migrator.run(&pool).await.unwrap();
    assert!(report.applied[0].resumed);
    assert_eq!(value(&client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass").await, "t");
    assert_eq!(value(&client, "SELECT string_agg(state, ',') FROM migrate.steps WHERE version = 2").await, "done,done");
    assert_clean(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_back_is_refused_before_anything_is() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    client.batch_execute("CREATE TYPE status AS ENUM ('a')").await.unwrap();
    let all = [migration(1, "Value").step("ALTER TYPE status ADD VALUE 'b'", "").irreversible(), create(2, "t")];
    let migrator = migrator(all);
    migrator.run(&pool).await.unwrap();
    let error = migrator.down_to(0, &pool).await.unwrap_err();
    assert_eq!((error.kind(), error.step()), (ErrorKind::Irreversible, Some(1)));
    assert!(has_table(&client, "t").await, "2 was not taken back either");
    let report = migrator.clone().allow_irreversible(true).down_to(0, &pool).await.unwrap();
    assert_eq!(report.undone.len(), 2);

    let unknown = support::migrator([create(3, "u")]);
    unknown.run(&pool).await.unwrap();
    let error = migrator.undo(1, &pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn destructive_ones_want_a_gate_before_any_step_of_the_plan() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let all = || {
        [
            create(1, "a"),
            migration(2, "Drop")
                .step("ALTER TABLE a DROP COLUMN v", "ALTER TABLE a ADD COLUMN v text")
                .destroys("a", Some("v")),
        ]
    };
    let error = migrator(all()).run_through(Phase::Contract, &pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GateMissing);
    assert!(error.to_string().contains("2 Drop") && error.to_string().contains("Dump"), "{error}");
    assert!(!has_table(&client, "a").await);
    // Held back, it needs none.
    migrator(all()).run(&pool).await.unwrap();

    let refusing = Noted { refuses: true, ..Noted::default() };
    let error = migrator(all()).gate(refusing).run_through(Phase::Contract, &pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gate);
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert!(has_column(&client, "a", "v").await);

    let gate = Noted::default();
    let report = migrator(all()).gate(gate.clone()).run_through(Phase::Contract, &pool).await.unwrap();
    assert_eq!(*gate.asked.lock().unwrap(), ["preflight 2 up", "pass 2 up a"]);
    assert_eq!(report.applied[0].receipts[0]["receipt"]["of"], "a");
    let kept =
        value(&client, "SELECT approval || ' ' || (receipts->0->>'kind') FROM migrate.migrations WHERE version = 2")
            .await;
    assert_eq!(kept, "NAME @ 0123456789abcdef note");

    // The down brings the column back and not what it held: that has to be asked for.
    let error = migrator(all()).gate(gate.clone()).undo(1, &pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataNotRestored);
    assert!(error.to_string().contains("schema_only(true)"), "{error}");
    assert!(!has_column(&client, "a", "v").await);
    migrator(all()).gate(gate).schema_only(true).undo(1, &pool).await.unwrap();
    assert!(has_column(&client, "a", "v").await);
}

/// The values that a backfill overwrites are in the gate's backup before the first batch.
#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_overwrites_passes_the_gate() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let all = || {
        [create(1, "a"), migration(2, "Fill").backfill("a", "v = $1", "v = 'old'", 10, "new").destroys("a", Some("v"))]
    };
    migrator(all()).run(&pool).await.unwrap();
    client.batch_execute("INSERT INTO a (id, v) VALUES (1, 'old'), (2, 'other')").await.unwrap();
    let error = migrator(all()).run_through(Phase::Contract, &pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GateMissing);
    assert_eq!(value(&client, "SELECT v FROM a WHERE id = 1").await, "old");
    let gate = Noted::default();
    migrator(all()).gate(gate.clone()).run_through(Phase::Contract, &pool).await.unwrap();
    assert_eq!(*gate.asked.lock().unwrap(), ["preflight 2 up", "pass 2 up a"]);
    assert_eq!(value(&client, "SELECT string_agg(v, ' ' ORDER BY id) FROM a").await, "new other");
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_of_what_was_written_since_passes_the_gates_and_of_what_is_empty_does_not() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let all = || [create(1, "a").down_destroys("a", None), add(2, "a", "x").down_destroys("a", Some("x"))];
    migrator(all()).run(&pool).await.unwrap();
    client.batch_execute("INSERT INTO a (id) VALUES (1)").await.unwrap();
    // The column is empty, the table is not.
    let error = migrator(all()).down_to(0, &pool).await.unwrap_err();
    assert_eq!((error.kind(), error.migration().unwrap().0), (ErrorKind::GateMissing, Version::new(1)));
    assert!(has_column(&client, "a", "x").await, "nothing was taken back");
    migrator(all()).undo(1, &pool).await.unwrap();
    migrator(all()).run(&pool).await.unwrap();
    client.batch_execute("UPDATE a SET x = 'written'").await.unwrap();
    assert_eq!(migrator(all()).undo(1, &pool).await.unwrap_err().kind(), ErrorKind::GateMissing);
    let gate = Noted::default();
    migrator(all()).gate(gate.clone()).down_to(0, &pool).await.unwrap();
    // Once the column is gone its rows are still the table's.
    assert_eq!(*gate.asked.lock().unwrap(), ["preflight 2 down", "preflight 1 down", "pass 2 down a", "pass 1 down a"]);
    assert!(!has_table(&client, "a").await);
    let receipts =
        "SELECT count(*) FROM migrate.events WHERE event = 'undone' AND jsonb_array_length(details->'receipts') = 1";
    assert_eq!(value(&client, receipts).await, "2");
}

/// The compiler takes `public` for what the SQL does not say, and the path may say otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn the_gates_look_along_the_search_path_and_do_not_pass_what_they_do_not_find() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    client.batch_execute("CREATE SCHEMA app").await.unwrap();
    let along = |all: Vec<support::Builder>| migrator(all).search_path("app, public");
    let first = || create(1, "orders").down_destroys("public.orders", None);
    along(vec![first()]).run(&pool).await.unwrap();
    client.batch_execute("INSERT INTO app.orders (id) VALUES (1)").await.unwrap();
    let error = along(vec![first()]).undo(1, &pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GateMissing, "{error}");
    assert!(has_table(&client, "app.orders").await);

    let gone = |sql: &str| {
        let last = migration(3, "Gone").step(sql, "").destroys("public.gone", None);
        let second =
            migration(2, "Drop").step("ALTER TABLE orders DROP COLUMN v", "ALTER TABLE orders ADD COLUMN v text");
        vec![first(), second.destroys("public.orders", Some("v")), last]
    };
    let gate = Noted::default();
    let run = |sql: &str| along(gone(sql)).gate(gate.clone());
    let error = run("DROP TABLE gone").run_through(Phase::Contract, &pool).await.unwrap_err();
    assert_eq!((error.kind(), error.step()), (ErrorKind::Gate, Some(1)), "{error}");
    assert!(error.to_string().contains("public.gone is to lose data, and is not there"), "{error}");
    assert_eq!(*gate.asked.lock().unwrap(), ["preflight 2 up", "preflight 3 up", "pass 2 up public.orders"]);
    run("DROP TABLE IF EXISTS gone").run_through(Phase::Contract, &pool).await.unwrap();
    assert_eq!(gate.asked.lock().unwrap().last().unwrap(), "pass 3 up public.gone");
    assert_clean(&client).await;
}

/// Somebody writes while the down waits for its lock, and lets go then.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_a_down_waits_is_not_dropped_without_a_gate() {
    for (stepwise, gated) in [(false, false), (false, true), (true, false), (true, true)] {
        let database = testing::database().await;
        let client = database.connect().await;
        let pool = database.pool();
        let gate = Noted::default();
        let (waits, mut waiting) = tokio::sync::mpsc::unbounded_channel();
        let all = || {
            let column = add(2, "a", "x").down_destroys("a", Some("x"));
            [create(1, "a").down_destroys("a", None), if stepwise { column.stepwise() } else { column }]
        };
        let patient =
            |migrator: Migrator| migrator.lock_schedule(LockSchedule::new(1, 100).pause(Duration::from_millis(50)));
        patient(migrator(all())).run(&pool).await.unwrap();
        client.batch_execute("INSERT INTO a (id) VALUES (1)").await.unwrap();
        client.batch_execute("BEGIN; SELECT FROM a").await.unwrap();
        let mut undoing = patient(migrator(all())).on_event(move |event| {
            if matches!(event, Event::Retry { .. }) {
                waits.send(()).unwrap();
            }
        });
        if gated {
            undoing = undoing.gate(gate.clone());
        }
        let undo = tokio::spawn({
            let pool = pool.clone();
            async move { undoing.undo(1, &pool).await }
        });
        waiting.recv().await.unwrap();
        client.batch_execute("UPDATE a SET x = 'written'; COMMIT").await.unwrap();
        let undone = undo.await.unwrap();
        let context = format!("stepwise {stepwise}, gated {gated}: {undone:?}");
        if gated {
            let receipts = &undone.unwrap().undone[0].receipts;
            assert_eq!((receipts.len(), &receipts[0]["direction"]), (1, &"down".into()), "{context}");
            assert_eq!(*gate.asked.lock().unwrap(), ["pass 2 down a"], "{context}");
            assert!(!has_column(&client, "a", "x").await, "{context}");
        } else {
            let error = undone.unwrap_err();
            assert_eq!((error.kind(), error.step()), (ErrorKind::GateMissing, Some(1)), "{context}");
            assert_eq!(value(&client, "SELECT x FROM a").await, "written", "{context}");
        }
        assert_clean(&client).await;
    }
}

/// Before the later step's down has run, nothing has the name that the earlier one's drops.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_down_renames_first_is_not_taken_for_empty() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let all = || {
        [migration(1, "Both")
            .step("CREATE TABLE b (id int)", "DROP TABLE b")
            .down_destroys("b", None)
            .step("ALTER TABLE b RENAME TO c", "ALTER TABLE c RENAME TO b")]
    };
    migrator(all()).run(&pool).await.unwrap();
    migrator(all()).undo(1, &pool).await.unwrap();
    migrator(all()).run(&pool).await.unwrap();
    client.batch_execute("INSERT INTO c VALUES (1)").await.unwrap();
    assert_eq!(migrator(all()).undo(1, &pool).await.unwrap_err().kind(), ErrorKind::GateMissing);
    let error = migrator(all()).gate(Noted::default()).undo(1, &pool).await.unwrap_err();
    assert_eq!((error.kind(), error.step()), (ErrorKind::Gate, Some(1)));
    assert!(error.to_string().contains("It had another name when the gate was asked"), "{error}");
    assert_eq!(value(&client, "SELECT count(*) FROM c").await, "1");
    assert_clean(&client).await;
}

/// A worker has a session of its own, and may be in the middle of a batch when the one that held the lease is gone.
#[tokio::test(flavor = "multi_thread")]
async fn the_workers_of_a_backfill_are_waited_for_before_it_is_taken_back() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let emptied = migrate_pg::model::Down::Sql(Vec::leak(vec![support::down_of("UPDATE a SET v = 'taken back'")]));
    let fill = move || {
        migration(2, "Fill").backfill("a", "v = $1", "v IS NULL", 10, "new").with(move |step| step.down = emptied)
    };
    migrator([create(1, "a")]).run(&pool).await.unwrap();
    client
        .batch_execute("ALTER TABLE a ADD CHECK (id <> 15 OR v IS DISTINCT FROM 'new'); INSERT INTO a SELECT generate_series(1, 20)")
        .await
        .unwrap();
    let error = migrator([create(1, "a"), fill()]).run_through(Phase::Migrate, &pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backfill, "{error}");
    client
        .batch_execute("INSERT INTO migrate.ranges (version, step, range, owner) VALUES (2, 1, 0, 'gone')")
        .await
        .unwrap();
    client.batch_execute("BEGIN; UPDATE migrate.ranges SET \"cursor\" = '[\"12\"]'").await.unwrap();
    let undo = tokio::spawn({
        let pool = pool.clone();
        async move { migrator([create(1, "a"), fill()]).undo(1, &pool).await }
    });
    let looker = database.connect().await;
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
                 AND query LIKE '%migrate\".ranges%')";
    while value(&looker, waits).await != "t" {
        assert!(!undo.is_finished(), "it waited for nobody: {:?}", undo.await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(value(&looker, "SELECT count(*) FROM a WHERE v = 'taken back'").await, "0");
    client.batch_execute("COMMIT").await.unwrap();
    undo.await.unwrap().unwrap();
    assert_eq!(value(&client, "SELECT count(*) FROM a WHERE v = 'taken back'").await, "20");
    assert_eq!(value(&client, "SELECT count(*) FROM migrate.ranges").await, "0");
    assert_clean(&client).await;
}

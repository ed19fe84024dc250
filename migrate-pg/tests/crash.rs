//! Runners that are processes: killed at every event, frozen and brought back, ended at random while others write, sixteen
//! at once. The next run converges to what an undisturbed one comes to, and nothing is left behind.

mod support;

use migrate_pg::model::Phase;
use migrate_pg::{ErrorKind, Event, Migrator, Pace};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use support::process::{self, die, say, start, wait_to_go_on};
use support::worlds::{self, World, assert_nothing_left, undisturbed};
use support::{Builder, assert_clean, create, events, migration, migrator, servers, value};
use tokio_postgres::Client;

/// How many processes are killed at a time.
const AT_ONCE: usize = 4;

/// The lease of a process that was killed is free a moment later.
const PATIENCE: Duration = Duration::from_mins(2);

/// Ends the session that holds the lease.
const END_HOLDER: &str = "SELECT count(pg_terminate_backend(pid)) FROM (SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) holders";

fn patient() -> Migrator {
    worlds::runner().lease_wait(PATIENCE)
}

/// What the processes do that the tests here start. In the test run itself it does nothing.
#[test]
fn runner() {
    let Some((task, url)) = process::task() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let words: Vec<&str> = task.split(',').collect();
    runtime.block_on(async {
        match *words.as_slice() {
            // Dies at the event of this number.
            [which @ ("die-up" | "die-down"), nth] => {
                let (nth, count) = (nth.parse::<usize>().unwrap(), AtomicUsize::new(0));
                let migrator = patient().on_event(move |_| {
                    if count.fetch_add(1, Ordering::SeqCst) == nth {
                        die();
                    }
                });
                if which == "die-up" {
                    migrator.run_through(Phase::Contract, url.as_str()).await.unwrap();
                } else {
                    migrator.down_to(0, url.as_str()).await.unwrap();
                }
                say("ended", "by itself");
            }
            // Waits at the begin of this step until it may go on.
            ["wait", version, step] => {
                let (version, step): (i64, usize) = (version.parse().unwrap(), step.parse().unwrap());
                let migrator = patient().on_event(move |event| match event {
                    Event::StepBegun { version: at, step: number, .. } if at.get() == version && *number == step => {
                        say("waiting", "");
                        wait_to_go_on();
                    }
                    _ => {}
                });
                let result = migrator.run_through(Phase::Contract, url.as_str()).await;
                say(
                    "result",
                    &result
                        .map_or_else(|error| format!("{:?}", error.kind()), |report| report.applied.len().to_string()),
                );
            }
            // Waits after the first batch of its workers until it may go on.
            ["stale"] => {
                let told = AtomicBool::new(false);
                let migrator =
                    migrator(crowd_plan("backfill")).pace(Pace::default().workers(2)).on_event(move |event| {
                        if matches!(event, Event::Backfill { .. }) && !told.swap(true, Ordering::SeqCst) {
                            say("waiting", "");
                            wait_to_go_on();
                        }
                    });
                let result = migrator.run_through(Phase::Migrate, url.as_str()).await;
                say(
                    "result",
                    &result.map_or_else(|error| format!("{:?} {error}", error.kind()), |_| "done".to_owned()),
                );
            }
            // One of many, which start when they are told; the one that is the first to have the lease may have to die.
            ["crowd", which, dying] => {
                let dying = std::path::PathBuf::from(dying);
                let migrator = migrator(crowd_plan(which)).lease_wait(PATIENCE).on_event(move |event| {
                    let leased = matches!(event, Event::LeaseTaken { .. });
                    if leased
                        && dying.parent().is_some_and(std::path::Path::exists)
                        && std::fs::File::create_new(&dying).is_ok()
                    {
                        die();
                    }
                });
                say("ready", "");
                wait_to_go_on();
                let report =
                    migrator.run_through(Phase::Migrate, url.as_str()).await.unwrap_or_else(|error| panic!("{error}"));
                say("result", &report.applied.len().to_string());
            }
            _ => panic!("no such task: {task}"),
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_any_event_is_followed_by_a_run_that_converges() {
    let servers = undisturbed().await;
    let mut kills = 0;
    for which in ["die-up", "die-down"] {
        let mut ended = false;
        for first in (0..).step_by(AT_ONCE) {
            assert!(first < 200, "it never ends");
            let batch = (first..first + AT_ONCE).map(|nth| {
                let on = &servers[nth % servers.len()];
                async move {
                    let after = format!("{which} at event {nth} on {}", on.server.major());
                    let database = if which == "die-up" { on.empty_database().await } else { on.full_database().await };
                    let mut child = start(&format!("{which},{nth}"), database.url());
                    if tokio::task::block_in_place(|| child.hear("ended")).is_some() {
                        return false;
                    }
                    assert!(!child.end(), "{after}: it was killed");
                    let expected = if which == "die-up" || nth % 2 == 1 {
                        let next = patient().run_through(Phase::Contract, database.config()).await;
                        next.unwrap_or_else(|error| panic!("{after}: {error}"));
                        &on.full
                    } else {
                        let next = patient().down_to(0, database.config()).await;
                        next.unwrap_or_else(|error| panic!("{after}: {error}"));
                        &on.empty
                    };
                    let client = database.connect().await;
                    expected.assert_same(&World::of(&client).await, &after);
                    assert_nothing_left(&client, &after).await;
                    true
                }
            });
            for killed in futures_util::future::join_all(batch).await {
                kills += usize::from(killed);
                ended |= !killed;
            }
            if ended {
                break;
            }
        }
    }
    assert!(kills >= 50, "{kills} kills");
    support::worlds::said(&format!("{kills} processes killed, each followed by a run or an undo that converged"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_runner_that_comes_back_does_nothing_more() {
    // Before a statement outside of a transaction, a transactional step, backfills.
    let steps = [(4, 1), (4, 2), (5, 1), (6, 1), (8, 1), (10, 1)];
    for ((version, step), on) in steps.into_iter().zip(undisturbed().await.iter().cycle()) {
        let after = format!("frozen before step {step} of {version} on {}", on.server.major());
        let database = on.empty_database().await;
        let client = database.connect().await;
        let mut frozen = start(&format!("wait,{version},{step}"), database.url());
        frozen.hear("waiting").expect("it comes to its step");
        frozen.signal("STOP");
        assert_eq!(value(&client, END_HOLDER).await, "1", "{after}");
        let other = patient().run_through(Phase::Contract, database.config()).await;
        other.unwrap_or_else(|error| panic!("{after}: {error}"));
        let before = events(&client).await;
        frozen.signal("CONT");
        frozen.go_on();
        assert_eq!(frozen.hear("result").as_deref(), Some("ConnectionLost"), "{after}");
        assert!(frozen.end());
        on.full.assert_same(&World::of(&client).await, &after);
        assert_eq!(events(&client).await, before, "{after}: it wrote nothing");
        assert_nothing_left(&client, &after).await;
    }
}

/// The workers of a backfill have sessions of their own, which live on when the one with the lease has ended.
#[tokio::test(flavor = "multi_thread")]
async fn workers_of_a_run_that_has_lost_its_lease_write_nothing_more() {
    let servers = servers().await;
    // The oldest and the newest, where there are several.
    for server in servers.iter().step_by(servers.len().saturating_sub(1).max(1)) {
        let database = server.database().await.unwrap();
        let client = database.connect().await;
        let mut before = crowd_plan("backfill");
        before.pop();
        migrator(before).run(database.config()).await.unwrap();
        client.batch_execute("ANALYZE a").await.unwrap();
        let mut stale = start("stale", database.url());
        stale.hear("waiting").expect("its first batch");
        stale.signal("STOP");
        let workers =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        assert_eq!(value(&client, workers).await, "3", "the lease's session and two workers");
        assert_eq!(value(&client, END_HOLDER).await, "1");
        let other = migrator(crowd_plan("backfill")).lease_wait(PATIENCE);
        other.run_through(Phase::Migrate, database.config()).await.unwrap_or_else(|error| panic!("{error}"));
        // There is something to fill again, for whoever would.
        client.batch_execute("UPDATE a SET x = NULL").await.unwrap();
        stale.signal("CONT");
        stale.go_on();
        let result = stale.hear("result").expect("it says how it ended");
        assert!(result.starts_with("Backfill ") || result.starts_with("ConnectionLost "), "{result}");
        assert!(stale.end());
        assert_eq!(value(&client, "SELECT count(*) FROM a WHERE x IS NOT NULL").await, "0", "{result}");
        assert_clean(&client).await;
    }
}

/// Numbers that look random and are always the same.
struct Seeded(u64);

impl Seeded {
    /// `SplitMix64`, Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators".
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Writes that change nothing in the end, until it is told to stop.
async fn load(client: Client, stop: Arc<AtomicBool>) -> usize {
    let mut done = 0;
    while !stop.load(Ordering::SeqCst) {
        // Before the table is there, and in the way of a lock, a transaction fails: that is the load's part.
        let sql = format!(
            "BEGIN; UPDATE a SET v = v WHERE id = {0}; INSERT INTO a (id, v) VALUES (-{0}, 'l'); DELETE FROM a WHERE id = -{0}; COMMIT",
            done % 250 + 1
        );
        if client.batch_execute(&sql).await.is_ok() {
            done += 1;
        } else {
            client.batch_execute("ROLLBACK").await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_ended_at_random_under_load_are_followed_by_runs_that_converge() {
    let seeds = if std::env::var_os("MIGRATE_FAULTS").is_some_and(|which| which == "all") { 40 } else { 6 };
    let (mut kills, mut writes) = (0, 0);
    for (seed, on) in (0..seeds).zip(undisturbed().await.iter().cycle()) {
        let database = on.empty_database().await;
        let client = database.connect().await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut loads = Vec::new();
        for _ in 0..2 {
            loads.push(tokio::spawn(load(database.connect().await, stop.clone())));
        }
        let mut random = Seeded(seed);
        for (direction, expected) in [("up", &on.full), ("down", &on.empty)] {
            // Ever longer, so that a run ends before it at last.
            for attempt in 1.. {
                assert!(attempt < 60, "seed {seed}, {direction}: it never ends");
                let config = database.config().clone();
                let runner = patient();
                let mut run = tokio::spawn(async move {
                    if direction == "up" {
                        runner.run_through(Phase::Contract, config).await.map(drop)
                    } else {
                        runner.down_to(0, config).await.map(drop)
                    }
                });
                let pause = Duration::from_millis(random.below(40 + 60 * attempt));
                let ended = match tokio::time::timeout(pause, &mut run).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        kills += value(&client, END_HOLDER).await.parse::<usize>().unwrap();
                        run.await
                    }
                };
                match ended.unwrap() {
                    Ok(()) => break,
                    Err(error) => {
                        let fair = matches!(error.kind(), ErrorKind::ConnectionLost | ErrorKind::LockTimeout);
                        assert!(fair, "seed {seed}, {direction}: {:?} {error}", error.kind());
                    }
                }
            }
            if direction == "down" {
                stop.store(true, Ordering::SeqCst);
                for load in loads.drain(..) {
                    writes += load.await.unwrap();
                }
            }
            let after = format!("seed {seed}, {direction}");
            if direction == "up" {
                // The load's rows are gone at the end of each of its transactions.
                client.batch_execute("BEGIN; LOCK TABLE a IN SHARE MODE").await.unwrap();
                let found = World::of(&database.connect().await).await;
                client.batch_execute("COMMIT").await.unwrap();
                expected.assert_same(&found, &after);
            } else {
                expected.assert_same(&World::of(&client).await, &after);
            }
        }
        assert_nothing_left(&client, &format!("seed {seed}")).await;
    }
    assert!(kills > 0 && writes > 0, "{kills} kills, {writes} writes");
    support::worlds::said(&format!(
        "{kills} backends ended at random under {writes} writing transactions, from {seeds} seeds"
    ));
}

fn crowd_plan(which: &str) -> Vec<Builder> {
    let rows = "INSERT INTO a SELECT n, 'v' FROM generate_series(1, 5000) n";
    let mut all = vec![create(1, "a"), migration(2, "Rows").step(rows, "DELETE FROM a")];
    if which != "start" {
        all.push(migration(3, "Column").step("ALTER TABLE a ADD COLUMN x text", "ALTER TABLE a DROP COLUMN x"));
    }
    match which {
        "index" => {
            all.push(migration(4, "Index").step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i"));
        }
        "backfill" => all.push(migration(4, "Fill").backfill("a", "x = $1", "x IS NULL", 500, "x")),
        _ => {}
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_processes_start_at_once() {
    let mut servers = servers().await.iter().cycle();
    for (which, pending, each) in [
        ("start", 2, "applied 1, applied 2"),
        ("index", 1, "begun 4, applied 4"),
        ("backfill", 1, "begun 4, applied 4"),
    ] {
        for dies in [false, true] {
            let server = servers.next().unwrap();
            let dying = if dies { "one dies" } else { "none dies" };
            let after = format!("{which}, {dying}, on {}", server.major());
            let database = server.database().await.unwrap();
            let client = database.connect().await;
            if which != "start" {
                let mut before = crowd_plan(which);
                before.pop();
                migrator(before).run(database.config()).await.unwrap();
                client.batch_execute("DELETE FROM migrate.events").await.unwrap();
            }
            let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
            let directory = std::env::temp_dir().join(format!("migrate-crowd-{}-{which}", std::process::id()));
            if dies {
                std::fs::create_dir_all(&directory).unwrap();
            }
            let task = format!("crowd,{which},{}", directory.join("dead").display());
            let mut crowd: Vec<_> = (0..16).map(|_| start(&task, database.url())).collect();
            for one in &mut crowd {
                one.hear("ready").expect("it starts");
            }
            for one in &mut crowd {
                one.go_on();
            }
            let (mut applied, mut dead) = (0, 0);
            for mut one in crowd {
                match one.hear("result") {
                    Some(count) => {
                        applied += count.parse::<usize>().unwrap();
                        assert!(one.end(), "{after}");
                    }
                    None => dead += 1,
                }
            }
            if dies {
                std::fs::remove_dir_all(&directory).unwrap();
            }
            assert_eq!((applied, dead), (pending, usize::from(dies)), "{after}");
            assert_eq!(events(&client).await, each, "{after}: each step ran once");
            assert_eq!(value(&client, deadlocks).await, "0", "{after}");
            assert_eq!(value(&client, "SELECT count(*) FROM pg_index WHERE NOT indisvalid").await, "0", "{after}");
            let filled = if which == "backfill" { "x = 'x'" } else { "true" };
            assert_eq!(value(&client, &format!("SELECT count(*) FROM a WHERE {filled}")).await, "5000", "{after}");
            assert_clean(&client).await;
        }
    }
}

//! A connection that is cut at every message of the protocol, between runner and server, of a plan that holds each kind of
//! step, up and down: the next run converges to what an undisturbed one comes to, and nothing is left behind.
//!
//! By default every so many messages are tried, beginning at a place that is always the same; `MIGRATE_FAULTS=all` tries
//! every one.

mod support;

use futures_util::StreamExt as _;
use migrate_pg::model::Phase;
use migrate_pg::testing::{self, TestDatabase};
use migrate_pg::{ErrorKind, Migrator};
use support::cutter::Cutter;
use support::migrator;
use support::worlds::{Open, World, assert_nothing_left, copy, every_kind};

/// Faults of each direction where not all are asked for.
const SAMPLED: usize = 60;

/// How many are tried at a time.
const AT_ONCE: usize = 4;

fn runner() -> Migrator {
    migrator(every_kind()).gate(Open)
}

/// What undisturbed runs come to.
struct Undisturbed {
    empty: World,
    full: World,
    /// A database with all of the plan applied, to copy.
    applied: TestDatabase,
}

async fn undisturbed() -> Undisturbed {
    let database = testing::database().await;
    let empty = {
        runner().run_through(Phase::Contract, database.config()).await.unwrap();
        runner().down_to(0, database.config()).await.unwrap();
        World::of(&database.connect().await).await
    };
    let applied = testing::database().await;
    runner().run_through(Phase::Contract, applied.config()).await.unwrap();
    let full = {
        let client = applied.connect().await;
        assert_nothing_left(&client, "undisturbed").await;
        World::of(&client).await
    };
    Undisturbed { empty, full, applied }
}

/// The messages to cut at, of so many.
fn places(messages: usize) -> Vec<usize> {
    let all = std::env::var_os("MIGRATE_FAULTS").is_some_and(|which| which == "all");
    (0..messages).step_by(if all { 1 } else { messages.div_ceil(SAMPLED) }).collect()
}

/// A run that was cut must say so, or have been past its last commit.
fn assert_lost<T: std::fmt::Debug>(result: Result<T, migrate_pg::Error>, after: &str) {
    if let Err(error) = result {
        let lost = matches!(error.kind(), ErrorKind::ConnectionLost | ErrorKind::Connect);
        assert!(lost, "{after}: {:?} {error}", error.kind());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_any_message_of_a_run_is_followed_by_one_that_converges() {
    let Undisturbed { full, .. } = undisturbed().await;
    let counted = testing::database().await;
    let cutter = Cutter::before(counted.config(), usize::MAX).await;
    runner().run_through(Phase::Contract, &cutter.config).await.unwrap();
    let messages = cutter.seen();
    let places = places(messages);
    let faults = futures_util::stream::iter(&places)
        .map(|&place| {
            let full = &full;
            async move {
                let after = format!("cut at message {place} of {messages}");
                let database = testing::database().await;
                let cutter = Cutter::before(database.config(), place).await;
                assert_lost(runner().run_through(Phase::Contract, &cutter.config).await, &after);
                let next = runner().run_through(Phase::Contract, database.config()).await;
                next.unwrap_or_else(|error| panic!("{after}: {error}"));
                let client = database.connect().await;
                full.assert_same(&World::of(&client).await, &after);
                assert_nothing_left(&client, &after).await;
                usize::from(cutter.has_cut())
            }
        })
        .buffer_unordered(AT_ONCE)
        .fold(0, |sum, one| std::future::ready(sum + one))
        .await;
    // The number of messages varies a little: a wait for the last ones may be longer or shorter than the first time.
    assert!(faults * 10 >= places.len() * 9, "{faults} of {}", places.len());
    println!("{faults} faults in the {messages} messages of a run, each followed by a run that converged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_any_message_of_an_undo_is_followed_by_an_undo_or_a_run_that_converges() {
    let Undisturbed { empty, full, applied } = undisturbed().await;
    let counted = copy(&applied).await;
    let cutter = Cutter::before(counted.config(), usize::MAX).await;
    runner().down_to(0, &cutter.config).await.unwrap();
    let messages = cutter.seen();
    let places = places(messages);
    // Nobody else may copy the template at the same time.
    let copying = tokio::sync::Mutex::new(());
    let faults = futures_util::stream::iter(places.iter().enumerate())
        .map(|(nth, &place)| {
            let (empty, full, applied, copying) = (&empty, &full, &applied, &copying);
            async move {
                let after = format!("cut at message {place} of {messages} of an undo");
                let database = {
                    let _guard = copying.lock().await;
                    copy(applied).await
                };
                let cutter = Cutter::before(database.config(), place).await;
                assert_lost(runner().down_to(0, &cutter.config).await, &after);
                // Half of the time the next is an undo, half of the time a run: both go on from what the ledger says.
                let expected = if nth % 2 == 0 {
                    runner().down_to(0, database.config()).await.unwrap_or_else(|error| panic!("{after}: {error}"));
                    empty
                } else {
                    let next = runner().run_through(Phase::Contract, database.config()).await;
                    next.unwrap_or_else(|error| panic!("{after}: {error}"));
                    full
                };
                let client = database.connect().await;
                expected.assert_same(&World::of(&client).await, &after);
                assert_nothing_left(&client, &after).await;
                usize::from(cutter.has_cut())
            }
        })
        .buffer_unordered(AT_ONCE)
        .fold(0, |sum, one| std::future::ready(sum + one))
        .await;
    assert!(faults * 10 >= places.len() * 9, "{faults} of {}", places.len());
    println!("{faults} faults in the {messages} messages of an undo, each followed by an undo or a run that converged");
}

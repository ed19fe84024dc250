//! A connection that is cut at every message of the protocol, between runner and server, of a plan that holds each kind of
//! step, up and down: the next run converges to what an undisturbed one comes to, and nothing is left behind.
//!
//! By default every so many messages are tried, beginning at a place that is always the same; `MIGRATE_FAULTS=all` tries
//! every one, and `MIGRATE_FAULTS=1500..1700` every one of these. Each is tried on one of the servers of all versions, in turn.

mod support;

use futures_util::StreamExt as _;
use migrate_pg::ErrorKind;
use migrate_pg::model::Phase;
use support::cutter::Cutter;
use support::worlds::{Undisturbed, World, assert_nothing_left, runner, undisturbed};

/// Faults of each direction where not all are asked for.
const SAMPLED: usize = 60;

/// How many are tried at a time: most of the time they wait.
const AT_ONCE: usize = 8;

/// The messages to cut at: each on one of the servers, in turn.
fn places(messages: &[usize]) -> Vec<(usize, usize)> {
    let longest = messages.iter().copied().max().unwrap_or(0);
    let (from, to, step) = match std::env::var("MIGRATE_FAULTS").as_deref() {
        Err(_) => (0, longest, longest.div_ceil(SAMPLED)),
        Ok("all") => (0, longest, 1),
        Ok(some) => {
            let place =
                |text: &str| text.parse::<usize>().unwrap_or_else(|error| panic!("MIGRATE_FAULTS={some}: {error}"));
            let (from, to) = some.split_once("..").unwrap_or_else(|| panic!("MIGRATE_FAULTS={some}: all, or from..to"));
            (place(from), place(to).min(longest), 1)
        }
    };
    let places = (from..to).step_by(step).enumerate().map(|(nth, place)| (nth % messages.len(), place));
    places.filter(|&(server, place)| place < messages[server]).collect()
}

/// A run that was cut must say so, or have been past its last commit.
fn assert_lost<T: std::fmt::Debug>(result: Result<T, migrate_pg::Error>, after: &str) {
    if let Err(error) = result {
        let lost = matches!(error.kind(), ErrorKind::ConnectionLost | ErrorKind::Connect);
        assert!(lost, "{after}: {:?} {error}", error.kind());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Run,
    Undo,
}

/// Runs or undoes all of the plan through a connection that is cut at this message. Hands back how many messages there were,
/// and whether it was cut.
async fn cut(which: Which, on: &Undisturbed, place: usize, next: Which, after: &str) -> (usize, bool) {
    let database = match which {
        Which::Run => on.empty_database().await,
        Which::Undo => on.full_database().await,
    };
    let cutter = Cutter::before(database.config(), place).await;
    let through = &cutter.config;
    match which {
        Which::Run => assert_lost(runner().run_through(Phase::Contract, through).await, after),
        Which::Undo => assert_lost(runner().down_to(0, through).await, after),
    }
    let expected = match next {
        Which::Run => {
            let next = runner().run_through(Phase::Contract, database.config()).await;
            next.unwrap_or_else(|error| panic!("{after}: {error}"));
            &on.full
        }
        Which::Undo => {
            runner().down_to(0, database.config()).await.unwrap_or_else(|error| panic!("{after}: {error}"));
            &on.empty
        }
    };
    let client = database.connect().await;
    expected.assert_same(&World::of(&client).await, after);
    assert_nothing_left(&client, after).await;
    (cutter.seen(), cutter.has_cut())
}

/// Says how many faults there were.
async fn cut_everywhere(which: Which) {
    let servers = undisturbed().await;
    let mut messages = Vec::new();
    for on in servers {
        messages.push(cut(which, on, usize::MAX, which, "undisturbed").await.0);
    }
    let places = places(&messages);
    let faults = futures_util::stream::iter(places.iter().enumerate())
        .map(|(nth, &(server, place))| {
            let on = &servers[server];
            // After an undo that was cut, half of the time the next is an undo, half of the time a run: both go on from what the
            // ledger says. The servers take turns, too.
            let next =
                if which == Which::Run || (nth + nth / servers.len()) % 2 == 1 { Which::Run } else { Which::Undo };
            let after = format!("{which:?} on {}, cut at message {place} of {}", on.server.major(), messages[server]);
            async move { usize::from(cut(which, on, place, next, &after).await.1) }
        })
        .buffer_unordered(AT_ONCE)
        .fold(0, |sum, one| std::future::ready(sum + one))
        .await;
    // The number of messages varies a little: a wait for the last ones may be longer or shorter than the first time.
    assert!(faults * 10 >= places.len() * 9, "{faults} of {}", places.len());
    let majors: Vec<_> = servers.iter().map(|on| on.server.major()).collect();
    support::worlds::said(&format!(
        "{which:?}: {faults} faults in the {messages:?} messages on PostgreSQL {majors:?}, each followed by what converged"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_any_message_of_a_run_is_followed_by_one_that_converges() {
    cut_everywhere(Which::Run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_any_message_of_an_undo_is_followed_by_an_undo_or_a_run_that_converges() {
    cut_everywhere(Which::Undo).await;
}

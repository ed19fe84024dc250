//! The pairs of `pair-corpus` proved on servers, on rows, as the third of the layers that hold a down against its up:
//! none of the wrong ones passes, and no right one is refused. `pair_layers` asks the two before it.
//!
//! By default one pair in three is proved on the installed server, and one in sixteen on one of 14 and 18; with
//! `MIGRATE_CORPUS=all` all of them on every server found, with `MIGRATE_CORPUS=none` none on any.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use migrate_pg::testing::{Binaries, Server};
use migrate_pg::verify::{Pair, PairProof};
use migrate_tests::{PairCase, pair_corpus};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Pairs that are proved at the same time.
const AT_ONCE: usize = 3;
/// One pair in so many on the installed server, and on the second.
const SAMPLES: [usize; 2] = [3, 16];

#[test]
fn servers_catch_every_wrong_pair_and_no_right_one() {
    let chosen = std::env::var("MIGRATE_CORPUS").unwrap_or_default();
    if chosen == "none" {
        println!("SKIPPED: MIGRATE_CORPUS=none");
        return;
    }
    let all = chosen == "all";
    let mut servers = Binaries::find_all().unwrap_or_default();
    servers.retain(|binaries| (14..=18).contains(&binaries.major()));
    let Ok(installed) = Binaries::find() else {
        println!("SKIPPED: no PostgreSQL server is installed");
        return;
    };
    let mut plan: Vec<(Binaries, usize)> = Vec::new();
    if all {
        plan.extend(servers.into_iter().map(|binaries| (binaries, 1)));
    } else {
        let other = servers
            .into_iter()
            .rev()
            .find(|other| [14, 18].contains(&other.major()) && other.major() != installed.major());
        plan.push((installed, SAMPLES[0]));
        plan.extend(other.map(|other| (other, SAMPLES[1])));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut wrong = Vec::new();
    for (binaries, step) in plan {
        let pg = binaries.major();
        let pairs: Vec<PairCase> = pair_corpus()
            .into_iter()
            .enumerate()
            .filter(|(at, pair)| pair.pg.contains(&pg) && at % step == 0)
            .map(|(_, pair)| pair)
            .collect();
        let started = std::time::Instant::now();
        let count = pairs.len();
        let (mut noted, mut left_out, before) = (0, 0, wrong.len());
        for (pair, proof) in runtime.block_on(proofs(binaries, pairs)) {
            let found = match proof {
                Ok(proof) => {
                    noted += usize::from(proof.notes.iter().any(|note| note.contains("tried on empty tables")));
                    if proof.reverses() == pair.reverses {
                        continue;
                    }
                    format!("{:?}", proof.differences)
                }
                // 0A000 and 58P01: an extension or a library that is not installed here.
                Err(error) if error.contains("0A000") || error.contains("58P01") => {
                    left_out += 1;
                    continue;
                }
                Err(error) => error,
            };
            let expected = if pair.reverses { "reverses" } else { "differs" };
            wrong.push(format!("PostgreSQL {pg} {}: {expected} is right, and {found}", pair.id));
        }
        println!(
            "PostgreSQL {pg}: {} of {count} pairs as expected in {:?}; {noted} on empty tables, {left_out} left out",
            count - left_out - (wrong.len() - before),
            started.elapsed()
        );
    }
    assert!(wrong.is_empty(), "{} are not as expected:\n{}", wrong.len(), wrong.join("\n"));
}

async fn proofs(binaries: Binaries, pairs: Vec<PairCase>) -> Vec<(PairCase, Result<PairProof, String>)> {
    let server = Server::builder().binaries(binaries).start().await.expect("a server starts");
    let admin = server.connect().await.expect("a server answers");
    admin.batch_execute("SET allow_in_place_tablespaces = on").await.expect("since 14.5");
    admin.batch_execute("CREATE TABLESPACE ts_fast LOCATION ''").await.expect("a tablespace in place");
    for name in ["app_rw", "app_ro", "app_owner", "app_leaver"] {
        admin.batch_execute(&format!("CREATE ROLE {name}")).await.expect("roles");
    }
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for case in pairs {
        let (server, turns) = (server.clone(), turns.clone());
        running.spawn(async move {
            let _turn = turns.acquire_owned().await.expect("nobody closes it");
            let pair = Pair::new(case.up.clone(), case.down.clone()).setup(case.setup.clone());
            let proof = pair.prove(&server).await.map_err(|error| error.to_string());
            (case, proof)
        });
    }
    running.join_all().await
}

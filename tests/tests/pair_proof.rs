//! The pairs of `pair-corpus` through all three layers: the down held against its up alone, as a derive does; over the known
//! schema, as a history does; and proved on servers, on rows. None of the wrong ones passes all three, no right one is
//! refused by any, and which layer is the first to catch each is recorded in `pair-corpus/layers.tsv`.
//!
//! By default one pair in three is proved on the installed server, and one in sixteen on one of 14 and 18; with
//! `MIGRATE_CORPUS=all` all of them on every server found, with `MIGRATE_CORPUS=none` none on any. `MIGRATE_UPDATE=1` writes
//! the record again.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use migrate_core::sql::{PairVerdict, judge_pair};
use migrate_pg::testing::{Binaries, Server};
use migrate_pg::verify::{Pair, PairProof};
use migrate_tests::{PairCase, pair_corpus};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Pairs that are proved at the same time.
const AT_ONCE: usize = 3;
/// One pair in so many on the installed server, and on the second.
const SAMPLES: [usize; 2] = [3, 16];

/// Which layer is the first to say that the downs do not take back the ups, over the versions that can run it.
fn layer(pair: &PairCase) -> &'static str {
    let versions = || pair.pg.clone();
    let differs = |setup: Option<&str>, pg| {
        judge_pair(setup, &pair.up, &pair.down, pg).is_ok_and(|found| found.verdict == PairVerdict::Differs)
    };
    if versions().any(|pg| differs(None, pg)) {
        "derive"
    } else if versions().any(|pg| differs(Some(&pair.setup), pg)) {
        "history"
    } else {
        "server"
    }
}

#[test]
fn the_record_says_which_layer_catches_each() {
    let mut record = String::from("# id\tlayer\twhat is wrong\n");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut refused = Vec::new();
    for pair in pair_corpus() {
        let layer = layer(&pair);
        if pair.reverses {
            match layer {
                "server" => {}
                // With nothing known of the schema: whether the object was there makes right of wrong.
                "derive" => record.push_str(&format!("{}\tright, and refused by derive alone\t\n", pair.id)),
                _ => refused.push(format!("{} is right, and the {layer} layer refuses it", pair.id)),
            }
            continue;
        }
        *counts.entry(layer).or_default() += 1;
        record.push_str(&format!("{}\t{layer}\t{}\n", pair.id, pair.why));
    }
    println!("{counts:?}");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pair-corpus/layers.tsv");
    if std::env::var_os("MIGRATE_UPDATE").is_some() {
        std::fs::write(&path, &record).expect("the record can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<&str> = record.lines().filter(|line| !written.lines().any(|known| known == *line)).collect();
    assert!(changed.is_empty(), "layers.tsv has not these; MIGRATE_UPDATE=1 writes it again:\n{}", changed.join("\n"));
}

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

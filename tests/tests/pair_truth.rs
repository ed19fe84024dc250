//! Holds the pair corpus against servers: what is expected of each pair, and what is said of it without a server.
//!
//! By default one pair in three is asked of one of the servers that are found, in turn; with `MIGRATE_CORPUS=all` every pair
//! is asked of all of them. `MIGRATE_PAIRS=FILE` takes the pairs from a file of the same format. `MIGRATE_PG_SERVERS` names the servers.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use migrate_core::sql::{PairVerdict, judge_pair};
use migrate_pg::catalog::data::{DataDigest, DataScope};
use migrate_pg::catalog::{Fingerprint, Scope};
use migrate_pg::testing::{Binaries, Server};
use migrate_tests::{PairCase, pair_cases, pair_corpus};
use tokio_postgres::Client;

/// One pair in so many is asked about, each on another server.
const SAMPLE: usize = 3;

/// What a server said of one pair.
enum Truth {
    /// What differs; nothing where the down took the up back.
    Compared(Vec<String>),
    /// The setup or the up does not run here.
    Failed(String),
    /// The setup needs what is not installed.
    NotHere,
}

#[test]
fn pairs_are_as_servers_have_them() {
    let mut servers: Vec<Binaries> = Binaries::find_all()
        .unwrap_or_default()
        .into_iter()
        .filter(|binaries| (14..=18).contains(&binaries.major()))
        .collect();
    if servers.is_empty() {
        println!("SKIPPED: no PostgreSQL server is installed");
        return;
    }
    servers.sort_by_key(Binaries::major);
    let all = std::env::var("MIGRATE_CORPUS").as_deref() == Ok("all");
    let pairs = match std::env::var("MIGRATE_PAIRS") {
        Ok(file) => pair_cases(&std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"))),
        Err(_) => pair_corpus(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut wrong = Vec::new();
    let count = servers.len();
    for (which, binaries) in servers.into_iter().enumerate() {
        let pg = binaries.major();
        let pairs: Vec<&PairCase> = pairs
            .iter()
            .enumerate()
            .filter(|(at, pair)| pair.pg.contains(&pg) && (all || at % (count * SAMPLE) == which * SAMPLE))
            .map(|(_, pair)| pair)
            .collect();
        let (mut asked, mut left, before) = (0, 0, wrong.len());
        let started = std::time::Instant::now();
        for (pair, truth) in runtime.block_on(truths(binaries, pairs)) {
            asked += 1;
            match truth {
                Truth::NotHere => println!("PostgreSQL {pg} {}: left out, not installed", pair.id),
                Truth::Failed(error) => wrong.push(format!("PostgreSQL {pg} {}: {error}", pair.id)),
                Truth::Compared(differences) => {
                    left += usize::from(said(pair, pg, &differences, &mut wrong) == Some(PairVerdict::Server));
                }
            }
        }
        println!(
            "PostgreSQL {pg}: {} of {asked} pairs as expected in {:?}, {left} left to a server",
            asked - (wrong.len() - before).min(asked),
            started.elapsed()
        );
    }
    for line in &wrong {
        println!("WRONG {line}");
    }
    assert!(wrong.is_empty(), "{} pairs are not as servers have them", wrong.len());
}

/// Holds expectation and answer against what the server found.
fn said(pair: &PairCase, pg: u16, differences: &[String], wrong: &mut Vec<String>) -> Option<PairVerdict> {
    let truth = differences.is_empty();
    if truth != pair.reverses {
        let expected = if pair.reverses { "to reverse" } else { "to differ" };
        wrong.push(format!("PostgreSQL {pg} {}: expected {expected}, and {differences:?}", pair.id));
    }
    match judge_pair(Some(&pair.setup), &pair.up, &pair.down, pg) {
        Ok(answer) => {
            match answer.verdict {
                PairVerdict::Reverses if !truth => {
                    wrong.push(format!("PostgreSQL {pg} {}: called right, but {differences:?}", pair.id));
                }
                PairVerdict::Differs if truth => {
                    wrong.push(format!("PostgreSQL {pg} {}: called wrong: {:?}", pair.id, answer.differences));
                }
                _ => {}
            }
            Some(answer.verdict)
        }
        Err(error) => {
            wrong.push(format!("PostgreSQL {pg} {}: not judged: {error}", pair.id));
            None
        }
    }
}

async fn truths(binaries: Binaries, pairs: Vec<&PairCase>) -> Vec<(&PairCase, Truth)> {
    let server = Server::builder().binaries(binaries).start().await.expect("a server starts");
    let admin = server.connect().await.expect("a server answers");
    admin.batch_execute("SET allow_in_place_tablespaces = on").await.expect("since 14.5");
    admin.batch_execute("CREATE TABLESPACE ts_fast LOCATION ''").await.expect("a tablespace in place");
    for name in ["app_rw", "app_ro", "app_owner", "app_leaver"] {
        admin.batch_execute(&format!("CREATE ROLE {name}")).await.expect("roles");
    }
    let mut out = Vec::new();
    for pair in pairs {
        let database = server.database().await.expect("a database");
        let client = database.connect().await;
        out.push((pair, truth(&client, pair).await));
    }
    out
}

async fn truth(client: &Client, pair: &PairCase) -> Truth {
    if let Err(error) = client.batch_execute(&pair.setup).await {
        let missing = error.as_db_error().is_some_and(|error| matches!(error.code().code(), "0A000" | "58P01"));
        return if missing { Truth::NotHere } else { Truth::Failed(format!("the setup fails: {}", shown(&error))) };
    }
    let before = look(client).await;
    for up in &pair.up {
        if let Err(error) = client.batch_execute(up).await {
            return Truth::Failed(format!("`{up}` fails: {}", shown(&error)));
        }
    }
    for down in &pair.down {
        if let Err(error) = client.batch_execute(down).await {
            return Truth::Compared(vec![format!("the down fails: {}", shown(&error))]);
        }
    }
    let after = look(client).await;
    let mut differences: Vec<String> = before.0.differences(&after.0).iter().map(ToString::to_string).collect();
    differences.extend(before.1.differences(&after.1).iter().map(ToString::to_string));
    Truth::Compared(differences)
}

/// Schema and rows.
async fn look(client: &Client) -> (Fingerprint, DataDigest) {
    (
        Fingerprint::read(client, &Scope::new()).await.expect("a fingerprint"),
        DataDigest::read(client, &DataScope::new()).await.expect("a digest"),
    )
}

fn shown(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

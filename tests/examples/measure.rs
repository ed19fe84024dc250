//! Measures new cases: reads `{"id","family","setup","sql"}` as JSON Lines on standard input, runs each on every server
//! that is found, and writes the lines of the lock corpus with what the servers did.
//!
//! ```sh
//! cargo run -p migrate-tests --example measure <cases.jsonl >measured.jsonl
//! MIGRATE_LOCK_CASES=measured.jsonl cargo test -p migrate-tests --test lock_truth
//! ```
//!
//! A statement that refuses a transaction block is run several times, and a second session looks at its locks as often
//! as it can. What was missed then is missing: read those lines before they are kept.
#![forbid(unsafe_code)]

#[path = "../tests/measure/mod.rs"]
mod measure;

use measure::{Bench, Measured, contents, counters, held, observed, relations, rows};
use migrate_core::model::Work;
use migrate_pg::testing::Binaries;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often a statement is sampled that refuses a transaction block.
const SAMPLES: usize = 6;

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("standard input is text");
    let cases: Vec<Value> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut truths: Vec<Vec<(u16, Value)>> = vec![Vec::new(); cases.len()];
    let mut servers = Binaries::find_all().expect("servers are found");
    servers.sort_by_key(Binaries::major);
    for binaries in servers {
        if (14..=18).contains(&binaries.major()) && truths.iter().flatten().all(|(pg, _)| *pg != binaries.major()) {
            runtime.block_on(on_one_server(binaries, &cases, &mut truths));
        }
    }
    let mut out = std::io::stdout().lock();
    for (mut case, truth) in cases.into_iter().zip(truths) {
        case["truth"] = agreed(&truth);
        writeln!(out, "{case}").expect("standard output takes it");
    }
}

async fn on_one_server(binaries: Binaries, cases: &[Value], truths: &mut [Vec<(u16, Value)>]) {
    let bench = Bench::start(binaries).await;
    for (case, truth) in cases.iter().zip(truths) {
        let text = |key: &str| case[key].as_str().unwrap_or_else(|| panic!("{case}: `{key}` is missing"));
        // Each case has a setup of its own: what an earlier one left in the session's caches is a lock less.
        bench.clean().await;
        if let Err(error) = bench.client.batch_execute(text("setup")).await {
            let said = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
            eprintln!("{} PostgreSQL {}: the setup fails: {said}", text("id"), bench.pg);
            continue;
        }
        let done = match in_transaction(&bench, text("sql")).await {
            Err(code) if code == "25001" || code == "2D000" => alone(&bench, text("setup"), text("sql")).await,
            other => other,
        };
        truth.push((bench.pg, done.unwrap_or_else(|code| json!({ "error": code }))));
    }
}

/// Between BEGIN and ROLLBACK.
async fn in_transaction(bench: &Bench, sql: &str) -> Result<Value, String> {
    let client = &bench.client;
    let before = contents(client).await;
    client.batch_execute("BEGIN").await.map_err(|error| error.to_string())?;
    let snapshot = relations(client).await;
    let counted = counters(client).await;
    let outcome = client.batch_execute(sql).await;
    let found = match outcome {
        Err(error) => Err(sqlstate(&error)),
        Ok(()) => {
            let mut locks = BTreeMap::new();
            held(client, "pg_backend_pid()", &snapshot, &mut locks).await;
            let measured = observed(client, &snapshot, &locks).await;
            let (read, written) = measure::touched(client, &snapshot, &counted).await;
            // What a SET of the statement's own does must not change what is counted.
            client.batch_execute("RESET ROLE; SET row_security = off").await.map_err(|error| error.to_string())?;
            let after = contents(client).await;
            let work = measure::work(&measured, read, written, sql);
            Ok(fact(&measured, true, gone(&before, &after), work))
        }
    };
    client.batch_execute("ROLLBACK").await.map_err(|error| error.to_string())?;
    found
}

/// By itself, under the eyes of another session.
async fn alone(bench: &Bench, setup: &str, sql: &str) -> Result<Value, String> {
    let mut locks = BTreeMap::new();
    let mut last = None;
    for _ in 0..SAMPLES {
        bench.clean().await;
        bench.client.batch_execute(setup).await.map_err(|error| error.to_string())?;
        let before = contents(&bench.client).await;
        let snapshot = relations(&bench.client).await;
        let backend = rows(&bench.client, "SELECT pg_backend_pid()").await[0][0].clone().expect("a process");
        let watcher = bench.watcher().await;
        let done = Arc::new(AtomicBool::new(false));
        let (seen, until) = (snapshot.clone(), Arc::clone(&done));
        let watch = tokio::spawn(async move {
            let mut locks = BTreeMap::new();
            while !until.load(Ordering::Relaxed) {
                held(&watcher, &backend, &seen, &mut locks).await;
            }
            locks
        });
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let outcome = bench.client.batch_execute(sql).await;
        done.store(true, Ordering::Relaxed);
        let names: BTreeMap<String, _> = watch
            .await
            .expect("the watcher ends")
            .into_iter()
            .map(|(oid, class)| (snapshot[&oid].name.clone(), class))
            .collect();
        for (name, class) in names {
            let entry = locks.entry(name).or_insert(class);
            *entry = (*entry).max(class);
        }
        outcome.map_err(|error| sqlstate(&error))?;
        let by_oid: BTreeMap<String, _> = snapshot
            .iter()
            .filter_map(|(oid, known)| locks.get(&known.name).map(|class| (oid.clone(), *class)))
            .collect();
        let measured = observed(&bench.client, &snapshot, &by_oid).await;
        let after = contents(&bench.client).await;
        let work = measure::work(&measured, false, false, sql);
        last = Some(fact(&measured, false, gone(&before, &after), work));
    }
    let mut last = last.expect("it ran");
    // The strongest of what was seen may have been missed.
    last["lock_class"] = Value::Null;
    Ok(last)
}

fn sqlstate(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| error.code().code().to_owned())
}

type Contents = (std::collections::BTreeSet<String>, BTreeMap<String, u64>);

fn gone(before: &Contents, after: &Contents) -> bool {
    // The rows of a detached partition are counted by themselves, no longer with its parent.
    let apart: u64 = after.1.iter().filter(|(table, _)| !before.1.contains_key(*table)).map(|(_, rows)| rows).sum();
    before.0.iter().any(|column| !after.0.contains(column))
        || before.1.iter().any(|(table, rows)| after.1.get(table).is_some_and(|now| now + apart < *rows))
}

fn fact(measured: &Measured, in_transaction: bool, gone: bool, work: Work) -> Value {
    let locks: Map<String, Value> =
        measured.locks.iter().map(|(name, class)| (name.clone(), class.name().into())).collect();
    json!({
        "in_transaction": in_transaction,
        "lock_class": measured.lock_class.name(),
        "locks": locks,
        "work": work.name(),
        "destructive": gone,
    })
}

/// `{"14-16": …, "17-18": …}`.
fn agreed(truth: &[(u16, Value)]) -> Value {
    let mut spans: Vec<(u16, u16, &Value)> = Vec::new();
    for (pg, fact) in truth {
        match spans.last_mut() {
            Some((_, last, same)) if *last + 1 == *pg && *same == fact => *last = *pg,
            _ => spans.push((*pg, *pg, fact)),
        }
    }
    let named = spans.into_iter().map(|(first, last, fact)| {
        (if first == last { first.to_string() } else { format!("{first}-{last}") }, fact.clone())
    });
    Value::Object(named.collect())
}

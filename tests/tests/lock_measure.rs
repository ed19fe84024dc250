//! Runs the corpus on every server that is found and compares what the server does with the record and with the
//! prediction, so that the record cannot rot. One server is enough; `MIGRATE_PG_SERVERS` names others.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

mod measure;

use measure::Bench;
use migrate_core::model::LockClass;
use migrate_core::sql::{AnalyzeError, analyze};
use migrate_pg::testing::Binaries;
use migrate_tests::{Case, Truth, corpus};
use std::collections::BTreeMap;
use tokio_postgres::Client;

/// Cases that are not measured as recorded, and why.
const EXCEPTIONS: &[(&str, &str)] = &[("do-execute-dynamic", "EXECUTE of a computed string is not predicted")];

#[test]
fn servers_do_as_recorded_and_predicted() {
    let servers = Binaries::find_all().unwrap_or_default();
    if servers.is_empty() {
        println!("SKIPPED: no PostgreSQL server is installed");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut wrong = Vec::new();
    for binaries in servers {
        if (14..=18).contains(&binaries.major()) {
            let version = binaries.version().to_owned();
            let (asked, mut found) = runtime.block_on(measure(binaries));
            println!("PostgreSQL {version}: {} of {asked} statements as predicted and recorded", asked - found.len());
            wrong.append(&mut found);
        }
    }
    for line in &wrong {
        println!("WRONG {line}");
    }
    assert!(wrong.is_empty(), "{} statements are not as predicted or recorded", wrong.len());
}

async fn measure(binaries: Binaries) -> (usize, Vec<String>) {
    let bench = Bench::start(binaries).await;
    let (client, pg) = (&bench.client, bench.pg);
    let mut asked = 0;
    let mut wrong = Vec::new();
    for case in corpus() {
        let Some(truth) = case.truth.get(&pg) else { continue };
        if EXCEPTIONS.iter().any(|(id, _)| *id == case.id)
            || case.setup.contains("CREATE DATABASE")
            || case.setup.contains("CREATE ROLE")
        {
            continue;
        }
        bench.clean().await;
        if let Err(error) = client.batch_execute(&case.setup).await {
            // An extension that this installation has not.
            let missing = error.as_db_error().is_some_and(|error| matches!(error.code().code(), "0A000" | "58P01"));
            assert!(missing, "PostgreSQL {pg} {}: the setup fails: {error:?}", case.id);
            println!("PostgreSQL {pg} {}: left out, the setup needs what is not installed", case.id);
            continue;
        }
        asked += 1;
        if let Err(difference) = one(client, &case, truth, pg).await {
            wrong.push(format!("PostgreSQL {pg} {}: {difference}", case.id));
        }
    }
    (asked, wrong)
}

async fn one(client: &Client, case: &Case, truth: &Truth, pg: u16) -> Result<(), String> {
    client.batch_execute("BEGIN").await.map_err(|error| error.to_string())?;
    let snapshot = measure::relations(client).await;
    let counted = measure::counters(client).await;
    let outcome = client.batch_execute(&case.sql).await;
    let state = match outcome {
        Err(error) => {
            Err(error.as_db_error().map_or_else(|| error.to_string(), |error| error.code().code().to_owned()))
        }
        Ok(()) => {
            let mut locks = BTreeMap::new();
            measure::held(client, "pg_backend_pid()", &snapshot, &mut locks).await;
            let measured = measure::observed(client, &snapshot, &locks).await;
            let (read, written) = measure::touched(client, &snapshot, &counted).await;
            let work = measure::work(&measured, read, written, &case.sql);
            Ok((measured, work))
        }
    };
    client.batch_execute("ROLLBACK").await.map_err(|error| error.to_string())?;
    let predicted = analyze(&case.setup, &case.sql, pg);
    match (state, truth, predicted) {
        // Refused inside a transaction block: active_sql_transaction, or invalid_transaction_termination.
        (Err(code), Truth::Done { in_transaction: false, .. }, Ok(found)) if code == "25001" || code == "2D000" => {
            if found.facts.in_transaction {
                Err("predicted to run in a transaction block".to_owned())
            } else {
                Ok(())
            }
        }
        (Err(code), Truth::Error(recorded), Err(AnalyzeError::Statement { sqlstate, .. })) => {
            if code == *recorded && code == sqlstate {
                Ok(())
            } else {
                Err(format!("the server answers {code}, recorded is {recorded}, predicted {sqlstate}"))
            }
        }
        (Ok((measured, done)), Truth::Done { in_transaction: true, lock_class, locks, work, .. }, Ok(found)) => {
            let predicted: BTreeMap<String, LockClass> = found.table_locks().into_iter().collect();
            let mut differences = Vec::new();
            if locks.as_ref().is_some_and(|recorded| *recorded != measured.locks) || predicted != measured.locks {
                differences.push(format!("locks {:?}, recorded {locks:?}, predicted {predicted:?}", measured.locks));
            }
            if lock_class.is_some_and(|recorded| recorded != measured.lock_class)
                || found.facts.lock_class != measured.lock_class
            {
                differences.push(format!(
                    "lock class {}, recorded {lock_class:?}, predicted {}",
                    measured.lock_class, found.facts.lock_class
                ));
            }
            if *work != done || found.facts.work != done {
                differences.push(format!("work {done}, recorded {work}, predicted {}", found.facts.work));
            }
            if differences.is_empty() { Ok(()) } else { Err(differences.join("; ")) }
        }
        (measured, _, predicted) => {
            Err(format!("the server: {measured:?}; recorded {truth:?}; predicted {:?}", predicted.err()))
        }
    }
}

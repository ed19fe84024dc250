//! Runs the corpus on every server that is found and compares what the server does with the record and with the
//! prediction, so that the record cannot rot. One server is enough; `MIGRATE_PG_SERVERS` names others.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use migrate_core::model::{LockClass, Work};
use migrate_core::sql::{AnalyzeError, analyze};
use migrate_pg::testing::{Binaries, Server};
use migrate_tests::{Case, Truth, corpus};
use std::collections::BTreeMap;
use tokio_postgres::{Client, SimpleQueryMessage};

/// Cases that are not measured as recorded, and why.
const EXCEPTIONS: &[(&str, &str)] = &[("do-execute-dynamic", "EXECUTE of a computed string is not predicted")];

/// What one statement did in its own transaction.
#[derive(Debug)]
struct Measured {
    lock_class: LockClass,
    locks: BTreeMap<String, LockClass>,
    rewrites: bool,
}

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
    let pg = binaries.major();
    let server = Server::builder().binaries(binaries).start().await.expect("a server starts");
    let admin = server.connect().await.expect("a server answers");
    // Each on its own: CREATE TABLESPACE and CREATE DATABASE refuse company.
    admin.batch_execute("SET allow_in_place_tablespaces = on").await.expect("since 14.5");
    for name in ["ts_fast", "ts_spare"] {
        admin.batch_execute(&format!("CREATE TABLESPACE {name} LOCATION ''")).await.expect("tablespaces in place");
    }
    for name in ["app_rw", "app_ro", "app_owner", "app_leaver"] {
        admin.batch_execute(&format!("CREATE ROLE {name}")).await.expect("roles");
    }
    let database = server.database().await.expect("a database");
    let client = database.connect().await;
    let empty = system_objects(&client).await;
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
        clean(&client, &empty).await;
        if let Err(error) = client.batch_execute(&case.setup).await {
            // An extension that this installation has not.
            let missing = error.as_db_error().is_some_and(|error| matches!(error.code().code(), "0A000" | "58P01"));
            assert!(missing, "PostgreSQL {pg} {}: the setup fails: {error:?}", case.id);
            println!("PostgreSQL {pg} {}: left out, the setup needs what is not installed", case.id);
            continue;
        }
        asked += 1;
        if let Err(difference) = one(&client, &case, truth, pg).await {
            wrong.push(format!("PostgreSQL {pg} {}: {difference}", case.id));
        }
    }
    (asked, wrong)
}

async fn one(client: &Client, case: &Case, truth: &Truth, pg: u16) -> Result<(), String> {
    client.batch_execute("BEGIN").await.map_err(|error| error.to_string())?;
    let snapshot = relations(client).await;
    let outcome = client.batch_execute(&case.sql).await;
    let state = match outcome {
        Err(error) => {
            Err(error.as_db_error().map_or_else(|| error.to_string(), |error| error.code().code().to_owned()))
        }
        Ok(()) => Ok(observed(client, &snapshot).await),
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
        (Ok(measured), Truth::Done { in_transaction: true, lock_class, locks, work, .. }, Ok(found)) => {
            // TRUNCATE gives a table a new file too, and copies nothing.
            let rewrites = measured.rewrites && case.family != "truncate";
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
            if (*work == Work::Rewrite) != rewrites || (found.facts.work == Work::Rewrite) != rewrites {
                differences
                    .push(format!("rewrites {}, recorded {work}, predicted {}", measured.rewrites, found.facts.work));
            }
            if differences.is_empty() { Ok(()) } else { Err(differences.join("; ")) }
        }
        (measured, _, predicted) => {
            Err(format!("the server: {measured:?}; recorded {truth:?}; predicted {:?}", predicted.err()))
        }
    }
}

#[derive(Debug, Clone)]
struct Known {
    name: String,
    kind: String,
    file: String,
}

const USER: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

async fn rows(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    messages
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        })
        .collect()
}

/// Every user relation, by OID: a dropped one is a bare OID in `pg_locks`.
async fn relations(client: &Client) -> BTreeMap<String, Known> {
    let sql = format!(
        "SELECT c.oid, n.nspname || '.' || c.relname, c.relkind::text, c.relfilenode::text FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {USER}"
    );
    rows(client, &sql)
        .await
        .into_iter()
        .map(|row| {
            let text = |at: usize| row[at].clone().unwrap_or_default();
            (text(0), Known { name: text(1), kind: text(2), file: text(3) })
        })
        .collect()
}

async fn observed(client: &Client, before: &BTreeMap<String, Known>) -> Measured {
    let held = rows(
        client,
        "SELECT relation::text, mode FROM pg_locks WHERE locktype = 'relation' AND pid = pg_backend_pid() \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .await;
    let mut locks: BTreeMap<String, LockClass> = BTreeMap::new();
    let mut lock_class = LockClass::None;
    for row in held {
        let (Some(oid), Some(mode)) = (&row[0], &row[1]) else { continue };
        let Some(known) = before.get(oid) else { continue };
        let class = LockClass::ALL.iter().copied().find(|class| class.pg_locks_mode() == Some(mode)).expect("a mode");
        lock_class = lock_class.max(class);
        if matches!(known.kind.as_str(), "r" | "p" | "m") {
            let entry = locks.entry(known.name.clone()).or_insert(class);
            *entry = (*entry).max(class);
        }
    }
    let now = rows(client, "SELECT oid::text, relfilenode::text FROM pg_class").await;
    let files: BTreeMap<String, String> =
        now.into_iter().map(|row| (row[0].clone().unwrap_or_default(), row[1].clone().unwrap_or_default())).collect();
    let rewrites = before.iter().any(|(oid, known)| {
        matches!(known.kind.as_str(), "r" | "m") && files.get(oid).is_some_and(|file| *file != known.file)
    });
    Measured { lock_class, locks, rewrites }
}

/// Everything that cases make outside of schemas, as it is in a fresh database.
async fn system_objects(client: &Client) -> Vec<String> {
    rows(client, "SELECT nspname FROM pg_namespace").await.into_iter().filter_map(|mut row| row.remove(0)).collect()
}

/// The database as it was made: cases leave schemas, extensions, publications, wrappers and event triggers.
async fn clean(client: &Client, schemas: &[String]) {
    let mut drops: Vec<String> = Vec::new();
    for (sql, what) in [
        ("SELECT evtname FROM pg_event_trigger", "EVENT TRIGGER"),
        ("SELECT pubname FROM pg_publication", "PUBLICATION"),
        ("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'", "EXTENSION"),
        ("SELECT fdwname FROM pg_foreign_data_wrapper", "FOREIGN DATA WRAPPER"),
        ("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'", "SCHEMA"),
    ] {
        for row in rows(client, sql).await {
            let name = row[0].clone().unwrap_or_default();
            if what == "SCHEMA" && name != "public" && schemas.contains(&name) {
                continue;
            }
            drops.push(format!("DROP {what} IF EXISTS \"{}\" CASCADE;", name.replace('"', "\"\"")));
        }
    }
    let script = format!("RESET ALL; {} CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC", drops.concat());
    client.batch_execute(&script).await.unwrap_or_else(|error| panic!("{script}: {error:?}"));
}

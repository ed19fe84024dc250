//! Every statement of the lock corpus, run on a server of each version, and where its down can be derived, taken back.
//!
//! All of it takes minutes: by default one case in twenty is asked, and with `MIGRATE_CORPUS=all` every one. Cases that begin
//! alike share a database for as long as their downs leave it as it was.
//!
//! A dump costs more than a fingerprint, so it is made where it decides something: where an up left the fingerprint as it was,
//! and where up and down did not. A version that no `pg_dump` here can dump is held against what changes the dump of the newest
//! one that can be; there every statement is dumped.

use super::dump::{dump, pg_dump};
use super::{empty, run, sentences, servers};
use migrate_core::sql::analyze;
use migrate_pg::catalog::{Fingerprint, Scope};
use migrate_pg::testing::{Server, TestDatabase};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tokio::sync::OnceCell;
use tokio_postgres::Client;

/// What the fingerprint still tells apart after an up and its derived down, by what its sentence holds: each is real, and
/// cannot be otherwise. The second says whether a dump can show it.
const NAMED: &[(&str, bool, &str)] = &[
    ("column order of ", true, "a column that is made again stands last, and in a child behind its own"),
    (
        ": last value was ",
        false,
        "a sequence that is made again, or that the rows of a new column were numbered by, stands elsewhere",
    ),
    (": NOT VALID is missing", true, "VALIDATE is not taken back: what was found to hold holds"),
    (
        ": definition was CREATE STATISTICS ",
        true,
        "the columns of a statistics object are listed as they stand in the table",
    ),
];

/// What a down says that makes a column NOT NULL, or a foreign key, over rows whose values its up destroyed: the values have to
/// come back first. On tables without rows it must do.
const FOR_WANT_OF_VALUES: &[&str] = &["23502", "23503"];

/// Takes the rows, not what holds them.
const EMPTY_ALL: &str = "DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(oid::regclass::text, ', ') || ' CASCADE' \
                         FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text NOT LIKE ALL \
                         (ARRAY['pg\\_%', 'information\\_schema'])); END $$";

fn all_is_asked() -> bool {
    std::env::var("MIGRATE_CORPUS").is_ok_and(|which| which == "all")
}

struct Case {
    id: String,
    setup: String,
    sql: String,
    /// Whether it destroys a table, a column or rows.
    destructive: bool,
}

/// The cases that run on a version, those that begin alike side by side.
fn corpus(major: u16) -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/lock-corpus/statements.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let mut cases: Vec<Case> = text
        .lines()
        .step_by(if all_is_asked() { 1 } else { 20 })
        .filter_map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let (_, truth) = value["truth"].as_object().unwrap().iter().find(|(versions, _)| {
                let (from, to) = versions.split_once('-').unwrap_or((versions, versions));
                (from.parse::<u16>().unwrap()..=to.parse().unwrap()).contains(&major)
            })?;
            let text = |name: &str| value[name].as_str().unwrap().to_owned();
            let destructive = truth["destructive"].as_bool().unwrap_or(false);
            let error = truth.get("error");
            error.is_none().then(|| Case { id: text("id"), setup: text("setup"), sql: text("sql"), destructive })
        })
        .collect();
    cases.sort_by(|a, b| a.setup.cmp(&b.setup));
    cases
}

/// What became of the fingerprint and, where it was asked, of the dump.
struct Outcome {
    id: String,
    /// What is said of the up.
    said: Vec<String>,
    /// Whether the up changed the dump.
    dumped: Option<bool>,
    down: Down,
}

enum Down {
    /// None follows from the statement and the schema.
    NotDerived,
    Restored,
    /// It did on tables without rows; the values that it needs the up had destroyed.
    RestoredWithoutRows,
    Failed(String),
    Differs {
        down: Vec<String>,
        said: Vec<String>,
        dumped: Option<bool>,
    },
}

/// A database as a setup made it.
struct Stage {
    database: TestDatabase,
    client: Client,
}

impl Stage {
    async fn of(server: &Server, setup: &str) -> Result<Self, String> {
        let (database, client) = empty(server).await;
        client.batch_execute(setup).await.map_err(|error| message(&error))?;
        Ok(Self { database, client })
    }

    async fn fingerprint(&self) -> Fingerprint {
        Fingerprint::read(&self.client, &Scope::new().sequence_positions(true).database(true)).await.unwrap()
    }
}

/// The SQLSTATE and what the server says, where it refuses one.
async fn run_down(stage: &Stage, down: &[String]) -> Result<(), (String, String)> {
    for statement in down {
        stage.client.batch_execute(statement).await.map_err(|error| {
            let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
            (code, format!("{statement}: {}", message(&error)))
        })?;
    }
    Ok(())
}

fn message(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// What a setup makes: its fingerprint, and the dump once it is asked for.
struct Begun {
    fingerprint: Fingerprint,
    dump: OnceCell<String>,
}

struct Asking<'a> {
    server: &'a Server,
    program: Option<PathBuf>,
    /// Every up is dumped, whatever became of the fingerprint.
    every: bool,
}

impl Asking<'_> {
    /// Whether what `pg_dump` prints of the database is something else than of the setup alone.
    async fn dump_differs(&self, case: &Case, begun: &Begun, stage: &Stage) -> Option<bool> {
        let program = self.program.as_ref()?;
        let before = begun
            .dump
            .get_or_init(|| async {
                let fresh = Stage::of(self.server, &case.setup).await.expect("it ran before");
                dump(program, &fresh.database)
            })
            .await;
        Some(dump(program, &stage.database) != *before)
    }

    /// The outcome, and whether the database is as the setup made it.
    async fn outcome(&self, case: &Case, begun: &Begun, stage: &Stage) -> Result<Outcome, String> {
        stage.client.batch_execute(&case.sql).await.map_err(|error| message(&error))?;
        let after = stage.fingerprint().await;
        let said = sentences(&begun.fingerprint, &after);
        let dumped = if self.every || said.is_empty() { self.dump_differs(case, begun, stage).await } else { None };
        let down = self.down(case, begun, stage).await;
        Ok(Outcome { id: case.id.clone(), said, dumped, down })
    }

    async fn down(&self, case: &Case, begun: &Begun, stage: &Stage) -> Down {
        let found = match analyze(&case.setup, &case.sql, self.server.major()) {
            Ok(found) => found,
            Err(error) => return Down::Failed(format!("the server runs it, and the analysis says: {error}")),
        };
        let Some(down) = found.reverse else { return Down::NotDerived };
        match run_down(stage, &down).await {
            Ok(()) => {}
            Err((code, _)) if case.destructive && FOR_WANT_OF_VALUES.contains(&code.as_str()) => {
                return self.without_rows(case, &down).await.map_or_else(Down::Failed, |()| Down::RestoredWithoutRows);
            }
            Err((_, error)) => return Down::Failed(error),
        }
        let said = sentences(&begun.fingerprint, &stage.fingerprint().await);
        if said.is_empty() {
            return Down::Restored;
        }
        Down::Differs { down, said, dumped: self.dump_differs(case, begun, stage).await }
    }

    /// A role that an earlier case made is the server's, and free to be made again once the case's database is gone.
    async fn stage_of_its_own(&self, admin: &Client, case: &Case) -> Result<Stage, String> {
        if makes_roles(case) {
            run(admin, "DROP ROLE IF EXISTS temp_role").await;
        }
        Stage::of(self.server, &case.setup).await
    }

    async fn without_rows(&self, case: &Case, down: &[String]) -> Result<(), String> {
        let stage = Stage::of(self.server, &case.setup).await?;
        run(&stage.client, EMPTY_ALL).await;
        let before = stage.fingerprint().await;
        run(&stage.client, &case.sql).await;
        run_down(&stage, down).await.map_err(|(_, error)| format!("on tables without rows: {error}"))?;
        let said = sentences(&before, &stage.fingerprint().await);
        if said.iter().all(|sentence| reason(sentence).is_some()) {
            Ok(())
        } else {
            Err(format!("on tables without rows: {said:?}"))
        }
    }

    async fn all(&self) -> (Vec<Outcome>, Vec<String>) {
        let (mut outcomes, mut skipped) = (Vec::new(), Vec::new());
        let mut begun: Option<(String, Begun)> = None;
        let mut kept: Option<Stage> = None;
        let admin = self.server.connect().await.unwrap();
        for case in corpus(self.server.major()) {
            if begun.as_ref().is_none_or(|(setup, _)| *setup != case.setup) {
                kept = None;
            }
            let mut again = kept.is_some();
            loop {
                let stage = match kept.take() {
                    Some(stage) => stage,
                    None => match self.stage_of_its_own(&admin, &case).await {
                        Ok(stage) => stage,
                        Err(error) => {
                            skipped.push(format!("{}: {error}", case.id));
                            break;
                        }
                    },
                };
                if begun.as_ref().is_none_or(|(setup, _)| *setup != case.setup) {
                    let fingerprint = stage.fingerprint().await;
                    let dump = OnceCell::new();
                    if makes_roles(&case)
                        && let Some(program) = &self.program
                    {
                        dump.set(super::dump::dump(program, &stage.database)).expect("it is empty");
                    }
                    begun = Some((case.setup.clone(), Begun { fingerprint, dump }));
                }
                let (_, begun) = begun.as_ref().expect("just read");
                let found = self.outcome(&case, begun, &stage).await;
                match found {
                    Ok(outcome) if matches!(outcome.down, Down::Restored) => {
                        outcomes.push(outcome);
                        kept = (!makes_roles(&case)).then_some(stage);
                        break;
                    }
                    // What an earlier case did is no fault of this one.
                    _ if again => again = false,
                    Ok(outcome) => {
                        outcomes.push(outcome);
                        break;
                    }
                    Err(error) => {
                        skipped.push(format!("{}: {error}", case.id));
                        break;
                    }
                }
            }
        }
        (outcomes, skipped)
    }
}

/// What is the server's stands in the way of a second database of the same setup.
fn makes_roles(case: &Case) -> bool {
    case.setup.contains("CREATE ROLE")
}

async fn on(server: &'static Server, program: Option<PathBuf>, every: bool) -> (Vec<Outcome>, Vec<String>) {
    // Roles and tablespaces are the server's, and the corpus's cases take some for granted.
    let client = server.connect().await.unwrap();
    for role in ["app_owner", "app_ro", "app_rw", "app_leaver"] {
        run(&client, &format!("CREATE ROLE {role}")).await;
    }
    run(&client, "SET allow_in_place_tablespaces = on").await;
    for tablespace in ["ts_fast", "ts_spare"] {
        run(&client, &format!("CREATE TABLESPACE {tablespace} LOCATION ''")).await;
    }
    Asking { server, program, every }.all().await
}

/// What one version's server did with every case.
struct Version {
    major: u16,
    /// Whether there is a `pg_dump` for it.
    dumped: bool,
    outcomes: Vec<Outcome>,
}

/// Asked once, by whichever test comes first.
async fn versions() -> &'static [Version] {
    static ALL: OnceCell<Result<Vec<Version>, String>> = OnceCell::const_new();
    let all = ALL.get_or_init(|| async {
        let programs: BTreeMap<u16, PathBuf> =
            servers().await.iter().filter_map(|server| Some((server.major(), pg_dump(server)?))).collect();
        let newest = programs.keys().max().copied();
        let mut tasks = Vec::new();
        for server in servers().await {
            let program = programs.get(&server.major()).cloned();
            match &program {
                Some(program) => println!("PostgreSQL {} is dumped by {}", server.major(), program.display()),
                None => println!("PostgreSQL {}: no pg_dump here is new enough for it", server.major()),
            }
            let every = programs.len() < servers().await.len() && newest == Some(server.major());
            tasks.push((server.major(), program.is_some(), tokio::spawn(on(server, program, every))));
        }
        let mut all = Vec::new();
        for (major, dumped, task) in tasks {
            let (outcomes, skipped) = task.await.map_err(|error| format!("PostgreSQL {major}: {error}"))?;
            println!("PostgreSQL {major}: {} statements, {} not run here: {skipped:#?}", outcomes.len(), skipped.len());
            all.push(Version { major, dumped, outcomes });
        }
        Ok(all)
    });
    all.await.as_deref().unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_changes_the_dump_changes_the_fingerprint() {
    let changing: BTreeSet<&str> = versions()
        .await
        .iter()
        .flat_map(|version| &version.outcomes)
        .filter(|outcome| outcome.dumped == Some(true))
        .map(|outcome| outcome.id.as_str())
        .collect();
    let mut wrong = Vec::new();
    for Version { major, dumped, outcomes } in versions().await {
        let (mut changed, mut unchanged) = (0, 0);
        for outcome in outcomes {
            if !outcome.said.is_empty() {
                changed += 1;
                continue;
            }
            unchanged += 1;
            assert_eq!(*dumped, outcome.dumped.is_some(), "{}: what says nothing is dumped", outcome.id);
            if outcome.dumped.unwrap_or_else(|| changing.contains(outcome.id.as_str())) {
                wrong.push(format!("PostgreSQL {major}: {} changes the dump, not the fingerprint", outcome.id));
            }
        }
        println!(
            "PostgreSQL {major}: {changed} statements change the fingerprint; {unchanged} do not, and of those none the dump"
        );
        let least = outcomes.len() / 2;
        assert!(changed > least, "PostgreSQL {major}: only {changed} of {} change the fingerprint", outcomes.len());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn derived_downs_bring_back_dump_and_fingerprint() {
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for Version { major, outcomes, .. } in versions().await {
        let (mut restored, mut without_rows, mut named, mut not_derived) = (0, 0, 0, 0);
        for Outcome { id, down, .. } in outcomes {
            match down {
                Down::NotDerived => not_derived += 1,
                Down::Restored => restored += 1,
                Down::RestoredWithoutRows => without_rows += 1,
                Down::Failed(error) => wrong.push(format!("PostgreSQL {major} {id}: {error}")),
                Down::Differs { down, said, dumped } => {
                    let reasons: Option<Vec<usize>> = said.iter().map(|sentence| reason(sentence)).collect();
                    // A dump that differs where nothing that has a name can show in it is another difference.
                    let fits = |reasons: &[usize]| *dumped != Some(true) || reasons.iter().any(|at| NAMED[*at].1);
                    let Some(reasons) = reasons.filter(|reasons| fits(reasons)) else {
                        let dump = match dumped {
                            Some(true) => "the dump differs too",
                            Some(false) => "the dump does not",
                            None => "nothing here dumps it",
                        };
                        wrong.push(format!("PostgreSQL {major} {id}: {said:?}, {dump}, after {down:?}"));
                        continue;
                    };
                    named += 1;
                    met.extend(reasons);
                }
            }
        }
        println!(
            "PostgreSQL {major}: {restored} derived downs restore, {without_rows} do where there are no rows, {named} leave a \
             difference that has a name; {not_derived} are not derived"
        );
        assert!(restored > outcomes.len() / 4, "PostgreSQL {major}: only {restored} of {} restore", outcomes.len());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    if all_is_asked() && servers().await.len() == 5 {
        for (at, named) in NAMED.iter().enumerate() {
            assert!(met.contains(&at), "nothing leaves this any more: {named:?}");
        }
    }
}

fn reason(sentence: &str) -> Option<usize> {
    NAMED.iter().position(|(part, ..)| sentence.contains(part))
}

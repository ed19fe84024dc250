//! The check from end to end: what is accepted, and each refusal with the words that a user reads.

mod attacks;
mod hidden;

use super::*;
use crate::model::{LockClass, PgRange, Phase};

fn sql(text: &str) -> SqlText {
    SqlText { text: text.to_owned(), file: None }
}

fn step(up: &str, down: &str) -> StepDeclaration {
    StepDeclaration::Statement { up: sql(up), down: Some(DownDeclaration::Sql(vec![sql(down)])), assume: None }
}

fn derived(up: &str) -> StepDeclaration {
    StepDeclaration::Statement { up: sql(up), down: Some(DownDeclaration::Derived), assume: None }
}

fn no_down(up: &str) -> StepDeclaration {
    StepDeclaration::Statement { up: sql(up), down: None, assume: None }
}

fn declaration(phase: Phase, lock: LockClass, steps: Vec<StepDeclaration>) -> Declaration {
    Declaration {
        name: "Example".to_owned(),
        file: Some("src/migrations.rs".to_owned()),
        version: 2026_01_01_0000,
        phase,
        lock,
        transactional: true,
        pg: PgRange::SUPPORTED,
        steps,
        destructive: None,
        allows: Vec::new(),
        deploy_from: None,
        binds: Vec::new(),
    }
}

#[track_caller]
fn accepted(declaration: &Declaration) -> Checked {
    match check(declaration) {
        Ok(checked) => checked,
        Err(problems) => panic!("refused:\n{}", shown(&problems)),
    }
}

fn shown(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("[{:?}] {}\n", problem.site, problem.message)).collect()
}

#[track_caller]
fn refused(declaration: &Declaration, site: Site, words: &[&str]) {
    let problems = check(declaration).expect_err("it was accepted");
    let text = shown(&problems);
    let found =
        problems.iter().any(|problem| problem.site == site && words.iter().all(|word| problem.message.contains(word)));
    assert!(found, "no problem at {site:?} with {words:?} in:\n{text}");
    assert_eq!(problems.len(), 1, "more than one problem:\n{text}");
}

const ADD: &str = "ALTER TABLE orders ADD COLUMN status text";
const UNADD: &str = "ALTER TABLE orders DROP COLUMN status";

#[test]
fn the_first_example() {
    let steps = vec![step(ADD, UNADD), derived("ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'pending'")];
    let checked = accepted(&declaration(Phase::Expand, LockClass::AccessExclusive, steps));
    let CheckedDown::Sql(downs) = &checked.steps[1].down else { panic!("no down") };
    assert_eq!(downs[0].sql, "ALTER TABLE orders ALTER COLUMN status DROP DEFAULT");
    let CheckedDown::Sql(downs) = &checked.steps[0].down else { panic!("no down") };
    assert_eq!(downs[0].destroys.len(), 1, "what was written into the column since");
}

#[test]
fn the_backfill_example() {
    let backfill = |filter: Option<&str>, key: &[&str], set: &str| StepDeclaration::Backfill {
        table: "orders".to_owned(),
        key: key.iter().map(|&key| key.to_owned()).collect(),
        batch: 10_000,
        fill: Fill::Set(set.to_owned()),
        filter: filter.map(str::to_owned),
        down: Some(DownDeclaration::Keep("goes with the column".to_owned())),
    };
    let declare = |backfill, binds: usize| Declaration {
        transactional: false,
        binds: vec!["text".to_owned(); binds],
        ..declaration(Phase::Migrate, LockClass::RowExclusive, vec![backfill])
    };
    accepted(&declare(backfill(Some("status IS NULL"), &["id"], "status = $1"), 1));
    refused(&declare(backfill(None, &["id"], "status = $1"), 1), Site::BackfillFilter(0), &["status IS NULL"]);
    refused(&declare(backfill(Some("status IS NULL"), &[], "status = $1"), 1), Site::BackfillKey(0), &["key = \"id\""]);
    refused(&declare(backfill(Some("status IS NULL"), &["id"], "status = 'x'"), 1), Site::Bind(0), &["$1"]);
    let typo = Declaration {
        binds: vec!["text)".to_owned()],
        ..declare(backfill(Some("status IS NULL"), &["id"], "status = $1"), 1)
    };
    refused(&typo, Site::BindType(0), &["syntax error", "text)"]);
    refused(
        &declare(backfill(Some("status IS NULL"), &["id"], "status = $1"), 0),
        Site::BackfillSet(0),
        &["$1", "no field"],
    );
    refused(&declare(backfill(Some("status IS"), &["id"], "status = $1"), 1), Site::BackfillFilter(0), &["syntax"]);
}

#[test]
fn the_index_example() {
    let up = "CREATE INDEX CONCURRENTLY idx_orders_status ON orders (status)";
    let down = "DROP INDEX CONCURRENTLY IF EXISTS idx_orders_status";
    let right = Declaration {
        transactional: false,
        ..declaration(Phase::Expand, LockClass::ShareUpdateExclusive, vec![step(up, down)])
    };
    let checked = accepted(&right);
    assert!(checked.steps[0].concurrent.is_some());
    refused(
        &Declaration { transactional: true, ..right },
        Site::Transactional,
        &["transactional = false", "CONCURRENTLY"],
    );
}

#[test]
fn destruction_needs_backup_and_approval() {
    let steps = || vec![step("ALTER TABLE users DROP COLUMN full_name", "ALTER TABLE users ADD COLUMN full_name text")];
    let plain = declaration(Phase::Contract, LockClass::AccessExclusive, steps());
    refused(&plain, Site::Step(0), &["users.full_name", "#[destructive(backup = Dump", "cargo install --git https://"]);
    let with = |approved: &str| Declaration {
        destructive: Some(DestructiveDeclaration {
            backup: Some(crate::model::Backup::Dump),
            approved: Some(approved.to_owned()),
        }),
        ..plain.clone()
    };
    let digest = crate::sql::digest(&steps());
    accepted(&with(&format!("Jane Doe @ {}", digest.trim_start_matches("v1:"))));
    let stale = with("Jane Doe @ 9f31c2ab5d04e877");
    refused(&stale, Site::Approved, &["changed since Jane Doe", "approve src/migrations.rs Example"]);
    let text = shown(&check(&stale).unwrap_err());
    assert!(!text.contains(digest.trim_start_matches("v1:")), "the digest must not be there to paste: {text}");
    refused(&with(""), Site::Approved, &["nobody has approved"]);
    refused(&with("9f31c2ab5d04e877"), Site::Approved, &["is not an approval"]);
    let harmless = Declaration {
        destructive: Some(DestructiveDeclaration { backup: Some(crate::model::Backup::Dump), approved: None }),
        ..declaration(Phase::Expand, LockClass::AccessExclusive, vec![step(ADD, UNADD)])
    };
    refused(&harmless, Site::Destructive, &["no step destroys"]);
}

#[test]
fn the_declaration_is_exact() {
    let steps = || vec![step(ADD, UNADD)];
    refused(
        &declaration(Phase::Expand, LockClass::ShareUpdateExclusive, steps()),
        Site::Lock,
        &["too weak", "ACCESS EXCLUSIVE", "orders", "lock = AccessExclusive"],
    );
    let index = vec![step("CREATE INDEX CONCURRENTLY i ON orders (a)", "DROP INDEX CONCURRENTLY i")];
    refused(
        &Declaration { transactional: false, ..declaration(Phase::Expand, LockClass::AccessExclusive, index) },
        Site::Lock,
        &["stronger than the SQL", "lock = ShareUpdateExclusive"],
    );
    refused(&declaration(Phase::Contract, LockClass::AccessExclusive, steps()), Site::Phase, &["phase = Expand"]);
    let gone = vec![step("DROP VIEW v", "CREATE VIEW v AS SELECT 1 AS a")];
    refused(&declaration(Phase::Expand, LockClass::AccessExclusive, gone), Site::Phase, &["phase = Contract"]);
    refused(
        &Declaration { transactional: false, ..declaration(Phase::Expand, LockClass::AccessExclusive, steps()) },
        Site::Transactional,
        &["every step may run in a transaction"],
    );
}

#[test]
fn one_statement_and_no_transaction_control() {
    let two = declaration(
        Phase::Expand,
        LockClass::AccessExclusive,
        vec![step("ALTER TABLE orders ADD COLUMN a text; ALTER TABLE orders ADD COLUMN b text", UNADD)],
    );
    refused(&two, Site::Up(0), &["2 statements", "#[step(…)]"]);
    let commit = declaration(Phase::Expand, LockClass::None, vec![step("COMMIT", "SELECT 1")]);
    refused(&commit, Site::Up(0), &["transaction control"]);
    for session in ["SET search_path = shop", "SET LOCAL lock_timeout = 0", "RESET ALL", "DISCARD ALL", "SET ROLE app"]
    {
        let set = declaration(Phase::Expand, LockClass::None, vec![step(session, "SELECT 1")]);
        refused(&set, Site::Up(0), &["the runner's"]);
    }
    let typo = declaration(Phase::Expand, LockClass::None, vec![step("ALTER TABEL orders ADD COLUMN a text", UNADD)]);
    refused(&typo, Site::Up(0), &["syntax error", "^"]);
    let empty = declaration(Phase::Expand, LockClass::None, vec![step("-- nothing", UNADD)]);
    refused(&empty, Site::Up(0), &["no statement"]);
}

#[test]
fn a_down_reverses() {
    let declare = |step| declaration(Phase::Expand, LockClass::AccessExclusive, vec![step]);
    refused(&declare(no_down(ADD)), Site::Step(0), &["no `down`", "ALTER TABLE orders DROP COLUMN status", "derived"]);
    refused(
        &declare(step(ADD, "ALTER TABLE orders DROP COLUMN state")),
        Site::Down(0),
        &["does not reverse", "status"],
    );
    refused(&declare(step(ADD, "ALTER TABLE users DROP COLUMN status")), Site::Down(0), &["does not reverse"]);
    let keep = |down| StepDeclaration::Statement { up: sql(ADD), down: Some(down), assume: None };
    refused(&declare(keep(DownDeclaration::Keep("x".into()))), Site::Down(0), &["`keep` is for rows"]);
    refused(
        &declare(keep(DownDeclaration::Nothing("x".into()))),
        Site::Down(0),
        &["something to take back", "DROP COLUMN"],
    );
    let drop = declaration(
        Phase::Contract,
        LockClass::AccessExclusive,
        vec![derived("ALTER TABLE users DROP COLUMN full_name")],
    );
    let problems = check(&drop).unwrap_err();
    assert!(shown(&problems).contains("cannot be derived"), "{}", shown(&problems));
}

#[test]
fn hazards_are_allowed_by_name() {
    let step = || vec![step("CREATE INDEX i ON orders (a)", "DROP INDEX i")];
    let plain = declaration(Phase::Expand, LockClass::Share, step());
    refused(&plain, Site::Up(0), &["index-not-concurrent", "CONCURRENTLY", "allow(index_not_concurrent"]);
    let allow = |hazard: &str, reason: &str| Declaration {
        allows: vec![AllowDeclaration { hazard: hazard.to_owned(), reason: reason.to_owned() }],
        ..plain.clone()
    };
    accepted(&allow("index_not_concurrent", "a table of ten rows"));
    refused(&allow("index_not_concurrent", ""), Site::Allow(0), &["say why"]);
    let problems = check(&allow("index_concurrent", "x")).unwrap_err();
    assert!(shown(&problems).contains("did you mean `index_not_concurrent`"), "{}", shown(&problems));
    let needless = Declaration {
        allows: vec![AllowDeclaration { hazard: "index_not_concurrent".to_owned(), reason: "x".to_owned() }],
        ..declaration(Phase::Expand, LockClass::AccessExclusive, vec![self::step(ADD, UNADD)])
    };
    refused(&needless, Site::Allow(0), &["allows nothing"]);
}

#[test]
fn a_new_table_has_no_clients() {
    let steps = vec![
        derived("CREATE TABLE carts (id bigint PRIMARY KEY, user_id bigint NOT NULL)"),
        derived("CREATE INDEX carts_user ON carts (user_id)"),
        derived("ALTER TABLE carts ADD CONSTRAINT positive CHECK (user_id > 0)"),
    ];
    accepted(&declaration(Phase::Expand, LockClass::None, steps));
}

#[test]
fn a_deploy_may_span_migrations() {
    let index = || vec![step("CREATE INDEX carts_user ON carts (user_id)", "DROP INDEX carts_user")];
    let plain = declaration(Phase::Expand, LockClass::Share, index());
    let checked = accepted(&Declaration { deploy_from: Some(2025_12_31_0000), ..plain.clone() });
    assert_eq!(checked.new_since.len(), 1);
    let idle = Declaration {
        deploy_from: Some(2025_12_31_0000),
        ..declaration(Phase::Expand, LockClass::AccessExclusive, vec![step(ADD, UNADD)])
    };
    refused(&idle, Site::DeployFrom, &["changes nothing"]);
}

#[test]
fn a_witness_tells_the_earlier_type() {
    let wider = step("ALTER TABLE t ALTER COLUMN c TYPE varchar(20)", "ALTER TABLE t ALTER COLUMN c TYPE varchar(10)");
    let checked = accepted(&declaration(Phase::Expand, LockClass::AccessExclusive, vec![wider]));
    assert_eq!(checked.steps[0].work, crate::model::Work::Metadata);
}

#[test]
fn what_cannot_be_known_is_taken_on_trust() {
    let opaque = "DO $$ BEGIN EXECUTE 'ALTER TABLE ' || current_setting('my.table') || ' ADD COLUMN a text'; END $$";
    let declare = |assume: Option<Assume>| {
        let step = StepDeclaration::Statement {
            up: sql(opaque),
            down: Some(DownDeclaration::Nothing("nobody reads it".to_owned())),
            assume,
        };
        declaration(Phase::Expand, LockClass::AccessExclusive, vec![step])
    };
    refused(&declare(None), Site::Up(0), &["cannot be known", "assume("]);
    let assume = Assume {
        lock: Some(LockClass::AccessExclusive),
        phase: Some(Phase::Expand),
        effects: None,
        transactional: Some(true),
        destructive: Some(false),
        reason: "one table, chosen by configuration".to_owned(),
    };
    accepted(&declare(Some(assume)));
}

#[test]
fn a_baseline_is_read() {
    let text = "SET search_path = public; CREATE TABLE users (id bigint PRIMARY KEY, email text); CREATE INDEX e ON users (email);";
    let baseline = baseline(&sql(text)).unwrap();
    let objects: Vec<&str> = baseline.effects.iter().map(|effect| effect.object.as_str()).collect();
    assert!(objects.contains(&"table public.users"), "{objects:?}");
    assert!(objects.contains(&"column public.users.email"), "{objects:?}");
    assert!(objects.contains(&"index public.e"), "{objects:?}");
    let error = super::baseline(&sql("CREATE TABLE a (id int); CREATE TABLE a (id int);")).unwrap_err();
    assert!(error.message.contains("already exists"), "{}", error.message);
}

#[test]
fn a_trigger_that_keeps_two_shapes_alike() {
    let sync = |install| SyncDeclaration {
        install,
        table: "\"Shop\".users".to_owned(),
        old: vec!["full_name".to_owned()],
        new: vec!["first_name".to_owned(), "\"Last\"".to_owned()],
        forward: vec!["split_part(full_name, ' ', 1)".to_owned(), "substr(full_name, 5)".to_owned()],
        backward: vec!["concat_ws(' ', first_name, users.\"Last\")".to_owned()],
    };
    let steps = sync_steps(&sync(true)).unwrap();
    let installed = accepted(&declaration(Phase::Expand, LockClass::ShareRowExclusive, steps));
    assert!(installed.steps[1].up.contains("CREATE FUNCTION \"Shop\".zz_migrate_sync_users_full_name_"));
    let steps = sync_steps(&sync(false)).unwrap();
    accepted(&declaration(Phase::Contract, LockClass::AccessExclusive, steps));

    let wrong = |change: fn(&mut SyncDeclaration), part, words: &str| {
        let mut changed = sync(true);
        change(&mut changed);
        let problems = sync_steps(&changed).unwrap_err();
        assert_eq!((problems.len(), problems[0].0), (1, part), "{problems:?}");
        assert!(problems[0].1.contains(words), "{}", problems[0].1);
    };
    wrong(|sync| sync.forward.truncate(1), SyncPart::Forward(0), "`forward` has 1 expression, and `new` 2 columns");
    wrong(|sync| sync.forward[1] = "upper(last_name)".into(), SyncPart::Forward(1), "names `last_name`");
    wrong(|sync| sync.backward[0] = "(SELECT max(name) FROM t)".into(), SyncPart::Backward(0), "subquery");
    wrong(|sync| sync.backward[0] = "a ||".into(), SyncPart::Backward(0), "syntax error");
    wrong(|sync| sync.old[0] = "first_name".into(), SyncPart::New, "both shapes");
    wrong(|sync| sync.table = "a b".into(), SyncPart::Table, "syntax error");
}

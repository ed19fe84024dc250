//! Across migrations: what only the history knows, refused by the history check that `migrations!` evaluates, by the derive
//! where a `down` is the witness, or by the plan.

use super::super::harness::declare;
use crate::model::{LockClass, Phase};
use crate::sql::check::{Checked, Declaration, DestructiveDeclaration, Entry, SqlText, baseline, check, history};
use LockClass::{AccessExclusive, None as NoLock, Share, ShareUpdateExclusive};
use Phase::{Contract, Expand, Migrate};

fn checked(declared: Declaration) -> Checked {
    let approved = format!("Jane Doe @ {}", crate::sql::digest(&declared.steps).trim_start_matches("v1:"));
    let gate = DestructiveDeclaration { backup: Some(crate::model::Backup::Dump), approved: Some(approved) };
    let with_gate = Declaration { destructive: Some(gate), ..declared.clone() };
    match check(&declared) {
        Ok(checked) => checked,
        Err(_) => check(&with_gate).unwrap_or_else(|problems| panic!("{:?}\n{problems:#?}", declared.steps)),
    }
}

/// A migration whose steps are pairs of up and down.
fn migration(phase: Phase, lock: LockClass, steps: &[(&str, &str)]) -> Checked {
    checked(declare(phase, lock, steps))
}

/// What the history check says of each, in their order, after a baseline.
fn verdicts(before: &str, all: &[&Checked]) -> Vec<Option<String>> {
    let names: Vec<String> = (1..=all.len()).map(|at| format!("M{at}")).collect();
    let entries: Vec<Entry<'_>> = (all.iter().zip(&names).enumerate())
        .map(|(at, (checked, name))| Entry {
            version: 2026_01_01_0001 + i64::try_from(at).expect("a few"),
            name,
            checked,
        })
        .collect();
    let baseline = baseline(&SqlText { text: before.to_owned(), file: None }).expect("the baseline is read");
    history(Some(&baseline), &entries).into_iter().map(|finding| finding.refused).collect()
}

#[track_caller]
fn accepted(before: &str, all: &[&Checked]) {
    let found = verdicts(before, all);
    assert!(found.iter().all(Option::is_none), "{found:#?}");
}

/// The last is refused, with these words, and no other is.
#[track_caller]
fn last_refused(before: &str, all: &[&Checked], words: &[&str]) {
    let found = verdicts(before, all);
    let (last, others) = found.split_last().expect("there are some");
    assert!(others.iter().all(Option::is_none), "{others:#?}");
    let last = last.as_deref().expect("it is accepted");
    assert!(words.iter().all(|word| last.contains(word)), "{words:?} in: {last}");
}

const SHOP: &str = "CREATE TABLE users (id bigint PRIMARY KEY, email varchar(10), name text DEFAULT 'x');
    CREATE INDEX users_name ON users (name); COMMENT ON COLUMN users.name IS 'theirs'; GRANT SELECT (name) ON users TO PUBLIC;";

/// `deploy_from` says that the table is new in the deploy; the history says whether it is. As UI test: `history_settings`.
#[test]
fn a_table_new_in_this_history() {
    let table = migration(Expand, NoLock, &[("CREATE TABLE carts (id bigint, code text)", "DROP TABLE carts")]);
    let index = |table: &str| {
        let up = format!("CREATE INDEX carts_code ON {table} (id)");
        let plain = declare(Expand, Share, &[(&up, "DROP INDEX carts_code")]);
        // Alone it is a hazard.
        let problems = check(&plain).unwrap_err();
        assert!(problems.iter().any(|it| it.message.contains("index-not-concurrent")), "{problems:#?}");
        checked(Declaration { deploy_from: Some(2026_01_01_0001), lock: Share, ..plain })
    };
    accepted(SHOP, &[&table, &index("carts")]);
    last_refused(SHOP, &[&table, &index("users")], &["deploy_from", "public.users is new"]);
}

/// The down is the witness of the earlier type, and the history holds it to what it knows. As UI test: `history_not_reversed`.
#[test]
fn a_columns_type_before_the_change() {
    let wider = |old: &str| {
        let down = format!("ALTER TABLE users ALTER COLUMN email TYPE {old}");
        migration(Expand, AccessExclusive, &[("ALTER TABLE users ALTER COLUMN email TYPE varchar(20)", &down)])
    };
    accepted(SHOP, &[&wider("varchar(10)")]);
    last_refused(SHOP, &[&wider("varchar(15)")], &["the type of column users.email", "varchar(15)", "varchar(10)"]);
    // No witness: the worst case.
    let problems = check(&declare(
        Expand,
        AccessExclusive,
        &[("ALTER TABLE users ALTER COLUMN email TYPE bigint", "ALTER TABLE users ALTER COLUMN email TYPE int")],
    ))
    .unwrap_err();
    assert!(problems.iter().any(|it| it.message.contains("blocking-rewrite")), "{problems:#?}");
}

/// SET NOT NULL reads nothing where a CHECK was validated before; that it was is what its down says, and the history knows.
#[test]
fn a_constraint_validated_earlier() {
    const ADD: &str = "ALTER TABLE users ADD CONSTRAINT named CHECK (name IS NOT NULL)";
    const DROP: &str = "ALTER TABLE users DROP CONSTRAINT named";
    let not_valid = format!("{ADD} NOT VALID");
    let add = migration(Contract, AccessExclusive, &[(&not_valid, DROP)]);
    let validate = migration(Migrate, ShareUpdateExclusive, &[("ALTER TABLE users VALIDATE CONSTRAINT named", "")]);
    let set = migration(
        Expand,
        AccessExclusive,
        &[
            ("ALTER TABLE users ALTER COLUMN name SET NOT NULL", "ALTER TABLE users ALTER COLUMN name DROP NOT NULL"),
            (DROP, ADD),
        ],
    );
    accepted(SHOP, &[&add, &validate, &set]);
    last_refused(SHOP, &[&add, &set], &["constraint named", "NOT VALID"]);
}

/// The index that a constraint took over is the constraint's, and goes with it.
#[test]
fn an_index_that_backs_a_constraint() {
    let index = checked(Declaration {
        transactional: false,
        ..declare(
            Contract,
            ShareUpdateExclusive,
            &[(
                "CREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email)",
                "DROP INDEX CONCURRENTLY IF EXISTS users_email",
            )],
        )
    });
    let using = migration(
        Expand,
        AccessExclusive,
        &[(
            "ALTER TABLE users ADD CONSTRAINT users_email UNIQUE USING INDEX users_email",
            "ALTER TABLE users DROP CONSTRAINT users_email; CREATE UNIQUE INDEX users_email ON users (email)",
        )],
    );
    let drop = checked(Declaration {
        transactional: false,
        ..declare(
            Contract,
            ShareUpdateExclusive,
            &[("DROP INDEX CONCURRENTLY users_email", "CREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email)")],
        )
    });
    accepted(SHOP, &[&index, &using]);
    accepted(SHOP, &[&index, &drop]);
    last_refused(SHOP, &[&index, &using, &drop], &["users_email"]);
}

/// As UI test: `history_name_taken`.
#[test]
fn a_name_already_taken() {
    let make = |name: &str| {
        migration(Expand, NoLock, &[(&format!("CREATE TABLE {name} (a int)"), &format!("DROP TABLE {name}"))])
    };
    accepted(SHOP, &[&make("carts"), &make("baskets")]);
    last_refused(SHOP, &[&make("carts"), &make("carts")], &["the name is taken", "M1"]);
    last_refused(SHOP, &[&make("users_name")], &["the name is taken"]);
}

/// What a Contract took is not there for a later Expand; and one that was held back is not passed by what needs the same
/// objects (`plan::tests::an_expand_waits_behind_a_held_one_that_touches_the_same_table`).
#[test]
fn a_contract_before_the_expand() {
    let drop = migration(
        Contract,
        AccessExclusive,
        &[("ALTER TABLE users DROP COLUMN email", "ALTER TABLE users ADD COLUMN email varchar(10)")],
    );
    let uses = migration(
        Expand,
        AccessExclusive,
        &[(
            "ALTER TABLE users ALTER COLUMN email SET DEFAULT 'x'",
            "ALTER TABLE users ALTER COLUMN email DROP DEFAULT",
        )],
    );
    accepted(SHOP, &[&uses]);
    last_refused(SHOP, &[&drop, &uses], &["column public.users.email", "which is gone", "M1"]);
}

/// Of one migration by the derive (UI test `down_does_not_reverse`), of more by the history.
#[test]
fn a_down_that_does_not_reverse() {
    let alone =
        declare(Expand, AccessExclusive, &[("ALTER TABLE users ADD COLUMN a int", "ALTER TABLE users DROP COLUMN b")]);
    let problems = check(&alone).unwrap_err();
    assert!(problems.iter().any(|it| it.message.contains("does not reverse")), "{problems:#?}");
    let default = |old: &str| {
        let down = format!("ALTER TABLE users ALTER COLUMN name SET DEFAULT {old}");
        migration(Expand, AccessExclusive, &[("ALTER TABLE users ALTER COLUMN name SET DEFAULT 'y'", &down)])
    };
    accepted(SHOP, &[&default("'x'")]);
    last_refused(SHOP, &[&default("'z'")], &["the default of column users.name", "'z'", "'x'"]);
}

/// As UI test: `history_not_reversed`.
#[test]
fn what_a_dropped_columns_down_forgets() {
    let drop = |down: &[&str]| {
        migration(Contract, AccessExclusive, &[("ALTER TABLE users DROP COLUMN name", &down.join("; "))])
    };
    let whole = [
        "ALTER TABLE users ADD COLUMN name text DEFAULT 'x'",
        "CREATE INDEX users_name ON users (name)",
        "COMMENT ON COLUMN users.name IS 'theirs'",
        "GRANT SELECT (name) ON users TO PUBLIC",
    ];
    accepted(SHOP, &[&drop(&whole)]);
    for (at, word) in [(1, "users_name"), (2, "comment"), (3, "SELECT to public")] {
        let mut less = whole.to_vec();
        less.remove(at);
        last_refused(SHOP, &[&drop(&less)], &[word]);
    }
    let mut other = whole;
    other[0] = "ALTER TABLE users ADD COLUMN name text";
    last_refused(SHOP, &[&drop(&other)], &["default"]);
}

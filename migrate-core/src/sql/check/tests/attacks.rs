//! Declarations that try to slip through, ordinary ones that must not be refused, and messages that must help.

use super::*;
use crate::sql::digest;

/// What only calls a function is called for what the function does.
#[test]
fn a_function_nobody_can_read_is_not_harmless() {
    for up in ["SELECT drop_everything()", "SELECT lo_unlink(1)", "SELECT pg_terminate_backend(1)"] {
        let step = StepDeclaration::Statement {
            up: sql(up),
            down: Some(DownDeclaration::Nothing("it only reads".to_owned())),
            assume: None,
        };
        refused(
            &declaration(Phase::Expand, LockClass::None, vec![step]),
            Site::Up(0),
            &["cannot be known", "assume(lock"],
        );
    }
    for up in ["SELECT 1", "SELECT count(*), lower('A'), coalesce(max(1), 2), now()"] {
        let step = StepDeclaration::Statement {
            up: sql(up),
            down: Some(DownDeclaration::Nothing("it only reads".to_owned())),
            assume: None,
        };
        accepted(&declaration(Phase::Expand, LockClass::None, vec![step]));
    }
}

/// The down that makes a type or domain again tells what it was, not that it is new.
#[test]
fn a_type_that_a_down_makes_again_had_clients() {
    for (up, down) in [
        ("DROP TYPE mood", "CREATE TYPE mood AS ENUM ('a')"),
        ("DROP DOMAIN email", "CREATE DOMAIN email AS text"),
        ("DROP FUNCTION f()", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    ] {
        refused(&declaration(Phase::Expand, LockClass::None, vec![step(up, down)]), Site::Phase, &["phase = Contract"]);
    }
}

/// A constraint over an index that another migration built.
#[test]
fn the_index_that_a_constraint_took_over_comes_back() {
    let up = "ALTER TABLE orders ADD CONSTRAINT orders_ref_key UNIQUE USING INDEX u";
    let whole = DownDeclaration::Sql(vec![
        sql("ALTER TABLE orders DROP CONSTRAINT orders_ref_key"),
        sql("CREATE UNIQUE INDEX u ON orders (ref)"),
    ]);
    let with = |down| {
        let step = StepDeclaration::Statement { up: sql(up), down: Some(down), assume: None };
        declaration(Phase::Expand, LockClass::AccessExclusive, vec![step])
    };
    accepted(&with(whole));
    let half = with(DownDeclaration::Sql(vec![sql("ALTER TABLE orders DROP CONSTRAINT orders_ref_key")]));
    let text = shown(&check(&half).unwrap_err());
    assert!(text.contains("index u is missing"), "{text}");
    assert!(!text.contains("would be written"), "what it proposes is what it refuses: {text}");
}

#[test]
fn every_hazard_has_a_safe_form_to_show() {
    let step = StepDeclaration::Statement {
        up: sql("LOCK TABLE orders"),
        down: Some(DownDeclaration::Nothing("the lock goes with the transaction".to_owned())),
        assume: None,
    };
    refused(
        &declaration(Phase::Expand, LockClass::AccessExclusive, vec![step]),
        Site::Up(0),
        &["the safe form: No LOCK TABLE"],
    );
}

#[test]
fn a_statement_of_newer_servers_names_the_range() {
    let step = step("ALTER TABLE t SET ACCESS METHOD heap2", "ALTER TABLE t SET ACCESS METHOD heap");
    let text = shown(&check(&declaration(Phase::Expand, LockClass::AccessExclusive, vec![step])).unwrap_err());
    assert!(text.contains("pg = 15..=18"), "{text}");
}

#[test]
fn digests_see_meaning_and_nothing_else() {
    let of = |text: &str| digest(&[derived(text)]);
    for (one, other) in [
        ("SELECT 'a\r\nb'", "SELECT 'a\nb'"),
        ("DROP TABLE t", "DROP /* a /* b */ c */ TABLE t;;"),
        ("SELECT $a$x$a$", "SELECT $b$x$b$"),
        ("SELECT a>-1", "SELECT a > -1"),
        ("SELECT 'a'\n'b'", "SELECT 'a' -- c\n 'b'"),
    ] {
        assert_eq!(of(one), of(other), "{one} {other}");
    }
    for (one, other) in [
        ("SELECT 'a'", "SELECT 'A'"),
        ("SELECT a - -1", "SELECT a --1"),
        ("SELECT $a$ $$ $a$", "SELECT $a$ $b$ $a$"),
        ("SELECT 12", "SELECT 1 2"),
        ("SELECT '--x'", "SELECT '--y'"),
        ("SELECT E'\\''", "SELECT '\\'''"),
        ("SELECT a@-1", "SELECT a@ -1"),
    ] {
        assert_ne!(of(one), of(other), "{one} {other}");
    }
}

/// What rows come back depends on the data, but not whether a down without WHERE or of another column does.
#[test]
fn rows_that_visibly_do_not_come_back() {
    let declare = |up: &str, down: &str| declaration(Phase::Migrate, LockClass::RowExclusive, vec![step(up, down)]);
    let seed = "INSERT INTO countries (code) VALUES ('de')";
    refused(&declare(seed, "DELETE FROM countries"), Site::Down(0), &["does not reverse", "countries is empty"]);
    accepted(&declare(seed, "DELETE FROM countries WHERE code = 'de'"));
    let new = vec![derived("CREATE TABLE countries (code text)"), step(seed, "DELETE FROM countries")];
    accepted(&declaration(Phase::Expand, LockClass::None, new));
    let allowed = |up: &str, down: &str| Declaration {
        allows: vec![AllowDeclaration { hazard: "unbatched_rows".to_owned(), reason: "ten rows".to_owned() }],
        ..declare(up, down)
    };
    let set = "UPDATE settings SET a = 1 WHERE k = 'x'";
    let problems = shown(&check(&allowed(set, "UPDATE settings SET b = 2 WHERE k = 'x'")).unwrap_err());
    assert!(problems.contains("settings.a keeps what the up wrote"), "{problems}");
    accepted(&allowed(set, "UPDATE settings SET a = 2 WHERE k = 'x'"));
}

/// What is overwritten is lost, unless the text says that it was nothing or how it comes back.
#[test]
fn values_that_are_overwritten_are_destroyed() {
    let fill = |set: &str, filter: &str, down: DownDeclaration| Declaration {
        transactional: false,
        ..declaration(
            Phase::Migrate,
            LockClass::RowExclusive,
            vec![StepDeclaration::Backfill {
                table: "orders".to_owned(),
                key: vec!["id".to_owned()],
                batch: 10_000,
                fill: Fill::Set(set.to_owned()),
                filter: Some(filter.to_owned()),
                down: Some(down),
            }],
        )
    };
    let keep = || DownDeclaration::Keep("it is right as it is".to_owned());
    let written = |down: &str| DownDeclaration::Sql(vec![sql(down)]);
    let words = &["destroys the values of public.orders.status", "backup = Dump", "`status IS NULL`"];
    refused(&fill("status = 'new'", "status = 'open'", keep()), Site::Step(0), words);
    refused(&fill("status = 'new', note = 'x'", "note IS NULL", keep()), Site::Step(0), words);
    let back = "UPDATE orders SET status = 'open' WHERE status = 'new'";
    refused(&fill("status = 'new'", "status = 'open'", written(back)), Site::Step(0), words);
    let same = "UPDATE orders SET status = status WHERE status = 'new'";
    refused(&fill("status = 'new'", "status = 'open'", written(same)), Site::Step(0), words);
    accepted(&fill("status = coalesce(status, 'new'), note = 'x'", "note IS NULL", keep()));
    let cents = "UPDATE orders SET price = price / 100 WHERE in_cents";
    accepted(&fill("price = price * 100", "NOT in_cents", written(cents)));

    let statement = |up: &str, down: &str| Declaration {
        allows: vec![AllowDeclaration { hazard: "unbatched_rows".to_owned(), reason: "few rows".to_owned() }],
        ..declaration(Phase::Migrate, LockClass::RowExclusive, vec![step(up, down)])
    };
    let up = "UPDATE orders SET status = 'new' WHERE status = 'open'";
    refused(&statement(up, back), Site::Step(0), words);
    accepted(&statement(
        "UPDATE orders SET status = 'new' WHERE kind = 1",
        "UPDATE orders SET status = 'old' WHERE kind = 1",
    ));
    let upsert =
        "INSERT INTO orders (id, status) VALUES (1, 'new') ON CONFLICT (id) DO UPDATE SET status = excluded.status";
    let seed =
        declaration(Phase::Migrate, LockClass::RowExclusive, vec![step(upsert, "DELETE FROM orders WHERE id = 1")]);
    refused(&seed, Site::Step(0), &words[..1]);
}

/// What the migration itself added held nothing before.
#[test]
fn a_new_column_has_no_old_values() {
    let steps = vec![
        step("ALTER TABLE orders ADD COLUMN status text DEFAULT 'old'", UNADD),
        step(
            "UPDATE orders SET status = 'new' WHERE kind = 1",
            "UPDATE orders SET status = 'old' WHERE status = 'new'",
        ),
    ];
    let text = shown(&check(&declaration(Phase::Migrate, LockClass::AccessExclusive, steps)).err().unwrap_or_default());
    assert!(!text.contains("destroys"), "{text}");
}

/// Whether there is a default partition is not known, and if there is, ACCESS EXCLUSIVE is right.
#[test]
fn attach_may_meet_a_default_partition() {
    let up = "ALTER TABLE ev ATTACH PARTITION ev_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')";
    for lock in [LockClass::ShareUpdateExclusive, LockClass::AccessExclusive] {
        let steps = vec![
            derived("CREATE TABLE ev_2027 (LIKE ev INCLUDING ALL)"),
            step(up, "ALTER TABLE ev DETACH PARTITION ev_2027"),
        ];
        accepted(&declaration(Phase::Expand, lock, steps));
    }
}

#[test]
fn a_primary_key_comes_back_with_its_not_null() {
    let up = "ALTER TABLE t DROP CONSTRAINT t_pkey";
    let declare = |down: &str| declaration(Phase::Contract, LockClass::AccessExclusive, vec![step(up, down)]);
    let problems = check(&declare("ALTER TABLE t ADD CONSTRAINT t_pkey PRIMARY KEY (id)")).err().unwrap_or_default();
    assert!(!shown(&problems).contains("does not reverse"), "{}", shown(&problems));
    let other = shown(&check(&declare("ALTER TABLE t ADD CONSTRAINT other PRIMARY KEY (id)")).unwrap_err());
    assert!(other.contains("does not reverse"), "{other}");
}

/// Rows that were deleted by mistake and are written down again: behind the gate, and approved.
#[test]
fn a_deletion_that_says_what_it_deleted() {
    let steps = || vec![step("DELETE FROM users WHERE id IN (17, 18)", "INSERT INTO users (id) VALUES (17), (18)")];
    let plain = declaration(Phase::Migrate, LockClass::RowExclusive, steps());
    refused(&plain, Site::Step(0), &["destroys the rows of public.users", "backup = Dump"]);
    let signed = digest(&steps()).trim_start_matches("v1:").to_owned();
    let destructive = DestructiveDeclaration {
        backup: Some(crate::model::Backup::Dump),
        approved: Some(format!("Jane Doe @ {signed}")),
    };
    accepted(&Declaration { destructive: Some(destructive), ..plain });
}

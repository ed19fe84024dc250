//! What a statement does by way of what it calls and computes from: said, or asked for.

use super::*;
use crate::sql::analyze;

const WIPE: &str = "CREATE FUNCTION wipe(x text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('DROP TABLE %I', x); RETURN 1; END $$";

fn after_wipe(up: &str) -> Declaration {
    let steps = vec![
        step(WIPE, "DROP FUNCTION wipe(text)"),
        StepDeclaration::Statement {
            up: sql(up),
            down: Some(DownDeclaration::Sql(vec![sql("SELECT 1")])),
            assume: None,
        },
    ];
    declaration(Phase::Expand, LockClass::None, steps)
}

#[test]
fn an_opaque_function_of_the_same_migration() {
    for up in [
        "SELECT wipe('orders')",
        "CREATE TABLE z AS SELECT wipe('orders')",
        "SELECT wipe('orders') AS a INTO z",
        "INSERT INTO orders (id) SELECT wipe('users')",
        "DO $$ BEGIN PERFORM wipe('orders'); END $$",
    ] {
        let problems = check(&after_wipe(up)).expect_err(up);
        assert!(shown(&problems).contains("it calls wipe()"), "{up}: {}", shown(&problems));
    }
    let outer = "CREATE FUNCTION outer_one() RETURNS bigint LANGUAGE sql AS $$ SELECT wipe('orders') $$";
    let mut through = after_wipe("SELECT outer_one()");
    through.steps.insert(1, step(outer, "DROP FUNCTION outer_one()"));
    assert!(shown(&check(&through).expect_err("through")).contains("it calls wipe()"));
    let found = analyze(WIPE, "SELECT wipe('orders')", 16).unwrap().facts;
    assert_eq!((found.lock_class, found.phase, found.destructive), (LockClass::AccessExclusive, Phase::Contract, true));
}

#[test]
fn functions_that_are_not_opaque_stay_fine() {
    let update = |setup: Option<&str>, function: &str| {
        let mut steps: Vec<_> = setup.map(|setup| step(setup, "DROP FUNCTION slug(text)")).into_iter().collect();
        steps.push(step(
            &format!("UPDATE orders SET note = {function}(title) WHERE id = 5 AND note IS NULL"),
            "UPDATE orders SET note = NULL WHERE id = 5",
        ));
        declaration(Phase::Migrate, LockClass::RowExclusive, steps)
    };
    accepted(&update(None, "lower"));
    accepted(&update(None, "of_an_extension"));
    let read = "CREATE FUNCTION slug(x text) RETURNS text LANGUAGE sql AS $$ SELECT lower(x) $$";
    accepted(&update(Some(read), "slug"));
    let immutable = "CREATE FUNCTION slug(x text) RETURNS text LANGUAGE plpython3u IMMUTABLE AS $$ return x $$";
    accepted(&update(Some(immutable), "slug"));
}

#[test]
fn what_is_written_while_something_else_is_made() {
    let setup = "CREATE TABLE t (id bigint PRIMARY KEY, a text)";
    for up in [
        "CREATE TABLE z AS WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
        "COPY (DELETE FROM t RETURNING *) TO '/tmp/t'",
        "EXPLAIN ANALYZE DELETE FROM t",
    ] {
        let found = analyze(setup, up, 16).unwrap();
        assert_eq!(found.facts.phase, Phase::Migrate, "{up}");
        assert!(found.facts.destructive, "{up}");
        assert!(found.hazards.iter().any(|finding| finding.hazard.name == "unbatched-rows"), "{up}");
        assert_eq!(found.reverse, None, "{up}");
    }
    let nothing = StepDeclaration::Statement {
        up: sql("COPY (UPDATE t SET a = 'x' WHERE id = 5 RETURNING *) TO '/tmp/t'"),
        down: Some(DownDeclaration::Nothing("it only reads".to_owned())),
        assume: None,
    };
    let problems = check(&declaration(Phase::Migrate, LockClass::RowExclusive, vec![nothing])).expect_err("it writes");
    assert!(problems.iter().any(|problem| problem.site == Site::Down(0)), "{}", shown(&problems));
    let over = step(
        "CREATE TABLE z AS WITH x AS (UPDATE t SET a = 'x' WHERE id = 5 RETURNING *) SELECT * FROM x",
        "DROP TABLE z",
    );
    let problems = check(&declaration(Phase::Migrate, LockClass::RowExclusive, vec![over])).expect_err("it overwrites");
    assert!(shown(&problems).contains("destructive"), "{}", shown(&problems));
    let body = "CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$ UPDATE t SET a = 'x' WHERE id = 5 $$";
    let steps = vec![step(body, "DROP FUNCTION fill()"), step("SELECT fill()", "SELECT 1")];
    let problems = check(&declaration(Phase::Migrate, LockClass::RowExclusive, steps)).expect_err("it overwrites");
    assert!(shown(&problems).contains("destructive"), "{}", shown(&problems));
}

#[test]
fn the_position_of_a_sequence_is_lost_by_setval() {
    let found = |sql: &str| analyze("CREATE SEQUENCE s; CREATE TABLE t (id serial)", sql, 16).unwrap().facts;
    for sql in
        ["SELECT setval('s', 1)", "ALTER SEQUENCE s RESTART", "SELECT setval(pg_get_serial_sequence('t', 'id'), 1)"]
    {
        assert_eq!(found(sql).losses.len(), 1, "{sql}");
    }
    assert!(found("SELECT nextval('s')").losses.is_empty());
}

#[test]
fn calls_into_calls_are_looked_at_once() {
    use std::fmt::Write as _;
    let mut setup = "CREATE TABLE t (id bigint);".to_owned();
    for level in 0..60 {
        let does = if level == 0 {
            "DELETE FROM t;".to_owned()
        } else {
            format!("PERFORM f{0}(); PERFORM f{0}(); PERFORM f{0}();", level - 1)
        };
        write!(setup, "CREATE FUNCTION f{level}() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {does} END $$;").unwrap();
    }
    // A walk along every path would be 3^12 of them.
    let found = analyze(&setup, "SELECT f12()", 16).unwrap();
    assert_eq!((found.facts.phase, found.facts.lock_class), (Phase::Migrate, LockClass::RowExclusive));
    assert!(found.hazards.iter().any(|finding| finding.hazard.name == "unbatched-rows"));
    // Deeper than calls are followed.
    let found = analyze(&setup, "SELECT f59()", 16).unwrap().facts;
    assert!(found.may_be_stronger);
    assert!(found.unknowns.iter().any(|why| why.contains("calls deep")), "{:?}", found.unknowns);
}

#[test]
fn a_deploy_records_what_it_hangs_on() {
    let since = |phase: Phase, lock: LockClass, up: &str, down: &str| {
        let declared = declaration(phase, lock, vec![step(up, down)]);
        let checked = accepted(&Declaration { deploy_from: Some(2025_12_31_0000), ..declared });
        checked.new_since.iter().map(|since| since.relation.clone()).collect::<Vec<_>>()
    };
    let view = "CREATE VIEW old_view AS SELECT 1 AS a";
    assert_eq!(since(Phase::Expand, LockClass::AccessExclusive, "DROP VIEW old_view", view), ["public.old_view"]);
    let fill = "INSERT INTO carts (id) SELECT id FROM old WHERE id = 5";
    assert_eq!(since(Phase::Expand, LockClass::RowExclusive, fill, "DELETE FROM carts WHERE id = 5"), ["public.carts"]);
    let key = "ALTER TABLE carts ADD CONSTRAINT owner FOREIGN KEY (user_id) REFERENCES users (id)";
    let unkey = "ALTER TABLE carts DROP CONSTRAINT owner";
    assert_eq!(since(Phase::Expand, LockClass::ShareRowExclusive, key, unkey), ["public.carts"]);
}

#[test]
fn trust_says_no_less_than_what_is_visible() {
    let up = "DO $$ BEGIN DROP TABLE orders; EXECUTE current_setting('my.statement'); END $$";
    let declare = |lock, phase, destructive| {
        let assume = Assume {
            lock: Some(lock),
            phase: Some(phase),
            effects: None,
            transactional: Some(true),
            destructive: Some(destructive),
            reason: "it is small".to_owned(),
        };
        let down = Some(DownDeclaration::Nothing("nobody reads it".to_owned()));
        let step = StepDeclaration::Statement { up: sql(up), down, assume: Some(assume) };
        declaration(phase, lock, vec![step])
    };
    let less = declare(LockClass::None, Phase::Expand, false);
    refused(
        &less,
        Site::Assume(0),
        &["less is assumed", "phase = Contract", "lock = AccessExclusive", "destructive = true"],
    );
    let problems = check(&declare(LockClass::AccessExclusive, Phase::Contract, true)).expect_err("no gate");
    assert!(problems.iter().all(|problem| problem.site != Site::Assume(0)), "{}", shown(&problems));
}

#[test]
fn a_primary_key_of_an_index_that_is_not_known() {
    let downs = [
        "ALTER TABLE t DROP CONSTRAINT pk",
        "CREATE UNIQUE INDEX i ON t (a)",
        "ALTER TABLE t ALTER COLUMN a DROP NOT NULL",
    ];
    let step = StepDeclaration::Statement {
        up: sql("ALTER TABLE t ADD CONSTRAINT pk PRIMARY KEY USING INDEX i"),
        down: Some(DownDeclaration::Sql(downs.map(sql).to_vec())),
        assume: None,
    };
    let declared = declaration(Phase::Contract, LockClass::AccessExclusive, vec![step]);
    let problems = check(&declared).err().unwrap_or_default();
    assert!(!shown(&problems).contains("nullability"), "{}", shown(&problems));
}

//! Functions and DO blocks: signatures, bodies, places in bodies, and input that does not parse.

use super::{one, parse};
use crate::sql::Name;
use crate::sql::ast::*;

fn function(sql: &str) -> CreateFunction {
    match one(sql) {
        Stmt::CreateFunction(function) => *function,
        other => panic!("{sql}: {other:?}"),
    }
}

fn block(body: &str) -> Body {
    match one(&format!("DO $do$ {body} $do$")) {
        Stmt::Do { body, .. } => body,
        other => panic!("{other:?}"),
    }
}

fn texts(body: &Body) -> Vec<&str> {
    body.statements.iter().map(|statement| statement.text.as_str()).collect()
}

#[test]
fn signatures() {
    let read = function(
        "CREATE OR REPLACE FUNCTION s.f(a integer, OUT b text, INOUT c int[] DEFAULT '{}', VARIADIC d text[]) RETURNS SETOF record
         LANGUAGE SQL STRICT STABLE COST 5 SET search_path TO x SECURITY DEFINER AS $$ SELECT 1 FROM t $$",
    );
    assert_eq!((read.routine.kind, read.routine.name), (ObjectKind::Function, Name::qualified("s", "f")));
    let args: Vec<_> = read.routine.args.iter().flatten().map(|ty| format!("{}{}", ty.name.name, ty.array)).collect();
    assert_eq!(args, ["int40", "int41", "text1"]);
    assert_eq!(read.parameters, "(a int4, out b text, inout c int4[] default '{}', variadic d text[])");
    assert_eq!((read.returns.as_deref(), read.returns_set, read.or_replace), (Some("setof record"), true, true));
    assert_eq!((read.language.as_str(), read.volatility), ("sql", Volatility::Stable));
    assert_eq!(read.options, ["cost 5", "security definer", "set search_path = x", "strict"]);
    assert_eq!(read.body_text, " SELECT 1 FROM t ");
    assert_eq!(texts(&read.body), ["SELECT 1 FROM t"]);
    let table =
        function("CREATE FUNCTION f() RETURNS TABLE (a int) LANGUAGE sql BEGIN ATOMIC SELECT 1 FROM t; SELECT 2; END");
    assert!(table.returns_set);
    assert_eq!(table.body_text, "begin atomic select 1 from t; select 2; end");
    assert_eq!(texts(&table.body), ["SELECT 1 FROM t", "SELECT 2"]);
    let returned = function("CREATE FUNCTION f(a int) RETURNS int RETURN g(a)");
    assert_eq!((returned.language.as_str(), returned.body.statements.len()), ("sql", 1));
    let c = function("CREATE FUNCTION f() RETURNS int LANGUAGE C IMMUTABLE AS 'lib', 'sym'");
    assert_eq!(
        (c.volatility, c.body.opaque.as_deref()),
        (Volatility::Immutable, Some("a body in language c is not read"))
    );
}

#[test]
fn statements_in_blocks() {
    let body = block(
        "DECLARE v int := (SELECT 1 FROM declared); c CURSOR FOR SELECT 1 FROM cursed;
         BEGIN
           IF EXISTS (SELECT 1 FROM tested) THEN DROP TABLE a; ELSIF true THEN DROP TABLE b; ELSE DROP TABLE c; END IF;
           FOR r IN SELECT * FROM looped LOOP UPDATE d SET x = 1; COMMIT; END LOOP;
           BEGIN LOCK TABLE e; EXCEPTION WHEN OTHERS THEN DELETE FROM f; END;
           PERFORM g(1); CALL h(); v := i(2); RETURN;
         END",
    );
    let expected = [
        "(SELECT 1 FROM declared)",
        "SELECT 1 FROM cursed",
        "EXISTS (SELECT 1 FROM tested)",
        "DROP TABLE a",
        "DROP TABLE b",
        "DROP TABLE c",
        "SELECT * FROM looped",
        "UPDATE d SET x = 1",
        "LOCK TABLE e",
        "DELETE FROM f",
        "PERFORM g(1)",
        "CALL h()",
        "i(2)",
    ];
    assert_eq!(texts(&body), expected);
    assert!(body.commits && body.opaque.is_none());
}

#[test]
fn executed_strings() {
    let body =
        block("BEGIN EXECUTE 'DROP TABLE a; DROP TABLE b'; EXECUTE $q$UPDATE c SET d = $1$q$ INTO v USING 1; END");
    assert_eq!(texts(&body), ["DROP TABLE a", "DROP TABLE b", "UPDATE c SET d = $1"]);
    assert_eq!(body.opaque, None);
    for (constant, text) in [
        ("'DROP TABLE ' || 'a'", "DROP TABLE a"),
        ("('DROP TABLE '::text || quote_ident('A')) || ' CASCADE'", "DROP TABLE \"A\" CASCADE"),
        ("format('DROP TABLE %I.%I', 's', 'a b')", "DROP TABLE s.\"a b\""),
        ("format('COMMENT ON TABLE %2$s IS %1$L', 'it''s 100%', 't')", "COMMENT ON TABLE t IS 'it''s 100%'"),
        ("format('ALTER TABLE t ALTER a SET STATISTICS %s', 100)", "ALTER TABLE t ALTER a SET STATISTICS 100"),
        ("concat('DROP ', 'TABLE ', 'a')", "DROP TABLE a"),
    ] {
        let body = block(&format!("BEGIN EXECUTE {constant}; END"));
        assert_eq!(texts(&body), [text], "{constant}");
        assert_eq!(body.opaque, None, "{constant}");
    }
    for computed in [
        "'DROP TABLE ' || x",
        "format('DROP TABLE %I', x)",
        "x",
        "'DROP TABLE ' || NULL",
        "format('DROP TABLE %I')",
        "format('DROP TABLE %-10s', 'a')",
        "format(VARIADIC ARRAY['DROP TABLE a'])",
        "s.format('DROP TABLE a')",
        "upper('drop table a')",
        "'DROP TABLE ' || 1.5::int",
        "'DROP TABLE a'::name",
    ] {
        let body = block(&format!("BEGIN EXECUTE {computed}; END"));
        assert_eq!(body.opaque.as_deref(), Some("EXECUTE of a string that is computed"), "{computed}");
    }
    let sql = "DO 'BEGIN EXECUTE ''DROP TABL a''; END'";
    let error = parse(sql).expect_err("it does not parse");
    assert_eq!(&sql[error.range()], "''DROP TABL a''");
}

#[test]
fn targets_of_into_are_not_tables() {
    let body = block(
        "BEGIN SELECT a, b INTO STRICT v, w.x FROM t WHERE c = 1; SELECT a FROM u INTO v; INSERT INTO x VALUES (1) RETURNING id INTO v;
         FETCH c INTO v; END",
    );
    assert_eq!(
        texts(&body),
        [
            "SELECT a, b INTO STRICT v, w.x FROM t WHERE c = 1",
            "SELECT a FROM u",
            "INSERT INTO x VALUES (1) RETURNING id"
        ]
    );
    for statement in &body.statements {
        let Stmt::Query(query) = &statement.stmt else { panic!("{statement:?}") };
        assert_eq!(query.into, None);
    }
    let sql = "DO $$ BEGIN SELECT a INTO v FROM; END $$";
    let error = parse(sql).expect_err("it does not parse");
    assert!(sql[error.offset..].starts_with(';') || sql[..error.offset].ends_with("FROM"), "{error:?}");
}

#[test]
fn places_in_bodies_are_places_in_the_source() {
    for sql in [
        "DO $x$ BEGIN DROP TABLE a; END $x$",
        "DO E'BEGIN\\n DROP TABLE a; END'",
        "DO 'BEGIN DO $$ BEGIN DROP TABLE a; END $$; END'",
        "SELECT 1; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DROP TABLE a'",
    ] {
        let mut body = match &parse(sql).expect("it parses").last().expect("a statement").stmt {
            Stmt::Do { body, .. } => body.clone(),
            Stmt::CreateFunction(function) => function.body.clone(),
            other => panic!("{other:?}"),
        };
        while let Stmt::Do { body: inner, .. } = &body.statements[0].stmt {
            body = inner.clone();
        }
        assert_eq!(&sql[body.statements[0].span.clone()], "DROP TABLE a", "{sql}");
    }
}

#[test]
fn errors_stand_where_they_are() {
    for (sql, at) in [
        ("SELECT 1;\nSELEC 2", "SELEC"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELEC 1'", "SELEC"),
        ("DO $$ BEGIN DROP TABL a; END $$", "DROP"),
        ("ALTER TABLE t ADD COLUMNN x text, DROP y z", "COLUMNN"),
        ("CREATE TABLE t (a int", ""),
        ("SELECT 'open", "'open"),
    ] {
        let error = parse(sql).expect_err(sql);
        let expected = if at.is_empty() { sql.len() } else { sql.rfind(at).expect("it is in it") };
        assert!(error.offset.abs_diff(expected) <= 1, "{sql}: {error:?}");
        assert!(error.range().end <= sql.len(), "{sql}: {error:?}");
    }
}

#[test]
fn statements_after_the_elements_of_a_schema() {
    let sql = "CREATE SCHEMA s CREATE TABLE t (a int) CREATE VIEW v AS SELECT 1; CREATE TABLE u (b int); SELECT 1";
    let statements = parse(sql).expect("it parses");
    let texts: Vec<_> = statements.iter().map(|statement| statement.text.as_str()).collect();
    assert_eq!(texts, sql.split("; ").collect::<Vec<_>>());
    let Stmt::CreateSchema { elements, .. } = &statements[0].stmt else { panic!() };
    assert_eq!(elements.len(), 2);
}

//! What is printed parses back to what was parsed, for every statement of the lock corpus that is printed whole.

use crate::sql::ast::{Body, Stmt};
use crate::sql::parse::parse;

/// The statement as text; `None` for the kinds that are not printed whole.
fn printed(stmt: &Stmt) -> Option<String> {
    Some(match stmt {
        Stmt::CreateTable(create) => super::create_table(create),
        Stmt::CreateIndex(create) => super::create_index(create),
        Stmt::CreateView(create) => super::create_view(create),
        Stmt::CreateMaterializedView(create) => super::create_materialized_view(create),
        Stmt::CreateSequence(create) => super::create_sequence(create),
        Stmt::CreateType { name, definition } => super::create_type(name, definition),
        Stmt::CreateDomain(create) => super::create_domain(create),
        Stmt::CreateFunction(create) => super::create_function(create),
        Stmt::CreatePolicy(create) => super::create_policy(create),
        Stmt::Grant(grant) => super::grant(grant),
        Stmt::CreatePublication { name, scope, .. } => super::create_publication(name, scope),
        _ => return None,
    })
}

/// The parts that hold positions or the text as it was written are left out.
fn bare(stmt: Stmt) -> Stmt {
    match stmt {
        Stmt::CreateFunction(mut create) => {
            create.body = Body::default();
            Stmt::CreateFunction(create)
        }
        Stmt::CreatePublication { name, scope, .. } => Stmt::CreatePublication { name, scope, text: String::new() },
        other => other,
    }
}

fn only(sql: &str) -> Result<Stmt, String> {
    let mut statements = parse(sql).map_err(|error| format!("{error:?}"))?;
    match statements.pop() {
        Some(statement) if statements.is_empty() => Ok(bare(statement.stmt)),
        _ => Err("not one statement".to_owned()),
    }
}

#[test]
fn what_is_printed_parses_back() {
    let corpus = include_str!("../../../../tests/lock-corpus/statements.jsonl");
    let mut seen = std::collections::BTreeSet::new();
    let mut wrong = Vec::new();
    for line in corpus.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in ["setup", "sql"] {
            for statement in parse(case[key].as_str().unwrap()).unwrap() {
                let Some(text) = printed(&statement.stmt) else { continue };
                if !seen.insert(statement.text.clone()) {
                    continue;
                }
                match only(&text) {
                    Ok(again) if again == bare(statement.stmt.clone()) => {}
                    Ok(again) => {
                        wrong.push(format!("{}\n  {text}\n  {again:?}\n  {:?}", statement.text, statement.stmt));
                    }
                    Err(error) => wrong.push(format!("{}\n  {text}\n  {error}", statement.text)),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), seen.len(), wrong.join("\n"));
    assert!(seen.len() >= 150, "{}", seen.len());
}

#[test]
fn what_people_seldom_write_parses_back() {
    let mut wrong = Vec::new();
    for sql in [
        "CREATE TABLE t (a interval day to second(3), b timestamp(3) with time zone, c bit varying(5), d char(3), e \"char\")",
        "CREATE TABLE t (a numeric(10, 2)[] DEFAULT '{}', b double precision, c int[][], d \"My Type\", e s.ty(4))",
        "CREATE TABLE t (a int CONSTRAINT x NOT NULL, b int CHECK (b > 0) NO INHERIT, CHECK ((a > 0) OR (b > 0)))",
        "CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY (START WITH 5 INCREMENT BY -2 MINVALUE -10 NO MAXVALUE CYCLE CACHE 3))",
        "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) STORED, FOREIGN KEY (a, b) REFERENCES s.u (x, y) MATCH FULL ON DELETE SET NULL (a) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TABLE t (LIKE u INCLUDING ALL EXCLUDING INDEXES, PRIMARY KEY (a) INCLUDE (b) WITH (fillfactor = 70) USING INDEX TABLESPACE ts)",
        "CREATE TABLE t (a int, EXCLUDE USING gist (a WITH =, tsrange(b, c) WITH &&) WHERE (a > 0))",
        "CREATE TABLE p PARTITION OF t FOR VALUES IN ('a, b', NULL) PARTITION BY LIST (c)",
        "CREATE TABLE t (a bool DEFAULT (1 IN (1, 2)), b text DEFAULT 'it''s' || E'\\n')",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.t USING gin ((lower(a)) text_pattern_ops DESC NULLS LAST, b COLLATE \"C\") INCLUDE (c) NULLS NOT DISTINCT WITH (fillfactor = 70) TABLESPACE ts WHERE a IS NOT NULL",
        "CREATE OR REPLACE VIEW v (a, b) WITH (security_barrier) AS SELECT 1, 2 WITH LOCAL CHECK OPTION",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS v WITH (fillfactor = 70) TABLESPACE ts AS SELECT 1 AS a WITH NO DATA",
        "CREATE SEQUENCE s AS smallint OWNED BY public.t.a",
        "CREATE TYPE ty AS (a text COLLATE \"C\", b int[])",
        "CREATE DOMAIN d AS varchar(10) COLLATE \"C\" DEFAULT 'x' NOT NULL CONSTRAINT c CHECK (VALUE <> '') CHECK (length(VALUE) > 2)",
        "CREATE FUNCTION f(IN a int DEFAULT 1, OUT b text, VARIADIC c int[]) LANGUAGE plpgsql IMMUTABLE STRICT SECURITY DEFINER SET search_path = public AS $x$ BEGIN b := '$$'; END $x$",
        "CREATE FUNCTION f(a int) RETURNS TABLE (x int, y text) LANGUAGE sql STABLE COST 10 BEGIN ATOMIC SELECT 1, 'a'; END",
        "CREATE FUNCTION f(a int) RETURNS SETOF int LANGUAGE sql RETURN a + 1",
        "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'",
        "CREATE POLICY p ON s.t AS RESTRICTIVE FOR UPDATE TO CURRENT_USER, \"Oth\" USING (a) WITH CHECK (b)",
        "GRANT SELECT (a, b), UPDATE ON t, u TO PUBLIC, x WITH GRANT OPTION",
        "GRANT ALL ON ALL TABLES IN SCHEMA a, b TO x",
        "REVOKE GRANT OPTION FOR USAGE ON SCHEMA s FROM x CASCADE",
        "GRANT a, b TO c WITH ADMIN OPTION",
    ] {
        let parsed = only(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let text = printed(&parsed).unwrap_or_else(|| panic!("{sql} is not printed"));
        match only(&text) {
            Ok(again) if again == parsed => {}
            again => wrong.push(format!("{sql}\n  {text}\n  {again:?}\n  {parsed:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

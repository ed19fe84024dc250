//! Expressions and queries: what they read, write, lock and call.

use super::one;
use crate::sql::Name;
use crate::sql::ast::*;
use crate::sql::parse::parse_expression;

fn query(sql: &str) -> Query {
    match one(sql) {
        Stmt::Query(query) => query,
        other => panic!("{sql}: {other:?}"),
    }
}

fn expression(sql: &str) -> Expr {
    parse_expression(sql).unwrap_or_else(|error| panic!("{}", error.render(sql)))
}

fn names(names: &[Name]) -> String {
    names.iter().map(Name::to_string).collect::<Vec<_>>().join(" ")
}

fn reads(sql: &str) -> String {
    query(sql)
        .reads
        .iter()
        .map(|(name, only)| format!("{name}{}", if *only { "!" } else { "" }))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn one_text_for_every_spelling() {
    let same = [
        ("Lower( A )||'x'", "LOWER(a) || E'x' -- comment"),
        ("a != 1", "a <> 1"),
        ("(((a)))", "a"),
        ("\"a\" IS   NOT/* */NULL", "a NOTNULL"),
        ("$$it's$$", "'it''s'"),
        ("$tag$x$tag$", "U&'\\0078'"),
        ("a::INTEGER", "a :: pg_catalog.int4"),
        ("CAST(a AS timestamp with time zone)", "cast( a as timestamptz )"),
        ("'a'\n'b'", "'ab'"),
        ("((a + b)) * c", "(a + b) * c"),
        ("ARRAY[ 1,2 ]", "array[1, 2]"),
        ("a [ 1 ]", "a[1]"),
    ];
    for (left, right) in same {
        assert_eq!(expression(left).text, expression(right).text);
    }
    let text = [
        ("- - 1", "- -1"),
        ("x AT TIME ZONE 'utc'", "x at time zone 'utc'"),
        ("a OPERATOR(pg_catalog.+) b", "a operator(pg_catalog.+) b"),
        ("COUNT ( * ) FILTER (WHERE a)", "count(*) filter (where a)"),
        ("\"Weird\" = \"select\"", "\"Weird\" = \"select\""),
        ("EXTRACT(year FROM ts)", "extract(year from ts)"),
        ("t . a", "t.a"),
    ];
    for (sql, expected) in text {
        assert_eq!(expression(sql).text, expected);
    }
    assert_ne!(expression("'A'").text, expression("'a'").text);
    assert_ne!(expression("\"A\"").text, expression("a").text);
    assert_ne!(expression("a - (b - c)").text, expression("a - b - c").text);
}

#[test]
fn canonical_text_reads_back_as_itself() {
    for sql in [
        "- - 1",
        "a->>'b' @> c",
        "x::numeric(1,2)[]",
        "ARRAY(SELECT 1 FROM q)",
        "'it''s'",
        "interval '1 day'",
        "a[1:2]",
        "\"A\".\"b c\"",
    ] {
        let once = expression(sql).text;
        assert_eq!(expression(&once).text, once, "{sql}");
    }
}

#[test]
fn what_expressions_name() {
    let read = expression("s.f(a.b, c) + coalesce(d, CURRENT_TIMESTAMP)::int8 - nextval('Q') OPERATOR(s.@@) x");
    assert_eq!(names(&read.functions), "s.f now nextval");
    assert_eq!(read.columns, ["b", "c", "d", "x"]);
    assert_eq!(read.casts.iter().map(|ty| ty.name.name.as_str()).collect::<Vec<_>>(), ["int8"]);
    assert_eq!(read.sequences, [Name::bare("q")]);
    assert!(
        read.operators.contains(&Name::qualified("s", "@@")) && read.operators.contains(&Name::bare("-")),
        "{:?}",
        read.operators
    );
    for (sql, function) in [
        ("CURRENT_DATE", "current_date"),
        ("current_timestamp(3)", "now"),
        ("LOCALTIMESTAMP", "localtimestamp"),
        ("CURRENT_USER", "current_user"),
        ("user", "current_user"),
        ("trim(LEADING 'x' FROM 'y')", "ltrim"),
        ("x AT TIME ZONE 'utc'", "timezone"),
        ("\"Now\"()", "Now"),
    ] {
        let called: Vec<_> = expression(sql).functions.into_iter().map(|name| name.name).collect();
        assert_eq!(called, [function], "{sql}");
    }
}

#[test]
fn literals_and_nulls() {
    for (sql, literal, null) in [
        ("1", true, false),
        ("-1.5::numeric", true, false),
        ("(NULL)::text", true, true),
        ("date '2020-01-01'", true, false),
        ("$1", false, false),
        ("a", false, false),
        ("now()", false, false),
        ("true", true, false),
    ] {
        let read = expression(sql);
        assert_eq!((read.literal, read.null), (literal, null), "{sql}");
    }
}

#[test]
fn proofs_of_not_null() {
    for (sql, proves) in [
        ("a IS NOT NULL", "a"),
        ("(a IS NOT NULL) AND b > 0 AND (c NOTNULL)", "a,c"),
        ("a IS NOT NULL OR b IS NOT NULL", ""),
        ("NOT (a IS NULL)", "a"),
        ("lower(a) IS NOT NULL", ""),
        ("NOT (a IS NOT NULL)", ""),
        ("a IS NOT TRUE", ""),
        ("a IS NOT DISTINCT FROM NULL", ""),
    ] {
        assert_eq!(expression(sql).proves_not_null.join(","), proves, "{sql}");
    }
}

#[test]
fn old_values() {
    for (sql, overwrites, computed) in [
        ("UPDATE t SET a = 1 WHERE a IS NULL", "", ""),
        ("UPDATE t SET a = 1, b = 2 WHERE (a ISNULL) AND NOT (b IS NOT NULL)", "", ""),
        ("UPDATE t SET a = 1, b = 2 WHERE a IS NULL", "b", ""),
        ("UPDATE t SET a = 1 WHERE a IS NULL OR b = 2", "a", ""),
        ("UPDATE t SET a = 1 WHERE lower(a) IS NULL", "a", ""),
        ("UPDATE t SET a = coalesce(a, b), c = coalesce(b, c)", "c", "a,c"),
        ("UPDATE t SET a = a", "a", ""),
        ("UPDATE t SET a = t.b * 2, (b, c) = (1, 2), d = DEFAULT", "a,b,c,d", "a"),
        ("UPDATE t SET a = u.a FROM u WHERE u.a IS NULL", "a", ""),
        ("UPDATE t x SET a = u.b FROM u WHERE x.a IS NULL", "", "a"),
        ("UPDATE t x SET a = 1 WHERE t.a IS NULL", "a", ""),
        ("WITH gone AS (UPDATE u SET a = coalesce(a, 1)) UPDATE t SET a = 2", "a", ""),
        ("INSERT INTO t VALUES (1, 2) ON CONFLICT (a) DO UPDATE SET b = excluded.b", "b", ""),
        ("INSERT INTO t VALUES (1, 2) ON CONFLICT (a) DO NOTHING", "", ""),
        (
            "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN UPDATE SET b = 1 WHEN NOT MATCHED THEN INSERT (c) VALUES (1)",
            "b",
            "",
        ),
        ("DELETE FROM t", "", ""),
    ] {
        let read = query(sql);
        let write = read.writes.iter().find(|write| write.table == Name::bare("t")).expect("a write");
        assert_eq!(
            (write.overwrites.join(","), write.computed.join(",")),
            (overwrites.into(), computed.into()),
            "{sql}"
        );
    }
}

#[test]
fn columns_that_are_the_tables_own() {
    let own = |sql: &str| {
        crate::sql::parse::parse(sql).ok().and_then(|mut statements| match statements.pop()?.stmt {
            Stmt::Query(query) => Some(query.writes[0].own_columns.join(",")),
            Stmt::Do { body, .. } => match &body.statements[0].stmt {
                Stmt::Query(query) => Some(query.writes[0].own_columns.join(",")),
                _ => None,
            },
            _ => None,
        })
    };
    for (sql, columns) in [
        ("UPDATE t SET a = VALUE, b = lower(c) WHERE d IS NULL AND t.e > 0", "a,b,value,c,d,e"),
        ("UPDATE t SET a = make_interval(days => b), c = current_date", "a,c,b"),
        ("UPDATE t x SET a = to_jsonb(x)", "a"),
        ("UPDATE t SET a = (b).c", "a,b"),
        ("DELETE FROM t WHERE a = ANY (ARRAY[1])", "a"),
        ("UPDATE t SET a = x FROM unnest(ARRAY[1]) u(x)", ""),
        ("UPDATE t SET a = (SELECT max(b) FROM u)", ""),
        ("DELETE FROM t USING u WHERE a = b", ""),
        ("INSERT INTO t VALUES (1)", ""),
        ("DO $$ DECLARE x int; BEGIN UPDATE t SET a = x; END $$", ""),
    ] {
        assert_eq!(own(sql).as_deref(), Some(columns), "{sql}");
    }
}

#[test]
fn relations_read() {
    assert_eq!(
        reads("SELECT * FROM a, ONLY s.b x JOIN LATERAL (SELECT 1 FROM c) y ON EXISTS (SELECT 1 FROM d)"),
        "a s.b! c d"
    );
    assert_eq!(reads("WITH a AS (SELECT * FROM x), b AS (SELECT * FROM a, y) SELECT * FROM a, b, s.a"), "x y s.a");
    assert_eq!(reads("WITH a AS (SELECT * FROM a) SELECT * FROM a"), "a");
    assert_eq!(reads("WITH RECURSIVE a AS (SELECT 1 UNION SELECT * FROM a) SELECT * FROM a"), "");
    assert_eq!(reads("WITH a AS (SELECT 1) SELECT * FROM a UNION SELECT * FROM a, b"), "b");
    assert_eq!(reads("SELECT (WITH a AS (SELECT 1) SELECT * FROM a), (SELECT 1 FROM a)"), "a");
    assert_eq!(reads("TABLE t"), "t");
    assert_eq!(reads("DELETE FROM t USING u WHERE a IN (SELECT 1 FROM v)"), "u v");
    let nested = query("WITH a AS (SELECT 1) DELETE FROM t WHERE id IN (SELECT * FROM a, b)");
    let inner = nested.writes[0].filter.as_ref().and_then(|filter| filter.subquery.as_ref()).expect("a subquery");
    assert_eq!(inner.reads, [(Name::bare("b"), false)]);
}

#[test]
fn row_locks_go_by_aliases() {
    let locks = |sql: &str| names(&query(sql).row_locks);
    assert_eq!(locks("SELECT * FROM a, b x, (SELECT * FROM c) y FOR UPDATE"), "a b c");
    assert_eq!(locks("SELECT * FROM a, b x FOR SHARE OF x NOWAIT"), "b");
    assert_eq!(locks("SELECT * FROM a JOIN s.b ON true FOR UPDATE OF b"), "s.b");
    assert_eq!(locks("SELECT * FROM a"), "");
}

#[test]
fn writes() {
    let read = query(
        "WITH d AS (DELETE FROM ONLY s.old WHERE k = 1 RETURNING *) INSERT INTO t (a, b) SELECT * FROM d
         ON CONFLICT (a) DO UPDATE SET c = 1",
    );
    let [insert, delete] = <[Dml; 2]>::try_from({
        let mut writes = read.writes;
        writes.sort_by_key(|write| write.kind);
        writes
    })
    .expect("two writes");
    assert_eq!((insert.kind, insert.table, insert.values), (DmlKind::Insert, Name::bare("t"), None));
    assert_eq!((insert.columns.join(","), insert.on_conflict), ("a,b,c".to_owned(), Some(ConflictAction::Update)));
    assert_eq!((delete.kind, delete.table, delete.only), (DmlKind::Delete, Name::qualified("s", "old"), true));
    assert_eq!(delete.filter.map(|filter| filter.text).as_deref(), Some("k = 1"));
    assert_eq!(query("INSERT INTO t VALUES (1), (2), (3)").writes[0].values, Some(3));
    assert_eq!(
        query("INSERT INTO t DEFAULT VALUES ON CONFLICT DO NOTHING").writes[0].on_conflict,
        Some(ConflictAction::Nothing)
    );
    let update = query("UPDATE t SET a = 1, (b, c) = (2, 3), d[1] = 4 FROM u WHERE t.id = 5");
    assert_eq!(update.writes[0].columns, ["a", "b", "c", "d"]);
    assert_eq!((update.point_lookup.as_deref(), update.reads.len()), (Some("id"), 1));
    let merge = query(
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN UPDATE SET b = 1 WHEN NOT MATCHED THEN INSERT (a) VALUES (1)
         WHEN NOT MATCHED BY SOURCE THEN DELETE",
    );
    assert_eq!(merge.writes[0].merge_actions, [DmlKind::Insert, DmlKind::Update, DmlKind::Delete]);
    let error = super::parse("SELECT (WITH d AS (DELETE FROM t RETURNING 1) SELECT * FROM d)").expect_err("refused");
    assert!(error.message.contains("must be at the top level"));
}

#[test]
fn outputs_and_shapes() {
    let outputs = |sql: &str| {
        let show =
            |output: OutputColumn| format!("{}={}", output.name.unwrap_or_default(), output.column.unwrap_or_default());
        query(sql).outputs.map(|outputs| outputs.into_iter().map(show).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(
        outputs("SELECT t.a, b AS c, f(1), 2, d::text, (e) FROM t").as_deref(),
        Some("a=a c=b f= ?column?= d= e=e")
    );
    assert_eq!(outputs("SELECT a, t.* FROM t"), None);
    assert_eq!(outputs("VALUES (1, 2)").as_deref(), Some("column1= column2="));
    assert_eq!(outputs("SELECT a FROM t UNION SELECT b FROM u").as_deref(), Some("a=a"));
    assert_eq!(outputs("DELETE FROM t").as_deref(), Some(""));
    assert!(
        !query("SELECT f(1)").scans
            && !query("VALUES (1)").scans
            && query("SELECT 1 FROM t").scans
            && query("SELECT * FROM f()").scans
    );
    let into = query("SELECT 1 AS a INTO TEMP s FROM t");
    assert_eq!(into.into, Some((Name::bare("s"), true)));
    let lookup = |sql: &str| query(sql).point_lookup;
    for (sql, column) in [
        ("DELETE FROM t WHERE id IN (1, 2)", Some("id")),
        ("DELETE FROM t WHERE id IN (1)", Some("id")),
        ("DELETE FROM t WHERE id NOT IN (1, 2)", None),
        ("DELETE FROM t WHERE id IN (1, other)", None),
        ("DELETE FROM t WHERE id IN (SELECT 1)", None),
    ] {
        assert_eq!(lookup(sql).as_deref(), column, "{sql}");
    }
    assert_eq!(lookup("SELECT * FROM t WHERE id = $1 AND a > 3").as_deref(), Some("id"));
    assert_eq!(lookup("SELECT * FROM t WHERE 5 = t.id").as_deref(), Some("id"));
    assert_eq!(lookup("SELECT * FROM t WHERE id = 5 OR a = 1"), None);
    assert_eq!(lookup("SELECT * FROM t WHERE id = other"), None);
    assert_eq!(
        query("SELECT setval('s.Q', 5), currval('\"R\"')").sequences,
        [Name::qualified("s", "q"), Name::bare("R")]
    );
}

#[test]
fn types_by_their_catalog_names() {
    let ty = |sql: &str| {
        let ty = crate::sql::parse::parse_type(sql).unwrap_or_else(|error| panic!("{}", error.render(sql)));
        let mods = if ty.mods.is_empty() { String::new() } else { format!("({})", ty.mods.join(",")) };
        format!(
            "{}{mods}{}",
            ty.name.schema.map(|schema| schema + ".").unwrap_or_default() + &ty.name.name,
            "[]".repeat(ty.array.into())
        )
    };
    for (sql, expected) in [
        ("INT", "int4"),
        ("smallint", "int2"),
        ("bigint[]", "int8[]"),
        ("integer ARRAY[3]", "int4[]"),
        ("boolean", "bool"),
        ("real", "float4"),
        ("float", "float8"),
        ("float(24)", "float4"),
        ("float(53)", "float8"),
        ("double precision", "float8"),
        ("dec(10, 2)", "numeric(10,2)"),
        ("char", "bpchar(1)"),
        ("character(5)", "bpchar(5)"),
        ("bpchar", "bpchar"),
        ("\"char\"", "char"),
        ("character varying(7)", "varchar(7)"),
        ("national character varying(7)", "varchar(7)"),
        ("nchar(3)", "bpchar(3)"),
        ("bit", "bit(1)"),
        ("bit varying(8)", "varbit(8)"),
        ("timestamp (3) with time zone", "timestamptz(3)"),
        ("timestamp without time zone", "timestamp"),
        ("time with time zone", "timetz"),
        ("interval year to month", "interval(year to month)"),
        ("interval(3)", "interval(3)"),
        ("serial", "serial4"),
        ("bigserial", "serial8"),
        ("smallserial", "serial2"),
        ("pg_catalog.int4", "int4"),
        ("public.citext", "public.citext"),
        ("\"Mood\"", "Mood"),
        ("\"int\"", "int"),
        ("text[][]", "text[][]"),
    ] {
        assert_eq!(ty(sql), expected, "{sql}");
    }
}

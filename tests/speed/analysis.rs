//! How long the analysis takes, and how it grows: `cargo bench -p migrate-tests`. With an argument, only the measurements
//! whose name contains it: `cargo bench -p migrate-tests -- wide`.
//!
//! What the derive costs a build is measured by `tests/speed/derives`.

use migrate_core::model::{LockClass, PgRange, Phase};
use migrate_core::sql::check::{Declaration, DownDeclaration, Fill, SqlText, StepDeclaration, check};
use migrate_core::sql::{analyze, analyze_script};
use std::time::Instant;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));

    if wanted("statements") {
        let statements = typical(1_000);
        timed("statements: 1000 typical ones, each over its own table, on one version", || {
            for (setup, sql) in &statements {
                analyze(setup, sql, 16).unwrap();
            }
        });
        timed("statements: the same without a setup, on all versions at once", || {
            for (_, sql) in &statements {
                analyze_script(None, sql, PgRange::SUPPORTED).unwrap();
            }
        });
    }
    if wanted("checks") {
        for count in [250, 500, 1_000, 2_000] {
            timed(&format!("checks: {count} declarations, as the derive makes them"), || {
                for number in 0..count {
                    check(&declaration(number)).unwrap();
                }
            });
        }
    }
    // Each doubles: so should its time.
    for (name, make) in GROWING {
        if wanted(name) {
            for count in [250, 500, 1_000, 2_000] {
                let (setup, sql) = make(count);
                timed(&format!("{name}: {count}"), || {
                    analyze_script(Some(&setup), &sql, PgRange::SUPPORTED).unwrap();
                });
                timed(&format!("{name}: {count}, for a reverse"), || {
                    if sql.matches(';').count() == 1 {
                        analyze(&setup, &sql, 16).unwrap();
                    }
                });
            }
        }
    }
}

fn timed(name: &str, work: impl FnOnce()) {
    let started = Instant::now();
    work();
    println!("{:>9.1} ms  {name}", started.elapsed().as_secs_f64() * 1e3);
}

type Growing = (&'static str, fn(usize) -> (String, String));

/// A setup and a script of some size.
const GROWING: &[Growing] = &[
    ("wide: ADD COLUMNs in one ALTER TABLE", |count| {
        ("CREATE TABLE t (id bigint PRIMARY KEY);".to_owned(), one_alter("ADD COLUMN c", " text", count))
    }),
    ("wide: DROP COLUMNs in one ALTER TABLE", |count| {
        (format!("CREATE TABLE t (id bigint{});", list(", c", " text", count)), one_alter("DROP COLUMN c", "", count))
    }),
    ("wide: SET NOT NULLs in one ALTER TABLE", |count| {
        let sql = one_alter("ALTER COLUMN c", " SET NOT NULL", count);
        (format!("CREATE TABLE t (id bigint{});", list(", c", " text", count)), sql)
    }),
    ("wide: CREATE TABLE of columns", |count| {
        (String::new(), format!("CREATE TABLE t (id bigint{});", list(", c", " text NOT NULL DEFAULT 'x'", count)))
    }),
    ("wide: ALTER of a table with indexes", |count| {
        let indexes: String = (0..count).map(|at| format!("CREATE INDEX i{at} ON t (a, b);")).collect();
        (
            format!("CREATE TABLE t (a text, b text); {indexes}"),
            "ALTER TABLE t ALTER COLUMN a TYPE int USING a::int;".into(),
        )
    }),
    ("wide: DROP of a table with partitions", |count| {
        let parts: String =
            (0..count).map(|at| format!("CREATE TABLE p{at} PARTITION OF t FOR VALUES IN ({at});")).collect();
        (format!("CREATE TABLE t (a int) PARTITION BY LIST (a); {parts}"), "ALTER TABLE t ADD COLUMN b int;".into())
    }),
    ("long: script of CREATE TABLEs", |count| {
        (String::new(), (0..count).map(|at| format!("CREATE TABLE t{at} (id bigint PRIMARY KEY, a text);")).collect())
    }),
    ("long: script of ALTERs of one table", |count| {
        let sql = (0..count).map(|at| format!("ALTER TABLE t ADD COLUMN c{at} text;")).collect();
        ("CREATE TABLE t (id bigint PRIMARY KEY);".to_owned(), sql)
    }),
    ("big: IN list", |count| {
        let sql = format!("UPDATE t SET a = 'x' WHERE id IN (0{});", list(", ", "", count * 20));
        ("CREATE TABLE t (id bigint PRIMARY KEY, a text);".to_owned(), sql)
    }),
    ("big: VALUES", |count| {
        let sql = format!("INSERT INTO t VALUES (0, 'x'){};", list(", (", ", 'text')", count * 20));
        ("CREATE TABLE t (id bigint PRIMARY KEY, a text);".to_owned(), sql)
    }),
    ("deep: nested calls", |count| {
        let sql = format!("SELECT {}1{};", "abs(".repeat(count / 4), ")".repeat(count / 4));
        (String::new(), sql)
    }),
];

fn list(before: &str, after: &str, count: usize) -> String {
    (0..count).map(|at| format!("{before}{at}{after}")).collect()
}

fn one_alter(before: &str, after: &str, count: usize) -> String {
    let actions: Vec<String> = (0..count).map(|at| format!("{before}{at}{after}")).collect();
    format!("ALTER TABLE t {};", actions.join(", "))
}

/// Statements of the kinds that migrations are mostly made of.
fn typical(count: usize) -> Vec<(String, String)> {
    let setup = |at: usize| {
        format!(
            "CREATE TABLE t{at} (id bigint PRIMARY KEY, name text NOT NULL, note varchar(20), at timestamptz DEFAULT now());"
        )
    };
    (0..count)
        .map(|at| {
            let sql = match at % 8 {
                0 => format!("ALTER TABLE t{at} ADD COLUMN status text NOT NULL DEFAULT 'new'"),
                1 => format!("CREATE INDEX CONCURRENTLY i{at} ON t{at} (name) WHERE note IS NOT NULL"),
                2 => format!("ALTER TABLE t{at} ALTER COLUMN note TYPE varchar(40)"),
                3 => format!("CREATE VIEW v{at} AS SELECT id, name FROM t{at} WHERE note = 'x'"),
                4 => format!("ALTER TABLE t{at} ADD CONSTRAINT c{at} CHECK (length(name) < 100) NOT VALID"),
                5 => format!("UPDATE t{at} SET note = upper(name) WHERE note IS NULL"),
                6 => format!("CREATE TABLE u{at} (id bigint PRIMARY KEY, t bigint REFERENCES t{at}, note text)"),
                _ => format!("ALTER TABLE t{at} DROP COLUMN note"),
            };
            (setup(at), sql)
        })
        .collect()
}

fn text(text: String) -> SqlText {
    SqlText { text, file: None }
}

fn step(up: String, down: Option<String>) -> StepDeclaration {
    let down = down.map_or(DownDeclaration::Derived, |down| DownDeclaration::Sql(vec![text(down)]));
    StepDeclaration::Statement { up: text(up), down: Some(down), assume: None }
}

/// The declarations of `tests/speed/derives`.
fn declaration(number: i64) -> Declaration {
    let table = number - number % 5;
    let create = || {
        step(
            format!(
                "CREATE TABLE t{table} (id bigint PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
            ),
            Some(format!("DROP TABLE t{table}")),
        )
    };
    let add = || {
        step(
            format!("ALTER TABLE t{table} ADD COLUMN status text"),
            Some(format!("ALTER TABLE t{table} DROP COLUMN status")),
        )
    };
    let default = || step(format!("ALTER TABLE t{table} ALTER COLUMN status SET DEFAULT 'pending'"), None);
    let fill = || StepDeclaration::Backfill {
        table: format!("t{table}"),
        key: vec!["id".into()],
        batch: 1000,
        fill: Fill::Set("status = $1".into()),
        filter: Some("status IS NULL".into()),
        down: Some(DownDeclaration::Keep("goes with the column".into())),
    };
    let index = || {
        step(
            format!("CREATE INDEX CONCURRENTLY idx_t{table}_status ON t{table} (status)"),
            Some(format!("DROP INDEX CONCURRENTLY IF EXISTS idx_t{table}_status")),
        )
    };
    let view = || {
        step(
            format!("CREATE VIEW v{table} AS SELECT id, name FROM t{table} WHERE status = 'pending'"),
            Some(format!("DROP VIEW v{table}")),
        )
    };
    let (phase, lock, transactional, steps) = match number % 5 {
        0 => (Phase::Expand, LockClass::None, true, vec![create()]),
        1 => (Phase::Expand, LockClass::AccessExclusive, true, vec![add(), default()]),
        2 => (Phase::Migrate, LockClass::RowExclusive, false, vec![fill()]),
        3 => (Phase::Expand, LockClass::ShareUpdateExclusive, false, vec![index()]),
        _ => (Phase::Expand, LockClass::AccessShare, true, vec![view()]),
    };
    Declaration {
        name: format!("M{number}"),
        file: None,
        version: 202_600_000_000 + number,
        phase,
        lock,
        transactional,
        pg: PgRange::SUPPORTED,
        steps,
        destructive: None,
        allows: vec![],
        deploy_from: None,
        binds: if number % 5 == 2 { vec!["text".into()] } else { vec![] },
    }
}

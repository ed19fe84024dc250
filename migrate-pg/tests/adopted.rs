//! A baseline is adopted where its objects are found, whatever their kinds and names, also where its text is what `pg_dump`
//! wrote of that very database; and it is not where one of them is missing.

mod support;

use migrate_pg::model::Phase;
use migrate_pg::testing::{Binaries, Server, TestDatabase};
use migrate_pg::{Baselined, ErrorKind, Migrator, testing};
use std::process::Command;
use support::{create, has_table, hurried, migration, read_baseline, value, with_baseline};

/// One of every kind of object.
const EVERYTHING: &str = include_str!("catalog/everything.sql");

/// Names that have to be quoted, names within names, and names that only their owner or their arguments tell apart.
const AWKWARD: &str = r#"
CREATE SCHEMA "a.b";
CREATE SCHEMA other;
CREATE TABLE "a.b"."t on u" (id int CONSTRAINT "pk on x.y" PRIMARY KEY, "c.d" int, "e""f" text, up int);
CREATE TABLE other."t on u" (id int, CONSTRAINT "check (it)" CHECK (id > 0));
ALTER TABLE other."t on u" ADD CONSTRAINT "fk.é" FOREIGN KEY (id) REFERENCES "a.b"."t on u" (id) NOT VALID;
CREATE INDEX "i.j on k" ON "a.b"."t on u" ("c.d");
CREATE FUNCTION other."f(x)"(a int) RETURNS int LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION other."f(x)"(a text, VARIADIC b numeric[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION other."f(x)"() RETURNS trigger LANGUAGE plpgsql AS $$
/*
\connect is no command here
*/
BEGIN RETURN NEW; END $$;
CREATE TYPE "a.b"."mood(s)" AS ENUM ('on x');
CREATE FUNCTION other.g("a.b"."mood(s)", character varying, double precision[], "char", timestamp with time zone, OUT z int)
    LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE other.p(INOUT a bigint) LANGUAGE sql AS 'SELECT 1';
CREATE TRIGGER "touch on" BEFORE UPDATE ON "a.b"."t on u" FOR EACH ROW EXECUTE FUNCTION other."f(x)"();
CREATE TRIGGER "touch on" BEFORE UPDATE ON other."t on u" FOR EACH ROW EXECUTE FUNCTION other."f(x)"();
CREATE POLICY "p.q on r" ON "a.b"."t on u" USING (true);
CREATE RULE "r on s" AS ON DELETE TO "a.b"."t on u" DO INSTEAD NOTHING;
CREATE TABLE other.parts (at date NOT NULL, n int UNIQUE DEFERRABLE) WITH (fillfactor = 50);
CREATE TABLE other.whole (at date NOT NULL, n int, PRIMARY KEY (at, n)) PARTITION BY LIST (at);
CREATE TABLE other."part.1" PARTITION OF other.whole DEFAULT;
CREATE VIEW other."v.w" AS SELECT id FROM other."t on u";
"#;

/// All of it but the language: the parser has no `CREATE TRUSTED LANGUAGE`.
fn rich() -> String {
    let lines = EVERYTHING.lines().filter(|line| !line.contains("plsame"));
    format!("{}\n{AWKWARD}", lines.collect::<Vec<_>>().join("\n"))
}

fn adopting(sql: &str) -> Migrator {
    hurried(Migrator::new(with_baseline([create(1, "added")], Some(read_baseline(sql)))))
}

async fn adopted(database: &TestDatabase, sql: &str) -> usize {
    let report = adopting(sql).run(database.pool()).await.unwrap_or_else(|error| panic!("{error}"));
    let Some(Baselined::Adopted { objects }) = report.baseline else { panic!("{:?}", report.baseline) };
    assert!(has_table(&database.connect().await, "public.added").await);
    objects
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rich_schema_is_adopted_on_every_version() {
    let all = rich();
    for binaries in Binaries::find_all().unwrap() {
        let server = Server::builder().binaries(binaries).start().await.unwrap();
        let database = server.database().await.unwrap();
        database.connect().await.batch_execute(&all).await.unwrap();
        let objects = adopted(&database, &all).await;
        assert!(objects > 140, "{objects} on {}", server.major());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pg_dump_wrote_of_a_database_is_adopted_by_it_and_loaded_into_another() {
    let database = testing::database().await;
    // An event trigger would notice the dump's own statements when it is loaded again.
    database.connect().await.batch_execute(&rich()).await.unwrap();
    let dump = dumped(&database, &["--schema-only"]);
    assert!(dump.contains("\\connect is no command here"));
    let objects = adopted(&database, &dump).await;
    assert!(objects > 140, "{objects}");

    let empty = testing::database().await;
    let report = adopting(&dump).load_baseline(true).run(empty.pool()).await.unwrap();
    assert_eq!(report.baseline, Some(Baselined::Loaded));
    let client = empty.connect().await;
    let body = "SELECT prosrc LIKE E'%\\n\\\\\\\\connect is no command here\\n%' FROM pg_proc WHERE proname = 'f(x)' AND pronargs = 0";
    assert_eq!(value(&client, body).await, "t");
    client.batch_execute("DROP SCHEMA migrate CASCADE; DROP TABLE added").await.unwrap();
    assert_eq!(adopted(&empty, &dump).await, objects);
}

/// One after the other is taken away, and the error names it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named() {
    let gone = [
        ("DROP TABLE other.parts", "table other.parts"),
        (r#"ALTER TABLE "a.b"."t on u" DROP COLUMN "e""f""#, r#"column "a.b"."t on u"."e""f""#),
        (r#"ALTER TABLE other."t on u" DROP CONSTRAINT "check (it)""#, r#"constraint "check (it)" on other."t on u""#),
        (r#"DROP INDEX "a.b"."i.j on k""#, r#"index "a.b"."i.j on k""#),
        (r#"DROP FUNCTION other."f(x)"(int)"#, r#"function other."f(x)(int4)""#),
        (r#"DROP FUNCTION other."f(x)"(text, numeric[])"#, r#"function other."f(x)(text, numeric[])""#),
        (r#"DROP TRIGGER "touch on" ON other."t on u""#, r#"trigger "touch on" on other."t on u""#),
        (r#"DROP POLICY "p.q on r" ON "a.b"."t on u""#, r#"policy "p.q on r" on "a.b"."t on u""#),
        (r#"DROP RULE "r on s" ON "a.b"."t on u""#, r#"rule "r on s" on "a.b"."t on u""#),
        // Another kind of thing by its name.
        (r#"DROP VIEW other."v.w"; CREATE TABLE other."v.w" (id int)"#, r#"view other."v.w""#),
    ];
    let database = testing::database().await;
    let client = database.connect().await;
    client.batch_execute(AWKWARD).await.unwrap();
    let adopting = adopting(AWKWARD);
    for (sql, named) in gone {
        client.batch_execute(sql).await.unwrap();
        let error = adopting.clone().run(database.pool()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Baseline, "{error}");
        assert!(error.to_string().contains(&format!("\n    {named}")), "{named}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_that_makes_nothing_fits_any_database() {
    for sql in ["", "-- a new project\n", "SET lock_timeout = 0;"] {
        let database = testing::database().await;
        assert_eq!(adopted(&database, sql).await, 0);
    }
}

fn dumped(database: &TestDatabase, arguments: &[&str]) -> String {
    let dump = database.server().binaries().expect("a server of our own").program("pg_dump");
    let output = Command::new(&dump)
        .args(arguments)
        .arg(database.url())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", dump.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_of_a_table_of_the_baseline_is_run_right_after_that_is_loaded() {
    let database = testing::database().await;
    let sql = "CREATE TABLE a (id bigint PRIMARY KEY, v text);";
    let fill = migration(1, "Fill").backfill("a", "v = $1", "v IS NULL", 10, "new");
    let made = hurried(Migrator::new(with_baseline([fill], Some(read_baseline(sql))))).load_baseline(true);
    let report = made.run_through(Phase::Migrate, database.pool()).await.unwrap();
    assert_eq!(report.applied.len(), 1);
}

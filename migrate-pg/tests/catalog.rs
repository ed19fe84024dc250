//! The fingerprint of a schema and the digest of its data, on every version of PostgreSQL that is found.

#[path = "catalog/corpus.rs"]
mod corpus;
#[path = "catalog/dump.rs"]
mod dump;

use dump::{dump, pg_dump};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Instant;

use migrate_pg::catalog::data::{DataDigest, DataScope};
use migrate_pg::catalog::{CatalogError, DifferenceKind, Fingerprint, Kind, OMISSIONS, Scope, covered};
use migrate_pg::testing::{Binaries, Server, TestDatabase};
use tokio::sync::OnceCell;
use tokio_postgres::Client;

const EVERYTHING: &str = include_str!("catalog/everything.sql");

/// One server of each version, shared by the tests of this file.
async fn servers() -> &'static [Server] {
    static SERVERS: OnceCell<Vec<Server>> = OnceCell::const_new();
    SERVERS
        .get_or_init(|| async {
            let mut servers = Vec::new();
            for binaries in Binaries::find_all().unwrap() {
                servers.push(Server::builder().binaries(binaries).start().await.unwrap());
            }
            println!("versions: {:?}", servers.iter().map(Server::major).collect::<Vec<_>>());
            servers
        })
        .await
}

async fn empty(server: &Server) -> (TestDatabase, Client) {
    let database = server.database().await.unwrap();
    let client = database.connect().await;
    (database, client)
}

async fn run(client: &Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql).await {
        panic!("{:?}: {sql}", error.as_db_error());
    }
}

async fn read(client: &Client) -> Fingerprint {
    Fingerprint::read(client, &Scope::new()).await.unwrap()
}

async fn data(client: &Client) -> DataDigest {
    DataDigest::read(client, &DataScope::new()).await.unwrap()
}

fn sentences(was: &Fingerprint, is: &Fingerprint) -> Vec<String> {
    let differences = was.differences(is);
    assert_eq!(differences.is_empty(), was == is, "{differences:?}");
    assert_eq!(was == is, was.digest() == is.digest());
    differences.iter().map(ToString::to_string).collect()
}

fn data_sentences(was: &DataDigest, is: &DataDigest) -> Vec<String> {
    let differences = was.differences(is);
    assert_eq!(differences.is_empty(), was == is, "{differences:?}");
    differences.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn every_column_of_every_catalog_is_taken_or_left_out_for_a_reason() {
    let taken: BTreeSet<(&str, &str)> = covered().map(|c| (c.catalog, c.column)).collect();
    let mut left_out = BTreeMap::new();
    for omission in OMISSIONS {
        assert!(!omission.reason.is_empty());
        for column in omission.columns.split(' ') {
            let key = (omission.catalog, column);
            assert!(left_out.insert(key, omission.reason).is_none(), "{key:?} is left out twice");
            assert!(!taken.contains(&key), "{key:?} is both taken and left out");
        }
    }
    let mut known = BTreeSet::new();
    for server in servers().await {
        let client = server.connect().await.unwrap();
        let sql = "SELECT c.relname::text, a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
                   WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped";
        let mut unknown = Vec::new();
        for row in client.query(sql, &[]).await.unwrap() {
            let (catalog, column): (String, String) = (row.get(0), row.get(1));
            let key = (catalog.as_str(), column.as_str());
            if !(taken.contains(&key) || left_out.contains_key(&key) || left_out.contains_key(&(key.0, "*"))) {
                unknown.push(format!("{catalog}.{column}"));
            }
            known.insert((catalog, column));
        }
        assert!(unknown.is_empty(), "PostgreSQL {}: neither taken nor left out: {unknown:?}", server.major());
    }
    if servers().await.iter().map(Server::major).eq(14..=18) {
        for (catalog, column) in taken.iter().chain(left_out.keys()) {
            let there = known.iter().any(|known| known.0 == *catalog && (*column == "*" || known.1 == *column));
            assert!(there, "no version has {catalog}.{column}");
        }
    } else {
        println!("not all versions are here: whether what is listed exists in one was not checked");
    }
}

#[test]
fn what_a_query_says_it_takes_is_in_its_text() {
    for covered in covered() {
        let word = covered.through.unwrap_or(covered.column);
        // What every query may use is written out for it.
        let shared = ["pg_description", "pg_seclabel", "pg_depend"].contains(&covered.catalog)
            || (covered.catalog, covered.column) == ("pg_namespace", "nspname")
            || ["relname", "relnamespace", "typname", "typnamespace", "typrelid"].contains(&covered.column);
        let has = |word| covered.sql.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|found| found == word);
        assert!(shared || has(word), "{word} is not in: {}", covered.sql);
    }
}

#[tokio::test]
async fn two_reads_of_everything_are_equal_and_survive_json() {
    for server in servers().await {
        let (_database, client) = empty(server).await;
        run(&client, EVERYTHING).await;
        let first = read(&client).await;
        let second = read(&client).await;
        assert_eq!(sentences(&first, &second), [""; 0]);
        assert_eq!(first.to_string(), second.to_string());
        assert_eq!(first.hidden().count(), 0);

        let text = first.to_json().to_string();
        let back = Fingerprint::from_json(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(first, back);

        let name = r#"app."odd ""table"""."Ünïcode""#;
        assert_eq!(first.object(Kind::Column, name).unwrap().property("type"), Some("text"));
        assert!(first.object(Kind::Schema, r#""Größe ""1""""#).is_some());
        let secret = first.object(Kind::UserMapping, "for PUBLIC server remote").unwrap();
        assert_eq!(secret.property("option user"), Some("guest"));
        assert!(!first.to_string().contains("secret"), "{first}");

        let kinds: BTreeSet<Kind> = first.objects().map(|(key, _)| key.kind()).collect();
        let all = [
            Kind::Extension,
            Kind::ExtensionMember,
            Kind::Schema,
            Kind::DefaultPrivileges,
            Kind::Language,
            Kind::AccessMethod,
            Kind::Collation,
            Kind::Conversion,
            Kind::Domain,
            Kind::Enum,
            Kind::Range,
            Kind::CompositeType,
            Kind::BaseType,
            Kind::ShellType,
            Kind::Function,
            Kind::Procedure,
            Kind::Aggregate,
            Kind::Operator,
            Kind::OperatorFamily,
            Kind::OperatorClass,
            Kind::Cast,
            Kind::Transform,
            Kind::TextSearchParser,
            Kind::TextSearchTemplate,
            Kind::TextSearchDictionary,
            Kind::TextSearchConfiguration,
            Kind::ForeignDataWrapper,
            Kind::Server,
            Kind::UserMapping,
            Kind::Sequence,
            Kind::Table,
            Kind::ForeignTable,
            Kind::View,
            Kind::MaterializedView,
            Kind::Column,
            Kind::Attribute,
            Kind::Constraint,
            Kind::Index,
            Kind::Statistics,
            Kind::Trigger,
            Kind::Rule,
            Kind::Policy,
            Kind::EventTrigger,
            Kind::Publication,
        ];
        for kind in all {
            assert!(kinds.contains(&kind), "PostgreSQL {}: no {kind} in\n{first}", server.major());
        }
        println!("PostgreSQL {}: {} objects of {} kinds", server.major(), first.objects().count(), kinds.len());
    }
}

#[test]
fn json_that_is_no_fingerprint_is_refused() {
    for text in [
        "{}",
        r#"{"format":2,"objects":[]}"#,
        r#"{"format":1,"objects":[{"kind":"tabel","name":"a","properties":{}}]}"#,
    ] {
        let error = Fingerprint::from_json(&serde_json::from_str(text).unwrap()).unwrap_err();
        assert!(matches!(error, CatalogError::Json { .. }), "{error}");
    }
}

/// Changes to `everything.sql`, one after the other: from which version on, and what is said of each. What ends in `…` need only
/// begin so.
const CHANGES: &[(u16, &str, &[&str])] = &[
    (
        14,
        "ALTER TABLE app.customers ALTER COLUMN name SET DEFAULT 'x'",
        &["column app.customers.name: DEFAULT was 'nobody'::text and is 'x'::text"],
    ),
    (
        14,
        "ALTER TABLE app.customers ALTER COLUMN name DROP DEFAULT",
        &["column app.customers.name: DEFAULT 'x'::text is missing"],
    ),
    (
        14,
        "ALTER TABLE app.customers ALTER COLUMN email SET STORAGE MAIN",
        &["column app.customers.email: STORAGE MAIN is there and was not"],
    ),
    (
        14,
        "ALTER TABLE app.customers ALTER COLUMN email SET COMPRESSION DEFAULT",
        &["column app.customers.email: COMPRESSION pglz is missing"],
    ),
    (
        14,
        "ALTER TABLE app.customers ALTER COLUMN name SET STATISTICS -1",
        &["column app.customers.name: STATISTICS 500 is missing"],
    ),
    (
        14,
        "ALTER TABLE app.customers ALTER COLUMN name RESET (n_distinct)",
        &["column app.customers.name: option n_distinct 5 is missing"],
    ),
    (
        14,
        "ALTER TABLE app.customers ALTER COLUMN id SET GENERATED ALWAYS",
        &["column app.customers.id: identity was GENERATED BY DEFAULT and is GENERATED ALWAYS"],
    ),
    (
        14,
        "ALTER TABLE app.customers ALTER COLUMN id SET INCREMENT 3",
        &["sequence app.customers_id_seq: INCREMENT was 1 and is 3"],
    ),
    (
        14,
        "ALTER TABLE app.customers DROP COLUMN home, ADD COLUMN home app.address",
        &["column order of app.customers: home was 5th and is last"],
    ),
    (14, "ALTER TYPE app.address DROP ATTRIBUTE street", &["attribute app.address.street is missing"]),
    (
        14,
        "ALTER TABLE app.customers SET (fillfactor = 80)",
        &["table app.customers: option fillfactor was 70 and is 80"],
    ),
    (
        14,
        "ALTER TABLE app.customers RESET (toast.autovacuum_enabled)",
        &["table app.customers: option toast.autovacuum_enabled off is missing"],
    ),
    (
        14,
        "ALTER TABLE app.customers NO FORCE ROW LEVEL SECURITY",
        &["table app.customers: FORCE ROW LEVEL SECURITY is missing"],
    ),
    (
        14,
        "ALTER TABLE app.customers DISABLE ROW LEVEL SECURITY",
        &["table app.customers: ROW LEVEL SECURITY is missing"],
    ),
    (14, "ALTER POLICY own ON app.customers USING (true)", &["policy own on app.customers: USING was …"]),
    (
        14,
        "ALTER TABLE app.customers REPLICA IDENTITY DEFAULT",
        &["table app.customers: REPLICA IDENTITY FULL is missing"],
    ),
    (14, "ALTER TABLE app.customers SET WITHOUT CLUSTER", &["index app.customers_pkey: clustered is missing"]),
    (
        14,
        "ALTER TABLE app.scratch REPLICA IDENTITY DEFAULT",
        &[
            "table app.scratch: REPLICA IDENTITY USING INDEX is missing",
            "index app.scratch_a: replica identity is missing",
        ],
    ),
    (14, "ALTER TABLE app.scratch SET LOGGED", &["table app.scratch: UNLOGGED is missing"]),
    (
        14,
        "ALTER TABLE app.customers ENABLE TRIGGER touch",
        &["trigger touch on app.customers: enabled always is missing"],
    ),
    (
        14,
        "ALTER TABLE app.orders_2025 DISABLE TRIGGER touch",
        &["trigger touch on app.orders_2025: enabled disabled is there and was not"],
    ),
    (
        14,
        "ALTER TABLE app.scratch ENABLE RULE no_delete",
        &["rule no_delete on app.scratch: enabled disabled is missing"],
    ),
    (14, "ALTER EVENT TRIGGER noted ENABLE", &["event trigger noted: enabled disabled is missing"]),
    (14, "ALTER TABLE app.lines VALIDATE CONSTRAINT small", &["constraint small on app.lines: NOT VALID is missing"]),
    (14, "COMMENT ON INDEX app.customers_name IS NULL", &["index app.customers_name: comment for search is missing"]),
    (
        14,
        "ALTER INDEX app.customers_plain NO DEPENDS ON EXTENSION plpgsql",
        &["index app.customers_plain: DEPENDS ON EXTENSION plpgsql is missing"],
    ),
    (14, "CREATE INDEX idx_a ON app.scratch (b)", &["index app.idx_a is there and was not"]),
    (14, "DROP INDEX app.customers_name", &["index app.customers_name is missing"]),
    (
        14,
        "COMMENT ON CONSTRAINT above_zero ON DOMAIN app.positive IS NULL",
        &["constraint above_zero on app.positive: comment not zero is missing"],
    ),
    (
        14,
        "COMMENT ON COLUMN app.customers.name IS 'x'",
        &["column app.customers.name: comment differs from line 1: it was two and is x"],
    ),
    (
        14,
        "REVOKE SELECT (email) ON app.customers FROM PUBLIC",
        &["column app.customers.email: privileges of PUBLIC SELECT is missing"],
    ),
    (
        14,
        "REVOKE SELECT ON app.customers FROM PUBLIC",
        &["table app.customers: privileges of PUBLIC was SELECT, UPDATE and is UPDATE"],
    ),
    (
        14,
        "GRANT EXECUTE ON FUNCTION app.touch() TO PUBLIC",
        &["function app.touch(): privileges of PUBLIC none is missing"],
    ),
    (
        14,
        "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
        &["default privileges of role postgres on functions is missing"],
    ),
    (14, "ALTER DOMAIN app.positive DROP NOT NULL", &["domain app.positive: NOT NULL is missing…"]),
    (
        14,
        "ALTER TYPE app.mood ADD VALUE 'new'",
        &[
            r"enum app.mood: labels was 'sad', 'it''s ok', 'fine', 'happy' and is 'sad', 'it''s ok', 'fine', 'happy', 'new'",
        ],
    ),
    (14, "ALTER SEQUENCE app.numbers NO CYCLE", &["sequence app.numbers: CYCLE is missing"]),
    (
        14,
        "ALTER SEQUENCE app.customers_code_seq OWNED BY NONE",
        &["sequence app.customers_code_seq: OWNED BY app.customers.code is missing"],
    ),
    (
        14,
        "ALTER FUNCTION app.total(integer, integer) SECURITY INVOKER",
        &["function app.total(integer, integer): SECURITY DEFINER is missing"],
    ),
    (
        14,
        "ALTER FUNCTION app.total(integer, integer) RESET search_path",
        &["function app.total(integer, integer): SET search_path app, pg_temp is missing"],
    ),
    (
        14,
        "ALTER FUNCTION app.total(integer, integer) COST 8",
        &["function app.total(integer, integer): COST was 7 and is 8"],
    ),
    (
        14,
        "ALTER OPERATOR app.=== (app.num, app.num) SET (RESTRICT = NONE)",
        &["operator app.=== (app.num, app.num): RESTRICT eqsel(internal,oid,internal,integer) is missing"],
    ),
    (
        14,
        "DROP OPERATOR CLASS app.num_ops USING btree",
        &[
            "operator family app.num_family USING btree: …",
            "operator family app.num_family USING btree: …",
            "operator class app.num_ops USING btree is missing",
        ],
    ),
    (
        14,
        "ALTER TEXT SEARCH DICTIONARY app.words (ACCEPT = true)",
        &["text search dictionary app.words: options was accept = 'false' and is accept = 'true'"],
    ),
    (
        14,
        "ALTER TEXT SEARCH CONFIGURATION app.search DROP MAPPING FOR word",
        &["text search configuration app.search: mapping for word app.words, simple is missing"],
    ),
    (14, "ALTER PUBLICATION part DROP TABLE app.lines", &["publication part: table app.lines is missing"]),
    (
        14,
        "ALTER PUBLICATION part SET (publish = 'insert')",
        &["publication part: publish was insert, update and is insert"],
    ),
    (
        15,
        "ALTER PUBLICATION part SET TABLE app.customers WHERE (id > 1), TABLES IN SCHEMA app",
        &[
            "publication part: table app.customers has WHERE (id > 1) and had nothing",
            "publication part: tables in schema app is there and was not",
        ],
    ),
    (
        15,
        "ALTER PUBLICATION part SET TABLE app.customers (id, name), app.lines",
        &[
            "publication part: table app.customers was WHERE (id > 1) and is (id, name)",
            "publication part: table app.lines is there and was not",
            "publication part: tables in schema app is missing",
        ],
    ),
    (
        14,
        "ALTER USER MAPPING FOR PUBLIC SERVER remote OPTIONS (SET password 'other')",
        &["user mapping for PUBLIC server remote: option password was sha256 …"],
    ),
    (
        14,
        "ALTER FOREIGN TABLE app.far ALTER COLUMN a OPTIONS (DROP column_name)",
        &["column app.far.a: option column_name A is missing"],
    ),
    (
        14,
        "ALTER STATISTICS app.customers_mood SET STATISTICS -1",
        &["statistics app.customers_mood: STATISTICS 10 is missing"],
    ),
    (14, "ALTER TABLE app.orders DETACH PARTITION app.orders_2025", &["…"]),
    (14, "ALTER TABLE app.scratch_child NO INHERIT app.scratch", &["…"]),
    (14, "ALTER VIEW app.happy RESET (security_barrier)", &["view app.happy: option security_barrier true is missing"]),
    (14, "REFRESH MATERIALIZED VIEW app.counts", &["materialized view app.counts: WITH NO DATA is missing"]),
    (
        14,
        "ALTER TABLE app.lines DROP CONSTRAINT lines_order_id_order_at_fkey, ADD CONSTRAINT lines_order_id_order_at_fkey FOREIGN KEY (order_id, order_at) REFERENCES app.orders ON DELETE CASCADE",
        &[
            "constraint lines_order_id_order_at_fkey on app.lines: definition was …",
            "constraint lines_order_id_order_at_fkey on app.lines: own triggers disabled is missing",
        ],
    ),
    (14, "ALTER TABLE app.lines ENABLE TRIGGER ALL", &["…"]),
    (
        14,
        "CREATE OR REPLACE FUNCTION app.total(a integer, b integer DEFAULT 2, OUT c integer) LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER PARALLEL SAFE COST 7 SET search_path = app, pg_temp AS $$ BEGIN c := a - b; END $$",
        &[
            "function app.total(integer, integer): COST was 8 and is 7",
            "function app.total(integer, integer): SECURITY DEFINER is there and was not",
            "function app.total(integer, integer): SET search_path app, pg_temp is there and was not",
            "function app.total(integer, integer): body was BEGIN c := a + b; END and is BEGIN c := a - b; END",
        ],
    ),
    (
        18,
        "ALTER TABLE app.customers RENAME CONSTRAINT customers_name_not_null TO other",
        &[
            "constraint customers_name_not_null on app.customers is missing",
            "constraint other on app.customers is there and was not",
        ],
    ),
    (
        18,
        "ALTER TABLE app.lines ADD CONSTRAINT loose CHECK (order_id > 0) NOT ENFORCED",
        &["constraint loose on app.lines is there and was not"],
    ),
];

#[tokio::test]
async fn changes_are_told_as_a_person_would() {
    let mut wrong = Vec::new();
    for server in servers().await {
        let (_database, client) = empty(server).await;
        run(&client, EVERYTHING).await;
        let mut was = read(&client).await;
        for &(from, sql, expected) in CHANGES.iter().filter(|change| change.0 <= server.major()) {
            run(&client, sql).await;
            let is = read(&client).await;
            let mut said = sentences(&was, &is);
            was = is;
            assert!(!said.is_empty(), "PostgreSQL {}: nothing is said of {sql}", server.major());
            // 18 tells NOT NULL as a constraint too.
            said.retain(|sentence| from == 18 || !sentence.contains("_not_null on "));
            let told = |expected: &str, said: &str| match expected.strip_suffix('…') {
                Some(beginning) => said.starts_with(beginning),
                None => said == expected,
            };
            let open = expected.is_empty() || *expected == ["…"];
            let matches =
                expected.len() == said.len() && expected.iter().zip(&said).all(|(expected, said)| told(expected, said));
            if !(open || matches) {
                wrong.push(format!("PostgreSQL {}: {sql}\n{said:#?}\nand not\n{expected:#?}", server.major()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_restored_dump_has_the_same_fingerprint() {
    for server in servers().await {
        let Some(program) = pg_dump(server) else {
            println!("PostgreSQL {}: there is no pg_dump for it, and so nothing to restore", server.major());
            continue;
        };
        let (database, client) = empty(server).await;
        // The subscript of an array's dimensions and a column that is gone do not come back, and must not matter.
        run(&client, EVERYTHING).await;
        run(&client, "ALTER TABLE app.customers DROP COLUMN home; CREATE TABLE app.dims (a integer[][])").await;
        let (restored, other) = empty(server).await;
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", restored.url(), "-c", &dump(&program, &database)]);
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = sentences(&read(&client).await, &read(&other).await);
        // Which of a constraint's own triggers are disabled is in no dump, and it writes inherited columns first.
        assert_eq!(
            said,
            [
                "constraint lines_order_id_order_at_fkey on app.lines: own triggers disabled is missing",
                "column order of app.\"odd \"\"table\"\"\": \"select\" was 1st and is 3rd, \"Ünïcode\" was 2nd and is last",
            ],
            "PostgreSQL {}",
            server.major()
        );
    }
}

#[tokio::test]
async fn a_thousand_tables_are_read_in_about_a_second() {
    for server in servers().await {
        let (_database, client) = empty(server).await;
        let sql = "DO $$ BEGIN FOR i IN 1..1000 LOOP EXECUTE format('CREATE TABLE t%1$s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
                   a text NOT NULL DEFAULT ''x'', b integer CHECK (b > 0), c timestamptz DEFAULT now(), d jsonb, e text, f text, \
                   other bigint REFERENCES t%1$s); CREATE INDEX ON t%1$s (a)', i); \
                   IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END $$";
        run(&client, sql).await;
        let begun = Instant::now();
        let picture = read(&client).await;
        let took = begun.elapsed();
        println!("PostgreSQL {}: {} objects of 1,000 tables in {took:?}", server.major(), picture.objects().count());
        assert!(picture.objects().count() > 13_000);
        // On a machine that does nothing else it is about one; a plan that goes wrong is in the minutes.
        assert!(took.as_secs() < 20, "{took:?}");
    }
}

#[tokio::test]
async fn what_a_role_may_not_read_is_said() {
    for server in servers().await {
        let (database, client) = empty(server).await;
        run(&client, EVERYTHING).await;
        run(
            &client,
            "CREATE SUBSCRIPTION away CONNECTION 'dbname=nowhere password=secret' PUBLICATION p WITH (connect = false)",
        )
        .await;
        let all = read(&client).await;
        assert!(all.object(Kind::Subscription, "away").unwrap().property("CONNECTION").unwrap().starts_with("sha256 "));
        run(&client, "CREATE ROLE catalog_nobody").await;
        let other = database.connect().await;
        run(&other, "SET SESSION AUTHORIZATION catalog_nobody").await;
        let picture = read(&other).await;
        let hidden: Vec<String> = picture.hidden().map(|(key, what)| format!("{key}: {what}")).collect();
        assert_eq!(
            hidden,
            [
                "user mapping for PUBLIC server remote: its options, if it has any: only a superuser or the owner of the server may read them",
                "subscription away: its connection string: only a superuser may read it",
            ],
            "PostgreSQL {}",
            server.major()
        );
        for difference in all.differences(&picture) {
            assert!(matches!(difference.object().kind(), Kind::UserMapping | Kind::Subscription), "{difference}");
        }
        let with_positions = Fingerprint::read(&other, &Scope::new().sequence_positions(true)).await.unwrap();
        assert!(with_positions.hidden().any(|(key, _)| key.kind() == Kind::Sequence));
        // The role may not read the tables: an error that names one, and not silence.
        let error = DataDigest::read(&other, &DataScope::new()).await.unwrap_err();
        assert!(error.to_string().contains("table app."), "{error}");
        drop(other);
        run(&client, "ALTER SUBSCRIPTION away DISABLE").await;
        run(&client, "ALTER SUBSCRIPTION away SET (slot_name = NONE)").await;
        run(&client, "DROP SUBSCRIPTION away").await;
        run(&client, "DROP ROLE catalog_nobody").await;
    }
}

#[tokio::test]
async fn it_prints_an_object_a_paragraph() {
    for server in servers().await {
        let (_database, client) = empty(server).await;
        run(
            &client,
            "CREATE SCHEMA s; CREATE TABLE s.t (a integer DEFAULT 1, b text); CREATE INDEX i ON s.t (b); \
                      CREATE VIEW s.v AS SELECT a FROM s.t WHERE b IS NULL",
        )
        .await;
        let text = read(&client).await.to_string();
        let expected = "table s.t
    access method: heap
    owner: postgres

view s.v
    definition: SELECT a
           FROM s.t
          WHERE (b IS NULL);
    owner: postgres

column s.t.a
    part of table s.t
    DEFAULT: 1
    position: 1
    type: integer
";
        let expected = if server.major() < 16 {
            expected.replace("SELECT a", "SELECT t.a").replace("(b IS", "(t.b IS")
        } else {
            expected.to_owned()
        };
        assert!(text.contains(&expected), "PostgreSQL {}:\n{text}\nand not\n{expected}", server.major());
    }
}

/// SECURITY LABEL wants a module that is loaded as a provider, and no server here has one (`sepgsql` wants SELinux): what it
/// writes is written into the catalogs, in a database that is thrown away.
#[tokio::test]
async fn security_labels_are_read_of_whatever_bears_them() {
    for server in servers().await {
        let (_database, client) = empty(server).await;
        run(
            &client,
            "CREATE SCHEMA s; CREATE TABLE s.t (a int, b int); CREATE VIEW s.v AS SELECT 1 AS x; CREATE SEQUENCE s.q; \
             CREATE TYPE s.e AS ENUM ('x'); CREATE DOMAIN s.d AS int; CREATE FUNCTION s.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; \
             CREATE PUBLICATION p; CREATE TABLE s.other (a int); SET allow_system_table_mods = on",
        )
        .await;
        let scope = Scope::new().database(true);
        let was = Fingerprint::read(&client, &scope).await.unwrap();
        let label = |object: &str, class: &str, part: u8, label: &str| {
            format!("INSERT INTO pg_seclabel VALUES ({object}, '{class}'::regclass, {part}, 'selinux', '{label}')")
        };
        for sql in [
            label("'s'::regnamespace", "pg_namespace", 0, "of schema"),
            label("'s.t'::regclass", "pg_class", 0, "of table"),
            label("'s.t'::regclass", "pg_class", 2, "of column"),
            label("'s.v'::regclass", "pg_class", 0, "of view"),
            label("'s.q'::regclass", "pg_class", 0, "of sequence"),
            label("'s.e'::regtype", "pg_type", 0, "of enum"),
            label("'s.d'::regtype", "pg_type", 0, "of domain"),
            label("'s.f(int)'::regprocedure", "pg_proc", 0, "of function"),
            label("(SELECT oid FROM pg_publication)", "pg_publication", 0, "of publication"),
            "INSERT INTO pg_shseclabel SELECT oid, 'pg_database'::regclass, 'selinux', 'of database' FROM pg_database \
             WHERE datname = current_database()"
                .to_owned(),
        ] {
            run(&client, &sql).await;
        }
        let is = Fingerprint::read(&client, &scope).await.unwrap();
        let mut said = sentences(&was, &is);
        said.sort();
        let of = |what: &str, name: &str| {
            format!("{what} {name}: security label for selinux of {what} is there and was not")
        };
        let mut expected = vec![
            of("column", "s.t.b"),
            of("domain", "s.d"),
            of("enum", "s.e"),
            of("function", "s.f(integer)"),
            of("publication", "p"),
            of("schema", "s"),
            of("sequence", "s.q"),
            of("table", "s.t"),
            of("view", "s.v"),
        ];
        expected.push("database itself: security label for selinux of database is there and was not".to_owned());
        expected.sort();
        assert_eq!(said, expected, "PostgreSQL {}", server.major());

        // What one says, not only that there is one.
        run(&client, "UPDATE pg_seclabel SET label = 'another' WHERE label = 'of column'").await;
        let other = Fingerprint::read(&client, &scope).await.unwrap();
        assert_eq!(sentences(&is, &other), ["column s.t.b: security label for selinux was of column and is another"]);
        run(&client, "DELETE FROM pg_shseclabel").await;
    }
}

#[tokio::test]
async fn a_scope_leaves_out_and_takes_in() {
    for server in servers().await {
        let (_database, client) = empty(server).await;
        let was = read(&client).await;
        let scope = Scope::new().exclude_schema("migrate");
        run(&client, "CREATE SCHEMA migrate; CREATE TABLE migrate.ledger (a serial PRIMARY KEY); CREATE TYPE migrate.kind AS ENUM ()").await;
        assert_eq!(sentences(&was, &Fingerprint::read(&client, &scope).await.unwrap()), [""; 0]);
        run(&client, "CREATE TEMP TABLE pg_class (a integer); CREATE SEQUENCE s").await;
        assert_eq!(
            sentences(&was, &Fingerprint::read(&client, &scope).await.unwrap()),
            ["sequence public.s is there and was not"]
        );

        let scope = scope.sequence_positions(true);
        let was = Fingerprint::read(&client, &scope).await.unwrap();
        run(&client, "SELECT nextval('s')").await;
        let is = Fingerprint::read(&client, &scope).await.unwrap();
        assert_eq!(sentences(&was, &is), ["sequence public.s: last value was 1 is next and is 1"]);

        let sql = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 77777', current_database()); END $$";
        let scope = Scope::new().exclude_schema("migrate").database(true);
        let was = Fingerprint::read(&client, &scope).await.unwrap();
        run(&client, sql).await;
        let is = Fingerprint::read(&client, &scope).await.unwrap();
        assert_eq!(sentences(&was, &is), ["database itself: SET work_mem 77777 is there and was not"]);
    }
}

#[tokio::test]
async fn invalid_indexes_and_settings_of_the_session_are_told_from_real_changes() {
    for server in servers().await {
        let (_database, client) = empty(server).await;
        run(&client, "CREATE TABLE t (a integer, at timestamptz DEFAULT '2025-01-01 12:00+00', b interval DEFAULT '1 day 2 hours', c bytea DEFAULT 'ab'); \
                      INSERT INTO t (a) VALUES (1), (1)").await;
        let was = read(&client).await;
        let rows = data(&client).await;
        run(&client, "SET search_path = public; SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'; SET TimeZone = 'Asia/Tokyo'; \
                      SET bytea_output = 'escape'; SET extra_float_digits = -5; SET quote_all_identifiers = on").await;
        assert_eq!(sentences(&was, &read(&client).await), [""; 0]);
        assert_eq!(data_sentences(&rows, &data(&client).await), [""; 0]);
        client.batch_execute("CREATE UNIQUE INDEX CONCURRENTLY twice ON t (a)").await.unwrap_err();
        let is = read(&client).await;
        assert_eq!(sentences(&was, &is), ["index public.twice is there and was not"]);
        assert_eq!(is.object(Kind::Index, "public.twice").unwrap().property("INVALID"), Some(""));
    }
}

#[tokio::test]
async fn grants_that_cancel_out_leave_nothing() {
    for server in servers().await {
        let (_database, client) = empty(server).await;
        run(&client, "CREATE TABLE t (a integer); CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
            .await;
        let was = read(&client).await;
        run(&client, "GRANT SELECT ON t TO PUBLIC; REVOKE SELECT ON t FROM PUBLIC; GRANT SELECT (a) ON t TO PUBLIC; REVOKE SELECT (a) ON t FROM PUBLIC; \
                      REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION f() TO PUBLIC").await;
        assert_eq!(sentences(&was, &read(&client).await), [""; 0]);
        run(&client, "GRANT SELECT ON t TO PUBLIC").await;
        assert_eq!(
            sentences(&was, &read(&client).await),
            ["table public.t: privileges of PUBLIC SELECT is there and was not"]
        );
    }
}

#[tokio::test]
async fn a_column_that_came_back_is_a_difference_of_its_own_kind() {
    for server in servers().await {
        let (_database, client) = empty(server).await;
        run(&client, "CREATE TABLE users (id bigint, email text, full_name text, status text)").await;
        let was = read(&client).await;
        run(&client, "ALTER TABLE users DROP COLUMN full_name").await;
        run(&client, "ALTER TABLE users ADD COLUMN full_name text").await;
        let is = read(&client).await;
        assert_eq!(sentences(&was, &is), ["column order of public.users: full_name was 3rd and is last"]);
        let differences = was.differences(&is);
        assert_eq!(differences[0].kind(), DifferenceKind::ColumnOrder);
        let moved = &differences[0].moves()[0];
        assert_eq!((moved.column(), moved.was(), moved.is()), ("full_name", 3, 4));
    }
}

#[tokio::test]
async fn data_that_is_lost_or_changed_is_told() {
    for server in servers().await {
        let (_database, client) = empty(server).await;
        run(&client, r#"CREATE TABLE "odd ""t""" (id integer PRIMARY KEY, "Ünï" text, b text, twice integer GENERATED ALWAYS AS (id * 2) STORED);
            INSERT INTO "odd ""t""" VALUES (1, 'x', NULL), (2, 'y', ''), (3, 'y', 'z');
            CREATE TABLE child (c integer) INHERITS ("odd ""t"""); INSERT INTO child (id, c) VALUES (9, 9);
            CREATE TABLE hollow (); CREATE TABLE parts (a integer) PARTITION BY LIST (a); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
            INSERT INTO parts VALUES (1), (1); CREATE SEQUENCE s; CREATE MATERIALIZED VIEW m AS SELECT 1 AS a WITH NO DATA"#).await;
        let was = data(&client).await;
        let rows: Vec<(&str, u64)> = was.tables().map(|(name, digest)| (name, digest.rows())).collect();
        assert_eq!(
            rows,
            [(r#"public."odd ""t""""#, 3), ("public.child", 1), ("public.hollow", 0), ("public.parts_1", 2)]
        );
        assert_eq!(data_sentences(&was, &data(&client).await), [""; 0]);

        // Each change is told, and its reverse leaves nothing.
        let t = r#"table public."odd ""t""""#;
        for (change, reverse, said) in [
            (
                r#"DELETE FROM "odd ""t""" WHERE id = 3"#,
                r#"INSERT INTO "odd ""t""" VALUES (3, 'y', 'z')"#,
                format!("{t}: 1 row is missing (there were 3, now 2)"),
            ),
            (
                r#"UPDATE "odd ""t""" SET b = '' WHERE id = 1"#,
                r#"UPDATE "odd ""t""" SET b = NULL WHERE id = 1"#,
                format!("{t}: column b holds other values"),
            ),
            (
                r#"UPDATE "odd ""t""" SET "Ünï" = CASE id WHEN 1 THEN 'y' ELSE 'x' END WHERE id < 3"#,
                r#"UPDATE "odd ""t""" SET "Ünï" = CASE id WHEN 1 THEN 'x' ELSE 'y' END WHERE id < 3"#,
                format!("{t}: the same values stand in other rows"),
            ),
            (
                r#"ALTER TABLE "odd ""t""" DROP COLUMN b CASCADE"#,
                r#"ALTER TABLE "odd ""t""" ADD COLUMN b text; UPDATE ONLY "odd ""t""" SET b = '' WHERE id = 2; UPDATE "odd ""t""" SET b = 'z' WHERE id = 3"#,
                format!("{t}: column b is missing; table public.child: column b is missing"),
            ),
            (
                "INSERT INTO hollow DEFAULT VALUES",
                "DELETE FROM hollow",
                "table public.hollow: 1 row is new (there were 0, now 1)".to_owned(),
            ),
            (
                "UPDATE parts SET a = 1; INSERT INTO parts VALUES (1)",
                "DELETE FROM parts WHERE ctid = (SELECT max(ctid) FROM parts)",
                "table public.parts_1: 1 row is new (there were 2, now 3)".to_owned(),
            ),
            (
                "SELECT nextval('s')",
                "SELECT setval('s', 1, false)",
                "sequence public.s stood at 1 is next and stands at 1".to_owned(),
            ),
        ] {
            run(&client, change).await;
            assert_eq!(data_sentences(&was, &data(&client).await).join("; "), said, "{change}");
            run(&client, reverse).await;
            assert_eq!(data_sentences(&was, &data(&client).await), [""; 0], "{reverse}");
        }

        let scope = DataScope::new()
            .generated_columns(false)
            .exclude_column("public.child", "c")
            .exclude_schema("elsewhere")
            .sequences(false);
        let digest = DataDigest::read(&client, &scope).await.unwrap();
        let columns: Vec<Vec<&str>> = digest.tables().map(|(_, table)| table.columns().collect()).collect();
        assert_eq!(columns, [vec!["\"Ünï\"", "b", "id"], vec!["\"Ünï\"", "b", "id"], vec![], vec!["a"]]);
    }
}

#[tokio::test]
async fn rows_that_row_level_security_hides_are_an_error() {
    for server in servers().await {
        let (database, client) = empty(server).await;
        run(&client, "CREATE ROLE catalog_owner; CREATE TABLE t (a integer); INSERT INTO t VALUES (1); ALTER TABLE t OWNER TO catalog_owner; \
                      ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY").await;
        let owner = database.connect().await;
        run(&owner, "SET SESSION AUTHORIZATION catalog_owner").await;
        let error = DataDigest::read(&owner, &DataScope::new()).await.unwrap_err();
        assert!(matches!(&error, CatalogError::HiddenRows { table, .. } if table == "public.t"), "{error}");
        assert_eq!(data(&client).await.tables().next().unwrap().1.rows(), 1);
        drop(owner);
        run(&client, "DROP TABLE t").await;
        run(&client, "DROP ROLE catalog_owner").await;
    }
}

//! A plan that holds each kind of step, and what a database must look like whatever happened to the runs before.

use super::{Builder, create, migration, value};
use migrate_pg::catalog::data::{DataDigest, DataScope};
use migrate_pg::catalog::{Fingerprint, Scope};
use migrate_pg::gate::BoxFuture;
use migrate_pg::model::Backup;
use migrate_pg::prelude::{Gate, GateContext, GateError, Receipt};
use migrate_pg::testing::{self, TestDatabase};
use tokio_postgres::Client;

/// Every kind of step: in one transaction, rows, step by step, CONCURRENTLY made, dropped, rebuilt and detached, a
/// backfill, statements outside of transactions that are none of these, and downs that destroy rows.
pub fn every_kind() -> Vec<Builder> {
    let rows = "INSERT INTO a SELECT n, 'v' || n % 7 FROM generate_series(1, 250) n";
    let split = "CREATE TABLE p (id bigint NOT NULL, v text) PARTITION BY RANGE (id)";
    vec![
        create(1, "a").down_destroys("a", None),
        migration(2, "Rows").step(rows, "DELETE FROM a"),
        migration(3, "Columns")
            .step("ALTER TABLE a ADD COLUMN x text", "ALTER TABLE a DROP COLUMN x")
            .step("ALTER TABLE a ALTER COLUMN x SET DEFAULT 'new'", "ALTER TABLE a ALTER COLUMN x DROP DEFAULT"),
        migration(4, "Indexes")
            .step("CREATE INDEX CONCURRENTLY i ON a (v)", "DROP INDEX CONCURRENTLY i")
            .step_downs(
                "ALTER TABLE a ADD COLUMN w text",
                &["ALTER TABLE a ALTER COLUMN w SET DEFAULT ''", "ALTER TABLE a DROP COLUMN w"],
            )
            .step("CREATE UNIQUE INDEX CONCURRENTLY u ON a (v, id)", "DROP INDEX CONCURRENTLY u"),
        migration(5, "Fill").backfill("a", "x = $1 || id", "x IS NULL", 100, "x"),
        migration(6, "Other")
            .step("DROP INDEX CONCURRENTLY i", "CREATE INDEX CONCURRENTLY i ON a (v)")
            .step("REINDEX INDEX CONCURRENTLY u", "")
            .step("VACUUM a", ""),
        migration(7, "Parts")
            .step(split, "DROP TABLE p")
            .step("CREATE TABLE c1 PARTITION OF p FOR VALUES FROM (0) TO (100)", "DROP TABLE c1")
            .step("CREATE TABLE c2 PARTITION OF p FOR VALUES FROM (100) TO (200)", "DROP TABLE c2")
            .step("INSERT INTO p SELECT n, 'p' FROM generate_series(0, 199) n", "DELETE FROM p"),
        migration(8, "Detach").step(
            "ALTER TABLE p DETACH PARTITION c1 CONCURRENTLY",
            "ALTER TABLE p ATTACH PARTITION c1 FOR VALUES FROM (0) TO (100)",
        ),
    ]
}

/// A gate that always lets pass.
#[derive(Clone)]
pub struct Open;

impl Gate for Open {
    fn name(&self) -> &'static str {
        "open"
    }

    fn provides(&self) -> Option<Backup> {
        Some(Backup::Dump)
    }

    fn preflight<'a>(&'a self, _: &'a GateContext<'a>) -> BoxFuture<'a, Result<(), GateError>> {
        Box::pin(async { Ok(()) })
    }

    fn pass<'a>(&'a self, ctx: &'a GateContext<'a>) -> BoxFuture<'a, Result<Receipt, GateError>> {
        let step = ctx.step;
        Box::pin(async move { Ok(Receipt { kind: "none".to_owned(), json: serde_json::json!({"step": step}) }) })
    }
}

/// Catalog and rows, without the ledger, and what the ledger says of each migration and step.
pub struct World {
    catalog: Fingerprint,
    rows: DataDigest,
    ledger: String,
}

impl World {
    pub async fn of(client: &Client) -> Self {
        let catalog = Fingerprint::read(client, &Scope::new().exclude_schema("migrate")).await.unwrap();
        let rows = DataDigest::read(client, &DataScope::new().exclude_schema("migrate")).await.unwrap();
        let ledger = value(
            client,
            "SELECT coalesce(string_agg(m.version || ' ' || m.state || coalesce(s.step || ' ' || s.state || s.under_way, '-'), \
             ', ' ORDER BY m.version, s.step), '') FROM migrate.migrations m LEFT JOIN migrate.steps s USING (version)",
        )
        .await;
        Self { catalog, rows, ledger }
    }

    /// That another run came to the same end.
    pub fn assert_same(&self, found: &Self, after: &str) {
        let differences: Vec<String> =
            self.catalog.differences(&found.catalog).iter().map(ToString::to_string).collect();
        assert!(differences.is_empty(), "{after}: {differences:#?}");
        let differences: Vec<String> = self.rows.differences(&found.rows).iter().map(ToString::to_string).collect();
        assert!(differences.is_empty(), "{after}: {differences:#?}");
        assert_eq!(self.ledger, found.ledger, "{after}");
    }
}

/// No lock, no transaction, no INVALID index, no pending detach.
pub async fn assert_nothing_left(client: &Client, after: &str) {
    super::assert_clean(client).await;
    let sql = "SELECT (SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indisready OR NOT indislive) || ' ' || \
               (SELECT count(*) FROM pg_inherits WHERE inhdetachpending)";
    assert_eq!(value(client, sql).await, "0 0", "INVALID indexes and pending detaches {after}");
}

/// A database that is a copy of another, to which nobody may be connected.
pub async fn copy(of: &TestDatabase) -> TestDatabase {
    let database = testing::database().await;
    let client = database.server().connect().await.unwrap();
    client.batch_execute(&format!("DROP DATABASE {}", database.name())).await.unwrap();
    client.batch_execute(&format!("CREATE DATABASE {} TEMPLATE {}", database.name(), of.name())).await.unwrap();
    database
}

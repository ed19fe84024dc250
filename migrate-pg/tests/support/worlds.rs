//! A plan that holds each kind of step, and what a database must look like whatever happened to the runs before.

use super::{Builder, Made, create, hurried, migration, servers, value};
use migrate_pg::catalog::data::{DataDigest, DataScope};
use migrate_pg::catalog::{Fingerprint, Scope};
use migrate_pg::gate::BoxFuture;
use migrate_pg::model::{Backup, History, Migration as Described};
use migrate_pg::prelude::*;
use migrate_pg::testing::{Server, TestDatabase};
use migrate_pg::{LockSchedule, Migrator, Pace};
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::Client;

/// Two shapes of one value that are kept alike while both live.
#[derive(Migration)]
#[migration(version = 9, phase = Expand, lock = ShareRowExclusive)]
#[sync(table = "a", old = "v", new = "w", forward = "upper(v)", backward = "lower(w)")]
struct Sync;

/// Rows that Rust fills, in ranges that workers share: few of them, since each is a message that is cut at.
#[derive(Migration)]
#[migration(version = 10, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "a", key = "id", batch = 100, read = "v", write = "w", filter = "w IS NULL AND id % 25 = 0", down = keep("goes with the column"))]
struct FillInRust;

impl RowBackfill for FillInRust {
    type In = (String,);
    type Out = (String,);

    fn convert(&self, (v,): Self::In) -> Result<Self::Out, RowError> {
        Ok((v.to_uppercase(),))
    }
}

#[derive(Migration)]
#[migration(version = 11, phase = Contract, lock = AccessExclusive)]
#[sync(drop, table = "a", old = "v", new = "w", forward = "upper(v)", backward = "lower(w)")]
struct Unsync;

/// Every kind of step: in one transaction, rows, step by step, CONCURRENTLY made, dropped, rebuilt and detached, a backfill
/// in SQL by one, another in Rust by workers, a trigger that keeps two shapes alike, statements outside of transactions that are
/// none of these, and downs that destroy rows.
pub fn every_kind() -> History {
    let made = made().into_iter().map(|one| Box::new(one) as Box<dyn Described>);
    let derived: [Box<dyn Described>; 3] = [Box::new(Sync), Box::new(FillInRust), Box::new(Unsync)];
    let mut all: Vec<_> = made.chain(derived).collect();
    all.sort_by_key(|migration| migration.meta().version());
    History::from_checked(all, None)
}

/// Its runner, in a hurry, with two workers wherever there are statistics for them to share a table by. Autovacuum, which finds
/// new rows to look at, is nobody's fault, and may take its time on a busy machine: its locks are tried for again for longer.
pub fn runner() -> Migrator {
    let patient = LockSchedule::new(1, 40).pause(Duration::from_millis(100));
    hurried(Migrator::new(every_kind())).lock_schedule(patient).gate(Open).pace(Pace::default().workers(2))
}

fn made() -> Vec<Made> {
    let rows = "INSERT INTO a SELECT n, 'v' || n % 7 FROM generate_series(1, 250) n";
    let split = "CREATE TABLE p (id bigint NOT NULL, v text) PARTITION BY RANGE (id)";
    let all = [
        create(1, "a").down_destroys("a", None),
        migration(2, "Rows").step(rows, "DELETE FROM a"),
        migration(3, "Columns")
            .step("ALTER TABLE a ADD COLUMN x text", "ALTER TABLE a DROP COLUMN x")
            .step("ALTER TABLE a ALTER COLUMN x SET DEFAULT 'new'", "ALTER TABLE a ALTER COLUMN x DROP DEFAULT")
            // Few ranges for the workers.
            .step("ALTER TABLE a ALTER COLUMN id SET STATISTICS 3", "ALTER TABLE a ALTER COLUMN id SET STATISTICS -1"),
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
            // The backfill after it has statistics, and the one before has none.
            .step("VACUUM (ANALYZE) a", ""),
        migration(7, "Parts")
            .step(split, "DROP TABLE p")
            .step("CREATE TABLE c1 PARTITION OF p FOR VALUES FROM (0) TO (100)", "DROP TABLE c1")
            .step("CREATE TABLE c2 PARTITION OF p FOR VALUES FROM (100) TO (200)", "DROP TABLE c2")
            .step("INSERT INTO p SELECT n, 'p' FROM generate_series(0, 199) n", "DELETE FROM p"),
        migration(8, "Detach").step(
            "ALTER TABLE p DETACH PARTITION c1 CONCURRENTLY",
            "ALTER TABLE p ATTACH PARTITION c1 FOR VALUES FROM (0) TO (100)",
        ),
    ];
    all.map(Builder::made).into()
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

/// What undisturbed runs of the plan come to on a server.
pub struct Undisturbed {
    pub server: Server,
    /// After all of it was taken back.
    pub empty: World,
    /// After all of it.
    pub full: World,
    /// A database with all of the plan applied, to copy.
    applied: TestDatabase,
    /// Nobody else may copy a template at the same time.
    copying: Mutex<()>,
}

/// On a server of each version, once in a process: tests share their faults out among them.
pub async fn undisturbed() -> &'static [Undisturbed] {
    static ALL: OnceCell<Vec<Undisturbed>> = OnceCell::const_new();
    ALL.get_or_init(|| async {
        let mut all = tokio::task::JoinSet::new();
        for server in servers().await {
            all.spawn(Undisturbed::on(server.clone()));
        }
        let mut all = all.join_all().await;
        all.sort_by_key(|one| one.server.major());
        all
    })
    .await
}

impl Undisturbed {
    async fn on(server: Server) -> Self {
        let database = server.database().await.unwrap();
        runner().run_through(Phase::Contract, database.config()).await.unwrap();
        runner().down_to(0, database.config()).await.unwrap();
        let empty = World::of(&database.connect().await).await;
        let applied = server.database().await.unwrap();
        runner().run_through(Phase::Contract, applied.config()).await.unwrap();
        let full = {
            let client = applied.connect().await;
            assert_nothing_left(&client, "undisturbed").await;
            World::of(&client).await
        };
        Self { server, empty, full, applied, copying: Mutex::new(()) }
    }

    /// An empty database.
    pub async fn empty_database(&self) -> TestDatabase {
        self.server.database().await.unwrap()
    }

    /// A database with all of the plan applied.
    pub async fn full_database(&self) -> TestDatabase {
        let database = self.empty_database().await;
        let client = self.server.connect().await.unwrap();
        let (name, template) = (database.name(), self.applied.name());
        let _guard = self.copying.lock().await;
        client.batch_execute(&format!("DROP DATABASE {name}")).await.unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
        database
    }
}

/// Says it whether the test fails or not: the runner of tests keeps what is printed, and not what is written.
pub fn said(what: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{what}").expect("there is a place for errors");
}

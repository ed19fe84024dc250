//! Migrations built by hand, as the derive would build them, so that the runner is tested by itself.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod accounts;
pub mod bouncer;
pub mod cutter;
pub mod pooler;
pub mod process;
pub mod proxy;
pub mod worlds;

use migrate_pg::__private::v1;
use migrate_pg::model::{
    Backup, Baseline, Bind, Concurrent, ConcurrentAction, Down, EffectKind, History, LockClass, Loss, Meta, Migration,
    PgRange, Phase, Space, StepKind, Verb, Work,
};
use migrate_pg::testing::{Binaries, Server};
use migrate_pg::{LockSchedule, Migrator};
use tokio::sync::OnceCell;
use tokio_postgres::Client;

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn text(text: &str) -> &'static str {
    String::leak(text.to_owned())
}

pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A migration and the values it binds.
#[derive(Clone)]
pub struct Made {
    meta: &'static Meta,
    binds: Vec<(&'static str, String)>,
}

impl Migration for Made {
    fn meta(&self) -> &'static Meta {
        self.meta
    }

    fn binds(&self) -> Vec<Bind<'_>> {
        self.binds.iter().map(|(sql_type, value)| Bind { sql_type, value }).collect()
    }
}

#[derive(Clone)]
pub struct Builder {
    parts: v1::Meta,
    steps: Vec<v1::Step>,
    binds: Vec<(&'static str, String)>,
}

pub fn migration(version: i64, name: &str) -> Builder {
    Builder {
        parts: v1::Meta {
            version,
            name: text(name),
            location: "tests",
            doc: "",
            phase: Phase::Expand,
            lock: LockClass::AccessExclusive,
            transactional: true,
            pg: PgRange::SUPPORTED,
            steps: &[],
            destructive: None,
            allows: &[],
            digest: "",
            supersedes: &[],
            accept_late: None,
            deploy_from: None,
            new_since: &[],
            broken: false,
        },
        steps: Vec::new(),
        binds: Vec::new(),
    }
}

fn statement(up: &str, downs: &[&str]) -> v1::Step {
    let table = up.split_whitespace().nth(2).unwrap_or_default().trim_end_matches(';');
    let kind = if up.starts_with("INSERT") {
        EffectKind::InsertRows
    } else if up.starts_with("UPDATE") {
        EffectKind::UpdateRows
    } else {
        EffectKind::SetTableOption
    };
    let object = text(&format!("table {table}"));
    let effect = v1::Effect {
        kind,
        verb: Verb::Alter,
        object,
        definition: "",
        id: v1::object(Space::Relation, text(table), ""),
        to: 0,
        to_name: "",
    };
    let downs: Vec<_> = downs.iter().map(|sql| down(sql).build()).collect();
    v1::Step {
        kind: StepKind::Statement,
        up: text(up),
        down: if downs.is_empty() { Down::Nothing("a test") } else { Down::Sql(Vec::leak(downs)) },
        phase: Phase::Expand,
        lock: LockClass::AccessExclusive,
        locks: &[],
        work: Work::Metadata,
        transactional: !is_alone(up),
        destructive: false,
        effects: Vec::leak(vec![effect.build()]),
        destroys: &[],
        concurrent: concurrent(up),
        notes: &[],
    }
}

fn down(sql: &str) -> v1::DownStatement {
    v1::DownStatement {
        sql: text(sql),
        lock: LockClass::AccessExclusive,
        locks: &[],
        work: Work::Metadata,
        transactional: !is_alone(sql),
        destroys: &[],
        concurrent: concurrent(sql),
        hazards: &[],
        effects: &[],
    }
}

/// One statement of a down.
pub fn down_of(sql: &str) -> migrate_pg::model::DownStatement {
    down(sql).build()
}

/// One statement of a down that cannot run in a transaction, whatever it is.
pub fn down_alone(sql: &str) -> migrate_pg::model::DownStatement {
    v1::DownStatement { transactional: false, ..down(sql) }.build()
}

fn is_alone(sql: &str) -> bool {
    sql.contains("CONCURRENTLY") || sql.starts_with("VACUUM")
}

/// What the derive would find; names without quotes and schemas only.
fn concurrent(sql: &str) -> Option<Concurrent> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let after = |word: &str| words.iter().position(|&found| found == word).map(|at| text(words[at + 1]));
    let (action, name) = if sql.contains("DETACH PARTITION") && sql.ends_with("CONCURRENTLY") {
        (ConcurrentAction::Detach, after("PARTITION")?)
    } else {
        let name = after("EXISTS").or_else(|| after("CONCURRENTLY"))?;
        let action = if sql.starts_with("CREATE") {
            ConcurrentAction::Create
        } else if sql.starts_with("DROP INDEX") {
            ConcurrentAction::Drop
        } else if sql.starts_with("REINDEX INDEX") {
            ConcurrentAction::Reindex
        } else if sql.starts_with("REINDEX TABLE") {
            ConcurrentAction::ReindexTable
        } else {
            return None;
        };
        (action, name)
    };
    let table = match action {
        ConcurrentAction::Create => after("ON"),
        ConcurrentAction::Detach => after("TABLE"),
        _ => None,
    };
    Some(Concurrent { action, schema: None, name, table })
}

impl Builder {
    pub fn step(mut self, up: &str, down: &str) -> Self {
        let downs: &[&str] = if down.is_empty() { &[] } else { &[down] };
        self.steps.push(statement(up, downs));
        self.parts.transactional &= !is_alone(up);
        self
    }

    pub fn step_downs(mut self, up: &str, downs: &[&str]) -> Self {
        self.steps.push(statement(up, downs));
        self.parts.transactional &= !is_alone(up);
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut v1::Step)) -> Self {
        change(self.steps.last_mut().expect("a step comes first"));
        self
    }

    /// The last step's down destroys this.
    pub fn down_destroys(self, relation: &str, column: Option<&str>) -> Self {
        let loss = Loss { relation: text(relation), column: column.map(text), cascades: false };
        self.with(|step| {
            let Down::Sql(downs) = step.down else { panic!("no down") };
            let mut made = down(downs[0].sql());
            made.destroys = Vec::leak(vec![loss]);
            step.down = Down::Sql(Vec::leak(vec![made.build()]));
        })
    }

    /// The last step destroys this, with a dump.
    pub fn destroys(mut self, relation: &str, column: Option<&str>) -> Self {
        self.parts.phase = Phase::Contract;
        self.parts.destructive = Some(v1::destructive(Backup::Dump, "NAME", "0123456789abcdef"));
        let loss = Loss { relation: text(relation), column: column.map(text), cascades: false };
        self.with(|step| {
            step.destructive = true;
            step.destroys = Vec::leak(vec![loss]);
        })
    }

    pub fn irreversible(self) -> Self {
        self.with(|step| step.down = Down::Irreversible("PostgreSQL has no way back"))
    }

    pub fn backfill(self, table: &str, set: &str, filter: &str, batch: u32, value: &str) -> Self {
        self.backfill_by(&["id"], table, set, filter, batch, value)
    }

    pub fn backfill_by(
        mut self,
        key: &'static [&'static str],
        table: &str,
        set: &str,
        filter: &str,
        batch: u32,
        value: &str,
    ) -> Self {
        let fill = v1::Backfill {
            table: text(table),
            key,
            batch,
            set: text(set),
            read: &[],
            write: &[],
            filter: text(filter),
        };
        let mut step = statement(&format!("UPDATE x {table} SET {set} WHERE {filter}"), &[]);
        step.kind = StepKind::Backfill(fill.build());
        step.down = Down::Keep("goes with the column");
        step.work = Work::Rows;
        self.steps.push(step);
        self.binds.push(("text", value.to_owned()));
        self.parts.transactional = false;
        self.parts.phase = Phase::Migrate;
        self
    }

    pub fn phase(mut self, phase: Phase) -> Self {
        self.parts.phase = phase;
        self
    }

    /// What the migration declares, whatever its SQL does.
    pub fn lock(mut self, lock: LockClass) -> Self {
        self.parts.lock = lock;
        self
    }

    /// What the downs of the last step are said to take, whatever their SQL does.
    pub fn down_lock(self, lock: LockClass) -> Self {
        self.with(|step| {
            let Down::Sql(downs) = step.down else { panic!("no down") };
            let made = downs.iter().map(|one| v1::DownStatement { lock, ..down(one.sql()) }.build()).collect();
            step.down = Down::Sql(Vec::leak(made));
        })
    }

    pub fn stepwise(mut self) -> Self {
        self.parts.transactional = false;
        self
    }

    pub fn supersedes(mut self, digest: &str) -> Self {
        self.parts.supersedes = Vec::leak(vec![text(digest)]);
        self
    }

    pub fn accept_late(mut self) -> Self {
        self.parts.accept_late = Some("another team's");
        self
    }

    pub fn pg(mut self, min: u16, max: u16) -> Self {
        self.parts.pg = PgRange::new(min, max).expect("a range");
        self
    }

    pub fn digest(&self) -> String {
        let mut all = String::new();
        for step in &self.steps {
            all.push_str(step.up);
            if let Down::Sql(downs) = step.down {
                for down in downs {
                    all.push_str(down.sql());
                }
            }
        }
        format!("v1:{:016x}", hash(&all))
    }

    pub fn made(self) -> Made {
        let mut parts = self.parts;
        parts.digest = text(&self.digest());
        parts.steps = Vec::leak(self.steps.into_iter().map(v1::Step::build).collect());
        Made { meta: leak(parts.build()), binds: self.binds }
    }
}

pub fn history(all: impl IntoIterator<Item = Builder>) -> History {
    with_baseline(all, None)
}

pub fn with_baseline(all: impl IntoIterator<Item = Builder>, baseline: Option<Baseline>) -> History {
    History::from_checked(all.into_iter().map(|one| Box::new(one.made()) as Box<dyn Migration>).collect(), baseline)
}

/// A runner that is in a hurry.
pub fn migrator(all: impl IntoIterator<Item = Builder>) -> Migrator {
    hurried(Migrator::new(history(all)))
}

pub fn hurried(migrator: Migrator) -> Migrator {
    use std::time::Duration;
    migrator
        .lock_timeout(Duration::from_millis(200))
        .lock_schedule(LockSchedule::new(1, 2).pause(Duration::from_millis(50)))
        .lease_wait(Duration::from_secs(30))
}

/// A server of each version, the same ones for all tests of a process.
pub async fn servers() -> &'static [Server] {
    static ALL: OnceCell<Vec<Server>> = OnceCell::const_new();
    ALL.get_or_init(|| async {
        let mut all = tokio::task::JoinSet::new();
        for binaries in Binaries::find_all().unwrap() {
            all.spawn(Server::builder().binaries(binaries).start());
        }
        let mut all: Vec<_> = all.join_all().await.into_iter().map(Result::unwrap).collect();
        all.sort_by_key(Server::major);
        all
    })
    .await
}

/// A server whose vacuums begin soon and take long, for want of a budget.
pub async fn server_of_slow_vacuums() -> Server {
    let slow = Server::builder()
        .setting("autovacuum_naptime", "1s")
        .setting("autovacuum_vacuum_cost_delay", "100ms")
        .setting("autovacuum_vacuum_cost_limit", "1");
    slow.start().await.unwrap()
}

/// Rows in a table, a column more, and a backfill of it: one migration each.
pub fn filling(rows: u32) -> [Builder; 3] {
    let rows = format!("INSERT INTO a SELECT n, 'v' FROM generate_series(1, {rows}) n");
    [
        create(1, "a"),
        migration(2, "Rows")
            .step(&rows, "DELETE FROM a")
            .step("ALTER TABLE a ADD COLUMN x text", "ALTER TABLE a DROP COLUMN x"),
        migration(3, "Fill").backfill("a", "x = $1", "x IS NULL", 100, "x"),
    ]
}

pub fn create(version: i64, table: &str) -> Builder {
    migration(version, &format!("Create{table}"))
        .step(&format!("CREATE TABLE {table} (id bigint PRIMARY KEY, v text)"), &format!("DROP TABLE {table}"))
}

pub fn add(version: i64, table: &str, column: &str) -> Builder {
    migration(version, &format!("Add{column}")).step(
        &format!("ALTER TABLE {table} ADD COLUMN {column} text"),
        &format!("ALTER TABLE {table} DROP COLUMN {column}"),
    )
}

/// One value as text.
pub async fn value(client: &Client, sql: &str) -> String {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    for message in messages {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            return row.get(0).unwrap_or("NULL").to_owned();
        }
    }
    panic!("no row: {sql}");
}

pub async fn has_column(client: &Client, table: &str, column: &str) -> bool {
    let sql = format!(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('{table}') AND attname = '{column}' AND NOT attisdropped"
    );
    value(client, &sql).await == "1"
}

pub async fn has_table(client: &Client, table: &str) -> bool {
    value(client, &format!("SELECT to_regclass('{table}') IS NOT NULL")).await == "t"
}

/// The events of the ledger, in order.
pub async fn events(client: &Client) -> String {
    value(
        client,
        "SELECT coalesce(string_agg(event || coalesce(' ' || version, ''), ', ' ORDER BY id), '') FROM migrate.events",
    )
    .await
}

/// Nothing that a run may leave behind: locks, of sessions and on relations, transactions, prepared ones too.
pub async fn assert_clean(client: &Client) {
    let sql = "SELECT concat_ws(', ', \
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = d.oid) || ' advisory locks', \
        (SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'relation' \
         AND l.database = d.oid AND l.relation >= 16384 AND a.backend_type = 'client backend') || ' locks on relations', \
        (SELECT count(*) FROM pg_stat_activity WHERE datname = d.datname AND state LIKE 'idle in transaction%') || ' open transactions', \
        (SELECT count(*) FROM pg_prepared_xacts WHERE database = d.datname) || ' prepared transactions') \
        FROM pg_database d WHERE datname = current_database()";
    // A backend whose client is gone takes a moment to end.
    let mut found = String::new();
    for _ in 0..100 {
        found = value(client, sql).await;
        if found == "0 advisory locks, 0 locks on relations, 0 open transactions, 0 prepared transactions" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    panic!("left behind: {found}");
}

/// The baseline of this text, as `migrations!` reads it.
pub fn read_baseline(sql: &str) -> Baseline {
    use migrate_core::sql::check::{SqlText, Words, baseline};
    let read =
        baseline(&SqlText { text: sql.to_owned(), file: None }).unwrap_or_else(|error| panic!("{}", error.message));
    let sql = read.sql.as_deref().unwrap_or(sql);
    v1::baseline(text(sql), text(&read.digest), Words::of_baseline(&read).leak())
}

/// A listener, and what it tells of the first time that the run waits for other people's transactions.
pub fn when_it_waits() -> (impl Fn(&migrate_pg::Event) + Send + Sync + 'static, std::sync::Arc<tokio::sync::Notify>) {
    let waits = std::sync::Arc::new(tokio::sync::Notify::new());
    let told = waits.clone();
    let listener = move |event: &migrate_pg::Event| {
        if matches!(event, migrate_pg::Event::Waiting { .. }) {
            told.notify_one();
        }
    };
    (listener, waits)
}

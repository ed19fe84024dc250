//! The ledger: the tables, in a schema of their own, that record what was done. Everybody may read them; the migration
//! role owns them. Their format has a number; changes to it only ever add, so that a program of an earlier release can
//! go on reading and writing, or refuses by number where a change says that it cannot.

mod locked;
mod normal;
mod write;

use locked::is_locked;
pub(crate) use normal::normalised;
pub(crate) use write::{MigrationEntry, StepState, down};

use crate::error::{Error, ErrorKind, Result};
use crate::online::milliseconds;
use crate::quote;
use crate::report::StepBegun;
use crate::under_way::UnderWay;
use migrate_core::model::{Concurrent, LockClass, Version};
use migrate_core::plan::{Applied, State};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

/// The format that this release writes.
const FORMAT: i32 = 3;

/// What every format so far was made of, in order: entry `n` turns format `n` into `n + 1`, and only adds.
const UPGRADES: &[&str] = &[
    "
CREATE TABLE {s}.ledger (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    format integer NOT NULL,
    -- A program whose own format is below this one must not use the ledger.
    needs integer NOT NULL,
    baseline_digest text,
    baseline_at timestamptz,
    made timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE {s}.migrations (
    version bigint PRIMARY KEY,
    -- The order in which they were applied.
    seq bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    phase text NOT NULL,
    lock text NOT NULL,
    digest text NOT NULL,
    transactional boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('applying', 'applied', 'undoing')),
    -- The versions before it that were known and pending when it was applied.
    passed bigint[] NOT NULL DEFAULT '{}',
    effects jsonb NOT NULL,
    -- For each step, its up and its downs, without comments and with single spaces, and what each takes and does.
    sql jsonb NOT NULL,
    approval text,
    receipts jsonb NOT NULL DEFAULT '[]',
    started timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished timestamptz,
    role text NOT NULL DEFAULT current_user,
    login text NOT NULL DEFAULT session_user,
    application text NOT NULL DEFAULT current_setting('application_name'),
    host text
);
CREATE TABLE {s}.steps (
    version bigint NOT NULL REFERENCES {s}.migrations ON DELETE CASCADE,
    step integer NOT NULL,
    state text NOT NULL CHECK (state IN ('started', 'done', 'undoing', 'undone')),
    up text NOT NULL,
    -- A statement that cannot run in a transaction was sent, and its end was not seen.
    under_way boolean NOT NULL DEFAULT false,
    -- Where it is being taken back: the statement of its down that is under way, counted from 0.
    down_at integer NOT NULL DEFAULT 0,
    -- How far a backfill has come.
    cursor jsonb,
    rows bigint NOT NULL DEFAULT 0,
    error text,
    started timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished timestamptz,
    PRIMARY KEY (version, step)
);
-- Only ever added to.
CREATE TABLE {s}.events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    event text NOT NULL,
    version bigint,
    name text,
    step integer,
    details jsonb NOT NULL DEFAULT '{}',
    role text NOT NULL DEFAULT current_user,
    login text NOT NULL DEFAULT session_user,
    application text NOT NULL DEFAULT current_setting('application_name'),
    host text
);
INSERT INTO {s}.ledger (format, needs) VALUES (1, 1);
",
    "
-- What the statement under way acts on, so that what it may have left can be told without the program that sent it.
ALTER TABLE {s}.steps ADD COLUMN acts_on jsonb;
",
    "
-- What another session asks of a backfill that is under way.
ALTER TABLE {s}.steps ADD COLUMN asked text CHECK (asked IN ('pause', 'cancel'));
-- Rows that a backfill passed over: they stay as they were.
CREATE TABLE {s}.skipped_rows (
    version bigint NOT NULL,
    step integer NOT NULL,
    -- The text form of each column of its key.
    key jsonb NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (version, step, key),
    FOREIGN KEY (version, step) REFERENCES {s}.steps ON DELETE CASCADE
);
-- The ranges of the key that workers of one backfill walk.
CREATE TABLE {s}.ranges (
    version bigint NOT NULL,
    step integer NOT NULL,
    range integer NOT NULL,
    -- The run that may walk it.
    owner text NOT NULL,
    -- Its last key; NULL for the end of the table.
    until jsonb,
    -- How far it has come; at first the last key of the range before it.
    cursor jsonb,
    rows bigint NOT NULL DEFAULT 0,
    done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (version, step, range),
    FOREIGN KEY (version, step) REFERENCES {s}.steps ON DELETE CASCADE
);
",
];

/// What to do where it was there and is not any more.
pub(crate) const GONE: &str = "Nothing else says what was applied. Bring it back from a backup of this database (`pg_dump \
     --schema=…` of it alone, restored by psql), and run again: it goes on from there.";

/// The tables that everybody may read.
const TABLES: &[&str] = &["ledger", "migrations", "steps", "events", "skipped_rows", "ranges"];

/// The ledger in one schema.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    /// The name of the schema, as it is.
    pub(crate) name: String,
    /// The name of the schema, quoted.
    schema: String,
    host: Option<String>,
    /// How long to wait for somebody who holds it.
    lock_timeout: Duration,
}

/// What one look at the ledger finds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    pub(crate) server_version_num: u32,
    /// `None` where there is no ledger.
    pub(crate) format: Option<i32>,
    pub(crate) baseline_digest: Option<String>,
    /// In the order in which they were applied.
    pub(crate) rows: Vec<Applied>,
}

/// What a status shows of a migration beyond what a plan needs.
#[derive(Debug, Clone)]
pub(crate) struct Details {
    pub(crate) started: Option<String>,
    pub(crate) finished: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) application: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) rows: u64,
    pub(crate) error: Option<String>,
}

/// What the ledger has of one step.
#[derive(Debug, Clone)]
pub(crate) struct StepRow {
    pub(crate) step: usize,
    pub(crate) state: StepState,
    /// Normalised.
    pub(crate) up: String,
    pub(crate) under_way: bool,
    /// What the ledger says of the statement under way.
    pub(crate) acts_on: Option<UnderWay>,
    pub(crate) down_at: usize,
    pub(crate) rows: u64,
}

impl StepRow {
    /// The statement that was begun and whose end was not recorded, if there is one. `sql`: the text it has if the program
    /// is the one that began it, normalised. What the ledger says of another text an earlier release left there.
    pub(crate) fn begun(&self, sql: &str, concurrent: Option<&Concurrent>) -> Option<UnderWay> {
        let recorded = || self.acts_on.clone().filter(|acts_on| acts_on.sql == sql);
        self.under_way.then(|| recorded().unwrap_or_else(|| UnderWay::new(sql, concurrent, false)))
    }
}

impl Ledger {
    pub(crate) fn new(schema: &str, host: Option<String>, lock_timeout: Duration) -> Self {
        Self { name: schema.to_owned(), schema: quote::ident(schema), host, lock_timeout }
    }

    /// The steps table, for the cursor of a backfill.
    pub(crate) fn steps_table(&self) -> String {
        format!("{}.steps", self.schema)
    }

    /// The table of rows that backfills passed over.
    pub(crate) fn skipped_table(&self) -> String {
        format!("{}.skipped_rows", self.schema)
    }

    /// The table of the ranges that workers walk.
    pub(crate) fn ranges_table(&self) -> String {
        format!("{}.ranges", self.schema)
    }

    /// The grant that lets everybody read.
    fn grant(&self) -> String {
        let s = &self.schema;
        let tables: Vec<String> = TABLES.iter().map(|table| format!("{s}.{table}")).collect();
        format!("GRANT USAGE ON SCHEMA {s} TO PUBLIC; GRANT SELECT ON {} TO PUBLIC", tables.join(", "))
    }

    /// Everything that decides whether there is anything to do, in one round trip.
    ///
    /// That the ledger is not there is an answer, got by asking: a guarded query could not name its tables.
    pub(crate) async fn look(&self, client: &Client) -> Result<Look> {
        let s = &self.schema;
        let sql = format!(
            "SELECT current_setting('server_version_num') AS server, l.format, l.needs, l.baseline_digest, \
             m.version, m.name, m.phase, m.digest, m.state, array_to_string(m.passed, ',') AS passed \
             FROM {s}.ledger l LEFT JOIN {s}.migrations m ON true ORDER BY m.seq"
        );
        let rows = match self.ask_within(client, &sql).await {
            Ok(rows) => rows,
            Err(error) if is_missing(&error) => return Ok(Look::default()),
            Err(error) if is_locked(&error) => return Err(self.locked(client, LockClass::AccessShare, error).await),
            Err(error) if error.code().is_some_and(|code| code.code() == "42501") => {
                return Err(Error::db(ErrorKind::Ledger, format!("the ledger in schema {s} may not be read"), error)
                    .help(format!("As its owner: {}", self.grant())));
            }
            Err(error) => {
                return Err(Error::db(ErrorKind::Ledger, format!("the ledger in schema {s} could not be read"), error));
            }
        };
        let Some(first) = rows.first() else {
            return Err(Error::new(
                ErrorKind::Ledger,
                format!("the table {s}.ledger is empty: its one row was removed"),
            )
            .help(format!("INSERT INTO {s}.ledger (format, needs) VALUES ({FORMAT}, {FORMAT})")));
        };
        let format = field(first, "format")?.parse().map_err(unreadable)?;
        let needs: i32 = field(first, "needs")?.parse().map_err(unreadable)?;
        if needs > FORMAT {
            return Err(Error::new(
                ErrorKind::Ledger,
                format!(
                    "the ledger in schema {s} has format {format}, which a program must know format {needs} to use; this one \
                     knows {FORMAT}"
                ),
            )
            .help("Deploy a release with a newer migrate-pg."));
        }
        let mut look = Look {
            server_version_num: field(first, "server")?.parse().map_err(unreadable)?,
            format: Some(format),
            baseline_digest: first.get("baseline_digest").map(str::to_owned),
            rows: Vec::new(),
        };
        for row in rows.iter().filter(|row| row.get("version").is_some()) {
            look.rows.push(Applied {
                version: Version::new(field(row, "version")?.parse().map_err(unreadable)?),
                name: field(row, "name")?.to_owned(),
                phase: field(row, "phase")?.parse().map_err(unreadable)?,
                digest: field(row, "digest")?.to_owned(),
                state: State::from_name(field(row, "state")?).ok_or_else(|| unreadable("an unknown state"))?,
                passed: versions(field(row, "passed")?)?,
            });
        }
        Ok(look)
    }

    /// Makes the ledger, or brings it to this release's format. Under the lease.
    pub(crate) async fn prepare(&self, client: &Client, found: Option<i32>) -> Result<()> {
        let s = &self.schema;
        let from = found.unwrap_or(0);
        if from >= FORMAT {
            return Ok(());
        }
        let mut batch = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = {};",
            milliseconds(self.lock_timeout)
        );
        if found.is_none() {
            // Asked for only where it is missing: IF NOT EXISTS wants CREATE on the database all the same.
            let there = format!("SELECT to_regnamespace({}) IS NOT NULL", quote::literal(s));
            let there = client.simple_query(&there).await.map(rows).map_err(|error| ledger_error(s, error))?;
            if there.first().and_then(|row| row.get(0)) != Some("t") {
                let _ = write!(batch, "CREATE SCHEMA {s};");
            }
        }
        for upgrade in UPGRADES.iter().skip(usize::try_from(from).unwrap_or(0)) {
            batch.push_str(&upgrade.replace("{s}", s));
        }
        let _ = write!(batch, "UPDATE {s}.ledger SET format = {FORMAT};");
        let _ = write!(batch, "{}; COMMIT", self.grant());
        if let Err(error) = client.batch_execute(&batch).await {
            // The session is ours and may be gone already; the error that matters is the first.
            let _ = client.batch_execute("ROLLBACK").await;
            if is_locked(&error) {
                return Err(self.locked(client, LockClass::AccessExclusive, error).await);
            }
            return Err(ledger_error(s, error).help(format!(
                "The migration role needs CREATE on the database, or a schema {s} that it owns: \
                 CREATE SCHEMA {s} AUTHORIZATION …"
            )));
        }
        Ok(())
    }

    /// The steps of one migration, by number.
    pub(crate) async fn steps(&self, client: &Client, version: Version) -> Result<Vec<StepRow>> {
        let s = &self.schema;
        let sql = format!(
            "SELECT step, state, up, under_way, acts_on, down_at, rows FROM {s}.steps WHERE version = {version} ORDER BY step"
        );
        let found = self.read(client, &sql).await?;
        found
            .iter()
            .map(|row| {
                Ok(StepRow {
                    step: field(row, "step")?.parse().map_err(unreadable)?,
                    state: StepState::from_name(field(row, "state")?).ok_or_else(|| unreadable("an unknown state"))?,
                    up: field(row, "up")?.to_owned(),
                    under_way: field(row, "under_way")? == "t",
                    acts_on: row
                        .get("acts_on")
                        .map(|text| serde_json::from_str(text).map_err(unreadable))
                        .transpose()?
                        .and_then(|value| UnderWay::from_json(&value)),
                    down_at: field(row, "down_at")?.parse().map_err(unreadable)?,
                    rows: field(row, "rows")?.parse().map_err(unreadable)?,
                })
            })
            .collect()
    }

    /// Whether the last undo of this migration left this step as it was, since it cannot be taken back.
    pub(crate) async fn was_left(&self, client: &Client, version: Version, step: usize, up: &str) -> Result<bool> {
        let s = &self.schema;
        let left = quote::json(&serde_json::json!([{ "step": step, "up": normalised(up) }]));
        let sql = format!(
            "SELECT details->'left' @> {left} AS left FROM {s}.events WHERE version = {version} AND event = 'undone' \
             ORDER BY id DESC LIMIT 1"
        );
        let found = self.read(client, &sql).await?;
        Ok(found.first().and_then(|row| row.get("left")) == Some("t"))
    }

    /// How far the steps of these migrations got: what is done, and what was begun.
    pub(crate) async fn begun(&self, client: &Client, all: &[Version]) -> Result<Vec<StepBegun>> {
        let s = &self.schema;
        let sql = format!(
            "SELECT version, step, state, rows, cursor FROM {s}.steps WHERE version = ANY ({}) AND state <> 'undone' \
             ORDER BY version, step",
            quote::versions(all)
        );
        let found = self.read(client, &sql).await?;
        found
            .iter()
            .map(|row| {
                let cursor = row.get("cursor").map(|text| serde_json::from_str(text).map_err(unreadable));
                Ok(StepBegun {
                    version: Version::new(field(row, "version")?.parse().map_err(unreadable)?),
                    step: field(row, "step")?.parse().map_err(unreadable)?,
                    done: field(row, "state")? == StepState::Done.name(),
                    rows: field(row, "rows")?.parse().map_err(unreadable)?,
                    cursor: cursor.transpose()?,
                })
            })
            .collect()
    }

    /// The receipts of one migration's gates, in order.
    pub(crate) async fn receipts(&self, client: &Client, version: Version) -> Result<Vec<serde_json::Value>> {
        let s = &self.schema;
        let sql = format!("SELECT receipts FROM {s}.migrations WHERE version = {version}");
        let found = self.read(client, &sql).await?;
        let Some(row) = found.first() else { return Ok(Vec::new()) };
        serde_json::from_str(field(row, "receipts")?).map_err(unreadable)
    }

    /// What a status shows of each migration beyond what a plan needs.
    pub(crate) async fn details(&self, client: &Client) -> Result<HashMap<Version, Details>> {
        let s = &self.schema;
        let sql = format!(
            "SELECT m.version, date_trunc('second', m.started)::text AS started, \
             date_trunc('second', m.finished)::text AS finished, m.role, m.application, m.host, \
             (SELECT coalesce(sum(t.rows), 0) FROM {s}.steps t WHERE t.version = m.version) AS rows, \
             (SELECT t.error FROM {s}.steps t WHERE t.version = m.version AND t.error IS NOT NULL ORDER BY t.step LIMIT 1) \
             AS error FROM {s}.migrations m"
        );
        let found = self.read(client, &sql).await?;
        found
            .iter()
            .map(|row| {
                let text = |name: &str| row.get(name).map(str::to_owned);
                let details = Details {
                    started: text("started"),
                    finished: text("finished"),
                    role: text("role"),
                    application: text("application"),
                    host: text("host"),
                    rows: field(row, "rows")?.parse().map_err(unreadable)?,
                    error: text("error"),
                };
                Ok((Version::new(field(row, "version")?.parse().map_err(unreadable)?), details))
            })
            .collect()
    }

    /// The steps as they were recorded: for each its up and its down, normalised.
    pub(crate) async fn recorded(&self, client: &Client, version: Version) -> Result<Vec<serde_json::Value>> {
        let s = &self.schema;
        let sql = format!("SELECT sql FROM {s}.migrations WHERE version = {version}");
        let found = self.read(client, &sql).await?;
        let Some(row) = found.first() else { return Ok(Vec::new()) };
        serde_json::from_str(field(row, "sql")?).map_err(unreadable)
    }

    /// The up of each step as it was run, normalised.
    pub(crate) async fn applied_sql(&self, client: &Client, version: Version) -> Result<Vec<String>> {
        let recorded = self.recorded(client, version).await?;
        let up = |step: &serde_json::Value| step.get("up").and_then(|up| up.as_str()).map(str::to_owned);
        recorded.iter().map(|step| up(step).ok_or_else(|| unreadable("a step without its up"))).collect()
    }
}

/// The schema or one of its tables is not there (manual, appendix A).
fn is_missing(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code(), "42P01" | "3F000"))
}

fn ledger_error(schema: &str, error: tokio_postgres::Error) -> Error {
    Error::db(ErrorKind::Ledger, format!("the ledger in schema {schema} could not be used"), error)
}

/// Asks in a session whose limits are not ours: it may be a pool's, or not set up yet. One trip, and nothing of it stays in
/// the session. Somebody may have given the role less time than the server takes to read the first statement.
pub(crate) async fn ask(client: &Client, sql: &str) -> Result<Vec<SimpleQueryRow>, tokio_postgres::Error> {
    ask_unlimited(client, &format!("SET LOCAL statement_timeout = 0; {sql}")).await
}

async fn ask_unlimited(client: &Client, sql: &str) -> Result<Vec<SimpleQueryRow>, tokio_postgres::Error> {
    let mut attempts = 0..10;
    loop {
        match client.simple_query(sql).await {
            Err(error) if is_timeout(&error) && attempts.next().is_some() => {}
            answer => return answer.map(rows),
        }
    }
}

fn is_timeout(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code() == "57014")
}

pub(crate) fn rows(messages: Vec<SimpleQueryMessage>) -> Vec<SimpleQueryRow> {
    messages
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .collect()
}

pub(crate) fn field<'a>(row: &'a SimpleQueryRow, name: &str) -> Result<&'a str> {
    row.get(name).ok_or_else(|| unreadable(format!("{name} is NULL")))
}

pub(crate) fn unreadable(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Ledger, format!("the ledger holds what this program cannot read: {why}"))
}

fn versions(list: &str) -> Result<Vec<Version>> {
    list.split(',')
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().map(Version::new).map_err(unreadable))
        .collect()
}

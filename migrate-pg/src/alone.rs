//! Statements that cannot run in a transaction: recorded, sent by themselves, recorded; and what an interrupted one
//! left is looked at before it is sent again.

use crate::apply::statement_error;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::lease::Lease;
use crate::ledger::{StepState, field, normalised, rows};
use crate::pipeline;
use crate::quote::{ident, literal};
use crate::recover::{self, DetachNext, Next, Seen};
use crate::retry::Retries;
use crate::work::Work;
use migrate_core::model::{ConcurrentIndex, IndexAction, LockClass, Meta};
use migrate_core::plan::State;

/// A statement that cannot run in a transaction, up or down.
pub(crate) struct Alone<'a> {
    pub(crate) meta: &'static Meta,
    /// Counted from 0.
    pub(crate) step: usize,
    pub(crate) down: bool,
    pub(crate) sql: &'a str,
    pub(crate) lock: LockClass,
    pub(crate) index: Option<&'a ConcurrentIndex>,
    /// The ledger says that an earlier run began it.
    pub(crate) begun: bool,
    /// What the ledger is to hold while it is under way.
    pub(crate) under_way: String,
}

impl Work {
    pub(crate) async fn step_alone(
        &self,
        lease: &Lease,
        meta: &'static Meta,
        index: usize,
        begun: bool,
    ) -> Result<u64> {
        let step = &meta.steps()[index];
        let version = meta.version();
        let statement = Alone {
            meta,
            step: index,
            down: false,
            sql: step.up(),
            lock: step.lock(),
            index: step.concurrent_index(),
            begun,
            under_way: self.ledger.step(version, index + 1, StepState::Started, step.up()),
        };
        self.run_alone(lease, &statement, State::Applying).await?;
        self.record(lease, &[self.ledger.step(version, index + 1, StepState::Done, step.up())]).await?;
        Ok(0)
    }

    /// Runs it, or finishes what an earlier run began of it.
    pub(crate) async fn run_alone(&self, lease: &Lease, statement: &Alone<'_>, state: State) -> Result<()> {
        let next = self.next(lease, statement).await?;
        if next == Sent::Nothing {
            return Ok(());
        }
        let given = [self.ledger.is_in_state(statement.meta.version(), state)];
        let under_way = [statement.under_way.clone()];
        pipeline::Transaction {
            lease,
            lock_timeout: self.options.lock_timeout,
            given: &given,
            before: &under_way,
            work: &[],
            locks: &[],
        }
        .send(false, |_| Vec::new())
        .await
        .map_err(pipeline::around)?;
        let finalize;
        let sql = match &next {
            Sent::Other(other) => {
                finalize = other.clone();
                finalize.as_str()
            }
            _ => statement.sql,
        };
        let mut retries = Retries::new(self, statement.meta);
        loop {
            // CONCURRENTLY waits by design, for transactions and not only for locks: a timeout would leave an INVALID
            // index behind each time. What it waits with blocks nobody.
            let waits = statement.index.is_some() || mentions_concurrently(sql);
            let timeout = if waits { 0 } else { self.options.lock_timeout.as_millis() };
            let timeout = format!("SET lock_timeout = {timeout}");
            let mut answers = pipeline::send(lease.client(), &[&timeout, sql, "SET lock_timeout = 0"]).await;
            let Err(error) = answers.swap_remove(1) else { return Ok(()) };
            let nothing_left = self.clean_up(lease, statement).await;
            let failed = pipeline::Failed::of_work(statement.step, error);
            let again = retries
                .after(failed, |failed| {
                    statement_error(sql, statement.lock, failed.error)
                        .at(statement.meta)
                        .at_step(statement.step + 1, statement.down)
                })
                .await;
            if let Err(error) = again {
                if nothing_left {
                    self.record(lease, &[self.ledger.settled(statement.meta.version(), statement.step + 1)]).await?;
                }
                return Err(error);
            }
        }
    }

    async fn next(&self, lease: &Lease, statement: &Alone<'_>) -> Result<Sent> {
        let sql = normalised(statement.sql);
        if let Some(index) = statement.index {
            if !statement.begun && index.action != IndexAction::Create {
                return Ok(Sent::Statement);
            }
            let (seen, found) = see(lease, index).await?;
            let next = recover::index(index.action, statement.begun, seen);
            match next {
                Next::Run => {}
                Next::Done => {
                    self.recovered(statement, format!("the end of it was not recorded, and it was done: {sql}"));
                    return Ok(Sent::Nothing);
                }
                Next::DropAndRun => {
                    let name = found.unwrap_or_else(|| ident(index.name));
                    drop_concurrently(lease, &name).await.map_err(|error| {
                        let sql = format!("DROP INDEX CONCURRENTLY {name}");
                        statement_error(&sql, LockClass::ShareUpdateExclusive, error)
                            .at(statement.meta)
                            .at_step(statement.step + 1, statement.down)
                    })?;
                    self.recovered(statement, format!("dropped the INVALID index {name} of an unfinished build"));
                }
                Next::SweepAndRun => {
                    for name in leftovers(lease, index).await? {
                        drop_concurrently(lease, &name).await.map_err(|error| {
                            let sql = format!("DROP INDEX CONCURRENTLY {name}");
                            statement_error(&sql, LockClass::ShareUpdateExclusive, error)
                                .at(statement.meta)
                                .at_step(statement.step + 1, statement.down)
                        })?;
                        self.recovered(statement, format!("dropped {name}, left by an unfinished REINDEX"));
                    }
                }
                Next::Refuse(why) => return Err(refused(statement, why, found.as_deref())),
            }
            return Ok(Sent::Statement);
        }
        if !statement.begun {
            return Ok(Sent::Statement);
        }
        if let Some((parent, partition)) = recover::detached(&sql) {
            return Ok(match recover::detach(true, detach_pending(lease, parent, partition).await?) {
                DetachNext::Run => Sent::Statement,
                DetachNext::Finalize => {
                    self.recovered(statement, format!("finalizes the interrupted detach of {partition}"));
                    Sent::Other(format!("ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE"))
                }
                DetachNext::Done => {
                    self.recovered(statement, format!("{partition} was detached"));
                    Sent::Nothing
                }
            });
        }
        match recover::other(&sql) {
            Next::Refuse(why) => Err(refused(statement, why, None).help(format!(
                "See whether the statement had its effect. If so: UPDATE {steps} SET state = '{done}' WHERE version = {version} \
                 AND step = {step}. If not: DELETE FROM {steps} WHERE version = {version} AND step = {step}. Then run again.",
                steps = self.ledger.steps_table(),
                done = if statement.down { "undone" } else { "done" },
                version = statement.meta.version(),
                step = statement.step + 1,
            ))),
            _ => Ok(Sent::Statement),
        }
    }

    /// After a failure, while the session is there: an index that this step was building must not stay INVALID, since
    /// every write maintains it. What cannot be cleaned up now is found by the next run. Says whether nothing is left.
    async fn clean_up(&self, lease: &Lease, statement: &Alone<'_>) -> bool {
        // The task of the connection may not have seen its end yet; then asking fails.
        if lease.client().batch_execute("").await.is_err() {
            return false;
        }
        let Some(index) = statement.index else { return recover::detached(&normalised(statement.sql)).is_none() };
        match index.action {
            IndexAction::Create => {}
            // The server answered: unless it left the index INVALID, nothing of the DROP was done, and that the index is not
            // seen here does not say that it was dropped.
            IndexAction::Drop => return !matches!(see(lease, index).await, Ok((Seen::Invalid, _)) | Err(_)),
            _ => return false,
        }
        match see(lease, index).await {
            Ok((Seen::Invalid, Some(name))) => match drop_concurrently(lease, &name).await {
                Ok(()) => {
                    self.recovered(statement, format!("dropped the INVALID index {name} of the failed build"));
                    true
                }
                Err(error) => {
                    tracing::warn!(target: "migrate", name, %error, "the INVALID index of a failed build could not be dropped");
                    false
                }
            },
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(target: "migrate", %error, "what a failed build left could not be looked at");
                false
            }
        }
    }

    fn recovered(&self, statement: &Alone<'_>, what: String) {
        let (version, step) = (statement.meta.version(), statement.step + 1);
        tracing::warn!(target: "migrate", %version, step, what, "recovered");
        self.tell(&Event::Recovered { version, step, what });
    }
}

#[derive(PartialEq, Eq)]
enum Sent {
    Statement,
    Other(String),
    Nothing,
}

fn mentions_concurrently(sql: &str) -> bool {
    normalised(sql).split(' ').any(|word| word.eq_ignore_ascii_case("CONCURRENTLY"))
}

fn refused(statement: &Alone<'_>, why: &str, found: Option<&str>) -> Error {
    let error = Error::new(ErrorKind::Recovery, why)
        .at(statement.meta)
        .at_step(statement.step + 1, statement.down)
        .statement(statement.sql);
    match found {
        Some(name) => {
            error.help(format!("See whose it is; if nobody's: DROP INDEX CONCURRENTLY {name}. Then run again."))
        }
        None => error,
    }
}

/// What has the name of the index, and its qualified name.
async fn see(lease: &Lease, index: &ConcurrentIndex) -> Result<(Seen, Option<String>)> {
    let table =
        index.table.map_or_else(|| "NULL".to_owned(), |table| format!("pg_catalog.to_regclass({})", literal(table)));
    // An index lives in the schema of its table; without either, the search_path finds it.
    let is_it = match (index.schema, index.table) {
        (Some(schema), _) => format!("n.nspname = {} AND c.relname = {}", literal(schema), literal(index.name)),
        (None, Some(_)) => format!(
            "n.oid = (SELECT t.relnamespace FROM pg_catalog.pg_class t WHERE t.oid = {table}) AND c.relname = {}",
            literal(index.name)
        ),
        (None, None) => format!("c.oid = pg_catalog.to_regclass({})", literal(&ident(index.name))),
    };
    let sql = format!(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, i.indisvalid AND i.indisready AND i.indislive AS \
         valid, c.relkind IN ('i', 'I') AND ({table} IS NULL OR i.indrelid = {table}) AS ours \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid WHERE {is_it}"
    );
    let found = lease.client().simple_query(&sql).await.map(rows).map_err(looking)?;
    let Some(row) = found.first() else { return Ok((Seen::Absent, None)) };
    let seen = match (row.get("ours"), row.get("valid")) {
        (Some("t"), Some("t")) => Seen::Valid,
        (Some("t"), _) => Seen::Invalid,
        _ => Seen::Foreign,
    };
    Ok((seen, Some(field(row, "name")?.to_owned())))
}

/// The invalid copies that an unfinished REINDEX CONCURRENTLY left (manual, REINDEX, "Rebuilding Indexes Concurrently").
/// Those of TOAST tables cannot be dropped by name and are taken along by the next REINDEX of the table.
async fn leftovers(lease: &Lease, index: &ConcurrentIndex) -> Result<Vec<String>> {
    let qualified = match index.schema {
        Some(schema) => format!("{}.{}", ident(schema), ident(index.name)),
        None => ident(index.name),
    };
    let relation = format!("pg_catalog.to_regclass({})", literal(&qualified));
    let (table, prefix) = if index.action == IndexAction::ReindexTable {
        (relation, String::new())
    } else {
        let table = format!("(SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = {relation})");
        (table, format!("AND pg_catalog.starts_with(c.relname::text, {})", literal(index.name)))
    };
    let sql = format!(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE i.indrelid = {table} AND NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' {prefix}"
    );
    let found = lease.client().simple_query(&sql).await.map(rows).map_err(looking)?;
    found.iter().map(|row| field(row, "name").map(str::to_owned)).collect()
}

async fn detach_pending(lease: &Lease, parent: &str, partition: &str) -> Result<Option<bool>> {
    let sql = format!(
        "SELECT inhdetachpending AS pending FROM pg_catalog.pg_inherits WHERE inhparent = pg_catalog.to_regclass({}) AND \
         inhrelid = pg_catalog.to_regclass({})",
        literal(parent),
        literal(partition)
    );
    let found = lease.client().simple_query(&sql).await.map(rows).map_err(looking)?;
    Ok(found.first().map(|row| row.get("pending") == Some("t")))
}

async fn drop_concurrently(lease: &Lease, name: &str) -> Result<(), tokio_postgres::Error> {
    lease.client().batch_execute(&format!("DROP INDEX CONCURRENTLY {name}")).await
}

fn looking(error: tokio_postgres::Error) -> Error {
    Error::db(ErrorKind::Recovery, "what the step left on the server could not be looked at", error)
}

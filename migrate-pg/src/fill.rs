//! A backfill as a step: its parameters, its cursor in the ledger, its progress as events.

use crate::backfill::{self, Again, BackfillError, BackfillOutcome, BackfillProgress, Checkpoint, Connect, Job, Told};
use crate::connect::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::lease::Lease;
use crate::ledger::{self, StepState, field, rows, unreadable};
use crate::online::{Blocker, Watch, milliseconds};
use crate::quote;
use crate::report::Fires;
use crate::work::Work;
use futures_util::future::BoxFuture;
use migrate_core::__private::{BIND_AS_TEXT, bound_type};
use migrate_core::model::{Backfill, Bind, LockClass, Meta, Step, StepKind, Version};
use migrate_core::plan::Plan;
use postgres_types::{ToSql, Type};
use serde_json::json;

impl Work {
    pub(crate) async fn fill(
        &self,
        lease: &Lease,
        meta: &'static Meta,
        index: usize,
        backfill: &Backfill,
        interrupted: bool,
    ) -> Result<BackfillOutcome> {
        let (version, step) = (meta.version(), index + 1);
        let up = meta.steps()[index].up();
        let migration = self.migration(version)?;
        let binds = migration.binds();
        let binds = binds.iter().map(bound).collect::<Result<Vec<_>>>()?;
        let mut begin = vec![self.ledger.step(version, step, StepState::Started, up)];
        begin.push(if interrupted {
            self.ledger.forget_cancel(version, step)
        } else {
            self.ledger.forget_cursor(version, step)
        });
        self.record(lease, &begin).await?;
        let triggers = fires(lease.client(), backfill)
            .await
            .map_err(|error| Error::db(ErrorKind::Backfill, "the table's triggers could not be looked up", error))?;
        if !triggers.is_empty() {
            tracing::info!(target: "migrate", %version, step, ?triggers, "the backfill fires triggers");
            self.tell(&Event::BackfillFires { version, step, table: backfill.table(), triggers });
        }
        let on_progress = |progress: BackfillProgress| {
            tracing::debug!(target: "migrate", %version, step, rows = progress.rows, rate = progress.rate, "batch");
            self.tell(&Event::Backfill { version, step, progress });
        };
        let tell = |told: Told<'_>| self.retell(version, step, told);
        let event = |event: &str| self.ledger.event(event, Some(meta), Some(step), &json!({}));
        let asked = || self.stop.is_asked();
        let busy = lease.busy();
        let outcome = Box::pin(backfill::run(Job {
            client: lease.client(),
            backfill,
            converter: migration.converter(),
            binds,
            checkpoint: Checkpoint {
                steps_table: self.ledger.steps_table(),
                skipped_table: self.ledger.skipped_table(),
                ranges_table: self.ledger.ranges_table(),
                version: version.get(),
                step: i32::try_from(step).unwrap_or(i32::MAX),
            },
            lock_timeout: self.options.limits.lock,
            idle: self.options.limits.idle,
            pace: &self.options.pace,
            bad_rows: self.options.bad_rows,
            connect: self,
            pid: lease.pid(),
            on_progress: &on_progress,
            tell: &tell,
            event: &event,
            stop: &asked,
        }))
        .await;
        drop(busy);
        let outcome = match outcome {
            Err(BackfillError::Cancelled) => return Err(self.cancelled(lease, meta, step).await?),
            Err(error) if self.is_ledger_gone(lease, &error).await => return Err(self.ledger_gone(error)),
            other => other.map_err(|error| failed(backfill, up, error))?,
        };
        if !outcome.finished {
            self.stop.check()?;
        }
        let mut end = vec![self.ledger.step(version, step, StepState::Done, up)];
        end.push(self.ledger.forget_ranges(version, step));
        if outcome.skipped > 0 {
            let details = json!({"skipped": outcome.skipped});
            end.push(self.ledger.event("backfill skipped rows", Some(meta), Some(step), &details));
        }
        self.record(lease, &end).await?;
        Ok(outcome)
    }

    /// Refuses a plan with a backfill whose table or key will not do, unless a step before it may make them what they have
    /// to be: then the backfill looks for itself.
    pub(crate) async fn preflight_keys(&self, lease: &Lease, plan: &Plan) -> Result<()> {
        let mut before: Vec<&Step> = Vec::new();
        for planned in plan.planned() {
            for (index, step) in planned.meta.steps().iter().enumerate() {
                let StepKind::Backfill(backfill) = step.kind() else {
                    before.push(step);
                    continue;
                };
                // Of one that was begun, steps after it may have changed the table since.
                if planned.unfinished.is_some() || before.iter().any(|step| may_change(step, backfill.table())) {
                    continue;
                }
                if let Err(error) = backfill::fits(lease.client(), backfill, !before.is_empty()).await {
                    let text = format!("the backfill of {} cannot be run: {error}; nothing was run", backfill.table());
                    return Err(Error::new(ErrorKind::Backfill, text)
                        .because(error)
                        .at(planned.meta)
                        .at_step(index + 1, false)
                        .statement(step.up())
                        .help(
                            "Name columns that are NOT NULL and unique together, by `key = …`; or make them so before.",
                        ));
                }
            }
        }
        Ok(())
    }

    /// The triggers that the backfills of a plan will fire.
    pub(crate) async fn fires(&self, client: &tokio_postgres::Client, plan: &Plan) -> Result<Vec<Fires>> {
        let backfills: Vec<_> = plan
            .planned()
            .iter()
            .flat_map(|planned| {
                planned.meta.steps().iter().enumerate().map(|(index, step)| (planned.meta, index, step))
            })
            .filter_map(|(meta, index, step)| match step.kind() {
                StepKind::Backfill(backfill) => Some((meta.version(), index + 1, backfill)),
                _ => None,
            })
            .collect();
        if backfills.is_empty() {
            return Ok(Vec::new());
        }
        let failed =
            |error| Error::db(ErrorKind::Session, "the triggers of a backfill's table could not be looked up", error);
        // The session may be a pool's: what is set on it ends with the transaction.
        let path = self.options.search_path.as_ref().map_or_else(String::new, |path| {
            format!("; SELECT pg_catalog.set_config('search_path', {}, true)", quote::literal(path))
        });
        let begin = format!(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0{path}"
        );
        let looked = async {
            client.batch_execute(&begin).await?;
            let mut found = Vec::new();
            for (version, step, backfill) in backfills {
                let triggers = fires(client, backfill).await?;
                if !triggers.is_empty() {
                    found.push(Fires { version, step, table: backfill.table(), triggers });
                }
            }
            Ok(found)
        };
        let found = looked.await;
        // Nothing was written; and whatever failed, a pool gets its session back outside of a transaction.
        let ended = client.batch_execute("ROLLBACK").await;
        let found = found.map_err(failed)?;
        ended.map_err(failed)?;
        Ok(found)
    }

    /// Whether the error comes of a ledger that was removed.
    async fn is_ledger_gone(&self, lease: &Lease, error: &BackfillError) -> bool {
        let BackfillError::Database { source, .. } = error else { return false };
        if !source.code().is_some_and(|code| matches!(code.code(), "42P01" | "3F000")) {
            return false;
        }
        self.ledger.look(lease.client()).await.is_ok_and(|look| look.format.is_none())
    }

    fn ledger_gone(&self, error: BackfillError) -> Error {
        let schema = &self.ledger.name;
        let text =
            format!("the ledger in schema {schema} was removed while the backfill ran; its last batch was taken back");
        Error::new(ErrorKind::Ledger, text).because(error).help(ledger::GONE)
    }

    /// Another session asked for the end of a backfill: that it was obeyed is recorded, so that the next run goes on.
    async fn cancelled(&self, lease: &Lease, meta: &'static Meta, step: usize) -> Result<Error> {
        let version = meta.version();
        let event = self.ledger.event("backfill cancelled", Some(meta), Some(step), &json!({}));
        self.record(lease, &[self.ledger.forget_cancel(version, step), event]).await?;
        Ok(Error::new(ErrorKind::Cancelled, "the backfill was cancelled from another session").help(
            "What it filled is committed, and the ledger knows how far it came. Run again: it goes on from there.",
        ))
    }

    fn retell(&self, version: Version, step: usize, told: Told<'_>) {
        match told {
            Told::Held { why, waited } => {
                tracing::info!(target: "migrate", %version, step, why, ?waited, "the backfill waits");
                self.tell(&Event::BackfillHeld { version, step, why: why.to_owned(), waited });
            }
            Told::Slowed(why) => {
                tracing::info!(target: "migrate", %version, step, why, "the backfill goes half as fast");
                self.tell(&Event::BackfillSlowed { version, step, why: why.to_owned() });
            }
            Told::Hidden(what) => {
                tracing::warn!(target: "migrate", %version, step, what, "not shown to this role, and not heeded");
                self.tell(&Event::BackfillBlind { version, step, what: what.to_owned() });
            }
            Told::Again(Again { attempt, pause, sqlstate, blockers, unseen }) => {
                tracing::warn!(
                    target: "migrate", %version, step, attempt, ?pause, sqlstate,
                    blockers = ?blockers.iter().map(Blocker::name).collect::<Vec<_>>(), unseen,
                    "a batch did not get its locks; trying again"
                );
                self.tell(&Event::Retry { version, step: Some(step), attempt, pause, sqlstate, blockers, unseen });
            }
            Told::Paused => {
                tracing::info!(target: "migrate", %version, step, "the backfill is paused");
                self.tell(&Event::BackfillPaused { version, step });
            }
            Told::Resumed => {
                tracing::info!(target: "migrate", %version, step, "the backfill goes on");
                self.tell(&Event::BackfillResumed { version, step });
            }
            Told::Skipped { key, reason } => {
                tracing::warn!(target: "migrate", %version, step, key, reason, "a row was passed over");
                self.tell(&Event::RowSkipped { version, step, key: key.to_owned(), reason: reason.to_owned() });
            }
        }
    }

    /// Asks the backfills that are under way, in whatever process, to pause or to end, or to go on. Says which they are.
    pub(crate) async fn ask(self, asked: Option<&'static str>) -> Result<Vec<(Version, usize)>> {
        let steps: Vec<(Version, usize)> = self
            .metas()
            .into_iter()
            .flat_map(|meta| {
                meta.steps().iter().enumerate().map(move |(index, step)| (meta.version(), index + 1, step))
            })
            .filter(|(_, _, step)| matches!(step.kind(), StepKind::Backfill(_)))
            .map(|(version, step, _)| (version, step))
            .collect();
        let session = self.source.session().await?;
        if steps.is_empty() || self.look_at_ledger(session.client()).await?.format.is_none() {
            session.close().await;
            return Ok(Vec::new());
        }
        let session = session.detach();
        self.configure(session.client()).await?;
        let asking = format!(
            "SET LOCAL lock_timeout = {}; {}",
            milliseconds(self.options.limits.lock),
            self.ledger.ask(asked, &steps)
        );
        let found = session.client().simple_query(&asking).await.map(rows).map_err(|error| {
            Error::db(ErrorKind::Ledger, "the ledger could not be told what is asked of the backfill", error)
                .help("Ask as the role that runs the migrations: `Migrator::role`.")
        })?;
        session.close().await;
        found
            .iter()
            .map(|row| {
                let version = field(row, "version")?.parse().map(Version::new).map_err(unreadable)?;
                Ok((version, field(row, "step")?.parse().map_err(unreadable)?))
            })
            .collect()
    }
}

impl Connect for Work {
    fn connect(&self) -> BoxFuture<'_, Result<Session>> {
        Box::pin(async {
            let session = self.source.session().await?.detach();
            self.configure(session.client()).await?;
            Ok(session)
        })
    }

    fn watch(&self, version: Version, pid: i32) -> Option<Watch<'_>> {
        Some(Watch::new(self, version, pid))
    }
}

/// The triggers that updates of a backfill's columns fire, by name and in the order in which they fire: a user's own, that
/// are on; none of a table that is not there yet. Those of `#[sync]` leave a backfill's writes alone.
///
/// A trigger with a list of columns fires where one of them is in the SET list (manual, CREATE TRIGGER); 16 is the bit of
/// UPDATE in `tgtype` (trigger.h).
pub(crate) async fn fires(
    client: &tokio_postgres::Client,
    backfill: &Backfill,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let sql = "\
SELECT DISTINCT t.tgname::text
FROM pg_catalog.pg_trigger t
WHERE (t.tgrelid = pg_catalog.to_regclass($1)
       OR t.tgrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1))))
  AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND (t.tgtype & 16) <> 0 AND t.tgname NOT LIKE $3
  AND (cardinality(t.tgattr::int2[]) = 0 OR cardinality($2::text[]) = 0 OR EXISTS (
    SELECT FROM unnest(t.tgattr::int2[]) AS n(attnum)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = n.attnum
    JOIN unnest($2::text[]) AS written(name) ON ARRAY[a.attname::text] = pg_catalog.parse_ident(written.name)))
ORDER BY 1";
    let ours = format!("{}%", migrate_core::model::SYNC_PREFIX.replace('_', "\\_"));
    // What a SET list names is not taken apart here: any of its columns may be meant.
    let (table, write) = (backfill.table(), backfill.write());
    let rows =
        client.query_typed(sql, &[(&table, Type::TEXT), (&write, Type::TEXT_ARRAY), (&ours, Type::TEXT)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Whether a step may make another key of the table, as far as its locks tell.
fn may_change(step: &Step, table: &str) -> bool {
    if step.locks().is_empty() {
        return step.lock() != LockClass::None;
    }
    let table = spelled(table);
    step.locks().iter().any(|(relation, _)| spelled(relation) == table)
}

/// A name without quotes, and without the schema that is meant where none is written.
fn spelled(name: &str) -> String {
    let mut spelled = String::new();
    for (place, part) in name.split('"').enumerate() {
        spelled.push_str(&if place % 2 == 0 { part.to_ascii_lowercase() } else { part.to_owned() });
    }
    spelled.strip_prefix("public.").map_or(spelled.clone(), str::to_owned)
}

/// The error, with what the server said where it did: what that holds of a row stays out of logs and ledger.
fn failed(backfill: &Backfill, up: &str, error: BackfillError) -> Error {
    let text = format!("the backfill of {} failed: {error}", backfill.table());
    let help = if error.is_before_the_first_batch() {
        "This run wrote no row. Mend the cause and run again."
    } else {
        "The batches before it are committed, and the ledger knows how far it came. Mend the cause and run again."
    };
    let made = match error {
        BackfillError::Row { .. } => Error::new(ErrorKind::Backfill, text).because(error).help(
            "The rows before it are filled. Mend the row and run again; or pass over such rows, which records their keys in \
             the ledger, by `bad_rows(BadRows::Skip)`.",
        ),
        BackfillError::Contended { source, blockers, unseen, .. } => {
            Error::db(ErrorKind::Backfill, text, source).help(help).blockers(blockers, unseen)
        }
        BackfillError::Database { source, .. } | BackfillError::RowSecurity { source, .. } => {
            let made = Error::db(ErrorKind::Backfill, text, source);
            if made.kind() == ErrorKind::ConnectionLost { made } else { made.help(help) }
        }
        other => Error::new(ErrorKind::Backfill, text).because(other).help(help),
    };
    made.statement(up)
}

/// A field's value with the type that the attribute declares. The derive refuses what has none; histories can be made
/// without it.
fn bound<'a>(bind: &Bind<'a>) -> Result<(Type, &'a (dyn ToSql + Sync))> {
    bound_type(bind.sql_type).map(|sql_type| (sql_type, bind.value)).ok_or_else(|| {
        Error::new(ErrorKind::History, format!("a field is bound as `{}`, which is no built-in type", bind.sql_type))
            .help(format!("Where it is a type of your own, {BIND_AS_TEXT}."))
    })
}

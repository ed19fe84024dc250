//! A backfill as a step: its parameters, its cursor in the ledger, its progress as events.

use crate::backfill::{self, BackfillProgress, Checkpoint, Job};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::lease::Lease;
use crate::ledger::StepState;
use crate::work::Work;
use migrate_core::model::{Backfill, Bind, Meta};
use postgres_types::{ToSql, Type};

impl Work {
    pub(crate) async fn fill(
        &self,
        lease: &Lease,
        meta: &'static Meta,
        index: usize,
        backfill: &Backfill,
        interrupted: bool,
    ) -> Result<u64> {
        let (version, step) = (meta.version(), index + 1);
        let up = meta.steps()[index].up();
        let migration = self.migration(version)?;
        let binds = migration.binds();
        let binds = binds.iter().map(bound).collect::<Result<Vec<_>>>()?;
        let mut begin = vec![self.ledger.step(version, step, StepState::Started, up)];
        if !interrupted {
            begin.push(self.ledger.forget_cursor(version, step));
        }
        self.record(lease, &begin).await?;
        let on_progress = |progress: BackfillProgress| {
            tracing::debug!(target: "migrate", %version, step, rows = progress.rows, "batch");
            self.tell(&Event::Backfill {
                version,
                step,
                rows: progress.rows,
                estimated_rows: progress.estimated_rows,
                batch: progress.batch,
            });
        };
        let asked = || self.stop.is_asked();
        let busy = lease.busy();
        let outcome = backfill::run(Job {
            client: lease.client(),
            backfill,
            binds,
            checkpoint: Checkpoint {
                steps_table: self.ledger.steps_table(),
                version: version.get(),
                step: i32::try_from(step).unwrap_or(i32::MAX),
            },
            lock_timeout: self.options.limits.lock,
            on_progress: &on_progress,
            stop: &asked,
        })
        .await
        .map_err(|error| failed(backfill, up, error))?;
        drop(busy);
        if !outcome.finished {
            self.stop.check()?;
        }
        self.record(lease, &[self.ledger.step(version, step, StepState::Done, up)]).await?;
        Ok(outcome.rows)
    }
}

fn failed(backfill: &Backfill, up: &str, error: backfill::BackfillError) -> Error {
    let text = format!("the backfill of {} failed: {}", backfill.table(), crate::connect::chain(&error));
    Error::new(ErrorKind::Backfill, text).statement(up).because(error).help(
        "The batches before it are committed, and the ledger knows how far it came. Mend the cause and run again.",
    )
}

/// A field's value with the type that the attribute declares.
fn bound<'a>(bind: &Bind<'a>) -> Result<(Type, &'a (dyn ToSql + Sync))> {
    type_named(bind.sql_type).map(|sql_type| (sql_type, bind.value)).ok_or_else(|| {
        Error::new(ErrorKind::History, format!("a field is bound as `{}`, which is no built-in type", bind.sql_type))
            .help("Bind it as text and cast in the SQL: `set = \"status = $1::order_status\"`, `#[bind(\"text\")]`.")
    })
}

/// The built-in type of this name, as `pg_type` or as the standard spells it (manual, table 8.1).
fn type_named(name: &str) -> Option<Type> {
    let (name, array) = match name.trim().strip_suffix("[]") {
        Some(element) => (element, true),
        None => (name.trim(), false),
    };
    let lower = name.to_ascii_lowercase();
    let plain = lower.split('(').next().unwrap_or_default().trim();
    let (one, many) = match plain {
        "bool" | "boolean" => (Type::BOOL, Type::BOOL_ARRAY),
        "int2" | "smallint" => (Type::INT2, Type::INT2_ARRAY),
        "int4" | "int" | "integer" => (Type::INT4, Type::INT4_ARRAY),
        "int8" | "bigint" => (Type::INT8, Type::INT8_ARRAY),
        "float4" | "real" => (Type::FLOAT4, Type::FLOAT4_ARRAY),
        "float8" | "double precision" => (Type::FLOAT8, Type::FLOAT8_ARRAY),
        "numeric" | "decimal" => (Type::NUMERIC, Type::NUMERIC_ARRAY),
        "text" => (Type::TEXT, Type::TEXT_ARRAY),
        "varchar" | "character varying" => (Type::VARCHAR, Type::VARCHAR_ARRAY),
        "bpchar" | "char" | "character" => (Type::BPCHAR, Type::BPCHAR_ARRAY),
        "name" => (Type::NAME, Type::NAME_ARRAY),
        "bytea" => (Type::BYTEA, Type::BYTEA_ARRAY),
        "uuid" => (Type::UUID, Type::UUID_ARRAY),
        "date" => (Type::DATE, Type::DATE_ARRAY),
        "time" | "time without time zone" => (Type::TIME, Type::TIME_ARRAY),
        "timestamp" | "timestamp without time zone" => (Type::TIMESTAMP, Type::TIMESTAMP_ARRAY),
        "timestamptz" | "timestamp with time zone" => (Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY),
        "interval" => (Type::INTERVAL, Type::INTERVAL_ARRAY),
        "json" => (Type::JSON, Type::JSON_ARRAY),
        "jsonb" => (Type::JSONB, Type::JSONB_ARRAY),
        "inet" => (Type::INET, Type::INET_ARRAY),
        "cidr" => (Type::CIDR, Type::CIDR_ARRAY),
        "oid" => (Type::OID, Type::OID_ARRAY),
        _ => return None,
    };
    Some(if array { many } else { one })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_both_of_their_names() {
        for (name, expected) in [
            ("text", Some(Type::TEXT)),
            ("VARCHAR(20)", Some(Type::VARCHAR)),
            ("timestamp with time zone", Some(Type::TIMESTAMPTZ)),
            ("bigint[]", Some(Type::INT8_ARRAY)),
            ("order_status", None),
        ] {
            assert_eq!(type_named(name), expected, "{name}");
        }
    }
}

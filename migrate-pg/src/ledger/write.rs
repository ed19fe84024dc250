//! What is written into the ledger, as SQL text: the runner sends it in the same pipeline as the work that it records.

use super::{Ledger, normalised};
use crate::quote::{json, literal, literal_or_null, versions};
use crate::secrets::without_passwords;
use crate::under_way::UnderWay;
use migrate_core::model::{Down, Meta, Version};
use migrate_core::plan::State;
use serde_json::{Value, json as object};

/// How far a step got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepState {
    Started,
    Done,
    Undoing,
    Undone,
}

impl StepState {
    const ALL: [Self; 4] = [Self::Started, Self::Done, Self::Undoing, Self::Undone];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Done => "done",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A migration as it is first written.
pub(crate) struct MigrationEntry<'a> {
    pub(crate) meta: &'static Meta,
    pub(crate) state: State,
    pub(crate) passed: &'a [Version],
    pub(crate) receipts: &'a [Value],
}

impl Ledger {
    /// Records a migration that was not there. That it was there already is an error: another runner made it meanwhile.
    pub(crate) fn insert(&self, entry: &MigrationEntry<'_>) -> String {
        let MigrationEntry { meta, state, passed, receipts } = entry;
        let finished = if *state == State::Applied { "clock_timestamp()" } else { "NULL" };
        format!(
            "INSERT INTO {}.migrations (version, name, phase, lock, digest, transactional, state, passed, effects, sql, \
             approval, receipts, finished, host) VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {finished}, {})",
            self.schema,
            meta.version(),
            literal(meta.name()),
            literal(meta.phase().name()),
            literal(meta.lock().name()),
            literal(meta.digest()),
            meta.transactional(),
            literal(state.name()),
            versions(passed),
            json(&effects(meta)),
            json(&sql(meta)),
            literal_or_null(approval(meta).as_deref()),
            json(&Value::Array(receipts.to_vec())),
            literal_or_null(self.host.as_deref()),
        )
    }

    /// Takes over the text of the program for a migration that is there.
    pub(crate) fn rewrite(&self, meta: &Meta) -> String {
        format!(
            "UPDATE {}.migrations SET name = {}, phase = {}, lock = {}, digest = {}, effects = {}, sql = {}, approval = {} \
             WHERE version = {}",
            self.schema,
            literal(meta.name()),
            literal(meta.phase().name()),
            literal(meta.lock().name()),
            literal(meta.digest()),
            json(&effects(meta)),
            json(&sql(meta)),
            literal_or_null(approval(meta).as_deref()),
            meta.version(),
        )
    }

    pub(crate) fn set_state(&self, version: Version, state: State) -> String {
        let finished = if state == State::Applied { "clock_timestamp()" } else { "NULL" };
        format!(
            "UPDATE {}.migrations SET state = {}, finished = {finished} WHERE version = {version}",
            self.schema,
            literal(state.name())
        )
    }

    /// The end of a transactional migration: the clock goes on inside a transaction.
    pub(crate) fn finish(&self, version: Version) -> String {
        format!("UPDATE {}.migrations SET finished = clock_timestamp() WHERE version = {version}", self.schema)
    }

    pub(crate) fn add_receipt(&self, version: Version, receipt: &Value) -> String {
        format!(
            "UPDATE {}.migrations SET receipts = receipts || {} WHERE version = {version}",
            self.schema,
            json(receipt)
        )
    }

    /// The migration and its steps are gone from the ledger; its events stay.
    pub(crate) fn remove(&self, version: Version) -> String {
        format!("DELETE FROM {}.migrations WHERE version = {version}", self.schema)
    }

    pub(crate) fn step(&self, version: Version, step: usize, state: StepState, up: &str) -> String {
        let finished = if state == StepState::Done { "clock_timestamp()" } else { "NULL" };
        let under_way = state == StepState::Started;
        format!(
            "INSERT INTO {}.steps (version, step, state, up, under_way, finished) VALUES ({version}, {step}, {}, {}, {under_way}, \
             {finished}) ON CONFLICT (version, step) DO UPDATE SET state = EXCLUDED.state, up = EXCLUDED.up, \
             under_way = EXCLUDED.under_way, acts_on = NULL, down_at = 0, error = NULL, finished = EXCLUDED.finished",
            self.schema,
            literal(state.name()),
            literal(&normalised(up)),
        )
    }

    /// A statement that cannot run in a transaction is about to be sent.
    pub(crate) fn step_under_way(&self, version: Version, step: usize, up: &str, acts_on: &UnderWay) -> String {
        format!(
            "{}; UPDATE {}.steps SET acts_on = {} WHERE version = {version} AND step = {step}",
            self.step(version, step, StepState::Started, up),
            self.schema,
            json(&acts_on.json()),
        )
    }

    /// A step that starts again from nothing: a backfill's cursor belongs to what was filled before.
    pub(crate) fn forget_cursor(&self, version: Version, step: usize) -> String {
        let s = &self.schema;
        format!(
            "UPDATE {s}.steps SET cursor = NULL, rows = 0 WHERE version = {version} AND step = {step}; \
             DELETE FROM {s}.skipped_rows WHERE version = {version} AND step = {step}; \
             {}",
            self.forget_ranges(version, step)
        )
    }

    /// The ranges of a backfill that is through, or that starts again.
    pub(crate) fn forget_ranges(&self, version: Version, step: usize) -> String {
        format!("DELETE FROM {}.ranges WHERE version = {version} AND step = {step}", self.schema)
    }

    /// A cancellation was for a run that is gone. A pause holds until it is lifted.
    pub(crate) fn forget_cancel(&self, version: Version, step: usize) -> String {
        format!(
            "UPDATE {}.steps SET asked = NULL WHERE version = {version} AND step = {step} AND asked = 'cancel'",
            self.schema
        )
    }

    /// Asks the backfills of these steps that are under way to pause or to end, or, with nothing, to go on. A row for each
    /// that is.
    pub(crate) fn ask(&self, asked: Option<&str>, steps: &[(Version, usize)]) -> String {
        let s = &self.schema;
        let list: Vec<String> = steps.iter().map(|(version, step)| format!("({version}, {step})")).collect();
        format!(
            "WITH asked AS (UPDATE {s}.steps t SET asked = {value} FROM {s}.migrations m WHERE m.version = t.version \
             AND t.state = 'started' AND (t.version, t.step) IN ({list}) AND t.asked IS DISTINCT FROM {value} \
             RETURNING t.version, t.step, m.name), \
             noted AS (INSERT INTO {s}.events (event, version, name, step, host) \
             SELECT {event}, version, name, step, {host} FROM asked) SELECT version, step FROM asked",
            list = list.join(", "),
            value = asked.map_or_else(|| "NULL::text".to_owned(), literal),
            event = literal(&format!("backfill {} asked", asked.unwrap_or("resume"))),
            host = literal_or_null(self.host.as_deref()),
        )
    }

    pub(crate) fn step_rows(&self, version: Version, step: usize, rows: u64) -> String {
        format!("UPDATE {}.steps SET rows = {rows} WHERE version = {version} AND step = {step}", self.schema)
    }

    pub(crate) fn step_error(&self, version: Version, step: usize, error: &str) -> String {
        format!(
            "UPDATE {}.steps SET error = {} WHERE version = {version} AND step = {step}",
            self.schema,
            literal(error)
        )
    }

    /// The end of a statement was seen: it failed, and left nothing behind.
    pub(crate) fn settled(&self, version: Version, step: usize) -> String {
        format!("UPDATE {}.steps SET under_way = false WHERE version = {version} AND step = {step}", self.schema)
    }

    /// The statement of the down at `down_at` is next, and where it cannot run in a transaction, it is under way.
    pub(crate) fn step_undoing(
        &self,
        version: Version,
        step: usize,
        down_at: usize,
        under_way: Option<&UnderWay>,
    ) -> String {
        let acts_on = under_way.map_or_else(|| "NULL".to_owned(), |under_way| json(&under_way.json()));
        format!(
            "UPDATE {}.steps SET state = 'undoing', down_at = {down_at}, under_way = {}, acts_on = {acts_on}, error = NULL \
             WHERE version = {version} AND step = {step}",
            self.schema,
            under_way.is_some(),
        )
    }

    pub(crate) fn step_undone(&self, version: Version, step: usize) -> String {
        format!(
            "UPDATE {}.steps SET state = 'undone', under_way = false, finished = clock_timestamp() \
             WHERE version = {version} AND step = {step}; {}",
            self.schema,
            self.forget_cursor(version, step)
        )
    }

    pub(crate) fn event(&self, event: &str, meta: Option<&Meta>, step: Option<usize>, details: &Value) -> String {
        format!(
            "INSERT INTO {}.events (event, version, name, step, details, host) VALUES ({}, {}, {}, {}, {}, {})",
            self.schema,
            literal(event),
            meta.map_or_else(|| "NULL".to_owned(), |meta| meta.version().to_string()),
            literal_or_null(meta.map(Meta::name)),
            step.map_or_else(|| "NULL".to_owned(), |step| step.to_string()),
            json(details),
            literal_or_null(self.host.as_deref()),
        )
    }

    pub(crate) fn adopt_baseline(&self, digest: &str) -> String {
        format!(
            "UPDATE {}.ledger SET baseline_digest = {}, baseline_at = clock_timestamp()",
            self.schema,
            literal(digest)
        )
    }

    /// An SQL condition: the ledger has this migration in this state.
    pub(crate) fn is_in_state(&self, version: Version, state: State) -> String {
        format!(
            "EXISTS (SELECT FROM {}.migrations WHERE version = {version} AND state = {})",
            self.schema,
            literal(state.name())
        )
    }
}

fn effects(meta: &Meta) -> Value {
    let all = meta.steps().iter().enumerate().flat_map(|(index, step)| {
        step.effects().iter().map(move |effect| {
            object!({
                "step": index + 1,
                "kind": effect.kind().name(),
                "object": effect.object(),
                "definition": without_passwords(effect.definition()),
            })
        })
    });
    Value::Array(all.collect())
}

fn sql(meta: &Meta) -> Value {
    let steps = meta.steps().iter().map(|step| {
        object!({
            "up": normalised(step.up()),
            "down": down(step.down()),
            "downs": downs(step.down()),
            "phase": step.phase().name(),
            "lock": step.lock().name(),
            "work": step.work().name(),
        })
    });
    Value::Array(steps.collect())
}

/// A down as the ledger keeps it.
pub(crate) fn down(down: &Down) -> Value {
    match down {
        Down::Sql(statements) => object!(statements.iter().map(|down| normalised(down.sql())).collect::<Vec<_>>()),
        Down::Keep(why) => object!({ "keep": why }),
        Down::Nothing(why) => object!({ "nothing": why }),
        Down::Irreversible(why) => object!({ "irreversible": why }),
        // `Down` may grow; what this release does not know it does not pretend to.
        _ => Value::Null,
    }
}

/// What each statement of a down takes and does, in their order.
fn downs(down: &Down) -> Value {
    let Down::Sql(statements) = down else { return Value::Array(Vec::new()) };
    let each = statements.iter().map(|down| {
        object!({
            "lock": down.lock().name(),
            "work": down.work().name(),
            "transactional": down.transactional(),
            "hazards": down.hazards(),
        })
    });
    Value::Array(each.collect())
}

fn approval(meta: &Meta) -> Option<String> {
    meta.destructive().map(|destructive| format!("{} @ {}", destructive.approval.name, destructive.approval.digest))
}

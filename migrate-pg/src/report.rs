//! What a run, an undo, a plan and a look at the ledger hand back: data to match on, JSON for machines, tables for people.

use crate::error::shorten;
use crate::lease::Holder;
use crate::secrets::without_passwords;
use crate::table::Table;
use migrate_core::model::{Down, LockClass, Meta, Phase, StepKind, Version};
use migrate_core::plan::{Applied, Held, Plan, State};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// What a run did.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RunReport {
    /// What it applied, in order.
    pub applied: Vec<Done>,
    /// What it held back, and why.
    pub held: Vec<Held>,
    /// Edits of applied migrations that `supersedes` accepts and that it recorded.
    pub accepted: Vec<(Version, &'static str)>,
    /// What the database has that this program does not know.
    pub ahead: Vec<Applied>,
    /// How many migrations were applied before.
    pub already: usize,
    /// Whether it took over the schema that was there before as the baseline.
    pub baseline: Option<Baselined>,
}

/// How the baseline came to be in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Baselined {
    /// Its objects were found on the server.
    Adopted {
        /// How many were looked for.
        objects: usize,
    },
    /// Its file was run on an empty database.
    Loaded,
    /// Its file changed since it was adopted; the new digest was recorded.
    Changed,
}

/// One migration that was applied or taken back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Done {
    /// Its version.
    pub version: Version,
    /// Its name.
    pub name: &'static str,
    /// Its phase.
    pub phase: Phase,
    /// Its lock class.
    pub lock: LockClass,
    /// How long it took, its gates included.
    pub elapsed: Duration,
    /// The rows its statements and backfills wrote.
    pub rows: u64,
    /// The rows that its backfills passed over, which the ledger has in `skipped_rows`.
    pub skipped: u64,
    /// Whether an earlier run began it.
    pub resumed: bool,
    /// What its gates handed back.
    pub receipts: Vec<Value>,
}

impl Done {
    fn to_json(&self) -> Value {
        json!({
            "version": self.version.get(),
            "name": self.name,
            "phase": self.phase.name(),
            "lock": self.lock.name(),
            "seconds": self.elapsed.as_secs_f64(),
            "rows": self.rows,
            "skipped": self.skipped,
            "resumed": self.resumed,
            "receipts": self.receipts,
        })
    }
}

impl RunReport {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self { held: plan.held().to_vec(), ahead: plan.ahead().to_vec(), already: plan.already(), ..Self::default() }
    }

    /// The report as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "applied": self.applied.iter().map(Done::to_json).collect::<Vec<_>>(),
            "held": self.held.iter().map(held_json).collect::<Vec<_>>(),
            "accepted_edits": self.accepted.iter().map(|(version, name)| json!({"version": version.get(), "name": name})).collect::<Vec<_>>(),
            "ahead": self.ahead.iter().map(|row| json!({"version": row.version.get(), "name": row.name})).collect::<Vec<_>>(),
            "already": self.already,
            "baseline": match self.baseline {
                None => Value::Null,
                Some(Baselined::Adopted { objects }) => json!({ "adopted": objects }),
                Some(Baselined::Loaded) => json!("loaded"),
                Some(Baselined::Changed) => json!("changed"),
            },
        })
    }
}

fn held_json(held: &Held) -> Value {
    json!({
        "version": held.meta.version().get(),
        "name": held.meta.name(),
        "phase": held.meta.phase().name(),
        "why": held.to_string(),
    })
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.baseline {
            Some(Baselined::Adopted { objects }) => writeln!(f, "adopted the baseline: {objects} objects found")?,
            Some(Baselined::Loaded) => writeln!(f, "loaded the baseline")?,
            Some(Baselined::Changed) => writeln!(f, "recorded the changed file of the baseline")?,
            None => {}
        }
        for (version, name) in &self.accepted {
            writeln!(f, "accepted the edit of {version} {name}")?;
        }
        done(f, "applied", &self.applied)?;
        if self.applied.is_empty() {
            writeln!(f, "nothing to apply; {} applied before", self.already)?;
        }
        if !self.held.is_empty() {
            let mut table = Table::new(&["held back", "name", "phase", "why"]);
            for held in &self.held {
                table.row([
                    held.meta.version().to_string(),
                    held.meta.name().to_owned(),
                    held.meta.phase().to_string(),
                    held.to_string(),
                ]);
            }
            write!(f, "\n{table}")?;
        }
        for row in &self.ahead {
            writeln!(f, "ahead of this program: {} {} ({})", row.version, row.name, row.phase)?;
        }
        Ok(())
    }
}

fn done(f: &mut fmt::Formatter<'_>, what: &str, all: &[Done]) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[what, "name", "phase", "lock", "rows", "took"]);
    for done in all {
        table.row([
            done.version.to_string(),
            done.name.to_owned(),
            done.phase.to_string(),
            done.lock.to_string(),
            match done.skipped {
                0 => done.rows.to_string(),
                skipped => format!("{} ({skipped} skipped)", done.rows),
            },
            format!("{:.1?}", done.elapsed),
        ]);
    }
    write!(f, "{table}")
}

/// What an undo did.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct UndoReport {
    /// What it took back, in that order.
    pub undone: Vec<Done>,
    /// What it applied again: `redo` only.
    pub applied: Vec<Done>,
}

impl UndoReport {
    /// The report as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "undone": self.undone.iter().map(Done::to_json).collect::<Vec<_>>(),
            "applied": self.applied.iter().map(Done::to_json).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for UndoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.undone.is_empty() {
            return writeln!(f, "nothing to take back");
        }
        done(f, "undone", &self.undone)?;
        done(f, "applied", &self.applied)
    }
}

/// What a run would do. Prints as a table, a line for each step.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlanReport {
    /// The plan.
    pub plan: Plan,
    /// The triggers that its backfills will fire, as far as their tables are there.
    pub fires: Vec<Fires>,
    /// How far an earlier run got with what is unfinished.
    pub begun: Vec<StepBegun>,
    /// Of the migrations that are to run, those whose downs the compiler could not hold against what was there before,
    /// with the reason: their reversal is proved in `cargo test` only.
    pub unsettled: Vec<(Version, String)>,
}

/// A step that an earlier run began, of a migration that it did not finish.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StepBegun {
    /// The migration.
    pub version: Version,
    /// The step, counted from 1.
    pub step: usize,
    /// Whether it is done, and will not run again.
    pub done: bool,
    /// The rows that it wrote.
    pub rows: u64,
    /// Where a backfill goes on, as the ledger has it.
    pub cursor: Option<Value>,
}

impl StepBegun {
    fn says(&self, backfill: bool) -> String {
        match (self.done, backfill, &self.cursor) {
            (true, ..) => "  [done]".to_owned(),
            (false, true, Some(cursor)) => format!("  [resumes after {} rows, at {cursor}]", self.rows),
            // Several workers each have a cursor of their own.
            (false, true, None) if self.rows > 0 => format!("  [resumes after {} rows]", self.rows),
            (false, true, None) => "  [begun, no batch done]".to_owned(),
            (false, false, _) => "  [begun]".to_owned(),
        }
    }
}

/// A backfill that will fire triggers of its table's own: they run for each row that it fills.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fires {
    /// The version of its migration.
    pub version: Version,
    /// Its step, from 1.
    pub step: usize,
    /// The table.
    pub table: &'static str,
    /// The triggers, by name.
    pub triggers: Vec<String>,
}

impl PlanReport {
    fn begun_step(&self, meta: &Meta, index: usize) -> Option<&StepBegun> {
        self.begun.iter().find(|begun| begun.version == meta.version() && begun.step == index + 1)
    }

    /// The plan as JSON.
    pub fn to_json(&self) -> Value {
        let planned = self.plan.planned().iter().map(|planned| {
            let meta = planned.meta;
            json!({
                "version": meta.version().get(),
                "name": meta.name(),
                "phase": meta.phase().name(),
                "lock": meta.lock().name(),
                "transactional": meta.transactional(),
                "unfinished": planned.unfinished.map(State::name),
                "gates": planned.gates.iter().map(|gate| json!({"step": gate.step, "backup": gate.backup.name()})).collect::<Vec<_>>(),
                "steps": meta.steps().iter().enumerate().map(|(index, step)| json!({
                    "up": without_passwords(step.up()),
                    "begun": self.begun_step(meta, index).map(|begun| json!({
                        "done": begun.done, "rows": begun.rows, "cursor": begun.cursor,
                    })),
                    "lock": step.lock().name(),
                    "work": step.work().name(),
                    "down": down_json(step.down()),
                    "notes": step.notes(),
                })).collect::<Vec<_>>(),
                "unsettled": self.unsettled.iter().find(|(version, _)| *version == meta.version()).map(|(_, why)| why),
            })
        });
        json!({
            "planned": planned.collect::<Vec<_>>(),
            "held": self.plan.held().iter().map(held_json).collect::<Vec<_>>(),
            "ahead": self.plan.ahead().iter().map(|row| json!({"version": row.version.get(), "name": row.name})).collect::<Vec<_>>(),
            "fires": self.fires.iter().map(|fires| json!({
                "version": fires.version.get(), "step": fires.step, "table": fires.table, "triggers": fires.triggers,
            })).collect::<Vec<_>>(),
            "already": self.plan.already(),
            "through": self.plan.ceiling().name(),
        })
    }
}

/// How a step is taken back, with what each statement of it takes and does.
fn down_json(down: &Down) -> Value {
    match down {
        Down::Sql(statements) => statements
            .iter()
            .map(|statement| {
                let destroys = statement.destroys().iter().map(|loss| match loss.column {
                    Some(column) => format!("{}.{column}", loss.relation),
                    None => loss.relation.to_owned(),
                });
                json!({
                    "sql": without_passwords(statement.sql()),
                    "lock": statement.lock().name(),
                    "work": statement.work().name(),
                    "transactional": statement.transactional(),
                    "destroys": destroys.collect::<Vec<_>>(),
                    "hazards": statement.hazards(),
                })
            })
            .collect(),
        Down::Keep(why) => json!({ "keep": why }),
        Down::Nothing(why) => json!({ "nothing": why }),
        Down::Irreversible(why) => json!({ "irreversible": why }),
        _ => Value::Null,
    }
}

impl fmt::Display for PlanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["runs", "name", "phase", "lock", "work", "step"]);
        for planned in self.plan.planned() {
            for (index, step) in planned.meta.steps().iter().enumerate() {
                let first = |text: String| if index == 0 { text } else { String::new() };
                let gate = planned.gates.iter().find(|gate| gate.step == index + 1);
                let gate = gate.map_or_else(String::new, |gate| format!("  [gate: {}]", gate.backup));
                let fills = matches!(step.kind(), StepKind::Backfill(_));
                let begun = self.begun_step(planned.meta, index).map_or_else(String::new, |begun| begun.says(fills));
                let what = match step.kind() {
                    StepKind::Backfill(backfill) => {
                        let fires = self
                            .fires
                            .iter()
                            .filter(|fires| fires.version == planned.meta.version() && fires.step == index + 1);
                        let fires: Vec<_> =
                            fires.map(|fires| format!(", fires {}", fires.triggers.join(", "))).collect();
                        format!("backfill {} by {}{}", backfill.table(), backfill.batch(), fires.concat())
                    }
                    _ => shorten(step.up(), 70),
                };
                table.row([
                    first(planned.meta.version().to_string()),
                    first(planned.meta.name().to_owned()),
                    first(planned.meta.phase().to_string()),
                    step.lock().to_string(),
                    step.work().to_string(),
                    what + &gate + &begun,
                ]);
            }
        }
        if table.is_empty() {
            writeln!(f, "nothing to run; {} applied", self.plan.already())?;
        } else {
            write!(f, "{table}")?;
        }
        for planned in self.plan.planned() {
            let name = planned.meta.name();
            for (index, step) in planned.meta.steps().iter().enumerate() {
                for note in step.notes() {
                    writeln!(f, "note: {name}, step {}: {note}", index + 1)?;
                }
            }
            if let Some((_, why)) = self.unsettled.iter().find(|(version, _)| *version == planned.meta.version()) {
                writeln!(f, "note: {name}: {why}")?;
            }
        }
        if !self.plan.held().is_empty() {
            let mut table = Table::new(&["held back", "name", "phase", "why"]);
            for held in self.plan.held() {
                table.row([
                    held.meta.version().to_string(),
                    held.meta.name().to_owned(),
                    held.meta.phase().to_string(),
                    held.to_string(),
                ]);
            }
            write!(f, "\n{table}")?;
        }
        Ok(())
    }
}

/// What the ledger says, beside the history.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StatusReport {
    /// Every version that the ledger or the history has, by version.
    pub migrations: Vec<StatusRow>,
    /// Who runs migrations right now.
    pub runner: Option<Holder>,
    /// The digest of the baseline that was adopted.
    pub baseline: Option<String>,
}

/// One migration in a status.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StatusRow {
    /// Its version.
    pub version: Version,
    /// Its name; the ledger's where it has one.
    pub name: String,
    /// Its phase.
    pub phase: Phase,
    /// How far it got; `None` where it is pending.
    pub state: Option<State>,
    /// Whether the program has it.
    pub known: bool,
    /// Whether its text is not what was run.
    pub edited: bool,
    /// When it was begun.
    pub started: Option<String>,
    /// When it was finished.
    pub finished: Option<String>,
    /// The role it was run as.
    pub role: Option<String>,
    /// The application that ran it.
    pub application: Option<String>,
    /// The host that ran it.
    pub host: Option<String>,
    /// The rows that its steps wrote.
    pub rows: u64,
    /// Why it failed, where it is unfinished and that is known.
    pub error: Option<String>,
}

impl StatusRow {
    pub(crate) fn pending(meta: &Meta) -> Self {
        Self {
            version: meta.version(),
            name: meta.name().to_owned(),
            phase: meta.phase(),
            state: None,
            known: true,
            edited: false,
            started: None,
            finished: None,
            role: None,
            application: None,
            host: None,
            rows: 0,
            error: None,
        }
    }

    fn says(&self) -> String {
        let mut text = self.state.map_or("pending", State::name).to_owned();
        if !self.known {
            text.push_str(", not in this program");
        }
        if self.edited {
            text.push_str(", edited since");
        }
        text
    }
}

impl StatusReport {
    /// The status as JSON.
    pub fn to_json(&self) -> Value {
        let rows = self.migrations.iter().map(|row| {
            json!({
                "version": row.version.get(),
                "name": row.name,
                "phase": row.phase.name(),
                "state": row.state.map_or("pending", State::name),
                "known": row.known,
                "edited": row.edited,
                "started": row.started,
                "finished": row.finished,
                "role": row.role,
                "application": row.application,
                "host": row.host,
                "rows": row.rows,
                "error": row.error,
            })
        });
        json!({
            "migrations": rows.collect::<Vec<_>>(),
            "runner": self.runner.as_ref().map(ToString::to_string),
            "baseline": self.baseline,
        })
    }
}

impl fmt::Display for StatusReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["version", "name", "phase", "state", "finished", "by", "rows"]);
        for row in &self.migrations {
            let by = [&row.role, &row.application, &row.host].into_iter().flatten().filter(|text| !text.is_empty());
            table.row([
                row.version.to_string(),
                row.name.clone(),
                row.phase.to_string(),
                row.says(),
                row.finished.clone().unwrap_or_default(),
                by.cloned().collect::<Vec<_>>().join(" / "),
                if row.rows == 0 { String::new() } else { row.rows.to_string() },
            ]);
        }
        if let Some(digest) = &self.baseline {
            writeln!(f, "baseline {digest}")?;
        }
        write!(f, "{table}")?;
        for row in self.migrations.iter().filter(|row| row.error.is_some()) {
            writeln!(f, "{} {} failed: {}", row.version, row.name, row.error.as_deref().unwrap_or_default())?;
        }
        match &self.runner {
            Some(holder) => writeln!(f, "migrations are being run by {holder}"),
            None => Ok(()),
        }
    }
}

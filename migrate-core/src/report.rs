//! The review checklist of a history: what each migration takes, does, destroys and how it is taken back, and what nobody
//! could know without a server. As data; as Markdown for a pull request; as JSON for machines.

use crate::model::{Down, DownStatement, History, Loss, Meta, Version};
use serde_json::{Value, json};
use std::fmt;

/// The checklist. [`Display`](fmt::Display) writes Markdown.
#[derive(Debug, Clone)]
pub struct Review {
    entries: Vec<Entry>,
}

/// One migration of the checklist.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The migration.
    pub meta: &'static Meta,
    /// Why its reversal is proved in `cargo test` only, where the compiler could not hold its downs against what was there
    /// before.
    pub unsettled: Option<String>,
}

impl Review {
    /// The checklist of every migration from this version on.
    pub fn since(history: &History, version: Version) -> Self {
        let unsettled = history.unsettled();
        let entries = history.metas().filter(|meta| meta.version() >= version).map(|meta| Entry {
            meta,
            unsettled: unsettled.iter().find(|(of, _)| *of == meta.version()).map(|(_, why)| why.clone()),
        });
        Self { entries: entries.collect() }
    }

    /// The migrations, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The checklist as JSON.
    pub fn to_json(&self) -> Value {
        self.entries.iter().map(Entry::to_json).collect()
    }
}

impl Entry {
    fn to_json(&self) -> Value {
        let meta = self.meta;
        let steps = meta.steps().iter().map(|step| {
            json!({
                "up": step.up(),
                "phase": step.phase().name(),
                "lock": step.lock().name(),
                "locks": step.locks().iter().map(|(relation, lock)| json!([relation, lock.name()])).collect::<Vec<_>>(),
                "work": step.work().name(),
                "transactional": step.transactional(),
                "effects": step.effects().iter().map(ToString::to_string).collect::<Vec<_>>(),
                "destroys": step.destroys().iter().map(lost).collect::<Vec<_>>(),
                "down": down_json(step.down()),
                "notes": step.notes(),
            })
        });
        json!({
            "version": meta.version().get(),
            "name": meta.name(),
            "doc": meta.doc(),
            "location": meta.location(),
            "phase": meta.phase().name(),
            "lock": meta.lock().name(),
            "transactional": meta.transactional(),
            "pg": [meta.pg().min(), meta.pg().max()],
            "approved": meta.destructive().map(|of| json!({ "backup": of.backup.name(), "by": of.approval.name })),
            "allows": meta.allows().iter().map(|of| json!({ "hazard": of.hazard, "reason": of.reason })).collect::<Vec<_>>(),
            "unsettled": self.unsettled,
            "steps": steps.collect::<Vec<_>>(),
        })
    }
}

fn lost(loss: &Loss) -> String {
    match loss.column {
        Some(column) => format!("{}.{column}", loss.relation),
        None => loss.relation.to_owned(),
    }
}

fn down_json(down: &Down) -> Value {
    match down {
        Down::Sql(statements) => statements
            .iter()
            .map(|of| {
                json!({
                    "sql": of.sql(),
                    "lock": of.lock().name(),
                    "work": of.work().name(),
                    "transactional": of.transactional(),
                    "destroys": of.destroys().iter().map(lost).collect::<Vec<_>>(),
                    "hazards": of.hazards(),
                })
            })
            .collect(),
        Down::Keep(why) => json!({ "keep": why }),
        Down::Nothing(why) => json!({ "nothing": why }),
        Down::Irreversible(why) => json!({ "irreversible": why }),
    }
}

impl fmt::Display for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, entry) in self.entries.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{entry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meta = self.meta;
        let transactional = if meta.transactional() { "one transaction" } else { "outside a transaction" };
        writeln!(f, "## {} {}\n", meta.version(), meta.name())?;
        if !meta.doc().trim().is_empty() {
            writeln!(f, "{}\n", meta.doc().trim())?;
        }
        writeln!(f, "- [ ] phase **{}**, lock **{}**, {transactional}", meta.phase(), meta.lock())?;
        if let Some(of) = meta.destructive() {
            writeln!(f, "- [ ] destroys data: backup **{}**, approved by {}", of.backup, of.approval.name)?;
        }
        for of in meta.allows() {
            writeln!(f, "- [ ] allows `{}`: {}", of.hazard, of.reason)?;
        }
        if let Some(why) = &self.unsettled {
            writeln!(f, "- [ ] {why}")?;
        }
        for (index, step) in meta.steps().iter().enumerate() {
            writeln!(f, "\n### Step {}\n\n```sql\n{}\n```\n", index + 1, step.up())?;
            writeln!(f, "- [ ] lock {}, work {}", step.lock(), step.work())?;
            for loss in step.destroys() {
                writeln!(f, "- [ ] destroys {}", lost(loss))?;
            }
            match step.down() {
                Down::Sql(statements) => {
                    for statement in *statements {
                        writeln!(f, "- [ ] taken back by `{}`: {}", one_line(statement.sql()), Taken(statement))?;
                    }
                }
                Down::Keep(why) => writeln!(f, "- [ ] its rows are kept: {why}")?,
                Down::Nothing(why) => writeln!(f, "- [ ] nothing to take back: {why}")?,
                Down::Irreversible(why) => writeln!(f, "- [ ] cannot be taken back: {why}")?,
            }
            for note in step.notes() {
                writeln!(f, "- [ ] not known: {note}")?;
            }
        }
        Ok(())
    }
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a statement of a down takes and does.
struct Taken<'a>(&'a DownStatement);

impl fmt::Display for Taken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.0;
        write!(f, "lock {}, work {}", of.lock(), of.work())?;
        if !of.transactional() {
            f.write_str(", outside a transaction")?;
        }
        for loss in of.destroys() {
            write!(f, ", destroys {}", lost(loss))?;
        }
        for hazard in of.hazards() {
            write!(f, ", hazard `{hazard}`")?;
        }
        Ok(())
    }
}

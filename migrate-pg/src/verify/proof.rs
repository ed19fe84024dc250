//! What a proof found: a line for each migration, and everything that failed.

use migrate_core::model::Version;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// What became of the downs of a history: a line for each migration, with all that failed. It prints as the report that the
/// test of `migrations!` shows.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Proof {
    /// The major version of the server.
    pub server: u16,
    /// What failed before the first migration, a sentence each.
    pub before: Vec<String>,
    /// One line for each migration, in order.
    pub lines: Vec<ProofLine>,
    /// How long it took.
    pub elapsed: Duration,
}

/// What became of one migration.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProofLine {
    /// Its version.
    pub version: Version,
    /// Its name.
    pub name: &'static str,
    /// Whether its downs take it back.
    pub outcome: Outcome,
    /// How many rows there were when it ran.
    pub rows: u64,
    /// In how many tables they were.
    pub tables: usize,
    /// What failed, a sentence each.
    pub failures: Vec<String>,
    /// What is not a failure, and is to be known: what was exempt, and why.
    pub notes: Vec<String>,
}

/// What a proof says of one migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Up, down and up again led where they should.
    Reverses,
    /// PostgreSQL cannot take all of it back, which its declaration says.
    Irreversible,
    /// Something failed.
    Fails,
    /// It was applied only, since the proof was to begin after it.
    Applied,
    /// A migration before it could not be applied.
    NotReached,
}

impl Outcome {
    /// `reverses`, `irreversible`, `FAILS`, `applied`, `not reached`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reverses => "reverses",
            Self::Irreversible => "irreversible",
            Self::Fails => "FAILS",
            Self::Applied => "applied",
            Self::NotReached => "not reached",
        }
    }
}

impl Proof {
    /// Whether nothing failed.
    pub fn holds(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Everything that failed, in order, with the version and name of its migration where it is one's.
    pub fn failures(&self) -> impl Iterator<Item = String> {
        let before = self.before.iter().cloned();
        before.chain(self.lines.iter().flat_map(|line| {
            let missed =
                (line.outcome == Outcome::NotReached).then(|| "a migration before it could not be applied".to_owned());
            line.failures
                .iter()
                .cloned()
                .chain(missed)
                .map(move |failure| format!("{} {}: {failure}", line.version, line.name))
        }))
    }

    /// The proof as JSON.
    pub fn to_json(&self) -> Value {
        let line = |line: &ProofLine| {
            json!({
                "version": line.version.get(),
                "name": line.name,
                "outcome": line.outcome.name().to_lowercase(),
                "rows": line.rows,
                "tables": line.tables,
                "failures": line.failures,
                "notes": line.notes,
            })
        };
        json!({
            "pg": self.server,
            "holds": self.holds(),
            "before": self.before,
            "migrations": self.lines.iter().map(line).collect::<Vec<_>>(),
            "seconds": self.elapsed.as_secs_f64(),
        })
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.before {
            writeln!(f, "before the first migration: {}", indented(failure))?;
        }
        let width = self.lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
        for line in &self.lines {
            let ProofLine { version, name, outcome, rows, tables, failures, notes } = line;
            let over = match (outcome, tables) {
                (Outcome::NotReached | Outcome::Applied, _) => String::new(),
                (_, 0) => "no table was there yet".to_owned(),
                (_, 1) => format!("{rows} rows in 1 table"),
                _ => format!("{rows} rows in {tables} tables"),
            };
            let line = format!("{version} {name:width$}  {:<12}  {over}", outcome.name());
            writeln!(f, "{}", line.trim_end())?;
            for failure in failures {
                writeln!(f, "    ! {}", indented(failure))?;
            }
            for note in notes {
                writeln!(f, "    = {}", indented(note))?;
            }
        }
        let count = |outcome| self.lines.iter().filter(|line| line.outcome == outcome).count();
        write!(f, "{} of {} migrations reverse", count(Outcome::Reverses), self.lines.len())?;
        for outcome in [Outcome::Irreversible, Outcome::Fails, Outcome::Applied, Outcome::NotReached] {
            match count(outcome) {
                0 => {}
                some => write!(f, ", {some} {}", outcome.name())?,
            }
        }
        writeln!(f, ", on PostgreSQL {} ({:.1} s)", self.server, self.elapsed.as_secs_f64())
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n      ")
}

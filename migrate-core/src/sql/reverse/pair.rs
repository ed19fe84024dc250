//! Whether a down takes back an up, asked by itself: a setup that made the schema, the statements, one server version. For
//! people's own tooling, and what `lint` answers.

use super::decide::decide;
use crate::model::PgRange;
use crate::sql::AnalyzeError;
use crate::sql::ast::{Statement, Stmt};
use crate::sql::locks::facts_over;
use crate::sql::name::Name;
use crate::sql::parse::parse;
use crate::sql::schema::Schema;
use std::collections::{BTreeMap, BTreeSet};

/// What can be said of a pair without a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PairVerdict {
    /// Up and down leave the schema as it was.
    Reverses,
    /// Something is left different.
    Differs,
    /// Only a server can tell.
    Server,
}

impl PairVerdict {
    /// `reverses`, `differs`, `server`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reverses => "reverses",
            Self::Differs => "differs",
            Self::Server => "server",
        }
    }
}

/// The answer to one pair.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pair {
    /// The server version it is said for.
    pub pg: u16,
    /// What can be said.
    pub verdict: PairVerdict,
    /// What is left different, each as a sentence.
    pub differences: Vec<String>,
    /// Why only a server can tell, or what must have been so before.
    pub reasons: Vec<String>,
}

/// Judges whether `downs`, run after `ups`, bring back the schema that `setup` made on a server of `version`; each text is
/// one or more statements. Without a setup nothing is known of the schema, and what the answer hangs on is among the reasons.
///
/// A down that does not parse, or that the server would refuse, differs. A column that is dropped and comes back last, where
/// it did not stand last, differs too, and so does a constraint that stays validated.
///
/// # Errors
///
/// Where the server would refuse the setup or the up.
///
/// ```
/// use migrate_core::sql::{PairVerdict, judge_pair};
/// let setup = "CREATE TABLE t (a int, b int NOT NULL); CREATE INDEX t_b ON t (b)";
/// let pair = judge_pair(Some(setup), &["ALTER TABLE t DROP b"], &["ALTER TABLE t ADD b int NOT NULL"], 16).unwrap();
/// assert_eq!(pair.verdict, PairVerdict::Differs);
/// assert_eq!(pair.differences, ["index t_b is missing"]);
/// ```
pub fn judge_pair(
    setup: Option<&str>,
    ups: &[impl AsRef<str>],
    downs: &[impl AsRef<str>],
    version: u16,
) -> Result<Pair, AnalyzeError> {
    let only = PgRange::new(version, version).ok_or(AnalyzeError::Version(version))?;
    let before = match setup {
        Some(setup) => crate::sql::analyze::schema_of(setup, version)?,
        None => Schema::open(),
    };
    let ups = statements(ups)
        .map_err(|message| AnalyzeError::Statement { sqlstate: "42601".to_owned(), message: message.clone() })?;
    if ups.is_empty() {
        return Err(AnalyzeError::Count(0));
    }
    let mut schema = before.clone();
    for up in &ups {
        schema.apply(up, version).map_err(|error| AnalyzeError::Statement {
            sqlstate: error.sqlstate.to_owned(),
            message: format!("`{}`: {}", up.text, error.message),
        })?;
    }
    let differs =
        |differences| Ok(Pair { pg: version, verdict: PairVerdict::Differs, differences, reasons: Vec::new() });
    let downs = match statements(downs) {
        Ok(downs) => downs,
        Err(message) => return differs(vec![format!("the down fails: {message}")]),
    };
    let found = decide(&before, &ups, &downs, only);
    let mut differences = found.differences;
    differences.extend(found.validated);
    if setup.is_some() {
        // All columns are known, and so is where they stood.
        differences.extend(found.notes);
    }
    if !differences.is_empty() {
        return differs(differences);
    }
    let mut reasons = found.server_only;
    reasons.extend(rows_of_the_setup(setup.unwrap_or_default(), &before, &ups, only));
    match position_of_sequences(setup.unwrap_or_default(), &before, &ups, &downs) {
        Some(Ok(difference)) => return differs(vec![difference]),
        Some(Err(reason)) => reasons.push(reason),
        None => {}
    }
    reasons.extend(found.assumes.into_iter().map(|witness| format!("the down is right if {}", witness.sentence)));
    let verdict = if reasons.is_empty() { PairVerdict::Reverses } else { PairVerdict::Server };
    Ok(Pair { pg: version, verdict, differences: Vec::new(), reasons })
}

/// What the ups destroy of rows that the setup wrote: no down brings them back, and whether they held anything is the
/// server's to say.
fn rows_of_the_setup(setup: &str, before: &Schema, ups: &[Statement], pg: PgRange) -> Vec<String> {
    let mut filled = BTreeSet::new();
    for statement in parse(setup).unwrap_or_default() {
        match &statement.stmt {
            Stmt::Query(query) => filled.extend(query.writes.iter().map(|write| before.resolve(&write.table))),
            Stmt::Copy { table: Some(table), from: true, .. } => {
                filled.insert(before.resolve(table));
            }
            _ => {}
        }
    }
    let mut schema = before.clone();
    let mut reasons = Vec::new();
    for up in ups {
        let lost = facts_over(up, &schema, pg).map(|facts| facts.losses).unwrap_or_default();
        for loss in lost.into_iter().filter(|loss| filled.contains(&loss.relation)) {
            let what = loss.column.map_or_else(String::new, |column| format!(".{}", crate::sql::quoted(&column)));
            reasons.push(format!("what the setup's rows hold in {}{what} is destroyed by the up", loss.relation));
        }
        if schema.apply(up, pg.max()).is_err() {
            break;
        }
    }
    reasons
}

/// Where a sequence that the ups restart stands after the downs: its first value is back where nothing took one. A sequence
/// that values were taken from stands elsewhere than at any RESTART: its last value has been used.
fn position_of_sequences(
    setup: &str,
    before: &Schema,
    ups: &[Statement],
    downs: &[Statement],
) -> Option<Result<String, String>> {
    let restarts = |statements: &[Statement]| -> BTreeMap<Name, Option<String>> {
        let of = |statement: &Statement| match &statement.stmt {
            Stmt::AlterSequence { name, options, .. } => Some((before.resolve(name), options.restart.clone()?)),
            _ => None,
        };
        statements.iter().filter_map(of).collect()
    };
    let (by_ups, by_downs) = (restarts(ups), restarts(downs));
    let moved = parse(setup).unwrap_or_default().iter().any(|statement| {
        matches!(&statement.stmt, Stmt::Query(query) if !query.writes.is_empty() || !query.functions.is_empty())
            || matches!(statement.stmt, Stmt::Copy { .. } | Stmt::Call { .. } | Stmt::Do { .. })
    });
    for (name, by_up) in by_ups.iter().chain(&by_downs) {
        let Some(sequence) = before.sequence(name) else { continue };
        let known = sequence.options.known();
        let start = known.and_then(|options| options.settings.iter().find(|(key, _)| key == "START"));
        let restarted = known.is_some_and(|options| options.restart.is_some());
        let first = start.map_or("1", |(_, value)| value.as_str());
        let now = by_downs.get(name).unwrap_or(by_up).as_deref().unwrap_or(first);
        let plain = known.is_some_and(|options| {
            start.is_some()
                || !options
                    .settings
                    .iter()
                    .any(|(key, _)| matches!(key.as_str(), "MINVALUE" | "MAXVALUE" | "INCREMENT"))
        });
        if moved || restarted || !plain {
            return Some(Err(format!("where sequence {name} stands is not part of the schema")));
        }
        if now != first {
            return Some(Ok(format!("sequence {name} is at {now} where it was at {first}")));
        }
    }
    None
}

fn statements(texts: &[impl AsRef<str>]) -> Result<Vec<Statement>, String> {
    let mut out = Vec::new();
    for text in texts {
        out.extend(parse(text.as_ref()).map_err(|error| error.to_string())?);
    }
    Ok(out)
}

impl Pair {
    /// The answer as one JSON object; `id` is carried through as it came.
    pub fn json(&self, id: &serde_json::Value) -> serde_json::Value {
        let mut answer = serde_json::json!({
            "id": id,
            "pg": self.pg,
            "verdict": self.verdict.name(),
            "differences": self.differences,
        });
        if !self.reasons.is_empty() {
            answer["reason"] = self.reasons.join("; ").into();
        }
        answer
    }
}

//! A script of statements as one migration: each with its facts and hazards, for people's own tooling.

use super::SyntaxError;
use super::facts::Facts;
use super::hazards::{Finding, StatementContext, StepContext, in_migration, in_statement};
use super::locks::facts_over;
use super::parse::parse;
use super::phase::Fresh;
use super::schema::Schema;
use crate::model::PgRange;
use std::ops::Range;

/// One statement of a script.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ScriptStatement {
    /// Where it stands in the script.
    pub span: Range<usize>,
    /// What it does, the strongest over the server range.
    pub facts: Facts,
    /// What hurts, its spans bytes of the script; advice too.
    pub hazards: Vec<Finding>,
}

/// Why a script could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// It does not parse.
    #[error("SQL syntax error: {0}")]
    Syntax(SyntaxError),
    /// The setup does not parse, or cannot be applied.
    #[error("the setup: {0}")]
    Setup(String),
    /// PostgreSQL would refuse a statement.
    #[error("PostgreSQL would refuse this: {message} ({sqlstate})")]
    Refused {
        /// Where the statement stands in the script.
        span: Range<usize>,
        /// The SQLSTATE a server would answer.
        sqlstate: String,
        /// What is wrong.
        message: String,
    },
}

impl ScriptError {
    /// The place in the script, where there is one.
    pub fn span(&self) -> Option<Range<usize>> {
        match self {
            Self::Syntax(error) => Some(error.range()),
            Self::Refused { span, .. } => Some(span.clone()),
            Self::Setup(_) => None,
        }
    }
}

/// Analyses the statements of `sql` as one migration, over the schema that `setup` made, or over one of which nothing is
/// known.
///
/// ```
/// use migrate_core::{model::PgRange, sql::analyze_script};
/// let found = analyze_script(None, "CREATE INDEX ON orders (status)", PgRange::SUPPORTED).unwrap();
/// assert_eq!(found[0].hazards[0].hazard.name, "index-not-concurrent");
/// ```
///
/// # Errors
///
/// Where the script or the setup does not parse, or PostgreSQL would refuse one of their statements.
pub fn analyze_script(setup: Option<&str>, sql: &str, range: PgRange) -> Result<Vec<ScriptStatement>, ScriptError> {
    let mut schema = match setup {
        Some(setup) => schema_of(setup, range)?,
        None => Schema::open(),
    };
    let statements = parse(sql).map_err(ScriptError::Syntax)?;
    let mut seen: Vec<(Facts, Schema)> = Vec::new();
    for statement in &statements {
        let refused = |error: super::schema::ApplyError| ScriptError::Refused {
            span: statement.span.clone(),
            sqlstate: error.sqlstate.to_owned(),
            message: error.message,
        };
        let facts = facts_over(statement, &schema, range).map_err(refused)?;
        let before = schema.clone();
        schema.apply(statement, range.max()).map_err(refused)?;
        seen.push((facts, before));
    }
    let transactional = seen.iter().all(|(facts, _)| facts.in_transaction);
    let mut fresh = Fresh::default();
    let mut found = Vec::new();
    for (statement, (facts, before)) in statements.iter().zip(&seen) {
        let context = StatementContext { statement, facts, before, pg: range, fresh: &fresh };
        found.push(in_statement(&context));
        fresh.remember(&facts.changes);
    }
    let steps: Vec<_> = statements
        .iter()
        .zip(&seen)
        .map(|(statement, (facts, before))| StepContext { statement, facts, before, downs: Vec::new() })
        .collect();
    for (at, finding) in in_migration(&steps, transactional) {
        found[at].push(finding);
    }
    let together = statements.iter().zip(seen).zip(found);
    Ok(together
        .map(|((statement, (facts, _)), mut hazards)| {
            let start = sql[statement.span.clone()]
                .find(&statement.text)
                .map_or(statement.span.start, |at| statement.span.start + at);
            for finding in &mut hazards {
                finding.span = finding.span.take().map(|span| span.start + start..span.end + start);
            }
            ScriptStatement { span: start..start + statement.text.len(), facts, hazards }
        })
        .collect())
}

fn schema_of(setup: &str, range: PgRange) -> Result<Schema, ScriptError> {
    let mut schema = Schema::empty();
    for statement in parse(setup).map_err(|error| ScriptError::Setup(error.render(setup)))? {
        schema
            .apply(&statement, range.max())
            .map_err(|error| ScriptError::Setup(format!("`{}`: {}", statement.text, error.message)))?;
    }
    schema.settle();
    Ok(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bytes_of_the_script() {
        let sql = "-- größer\nSELECT 1;\n  CREATE INDEX ON orders (status);\n";
        let found = analyze_script(None, sql, PgRange::SUPPORTED).unwrap();
        assert_eq!(&sql[found[1].span.clone()], "CREATE INDEX ON orders (status)");
        let finding = &found[1].hazards[0];
        assert_eq!(finding.hazard.name, "index-not-concurrent");
        assert_eq!(&sql[finding.span.clone().unwrap()], "INDEX");
    }

    #[test]
    fn a_setup_closes_the_world() {
        let setup = "CREATE TABLE t (a varchar(10))";
        let found = analyze_script(Some(setup), "ALTER TABLE t ALTER a TYPE varchar(20)", PgRange::SUPPORTED).unwrap();
        assert!(
            found[0].hazards.iter().all(|finding| finding.hazard.severity == crate::sql::hazards::Severity::Advice)
        );
        let error = analyze_script(Some(setup), "ALTER TABLE u ADD b int", PgRange::SUPPORTED).unwrap_err();
        assert_eq!(error.span(), Some(0..23));
    }
}

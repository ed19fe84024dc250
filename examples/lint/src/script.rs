//! One file, and what was found in it.

use crate::arguments::Arguments;
use migrate_core::model::PgRange;
use migrate_core::sql::hazards::{Finding, Severity};
use migrate_core::sql::{ScriptError, analyze_script};
use std::ops::Range;

pub struct Script {
    pub file: String,
    pub sql: String,
    /// Why there is nothing else.
    pub error: Option<ScriptError>,
    /// What was found and is not allowed, each with its place.
    pub findings: Vec<(Range<usize>, Finding)>,
}

impl Script {
    pub fn analysed(file: &str, sql: String, setup: Option<&str>, arguments: &Arguments) -> Self {
        let wanted = |finding: &Finding| {
            !arguments.allowed.contains(&finding.hazard.name)
                && (arguments.advice || finding.hazard.severity == Severity::Blocking)
        };
        let (error, findings) = match analyze(setup, &sql, arguments.pg) {
            Ok(findings) => (None, findings.into_iter().filter(|(_, finding)| wanted(finding)).collect()),
            Err(error) => (Some(error), Vec::new()),
        };
        Self { file: file.to_owned(), sql, error, findings }
    }

    pub fn is_refused(&self) -> bool {
        self.error.is_some() || self.findings.iter().any(|(_, finding)| finding.hazard.severity == Severity::Blocking)
    }

    /// Line and column, from 1, of a byte.
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let before = &self.sql[..byte.min(self.sql.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        (line, column)
    }
}

fn analyze(setup: Option<&str>, sql: &str, pg: PgRange) -> Result<Vec<(Range<usize>, Finding)>, ScriptError> {
    let statements = analyze_script(setup, sql, pg)?;
    Ok(statements
        .into_iter()
        .flat_map(|statement| {
            let whole = statement.span;
            statement.hazards.into_iter().map(move |finding| (finding.span.clone().unwrap_or(whole.clone()), finding))
        })
        .collect())
}

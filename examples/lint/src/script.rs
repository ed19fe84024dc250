//! One file, and what was found in it.

use crate::arguments::Arguments;
use migrate_core::sql::hazards::{Finding, Severity};
use migrate_core::sql::{Facts, ScriptError, ScriptStatement, analyze_script};
use std::ops::Range;

pub struct Script {
    pub file: String,
    pub sql: String,
    /// Why there is nothing else.
    pub error: Option<ScriptError>,
    /// What was found and is not allowed, each with its place.
    pub findings: Vec<(Range<usize>, Finding)>,
    /// What each statement does, in order.
    pub statements: Vec<(Range<usize>, Facts)>,
}

impl Script {
    pub fn analysed(file: &str, sql: String, setup: Option<&str>, arguments: &Arguments) -> Self {
        let wanted = |finding: &Finding| {
            !arguments.allowed.contains(&finding.hazard.name)
                && (arguments.advice || finding.hazard.severity == Severity::Blocking)
        };
        let (error, statements) = match analyze_script(setup, &sql, arguments.pg) {
            Ok(statements) => (None, statements),
            Err(error) => (Some(error), Vec::new()),
        };
        let mut script = Self { file: file.to_owned(), sql, error, findings: Vec::new(), statements: Vec::new() };
        for ScriptStatement { span, facts, hazards, .. } in statements {
            let placed = |finding: Finding| (finding.span.clone().unwrap_or(span.clone()), finding);
            script.findings.extend(hazards.into_iter().filter(wanted).map(placed));
            script.statements.push((span, facts));
        }
        script
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

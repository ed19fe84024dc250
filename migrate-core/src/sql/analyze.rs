//! One statement, a setup that made the schema, one server version: every fact about the statement. For people's own
//! tooling, and what `lint` prints.

use super::facts::Facts;
use super::hazards::{self, Finding, Severity, StatementContext, StepContext};
use super::locks;
use super::parse::parse;
use super::phase::Fresh;
use super::reverse::{Derived, derive};
use super::schema::Schema;
use crate::model::{PgRange, Phase};

/// What the analysis says of one statement.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Analysis {
    /// The server version it is said for.
    pub pg: u16,
    /// The facts.
    pub facts: Facts,
    /// What hurts in it, advice included.
    pub hazards: Vec<Finding>,
    /// The statements that take it back, where they follow from it and the schema.
    pub reverse: Option<Vec<String>>,
}

/// Why there is no analysis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnalyzeError {
    /// The version is none that this library knows.
    #[error("PostgreSQL {0} is none of the versions {range}", range = PgRange::SUPPORTED)]
    Version(u16),
    /// The setup does not parse, or cannot be applied.
    #[error("the setup: {message}")]
    Setup {
        /// The SQLSTATE a server would answer.
        sqlstate: String,
        /// What is wrong.
        message: String,
    },
    /// The server would refuse the statement.
    #[error("{message} ({sqlstate})")]
    Statement {
        /// The SQLSTATE a server would answer.
        sqlstate: String,
        /// What is wrong.
        message: String,
    },
    /// There is more or less than one statement.
    #[error("one statement is analysed at a time, and here are {0}")]
    Count(usize),
}

impl AnalyzeError {
    /// The SQLSTATE that a server would answer, where it would answer one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Statement { sqlstate, .. } => Some(sqlstate),
            Self::Version(_) | Self::Setup { .. } | Self::Count(_) => None,
        }
    }
}

/// Analyses the one statement `sql` on a server of `version` whose schema `setup` made, and nothing else.
///
/// ```
/// use migrate_core::{model::Work, sql::analyze};
/// let found = analyze("CREATE TABLE t (a varchar(10))", "ALTER TABLE t ALTER a TYPE varchar(20)", 16).unwrap();
/// assert_eq!(found.facts.work, Work::Metadata);
/// ```
pub fn analyze(setup: &str, sql: &str, version: u16) -> Result<Analysis, AnalyzeError> {
    if !PgRange::SUPPORTED.contains(version) {
        return Err(AnalyzeError::Version(version));
    }
    let before = schema_of(setup, version)?;
    let syntax = |error: super::SyntaxError| AnalyzeError::Statement {
        sqlstate: "42601".to_owned(),
        message: error.to_string(),
    };
    let statements = parse(sql).map_err(syntax)?;
    let [statement] = statements.as_slice() else { return Err(AnalyzeError::Count(statements.len())) };
    let facts = locks::facts(statement, &before, version.into())
        .map_err(|error| AnalyzeError::Statement { sqlstate: error.sqlstate.to_owned(), message: error.message })?;
    let only = PgRange::new(version, version).ok_or(AnalyzeError::Version(version))?;
    let fresh = Fresh::default();
    let mut hazards =
        hazards::in_statement(&StatementContext { statement, facts: &facts, before: &before, pg: only, fresh: &fresh });
    let step = StepContext { statement, facts: &facts, before: &before, downs: Vec::new() };
    hazards.extend(hazards::in_migration(&[step], facts.in_transaction).into_iter().map(|(_, finding)| finding));
    let reverse = match derive(statement, &before, only) {
        Derived::Sql(sql) => Some(sql),
        Derived::Nothing(_) | Derived::Irreversible(_) | Derived::Needs(..) => None,
    };
    Ok(Analysis { pg: version, facts, hazards, reverse })
}

/// The schema that a script makes, in a database that was empty.
pub(super) fn schema_of(setup: &str, version: u16) -> Result<Schema, AnalyzeError> {
    let mut schema = Schema::empty();
    let statements = parse(setup)
        .map_err(|error| AnalyzeError::Setup { sqlstate: "42601".to_owned(), message: error.to_string() })?;
    for statement in &statements {
        schema.apply(statement, version).map_err(|error| AnalyzeError::Setup {
            sqlstate: error.sqlstate.to_owned(),
            message: format!("`{}`: {}", statement.text, error.message),
        })?;
    }
    schema.settle();
    Ok(schema)
}

impl Analysis {
    /// The locks on tables, partitions and materialized views, by the name that JSON carries: `public.orders`, unquoted.
    pub fn table_locks(&self) -> Vec<(String, crate::model::LockClass)> {
        use super::RelationKind::{MaterializedView, Table, Unknown};
        let of_tables =
            self.facts.locks.iter().filter(|(_, lock)| matches!(lock.kind, Table | MaterializedView | Unknown));
        of_tables
            .map(|(name, lock)| {
                let name = match &name.schema {
                    Some(schema) => format!("{schema}.{}", name.name),
                    None => name.name.clone(),
                };
                (name, lock.class)
            })
            .collect()
    }

    /// What running clients lose.
    pub fn phase(&self) -> Phase {
        self.facts.phase
    }

    /// The analysis as one JSON object; `id` is carried through as it came.
    pub fn json(&self, id: &serde_json::Value) -> serde_json::Value {
        let locks: serde_json::Map<String, serde_json::Value> =
            self.table_locks().into_iter().map(|(name, class)| (name, class.name().into())).collect();
        let effects: Vec<serde_json::Value> = self
            .facts
            .changes
            .iter()
            .map(|change| {
                serde_json::json!({
                    "kind": change.kind.name(),
                    "object": change.object.to_string(),
                    "definition": change.definition,
                })
            })
            .collect();
        let losses: Vec<String> = self
            .facts
            .losses
            .iter()
            .map(|lost| match &lost.column {
                Some(column) => format!("{}.{}", lost.relation, super::quoted(column)),
                None => lost.relation.to_string(),
            })
            .collect();
        let mut refused: Vec<&str> = Vec::new();
        for finding in self.hazards.iter().filter(|finding| finding.hazard.severity == Severity::Blocking) {
            if !refused.contains(&finding.hazard.name) {
                refused.push(finding.hazard.name);
            }
        }
        serde_json::json!({
            "id": id,
            "pg": self.pg,
            "in_transaction": self.facts.in_transaction,
            "lock_class": self.facts.lock_class.name(),
            "locks": locks,
            "work": self.facts.work.name(),
            "destructive": self.facts.destructive,
            "phase": self.facts.phase.name(),
            "hazards": refused,
            "effects": effects,
            "reverse": self.reverse.as_ref().map(|sql| sql.join(";\n")),
            "losses": losses,
            "unknowns": self.facts.unknowns,
        })
    }
}

//! What is visible of a statement that is taken on trust: `assume(…)` is about the rest, and may not say less.

use super::declaration::{Assume, Declaration, Site};
use super::run::Problems;
use crate::model::Phase;
use crate::sql::ast::{Statement, Stmt};
use crate::sql::locks::facts_over;
use crate::sql::phase::{Fresh, phase_with};
use crate::sql::schema::{Fact, Schema};
use crate::sql::server::on_each;

pub(super) fn not_less(
    at: usize,
    statement: &Statement,
    assume: &Assume,
    before: &Schema,
    declaration: &Declaration,
    problems: &mut Problems,
) {
    let Some((statement, before)) = readable(statement, before) else { return };
    // What fails over the schema as it is known is caught, or never reached: it says nothing.
    let Ok(facts) = facts_over(&statement, &before, declaration.pg) else { return };
    let phase = on_each(declaration.pg, |server| phase_with(&statement.stmt, &before, server, &Fresh::default()))
        .into_iter()
        .map(|(_, phase)| phase)
        .max()
        .unwrap_or(Phase::Expand);
    let mut less = Vec::new();
    if assume.phase.is_some_and(|assumed| assumed < phase) {
        less.push(format!("phase = {phase}"));
    }
    if assume.lock.is_some_and(|assumed| assumed < facts.lock_class) {
        less.push(format!("lock = {}", facts.lock_class));
    }
    if assume.transactional == Some(true) && !facts.in_transaction {
        less.push("transactional = false".to_owned());
    }
    if assume.destructive == Some(false) && (facts.destructive || !facts.losses.is_empty()) {
        less.push("destructive = true".to_owned());
    }
    if less.is_empty() {
        return;
    }
    let because = facts.reasons.iter().max_by_key(|reason| (reason.lock, reason.work));
    let because = because.map_or_else(String::new, |reason| format!(": {}", reason.because));
    problems.add(
        Site::Assume(at),
        format!(
            "less is assumed than what can be read of the statement{because}\n  = assume at least this: {}",
            less.join(", ")
        ),
    );
}

/// The statement and what it calls without what cannot be read; `None` where nothing of it can.
fn readable(statement: &Statement, before: &Schema) -> Option<(Statement, Schema)> {
    let mut before = before.clone();
    let known = match inner(&statement.stmt) {
        Stmt::SessionStatement { .. } | Stmt::ReassignOwned { .. } => false,
        Stmt::Call { function, .. } => {
            let listed = before.find_functions(function).and_then(|found| before.functions.get(&found));
            listed.is_some_and(|listed| listed.iter().all(|function| function.body.known().is_some()))
        }
        _ => true,
    };
    if !known {
        return None;
    }
    before.functions.change(|_, overloads| {
        for function in overloads {
            if let Fact::Known(body) = &mut function.body {
                body.opaque = None;
            }
        }
    });
    let mut statement = statement.clone();
    without_opaque(&mut statement.stmt);
    Some((statement, before))
}

fn inner(stmt: &Stmt) -> &Stmt {
    match stmt {
        Stmt::Explain { statement, .. } | Stmt::Prepare { statement, .. } => inner(statement),
        _ => stmt,
    }
}

fn without_opaque(stmt: &mut Stmt) {
    match stmt {
        Stmt::Do { body, .. } => {
            body.opaque = None;
            body.statements.retain(|inner| {
                !matches!(inner.stmt, Stmt::SessionStatement { .. } | Stmt::ReassignOwned { .. } | Stmt::Call { .. })
            });
            body.statements.iter_mut().for_each(|inner| without_opaque(&mut inner.stmt));
        }
        Stmt::Explain { statement, .. } => without_opaque(statement),
        _ => {}
    }
}

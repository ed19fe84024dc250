//! Whatever else works through a table that clients wait for: no other hazard has a name for it.

use super::case::{Case, waiting};
use super::{Finding, Hazard, Severity};
use crate::model::Work;
use crate::sql::ast::Stmt;

pub(super) static HAZARD: Hazard = Hazard {
    name: "work-under-lock",
    title: "Work that grows with a table under a lock that blocks it",
    severity: Severity::Blocking,
    why: "The lock is held for as long as the work takes. Several actions of one ALTER TABLE share the strongest lock of any of them: \
          a VALIDATE CONSTRAINT beside an ADD COLUMN reads the table under ACCESS EXCLUSIVE.",
    lock: "SHARE or stronger on the table",
    safe: "One action a migration, each under its own lock.",
};

/// What none of the others has found.
pub(super) fn detect(case: &Case<'_>, found: &[Finding]) -> Option<Finding> {
    let known = found.iter().any(|finding| finding.hazard.severity == Severity::Blocking);
    if known || case.facts.work == Work::Metadata || has_a_name_or_none(case.stmt) {
        return None;
    }
    let (table, lock) = case.blocked_tables().into_iter().max_by_key(|(_, lock)| *lock)?;
    let because = case.because();
    let mut message =
        format!("{} is held on {table} while the statement works through it: {}", lock.sql(), waiting(lock));
    if !because.is_empty() {
        message.push_str("; ");
        message.push_str(&because.join("; "));
    }
    Some(Finding::new(&HAZARD, message).about(table))
}

/// Statements whose work is not what clients wait for, or that are judged by their parts.
fn has_a_name_or_none(stmt: &Stmt) -> bool {
    matches!(
        stmt,
        // Emptied tables have empty indexes.
        Stmt::Truncate { .. }
            // Nobody writes to a materialized view but REFRESH.
            | Stmt::RefreshMaterializedView { .. }
            | Stmt::LockTable { .. }
            | Stmt::Do { .. }
            | Stmt::Call { .. }
            | Stmt::SessionStatement { .. }
            | Stmt::Query(_)
            | Stmt::Drop(_)
            // VALIDATE of a domain has no lighter form.
            | Stmt::AlterDomain { .. }
    )
}

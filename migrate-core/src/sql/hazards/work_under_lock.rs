//! Whatever else works through a table that clients wait for: no other hazard has a name for it.

use super::case::{Case, waiting};
use super::{Finding, Hazard, Severity};
use crate::model::Work;
use crate::sql::ast::{ConstraintKind, Stmt, TableAction};
use crate::sql::name::Name;
use crate::sql::schema::World;

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
    let by_index = |action: &TableAction| {
        matches!(action, TableAction::AddConstraint(constraint)
            if matches!(constraint.kind, ConstraintKind::PrimaryKeyUsingIndex { .. }))
    };
    // Whether the index's columns are NOT NULL already is for the history to say.
    if case.before.world == World::Open
        && case.actions.len() == 1
        && case.actions.iter().all(|one| by_index(one.action))
    {
        return None;
    }
    let known = found.iter().any(|finding| finding.hazard.severity == Severity::Blocking);
    // What came with the deploy has no rows to work through, whoever else is locked meanwhile.
    let of_old = |relation: &Option<Name>| relation.as_ref().is_none_or(|name| case.is_old(name));
    let works = case.facts.reasons.iter().any(|reason| reason.work > Work::Metadata && of_old(&reason.relation));
    if known || !works || has_a_name_or_none(case.stmt) {
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

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, shop};

    #[test]
    fn actions_share_the_strongest_lock() {
        assert_eq!(
            refused(&shop(), "ALTER TABLE orders ADD COLUMN a integer, VALIDATE CONSTRAINT orders_total_check"),
            Vec::<&str>::new(),
            "a constraint that is valid already is not read for"
        );
        let sql = "ALTER TABLE orders ADD CONSTRAINT c CHECK (total < 9) NOT VALID, VALIDATE CONSTRAINT c";
        assert!(refused(&shop(), sql).contains(&"validate-with-not-valid"));
        let before = super::super::harness::made_by(
            "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
        );
        assert_eq!(refused(&before, "ALTER TABLE t ADD COLUMN b integer, VALIDATE CONSTRAINT c"), ["work-under-lock"]);
    }
}

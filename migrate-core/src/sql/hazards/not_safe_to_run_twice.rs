//! A step that refuses a transaction block and fails when it is run again.

use super::safe_form::SafeForm;
use super::{Finding, Hazard, MigrationContext, Severity};
use crate::sql::ast::{ObjectKind, OtherVerb, Stmt};

pub(super) static HAZARD: Hazard = Hazard {
    name: "not-safe-to-run-twice",
    title: "A step that refuses a transaction and is not safe to run twice",
    severity: Severity::Blocking,
    why: "A process that dies between the statement and its entry in the ledger leaves the step unfinished as far as anybody knows; \
          the next run does it again, and it fails because it is there already. A step that may run in a transaction is not \
          concerned: its ledger row commits with it, also in a migration with `transactional = false`.",
    lock: "None: the next run fails",
    safe: "IF [NOT] EXISTS where PostgreSQL has it. Indexes built, dropped and rebuilt CONCURRENTLY, and partitions detached \
           CONCURRENTLY, are looked at and finished by the runner. Databases and tablespaces are made outside of the \
           service's history.",
};

pub(super) fn detect(ctx: &MigrationContext<'_>) -> Vec<(usize, Finding)> {
    let mut found = Vec::new();
    for (at, step) in ctx.steps.iter().enumerate() {
        if step.facts.in_transaction {
            continue;
        }
        if let Some(then) = second_time(&step.statement.stmt) {
            let message = format!("step {} refuses a transaction, and run a second time after a crash {then}", at + 1);
            found.push((at, Finding::new(&HAZARD, message).safe(SafeForm::new().note(HAZARD.safe))));
        }
    }
    found
}

/// What happens the second time; `None` where that is the same as once, or the runner finishes it.
fn second_time(stmt: &Stmt) -> Option<&'static str> {
    match stmt {
        Stmt::CreateSubscription { .. } | Stmt::Other { verb: OtherVerb::Create, .. } => {
            Some("it fails because what it makes is there")
        }
        Stmt::Drop(drop) if !drop.if_exists && drop.kind != ObjectKind::Index => {
            Some("it fails because what it drops is gone")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, shop, unknown};

    #[test]
    fn only_what_refuses_a_transaction() {
        let alone = "CREATE INDEX CONCURRENTLY i ON orders (note)";
        for (sql, hurts) in [
            ("ALTER TABLE orders ADD COLUMN a integer", false),
            ("DROP INDEX CONCURRENTLY orders_code_idx", false),
            ("ANALYZE orders", false),
            ("CREATE DATABASE reports", true),
            ("DROP DATABASE reports", true),
            ("DROP DATABASE IF EXISTS reports", false),
        ] {
            let sql = format!("{alone}; {sql}");
            for before in [shop(), unknown()] {
                assert_eq!(refused(&before, &sql).contains(&"not-safe-to-run-twice"), hurts, "{sql}");
            }
        }
    }
}

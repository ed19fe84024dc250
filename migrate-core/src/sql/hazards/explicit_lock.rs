//! `LOCK TABLE` in a mode that clients wait for.

use super::case::{Case, waiting};
use super::{Finding, Hazard, Severity};
use crate::sql::ast::Stmt;

pub(super) static HAZARD: Hazard = Hazard {
    name: "explicit-lock",
    title: "LOCK TABLE in a mode that blocks clients",
    severity: Severity::Blocking,
    why: "The lock is held until the transaction ends, whatever the steps after it take.",
    lock: "The mode that the statement names, on the table and its children",
    safe: "No LOCK TABLE: every statement takes the lock that it needs, under a lock timeout.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let Stmt::LockTable { tables, .. } = case.stmt else { return Vec::new() };
    let mut found = Vec::new();
    for (table, _) in tables {
        let Some(relation) = case.old(table) else { continue };
        let lock = case.lock_on(&relation);
        if lock.blocks_writes() {
            let message =
                format!("LOCK TABLE holds {} on {relation} until the transaction ends: {}", lock.sql(), waiting(lock));
            found.push(Finding::new(&HAZARD, message).about(&relation).at(case.text, "lock"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, shop, unknown};

    #[test]
    fn modes_that_clients_wait_for() {
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, "LOCK TABLE orders"), ["explicit-lock"]);
            assert_eq!(refused(&before, "LOCK TABLE orders IN SHARE MODE"), ["explicit-lock"]);
            assert!(refused(&before, "LOCK TABLE orders IN ROW EXCLUSIVE MODE").is_empty());
        }
    }
}

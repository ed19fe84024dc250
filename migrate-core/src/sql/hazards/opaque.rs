//! Statements whose effects are not in them: transaction control, EXECUTE of a string, procedures.

use super::case::Case;
use super::{Finding, Hazard, Severity};
use crate::sql::ast::Stmt;

pub(super) static TRANSACTION: Hazard = Hazard {
    name: "transaction-control",
    title: "BEGIN, COMMIT, ROLLBACK or SAVEPOINT inside a migration",
    severity: Severity::Blocking,
    why: "The runner opens and closes the transaction, with the ledger's rows in it: a COMMIT in between makes a half-done migration \
          permanent, and unrecorded.",
    lock: "None",
    safe: "`transactional = false` for steps that must each stand alone; two migrations where the first must be committed.",
};

pub(super) static DYNAMIC: Hazard = Hazard {
    name: "dynamic-sql",
    title: "EXECUTE of a string, or a procedure: what it does cannot be known",
    severity: Severity::Blocking,
    why: "Which locks it takes and what it changes is only decided when it runs. Nothing here can be checked, and nothing reversed.",
    lock: "Unknown; the worst is assumed",
    safe: "The statements themselves, as steps.",
};

pub(super) fn detect_transaction(case: &Case<'_>) -> Vec<Finding> {
    let what = match case.stmt {
        Stmt::Transaction { what } => what.sql(),
        _ if case.body().is_some_and(|body| body.commits) => "COMMIT or ROLLBACK in the block",
        _ => return Vec::new(),
    };
    vec![Finding::new(
        &TRANSACTION,
        format!("{what}: the transaction is the runner's, which records in it what was done"),
    )]
}

pub(super) fn detect_dynamic(case: &Case<'_>) -> Vec<Finding> {
    let why = match case.stmt {
        Stmt::Do { body, .. } => match &body.opaque {
            Some(opaque) => format!("what the block does cannot be known: {opaque}"),
            None => return Vec::new(),
        },
        Stmt::Call { function, .. } if case.is_readable(function) => return Vec::new(),
        Stmt::Call { function, .. } => format!("what the procedure {function} does is not in the statement"),
        Stmt::SessionStatement { kind: kind @ "EXECUTE", .. } => {
            format!("what {kind} runs was said elsewhere in the session")
        }
        _ => return Vec::new(),
    };
    vec![Finding::new(&DYNAMIC, why)]
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, unknown};

    #[test]
    fn what_is_not_in_the_statement() {
        assert_eq!(refused(&unknown(), "BEGIN"), ["transaction-control"]);
        assert!(refused(&unknown(), "DO $$ BEGIN EXECUTE 'DROP TABLE ' || name; END $$").contains(&"dynamic-sql"));
        assert!(refused(&unknown(), "CALL tidy()").contains(&"dynamic-sql"));
        assert!(refused(&unknown(), "DO $$ BEGIN COMMIT; END $$").contains(&"transaction-control"));
        assert!(refused(&unknown(), "DO $$ BEGIN PERFORM 1; END $$").is_empty());
    }
}

//! CONCURRENTLY where the server refuses it.

use super::case::Case;
use super::{Finding, Hazard, Severity};
use crate::sql::ast::{ConstraintKind, ReindexScope, Stmt};
use crate::sql::schema::Fact;

pub(super) static HAZARD: Hazard = Hazard {
    name: "concurrently-refused",
    title: "CONCURRENTLY where the server refuses it",
    severity: Severity::Blocking,
    why: "The statement fails on every server: a REINDEX of the index of an exclusion constraint, or of system catalogs. What the \
          known schema refuses (an index of a partitioned table, a DETACH beside a default partition, a REFRESH without a unique \
          index) is an error of the check itself, with PostgreSQL's own words.",
    lock: "None: the migration fails",
    safe: "On a partitioned table: the index ON ONLY the parent, one CONCURRENTLY on each partition, and each attached. Of a \
           constraint: ALTER TABLE … DROP CONSTRAINT. A REFRESH: the unique index first.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let refused = match case.stmt {
        Stmt::Reindex(reindex) if reindex.concurrently => match &reindex.scope {
            ReindexScope::System => Some("REINDEX CONCURRENTLY is refused for system catalogs (0A000)".to_owned()),
            ReindexScope::Index(name) => {
                let name = case.before.resolve(name);
                let excludes = case.before.index(&name).is_some_and(|index| {
                    let constraint = index.constraint.as_ref().zip(index.table.known());
                    constraint.and_then(|(constraint, table)| case.constraint(table, constraint)).is_some_and(
                        |constraint| matches!(constraint.kind, Fact::Known(ConstraintKind::Exclude { .. })),
                    )
                });
                excludes.then(|| {
                    format!("REINDEX CONCURRENTLY is refused for {name}, the index of an exclusion constraint (0A000)")
                })
            }
            _ => None,
        },
        _ => None,
    };
    let Some(message) = refused else { return Vec::new() };
    vec![Finding::new(&HAZARD, message).at(case.text, "concurrently")]
}

#[cfg(test)]
mod tests {
    use super::super::harness::{made_by, refused, unknown};

    #[test]
    fn what_the_server_has_no_form_for() {
        assert!(refused(&unknown(), "REINDEX INDEX CONCURRENTLY x").is_empty());
        let excluded = made_by("CREATE TABLE t (a int, CONSTRAINT x EXCLUDE USING gist (a WITH =))");
        assert_eq!(refused(&excluded, "REINDEX INDEX CONCURRENTLY x"), ["concurrently-refused"]);
    }
}

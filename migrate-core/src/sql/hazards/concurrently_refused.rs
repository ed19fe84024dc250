//! CONCURRENTLY where the server refuses it.

use super::case::Case;
use super::{Finding, Hazard, Severity};
use crate::sql::ast::{ConstraintKind, ObjectKind, ReindexScope, Stmt, TableAction};
use crate::sql::schema::Fact;

pub(super) static HAZARD: Hazard = Hazard {
    name: "concurrently-refused",
    title: "CONCURRENTLY where the server refuses it",
    severity: Severity::Blocking,
    why: "The statement fails on every server: an index of a partitioned table, the index of an exclusion constraint or of a \
          constraint that is dropped with it, a system catalog, a DETACH beside a default partition, a REFRESH without a unique \
          index over plain columns.",
    lock: "None: the migration fails",
    safe: "On a partitioned table: the index ON ONLY the parent, one CONCURRENTLY on each partition, and each attached. Of a \
           constraint: ALTER TABLE … DROP CONSTRAINT. A REFRESH: the unique index first.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let refused = match case.stmt {
        Stmt::Drop(drop) if drop.kind == ObjectKind::Index && drop.concurrently => {
            if drop.targets.len() > 1 {
                Some("DROP INDEX CONCURRENTLY takes one index only (0A000)".to_owned())
            } else if drop.cascade {
                Some("DROP INDEX CONCURRENTLY takes no CASCADE (0A000)".to_owned())
            } else {
                drop.targets.first().and_then(|target| {
                    let name = case.before.resolve(&target.name);
                    let index = case.before.index(&name)?;
                    if let Some(constraint) = &index.constraint {
                        return Some(format!(
                            "DROP INDEX of {name} is refused: the constraint {constraint} needs it (2BP01)"
                        ));
                    }
                    index.partitioned.then(|| {
                        format!(
                            "DROP INDEX CONCURRENTLY is refused for {name}, an index of a partitioned table (0A000)"
                        )
                    })
                })
            }
        }
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
        Stmt::AlterTable(alter) => alter.actions.iter().find_map(|action| match action {
            TableAction::DetachPartition { concurrently: true, .. } => {
                let table = case.before.resolve(&alter.name);
                let default = case.before.default_partition_of(&table)?;
                Some(format!("DETACH … CONCURRENTLY is refused beside a default partition, {default} (55000)"))
            }
            _ => None,
        }),
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
        assert!(refused(&unknown(), "DROP INDEX CONCURRENTLY a CASCADE").contains(&"concurrently-refused"));
        assert!(refused(&unknown(), "DROP INDEX CONCURRENTLY a").is_empty());
        let excluded = made_by("CREATE TABLE t (a int, CONSTRAINT x EXCLUDE USING gist (a WITH =))");
        assert_eq!(refused(&excluded, "REINDEX INDEX CONCURRENTLY x"), ["concurrently-refused"]);
    }
}

//! CONCURRENTLY where the server refuses it.

use super::case::Case;
use super::index_not_concurrent::on_partitions;
use super::refresh_not_concurrent;
use super::safe_form::SafeForm;
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
        Stmt::CreateIndex(index) if index.concurrently => {
            let table = case.before.resolve(&index.table);
            case.before.is_partitioned(&table).then(|| {
                (
                    format!("CREATE INDEX CONCURRENTLY is refused on {table}, which is partitioned (0A000)"),
                    on_partitions(index, &case.before.partitions_of(&table)),
                )
            })
        }
        Stmt::Drop(drop) if drop.kind == ObjectKind::Index && drop.concurrently => {
            if drop.targets.len() > 1 {
                Some(("DROP INDEX CONCURRENTLY takes one index only (0A000)".to_owned(), SafeForm::new()))
            } else if drop.cascade {
                Some(("DROP INDEX CONCURRENTLY takes no CASCADE (0A000)".to_owned(), SafeForm::new()))
            } else {
                drop.targets.first().and_then(|target| {
                    let name = case.before.resolve(&target.name);
                    let index = case.before.index(&name)?;
                    if let Some(constraint) = &index.constraint {
                        let why =
                            format!("DROP INDEX of {name} is refused: the constraint {constraint} needs it (2BP01)");
                        return Some((why, SafeForm::new()));
                    }
                    index.partitioned.then(|| {
                        let why = format!(
                            "DROP INDEX CONCURRENTLY is refused for {name}, an index of a partitioned table (0A000)"
                        );
                        (why, SafeForm::new())
                    })
                })
            }
        }
        Stmt::Reindex(reindex) if reindex.concurrently => match &reindex.scope {
            ReindexScope::System => {
                Some(("REINDEX CONCURRENTLY is refused for system catalogs (0A000)".to_owned(), SafeForm::new()))
            }
            ReindexScope::Index(name) => {
                let name = case.before.resolve(name);
                let excludes = case.before.index(&name).is_some_and(|index| {
                    let constraint = index.constraint.as_ref().zip(index.table.known());
                    constraint.and_then(|(constraint, table)| case.constraint(table, constraint)).is_some_and(
                        |constraint| matches!(constraint.kind, Fact::Known(ConstraintKind::Exclude { .. })),
                    )
                });
                excludes.then(|| {
                    let why = format!(
                        "REINDEX CONCURRENTLY is refused for {name}, the index of an exclusion constraint (0A000)"
                    );
                    (why, SafeForm::new())
                })
            }
            _ => None,
        },
        Stmt::RefreshMaterializedView { name, concurrently: true, with_data } => {
            let view = case.before.resolve(name);
            let known = case.before.view(&view).is_some();
            let indexed = case
                .before
                .indexes_of(&view)
                .iter()
                .any(|(_, index)| index.unique != Fact::Known(false) && index.predicate.is_none());
            let closed = case.before.world == crate::sql::schema::World::Closed || case.before.is_new(&view);
            if !with_data {
                Some(("REFRESH … CONCURRENTLY WITH NO DATA is refused (42601)".to_owned(), SafeForm::new()))
            } else if known && closed && !indexed {
                let why = format!("REFRESH … CONCURRENTLY is refused for {view}, which has no unique index (55000)");
                Some((why, refresh_not_concurrent::concurrently(name, false)))
            } else {
                None
            }
        }
        Stmt::AlterTable(alter) => alter.actions.iter().find_map(|action| match action {
            TableAction::DetachPartition { concurrently: true, .. } => {
                let table = case.before.resolve(&alter.name);
                let default = case.before.default_partition_of(&table)?;
                let why = format!("DETACH … CONCURRENTLY is refused beside a default partition, {default} (55000)");
                Some((why, SafeForm::new()))
            }
            _ => None,
        }),
        _ => None,
    };
    let Some((message, form)) = refused else { return Vec::new() };
    vec![Finding::new(&HAZARD, message).at(case.text, "concurrently").safe(form)]
}

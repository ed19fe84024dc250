//! `REFRESH MATERIALIZED VIEW` without CONCURRENTLY.

use super::case::{Case, held};
use super::safe_form::{SafeForm, declared, step, step_for_good, struct_name};
use super::{Finding, Hazard, Severity};
use crate::model::{LockClass, Phase};
use crate::sql::ast::Stmt;
use crate::sql::name::{Name, quoted};
use crate::sql::schema::{Fact, World};

pub(super) static HAZARD: Hazard = Hazard {
    name: "refresh-not-concurrent",
    title: "REFRESH MATERIALIZED VIEW without CONCURRENTLY",
    severity: Severity::Blocking,
    why: "Readers of the view wait for as long as its query runs and its indexes are built.",
    lock: "ACCESS EXCLUSIVE on the materialized view",
    safe: "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index over plain columns of all rows.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let Stmt::RefreshMaterializedView { name, concurrently: false, with_data: true } = case.stmt else {
        return Vec::new();
    };
    let Some(view) = case.old(name) else { return Vec::new() };
    let lock = case.lock_on(&view);
    // One that was never filled cannot be read, and cannot be refreshed CONCURRENTLY.
    let unreadable = case.before.view(&view).is_some_and(|view| case.before.world == World::Closed && !view.populated);
    if !lock.blocks_reads() || unreadable {
        return Vec::new();
    }
    let message = held("REFRESH MATERIALIZED VIEW", lock, &view, "its query runs and its indexes are built", &[]);
    let indexed = case.before.indexes_of(&view).iter().any(|(_, index)| {
        index.unique == Fact::Known(true)
            && index.predicate.is_none()
            && index.columns.known().is_some_and(|columns| columns.iter().all(Option::is_some))
    });
    vec![Finding::new(&HAZARD, message).about(&view).at(case.text, "refresh").safe(concurrently(name, indexed))]
}

pub(super) fn concurrently(name: &Name, indexed: bool) -> SafeForm {
    let mut form = SafeForm::new();
    if !indexed {
        let index = format!("{}_key", name.name);
        form = form
            .note("Unless the view has a unique index over plain columns: with the columns that tell its rows apart.")
            .migration(
                &struct_name("Index", &[&index]),
                declared(Phase::Contract, LockClass::ShareUpdateExclusive).alone(),
                &[step(
                    format!("CREATE UNIQUE INDEX CONCURRENTLY {} ON {name} (id)", quoted(&index)),
                    format!(
                        "DROP INDEX CONCURRENTLY IF EXISTS {}",
                        Name { schema: name.schema.clone(), name: index.clone() }
                    ),
                )],
            );
    }
    form.migration(
        &struct_name("Refresh", &[&name.name]),
        declared(Phase::Migrate, LockClass::Exclusive),
        &[step_for_good(
            format!("REFRESH MATERIALIZED VIEW CONCURRENTLY {name}"),
            "the view holds what its query says",
        )],
    )
}

#[cfg(test)]
mod tests {
    use super::super::harness::{made_by, refused, safe, shop, unknown};

    #[test]
    fn a_view_that_is_read() {
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, "REFRESH MATERIALIZED VIEW totals"), ["refresh-not-concurrent"]);
        }
        let indexed = made_by("CREATE MATERIALIZED VIEW v AS SELECT 1 AS id; CREATE UNIQUE INDEX ON v (id)");
        let form = safe(&indexed, "REFRESH MATERIALIZED VIEW v", "refresh-not-concurrent");
        assert!(!form.contains("CREATE UNIQUE INDEX"), "{form}");
    }

    #[test]
    fn a_view_that_cannot_be_read_yet() {
        let empty = made_by("CREATE MATERIALIZED VIEW v AS SELECT 1 AS id WITH NO DATA");
        assert!(refused(&empty, "REFRESH MATERIALIZED VIEW v").is_empty());
    }
}

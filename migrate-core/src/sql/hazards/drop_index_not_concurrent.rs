//! `DROP INDEX` without CONCURRENTLY: the table is locked, not only the index.

use super::case::{Case, waiting};
use super::safe_form::{SafeForm, declared, step, struct_name};
use super::{Finding, Hazard, Severity};
use crate::model::{LockClass, Phase};
use crate::sql::ast::{ObjectKind, Stmt};
use crate::sql::name::{Name, quoted};
use crate::sql::schema::Index;

pub(super) static HAZARD: Hazard = Hazard {
    name: "drop-index-not-concurrent",
    title: "DROP INDEX without CONCURRENTLY",
    severity: Severity::Blocking,
    why: "The index's table is locked against reads and writes until the transaction ends, and every query queues behind \
          the wait for that lock.",
    lock: "ACCESS EXCLUSIVE on the table and the index",
    safe: "DROP INDEX CONCURRENTLY, one index a migration, outside of a transaction. An index of a partitioned table has \
           no such form.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let Stmt::Drop(drop) = case.stmt else { return Vec::new() };
    if drop.kind != ObjectKind::Index || drop.concurrently {
        return Vec::new();
    }
    let mut found = Vec::new();
    for target in &drop.targets {
        let Some(name) = case.old(&target.name) else { continue };
        let index = case.before.index(&name);
        let table = index.and_then(|index| index.table.known());
        let without_other_form =
            index.is_some_and(|index| index.partitioned || index.parent.is_some() || index.constraint.is_some());
        let nobody_waits = table.is_some_and(|table| !case.is_old(table)) || !case.lock_on(&name).blocks_reads();
        if without_other_form || nobody_waits {
            continue;
        }
        let lock = LockClass::AccessExclusive;
        let of = table.map_or_else(|| "the index's table".to_owned(), ToString::to_string);
        let message = format!("DROP INDEX takes {} on {of} as well as on {name}: {}", lock.sql(), waiting(lock));
        let relation = table.unwrap_or(&name);
        found.push(
            Finding::new(&HAZARD, message)
                .about(relation)
                .at(case.text, "index")
                .safe(concurrently(&target.name, index)),
        );
    }
    found
}

fn concurrently(name: &Name, index: Option<&Index>) -> SafeForm {
    let definition = index.and_then(|index| index.table.known().zip(index.definition.known()));
    // The down is the witness of what the index is, and the phase follows from that.
    let unique = definition.is_some() && index.is_some_and(|index| index.unique.known() != Some(&false));
    let (phase, kind) = if unique { (Phase::Contract, "UNIQUE INDEX") } else { (Phase::Expand, "INDEX") };
    let mut form = SafeForm::new();
    if definition.is_none() {
        form = form.note(&format!(
            "The down makes the index as it is today: SELECT pg_get_indexdef('{name}'::regclass), with CONCURRENTLY. Where it is UNIQUE, the phase is Contract."
        ));
    }
    let down = match definition {
        Some((table, definition)) => {
            format!("CREATE {kind} CONCURRENTLY {} ON {table} {}", quoted(&name.name), without_unique(definition))
        }
        None => format!("CREATE INDEX CONCURRENTLY {} ON TABLE_NAME (COLUMNS)", quoted(&name.name)),
    };
    form.migration(
        &struct_name("Drop", &[&name.name]),
        declared(phase, LockClass::ShareUpdateExclusive).alone(),
        &[step(format!("DROP INDEX CONCURRENTLY IF EXISTS {name}"), down)],
    )
}

/// A definition begins with what stands before INDEX.
fn without_unique(definition: &str) -> &str {
    definition.strip_prefix("UNIQUE ").unwrap_or(definition)
}

#[cfg(test)]
mod tests {
    use super::super::harness::{made_by, refused, safe, shop, unknown};

    #[test]
    fn the_index_of_a_table_in_use() {
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, "DROP INDEX orders_code_idx"), ["drop-index-not-concurrent"]);
        }
        let form = safe(&shop(), "DROP INDEX orders_code_idx", "drop-index-not-concurrent");
        assert!(form.contains("CREATE INDEX CONCURRENTLY orders_code_idx ON "), "{form}");
        let form = safe(&shop(), "DROP INDEX users_email_idx", "drop-index-not-concurrent");
        assert!(form.contains("CREATE UNIQUE INDEX CONCURRENTLY users_email_idx ON "), "{form}");
    }

    #[test]
    fn where_there_is_no_other_form() {
        let partitioned = made_by("CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE INDEX i ON p (a)");
        assert!(refused(&partitioned, "DROP INDEX i").is_empty());
    }
}

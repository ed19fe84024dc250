//! `CREATE INDEX` without CONCURRENTLY on a table that clients write to.

use super::case::{Case, held, made_up};
use super::safe_form::{Declared, SafeForm, declared, step, step_for_good, struct_name};
use super::{Finding, Hazard, Severity};
use crate::model::{LockClass, Phase, Work};
use crate::sql::ast::{CreateIndex, Stmt};
use crate::sql::name::Name;
use crate::sql::print;

pub(super) static HAZARD: Hazard = Hazard {
    name: "index-not-concurrent",
    title: "CREATE INDEX without CONCURRENTLY on an existing table",
    severity: Severity::Blocking,
    why: "The table is locked against writes for as long as the index is built, which grows with the table.",
    lock: "SHARE on the table: INSERT, UPDATE, DELETE and MERGE wait, SELECT does not",
    safe: "CREATE INDEX CONCURRENTLY in a migration outside of a transaction. On a partitioned table, where that is \
           refused: the index ON ONLY the parent, one CONCURRENTLY on each partition, and each attached.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let Stmt::CreateIndex(index) = case.stmt else { return Vec::new() };
    let Some(table) = case.old(&index.table) else { return Vec::new() };
    let lock = case.lock_on(&table);
    // Nothing is built ON ONLY a partitioned table, or where IF NOT EXISTS finds the name taken.
    if index.concurrently || !lock.blocks_writes() || case.facts.work == Work::Metadata {
        return Vec::new();
    }
    let message = held("CREATE INDEX", lock, &table, "the index is built", &[]);
    let form = if case.before.is_partitioned(&table) {
        on_partitions(index, &case.before.partitions_of(&table))
    } else {
        concurrently(index)
    };
    vec![Finding::new(&HAZARD, message).about(&table).at(case.text, "index").safe(form)]
}

pub(super) fn name_of(index: &CreateIndex) -> String {
    index.name.clone().unwrap_or_else(|| {
        let columns: Vec<String> =
            index.elements.iter().map(|element| element.column.clone().unwrap_or_else(|| "expr".to_owned())).collect();
        made_up(&index.table, &columns, "idx")
    })
}

/// The migration that makes the index CONCURRENTLY, as a safe form of this and of other hazards.
pub(super) fn concurrently(index: &CreateIndex) -> SafeForm {
    let (up, name) = statement(index, &index.table, name_of(index));
    let down = format!("DROP INDEX CONCURRENTLY IF EXISTS {name}");
    SafeForm::new().migration(&struct_name("Index", &[&name_of(index)]), building(index), &[step(up, down)])
}

fn building(index: &CreateIndex) -> Declared {
    // A unique index refuses what was accepted already while it is built.
    let phase = if index.unique { Phase::Contract } else { Phase::Expand };
    declared(phase, LockClass::ShareUpdateExclusive).alone()
}

fn statement(index: &CreateIndex, table: &Name, name: String) -> (String, Name) {
    let qualified = Name { schema: table.schema.clone(), name: name.clone() };
    let index = CreateIndex {
        name: Some(name),
        table: table.clone(),
        concurrently: true,
        if_not_exists: false,
        only: false,
        ..index.clone()
    };
    (print::create_index(&index), qualified)
}

/// The parent's index is INVALID until one of each partition is attached.
pub(super) fn on_partitions(index: &CreateIndex, partitions: &[Name]) -> SafeForm {
    let name = name_of(index);
    let parent = Name { schema: index.table.schema.clone(), name: name.clone() };
    let unknown = Name { schema: index.table.schema.clone(), name: format!("{}_partition", index.table.name) };
    let (partitions, note) = if partitions.is_empty() {
        (std::slice::from_ref(&unknown), "For each partition: the two migrations below, with its own names.")
    } else {
        (partitions, "The index of each partition, built while it is written to, then attached.")
    };
    let only = CreateIndex {
        name: Some(name.clone()),
        only: true,
        concurrently: false,
        if_not_exists: false,
        ..index.clone()
    };
    let phase = if index.unique { Phase::Contract } else { Phase::Expand };
    let mut form = SafeForm::new()
        .note("On the parent alone: the index stays INVALID, and builds nothing, until every partition has one.")
        .migration(
            &struct_name("Declare", &[&name]),
            // That the table is partitioned is not in the statement.
            declared(phase, LockClass::Share).allowing(HAZARD.name, "ON ONLY a partitioned table nothing is built"),
            &[step(print::create_index(&only), format!("DROP INDEX {parent}"))],
        )
        .note(note);
    for partition in partitions {
        let child = made_up(partition, std::slice::from_ref(&name), "part");
        let (up, child_name) = statement(index, partition, child.clone());
        form = form
            .migration(
                &struct_name("Index", &[&child]),
                building(index),
                &[step(up, format!("DROP INDEX CONCURRENTLY IF EXISTS {child_name}"))],
            )
            .migration(
                &struct_name("Attach", &[&child]),
                declared(Phase::Expand, LockClass::AccessExclusive),
                &[step_for_good(
                    format!("ALTER INDEX {parent} ATTACH PARTITION {child_name}"),
                    "an attached index goes with its parent",
                )],
            );
    }
    form
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, safe, shop, unknown};

    #[test]
    fn an_index_of_a_table_in_use() {
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, "CREATE INDEX ON orders (note)"), ["index-not-concurrent"]);
            let form = safe(&before, "CREATE INDEX idx ON orders (note) WHERE total > 5", "index-not-concurrent");
            assert!(form.contains("CREATE INDEX CONCURRENTLY idx ON orders"), "{form}");
            assert!(form.contains("DROP INDEX CONCURRENTLY IF EXISTS idx"), "{form}");
            safe(&before, "CREATE UNIQUE INDEX ON public.orders (code, (lower(note)))", "index-not-concurrent");
        }
    }

    #[test]
    fn an_index_of_a_new_table() {
        assert!(refused(&unknown(), "CREATE TABLE t (a int); CREATE INDEX ON t (a)").is_empty());
    }

    #[test]
    fn an_index_of_a_partitioned_table() {
        let form = safe(&shop(), "CREATE INDEX events_id_idx ON events (id)", "index-not-concurrent");
        assert!(
            form.contains("CREATE INDEX CONCURRENTLY events_2025_events_id_idx_part ON public.events_2025"),
            "{form}"
        );
        assert!(
            form.contains("ALTER INDEX events_id_idx ATTACH PARTITION public.events_2025_events_id_idx_part"),
            "{form}"
        );
    }

    #[test]
    fn in_a_block() {
        assert_eq!(refused(&shop(), "DO $$ BEGIN CREATE INDEX i ON orders (note); END $$"), ["index-not-concurrent"]);
    }
}

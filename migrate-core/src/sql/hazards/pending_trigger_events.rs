//! ALTER TABLE after rows of the table were written in the same transaction, while deferred checks of them are pending.

use super::together::split;
use super::{Finding, Hazard, MigrationContext, Severity};
use crate::sql::ast::{DmlKind, Stmt};
use crate::sql::name::Name;
use crate::sql::schema::Schema;
use std::collections::BTreeSet;

pub(super) static HAZARD: Hazard = Hazard {
    name: "pending-trigger-events",
    title: "ALTER, DROP or TRUNCATE of a table whose deferred constraints are still to be checked",
    severity: Severity::Blocking,
    why: "Rows were written in the same transaction, and a constraint INITIALLY DEFERRED is checked only at its end: PostgreSQL \
          refuses to change the table before (55006, pending trigger events).",
    lock: "None: the migration fails",
    safe: "Two migrations; or SET CONSTRAINTS ALL IMMEDIATE between the two steps.",
};

pub(super) fn detect(ctx: &MigrationContext<'_>) -> Vec<(usize, Finding)> {
    let mut found = Vec::new();
    if !ctx.transactional {
        return found;
    }
    let mut pending: BTreeSet<Name> = BTreeSet::new();
    for (at, step) in ctx.steps.iter().enumerate() {
        match &step.statement.stmt {
            Stmt::Query(query) => {
                for write in &query.writes {
                    let table = step.before.resolve(&write.table);
                    if has_deferred(step.before, &table, write.kind) {
                        pending.insert(table);
                    }
                }
            }
            Stmt::Setting { kind: "SET CONSTRAINTS", .. } => pending.clear(),
            Stmt::AlterTable(alter) => {
                let table = step.before.resolve(&alter.name);
                if !pending.contains(&table) {
                    continue;
                }
                let message = format!(
                    "step {} changes {table} while deferred checks of rows that an earlier step wrote are pending: PostgreSQL \
                     refuses that with 55006",
                    at + 1
                );
                found.push((at, Finding::new(&HAZARD, message).about(&table).safe(split(ctx.steps, at))));
            }
            _ => {}
        }
    }
    found
}

/// A constraint of the table, or a foreign key to it, is checked at the end of the transaction. Rows that come break no
/// key that references them.
fn has_deferred(schema: &Schema, table: &Name, written: DmlKind) -> bool {
    let own = schema
        .table(table)
        .is_some_and(|table| table.constraints.values().any(|constraint| constraint.initially_deferred));
    if written == DmlKind::Insert {
        return own;
    }
    own || schema.foreign_keys_to(table).iter().any(|key| {
        schema
            .table(key.table)
            .and_then(|table| table.constraints.get(key.constraint))
            .is_some_and(|constraint| constraint.initially_deferred)
    })
}

#[cfg(test)]
mod tests {
    use super::super::harness::{made_by, refused};

    #[test]
    fn deferred_checks() {
        let before = made_by(
            "CREATE TABLE a (id bigint PRIMARY KEY);
             CREATE TABLE b (id bigint REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);",
        );
        let write = "INSERT INTO b (id) VALUES (1)";
        let alter = "ALTER TABLE b ADD COLUMN note text";
        assert_eq!(refused(&before, &format!("{write}; {alter}")), ["pending-trigger-events"]);
        assert!(refused(&before, &format!("{write}; SET CONSTRAINTS ALL IMMEDIATE; {alter}")).is_empty());
        assert!(refused(&before, &format!("{alter}; {write}")).is_empty());
        let referenced = "ALTER TABLE a ADD COLUMN note text";
        assert!(refused(&before, &format!("INSERT INTO a VALUES (1); {referenced}")).is_empty());
        assert_eq!(
            refused(&before, &format!("UPDATE a SET id = 1 WHERE id = 2; {referenced}")),
            ["pending-trigger-events"]
        );
        assert!(refused(&made_by("CREATE TABLE b (id bigint)"), &format!("{write}; {alter}")).is_empty());
    }
}

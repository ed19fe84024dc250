//! Statements that only move or copy a table's files, and stop it meanwhile.

use super::case::{Case, waiting};
use super::safe_form::{SafeForm, declared, step_for_good, struct_name};
use super::{Finding, Hazard, Severity};
use crate::model::{LockClass, Phase, Work};
use crate::sql::ast::{ObjectKind, Stmt, TableAction};
use crate::sql::name::Name;

pub(super) static HAZARD: Hazard = Hazard {
    name: "physical-rewrite",
    title: "SET LOGGED / UNLOGGED, SET ACCESS METHOD, SET TABLESPACE, VACUUM FULL, CLUSTER",
    severity: Severity::Blocking,
    why: "The table's or index's file is copied while nobody can read or write the table; a copied index stops every query that is \
          planned with it.",
    lock: "ACCESS EXCLUSIVE on the table, or on the index",
    safe: "A new table with the property wanted, written by a trigger, filled by a backfill, and swapped by name; for an index a \
           new one CONCURRENTLY in the other tablespace; for bloat plain VACUUM, or REINDEX CONCURRENTLY. Or a window, allowed \
           by name.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    match case.stmt {
        Stmt::AlterTable(alter) => {
            let mut found = Vec::new();
            for action in &case.actions {
                let what = match action.action {
                    TableAction::SetLogged => "SET LOGGED",
                    TableAction::SetUnlogged => "SET UNLOGGED",
                    TableAction::SetAccessMethod { .. } => "SET ACCESS METHOD",
                    TableAction::SetTablespace { .. } => "SET TABLESPACE",
                    _ => continue,
                };
                let lock = case.lock_on(&action.relation);
                // An index's file is copied too, though no row of a table is.
                let of_index = alter.kind == ObjectKind::Index || case.before.index(&action.relation).is_some();
                if !lock.blocks_reads() || (action.work != Work::Rewrite && !(of_index && what == "SET TABLESPACE")) {
                    continue;
                }
                let form = match (of_index, action.action) {
                    (true, TableAction::SetTablespace { to }) => SafeForm::new().migration(
                        &struct_name("Move", &[&alter.name.name]),
                        declared(Phase::Expand, LockClass::ShareUpdateExclusive).alone(),
                        &[step_for_good(
                            format!(
                                "REINDEX (TABLESPACE {}) INDEX CONCURRENTLY {}",
                                crate::sql::name::quoted(to),
                                alter.name
                            ),
                            "an index that was rebuilt holds the same rows",
                        )],
                    ),
                    _ => new_table(&alter.name),
                };
                found.push(finding(what, lock, &action.relation).at(case.text, "set").safe(form));
            }
            found
        }
        Stmt::Vacuum { tables, full: true, .. } => copied(case, "VACUUM FULL", tables.iter().map(|(name, _)| name)),
        Stmt::Cluster { table, .. } => copied(case, "CLUSTER", table.iter()),
        Stmt::AlterAllInTablespace { kind, .. } => {
            let what = format!("ALTER {} ALL IN TABLESPACE", kind.sql());
            let message = format!(
                "{what} copies every {} in it, each under {}: {}",
                kind.sql().to_lowercase(),
                LockClass::AccessExclusive.sql(),
                waiting(LockClass::AccessExclusive)
            );
            vec![
                Finding::new(&HAZARD, message)
                    .safe(SafeForm::new().note("One relation a migration, each in its own safe form.")),
            ]
        }
        _ => Vec::new(),
    }
}

fn copied<'b>(case: &Case<'_>, what: &str, named: impl Iterator<Item = &'b Name>) -> Vec<Finding> {
    let mut tables = named.peekable();
    if tables.peek().is_none() {
        let lock = LockClass::AccessExclusive;
        let message = format!(
            "{what} without a table copies every table of the database, each under {}: {}",
            lock.sql(),
            waiting(lock)
        );
        return vec![Finding::new(&HAZARD, message).safe(vacuum(None))];
    }
    tables
        .filter_map(|table| {
            let relation = case.old(table)?;
            let lock = case.lock_on(&relation);
            lock.blocks_reads().then(|| finding(what, lock, &relation).safe(vacuum(Some(table))))
        })
        .collect()
}

fn finding(what: &str, lock: LockClass, relation: &Name) -> Finding {
    let message = super::case::held(what, lock, relation, "its file is copied", &[]);
    Finding::new(&HAZARD, message).about(relation)
}

/// Plain VACUUM makes the space usable again while the table is read and written.
fn vacuum(table: Option<&Name>) -> SafeForm {
    let (name, up) = match table {
        Some(table) => (struct_name("Vacuum", &[&table.name]), format!("VACUUM {table}")),
        None => ("VacuumEverything".to_owned(), "VACUUM".to_owned()),
    };
    SafeForm::new()
        .note("Plain VACUUM gives dead rows' space back to the table while it is read and written:")
        .migration(
            &name,
            declared(Phase::Expand, LockClass::ShareUpdateExclusive).alone(),
            &[step_for_good(up, "the rows are the same")],
        )
}

fn new_table(table: &Name) -> SafeForm {
    let new = Name { schema: table.schema.clone(), name: format!("{}_new", table.name) };
    SafeForm::new()
        .note("A new table that has the property from the start:")
        .migration(
            &struct_name("Create", &[&new.name]),
            declared(Phase::Expand, LockClass::AccessShare),
            &[super::safe_form::step(format!("CREATE TABLE {new} (LIKE {table} INCLUDING ALL)"), format!("DROP TABLE {new}"))],
        )
        .note(
            "With the property in its CREATE TABLE (UNLOGGED, USING method, TABLESPACE name); then a trigger that writes to both, a \
             backfill, and a migration that swaps the names.",
        )
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, safe, shop, unknown};

    #[test]
    fn files_are_copied() {
        for sql in [
            "ALTER TABLE orders SET UNLOGGED",
            "ALTER TABLE orders SET TABLESPACE fast",
            "ALTER INDEX orders_code_idx SET TABLESPACE fast",
            "VACUUM FULL orders",
            "VACUUM FULL",
            "CLUSTER orders USING orders_code_idx",
        ] {
            for before in [shop(), unknown()] {
                assert_eq!(refused(&before, sql), ["physical-rewrite"], "{sql}");
                safe(&before, sql, "physical-rewrite");
            }
        }
        assert!(refused(&shop(), "ALTER TABLE orders SET LOGGED").is_empty());
        assert!(refused(&shop(), "VACUUM orders").is_empty());
        assert!(refused(&unknown(), "CREATE TABLE t (a int); ALTER TABLE t SET UNLOGGED").is_empty());
    }
}

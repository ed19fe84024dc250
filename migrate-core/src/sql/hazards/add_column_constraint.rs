//! Constraints written inline in ADD COLUMN, which are checked, or whose index is built, under its lock.

use super::case::{Altered, Case, held};
use super::constraint_builds_index::using_index;
use super::constraint_not_valid::not_valid;
use super::safe_form::{SafeForm, declared, step, struct_name};
use super::{Finding, Hazard, Severity, not_null};
use crate::model::{LockClass, Phase, Work};
use crate::sql::ast::{ColumnDef, ConstraintDef, ConstraintKind, TableAction};
use crate::sql::name::quoted;
use crate::sql::print;

pub(super) static HAZARD: Hazard = Hazard {
    name: "add-column-constraint",
    title: "ADD COLUMN with inline CHECK, UNIQUE, PRIMARY KEY or REFERENCES that works through the table",
    severity: Severity::Blocking,
    why: "The constraint is checked for every row, or its index is built, while nobody can read or write the table. A nullable \
          column with REFERENCES and no default does not: there is nothing to look up.",
    lock: "ACCESS EXCLUSIVE on the table, SHARE ROW EXCLUSIVE on a referenced one",
    safe: "The column alone, then the constraint in its own non-blocking steps: NOT VALID and VALIDATE, or a unique index \
           CONCURRENTLY and USING INDEX.",
};

pub(super) static NOT_NULL: Hazard = Hazard {
    name: "add-column-not-null",
    title: "ADD COLUMN NOT NULL without a default",
    severity: Severity::Blocking,
    why: "It fails (23502) as soon as the table has a row, and clients that do not know the column cannot insert any more.",
    lock: "ACCESS EXCLUSIVE on the table",
    safe: "The column nullable, a default for new rows, a backfill for the old ones, then NOT NULL with a validated proof. Or a \
           constant default in ADD COLUMN, which touches no row.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (action, column) in added(case) {
        let Some(constraint) = column.constraints.iter().find(|constraint| works_through(constraint)) else { continue };
        let lock = case.lock_on(&action.relation);
        // What rewrites does worse already, and its safe form has the constraints in it.
        if !action.works() || action.work == Work::Rewrite || !lock.blocks_writes() || required(column) {
            continue;
        }
        let what = format!("ADD COLUMN {} with {}", quoted(&column.name), in_words(constraint));
        let work = match action.work {
            Work::IndexBuild => "an index is built",
            _ => "every row is checked",
        };
        found.push(
            Finding::new(&HAZARD, held(&what, lock, &action.relation, work, &action.because))
                .about(&action.relation)
                .at(case.text, "add")
                .safe(apart(case, action, column)),
        );
    }
    found
}

pub(super) fn detect_not_null(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (action, column) in added(case) {
        let lock = case.lock_on(&action.relation);
        if !required(column) || !action.works() || !lock.blocks_writes() {
            continue;
        }
        let message = format!(
            "ADD COLUMN {} NOT NULL without a default fails as soon as {} has a row, and while it looks, {} is held",
            quoted(&column.name),
            action.relation,
            lock.sql(),
        );
        found.push(
            Finding::new(&NOT_NULL, message)
                .about(&action.relation)
                .at(case.text, "not null")
                .safe(apart(case, action, column)),
        );
    }
    found
}

fn added<'b, 'a>(case: &'b Case<'a>) -> impl Iterator<Item = (&'b Altered<'a>, &'a ColumnDef)> {
    case.actions.iter().filter_map(|action| match action.action {
        TableAction::AddColumn { column, .. } => Some((action, &**column)),
        _ => None,
    })
}

/// NOT NULL, and nothing gives the rows that are there a value.
fn required(column: &ColumnDef) -> bool {
    let serial = column.data_type.as_ref().is_some_and(|data_type| data_type.name.name.starts_with("serial"));
    let filled = column.default.as_ref().is_some_and(|default| !default.null)
        || column.identity.is_some()
        || column.generated.is_some()
        || serial;
    column.not_null && !filled
}

fn works_through(constraint: &ConstraintDef) -> bool {
    !constraint.not_enforced && !matches!(constraint.kind, ConstraintKind::NotNull { .. })
}

fn in_words(constraint: &ConstraintDef) -> &'static str {
    match constraint.kind {
        ConstraintKind::Check(_) => "CHECK",
        ConstraintKind::Unique { .. } => "UNIQUE",
        ConstraintKind::PrimaryKey { .. } => "PRIMARY KEY",
        ConstraintKind::ForeignKey(_) => "REFERENCES",
        _ => "a constraint",
    }
}

/// The column alone, then each constraint in its safe form.
fn apart(case: &Case<'_>, action: &Altered<'_>, column: &ColumnDef) -> SafeForm {
    let table = &action.alter.name;
    let primary =
        column.constraints.iter().any(|constraint| matches!(constraint.kind, ConstraintKind::PrimaryKey { .. }));
    let must_be_filled = required(column) || (primary && column.default.is_none());
    let alone = ColumnDef {
        constraints: Vec::new(),
        not_null: column.not_null && !must_be_filled,
        null: false,
        ..column.clone()
    };
    let mut form = SafeForm::new().migration(
        &struct_name("Add", &[&table.name, &column.name]),
        declared(Phase::Expand, LockClass::AccessExclusive),
        &[step(
            format!("ALTER TABLE {table} ADD COLUMN {}", print::column(&alone)),
            format!("ALTER TABLE {table} DROP COLUMN {}", quoted(&column.name)),
        )],
    );
    let name = quoted(&column.name);
    if must_be_filled {
        form = form.note("With the value that old rows get:").backfill(
            &struct_name("Fill", &[&table.name, &column.name]),
            table,
            &case.key(&action.relation),
            &format!("{name} = VALUE"),
            &format!("{name} IS NULL"),
            "goes with the column",
        );
        if !primary {
            form = form.then(&not_null::proved(table, &column.name, case.pg));
        }
    }
    for constraint in &column.constraints {
        form = match &constraint.kind {
            ConstraintKind::Check(_) | ConstraintKind::ForeignKey(_) => form.then(&not_valid(case, table, constraint)),
            ConstraintKind::Unique { columns, .. } => form.then(&using_index(case, table, constraint, columns)),
            ConstraintKind::PrimaryKey { columns, .. } => form
                .then(&not_null::proved(table, &column.name, case.pg))
                .then(&using_index(case, table, constraint, columns)),
            _ => form,
        };
    }
    form
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, safe, shop, unknown};

    #[test]
    fn inline_constraints() {
        for sql in [
            "ALTER TABLE orders ADD COLUMN a integer CHECK (a > 0)",
            "ALTER TABLE orders ADD COLUMN a integer UNIQUE",
            "ALTER TABLE orders ADD COLUMN a bigint DEFAULT 1 REFERENCES users (id)",
        ] {
            for before in [shop(), unknown()] {
                assert_eq!(refused(&before, sql), ["add-column-constraint"], "{sql}");
                safe(&before, sql, "add-column-constraint");
            }
        }
        assert!(refused(&shop(), "ALTER TABLE orders ADD COLUMN a bigint REFERENCES users (id)").is_empty());
    }

    #[test]
    fn not_null_without_default() {
        let sql = "ALTER TABLE orders ADD COLUMN a integer NOT NULL";
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, sql), ["add-column-not-null"]);
        }
        safe(&shop(), sql, "add-column-not-null");
    }
}

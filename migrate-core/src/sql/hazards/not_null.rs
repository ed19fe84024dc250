//! NOT NULL on columns that hold rows already.

use super::case::{Case, held, made_up};
use super::safe_form::{SafeForm, declared, step, struct_name, validate};
use super::{Finding, Hazard, Severity};
use crate::model::{LockClass, PgRange, Phase};
use crate::sql::ast::{ConstraintKind, TableAction};
use crate::sql::name::{Name, quoted};

pub(super) static HAZARD: Hazard = Hazard {
    name: "set-not-null-scans",
    title: "SET NOT NULL without a validated proof",
    severity: Severity::Blocking,
    why: "The table is read from end to end while nobody can read or write it, unless a valid CHECK proves that there is no NULL.",
    lock: "ACCESS EXCLUSIVE on the table",
    safe: "CHECK (column IS NOT NULL) NOT VALID, VALIDATE it, then SET NOT NULL, which reads nothing, and drop the CHECK. From 18 \
           on: NOT NULL … NOT VALID, then VALIDATE.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for action in &case.actions {
        let (column, what) = match action.action {
            TableAction::SetNotNull { column } => (column, "SET NOT NULL"),
            TableAction::AddConstraint(constraint) if !constraint.not_valid => match &constraint.kind {
                ConstraintKind::NotNull { column } => (column, "ADD CONSTRAINT … NOT NULL"),
                _ => continue,
            },
            _ => continue,
        };
        let lock = case.lock_on(&action.relation);
        if !lock.blocks_writes() || !action.works() {
            continue;
        }
        let work = format!("every row is checked for NULL in {}", quoted(column));
        found.push(
            Finding::new(&HAZARD, held(what, lock, &action.relation, &work, &action.because))
                .about(&action.relation)
                .at(case.text, "not null")
                .safe(proved(&action.alter.name, column, case.pg)),
        );
    }
    found
}

/// NOT NULL without a scan under a strong lock; of other hazards too.
pub(super) fn proved(table: &Name, column: &str, pg: PgRange) -> SafeForm {
    // 18 names the constraint of SET NOT NULL `table_column_not_null`.
    let label = if pg.min() >= 18 { "not_null" } else { "is_not_null" };
    let constraint = made_up(table, &[column.to_owned()], label);
    let (name, column) = (quoted(&constraint), quoted(column));
    let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {name}");
    if pg.min() >= 18 {
        return SafeForm::new()
            .migration(
                &struct_name("Add", &[&constraint]),
                declared(Phase::Contract, LockClass::AccessExclusive),
                &[step(format!("ALTER TABLE {table} ADD CONSTRAINT {name} NOT NULL {column} NOT VALID"), drop)],
            )
            .migration(
                &struct_name("Validate", &[&constraint]),
                declared(Phase::Migrate, LockClass::ShareUpdateExclusive),
                &[validate(table, &constraint)],
            );
    }
    let add = format!("ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL)");
    SafeForm::new()
        .migration(
            &struct_name("Prove", &[&constraint]),
            declared(Phase::Contract, LockClass::AccessExclusive),
            &[step(format!("{add} NOT VALID"), drop.clone())],
        )
        .migration(
            &struct_name("Validate", &[&constraint]),
            declared(Phase::Migrate, LockClass::ShareUpdateExclusive),
            &[validate(table, &constraint)],
        )
        .migration(
            &struct_name("Set", &[&constraint]),
            // NULL is refused already.
            declared(Phase::Expand, LockClass::AccessExclusive),
            &[
                step(
                    format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"),
                    format!("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL"),
                ),
                step(drop, add),
            ],
        )
}

#[cfg(test)]
mod tests {
    use super::super::harness::{made_by, refused, safe, safe_on, shop, unknown};
    use crate::model::PgRange;

    const SQL: &str = "ALTER TABLE orders ALTER COLUMN note SET NOT NULL";

    #[test]
    fn without_proof() {
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, SQL), ["set-not-null-scans"]);
        }
        safe(&shop(), SQL, "set-not-null-scans");
        let form = safe_on(&shop(), SQL, "set-not-null-scans", PgRange::new(18, 18).unwrap());
        assert!(form.contains("NOT NULL note NOT VALID"), "{form}");
    }

    #[test]
    fn with_a_valid_check() {
        let proved = made_by("CREATE TABLE orders (note text, CHECK (note IS NOT NULL))");
        assert!(refused(&proved, SQL).is_empty());
        assert!(refused(&made_by("CREATE TABLE orders (note text NOT NULL)"), SQL).is_empty());
    }
}

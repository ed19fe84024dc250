//! CHECK and FOREIGN KEY constraints that check every row under the lock that adds them.

use super::case::{Altered, Case, free_name, held, made_up};
use super::safe_form::{SafeForm, declared, step, struct_name, validate};
use super::{Finding, Hazard, Severity};
use crate::model::{LockClass, Phase};
use crate::sql::ast::{ConstraintDef, ConstraintKind, TableAction};
use crate::sql::name::{Name, quoted};
use crate::sql::print;

pub(super) static CHECK: Hazard = Hazard {
    name: "check-not-valid",
    title: "ADD CHECK without NOT VALID",
    severity: Severity::Blocking,
    why: "The table is read from end to end while nobody can read or write it.",
    lock: "ACCESS EXCLUSIVE on the table",
    safe: "ADD CONSTRAINT … NOT VALID, which holds for new rows at once, then VALIDATE CONSTRAINT in a migration of its own, \
           which reads the table while it is written to.",
};

pub(super) static FOREIGN_KEY: Hazard = Hazard {
    name: "foreign-key-not-valid",
    title: "ADD FOREIGN KEY without NOT VALID",
    severity: Severity::Blocking,
    why: "Every row is looked up in the referenced table while nobody can write to either of the two.",
    lock: "SHARE ROW EXCLUSIVE on both tables",
    safe: "ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT in a migration of its own. Before 18 a partitioned table has no \
           NOT VALID foreign key: one on each partition.",
};
use std::fmt::Write;

pub(super) fn detect_check(case: &Case<'_>) -> Vec<Finding> {
    detect(case, &CHECK, "ADD CHECK", "every row is checked", |kind| matches!(kind, ConstraintKind::Check(_)))
}

pub(super) fn detect_foreign_key(case: &Case<'_>) -> Vec<Finding> {
    let work = "every row is looked up in the referenced table";
    detect(case, &FOREIGN_KEY, "ADD FOREIGN KEY", work, |kind| matches!(kind, ConstraintKind::ForeignKey(_)))
}

fn detect(
    case: &Case<'_>,
    hazard: &'static Hazard,
    what: &str,
    work: &str,
    which: fn(&ConstraintKind) -> bool,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for action in &case.actions {
        let TableAction::AddConstraint(constraint) = action.action else { continue };
        let lock = case.lock_on(&action.relation);
        if !which(&constraint.kind) || constraint.not_valid || !lock.blocks_writes() || !action.works() {
            continue;
        }
        let mut message = held(what, lock, &action.relation, work, &action.because);
        if let ConstraintKind::ForeignKey(key) = &constraint.kind
            && let Some(referenced) = case.old(&key.references)
            && referenced != action.relation
        {
            let _ = write!(message, "; {referenced} is locked {} too", case.lock_on(&referenced).sql());
        }
        found.push(
            Finding::new(hazard, message)
                .about(&action.relation)
                .at(case.text, "add")
                .safe(form(case, action, constraint)),
        );
    }
    found
}

fn form(case: &Case<'_>, action: &Altered<'_>, constraint: &ConstraintDef) -> SafeForm {
    let table = &action.alter.name;
    let partitioned_key =
        matches!(constraint.kind, ConstraintKind::ForeignKey(_)) && case.before.is_partitioned(&action.relation);
    if partitioned_key && case.pg.min() < 18 {
        let partitions = case.before.partitions_of(&action.relation);
        let mut form = SafeForm::new().note(
            "A foreign key of a partitioned table cannot be NOT VALID before PostgreSQL 18: one on each partition, which is \
             as good for the rows; the parent's own can be added once every partition has it.",
        );
        for partition in &partitions {
            form = form.then(&not_valid(case, partition, constraint));
        }
        return form;
    }
    not_valid(case, table, constraint)
}

/// ADD … NOT VALID and VALIDATE; of other hazards too.
pub(super) fn not_valid(case: &Case<'_>, table: &Name, constraint: &ConstraintDef) -> SafeForm {
    let name = constraint.name.clone().unwrap_or_else(|| free_name(case, table, made_up_name(table, constraint)));
    let (label, lock) = match &constraint.kind {
        ConstraintKind::ForeignKey(_) => ("Reference", LockClass::ShareRowExclusive),
        _ => ("Check", LockClass::AccessExclusive),
    };
    let named = ConstraintDef { name: Some(name.clone()), not_valid: true, ..constraint.clone() };
    SafeForm::new()
        .migration(
            &struct_name(label, &[&name]),
            declared(Phase::Contract, lock),
            &[step(
                format!("ALTER TABLE {table} ADD {}", print::constraint(&named)),
                format!("ALTER TABLE {table} DROP CONSTRAINT {}", quoted(&name)),
            )],
        )
        .migration(
            &struct_name("Validate", &[&name]),
            declared(Phase::Migrate, LockClass::ShareUpdateExclusive),
            &[validate(table, &name)],
        )
}

fn made_up_name(table: &Name, constraint: &ConstraintDef) -> String {
    match &constraint.kind {
        ConstraintKind::ForeignKey(key) => made_up(table, &key.columns, "fkey"),
        // `ChooseConstraintName` names the column only where the expression uses a single one.
        ConstraintKind::Check(check) => match check.columns.as_slice() {
            [only] => made_up(table, std::slice::from_ref(only), "check"),
            _ => made_up(table, &[], "check"),
        },
        _ => made_up(table, &[], "constraint"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{findings, refused, safe, shop, unknown};
    use crate::model::PgRange;

    #[test]
    fn check() {
        for before in [shop(), unknown()] {
            let sql = "ALTER TABLE orders ADD CONSTRAINT small CHECK (total < 1000)";
            assert_eq!(refused(&before, sql), ["check-not-valid"]);
            let form = safe(&before, sql, "check-not-valid");
            assert!(form.contains("VALIDATE CONSTRAINT small"), "{form}");
            safe(&before, "ALTER TABLE orders ADD CHECK (total < 1000)", "check-not-valid");
        }
    }

    #[test]
    fn foreign_key() {
        let sql = "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE";
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, sql), ["foreign-key-not-valid"]);
            safe(&before, sql, "foreign-key-not-valid");
        }
        let found = findings(&shop(), sql, PgRange::SUPPORTED, None);
        let message = &found.iter().find(|finding| finding.hazard.name == "foreign-key-not-valid").unwrap().message;
        assert!(message.contains("SHARE ROW EXCLUSIVE on public.orders"), "{message}");
        assert!(message.contains("public.users is locked SHARE ROW EXCLUSIVE too"), "{message}");
    }

    #[test]
    fn foreign_key_of_a_partitioned_table() {
        let sql = "ALTER TABLE events ADD CONSTRAINT fk FOREIGN KEY (id) REFERENCES users (id)";
        let form = safe(&shop(), sql, "foreign-key-not-valid");
        assert!(form.contains("ALTER TABLE public.events_2025 ADD CONSTRAINT fk"), "{form}");
    }

    #[test]
    fn beside_other_actions() {
        let sql = "ALTER TABLE orders ADD COLUMN a integer, ADD CONSTRAINT small CHECK (total < 1000) NOT VALID";
        assert!(refused(&shop(), sql).is_empty());
        let sql = "ALTER TABLE orders ADD COLUMN a integer, ADD CONSTRAINT small CHECK (total < 1000)";
        assert_eq!(refused(&shop(), sql), ["check-not-valid"]);
    }
}

//! Constraints of a domain, which every table with a column of it is read for.

use super::case::{Case, waiting};
use super::safe_form::{SafeForm, declared, step, step_for_good, struct_name};
use super::{Finding, Hazard, Severity};
use crate::model::{LockClass, Phase, Work};
use crate::sql::ast::{DomainAction, Stmt};
use crate::sql::name::{Name, quoted};
use crate::sql::schema::{Type, World};

pub(super) static HAZARD: Hazard = Hazard {
    name: "domain-constraint-scans",
    title: "ALTER DOMAIN … ADD CONSTRAINT or SET NOT NULL over a domain that columns use",
    severity: Severity::Blocking,
    why: "Every table with a column of the domain, or of a type that holds it, is locked against writes and read from end to end.",
    lock: "SHARE on every table with a column of the domain",
    safe: "ADD CONSTRAINT … NOT VALID, which holds for new values at once and locks nothing; then VALIDATE CONSTRAINT in a migration \
           of its own, at a quiet hour: it takes SHARE on those tables too while it reads them.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let Stmt::AlterDomain { name, action } = case.stmt else { return Vec::new() };
    let (what, check, label) = match action {
        DomainAction::AddCheck { name, expression, not_valid: false } => {
            ("ADD CONSTRAINT", expression.text.clone(), name.clone())
        }
        DomainAction::AddNotNull { name } => {
            ("ADD CONSTRAINT … NOT NULL", "VALUE IS NOT NULL".to_owned(), name.clone())
        }
        DomainAction::SetNotNull => ("SET NOT NULL", "VALUE IS NOT NULL".to_owned(), None),
        _ => return Vec::new(),
    };
    let listed = case.before.find_type(name).and_then(|found| case.before.types.get(&found));
    if matches!(listed, Some(Type::Domain(domain)) if domain.new) {
        return Vec::new();
    }
    let blocked = case.blocked_tables();
    let unknown = case.before.world == World::Open && blocked.is_empty();
    if !unknown && (blocked.is_empty() || case.facts.work == Work::Metadata) {
        return Vec::new();
    }
    let lock = blocked.iter().map(|(_, lock)| *lock).max().unwrap_or(LockClass::Share);
    let tables = if unknown {
        "every table with a column of it (none is known here)".to_owned()
    } else {
        blocked.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>().join(", ")
    };
    let message = format!(
        "ALTER DOMAIN {name} {what} takes {} on {tables} and reads each from end to end: {}",
        lock.sql(),
        waiting(lock)
    );
    let constraint = label.unwrap_or_else(|| format!("{}_check", name.name));
    let finding =
        Finding::new(&HAZARD, message).at(case.text, "alter domain").safe(not_valid(name, &constraint, &check));
    vec![Finding { relation: blocked.first().map(|(name, _)| (*name).clone()), ..finding }]
}

fn not_valid(domain: &Name, constraint: &str, check: &str) -> SafeForm {
    let named = quoted(constraint);
    SafeForm::new()
        .migration(
            &struct_name("Check", &[constraint]),
            declared(Phase::Contract, LockClass::None),
            &[step(
                format!("ALTER DOMAIN {domain} ADD CONSTRAINT {named} CHECK ({check}) NOT VALID"),
                format!("ALTER DOMAIN {domain} DROP CONSTRAINT {named}"),
            )],
        )
        .note("VALIDATE reads the tables under SHARE: writes wait meanwhile.")
        .migration(
            &struct_name("Validate", &[constraint]),
            declared(Phase::Migrate, LockClass::Share),
            &[step_for_good(
                format!("ALTER DOMAIN {domain} VALIDATE CONSTRAINT {named}"),
                "a constraint that was validated stays true",
            )],
        )
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, safe, shop, unknown};

    #[test]
    fn a_domain_that_columns_use() {
        let sql = "ALTER DOMAIN price ADD CONSTRAINT cheap CHECK (VALUE < 100)";
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, sql), ["domain-constraint-scans"]);
        }
        safe(&shop(), sql, "domain-constraint-scans");
        assert_eq!(refused(&shop(), "ALTER DOMAIN price SET NOT NULL"), ["domain-constraint-scans"]);
        assert!(refused(&shop(), "ALTER DOMAIN price ADD CONSTRAINT cheap CHECK (VALUE < 100) NOT VALID").is_empty());
    }

    #[test]
    fn a_domain_that_is_new() {
        let sql = "CREATE DOMAIN d AS integer; ALTER DOMAIN d ADD CHECK (VALUE > 0)";
        assert!(refused(&unknown(), sql).is_empty());
    }
}

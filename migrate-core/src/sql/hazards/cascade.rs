//! CASCADE, and DROP / REASSIGN OWNED: what goes is not what is written.

use super::case::Case;
use super::safe_form::SafeForm;
use super::{Finding, Hazard, Severity};
use crate::sql::ast::{AttributeAction, DomainAction, Drop, ObjectKind, Statement, Stmt, TableAction, Target};
use crate::sql::name::Name;
use crate::sql::schema::{Type, World};

pub(super) static CASCADE: Hazard = Hazard {
    name: "cascade",
    title: "DROP … CASCADE, TRUNCATE … CASCADE",
    severity: Severity::Blocking,
    why: "It takes along whatever depends on the object on that server at that moment: views, foreign keys, and with a type, domain or \
          extension whole columns. What another migration or person added goes too, and no down brings it back.",
    lock: "ACCESS EXCLUSIVE on every relation that it reaches",
    safe: "Each object that goes as a step of its own, with its own down; then the object without CASCADE, which fails if something \
           was forgotten.",
};

pub(super) static OWNED: Hazard = Hazard {
    name: "drop-owned",
    title: "DROP OWNED, REASSIGN OWNED",
    severity: Severity::Blocking,
    why: "Everything that a role owns in this database goes, or changes hands, and every privilege it has is revoked: which objects \
          those are is decided on the server.",
    lock: "ACCESS EXCLUSIVE on every relation that it reaches",
    safe: "Each object as a step of its own: DROP, ALTER … OWNER TO, REVOKE.",
};
use std::fmt::Write;

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    let reached = match case.stmt {
        Stmt::Drop(drop) if drop.cascade && drop.kind != ObjectKind::Owned => {
            let old = drop.targets.iter().find(|target| !is_new(case, target));
            old.map(|target| (format!("DROP {} {} CASCADE", drop.kind.sql(), target.name), relation_of(case, target)))
        }
        Stmt::Truncate { tables, cascade: true, .. } => tables
            .iter()
            .find_map(|(table, _)| case.old(table))
            .map(|table| (format!("TRUNCATE {table} CASCADE"), Some(table))),
        Stmt::AlterTable(_) => case.actions.iter().find_map(|action| match action.action {
            TableAction::DropColumn { name, cascade: true, .. } => {
                Some((format!("DROP COLUMN {} CASCADE", crate::sql::name::quoted(name)), Some(action.relation.clone())))
            }
            TableAction::DropConstraint { name, cascade: true, .. } => Some((
                format!("DROP CONSTRAINT {} CASCADE", crate::sql::name::quoted(name)),
                Some(action.relation.clone()),
            )),
            _ => None,
        }),
        Stmt::AlterDomain { name, action: DomainAction::DropConstraint { cascade: true, .. } } => {
            Some((format!("ALTER DOMAIN {name} DROP CONSTRAINT … CASCADE"), None))
        }
        Stmt::AlterComposite { name, actions } => actions
            .iter()
            .any(|action| matches!(action, AttributeAction::Drop { cascade: true, .. }))
            .then(|| (format!("ALTER TYPE {name} DROP ATTRIBUTE … CASCADE"), None)),
        _ => None,
    };
    let Some((what, relation)) = reached else { return Vec::new() };
    if is_needless(case) {
        return Vec::new();
    }
    let also: Vec<String> = case
        .facts
        .changes
        .iter()
        .filter(|change| change.verb == crate::model::Verb::Take)
        .map(|change| format!("{} {}", change.object.noun, change.object.name))
        .collect();
    let mut message = format!("{what} takes along whatever depends on it on the server");
    if also.len() > 1 {
        let _ = write!(message, "; as far as known: {}", also.join(", "));
    }
    let form = SafeForm::new()
        .note("Each of them as a step of its own, with its own down; then the same statement without CASCADE.");
    let finding = Finding::new(&CASCADE, message).at(case.text, "cascade").safe(form);
    vec![Finding { relation, ..finding }]
}

/// Whether everything is known, and the statement would do without CASCADE: nothing depends on what it drops.
fn is_needless(case: &Case<'_>) -> bool {
    let without = match case.stmt {
        Stmt::Drop(drop) => Stmt::Drop(Drop { cascade: false, ..drop.clone() }),
        Stmt::Truncate { tables, restart_identity, .. } => {
            Stmt::Truncate { tables: tables.clone(), restart_identity: *restart_identity, cascade: false }
        }
        Stmt::AlterTable(alter) => {
            let mut alter = alter.clone();
            for action in &mut alter.actions {
                if let TableAction::DropColumn { cascade, .. } | TableAction::DropConstraint { cascade, .. } = action {
                    *cascade = false;
                }
            }
            Stmt::AlterTable(alter)
        }
        _ => return false,
    };
    let statement = Statement { span: 0..case.text.len(), text: case.text.to_owned(), stmt: without };
    case.before.world == World::Closed
        && case.pg.versions().all(|version| case.before.clone().apply(&statement, version).is_ok())
}

fn is_new(case: &Case<'_>, target: &Target) -> bool {
    match target.kind {
        ObjectKind::Type | ObjectKind::Domain => {
            let listed = case.before.find_type(&target.name).and_then(|name| case.before.types.get(&name));
            match listed {
                Some(Type::Defined { new, .. }) => *new,
                Some(Type::Domain(domain)) => domain.new,
                Some(Type::Mentioned { .. }) | None => false,
            }
        }
        ObjectKind::Table
        | ObjectKind::ForeignTable
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::Sequence
        | ObjectKind::Index => case.old(&target.name).is_none(),
        ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy => {
            target.on.as_ref().is_some_and(|table| case.old(table).is_none())
        }
        _ => false,
    }
}

fn relation_of(case: &Case<'_>, target: &Target) -> Option<Name> {
    let relation = match target.kind {
        ObjectKind::Table
        | ObjectKind::ForeignTable
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::Sequence
        | ObjectKind::Index => Some(&target.name),
        _ => target.on.as_ref(),
    };
    relation.map(|name| case.before.resolve(name))
}

pub(super) fn detect_owned(case: &Case<'_>) -> Vec<Finding> {
    let what = match case.stmt {
        Stmt::Drop(drop) if drop.kind == ObjectKind::Owned => "DROP OWNED",
        Stmt::ReassignOwned { .. } => "REASSIGN OWNED",
        _ => return Vec::new(),
    };
    vec![Finding::new(&OWNED, format!("which objects {what} reaches is decided on the server"))]
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, shop, unknown};

    #[test]
    fn takes_more_than_it_says() {
        for before in [shop(), unknown()] {
            for sql in [
                "DROP TABLE users CASCADE",
                "DROP TYPE mood CASCADE",
                "TRUNCATE users CASCADE",
                "ALTER TABLE orders DROP COLUMN total CASCADE",
            ] {
                assert!(refused(&before, sql).contains(&"cascade"), "{sql}");
            }
            assert_eq!(refused(&before, "DROP OWNED BY somebody"), ["drop-owned"]);
            assert_eq!(refused(&before, "REASSIGN OWNED BY somebody TO other"), ["drop-owned"]);
        }
        let sql = "ALTER TABLE users DROP COLUMN full_name CASCADE";
        assert_eq!(refused(&unknown(), sql), ["cascade"]);
        assert!(refused(&shop(), sql).is_empty(), "nothing depends on it");
        assert!(refused(&unknown(), "CREATE TABLE t (a int); DROP TABLE t CASCADE").is_empty());
    }
}

//! Things that need only a moment's lock, and yet are worth knowing on a table that is in use. All advice.

use super::case::{Case, waiting};
use super::safe_form::SafeForm;
use super::{Finding, Hazard, Severity};
use crate::sql::ast::{ConstraintKind, ObjectKind, Stmt, TableAction};
use crate::sql::name::{Name, quoted};
use crate::sql::schema::Fact;

pub(super) static SECOND: Hazard = Hazard {
    name: "second-table-locked",
    title: "A hidden second table: a foreign key made or dropped, or its table dropped",
    severity: Severity::Advice,
    why: "Foreign keys hang on triggers of both tables, so that making or dropping one locks the referenced table as strongly as the \
          one that is named.",
    lock: "ACCESS EXCLUSIVE on both tables to drop one, SHARE ROW EXCLUSIVE to make one",
    safe: "The foreign key made (NOT VALID) or dropped alone, under a short lock timeout; then the rest, which locks one table.",
};

pub(super) static BEHAVIOUR: Hazard = Hazard {
    name: "trigger-on-live-table",
    title: "Triggers, rules, policies or row security of a table in use",
    severity: Severity::Advice,
    why: "What every client's statement does, or is allowed, changes from one moment to the next; the lock is short but strong.",
    lock: "SHARE ROW EXCLUSIVE for triggers; ACCESS EXCLUSIVE for rules, policies and row security",
    safe: "In a migration of its own, while clients that do not expect it are gone.",
};

pub(super) static ON_CONFLICT: Hazard = Hazard {
    name: "on-conflict-broken",
    title: "A unique index or constraint dropped that ON CONFLICT may name",
    severity: Severity::Advice,
    why: "INSERT … ON CONFLICT (columns) fails (42P10) as soon as no unique index over those columns is left.",
    lock: "ACCESS EXCLUSIVE on the table, for a moment; then its upserts fail",
    safe: "Another unique index over the same columns first, or no such statement in any client left.",
};

pub(super) static PREPARED: Hazard = Hazard {
    name: "prepared-select-star",
    title: "A column added or dropped while clients have SELECT * prepared",
    severity: Severity::Advice,
    why: "The next execution of a prepared SELECT * fails (0A000, cached plan must not change result type).",
    lock: "ACCESS EXCLUSIVE on the table, for a moment",
    safe: "Columns named in every prepared statement; or clients that prepare again after 0A000.",
};

pub(super) static SEARCH_PATH: Hazard = Hazard {
    name: "index-expression-search-path",
    title: "An index expression whose function depends on search_path",
    severity: Severity::Advice,
    why: "From 17 on, indexes are built and maintained by REINDEX, VACUUM and ANALYZE with search_path set to pg_catalog alone: a \
          function that looks up names without schema fails there.",
    lock: "None: the build, or a later REINDEX, fails",
    safe: "Schema-qualified names in the function's body, or SET search_path in its definition.",
};

pub(super) fn detect_second(case: &Case<'_>) -> Vec<Finding> {
    let named: Vec<Name> = match case.stmt {
        Stmt::Drop(drop) if matches!(drop.kind, ObjectKind::Table | ObjectKind::Schema) => {
            drop.targets.iter().map(|target| case.before.resolve(&target.name)).collect()
        }
        Stmt::AlterTable(alter) => {
            let concerns = alter.actions.iter().any(|action| {
                matches!(
                    action,
                    TableAction::DropConstraint { .. } | TableAction::DropColumn { .. } | TableAction::SetType { .. }
                ) || matches!(action, TableAction::AddConstraint(constraint)
                    if matches!(constraint.kind, ConstraintKind::ForeignKey(_)))
            });
            if !concerns {
                return Vec::new();
            }
            let table = case.before.resolve(&alter.name);
            let family = case.before.descendants_of(&table);
            std::iter::once(table).chain(family).collect()
        }
        _ => return Vec::new(),
    };
    case.blocked_tables()
        .into_iter()
        .filter(|(name, lock)| lock.blocks_writes() && !named.contains(name))
        .map(|(name, lock)| {
            let first = named.first().map_or_else(String::new, |first| format!(" besides {first}"));
            let message = format!("{} is taken on {name} too{first}: {}", lock.sql(), waiting(lock));
            let finding = Finding::new(&SECOND, message).about(name);
            // One that is made locks both tables in any form.
            if lock.blocks_reads() { finding.safe(drop_keys_first(case, name, &named)) } else { finding }
        })
        .collect()
}

/// The foreign keys between the named tables and the second one, each dropped alone.
fn drop_keys_first(case: &Case<'_>, second: &Name, named: &[Name]) -> SafeForm {
    use super::safe_form::{declared, step, struct_name};
    use crate::model::{LockClass, Phase};
    let mut form = SafeForm::new();
    for key in case.before.all_foreign_keys() {
        let between = (named.contains(key.table) && key.key.references == *second)
            || (key.table == second && named.contains(&key.key.references));
        if !between {
            continue;
        }
        let definition = crate::sql::print::constraint(&crate::sql::ast::ConstraintDef {
            name: Some(key.constraint.to_owned()),
            kind: ConstraintKind::ForeignKey(key.key.clone()),
            not_valid: false,
            deferrable: false,
            initially_deferred: false,
            no_inherit: false,
            not_enforced: false,
        });
        // One that only refused is missed by nobody.
        let acts = [&key.key.on_delete, &key.key.on_update].into_iter().flatten();
        let acts = acts.into_iter().any(|action| !matches!(action.as_str(), "NO ACTION" | "RESTRICT"));
        let phase = if acts { Phase::Contract } else { Phase::Expand };
        form = form.migration(
            &struct_name("Drop", &[key.constraint]),
            declared(phase, LockClass::AccessExclusive),
            &[step(
                format!("ALTER TABLE {} DROP CONSTRAINT {}", key.table, quoted(key.constraint)),
                format!("ALTER TABLE {} ADD {definition}", key.table),
            )],
        );
    }
    form
}

pub(super) fn detect_behaviour(case: &Case<'_>) -> Vec<Finding> {
    let (table, what) = match case.stmt {
        Stmt::CreateTrigger(trigger) => (Some(&trigger.table), "CREATE TRIGGER"),
        Stmt::CreateRule { table, .. } => (Some(table), "CREATE RULE"),
        Stmt::CreatePolicy(policy) => (Some(&policy.table), "CREATE POLICY"),
        Stmt::AlterPolicy { table, .. } => (Some(table), "ALTER POLICY"),
        Stmt::Drop(drop) => match drop.kind {
            ObjectKind::Trigger => (drop.targets.first().and_then(|target| target.on.as_ref()), "DROP TRIGGER"),
            ObjectKind::Rule => (drop.targets.first().and_then(|target| target.on.as_ref()), "DROP RULE"),
            ObjectKind::Policy => (drop.targets.first().and_then(|target| target.on.as_ref()), "DROP POLICY"),
            _ => return Vec::new(),
        },
        Stmt::AlterTable(alter) => {
            let what = alter.actions.iter().find_map(|action| match action {
                TableAction::EnableTrigger { .. } | TableAction::DisableTrigger { .. } => {
                    Some("ENABLE / DISABLE TRIGGER")
                }
                TableAction::EnableRule { .. } | TableAction::DisableRule { .. } => Some("ENABLE / DISABLE RULE"),
                TableAction::RowSecurity(_) => Some("ROW LEVEL SECURITY"),
                _ => None,
            });
            match what {
                Some(what) => (Some(&alter.name), what),
                None => return Vec::new(),
            }
        }
        _ => return Vec::new(),
    };
    let Some(table) = table.and_then(|table| case.old(table)) else { return Vec::new() };
    let lock = case.lock_on(&table);
    if !lock.blocks_writes() {
        return Vec::new();
    }
    let message =
        format!("{what} changes what every client's statement on {table} does, and takes {} for a moment", lock.sql());
    vec![Finding::new(&BEHAVIOUR, message).about(&table)]
}

pub(super) fn detect_on_conflict(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |table: &Name, what: String| {
        let message = format!("{what}: ON CONFLICT over its columns of {table} fails from then on (42P10)");
        found.push(Finding::new(&ON_CONFLICT, message).about(table).at(case.text, "drop"));
    };
    for action in &case.actions {
        let TableAction::DropConstraint { name, .. } = action.action else { continue };
        let unique = case.constraint(&action.relation, name).is_some_and(|constraint| {
            matches!(constraint.kind, Fact::Known(ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. }))
        });
        if unique {
            add(&action.relation, format!("DROP CONSTRAINT {}", quoted(name)));
        }
    }
    if let Stmt::Drop(drop) = case.stmt
        && drop.kind == ObjectKind::Index
    {
        for target in &drop.targets {
            let Some(index) = case.old(&target.name) else { continue };
            let listed = case.before.index(&index);
            let table = listed.and_then(|listed| listed.table.known()).filter(|table| case.is_old(table));
            if let Some(table) = table
                && listed.is_some_and(|listed| listed.unique == Fact::Known(true))
            {
                add(table, format!("DROP INDEX {index}"));
            }
        }
    }
    found
}

pub(super) fn detect_prepared(case: &Case<'_>) -> Vec<Finding> {
    let changes = case.actions.iter().find(|action| {
        matches!(
            action.action,
            TableAction::AddColumn { .. }
                | TableAction::DropColumn { .. }
                | TableAction::SetType { .. }
                | TableAction::RenameColumn { .. }
        )
    });
    let Some(action) = changes else { return Vec::new() };
    let message = format!("a SELECT * from {} that a client has prepared fails once (0A000)", action.relation);
    vec![Finding::new(&PREPARED, message).about(&action.relation)]
}

pub(super) fn detect_search_path(case: &Case<'_>) -> Vec<Finding> {
    let Stmt::CreateIndex(index) = case.stmt else { return Vec::new() };
    if case.pg.max() < 17 {
        return Vec::new();
    }
    let expressions = index.elements.iter().filter_map(|element| element.expression.as_ref()).chain(&index.predicate);
    let own = expressions.flat_map(|expression| &expression.functions).find(|function| {
        case.before.find_functions(function).is_some()
            || function.schema.as_deref().is_some_and(|schema| schema != "pg_catalog")
    });
    let Some(function) = own else { return Vec::new() };
    let message =
        format!("{function} runs with search_path = pg_catalog from 17 on: names without schema in it are not found");
    vec![Finding::new(&SEARCH_PATH, message).about(&case.before.resolve(&index.table))]
}

#[cfg(test)]
mod tests {
    use super::super::harness::{advised, refused, shop};

    #[test]
    fn a_second_table() {
        let sql = "ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey";
        assert!(advised(&shop(), sql).contains(&"second-table-locked"));
        assert!(refused(&shop(), sql).is_empty());
        assert!(advised(&shop(), "DROP TABLE notes").contains(&"second-table-locked"));
        assert!(!advised(&shop(), "DROP TABLE people").contains(&"second-table-locked"));
    }

    #[test]
    fn behaviour_and_upserts() {
        assert!(advised(&shop(), "ALTER TABLE orders ENABLE ROW LEVEL SECURITY").contains(&"trigger-on-live-table"));
        assert!(advised(&shop(), "DROP INDEX CONCURRENTLY users_email_idx").contains(&"on-conflict-broken"));
        assert!(!advised(&shop(), "DROP INDEX CONCURRENTLY orders_code_idx").contains(&"on-conflict-broken"));
        assert!(advised(&shop(), "ALTER TABLE orders ADD COLUMN a integer").contains(&"prepared-select-star"));
    }
}

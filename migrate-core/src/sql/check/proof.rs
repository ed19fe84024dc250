//! Proofs that are dropped where they were used: SET NOT NULL reads no row if a valid CHECK proves that there is no NULL, and
//! the step that drops the CHECK afterwards has, in its down, the witness that it was there.

use super::declaration::{Declaration, DownDeclaration, StepDeclaration};
use crate::sql::ast::{AlterTable, ConstraintDef, ConstraintKind, Statement, Stmt, TableAction};
use crate::sql::parse::parse;
use crate::sql::schema::{Constraint, Fact, Relation, Schema, World};

/// Adds to the schema before step `at`, which sets NOT NULL, the CHECKs of its table that later steps drop.
pub(super) fn dropped_later(at: usize, statement: &Statement, declaration: &Declaration, before: &mut Schema) {
    let Stmt::AlterTable(alter) = &statement.stmt else { return };
    let sets = alter.actions.iter().any(|action| matches!(action, TableAction::SetNotNull { .. }));
    let table = before.resolve(&alter.name);
    if !sets || before.world == World::Closed || before.is_new(&table) {
        return;
    }
    for later in declaration.steps.iter().skip(at + 1) {
        let StepDeclaration::Statement { up, down: Some(DownDeclaration::Sql(downs)), .. } = later else { continue };
        let Some(dropped) = only(&up.text) else { continue };
        for down in downs {
            let Some(added) = only(&down.text) else { continue };
            if before.resolve(&dropped.name) != table || before.resolve(&added.name) != table {
                continue;
            }
            for check in checks(&added) {
                let Some(name) = check.name.clone().filter(|name| drops(&dropped, name)) else { continue };
                let Some(Relation::Table(listed)) = before.relations.get_mut(&table) else { continue };
                listed.constraints.entry(name).or_insert_with(|| witnessed(check));
            }
        }
    }
}

/// The one ALTER TABLE that the text is. Text that does not parse is refused where its own step is read.
fn only(text: &str) -> Option<AlterTable> {
    match parse(text).ok()?.into_iter().next()?.stmt {
        Stmt::AlterTable(alter) => Some(alter),
        _ => None,
    }
}

fn drops(alter: &AlterTable, constraint: &str) -> bool {
    alter.actions.iter().any(|action| matches!(action, TableAction::DropConstraint { name, .. } if name == constraint))
}

fn checks(alter: &AlterTable) -> impl Iterator<Item = &ConstraintDef> {
    alter.actions.iter().filter_map(|action| match action {
        TableAction::AddConstraint(check)
            if matches!(check.kind, ConstraintKind::Check(_)) && !check.not_valid && !check.not_enforced =>
        {
            Some(check)
        }
        _ => None,
    })
}

/// The constraint as one that was validated before the migration.
fn witnessed(check: &ConstraintDef) -> Constraint {
    Constraint {
        kind: Fact::Known(check.kind.clone()),
        validated: Fact::Known(true),
        enforced: true,
        deferrable: false,
        initially_deferred: false,
        no_inherit: check.no_inherit,
        index: None,
        inherited: false,
        local: true,
    }
}

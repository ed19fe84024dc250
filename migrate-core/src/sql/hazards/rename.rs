//! A column, table or view renamed while clients name it: whichever release runs, old or new, one of them fails.

use super::safe_form::{SafeForm, string};
use super::{Finding, Hazard, MigrationContext, Severity, StepContext};
use crate::sql::ast::{ObjectKind, Stmt, TableAction};
use crate::sql::name::{Name, quoted};

pub(super) static HAZARD: Hazard = Hazard {
    name: "rename-in-use",
    title: "A column, table or view renamed that was there before",
    severity: Severity::Blocking,
    why: "At the moment of the rename every statement that names the old one fails, and until then every statement that names \
          the new one did: there is no order of deploy and migration in which no client fails.",
    lock: "ACCESS EXCLUSIVE on the relation, for a moment",
    safe: "For a column, a second one beside it, kept alike by `#[sync]` until no client names the old one. For a table, a view \
           under the old name in the same migration.",
};

/// A name that a step takes away, and the one it gives.
struct Renamed {
    relation: Name,
    /// Of a column, its old name.
    column: Option<String>,
    to: String,
}

pub(super) fn detect(ctx: &MigrationContext<'_>) -> Vec<(usize, Finding)> {
    let mut found = Vec::new();
    for (at, step) in ctx.steps.iter().enumerate() {
        for renamed in renames(step) {
            let is_old = !step.before.is_new(&renamed.relation);
            let swapped = ctx.transactional
                && (ctx.steps[..at].iter().flat_map(renames).any(|earlier| took_away(&earlier, &renamed))
                    || ctx.steps[at + 1..].iter().any(|later| gives_back(later, &renamed)));
            if is_old && !swapped {
                found.push((at, finding(&renamed)));
            }
        }
    }
    found
}

fn renames(step: &StepContext<'_>) -> Vec<Renamed> {
    match &step.statement.stmt {
        Stmt::AlterTable(alter) => {
            let relation = step.before.resolve(&alter.name);
            let is_index = matches!(alter.kind, ObjectKind::Index | ObjectKind::Sequence)
                || step.before.index(&relation).is_some()
                || step.before.sequence(&relation).is_some();
            let renames = alter.actions.iter().filter_map(|action| match action {
                TableAction::RenameColumn { name, to } => {
                    Some(Renamed { relation: relation.clone(), column: Some(name.clone()), to: to.clone() })
                }
                TableAction::RenameTo { to } if !is_index => {
                    Some(Renamed { relation: relation.clone(), column: None, to: to.clone() })
                }
                _ => None,
            });
            renames.collect()
        }
        _ => Vec::new(),
    }
}

/// Whether the earlier rename freed the name that this one gives: the two are a swap.
fn took_away(earlier: &Renamed, renamed: &Renamed) -> bool {
    match (&earlier.column, &renamed.column) {
        (Some(column), Some(_)) => earlier.relation == renamed.relation && *column == renamed.to,
        (None, None) => earlier.relation.schema == renamed.relation.schema && earlier.relation.name == renamed.to,
        _ => false,
    }
}

/// Whether a later step of the same transaction makes something of the old name again.
fn gives_back(later: &StepContext<'_>, renamed: &Renamed) -> bool {
    let again = renames(later).into_iter().any(|other| took_away(renamed, &other));
    again
        || match &later.statement.stmt {
            Stmt::CreateView(view) => renamed.column.is_none() && later.before.resolve(&view.name) == renamed.relation,
            Stmt::AlterTable(alter) => {
                let adds = |column: &String| {
                    alter.actions.iter().any(
                        |action| matches!(action, TableAction::AddColumn { column: added, .. } if added.name == *column),
                    )
                };
                later.before.resolve(&alter.name) == renamed.relation && renamed.column.as_ref().is_some_and(adds)
            }
            _ => false,
        }
}

fn finding(renamed: &Renamed) -> Finding {
    let Renamed { relation, column, to } = renamed;
    let new = quoted(to);
    let (message, safe) = match column {
        Some(column) => {
            let old = quoted(column);
            (
                format!(
                    "column {old} of {relation} becomes {new}: clients that name {old} fail from then on, and those that name {new} until then"
                ),
                format!(
                    "Both names live side by side until no client names the old one. 1. Expand: ALTER TABLE {relation} ADD COLUMN \
                     {new} of the same type, and in a migration of its own #[sync(table = {table}, old = {from}, new = {into}, \
                     forward = {from}, backward = {into})]. 2. Migrate: #[backfill(table = {table}, set = {set}, filter = \
                     {filter}, …)]. 3. Contract, when no client names {old}: #[sync(drop, …)] with the same, then DROP COLUMN \
                     {old}.",
                    table = string(&relation.to_string()),
                    from = string(&old),
                    into = string(&new),
                    set = string(&format!("{new} = {old}")),
                    filter = string(&format!("{new} IS NULL AND {old} IS NOT NULL")),
                ),
            )
        }
        None => (
            format!(
                "{relation} becomes {new}: clients that name the old one fail from then on, and those that name {new} until then"
            ),
            format!(
                "A view keeps the old name in the same migration, as its next step, and takes reads and writes: CREATE VIEW {relation} AS \
                 SELECT * FROM {new}. A Contract drops it when no client names it any more.",
            ),
        ),
    };
    Finding::new(&HAZARD, message).about(relation).safe(SafeForm::new().note(&safe))
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, safe, shop, unknown};

    #[test]
    fn names_in_use() {
        for before in [shop(), unknown()] {
            for sql in [
                "ALTER TABLE orders RENAME COLUMN note TO remark",
                "ALTER TABLE orders RENAME TO purchases",
                "ALTER TABLE orders RENAME COLUMN note TO remark; ALTER TABLE orders ADD COLUMN other text",
            ] {
                assert_eq!(refused(&before, sql), ["rename-in-use"], "{sql}");
            }
        }
    }

    #[test]
    fn names_in_quotes_are_rust_strings_in_the_safe_form() {
        let form = safe(&unknown(), r#"ALTER TABLE orders RENAME COLUMN "Note" TO remark"#, "rename-in-use");
        let form = form.replace("\n//", "");
        assert!(form.contains("old = r#\"\"Note\"\"#, new = \"remark\""), "{form}");
        assert!(form.contains("set = r#\"remark = \"Note\"\"#"), "{form}");
    }

    #[test]
    fn names_that_stay_or_nobody_knows() {
        for before in [shop(), unknown()] {
            for sql in [
                "CREATE TABLE carts (id bigint, a text); ALTER TABLE carts RENAME COLUMN a TO b; ALTER TABLE carts RENAME TO baskets",
                "ALTER TABLE orders RENAME COLUMN note TO note_old; ALTER TABLE orders RENAME COLUMN code TO note",
                "ALTER TABLE orders RENAME TO purchases; CREATE VIEW orders AS SELECT * FROM purchases",
                "ALTER TABLE orders RENAME CONSTRAINT orders_total_check TO positive",
                "ALTER INDEX orders_code_idx RENAME TO by_code",
            ] {
                assert!(refused(&before, sql).is_empty(), "{sql}: {:?}", refused(&before, sql));
            }
        }
    }
}

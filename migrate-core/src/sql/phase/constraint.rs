//! The phase of constraints: they refuse rows that were accepted, unless what they say held already.

use super::Judge;
use super::left_out::{LeftOut, is_null_with, refuses};
use crate::model::Phase;
use crate::sql::ast::{ConstraintDef, ConstraintKind, Expr};
use crate::sql::name::Name;

impl Judge<'_> {
    pub(super) fn add_constraint(&self, table: &Name, constraint: &ConstraintDef) -> Phase {
        let fresh = |column: &String| self.column_is_fresh(table, column);
        let left_out = |column: &String| self.left_out(table, column);
        // Rows without the new column never meet in it, whatever stands in the old ones.
        let distinct = |columns: &[String], nulls_not_distinct: bool| {
            columns.iter().any(|column| fresh(column) && left_out(column).is_never_the_same(nulls_not_distinct))
        };
        let expands = match &constraint.kind {
            ConstraintKind::Check(check) => {
                let proved = !check.proves_not_null.is_empty()
                    && says_nothing_else(check)
                    && check.proves_not_null.iter().all(|column| self.proved_not_null(table, column));
                let columns = check.columns.iter().map(|column| (column.as_str(), left_out(column)));
                let only_new = !check.columns.is_empty()
                    && check.columns.iter().all(fresh)
                    && !refuses(check, &columns.collect::<Vec<_>>());
                // What is NULL is accepted, whatever the old columns hold.
                let unseen =
                    |column: &String| fresh(column) && left_out(column) == LeftOut::Null && is_null_with(check, column);
                proved || only_new || check.columns.iter().any(unseen) || constraint.not_enforced
            }
            ConstraintKind::NotNull { column } => self.proved_not_null(table, column),
            // A row in which one column is NULL is not looked up, unless MATCH FULL wants all or none.
            ConstraintKind::ForeignKey(key) => {
                let full = key.match_type.as_deref() == Some("FULL");
                let unseen = |column: &String| fresh(column) && left_out(column) == LeftOut::Null;
                constraint.not_enforced
                    || (!key.columns.is_empty() && key.columns.iter().all(fresh))
                    || (!full && key.columns.iter().any(unseen))
            }
            ConstraintKind::Unique { columns, nulls_not_distinct, .. } => distinct(columns, *nulls_not_distinct),
            ConstraintKind::Exclude { columns, .. } => distinct(columns, false),
            ConstraintKind::PrimaryKey { .. } => false,
            // The index refuses duplicates already.
            ConstraintKind::UniqueUsingIndex { .. } => true,
            ConstraintKind::PrimaryKeyUsingIndex { index } => {
                let name = Name { schema: self.before.resolve(table).schema, name: index.clone() };
                self.before.index(&name).and_then(|index| index.columns.known()).is_some_and(|columns| {
                    columns
                        .iter()
                        .all(|column| column.as_deref().is_some_and(|column| self.proved_not_null(table, column)))
                })
            }
        };
        if expands { Phase::Expand } else { Phase::Contract }
    }

    pub(super) fn drop_constraint(&self, table: &Name, name: &str) -> Phase {
        let known = self.before.table(&self.before.resolve(table)).and_then(|table| table.constraints.get(name));
        match known.and_then(|constraint| constraint.kind.known()) {
            Some(ConstraintKind::Check(_) | ConstraintKind::NotNull { .. }) => Phase::Expand,
            // What ON DELETE CASCADE did for clients is gone; a plain reference only refused.
            Some(ConstraintKind::ForeignKey(key)) => {
                let acts = |action: &Option<String>| {
                    action.as_deref().is_some_and(|action| !matches!(action, "NO ACTION" | "RESTRICT"))
                };
                if acts(&key.on_delete) || acts(&key.on_update) { Phase::Contract } else { Phase::Expand }
            }
            // ON CONFLICT needs the index behind it.
            _ => Phase::Contract,
        }
    }

    /// Whether NULL is refused already: NOT NULL, or a valid CHECK that proves it.
    pub(super) fn proved_not_null(&self, table: &Name, column: &str) -> bool {
        let Some(table) = self.before.table(&self.before.resolve(table)) else { return false };
        let declared =
            table.columns.iter().any(|candidate| candidate.name == column && candidate.not_null.known() == Some(&true));
        declared
            || table.constraints.values().any(|constraint| {
                let proves = match constraint.kind.known() {
                    Some(ConstraintKind::Check(check)) => check.proves_not_null.iter().any(|proved| proved == column),
                    // 18: NOT NULL NOT VALID refuses new rows, and once validated all.
                    Some(ConstraintKind::NotNull { column: proved }) => self.pg.at_least(18) && proved == column,
                    _ => false,
                };
                proves && constraint.enforced
            })
    }
}

/// Whether the CHECK is only `c IS NOT NULL`, perhaps `ANDed`.
fn says_nothing_else(check: &Expr) -> bool {
    let columns = check.proves_not_null.iter();
    let alone: Vec<String> =
        columns.map(|column| format!("{} is not null", crate::sql::name::quoted(column))).collect();
    let text = check.text.replace(['(', ')'], "");
    text.trim().eq_ignore_ascii_case(&alone.join(" and "))
}

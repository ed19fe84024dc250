//! What valid constraints of a table prove: that a column is not null (`NotNullImpliedByRelConstraints`), that every
//! row lies within a partition bound (`PartConstraintImpliedByRelConstraint`).

use super::look::Look;
use crate::sql::ast::{ConstraintKind, Expr};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Table};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Proved,
    Missing,
    /// The table's constraints are not all known.
    Unknown,
}

/// `dropped` are constraints that are gone by then.
pub(super) fn of_not_null(look: &Look<'_>, target: &Name, column: &str, dropped: &[&str]) -> Proof {
    let Some(table) = look.before.table(target) else {
        return if look.open() { Proof::Unknown } else { Proof::Missing };
    };
    let listed = table.columns.iter().find(|listed| listed.name == column);
    if listed.is_some_and(|column| column.not_null == Fact::Known(true)) && !has_unvalidated_not_null(table, column) {
        return Proof::Proved;
    }
    if table.constraints.values().any(|constraint| {
        matches!(&constraint.kind, Fact::Known(ConstraintKind::PrimaryKey { columns, .. }) if columns.iter().any(|key| key == column))
    }) {
        return Proof::Proved;
    }
    let left = valid_checks_but(table, dropped);
    if left.into_iter().any(|check| check.proves_not_null.iter().any(|proved| proved == column)) {
        return Proof::Proved;
    }
    if table.complete { Proof::Missing } else { Proof::Unknown }
}

fn has_unvalidated_not_null(table: &Table, column: &str) -> bool {
    table.constraints.values().any(|constraint| {
        matches!(&constraint.kind, Fact::Known(ConstraintKind::NotNull { column: of }) if of == column)
            && constraint.validated == Fact::Known(false)
    })
}

pub(super) fn valid_checks(table: &Table) -> impl Iterator<Item = &Expr> {
    valid_checks_but(table, &[]).into_iter()
}

fn valid_checks_but<'a>(table: &'a Table, dropped: &[&str]) -> Vec<&'a Expr> {
    let left = table.constraints.iter().filter(|(name, _)| !dropped.contains(&name.as_str()));
    let checks = left.filter_map(|(_, constraint)| match &constraint.kind {
        Fact::Known(ConstraintKind::Check(expression))
            if constraint.enforced && constraint.validated == Fact::Known(true) =>
        {
            Some(expression)
        }
        _ => None,
    });
    checks.collect()
}

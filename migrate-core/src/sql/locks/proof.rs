//! What valid constraints of a table prove: that a column is not null (`NotNullImpliedByRelConstraints`), that every
//! row lies within a partition bound (`PartConstraintImpliedByRelConstraint`).

use super::look::Look;
use crate::sql::ast::ConstraintKind;
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Table};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Proved,
    Missing,
    /// The table's constraints are not all known.
    Unknown,
}

pub(super) fn of_not_null(look: &Look<'_>, target: &Name, column: &str) -> Proof {
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
    if valid_checks(table).any(|check| check.proves_not_null.iter().any(|proved| proved == column)) {
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

pub(super) fn valid_checks(table: &Table) -> impl Iterator<Item = &crate::sql::ast::Expr> {
    table.constraints.values().filter_map(|constraint| match &constraint.kind {
        Fact::Known(ConstraintKind::Check(expression))
            if constraint.enforced && constraint.validated == Fact::Known(true) =>
        {
            Some(expression)
        }
        _ => None,
    })
}

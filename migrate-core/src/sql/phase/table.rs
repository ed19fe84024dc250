//! The phase of each action of ALTER TABLE.

use super::Judge;
use super::left_out::{LeftOut, is_null_with, refuses};
use crate::model::Phase;
use crate::sql::ast::{
    AlterTable, ColumnDef, ConstraintDef, ConstraintKind, ObjectKind, ReplicaIdentity, RowSecurity, TableAction,
    TypeName,
};
use crate::sql::name::Name;
use crate::sql::schema::Relation;

impl Judge<'_> {
    pub(super) fn alter_table(&self, alter: &AlterTable) -> Phase {
        if self.is_fresh(&alter.name) {
            return Phase::Expand;
        }
        alter.actions.iter().map(|action| self.action(alter, action)).max().unwrap_or(Phase::Expand)
    }

    fn action(&self, alter: &AlterTable, action: &TableAction) -> Phase {
        let table = &alter.name;
        let on = |column: &str, phase| if self.column_is_fresh(table, column) { Phase::Expand } else { phase };
        match action {
            TableAction::AddColumn { column, .. } => self.add_column(column),
            TableAction::DropColumn { name, .. } | TableAction::RenameColumn { name, .. } => on(name, Phase::Contract),
            TableAction::SetType { column, data_type, using, .. } => {
                let wider = using.is_none()
                    && self.column_type(table, column).is_some_and(|old| takes_all_values(old, data_type));
                if wider { Phase::Expand } else { on(column, Phase::Contract) }
            }
            TableAction::DropDefault { column }
            | TableAction::SetExpression { column, .. }
            | TableAction::DropExpression { column, .. }
            | TableAction::DropIdentity { column, .. } => on(column, Phase::Contract),
            // A new column too: without a default, the INSERTs of clients that do not know it are refused.
            TableAction::SetNotNull { column } => {
                if self.proved_not_null(table, column) || self.new_with_default(table, column) {
                    Phase::Expand
                } else {
                    Phase::Contract
                }
            }
            TableAction::AddIdentity { column, identity } => {
                if identity.always {
                    on(column, Phase::Contract)
                } else {
                    Phase::Expand
                }
            }
            TableAction::SetIdentity { column, always, options } => {
                if *always == Some(true) || options.restart.is_some() {
                    on(column, Phase::Contract)
                } else {
                    Phase::Expand
                }
            }
            TableAction::AddConstraint(constraint) => self.add_constraint(table, constraint),
            TableAction::DropConstraint { name, .. } => self.drop_constraint(table, name),
            // What was checked at the end of a transaction is checked at once, and SET CONSTRAINTS fails (42809).
            TableAction::AlterConstraint { enforced, deferrable, initially_deferred, .. } => {
                if *enforced == Some(true) || *deferrable == Some(false) || *initially_deferred == Some(false) {
                    Phase::Contract
                } else {
                    Phase::Expand
                }
            }
            TableAction::ValidateConstraint { .. } => Phase::Migrate,
            TableAction::EnableTrigger { .. }
            | TableAction::DisableTrigger { .. }
            | TableAction::EnableRule { .. }
            | TableAction::DisableRule { .. } => Phase::Contract,
            TableAction::RowSecurity(setting) => match setting {
                RowSecurity::Enable | RowSecurity::Force => Phase::Contract,
                RowSecurity::Disable | RowSecurity::NoForce => Phase::Expand,
            },
            // ALTER INDEX renames a table too.
            TableAction::RenameTo { .. } => {
                let relation = self.before.relation(&self.before.resolve(table));
                let index = matches!(relation, None | Some(Relation::Index(_)));
                if alter.kind == ObjectKind::Index && index { Phase::Expand } else { Phase::Contract }
            }
            // ON CONFLICT ON CONSTRAINT names it.
            TableAction::RenameConstraint { .. }
            | TableAction::SetSchema { .. }
            | TableAction::OwnerTo { .. }
            | TableAction::SetUnlogged
            | TableAction::NoInherit { .. }
            | TableAction::DetachPartition { finalize: false, .. }
            | TableAction::Unsupported { .. } => Phase::Contract,
            TableAction::ReplicaIdentity(identity) => match identity {
                ReplicaIdentity::Nothing => Phase::Contract,
                ReplicaIdentity::Default if self.has_no_primary_key(table) => Phase::Contract,
                _ => Phase::Expand,
            },
            TableAction::SetOptions { options } => {
                let refuses = alter.kind == ObjectKind::View
                    && options.iter().any(|(name, _)| name == "check_option" || name == "security_invoker");
                if refuses { Phase::Contract } else { Phase::Expand }
            }
            TableAction::SetDefault { .. }
            | TableAction::DropNotNull { .. }
            | TableAction::SetStatistics { .. }
            | TableAction::SetStorage { .. }
            | TableAction::SetCompression { .. }
            | TableAction::SetColumnOptions { .. }
            | TableAction::ResetColumnOptions { .. }
            | TableAction::ClusterOn { .. }
            | TableAction::SetWithoutCluster
            | TableAction::SetWithoutOids
            | TableAction::SetTablespace { .. }
            | TableAction::SetLogged
            | TableAction::SetAccessMethod { .. }
            | TableAction::ResetOptions { .. }
            | TableAction::Inherit { .. }
            | TableAction::OfType { .. }
            | TableAction::NotOf
            | TableAction::AttachPartition { .. }
            | TableAction::DetachPartition { finalize: true, .. }
            | TableAction::ForeignOptions { .. } => Phase::Expand,
        }
    }

    /// A column that old clients leave out must come to a value by itself that its constraints accept, and one that is
    /// checked for uniqueness must not always come to the same.
    fn add_column(&self, column: &ColumnDef) -> Phase {
        let left_out = self.left_out_of_new(column);
        let domain = column.data_type.as_ref().and_then(|data_type| self.domain_of(&data_type.name));
        let required = column.not_null || domain.is_some_and(|(_, not_null)| not_null);
        let refused = |constraint: &ConstraintDef| match &constraint.kind {
            ConstraintKind::PrimaryKey { .. } => !left_out.is_never_the_same(true),
            ConstraintKind::Unique { nulls_not_distinct, .. } => !left_out.is_never_the_same(*nulls_not_distinct),
            ConstraintKind::Check(check) => {
                // What it says of the old columns is new too.
                let alone = check.columns.iter().all(|other| *other == column.name);
                let unseen = left_out == LeftOut::Null && is_null_with(check, &column.name);
                let refused = refuses(check, &[(column.name.as_str(), left_out.clone())]);
                !constraint.not_enforced && !unseen && (!alone || refused)
            }
            _ => false,
        };
        let fails = (required && left_out == LeftOut::Null) || column.constraints.iter().any(refused);
        if fails { Phase::Contract } else { Phase::Expand }
    }

    /// Known to have none: without one, and without a replica identity, a published table refuses UPDATE and DELETE (55000).
    pub(super) fn has_no_primary_key(&self, table: &Name) -> bool {
        self.before.table(&self.before.resolve(table)).is_some_and(|table| {
            table.complete
                && !table.constraints.values().any(|constraint| {
                    constraint.kind.known().is_none_or(|kind| {
                        matches!(kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::PrimaryKeyUsingIndex { .. })
                    })
                })
        })
    }

    fn column_type(&self, table: &Name, column: &str) -> Option<&TypeName> {
        let table = self.before.table(&self.before.resolve(table))?;
        table.columns.iter().find(|candidate| candidate.name == column)?.data_type.known()
    }

    fn new_with_default(&self, table: &Name, column: &str) -> bool {
        self.column_is_fresh(table, column)
            && self.before.table(&self.before.resolve(table)).is_some_and(|table| {
                table.columns.iter().any(|candidate| {
                    candidate.name == column
                        && (candidate.default.known().is_some_and(Option::is_some)
                            || candidate.identity.known().is_some_and(Option::is_some)
                            || candidate.generated.known().is_some_and(Option::is_some))
                })
            })
    }
}

/// Whether every value of `old` is one of `new`, in the same bytes.
fn takes_all_values(old: &TypeName, new: &TypeName) -> bool {
    if old.array != new.array || old.setof != new.setof {
        return false;
    }
    let limit = |data_type: &TypeName, at: usize| data_type.mods.get(at).and_then(|text| text.parse::<i32>().ok());
    let (from, to) = (old.name.name.as_str(), new.name.name.as_str());
    let grows = |at: usize| match (limit(old, at), limit(new, at)) {
        (_, None) => new.mods.is_empty(),
        (Some(from), Some(to)) => to >= from,
        (None, Some(_)) => false,
    };
    match (from, to) {
        ("varchar", "text") => true,
        ("text", "varchar") => new.mods.is_empty(),
        ("numeric", "numeric") if !new.mods.is_empty() => {
            grows(0) && limit(old, 1).unwrap_or(0) == limit(new, 1).unwrap_or(0) && !old.mods.is_empty()
        }
        ("varchar" | "varbit" | "numeric" | "timestamp" | "timestamptz" | "time" | "timetz", _) if from == to => {
            grows(0)
        }
        _ => old == new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, mods: &[&str]) -> TypeName {
        TypeName {
            name: Name::bare(name),
            mods: mods.iter().map(|text| (*text).to_owned()).collect(),
            array: 0,
            setof: false,
            percent_type: false,
        }
    }

    #[test]
    fn wider_types_take_all_values() {
        for (old, new, expected) in [
            (of("varchar", &["10"]), of("varchar", &["20"]), true),
            (of("varchar", &["20"]), of("varchar", &["10"]), false),
            (of("varchar", &["20"]), of("varchar", &[]), true),
            (of("varchar", &[]), of("varchar", &["20"]), false),
            (of("varchar", &["20"]), of("text", &[]), true),
            (of("numeric", &["10", "2"]), of("numeric", &["12", "2"]), true),
            (of("numeric", &["10", "2"]), of("numeric", &["12", "3"]), false),
            (of("numeric", &["10", "2"]), of("numeric", &[]), true),
            (of("numeric", &[]), of("numeric", &["12", "3"]), false),
            (of("numeric", &["5", "-2"]), of("numeric", &["5", "0"]), false),
            (of("numeric", &["5", "-2"]), of("numeric", &["6", "-2"]), true),
            (of("int4", &[]), of("int8", &[]), false),
            (of("timestamptz", &["3"]), of("timestamptz", &[]), true),
        ] {
            assert_eq!(takes_all_values(&old, &new), expected, "{old:?} {new:?}");
        }
    }
}

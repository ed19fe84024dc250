//! What ALTER TABLE refuses because of what the relation is: the actions that its kind does not have
//! (`ATSimplePermissions`), and what typed tables, partitions, parents and foreign tables do not let be done to them
//! (`ATPrepCmd` and the functions of each action in `tablecmds.c`). What the schema does not know is no reason.

use super::actions_refused;
use super::cast::is_assignable;
use super::definition::{foreign, holds_key, partition};
use super::refused::{Refused, error};
use crate::sql::ast::{AlterTable, ConstraintDef, ConstraintKind, Persistence, TableAction, TypeDefinition, TypeName};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Relation, Schema, Table, Type};
use crate::sql::server::Server;

/// The kinds of relation between which actions differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Partitioned,
    Foreign,
    View,
    MaterializedView,
}

fn kind(schema: &Schema, name: &Name) -> Option<Kind> {
    match schema.relation(name)? {
        Relation::Table(table) if table.foreign == Fact::Known(true) => Some(Kind::Foreign),
        Relation::Table(table) if matches!(table.partition_by, Fact::Known(Some(_))) => Some(Kind::Partitioned),
        Relation::Table(table) => table.complete.then_some(Kind::Plain),
        Relation::View(_) => Some(Kind::View),
        Relation::MaterializedView(_) => Some(Kind::MaterializedView),
        Relation::Sequence(_) | Relation::Index(_) => None,
    }
}

/// The `ATT_*` flags of each action.
fn has_action(kind: Kind, action: &TableAction, pg: Server<'_>) -> bool {
    use Kind::{Foreign, MaterializedView, Partitioned, Plain, View};
    let of = |kinds: &[Kind]| kinds.contains(&kind);
    match action {
        TableAction::AddColumn { .. }
        | TableAction::DropColumn { .. }
        | TableAction::SetType { .. }
        | TableAction::SetNotNull { .. }
        | TableAction::DropNotNull { .. }
        | TableAction::SetExpression { .. }
        | TableAction::DropExpression { .. }
        | TableAction::AddConstraint(_)
        | TableAction::AlterConstraint { .. }
        | TableAction::DropConstraint { .. }
        | TableAction::ValidateConstraint { .. }
        | TableAction::Inherit { .. }
        | TableAction::NoInherit { .. }
        | TableAction::EnableTrigger { .. }
        | TableAction::DisableTrigger { .. }
        | TableAction::SetWithoutOids => of(&[Plain, Partitioned, Foreign]),
        TableAction::SetDefault { .. }
        | TableAction::DropDefault { .. }
        | TableAction::AddIdentity { .. }
        | TableAction::SetIdentity { .. }
        | TableAction::DropIdentity { .. } => of(&[Plain, Partitioned, Foreign, View]),
        TableAction::SetStatistics { .. }
        | TableAction::SetStorage { .. }
        | TableAction::SetColumnOptions { .. }
        | TableAction::ResetColumnOptions { .. } => of(&[Plain, Partitioned, Foreign, MaterializedView]),
        TableAction::SetCompression { .. }
        | TableAction::ClusterOn { .. }
        | TableAction::SetWithoutCluster
        | TableAction::ReplicaIdentity(_)
        | TableAction::SetTablespace { .. }
        | TableAction::SetAccessMethod { .. } => of(&[Plain, Partitioned, MaterializedView]),
        TableAction::SetOptions { .. } | TableAction::ResetOptions { .. } => {
            of(&[Plain, Partitioned, MaterializedView, View])
        }
        TableAction::EnableRule { .. }
        | TableAction::DisableRule { .. }
        | TableAction::OfType { .. }
        | TableAction::NotOf
        | TableAction::RowSecurity(_) => of(&[Plain, Partitioned]),
        TableAction::SetLogged | TableAction::SetUnlogged => kind == Plain || (kind == Partitioned && pg.before(18)),
        TableAction::AttachPartition { .. } | TableAction::DetachPartition { .. } => {
            kind == Partitioned || (kind == Plain && pg.before(18))
        }
        TableAction::ForeignOptions { .. } => kind == Foreign,
        TableAction::RenameColumn { .. }
        | TableAction::RenameConstraint { .. }
        | TableAction::RenameTo { .. }
        | TableAction::SetSchema { .. }
        | TableAction::OwnerTo { .. }
        | TableAction::Unsupported { .. } => true,
    }
}

/// One action of ALTER TABLE on the relation that it names.
pub(super) fn action(before: &Schema, pg: Server<'_>, alter: &AlterTable, action: &TableAction) -> Refused {
    let target = before.resolve(&alter.name);
    let options = matches!(action, TableAction::SetOptions { .. } | TableAction::ResetOptions { .. });
    if options && before.index(&target).is_some_and(|index| index.partitioned) {
        return error("42809", format!("ALTER action cannot be performed on relation \"{}\"", target.name));
    }
    let Some(kind) = kind(before, &target) else { return Ok(()) };
    if !has_action(kind, action, pg) {
        return error("42809", format!("ALTER action cannot be performed on relation \"{}\"", target.name));
    }
    if kind == Kind::View {
        return view_options(action);
    }
    let Some(table) = before.table(&target) else { return Ok(()) };
    actions_refused::of_column(before, pg, &target, alter, action)?;
    actions_refused::of_table(before, pg, &target, action)?;
    Check { before, pg, target: &target, table, kind, only: alter.only, actions: &alter.actions }.action(action)
}

/// `view_reloptions`.
fn view_options(action: &TableAction) -> Refused {
    let TableAction::SetOptions { options } = action else { return Ok(()) };
    let known = ["security_barrier", "security_invoker", "check_option"];
    match options.iter().find(|(name, _)| !known.contains(&name.as_str()) && !name.contains('.')) {
        Some((name, _)) => error("22023", format!("unrecognized parameter \"{name}\"")),
        None => Ok(()),
    }
}

struct Check<'a> {
    before: &'a Schema,
    pg: Server<'a>,
    target: &'a Name,
    table: &'a Table,
    kind: Kind,
    only: bool,
    actions: &'a [TableAction],
}

impl Check<'_> {
    fn action(&self, action: &TableAction) -> Refused {
        let name = &self.target.name;
        match action {
            TableAction::AddColumn { column, .. } => {
                self.not_typed("add column to")?;
                // What is refused by itself when it is carried out.
                let parent_only = self.only && self.has_children();
                if parent_only || self.is_partition() || self.table.column(&column.name).is_some() {
                    return Ok(());
                }
                let inherits = self.kind == Kind::Partitioned && self.pg.at_least(17);
                if column.identity.is_some() && !inherits && self.has_children() {
                    return error(
                        "42P16",
                        "cannot recursively add identity column to table that has child tables".to_owned(),
                    );
                }
                super::columns_refused::column(self.before, self.pg, Some(self.table), &[], column)?;
                column.constraints.iter().try_for_each(|constraint| self.constraint(constraint))
            }
            TableAction::DropColumn { .. } => self.not_typed("drop column from"),
            TableAction::RenameColumn { .. } => self.not_typed("rename column of"),
            TableAction::SetType { column, data_type, using, .. } => {
                self.not_typed("alter column type of")?;
                if self.kind == Kind::Foreign && using.is_some() {
                    return error("42809", format!("\"{name}\" is not a table"));
                }
                let dropped =
                    |other: &TableAction| matches!(other, TableAction::DropDefault { column: of } if of == column);
                self.retyped(column, data_type, using.is_some(), self.actions.iter().any(dropped))
            }
            TableAction::AddConstraint(constraint) => self.constraint(constraint),
            TableAction::SetNotNull { column } => self.set_not_null(column),
            TableAction::DropNotNull { .. } if self.pg.before(18) => {
                self.not_only_parent("42P16", "cannot remove constraint from only the partitioned table")
            }
            TableAction::DropConstraint { name, .. } if self.pg.before(18) => {
                let listed = self.table.constraints.get(name);
                let checks = listed.is_some_and(|it| matches!(it.kind, Fact::Known(ConstraintKind::Check(_))));
                if !checks {
                    return Ok(());
                }
                self.not_only_parent("42P16", "cannot remove constraint from only the partitioned table")
            }
            TableAction::RenameConstraint { name, .. } => {
                self.not_typed("rename constraint of")?;
                let inherits = self.table.constraints.get(name).is_some_and(|listed| {
                    let kind = listed.kind.known();
                    matches!(kind, Some(ConstraintKind::Check(_) | ConstraintKind::NotNull { .. }))
                        && !listed.no_inherit
                });
                if inherits && self.only && self.has_children() {
                    return error(
                        "42P16",
                        format!("inherited constraint \"{name}\" must be renamed in child tables too"),
                    );
                }
                Ok(())
            }
            TableAction::DropExpression { column, .. } => self.drop_expression(column),
            TableAction::AddIdentity { .. } | TableAction::SetIdentity { .. } | TableAction::DropIdentity { .. }
                if self.pg.at_least(17) =>
            {
                if self.only && self.kind == Kind::Partitioned {
                    return error(
                        "42P16",
                        "cannot change identity of a column of only the partitioned table".to_owned(),
                    );
                }
                if self.is_partition() {
                    return error("42P16", "cannot change identity of a column of a partition".to_owned());
                }
                Ok(())
            }
            TableAction::ClusterOn { index } => self.own_index(index),
            TableAction::SetLogged | TableAction::SetUnlogged => {
                self.persistence(matches!(action, TableAction::SetLogged))
            }
            TableAction::SetOptions { options } if self.kind == Kind::Partitioned => {
                if options.iter().all(|(name, _)| name.starts_with("toast.")) {
                    return Ok(());
                }
                let sqlstate = if self.pg.at_least(16) { "42809" } else { "22023" };
                error(sqlstate, "cannot specify storage parameters for a partitioned table".to_owned())
            }
            TableAction::Inherit { parent } => self.inherit(&self.before.resolve(parent)),
            TableAction::NoInherit { .. } if self.is_partition() => {
                error("42809", "cannot change inheritance of a partition".to_owned())
            }
            TableAction::OfType { .. } if !self.before.parents_of(self.target).is_empty() => {
                error("42809", "typed tables cannot inherit".to_owned())
            }
            TableAction::OfType { name } => self.of_type(name),
            TableAction::NotOf if self.table.of_type.is_none() => {
                error("42809", format!("\"{name}\" is not a typed table"))
            }
            TableAction::AttachPartition { .. } | TableAction::DetachPartition { .. } if self.kind == Kind::Plain => {
                error("42P17", format!("table \"{name}\" is not partitioned"))
            }
            TableAction::AttachPartition { partition: new, bound } => {
                partition(self.before, self.target, bound, &new.name)
            }
            _ => Ok(()),
        }
    }

    fn is_partition(&self) -> bool {
        matches!(self.table.partition_of, Fact::Known(Some(_)))
    }

    fn has_children(&self) -> bool {
        !self.before.children_of(self.target).is_empty()
    }

    fn has_primary_key(&self) -> bool {
        let keys = self.table.constraints.values().filter_map(|listed| listed.kind.known());
        keys.into_iter().any(|kind| matches!(kind, ConstraintKind::PrimaryKey { .. }))
    }

    fn not_typed(&self, what: &str) -> Refused {
        if self.table.of_type.is_some() { error("42809", format!("cannot {what} typed table")) } else { Ok(()) }
    }

    fn not_only_parent(&self, sqlstate: &'static str, what: &str) -> Refused {
        if self.only && self.kind == Kind::Partitioned && self.has_children() {
            return error(sqlstate, format!("{what} when partitions exist"));
        }
        Ok(())
    }

    fn constraint(&self, constraint: &ConstraintDef) -> Refused {
        if self.kind == Kind::Foreign {
            foreign(&constraint.kind)?;
        }
        let partitioned = self.kind == Kind::Partitioned;
        match &constraint.kind {
            ConstraintKind::Check(_) if constraint.no_inherit && partitioned => error(
                "42P16",
                format!("cannot add NO INHERIT constraint to partitioned table \"{}\"", self.target.name),
            ),
            ConstraintKind::NotNull { .. } if constraint.no_inherit && partitioned => {
                error("0A000", "not-null constraints on partitioned tables cannot be NO INHERIT".to_owned())
            }
            ConstraintKind::NotNull { column } => {
                let other = self.table.constraints.iter().find(|(_, listed)| {
                    matches!(&listed.kind, Fact::Known(ConstraintKind::NotNull { column: known }) if known == column)
                });
                match (other, &constraint.name) {
                    (Some((known, _)), Some(name)) if known != name => error(
                        "55000",
                        format!("cannot create not-null constraint \"{name}\": \"{known}\" exists for this column"),
                    ),
                    _ => Ok(()),
                }
            }
            // There is one already.
            ConstraintKind::PrimaryKey { .. } if self.has_primary_key() => Ok(()),
            ConstraintKind::PrimaryKey { columns, .. }
            | ConstraintKind::Unique { columns, .. }
            | ConstraintKind::Exclude { columns, .. } => self.holds_partition_keys(columns),
            ConstraintKind::UniqueUsingIndex { index } | ConstraintKind::PrimaryKeyUsingIndex { index } => {
                let index = Name { schema: self.target.schema.clone(), name: index.clone() };
                match self.before.index(&index).and_then(|index| index.table.known()) {
                    Some(on) if self.before.resolve(on) != *self.target => {
                        error("55000", format!("index \"{index}\" does not belong to table \"{}\"", self.target.name))
                    }
                    _ => Ok(()),
                }
            }
            ConstraintKind::Check(_) | ConstraintKind::ForeignKey(_) => Ok(()),
        }
    }

    /// Of the table, and of every partitioned table below it, on which the key is made too.
    fn holds_partition_keys(&self, columns: &[String]) -> Refused {
        let below = if self.only { Vec::new() } else { self.before.descendants_of(self.target) };
        for name in std::iter::once(self.target).chain(&below) {
            let by = self.before.table(name).and_then(|table| table.partition_by.known()).and_then(Option::as_ref);
            if let Some(by) = by {
                holds_key(columns, by, name)?;
            }
        }
        Ok(())
    }

    /// Values are assigned without USING, and the default always is (`ATPrepAlterColumnType`, `ATExecAlterColumnType`).
    fn retyped(&self, column: &str, to: &TypeName, using: bool, dropped: bool) -> Refused {
        let Some(listed) = self.table.column(column) else { return Ok(()) };
        let Fact::Known(from) = &listed.data_type else { return Ok(()) };
        if is_assignable(self.before, self.pg, from, to) != Some(false) {
            return Ok(());
        }
        if !using {
            return error("42804", format!("column \"{column}\" cannot be cast automatically to type {}", to.name));
        }
        if !dropped && matches!(&listed.default, Fact::Known(Some(default)) if !default.null) {
            return error(
                "42804",
                format!("default for column \"{column}\" cannot be cast automatically to type {}", to.name),
            );
        }
        Ok(())
    }

    fn set_not_null(&self, column: &str) -> Refused {
        let is_set = |table: Option<&Table>| {
            table.and_then(|table| table.column(column)).is_none_or(|column| column.not_null != Fact::Known(false))
        };
        if !self.only || self.kind != Kind::Partitioned || is_set(Some(self.table)) || !self.has_children() {
            return Ok(());
        }
        let children = self.before.children_of(self.target);
        if self.pg.before(18) && children.iter().all(|child| is_set(self.before.table(child))) {
            return Ok(());
        }
        error("42P16", "constraint must be added to child tables too".to_owned())
    }

    /// `ATPrepDropExpression` runs on each child as on the table itself, and refuses one that has children.
    fn drop_expression(&self, column: &str) -> Refused {
        let parents = |name: &Name| !self.before.children_of(name).is_empty();
        let refused =
            if self.only { self.has_children() } else { self.before.descendants_of(self.target).iter().any(parents) };
        if refused {
            return error("0A000", "ALTER TABLE / DROP EXPRESSION must be applied to child tables too".to_owned());
        }
        if self.table.column(column).is_some_and(|column| column.inherited) {
            return error("42P16", "cannot drop generation expression from inherited column".to_owned());
        }
        Ok(())
    }

    /// `check_index_is_clusterable` comes before the refusal of partitioned tables.
    fn own_index(&self, index: &str) -> Refused {
        let found = Name { schema: self.target.schema.clone(), name: index.to_owned() };
        match self.before.index(&found).and_then(|index| index.table.known()) {
            Some(on) if self.before.resolve(on) != *self.target => {
                error("42809", format!("\"{index}\" is not an index for table \"{}\"", self.target.name))
            }
            Some(_) if self.before.index(&found).is_some_and(|index| index.predicate.is_some()) => {
                error("0A000", format!("cannot cluster on partial index \"{index}\""))
            }
            Some(_) if self.kind == Kind::Partitioned => {
                error("0A000", "cannot mark index clustered in partitioned table".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// `ATPrepChangePersistence`: no permanent table references one that is not.
    fn persistence(&self, logged: bool) -> Refused {
        let others = if logged {
            self.before.referenced_tables(self.target)
        } else {
            self.before.referencing_through_parents(self.target)
        };
        let wanted = if logged { Persistence::Unlogged } else { Persistence::Permanent };
        let offends = |other: &Name| {
            let other = self.before.resolve(other);
            other != *self.target
                && self.before.table(&other).is_some_and(|table| table.persistence == Fact::Known(wanted))
        };
        if self.table.persistence == Fact::Known(if logged { Persistence::Permanent } else { Persistence::Unlogged }) {
            return Ok(());
        }
        let published = self
            .before
            .publications
            .values()
            .any(|scope| scope.tables.iter().any(|(name, ..)| self.before.resolve(name) == *self.target));
        if !logged && published {
            return error(
                "55000",
                format!("cannot change table \"{}\" to unlogged: it is published", self.target.name),
            );
        }
        match others.iter().find(|other| offends(other)) {
            Some(other) => error(
                "42P16",
                format!(
                    "could not change table \"{}\": \"{}\" is on the other side of a foreign key",
                    self.target.name, other.name
                ),
            ),
            None => Ok(()),
        }
    }

    /// `ATExecAddOf`: the columns are the attributes, in their order.
    fn of_type(&self, name: &Name) -> Refused {
        let found = self.before.find_type(name).and_then(|found| self.before.types.get(&found));
        let Some(Type::Defined { definition: TypeDefinition::Composite { attributes }, .. }) = found else {
            return Ok(());
        };
        let same = attributes.len() == self.table.columns.len()
            && attributes.iter().zip(&self.table.columns).all(|((attribute, data_type, _), column)| {
                *attribute == column.name && !self.differs(data_type, &column.data_type)
            });
        if same { Ok(()) } else { error("42804", format!("table \"{}\" is not like \"{name}\"", self.target.name)) }
    }

    fn differs(&self, wanted: &TypeName, own: &Fact<TypeName>) -> bool {
        let Fact::Known(own) = own else { return false };
        let (wanted, own) = (self.before.resolve_type(wanted), self.before.resolve_type(own));
        wanted.name != own.name || wanted.mods != own.mods || wanted.array != own.array
    }

    /// `ATPrepAddInherit`, `ATExecAddInherit`, `MergeAttributesIntoExisting`, `MergeConstraintsIntoExisting`.
    fn inherit(&self, parent: &Name) -> Refused {
        if self.table.of_type.is_some() || self.is_partition() || self.kind == Kind::Partitioned {
            return error("42809", format!("cannot change inheritance of \"{}\"", self.target.name));
        }
        let Some(above) = self.before.table(parent) else { return Ok(()) };
        if matches!(above.partition_by, Fact::Known(Some(_))) {
            return error("42809", format!("cannot inherit from partitioned table \"{}\"", parent.name));
        }
        if matches!(above.partition_of, Fact::Known(Some(_))) {
            return error("42809", "cannot inherit from a partition".to_owned());
        }
        if parent == self.target || self.before.descendants_of(self.target).contains(parent) {
            return error("42P07", "circular inheritance not allowed".to_owned());
        }
        for wanted in &above.columns {
            let Some(own) = self.table.column(&wanted.name) else {
                return error("42804", format!("child table is missing column \"{}\"", wanted.name));
            };
            let differs = wanted.data_type.known().is_some_and(|wanted| self.differs(wanted, &own.data_type));
            let nullable = wanted.not_null == Fact::Known(true) && own.not_null == Fact::Known(false);
            if differs || nullable {
                return error("42804", format!("column \"{}\" in child table differs", wanted.name));
            }
        }
        let missing = above.constraints.iter().find(|(name, listed)| {
            matches!(listed.kind, Fact::Known(ConstraintKind::Check(_)))
                && !listed.no_inherit
                && !self.table.constraints.contains_key(*name)
        });
        match missing {
            Some((name, _)) => error("42804", format!("child table is missing constraint \"{name}\"")),
            None => Ok(()),
        }
    }
}

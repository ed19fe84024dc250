//! What an action of ALTER TABLE refuses because of what its column, constraint or index is (`ATExecSetStorage`,
//! `ATPrepAlterColumnType`, `ATExecReplicaIdentity`, … in `tablecmds.c`). What is not known is no reason.

use super::columns_refused;
use super::refused::{Refused, error};
use super::{definition, index_classes};
use crate::sql::ast::{AlterTable, ConstraintKind, Expr, ReplicaIdentity, TableAction, TypeName};
use crate::sql::name::Name;
use crate::sql::schema::{Column, Fact, Relation, Schema, Table};
use crate::sql::server::Server;

/// The actions on one column.
pub(super) fn of_column(
    before: &Schema,
    pg: Server<'_>,
    target: &Name,
    alter: &AlterTable,
    action: &TableAction,
) -> Refused {
    let Some(table) = before.table(target) else { return Ok(()) };
    // What another action of the statement changes first is not looked at.
    let own = |column: &str| table.column(column).filter(|_| !is_touched(alter, action, column));
    let of_type = |column: &str| own(column).and_then(|column| column.data_type.known());
    match action {
        TableAction::SetStorage { column, storage } => {
            of_type(column).map_or(Ok(()), |data_type| columns_refused::storage(before, data_type, storage))
        }
        TableAction::SetCompression { column, method } => {
            of_type(column).map_or(Ok(()), |data_type| columns_refused::compression(before, data_type, method))
        }
        TableAction::SetColumnOptions { options, .. } => {
            match options.iter().find(|(name, _)| !["n_distinct", "n_distinct_inherited"].contains(&name.as_str())) {
                Some((name, _)) => error("22023", format!("unrecognized parameter \"{name}\"")),
                None => Ok(()),
            }
        }
        TableAction::SetDefault { column, expression } => {
            let plain = own(column)
                .filter(|column| column.generated == Fact::Known(None) && column.identity == Fact::Known(None));
            match plain.and_then(|column| column.data_type.known()) {
                Some(data_type) => columns_refused::default(before, pg, data_type, expression),
                None => Ok(()),
            }
        }
        TableAction::SetExpression { column, expression }
            if own(column).is_some_and(|column| matches!(column.generated, Fact::Known(Some(_)))) =>
        {
            columns_refused::generation(before, expression, |name| {
                table.column(name).is_some_and(|column| matches!(column.generated, Fact::Known(Some(_))))
            })
        }
        TableAction::SetType { column, data_type, using, .. } => {
            let same = |it: &&TableAction| matches!(it, TableAction::SetType { column: of, .. } if of == column);
            if alter.actions.iter().filter(same).count() > 1 {
                return error("0A000", format!("cannot alter type of column \"{column}\" twice"));
            }
            columns_refused::named_type(data_type, false)?;
            columns_refused::lengths(pg, data_type)?;
            let Some(listed) = own(column) else { return Ok(()) };
            retyped(before, target, (table, listed), data_type, using.as_ref())
        }
        _ => Ok(()),
    }
}

/// Whether another action of the statement makes, drops or retypes the column.
fn is_touched(alter: &AlterTable, action: &TableAction, column: &str) -> bool {
    alter.actions.iter().filter(|other| !std::ptr::eq(*other, action)).any(|other| match other {
        TableAction::AddColumn { column: made, .. } => made.name == column,
        TableAction::DropColumn { name, .. } => name == column,
        TableAction::SetType { column: of, .. } => of == column,
        _ => false,
    })
}

fn retyped(
    before: &Schema,
    target: &Name,
    (table, column): (&Table, &Column),
    to: &TypeName,
    using: Option<&Expr>,
) -> Refused {
    let name = &column.name;
    if let Some(using) = using {
        if matches!(column.generated, Fact::Known(Some(_))) {
            return error("42611", "cannot specify USING when altering type of generated column".to_owned());
        }
        let missing = using.columns.iter().find(|used| table.column(used).is_none());
        if let (true, Some(missing)) = (table.complete && using.subquery.is_none(), missing)
            && !["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"].contains(&missing.as_str())
            && *missing != target.name
        {
            return error("42703", format!("column \"{missing}\" does not exist"));
        }
        if using.subquery.is_some() {
            return error("0A000", "cannot use subquery in transform expression".to_owned());
        }
    }
    for key in before.foreign_keys_of(target) {
        if let Some(at) = key.key.columns.iter().position(|of| of == name) {
            definition::comparable(before, to, key.key, at)?;
        }
    }
    for (index_name, index) in before.indexes_using_column(target, name) {
        index_classes::takes(before, index, name, to, &index_name.name)?;
    }
    Ok(())
}

/// Whether the column is generated and not stored.
pub(super) fn virtual_column(table: &Table, column: &str) -> bool {
    let listed = table.column(column).map(|column| &column.generated);
    matches!(listed, Some(Fact::Known(Some(generated))) if !generated.stored)
}

/// A column that a publication's row filter uses, or its list names, stays as it is; the filter's alone can be retyped not.
fn published(before: &Schema, target: &Name, column: &str, sqlstate: &'static str) -> Refused {
    for (name, scope) in &before.publications {
        for (table, _, columns, filter) in &scope.tables {
            let filtered = filter.as_ref().is_some_and(|filter| {
                filter.split(|char: char| !(char.is_alphanumeric() || char == '_')).any(|word| word == column)
            });
            let listed = sqlstate == "2BP01" && columns.iter().any(|listed| listed == column);
            if (filtered || listed) && before.resolve(table) == *target {
                return error(sqlstate, format!("the publication {name} depends on column \"{column}\""));
            }
        }
    }
    Ok(())
}

/// The actions on constraints and indexes.
pub(super) fn of_table(before: &Schema, pg: Server<'_>, target: &Name, action: &TableAction) -> Refused {
    let Some(table) = before.table(target) else { return Ok(()) };
    match action {
        TableAction::DropColumn { name, cascade: false, .. } if pg.at_least(15) => {
            published(before, target, name, "2BP01")
        }
        TableAction::SetType { column, .. } if pg.at_least(15) => published(before, target, column, "0A000"),
        TableAction::SetStatistics { column, .. } if virtual_column(table, column) => {
            error("0A000", format!("cannot alter statistics on virtual generated column \"{column}\""))
        }
        TableAction::SetExpression { column, .. } if virtual_column(table, column) => {
            let checks = table.constraints.values().any(|it| matches!(it.kind, Fact::Known(ConstraintKind::Check(_))));
            if checks {
                let why = "SET EXPRESSION is not supported for virtual generated columns of tables with a CHECK";
                return error("0A000", why.to_owned());
            }
            Ok(())
        }
        TableAction::AddConstraint(constraint) => {
            let columns: &[String] = match &constraint.kind {
                ConstraintKind::Unique { columns, .. } | ConstraintKind::PrimaryKey { columns, .. } => columns,
                ConstraintKind::ForeignKey(key) => &key.columns,
                _ => return Ok(()),
            };
            match columns.iter().find(|column| virtual_column(table, column)) {
                Some(column) => {
                    error("0A000", format!("constraints on the virtual column \"{column}\" are not supported"))
                }
                None => Ok(()),
            }
        }
        TableAction::AlterConstraint { name, enforced: Some(_), .. }
            if table.constraints.get(name).is_some_and(|listed| {
                listed.kind.known().is_some_and(|kind| !matches!(kind, ConstraintKind::ForeignKey(_)))
            }) =>
        {
            error("42809", format!("cannot alter enforceability of constraint \"{name}\""))
        }
        TableAction::AlterConstraint { name, .. } => {
            let inherited = table.constraints.get(name).is_some_and(|listed| {
                listed.inherited && matches!(listed.kind, Fact::Known(ConstraintKind::ForeignKey(_)))
            });
            if inherited {
                let sqlstate = if pg.at_least(18) { "55000" } else { "XX000" };
                return error(sqlstate, format!("cannot alter constraint \"{name}\" that is inherited"));
            }
            Ok(())
        }
        TableAction::ReplicaIdentity(ReplicaIdentity::Index(index)) => replica_identity(before, target, table, index),
        _ => Ok(()),
    }
}

/// `ATExecReplicaIdentity`.
fn replica_identity(before: &Schema, target: &Name, table: &Table, index: &str) -> Refused {
    let found = Name { schema: target.schema.clone(), name: index.to_owned() };
    let Some(Relation::Index(listed)) = before.relation(&found) else { return Ok(()) };
    if listed.table.known().is_some_and(|on| before.resolve(on) != *target) {
        return error("42809", format!("\"{index}\" is not an index for table \"{}\"", target.name));
    }
    if listed.unique == Fact::Known(false) {
        return error("42809", format!("cannot use non-unique index \"{index}\" as replica identity"));
    }
    let deferrable =
        listed.constraint.as_ref().and_then(|name| table.constraints.get(name)).is_some_and(|it| it.deferrable);
    if deferrable {
        return error("0A000", format!("cannot use non-immediate index \"{index}\" as replica identity"));
    }
    let Fact::Known(keys) = &listed.columns else { return Ok(()) };
    if keys.iter().any(Option::is_none) {
        return error("0A000", format!("cannot use expression index \"{index}\" as replica identity"));
    }
    if listed.predicate.is_some() {
        return error("0A000", format!("cannot use partial index \"{index}\" as replica identity"));
    }
    let nullable = |key: &&String| table.column(key).is_some_and(|column| column.not_null == Fact::Known(false));
    match keys.iter().flatten().find(nullable) {
        Some(key) => error(
            "42809",
            format!("index \"{index}\" cannot be used as replica identity because column \"{key}\" is nullable"),
        ),
        None => Ok(()),
    }
}

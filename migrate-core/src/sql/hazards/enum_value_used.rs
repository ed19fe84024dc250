//! A new enum value used in the transaction that adds it.

use super::together::split;
use super::{Finding, Hazard, MigrationContext, Severity, StepContext};
use crate::sql::ast::{ColumnDef, DmlKind, Stmt, TableAction, TypeName};
use crate::sql::name::Name;
use crate::sql::print;
use crate::sql::schema::{Fact, Type};

pub(super) static HAZARD: Hazard = Hazard {
    name: "enum-value-used",
    title: "A new enum value used in the transaction that adds it",
    severity: Severity::Blocking,
    why: "PostgreSQL refuses it (55P04, unsafe use of new value): the value must be committed before it is used, unless its type was \
          made in the same transaction.",
    lock: "None: the migration fails",
    safe: "ADD VALUE in a migration of its own; what uses the value in the next.",
};

pub(super) fn detect(ctx: &MigrationContext<'_>) -> Vec<(usize, Finding)> {
    let mut found = Vec::new();
    if !ctx.transactional {
        return found;
    }
    for (at, step) in ctx.steps.iter().enumerate() {
        let Stmt::AlterEnumAddValue { name, value, .. } = &step.statement.stmt else { continue };
        if is_new(step, name) {
            continue;
        }
        let Some((used_at, user)) =
            ctx.steps.iter().enumerate().skip(at + 1).find(|(_, later)| uses(later, name, value))
        else {
            continue;
        };
        let message = format!(
            "step {} uses {} of {name}, which step {} adds in the same transaction: PostgreSQL refuses that with 55P04",
            used_at + 1,
            print::literal(value),
            at + 1
        );
        let form = split(ctx.steps, at + 1);
        let literal = print::literal(value);
        let finding = Finding::new(&HAZARD, message).at(&user.statement.text, &literal).safe(form);
        found.push((used_at, finding));
    }
    found
}

fn is_new(step: &StepContext<'_>, name: &Name) -> bool {
    let listed = step.before.find_type(name).and_then(|name| step.before.types.get(&name));
    matches!(listed, Some(Type::Defined { new: true, .. }))
}

/// Whether the statement has the value as a literal where the enum can be meant.
fn uses(step: &StepContext<'_>, name: &Name, value: &str) -> bool {
    if !step.statement.text.contains(&print::literal(value)) {
        return false;
    }
    let of_type = |used: &TypeName| {
        let same = |used: &Name| match (step.before.find_type(used), step.before.find_type(name)) {
            (Some(used), Some(name)) => used == name,
            _ => used.name == name.name,
        };
        same(&used.name)
    };
    let column_has_it = |column: &ColumnDef| column.data_type.as_ref().is_some_and(of_type);
    match &step.statement.stmt {
        Stmt::CreateTable(table) => table.columns.iter().any(column_has_it),
        Stmt::AlterTable(alter) => alter.actions.iter().any(|action| match action {
            TableAction::AddColumn { column, .. } => column_has_it(column),
            TableAction::SetDefault { column, expression } => {
                expression.casts.iter().any(of_type)
                    || known_type(step, &alter.name, column).is_none_or(|data_type| of_type(&data_type))
            }
            TableAction::SetType { data_type, .. } => of_type(data_type),
            TableAction::AddConstraint(_) | TableAction::AttachPartition { .. } => true,
            _ => false,
        }),
        Stmt::Query(query) => {
            let columns = query.columns.iter().chain(query.writes.iter().flat_map(|write| write.columns.iter()));
            let tables: Vec<&Name> =
                query.reads.iter().map(|(name, _)| name).chain(query.writes.iter().map(|write| &write.table)).collect();
            let mut known = true;
            // An INSERT that names no columns gives values to all of them.
            for write in query.writes.iter().filter(|it| it.kind == DmlKind::Insert && it.columns.is_empty()) {
                match step.before.table(&step.before.resolve(&write.table)) {
                    Some(table) if table.complete => {
                        let types = table.columns.iter().map(|column| column.data_type.known());
                        if types.into_iter().any(|data_type| data_type.is_none_or(of_type)) {
                            return true;
                        }
                    }
                    _ => known = false,
                }
            }
            for column in columns {
                for table in &tables {
                    match known_type(step, table, column) {
                        Some(data_type) if of_type(&data_type) => return true,
                        Some(_) => {}
                        None => known = false,
                    }
                }
            }
            !known || tables.is_empty()
        }
        Stmt::CreateIndex(_)
        | Stmt::CreateView(_)
        | Stmt::CreateMaterializedView(_)
        | Stmt::CreateDomain(_)
        | Stmt::CreatePolicy(_)
        | Stmt::Do { .. } => true,
        _ => false,
    }
}

fn known_type(step: &StepContext<'_>, table: &Name, column: &str) -> Option<TypeName> {
    let table = step.before.table(&step.before.resolve(table))?;
    match &table.columns.iter().find(|listed| listed.name == column)?.data_type {
        Fact::Known(data_type) => Some(data_type.clone()),
        Fact::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, safe, shop, unknown};

    #[test]
    fn used_where_it_was_added() {
        for sql in [
            "ALTER TYPE mood ADD VALUE 'glad'; ALTER TABLE people ALTER COLUMN now SET DEFAULT 'glad'",
            "ALTER TYPE mood ADD VALUE 'glad'; INSERT INTO people (id, now) VALUES (1, 'glad')",
            "ALTER TYPE mood ADD VALUE 'glad'; INSERT INTO people VALUES (1, 'glad')",
            "ALTER TYPE mood ADD VALUE 'glad'; CREATE TABLE diary (id bigint, how mood DEFAULT 'glad')",
        ] {
            for before in [shop(), unknown()] {
                assert_eq!(refused(&before, sql), ["enum-value-used"], "{sql}");
                safe(&before, sql, "enum-value-used");
            }
        }
    }

    #[test]
    fn not_used() {
        for sql in [
            "ALTER TYPE mood ADD VALUE 'glad'; ALTER TYPE mood ADD VALUE 'gladder' AFTER 'glad'",
            "ALTER TYPE mood ADD VALUE 'glad'; ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'glad'",
            "CREATE TYPE hue AS ENUM ('red'); ALTER TYPE hue ADD VALUE 'blue'; CREATE TABLE h (c hue DEFAULT 'blue')",
        ] {
            assert!(refused(&shop(), sql).is_empty(), "{sql}");
        }
    }
}

//! DROP: what is gone, made again, where the schema knows what it was.

use super::{Context, Derived, Need};
use crate::sql::ast::{Drop, ObjectKind, Target};
use crate::sql::name::quoted;
use crate::sql::print;
use crate::sql::reverse::restore;
use crate::sql::schema::World;

pub(super) fn dropped(drop: &Drop, context: &Context<'_>) -> Derived {
    let unknown: Vec<&Target> = drop.targets.iter().filter(|target| !known(target, context)).collect();
    if !unknown.is_empty() {
        let closed = context.before.world == World::Closed;
        if closed && drop.if_exists && unknown.len() == drop.targets.len() {
            return Derived::Nothing("what IF EXISTS names is not there");
        }
        if !closed || !drop.if_exists {
            return needs(drop, &unknown, context);
        }
    }
    match restore::lost(context.before, context.after, &restore::Except::default()) {
        Ok(statements) if statements.is_empty() => needs(drop, &drop.targets.iter().collect::<Vec<_>>(), context),
        Ok(statements) => Derived::Sql(concurrently(drop, statements)),
        Err(why) => Need { why, template: template(drop, &drop.targets.iter().collect::<Vec<_>>()) }.into(),
    }
}

/// An index that was dropped CONCURRENTLY is made so again.
fn concurrently(drop: &Drop, statements: Vec<String>) -> Vec<String> {
    if !drop.concurrently {
        return statements;
    }
    statements
        .into_iter()
        .map(|statement| match statement.split_once("INDEX ") {
            Some((head, rest)) if head == "CREATE " || head == "CREATE UNIQUE " => {
                format!("{head}INDEX CONCURRENTLY {rest}")
            }
            _ => statement,
        })
        .collect()
}

/// Whether the schema lists the object with its definition.
fn known(target: &Target, context: &Context<'_>) -> bool {
    let before = context.before;
    let table = || target.on.as_ref().and_then(|on| before.table(&before.resolve(on)));
    match target.kind {
        ObjectKind::Table
        | ObjectKind::ForeignTable
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::Sequence
        | ObjectKind::Index => before.find_relation(&target.name).is_some(),
        ObjectKind::Type | ObjectKind::Domain => before.find_type(&target.name).is_some(),
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate => {
            before.find_functions(&target.name).is_some()
        }
        ObjectKind::Trigger => table().is_some_and(|table| table.triggers.contains_key(&target.name.name)),
        ObjectKind::Rule => table().is_some_and(|table| table.rules.contains_key(&target.name.name)),
        ObjectKind::Policy => table().is_some_and(|table| table.policies.contains_key(&target.name.name)),
        ObjectKind::Extension => before.extensions.contains_key(&target.name.name),
        ObjectKind::Schema => before.world == World::Closed && before.schemas.contains(&target.name.name),
        ObjectKind::Statistics => before.statistics.keys().any(|name| name.name == target.name.name),
        ObjectKind::Publication => before.publications.contains_key(&target.name.name),
        _ => false,
    }
}

fn needs(drop: &Drop, unknown: &[&Target], context: &Context<'_>) -> Derived {
    let names: Vec<_> = unknown.iter().map(|target| described(target)).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let cascade =
        if drop.cascade && context.before.world == World::Open { ", nor is what CASCADE takes along" } else { "" };
    Derived::Needs(
        format!(
            "the definition of {} {verb} not in this migration{cascade}; the down must make it again",
            names.join(", ")
        ),
        template(drop, unknown),
    )
}

fn described(target: &Target) -> String {
    format!("{} {}", target.kind.sql().to_lowercase(), print::target_name(target))
}

fn template(drop: &Drop, targets: &[&Target]) -> Option<String> {
    let statements: Vec<_> = targets
        .iter()
        .map(|target| {
            let name = print::target_name(target);
            match target.kind {
                ObjectKind::Table => format!("CREATE TABLE {name} (<columns>)"),
                ObjectKind::View | ObjectKind::MaterializedView => {
                    format!("CREATE {} {name} AS <query>", target.kind.sql())
                }
                ObjectKind::Index => {
                    let concurrently = if drop.concurrently { "CONCURRENTLY " } else { "" };
                    format!("CREATE INDEX {concurrently}{} ON <table> (<columns>)", quoted(&target.name.name))
                }
                ObjectKind::Type => format!("CREATE TYPE {name} AS <definition>"),
                ObjectKind::Domain => format!("CREATE DOMAIN {name} AS <type>"),
                ObjectKind::Trigger => {
                    let table = target.on.as_ref().map(ToString::to_string).unwrap_or_default();
                    format!(
                        "CREATE TRIGGER {} <BEFORE or AFTER event> ON {table} FOR EACH ROW EXECUTE FUNCTION <function>()",
                        quoted(&target.name.name)
                    )
                }
                ObjectKind::Policy => format!("CREATE POLICY {name} USING (<condition>)"),
                ObjectKind::Sequence | ObjectKind::Schema | ObjectKind::Extension | ObjectKind::Role => {
                    format!("CREATE {} {name}", target.kind.sql())
                }
                kind => format!("CREATE {} {name} <definition>", kind.sql()),
            }
        })
        .collect();
    (!statements.is_empty()).then(|| statements.join(";\n"))
}

//! The baseline: a script that makes the schema which was there before the history.

use super::checked::{CheckedBaseline, CheckedName};
use super::declaration::{Problem, Site, SqlText};
use super::effects::effects;
use super::read;
use super::run::Problems;
use crate::model::{PgRange, Space};
use crate::sql::Change;
use crate::sql::ast::{Stmt, TypeName};
use crate::sql::digest::digest_of_script;
use crate::sql::psql;
use crate::sql::schema::Schema;
use std::borrow::Cow;

/// Reads a baseline: SQL as people write it, or a file that `pg_dump --schema-only` wrote.
///
/// # Errors
///
/// The first thing that is wrong with it.
pub fn baseline(text: &SqlText) -> Result<CheckedBaseline, Problem> {
    let sql = psql::taken_out(&text.text).map_err(|error| Problem {
        site: Site::Migration,
        message: format!("{}\n{}", error.message, read::excerpt(text, error.range())),
    })?;
    let sql = match sql {
        Cow::Borrowed(_) => None,
        Cow::Owned(sql) => Some(sql),
    };
    let text = &SqlText { text: sql.clone().unwrap_or_else(|| text.text.clone()), file: text.file.clone() };
    let mut problems = Problems::default();
    let Some(statements) = read::all(text, Site::Migration, &mut problems) else {
        return Err(problems.list.swap_remove(0));
    };
    let mut schema = Schema::empty();
    let (mut made, mut names) = (Vec::new(), Vec::new());
    for statement in &statements {
        let changes = schema.apply(statement, PgRange::SUPPORTED.max()).map_err(|error| Problem {
            site: Site::Migration,
            message: format!("PostgreSQL would refuse this: {error}\n{}", read::excerpt(text, statement.span.clone())),
        })?;
        // A dump sets the session up before it makes anything, and that is no part of the schema.
        if matches!(statement.stmt, Stmt::Setting { .. } | Stmt::Transaction { .. }) {
            continue;
        }
        names.extend(changes.iter().map(|change| name(change, &statement.stmt, &schema)));
        made.extend(effects(&statement.stmt, &changes));
    }
    let properties = super::properties::of_baseline(&schema);
    Ok(CheckedBaseline { digest: digest_of_script(&text.text), sql, effects: made, names, properties })
}

fn name(change: &Change, stmt: &Stmt, schema: &Schema) -> CheckedName {
    let mut name = change.object.name.clone();
    let mut arguments = None;
    // The identity of a routine has its arguments in its name.
    if let (Space::Routine, Stmt::CreateFunction(create)) = (change.object.space, stmt) {
        name.name.clone_from(&create.routine.name.name);
        arguments =
            create.routine.args.as_ref().and_then(|args| args.iter().map(|arg| type_name(arg, schema)).collect());
    }
    CheckedName { owner: change.object.owner.clone(), name, arguments }
}

/// The type as `to_regtype` reads it; `None` for `table.column%TYPE`, which it does not.
fn type_name(name: &TypeName, schema: &Schema) -> Option<String> {
    let array = if name.array > 0 { "[]" } else { "" };
    (!name.percent_type).then(|| format!("{}{array}", schema.resolve_type(name).name))
}

//! The baseline: a script that makes the schema which was there before the history.

use super::checked::CheckedBaseline;
use super::declaration::{Problem, Site, SqlText};
use super::effects::effects;
use super::read;
use super::run::Problems;
use crate::model::PgRange;
use crate::sql::ast::Stmt;
use crate::sql::digest::digest_of_script;
use crate::sql::schema::Schema;

/// Reads a baseline.
///
/// # Errors
///
/// The first thing that is wrong with it.
pub fn baseline(text: &SqlText) -> Result<CheckedBaseline, Problem> {
    let mut problems = Problems::default();
    let Some(statements) = read::all(text, Site::Migration, &mut problems) else {
        return Err(problems.list.swap_remove(0));
    };
    let mut schema = Schema::empty();
    let mut out = Vec::new();
    for statement in &statements {
        // A dump sets the session up before it makes anything, and that is no part of the schema.
        if matches!(statement.stmt, Stmt::Setting { .. } | Stmt::Transaction { .. }) {
            continue;
        }
        match schema.apply(statement, PgRange::SUPPORTED.max()) {
            Ok(changes) => out.extend(effects(&statement.stmt, &changes)),
            Err(error) => {
                return Err(Problem {
                    site: Site::Migration,
                    message: format!(
                        "PostgreSQL would refuse this: {error}\n{}",
                        read::excerpt(text, statement.span.clone())
                    ),
                });
            }
        }
    }
    Ok(CheckedBaseline { digest: digest_of_script(&text.text), effects: out })
}

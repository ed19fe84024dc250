//! SQL text to statements, with errors that quote the text.

use super::declaration::{Problem, Site, SqlText};
use super::run::Problems;
use crate::sql::ast::{Body, Statement, Stmt};
use crate::sql::digest::find_words;
use crate::sql::locks::{opaque_function, run_by, unread_function};
use crate::sql::name::Name;
use crate::sql::parse::parse;
use crate::sql::psql;
use crate::sql::schema::Schema;
use crate::sql::source::{Excerpt, SyntaxError};
use std::ops::Range;

/// The one statement of `text`.
pub(super) fn one(text: &SqlText, site: Site, what: &str, problems: &mut Problems) -> Option<Statement> {
    let mut statements = all(text, site, problems)?;
    match statements.len() {
        1 => {
            let statement = statements.pop()?;
            no_matter_of_the_session(text, &statement, site, problems)?;
            Some(statement)
        }
        0 => {
            problems.add(site, format!("{what} holds no statement\n  = write the SQL of one statement"));
            None
        }
        count => {
            let second = statements[1].span.clone();
            problems.add(
                site,
                match site {
                    Site::DownStatement(..) => format!(
                        "{what} holds {count} statements\n{}  = give each a string of its own, in a list: `down = [\"…\", \"…\"]`",
                        excerpt(text, second)
                    ),
                    _ => format!(
                        "{what} holds {count} statements, and a step is one\n{}  = give each statement a `#[step(…)]` of its own, with the down that reverses it",
                        excerpt(text, second)
                    ),
                },
            );
            None
        }
    }
}

/// The statements of `text`.
pub(super) fn all(text: &SqlText, site: Site, problems: &mut Problems) -> Option<Vec<Statement>> {
    match parse(&text.text) {
        Ok(statements) => Some(statements),
        Err(error) => {
            let of_psql = psql::command_at(&text.text, error.offset).or_else(|| psql::rows(&text.text));
            problems.list.push(match of_psql {
                Some(error) => {
                    Problem { site, message: format!("{}\n{}", error.message, excerpt(text, error.range())) }
                }
                None => syntax(text, &error, site),
            });
            None
        }
    }
}

pub(super) fn syntax(text: &SqlText, error: &SyntaxError, site: Site) -> Problem {
    let range = error.offset..error.offset + error.len;
    Problem { site, message: format!("SQL syntax error: {}\n{}", error.message, excerpt(text, range).trim_end()) }
}

pub(super) fn excerpt(text: &SqlText, range: Range<usize>) -> String {
    let excerpt = Excerpt::new(&text.text, range);
    let excerpt = match &text.file {
        Some(file) => excerpt.file(file),
        None => excerpt,
    };
    let mut out = excerpt.to_string();
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// What is between the runner and the server is no step's: transactions, settings, rows to copy.
fn no_matter_of_the_session(text: &SqlText, statement: &Statement, site: Site, problems: &mut Problems) -> Option<()> {
    match &statement.stmt {
        Stmt::Transaction { what } => {
            problems.add(
                site,
                format!(
                    "{} is transaction control, which is the runner's\n{}  = leave it out: `transactional = true` (the default) runs all steps in one transaction",
                    what.sql(),
                    excerpt(text, statement.span.clone())
                ),
            );
            None
        }
        // What a session is set to is the runner's: a role, a search_path or a lock_timeout of a step's own would outlive the
        // step, and undo what keeps it from waiting in a lock queue.
        Stmt::Setting { kind, .. } if !matches!(*kind, "SHOW" | "SET CONSTRAINTS") => {
            problems.add(
                site,
                format!(
                    "{kind} changes the session, which is the runner's\n{}  = leave it out; the runner has `.search_path(…)`, `.role(…)` and `.lock_timeout(…)`, and names can be written with their schema",
                    excerpt(text, statement.span.clone())
                ),
            );
            None
        }
        // Through the runner's session go statements, and no rows.
        Stmt::Copy { from, .. } if copies_through_the_session(text, statement, *from) => {
            let (what, instead) = if *from {
                ("FROM STDIN waits for rows, which nobody sends", "write the rows as INSERT … VALUES")
            } else {
                ("TO STDOUT sends rows, which nobody reads", "leave it out")
            };
            problems.add(site, format!("COPY … {what}\n{}  = {instead}", excerpt(text, statement.span.clone())));
            None
        }
        Stmt::Discard { .. } => {
            problems.add(
                site,
                format!(
                    "DISCARD resets the session, which is the runner's\n{}  = leave it out",
                    excerpt(text, statement.span.clone())
                ),
            );
            None
        }
        _ => Some(()),
    }
}

fn copies_through_the_session(text: &SqlText, statement: &Statement, from: bool) -> bool {
    let words: &[&str] = if from { &["FROM", "STDIN"] } else { &["TO", "STDOUT"] };
    find_words(&text.text, statement.span.clone(), words).is_some()
}

/// Why the analysis does not know what a statement does; `None` where it does.
pub(super) fn unknown(stmt: &Stmt, schema: &Schema) -> Option<String> {
    let opaque = |body: &Body| body.opaque.clone();
    match stmt {
        Stmt::Do { body, language } => opaque(body)
            .map(|why| format!("a DO block in {language}: {why}"))
            .or_else(|| body.statements.iter().find_map(|inner| unknown(&inner.stmt, schema))),
        Stmt::Call { function, .. } => Some(format!("CALL runs the procedure {function}, whose body is not here")),
        Stmt::SessionStatement { kind, .. } => Some(format!("{kind} runs what the session prepared")),
        Stmt::ReassignOwned { .. } => Some("REASSIGN OWNED reaches whatever the roles own".to_owned()),
        Stmt::Explain { analyze: true, statement } | Stmt::Prepare { statement, .. } => unknown(statement, schema),
        // What only calls a function is called for what the function does.
        Stmt::Query(query) if query.writes.is_empty() && query.into.is_none() => {
            unread_function(schema, &query.functions)
                .cloned()
                .or_else(|| opaque_function(schema, &query.functions))
                .map(|function| calls(&function))
        }
        // What writes or makes something is known by that; not so what it calls beside it.
        _ => run_by(stmt)
            .into_iter()
            .find_map(|query| opaque_function(schema, &query.functions))
            .map(|name| calls(&name)),
    }
}

fn calls(function: &Name) -> String {
    format!("it calls {function}(), and what that changes is not here")
}

//! DO blocks, procedures, functions and triggers: the statements of a body that can be read are looked at one after
//! another, each against the schema that the ones before it made. What cannot be read is said.

use super::look::Look;
use super::query;
use super::table;
use super::volatility;
use crate::sql::ast::{Body, Query};
use crate::sql::name::Name;
use crate::sql::schema::Schema;

pub(super) fn block(look: &mut Look<'_>, language: &str, body: &Body) {
    let row = &table::PROGRAM;
    look.row(row);
    if let Some(opaque) = &body.opaque {
        look.worst(row, format!("what the DO block in {language} does cannot be known: {opaque}"));
    }
    statements(look, body);
    if body.commits {
        look.refuses_transaction(row, "the block commits or rolls back");
    }
}

pub(super) fn call(look: &mut Look<'_>, procedure: &Name, arguments: &Query) {
    query::run(look, arguments);
    let row = &table::PROGRAM;
    look.row(row);
    match bodies(look.before, procedure) {
        Some(found) => {
            for body in found {
                if let Some(opaque) = &body.opaque {
                    look.worst(row, format!("what the procedure {procedure} does cannot be known: {opaque}"));
                }
                statements(look, &body);
                if body.commits {
                    look.refuses_transaction(row, "the procedure commits or rolls back");
                }
            }
        }
        None => look.maybe_stronger(format!("the body of the procedure {procedure} is not known")),
    }
}

/// The user's functions among those that a query calls.
pub(super) fn functions(look: &mut Look<'_>, called: &[Name]) {
    if !look.runs() {
        return;
    }
    for name in called {
        if volatility::is_builtin(look.before, name) {
            continue;
        }
        let may_write = volatility::may_write(look.before, name);
        match bodies(look.before, name) {
            Some(found) => look.running(name, |look| {
                for body in found {
                    match &body.opaque {
                        // The same text in a DO block counts as the worst.
                        Some(opaque) if may_write => {
                            look.worst(&table::PROGRAM, format!("what {name}() does cannot be known: {opaque}"));
                        }
                        Some(opaque) => look.maybe_stronger(format!("what {name}() does cannot be known: {opaque}")),
                        None => {}
                    }
                    statements(look, &body);
                }
            }),
            None => look.maybe_stronger(format!("the body of {name}() is not known: it may lock relations")),
        }
    }
}

pub(super) fn trigger(look: &mut Look<'_>, on: &Name, trigger: &str, function: &Name) {
    match bodies(look.before, function) {
        Some(found) => look.running(function, |look| {
            for body in found {
                if let Some(opaque) = &body.opaque {
                    look.maybe_stronger(format!("what the trigger {trigger} of {on} does cannot be known: {opaque}"));
                }
                statements(look, &body);
            }
        }),
        None if volatility::is_builtin(look.before, function) => {}
        None => look.maybe_stronger(format!(
            "what the trigger {trigger} of {on} does is not known: {function}() may lock relations"
        )),
    }
}

/// FETCH, EXECUTE and the like run what the session prepared.
pub(super) fn session_statement(look: &mut Look<'_>, kind: &str) {
    if kind == "EXECUTE" {
        look.worst(&table::PROGRAM, "what EXECUTE runs was prepared elsewhere and cannot be known");
    } else {
        look.row(&table::SESSION);
    }
}

/// The bodies of the functions by that name; `None` where one is not known.
fn bodies(schema: &Schema, name: &Name) -> Option<Vec<Body>> {
    let found = schema.find_functions(name)?;
    schema.functions.get(&found)?.iter().map(|function| function.body.known().cloned()).collect()
}

fn statements(look: &mut Look<'_>, body: &Body) {
    let mut before = look.before.clone();
    for statement in &body.statements {
        let mut after = before.clone();
        match after.apply(statement, look.pg) {
            Ok(changes) => {
                let mut failed = None;
                look.within(&before, &after, |look| {
                    failed = super::statement_facts(look, &statement.stmt, &statement.text).err();
                });
                if let Some(error) = failed {
                    look.unknown(format!("`{}` in the body fails: {error}", statement.text));
                }
                if !changes.is_empty() {
                    look.schema_changed();
                }
                before = after;
            }
            // An EXCEPTION clause may catch it; what ran before it counts either way.
            Err(error) => look.unknown(format!("`{}` in the body fails: {error}", statement.text)),
        }
    }
}

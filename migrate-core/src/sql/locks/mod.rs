//! Which lock a statement takes on which relation that existed before it, what work it does under the locks, whether it
//! may run in a transaction block, and what data it destroys, on one server version.
//!
//! [`table`] says it for every kind of statement; the other files are the conditions under which a row's lighter or
//! heavier work applies, and the relations that a statement reaches beyond the one it names.

mod actions_refused;
mod alter;
mod attach;
mod bound;
mod bound_of_columns;
mod builtin;
mod cast;
mod column;
mod columns_refused;
mod condition;
mod constraint;
mod create;
mod definition;
mod dml;
mod drop;
mod fired;
mod hash;
mod index;
mod index_classes;
mod look;
mod maintain;
mod narrowing;
mod objects;
mod page;
mod permitted;
mod program;
mod proof;
mod query;
mod refused;
mod rewrite;
mod table;
mod triggers_refused;
mod volatility;

pub use page::lock_table_markdown;

use super::ast::{Statement, Stmt};
use super::facts::Facts;
use super::phase::phase;
use super::schema::{ApplyError, Schema};
use super::server::{Server, on_each};
use crate::model::PgRange;
pub(crate) use column::may_be_domain;
use look::Look;
pub(crate) use query::{run_by, run_within};
pub(crate) use rewrite::is_builtin as is_builtin_type;
use std::ops::RangeInclusive;
pub(crate) use volatility::{may_write, opaque_function, unread_function};

/// The facts of one statement on servers of one version.
pub(crate) fn facts(statement: &Statement, before: &Schema, pg: Server<'_>) -> Result<Facts, ApplyError> {
    refused::refused(statement, before, pg)?;
    let mut after = before.clone();
    let changes = after.apply(statement, pg)?;
    refused::retyped(statement, &after)?;
    let mut look = Look::new(before, &after, pg);
    statement_facts(&mut look, &statement.stmt, &statement.text)?;
    let mut facts = look.finish(changes);
    facts.phase = phase(statement, before, pg);
    Ok(facts)
}

/// The facts of one statement over a range of versions: the strongest of each. Reasons name the versions where they
/// are not the same on all.
pub(crate) fn facts_over(statement: &Statement, before: &Schema, range: PgRange) -> Result<Facts, ApplyError> {
    let mut all = Vec::new();
    for (versions, found) in on_each(range, |server| facts(statement, before, server)) {
        match found {
            Ok(facts) => all.push((versions, facts)),
            Err(mut error) => {
                if range.min() != range.max() {
                    error.message = format!("{} (PostgreSQL {})", error.message, versions.start());
                }
                return Err(error);
            }
        }
    }
    Ok(strongest(all))
}

fn strongest(mut all: Vec<(RangeInclusive<u16>, Facts)>) -> Facts {
    if all.len() == 1 {
        return all.remove(0).1;
    }
    let versions: usize = all.iter().map(|(range, _)| range.len()).sum();
    let mut said: Vec<(super::facts::Reason, Vec<u16>)> = Vec::new();
    for (range, facts) in &all {
        for reason in &facts.reasons {
            match said.iter_mut().find(|(known, _)| known == reason) {
                Some((_, on)) => on.extend(range.clone()),
                None => said.push((reason.clone(), range.clone().collect())),
            }
        }
    }
    let mut all = all.into_iter().map(|(_, facts)| facts);
    let mut total = all.next().expect("a range has at least one version");
    for facts in all {
        for (name, lock) in facts.locks {
            let known = total.locks.entry(name).or_insert(lock);
            known.class = known.class.max(lock.class);
        }
        total.lock_class = total.lock_class.max(facts.lock_class);
        total.work = total.work.max(facts.work);
        total.in_transaction &= facts.in_transaction;
        total.destructive |= facts.destructive;
        total.phase = total.phase.max(facts.phase);
        total.may_be_stronger |= facts.may_be_stronger;
        for loss in facts.losses {
            if !total.losses.contains(&loss) {
                total.losses.push(loss);
            }
        }
        for unknown in facts.unknowns {
            if !total.unknowns.contains(&unknown) {
                total.unknowns.push(unknown);
            }
        }
    }
    total.reasons = said
        .into_iter()
        .map(|(mut reason, on)| {
            if on.len() < versions {
                let on: Vec<String> = on.iter().map(ToString::to_string).collect();
                reason.because = format!("{} (PostgreSQL {})", reason.because, on.join(", "));
            }
            reason
        })
        .collect();
    total
}

/// Fills in the facts of a statement. Total over the statement kinds.
fn statement_facts(look: &mut Look<'_>, stmt: &Stmt, text: &str) -> Result<(), ApplyError> {
    match stmt {
        Stmt::AlterTable(alter) => alter::alter_table(look, alter),
        Stmt::AlterAllInTablespace { kind, from, to } => alter::all_in_tablespace(look, *kind, from, to, text),
        Stmt::CreateTable(create) => create::create_table(look, create),
        Stmt::CreateTableAs(create) => create::create_table_as(look, create),
        Stmt::CreateView(create) => create::create_view(look, create),
        Stmt::CreateMaterializedView(create) => create::create_materialized_view(look, create),
        Stmt::RefreshMaterializedView { name, concurrently, with_data } => {
            create::refresh(look, name, *concurrently, *with_data);
        }
        Stmt::CreateIndex(create) => index::create_index(look, create),
        Stmt::AttachIndex { index, child } => index::attach_index(look, index, child),
        Stmt::Reindex(reindex) => index::reindex(look, reindex),
        Stmt::Drop(drop) => drop::drop_objects(look, drop),
        Stmt::Truncate { tables, restart_identity, cascade } => {
            maintain::truncate(look, tables, *restart_identity, *cascade);
        }
        Stmt::LockTable { tables, mode, .. } => maintain::lock_table(look, tables, *mode),
        Stmt::Vacuum { tables, full, analyze } => maintain::vacuum(look, tables, *full, *analyze),
        Stmt::Analyze { tables } => maintain::analyze(look, tables),
        Stmt::Cluster { table, .. } => maintain::cluster(look, table.as_ref()),
        Stmt::Query(query) => query::run(look, query),
        Stmt::Explain { analyze, statement } => query::explain(look, *analyze, statement, text)?,
        Stmt::Copy { table, query, from, columns, .. } => {
            query::copy(look, table.as_ref(), query.as_ref(), *from, columns);
        }
        Stmt::Prepare { statement, .. } => query::prepare(look, statement),
        Stmt::DeclareCursor { query, .. } => query::plan(look, query),
        Stmt::Call { function, query } => program::call(look, function, query),
        Stmt::Do { language, body } => program::block(look, language, body),
        Stmt::SessionStatement { kind, .. } => program::session_statement(look, kind),
        Stmt::CreateSchema { elements, .. } => {
            look.row(&table::SCHEMA);
            for element in elements {
                statement_facts(look, &element.stmt, &element.text)?;
            }
        }
        _ => objects::object(look, stmt, text),
    }
    Ok(())
}

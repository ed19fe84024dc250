//! Applying statements: one file a family. Each effect changes the schema and is written down as a [`Change`].
//!
//! A statement that fails leaves the schema half changed: whoever goes on after an error applies to a copy.

mod alter;
mod alter_column;
mod alter_relation;
mod bodies;
mod change;
mod cloned_triggers;
mod columns;
mod constraints;
mod default_privileges;
pub(in crate::sql::schema) mod dependents;
mod drop;
mod functions;
mod handed_down;
mod indexes;
mod lookup;
mod moved;
mod not_null;
mod others;
mod partitions;
mod privileges;
mod rename;
mod rename_column;
mod rows;
mod sequences;
mod settings;
mod tables;
mod tables_as;
mod tables_like;
mod triggers;
mod types;
mod views;

use super::error::Applied;
use super::{ApplyError, Schema, World};
use crate::model::Verb;
use crate::sql::Change;
use crate::sql::ast::{Statement, Stmt};
use crate::sql::server::Server;

/// One statement being applied.
struct Apply<'a> {
    schema: &'a mut Schema,
    /// The server's major version.
    pg: Server<'a>,
    changes: Vec<Change>,
}

impl Schema {
    /// Applies the statement as the server would, and says what it changed.
    ///
    /// # Errors
    /// The error that the server would answer, as far as the schema can know. The schema is then half changed.
    pub(crate) fn apply<'s>(
        &mut self,
        statement: &Statement,
        server: impl Into<Server<'s>>,
    ) -> Result<Vec<Change>, ApplyError> {
        let mut apply = Apply { schema: self, pg: server.into(), changes: Vec::new() };
        apply.stmt(&statement.stmt)?;
        let made = apply.changes.iter().filter(|change| change.verb == Verb::Make);
        for object in made.map(|change| change.object.clone()).collect::<Vec<_>>() {
            apply.grant_defaults(&object);
        }
        Ok(apply.changes)
    }
}

impl Apply<'_> {
    fn closed(&self) -> bool {
        self.schema.world == World::Closed
    }

    fn stmt(&mut self, stmt: &Stmt) -> Applied {
        match stmt {
            Stmt::CreateTable(create) => self.create_table(create),
            Stmt::CreateTableAs(create) => self.create_table_as(create),
            Stmt::AlterTable(alter) => self.alter_table(alter),
            Stmt::AlterAllInTablespace { kind, from, to } => {
                self.alter_all_in_tablespace(*kind, from, to);
                Ok(())
            }
            Stmt::CreateIndex(create) => self.create_index(create),
            Stmt::AttachIndex { index, child } => self.attach_index(index, child),
            Stmt::Reindex(reindex) => self.reindex(&reindex.scope),
            Stmt::CreateView(create) => self.create_view(create),
            Stmt::CreateMaterializedView(create) => self.create_materialized_view(create),
            Stmt::RefreshMaterializedView { name, concurrently, with_data } => {
                self.refresh(name, *concurrently, *with_data)
            }
            Stmt::CreateSequence(create) => self.create_sequence(create),
            Stmt::AlterSequence { name, if_exists, options } => self.alter_sequence(name, *if_exists, options),
            Stmt::CreateType { name, definition } => self.create_type(name, definition),
            Stmt::AlterEnumAddValue { name, if_not_exists, value, place } => {
                self.add_enum_value(name, *if_not_exists, value, place.as_ref())
            }
            Stmt::AlterEnumRenameValue { name, from, to } => self.rename_enum_value(name, from, to),
            Stmt::AlterComposite { name, actions } => self.alter_composite(name, actions),
            Stmt::CreateDomain(create) => self.create_domain(create),
            Stmt::AlterDomain { name, action } => self.alter_domain(name, action),
            Stmt::CreateFunction(create) => self.create_function(create),
            Stmt::AlterFunction { routine, options, list } => self.alter_function(routine, options, list),
            Stmt::CreateTrigger(create) => self.create_trigger(create),
            Stmt::CreateRule { name, table, or_replace, text } => self.create_rule(name, table, *or_replace, text),
            Stmt::CreatePolicy(create) => self.create_policy(create),
            Stmt::AlterPolicy { name, table, text } => self.alter_policy(name, table, text),
            Stmt::CreateSchema { name, if_not_exists, authorization, elements } => {
                self.create_schema(name.as_deref(), *if_not_exists, authorization.as_deref(), elements)
            }
            Stmt::CreateExtension { name, if_not_exists, schema, version, .. } => {
                self.create_extension(name, *if_not_exists, schema.as_deref(), version.as_deref())
            }
            Stmt::AlterExtension { name, text, set_schema } => self.alter_extension(name, text, set_schema.as_deref()),
            Stmt::CreateStatistics { name, if_not_exists, table, text } => {
                self.create_statistics(name.as_ref(), *if_not_exists, table, text)
            }
            Stmt::AlterStatistics { name, text } => self.alter_statistics(name, text),
            Stmt::CreatePublication { name, scope, text } => self.create_publication(name, scope, text),
            Stmt::AlterPublication { name, action, scope, text } => self.alter_publication(name, *action, scope, text),
            Stmt::CreateEventTrigger { name, text } => self.create_other("event trigger", name, text),
            Stmt::AlterEventTrigger { name, text } => self.alter_other("event trigger", name, text),
            Stmt::CreateSubscription { name, text, .. } => self.create_other("subscription", name, text),
            Stmt::AlterSubscription { name, text, .. } => self.alter_other("subscription", name, text),
            Stmt::Drop(drop) => self.drop(drop),
            Stmt::Rename { target, if_exists, to } => self.rename(target, *if_exists, to),
            Stmt::SetSchema { target, if_exists, to } => self.set_schema(target, *if_exists, to),
            Stmt::SetOwner { target, to } => self.set_owner(target, to),
            Stmt::DependsOnExtension { target, no, extension } => self.depends_on_extension(target, *no, extension),
            Stmt::Comment { target, text } => self.comment(target, text.as_deref()),
            Stmt::SecurityLabel { target, text } => self.security_label(target, text),
            Stmt::Grant(grant) => self.grant(grant),
            Stmt::AlterDefaultPrivileges { text } => {
                self.default_privileges(text);
                Ok(())
            }
            Stmt::ReassignOwned { text } => {
                self.reassign_owned(text);
                Ok(())
            }
            Stmt::Query(query) => self.query(query),
            Stmt::Explain { analyze: true, statement } => self.stmt(statement),
            Stmt::Truncate { tables, cascade, .. } => self.truncate(tables, *cascade),
            Stmt::LockTable { tables, .. } => self.lock(tables),
            Stmt::Copy { table, query, from, columns, .. } => self.copy(table.as_ref(), query.as_ref(), *from, columns),
            Stmt::Call { function, query } => self.call(function, query),
            Stmt::Do { body, .. } => {
                self.run_body(body);
                Ok(())
            }
            Stmt::DeclareCursor { query, .. } => self.query(query),
            Stmt::Vacuum { tables, .. } | Stmt::Analyze { tables } => self.maintain(tables),
            Stmt::Cluster { table, index } => self.cluster(table.as_ref(), index.as_deref()),
            Stmt::Setting { kind, name, value, .. } => {
                self.setting(kind, name, value.as_deref());
                Ok(())
            }
            Stmt::Discard { all } => {
                self.discard(*all);
                Ok(())
            }
            Stmt::Other { verb, target, text } => self.other(*verb, target, text),
            Stmt::Explain { analyze: false, .. }
            | Stmt::Prepare { .. }
            | Stmt::SessionStatement { .. }
            | Stmt::Checkpoint
            | Stmt::Load { .. }
            | Stmt::Transaction { .. }
            | Stmt::Listen { .. } => Ok(()),
        }
    }
}

//! The phase of a statement: what clients that are running lose by it, given the schema as far as it is known.
//!
//! A total function. `Contract` is whatever refuses something that worked, or takes away something a client can name;
//! `Migrate` moves rows; everything else is `Expand`. What concerns only relations and columns that came with the same
//! migration is `Expand`, since nobody uses them yet. Where the schema does not say, the worst case holds.

mod constraint;
mod left_out;
mod table;

use super::ast::{
    Body, CreateIndex, DmlKind, DomainAction, Drop, ObjectKind, OtherVerb, PublicationAction, PublicationScope, Query,
    Statement, Stmt,
};
use super::facts::Change;
use super::name::Name;
use super::schema::{Relation, Schema, Type, World};
use super::server::Server;
use crate::model::{EffectKind, Phase, Space, Verb};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What came with this migration, or with this deploy, and so has no clients.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fresh {
    columns: BTreeSet<(Name, String)>,
    /// Every relation that the statements touch is taken as new: the condition is settled by the history check.
    relations_assumed: bool,
    /// But for this one.
    but: Option<Name>,
}

impl Fresh {
    /// Remembers the columns that these changes add to tables that were there.
    pub(crate) fn remember(&mut self, changes: &[Change]) {
        for change in changes {
            if change.kind == EffectKind::AddColumn
                && change.verb == Verb::Make
                && change.object.space == Space::Column
                && let Some(table) = &change.object.owner
            {
                self.columns.insert((table.clone(), change.object.name.name.clone()));
            }
        }
    }

    /// The same, with every relation taken as new.
    pub(crate) fn all(&self) -> Self {
        Self { relations_assumed: true, ..self.clone() }
    }

    /// The same, but for one relation, which counts as the schema has it.
    pub(crate) fn all_but(&self, relation: &Name) -> Self {
        Self { but: Some(relation.clone()), ..self.all() }
    }

    /// Whether the relation, schema-qualified, is taken as new without the schema saying so.
    pub(crate) fn assumes(&self, relation: &Name) -> bool {
        self.relations_assumed && self.but.as_ref() != Some(relation)
    }

    pub(crate) fn has_column(&self, table: &Name, column: &str) -> bool {
        self.columns.contains(&(table.clone(), column.to_owned()))
    }
}

/// The phase of one statement over the schema before it.
pub(crate) fn phase(statement: &Statement, before: &Schema, pg: Server<'_>) -> Phase {
    phase_with(&statement.stmt, before, pg, &Fresh::default())
}

/// The phase of one statement, given what came with the migration beyond the relations that the schema has as new.
pub(crate) fn phase_with(stmt: &Stmt, before: &Schema, pg: Server<'_>, fresh: &Fresh) -> Phase {
    Judge { before, pg, fresh, depth: 0, seen: &RefCell::default() }.statement(stmt)
}

/// How deep calls are followed into calls.
const DEPTH: u8 = 16;

struct Judge<'a> {
    before: &'a Schema,
    pg: Server<'a>,
    fresh: &'a Fresh,
    /// Calls that this statement is in the body of.
    depth: u8,
    /// What functions do over the schema as it is: calls into calls are a graph, and a walk along each path of it would not
    /// end.
    seen: &'a RefCell<BTreeMap<Name, Option<Phase>>>,
}

impl Judge<'_> {
    fn statement(&self, stmt: &Stmt) -> Phase {
        if self.finds_nothing(stmt) {
            return Phase::Expand;
        }
        match stmt {
            Stmt::AlterTable(alter) => self.alter_table(alter),
            Stmt::CreateIndex(index) => self.create_index(index),
            Stmt::Drop(drop) => self.drop(drop),
            Stmt::CreateSchema { elements, .. } => self.strongest(elements.iter().map(|element| &element.stmt)),
            Stmt::Query(query) | Stmt::DeclareCursor { query, .. } => self.query(query),
            Stmt::Explain { analyze: true, statement } => self.statement(statement),
            Stmt::Copy { query: Some(query), .. } => self.query(query),
            Stmt::Copy { table: Some(table), from: true, .. } => self.rows(table, Phase::Migrate),
            Stmt::Truncate { tables, cascade, .. } => {
                let strongest = tables.iter().map(|(table, _)| self.rows(table, Phase::Contract)).max();
                if *cascade && !tables.iter().all(|(table, _)| self.is_fresh(table)) {
                    Phase::Contract
                } else {
                    strongest.unwrap_or(Phase::Expand)
                }
            }
            Stmt::RefreshMaterializedView { name, .. } => self.rows(name, Phase::Migrate),
            Stmt::Do { body, .. } => self.body(body),
            // What a procedure does is not in the statement; its body may be known.
            Stmt::Call { function, query } => match self.called(function) {
                Some(phase) => phase.max(self.query(query)),
                None => Phase::Contract,
            },
            Stmt::SessionStatement { kind: "EXECUTE", .. } | Stmt::ReassignOwned { .. } => Phase::Contract,
            Stmt::CreateTrigger(trigger) => self.unless_fresh(&trigger.table, Phase::Contract),
            Stmt::CreateRule { table, .. } => self.unless_fresh(table, Phase::Contract),
            Stmt::CreatePolicy(policy) => self.unless_fresh(&policy.table, Phase::Contract),
            Stmt::AlterPolicy { table, .. } => self.unless_fresh(table, Phase::Contract),
            Stmt::CreateEventTrigger { .. } | Stmt::AlterEventTrigger { .. } => Phase::Contract,
            Stmt::AlterEnumRenameValue { name, .. } | Stmt::AlterComposite { name, .. } => {
                if self.type_is_new(name) {
                    Phase::Expand
                } else {
                    Phase::Contract
                }
            }
            Stmt::AlterDomain { name, action } => self.domain(name, action),
            Stmt::AlterSequence { name, options, .. } => {
                if options.restart.is_some() {
                    self.unless_fresh(name, Phase::Contract)
                } else {
                    Phase::Expand
                }
            }
            // STRICT, SECURITY DEFINER, a changed search_path: what callers relied on may be refused.
            Stmt::AlterFunction { .. } | Stmt::AlterSubscription { .. } => Phase::Contract,
            Stmt::CreatePublication { scope, .. } => self.published(scope),
            Stmt::AlterPublication { action, scope, .. } => match action {
                PublicationAction::Add => self.published(scope),
                PublicationAction::Set | PublicationAction::Drop | PublicationAction::Options => Phase::Contract,
            },
            Stmt::AlterExtension { set_schema, text, .. } => {
                if set_schema.is_some() || text.contains("drop ") {
                    Phase::Contract
                } else {
                    Phase::Expand
                }
            }
            Stmt::Rename { target, .. } => self.named_by_clients(target),
            Stmt::SetSchema { target, .. } => match target.kind {
                ObjectKind::Statistics => Phase::Expand,
                _ => self.named_by_clients(target),
            },
            Stmt::SetOwner { target, .. } => self.named_by_clients(target),
            Stmt::Grant(grant) if grant.revoke => Phase::Contract,
            Stmt::AlterDefaultPrivileges { text } => {
                if text.to_ascii_lowercase().contains("revoke") {
                    Phase::Contract
                } else {
                    Phase::Expand
                }
            }
            Stmt::Other { verb: OtherVerb::Alter, target, text } => match target.kind {
                ObjectKind::System | ObjectKind::Database | ObjectKind::Tablespace => Phase::Expand,
                ObjectKind::Collation if text.to_ascii_lowercase().contains(" refresh version") => Phase::Expand,
                ObjectKind::Role if text.contains(" set ") || text.contains(" reset ") => Phase::Expand,
                _ => Phase::Contract,
            },
            // OR REPLACE keeps columns, arguments and result type, or PostgreSQL refuses it (42P16, 42P13); the options of a view
            // it takes anew.
            Stmt::CreateView(view) => {
                let refuses = |options: &str| {
                    let options = options.to_ascii_lowercase();
                    options.contains("check option")
                        || options.contains("check_option")
                        || options.contains("security_invoker")
                };
                match self.before.relation(&self.before.resolve(&view.name)) {
                    Some(Relation::View(old)) if !self.is_fresh(&view.name) && view.options != old.options => {
                        if refuses(&view.options) { Phase::Contract } else { Phase::Expand }
                    }
                    _ => Phase::Expand,
                }
            }
            Stmt::CreateTableAs(create) => {
                let there = create.if_not_exists && self.before.find_relation(&create.name).is_some();
                self.computed(&create.query, create.with_data && !there)
            }
            Stmt::CreateMaterializedView(create) => self.computed(&create.query, create.with_data),
            Stmt::CreateTable(_)
            | Stmt::AlterAllInTablespace { .. }
            | Stmt::AttachIndex { .. }
            | Stmt::Reindex(_)
            | Stmt::CreateFunction(_)
            | Stmt::CreateSequence(_)
            | Stmt::CreateType { .. }
            | Stmt::AlterEnumAddValue { .. }
            | Stmt::CreateDomain(_)
            | Stmt::CreateExtension { .. }
            | Stmt::CreateStatistics { .. }
            | Stmt::AlterStatistics { .. }
            | Stmt::CreateSubscription { .. }
            | Stmt::DependsOnExtension { .. }
            | Stmt::Comment { .. }
            | Stmt::SecurityLabel { .. }
            | Stmt::Grant(_)
            | Stmt::Explain { .. }
            | Stmt::Prepare { .. }
            | Stmt::SessionStatement { .. }
            | Stmt::LockTable { .. }
            | Stmt::Copy { .. }
            | Stmt::Vacuum { .. }
            | Stmt::Analyze { .. }
            | Stmt::Cluster { .. }
            | Stmt::Checkpoint
            | Stmt::Load { .. }
            | Stmt::Transaction { .. }
            | Stmt::Setting { .. }
            | Stmt::Discard { .. }
            | Stmt::Listen { .. }
            | Stmt::Other { verb: OtherVerb::Create, .. } => Phase::Expand,
        }
    }

    fn strongest<'a>(&self, statements: impl Iterator<Item = &'a Stmt>) -> Phase {
        statements.map(|stmt| self.statement(stmt)).max().unwrap_or(Phase::Expand)
    }

    fn body(&self, body: &Body) -> Phase {
        if body.opaque.is_some() || self.depth > DEPTH {
            return Phase::Contract;
        }
        // Each statement over what the ones before it made.
        let mut before = self.before.clone();
        let mut strongest = Phase::Expand;
        let mut since = RefCell::default();
        let mut changed = false;
        for statement in &body.statements {
            let seen = if changed { &since } else { self.seen };
            let judge = Judge { before: &before, pg: self.pg, fresh: self.fresh, depth: self.depth + 1, seen };
            strongest = strongest.max(judge.statement(&statement.stmt));
            let mut after = before.clone();
            if let Ok(changes) = after.apply(statement, self.pg) {
                if !changes.is_empty() {
                    changed = true;
                    // Those that are running are so still.
                    since = RefCell::default();
                }
                before = after;
            }
        }
        strongest
    }

    /// What is computed into a new relation moves and removes rows as any query does.
    fn computed(&self, query: &Query, with_data: bool) -> Phase {
        if with_data { self.query(query) } else { Phase::Expand }
    }

    /// The phase of what a listed function or procedure does; `None` where its body is not known.
    fn called(&self, name: &Name) -> Option<Phase> {
        let found = self.before.find_functions(name)?;
        let listed = self.before.functions.get(&found)?;
        if let Some(known) = self.seen.borrow().get(&found) {
            return *known;
        }
        // A call of itself adds nothing to what it does.
        self.seen.borrow_mut().insert(found.clone(), Some(Phase::Expand));
        let phases: Option<Vec<Phase>> =
            listed.iter().map(|function| function.body.known().map(|body| self.body(body))).collect();
        let phase = phases.and_then(|phases| phases.into_iter().max());
        self.seen.borrow_mut().insert(found, phase);
        phase
    }

    /// IF EXISTS of what is known not to be there: nothing happens.
    fn finds_nothing(&self, stmt: &Stmt) -> bool {
        if self.before.world == World::Open {
            return false;
        }
        let no_relation = |name: &Name| self.before.find_relation(name).is_none();
        match stmt {
            Stmt::Drop(drop) if drop.if_exists => drop.targets.iter().all(|target| match drop.kind {
                ObjectKind::Table
                | ObjectKind::ForeignTable
                | ObjectKind::View
                | ObjectKind::MaterializedView
                | ObjectKind::Sequence
                | ObjectKind::Index => no_relation(&target.name),
                ObjectKind::Type | ObjectKind::Domain => self.before.find_type(&target.name).is_none(),
                ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
                    self.before.find_functions(&target.name).is_none()
                }
                ObjectKind::Schema => !self.before.schemas.contains(&target.name.name),
                ObjectKind::Publication => !self.before.publications.contains_key(&target.name.name),
                ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy => target.on.as_ref().is_some_and(|on| {
                    let table = self.before.table(&self.before.resolve(on));
                    no_relation(on)
                        || table.is_some_and(|table| {
                            let part = &target.name.name;
                            table.complete
                                && !table.triggers.contains_key(part)
                                && !table.rules.contains_key(part)
                                && !table.policies.contains_key(part)
                        })
                }),
                _ => false,
            }),
            Stmt::AlterTable(alter) => alter.if_exists && no_relation(&alter.name),
            Stmt::AlterSequence { name, if_exists, .. } => *if_exists && no_relation(name),
            Stmt::Rename { target, if_exists, .. } | Stmt::SetSchema { target, if_exists, .. } => {
                let relation = matches!(
                    target.kind,
                    ObjectKind::Table
                        | ObjectKind::ForeignTable
                        | ObjectKind::View
                        | ObjectKind::MaterializedView
                        | ObjectKind::Sequence
                        | ObjectKind::Index
                );
                *if_exists && relation && no_relation(&target.name)
            }
            _ => false,
        }
    }

    /// Whether nobody has the relation open: it came with the migration.
    fn is_fresh(&self, name: &Name) -> bool {
        let name = self.before.resolve(name);
        self.fresh.assumes(&name) || self.before.is_new(&name)
    }

    fn unless_fresh(&self, relation: &Name, phase: Phase) -> Phase {
        if self.is_fresh(relation) { Phase::Expand } else { phase }
    }

    fn rows(&self, relation: &Name, phase: Phase) -> Phase {
        self.unless_fresh(relation, phase)
    }

    fn column_is_fresh(&self, table: &Name, column: &str) -> bool {
        self.fresh.has_column(&self.before.resolve(table), column)
    }

    fn type_is_new(&self, name: &Name) -> bool {
        match self.before.find_type(name).and_then(|name| self.before.types.get(&name)) {
            Some(Type::Defined { new, .. }) => *new,
            Some(Type::Domain(domain)) => domain.new,
            Some(Type::Mentioned { .. }) | None => false,
        }
    }

    fn query(&self, query: &Query) -> Phase {
        // A MERGE that only does nothing moves none.
        let writes = query.writes.iter().filter(|dml| dml.kind != DmlKind::Merge || !dml.merge_actions.is_empty());
        let rows = writes.map(|dml| self.rows(&dml.table, Phase::Migrate)).max().unwrap_or(Phase::Expand);
        let moves = query.functions.iter().any(|function| matches!(function.name.as_str(), "setval" | "nextval"));
        let called = query.functions.iter().filter_map(|function| {
            // What is declared STABLE or IMMUTABLE runs read-only, whatever it is that cannot be read.
            let read_only = self.is_opaque(function) && !super::locks::may_write(self.before, function);
            if read_only { None } else { self.called(function) }
        });
        let rows = rows.max(called.max().unwrap_or(Phase::Expand));
        if moves { rows.max(Phase::Migrate) } else { rows }
    }

    fn is_opaque(&self, function: &Name) -> bool {
        let listed = self.before.find_functions(function).and_then(|found| self.before.functions.get(&found));
        listed.into_iter().flatten().any(|function| function.body.known().is_none_or(|body| body.opaque.is_some()))
    }

    /// A unique index refuses duplicates already while it is INVALID; any other only slows writes.
    fn create_index(&self, index: &CreateIndex) -> Phase {
        let never_meet = index.elements.iter().filter_map(|element| element.column.as_deref()).any(|column| {
            self.column_is_fresh(&index.table, column)
                && self.left_out(&index.table, column).is_never_the_same(index.nulls_not_distinct)
        });
        if !index.unique || never_meet { Phase::Expand } else { self.unless_fresh(&index.table, Phase::Contract) }
    }

    /// A table without a key to know its rows by refuses UPDATE and DELETE once it is published (manual, "Publication").
    fn published(&self, scope: &PublicationScope) -> Phase {
        let with = scope.with.as_deref().unwrap_or_default();
        let only_inserts = with.contains("publish") && !with.contains("update") && !with.contains("delete");
        let refuses = |table: &Name| {
            let known = self.before.table(&self.before.resolve(table));
            let identity = known.and_then(|table| table.replica_identity.known());
            !self.is_fresh(table) && identity.is_some_and(Option::is_none) && self.has_no_primary_key(table)
        };
        if !only_inserts && scope.tables.iter().any(|(table, ..)| refuses(table)) {
            Phase::Contract
        } else {
            Phase::Expand
        }
    }

    fn drop(&self, drop: &Drop) -> Phase {
        drop.targets
            .iter()
            .map(|target| match drop.kind {
                ObjectKind::Index => {
                    let name = self.before.resolve(&target.name);
                    // Without a unique index its ON CONFLICT clauses fail (42P10).
                    let plain = self.before.index(&name).is_some_and(|index| index.unique.known() == Some(&false));
                    if plain || self.before.is_new(&name) { Phase::Expand } else { Phase::Contract }
                }
                ObjectKind::Statistics => Phase::Expand,
                ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy => {
                    target.on.as_ref().map_or(Phase::Contract, |table| self.unless_fresh(table, Phase::Contract))
                }
                _ => self.named_by_clients(target),
            })
            .max()
            .unwrap_or(Phase::Expand)
    }

    /// Taking away or renaming what clients can name.
    fn named_by_clients(&self, target: &super::ast::Target) -> Phase {
        let fresh = match target.kind {
            ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Sequence => self.is_fresh(&target.name),
            ObjectKind::Type | ObjectKind::Domain => self.type_is_new(&target.name),
            // No statement of a client names these.
            ObjectKind::Index
            | ObjectKind::Statistics
            | ObjectKind::Trigger
            | ObjectKind::Rule
            | ObjectKind::Policy
            | ObjectKind::EventTrigger
            | ObjectKind::Tablespace => true,
            _ => false,
        };
        if fresh { Phase::Expand } else { Phase::Contract }
    }

    fn domain(&self, name: &Name, action: &DomainAction) -> Phase {
        match action {
            DomainAction::SetDefault(_) | DomainAction::DropNotNull | DomainAction::DropConstraint { .. } => {
                Phase::Expand
            }
            DomainAction::RenameConstraint { .. } => Phase::Expand,
            DomainAction::ValidateConstraint { .. } => Phase::Migrate,
            DomainAction::DropDefault
            | DomainAction::SetNotNull
            | DomainAction::AddCheck { .. }
            | DomainAction::AddNotNull { .. } => {
                if self.type_is_new(name) {
                    Phase::Expand
                } else {
                    Phase::Contract
                }
            }
        }
    }
}

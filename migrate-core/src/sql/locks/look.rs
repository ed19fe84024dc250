//! What is found while a statement is looked at: locks, work, losses and why; the strongest of each is kept.

use super::table::Row;
use crate::model::{LockClass, Work};
use crate::sql::RelationKind;
use crate::sql::facts::{Change, Facts, LostData, Reason, RelationLock};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Relation, Schema, World};
use crate::sql::server::Server;
use std::collections::BTreeSet;

/// How deep calls are followed into calls.
const CALLS: usize = 16;

pub(super) struct Look<'a> {
    pub before: &'a Schema,
    /// The schema after the statement.
    pub after: &'a Schema,
    pub pg: Server<'a>,
    facts: Facts,
    /// Work is not done: the statement is only planned.
    planned_only: bool,
    /// Children and partitions are not opened: the statement is only parsed and rewritten.
    parsed_only: bool,
    /// Functions whose bodies are being looked at: recursion ends here.
    running: Vec<Name>,
    /// Functions whose bodies have been looked at over the schema as it is: calls into calls are a graph, and a walk along
    /// each path of it would not end.
    seen: BTreeSet<Name>,
    /// Rules for which everything that the statement took away has been gone over: a statement of a thousand actions takes
    /// it away once.
    reached: BTreeSet<&'static str>,
}

impl<'a> Look<'a> {
    pub(super) fn new(before: &'a Schema, after: &'a Schema, pg: Server<'a>) -> Self {
        Self {
            before,
            after,
            pg,
            facts: Facts::nothing(),
            planned_only: false,
            parsed_only: false,
            running: Vec::new(),
            seen: BTreeSet::new(),
            reached: BTreeSet::new(),
        }
    }

    /// The same look at another statement of the same program, whose schema is what the ones before it made.
    pub(super) fn within<'b>(&mut self, before: &'b Schema, after: &'b Schema, see: impl FnOnce(&mut Look<'b>))
    where
        'a: 'b,
    {
        let facts = std::mem::replace(&mut self.facts, Facts::nothing());
        let running = std::mem::take(&mut self.running);
        let seen = std::mem::take(&mut self.seen);
        let (planned_only, parsed_only) = (self.planned_only, self.parsed_only);
        let reached = BTreeSet::new();
        let mut inner = Look { before, after, pg: self.pg, facts, planned_only, parsed_only, running, seen, reached };
        see(&mut inner);
        self.facts = inner.facts;
        self.running = inner.running;
        self.seen = inner.seen;
    }

    /// What `see` finds, without its work, losses and refusals of a transaction block.
    pub(super) fn planned(&mut self, see: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.planned_only, true);
        see(self);
        self.planned_only = outer;
    }

    /// What `see` finds when its statement is parsed and rewritten, not planned.
    pub(super) fn parsed(&mut self, see: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.parsed_only, true);
        self.planned(see);
        self.parsed_only = outer;
    }

    /// Whether the rule is the first time asked to go over what the statement took away.
    pub(super) fn first_to_reach(&mut self, row: &'static Row) -> bool {
        self.reached.insert(row.rule)
    }

    pub(super) fn is_running(&self, function: &Name) -> bool {
        self.running.contains(function) || self.running.len() > CALLS
    }

    /// Looks at the bodies of a function, once.
    pub(super) fn running(&mut self, function: &Name, see: impl FnOnce(&mut Self)) {
        if self.running.contains(function) || self.seen.contains(function) {
            return;
        }
        if self.running.len() > CALLS {
            return self.maybe_stronger(format!(
                "{function}() is called {CALLS} calls deep: what it does has not been looked at, and it may lock relations"
            ));
        }
        self.running.push(function.clone());
        see(self);
        self.running.pop();
        self.seen.insert(function.clone());
    }

    /// The schema is another than the one that functions have been looked at over.
    pub(super) fn schema_changed(&mut self) {
        self.seen.clear();
    }

    /// The statement refuses a transaction block for a reason of its own.
    pub(super) fn refuses_transaction(&mut self, row: &'static Row, why: &str) {
        if !self.planned_only {
            self.facts.in_transaction = false;
            self.reason(
                row,
                None,
                LockClass::None,
                Work::Metadata,
                format!("{why}, which a transaction block refuses"),
            );
        }
    }

    /// Whether functions are called and rows touched.
    pub(super) fn runs(&self) -> bool {
        !self.planned_only
    }

    pub(super) fn finish(mut self, changes: Vec<Change>) -> Facts {
        let strongest = self.facts.locks.values().map(|lock| lock.class).max();
        self.facts.lock_class = self.facts.lock_class.max(strongest.unwrap_or(LockClass::None));
        self.facts.changes = changes;
        self.facts
    }

    pub(super) fn open(&self) -> bool {
        self.before.world == World::Open
    }

    pub(super) fn resolve(&self, name: &Name) -> Name {
        self.before.resolve(name)
    }

    /// Whether the relation is one that others may have open: it was there before the migration, or may have been.
    pub(super) fn existed(&self, name: &Name) -> bool {
        if is_system(name) {
            return false;
        }
        match self.before.relation(name) {
            Some(_) => !self.before.is_new(name),
            None => self.open() && !self.before.dropped.contains(name),
        }
    }

    /// The kind that a row is about when it says so: nothing more than the schema knows.
    fn kind(&self, name: &Name) -> RelationKind {
        self.before.relation_kind(name)
    }

    /// Says that a row applies, whatever it locks: its transactionality counts.
    pub(super) fn row(&mut self, row: &'static Row) {
        if !row.transaction && !self.planned_only && self.facts.in_transaction {
            self.facts.in_transaction = false;
            let because = format!("{} cannot run inside a transaction block", row.statement);
            self.reason(row, None, LockClass::None, Work::Metadata, because);
        }
    }

    /// The row's lock on a relation, if it existed before.
    pub(super) fn lock(&mut self, row: &'static Row, relation: &Name, class: LockClass) {
        self.lock_because(row, relation, class, || format!("{} takes {} on {relation}", row.statement, class.sql()));
    }

    pub(super) fn lock_because(
        &mut self,
        row: &'static Row,
        relation: &Name,
        class: LockClass,
        because: impl FnOnce() -> String,
    ) {
        self.row(row);
        if class == LockClass::None || !self.existed(relation) {
            return;
        }
        let kind = self.kind(relation);
        let known = self.facts.locks.get(relation).map(|lock| lock.class);
        if known.is_none_or(|known| known < class) {
            self.facts.locks.insert(relation.clone(), RelationLock { class, kind });
            self.reason(row, Some(relation.clone()), class, Work::Metadata, because());
        }
    }

    /// The row's lock on a composite type, which is a relation that queries never lock.
    pub(super) fn lock_type(&mut self, row: &'static Row, name: &Name, class: LockClass) {
        self.row(row);
        self.facts.locks.insert(name.clone(), RelationLock { class, kind: RelationKind::CompositeType });
        let because = format!("{} takes {} on the type {name}", row.statement, class.sql());
        self.reason(row, Some(name.clone()), class, Work::Metadata, because);
    }

    /// A lock class that holds whatever the relations are: the worst case of what cannot be known.
    pub(super) fn worst(&mut self, row: &'static Row, because: impl Into<String>) {
        self.row(row);
        if self.planned_only {
            return;
        }
        self.facts.lock_class = LockClass::AccessExclusive;
        self.facts.work = Work::Rewrite;
        self.facts.destructive = true;
        let because = because.into();
        self.unknown(because.clone());
        self.reason(row, None, LockClass::AccessExclusive, Work::Rewrite, because);
    }

    /// A lock and work on relations that cannot be named.
    pub(super) fn at_least(&mut self, row: &'static Row, class: LockClass, work: Work, because: &str) {
        if self.planned_only {
            return;
        }
        self.facts.lock_class = self.facts.lock_class.max(class);
        self.facts.work = self.facts.work.max(work);
        self.reason(row, None, class, work, because.to_owned());
    }

    /// Work on a relation that existed before.
    pub(super) fn work(&mut self, row: &'static Row, relation: &Name, work: Work, because: impl Into<String>) {
        if work == Work::Metadata || self.planned_only || !self.existed(relation) {
            return;
        }
        // Phase 3 has no rows of a foreign table (`ATRewriteTables`).
        if row.rule.starts_with("alter-table/") && self.kind(relation) == RelationKind::ForeignTable {
            return;
        }
        self.facts.work = self.facts.work.max(work);
        self.reason(row, Some(relation.clone()), LockClass::None, work, because.into());
    }

    /// Data of a relation that existed before is gone.
    pub(super) fn lose(&mut self, relation: &Name, column: Option<&str>) {
        // The rows of a foreign table are not here.
        if self.planned_only || !self.existed(relation) || self.kind(relation) == RelationKind::ForeignTable {
            return;
        }
        self.facts.destructive = true;
        self.lose_value(relation, column);
    }

    /// Data that the database cannot give back, though no table, column or row is gone: a sequence's position, narrowed
    /// values.
    pub(super) fn lose_value(&mut self, relation: &Name, column: Option<&str>) {
        if self.planned_only || !self.existed(relation) {
            return;
        }
        self.loss(LostData { relation: relation.clone(), column: column.map(str::to_owned), cascades: false });
    }

    /// The rows of a relation that existed before are gone, and those of every table whose foreign keys lead to it.
    pub(super) fn lose_with_referencing(&mut self, relation: &Name) {
        if !self.planned_only && self.existed(relation) {
            self.facts.destructive = true;
            self.loss(LostData { relation: relation.clone(), column: None, cascades: true });
        }
    }

    /// Data is gone of which no relation here can be named, and why.
    pub(super) fn lose_elsewhere(&mut self, sentence: impl Into<String>) {
        if !self.planned_only {
            self.facts.destructive = true;
            self.unknown(sentence);
        }
    }

    fn loss(&mut self, lost: LostData) {
        if !self.facts.losses.contains(&lost) {
            self.facts.losses.push(lost);
        }
    }

    pub(super) fn unknown(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.facts.unknowns.contains(&sentence) {
            self.facts.unknowns.push(sentence);
        }
    }

    /// A stronger lock may be right, and why.
    pub(super) fn maybe_stronger(&mut self, sentence: impl Into<String>) {
        self.facts.may_be_stronger = true;
        self.unknown(sentence);
    }

    fn reason(&mut self, row: &'static Row, relation: Option<Name>, lock: LockClass, work: Work, because: String) {
        let reason = Reason { rule: row.rule, relation, lock, work, because, span: None };
        if !self.facts.reasons.contains(&reason) {
            self.facts.reasons.push(reason);
        }
    }

    /// The table and, unless ONLY, everything that inherits from it.
    pub(super) fn family(&self, table: &Name, only: bool) -> Vec<Name> {
        let mut all = vec![table.clone()];
        if !only && !self.parsed_only {
            all.extend(self.before.descendants_of(table));
        }
        all
    }

    /// Those of the tables that have rows of their own: not partitioned parents.
    pub(super) fn with_storage(&self, tables: &[Name]) -> Vec<Name> {
        tables.iter().filter(|name| !self.before.is_partitioned(name)).cloned().collect()
    }

    /// Every table and materialized view that is listed.
    pub(super) fn stored_relations(&self) -> Vec<Name> {
        let stored = self.before.relations.iter().filter(|(_, relation)| match relation {
            Relation::Table(table) => table.foreign != Fact::Known(true),
            Relation::MaterializedView(_) => true,
            Relation::View(_) | Relation::Sequence(_) | Relation::Index(_) => false,
        });
        stored.map(|(name, _)| name.clone()).collect()
    }
}

/// Catalogs are not relations of the user's; nothing of the library is about them.
pub(super) fn is_system(name: &Name) -> bool {
    matches!(name.schema.as_deref(), Some("pg_catalog" | "information_schema" | "pg_toast" | "pg_temp"))
}

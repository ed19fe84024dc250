//! One statement as hazards see it: what it locks, what it does meanwhile, action by action, and how to say so.

use super::{Finding, Hazard, StatementContext};
use crate::model::{LockClass, PgRange, Work};
use crate::sql::ast::{AlterTable, Body, ObjectKind, ReindexScope, Statement, Stmt, TableAction};
use crate::sql::facts::{Facts, RelationKind};
use crate::sql::locks;
use crate::sql::name::{Name, quoted};
use crate::sql::phase::Fresh;
use crate::sql::schema::{Constraint, Fact, Schema, Table, World};

/// One statement and what is known of it.
pub(super) struct Case<'a> {
    pub stmt: &'a Stmt,
    pub text: &'a str,
    pub facts: &'a Facts,
    pub before: &'a Schema,
    pub pg: PgRange,
    /// What came with the deploy.
    fresh: &'a Fresh,
    /// The actions of ALTER TABLE on a relation that was there; empty for other statements.
    pub actions: Vec<Altered<'a>>,
}

/// One action of ALTER TABLE.
pub(super) struct Altered<'a> {
    pub alter: &'a AlterTable,
    /// The relation, schema-qualified.
    pub relation: Name,
    pub action: &'a TableAction,
    /// The work of this action alone.
    pub work: Work,
    /// Why it is that much work, in the lock table's words.
    pub because: Vec<String>,
}

/// A statement inside another one, over what the ones before it made.
pub(super) struct Inner<'a> {
    statement: &'a Statement,
    facts: Facts,
    before: Schema,
}

impl Inner<'_> {
    pub(super) fn context<'b>(&'b self, outer: &StatementContext<'b>) -> StatementContext<'b> {
        StatementContext { statement: self.statement, facts: &self.facts, before: &self.before, ..*outer }
    }
}

impl<'a> Case<'a> {
    pub(super) fn of(ctx: &StatementContext<'a>) -> Self {
        let mut case = Self {
            stmt: &ctx.statement.stmt,
            text: &ctx.statement.text,
            facts: ctx.facts,
            before: ctx.before,
            pg: ctx.pg,
            fresh: ctx.fresh,
            actions: Vec::new(),
        };
        if let Stmt::AlterTable(alter) = case.stmt {
            let relation = case.before.resolve(&alter.name);
            if case.is_old(&relation) {
                case.actions = actions(&case, alter, &relation);
            }
        }
        case
    }

    /// Statements that run inside this one: of a DO block, and of the functions that it calls whose bodies are known,
    /// but for those that are running already.
    pub(super) fn inner(&self, running: &mut Vec<Name>) -> Vec<Inner<'a>> {
        let mut inner = Vec::new();
        if let Some(body) = self.body() {
            self.statements_of(body, &mut inner);
        }
        let called: &'a [Name] = match self.stmt {
            Stmt::Call { function, .. } => std::slice::from_ref(function),
            _ => &[],
        };
        let queries = if self.body().is_some() { Vec::new() } else { locks::run_by(self.stmt) };
        for function in called.iter().chain(queries.into_iter().flat_map(|query| &query.functions)) {
            let Some(name) = self.before.find_functions(function) else { continue };
            if running.contains(&name) {
                continue;
            }
            for body in self.before.functions.get(&name).into_iter().flatten().filter_map(|it| it.body.known()) {
                self.statements_of(body, &mut inner);
            }
            running.push(name);
        }
        inner
    }

    fn statements_of(&self, body: &'a Body, inner: &mut Vec<Inner<'a>>) {
        let mut before = self.before.clone();
        for statement in &body.statements {
            // What does not apply to the schema as it is then (an earlier branch made it otherwise) is an unknown of the
            // block as a whole.
            let Ok(facts) = locks::facts_over(statement, &before, self.pg) else { continue };
            let then = before.clone();
            if before.apply(statement, self.pg.max()).is_ok() {
                inner.push(Inner { statement, facts, before: then });
            }
        }
    }

    /// Whether what the listed procedure runs can be read.
    pub(super) fn is_readable(&self, procedure: &Name) -> bool {
        let listed = self.before.find_functions(procedure).and_then(|found| self.before.functions.get(&found));
        listed.is_some_and(|listed| listed.iter().all(|it| it.body.known().is_some_and(|body| body.opaque.is_none())))
    }

    /// The body that the statement runs.
    pub(super) fn body(&self) -> Option<&'a Body> {
        match self.stmt {
            Stmt::Do { body, .. } => Some(body),
            _ => None,
        }
    }

    /// The relation by the name that the statement gives, schema-qualified, if it was there before this migration and
    /// deploy, so that clients may have it open.
    pub(super) fn old(&self, name: &Name) -> Option<Name> {
        let name = self.before.resolve(name);
        self.is_old(&name).then_some(name)
    }

    pub(super) fn is_old(&self, resolved: &Name) -> bool {
        !self.fresh.assumes(resolved)
            && !self.before.is_new(resolved)
            && !matches!(resolved.schema.as_deref(), Some("pg_catalog" | "information_schema" | "pg_temp"))
            && (self.before.world == World::Open || self.before.relation(resolved).is_some())
    }

    /// The lock that the statement takes on the relation.
    pub(super) fn lock_on(&self, relation: &Name) -> LockClass {
        self.facts.locks.get(relation).map_or(LockClass::None, |lock| lock.class)
    }

    /// The relations that were there of which reads or writes wait for this statement.
    pub(super) fn blocked(&self) -> Vec<(&'a Name, LockClass)> {
        self.facts
            .locks
            .iter()
            .filter(|(name, lock)| lock.class.blocks_writes() && self.is_old(name))
            .map(|(name, lock)| (name, lock.class))
            .collect()
    }

    /// The same, tables and materialized views alone.
    pub(super) fn blocked_tables(&self) -> Vec<(&'a Name, LockClass)> {
        let of_rows = |name: &Name| self.facts.locks.get(name).is_some_and(|lock| holds_rows(lock.kind, self.stmt));
        self.blocked().into_iter().filter(|(name, _)| of_rows(name)).collect()
    }

    pub(super) fn table(&self, resolved: &Name) -> Option<&'a Table> {
        self.before.table(resolved)
    }

    pub(super) fn constraint(&self, table: &Name, name: &str) -> Option<&'a Constraint> {
        self.table(table)?.constraints.get(name)
    }

    /// The key of a table for a backfill: its primary key as known, else `id`.
    pub(super) fn key(&self, table: &Name) -> String {
        use crate::sql::ast::ConstraintKind;
        let columns = self.table(table).and_then(|table| {
            table.constraints.values().find_map(|constraint| match &constraint.kind {
                Fact::Known(ConstraintKind::PrimaryKey { columns, .. }) => Some(columns.as_slice()),
                _ => None,
            })
        });
        columns.map_or_else(
            || "id".to_owned(),
            |columns| columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", "),
        )
    }

    /// Why the statement does as much work as it does on the relation, from the lock table.
    pub(super) fn because(&self) -> Vec<String> {
        reasons(self.facts)
    }
}

impl Altered<'_> {
    /// Whether more is done than a change of the catalog.
    pub(super) fn works(&self) -> bool {
        self.work > Work::Metadata
    }
}

/// Tables of any kind: relations whose rows clients wait for. What nothing is known of is what the statement says it is.
pub(super) fn holds_rows(kind: RelationKind, stmt: &Stmt) -> bool {
    let said = |kind: ObjectKind| {
        !matches!(
            kind,
            ObjectKind::Index | ObjectKind::View | ObjectKind::Sequence | ObjectKind::Type | ObjectKind::Domain
        )
    };
    match kind {
        RelationKind::Table | RelationKind::MaterializedView | RelationKind::ForeignTable => true,
        RelationKind::Unknown => match stmt {
            Stmt::AlterTable(alter) => said(alter.kind),
            Stmt::Drop(drop) => said(drop.kind),
            Stmt::Rename { target, .. } | Stmt::SetSchema { target, .. } | Stmt::SetOwner { target, .. } => {
                said(target.kind)
            }
            Stmt::Reindex(reindex) => matches!(reindex.scope, ReindexScope::Table(_)),
            Stmt::AlterSequence { .. } | Stmt::AttachIndex { .. } | Stmt::CreateView(_) => false,
            _ => true,
        },
        _ => false,
    }
}

/// The name, or with the first number behind it that makes it free among the table's constraints.
pub(super) fn free_name(case: &Case<'_>, table: &Name, name: String) -> String {
    let table = case.before.resolve(table);
    let taken = |name: &str| case.constraint(&table, name).is_some();
    if !taken(&name) {
        return name;
    }
    (1..=u16::MAX).map(|number| format!("{name}{number}")).find(|name| !taken(name)).unwrap_or(name)
}

fn reasons(facts: &Facts) -> Vec<String> {
    let work = facts.reasons.iter().filter(|reason| reason.work > Work::Metadata);
    let mut because: Vec<String> = Vec::new();
    for reason in work {
        if !because.contains(&reason.because) {
            because.push(reason.because.clone());
        }
    }
    because
}

/// Each action with its own work: where there are several, each is looked at alone, over the schema that the earlier
/// ones leave.
fn actions<'a>(case: &Case<'a>, alter: &'a AlterTable, relation: &Name) -> Vec<Altered<'a>> {
    let because = case.because();
    let whole = |action: &'a TableAction| Altered {
        alter,
        relation: relation.clone(),
        action,
        work: case.facts.work,
        because: because.clone(),
    };
    if alter.actions.len() == 1 || case.facts.work == Work::Metadata {
        return alter.actions.iter().map(whole).collect();
    }
    let mut before = case.before.clone();
    let alone = |action: &'a TableAction| {
        let stmt = Stmt::AlterTable(AlterTable { actions: vec![action.clone()], ..alter.clone() });
        let statement = Statement { span: 0..case.text.len(), text: case.text.to_owned(), stmt };
        // What only stands together is taken as a whole.
        let Ok(facts) = locks::facts_over(&statement, &before, case.pg) else { return whole(action) };
        if before.apply(&statement, case.pg.max()).is_err() {
            return whole(action);
        }
        let because = reasons(&facts);
        Altered { alter, relation: relation.clone(), action, work: facts.work.min(case.facts.work), because }
    };
    alter.actions.iter().map(alone).collect()
}

/// Who waits behind the lock.
pub(super) fn waiting(lock: LockClass) -> &'static str {
    if lock.blocks_reads() {
        "every statement on it waits meanwhile, SELECT included"
    } else if lock.blocks_writes() {
        "INSERT, UPDATE, DELETE and MERGE on it wait meanwhile; SELECT does not"
    } else {
        "reads and writes go on"
    }
}

/// `… takes SHARE on public.orders and holds it while the index is built: …`.
pub(super) fn held(what: &str, lock: LockClass, relation: &Name, work: &str, because: &[String]) -> String {
    let mut message = format!("{what} takes {} on {relation} and holds it while {work}: {}", lock.sql(), waiting(lock));
    if !because.is_empty() {
        message.push_str("; ");
        message.push_str(&because.join("; "));
    }
    message
}

impl Finding {
    pub(super) fn new(hazard: &'static Hazard, message: impl Into<String>) -> Self {
        Self { hazard, message: message.into(), span: None, relation: None, safe_form: String::new() }
    }

    pub(super) fn about(self, relation: &Name) -> Self {
        Self { relation: Some(relation.clone()), ..self }
    }

    pub(super) fn safe(self, form: super::safe_form::SafeForm) -> Self {
        Self { safe_form: form.render(), ..self }
    }

    /// Points at the first place where the statement says this, in any case of letters.
    pub(super) fn at(self, text: &str, words: &str) -> Self {
        let found = text.to_ascii_lowercase().find(&words.to_ascii_lowercase());
        Self { span: found.map(|start| start..start + words.len()), ..self }
    }
}

/// `orders_status_key`: the name PostgreSQL would make up, shortened to what an identifier may hold.
pub(super) fn made_up(table: &Name, columns: &[String], label: &str) -> String {
    let mut parts = vec![table.name.as_str()];
    parts.extend(columns.iter().map(String::as_str));
    let mut name = parts.join("_");
    let mut longest = (62 - label.len()).min(name.len());
    while !name.is_char_boundary(longest) {
        longest -= 1;
    }
    name.truncate(longest);
    format!("{name}_{label}")
}

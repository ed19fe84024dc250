//! Whether downs take back their ups: both are run over the symbolic schema, and what comes out is compared with what was
//! there before.

use crate::model::PgRange;
use crate::sql::ast::{
    CreateMaterializedView, CreateTableAs, DmlKind, ObjectKind, OtherVerb, Query, Routine, Statement, Stmt,
    TableAction, TriggerScope, Volatility,
};
use crate::sql::name::Name;
use crate::sql::schema::parameters::follows;
use crate::sql::schema::{Column, Difference, Fact, Ledger, Relation, Schema, Table, Type, Witness, World, compare};
use crate::sql::server::{Server, on_each};

/// What up and down leave.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Verdict {
    /// What would be different: the downs do not take back the ups.
    pub differences: Vec<String>,
    /// What the earlier schema must have been for the downs to be right.
    pub assumes: Vec<Witness>,
    /// What only a server can tell, and why.
    pub server_only: Vec<String>,
    /// True and harmless: the order of columns.
    pub notes: Vec<String>,
    /// True, and nothing that a migration has to take back: constraints that the ups validated.
    pub validated: Vec<String>,
}

impl Verdict {
    /// Whether nothing that can be known here speaks against the downs.
    pub(crate) fn reverses(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Runs `ups` and then `downs` on `before`, for each server version of the range, and compares.
pub(crate) fn decide(before: &Schema, ups: &[Statement], downs: &[Statement], pg: PgRange) -> Verdict {
    let mut verdict = Verdict::default();
    let mut failures = Vec::new();
    let mut ran = false;
    for (_, ran_on) in on_each(pg, |server| run(before, ups, downs, server)) {
        match ran_on {
            Ran::Compared(found) => {
                ran = true;
                for difference in found {
                    verdict.take(difference);
                }
            }
            Ran::UpFailed(message) => add(&mut failures, message),
            Ran::DownFailed(message) => {
                ran = true;
                add(&mut verdict.differences, message);
            }
        }
    }
    if !ran {
        verdict.differences.extend(failures);
    }
    for up in ups {
        if let Some(sentence) = rows_not_back(before, up, downs) {
            add(&mut verdict.differences, sentence);
        }
    }
    for statement in ups {
        let reason = only_a_server(&statement.stmt, before).or_else(|| more_than_is_named(&statement.stmt, before));
        if let Some(reason) = reason {
            add(&mut verdict.server_only, reason);
        }
    }
    for statement in downs {
        if let Some(reason) = only_a_server(&statement.stmt, before) {
            add(&mut verdict.server_only, format!("in the down, {reason}"));
        }
    }
    verdict
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

impl Verdict {
    fn take(&mut self, difference: Difference) {
        match difference {
            Difference::Differs(sentence) => add(&mut self.differences, sentence),
            Difference::Assumes(witness) => add(&mut self.assumes, witness),
            Difference::Order(sentence) => add(&mut self.notes, sentence),
            Difference::Validated(sentence) => add(&mut self.validated, sentence),
            Difference::Unsure(sentence) => add(&mut self.server_only, sentence),
            Difference::Lost(what) => {
                add(&mut self.server_only, format!("{what} cannot be followed through these statements"));
            }
        }
    }
}

enum Ran {
    Compared(Vec<Difference>),
    UpFailed(String),
    DownFailed(String),
}

fn run(before: &Schema, ups: &[Statement], downs: &[Statement], server: Server<'_>) -> Ran {
    let mut ledger = Ledger::default();
    let before = before.clone().seen_by(server);
    let mut schema = before.clone();
    for up in ups {
        match schema.apply(up, server) {
            Ok(changes) => ledger.record(&changes, true),
            Err(error) => return Ran::UpFailed(format!("the up itself fails: {}", error.message)),
        }
    }
    let middle = schema.clone();
    ledger.in_the_middle();
    for down in downs {
        match schema.apply(down, server) {
            Ok(changes) => ledger.record(&changes, false),
            Err(error) => return Ran::DownFailed(format!("the down fails: {}", error.message)),
        }
    }
    Ran::Compared(compare(&before, Some((&middle, &ledger)), &schema))
}

/// Rows that visibly do not come back, whatever the data: as far as the columns and the lack of a WHERE say it.
fn rows_not_back(before: &Schema, up: &Statement, downs: &[Statement]) -> Option<String> {
    let written = |statement: &Statement| match &statement.stmt {
        Stmt::Query(query) => match query.writes.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        },
        _ => None,
    };
    let up = written(up)?;
    let table = before.resolve(&up.table);
    let downs: Vec<_> = downs.iter().filter_map(written).filter(|down| before.resolve(&down.table) == table).collect();
    match up.kind {
        // In a table that this migration made, all rows are the up's.
        DmlKind::Insert if !before.is_new(&table) => {
            downs.iter().any(|down| down.kind == DmlKind::Delete && down.filter.is_none()).then(|| {
                format!(
                    "{} is empty: the down deletes every row of it, those that were there before too (name the rows in its WHERE)",
                    up.table
                )
            })
        }
        DmlKind::Update if !downs.is_empty() => {
            // What the ups added goes with its column.
            let there = |column: &&String| {
                before.table(&table).is_none_or(|table| !table.complete || table.column(column).is_some())
            };
            let kept = up.columns.iter().find(there)?;
            let back = downs
                .iter()
                .any(|down| down.kind != DmlKind::Update || down.columns.iter().any(|set| up.columns.contains(set)));
            (!back).then(|| format!("{}.{kept} keeps what the up wrote: the down does not set it", up.table))
        }
        _ => None,
    }
}

/// What the schema does not hold: rows, and what code does.
fn only_a_server(stmt: &Stmt, before: &Schema) -> Option<String> {
    let closed = before.world == World::Closed;
    match stmt {
        Stmt::Query(query)
        | Stmt::Copy { query: Some(query), .. }
        | Stmt::CreateTableAs(CreateTableAs { query, with_data: true, .. })
        | Stmt::CreateMaterializedView(CreateMaterializedView { query, with_data: true, .. }) => {
            let Some(write) = query.writes.first() else { return code_called(query, before) };
            let verb = match write.kind {
                DmlKind::Insert => "INSERT adds to",
                DmlKind::Update => "UPDATE changes in",
                DmlKind::Delete => "DELETE takes from",
                DmlKind::Merge => "MERGE changes in",
            };
            Some(format!("which rows {verb} {} depends on the data", write.table))
        }
        Stmt::Truncate { tables, .. } => {
            let names: Vec<_> = tables.iter().map(|(name, _)| name.to_string()).collect();
            Some(format!("which rows TRUNCATE takes from {} depends on the data", names.join(", ")))
        }
        Stmt::Copy { table: Some(table), from: true, .. } => {
            Some(format!("which rows COPY adds to {table} depends on its input"))
        }
        Stmt::Call { function, .. } => Some(format!("what procedure {function} does depends on its body and the data")),
        Stmt::Do { body, .. } => Some(match &body.opaque {
            Some(why) => format!("what the DO block does cannot be read: {why}"),
            None => "which statements of the DO block run depends on what it finds".to_owned(),
        }),
        Stmt::AlterFunction { routine, .. } if !routine_known(routine, before) => Some(format!(
            "the options of {} are not part of the schema known here",
            crate::sql::print::routine(routine)
        )),
        Stmt::AlterStatistics { name, .. } if !closed => {
            Some(format!("the target of statistics object {name} is not part of the schema known here"))
        }
        Stmt::AlterDefaultPrivileges { .. } if !closed => {
            Some("default privileges are not part of the schema known here".to_owned())
        }
        Stmt::ReassignOwned { .. } if !closed => {
            Some("who owned what before is not part of the schema known here".to_owned())
        }
        Stmt::AlterExtension { name, .. } => Some(format!("what is in extension {name} is on the server")),
        Stmt::AlterEventTrigger { .. } if closed => None,
        Stmt::AlterSubscription { name, .. } | Stmt::AlterEventTrigger { name, .. } => {
            Some(format!("what {name} was like before is not part of the schema known here"))
        }
        Stmt::SecurityLabel { target, .. } | Stmt::DependsOnExtension { target, .. } => Some(format!(
            "labels and dependencies of {} are not part of the schema known here",
            crate::sql::print::target(target)
        )),
        Stmt::Other { verb: OtherVerb::Alter, target, text } if !(closed && follows(text)) => Some(format!(
            "what {} was like before is not part of the schema known here",
            crate::sql::print::target(target)
        )),
        Stmt::Explain { analyze: true, statement } => only_a_server(statement, before),
        _ => None,
    }
}

/// An up that changes what it does not name, each as it happens to be: its reverse names as little, and brings back one
/// state for all.
fn more_than_is_named(stmt: &Stmt, before: &Schema) -> Option<String> {
    if before.world == World::Closed {
        return None;
    }
    match stmt {
        Stmt::AlterTable(alter) if !before.is_new(&before.resolve(&alter.name)) => {
            alter.actions.iter().find_map(|action| match action {
                TableAction::EnableTrigger { which: TriggerScope::All | TriggerScope::User, .. }
                | TableAction::DisableTrigger { which: TriggerScope::All | TriggerScope::User } => Some(format!(
                    "how each of the triggers of {} was enabled before is not part of the schema known here",
                    alter.name
                )),
                TableAction::DetachPartition { partition, .. } => Some(format!(
                    "which indexes of {partition} were attached before is not part of the schema known here"
                )),
                _ => None,
            })
        }
        // REVOKE on a table takes the privilege on its columns too (GRANT in the manual, `ExecGrant_Relation` in `aclchk.c`).
        Stmt::Grant(grant) if grant.revoke && !grant.of_roles => {
            let of_columns = |(privilege, columns): &(String, Vec<String>)| {
                columns.is_empty()
                    && matches!(privilege.as_str(), "ALL" | "SELECT" | "INSERT" | "UPDATE" | "REFERENCES")
            };
            let table = grant.objects.iter().find(|object| object.kind == ObjectKind::Table)?;
            (grant.privileges.iter().any(of_columns) && !before.is_new(&before.resolve(&table.name))).then(|| {
                format!(
                    "REVOKE takes privileges on columns of {} too, and which there were is not known here",
                    table.name
                )
            })
        }
        _ => None,
    }
}

/// A query that writes nothing itself and calls what may write.
fn code_called(query: &Query, before: &Schema) -> Option<String> {
    let moves = |name: &&Name| name.schema.is_none() && ["setval", "nextval"].contains(&name.name.as_str());
    if query.functions.iter().any(|name| moves(&name)) {
        return Some("where the sequence stands is not part of the schema".to_owned());
    }
    let written = |name: &&Name| {
        let listed = before.find_functions(name).and_then(|name| before.functions.get(&name));
        listed.is_some_and(|overloads| overloads.iter().any(|of| of.volatility == Fact::Known(Volatility::Volatile)))
    };
    let name = query.functions.iter().find(written)?;
    Some(format!("what function {name} does depends on its body and the data"))
}

fn routine_known(routine: &Routine, before: &Schema) -> bool {
    before
        .find_functions(&routine.name)
        .and_then(|name| before.functions.get(&name))
        .is_some_and(|overloads| overloads.iter().all(|of| of.definition.known().is_some()))
}

/// `before` with what was not known filled in from the state after ups and downs: the schema that the downs are a witness of.
pub(crate) fn witnessed(before: &Schema, after_down: &Schema) -> Schema {
    let mut filled = before.clone();
    if before.world == World::Closed {
        return filled;
    }
    for (name, relation) in &after_down.relations {
        match (filled.relations.get_mut(name), relation) {
            (Some(Relation::Table(table)), Relation::Table(known)) => fill_table(table, known),
            (Some(_), _) => {}
            (None, relation) => {
                filled.relations.insert(name.clone(), old(relation));
            }
        }
    }
    for (name, known) in &after_down.types {
        filled.types.at(name.clone(), || old_type(known));
    }
    for (name, known) in &after_down.functions {
        filled.functions.at(name.clone(), || {
            let mut known = known.clone();
            known.iter_mut().for_each(|function| function.new = false);
            known
        });
    }
    filled
}

/// The type as one that was there before the migration.
fn old_type(known: &Type) -> Type {
    let mut known = known.clone();
    match &mut known {
        Type::Defined { new, .. } => *new = false,
        Type::Domain(domain) => domain.new = false,
        Type::Mentioned { .. } => {}
    }
    known
}

/// The relation as one that was there before the migration.
fn old(relation: &Relation) -> Relation {
    let mut relation = relation.clone();
    match &mut relation {
        Relation::Table(table) => table.new = false,
        Relation::View(view) | Relation::MaterializedView(view) => view.new = false,
        Relation::Sequence(sequence) => sequence.new = false,
        Relation::Index(index) => index.new = false,
    }
    relation
}

fn fill<T: Clone>(fact: &mut Fact<T>, known: &Fact<T>) {
    if fact.known().is_none() {
        fact.clone_from(known);
    }
}

fn fill_table(table: &mut Table, known: &Table) {
    fill(&mut table.foreign, &known.foreign);
    fill(&mut table.persistence, &known.persistence);
    fill(&mut table.partition_by, &known.partition_by);
    fill(&mut table.partition_of, &known.partition_of);
    fill(&mut table.row_security, &known.row_security);
    fill(&mut table.tablespace, &known.tablespace);
    fill(&mut table.access_method, &known.access_method);
    fill(&mut table.replica_identity, &known.replica_identity);
    fill(&mut table.clustered_on, &known.clustered_on);
    fill(&mut table.owner, &known.owner);
    for column in &mut table.columns {
        if let Some(known) = known.column(&column.name) {
            fill_column(column, known);
        }
    }
    if table.complete {
        return;
    }
    for column in &known.columns {
        if table.column(&column.name).is_none() {
            table.columns.push(column.clone());
        }
    }
    table.absent.extend(known.absent.iter().cloned());
    let listed: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    table.absent.retain(|name| !listed.contains(name));
    for (name, constraint) in &known.constraints {
        table.constraints.entry(name.clone()).or_insert_with(|| constraint.clone());
    }
    for (name, trigger) in &known.triggers {
        table.triggers.entry(name.clone()).or_insert_with(|| trigger.clone());
    }
    for (name, policy) in &known.policies {
        table.policies.entry(name.clone()).or_insert_with(|| policy.clone());
    }
}

fn fill_column(column: &mut Column, known: &Column) {
    fill(&mut column.data_type, &known.data_type);
    fill(&mut column.collation, &known.collation);
    fill(&mut column.not_null, &known.not_null);
    fill(&mut column.default, &known.default);
    fill(&mut column.generated, &known.generated);
    fill(&mut column.identity, &known.identity);
}

//! What the steps of one transaction do to each other: a lock is held to the end of the transaction, so that a short one
//! becomes as long as what comes after it.

use super::case::{holds_rows, waiting};
use super::safe_form::{SafeForm, declared, moved, step, step_back_by, step_for_good, struct_name, validate};
use super::{Finding, Hazard, MigrationContext, Severity, StatementContext, StepContext, in_statement};
use crate::model::{LockClass, PgRange, Phase, Work};
use crate::sql::ast::{ConstraintDef, DmlKind, Query, Stmt, TableAction};
use crate::sql::name::{Name, quoted};
use crate::sql::parse::parse;
use crate::sql::phase::Fresh;
use crate::sql::print;
use crate::sql::reverse::{self, Derived};
use std::collections::BTreeSet;

pub(super) static WORK: Hazard = Hazard {
    name: "work-after-strong-lock",
    title: "Work that grows with a table after a strong lock in the same transaction",
    severity: Severity::Blocking,
    why: "A lock is held to the end of the transaction: a change that takes a moment stops its table for as long as the steps after \
          it work.",
    lock: "SHARE or stronger on the first table, for the time of the later steps",
    safe: "Two migrations: each transaction commits before the next begins.",
};

pub(super) fn detect_work(ctx: &MigrationContext<'_>) -> Vec<(usize, Finding)> {
    let mut found = Vec::new();
    if !ctx.transactional {
        return found;
    }
    for (at, later) in ctx.steps.iter().enumerate() {
        if !grows(later) {
            continue;
        }
        // What the step stops by itself is its own hazard.
        let stops = |name: &Name, lock: LockClass| later.facts.locks.get(name).is_some_and(|own| own.class >= lock);
        let earlier = ctx.steps[..at].iter().enumerate().flat_map(|(index, step)| {
            let blocked = blocked(step).into_iter().filter(|(name, lock)| !stops(name, *lock));
            blocked.map(move |(name, lock)| (index, name, lock)).collect::<Vec<_>>()
        });
        let Some((first, table, lock)) = earlier.max_by_key(|(index, _, lock)| (*lock, std::cmp::Reverse(*index)))
        else {
            continue;
        };
        if validates_what_is_new(&ctx.steps[..at], later).is_some() {
            continue;
        }
        let message = format!(
            "step {} takes {} on {table} and holds it while step {} works through its table ({}): {}",
            first + 1,
            lock.sql(),
            at + 1,
            in_words(later.facts.work),
            waiting(lock),
        );
        found.push((at, Finding::new(&WORK, message).about(table).safe(split(ctx.steps, at))));
    }
    found
}

fn in_words(work: Work) -> &'static str {
    match work {
        Work::Metadata => "the catalog alone",
        Work::Scan => "it is read from end to end",
        Work::Rows => "rows are written",
        Work::IndexBuild => "an index is built",
        Work::Rewrite => "it is written anew",
    }
}

/// Tables and materialized views that were there and whose writers wait for the step.
fn blocked<'a>(step: &StepContext<'a>) -> Vec<(&'a Name, LockClass)> {
    step.facts
        .locks
        .iter()
        .filter(|(name, lock)| {
            lock.class.blocks_writes() && holds_rows(lock.kind, &step.statement.stmt) && !step.before.is_new(name)
        })
        .map(|(name, lock)| (name, lock.class))
        .collect()
}

/// Whether the time that the step takes grows with a table that was there.
fn grows(step: &StepContext<'_>) -> bool {
    if step.facts.work == Work::Metadata {
        return false;
    }
    match &step.statement.stmt {
        // Empty tables have empty indexes.
        Stmt::Truncate { .. } => false,
        Stmt::Query(query) => !is_short(query),
        _ => true,
    }
}

/// Rows given one by one, or found by their key.
fn is_short(query: &Query) -> bool {
    let given = query.writes.iter().all(|write| write.kind == DmlKind::Insert && write.values.is_some());
    (given && !query.scans) || query.point_lookup.as_deref() == Some("id")
}

/// The steps before `at` and the steps from there on, each in a migration of its own; a step with a hazard of its own in
/// the safe form of that.
pub(super) fn split(steps: &[StepContext<'_>], at: usize) -> SafeForm {
    let mut number = 0;
    part(part(SafeForm::new(), &mut number, &steps[..at]), &mut number, &steps[at..])
}

fn part(mut form: SafeForm, number: &mut usize, steps: &[StepContext<'_>]) -> SafeForm {
    let mut together: Vec<&StepContext<'_>> = Vec::new();
    for step in steps {
        let Some(own) = own_safe_form(step) else {
            together.push(step);
            continue;
        };
        form = migration(form, number, &std::mem::take(&mut together)).then(&own);
    }
    migration(form, number, &together)
}

fn migration(form: SafeForm, number: &mut usize, steps: &[&StepContext<'_>]) -> SafeForm {
    if steps.is_empty() {
        return form;
    }
    *number += 1;
    let phase = steps.iter().map(|step| step.facts.phase).max().unwrap_or(Phase::Expand);
    let lock = steps.iter().map(|step| step.facts.lock_class).max().unwrap_or(LockClass::None);
    let destructive = steps.iter().any(|step| step.facts.destructive);
    let declared = declared(phase, lock);
    let steps: Vec<_> = steps.iter().map(|step| kept(step)).collect();
    form.migration(
        &struct_name("Part", &[&number.to_string()]),
        if destructive { declared.destructive() } else { declared },
        &steps,
    )
}

/// A step with the down that the check accepts for it.
fn kept(step: &StepContext<'_>) -> super::safe_form::Step {
    if !step.downs.is_empty() {
        return step_back_by(&step.statement.text, step.downs.iter().map(|down| (*down).to_owned()).collect());
    }
    match reverse::derive(step.statement, step.before, PgRange::SUPPORTED) {
        Derived::Nothing(_) | Derived::Irreversible(_) => {
            step_for_good(&step.statement.text, "the reason that it had before")
        }
        // Where a person has to fill something in, the error says so.
        Derived::Needs(_, Some(down)) if parse(&down).is_ok() => super::safe_form::step(&step.statement.text, down),
        // What the schema says was there before is written out: the derive sees the one migration.
        Derived::Sql(downs) if !downs.is_empty() => step_back_by(&step.statement.text, downs),
        Derived::Sql(_) | Derived::Needs(..) => moved(&step.statement.text),
    }
}

/// What is refused of the step by itself, otherwise.
fn own_safe_form(step: &StepContext<'_>) -> Option<SafeForm> {
    let (statement, facts, before) = (step.statement, step.facts, step.before);
    let alone = StatementContext { statement, facts, before, pg: PgRange::SUPPORTED, fresh: &Fresh::default() };
    let blocking = in_statement(&alone).into_iter().find(|finding| finding.hazard.severity == Severity::Blocking)?;
    (!blocking.safe_form.is_empty()).then(|| SafeForm::rendered(blocking.safe_form))
}

pub(super) static SEVERAL: Hazard = Hazard {
    name: "several-tables-locked",
    title: "Strong locks on several existing tables in one transaction",
    severity: Severity::Blocking,
    why: "The first table is stopped while the lock on the next is waited for, and a client that uses the two in the other order \
          makes a deadlock.",
    lock: "ACCESS EXCLUSIVE on one table while another is waited for",
    safe: "One table a migration.",
};

pub(super) fn detect_several(ctx: &MigrationContext<'_>) -> Vec<(usize, Finding)> {
    let mut found = Vec::new();
    if !ctx.transactional {
        return found;
    }
    let mut held: BTreeSet<&Name> = BTreeSet::new();
    let mut first = None;
    for (at, step) in ctx.steps.iter().enumerate() {
        let exclusive: BTreeSet<&Name> =
            blocked(step).into_iter().filter(|(_, lock)| lock.blocks_reads()).map(|(name, _)| name).collect();
        let Some(own) = named_first(step, &exclusive) else { continue };
        if let Some((step_before, before)) = first
            && !held.contains(own)
            && !exclusive.contains(before)
        {
            let message = format!(
                "step {} takes ACCESS EXCLUSIVE on {own} while {before} is held since step {}: whoever waits for {before} waits \
                 until {own} is free too",
                at + 1,
                step_before + 1,
            );
            found.push((at, Finding::new(&SEVERAL, message).about(own).safe(split(ctx.steps, at))));
        }
        if first.is_none() {
            first = Some((at, own));
        }
        held.extend(exclusive);
    }
    found
}

/// Of the tables that a step locks, the one that it is about.
fn named_first<'b>(step: &StepContext<'b>, exclusive: &BTreeSet<&'b Name>) -> Option<&'b Name> {
    let named = match &step.statement.stmt {
        Stmt::AlterTable(alter) => Some(step.before.resolve(&alter.name)),
        Stmt::Drop(drop) => {
            drop.targets.first().map(|target| step.before.resolve(target.on.as_ref().unwrap_or(&target.name)))
        }
        _ => None,
    };
    exclusive.iter().copied().find(|name| Some(*name) == named.as_ref()).or_else(|| exclusive.first().copied())
}

pub(super) static VALIDATE: Hazard = Hazard {
    name: "validate-with-not-valid",
    title: "NOT VALID and VALIDATE in one transaction",
    severity: Severity::Blocking,
    why: "The lock of ADD CONSTRAINT is still held while VALIDATE reads the table: NOT VALID has gained nothing.",
    lock: "That of ADD CONSTRAINT (ACCESS EXCLUSIVE; SHARE ROW EXCLUSIVE for a foreign key) for the time of the scan",
    safe: "Two migrations.",
};

pub(super) fn detect_validate(ctx: &MigrationContext<'_>) -> Vec<(usize, Finding)> {
    let mut found = Vec::new();
    for (at, step) in ctx.steps.iter().enumerate() {
        let earlier = if ctx.transactional { &ctx.steps[..at] } else { &[] };
        let Some((table, constraint)) = validates_what_is_new(earlier, step) else { continue };
        let name = constraint.name.as_deref().unwrap_or_default();
        let message = format!(
            "VALIDATE CONSTRAINT {} reads {table} while the lock of the ADD CONSTRAINT … NOT VALID in the same transaction is held",
            quoted(name)
        );
        let lock =
            ctx.steps[..=at].iter().map(|step| step.facts.lock_class).max().unwrap_or(LockClass::AccessExclusive);
        let form = SafeForm::new()
            .migration(&struct_name("Add", &[name]), declared(Phase::Contract, lock), &[step_of(&table, constraint)])
            .migration(
                &struct_name("Validate", &[name]),
                declared(Phase::Migrate, LockClass::ShareUpdateExclusive),
                &[validate(&table, name)],
            );
        found.push((at, Finding::new(&VALIDATE, message).about(&step.before.resolve(&table)).safe(form)));
    }
    found
}

fn step_of(table: &Name, constraint: &ConstraintDef) -> super::safe_form::Step {
    let name = constraint.name.as_deref().unwrap_or_default();
    step(
        format!("ALTER TABLE {table} ADD {}", print::constraint(constraint)),
        format!("ALTER TABLE {table} DROP CONSTRAINT {}", quoted(name)),
    )
}

/// The constraint that the step validates, where it was added NOT VALID before in the same transaction.
fn validates_what_is_new<'b>(earlier: &[StepContext<'b>], step: &StepContext<'b>) -> Option<(Name, &'b ConstraintDef)> {
    let Stmt::AlterTable(alter) = &step.statement.stmt else { return None };
    let table = step.before.resolve(&alter.name);
    if step.before.is_new(&table) {
        return None;
    }
    for (position, action) in alter.actions.iter().enumerate() {
        let TableAction::ValidateConstraint { name } = action else { continue };
        let before = earlier.iter().filter_map(|step| match &step.statement.stmt {
            Stmt::AlterTable(other) if step.before.resolve(&other.name) == table => Some(other.actions.as_slice()),
            _ => None,
        });
        let added =
            before.chain(std::iter::once(&alter.actions[..position])).flatten().find_map(|action| match action {
                TableAction::AddConstraint(added) if added.not_valid && added.name.as_ref() == Some(name) => {
                    Some(added)
                }
                _ => None,
            });
        if let Some(added) = added {
            return Some((alter.name.clone(), added));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, safe, shop, unknown};

    #[test]
    fn work_after_a_strong_lock() {
        let sql = "ALTER TABLE users ADD COLUMN a integer; CREATE TABLE copies AS SELECT * FROM orders";
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, sql), ["work-after-strong-lock"]);
            safe(&before, sql, "work-after-strong-lock");
            // The other way round nobody waits.
            let sql = "CREATE TABLE copies AS SELECT * FROM orders; ALTER TABLE users ADD COLUMN a integer";
            assert!(refused(&before, sql).is_empty());
            let sql = "ALTER TABLE orders ADD COLUMN a integer; CREATE INDEX ON orders (note)";
            assert_eq!(refused(&before, sql), ["index-not-concurrent", "work-after-strong-lock"]);
            let form = safe(&before, sql, "work-after-strong-lock");
            assert!(form.contains("CREATE INDEX CONCURRENTLY"), "{form}");
            let sql = "ALTER TABLE orders ADD COLUMN a integer; ALTER TABLE orders ADD CHECK (total < 9)";
            assert_eq!(refused(&before, sql), ["check-not-valid"]);
            let sql = "ALTER TABLE users ADD COLUMN a integer; INSERT INTO users (id, email) VALUES (1, 'x')";
            assert!(refused(&before, sql).is_empty());
        }
    }

    #[test]
    fn several_tables() {
        let sql = "ALTER TABLE users ADD COLUMN a integer; ALTER TABLE orders ADD COLUMN a integer";
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, sql), ["several-tables-locked"]);
            safe(&before, sql, "several-tables-locked");
            let one = "ALTER TABLE users ADD COLUMN a integer; ALTER TABLE users ADD COLUMN b integer";
            assert!(refused(&before, one).is_empty());
            let new =
                "ALTER TABLE users ADD COLUMN a integer; CREATE TABLE t (b int); ALTER TABLE t ADD COLUMN c integer";
            assert!(refused(&before, new).is_empty());
        }
    }

    #[test]
    fn validated_where_it_was_added() {
        let sql =
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (total < 9) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT c";
        for before in [shop(), unknown()] {
            assert_eq!(refused(&before, sql), ["validate-with-not-valid"]);
            safe(&before, sql, "validate-with-not-valid");
        }
    }
}

//! A step outside of a transaction that fails, or does more, when it is run again.

use super::safe_form::{SafeForm, declared, moved, struct_name};
use super::{Finding, Hazard, MigrationContext, Severity};
use crate::sql::ast::{DmlKind, DomainAction, ObjectKind, OtherVerb, Query, Stmt, TableAction};

pub(super) static HAZARD: Hazard = Hazard {
    name: "not-safe-to-run-twice",
    title: "A step outside of a transaction that is not safe to run twice",
    severity: Severity::Blocking,
    why: "A process that dies between the statement and its entry in the ledger leaves the step unfinished as far as anybody knows; \
          the next run does it again, and it fails because it is there already, or does it to the rows a second time.",
    lock: "None: the next run fails",
    safe: "A transactional migration for it, whose ledger rows commit with it. Or IF [NOT] EXISTS, OR REPLACE. Indexes built and \
           dropped CONCURRENTLY are finished by the runner.",
};

pub(super) fn detect(ctx: &MigrationContext<'_>) -> Vec<(usize, Finding)> {
    let mut found = Vec::new();
    // Where every step may run in a transaction, they belong in one: that is said once, of the declaration.
    if ctx.transactional || ctx.steps.iter().all(|step| step.facts.in_transaction) {
        return found;
    }
    for (at, step) in ctx.steps.iter().enumerate() {
        let Some(then) = second_time(&step.statement.stmt) else { continue };
        let mut message =
            format!("step {} is not in a transaction, and run a second time after a crash {then}", at + 1);
        let mut form = SafeForm::new();
        if step.facts.in_transaction {
            message.push_str("; it may run in one");
            form = form.migration(
                &struct_name("Part", &[&(at + 1).to_string()]),
                declared(step.facts.phase, step.facts.lock_class),
                &[moved(&step.statement.text)],
            );
        }
        found.push((at, Finding::new(&HAZARD, message).safe(form)));
    }
    found
}

const THERE: &str = "it fails because what it makes is there";
const GONE: &str = "it fails because what it drops is gone";
const MOVED: &str = "it fails because the old name is gone";
const ROWS: &str = "it writes the rows again";

/// What happens the second time; `None` where that is the same as once.
fn second_time(stmt: &Stmt) -> Option<&'static str> {
    let unless = |said: bool, then: &'static str| (!said).then_some(then);
    match stmt {
        Stmt::CreateTable(create) => unless(create.if_not_exists, THERE),
        Stmt::CreateTableAs(create) => unless(create.if_not_exists, THERE),
        Stmt::CreateMaterializedView(create) => unless(create.if_not_exists, THERE),
        Stmt::CreateSequence(create) => unless(create.if_not_exists, THERE),
        // The runner looks at what is left of an index and finishes it.
        Stmt::CreateIndex(create) => unless(create.if_not_exists || create.concurrently, THERE),
        Stmt::CreateView(create) => unless(create.or_replace, THERE),
        Stmt::CreateFunction(create) => unless(create.or_replace, THERE),
        Stmt::CreateTrigger(create) => unless(create.or_replace, THERE),
        Stmt::CreateRule { or_replace, .. } => unless(*or_replace, THERE),
        Stmt::CreateSchema { if_not_exists, .. }
        | Stmt::CreateExtension { if_not_exists, .. }
        | Stmt::CreateStatistics { if_not_exists, .. } => unless(*if_not_exists, THERE),
        Stmt::AlterEnumAddValue { if_not_exists, .. } => unless(*if_not_exists, THERE),
        Stmt::CreateType { .. }
        | Stmt::CreateDomain(_)
        | Stmt::CreateEventTrigger { .. }
        | Stmt::CreatePolicy(_)
        | Stmt::CreatePublication { .. }
        | Stmt::CreateSubscription { .. }
        | Stmt::Other { verb: OtherVerb::Create, .. } => Some(THERE),
        Stmt::Drop(drop) => unless(drop.if_exists || drop.concurrently || drop.kind == ObjectKind::Owned, GONE),
        Stmt::AlterEnumRenameValue { .. } => Some(MOVED),
        // With IF EXISTS too: the name that is meant to exist is the old one, which is then simply gone.
        Stmt::Rename { if_exists, .. } | Stmt::SetSchema { if_exists, .. } => unless(*if_exists, MOVED),
        Stmt::AlterComposite { .. } => Some("it fails because the attribute is changed already"),
        Stmt::AlterDomain { action, .. } => match action {
            DomainAction::AddCheck { .. } | DomainAction::AddNotNull { .. } => Some(THERE),
            DomainAction::DropConstraint { if_exists, .. } => unless(*if_exists, GONE),
            DomainAction::RenameConstraint { .. } => Some(MOVED),
            DomainAction::SetDefault(_)
            | DomainAction::DropDefault
            | DomainAction::SetNotNull
            | DomainAction::DropNotNull
            | DomainAction::ValidateConstraint { .. } => None,
        },
        Stmt::AlterTable(alter) => alter.actions.iter().find_map(|action| action_twice(action, alter.if_exists)),
        Stmt::Query(query) => query_twice(query),
        Stmt::Copy { from: true, .. } => Some(ROWS),
        Stmt::Call { .. } => Some("the procedure does again whatever it does"),
        Stmt::Do { body, .. } => {
            if body.opaque.is_some() {
                Some("it does again whatever it does")
            } else {
                body.statements.iter().find_map(|statement| second_time(&statement.stmt))
            }
        }
        Stmt::SessionStatement { .. } => Some("it does again whatever it does"),
        _ => None,
    }
}

fn action_twice(action: &TableAction, if_exists: bool) -> Option<&'static str> {
    let unless = |said: bool, then: &'static str| (!said).then_some(then);
    match action {
        TableAction::AddColumn { if_not_exists, .. } => unless(*if_not_exists, THERE),
        TableAction::DropColumn { if_exists, .. }
        | TableAction::DropConstraint { if_exists, .. }
        | TableAction::DropIdentity { if_exists, .. }
        | TableAction::DropExpression { if_exists, .. } => unless(*if_exists, GONE),
        TableAction::AddConstraint(_) | TableAction::AddIdentity { .. } | TableAction::AttachPartition { .. } => {
            Some(THERE)
        }
        TableAction::Inherit { .. } => Some(THERE),
        TableAction::NoInherit { .. } | TableAction::DetachPartition { concurrently: false, finalize: false, .. } => {
            Some(GONE)
        }
        TableAction::RenameColumn { .. } | TableAction::RenameConstraint { .. } => Some(MOVED),
        TableAction::RenameTo { .. } | TableAction::SetSchema { .. } => unless(if_exists, MOVED),
        TableAction::SetType { using: Some(_), .. } => Some("USING is applied to the values that it made"),
        TableAction::ForeignOptions { .. } => Some("an option added is there, one dropped is gone"),
        _ => None,
    }
}

/// Rows inserted come twice unless a conflict is ignored; an UPDATE may build on the values that it wrote.
fn query_twice(query: &Query) -> Option<&'static str> {
    if query.into.as_ref().is_some_and(|(_, temporary)| !temporary) {
        return Some(THERE);
    }
    query.writes.iter().find_map(|write| match write.kind {
        DmlKind::Insert => write.on_conflict.is_none().then_some(ROWS),
        DmlKind::Update | DmlKind::Merge => Some(ROWS),
        DmlKind::Delete => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, shop, unknown};

    #[test]
    fn beside_a_step_that_refuses_a_transaction() {
        let alone = "CREATE INDEX CONCURRENTLY i ON orders (note)";
        for (sql, hurts) in [
            ("ALTER TABLE orders ADD COLUMN a integer", true),
            ("ALTER TABLE orders ADD COLUMN IF NOT EXISTS a integer", false),
            ("CREATE TABLE t (a int)", true),
            ("INSERT INTO users (id, email) VALUES (1, 'x')", true),
            ("INSERT INTO users (id, email) VALUES (1, 'x') ON CONFLICT DO NOTHING", false),
            ("ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'x'", false),
            ("ALTER TABLE orders RENAME COLUMN note TO remark", true),
            ("DROP INDEX CONCURRENTLY IF EXISTS orders_code_idx", false),
            ("ANALYZE orders", false),
        ] {
            let sql = format!("{alone}; {sql}");
            for before in [shop(), unknown()] {
                assert_eq!(refused(&before, &sql).contains(&"not-safe-to-run-twice"), hurts, "{sql}");
            }
        }
        assert!(refused(&shop(), "ALTER TABLE orders ADD COLUMN a integer").is_empty());
    }
}

//! One `#[step(…)]`: its up over the schema so far, and its down.

use super::analysed::{Analysed, Detail, Knowledge};
use super::checked::{CheckedConcurrent, CheckedDown, CheckedStep};
use super::declaration::{Assume, Declaration, DownDeclaration, Site, SqlText};
use super::down;
use super::effects::effects;
use super::overwritten::overwritten;
use super::proof;
use super::properties;
use super::read;
use super::run::Problems;
use super::visible;
use crate::model::{ConcurrentAction, LockClass, PgRange, Phase, Work};
use crate::sql::ast::{ObjectKind, ReindexScope, Statement, Stmt, TableAction};
use crate::sql::facts::Facts;
use crate::sql::hazards::{self, Severity, StatementContext};
use crate::sql::locks::{facts, facts_over};
use crate::sql::name::Name;
use crate::sql::parse::parameters;
use crate::sql::phase::{Fresh, phase_with};
use crate::sql::reverse::witnessed;
use crate::sql::schema::Schema;
use crate::sql::server::on_each;

pub(super) fn statement(
    at: usize,
    up: &SqlText,
    declared_down: Option<&DownDeclaration>,
    assume: Option<&Assume>,
    declaration: &Declaration,
    knowledge: &mut Knowledge,
    problems: &mut Problems,
) -> Option<Analysed> {
    let statement = read::one(up, Site::Up(at), "`up`", problems)?;
    if let Ok(used) = parameters(&up.text)
        && let Some(highest) = used.iter().max()
    {
        problems.add(
            Site::Up(at),
            format!("`${highest}`: only a backfill has parameters, bound to the struct's fields\n  = write the value into the statement"),
        );
        return None;
    }
    match (read::unknown(&statement.stmt, &knowledge.schema), assume) {
        (Some(_), Some(assume)) => {
            return assumed(at, &statement, declared_down, assume, declaration, knowledge, problems);
        }
        (Some(why), None) => {
            problems.add(
                Site::Up(at),
                format!(
                    "what this does cannot be known from the SQL: {why}\n{}  = take it on trust, with a reason: assume(lock = …, phase = …, transactional = …, destructive = …, effects = \"…\", reason = \"…\"); what is not stated counts as the worst",
                    read::excerpt(up, statement.span.clone())
                ),
            );
            return None;
        }
        (None, Some(_)) => {
            problems.add(
                Site::Assume(at),
                "nothing has to be assumed: the analysis knows this statement, and holds the declaration against it\n  = leave `assume(…)` out",
            );
        }
        (None, None) => {}
    }

    let before = knowledge.schema.clone();
    let mut after = before.clone();
    if let Err(error) = apply_over(&mut after, &statement, declaration.pg) {
        problems.add(
            Site::Up(at),
            format!(
                "PostgreSQL would refuse this: {error}\n{}{}",
                read::excerpt(up, statement.span.clone()),
                narrower(&before, &statement, declaration.pg)
            ),
        );
        return None;
    }

    let taken_back = down::down(at, &statement, &before, &after, declared_down, declaration, problems);
    let mut witness = match &taken_back {
        Some(taken_back) => {
            taken_back.restored.as_ref().map_or_else(|| before.clone(), |restored| witnessed(&before, restored))
        }
        None => before.clone(),
    };
    proof::dropped_later(at, &statement, declaration, &mut witness);
    let facts = match facts_over(&statement, &witness, declaration.pg) {
        Ok(facts) => facts,
        Err(error) => {
            problems.add(
                Site::Up(at),
                format!(
                    "PostgreSQL would refuse this: {error}\n{}{}",
                    read::excerpt(up, statement.span.clone()),
                    narrower(&witness, &statement, declaration.pg)
                ),
            );
            return None;
        }
    };
    let judged = Judged::new(&statement, &facts, &witness, declaration, knowledge);

    let mut notes = facts.unknowns.clone();
    let unsure = taken_back.is_none() && !facts.unknowns.is_empty();
    let (down, restores) = match taken_back {
        Some(taken_back) => {
            notes.extend(taken_back.notes);
            let restores = taken_back
                .restored
                .as_ref()
                .map(|restored| properties::restored((&before, &after, restored), &facts.changes, &taken_back.changes));
            (taken_back.checked, restores.unwrap_or_default())
        }
        // The problem is on the list; what is judged of the rest does not hang on it.
        None => (CheckedDown::Nothing(String::new()), Vec::new()),
    };
    if concurrent_index_without_name(&statement.stmt) {
        problems.add(
            Site::Up(at),
            "an index that is built concurrently needs a name: after a crash, its INVALID remains are found by it\n  = write CREATE INDEX CONCURRENTLY name ON …",
        );
    }
    let downs = if let Some(DownDeclaration::Sql(texts)) = declared_down { texts.as_slice() } else { &[] };
    let overwritten = overwritten(&statement.stmt, downs, &before, &knowledge.fresh);
    let mut destroys = facts.losses.clone();
    destroys.extend(overwritten.iter().filter(|lost| !facts.losses.contains(lost)).cloned());
    let checked = CheckedStep {
        up: statement.text.clone(),
        down,
        phase: judged.phase,
        lock: facts.lock_class,
        locks: facts.locks.iter().map(|(name, lock)| (name.to_string(), lock.class)).collect(),
        work: facts.work,
        transactional: facts.in_transaction,
        destructive: facts.destructive || !destroys.is_empty(),
        effects: effects(&statement.stmt, &facts.changes),
        makes: properties::made(&before, &after, &statement.stmt, &facts.changes),
        restores,
        destroys,
        concurrent: concurrent(&statement.stmt, &before),
        notes,
    };
    knowledge.fresh.remember(&facts.changes);
    knowledge.schema = after;
    Some(Analysed {
        checked,
        may_be_stronger: facts.may_be_stronger,
        findings: judged.findings,
        overwritten,
        relied_on_new: judged.relied_on_new,
        unsure,
        detail: Some(Detail { statement, facts, before: witness }),
    })
}

/// Applies the statement for every version of the range, and keeps the newest's schema.
pub(super) fn apply_over(
    schema: &mut Schema,
    statement: &Statement,
    pg: PgRange,
) -> Result<(), crate::sql::schema::ApplyError> {
    let applied = on_each(pg, |server| {
        let mut after = schema.clone();
        after.apply(statement, server).map(|_| after)
    });
    let mut newest = None;
    for (_, after) in applied {
        newest = Some(after?);
    }
    if let Some(newest) = newest {
        *schema = newest;
    }
    Ok(())
}

/// The range to declare, where only the older versions of it refuse the statement.
fn narrower(before: &Schema, statement: &Statement, pg: PgRange) -> String {
    let first = pg.versions().find(|&version| {
        before.clone().apply(statement, version).is_ok() && facts(statement, before, version.into()).is_ok()
    });
    match first {
        Some(version) if version > pg.min() => format!(
            "  = or, where every server is PostgreSQL {version} or newer, declare it: `#[migration(…, pg = {version}..={})]`\n",
            pg.max()
        ),
        _ => String::new(),
    }
}

/// Phase and findings, with and without `deploy_from`.
struct Judged {
    phase: Phase,
    findings: Vec<hazards::Finding>,
    relied_on_new: Vec<(Name, String)>,
}

impl Judged {
    fn new(
        statement: &Statement,
        facts: &Facts,
        before: &Schema,
        declaration: &Declaration,
        knowledge: &Knowledge,
    ) -> Self {
        let judge = |fresh: &Fresh| {
            let phase = on_each(declaration.pg, |server| phase_with(&statement.stmt, before, server, fresh))
                .into_iter()
                .map(|(_, phase)| phase)
                .max()
                .unwrap_or(Phase::Contract);
            let context = StatementContext { statement, facts, before, pg: declaration.pg, fresh };
            (phase, hazards::in_statement(&context))
        };
        let (phase, findings) = judge(&knowledge.fresh);
        if !knowledge.deploy {
            return Self { phase, findings, relied_on_new: Vec::new() };
        }
        let fresh = knowledge.fresh.all();
        let (lenient_phase, lenient_findings) = judge(&fresh);
        let blocking = |findings: &[hazards::Finding]| {
            findings.iter().filter(|finding| finding.hazard.severity == Severity::Blocking).count()
        };
        let mut relied_on_new = Vec::new();
        if lenient_phase < phase || blocking(&lenient_findings) < blocking(&findings) {
            let because = |phase: Phase, findings: &[hazards::Finding], name: &Name| {
                findings.iter().find(|finding| finding.hazard.severity == Severity::Blocking).map_or_else(
                    || format!("on a {} that has clients this is {phase}", before.relation_id(name).noun),
                    |finding| format!("on a table that has rows and clients: {}", finding.message),
                )
            };
            let touched: Vec<&Name> = facts.locks.keys().filter(|name| !before.is_new(name)).collect();
            // Those whose own age changes what is said: the table that a foreign key leads to may well be old.
            for &name in &touched {
                let (phase, findings) = judge(&knowledge.fresh.all_but(name));
                if lenient_phase < phase || blocking(&lenient_findings) < blocking(&findings) {
                    relied_on_new.push((name.clone(), because(phase, &findings, name)));
                }
            }
            if relied_on_new.is_empty() {
                let all = touched.into_iter();
                relied_on_new.extend(all.map(|name| (name.clone(), because(phase, &findings, name))));
            }
        }
        Self { phase: lenient_phase, findings: lenient_findings, relied_on_new }
    }
}

fn assumed(
    at: usize,
    statement: &Statement,
    declared_down: Option<&DownDeclaration>,
    assume: &Assume,
    declaration: &Declaration,
    knowledge: &mut Knowledge,
    problems: &mut Problems,
) -> Option<Analysed> {
    if assume.reason.trim().is_empty() {
        problems.add(Site::Assume(at), "say why this may be taken on trust: assume(…, reason = \"…\")");
    }
    let before = knowledge.schema.clone();
    visible::not_less(at, statement, assume, &before, declaration, problems);
    let taken_back = down::of_assumed(at, &before, declared_down, declaration, problems)?;
    let effects = assume.effects.as_ref().map(|text| super::checked::CheckedEffect {
        kind: crate::model::EffectKind::Assumed,
        verb: crate::model::Verb::Use,
        object: text.clone(),
        definition: String::new(),
        id: super::checked::CheckedObject {
            space: crate::model::Space::Other,
            key: 0,
            name: String::new(),
            owner: 0,
            owner_name: String::new(),
        },
        to: 0,
        to_name: String::new(),
        columns_listed: false,
    });
    let checked = CheckedStep {
        up: statement.text.clone(),
        down: taken_back.checked,
        phase: assume.phase.unwrap_or(Phase::Contract),
        lock: assume.lock.unwrap_or(LockClass::AccessExclusive),
        locks: Vec::new(),
        work: Work::Rewrite,
        transactional: assume.transactional.unwrap_or(declaration.transactional),
        destructive: assume.destructive.unwrap_or(true),
        effects: effects.into_iter().collect(),
        makes: Vec::new(),
        restores: Vec::new(),
        destroys: Vec::new(),
        concurrent: None,
        notes: vec![format!("taken on trust: {}", assume.reason)],
    };
    Some(Analysed {
        checked,
        detail: None,
        findings: Vec::new(),
        may_be_stronger: true,
        overwritten: Vec::new(),
        relied_on_new: Vec::new(),
        unsure: false,
    })
}

fn concurrent_index_without_name(stmt: &Stmt) -> bool {
    matches!(stmt, Stmt::CreateIndex(index) if index.concurrently && index.name.is_none())
}

/// What recovery after a crash goes by.
pub(super) fn concurrent(stmt: &Stmt, before: &Schema) -> Option<CheckedConcurrent> {
    match stmt {
        Stmt::CreateIndex(index) if index.concurrently => {
            let table = before.resolve(&index.table);
            let name = crate::sql::name::Name { schema: table.schema.clone(), name: index.name.clone()? };
            // An index lives in its table's schema, which is only certain where the SQL says it.
            let name = if index.table.schema.is_some() { name } else { crate::sql::name::Name::bare(name.name) };
            Some(CheckedConcurrent { action: ConcurrentAction::Create, name, table: Some(index.table.clone()) })
        }
        Stmt::Drop(drop) if drop.concurrently && drop.kind == ObjectKind::Index => {
            let target = drop.targets.first()?;
            Some(CheckedConcurrent { action: ConcurrentAction::Drop, name: target.name.clone(), table: None })
        }
        Stmt::Reindex(reindex) if reindex.concurrently => match &reindex.scope {
            ReindexScope::Index(name) => {
                Some(CheckedConcurrent { action: ConcurrentAction::Reindex, name: name.clone(), table: None })
            }
            ReindexScope::Table(name) => Some(CheckedConcurrent {
                action: ConcurrentAction::ReindexTable,
                name: name.clone(),
                table: Some(name.clone()),
            }),
            ReindexScope::Schema(_) | ReindexScope::Database | ReindexScope::System => None,
        },
        Stmt::AlterTable(alter) => match alter.actions.as_slice() {
            [TableAction::DetachPartition { partition, concurrently: true, .. }] => Some(CheckedConcurrent {
                action: ConcurrentAction::Detach,
                name: partition.clone(),
                table: Some(alter.name.clone()),
            }),
            _ => None,
        },
        _ => None,
    }
}

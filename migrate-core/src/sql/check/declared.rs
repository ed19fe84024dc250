//! The declaration as a whole: lock class, phase, transactionality and deploy against what the steps came to.

use super::analysed::Analysed;
use super::checked::NewSince;
use super::declaration::{Declaration, Site, StepDeclaration};
use super::effects::relation_key;
use super::excerpt::{assumed, at_reason, quote};
use super::run::Problems;
use crate::model::{EffectKind, LockClass, Phase, Verb};
use crate::sql::hazards::{Finding, Severity};

pub(super) fn lock(declaration: &Declaration, steps: &[Analysed], problems: &mut Problems) {
    let computed = steps.iter().map(Analysed::lock).max().unwrap_or(LockClass::None);
    let declared = declaration.lock;
    if declared == computed {
        return;
    }
    let Some((at, step)) = steps.iter().enumerate().find(|(_, step)| step.lock() == computed) else { return };
    if declared < computed {
        let relation = step.strongest().map_or(String::new(), |(name, _)| format!(" on {name}"));
        problems.add(
            Site::Lock,
            format!(
                "`lock = {declared}` is too weak: step {} takes {}{relation} (PostgreSQL {})\n{}{}  = write `lock = {computed}`",
                at + 1,
                computed.sql(),
                declaration.pg,
                at_reason(declaration, at, step),
                assumed(declaration, at, |assume| assume.lock.is_some(), "lock = …") + &because(step),
            ),
        );
    } else if !steps.iter().any(|step| step.may_be_stronger) {
        let strongest = if computed == LockClass::None {
            "no step locks a relation that existed before the migration".to_owned()
        } else {
            let relation = step.strongest().map_or(String::new(), |(name, _)| format!(" on {name}"));
            format!("the strongest that any step takes is {}{relation} (step {})", computed.sql(), at + 1)
        };
        problems.add(
            Site::Lock,
            format!(
                "`lock = {declared}` is stronger than the SQL: {strongest}\n{}{}  = write `lock = {computed}`",
                at_reason(declaration, at, step),
                because(step),
            ),
        );
    }
}

pub(super) fn phase(declaration: &Declaration, steps: &[Analysed], problems: &mut Problems) {
    let computed = steps.iter().map(Analysed::phase).max().unwrap_or(Phase::Expand);
    if declaration.phase == computed {
        return;
    }
    let Some((at, step)) = steps.iter().enumerate().find(|(_, step)| step.phase() == computed) else { return };
    let number = at + 1;
    let loses = match computed {
        Phase::Expand => "clients that are running lose nothing by any step".to_owned(),
        Phase::Migrate => format!("step {number} moves rows"),
        Phase::Contract => format!("after step {number}, something that clients could do is refused or gone"),
    };
    let done = step.checked.effects.iter().filter(|effect| effect.verb != Verb::Use);
    let effects = done.map(|effect| changed(effect.kind, &effect.object)).collect::<Vec<_>>();
    let effects = match effects.as_slice() {
        [] => String::new(),
        list => format!(" ({})", list.join("; ")),
    };
    let split = match safe_form(declaration, step) {
        Some(hazard) if declaration.phase < computed => {
            format!("\n  = or take the safe form that `{hazard}` shows for the step, with the phases that stand there")
        }
        _ => String::new(),
    };
    let split = if !split.is_empty() {
        split
    } else if declaration.phase < computed && steps.iter().any(|step| step.phase() <= declaration.phase) {
        format!(
            "\n  = or move what is {computed} into a migration of its own: the runner applies Expand at start-up, and {computed} when asked by name"
        )
    } else {
        String::new()
    };
    problems.add(
        Site::Phase,
        format!(
            "`phase = {}` does not fit: this is {computed}, since {loses}{effects}\n{}{}  = write `phase = {computed}`{split}",
            declaration.phase,
            quote(declaration, at, step),
            assumed(declaration, at, |assume| assume.phase.is_some(), "phase = …"),
        ),
    );
}

/// `drop default: column public.orders.state`, `add column public.orders.status`.
fn changed(kind: EffectKind, object: &str) -> String {
    let mut words = String::new();
    for (at, letter) in kind.name().char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    match object.split_once(' ') {
        Some((noun, name)) if words.ends_with(noun) => format!("{words} {name}"),
        _ => format!("{words}: {object}"),
    }
}

/// The hazard that is an error at this step and shows another way to do the same.
fn safe_form(declaration: &Declaration, step: &Analysed) -> Option<&'static str> {
    let is_allowed = |name: &str| declaration.allows.iter().any(|allow| allow.hazard.replace('_', "-") == name);
    let shown = |finding: &&Finding| {
        finding.hazard.severity == Severity::Blocking
            && !finding.safe_form.trim().is_empty()
            && !is_allowed(finding.hazard.name)
    };
    step.findings.iter().find(shown).map(|finding| finding.hazard.name)
}

pub(super) fn transactional(declaration: &Declaration, steps: &[Analysed], problems: &mut Problems) {
    let refusing = steps.iter().enumerate().find(|(_, step)| !step.checked.transactional);
    match (declaration.transactional, refusing) {
        (true, Some((at, _))) if matches!(declaration.steps[at], StepDeclaration::Backfill { .. }) => problems.add(
            Site::Transactional,
            format!("step {} is a backfill, and each of its batches is a transaction of its own\n  = write `transactional = false`", at + 1),
        ),
        (true, Some((at, step))) => problems.add(
            Site::Transactional,
            format!(
                "step {} cannot run in a transaction block\n{}{}  = write `transactional = false`: the runner then runs each step by itself and records it before and after",
                at + 1,
                at_reason(declaration, at, step),
                because(step),
            ),
        ),
        (false, None) => problems.add(
            Site::Transactional,
            "`transactional = false`, but every step may run in a transaction, where a failure leaves nothing half-applied\n  = leave `transactional` out, or write `transactional = true`",
        ),
        _ => {}
    }
}

/// What the history check has to settle.
pub(super) fn deploy(declaration: &Declaration, steps: &[Analysed], problems: &mut Problems) -> Vec<NewSince> {
    let Some(from) = declaration.deploy_from else { return Vec::new() };
    if from > declaration.version {
        problems.add(
            Site::DeployFrom,
            format!(
                "`deploy_from = {from}` is a later version than this migration's own, {}\n  = name the first version of the deploy that this migration ships in",
                declaration.version
            ),
        );
    }
    let mut conditions: Vec<NewSince> = Vec::new();
    for (relation, because) in steps.iter().flat_map(|step| &step.relied_on_new) {
        let key = relation_key(relation);
        if conditions.iter().all(|condition| condition.key != key) {
            conditions.push(NewSince { from, key, relation: relation.to_string(), because: because.clone() });
        }
    }
    if conditions.is_empty() && problems.list.is_empty() {
        problems.add(
            Site::DeployFrom,
            "`deploy_from` changes nothing here: no step does to a table what would be refused if the table had clients or rows\n  = leave it out",
        );
    }
    conditions
}

fn because(step: &Analysed) -> String {
    step.reason().map_or(String::new(), |reason| format!("  = {reason}\n"))
}

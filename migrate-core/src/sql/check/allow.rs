//! Hazards: each finding is an error unless the migration allows it by name, with a reason; an `allow` that allows nothing
//! is one too.

use super::analysed::Analysed;
use super::declaration::{Declaration, Site};
use super::excerpt::at_reason;
use super::run::Problems;
use crate::sql::hazards::{self, Finding, Severity, StepContext};

pub(super) fn allow(declaration: &Declaration, steps: &mut [Analysed], problems: &mut Problems) {
    let contexts: Vec<(usize, StepContext<'_>)> = steps
        .iter()
        .enumerate()
        .filter_map(|(at, step)| {
            let detail = step.detail.as_ref()?;
            Some((at, StepContext { statement: &detail.statement, facts: &detail.facts, before: &detail.before }))
        })
        .collect();
    let positions: Vec<usize> = contexts.iter().map(|(at, _)| *at).collect();
    let contexts: Vec<StepContext<'_>> = contexts.into_iter().map(|(_, context)| context).collect();
    // `false` without need is an error of its own; what would follow from it is not repeated for each step.
    let transactional = declaration.transactional || steps.iter().all(|step| step.checked.transactional);
    let whole: Vec<(usize, Finding)> = hazards::in_migration(&contexts, transactional)
        .into_iter()
        .map(|(at, finding)| (positions[at], finding))
        .collect();

    let mut used = vec![false; declaration.allows.len()];
    let own = steps.iter_mut().enumerate().flat_map(|(at, step)| {
        std::mem::take(&mut step.findings).into_iter().map(move |finding| (at, finding)).collect::<Vec<_>>()
    });
    let findings: Vec<(usize, Finding)> = own.chain(whole).collect();
    for (at, finding) in findings {
        if finding.hazard.severity != Severity::Blocking {
            continue;
        }
        let mut allowed = false;
        for (which, allow) in declaration.allows.iter().enumerate() {
            if hazards::named(&allow.hazard).is_some_and(|hazard| hazard.name == finding.hazard.name) {
                used[which] = true;
                allowed = true;
            }
        }
        if !allowed {
            let attribute = finding.hazard.name.replace('-', "_");
            problems.add(
                Site::Up(at),
                format!(
                    "{}: {}\n{}  = the safe form:{}  = or, where it does no harm, `#[migration(…, allow({attribute}, reason = \"…\"))]`",
                    finding.hazard.name,
                    finding.message,
                    at_reason(declaration, at, &steps[at]),
                    if finding.safe_form.trim().is_empty() {
                        format!(" {}\n", finding.hazard.safe)
                    } else {
                        format!("\n{}", indent(&finding.safe_form))
                    },
                ),
            );
        }
    }
    for (which, allow) in declaration.allows.iter().enumerate() {
        let Some(hazard) = hazards::named(&allow.hazard) else {
            let near = nearest(&allow.hazard);
            problems.add(
                Site::Allow(which),
                format!("there is no hazard `{}`{near}\n  = the hazards are listed in docs/hazards.md", allow.hazard),
            );
            continue;
        };
        if allow.reason.trim().is_empty() {
            problems.add(
                Site::Allow(which),
                format!("say why it does no harm here: `allow({}, reason = \"…\")`", allow.hazard),
            );
        }
        if !used[which] && problems.list.is_empty() {
            problems.add(
                Site::Allow(which),
                format!("`allow({})` allows nothing: no step raises {}\n  = leave it out", allow.hazard, hazard.name),
            );
        }
    }
}

fn nearest(name: &str) -> String {
    let wanted = name.replace('_', "-");
    let words = |text: &str| text.split('-').map(str::to_owned).collect::<Vec<_>>();
    let mine = words(&wanted);
    hazards::all()
        .iter()
        .map(|hazard| (words(hazard.name).iter().filter(|word| mine.contains(word)).count(), hazard.name))
        .max()
        .filter(|(shared, _)| *shared > 0)
        .map_or(String::new(), |(_, name)| format!("; did you mean `{}`?", name.replace('-', "_")))
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("        {line}\n")).collect()
}

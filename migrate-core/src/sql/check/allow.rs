//! Hazards: each finding is an error unless the migration allows it by name, with a reason; an `allow` that allows nothing
//! is one too.

use super::analysed::{Analysed, Detail};
use super::checked::CheckedDown;
use super::declaration::{AllowDeclaration, Declaration, Problem, Site};
use super::excerpt::at_reason;
use super::run::Problems;
use crate::sql::digest::find_words;
use crate::sql::hazards::{self, Finding, Hazard, Severity, StepContext};

/// Where the page of each hazard is.
const HAZARDS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/hazards.md");

pub(super) fn allow(declaration: &Declaration, steps: &mut [Analysed], problems: &mut Problems) {
    let contexts: Vec<(usize, StepContext<'_>)> = steps
        .iter()
        .enumerate()
        .filter_map(|(at, step)| {
            let detail = step.detail.as_ref()?;
            let downs = match &step.checked.down {
                CheckedDown::Sql(downs) => downs.iter().map(|down| down.sql.as_str()).collect(),
                _ => Vec::new(),
            };
            let Detail { statement, facts, before } = detail;
            Some((at, StepContext { statement, facts, before, downs }))
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
    let mut allowed = |hazard: &str| {
        let mut allowed = false;
        for (which, allow) in declaration.allows.iter().enumerate() {
            // One that is misspelt is an error of its own; what it was meant for is no second one.
            let known = hazards::named(&allow.hazard).or_else(|| nearest(&allow.hazard));
            if known.is_some_and(|known| known.name == hazard) {
                used[which] = true;
                allowed = true;
            }
        }
        allowed
    };
    let mut said: Vec<usize> = Vec::new();
    for (at, finding) in own.chain(whole).collect::<Vec<_>>() {
        if finding.hazard.severity != Severity::Blocking {
            continue;
        }
        if !allowed(finding.hazard.name) {
            // What a step does under an earlier one's lock is said where it is fine by itself.
            if finding.hazard.name == "work-after-strong-lock" && said.contains(&at) {
                continue;
            }
            said.push(at);
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
    for (at, step) in steps.iter().enumerate() {
        for (which, sql, hazard) in blocking_downs(step) {
            if !allowed(hazard.name) {
                problems.add(
                    Site::DownStatement(at, which),
                    format!(
                        "{}: the up does not block, and this down does: {}\n  = write the down {:?}\n  = or, where it does no harm, `#[migration(…, allow({}, reason = \"…\"))]`",
                        hazard.name,
                        hazard.why,
                        concurrently(sql),
                        hazard.name.replace('-', "_"),
                    ),
                );
            }
        }
    }
    for (which, allow) in declaration.allows.iter().enumerate() {
        let Some(hazard) = hazards::named(&allow.hazard) else {
            let near = nearest(&allow.hazard)
                .map_or(String::new(), |near| format!("; did you mean `{}`?", near.name.replace('-', "_")));
            problems.add(
                Site::Allow(which),
                format!("there is no hazard `{}`{near}\n  = the hazards are listed in {HAZARDS}", allow.hazard),
            );
            continue;
        };
        if allow.reason.trim().is_empty() {
            problems.add(
                Site::Allow(which),
                format!("say why it does no harm here: `allow({}, reason = \"…\")`", allow.hazard),
            );
        }
        let again =
            |earlier: &AllowDeclaration| hazards::named(&earlier.hazard).is_some_and(|other| other.name == hazard.name);
        if declaration.allows[..which].iter().any(again) {
            problems.add(
                Site::Allow(which),
                format!(
                    "`{}` is allowed twice; keep one of the two, with a reason that holds for all steps",
                    allow.hazard
                ),
            );
            continue;
        }
        // A down that is refused leaves its up to be judged by the worst, and what else is wrong may hide a hazard.
        let judged = |problem: &Problem| matches!(problem.site, Site::Up(_) | Site::DownStatement(..) | Site::Allow(_));
        if !used[which] && problems.list.iter().all(judged) {
            problems.add(
                Site::Allow(which),
                format!("`allow({})` allows nothing: no step raises {}\n  = leave it out", allow.hazard, hazard.name),
            );
        }
    }
}

/// The statements of a down that lock clients out, where the up went CONCURRENTLY so as not to.
fn blocking_downs(step: &Analysed) -> Vec<(usize, &str, &'static Hazard)> {
    let (CheckedDown::Sql(downs), Some(_)) = (&step.checked.down, &step.checked.concurrent) else { return Vec::new() };
    let has_such_a_form = |name: &&&str| matches!(**name, "index-not-concurrent" | "drop-index-not-concurrent");
    downs
        .iter()
        .enumerate()
        .filter_map(|(which, down)| {
            let name = down.hazards.iter().find(has_such_a_form)?;
            Some((which, down.sql.as_str(), hazards::named(name)?))
        })
        .collect()
}

/// `DROP INDEX i` and `CREATE INDEX i ON t (a)` with CONCURRENTLY.
fn concurrently(sql: &str) -> String {
    match find_words(sql, 0..sql.len(), &["INDEX"]) {
        Some(index) => format!("{} CONCURRENTLY{}", &sql[..index.end], &sql[index.end..]),
        None => format!("{sql}, with CONCURRENTLY"),
    }
}

/// The hazard whose name has most words in common with this one.
fn nearest(name: &str) -> Option<&'static Hazard> {
    let wanted = name.replace('_', "-");
    let words = |text: &str| text.split('-').map(str::to_owned).collect::<Vec<_>>();
    let mine = words(&wanted);
    hazards::all()
        .iter()
        .map(|hazard| (words(hazard.name).iter().filter(|word| mine.contains(word)).count(), hazard.name))
        .max()
        .filter(|(shared, _)| *shared > 0)
        .and_then(|(_, name)| hazards::named(name))
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("        {line}\n")).collect()
}

//! The check from end to end: steps one by one over a symbolic schema that grows with them, then the declaration as a
//! whole against what the steps came to.

use super::analysed::{Analysed, Knowledge};
use super::checked::{Checked, CheckedStep, NewSince};
use super::declaration::{Declaration, DownDeclaration, Problem, Site, StepDeclaration};
use super::{allow, approval, backfill, declared, read, step};
use crate::model::Phase;
use crate::sql::digest::digest;

/// Holds a declaration against its SQL.
///
/// # Errors
///
/// Every problem there is, each with the part of the declaration to point at.
pub fn check(declaration: &Declaration) -> Result<Checked, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut steps = steps(declaration, &mut problems)?;
    allow::allow(declaration, &mut steps, &mut problems);
    declared::lock(declaration, &steps, &mut problems);
    declared::phase(declaration, &steps, &mut problems);
    declared::transactional(declaration, &steps, &mut problems);
    let new_since = declared::deploy(declaration, &steps, &mut problems);
    let digest = digest(&declaration.steps);
    approval::approval(declaration, &steps, &digest, &mut problems);
    finished(steps, digest, new_since, problems)
}

/// Reads the steps of a declaration and decides whether they are reversed, without holding the rest of the declaration
/// against them: for tools that have SQL and no declaration yet.
///
/// # Errors
///
/// Every problem there is with the steps.
pub fn analyse(declaration: &Declaration) -> Result<Checked, Vec<Problem>> {
    let mut problems = Problems::default();
    let steps = steps(declaration, &mut problems)?;
    finished(steps, digest(&declaration.steps), Vec::new(), problems)
}

fn finished(
    steps: Vec<Analysed>,
    digest: String,
    new_since: Vec<NewSince>,
    mut problems: Problems,
) -> Result<Checked, Vec<Problem>> {
    if problems.list.is_empty() {
        let steps: Vec<CheckedStep> = steps.into_iter().map(|step| step.checked).collect();
        Ok(Checked { digest, steps, new_since })
    } else {
        problems.list.sort_by_key(|problem| problem.site);
        Err(problems.list)
    }
}

fn steps(declaration: &Declaration, problems: &mut Problems) -> Result<Vec<Analysed>, Vec<Problem>> {
    let mut knowledge = Knowledge::new(declaration);
    if declaration.version <= 0 {
        problems.add(Site::Migration, "a version is a positive number, by custom a date and time: 2026_03_01_0900");
    }
    if declaration.steps.is_empty() {
        problems.add(
            Site::Migration,
            "a migration has at least one step:\n    #[step(up = \"ALTER TABLE …\", down = \"…\")]   or   #[backfill(table = \"…\", …)]",
        );
    }
    backfill::binds(declaration, problems);

    let mut steps: Vec<Analysed> = Vec::new();
    for (at, step) in declaration.steps.iter().enumerate() {
        let analysed = match step {
            StepDeclaration::Statement { up, down, assume } => {
                step::statement(at, up, down.as_ref(), assume.as_ref(), declaration, &mut knowledge, problems)
            }
            StepDeclaration::Sync { up, down, install } => {
                step::statement(at, up, Some(down), None, declaration, &mut knowledge, problems).map(|mut step| {
                    // Another trigger may refuse what clients write, or change it. What this one does is known: it fills
                    // the columns that a client left alone.
                    if *install {
                        step.checked.phase = Phase::Expand;
                        step.findings.clear();
                    }
                    step
                })
            }
            StepDeclaration::Backfill { table, key, batch, fill, filter, down } => {
                let parts =
                    backfill::Parts { table, key, batch: *batch, fill, filter: filter.as_deref(), down: down.as_ref() };
                backfill::backfill(at, &parts, declaration, &mut knowledge, problems)
            }
        };
        match analysed {
            Some(analysed) => steps.push(analysed),
            // What follows would be judged by a schema that is not there; that its text is no SQL can be said all the same.
            None => {
                texts(declaration, at, problems);
                problems.list.sort_by_key(|problem| problem.site);
                return Err(std::mem::take(&mut problems.list));
            }
        }
    }
    if steps.iter().any(|step| step.unsure) {
        return Err(std::mem::take(&mut problems.list));
    }
    Ok(steps)
}

/// Reads the texts that come after what could not be analysed, in this step and in those after it.
fn texts(declaration: &Declaration, from: usize, problems: &mut Problems) {
    for (at, step) in declaration.steps.iter().enumerate().skip(from) {
        let (up, down) = match step {
            StepDeclaration::Statement { up, down, .. } => (Some(up), down.as_ref()),
            StepDeclaration::Backfill { down, .. } => (None, down.as_ref()),
            StepDeclaration::Sync { up, down, .. } => (Some(up), Some(down)),
        };
        if let Some(up) = up.filter(|_| !problems.at(Site::Up(at))) {
            read::one(up, Site::Up(at), "`up`", problems);
        }
        if let Some(DownDeclaration::Sql(list)) = down {
            for (which, text) in list.iter().enumerate() {
                if !problems.at(Site::DownStatement(at, which)) {
                    read::one(text, Site::DownStatement(at, which), "a `down` statement", problems);
                }
            }
        }
    }
}

/// The problems found so far.
#[derive(Default)]
pub(super) struct Problems {
    pub(super) list: Vec<Problem>,
}

impl Problems {
    fn at(&self, site: Site) -> bool {
        self.list.iter().any(|problem| problem.site == site)
    }

    pub(super) fn add(&mut self, site: Site, message: impl Into<String>) {
        self.list.push(Problem { site, message: message.into() });
    }
}

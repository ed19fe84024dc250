//! The statement of a step in an error: its line, its column, and a caret under what the error is about.

use super::analysed::Analysed;
use super::declaration::{Assume, Declaration, SqlText, StepDeclaration};
use super::read;
use crate::sql::digest::find_words;
use std::ops::Range;

/// All of the statement.
pub(super) fn quote(declaration: &Declaration, at: usize, step: &Analysed) -> String {
    let (text, span) = statement(declaration, at, step);
    read::excerpt(&text, span)
}

/// The part of the statement that is the reason for its lock or its work, where it can be told: of `ALTER TABLE` the one
/// action.
pub(super) fn at_reason(declaration: &Declaration, at: usize, step: &Analysed) -> String {
    let (text, span) = statement(declaration, at, step);
    let is_upper = |word: &&str| word.chars().all(|char| char.is_ascii_uppercase() || char == '_');
    let words: Vec<&str> = step.reason().map_or("", |reason| reason).split(' ').take_while(is_upper).collect();
    let place = find_words(&text.text, span.clone(), &words).filter(|place| place.start > span.start);
    read::excerpt(&text, place.unwrap_or(span))
}

/// What an `assume` of the step would have to say, where that it does not say so is the reason of the error.
pub(super) fn assumed(declaration: &Declaration, at: usize, states: fn(&Assume) -> bool, say: &str) -> String {
    match &declaration.steps[at] {
        StepDeclaration::Statement { assume: Some(assume), .. } if !states(assume) => format!(
            "  = its `assume(…)` does not say otherwise, and what it does not state counts as the worst: say `{say}` there, where that is so\n"
        ),
        _ => String::new(),
    }
}

fn statement(declaration: &Declaration, at: usize, step: &Analysed) -> (SqlText, Range<usize>) {
    let text = match &declaration.steps[at] {
        StepDeclaration::Statement { up, .. } | StepDeclaration::Sync { up, .. } => up.clone(),
        StepDeclaration::Backfill { .. } => SqlText { text: step.checked.up.clone(), file: None },
    };
    let trimmed = text.text.len() - text.text.trim_start().len()..text.text.trim_end().len();
    let span = match (&step.detail, &declaration.steps[at]) {
        (Some(detail), StepDeclaration::Statement { .. } | StepDeclaration::Sync { .. }) => {
            detail.statement.span.clone()
        }
        _ => trimmed.start.min(trimmed.end)..trimmed.end,
    };
    (text, span)
}

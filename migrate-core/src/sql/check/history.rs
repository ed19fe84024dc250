//! The history check at run time: the same code that `migrations!` evaluates in `const`, over migrations that were read
//! from SQL. For tools, and for tests that hold both against servers.

use super::checked::{Checked, CheckedBaseline};
use super::words::Words;
use crate::__private::v1;
use crate::model::history::check::verdicts_now;
use crate::model::{LockClass, Meta, Phase};

/// One migration of a history.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: &'a str,
    /// What is known of it.
    pub checked: &'a Checked,
}

/// What the history check says of one migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Why it is refused, where it is.
    pub refused: Option<String>,
    /// Why its reversal is proved on a server only, where the history cannot tell.
    pub unsettled: Option<String>,
}

/// Checks a history as `migrations!` does.
///
/// What it reads of the entries stays in memory for the rest of the process, since constants is what the check is written
/// for: call it a number of times, not for ever.
pub fn history(baseline: Option<&CheckedBaseline>, entries: &[Entry<'_>]) -> Vec<Finding> {
    let metas: Vec<&'static Meta> = entries.iter().map(meta).collect();
    let baseline = baseline.map(|baseline| v1::baseline("", "", Words::of_baseline(baseline).leak()));
    verdicts_now(&metas, baseline.as_ref())
        .iter()
        .map(|verdict| Finding {
            refused: (!verdict.is_fine()).then(|| verdict.message(&metas, baseline.as_ref())),
            unsettled: verdict.unsettled(&metas, baseline.as_ref()),
        })
        .collect()
}

fn text(text: &str) -> &'static str {
    String::leak(text.to_owned())
}

fn meta(entry: &Entry<'_>) -> &'static Meta {
    let Entry { version, name, checked } = *entry;
    let new_since: Vec<_> =
        (checked.new_since.iter()).map(|since| (since.key, text(&since.relation), text(&since.because))).collect();
    let steps = Words::of_steps(checked, checked.steps.iter().map(|_| None)).leak();
    let head = v1::meta(version, text(name), "", "", Phase::Contract, LockClass::AccessExclusive, false, "", steps);
    let parts = v1::Meta {
        new_since: new_since.leak(),
        deploy_from: checked.new_since.first().map(|since| since.from),
        ..head.data
    };
    Box::leak(Box::new(Meta { data: parts, ..head }))
}

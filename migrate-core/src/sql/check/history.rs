//! The history check at run time: the same code that `migrations!` evaluates in `const`, over migrations that were read
//! from SQL. For tools, and for tests that hold both against servers.

use super::checked::{
    Checked, CheckedBaseline, CheckedDown, CheckedEffect, CheckedObject, CheckedProperty, CheckedStep,
};
use crate::__private::v1;
use crate::model::history::check::verdicts_now;
use crate::model::{Down, DownStatement, Effect, Meta, ObjectKey, Property, Step, StepKind};

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
    let found = baseline.map_or(&[][..], |baseline| effects(&baseline.effects));
    let known = baseline.map_or(&[][..], |baseline| properties(&baseline.properties));
    verdicts_now(&metas, found, known, baseline.is_some())
        .iter()
        .map(|verdict| Finding {
            refused: (!verdict.is_fine()).then(|| verdict.message(&metas)),
            unsettled: verdict.unsettled(),
        })
        .collect()
}

fn text(text: &str) -> &'static str {
    String::leak(text.to_owned())
}

fn meta(entry: &Entry<'_>) -> &'static Meta {
    let steps: Vec<Step> = entry.checked.steps.iter().map(step).collect();
    let new_since: Vec<_> = (entry.checked.new_since.iter())
        .map(|since| (since.key, text(&since.relation), text(&since.because)))
        .collect();
    let parts = v1::Meta::broken(text(entry.name)).data;
    let parts = v1::Meta {
        version: entry.version,
        steps: Vec::leak(steps),
        new_since: Vec::leak(new_since),
        broken: false,
        ..parts
    };
    Box::leak(Box::new(parts.build()))
}

fn step(checked: &CheckedStep) -> Step {
    let down = match &checked.down {
        CheckedDown::Sql(statements) => {
            let statements: Vec<DownStatement> = statements
                .iter()
                .map(|statement| {
                    v1::DownStatement {
                        sql: text(&statement.sql),
                        lock: statement.lock,
                        work: statement.work,
                        transactional: statement.transactional,
                        destroys: &[],
                        concurrent: None,
                        hazards: &[],
                        effects: effects(&statement.effects),
                    }
                    .build()
                })
                .collect();
            Down::Sql(Vec::leak(statements))
        }
        CheckedDown::Keep(reason) => Down::Keep(text(reason)),
        CheckedDown::Nothing(reason) => Down::Nothing(text(reason)),
        CheckedDown::Irreversible(reason) => Down::Irreversible(text(reason)),
    };
    v1::Step {
        kind: StepKind::Statement,
        up: text(&checked.up),
        down,
        phase: checked.phase,
        lock: checked.lock,
        locks: &[],
        work: checked.work,
        transactional: checked.transactional,
        destructive: checked.destructive,
        effects: effects(&checked.effects),
        makes: properties(&checked.makes),
        restores: properties(&checked.restores),
        destroys: &[],
        concurrent: None,
        notes: &[],
    }
    .build()
}

fn object(id: &CheckedObject) -> ObjectKey {
    v1::object(id.space, id.key, text(&id.name), id.owner, text(&id.owner_name))
}

fn effects(checked: &[CheckedEffect]) -> &'static [Effect] {
    let effects: Vec<Effect> = checked
        .iter()
        .map(|effect| {
            v1::Effect {
                kind: effect.kind,
                verb: effect.verb,
                object: text(&effect.object),
                definition: text(&effect.definition),
                id: object(&effect.id),
                to: effect.to,
                to_name: text(&effect.to_name),
                columns_listed: effect.columns_listed,
            }
            .build()
        })
        .collect();
    Vec::leak(effects)
}

fn properties(checked: &[CheckedProperty]) -> &'static [Property] {
    let properties: Vec<Property> = checked
        .iter()
        .map(|property| {
            let with: Vec<ObjectKey> = property.with.iter().map(object).collect();
            v1::Property {
                id: object(&property.id),
                object: text(&property.object),
                what: text(&property.what),
                what_key: property.what_key,
                text: text(&property.text),
                sql: text(&property.sql),
                strict: text(&property.strict),
                strict_key: property.strict_key,
                loose_key: property.loose_key,
                constants_key: property.constants_key,
                reworded: property.reworded,
                mentions: property.mentions,
                with: Vec::leak(with),
            }
            .build()
        })
        .collect();
    Vec::leak(properties)
}

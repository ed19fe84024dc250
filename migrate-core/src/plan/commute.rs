//! Whether a migration may pass one that is held back. It may when no object that it touches is touched by the other;
//! where that cannot be known, it may not.

use crate::model::{Effect, EffectKind, Meta, Space, Step, StepKind, Verb};
use std::collections::HashSet;

/// What both touch, so that the later must wait for the held one; `None` where they commute.
pub(super) fn shared_object(held: &'static Meta, later: &'static Meta) -> Option<String> {
    if let Some(unknown) = opaque(held) {
        return Some(format!("what {} does, which is not known ({unknown})", held.name()));
    }
    if let Some(unknown) = opaque(later) {
        return Some(format!("what {} does, which is not known ({unknown})", later.name()));
    }
    if let Some(wide) = effects(held).find(|effect| is_wide(effect)) {
        return Some(wide.object.to_owned());
    }
    // What lives in the schema, or is made there by default, may be what the held one makes or takes away.
    if let Some(wide) = effects(later).find(|effect| is_wide(effect))
        && effects(held).any(comes_or_goes)
    {
        return Some(wide.object.to_owned());
    }
    if let Some(named) = named_by(held, later).or_else(|| named_by(later, held)) {
        return Some(named.to_owned());
    }
    let of_held: Vec<Touch> = touches(held);
    touches(later).into_iter().find_map(|mine| {
        let clash = of_held.iter().find(|other| other.what == mine.what && !(other.only_used && mine.only_used))?;
        // Where one touches a table and the other a part of it, what both touch is the table.
        Some(if clash.of_part { mine.text } else { clash.text.clone() })
    })
}

fn effects(meta: &'static Meta) -> impl Iterator<Item = &'static Effect> {
    meta.steps().iter().flat_map(Step::effects)
}

/// Why the effects of a migration are not all known, where they are not.
fn opaque(meta: &'static Meta) -> Option<&'static str> {
    meta.steps().iter().find_map(|step| {
        if step.effects().iter().any(|effect| effect.kind == EffectKind::Assumed) {
            Some("a step is taken on trust")
        } else if step.effects().is_empty() && step.locks().is_empty() && matches!(step.kind(), StepKind::Statement) {
            Some("a step states no effect")
        } else {
            None
        }
    })
}

/// A change that reaches objects which are not named with it: whatever lives in the schema, belongs to the extension, or is
/// made from then on.
fn is_wide(effect: &Effect) -> bool {
    is_of_defaults(effect)
        || matches!(effect.id.space, Space::Schema | Space::Extension | Space::Role)
            && !matches!(effect.verb, Verb::Use | Verb::Make | Verb::Ensure)
}

fn is_of_defaults(effect: &Effect) -> bool {
    effect.object.starts_with("default privileges")
}

/// A whole object is made, renamed or gone.
fn comes_or_goes(effect: &Effect) -> bool {
    is_of_defaults(effect)
        || effect.id.owner == 0
            && matches!(effect.verb, Verb::Make | Verb::Ensure | Verb::Rename | Verb::Take | Verb::TakeIfThere)
}

/// An object of its own, a type, a function, a sequence, that one changes and the SQL of the other names: what only names it
/// has no effect on it. Names are looked for as words, so that a column of the same name counts too: the careful side.
fn named_by(changes: &'static Meta, names: &'static Meta) -> Option<&'static str> {
    let own = |effect: &&Effect| effect.id.owner == 0 && !matches!(effect.verb, Verb::Use | Verb::Rows);
    let mut text = String::new();
    for step in names.steps() {
        text.push_str(step.up());
        text.push(' ');
        if let StepKind::Backfill(backfill) = step.kind() {
            text.push_str(&format!("{} {} ", backfill.set(), backfill.filter()));
        }
    }
    let text = text.to_lowercase();
    let is_of_words = |char: char| char.is_alphanumeric() || char == '_' || char == '$';
    let words: HashSet<&str> = text.split(|char| !is_of_words(char)).collect();
    let named = |name: &str| {
        let name = name.to_lowercase();
        !name.is_empty()
            && if name.chars().all(is_of_words) { words.contains(name.as_str()) } else { text.contains(&name) }
    };
    effects(changes)
        .filter(own)
        .find(|effect| named(&own_name(effect.id.name)) || named(&last_part(effect.to_name)))
        .map(|effect| effect.object)
}

/// The name itself, without the schema before it and the arguments behind it.
fn own_name(name: &str) -> String {
    last_part(name.split('(').next().unwrap_or(name))
}

#[derive(PartialEq, Eq)]
enum What {
    Key(u128),
    /// The last part of a relation's name: the same relation may be written with its schema here and without it there.
    Name(String),
}

struct Touch {
    what: What,
    only_used: bool,
    /// `text` names a part of it, a column or an index.
    of_part: bool,
    text: String,
}

fn touches(meta: &'static Meta) -> Vec<Touch> {
    let mut all = Vec::new();
    for effect in effects(meta) {
        let only_used = effect.verb == Verb::Use;
        let mut push = |key: u128, of_part: bool| {
            if key != 0 {
                all.push(Touch { what: What::Key(key), only_used, of_part, text: effect.object.to_owned() });
            }
        };
        // Of what lives in a relation, the relation: two columns of one table may still depend on each other.
        push(effect.id.owner, true);
        if effect.id.owner == 0 || matches!(effect.id.space, Space::Relation | Space::Type | Space::Routine) {
            push(effect.id.key, false);
            push(effect.to, false);
        }
        // What has no key is followed by its words.
        if effect.id.key == 0 && effect.id.owner == 0 {
            let what = What::Name(effect.object.to_owned());
            all.push(Touch { what, only_used, of_part: false, text: effect.object.to_owned() });
        }
        if effect.id.owner == 0 && effect.id.space == Space::Relation {
            let name = effect.object.rsplit(' ').next().unwrap_or(effect.object);
            all.push(Touch {
                what: What::Name(last_part(name)),
                only_used,
                of_part: false,
                text: effect.object.to_owned(),
            });
        }
    }
    for step in meta.steps() {
        for &(relation, _) in step.locks() {
            all.push(Touch {
                what: What::Name(last_part(relation)),
                only_used: false,
                of_part: false,
                text: relation.to_owned(),
            });
        }
        for loss in step.destroys() {
            let what = What::Name(last_part(loss.relation));
            all.push(Touch { what, only_used: false, of_part: false, text: loss.relation.to_owned() });
        }
        if let StepKind::Backfill(backfill) = step.kind() {
            let what = What::Name(last_part(backfill.table()));
            all.push(Touch { what, only_used: false, of_part: false, text: backfill.table().to_owned() });
        }
        if let Some(index) = step.concurrent() {
            all.push(Touch {
                what: What::Name(index.name.to_owned()),
                only_used: false,
                of_part: false,
                text: index.name.to_owned(),
            });
            if let Some(table) = index.table {
                all.push(Touch {
                    what: What::Name(last_part(table)),
                    only_used: false,
                    of_part: false,
                    text: table.to_owned(),
                });
            }
        }
    }
    all
}

/// `orders` of `public.orders` and of `public."orders"`. A dot inside quotes yields a part of the name, which can only
/// make two names equal that are not: the careful side.
fn last_part(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).trim_matches('"').to_owned()
}

//! What a step makes known of the schema, and what its down says was there before: two lists of properties each, and the
//! difference of them. What the schema cannot hold of an object that nobody has made here, the changes themselves say.

use super::checked::CheckedProperty;
use super::effects::object_key;
use crate::model::{EffectKind, Space, Verb, half_key, key};
use crate::sql::ast::{ConstraintKind, Stmt, TableAction};
use crate::sql::schema::{Mentions, OPAQUE, Property, PropertyKey, Schema, in_words, properties};
use crate::sql::{Change, Name, ObjectId};
use std::collections::{BTreeMap, BTreeSet};

type Properties = BTreeMap<PropertyKey, Property>;

/// What is known after the statement and was not before.
pub(super) fn made(before: &Schema, after: &Schema, stmt: &Stmt, changes: &[Change]) -> Vec<CheckedProperty> {
    let known = properties(before);
    let mut now = properties(after);
    said(changes, &mut now);
    taken_over(stmt, after, &mut now);
    let made = objects(changes, &[Verb::Make, Verb::Ensure]);
    let mut out = Vec::new();
    for (key, property) in &now {
        let news = known.get(key).is_none_or(|known| known.text != property.text);
        let goes_without_saying = property.text.is_empty() && property.what != OPAQUE && made.contains(&object(key));
        if news && !goes_without_saying {
            out.push(checked(property, true));
        }
    }
    // What was known, and is no property of the object any more.
    let there: BTreeSet<_> = now.keys().map(object).collect();
    for (key, property) in &known {
        if !now.contains_key(key) && !property.text.is_empty() && there.contains(&object(key)) {
            out.push(checked(&Property { text: String::new(), sql: String::new(), ..property.clone() }, true));
        }
    }
    out
}

/// Everything that a script makes known.
pub(super) fn of_baseline(schema: &Schema) -> Vec<CheckedProperty> {
    properties(schema)
        .values()
        .filter(|property| !property.text.is_empty() || property.what == "definition")
        .map(|property| checked(property, true))
        .collect()
}

/// What the downs bring back, as far as this migration did not know it: `before`, after the up, and after the downs.
pub(super) fn restored(
    (before, middle, restored): (&Schema, &Schema, &Schema),
    up: &[Change],
    down: &[Change],
) -> Vec<CheckedProperty> {
    let known = properties(before);
    let mut in_middle = properties(middle);
    said(up, &mut in_middle);
    let listed = properties(restored);
    let mut back = listed.clone();
    said(up, &mut back);
    said(down, &mut back);
    // What the changes said on the way gives way to what there is in the end.
    back.extend(listed);
    let remade = objects(down, &[Verb::Make, Verb::Ensure]);
    let mut out = Vec::new();
    for (key, property) in &back {
        let goes_without_saying = property.text.is_empty() && property.what != OPAQUE && remade.contains(&object(key));
        if !known.contains_key(key) && !goes_without_saying {
            out.push(checked(property, false));
        }
    }
    // What the up gave to something that was there, and the down takes away again: before, it had none.
    let there: BTreeSet<_> = back.keys().map(object).collect();
    let made = objects(up, &[Verb::Make, Verb::Ensure]);
    for (key, property) in &in_middle {
        let object = object(key);
        if !known.contains_key(key)
            && !back.contains_key(key)
            && !made.contains(&object)
            && (property.what != "definition" || there.contains(&object))
            && !is_part_of(&object, &made)
        {
            out.push(checked(&Property { text: String::new(), ..property.clone() }, false));
        }
    }
    out
}

fn object(key: &PropertyKey) -> (Space, Option<Name>, Name) {
    (key.0, key.1.clone(), key.2.clone())
}

fn is_part_of(object: &(Space, Option<Name>, Name), made: &BTreeSet<(Space, Option<Name>, Name)>) -> bool {
    object.1.as_ref().is_some_and(|owner| made.contains(&(Space::Relation, None, owner.clone())))
}

fn objects(changes: &[Change], verbs: &[Verb]) -> BTreeSet<(Space, Option<Name>, Name)> {
    changes.iter().filter(|change| verbs.contains(&change.verb)).map(|change| identity(&change.object)).collect()
}

fn identity(object: &ObjectId) -> (Space, Option<Name>, Name) {
    let owner = if object.space == Space::Relation { None } else { object.owner.clone() };
    (object.space, owner, object.name.clone())
}

/// What the changes say of objects that the schema does not list in full: what was taken away, and what is not known any
/// more.
fn said(changes: &[Change], of: &mut Properties) {
    let mut set = |object: &ObjectId, what: &str, text: &str| {
        let property = Property {
            object: object.clone(),
            what: what.to_owned(),
            text: text.to_owned(),
            sql: String::new(),
            with: Vec::new(),
        };
        of.insert(property.key(), property);
    };
    for change in changes {
        let object = &change.object;
        match change.kind {
            EffectKind::SetComment if change.definition == "NULL" => set(object, "comment", ""),
            EffectKind::EnableRowSecurity | EffectKind::DisableRowSecurity => {
                let what =
                    if change.definition == "FORCE" { "forced row level security" } else { "row level security" };
                let on = change.kind == EffectKind::EnableRowSecurity;
                set(object, what, if on { "enabled" } else { "" });
            }
            EffectKind::SetTableOption | EffectKind::SetColumnOption => {
                let noun = if object.space == Space::Column { "option" } else { "parameter" };
                let reset = change.definition.strip_prefix("RESET (").and_then(|rest| rest.strip_suffix(')'));
                for name in reset.into_iter().flat_map(|names| names.split(", ")) {
                    set(object, &format!("{noun} {name}"), "");
                }
            }
            EffectKind::ChangeTrigger if object.space == Space::Trigger && change.definition == "ENABLE" => {
                set(object, "state", "");
            }
            EffectKind::ChangeObject if object.space == Space::Rule && change.definition == "ENABLE" => {
                set(object, "state", "");
            }
            EffectKind::ValidateConstraint => set(object, "validity", ""),
            _ => {}
        }
    }
    for change in changes.iter().filter(|change| change.verb == Verb::Alter) {
        let (space, owner, name) = identity(&change.object);
        let changed = matches!(
            change.kind,
            EffectKind::ChangeSequence
                | EffectKind::ChangeType
                | EffectKind::AddEnumValue
                | EffectKind::RenameEnumValue
                | EffectKind::ChangeDomain
                | EffectKind::ChangeFunction
                | EffectKind::ChangeView
                | EffectKind::ChangeMaterializedView
                | EffectKind::ChangePolicy
                | EffectKind::ChangePublication
                | EffectKind::ChangeStatistics
                | EffectKind::ChangeExtension
                | EffectKind::ChangeConstraint
                | EffectKind::ChangeIndex
                | EffectKind::ChangeInheritance
        );
        if changed && !of.contains_key(&(space, owner, name, "definition".to_owned())) {
            let property = Property {
                object: change.object.clone(),
                what: OPAQUE.to_owned(),
                text: String::new(),
                sql: String::new(),
                with: Vec::new(),
            };
            of.insert(property.key(), property);
        }
    }
}

/// An index that a constraint takes over is the constraint's, and none of its own any more.
fn taken_over(stmt: &Stmt, after: &Schema, of: &mut Properties) {
    let Stmt::AlterTable(alter) = stmt else { return };
    let table = after.resolve(&alter.name);
    for action in &alter.actions {
        if let TableAction::AddConstraint(def) = &action
            && let ConstraintKind::UniqueUsingIndex { index } | ConstraintKind::PrimaryKeyUsingIndex { index } =
                &def.kind
        {
            let name = Name { schema: table.schema.clone(), name: def.name.clone().unwrap_or_else(|| index.clone()) };
            let property = Property {
                object: ObjectId { space: Space::Relation, noun: "index", owner: Some(table.clone()), name },
                what: "definition".to_owned(),
                text: String::new(),
                sql: String::new(),
                with: Vec::new(),
            };
            of.insert(property.key(), property);
        }
    }
}

fn checked(property: &Property, with_sql: bool) -> CheckedProperty {
    let form = property.form();
    CheckedProperty {
        id: object_key(&property.object),
        object: in_words(&property.object),
        what_key: half_key(&property.what),
        what: property.what.clone(),
        text: property.text.clone(),
        sql: if with_sql { property.sql.clone() } else { String::new() },
        strict_key: key(Space::Other, &form.strict),
        loose_key: half_key(&form.loose),
        constants_key: half_key(&form.constants),
        reworded: form.reworded,
        mentions: match form.mentions {
            // Comments name nothing, whatever words are in them.
            _ if property.text.starts_with('\'') => 0,
            Mentions::Nothing => 0,
            Mentions::Columns => 1,
            Mentions::Objects => 2,
        },
        with: if with_sql { property.with.iter().map(object_key).collect() } else { Vec::new() },
    }
}

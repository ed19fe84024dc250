//! Which objects were there before statements ran, and which are there after them, read off the changes that the statements
//! made: what an open world does not list, and still must balance.

use crate::model::{EffectKind, Space, Verb};
use crate::sql::name::Name;
use crate::sql::{Change, ObjectId};
use std::collections::{BTreeMap, BTreeSet};

/// Whether an object was there before the first statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Yes,
    No,
    /// `IF NOT EXISTS` or `OR REPLACE` made it unless it was there.
    PerhapsMade,
    /// `IF EXISTS` took it if it was there.
    PerhapsTaken,
}

/// What the statements say of one object.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub object: ObjectId,
    pub before: Before,
    /// Whether it is there after the last statement.
    pub there: bool,
    /// Whether an up names it, or only a down does.
    pub by_up: bool,
    /// Taken and made again: its parts are those of the new one.
    pub remade: bool,
    /// It was there all along, and a down took it.
    pub taken_by_down: bool,
    /// What the ups set on purpose, not on the way to something else.
    pub set_by_up: Vec<EffectKind>,
}

type Key = (Space, Option<Name>, Name);

/// The entries by object, under the names that the objects had first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<Key, Entry>,
    /// The first name of what has another name now.
    first_names: BTreeMap<Key, Key>,
    /// Things whose owner speaks for them: parts of what was made or taken whole.
    parts: BTreeSet<Key>,
    /// The names in the middle, between ups and downs, by first name.
    middle_names: BTreeMap<Key, Key>,
    /// Row level security, enabled and forced: as the ups left it, and as it is now.
    row_security: BTreeMap<(Name, bool), (Option<bool>, bool)>,
}

impl Ledger {
    pub(crate) fn record(&mut self, changes: &[Change], by_up: bool) {
        // PRIMARY KEY makes its columns NOT NULL on its way.
        let primary_key = changes
            .iter()
            .any(|change| change.kind == EffectKind::AddConstraint && change.definition.starts_with("PRIMARY KEY"));
        for change in changes {
            self.one(change, by_up, !(primary_key && change.kind == EffectKind::SetNotNull));
        }
    }

    fn one(&mut self, change: &Change, by_up: bool, on_purpose: bool) {
        if let Some(on) = match change.kind {
            EffectKind::EnableRowSecurity => Some(true),
            EffectKind::DisableRowSecurity => Some(false),
            _ => None,
        } {
            let table = self.first_name(&key_of(&change.object)).2;
            let state = self.row_security.entry((table, change.definition == "FORCE")).or_insert((None, on));
            state.1 = on;
            if by_up {
                state.0 = Some(on);
            }
        }
        let key = self.first_name(&key_of(&change.object));
        if let Some(owner) = &change.object.owner {
            let owner = self.first_name(&(Space::Relation, None, owner.clone()));
            let whole = self
                .entries
                .get(&owner)
                .is_some_and(|entry| !entry.there || entry.before == Before::No || entry.remade);
            if whole && !self.entries.contains_key(&key) {
                self.parts.insert(key);
                return;
            }
        }
        if self.parts.contains(&key) {
            return;
        }
        let before = match change.verb {
            Verb::Make => Before::No,
            Verb::Ensure => Before::PerhapsMade,
            Verb::TakeIfThere => Before::PerhapsTaken,
            Verb::Alter | Verb::Rename | Verb::Take | Verb::Rows | Verb::Use => Before::Yes,
        };
        let there = !matches!(change.verb, Verb::Take | Verb::TakeIfThere);
        // While it has another name, what has its first one is something else.
        let itself = key != key_of(&change.object) || !self.first_names.values().any(|first| *first == key);
        let entry = self.entries.entry(key.clone()).or_insert_with(|| {
            let object = ObjectId { owner: change.object.owner.clone(), name: key.2.clone(), ..change.object.clone() };
            Entry { object, before, there, by_up, remade: false, taken_by_down: false, set_by_up: Vec::new() }
        });
        // What the ups took and made anew is not what was there.
        entry.taken_by_down |=
            itself && !there && !by_up && entry.there && !entry.remade && entry.by_up && entry.before == Before::Yes;
        entry.remade |= there && !entry.there;
        entry.there = there;
        entry.by_up |= by_up;
        if by_up && on_purpose {
            entry.set_by_up.push(change.kind);
        }
        if !there && key != key_of(&change.object) {
            // Gone under its new name: what is made under the first name afterwards has that name.
            self.first_names.retain(|_, first| *first != key);
        }
        if let (Verb::Rename, Some(to)) = (change.verb, &change.to) {
            // Back under the first name it needs no other; a later object of the name in between is another one.
            let new = key_of(to);
            self.first_names.retain(|_, first| *first != key);
            if new != key {
                self.first_names.insert(new, key);
            }
        }
    }

    /// The key under the name that the object, and what owns it, had first.
    fn first_name(&self, key: &Key) -> Key {
        let mut key = key.clone();
        if let Some(owner) = &key.1
            && let Some(first) = self.first_names.get(&(Space::Relation, None, owner.clone()))
        {
            key.1 = Some(first.2.clone());
        }
        self.first_names.get(&key).cloned().unwrap_or(key)
    }

    /// What the statements say of the object; `None` where they do not name it.
    pub(crate) fn entry(&self, object: &ObjectId) -> Option<&Entry> {
        self.entries.get(&key_of(object))
    }

    /// Whether the statements name the relation or anything in it.
    pub(crate) fn names_relation(&self, relation: &Name, by_up: bool) -> bool {
        self.entries.iter().any(|((space, owner, name), entry)| {
            (entry.by_up || !by_up)
                && (owner.as_ref() == Some(relation)
                    || (*space == Space::Relation && owner.is_none() && name == relation))
        })
    }

    /// The ups have run: the names that things have now are those in the middle.
    pub(crate) fn in_the_middle(&mut self) {
        self.middle_names = self.first_names.iter().map(|(now, first)| (first.clone(), now.clone())).collect();
    }

    /// The name in the middle of the relation that had this name first.
    pub(crate) fn middle(&self, relation: &Name) -> Name {
        let key = (Space::Relation, None, relation.clone());
        self.middle_names.get(&key).map_or_else(|| relation.clone(), |now| now.2.clone())
    }

    /// The same for a column.
    pub(crate) fn middle_column(&self, relation: &Name, column: &str) -> String {
        let key = (Space::Column, Some(relation.clone()), Name::bare(column));
        self.middle_names.get(&key).map_or_else(|| column.to_owned(), |now| now.2.name.clone())
    }

    /// What became of a flag of row level security: as the ups left it, and as it is now.
    pub(crate) fn row_security(&self, relation: &Name, forced: bool) -> Option<(Option<bool>, bool)> {
        self.row_security.get(&(relation.clone(), forced)).copied()
    }

    /// What has another name than it had first: the thing, and that name.
    pub(crate) fn renamed(&self) -> impl Iterator<Item = (&Entry, &Name)> {
        self.first_names
            .iter()
            .filter_map(|(now, first)| Some((self.entries.get(first)?, &now.2)))
            .filter(|(entry, _)| entry.there)
    }

    /// Whether this is the new name of something.
    pub(crate) fn is_new_name(&self, object: &ObjectId) -> bool {
        self.first_names.contains_key(&key_of(object))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}

/// Relations of any kind share one namespace, whatever table an index is of.
fn key_of(object: &ObjectId) -> Key {
    let owner = if object.space == Space::Relation { None } else { object.owner.clone() };
    (object.space, owner, object.name.clone())
}

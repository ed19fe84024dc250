//! The history check: `const` code that `migrations!` evaluates, so that a history that cannot be is a compile error.
//!
//! There is no schema engine here. The derive wrote one key per object and per owner into each effect; this code only
//! follows which keys are there. Names map to *entities* through a hash table, and an entity lives as long as its owner, so
//! that a rename carries columns and indexes along and a dropped table takes them with it. One pass, linear in the number
//! of effects. What an entry may not do becomes its verdict; the macro settles each verdict at the entry's own place.

#![allow(clippy::cast_possible_truncation, reason = "a history has fewer than four thousand million effects")]

use crate::model::{Effect, EffectKind, Meta, Space, Verb};

const NONE: u32 = u32::MAX;

/// What the check has to say of one entry.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    fault: Fault,
    entry: &'static str,
    version: i64,
    other: &'static str,
    other_version: i64,
    object: &'static str,
    detail: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Fine,
    Duplicate,
    Descending,
    NeverMade,
    TableNeverMade,
    Gone,
    TableGone,
    Taken,
    NotNew,
}

/// How many places the hash table needs for this history: pass it as `CAPACITY` to [`verdicts`].
pub const fn capacity(metas: &[&'static Meta], baseline: &'static [Effect]) -> usize {
    let mut effects = baseline.len();
    let mut at = 0;
    while at < metas.len() {
        let mut step = 0;
        while step < metas[at].data.steps.len() {
            effects += metas[at].data.steps[step].data.effects.len();
            step += 1;
        }
        at += 1;
    }
    // An effect makes at most four entries: itself, its owner, a new name, the old name's owner.
    (effects * 4 + 16).next_power_of_two()
}

#[derive(Clone, Copy)]
struct Entity {
    alive: bool,
    /// It was there before the history; nothing else is known of it.
    assumed: bool,
    /// A table whose columns were all listed when it was made.
    complete: bool,
    owner: u32,
    /// The entry that made it; `NONE` for the baseline's and assumed ones.
    maker: u32,
    /// The entry that took it.
    taker: u32,
}

#[derive(Clone, Copy)]
struct Place {
    key: u64,
    entity: u32,
}

struct World<const CAPACITY: usize> {
    places: [Place; CAPACITY],
    entities: [Entity; CAPACITY],
    made: usize,
    closed: bool,
}

/// The verdict on each migration of a history, in order.
///
/// `closed` says that there is a baseline, so that what neither it nor the history made was never there; without one it is
/// unknown, and not refused.
pub const fn verdicts<const N: usize, const CAPACITY: usize>(
    metas: &[&'static Meta; N],
    baseline: &'static [Effect],
    closed: bool,
) -> [Verdict; N] {
    let nobody = Entity { alive: false, assumed: false, complete: false, owner: NONE, maker: NONE, taker: NONE };
    let mut world = World::<CAPACITY> {
        places: [Place { key: 0, entity: NONE }; CAPACITY],
        entities: [nobody; CAPACITY],
        made: 0,
        closed,
    };
    let fine =
        Verdict { fault: Fault::Fine, entry: "", version: 0, other: "", other_version: 0, object: "", detail: "" };
    let mut out = [fine; N];

    let mut at = 0;
    while at < baseline.len() {
        // The baseline was read as one script in a closed world: what is wrong with it was said then.
        let _ = world.follow(&baseline[at], NONE);
        at += 1;
    }

    let mut last = NONE;
    let mut entry = 0;
    while entry < N {
        let meta = metas[entry];
        if meta.data.broken {
            entry += 1;
            continue;
        }
        let mut verdict = Verdict { entry: meta.data.name, version: meta.data.version, ..fine };
        if last != NONE {
            let before = metas[last as usize];
            if meta.data.version <= before.data.version {
                verdict.fault =
                    if meta.data.version == before.data.version { Fault::Duplicate } else { Fault::Descending };
                verdict.other = before.data.name;
                verdict.other_version = before.data.version;
            }
        }
        last = entry as u32;
        let mut condition = 0;
        while condition < meta.data.new_since.len() {
            let (key, relation, because) = meta.data.new_since[condition];
            if matches!(verdict.fault, Fault::Fine)
                && let Some(maker) = world.not_new(key, metas, meta)
            {
                verdict.fault = Fault::NotNew;
                verdict.object = relation;
                verdict.detail = because;
                if maker != NONE {
                    verdict.other = metas[maker as usize].data.name;
                    verdict.other_version = metas[maker as usize].data.version;
                }
            }
            condition += 1;
        }
        let mut step = 0;
        while step < meta.data.steps.len() {
            let effects = meta.data.steps[step].data.effects;
            let mut at = 0;
            while at < effects.len() {
                let (fault, other) = world.follow(&effects[at], entry as u32);
                if matches!(verdict.fault, Fault::Fine) && !matches!(fault, Fault::Fine) {
                    verdict.fault = fault;
                    verdict.object = effects[at].object;
                    if other != NONE {
                        verdict.other = metas[other as usize].data.name;
                        verdict.other_version = metas[other as usize].data.version;
                    }
                }
                at += 1;
            }
            step += 1;
        }
        out[entry] = verdict;
        entry += 1;
    }
    out
}

impl<const CAPACITY: usize> World<CAPACITY> {
    const fn place(&self, key: u64) -> usize {
        let mask = CAPACITY - 1;
        let mut at = (key ^ (key >> 32)) as usize & mask;
        while self.places[at].key != 0 && self.places[at].key != key {
            at = (at + 1) & mask;
        }
        at
    }

    const fn lives(&self, entity: u32) -> bool {
        let mut at = entity;
        while at != NONE {
            if !self.entities[at as usize].alive {
                return false;
            }
            at = self.entities[at as usize].owner;
        }
        true
    }

    const fn make(&mut self, place: usize, key: u64, owner: u32, maker: u32, assumed: bool) -> u32 {
        let entity = self.made as u32;
        self.entities[self.made] = Entity { alive: true, assumed, complete: false, owner, maker, taker: NONE };
        self.made += 1;
        self.places[place] = Place { key, entity };
        entity
    }

    /// The owner's entity; one that nobody made is assumed, so that its parts have somewhere to hang.
    const fn owner(&mut self, key: u64) -> u32 {
        if key == 0 {
            return NONE;
        }
        let place = self.place(key);
        let found = self.places[place].entity;
        if found != NONE && self.places[place].key == key && self.lives(found) {
            found
        } else {
            self.make(place, key, NONE, NONE, true)
        }
    }

    /// Who made the relation, where that was before the deploy; `Some(NONE)` where it was there before the history.
    const fn not_new(&self, key: u64, metas: &[&'static Meta], meta: &Meta) -> Option<u32> {
        let place = self.place(key);
        let entity = self.places[place].entity;
        if entity == NONE || !self.lives(entity) {
            return Some(NONE);
        }
        let maker = self.entities[entity as usize].maker;
        if maker == NONE {
            return Some(NONE);
        }
        match meta.data.deploy_from {
            Some(from) if metas[maker as usize].data.version >= from => None,
            _ => Some(maker),
        }
    }

    const fn follow(&mut self, effect: &Effect, entry: u32) -> (Fault, u32) {
        if effect.key == 0 {
            return (Fault::Fine, NONE);
        }
        let orphan = self.orphan(effect);
        if !matches!(orphan.0, Fault::Fine) {
            return orphan;
        }
        let owner = self.owner(effect.owner);
        let key = self.scoped(effect.space, owner, effect.key);
        let place = self.place(key);
        let found = self.places[place].entity;
        let known = self.places[place].key == key && found != NONE;
        let there = known && self.lives(found);
        match effect.verb {
            Verb::Make => {
                if there {
                    return (Fault::Taken, self.entities[found as usize].maker);
                }
                let made = self.make(place, key, owner, entry, false);
                self.entities[made as usize].complete = lists_its_columns(effect);
            }
            Verb::Ensure => {
                if !there {
                    self.make(place, key, owner, entry, false);
                }
            }
            Verb::Take | Verb::TakeIfThere => {
                if there {
                    self.entities[found as usize].alive = false;
                    self.entities[found as usize].taker = entry;
                } else if matches!(effect.verb, Verb::Take) {
                    let fault = self.missing(effect, owner, known, found);
                    if matches!(fault.0, Fault::Fine) {
                        let assumed = self.make(place, key, owner, NONE, true);
                        self.entities[assumed as usize].alive = false;
                        self.entities[assumed as usize].taker = entry;
                    }
                    return fault;
                }
            }
            Verb::Rename => {
                let entity = if there {
                    found
                } else {
                    let fault = self.missing(effect, owner, known, found);
                    if !matches!(fault.0, Fault::Fine) {
                        return fault;
                    }
                    self.make(place, key, owner, NONE, true)
                };
                let old_name = self.make(place, key, owner, NONE, true);
                self.entities[old_name as usize].alive = false;
                self.entities[old_name as usize].taker = entry;
                let to = self.scoped(effect.space, owner, effect.to);
                let new_place = self.place(to);
                let taken = self.places[new_place].entity;
                if taken != NONE && self.lives(taken) {
                    return (Fault::Taken, self.entities[taken as usize].maker);
                }
                self.places[new_place] = Place { key: to, entity };
            }
            Verb::Alter | Verb::Rows | Verb::Use => {
                if !there {
                    let fault = self.missing(effect, owner, known, found);
                    if matches!(fault.0, Fault::Fine) {
                        self.make(place, key, owner, NONE, true);
                    }
                    return fault;
                }
            }
        }
        (Fault::Fine, NONE)
    }

    /// What it means that the table is not there whose column or index an effect is about. Other parts may belong to what
    /// is not followed: a constraint to a domain.
    const fn orphan(&self, effect: &Effect) -> (Fault, u32) {
        let of_table = matches!(
            effect.kind,
            EffectKind::AddColumn
                | EffectKind::DropColumn
                | EffectKind::RenameColumn
                | EffectKind::ChangeColumnType
                | EffectKind::SetNotNull
                | EffectKind::DropNotNull
                | EffectKind::CreateIndex
        );
        if !of_table || effect.owner == 0 || matches!(effect.verb, Verb::TakeIfThere) {
            return (Fault::Fine, NONE);
        }
        let place = self.place(effect.owner);
        let found = self.places[place].entity;
        let known = self.places[place].key == effect.owner && found != NONE;
        if known && !self.lives(found) {
            return (Fault::TableGone, self.entities[found as usize].taker);
        }
        if !known && self.closed { (Fault::TableNeverMade, NONE) } else { (Fault::Fine, NONE) }
    }

    /// What it means that the object of an effect is not there.
    const fn missing(&self, effect: &Effect, owner: u32, known: bool, found: u32) -> (Fault, u32) {
        if known {
            let mut at = found;
            while at != NONE {
                if !self.entities[at as usize].alive {
                    return (Fault::Gone, self.entities[at as usize].taker);
                }
                at = self.entities[at as usize].owner;
            }
        }
        let column_of_known_table = matches!(effect.space, Space::Column)
            && owner != NONE
            && self.entities[owner as usize].complete
            && !self.entities[owner as usize].assumed;
        // A constraint's or function's name may be one that the server made up, or an extension brought.
        let followed = matches!(effect.space, Space::Relation | Space::Type);
        if column_of_known_table || (self.closed && followed) { (Fault::NeverMade, NONE) } else { (Fault::Fine, NONE) }
    }

    /// The key of a name within its owner, for what is named within an owner; the key itself for what is named in a schema.
    const fn scoped(&self, space: Space, owner: u32, key: u64) -> u64 {
        match space {
            Space::Column | Space::Constraint | Space::Trigger | Space::Policy | Space::Rule | Space::EnumValue => {
                let mixed =
                    (key ^ (owner as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0x0000_0100_0000_01b3);
                if mixed == 0 { 1 } else { mixed }
            }
            _ => key,
        }
    }
}

const fn lists_its_columns(effect: &Effect) -> bool {
    matches!(effect.kind, EffectKind::CreateTable) && effect.columns_listed
}

impl Verdict {
    /// Whether the entry is accepted.
    pub const fn is_fine(&self) -> bool {
        matches!(self.fault, Fault::Fine)
    }

    /// What is wrong, in words; empty where nothing is.
    pub fn message(&self) -> String {
        let text = self.text();
        String::from_utf8_lossy(text.bytes()).into_owned()
    }

    /// Stops the compilation where the entry is refused.
    ///
    /// # Panics
    ///
    /// Panics with the message: in `const`, that is the compile error.
    #[track_caller]
    pub const fn settle(&self) {
        if !self.is_fine() {
            let text = self.text();
            match std::str::from_utf8(text.bytes()) {
                Ok(message) => panic!("{}", message),
                Err(_) => panic!("this migration does not fit the history"),
            }
        }
    }

    const fn text(&self) -> Text {
        let mut text = Text { bytes: [0; Text::SIZE], len: 0 };
        let names = (self.entry, self.version);
        let other = (self.other, self.other_version);
        match self.fault {
            Fault::Fine => text,
            Fault::Duplicate => {
                text.migration(names).push(" has the same version as ").migration(other);
                text.push(" before it\n  = a version stands for one migration; give this one a later number");
                text
            }
            Fault::Descending => {
                text.migration(names).push(" stands after ").migration(other).push(", which has the higher version");
                text.push("\n  = list migrations in the order of their versions");
                text
            }
            Fault::NeverMade => {
                text.migration(names).push(" needs ").push(self.object);
                text.push(", which neither the baseline nor an earlier migration of this history ever made");
                text.push("\n  = check the spelling, or list the migration that makes it first");
                text
            }
            Fault::TableNeverMade => {
                text.migration(names).push(" changes ").push(self.object);
                text.push(", but neither the baseline nor an earlier migration of this history ever made that table");
                text.push("\n  = check the spelling, or list the migration that makes it first");
                text
            }
            Fault::TableGone => {
                text.migration(names).push(" changes ").push(self.object).push(", but that table is gone: ");
                text.migration(other).push(" dropped it");
                text
            }
            Fault::Gone => {
                text.migration(names).push(" needs ").push(self.object).push(", which is gone: ");
                text.migration(other).push(" dropped or renamed it");
                text
            }
            Fault::Taken => {
                text.migration(names).push(" makes ").push(self.object).push(", but the name is taken");
                if self.other.is_empty() {
                    text.push(": it was there before (in the baseline, or used by an earlier migration)");
                } else {
                    text.push(": ").migration(other).push(" made it");
                }
                text.push("\n  = choose another name, or drop the first one before");
                text
            }
            Fault::NotNew => {
                text.migration(names).push(" says by `deploy_from` that ").push(self.object);
                text.push(" is new in its deploy, but ");
                if self.other.is_empty() {
                    text.push("no migration of this history made it");
                } else {
                    text.migration(other).push(" made it, before that");
                }
                text.push("\n  = ").push(self.detail);
                text
            }
        }
    }
}

/// A message put together in `const`.
struct Text {
    bytes: [u8; Self::SIZE],
    len: usize,
}

impl Text {
    const SIZE: usize = 2048;

    const fn bytes(&self) -> &[u8] {
        self.bytes.split_at(self.len).0
    }

    /// Appends as much of `text` as there is room for, whole characters only.
    const fn push(&mut self, text: &str) -> &mut Self {
        let bytes = text.as_bytes();
        let mut end = if bytes.len() < Self::SIZE - self.len { bytes.len() } else { Self::SIZE - self.len };
        while end > 0 && end < bytes.len() && bytes[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        let mut at = 0;
        while at < end {
            self.bytes[self.len] = bytes[at];
            self.len += 1;
            at += 1;
        }
        self
    }

    const fn migration(&mut self, (name, version): (&str, i64)) -> &mut Self {
        self.push("`").push(name).push("` (").number(version).push(")")
    }

    const fn number(&mut self, number: i64) -> &mut Self {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = number.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            self.push("-");
        }
        match std::str::from_utf8(digits.split_at(at).1) {
            Ok(text) => self.push(text),
            Err(_) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::__private::v1;
    use crate::model::{LockClass, Phase, StepKind, Work};

    const fn effect(verb: Verb, space: Space, object: &'static str, owner: &'static str, to: &'static str) -> Effect {
        v1::Effect {
            kind: EffectKind::CreateTable,
            verb,
            space,
            object,
            definition: "",
            owner: if owner.is_empty() { 0 } else { v1::key(Space::Relation, owner) },
            key: v1::key(space, object),
            to: if to.is_empty() { 0 } else { v1::key(space, to) },
            definition_hash: 0,
            columns_listed: true,
        }
        .build()
    }

    const fn step(effects: &'static [Effect]) -> crate::model::Step {
        v1::Step {
            kind: StepKind::Statement,
            up: "",
            down: crate::model::Down::Sql(&[]),
            phase: Phase::Expand,
            lock: LockClass::None,
            locks: &[],
            work: Work::Metadata,
            transactional: true,
            destructive: false,
            effects,
            destroys: &[],
            concurrent: None,
            notes: &[],
        }
        .build()
    }

    fn meta(version: i64, name: &'static str, effects: Vec<Effect>) -> &'static Meta {
        let steps: &'static [crate::model::Step] = Box::leak(Box::new([step(effects.leak())]));
        Box::leak(Box::new(Meta { data: v1::Meta { version, name, steps, broken: false, ..Meta::BROKEN.data } }))
    }

    fn check<const N: usize>(metas: [&'static Meta; N], baseline: Option<Vec<Effect>>) -> [String; N] {
        let closed = baseline.is_some();
        let verdicts = verdicts::<N, 1024>(&metas, baseline.unwrap_or_default().leak(), closed);
        verdicts.map(|verdict| verdict.message().lines().next().unwrap_or_default().to_owned())
    }

    const A: fn(Verb) -> Effect = |verb| effect(verb, Space::Relation, "a", "", "");

    #[test]
    fn versions_ascend() {
        let out = check([meta(2, "Two", vec![]), meta(2, "Again", vec![]), meta(1, "One", vec![])], None);
        assert_eq!(out[0], "");
        assert_eq!(out[1], "`Again` (2) has the same version as `Two` (2) before it");
        assert_eq!(out[2], "`One` (1) stands after `Again` (2), which has the higher version");
    }

    #[test]
    fn names_are_taken_dropped_and_free_again() {
        let out = check(
            [
                meta(1, "Make", vec![A(Verb::Make)]),
                meta(2, "Twice", vec![A(Verb::Make)]),
                meta(3, "Drop", vec![A(Verb::Take)]),
                meta(4, "Use", vec![A(Verb::Alter)]),
                meta(5, "Anew", vec![A(Verb::Make), A(Verb::Alter)]),
            ],
            None,
        );
        assert_eq!(out[1], "`Twice` (2) makes a, but the name is taken: `Make` (1) made it");
        assert_eq!(out[3], "`Use` (4) needs a, which is gone: `Drop` (3) dropped or renamed it");
        assert_eq!((out[0].as_str(), out[2].as_str(), out[4].as_str()), ("", "", ""));
    }

    #[test]
    fn what_was_there_before_is_unknown_without_a_baseline() {
        let take = || meta(1, "Drop", vec![A(Verb::Take)]);
        assert_eq!(check([take()], None), [""]);
        assert_eq!(check([take()], Some(vec![A(Verb::Make)])), [""]);
        let [never] = check([take()], Some(vec![]));
        assert_eq!(
            never,
            "`Drop` (1) needs a, which neither the baseline nor an earlier migration of this history ever made"
        );
        let [_, twice] = check([take(), meta(2, "Twice", vec![A(Verb::Take)])], None);
        assert_eq!(twice, "`Twice` (2) needs a, which is gone: `Drop` (1) dropped or renamed it");
    }

    #[test]
    fn parts_follow_their_owner() {
        let column = |verb, owner| effect(verb, Space::Column, "c", owner, "");
        let out = check(
            [
                meta(1, "Make", vec![A(Verb::Make), column(Verb::Make, "a")]),
                meta(2, "Rename", vec![effect(Verb::Rename, Space::Relation, "a", "", "b")]),
                meta(3, "Old", vec![A(Verb::Alter)]),
                meta(4, "Column", vec![column(Verb::Make, "b")]),
                meta(5, "Drop", vec![effect(Verb::Take, Space::Relation, "b", "", "")]),
                meta(6, "Again", vec![effect(Verb::Make, Space::Relation, "b", "", ""), column(Verb::Make, "b")]),
                meta(7, "Typo", vec![effect(Verb::Take, Space::Column, "d", "b", "")]),
            ],
            None,
        );
        assert_eq!(out[1], "");
        assert_eq!(out[2], "`Old` (3) needs a, which is gone: `Rename` (2) dropped or renamed it");
        assert_eq!(out[3], "`Column` (4) makes c, but the name is taken: `Make` (1) made it");
        assert_eq!((out[4].as_str(), out[5].as_str()), ("", ""));
        assert_eq!(
            out[6],
            "`Typo` (7) needs d, which neither the baseline nor an earlier migration of this history ever made"
        );
    }

    #[test]
    fn an_index_goes_with_its_table() {
        let index = |verb| effect(verb, Space::Relation, "i", "a", "");
        let out = check(
            [
                meta(1, "Make", vec![A(Verb::Make), index(Verb::Make)]),
                meta(2, "Drop", vec![A(Verb::Take)]),
                meta(3, "Index", vec![index(Verb::Take)]),
            ],
            None,
        );
        assert_eq!(out[2], "`Index` (3) needs i, which is gone: `Drop` (2) dropped or renamed it");
    }

    #[test]
    fn it_runs_in_const() {
        const META: Meta = v1::Meta { version: 1, broken: false, ..Meta::BROKEN.data }.build();
        const METAS: [&Meta; 2] = [&META, &META];
        const VERDICTS: [Verdict; 2] = verdicts::<2, { capacity(&METAS, &[]) }>(&METAS, &[], false);
        const _: () = VERDICTS[0].settle();
        assert!(VERDICTS[1].message().contains("same version"));
    }
}

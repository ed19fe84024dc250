//! The history check: `const` code that `migrations!` evaluates, so that a history that cannot be is a compile error.
//!
//! There is no schema engine here. The derive wrote keys of objects and owners into each effect, and what is known of
//! objects as properties; this code only follows which keys are there, and compares. One pass, linear in the number of
//! effects and properties. What an entry may not do becomes its verdict; the macro settles each verdict at the entry's own
//! place.

#![allow(clippy::cast_possible_truncation, reason = "a history has fewer than four thousand million effects")]

use super::Baseline;
use super::verdict::Fault;
pub use super::verdict::Verdict;
use super::world::{Entity, Held, Link, NONE, Place, Slot, World, same};
use crate::model::Meta;
use crate::model::written::{Reader, Written};

/// How many places the tables need for this history: pass it as `CAPACITY` to [`verdicts`].
pub const fn capacity(metas: &[&'static Meta], baseline: Option<&Baseline>) -> usize {
    let (mut effects, mut properties) = found(baseline).totals();
    let mut at = 0;
    while at < metas.len() {
        let (more_effects, more_properties) = metas[at].words().totals();
        effects += more_effects;
        properties += more_properties;
        at += 1;
    }
    // An effect makes at most four entries: itself, its owner, a new name, the old name's owner; a property an object, its
    // owner, and as many of what it is lost with. A table that is looked through is to be half empty.
    ((effects * 4 + properties * 2) * 2 + 16).next_power_of_two()
}

const fn found(baseline: Option<&Baseline>) -> Written {
    match baseline {
        Some(baseline) => baseline.written,
        None => Written::NOTHING,
    }
}

/// The verdict on each migration of a history, in order.
///
/// Where there is a baseline, what neither it nor the history made was never there; without one it is unknown, and not
/// refused.
pub const fn verdicts<const N: usize, const CAPACITY: usize>(
    metas: &[&'static Meta; N],
    baseline: Option<&Baseline>,
) -> [Verdict; N] {
    let mut out = [Verdict::FINE; N];
    check(
        &mut World::over(
            &mut [Place::EMPTY; CAPACITY],
            &mut [Entity::NOBODY; CAPACITY],
            &mut [Slot::EMPTY; CAPACITY],
            &mut [Held::NOTHING; CAPACITY],
            &mut [Link::NONE; CAPACITY],
            baseline.is_some(),
        ),
        metas,
        found(baseline),
        &mut out,
    );
    out
}

/// The same at run time.
pub(crate) fn verdicts_now(metas: &[&'static Meta], baseline: Option<&Baseline>) -> Vec<Verdict> {
    let capacity = capacity(metas, baseline);
    let mut out = vec![Verdict::FINE; metas.len()];
    check(
        &mut World::over(
            &mut vec![Place::EMPTY; capacity],
            &mut vec![Entity::NOBODY; capacity],
            &mut vec![Slot::EMPTY; capacity],
            &mut vec![Held::NOTHING; capacity],
            &mut vec![Link::NONE; capacity],
            baseline.is_some(),
        ),
        metas,
        found(baseline),
        &mut out,
    );
    out
}

const fn check(world: &mut World<'_>, metas: &[&'static Meta], baseline: Written, out: &mut [Verdict]) {
    let mut reader = baseline.read();
    let mut effects = reader.number();
    while effects > 0 {
        // The baseline was read as one script in a closed world: what is wrong with it was said then.
        let (_, _, gone) = world.follow(&reader.effect(), NONE);
        if gone != NONE {
            world.take(gone, NONE);
        }
        effects -= 1;
    }
    // Names that the script gave and took on its way are no matter of what is known at its end.
    world.now += 1;
    world.hold_all(&mut reader, NONE);

    let mut last = NONE;
    // What a refused struct makes and takes is not known: what follows is then held to the versions alone, so that its own
    // error is the only one.
    let mut refused = false;
    let mut entry = 0;
    while entry < metas.len() {
        let meta = metas[entry];
        if meta.data.broken {
            refused = true;
            entry += 1;
            continue;
        }
        let verdict = &mut out[entry];
        verdict.entry = meta.data.name;
        verdict.version = meta.data.version;
        if last != NONE {
            let before = metas[last as usize];
            if meta.data.version <= before.data.version {
                verdict.fault = if meta.data.version < before.data.version {
                    Fault::Descending
                } else if same(meta.data.name, before.data.name) && same(meta.data.location, before.data.location) {
                    Fault::Twice
                } else {
                    Fault::Duplicate
                };
                verdict.other = before.data.name;
                verdict.other_version = before.data.version;
            }
        }
        last = entry as u32;
        let mut condition = 0;
        while condition < meta.data.new_since.len() {
            let (key, relation, because) = meta.data.new_since[condition];
            if matches!(verdict.fault, Fault::Fine)
                && let Some(maker) = world.not_new(key, relation, metas, meta)
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
        let mut reader = meta.words().read();
        let mut steps = reader.number();
        while steps > 0 {
            world.step(&mut reader, entry as u32, metas, verdict);
            steps -= 1;
        }
        if refused && !matches!(verdict.fault, Fault::Twice | Fault::Duplicate | Fault::Descending) {
            *verdict = Verdict::FINE;
        }
        entry += 1;
    }
}

impl World<'_> {
    const fn step(&mut self, reader: &mut Reader, entry: u32, metas: &[&'static Meta], verdict: &mut Verdict) {
        self.now += 1;
        let reversed = reader.flag();
        let mut restored = reader.number();
        let length = reader.number();
        if reversed {
            while restored > 0 {
                self.witness(reader, verdict);
                restored -= 1;
            }
        } else {
            reader.skip(length);
        }
        let mut effects = reader.number();
        while effects > 0 {
            let effect = reader.effect();
            let (fault, other, gone) = self.follow(&effect, entry);
            if matches!(verdict.fault, Fault::Fine) && !matches!(fault, Fault::Fine) {
                verdict.fault = fault;
                verdict.object = effect.object;
                if matches!(fault, Fault::NeverMade | Fault::TableNeverMade)
                    && let Some(near) = self.meant(&effect, fault)
                {
                    verdict.detail = near;
                }
                if other != NONE {
                    verdict.other = metas[other as usize].data.name;
                    verdict.other_version = metas[other as usize].data.version;
                }
            }
            if gone != NONE {
                if reversed {
                    self.lost(gone, verdict);
                }
                self.take(gone, entry);
            }
            effects -= 1;
        }
        let length = reader.number();
        let mut downs = 0;
        if self.found == self.now {
            downs = reader.number();
        } else {
            reader.skip(length);
        }
        while downs > 0 {
            let mut effects = reader.number();
            while effects > 0 {
                self.takes_what_was_there(&reader.effect(), verdict);
                effects -= 1;
            }
            downs -= 1;
        }
        self.hold_all(reader, entry);
        let rest = reader.number();
        reader.skip(rest);
    }

    const fn hold_all(&mut self, reader: &mut Reader, entry: u32) {
        let mut properties = reader.number();
        let _length = reader.number();
        while properties > 0 {
            self.hold(reader, entry);
            properties -= 1;
        }
    }

    /// Who made the relation, where that was before the deploy; `Some(NONE)` where it was there before the history.
    const fn not_new(&self, key: u64, relation: &str, metas: &[&'static Meta], meta: &Meta) -> Option<u32> {
        let entity = self.places[self.place(key, relation, NONE)].entity;
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
}

#[cfg(all(test, feature = "sql"))]
mod tests {
    use super::*;
    use crate::__private::v1;
    use crate::model::{EffectKind, LockClass, Phase, Space, Verb, Work};
    use crate::sql::check::{
        Checked, CheckedBaseline, CheckedDown, CheckedEffect, CheckedObject, CheckedProperty, CheckedStep, Words,
    };

    fn effect(verb: Verb, space: Space, object: &str, owner: &str, to: &str) -> CheckedEffect {
        let key = |space, name: &str| if name.is_empty() { 0 } else { v1::key(space, name) };
        CheckedEffect {
            kind: EffectKind::CreateTable,
            verb,
            object: object.to_owned(),
            definition: String::new(),
            id: CheckedObject {
                space,
                key: key(space, object),
                name: object.to_owned(),
                owner: key(Space::Relation, owner),
                owner_name: owner.to_owned(),
            },
            to: key(space, to),
            to_name: to.to_owned(),
            columns_listed: true,
        }
    }

    fn step(effects: Vec<CheckedEffect>) -> CheckedStep {
        CheckedStep {
            up: String::new(),
            down: CheckedDown::Sql(Vec::new()),
            phase: Phase::Expand,
            lock: LockClass::None,
            locks: Vec::new(),
            work: Work::Metadata,
            transactional: true,
            destructive: false,
            effects,
            makes: Vec::new(),
            restores: Vec::new(),
            destroys: Vec::new(),
            concurrent: None,
            notes: Vec::new(),
        }
    }

    fn meta(version: i64, name: &'static str, effects: Vec<CheckedEffect>) -> &'static Meta {
        let checked = Checked { digest: String::new(), steps: vec![step(effects)], new_since: Vec::new() };
        let steps = Words::of_steps(&checked, [None]).leak();
        Box::leak(Box::new(v1::meta(version, name, "", "", Phase::Expand, LockClass::None, true, "", steps)))
    }

    fn check<const N: usize>(metas: [&'static Meta; N], baseline: Option<Vec<CheckedEffect>>) -> [String; N] {
        let baseline = baseline.map(|effects| {
            let (digest, sql, names, properties) = (String::new(), None, Vec::new(), Vec::new());
            let read = CheckedBaseline { digest, sql, effects, names, properties };
            v1::baseline("", "", Words::of_baseline(&read).leak())
        });
        let verdicts = verdicts::<N, 1024>(&metas, baseline.as_ref());
        verdicts.map(|verdict| verdict.message(&metas).lines().next().unwrap_or_default().to_owned())
    }

    const A: fn(Verb) -> CheckedEffect = |verb| effect(verb, Space::Relation, "a", "", "");

    #[test]
    fn versions_ascend() {
        let out = check([meta(2, "Two", vec![]), meta(2, "Again", vec![]), meta(1, "One", vec![])], None);
        assert_eq!(out[0], "");
        assert_eq!(out[1], "`Again` (2) has the same version as `Two` (2) before it");
        assert_eq!(out[2], "`One` (1) stands after `Again` (2), which has the higher version");
    }

    #[test]
    fn one_that_is_listed_twice_is_said_to_be() {
        let one = || meta(1, "One", vec![]);
        assert_eq!(check([one(), one()], None)[1], "`One` (1) is listed twice");
    }

    #[test]
    fn what_a_refused_one_makes_and_takes_is_unknown() {
        let broken: &'static Meta = Box::leak(Box::new(v1::Meta::broken("Bad")));
        let make = || meta(2, "Make", vec![A(Verb::Make)]);
        assert_eq!(
            check([broken, make(), meta(3, "Again", vec![A(Verb::Make)])], Some(vec![A(Verb::Make)])),
            ["", "", ""]
        );
        assert_eq!(check([broken, meta(2, "Use", vec![A(Verb::Alter)])], Some(vec![])), ["", ""]);
        let out = check([make(), broken, meta(1, "Late", vec![])], None);
        assert_eq!(out[2], "`Late` (1) stands after `Make` (2), which has the higher version");
        let [_, before, ..] = check([make(), meta(3, "Twice", vec![A(Verb::Make)]), broken], None);
        assert!(before.contains("the name is taken"), "{before}");
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
    fn what_is_lost_with_each_other_is_said_once() {
        let object = |name: &str| effect(Verb::Make, Space::Relation, name, "", "").id;
        let defined = |name: &str, with: &str| CheckedProperty {
            id: object(name),
            object: format!("view {name}"),
            what: "definition".to_owned(),
            what_key: v1::key(Space::Other, "definition"),
            text: format!("SELECT {with}"),
            sql: String::new(),
            strict: with.to_owned(),
            strict_key: 1,
            loose_key: 1,
            constants_key: 1,
            reworded: false,
            mentions: 0,
            with: vec![object(with)],
        };
        let made = |name: &str| effect(Verb::Make, Space::Relation, name, "", "");
        let both =
            CheckedStep { makes: vec![defined("a", "b"), defined("b", "a")], ..step(vec![made("a"), made("b")]) };
        let checked = Checked { digest: String::new(), steps: vec![both], new_since: Vec::new() };
        let steps = Words::of_steps(&checked, [None]).leak();
        let both: &'static Meta =
            Box::leak(Box::new(v1::meta(1, "Both", "", "", Phase::Expand, LockClass::None, true, "", steps)));
        let verdicts = verdicts::<2, 1024>(&[both, meta(2, "Drop", vec![A(Verb::Take)])], None);
        let message = verdicts[1].message(&[both, both]);
        assert_eq!(message.matches("view a is missing").count(), 1, "{message}");
        assert_eq!(message.matches("view b is missing").count(), 1, "{message}");
    }

    #[test]
    fn it_runs_in_const() {
        const META: Meta = v1::Meta { version: 1, broken: false, ..Meta::BROKEN.data }.build();
        const METAS: [&Meta; 2] = [&META, &META];
        const VERDICTS: [Verdict; 2] = verdicts::<2, { capacity(&METAS, None) }>(&METAS, None);
        const _: () = VERDICTS[0].settle(&METAS);
        assert!(VERDICTS[1].message(&METAS).contains("is listed twice"));
    }
}

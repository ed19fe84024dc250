//! The history check: `const` code that `migrations!` evaluates, so that a history that cannot be is a compile error.
//!
//! There is no schema engine here. The derive wrote keys of objects and owners into each effect, and what is known of
//! objects as properties; this code only follows which keys are there, and compares. One pass, linear in the number of
//! effects and properties. What an entry may not do becomes its verdict; the macro settles each verdict at the entry's own
//! place.

#![allow(clippy::cast_possible_truncation, reason = "a history has fewer than four thousand million effects")]

use super::Baseline;
use super::follow::Change;
pub use super::verdict::Verdict;
use super::verdict::{Fault, Known};
use super::world::{Entity, Held, Link, NONE, Place, Slot, World, place};
use crate::model::Meta;
use crate::model::written::trace::{
    DOWN, EFFECT, HOLDS, HOLDS_TOO, PROPERTIES, RECORD, RENAME, REVERSED, SAYS, SAYS_TOO, STEP, WITH,
};

/// A history that was gone through.
pub struct CheckedHistory<const N: usize> {
    metas: &'static [&'static Meta; N],
    baseline: Option<&'static Baseline>,
    verdicts: [Verdict; N],
}

impl<const N: usize> CheckedHistory<N> {
    /// Goes through a history, in tables of the size that [`capacity`] says.
    ///
    /// Where there is a baseline, what neither it nor the history made was never there; without one it is unknown, and not
    /// refused.
    pub const fn new<const CAPACITY: usize>(
        metas: &'static [&'static Meta; N],
        baseline: Option<&'static Baseline>,
    ) -> Self {
        Self { metas, baseline, verdicts: verdicts::<N, CAPACITY>(metas, baseline) }
    }

    /// Stops the compilation where this entry is refused.
    ///
    /// # Panics
    ///
    /// Panics with the message: in `const`, that is the compile error.
    #[track_caller]
    pub const fn settle(&self, entry: usize) {
        let verdict = &self.verdicts[entry];
        if !matches!(verdict.fault, Fault::Fine) {
            verdict.refuse(self.metas, self.baseline);
        }
    }
}

/// How many places the tables need for this history: pass it as `CAPACITY` to [`CheckedHistory::new`].
pub const fn capacity(metas: &[&'static Meta], baseline: Option<&Baseline>) -> usize {
    let known = Known::of(metas, baseline);
    let mut totals = total(known.baseline.trace);
    let mut rest = metas;
    while let [meta, more @ ..] = rest {
        if let Some(written) = &meta.written {
            totals += total(written.trace);
        }
        rest = more;
    }
    // An effect makes at most four entries: itself, its owner, a new name, the old name's owner; a property an object, its
    // owner, and as many of what it is lost with. A table that is looked through is to be half empty.
    let (effects, properties) = ((totals % PROPERTIES) as usize, (totals / PROPERTIES) as usize);
    ((effects * 4 + properties * 2) * 2 + 16).next_power_of_two()
}

const fn total(trace: &[u128]) -> u128 {
    match trace {
        [total, ..] => *total,
        [] => 0,
    }
}

const fn verdicts<const N: usize, const CAPACITY: usize>(
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
        Known::of(metas, baseline),
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
        Known::of(metas, baseline),
        &mut out,
    );
    out
}

const fn check(world: &mut World<'_>, known: Known<'_>, out: &mut [Verdict]) {
    // The baseline was read as one script in a closed world: what is wrong with it was said then.
    world.go_through(known.baseline.trace, NONE, known, &mut { Verdict::FINE });

    let metas = known.metas;
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
        verdict.entry = entry as u32;
        if last != NONE && meta.data.version <= metas[last as usize].data.version {
            verdict.fault = out_of_order(meta, metas[last as usize]);
            verdict.other = last;
        }
        last = entry as u32;
        if !meta.data.new_since.is_empty() {
            world.conditions(meta, metas, verdict);
        }
        if let Some(written) = &meta.written {
            world.go_through(written.trace, entry as u32, known, verdict);
        }
        if refused && !matches!(verdict.fault, Fault::Twice | Fault::Duplicate | Fault::Descending) {
            *verdict = Verdict::FINE;
        }
        entry += 1;
    }
}

const fn out_of_order(meta: &Meta, before: &Meta) -> Fault {
    if meta.data.version < before.data.version {
        Fault::Descending
    } else if same(meta.data.name, before.data.name) && same(meta.data.location, before.data.location) {
        Fault::Twice
    } else {
        Fault::Duplicate
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let ([first, more @ ..], [other, others @ ..]) = (a, b) {
        if *first != *other {
            return false;
        }
        (a, b) = (more, others);
    }
    a.is_empty() && b.is_empty()
}

impl World<'_> {
    /// Goes through what is written of an entry's steps, or, as `NONE`, of the baseline.
    const fn go_through(&mut self, trace: &[u128], entry: u32, known: Known<'_>, verdict: &mut Verdict) {
        let mut reversed = false;
        let [_totals, list @ ..] = trace else { return };
        let mut list = list;
        while let [head, more @ ..] = list {
            let head = *head;
            list = match (head & RECORD, more) {
                (EFFECT, [key, owner, more @ ..]) => {
                    let change = Change { head, key: *key, owner: *owner, to: 0 };
                    self.changed(change, entry, reversed, known, verdict);
                    more
                }
                (RENAME, [key, owner, to, more @ ..]) => {
                    let change = Change { head, key: *key, owner: *owner, to: *to };
                    self.changed(change, entry, reversed, known, verdict);
                    more
                }
                (HOLDS, [key, owner, text, more @ ..]) => {
                    self.hold(head, *key, *owner, *text, entry);
                    more
                }
                (HOLDS_TOO, [text, more @ ..]) => {
                    self.hold_too(head, *text, entry);
                    more
                }
                (WITH, [key, owner, more @ ..]) => {
                    self.hangs_on(head, *key, *owner);
                    more
                }
                (SAYS, [key, owner, text, more @ ..]) => {
                    self.subject = self.find(head, *key, *owner);
                    self.witness(head, *text, known, verdict);
                    more
                }
                (SAYS_TOO, [text, more @ ..]) => {
                    self.witness(head, *text, known, verdict);
                    more
                }
                (DOWN, [key, owner, more @ ..]) => {
                    self.takes_what_was_there(head, *key, *owner, verdict);
                    more
                }
                (STEP, _) => {
                    self.now += 1;
                    reversed = head & REVERSED != 0;
                    more
                }
                _ => panic!("what a derive wrote of its steps is not what the history check of this release reads"),
            }
        }
    }

    const fn changed(&mut self, change: Change, entry: u32, reversed: bool, known: Known<'_>, verdict: &mut Verdict) {
        let (fault, other, gone) = self.follow(change, entry);
        if !matches!(fault, Fault::Fine) && matches!(verdict.fault, Fault::Fine) {
            verdict.fault = fault;
            verdict.at = change.head;
            verdict.other = other;
            if matches!(fault, Fault::NeverMade | Fault::TableNeverMade) {
                verdict.meant = self.meant(&change, entry, fault, known);
            }
        }
        if gone != NONE {
            if reversed {
                self.lost(gone, verdict);
            }
            self.take(gone, entry);
        }
    }

    /// What a migration that says `deploy_from` has found in its favour, since relations were new.
    const fn conditions(&self, meta: &Meta, metas: &[&'static Meta], verdict: &mut Verdict) {
        let mut condition = 0;
        while condition < meta.data.new_since.len() && matches!(verdict.fault, Fault::Fine) {
            let (key, ..) = meta.data.new_since[condition];
            if let Some(maker) = self.not_new(key, metas, meta) {
                verdict.fault = Fault::NotNew;
                verdict.at = condition as u128;
                verdict.other = maker;
            }
            condition += 1;
        }
    }

    /// Who made the relation, where that was before the deploy; `Some(NONE)` where it was there before the history.
    const fn not_new(&self, key: u128, metas: &[&'static Meta], meta: &Meta) -> Option<u32> {
        let entity = self.places[place!(self, key, NONE)].entity;
        if entity == NONE || !self.entities[entity as usize].alive {
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
    use crate::model::{EffectKind, LockClass, ObjectKey, Phase, Space, Verb, Work, half_key};
    use crate::sql::check::{
        Checked, CheckedBaseline, CheckedDown, CheckedEffect, CheckedObject, CheckedProperty, CheckedStep, Words,
    };

    fn effect(verb: Verb, space: Space, object: &str, owner: &str, to: &str) -> CheckedEffect {
        CheckedEffect {
            kind: EffectKind::CreateTable,
            verb,
            object: object.to_owned(),
            definition: String::new(),
            id: CheckedObject {
                space,
                key: ObjectKey::own(space, object),
                name: object.to_owned(),
                owner: ObjectKey::owner(space, owner),
                owner_name: owner.to_owned(),
            },
            to: ObjectKey::own(space, to),
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
        verdicts.map(|verdict| verdict.message(&metas, baseline.as_ref()).lines().next().unwrap_or_default().to_owned())
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
            what_key: half_key("definition"),
            text: format!("SELECT {with}"),
            sql: String::new(),
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
        let drop = meta(2, "Drop", vec![A(Verb::Take)]);
        let verdicts = verdicts::<2, 1024>(&[both, drop], None);
        let message = verdicts[1].message(&[both, drop], None);
        assert_eq!(message.matches("view a is missing").count(), 1, "{message}");
        assert_eq!(message.matches("view b is missing").count(), 1, "{message}");
    }

    #[test]
    fn it_runs_in_const() {
        const META: Meta = v1::Meta { version: 1, broken: false, ..Meta::BROKEN.data }.build();
        const METAS: &[&Meta; 2] = &[&META, &META];
        const CHECKED: CheckedHistory<2> = CheckedHistory::new::<{ capacity(METAS, None) }>(METAS, None);
        const _: () = CHECKED.settle(0);
        assert!(CHECKED.verdicts[1].message(METAS, None).contains("is listed twice"));
    }
}

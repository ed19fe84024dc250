//! Writes what was checked into what a program carries: see [`crate::model::Written`], which has the other half, and
//! `model::read`.

use super::checked::{
    Checked, CheckedBaseline, CheckedConcurrent, CheckedDown, CheckedDownStatement, CheckedEffect, CheckedName,
    CheckedObject, CheckedProperty, CheckedStep,
};
use super::heads::{of_effect, of_property, of_space};
use crate::model::written::{OWNED, RENAMES, REWORDED, trace};
use crate::model::{ConcurrentAction, LockClass, Verb, Written};
use crate::sql::{LostData, quoted};
use std::collections::BTreeMap;

/// A backfill, as its attribute says it.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Filling<'a> {
    pub table: &'a str,
    pub key: &'a [String],
    pub batch: u32,
    /// Empty where rows are converted in Rust.
    pub set: &'a str,
    pub read: &'a [String],
    pub write: &'a [String],
    pub filter: &'a str,
}

/// The trace, and what is told besides.
#[derive(Debug)]
pub struct Words {
    trace: Vec<u128>,
    told: Vec<u8>,
    texts: String,
    /// Where texts stand that are there already.
    places: BTreeMap<String, usize>,
}

/// Properties of which a record of the trace, at this place in it, does not say yet where they are told.
type Unsaid<'p> = Vec<(usize, &'p CheckedProperty)>;

impl Words {
    /// What is known of the steps of a migration; `fillings` holds the backfills among them.
    pub fn of_steps<'a>(checked: &Checked, fillings: impl IntoIterator<Item = Option<Filling<'a>>>) -> Self {
        let mut words = Self::new();
        let mut unsaid = Unsaid::new();
        words.count(&checked.steps);
        for (step, filling) in checked.steps.iter().zip(fillings) {
            words.step(step, filling, &mut unsaid);
        }
        words.say(&unsaid);
        words
    }

    /// What is known of a baseline's objects.
    pub fn of_baseline(checked: &CheckedBaseline) -> Self {
        let CheckedBaseline { effects, names, properties, digest: _, sql: _ } = checked;
        let mut words = Self::new();
        words.ups(effects);
        names.iter().for_each(|name| words.name(name));
        // Names that the script gave and took on its way are no matter of what is known at its end.
        words.trace.push(trace::STEP);
        let mut unsaid = Unsaid::new();
        words.properties(properties, (trace::HOLDS, trace::HOLDS_TOO), &mut unsaid);
        words.say(&unsaid);
        words
    }

    fn new() -> Self {
        Self { trace: vec![0], told: Vec::new(), texts: String::new(), places: BTreeMap::new() }
    }

    /// What the history check goes by.
    pub fn trace(&self) -> &[u128] {
        &self.trace
    }

    /// Numbers.
    pub fn told(&self) -> &[u8] {
        &self.told
    }

    /// The texts that some of the numbers stand for.
    pub fn texts(&self) -> &str {
        &self.texts
    }

    /// As a program has them, for the rest of this one.
    pub fn leak(self) -> Written {
        Written::new(self.trace.leak(), self.told.leak(), self.texts.leak())
    }

    fn step<'p>(&mut self, step: &'p CheckedStep, filling: Option<Filling<'_>>, unsaid: &mut Unsaid<'p>) {
        let CheckedStep {
            up,
            down,
            phase,
            lock,
            locks,
            work,
            transactional,
            destructive,
            effects,
            makes,
            restores,
            destroys,
            concurrent,
            notes,
        } = step;
        let downs = if let CheckedDown::Sql(downs) = down { downs.as_slice() } else { &[] };
        let reversed = matches!(down, CheckedDown::Sql(_)) && filling.is_none();
        self.trace.push(trace::STEP | if reversed { trace::REVERSED } else { 0 });
        if reversed {
            self.properties(restores, (trace::SAYS, trace::SAYS_TOO), unsaid);
        }

        self.text(up);
        let (how, why) = match down {
            CheckedDown::Sql(_) => (0, None),
            CheckedDown::Keep(reason) => (1, Some(reason)),
            CheckedDown::Nothing(reason) => (2, Some(reason)),
            CheckedDown::Irreversible(reason) => (3, Some(reason)),
        };
        let kind = u8::from(filling.is_some());
        let (transactional, destructive) = (u8::from(*transactional), u8::from(*destructive));
        self.told.extend([kind, *phase as u8, *lock as u8, *work as u8, transactional, destructive, how]);
        self.ups(effects);
        if let Some(Filling { table, key, batch, set, read, write, filter }) = filling {
            self.text(table);
            self.list(key);
            self.number(batch.into());
            self.text(set);
            self.list(read);
            self.list(write);
            self.text(filter);
        }
        self.locks(locks);
        self.losses(destroys);
        self.concurrent(concurrent.as_ref());
        self.list(notes);
        // What a down takes is followed only where the up may have found it there.
        let may_find = effects.iter().any(|effect| effect.verb == Verb::Ensure);
        match why {
            None => {
                self.count(downs);
                downs.iter().for_each(|down| self.down(down, may_find));
            }
            Some(reason) => self.text(reason),
        }
        self.properties(makes, (trace::HOLDS, trace::HOLDS_TOO), unsaid);
    }

    fn down(&mut self, down: &CheckedDownStatement, may_find: bool) {
        let CheckedDownStatement { sql, lock, locks, work, transactional, destroys, concurrent, hazards, effects } =
            down;
        self.text(sql);
        self.told.extend([*lock as u8, *work as u8, u8::from(*transactional)]);
        self.count(effects);
        for effect in effects {
            let told = trace::told_at(self.told.len());
            self.effect(effect);
            let takes = matches!(effect.verb, Verb::Take | Verb::TakeIfThere);
            if may_find && takes && effect.id.key != 0 {
                self.trace.extend([trace::DOWN | of_space(effect.id.space) | told, effect.id.key, effect.id.owner]);
            }
        }
        self.locks(locks);
        self.losses(destroys);
        self.concurrent(concurrent.as_ref());
        self.count(hazards);
        hazards.iter().for_each(|hazard| self.text(hazard));
    }

    fn locks(&mut self, locks: &[(String, LockClass)]) {
        self.count(locks);
        for (relation, lock) in locks {
            self.text(relation);
            self.told.push(*lock as u8);
        }
    }

    /// Effects of an up, or of a baseline.
    fn ups(&mut self, effects: &[CheckedEffect]) {
        self.count(effects);
        for effect in effects {
            let head = of_effect(effect) | trace::told_at(self.told.len());
            self.effect(effect);
            if effect.id.key == 0 && head & trace::TRUSTED == 0 {
                continue;
            }
            self.trace[0] += 1;
            let (key, owner) = (effect.id.key, effect.id.owner);
            if effect.verb == Verb::Rename {
                self.trace.extend([head | trace::RENAME, key, owner, effect.to]);
            } else {
                self.trace.extend([head | trace::EFFECT, key, owner]);
            }
        }
    }

    fn effect(&mut self, effect: &CheckedEffect) {
        let CheckedEffect { kind, verb, object, definition, id, to, to_name, columns_listed: _ } = effect;
        let CheckedObject { space, key: _, name, owner, owner_name } = id;
        let mut set = *kind as u64 | (*verb as u64) << 8 | (*space as u64) << 16;
        set |= if *owner == 0 { 0 } else { OWNED };
        set |= if *to == 0 { 0 } else { RENAMES };
        self.number(set);
        self.text(object);
        self.text(definition);
        self.text(name);
        if *owner != 0 {
            self.text(owner_name);
        }
        if *to != 0 {
            self.text(to_name);
        }
    }

    /// Properties, as records of one kind where the object is another one than before, and else of the other. They are told
    /// behind everything else, by [`Words::say`]: only a message of the check asks for it.
    fn properties<'p>(
        &mut self,
        properties: &'p [CheckedProperty],
        (record, too): (u128, u128),
        unsaid: &mut Unsaid<'p>,
    ) {
        let mut before = None;
        for property in properties {
            let CheckedProperty { id, strict_key, with, .. } = property;
            let head = of_property(property);
            unsaid.push((self.trace.len(), property));
            if before == Some(id) {
                self.trace.extend([head | too, *strict_key]);
            } else {
                self.trace.extend([head | record, id.key, id.owner, *strict_key]);
            }
            before = Some(id);
            for CheckedObject { space, key, owner, .. } in with {
                self.trace.extend([trace::WITH | of_space(*space), *key, *owner]);
            }
            self.trace[0] += trace::PROPERTIES * (1 + with.len() as u128);
        }
    }

    fn say(&mut self, unsaid: &Unsaid<'_>) {
        for &(record, property) in unsaid {
            self.trace[record] |= trace::told_at(self.told.len());
            let CheckedProperty { object, what, text, sql, loose_key, constants_key, reworded, mentions, .. } =
                property;
            self.number(u64::from(*mentions) | if *reworded { REWORDED } else { 0 });
            self.text(object);
            self.text(what);
            self.text(text);
            self.text(sql);
            self.told.extend(loose_key.to_le_bytes());
            self.told.extend(constants_key.to_le_bytes());
        }
    }

    fn losses(&mut self, losses: &[LostData]) {
        self.count(losses);
        for LostData { relation, column, cascades } in losses {
            self.text(&relation.to_string());
            self.optional(column.as_deref().map(quoted).as_deref());
            self.flag(*cascades);
        }
    }

    fn concurrent(&mut self, concurrent: Option<&CheckedConcurrent>) {
        let Some(CheckedConcurrent { action, name, table }) = concurrent else { return self.number(0) };
        let place = ConcurrentAction::ALL.iter().position(|one| one == action).expect("all actions are listed");
        self.number(place as u64 + 1);
        self.optional(name.schema.as_deref());
        self.text(&name.name);
        self.optional(table.as_ref().map(ToString::to_string).as_deref());
    }

    fn name(&mut self, CheckedName { owner, name, arguments }: &CheckedName) {
        self.optional(name.schema.as_deref());
        self.flag(owner.is_some());
        if let Some(owner) = owner {
            self.optional(owner.schema.as_deref());
            self.text(&owner.name);
        }
        self.text(&name.name);
        self.flag(arguments.is_some());
        if let Some(arguments) = arguments {
            self.list(arguments);
        }
    }

    /// Seven bits in a byte, the lowest first; the eighth says that there is more.
    fn number(&mut self, mut number: u64) {
        loop {
            let [lowest, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                return self.told.push(lowest & 0x7f);
            }
            self.told.push(lowest | 0x80);
        }
    }

    fn flag(&mut self, yes: bool) {
        self.told.push(yes.into());
    }

    fn count<T>(&mut self, list: &[T]) {
        self.number(list.len() as u64);
    }

    fn list(&mut self, texts: &[String]) {
        self.count(texts);
        texts.iter().for_each(|text| self.text(text));
    }

    fn optional(&mut self, text: Option<&str>) {
        self.flag(text.is_some());
        if let Some(text) = text {
            self.text(text);
        }
    }

    /// Each text stands there once.
    fn text(&mut self, text: &str) {
        let start = self.places.get(text).copied().unwrap_or_else(|| {
            let start = self.texts.len();
            self.texts.push_str(text);
            self.places.insert(text.to_owned(), start);
            start
        });
        self.number(start as u64);
        self.number(text.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::__private::v1;
    use crate::model::{Down, EffectKind, Loss, Meta, ObjectKey, Phase, Space, StepKind, Work};
    use crate::sql::Name;

    fn name(schema: &str, name: &str) -> Name {
        Name { schema: (!schema.is_empty()).then(|| schema.to_owned()), name: name.to_owned() }
    }

    fn effect(object: &str, owner_name: &str, to_name: &str) -> CheckedEffect {
        CheckedEffect {
            kind: EffectKind::RenameColumn,
            verb: Verb::Rename,
            object: object.to_owned(),
            definition: "d".to_owned(),
            id: CheckedObject {
                space: Space::Column,
                key: ObjectKey::own(Space::Column, "c"),
                name: "c".to_owned(),
                owner: ObjectKey::owner(Space::Column, owner_name),
                owner_name: owner_name.to_owned(),
            },
            to: ObjectKey::own(Space::Column, to_name),
            to_name: to_name.to_owned(),
            columns_listed: to_name.is_empty(),
        }
    }

    fn property(with: Vec<CheckedObject>) -> CheckedProperty {
        let text = |text: &str| text.to_owned();
        CheckedProperty {
            id: effect("", "t", "").id,
            object: text("column c"),
            what: text("type"),
            what_key: 1,
            text: text("text"),
            sql: text("ALTER"),
            strict_key: 2,
            loose_key: 3,
            constants_key: 4,
            reworded: true,
            mentions: 2,
            with,
        }
    }

    fn step(down: CheckedDown) -> CheckedStep {
        CheckedStep {
            up: "UP \"ü\n".to_owned(),
            down,
            phase: Phase::Contract,
            lock: LockClass::AccessExclusive,
            locks: vec![("public.t".to_owned(), LockClass::Share), ("u".to_owned(), LockClass::None)],
            work: Work::Rewrite,
            transactional: true,
            destructive: false,
            effects: vec![effect("one", "", ""), effect("two", "t", "e")],
            makes: vec![property(vec![effect("", "t", "").id, effect("", "u", "").id]), property(Vec::new())],
            restores: vec![property(vec![effect("", "t", "").id])],
            destroys: vec![LostData { relation: name("", "T"), column: Some("C".to_owned()), cascades: true }],
            concurrent: None,
            notes: vec!["one".to_owned(), "note".to_owned()],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let written_down = CheckedDownStatement {
            sql: "DOWN".to_owned(),
            lock: LockClass::ShareUpdateExclusive,
            locks: vec![("s.t".to_owned(), LockClass::ShareUpdateExclusive), ("s.p".to_owned(), LockClass::Share)],
            work: Work::IndexBuild,
            transactional: false,
            destroys: vec![LostData { relation: name("s", "t"), column: None, cascades: false }],
            concurrent: Some(CheckedConcurrent {
                action: ConcurrentAction::Detach,
                name: name("s", "p"),
                table: Some(name("", "t")),
            }),
            hazards: vec!["table-lock"],
            effects: vec![effect("three", "t", "")],
        };
        let steps = vec![
            step(CheckedDown::Sql(vec![
                written_down.clone(),
                CheckedDownStatement { hazards: vec![], ..written_down },
            ])),
            CheckedStep { destructive: true, ..step(CheckedDown::Keep("kept".to_owned())) },
            step(CheckedDown::Nothing("nothing".to_owned())),
            step(CheckedDown::Irreversible("never".to_owned())),
        ];
        let checked = Checked { digest: String::new(), steps, new_since: Vec::new() };
        let (key, read) = (["a".to_owned(), "b".to_owned()], ["c".to_owned()]);
        let filling =
            Filling { table: "t", key: &key, batch: u32::MAX, set: "", read: &read, write: &key, filter: "c IS NULL" };
        let written = Words::of_steps(&checked, [None, Some(filling), None, None]).leak();
        let meta = v1::meta(1, "M", "", "", Phase::Contract, LockClass::None, true, "", written);
        let meta: &'static Meta = Box::leak(Box::new(meta));

        let [first, second, third, fourth] = meta.steps() else { panic!("four steps") };
        assert!(std::ptr::eq(first, &raw const meta.steps()[0]), "read once");
        assert_eq!((first.up(), first.phase(), first.work()), ("UP \"ü\n", Phase::Contract, Work::Rewrite));
        assert_eq!(
            (first.lock(), first.transactional(), first.destructive()),
            (LockClass::AccessExclusive, true, false)
        );
        assert_eq!(first.locks(), [("public.t", LockClass::Share), ("u", LockClass::None)]);
        assert_eq!(first.notes(), ["one", "note"]);
        assert_eq!(first.destroys(), [Loss { relation: "\"T\"", column: Some("\"C\""), cascades: true }]);
        assert!(first.concurrent().is_none() && matches!(first.kind(), StepKind::Statement));
        let [one, two] = first.effects() else { panic!("two effects") };
        assert_eq!(
            (one.kind(), one.verb(), one.object(), one.definition()),
            (EffectKind::RenameColumn, Verb::Rename, "one", "d")
        );
        let key = |name| ObjectKey::own(Space::Column, name);
        assert_eq!((one.id.space, one.id.key, one.id.name, one.id.owner, one.to), (Space::Column, key("c"), "c", 0, 0));
        let table = ObjectKey::own(Space::Relation, "t");
        assert_eq!((two.id.owner, two.id.owner_name, two.to, two.to_name), (table, "t", key("e"), "e"));

        let Down::Sql([down, other]) = first.down() else { panic!("two statements") };
        assert_eq!((down.sql(), down.lock(), down.work()), ("DOWN", LockClass::ShareUpdateExclusive, Work::IndexBuild));
        assert_eq!((down.transactional(), down.hazards(), other.hazards()), (false, &["table-lock"][..], &[][..]));
        assert_eq!(down.locks(), [("s.t", LockClass::ShareUpdateExclusive), ("s.p", LockClass::Share)]);
        assert_eq!(down.destroys(), [Loss { relation: "s.t", column: None, cascades: false }]);
        let concurrent = down.concurrent().expect("it is");
        assert_eq!((concurrent.action, concurrent.schema), (ConcurrentAction::Detach, Some("s")));
        assert_eq!((concurrent.name, concurrent.table), ("p", Some("t")));

        let StepKind::Backfill(backfill) = second.kind() else { panic!("a backfill") };
        assert_eq!((backfill.table(), backfill.key(), backfill.batch()), ("t", &["a", "b"][..], u32::MAX));
        assert_eq!((backfill.set(), backfill.read(), backfill.write()), ("", &["c"][..], &["a", "b"][..]));
        assert_eq!((backfill.filter(), second.destructive()), ("c IS NULL", true));
        assert!(matches!(second.down(), Down::Keep("kept")));
        assert!(matches!(third.down(), Down::Nothing("nothing")));
        assert!(matches!(fourth.down(), Down::Irreversible("never")));
    }

    #[test]
    fn a_baseline_is_read_with_its_names() {
        let names = vec![
            CheckedName { owner: Some(name("s", "t")), name: name("", "c"), arguments: None },
            CheckedName { owner: None, name: name("s", "f"), arguments: Some(vec!["integer".to_owned()]) },
        ];
        let read = CheckedBaseline {
            digest: String::new(),
            sql: None,
            effects: vec![effect("one", "t", ""), effect("two", "", "")],
            names,
            properties: vec![property(vec![effect("", "t", "").id])],
        };
        let baseline = v1::baseline("", "", Words::of_baseline(&read).leak());
        assert_eq!(baseline.effects().iter().map(crate::model::Effect::object).collect::<Vec<_>>(), ["one", "two"]);
        let [column, function] = baseline.names() else { panic!("two names") };
        assert_eq!((column.schema, column.owner, column.name), (None, Some((Some("s"), "t")), "c"));
        assert_eq!((function.schema, function.owner, function.name), (Some("s"), None, "f"));
        assert_eq!((column.arguments, function.arguments), (None, Some(&["integer"][..])));
    }
}

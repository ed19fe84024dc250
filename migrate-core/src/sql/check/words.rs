//! Writes what was checked into the two lists that a program carries: see [`crate::model::Written`], which has the other half,
//! and `model::read`. What the history check goes by stands before the rest of a step, which it passes over.

use super::checked::{
    Checked, CheckedBaseline, CheckedConcurrent, CheckedDown, CheckedDownStatement, CheckedEffect, CheckedName,
    CheckedObject, CheckedProperty, CheckedStep,
};
use crate::model::{
    ConcurrentAction, LockClass, Written,
    written::{COLUMNS_LISTED, OWNED, RENAMES, REWORDED, SAME, WHOLE},
};
use crate::sql::{LostData, quoted};
use std::collections::HashMap;

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

/// Numbers, and the texts that some of them stand for.
#[derive(Debug, Default)]
pub struct Words {
    numbers: Vec<u64>,
    texts: Vec<String>,
    places: HashMap<String, u64>,
}

impl Words {
    /// What is known of the steps of a migration; `fillings` holds the backfills among them.
    pub fn of_steps<'a>(checked: &Checked, fillings: impl IntoIterator<Item = Option<Filling<'a>>>) -> Self {
        let steps = &checked.steps;
        let mut words = Self::default();
        words.totals(
            steps.iter().map(|step| step.effects.len()).sum(),
            steps.iter().flat_map(|step| step.makes.iter().chain(&step.restores)),
        );
        words.count(steps);
        for (step, filling) in steps.iter().zip(fillings) {
            words.step(step, filling);
        }
        words
    }

    /// What is known of a baseline's objects.
    pub fn of_baseline(checked: &CheckedBaseline) -> Self {
        let CheckedBaseline { effects, names, properties, digest: _, sql: _ } = checked;
        let mut words = Self::default();
        words.totals(effects.len(), properties.iter());
        words.effects(effects);
        words.properties(properties);
        names.iter().for_each(|name| words.name(name));
        words
    }

    /// The numbers.
    pub fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// The texts.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// As a program has them, for the rest of this one.
    pub fn leak(self) -> Written {
        let texts: Vec<&'static str> = self.texts.into_iter().map(|text| &*text.leak()).collect();
        Written::new(self.numbers.leak(), texts.leak())
    }

    fn totals<'p>(&mut self, effects: usize, properties: impl Iterator<Item = &'p CheckedProperty>) {
        let properties: usize = properties.map(|property| 1 + property.with.len()).sum();
        self.numbers.extend([effects as u64, properties as u64]);
    }

    fn step(&mut self, step: &CheckedStep, filling: Option<Filling<'_>>) {
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
        // By its down a step says what was there before it: it has one, and rows are not all that it is about.
        self.flag(matches!(down, CheckedDown::Sql(_)) && filling.is_none());
        self.properties(restores);
        self.effects(effects);
        let length = self.length();
        self.count(downs);
        downs.iter().for_each(|down| self.effects(&down.effects));
        self.lasts_to_here(length);
        self.properties(makes);

        let length = self.length();
        self.text(up);
        let (how, why) = match down {
            CheckedDown::Sql(_) => (0, None),
            CheckedDown::Keep(reason) => (1, Some(reason)),
            CheckedDown::Nothing(reason) => (2, Some(reason)),
            CheckedDown::Irreversible(reason) => (3, Some(reason)),
        };
        let kind = u8::from(filling.is_some());
        let (transactional, destructive) = (u8::from(*transactional), u8::from(*destructive));
        self.small([kind, *phase as u8, *lock as u8, *work as u8, transactional, destructive, how, 0]);
        if let Some(Filling { table, key, batch, set, read, write, filter }) = filling {
            self.text(table);
            self.list(key);
            self.numbers.push(batch.into());
            self.text(set);
            self.list(read);
            self.list(write);
            self.text(filter);
        }
        self.locks(locks);
        self.losses(destroys);
        self.concurrent(concurrent.as_ref());
        self.list(notes);
        downs.iter().for_each(|down| self.down(down));
        if let Some(reason) = why {
            self.text(reason);
        }
        self.lasts_to_here(length);
    }

    fn down(&mut self, down: &CheckedDownStatement) {
        let CheckedDownStatement { sql, lock, locks, work, transactional, destroys, concurrent, hazards, effects: _ } =
            down;
        self.text(sql);
        self.small([*lock as u8, *work as u8, u8::from(*transactional), 0, 0, 0, 0, 0]);
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
            self.numbers.push(*lock as u64);
        }
    }

    fn effects(&mut self, effects: &[CheckedEffect]) {
        self.count(effects);
        for CheckedEffect { kind, verb, object, definition, id, to, to_name, columns_listed } in effects {
            let mut set = *kind as u64 | (*verb as u64) << 8 | (id.space as u64) << 16;
            set |= if id.owner == 0 { 0 } else { OWNED };
            set |= if *to == 0 { 0 } else { RENAMES };
            set |= if *columns_listed { COLUMNS_LISTED } else { 0 };
            self.numbers.push(set);
            self.text(object);
            self.text(definition);
            self.named(id, id.owner != 0);
            if *to != 0 {
                self.numbers.push(*to);
                self.text(to_name);
            }
        }
    }

    fn properties(&mut self, properties: &[CheckedProperty]) {
        self.count(properties);
        let length = self.length();
        let mut before = None;
        for property in properties {
            let CheckedProperty {
                id,
                object,
                what,
                what_key,
                text,
                sql,
                strict,
                strict_key,
                loose_key,
                constants_key,
                reworded,
                mentions,
                with,
            } = property;
            let same = before == Some(id);
            let mut set = id.space as u64;
            set |= if id.owner == 0 { 0 } else { OWNED };
            set |= if same { SAME } else { 0 };
            set |= if what.len() == 1 { WHOLE } else { 0 };
            self.numbers.push(set);
            if !same {
                self.named(id, id.owner != 0);
            }
            before = Some(id);
            self.numbers.push(*what_key);
            self.count(with);
            for object in with {
                self.numbers.push(object.space as u64);
                self.named(object, true);
            }
            self.numbers.push(u64::from(*mentions) | if *reworded { REWORDED } else { 0 });
            self.text(object);
            self.text(what);
            self.text(text);
            self.text(sql);
            self.text(strict);
            self.numbers.extend([*strict_key, *loose_key, *constants_key]);
        }
        self.lasts_to_here(length);
    }

    fn named(&mut self, CheckedObject { space: _, key, name, owner, owner_name }: &CheckedObject, owned: bool) {
        self.numbers.push(*key);
        self.text(name);
        if owned {
            self.numbers.push(*owner);
            self.text(owner_name);
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
        let Some(CheckedConcurrent { action, name, table }) = concurrent else { return self.numbers.push(0) };
        let place = ConcurrentAction::ALL.iter().position(|one| one == action).expect("all actions are listed");
        self.numbers.push(place as u64 + 1);
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

    /// The place of a length, of what is written from here on.
    fn length(&mut self) -> usize {
        self.numbers.push(0);
        self.numbers.len() - 1
    }

    fn lasts_to_here(&mut self, length: usize) {
        self.numbers[length] = (self.numbers.len() - length - 1) as u64;
    }

    fn small(&mut self, numbers: [u8; 8]) {
        self.numbers.push(u64::from_le_bytes(numbers));
    }

    fn flag(&mut self, yes: bool) {
        self.numbers.push(yes.into());
    }

    fn count<T>(&mut self, list: &[T]) {
        self.numbers.push(list.len() as u64);
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

    fn text(&mut self, text: &str) {
        let place = self.places.get(text).copied().unwrap_or_else(|| {
            let place = self.texts.len() as u64;
            self.texts.push(text.to_owned());
            self.places.insert(text.to_owned(), place);
            place
        });
        self.numbers.push(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::__private::v1;
    use crate::model::{Down, EffectKind, Loss, Meta, Phase, Space, StepKind, Verb, Work};
    use crate::sql::Name;

    fn name(schema: &str, name: &str) -> Name {
        Name { schema: (!schema.is_empty()).then(|| schema.to_owned()), name: name.to_owned() }
    }

    fn effect(object: &str, owner: u64, to: u64) -> CheckedEffect {
        CheckedEffect {
            kind: EffectKind::RenameColumn,
            verb: Verb::Rename,
            object: object.to_owned(),
            definition: "d".to_owned(),
            id: CheckedObject {
                space: Space::Column,
                key: u64::MAX,
                name: "c".to_owned(),
                owner,
                owner_name: if owner == 0 { String::new() } else { "t".to_owned() },
            },
            to,
            to_name: if to == 0 { String::new() } else { "e".to_owned() },
            columns_listed: to == 0,
        }
    }

    fn property(with: Vec<CheckedObject>) -> CheckedProperty {
        let text = |text: &str| text.to_owned();
        CheckedProperty {
            id: effect("", 1, 0).id,
            object: text("column c"),
            what: text("type"),
            what_key: 1,
            text: text("text"),
            sql: text("ALTER"),
            strict: text("text"),
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
            effects: vec![effect("one", 0, 0), effect("two", 7, 9)],
            makes: vec![property(vec![effect("", 1, 0).id, effect("", 2, 0).id]), property(Vec::new())],
            restores: vec![property(vec![effect("", 1, 0).id])],
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
            effects: vec![effect("three", 7, 0)],
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
        assert_eq!((one.id.space, one.id.key, one.id.name, one.id.owner, one.to), (Space::Column, u64::MAX, "c", 0, 0));
        assert_eq!((two.id.owner, two.id.owner_name, two.to, two.to_name), (7, "t", 9, "e"));
        assert!(one.columns_listed && !two.columns_listed);

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
            effects: vec![effect("one", 7, 0), effect("two", 0, 0)],
            names,
            properties: vec![property(vec![effect("", 1, 0).id])],
        };
        let baseline = v1::baseline("", "", Words::of_baseline(&read).leak());
        assert_eq!(baseline.effects().iter().map(crate::model::Effect::object).collect::<Vec<_>>(), ["one", "two"]);
        let [column, function] = baseline.names() else { panic!("two names") };
        assert_eq!((column.schema, column.owner, column.name), (None, Some((Some("s"), "t")), "c"));
        assert_eq!((function.schema, function.owner, function.name), (Some("s"), None, "f"));
        assert_eq!((column.arguments, function.arguments), (None, Some(&["integer"][..])));
    }
}

//! What one schema has that another has not, in sentences that a person would say.
//!
//! In the open world a difference can be an assumption: what a down restores and nobody has said was there. To tell the
//! two apart the comparison knows the state in the middle, after the ups: what the ups set and the downs leave is a
//! difference, what the downs set to something else is what must have been there before.

use super::ledger::{Before, Entry, Ledger};
use super::text::{
    column_text, constraint_text, domain_text, identity_text, list, sequence_text, type_definition_text, type_text,
};
use super::{
    Column, Constraint, Fact, Index, Relation, RowSecurityFlag, Schema, Sequence, Table, Trigger, Type, View, World,
};
use crate::model::Space;
use crate::sql::ObjectId;
use crate::sql::ast::{ConstraintKind, Identity, Persistence, SequenceOptions};
use crate::sql::name::{Name, quoted};
use std::collections::{BTreeMap, BTreeSet};

/// One way in which two schemas are not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Difference {
    /// It is so and was not, or was and is not.
    Differs(String),
    /// They are the same if this was so before.
    Assumes(Witness),
    /// The columns stand in another order.
    Order(String),
    /// What was known is not any more.
    Lost(String),
}

/// What an earlier schema must have been for a down to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Witness {
    pub object: ObjectId,
    /// What about the object: `type`, `default`, `definition` …
    pub property: &'static str,
    /// `users.full_name was text`.
    pub sentence: String,
    /// What it was, as canonical SQL.
    pub definition: String,
}

/// The name as people say it: without `public`.
pub(crate) fn shown(name: &Name) -> String {
    match name.schema.as_deref() {
        Some("public") => quoted(&name.name),
        _ => name.to_string(),
    }
}

/// The object as people say it: `column orders.status`, `index idx_a`, `trigger t of orders`.
pub(crate) fn described(object: &ObjectId) -> String {
    let name = match object.space {
        // The arguments are part of the name, and not to be quoted.
        Space::Routine => match object.name.schema.as_deref() {
            None | Some("public") => object.name.name.clone(),
            Some(schema) => format!("{}.{}", quoted(schema), object.name.name),
        },
        _ => shown(&object.name),
    };
    match (&object.owner, object.space) {
        (Some(owner), Space::Column) => format!("column {}.{name}", shown(owner)),
        (Some(owner), Space::Constraint | Space::Trigger | Space::Policy | Space::Rule) => {
            format!("{} {name} of {}", object.noun, shown(owner))
        }
        _ => format!("{} {name}", object.noun),
    }
}

impl Schema {
    /// How `other` is different from this schema.
    pub(crate) fn differences(&self, other: &Schema) -> Vec<Difference> {
        compare(self, None, other)
    }
}

/// How the schema after ups and downs is different from the schema before them. `through` is the state between the two,
/// and what their changes say.
pub(crate) fn compare(before: &Schema, through: Option<(&Schema, &Ledger)>, after: &Schema) -> Vec<Difference> {
    let mut comparison = Comparison { before, through, after, out: Vec::new() };
    comparison.relations();
    comparison.types();
    comparison.functions();
    comparison.named();
    comparison.others();
    comparison.unlisted();
    comparison.out
}

struct Comparison<'a> {
    before: &'a Schema,
    through: Option<(&'a Schema, &'a Ledger)>,
    after: &'a Schema,
    out: Vec<Difference>,
}

/// The state of one property between ups and downs.
enum Middle {
    /// There is no state in between: plain comparison.
    None,
    /// The thing that has the property was gone.
    Gone,
    Fact(Fact<String>),
}

/// One property in each of the states.
struct Facts {
    before: Fact<String>,
    middle: Middle,
    after: Fact<String>,
}

/// What a property is of, and how it is called.
struct Subject<'s> {
    id: &'s ObjectId,
    thing: &'s str,
}

/// A thing with a text, as it is in each of the states; the inner `None` is a text that is not known.
struct States {
    before: Option<Option<String>>,
    middle: Option<Option<String>>,
    after: Option<Option<String>>,
    /// What is not listed before was not there.
    complete: bool,
}

impl<'a> Comparison<'a> {
    fn closed(&self) -> bool {
        self.before.world == World::Closed
    }

    fn differs(&mut self, sentence: impl Into<String>) {
        let difference = Difference::Differs(sentence.into());
        if !self.out.contains(&difference) {
            self.out.push(difference);
        }
    }

    fn entry(&self, object: &ObjectId) -> Option<&'a Entry> {
        self.through.and_then(|(_, ledger)| ledger.entry(object))
    }

    fn assumes(&mut self, object: ObjectId, property: &'static str, sentence: String, definition: String) {
        self.out.push(Difference::Assumes(Witness { object, property, sentence, definition }));
    }

    /// The relation in the middle, under the name that it has there.
    fn middle(&self, name: &Name) -> Option<&'a Relation> {
        let (middle, ledger) = self.through?;
        middle.relations.get(&ledger.middle(name)).or_else(|| middle.relations.get(name))
    }

    /// One object that is no more than its definition.
    fn object(&mut self, id: &ObjectId, states: States) {
        let what = described(id);
        match (states.before, states.after) {
            (Some(Some(was)), Some(Some(is))) if was != is => {
                self.differs(format!("{what} is {is} where it was {was}"));
            }
            (Some(Some(_)), Some(None)) => self.out.push(Difference::Lost(format!("what {what} is"))),
            (Some(None), Some(Some(is))) => match (self.through, states.middle) {
                (Some(_), Some(Some(middle))) if middle == is => self.differs(format!("{what} stays {is}")),
                (Some(_), Some(None)) if self.entry(id).is_none_or(|entry| !entry.by_up) => {
                    self.differs(format!("the down changes {what}, which the up does not touch"));
                }
                _ => self.was(id, is),
            },
            (Some(_), None) => self.differs(format!("{what} is missing")),
            (None, Some(is)) => self.extra(id, is, states.middle, states.complete),
            _ => {}
        }
    }

    fn was(&mut self, id: &ObjectId, definition: String) {
        let sentence = if definition.is_empty() {
            format!("{} was there", described(id))
        } else {
            format!("{} was {definition}", described(id))
        };
        self.assumes(id.clone(), "definition", sentence, definition);
    }

    /// Listed after, and not before.
    fn extra(&mut self, id: &ObjectId, is: Option<String>, middle: Option<Option<String>>, complete: bool) {
        let what = described(id);
        if !self.closed() && self.through.is_some_and(|(_, ledger)| ledger.is_new_name(id)) {
            return;
        }
        if let Some(entry) = self.entry(id)
            && entry.remade
            && entry.object.noun != id.noun
        {
            self.differs(format!("{what} was a {}", entry.object.noun));
            return;
        }
        if self.closed() || complete || self.through.is_none() {
            self.differs(format!("{what} is still there"));
            return;
        }
        match self.entry(id).map(|entry| (entry.before, entry.by_up)) {
            Some((Before::No, true)) => self.differs(format!("{what} is still there")),
            Some((Before::No, false)) => self.differs(format!("the down makes {what}, which the up does not touch")),
            Some((_, true)) => match (is, middle) {
                (Some(is), Some(Some(middle))) if is == middle => {
                    let entry = self.entry(id).map(|entry| entry.before);
                    if entry == Some(Before::PerhapsMade) {
                        self.differs(format!("{what} is still there"));
                    } else {
                        self.differs(format!("{what} stays {is}"));
                    }
                }
                (Some(is), _) => self.was(id, is),
                (None, _) => {}
            },
            Some((_, false)) => {
                if is.is_some() {
                    self.differs(format!("the down changes {what}, which the up does not touch"));
                }
            }
            None => {}
        }
    }

    /// One property of a thing that is there before and after.
    fn fact(&mut self, subject: &Subject<'_>, property: &'static str, say: Say, states: &Facts) {
        let thing = subject.thing;
        match (&states.before, &states.after) {
            (Fact::Known(was), Fact::Known(is)) if was != is => self.differs(say.differs(thing, property, was, is)),
            (Fact::Known(_), Fact::Unknown) => self.out.push(Difference::Lost(format!("the {property} of {thing}"))),
            (Fact::Unknown, Fact::Known(is)) => match &states.middle {
                Middle::Fact(Fact::Known(middle)) if middle == is && self.on_purpose(subject.id, property) => {
                    self.differs(say.keeps(thing, property, is));
                }
                Middle::Fact(Fact::Unknown) => {
                    self.differs(format!("the down changes the {property} of {thing}, which the up does not touch"));
                }
                _ => {
                    let sentence = say.was(thing, property, is);
                    self.assumes(subject.id.clone(), property, sentence, is.clone());
                }
            },
            _ => {}
        }
    }

    /// Whether the ups set the property of the column themselves: what only came along may have been so before.
    fn on_purpose(&self, id: &ObjectId, property: &str) -> bool {
        use crate::model::EffectKind as Kind;
        let kinds: &[Kind] = match property {
            "nullability" => &[Kind::SetNotNull, Kind::DropNotNull],
            "default" => &[Kind::SetDefault, Kind::DropDefault],
            "collation" => return false,
            _ => return true,
        };
        self.entry(id).is_some_and(|entry| entry.set_by_up.iter().any(|kind| kinds.contains(kind)))
    }

    fn relations(&mut self) {
        let names: BTreeSet<&Name> = self.before.relations.keys().chain(self.after.relations.keys()).collect();
        for name in names {
            let (was, is) = (self.before.relations.get(name), self.after.relations.get(name));
            let middle = self.middle(name);
            match (was, is) {
                (Some(Relation::Table(was)), Some(Relation::Table(is))) => {
                    self.table(name, Some(was), as_table(middle), is);
                }
                (None, Some(Relation::Table(is))) => self.new_table(name, as_table(middle), is),
                (Some(was), Some(is)) if std::mem::discriminant(was) != std::mem::discriminant(is) => {
                    let is = described(&self.after.relation_id(name));
                    let was = self.before.relation_id(name).noun;
                    self.differs(format!("{is} was a {was}"));
                }
                (Some(was), None) => {
                    if !part_of_another(was, self.before) {
                        let what = described(&self.before.relation_id(name));
                        self.differs(format!("{what} is missing"));
                    }
                }
                (was, Some(is)) => {
                    if was.is_none() && (part_of_another(is, self.after) || self.comes_with_a_table(is)) {
                        continue;
                    }
                    let id = self.after.relation_id(name);
                    self.object(
                        &id,
                        States {
                            before: was.map(relation_text),
                            middle: middle.map(relation_text),
                            after: Some(relation_text(is)),
                            complete: self.owner_complete(is),
                        },
                    );
                }
                (None, None) => {}
            }
        }
    }

    /// Whether the table of an index is known in full.
    fn owner_complete(&self, relation: &Relation) -> bool {
        match relation {
            Relation::Index(index) => {
                index.table.known().and_then(|table| self.before.table(table)).is_some_and(|table| table.complete)
            }
            _ => false,
        }
    }

    /// Whether it is an index or a sequence of a table that the downs made again: the table speaks for it.
    fn comes_with_a_table(&self, relation: &Relation) -> bool {
        let owner = match relation {
            Relation::Index(index) => index.table.known(),
            Relation::Sequence(sequence) => {
                sequence.owned_by.known().and_then(|owner| owner.as_ref().map(|(table, _)| table))
            }
            _ => None,
        };
        let Some(owner) = owner else { return false };
        if self.closed() || self.before.relations.contains_key(owner) {
            return false;
        }
        let id = self.after.relation_id(owner);
        self.entry(&id).is_some_and(|entry| entry.remade || entry.before == Before::No)
    }

    /// A table that the state before does not list.
    fn new_table(&mut self, name: &Name, middle: Option<&'a Table>, is: &'a Table) {
        let id = self.after.relation_id(name);
        let Some((_, ledger)) = self.through.filter(|_| !self.closed()) else {
            self.differs(format!("{} is still there", described(&id)));
            return;
        };
        if ledger.is_new_name(&id) {
            return;
        }
        if is.new {
            let text = table_text(is);
            self.extra(&id, Some(text), middle.map(|table| Some(table_text(table))), false);
        } else {
            self.table(name, None, middle, is);
        }
    }

    fn table(&mut self, name: &Name, was: Option<&'a Table>, middle: Option<&'a Table>, is: &'a Table) {
        let stub = Table::mentioned();
        let was = was.unwrap_or(&stub);
        let id = self.after.relation_id(name);
        self.columns(name, was, middle, is);
        self.parts(name, was, middle, is);
        let table = shown(name);

        let untouched = !self.through.is_some_and(|(_, ledger)| ledger.names_relation(name, true));
        let persistence = |of: &Persistence| match of {
            Persistence::Permanent => "logged".to_owned(),
            Persistence::Unlogged => "unlogged".to_owned(),
            Persistence::Temporary => "temporary".to_owned(),
        };
        let optional = |of: &Option<String>| or_none(of.as_ref());
        let properties: [(&'static str, Say, &dyn Fn(&Table) -> Fact<String>); 8] = [
            ("persistence", Say::Is, &|table| text_fact(&table.persistence, persistence)),
            ("partition key", Say::Of, &partition_key),
            ("partition bound", Say::Is, &partition_of),
            ("tablespace", Say::Of, &|table| text_fact(&table.tablespace, |of| unless(of.as_ref(), "pg_default"))),
            ("access method", Say::Of, &|table| text_fact(&table.access_method, |of| unless(of.as_ref(), "heap"))),
            ("replica identity", Say::Of, &|table| text_fact(&table.replica_identity, optional)),
            ("clustering index", Say::Of, &|table| text_fact(&table.clustered_on, optional)),
            ("owner", Say::Of, &|table| text_fact(&table.owner, Clone::clone)),
        ];
        for (property, say, read) in properties {
            let states =
                Facts { before: read(was), middle: self.middle_fact(untouched, middle.map(read)), after: read(is) };
            self.fact(&Subject { id: &id, thing: &table }, property, say, &states);
        }
        self.row_security(&id, name, was, middle, is);
        self.options(
            &id,
            name,
            "parameter",
            (&was.options, was.complete),
            middle.map(|table| &table.options),
            &is.options,
        );
        if was.complete || self.closed() {
            if was.inherits != is.inherits {
                self.differs(format!(
                    "{table} inherits from {} where it inherited from {}",
                    names(&is.inherits),
                    names(&was.inherits)
                ));
            }
            if was.of_type != is.of_type {
                let of = |name: &Option<Name>| name.as_ref().map_or_else(|| "no type".to_owned(), shown);
                self.differs(format!("{table} is of {} where it was of {}", of(&is.of_type), of(&was.of_type)));
            }
        } else if let Some(middle) = middle {
            // What the ups added and is still there.
            for parent in
                middle.inherits.iter().filter(|parent| is.inherits.contains(parent) && !was.inherits.contains(parent))
            {
                self.differs(format!("{table} still inherits from {}", shown(parent)));
            }
            if middle.of_type.is_some() && middle.of_type == is.of_type && was.of_type != is.of_type {
                self.differs(format!("{table} is still of {}", is.of_type.as_ref().map(shown).unwrap_or_default()));
            }
        }
    }

    fn row_security(&mut self, id: &ObjectId, name: &Name, was: &Table, middle: Option<&Table>, is: &Table) {
        let thing = shown(name);
        for (flag, property) in
            [(RowSecurityFlag::Enabled, "row level security"), (RowSecurityFlag::Forced, "forced row level security")]
        {
            let read = |table: &Table| {
                text_fact(&table.row_security, |flags| {
                    if flags.contains(&flag) { "enabled" } else { "disabled" }.to_owned()
                })
            };
            let untouched = !self.through.is_some_and(|(_, ledger)| ledger.names_relation(name, true));
            let states =
                Facts { before: read(was), middle: self.middle_fact(untouched, middle.map(read)), after: read(is) };
            self.fact(&Subject { id, thing: &thing }, property, Say::Of, &states);
            // Of a table that is not known only the changes tell.
            let forced = flag == RowSecurityFlag::Forced;
            let changed = self.through.and_then(|(_, ledger)| ledger.row_security(name, forced));
            if let (Fact::Unknown, Fact::Unknown, Some((by_up, now))) = (&states.before, &states.after, changed) {
                let state = if now { "enabled" } else { "disabled" };
                match by_up {
                    Some(by_up) if by_up == now => self.differs(format!("the {property} of {thing} stays {state}")),
                    Some(_) => {
                        let sentence = format!("the {property} of {thing} was {state}");
                        self.assumes(id.clone(), property, sentence, state.to_owned());
                    }
                    None => {
                        self.differs(format!("the down changes the {property} of {thing}, which the up does not touch"))
                    }
                }
            }
        }
    }

    fn middle_fact(&self, untouched: bool, fact: Option<Fact<String>>) -> Middle {
        match (self.through, fact) {
            (None, _) => Middle::None,
            (Some(_), None) if untouched => Middle::Fact(Fact::Unknown),
            (Some(_), None) => Middle::Gone,
            (Some(_), Some(fact)) => Middle::Fact(fact),
        }
    }

    /// Settings by name: one that is not listed has its default where everything is known, else it is not known.
    fn options(
        &mut self,
        id: &ObjectId,
        name: &Name,
        what: &str,
        (was, complete): (&BTreeMap<String, Option<String>>, bool),
        middle: Option<&BTreeMap<String, Option<String>>>,
        is: &BTreeMap<String, Option<String>>,
    ) {
        let complete = complete || self.closed();
        let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        let thing = if id.space == Space::Column {
            format!("{}.{}", id.owner.as_ref().map(shown).unwrap_or_default(), shown(&id.name))
        } else {
            shown(name)
        };
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "true".to_owned());
        for key in keys {
            match (was.get(key), is.get(key)) {
                (Some(was), Some(is)) if was != is => {
                    self.differs(format!("{thing} has {key} = {} where it had {}", value(is), value(was)));
                }
                (Some(was), None) => self.differs(format!("{thing} loses {what} {key} = {}", value(was))),
                (None, Some(is)) if complete || middle.is_some_and(|middle| middle.get(key) == Some(is)) => {
                    self.differs(format!("{thing} keeps {what} {key} = {}", value(is)));
                }
                (None, Some(is)) => {
                    let sentence = format!("{thing} had {key} = {}", value(is));
                    self.assumes(id.clone(), "parameter", sentence, format!("{key} = {}", value(is)));
                }
                _ => {}
            }
        }
    }

    fn columns(&mut self, name: &Name, was: &Table, middle: Option<&'a Table>, is: &Table) {
        let complete = was.complete || self.closed();
        for listed in &was.columns {
            let id = column_id(name, &listed.name);
            match is.column(&listed.name) {
                Some(now) => {
                    self.column(&id, name, listed, self.middle_column(name, &listed.name, middle), now, complete)
                }
                None => self.differs(format!("{} is missing", described(&id))),
            }
        }
        for now in is.columns.iter().filter(|now| was.column(&now.name).is_none()) {
            let id = column_id(name, &now.name);
            let mentioned = Column::mentioned(&now.name);
            let in_middle = self.middle_column(name, &now.name, middle);
            if !complete && self.through.is_some_and(|(_, ledger)| ledger.is_new_name(&id)) {
                continue;
            }
            if complete || self.through.is_none() {
                self.differs(format!("{} is still there", described(&id)));
                continue;
            }
            match self.entry(&id).map(|entry| (entry.before, entry.by_up, entry.remade)) {
                Some((Before::No, true, _)) => self.differs(format!("{} is still there", described(&id))),
                Some((Before::PerhapsMade, true, false)) if now.generated.known().is_some() => {
                    self.differs(format!("{} is still there", described(&id)));
                }
                Some((Before::No, false, _)) => {
                    self.differs(format!("the down adds {}, which the up does not touch", described(&id)));
                }
                Some((_, true, true)) => {
                    self.was_column(&id, now);
                    self.out.push(Difference::Order(format!(
                        "{} comes last where it may have stood elsewhere",
                        described(&id)
                    )));
                }
                _ => self.column(&id, name, &mentioned, in_middle, now, false),
            }
        }
        let order = |table: &Table, other: &Table| -> Vec<String> {
            table
                .columns
                .iter()
                .map(|column| column.name.clone())
                .filter(|column| other.column(column).is_some())
                .collect()
        };
        let (old, new) = (order(was, is), order(is, was));
        if complete && old != new {
            self.out.push(Difference::Order(format!(
                "the columns of {} stand in the order {} where it was {}",
                shown(name),
                list(&new),
                list(&old)
            )));
        }
    }

    fn was_column(&mut self, id: &ObjectId, column: &Column) {
        let definition = column_text(column);
        let sentence =
            format!("{}.{} was {definition}", id.owner.as_ref().map(shown).unwrap_or_default(), shown(&id.name));
        self.assumes(id.clone(), "definition", sentence, definition);
    }

    fn middle_column(&self, table: &Name, column: &str, middle: Option<&'a Table>) -> Option<&'a Column> {
        let (_, ledger) = self.through?;
        middle?.column(&ledger.middle_column(table, column))
    }

    fn column(
        &mut self,
        id: &ObjectId,
        table: &Name,
        was: &Column,
        middle: Option<&Column>,
        is: &Column,
        complete: bool,
    ) {
        let name = format!("{}.{}", shown(table), quoted(&is.name));
        // A column that the ups dropped and the downs added again is a new one.
        let remade = self.entry(id).is_some_and(|entry| entry.remade);
        let untouched = self.entry(id).is_none_or(|entry| !entry.by_up) && !self.closed();
        let properties: [(&'static str, Say, &dyn Fn(&Column) -> Fact<String>); 6] = [
            ("type", Say::Type, &|column| text_fact(&column.data_type, type_text)),
            ("collation", Say::Word("COLLATE "), &|column| {
                text_fact(&column.collation, |of| of.as_ref().map_or_else(String::new, ToString::to_string))
            }),
            ("nullability", Say::NotNull, &|column| {
                text_fact(&column.not_null, |on| if *on { "NOT NULL" } else { "NULL" }.to_owned())
            }),
            ("default", Say::Word("DEFAULT "), &|column| {
                text_fact(&column.default, |of| of.as_ref().map_or_else(String::new, |of| of.text.clone()))
            }),
            ("generation expression", Say::Word(""), &|column| {
                text_fact(&column.generated, |of| of.as_ref().map_or_else(String::new, super::super::print::generated))
            }),
            ("identity", Say::Word(""), &|column| {
                text_fact(&column.identity, |of| {
                    of.as_ref().map_or_else(String::new, |of| {
                        identity_text(&Identity { always: of.always, options: normal(&of.options) })
                    })
                })
            }),
        ];
        for (property, say, read) in properties {
            let middle = if remade { Middle::Gone } else { self.middle_fact(untouched, middle.map(read)) };
            let states = Facts { before: read(was), middle, after: read(is) };
            self.fact(&Subject { id, thing: &name }, property, say, &states);
        }
        for (what, read) in [
            ("STORAGE", (|column: &Column| column.storage.clone()) as fn(&Column) -> Option<String>),
            ("COMPRESSION", |column| column.compression.clone()),
            ("STATISTICS", |column| column.statistics.clone()),
        ] {
            self.setting(
                id,
                &name,
                what,
                (read(was), complete || was.generated.known().is_some()),
                middle.and_then(read),
                read(is),
                is,
            );
        }
        self.options(id, table, "option", (&was.options, complete), middle.map(|column| &column.options), &is.options);
    }

    /// A setting of a column whose default the schema does not spell.
    #[allow(clippy::too_many_arguments, reason = "the three states of one setting")]
    fn setting(
        &mut self,
        id: &ObjectId,
        name: &str,
        what: &'static str,
        (was, defined): (Option<String>, bool),
        middle: Option<String>,
        is: Option<String>,
        column: &Column,
    ) {
        let plain = |value: Option<String>| value.filter(|value| !is_default(what, value, column));
        let (was, middle, is) = (plain(was), plain(middle), plain(is));
        match (was, is) {
            (Some(was), Some(is)) if was != is => self.differs(format!("{name} has {what} {is} where it had {was}")),
            (Some(was), None) => self.differs(format!("{name} loses {what} {was}")),
            (None, Some(is)) if defined || middle.as_ref() == Some(&is) => {
                self.differs(format!("{name} keeps {what} {is}"));
            }
            (None, Some(is)) => {
                self.assumes(id.clone(), "setting", format!("{name} had {what} {is}"), format!("{what} {is}"));
            }
            _ => {}
        }
    }

    /// Constraints, triggers, policies and rules of one table.
    fn parts(&mut self, name: &Name, was: &Table, middle: Option<&Table>, is: &Table) {
        let complete = was.complete || self.closed();
        let keys: BTreeSet<&String> = was.constraints.keys().chain(is.constraints.keys()).collect();
        for key in keys {
            let in_middle = middle.and_then(|table| table.constraints.get(key));
            let before = was.constraints.get(key);
            let after = is.constraints.get(key);
            // VALIDATE has nothing to take back: rows that are right stay right.
            let validated = before.is_some_and(|of| of.validated == Fact::Known(false))
                && in_middle.is_some_and(|of| of.validated == Fact::Known(true));
            let text = |of: &Constraint| match (&of.kind, validated) {
                (Fact::Unknown, _) => None,
                (_, true) => Some(constraint_text(&Constraint { validated: Fact::Known(true), ..of.clone() })),
                _ => Some(constraint_text(of)),
            };
            let id = part_id(Space::Constraint, "constraint", name, key);
            if before.is_some() != after.is_some() && before.or(after).is_some_and(|of| says_only_not_null(key, of)) {
                continue;
            }
            self.object(
                &id,
                States { before: before.map(text), middle: in_middle.map(text), after: after.map(text), complete },
            );
        }
        let keys: BTreeSet<&String> = was.triggers.keys().chain(is.triggers.keys()).collect();
        for key in keys {
            let of = |table: &Table| table.triggers.get(key).map(trigger_text);
            let states = States { before: of(was), middle: middle.and_then(of), after: of(is), complete };
            self.object(&part_id(Space::Trigger, "trigger", name, key), states);
        }
        let keys: BTreeSet<&String> = was.policies.keys().chain(is.policies.keys()).collect();
        for key in keys {
            let of = |table: &Table| table.policies.get(key).map(|of| of.definition.known().cloned());
            let states = States { before: of(was), middle: middle.and_then(of), after: of(is), complete };
            self.object(&part_id(Space::Policy, "policy", name, key), states);
        }
        let keys: BTreeSet<&String> = was.rules.keys().chain(is.rules.keys()).collect();
        for key in keys {
            let of =
                |table: &Table| table.rules.get(key).map(|text| Some(text.clone()).filter(|text| !text.is_empty()));
            let states = States { before: of(was), middle: middle.and_then(of), after: of(is), complete };
            self.object(&part_id(Space::Rule, "rule", name, key), states);
        }
    }

    fn types(&mut self) {
        let names: BTreeSet<&Name> = self.before.types.keys().chain(self.after.types.keys()).collect();
        for name in names {
            let text = |schema: &Schema| schema.types.get(name).map(defined_type_text);
            let middle = self.through.and_then(|(middle, _)| text(middle));
            let id =
                if self.after.types.contains_key(name) { self.after.type_id(name) } else { self.before.type_id(name) };
            let states = States { before: text(self.before), middle, after: text(self.after), complete: false };
            self.object(&id, states);
        }
    }

    fn functions(&mut self) {
        let signatures = |schema: &Schema| -> BTreeMap<Name, Option<String>> {
            schema
                .functions
                .iter()
                .flat_map(|(name, overloads)| {
                    overloads.iter().map(|of| {
                        let args = of
                            .routine
                            .args
                            .as_ref()
                            .map(|args| args.iter().map(type_text).collect::<Vec<_>>().join(", "));
                        let signature = args.map_or_else(|| name.name.clone(), |args| format!("{}({args})", name.name));
                        (Name { schema: name.schema.clone(), name: signature }, of.definition.known().cloned())
                    })
                })
                .collect()
        };
        let (was, is) = (signatures(self.before), signatures(self.after));
        let middle = self.through.map(|(middle, _)| signatures(middle)).unwrap_or_default();
        let names: BTreeSet<&Name> = was.keys().chain(is.keys()).collect();
        for name in names {
            let id = ObjectId { space: Space::Routine, noun: "function", owner: None, name: name.clone() };
            let states = States {
                before: was.get(name).cloned(),
                middle: middle.get(name).cloned(),
                after: is.get(name).cloned(),
                complete: false,
            };
            self.object(&id, states);
        }
    }

    /// Schemas, extensions, publications, statistics and everything that is a text by its target.
    fn named(&mut self) {
        let of_schemas = |schema: &Schema| -> BTreeMap<String, String> {
            schema.schemas.iter().map(|name| (name.clone(), String::new())).collect()
        };
        self.maps(Space::Schema, "schema", &of_schemas);
        let of_extensions = |schema: &Schema| -> BTreeMap<String, String> {
            schema
                .extensions
                .iter()
                .map(|(name, version)| (name.clone(), version.clone().unwrap_or_default()))
                .collect()
        };
        self.maps(Space::Extension, "extension", &of_extensions);
        let of_publications = |schema: &Schema| -> BTreeMap<String, String> {
            schema
                .publications
                .iter()
                .map(|(name, scope)| (name.clone(), crate::sql::print::publication_scope(scope)))
                .collect()
        };
        self.maps(Space::Publication, "publication", &of_publications);
        let statistics = |schema: &Schema| -> BTreeMap<Name, String> {
            schema.statistics.iter().map(|(name, (_, text))| (name.clone(), text.clone())).collect()
        };
        let (was, is) = (statistics(self.before), statistics(self.after));
        let middle = self.through.map(|(middle, _)| statistics(middle)).unwrap_or_default();
        for name in was.keys().chain(is.keys()).cloned().collect::<BTreeSet<_>>() {
            let id = ObjectId { space: Space::Statistics, noun: "statistics object", owner: None, name: name.clone() };
            let states = States {
                before: was.get(&name).cloned().map(Some),
                middle: middle.get(&name).cloned().map(Some),
                after: is.get(&name).cloned().map(Some),
                complete: false,
            };
            self.object(&id, states);
        }
    }

    /// Comments, privileges, owners, and objects of kinds that have nothing but a definition.
    fn others(&mut self) {
        let (before, after) = (&self.before.others, &self.after.others);
        let middle = self.through.map(|(middle, _)| &middle.others);
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys {
            if key.starts_with("privileges on ") {
                self.privileges(key, before.get(key), middle.and_then(|middle| middle.get(key)), after.get(key));
                continue;
            }
            // Whatever happened to these is kept as one growing text: only a server can compare it.
            if !["comment on ", "owner on ", "state on "].iter().any(|prefix| key.starts_with(prefix)) {
                if before.contains_key(key) != after.contains_key(key)
                    && key.contains(' ')
                    && key != "default privileges"
                {
                    let is = if after.contains_key(key) { "still there" } else { "missing" };
                    self.differs(format!("{} is {is}", spoken(key)));
                } else if before.get(key) != after.get(key) {
                    self.out.push(Difference::Lost(format!("what {} is", spoken(key))));
                }
                continue;
            }
            let what = spoken(key);
            let is_comment = key.starts_with("comment on ");
            let text = |text: &String| if is_comment { super::text::literal(text) } else { text.clone() };
            match (before.get(key), after.get(key)) {
                (Some(was), Some(is)) if was != is => {
                    self.differs(format!("the {what} is {} where it was {}", text(is), text(was)));
                }
                (Some(was), None) => self.differs(format!("the {what} is missing: it was {}", text(was))),
                (None, Some(is)) => {
                    let stays = middle.is_some_and(|middle| middle.get(key) == Some(is));
                    if self.closed() || stays || self.through.is_none() {
                        self.differs(format!("the {what} stays {}", text(is)));
                    } else {
                        let object =
                            ObjectId { space: Space::Other, noun: "setting", owner: None, name: Name::bare(key) };
                        self.assumes(object, "setting", format!("the {what} was {}", text(is)), text(is));
                    }
                }
                _ => {}
            }
        }
    }

    /// Privileges, one by one: `SELECT`, `INSERT (a) WITH GRANT OPTION`, and `-SELECT` for one that was taken without
    /// having been granted here.
    fn privileges(&mut self, key: &str, was: Option<&String>, middle: Option<&String>, is: Option<&String>) {
        let set = |text: Option<&String>| -> BTreeSet<String> {
            text.into_iter()
                .flat_map(|text| text.split("; "))
                .filter(|held| !held.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let (was, middle, is) = (set(was), set(middle), set(is));
        let Some((object, grantee)) = key.trim_start_matches("privileges on ").rsplit_once(" to ") else { return };
        let object = spoken(&format!(" {object}"));
        for held in was.difference(&is) {
            match held.strip_prefix('-') {
                Some(taken) => self.differs(format!("{grantee} has {taken} on{object}, and had not")),
                None => self.differs(format!("{grantee} loses {held} on{object}")),
            }
        }
        for held in is.difference(&was) {
            let by_up = middle.contains(held);
            match held.strip_prefix('-') {
                Some(taken) if by_up => self.differs(format!("{grantee} stays without {taken} on{object}")),
                // Taking what nobody has changes nothing.
                Some(_) => {}
                None if by_up => self.differs(format!("{grantee} keeps {held} on{object}")),
                None if middle.contains(&format!("-{held}")) || !self.closed() => {
                    let sentence = format!("{grantee} had {held} on{object}");
                    let id = ObjectId { space: Space::Other, noun: "privilege", owner: None, name: Name::bare(key) };
                    self.assumes(id, "privilege", sentence, held.clone());
                }
                None => self.differs(format!("{grantee} has {held} on{object}, and had not")),
            }
        }
    }

    fn maps(&mut self, space: Space, noun: &'static str, read: &dyn Fn(&Schema) -> BTreeMap<String, String>) {
        let (was, is) = (read(self.before), read(self.after));
        let middle = self.through.map(|(middle, _)| read(middle)).unwrap_or_default();
        for name in was.keys().chain(is.keys()).cloned().collect::<BTreeSet<_>>() {
            let id = ObjectId { space, noun, owner: None, name: Name::bare(&name) };
            let states = States {
                before: was.get(&name).cloned().map(Some),
                middle: middle.get(&name).cloned().map(Some),
                after: is.get(&name).cloned().map(Some),
                complete: false,
            };
            self.object(&id, states);
        }
    }

    /// What no state lists, because it was taken: in the open world only the changes tell.
    fn unlisted(&mut self) {
        let Some((_, ledger)) = self.through else { return };
        if self.closed() {
            return;
        }
        for (entry, now) in ledger.renamed() {
            let what = described(&entry.object);
            match entry.before {
                Before::No => self.differs(format!("{what} is still there, as {}", shown(now))),
                _ => self.differs(format!("{what} is called {}", shown(now))),
            }
        }
        for entry in ledger.entries() {
            if entry.there || self.listed_before(&entry.object) {
                continue;
            }
            let object = &entry.object;
            if object.space == Space::Constraint && made_up_not_null(&object.name.name) {
                continue;
            }
            let what = described(object);
            let by_up = entry.by_up || (object.space == Space::Relation && ledger.names_relation(&object.name, true));
            match (entry.before, by_up) {
                (Before::Yes | Before::PerhapsTaken, true) => self.differs(format!("{what} is missing")),
                (Before::Yes | Before::PerhapsTaken, false) => {
                    self.differs(format!("the down drops {what}, which the up does not touch"));
                }
                (Before::No | Before::PerhapsMade, _) => {}
            }
        }
    }

    /// What the state before lists has been compared.
    fn listed_before(&self, object: &ObjectId) -> bool {
        let table = || object.owner.as_ref().and_then(|owner| self.before.table(owner));
        let name = &object.name;
        match object.space {
            Space::Relation => self.before.relations.contains_key(name),
            Space::Column => table().is_some_and(|table| table.column(&name.name).is_some()),
            Space::Constraint => table().is_some_and(|table| table.constraints.contains_key(&name.name)),
            Space::Trigger => table().is_some_and(|table| table.triggers.contains_key(&name.name)),
            Space::Policy => table().is_some_and(|table| table.policies.contains_key(&name.name)),
            Space::Rule => table().is_some_and(|table| table.rules.contains_key(&name.name)),
            Space::Type => self.before.types.contains_key(name),
            _ => false,
        }
    }
}

/// How a property is spoken of.
#[derive(Clone, Copy)]
enum Say {
    /// `orders is logged where it was unlogged`.
    Is,
    /// `orders.status is text where it was varchar(40)`: the catalog's names, spelled as people do.
    Type,
    /// `orders.status keeps DEFAULT 'x'`; the empty text is none.
    Word(&'static str),
    /// `orders.status stays NOT NULL`.
    NotNull,
    /// `the owner of orders is a where it was b`.
    Of,
}

impl Say {
    fn differs(self, thing: &str, property: &str, was: &str, is: &str) -> String {
        match self {
            Self::Is => format!("{thing} is {is} where it was {was}"),
            Self::Type => format!("{thing} is {} where it was {}", spelled_type(is), spelled_type(was)),
            Self::Word(word) => match (was, is) {
                ("", is) => format!("{thing} keeps {word}{is}"),
                (was, "") => format!("{thing} loses {word}{was}"),
                (was, is) => format!("{thing} has {word}{is} where it had {word}{was}"),
            },
            Self::NotNull if is == "NOT NULL" => format!("{thing} stays NOT NULL"),
            Self::NotNull => format!("{thing} loses NOT NULL"),
            Self::Of => format!("the {property} of {thing} is {is} where it was {was}"),
        }
    }

    fn keeps(self, thing: &str, property: &str, is: &str) -> String {
        match self {
            Self::Is => format!("{thing} stays {is}"),
            Self::Type => format!("{thing} stays {}", spelled_type(is)),
            Self::Word(_) if is.is_empty() => format!("{thing} stays without {property}"),
            Self::Word(word) => format!("{thing} keeps {word}{is}"),
            Self::NotNull if is == "NOT NULL" => format!("{thing} stays NOT NULL"),
            Self::NotNull => format!("{thing} stays nullable"),
            Self::Of => format!("the {property} of {thing} stays {is}"),
        }
    }

    fn was(self, thing: &str, property: &str, is: &str) -> String {
        match self {
            Self::Is => format!("{thing} was {is}"),
            Self::Type => format!("{thing} was {}", spelled_type(is)),
            Self::Word(_) if is.is_empty() => format!("{thing} had no {property}"),
            Self::Word(word) => format!("{thing} had {word}{is}"),
            Self::NotNull if is == "NOT NULL" => format!("{thing} was NOT NULL"),
            Self::NotNull => format!("{thing} was nullable"),
            Self::Of => format!("the {property} of {thing} was {is}"),
        }
    }
}

/// `int8[]` as `bigint[]`.
fn spelled_type(text: &str) -> String {
    let end = text.find(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    format!("{}{rest}", crate::sql::print::spelling(name).unwrap_or(name))
}

fn text_fact<T>(fact: &Fact<T>, text: impl Fn(&T) -> String) -> Fact<String> {
    match fact {
        Fact::Known(value) => Fact::Known(text(value)),
        Fact::Unknown => Fact::Unknown,
    }
}

/// A NOT NULL that PostgreSQL 18 keeps as a constraint under a name of its own making: the column says the same.
fn says_only_not_null(name: &str, of: &Constraint) -> bool {
    matches!(of.kind, Fact::Known(ConstraintKind::NotNull { .. }))
        && of.validated != Fact::Known(false)
        && !of.no_inherit
        && made_up_not_null(name)
}

/// `orders_id_not_null`, perhaps with a number.
fn made_up_not_null(name: &str) -> bool {
    name.trim_end_matches(|char: char| char.is_ascii_digit()).ends_with("_not_null")
}

fn as_table(relation: Option<&Relation>) -> Option<&Table> {
    match relation {
        Some(Relation::Table(table)) => Some(table),
        _ => None,
    }
}

fn column_id(table: &Name, column: &str) -> ObjectId {
    part_id(Space::Column, "column", table, column)
}

fn part_id(space: Space, noun: &'static str, owner: &Name, name: &str) -> ObjectId {
    ObjectId { space, noun, owner: Some(owner.clone()), name: Name::bare(name) }
}

/// The value, where it is not what none means.
fn unless(value: Option<&String>, default: &str) -> String {
    or_none(value.filter(|value| *value != default))
}

fn or_none(value: Option<&String>) -> String {
    value.map_or_else(|| "none".to_owned(), Clone::clone)
}

fn names(names: &[Name]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.iter().map(shown).collect::<Vec<_>>().join(", ") }
}

/// What makes the default explicit: no setting at all.
fn is_default(what: &str, value: &str, column: &Column) -> bool {
    match what {
        "STATISTICS" => matches!(value, "-1" | "DEFAULT" | "default"),
        "STORAGE" => {
            value.eq_ignore_ascii_case("default")
                || column
                    .data_type
                    .known()
                    .and_then(default_storage)
                    .is_some_and(|default| default.eq_ignore_ascii_case(value))
        }
        _ => value.eq_ignore_ascii_case("default"),
    }
}

/// `typstorage` of a built-in type (`pg_type.dat`).
pub(crate) fn default_storage(data_type: &crate::sql::ast::TypeName) -> Option<&'static str> {
    if data_type.array > 0 {
        return Some("EXTENDED");
    }
    Some(match data_type.name.name.as_str() {
        "text" | "varchar" | "bpchar" | "bytea" | "json" | "jsonb" | "xml" | "tsvector" | "bit" | "varbit" | "path"
        | "polygon" => "EXTENDED",
        "numeric" | "inet" | "cidr" => "MAIN",
        "int2" | "int4" | "int8" | "float4" | "float8" | "bool" | "uuid" | "date" | "time" | "timetz" | "timestamp"
        | "timestamptz" | "interval" | "tsquery" => "PLAIN",
        _ => return None,
    })
}

/// Whether something else speaks for the relation: a constraint for its index, an identity column for its sequence, a
/// parent for the index of its partition.
fn part_of_another(relation: &Relation, schema: &Schema) -> bool {
    match relation {
        Relation::Index(index) => {
            index.constraint.is_some()
                || index.parent.is_some()
                || index.table.known().is_some_and(|table| schema.relations.is_empty() && table.name.is_empty())
        }
        Relation::Sequence(sequence) => sequence.identity,
        _ => false,
    }
}

fn relation_text(relation: &Relation) -> Option<String> {
    match relation {
        Relation::Table(table) => Some(table_text(table)),
        Relation::View(view) => view_text(view),
        Relation::MaterializedView(view) => view_text(view),
        Relation::Sequence(sequence) => sequence_definition(sequence),
        Relation::Index(index) => index_definition(index),
    }
}

fn view_text(view: &View) -> Option<String> {
    let definition = view.definition.known()?;
    let columns = view.columns.known().map_or_else(String::new, |columns| format!("({}) ", list(columns)));
    let options = if view.options.is_empty() { String::new() } else { format!("{} ", view.options) };
    Some(format!("{columns}{options}AS {definition}"))
}

fn sequence_definition(sequence: &Sequence) -> Option<String> {
    let options = sequence.options.known()?;
    let mut text = sequence_text(&normal(options));
    if sequence.unlogged {
        text.push_str(" UNLOGGED");
    }
    if let Fact::Known(Some((table, column))) = &sequence.owned_by {
        text.push_str(&format!(" OWNED BY {}.{}", shown(table), quoted(column)));
    }
    Some(text.trim_start().to_owned())
}

/// The options without those that say what is so anyway (manual, CREATE SEQUENCE), in one order.
fn normal(options: &SequenceOptions) -> SequenceOptions {
    let mut settings: Vec<_> = options
        .settings
        .iter()
        .filter(|(name, value)| {
            !matches!(
                (name.as_str(), value.as_str()),
                ("INCREMENT" | "START" | "CACHE", "1") | ("MINVALUE" | "MAXVALUE" | "CYCLE", "NO") | ("LOGGED", _)
            )
        })
        .cloned()
        .collect();
    settings.sort();
    let data_type = options.data_type.clone().filter(|data_type| data_type.name.name != "int8");
    SequenceOptions { data_type, settings, owned_by: None, restart: None }
}

fn index_definition(index: &Index) -> Option<String> {
    let definition = index.definition.known()?;
    let table = index.table.known().map_or_else(String::new, |table| format!("ON {} ", shown(table)));
    let valid = if index.valid { "" } else { " INVALID" };
    Some(format!("{table}{definition}{valid}"))
}

/// Whether it is enabled is kept by itself, under `state on …`.
fn trigger_text(trigger: &Trigger) -> Option<String> {
    trigger.definition.known().cloned()
}

fn defined_type_text(of: &Type) -> Option<String> {
    match of {
        Type::Defined { definition, .. } => Some(type_definition_text(definition)),
        Type::Domain(domain) => Some(domain_text(domain)),
        Type::Mentioned { .. } => None,
    }
}

fn partition_key(table: &Table) -> Fact<String> {
    text_fact(&table.partition_by, |by| by.as_ref().map_or_else(|| "none".to_owned(), |by| by.text.clone()))
}

fn partition_of(table: &Table) -> Fact<String> {
    text_fact(&table.partition_of, |of| {
        of.as_ref().map_or_else(
            || "no partition".to_owned(),
            |(parent, bound)| format!("partition of {} {}", shown(parent), crate::sql::print::bound(bound)),
        )
    })
}

/// The key without the schema that goes without saying.
fn spoken(key: &str) -> String {
    key.replace(" public.", " ").replace("state on ", "state of ")
}

/// The table's columns and constraints.
fn table_text(table: &Table) -> String {
    let mut items: Vec<String> =
        table.columns.iter().map(|column| format!("{} {}", quoted(&column.name), column_text(column))).collect();
    items.extend(
        table.constraints.iter().map(|(name, of)| format!("CONSTRAINT {} {}", quoted(name), constraint_text(of))),
    );
    format!("({})", items.join(", "))
}

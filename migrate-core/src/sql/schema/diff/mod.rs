//! What one schema has that another has not, in sentences that a person would say.
//!
//! In the open world a difference can be an assumption: what a down restores and nobody has said was there. To tell the
//! two apart the comparison knows the state in the middle, after the ups: what the ups set and the downs leave is a
//! difference, what the downs set to something else is what must have been there before.

mod bounds;
mod named;
mod say;
mod tables;
mod texts;

pub(crate) use say::{described, shown};
pub(crate) use texts::default_storage;
pub(super) use texts::{
    default_text, defined_type_text, identity_of, index_definition, is_default, part_of_another, partition_key,
    partition_of, says_only_not_null, sequence_definition, view_text,
};

use say::Say;
use texts::{as_table, made_up_not_null, relation_text};

use super::alike::{Alike, alike};
use super::ledger::{Before, Entry, Ledger};
use super::{Fact, Index, Relation, Schema, World};
use crate::model::Space;
use crate::sql::ObjectId;
use crate::sql::ast::ConstraintKind;
use crate::sql::name::Name;
use std::collections::BTreeSet;

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
    /// The texts are not the same, and may mean the same.
    Unsure(String),
    /// The ups validated it, which a migration need not take back.
    Validated(String),
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

/// What a thing is; `None` where it is there and its text is not known.
type Text = Option<String>;

/// How a property of a thing is read.
type Read<'r, T> = &'r dyn Fn(&T) -> Fact<String>;

/// A thing with a text, as it is in each of the states; the inner `None` is a text that is not known.
struct States {
    before: Option<Text>,
    middle: Option<Text>,
    after: Option<Text>,
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
            (Some(Some(was)), Some(Some(is))) => match alike(&was, &is) {
                Alike::Same => {}
                Alike::Perhaps => self.perhaps(&what, &was, &is),
                Alike::Different => self.differs(format!("{what} is {is} where it was {was}")),
            },
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

    /// Two texts that may say the same.
    fn perhaps(&mut self, what: &str, was: &str, is: &str) {
        self.out.push(Difference::Unsure(format!("{what} is {is} where it was {was}, which may be the same")));
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
    fn extra(&mut self, id: &ObjectId, is: Option<String>, middle: Option<Text>, complete: bool) {
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
            Some((Before::No, false)) if self.went_along(id) => {
                if let Some(is) = is {
                    self.was(id, is);
                }
            }
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
            Some((_, false)) if self.went_with_a_constraint(id) => {
                if let Some(is) = is {
                    self.was(id, is);
                }
            }
            Some((_, false)) if is.is_some() => {
                self.differs(format!("the down changes {what}, which the up does not touch"));
            }
            Some((_, false)) | None => {}
        }
    }

    /// One property of a thing that is there before and after.
    fn fact(&mut self, subject: &Subject<'_>, property: &'static str, say: Say, states: &Facts) {
        let thing = subject.thing;
        match (&states.before, &states.after) {
            (Fact::Known(was), Fact::Known(is)) if was != is => match alike(was, is) {
                Alike::Same => {}
                // Names have one spelling each: another is another.
                Alike::Perhaps if ["type", "replica identity"].contains(&property) => {
                    self.differs(say.differs(thing, property, was, is));
                }
                Alike::Perhaps => self.perhaps(&format!("the {property} of {thing}"), was, is),
                Alike::Different => self.differs(say.differs(thing, property, was, is)),
            },
            // What is made again is whoever's runs the down.
            (Fact::Known(was), Fact::Unknown) if property == "owner" && self.closed() => {
                self.differs(format!("the owner of {thing} is who runs the down where it was {was}"));
            }
            (Fact::Known(_), Fact::Unknown) => self.out.push(Difference::Lost(format!("the {property} of {thing}"))),
            (Fact::Unknown, Fact::Known(is)) => match &states.middle {
                Middle::Fact(Fact::Known(middle)) if middle == is && self.on_purpose(subject.id, property) => {
                    self.differs(say.keeps(thing, property, is));
                }
                Middle::Fact(Fact::Unknown)
                    if (property != "nullability"
                        || !(self.of_a_primary_key_made_again(subject.id) || self.of_an_unknown_index(subject.id)))
                        && !self.names_an_index_made_again(subject.id, property, is) =>
                {
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
                    if !self.part_of_another(was) {
                        let what = described(&self.before.relation_id(name));
                        self.differs(format!("{what} is missing"));
                    }
                }
                (was, Some(is)) => {
                    if was.is_none() && (self.part_of_another(is) || self.comes_with_a_table(is)) {
                        continue;
                    }
                    let id = self.after.relation_id(name);
                    if let (Some(Relation::Index(was)), Relation::Index(is)) = (was, is) {
                        self.attachment(&id, was, is);
                    }
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

    /// The index of a partition is attached to its parent's by ATTACH, whoever made it, and by none but DETACH let go.
    fn attachment(&mut self, id: &ObjectId, was: &Index, is: &Index) {
        if !self.closed() || was.parent == is.parent {
            return;
        }
        let index = described(id);
        self.differs(match (&was.parent, &is.parent) {
            (None, Some(parent)) => format!("{index} is attached to {}", shown(parent)),
            (Some(parent), None) => format!("{index} is not attached to {}", shown(parent)),
            (Some(was), Some(is)) => format!("{index} is attached to {} where it was to {}", shown(is), shown(was)),
            (None, None) => return,
        });
    }

    /// Whether something else speaks for the relation. Where all is known the index of a partition speaks for itself: its
    /// name is its own.
    fn part_of_another(&self, relation: &Relation) -> bool {
        part_of_another(relation)
            && !(self.closed() && matches!(relation, Relation::Index(index) if index.constraint.is_none()))
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

    /// What no state lists, because it was taken: in the open world only the changes tell.
    fn unlisted(&mut self) {
        let Some((_, ledger)) = self.through else { return };
        for entry in ledger.entries().filter(|entry| entry.taken_by_down && entry.remade) {
            let holds_rows = (entry.object.space == Space::Column && !self.generated(&entry.object))
                || (entry.object.space == Space::Relation && matches!(entry.object.noun, "table" | "sequence"));
            if holds_rows {
                let what = described(&entry.object);
                self.differs(format!("the down drops {what} and makes it anew: what was in it is lost"));
            }
        }
        if self.closed() {
            // Every name is taken again, and not by what had it.
            for (entry, now) in ledger.renamed().filter(|(entry, _)| entry.object.noun == "table") {
                let what = described(&entry.object);
                self.out.push(Difference::Unsure(format!("{what} is called {}: its rows are there", shown(now))));
            }
            return;
        }
        for (entry, now) in ledger.renamed() {
            // A key and its index have one name: what renames the one renames the other.
            let other_way = |(other, back): (&Entry, &Name)| {
                (entry.object.noun == "index" && other.object.space == Space::Constraint
                    || entry.object.space == Space::Constraint && other.object.noun == "index")
                    && other.object.name.name == now.name
                    && back.name == entry.object.name.name
            };
            if ledger.renamed().any(other_way) {
                continue;
            }
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
            let plain = |text: &str| text.replace('"', "").replace("public.", "");
            let key = plain(&format!("{} {}", object.noun, object.name));
            if self.after.others.keys().any(|other| plain(other) == key) {
                continue;
            }
            let one_of_the_name = object.space == Space::Routine
                && !object.name.name.contains('(')
                && self.after.functions.get(&object.name).is_some_and(|overloads| overloads.len() == 1);
            if one_of_the_name {
                continue;
            }
            let what = described(object);
            if self.is_kept_bound(object) {
                continue;
            }
            if self.went_with_a_constraint(object) {
                self.differs(format!("{what} is missing: the constraint that took it over took it along"));
                continue;
            }
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

    /// Whether it may be the CHECK that DETACH CONCURRENTLY left of a bound that is not known.
    fn is_kept_bound(&self, object: &ObjectId) -> bool {
        let detached = |(middle, _): (&Schema, &Ledger)| {
            object.owner.as_ref().is_some_and(|table| middle.others.contains_key(&format!("kept bound of {table}")))
        };
        object.space == Space::Constraint && self.through.is_some_and(detached)
    }

    /// Whether the column computes its values, before and after.
    fn generated(&self, column: &ObjectId) -> bool {
        let computed = |schema: &Schema| {
            column
                .owner
                .as_ref()
                .and_then(|owner| schema.table(owner))
                .and_then(|table| table.column(&column.name.name))
                .is_some_and(|column| matches!(column.generated, Fact::Known(Some(_))))
        };
        let dropped_expression =
            self.entry(column).is_some_and(|entry| entry.set_by_up.contains(&crate::model::EffectKind::DropExpression));
        (computed(self.before) || dropped_expression) && computed(self.after)
    }

    /// Whether the ups made the index a constraint's own, so that dropping the constraint drops it.
    fn went_with_a_constraint(&self, object: &ObjectId) -> bool {
        object.space == Space::Relation
            && matches!(self.middle(&object.name), Some(Relation::Index(index)) if index.constraint.is_some())
            && self.entry(object).is_some_and(|entry| entry.before == Before::Yes)
    }

    /// What the down makes hangs on something that the up took away and the down makes again: it went along.
    fn went_along(&self, object: &ObjectId) -> bool {
        let remade =
            |id: &ObjectId| self.entry(id).is_some_and(|entry| entry.by_up && entry.remade && !entry.taken_by_down);
        let schema = object.name.schema.as_ref().map(|schema| ObjectId {
            space: Space::Schema,
            noun: "schema",
            owner: None,
            name: Name::bare(schema),
        });
        schema.is_some_and(|schema| remade(&schema))
            || self.taken_without_arguments(object)
            || object.owner.as_ref().is_some_and(|owner| remade(&self.after.relation_id(owner)))
            || super::properties::lost_with(self.after, object).iter().any(remade)
    }

    /// The ups dropped a routine by its name alone, and this is the one of that name.
    fn taken_without_arguments(&self, object: &ObjectId) -> bool {
        let Some((bare, _)) = object.name.name.split_once('(') else { return false };
        let name = Name { schema: object.name.schema.clone(), name: bare.to_owned() };
        let bare = ObjectId { name, ..object.clone() };
        object.space == Space::Routine
            && self.entry(&bare).is_some_and(|entry| entry.by_up && !entry.there && entry.before != Before::No)
    }

    /// The column is in a primary key, or has a NOT NULL constraint, that the ups dropped and the downs made again: it was
    /// NOT NULL while it was there.
    fn of_a_primary_key_made_again(&self, column: &ObjectId) -> bool {
        let Some((owner, (_, ledger))) = column.owner.as_ref().zip(self.through) else { return false };
        let Some(table) = self.after.table(owner) else { return false };
        table.constraints.iter().any(|(name, constraint)| {
            let of_column = match constraint.kind.known() {
                Some(ConstraintKind::PrimaryKey { columns, .. }) => columns.contains(&column.name.name),
                Some(ConstraintKind::NotNull { column: of }) => *of == column.name.name,
                _ => false,
            };
            of_column
                && ledger.entries().any(|entry| {
                    entry.object.space == Space::Constraint
                        && entry.object.owner.as_ref() == Some(owner)
                        && entry.object.name.name == *name
                        && entry.by_up
                        && matches!(entry.before, Before::Yes | Before::PerhapsTaken)
                })
        })
    }

    /// The ups make a primary key of an index whose columns are not known: any column may be one that it made NOT NULL.
    fn of_an_unknown_index(&self, column: &ObjectId) -> bool {
        let Some((owner, (middle, _))) = column.owner.as_ref().zip(self.through) else { return false };
        middle.table(owner).is_some_and(|table| {
            let unknown = |constraint: &crate::sql::schema::Constraint| {
                matches!(constraint.kind.known(), Some(ConstraintKind::PrimaryKeyUsingIndex { .. }))
            };
            table.constraints.iter().any(|(name, constraint)| {
                let there = self.before.table(owner).is_some_and(|table| table.constraints.contains_key(name));
                unknown(constraint) && !there
            })
        })
    }

    /// CLUSTER ON and REPLICA IDENTITY went with an index that the ups took and the downs made again.
    fn names_an_index_made_again(&self, table: &ObjectId, property: &str, is: &str) -> bool {
        let Some((_, ledger)) = self.through else { return false };
        ["clustering index", "replica identity"].contains(&property)
            && ledger.entries().any(|entry| {
                let space = entry.object.space;
                let named = is.rsplit(' ').next().is_some_and(|last| last.trim_matches('"') == entry.object.name.name);
                (space == Space::Relation && entry.object.noun == "index"
                    || space == Space::Constraint && entry.object.owner.as_ref() == Some(&table.name))
                    && named
                    && entry.remade
                    && entry.by_up
            })
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

//! Tables: their columns, what hangs on them, and their settings.

use super::say::{Say, described, shown};
use super::texts::{
    column_id, default_text, identity_of, is_default, names, or_none, part_id, partition_key, partition_of,
    says_only_not_null, table_text, text_fact, trigger_text, unless,
};
use super::{Comparison, Difference, Facts, Middle, Read, States, Subject};
use crate::model::Space;
use crate::sql::ObjectId;
use crate::sql::ast::Persistence;
use crate::sql::name::{Name, quoted};
use crate::sql::schema::alike::Alike;
use crate::sql::schema::ledger::Before;
use crate::sql::schema::text::{column_text, constraint_text, list, type_text};
use crate::sql::schema::{Column, Constraint, Fact, RowSecurityFlag, Table};
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Comparison<'a> {
    /// A table that the state before does not list.
    pub(super) fn new_table(&mut self, name: &Name, middle: Option<&'a Table>, is: &'a Table) {
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

    pub(super) fn table(&mut self, name: &Name, was: Option<&'a Table>, middle: Option<&'a Table>, is: &'a Table) {
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
        let properties: [(&'static str, Say, Read<'_, Table>); 8] = [
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
            let mut states =
                Facts { before: read(was), middle: self.middle_fact(untouched, middle.map(read)), after: read(is) };
            if property == "partition bound" {
                match self.bounds(was, is) {
                    Alike::Same => states.after.clone_from(&states.before),
                    Alike::Perhaps => {
                        self.perhaps(
                            &format!("the bound of {table}"),
                            &spoken_fact(&states.before),
                            &spoken_fact(&states.after),
                        );
                        continue;
                    }
                    Alike::Different => {}
                }
            }
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
            // What NO INHERIT made the table's own stays so (`MergeAttributesIntoExisting` in `tablecmds.c`).
            if middle.is_some_and(|middle| middle.inherits != was.inherits) && was.inherits == is.inherits {
                let own =
                    |column: &&Column| column.inherited && is.column(&column.name).is_some_and(|it| !it.inherited);
                for column in was.columns.iter().filter(own) {
                    let column = described(&column_id(name, &column.name));
                    self.differs(format!("{column} is the table's own where it was its parent's"));
                }
            }
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

    pub(super) fn row_security(&mut self, id: &ObjectId, name: &Name, was: &Table, middle: Option<&Table>, is: &Table) {
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
                        self.differs(format!(
                            "the down changes the {property} of {thing}, which the up does not touch"
                        ));
                    }
                }
            }
        }
    }

    pub(super) fn middle_fact(&self, untouched: bool, fact: Option<Fact<String>>) -> Middle {
        match (self.through, fact) {
            (None, _) => Middle::None,
            (Some(_), None) if untouched => Middle::Fact(Fact::Unknown),
            (Some(_), None) => Middle::Gone,
            (Some(_), Some(fact)) => Middle::Fact(fact),
        }
    }

    /// Settings by name: one that is not listed has its default where everything is known, else it is not known.
    pub(super) fn options(
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

    pub(super) fn columns(&mut self, name: &Name, was: &Table, middle: Option<&'a Table>, is: &Table) {
        let complete = was.complete || self.closed();
        for listed in &was.columns {
            let id = column_id(name, &listed.name);
            match is.column(&listed.name) {
                Some(now) => {
                    self.column(&id, name, listed, self.middle_column(name, &listed.name, middle), now, complete);
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

    pub(super) fn was_column(&mut self, id: &ObjectId, column: &Column) {
        let definition = column_text(column);
        let sentence =
            format!("{}.{} was {definition}", id.owner.as_ref().map(shown).unwrap_or_default(), shown(&id.name));
        self.assumes(id.clone(), "definition", sentence, definition);
    }

    pub(super) fn middle_column(&self, table: &Name, column: &str, middle: Option<&'a Table>) -> Option<&'a Column> {
        let (_, ledger) = self.through?;
        middle?.column(&ledger.middle_column(table, column))
    }

    pub(super) fn column(
        &mut self,
        id: &ObjectId,
        table: &Name,
        was: &Column,
        middle: Option<&Column>,
        is: &Column,
        complete: bool,
    ) {
        let name = format!("{}.{}", shown(table), quoted(&is.name));
        if self.closed() && was.inherited != is.inherited {
            let (is, was) = if is.inherited { ("inherited alone", "its own") } else { ("its own", "inherited alone") };
            self.differs(format!("column {name} is {is} where it was {was}"));
        }
        // A column that the ups dropped and the downs added again is a new one.
        let remade = self.entry(id).is_some_and(|entry| entry.remade);
        let untouched = self.entry(id).is_none_or(|entry| !entry.by_up) && !self.closed();
        let properties: [(&'static str, Say, Read<'_, Column>); 6] = [
            ("type", Say::Type, &|column| text_fact(&column.data_type, type_text)),
            ("collation", Say::Word("COLLATE "), &|column| {
                text_fact(&column.collation, |of| of.as_ref().map_or_else(String::new, ToString::to_string))
            }),
            ("nullability", Say::NotNull, &|column| {
                text_fact(&column.not_null, |on| if *on { "NOT NULL" } else { "NULL" }.to_owned())
            }),
            ("default", Say::Word("DEFAULT "), &|column| {
                text_fact(&column.default, |of| {
                    of.as_ref().map_or_else(String::new, |of| default_text(&of.text, column))
                })
            }),
            ("generation expression", Say::Word(""), &|column| {
                text_fact(&column.generated, |of| of.as_ref().map_or_else(String::new, crate::sql::print::generated))
            }),
            ("identity", Say::Word(""), &|column| identity_of(table, column)),
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
    pub(super) fn setting(
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
    pub(super) fn parts(&mut self, name: &Name, was: &Table, middle: Option<&Table>, is: &Table) {
        let complete = was.complete || self.closed();
        let keys: BTreeSet<&String> = was.constraints.keys().chain(is.constraints.keys()).collect();
        for key in keys {
            let in_middle = middle.and_then(|table| table.constraints.get(key));
            let before = was.constraints.get(key);
            let after = is.constraints.get(key);
            // VALIDATE has nothing to take back: rows that are right stay right.
            let validated = before.is_some_and(|of| of.validated == Fact::Known(false))
                && in_middle.is_some_and(|of| of.validated == Fact::Known(true));
            let text = |of: &Constraint| {
                let validated = if validated { Fact::Known(true) } else { of.validated.clone() };
                of.kind.known().map(|_| constraint_text(&Constraint { validated, ..of.clone() }))
            };
            let id = part_id(Space::Constraint, "constraint", name, key);
            if validated && after.is_some_and(|of| of.validated == Fact::Known(true)) {
                self.out.push(Difference::Validated(format!("{} stays valid where it was NOT VALID", described(&id))));
            }
            // Where all is known so are the names that the server made up.
            if !self.closed()
                && before.is_some() != after.is_some()
                && before.or(after).is_some_and(|of| says_only_not_null(key, of))
            {
                continue;
            }
            if let (Some(was), Some(is), true) = (before, after, self.closed())
                && was.local != is.local
            {
                let (is, was) = if is.local { ("its own", "not") } else { ("inherited alone", "its own") };
                self.differs(format!("{} is {is} where it was {was}", described(&id)));
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
}

fn spoken_fact(fact: &Fact<String>) -> String {
    fact.known().cloned().unwrap_or_default()
}

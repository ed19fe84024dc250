//! Types, functions, and everything that is no more than a name and a text.

use super::texts::{defined_type_text, spoken};
use super::{Comparison, Difference, States};
use crate::model::Space;
use crate::sql::ObjectId;
use crate::sql::name::Name;
use crate::sql::schema::Schema;
use crate::sql::schema::alike::{Alike, alike};
use crate::sql::schema::ledger::Before;
use crate::sql::schema::text::{literal, type_text};
use std::collections::{BTreeMap, BTreeSet};

impl Comparison<'_> {
    pub(super) fn types(&mut self) {
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

    pub(super) fn functions(&mut self) {
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
            let mut id = ObjectId { space: Space::Routine, noun: "function", owner: None, name: name.clone() };
            if let Some(entry) = self.entry(&id) {
                id.noun = entry.object.noun;
            }
            // The body is kept as it was written, spaces and all.
            let parts = |of: Option<&Option<String>>| {
                of.and_then(Option::as_ref)
                    .and_then(|text| text.split_once(" AS "))
                    .map(|(head, body)| (head.to_owned(), body.to_owned()))
            };
            if let (Some((was_head, was_body)), Some((is_head, is_body))) = (parts(was.get(name)), parts(is.get(name)))
                && alike(&was_head, &is_head) == Alike::Same
                && was_body != is_body
            {
                self.differs(format!("{} has the body {is_body} where it had {was_body}", super::described(&id)));
                continue;
            }
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
    pub(super) fn named(&mut self) {
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
                .map(|(name, scope)| (name.clone(), super::texts::publication_text(scope)))
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
    pub(super) fn others(&mut self) {
        let (before, after) = (&self.before.others, &self.after.others);
        let middle = self.through.map(|(middle, _)| &middle.others);
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys {
            if let Some(table) = key.strip_prefix("kept bound of ") {
                self.kept_bound(table);
                continue;
            }
            if key.starts_with("privileges on ") {
                self.privileges(key, before.get(key), middle.and_then(|middle| middle.get(key)), after.get(key));
                continue;
            }
            // Whatever happened to these is kept as one growing text: only a server can compare it.
            if !["comment on ", "owner on ", "state on ", "statistics target on ", "default on "]
                .iter()
                .any(|prefix| key.starts_with(prefix))
            {
                if before.contains_key(key) != after.contains_key(key)
                    && key.contains(' ')
                    && key != "default privileges"
                {
                    let replaced =
                        || middle.and_then(|middle| middle.get(key)).is_some_and(|is| after.get(key) != Some(is));
                    if !before.contains_key(key)
                        && (self.was_in(key, &[Before::Yes, Before::PerhapsTaken])
                            || (replaced() && self.was_in(key, &[Before::PerhapsMade])))
                    {
                        let object =
                            ObjectId { space: Space::Other, noun: "object", owner: None, name: Name::bare(key) };
                        let text = after.get(key).cloned().unwrap_or_default();
                        self.assumes(object, "definition", format!("{} was made by {text}", spoken(key)), text);
                        continue;
                    }
                    let is = if after.contains_key(key) { "still there" } else { "missing" };
                    self.differs(format!("{} is {is}", spoken(key)));
                } else if let (Some(was), Some(is)) = (before.get(key), after.get(key))
                    && was != is
                {
                    let plain = |text: &str| {
                        text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("create ")) && !text.contains("; ")
                    };
                    let listed = was.ends_with(')') && is.ends_with(')') && !key.starts_with("operator class");
                    if plain(was) && plain(is) && (listed || alike(was, is) == Alike::Different) {
                        self.differs(format!("{} is made by {is} where it was made by {was}", spoken(key)));
                    } else {
                        self.out.push(Difference::Lost(format!("what {} is", spoken(key))));
                    }
                } else if before.contains_key(key) != after.contains_key(key) {
                    self.out.push(Difference::Lost(format!("what {} is", spoken(key))));
                }
                continue;
            }
            let what = spoken(key);
            let is_comment = key.starts_with("comment on ");
            let text = |text: &String| if is_comment { literal(text) } else { text.clone() };
            match (before.get(key), after.get(key)) {
                (Some(was), Some(is)) if was != is => {
                    self.differs(format!("the {what} is {} where it was {}", text(is), text(was)));
                }
                (Some(was), None) => self.differs(format!("the {what} is missing: it was {}", text(was))),
                (None, Some(is)) => {
                    let stays = middle.is_some_and(|middle| middle.get(key) == Some(is));
                    let perhaps_so = || self.closed() && !stays && key.starts_with("owner on ") && !self.is_named(is);
                    if perhaps_so() && self.through.is_some() {
                        self.out.push(Difference::Unsure(format!(
                            "the {what} is {is} where it was whoever made it, who may be the same"
                        )));
                    } else if self.closed() || stays || self.through.is_none() {
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

    /// DETACH CONCURRENTLY kept a bound that is not known, and the downs drop no constraint of the partition.
    fn kept_bound(&mut self, table: &str) {
        let dropped = self.through.is_some_and(|(_, ledger)| {
            ledger.entries().any(|entry| {
                !entry.there
                    && !entry.by_up
                    && entry.object.space == Space::Constraint
                    && entry.object.owner.as_ref().is_some_and(|owner| owner.to_string() == table)
            })
        });
        if !dropped {
            self.out.push(Difference::Unsure(format!(
                "DETACH CONCURRENTLY leaves the bound of {table} as a CHECK, which the down does not drop"
            )));
        }
    }

    /// Whether the setup names the role as an owner, or as one who is granted something: then it is not who ran it.
    fn is_named(&self, role: &str) -> bool {
        let to = format!(" to {role}");
        let (before, relations) = (&self.before.others, self.before.tables());
        before.iter().any(|(key, owner)| {
            (key.starts_with("owner on ") && owner == role) || (key.starts_with("privileges on ") && key.ends_with(&to))
        }) || relations.into_iter().any(|(_, table)| table.owner.known().is_some_and(|owner| owner == role))
    }

    /// Whether the ups took or replaced the object of this kind and name, which nothing lists here: what they tell of whether
    /// it was there is one of these.
    fn was_in(&self, key: &str, states: &[Before]) -> bool {
        let plain = |text: &str| text.replace('"', "").replace("public.", "");
        let key = plain(key);
        let named = |object: &ObjectId| match &object.owner {
            Some(owner) => format!("{} {owner}.{}", object.noun, object.name),
            None => format!("{} {}", object.noun, object.name),
        };
        !self.closed()
            && self.through.is_some_and(|(_, ledger)| {
                ledger
                    .entries()
                    .any(|entry| entry.by_up && states.contains(&entry.before) && plain(&named(&entry.object)) == key)
            })
    }

    /// Privileges, one by one: `SELECT`, `INSERT (a) WITH GRANT OPTION`, and `-SELECT` for one that was taken without
    /// having been granted here.
    pub(super) fn privileges(&mut self, key: &str, was: Option<&String>, middle: Option<&String>, is: Option<&String>) {
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
        // REVOKE ALL takes what there is: what is granted again says what that was, and a history whether it is so.
        let all: &[&str] = match object.split_whitespace().next() {
            Some("sequence") => &["SELECT", "UPDATE", "USAGE"],
            Some("schema") => &["CREATE", "USAGE"],
            _ => &["DELETE", "INSERT", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"],
        };
        let some_back = is.iter().any(|held| !held.starts_with('-'));
        let took_all = !self.closed() && some_back && all.iter().all(|name| middle.contains(&format!("-{name}")));
        for held in is.difference(&was) {
            let by_up = middle.contains(held);
            match held.strip_prefix('-') {
                Some(_) if by_up && took_all => {}
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

    pub(super) fn maps(
        &mut self,
        space: Space,
        noun: &'static str,
        read: &dyn Fn(&Schema) -> BTreeMap<String, String>,
    ) {
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
}

//! GRANT, REVOKE and owners: privileges are kept as one set per object and grantee, so that what REVOKE takes back of a
//! GRANT is gone.

use super::Apply;
use super::change::{object, routine};
use super::others::key;
use crate::model::{EffectKind, Space, Verb};
use crate::sql::ObjectId;
use crate::sql::ast::{Grant, ObjectKind, Target};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::{ApplyError, Fact, Relation};
use std::collections::BTreeSet;

impl Apply<'_> {
    pub(super) fn grant(&mut self, grant: &Grant) -> Applied {
        let kind = if grant.revoke { EffectKind::Revoke } else { EffectKind::Grant };
        let text = grant_text(grant);
        for id in self.granted_on(grant)? {
            for grantee in &grant.grantees {
                self.record_privileges(&id, grantee, grant);
            }
            self.change(kind, Verb::Alter, id, text.clone());
        }
        Ok(())
    }

    fn granted_on(&mut self, grant: &Grant) -> Applied<Vec<ObjectId>> {
        if grant.of_roles {
            let roles = grant.privileges.iter().map(|(role, _)| role);
            return Ok(roles.map(|role| super::change::object(Space::Role, "role", Name::bare(role))).collect());
        }
        let mut ids = Vec::new();
        for target in &grant.objects {
            ids.push(self.found(target)?);
            for (_, columns) in &grant.privileges {
                for column in columns {
                    let on = Target {
                        kind: ObjectKind::Column,
                        name: Name::bare(column),
                        on: Some(target.name.clone()),
                        args: None,
                    };
                    self.found(&on)?;
                }
            }
        }
        for schema in &grant.all_in_schemas {
            if self.closed() && !self.schema.schemas.contains(schema) {
                return Err(ApplyError::no_schema(schema));
            }
            if self.closed() {
                ids.extend(self.all_in(schema, grant.all_kind));
            } else {
                ids.push(super::change::object(Space::Schema, "all in schema", Name::bare(schema)));
            }
        }
        Ok(ids)
    }

    /// What ALL TABLES, SEQUENCES, FUNCTIONS … IN SCHEMA are.
    fn all_in(&self, schema: &str, kind: Option<ObjectKind>) -> Vec<ObjectId> {
        let here = |name: &Name| name.schema.as_deref() == Some(schema);
        let relations = self.schema.relations.iter().filter(|(name, relation)| {
            here(name)
                && match relation {
                    Relation::Table(_) | Relation::View(_) | Relation::MaterializedView(_) => {
                        kind == Some(ObjectKind::Table)
                    }
                    Relation::Sequence(_) => kind == Some(ObjectKind::Sequence),
                    Relation::Index(_) => false,
                }
        });
        let mut ids: Vec<_> = relations.map(|(name, _)| self.schema.relation_id(name)).collect();
        for (name, overloads) in self.schema.functions.iter().filter(|(name, _)| here(name)) {
            for of in overloads {
                let of_kind = of.routine.kind;
                if kind == Some(of_kind) || kind == Some(ObjectKind::Routine) {
                    ids.push(routine(super::functions::noun(of_kind), name, of.routine.args.as_deref()));
                }
            }
        }
        ids
    }

    fn record_privileges(&mut self, id: &ObjectId, grantee: &str, grant: &Grant) {
        let entry = format!("privileges on {} to {grantee}", key(id));
        // In an empty database only the owner has privileges that nobody granted, and nobody grants the owner any; all
        // may use functions and types.
        let stranger = self.closed() && self.is_grantee(grantee);
        let by_default = grantee == "public" && !matches!(id.space, Space::Relation | Space::Schema | Space::Role);
        self.hold(entry, grant, id.noun, |apply| {
            !(stranger && !by_default || apply.schema.is_new(&id.name) && id.space == Space::Relation)
        });
        if by_default && self.closed() {
            self.unsay_defaults(&format!("privileges on {} to {grantee}", key(id)));
        }
    }

    /// Whether some statement granted the role anything.
    fn is_grantee(&self, role: &str) -> bool {
        let to = format!(" to {role}");
        role == "public" || self.schema.others.keys().any(|key| key.starts_with("privileges on ") && key.ends_with(&to))
    }

    /// What all have by default need not be granted.
    pub(super) fn unsay_defaults(&mut self, entry: &str) {
        if let Some(held) = self.schema.others.get_mut(entry) {
            let kept = held.split("; ").filter(|held| !matches!(*held, "EXECUTE" | "USAGE"));
            *held = kept.collect::<Vec<_>>().join("; ");
            if held.is_empty() {
                self.schema.others.remove(entry);
            }
        }
    }

    /// Writes down under the entry what is granted and taken. What was not granted here may have been before, where
    /// `perhaps` says so: taking it is worth an entry.
    pub(super) fn hold(&mut self, entry: String, grant: &Grant, noun: &str, perhaps: impl Fn(&Self) -> bool) {
        let held = self.schema.others.remove(&entry).unwrap_or_default();
        let mut held: BTreeSet<String> =
            held.split("; ").filter(|privilege| !privilege.is_empty()).map(str::to_owned).collect();
        for privilege in spelled(grant, noun, self.pg.at_least(17)) {
            let taken = format!("-{privilege}");
            let with = format!("{privilege} WITH GRANT OPTION");
            match (grant.revoke, grant.grant_option) {
                (false, true) => {
                    held.remove(&privilege);
                    held.insert(with);
                }
                (false, false) => {
                    if !held.contains(&with) {
                        held.insert(privilege);
                    }
                }
                (true, true) => {
                    if held.remove(&with) {
                        held.insert(privilege);
                    }
                }
                (true, false) => {
                    let granted = held.remove(&privilege) | held.remove(&with);
                    if !granted && perhaps(self) {
                        held.insert(taken);
                    }
                    // Of the whole table means of each column.
                    let of_columns = format!("{privilege} (");
                    held.retain(|held| !held.starts_with(&of_columns));
                    continue;
                }
            }
            held.remove(&taken);
        }
        if !held.is_empty() {
            self.schema.others.insert(entry, held.into_iter().collect::<Vec<_>>().join("; "));
        }
    }

    /// Whoever runs the statements is the owner that nothing says.
    pub(super) fn record_owner(&mut self, id: &ObjectId, to: &str) {
        let entry = format!("owner on {}", key(id));
        if self.closed() && matches!(to, "current_user" | "current_role" | "session_user") {
            self.schema.others.remove(&entry);
        } else {
            self.schema.others.insert(entry, to.to_owned());
        }
    }

    /// `REASSIGN OWNED BY a, b TO c`.
    pub(super) fn reassign_owned(&mut self, text: &str) {
        let id = object(Space::Other, "owned", Name::bare("owned"));
        self.change(EffectKind::ChangeOwner, Verb::Alter, id, text);
        let Some((from, to)) = text.trim_start_matches("reassign owned by ").rsplit_once(" to ") else { return };
        let from: Vec<&str> = from.split(", ").collect();
        self.schema.others.change(|key, owner| {
            if key.starts_with("owner on ") && from.contains(&owner.as_str()) {
                to.clone_into(owner);
            }
        });
        self.schema.relations.change(|_, relation| {
            if let Relation::Table(table) = relation
                && table.owner.known().is_some_and(|owner| from.contains(&owner.as_str()))
            {
                table.owner = Fact::Known(to.to_owned());
            }
        });
    }

    pub(super) fn set_owner(&mut self, target: &Target, to: &str) -> Applied {
        let id = self.found(target)?;
        if let Some(Relation::Table(table)) = self.schema.relations.get_mut(&id.name)
            && id.space == Space::Relation
        {
            table.owner = Fact::Known(to.to_owned());
        } else {
            self.record_owner(&id, to);
        }
        self.change(EffectKind::ChangeOwner, Verb::Alter, id, to);
        Ok(())
    }
}

/// The privileges one by one: `SELECT`, `UPDATE (a)`; ALL spelled out for the kinds that schemas change often.
fn spelled(grant: &Grant, noun: &str, maintain: bool) -> Vec<String> {
    if grant.of_roles {
        return vec!["MEMBER".to_owned()];
    }
    let mut all = Vec::new();
    for (privilege, columns) in &grant.privileges {
        let names: Vec<&str> = match (privilege.as_str(), noun) {
            ("ALL" | "ALL PRIVILEGES", "table" | "view" | "materialized view" | "foreign table") => {
                let mut all = vec!["DELETE", "INSERT", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"];
                all.extend(maintain.then_some("MAINTAIN").filter(|_| columns.is_empty()));
                all
            }
            ("ALL" | "ALL PRIVILEGES", "sequence") => vec!["SELECT", "UPDATE", "USAGE"],
            ("ALL" | "ALL PRIVILEGES", "schema") => vec!["CREATE", "USAGE"],
            ("ALL" | "ALL PRIVILEGES", "function" | "procedure") => vec!["EXECUTE"],
            ("ALL" | "ALL PRIVILEGES", "type" | "domain") => vec!["USAGE"],
            (other, _) => vec![other],
        };
        for name in names {
            if columns.is_empty() {
                all.push(name.to_owned());
            } else {
                all.extend(columns.iter().map(|column| format!("{name} ({column})")));
            }
        }
    }
    all
}

fn grant_text(grant: &Grant) -> String {
    let privileges: Vec<String> = grant
        .privileges
        .iter()
        .map(
            |(name, columns)| {
                if columns.is_empty() { name.clone() } else { format!("{name} ({})", columns.join(", ")) }
            },
        )
        .collect();
    let word = if grant.revoke { "FROM" } else { "TO" };
    let option = if grant.grant_option { " WITH GRANT OPTION" } else { "" };
    format!("{} {word} {}{option}", privileges.join(", "), grant.grantees.join(", "))
}

//! GRANT, REVOKE and owners: privileges are kept as one set per object and grantee, so that what REVOKE takes back of a
//! GRANT is gone.

use super::Apply;
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
            ids.push(super::change::object(Space::Schema, "all in schema", Name::bare(schema)));
        }
        Ok(ids)
    }

    fn record_privileges(&mut self, id: &ObjectId, grantee: &str, grant: &Grant) {
        let entry = format!("privileges on {} to {grantee}", key(id));
        let held = self.schema.others.remove(&entry).unwrap_or_default();
        let mut held: BTreeSet<String> =
            held.split("; ").filter(|privilege| !privilege.is_empty()).map(str::to_owned).collect();
        for privilege in spelled(grant, id.noun) {
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
                    // What was not granted here may have been before (or by default): taking it is worth an entry.
                    let granted = held.remove(&privilege) | held.remove(&with);
                    if !granted && !self_new(self.schema.is_new(&id.name), id) {
                        held.insert(taken);
                    }
                    continue;
                }
            }
            held.remove(&taken);
        }
        if !held.is_empty() {
            self.schema.others.insert(entry, held.into_iter().collect::<Vec<_>>().join("; "));
        }
    }

    pub(super) fn set_owner(&mut self, target: &Target, to: &str) -> Applied {
        let id = self.found(target)?;
        if let Some(Relation::Table(table)) = self.schema.relations.get_mut(&id.name)
            && id.space == Space::Relation
        {
            table.owner = Fact::Known(to.to_owned());
        } else {
            self.schema.others.insert(format!("owner on {}", key(&id)), to.to_owned());
        }
        self.change(EffectKind::ChangeOwner, Verb::Alter, id, to);
        Ok(())
    }
}

/// Nobody has privileges on what is new but its owner and those it was granted to.
fn self_new(new: bool, id: &ObjectId) -> bool {
    new && id.space == Space::Relation
}

/// The privileges one by one: `SELECT`, `UPDATE (a)`; ALL spelled out for the kinds that schemas change often.
fn spelled(grant: &Grant, noun: &str) -> Vec<String> {
    if grant.of_roles {
        return vec!["MEMBER".to_owned()];
    }
    let mut all = Vec::new();
    for (privilege, columns) in &grant.privileges {
        let names: Vec<&str> = match (privilege.as_str(), noun) {
            ("ALL" | "ALL PRIVILEGES", "table" | "view" | "materialized view" | "foreign table") => {
                vec!["DELETE", "INSERT", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"]
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

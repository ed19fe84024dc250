//! ALTER DEFAULT PRIVILEGES, and the privileges that what is made afterwards has from the start
//! (`get_user_default_acl` in `aclchk.c`).

use super::Apply;
use super::change::object;
use super::others::key;
use crate::model::{EffectKind, Space, Verb};
use crate::sql::ObjectId;
use crate::sql::ast::Grant;
use crate::sql::name::Name;
use std::collections::BTreeSet;

/// What the statement says, part by part.
struct Defaults {
    /// Whose objects; whoever runs the statement where it names none.
    makers: Vec<String>,
    /// In which schemas; everywhere where it names none.
    schemas: Vec<String>,
    /// `tables`, `sequences`, `functions`, `types`, `schemas`.
    kind: String,
    grant: Grant,
}

/// Objects of whoever runs the statement.
const OWN: &str = "current_user";

/// Reads `alter default privileges for role a in schema s grant select on tables to b`.
fn read(text: &str) -> Option<Defaults> {
    let rest = text.strip_prefix("alter default privileges ")?;
    let (at, revoke) = match (format!(" {rest}").find(" grant "), format!(" {rest}").find(" revoke ")) {
        (Some(grant), Some(revoke)) if revoke < grant => (revoke, true),
        (Some(grant), _) => (grant, false),
        (None, revoke) => (revoke?, true),
    };
    let (scope, action) = (rest[..at].trim(), &rest[at..]);
    let list = |text: &str| text.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>();
    let (makers, schemas) = match scope.split_once("in schema ") {
        Some((makers, schemas)) => (makers.trim(), list(schemas)),
        None => (scope, Vec::new()),
    };
    let makers = makers.strip_prefix("for role ").or(makers.strip_prefix("for user "));
    let action = action.trim_start_matches("grant ").trim_start_matches("revoke ");
    let (action, option_for) = match action.strip_prefix("grant option for ") {
        Some(rest) => (rest, true),
        None => (action, false),
    };
    let (privileges, rest) = action.split_once(" on ")?;
    let (kind, rest) = rest.split_once(if revoke { " from " } else { " to " })?;
    let (grantees, with_option) = match rest.strip_suffix(" with grant option") {
        Some(grantees) => (grantees, true),
        None => (rest, false),
    };
    let grantees = grantees.trim_end_matches(" cascade").trim_end_matches(" restrict");
    let grantees = list(grantees).into_iter().map(|name| name.trim_start_matches("group ").to_owned());
    Some(Defaults {
        makers: makers.map_or_else(|| vec![OWN.to_owned()], list),
        schemas,
        kind: if kind == "routines" { "functions".to_owned() } else { kind.to_owned() },
        grant: Grant {
            revoke,
            privileges: list(privileges).into_iter().map(|name| (name.to_ascii_uppercase(), Vec::new())).collect(),
            objects: Vec::new(),
            all_in_schemas: Vec::new(),
            all_kind: None,
            of_roles: false,
            grantees: grantees.collect(),
            grant_option: option_for || with_option,
            cascade: false,
            granted_by: None,
        },
    })
}

/// The noun of an object of the kind, by which ALL is spelled out.
fn noun(kind: &str) -> &'static str {
    match kind {
        "tables" => "table",
        "sequences" => "sequence",
        "functions" => "function",
        "types" => "type",
        _ => "schema",
    }
}

/// What the privileges are on: `tables made by a in s`.
fn scope(kind: &str, maker: &str, schema: Option<&str>) -> String {
    let schema = schema.map_or_else(String::new, |schema| format!(" in {schema}"));
    format!("{kind} made by {maker}{schema}")
}

impl Apply<'_> {
    pub(super) fn default_privileges(&mut self, text: &str) {
        let id = object(Space::Other, "default privileges", Name::bare("default privileges"));
        self.change(EffectKind::ChangeObject, Verb::Alter, id, text);
        let Some(defaults) = read(text) else {
            self.schema.others.at("default privileges".to_owned(), String::new).push_str(text);
            return;
        };
        for maker in &defaults.makers {
            let everywhere = defaults.schemas.is_empty();
            let schemas: Vec<Option<&str>> =
                if everywhere { vec![None] } else { defaults.schemas.iter().map(|it| Some(it.as_str())).collect() };
            for schema in schemas {
                for grantee in &defaults.grant.grantees {
                    let entry = format!("privileges on {} to {grantee}", scope(&defaults.kind, maker, schema));
                    // Everywhere, all may use functions and types, and the maker may do everything, before anything is said.
                    let by_default = grantee == "public" && matches!(defaults.kind.as_str(), "functions" | "types");
                    let perhaps = everywhere && (by_default || grantee == maker) || !self.closed();
                    self.hold(entry.clone(), &defaults.grant, noun(&defaults.kind), |_| perhaps);
                    if everywhere && by_default {
                        self.unsay_defaults(&entry);
                    }
                }
            }
        }
    }

    /// What the object that is new has by the defaults of whoever made it.
    pub(super) fn grant_defaults(&mut self, id: &ObjectId) {
        let kind = match (id.space, id.noun) {
            (Space::Relation, "sequence") => "sequences",
            (Space::Relation, "table" | "view" | "materialized view" | "foreign table") => "tables",
            (Space::Routine, _) => "functions",
            (Space::Type, _) => "types",
            (Space::Schema, _) => "schemas",
            _ => return,
        };
        let scopes = [scope(kind, OWN, None), scope(kind, OWN, id.name.schema.as_deref().or(Some("public")))];
        let mut given: Vec<(String, String)> = Vec::new();
        for scope in scopes {
            let on = format!("privileges on {scope} to ");
            given.extend(
                self.schema
                    .others
                    .iter()
                    .filter_map(|(key, held)| key.strip_prefix(&on).map(|grantee| (grantee.to_owned(), held.clone()))),
            );
        }
        for (grantee, held) in given {
            let entry = self.schema.others.at(format!("privileges on {} to {grantee}", key(id)), String::new);
            let all: BTreeSet<&str> =
                entry.split("; ").chain(held.split("; ")).filter(|held| !held.is_empty()).collect();
            *entry = all.into_iter().collect::<Vec<_>>().join("; ");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn every_part_of_the_statement_is_read() {
        let text = "alter default privileges for role a, b in schema s revoke grant option for select, insert on tables from c cascade";
        let defaults = read(text).unwrap();
        assert_eq!(defaults.makers, ["a", "b"]);
        assert_eq!(defaults.schemas, ["s"]);
        assert_eq!(defaults.kind, "tables");
        assert!(defaults.grant.revoke && defaults.grant.grant_option);
        assert_eq!(defaults.grant.grantees, ["c"]);
        assert_eq!(defaults.grant.privileges.len(), 2);
        let defaults = read("alter default privileges grant execute on routines to public").unwrap();
        assert_eq!((defaults.kind.as_str(), defaults.makers.len()), ("functions", 1));
        assert!(read("alter default privileges").is_none());
    }
}

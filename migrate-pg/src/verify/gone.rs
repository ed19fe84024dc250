//! Roles belong to the server and not to a database: those that a pair makes are gone after it.

use super::seed::said;
use super::words::{Word, words};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::rows;
use crate::quote::{ident, literal};
use tokio_postgres::Client;

/// The names after CREATE ROLE, USER and GROUP.
pub(super) fn created_roles<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let is =
        |word: Option<&Word>, names: &[&str]| matches!(word, Some(Word::Name(name)) if names.contains(&name.as_str()));
    let mut roles = Vec::new();
    for text in texts {
        let words = words(text);
        for at in 0..words.len() {
            if is(words.get(at), &["create"])
                && is(words.get(at + 1), &["role", "user", "group"])
                && let Some(Word::Name(name)) = words.get(at + 2)
                && name != "mapping"
            {
                roles.push(name.clone());
            }
        }
    }
    roles
}

/// The roles that are going to be made, and were not there before.
pub(super) struct Left {
    client: Client,
    roles: Vec<String>,
}

impl Left {
    pub(super) async fn new(client: Client, named: Vec<String>) -> Result<Self> {
        let mut left = Self { client, roles: Vec::new() };
        if !named.is_empty() {
            let names: Vec<String> = named.iter().map(|name| literal(name)).collect();
            let sql = format!("SELECT rolname FROM pg_catalog.pg_roles WHERE rolname IN ({})", names.join(", "));
            let found = left.client.simple_query(&sql).await.map_err(|error| {
                Error::new(ErrorKind::Proof, format!("the roles could not be looked at: {}", said(&error)))
            })?;
            let there: Vec<String> = rows(found).iter().filter_map(|row| row.get(0).map(str::to_owned)).collect();
            left.roles = named.into_iter().filter(|name| !there.contains(name)).collect();
        }
        Ok(left)
    }

    /// After the database is gone, in which they may own something.
    pub(super) async fn drop_roles(self) {
        for role in &self.roles {
            if let Err(error) = self.client.batch_execute(&format!("DROP ROLE IF EXISTS {}", ident(role))).await {
                tracing::warn!(target: "migrate", role, error = said(&error), "a role is left on the server");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_seen_where_they_are_made() {
        let text =
            "CREATE ROLE app; create user \"Mixed\" LOGIN; CREATE USER MAPPING FOR app SERVER s; DO 'CREATE ROLE no'";
        assert_eq!(created_roles([text].into_iter()), ["app", "Mixed"]);
    }
}

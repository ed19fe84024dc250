//! Where sequences stand. That is nowhere but in the sequences themselves, and in no transaction.

use super::CatalogError;
use super::session;
use crate::quote;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tokio_postgres::Client;

/// The last value of each sequence, `7`, or `7 is next` where it was not used yet; `None` where the role may not read it.
/// The names are quoted, and qualified.
pub(super) async fn read<'a>(
    client: &Client,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, Option<String>>, CatalogError> {
    let mut values = String::new();
    for name in names {
        let comma = if values.is_empty() { "" } else { ", " };
        let _ = write!(values, "{comma}({})", quote::literal(name));
    }
    if values.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = format!(
        "SELECT s.name, pg_catalog.has_sequence_privilege(s.name, 'SELECT') \
         AND pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE') FROM (VALUES {values}) s(name) \
         JOIN pg_catalog.pg_class c ON c.oid = s.name::pg_catalog.regclass"
    );
    let mut positions = BTreeMap::new();
    let mut parts = Vec::new();
    for row in session::all(client.simple_query_raw(&sql).await, "which sequences may be read").await? {
        let Some(name) = row.get(0) else { continue };
        if row.get(1) == Some("t") {
            let text = quote::literal(name);
            parts.push(format!(
                "SELECT {text}, last_value || CASE WHEN is_called THEN '' ELSE ' is next' END FROM {name}"
            ));
        }
        positions.insert(name.to_owned(), None);
    }
    if !parts.is_empty() {
        let sql = parts.join(" UNION ALL ");
        for row in session::all(client.simple_query_raw(&sql).await, "the positions of the sequences").await? {
            if let (Some(name), Some(value)) = (row.get(0), row.get(1)) {
                positions.insert(name.to_owned(), Some(value.to_owned()));
            }
        }
    }
    Ok(positions)
}

//! What statements that cannot run in a transaction leave on the server: looking at it, and removing it.

use crate::error::{Error, ErrorKind, Result};
use crate::lease::Lease;
use crate::ledger::{field, rows};
use crate::quote::{ident, literal};
use crate::recover::Seen;
use crate::under_way::Target;
use migrate_core::model::ConcurrentAction;

/// What is there of what a statement acts on, and its qualified name.
pub(crate) async fn see(lease: &Lease, target: &Target) -> Result<(Seen, Option<String>)> {
    match target.action {
        ConcurrentAction::Detach => partition(lease, target).await,
        ConcurrentAction::Create | ConcurrentAction::Drop => index(lease, target).await,
        // The index is good whatever became of a rebuild.
        _ => Ok((Seen::Whole, None)),
    }
}

async fn index(lease: &Lease, target: &Target) -> Result<(Seen, Option<String>)> {
    let table = match &target.table {
        Some(table) => format!("pg_catalog.to_regclass({})", literal(table)),
        None => "NULL".to_owned(),
    };
    // An index lives in the schema of its table; without either, the search_path finds it.
    let is_it = match (&target.schema, &target.table) {
        (Some(schema), _) => format!("n.nspname = {} AND c.relname = {}", literal(schema), literal(&target.name)),
        (None, Some(_)) => format!(
            "n.oid = (SELECT t.relnamespace FROM pg_catalog.pg_class t WHERE t.oid = {table}) AND c.relname = {}",
            literal(&target.name)
        ),
        (None, None) => format!("c.oid = pg_catalog.to_regclass({})", literal(&ident(&target.name))),
    };
    let sql = format!(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, i.indisvalid AND i.indisready AND i.indislive AS \
         valid, c.relkind IN ('i', 'I') AND ({table} IS NULL OR i.indrelid = {table}) AS ours \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid WHERE {is_it}"
    );
    let found = lease.client().simple_query(&sql).await.map(rows).map_err(looking)?;
    let Some(row) = found.first() else { return Ok((Seen::Gone, None)) };
    let seen = match (row.get("ours"), row.get("valid")) {
        (Some("t"), Some("t")) => Seen::Whole,
        (Some("t"), _) => Seen::Half,
        _ => Seen::Foreign,
    };
    Ok((seen, Some(field(row, "name")?.to_owned())))
}

async fn partition(lease: &Lease, target: &Target) -> Result<(Seen, Option<String>)> {
    let parent = target.table.as_deref().unwrap_or_default();
    let sql = format!(
        "SELECT inhdetachpending AS pending FROM pg_catalog.pg_inherits WHERE inhparent = pg_catalog.to_regclass({}) AND \
         inhrelid = pg_catalog.to_regclass({})",
        literal(parent),
        literal(&qualified(target))
    );
    let found = lease.client().simple_query(&sql).await.map(rows).map_err(looking)?;
    let seen = match found.first().map(|row| row.get("pending")) {
        None => Seen::Gone,
        Some(Some("t")) => Seen::Half,
        Some(_) => Seen::Whole,
    };
    Ok((seen, Some(qualified(target))))
}

/// The invalid copies that an unfinished REINDEX CONCURRENTLY left (manual, REINDEX, "Rebuilding Indexes Concurrently").
/// Those of TOAST tables cannot be dropped by name and are taken along by the next REINDEX of the table.
pub(crate) async fn copies(lease: &Lease, target: &Target) -> Result<Vec<String>> {
    let relation = format!("pg_catalog.to_regclass({})", literal(&qualified(target)));
    let (table, prefix) = if target.action == ConcurrentAction::ReindexTable {
        (relation, String::new())
    } else {
        let table = format!("(SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = {relation})");
        // A long name is cut to make room for the suffix (`ChooseRelationName`, indexcmds.c).
        let same = "pg_catalog.regexp_replace(c.relname::text, '_cc(new|old)[0-9]*$', '')";
        let (name, full) = (literal(&target.name), "pg_catalog.octet_length(c.relname::text) >= 60");
        (table, format!("AND ({same} = {name} OR {full} AND pg_catalog.starts_with({name}, {same}))"))
    };
    let sql = format!(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE i.indrelid = {table} AND NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' {prefix}"
    );
    let found = lease.client().simple_query(&sql).await.map(rows).map_err(looking)?;
    found.iter().map(|row| field(row, "name").map(str::to_owned)).collect()
}

/// ALTER TABLE … DETACH PARTITION … FINALIZE.
pub(crate) fn finalize(target: &Target) -> String {
    let parent = target.table.as_deref().unwrap_or_default();
    format!("ALTER TABLE {parent} DETACH PARTITION {} FINALIZE", qualified(target))
}

pub(crate) fn qualified(target: &Target) -> String {
    match &target.schema {
        Some(schema) => format!("{}.{}", ident(schema), ident(&target.name)),
        None => ident(&target.name),
    }
}

pub(crate) fn drop_sql(name: &str) -> String {
    format!("DROP INDEX CONCURRENTLY {name}")
}

pub(crate) async fn drop_concurrently(lease: &Lease, name: &str) -> Result<(), tokio_postgres::Error> {
    lease.client().batch_execute(&drop_sql(name)).await
}

fn looking(error: tokio_postgres::Error) -> Error {
    Error::db(ErrorKind::Recovery, "what the step left on the server could not be looked at", error)
}

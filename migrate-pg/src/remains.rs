//! What statements that cannot run in a transaction leave on the server: looking at it, and removing it.

use crate::error::{Error, ErrorKind, Result};
use crate::lease::Lease;
use crate::ledger::{field, rows, unreadable};
use crate::quote::{ident, literal};
use crate::recover::Seen;
use crate::under_way::Target;
use migrate_core::model::ConcurrentAction;
use tokio_postgres::SimpleQueryRow;

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

/// An INVALID index beside one that was to be rebuilt.
pub(crate) struct Copy {
    pub(crate) oid: u32,
    /// Qualified.
    pub(crate) name: String,
    /// It is one of a TOAST table, which an owner that is no superuser can name, but not reach.
    pub(crate) toast: bool,
}

/// The invalid copies that an unfinished REINDEX CONCURRENTLY leaves (manual, REINDEX, "Rebuilding Indexes Concurrently"),
/// whoever sent it: of the index or the table, of what is partitioned those of all partitions, and of a table those of its
/// TOAST table, too (`ReindexRelationConcurrently`, indexcmds.c).
pub(crate) async fn copies(lease: &Lease, target: &Target) -> Result<Vec<Copy>> {
    let tree = format!(
        "SELECT {named}::oid AS oid UNION SELECT part.relid::oid FROM pg_catalog.pg_partition_tree({named}) part",
        named = format!("pg_catalog.to_regclass({})", literal(&qualified(target)))
    );
    let beside = if target.action == ConcurrentAction::ReindexTable {
        format!(
            "WITH tree AS ({tree}) SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid IN (SELECT oid FROM tree \
             UNION ALL SELECT t.reltoastrelid FROM pg_catalog.pg_class t JOIN tree ON t.oid = tree.oid)"
        )
    } else {
        // A long name is cut to make room for the suffix (`ChooseRelationName`, indexcmds.c).
        let same = "pg_catalog.regexp_replace(c.relname::text, '_cc(new|old)[0-9]*$', '')";
        format!(
            "WITH tree AS ({tree}) SELECT i.indexrelid FROM tree JOIN pg_catalog.pg_index whole ON whole.indexrelid = tree.oid \
             JOIN pg_catalog.pg_class w ON w.oid = tree.oid JOIN pg_catalog.pg_index i ON i.indrelid = whole.indrelid \
             JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             WHERE {same} = w.relname OR pg_catalog.octet_length(c.relname::text) >= 60 AND pg_catalog.starts_with(w.relname::text, {same})"
        )
    };
    let sql = format!(
        "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, n.nspname = 'pg_toast' AS toast \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.indexrelid IN ({beside}) AND NOT i.indisvalid \
         AND c.relkind = 'i' AND c.relname ~ '_cc(new|old)[0-9]*$' ORDER BY c.oid"
    );
    let found = lease.client().simple_query(&sql).await.map(rows).map_err(looking)?;
    let read = |row: &SimpleQueryRow| {
        let oid = field(row, "oid")?.parse().map_err(unreadable)?;
        Ok(Copy { oid, name: field(row, "name")?.to_owned(), toast: field(row, "toast")? == "t" })
    };
    found.iter().map(read).collect()
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

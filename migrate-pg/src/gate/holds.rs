//! Whether there is anything in what a statement would destroy: taking back the making of an empty table needs no
//! backup.

use migrate_core::model::Loss;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// A relation that is not there holds nothing, and a view holds nothing of its own.
///
/// `query_to_xml` runs a query that was written while the statement runs, in a plain SELECT: the relations may be
/// missing, which a parsed query could not survive, and asking first would be a trip more (manual, section 9.15.3).
///
/// What cascades takes the tables along whose foreign keys lead there.
const HOLDS: &str = "\
WITH RECURSIVE loss AS (
  SELECT pg_catalog.to_regclass(written)::oid AS relid, col, cascades
  FROM unnest($1::text[], $2::text[], $3::boolean[]) AS named(written, col, cascades)
  UNION
  SELECT edge.child, NULL, true FROM loss JOIN (
    SELECT inhparent AS parent, inhrelid AS child FROM pg_catalog.pg_inherits
    UNION ALL
    SELECT confrelid, conrelid FROM pg_catalog.pg_constraint WHERE contype = 'f'
  ) AS edge ON edge.parent = loss.relid WHERE loss.cascades
)
SELECT coalesce(bool_or(pg_catalog.query_to_xml(probe.query, false, false, '')::text LIKE '%<held>true</held>%'), false)
FROM (
  SELECT CASE
    WHEN c.relkind = 'S' THEN
      format('SELECT is_called OR last_value <> %s AS held FROM %I.%I', s.seqstart, n.nspname, c.relname)
    WHEN c.relkind NOT IN ('r', 'p', 'f', 'm') OR c.relkind = 'm' AND NOT c.relispopulated THEN NULL
    WHEN loss.col IS NULL THEN
      format('SELECT EXISTS (SELECT FROM %I.%I) AS held', n.nspname, c.relname)
    WHEN a.attname IS NOT NULL THEN
      format('SELECT EXISTS (SELECT FROM %I.%I WHERE %I IS NOT NULL) AS held', n.nspname, c.relname, a.attname)
    END AS query
  FROM loss
  JOIN pg_catalog.pg_class c ON c.oid = loss.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND loss.col IS NOT NULL AND ARRAY[a.attname::text] = pg_catalog.parse_ident(loss.col)
) AS probe
WHERE probe.query IS NOT NULL";

/// Whether any of the losses would lose something: a row, a value that is not null, a sequence's position.
///
/// One round trip, in a transaction of its own: not to be called inside one. Policies never hide rows from it
/// (`row_security = off` makes them an error), and it does not wait long behind somebody's ACCESS EXCLUSIVE lock.
pub(crate) async fn holds_data(client: &Client, losses: &[Loss]) -> Result<bool, tokio_postgres::Error> {
    let relations: Vec<&str> = losses.iter().map(|loss| loss.relation).collect();
    let columns: Vec<Option<&str>> = losses.iter().map(|loss| loss.column).collect();
    let cascades: Vec<bool> = losses.iter().map(|loss| loss.cascades).collect();
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&relations, Type::TEXT_ARRAY), (&columns, Type::TEXT_ARRAY), (&cascades, Type::BOOL_ARRAY)];
    let (begun, answer, ended) = tokio::join!(
            biased;
        client.batch_execute("BEGIN READ ONLY; SET LOCAL row_security = off; SET LOCAL lock_timeout = '5s'"),
        client.query_typed_one(HOLDS, &params),
        client.batch_execute("COMMIT"),
    );
    begun?;
    let held = answer?.try_get(0)?;
    ended?;
    Ok(held)
}

#[cfg(test)]
mod tests;

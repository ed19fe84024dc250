//! Whether there is anything in what a statement would destroy: taking back the making of an empty table needs no
//! backup.

use super::MEANT;
use crate::quote::{literal, literal_or_null};
use migrate_core::model::Loss;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// A relation that is not there holds nothing, and a view holds nothing of its own.
///
/// `IS NOT NULL` is false of a composite with one NULL field (manual, section 9.2), `IS DISTINCT FROM NULL` is not.
///
/// `query_to_xml` runs a query that was written while the statement runs, in a plain SELECT: the relations may be
/// missing, which a parsed query could not survive, and asking first would be a trip more (manual, section 9.15.3).
///
/// What cascades takes the tables along whose foreign keys lead there.
const LOSS: &str = "\
WITH RECURSIVE loss AS (
  SELECT named.written, meant.relid, col, cascades
  FROM {named} AS named(written, col, cascades)
  CROSS JOIN LATERAL {meant} AS meant(relid)
  UNION
  SELECT loss.written, edge.child, NULL, true FROM loss JOIN (
    SELECT inhparent AS parent, inhrelid AS child FROM pg_catalog.pg_inherits
    UNION ALL
    SELECT confrelid, conrelid FROM pg_catalog.pg_constraint WHERE contype = 'f'
  ) AS edge ON edge.parent = loss.relid WHERE loss.cascades
)
";

const ANYTHING: &str = "\
SELECT coalesce(bool_or(pg_catalog.query_to_xml(probe.query, false, false, '')::text LIKE '%<held>true</held>%'), false)
FROM (
  SELECT CASE
    WHEN c.relkind = 'S' THEN
      format('SELECT is_called OR last_value <> %s AS held FROM %I.%I', s.seqstart, n.nspname, c.relname)
    WHEN c.relkind NOT IN ('r', 'p', 'f', 'm') OR c.relkind = 'm' AND NOT c.relispopulated THEN NULL
    WHEN loss.col IS NULL THEN
      format('SELECT EXISTS (SELECT FROM %I.%I) AS held', n.nspname, c.relname)
    WHEN a.attname IS NOT NULL THEN
      format('SELECT EXISTS (SELECT FROM %I.%I WHERE %I IS DISTINCT FROM NULL) AS held', n.nspname, c.relname, a.attname)
    END AS query
  FROM loss
  JOIN pg_catalog.pg_class c ON c.oid = loss.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND loss.col IS NOT NULL AND ARRAY[a.attname::text] = pg_catalog.parse_ident(loss.col)
) AS probe
WHERE probe.query IS NOT NULL";

/// The tables that LOCK TABLE can lock (a sequence it cannot), each by the name in the loss and by its own.
const TABLES: &str = "\
SELECT DISTINCT loss.written, format('%I.%I', n.nspname, c.relname) AS name
FROM loss
JOIN pg_catalog.pg_class c ON c.oid = loss.relid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// What there is of some losses.
#[derive(Debug)]
pub(crate) struct Held {
    /// Whether any of them would lose something: a row, a value that is not null, a sequence's position.
    pub(crate) data: bool,
    /// The tables of each: the name in the loss, and one that is qualified.
    pub(crate) tables: Vec<(String, String)>,
}

/// One round trip, in a transaction of its own: not to be called inside one. Policies never hide rows from it
/// (`row_security = off` makes them an error), and it does not wait long behind somebody's ACCESS EXCLUSIVE lock.
pub(crate) async fn held(client: &Client, losses: &[Loss]) -> Result<Held, tokio_postgres::Error> {
    let relations: Vec<&str> = losses.iter().map(|loss| loss.relation).collect();
    let columns: Vec<Option<&str>> = losses.iter().map(|loss| loss.column).collect();
    let cascades: Vec<bool> = losses.iter().map(|loss| loss.cascades).collect();
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&relations, Type::TEXT_ARRAY), (&columns, Type::TEXT_ARRAY), (&cascades, Type::BOOL_ARRAY)];
    let sql = with_losses(
        "unnest($1::text[], $2::text[], $3::boolean[])",
        &format!(
            "SELECT ({ANYTHING}), ARRAY(SELECT written FROM ({TABLES}) t ORDER BY written, name), \
             ARRAY(SELECT name FROM ({TABLES}) t ORDER BY written, name)"
        ),
    );
    let (begun, answer, ended) = tokio::join!(
            biased;
        client.batch_execute("BEGIN READ ONLY; SET LOCAL row_security = off; SET LOCAL lock_timeout = '5s'"),
        client.query_typed_one(&sql, &params),
        client.batch_execute("COMMIT"),
    );
    begun?;
    let answer = answer?;
    let names: (Vec<String>, Vec<String>) = (answer.try_get(1)?, answer.try_get(2)?);
    let held = Held { data: answer.try_get(0)?, tables: names.0.into_iter().zip(names.1).collect() };
    ended?;
    Ok(held)
}

/// An SQL condition: none of these would lose anything.
pub(crate) fn are_empty(losses: &[&Loss]) -> String {
    let rows: Vec<String> = losses
        .iter()
        .map(|loss| format!("({}, {}::text, {})", literal(loss.relation), literal_or_null(loss.column), loss.cascades))
        .collect();
    format!("NOT ({})", with_losses(&format!("(VALUES {})", rows.join(", ")), ANYTHING))
}

/// A query over the losses that `named` gives, as the rows of `loss`.
fn with_losses(named: &str, what: &str) -> String {
    LOSS.replacen("{meant}", MEANT, 1).replacen("{named}", named, 1) + what
}

/// The losses that name no relation of this session, by the names of [`LOSS`].
pub(crate) async fn not_there(client: &Client, losses: &[Loss]) -> Result<Vec<String>, tokio_postgres::Error> {
    let sql = format!(
        "SELECT DISTINCT written FROM unnest($1::text[]) AS loss(written) \
         WHERE NOT EXISTS (SELECT FROM {MEANT} AS meant(relid) WHERE meant.relid IS NOT NULL) ORDER BY 1"
    );
    let relations: Vec<&str> = losses.iter().map(|loss| loss.relation).collect();
    let rows = client.query_typed(&sql, &[(&relations, Type::TEXT_ARRAY)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[cfg(test)]
mod tests;

//! What a backfill works on, by what the server says the names of its declaration stand for: the table, and a key that is
//! unique and not null.

use super::error::BackfillError;
use migrate_core::model::Backfill;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// The rows of a table as far as statistics know them: of the last ANALYZE, or counted since by the statistics collector.
const TABLE: &str = "\
SELECT c.oid, c.relkind::text, format('%I.%I', n.nspname, c.relname),
  CASE c.relkind WHEN 'p' THEN (
    SELECT sum(greatest(leaf.reltuples, pg_catalog.pg_stat_get_live_tuples(leaf.oid)))::float8
    FROM pg_catalog.pg_partition_tree(c.oid) part JOIN pg_catalog.pg_class leaf ON leaf.oid = part.relid
    WHERE part.isleaf
  ) ELSE greatest(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid))::float8 END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = pg_catalog.to_regclass($1)";

/// The key columns, in order. PostgreSQL 18 sets `attnotnull` for a NOT NULL constraint that is NOT VALID, too.
const COLUMNS: &str = "\
SELECT key.written, a.attnum, quote_ident(a.attname), a.attnotnull,
  EXISTS (SELECT FROM pg_catalog.pg_constraint nn WHERE nn.conrelid = a.attrelid AND nn.contype = 'n'
          AND nn.conkey = ARRAY[a.attnum] AND NOT nn.convalidated),
  pg_catalog.format_type(a.atttypid, a.atttypmod),
  (SELECT format('%I.%I', n.nspname, c.collname) FROM pg_catalog.pg_collation c
   JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = a.attcollation),
  coalesce(nullif(t.typbasetype, 0), t.oid) IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
FROM unnest($2::text[]) WITH ORDINALITY AS key(written, place)
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
  AND ARRAY[a.attname::text] = pg_catalog.parse_ident(key.written)
LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
ORDER BY key.place";

/// The unique keys of the table, and whether the declared columns hold all columns of each. One that is checked at the end
/// of a transaction only may not hold within it, where triggers of the batch write keys.
const UNIQUE: &str = "\
SELECT '(' || string_agg(quote_ident(a.attname), ', ' ORDER BY k.place) || ')', bool_and(a.attnum = ANY ($2::int2[]))
FROM pg_catalog.pg_index i
CROSS JOIN unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k(attnum, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
GROUP BY i.indexrelid
ORDER BY i.indexrelid";

/// The indexes whose scan goes through the table in the key's order: B-trees that begin with its columns, ascending, in
/// the columns' own collations and in the order that `<` of their types has.
const IN_ORDER: &str = "\
SELECT c.relname::text
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname = 'btree'
WHERE i.indrelid = $1 AND i.indisvalid AND (i.indkey::int2[])[0:cardinality($2::int2[]) - 1] = $2::int2[]
AND NOT EXISTS (
  SELECT FROM generate_series(0, cardinality($2::int2[]) - 1) AS place
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[place]
  JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[place]
  WHERE i.indoption[place] & 1 <> 0 OR i.indcollation[place] <> a.attcollation OR NOT o.opcdefault)";

/// The table and the key of a backfill.
pub(super) struct Target {
    /// Schema-qualified and quoted.
    pub(super) table: String,
    pub(super) oid: u32,
    pub(super) key: Vec<KeyColumn>,
    /// The names of the indexes whose scan goes through the table in the key's order; none of a partitioned table, whose
    /// partitions each have their own.
    pub(super) in_order: Vec<String>,
    /// What statistics say of the table's size; `None` where they say nothing.
    pub(super) estimated_rows: Option<u64>,
}

/// One column of a key.
pub(super) struct KeyColumn {
    /// Quoted as SQL needs it.
    pub(super) name: String,
    /// The type as SQL spells it, with its modifier.
    pub(super) sql_type: String,
    /// The collation, where the type has them.
    pub(super) collation: Option<String>,
    /// Whether it is a date or a timestamp, whose text form hangs on the session's `DateStyle`.
    pub(super) dated: bool,
}

impl Target {
    pub(super) async fn find(client: &Client, backfill: &Backfill) -> Result<Self, BackfillError> {
        let written = backfill.table();
        let table = || written.to_owned();
        let row = client
            .query_typed_opt(TABLE, &[(&written, Type::TEXT)])
            .await
            .map_err(BackfillError::database(written, "look its table up"))?
            .ok_or_else(|| BackfillError::NoTable { table: table() })?;
        let oid: u32 = row.get(0);
        match row.get::<_, &str>(1) {
            "r" | "p" => {}
            other => return Err(BackfillError::NotATable { table: table(), kind: kind(other) }),
        }

        let columns = client
            .query_typed(COLUMNS, &[(&oid, Type::OID), (&backfill.key(), Type::TEXT_ARRAY)])
            .await
            .map_err(BackfillError::database(written, "look its key columns up"))?;
        let mut key = Vec::new();
        let mut numbers: Vec<i16> = Vec::new();
        for column in &columns {
            let name = || column.get::<_, &str>(0).to_owned();
            let Some(number) = column.get(1) else {
                return Err(BackfillError::NoColumn { table: table(), column: name() });
            };
            let unvalidated = column.get(4);
            if unvalidated || !column.get::<_, bool>(3) {
                return Err(BackfillError::NullableKey { table: table(), column: name(), unvalidated });
            }
            numbers.push(number);
            key.push(KeyColumn {
                name: column.get(2),
                sql_type: column.get(5),
                collation: column.get(6),
                dated: column.get(7),
            });
        }

        let unique = client
            .query_typed(UNIQUE, &[(&oid, Type::OID), (&numbers, Type::INT2_ARRAY)])
            .await
            .map_err(BackfillError::database(written, "look the table's unique keys up"))?;
        if !unique.iter().any(|row| row.get(1)) {
            let unique = unique.iter().map(|row| row.get(0)).collect();
            return Err(BackfillError::KeyNotUnique { table: table(), key: backfill.key().join(", "), unique });
        }

        let in_order = if row.get::<_, &str>(1) == "r" {
            client
                .query_typed(IN_ORDER, &[(&oid, Type::OID), (&numbers, Type::INT2_ARRAY)])
                .await
                .map_err(BackfillError::database(written, "look the indexes of its key up"))?
        } else {
            Vec::new()
        };
        let in_order = in_order.iter().map(|row| row.get(0)).collect();

        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate, checked to be positive"
        )]
        let estimated_rows = row.get::<_, Option<f64>>(3).filter(|rows| *rows > 0.0).map(|rows| rows as u64);
        Ok(Self { table: row.get(2), oid, key, in_order, estimated_rows })
    }
}

/// `pg_class.relkind` in words.
fn kind(relkind: &str) -> &'static str {
    match relkind {
        "v" => "a view",
        "m" => "a materialized view",
        "f" => "a foreign table",
        "S" => "a sequence",
        "i" | "I" => "an index",
        "c" => "a composite type",
        _ => "another relation",
    }
}

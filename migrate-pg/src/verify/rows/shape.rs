//! What the server says of its tables and types, as far as rows have to fit them.

use crate::quote;
use serde::Deserialize;
use std::collections::HashMap;
use tokio_postgres::{Client, SimpleQueryMessage};

/// The tables of users, and the types that their columns are of.
#[derive(Debug)]
pub(in crate::verify) struct Shape {
    pub(super) tables: Vec<Table>,
    pub(super) types: HashMap<u32, Type>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Table {
    pub(super) oid: u32,
    /// Qualified and quoted, as a fingerprint names it.
    pub(super) name: String,
    /// Itself, and the partitioned tables that it is a part of.
    pub(super) ancestors: Vec<u32>,
    /// What its bounds demand, where it is a partition.
    pub(super) bounds: Option<String>,
    pub(super) columns: Vec<Column>,
    pub(super) constraints: Vec<Constraint>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Column {
    pub(super) number: i16,
    /// As it is.
    pub(super) name: String,
    pub(super) sql_type: String,
    pub(super) type_oid: u32,
    pub(super) modifier: i32,
    pub(super) not_null: bool,
    /// `a` or `d`; empty where it is none.
    pub(super) identity: String,
    pub(super) generated: bool,
    pub(super) default: Option<String>,
    /// Type and modifier that the values have to fit as well.
    #[serde(skip)]
    pub(super) becomes: Option<(u32, i32)>,
}

impl Column {
    /// Whether the server numbers it.
    pub(super) fn numbered(&self) -> bool {
        !self.identity.is_empty() || self.default.as_deref().is_some_and(|default| default.starts_with("nextval("))
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Constraint {
    pub(super) name: String,
    /// `pg_constraint.contype`: `c`, `f`; `x` stands for every kind of uniqueness, of indexes too.
    pub(super) kind: char,
    /// The condition of a CHECK.
    pub(super) condition: Option<String>,
    /// The columns, by number; without those of expressions.
    pub(super) columns: Vec<i16>,
    /// What a foreign key refers to.
    pub(super) refers_to: Option<Referred>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Referred {
    pub(super) oid: u32,
    pub(super) name: String,
    pub(super) columns: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Type {
    pub(super) oid: u32,
    /// `pg_type.typname`.
    pub(super) name: String,
    /// As SQL writes it.
    pub(super) sql: String,
    /// `pg_type.typtype`, and `a` for an array.
    pub(super) kind: char,
    /// Of an array its element, of a domain what it is over, of a range what it is of, of a multirange its range.
    pub(super) inner: u32,
    /// Of a domain.
    pub(super) modifier: i32,
    /// Of an enum.
    pub(super) labels: Vec<String>,
    /// Of a composite type: type and modifier of each.
    pub(super) attributes: Vec<(u32, i32)>,
    /// The conditions of a domain, about VALUE.
    pub(super) conditions: Vec<String>,
}

/// What `[[user]]` stands for: schemas that are users', not the system's and not `left out`.
const TABLES: &str = "SELECT coalesce(jsonb_agg(jsonb_build_object(
    'oid', c.oid::bigint, 'name', quote_ident(n.nspname) || '.' || quote_ident(c.relname),
    'ancestors', (SELECT coalesce(jsonb_agg(p.oid::oid::bigint), '[]') FROM pg_partition_ancestors(c.oid) p(oid)),
    'bounds', CASE WHEN c.relispartition THEN pg_get_partition_constraintdef(c.oid) END,
    'columns', (SELECT coalesce(jsonb_agg(jsonb_build_object('number', a.attnum, 'name', a.attname,
            'sql_type', format_type(a.atttypid, a.atttypmod), 'type_oid', a.atttypid::bigint, 'modifier', a.atttypmod,
            'not_null', a.attnotnull, 'identity', a.attidentity, 'generated', a.attgenerated <> '',
            'default', pg_get_expr(d.adbin, d.adrelid)) ORDER BY a.attnum), '[]')
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'constraints', (SELECT coalesce(jsonb_agg(k.found), '[]') FROM (
        SELECT jsonb_build_object('name', o.conname, 'kind', o.contype, 'condition', pg_get_expr(o.conbin, o.conrelid),
            'columns', coalesce(o.conkey, '{}'), 'refers_to', CASE WHEN o.contype = 'f' THEN jsonb_build_object(
                'oid', o.confrelid::bigint,
                'name', (SELECT quote_ident(rn.nspname) || '.' || quote_ident(r.relname)
                    FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace WHERE r.oid = o.confrelid),
                'columns', (SELECT jsonb_agg(ra.attname ORDER BY p.n) FROM unnest(o.confkey) WITH ORDINALITY p(num, n)
                    JOIN pg_attribute ra ON ra.attrelid = o.confrelid AND ra.attnum = p.num)) END) AS found
        FROM pg_constraint o WHERE o.conrelid = c.oid AND o.contype IN ('c', 'f')
            -- A key that refers to a partitioned table has one for each of its partitions, too.
            AND NOT EXISTS (SELECT FROM pg_constraint w WHERE w.oid = o.conparentid AND w.conrelid = c.oid)
        UNION ALL
        SELECT jsonb_build_object('name', ic.relname, 'kind', 'x', 'condition', NULL,
            'columns', (SELECT coalesce(jsonb_agg(u.num) FILTER (WHERE u.num > 0), '[]') FROM unnest(i.indkey::smallint[]) u(num)),
            'refers_to', NULL)
        FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)
    ) k)) ORDER BY n.nspname, c.relname), '[]')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', [[ledger]])
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')";

const TYPES: &str = "WITH RECURSIVE used(oid) AS (
    SELECT a.atttypid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.oid >= 16384 AND c.relkind IN ('r', 'c') AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT i.oid FROM used u JOIN pg_type t ON t.oid = u.oid
        LEFT JOIN pg_range r ON r.rngtypid = t.oid LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
        LEFT JOIN pg_attribute a ON a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped,
        LATERAL (VALUES (t.typelem), (t.typbasetype), (r.rngsubtype), (m.rngtypid), (a.atttypid)) i(oid)
        WHERE i.oid <> 0
)
SELECT coalesce(jsonb_agg(jsonb_build_object('oid', t.oid::bigint, 'name', t.typname, 
    -- `bit` and `character` alone are of length 1.
    'sql', CASE WHEN t.typname IN ('bit', 'bpchar') THEN quote_ident(t.typname) ELSE format_type(t.oid, NULL) END,
    'kind', CASE WHEN t.typelem <> 0 AND t.typlen = -1 AND t.typtype = 'b' THEN 'a' ELSE t.typtype END,
    'inner', (CASE WHEN t.typtype = 'd' THEN t.typbasetype WHEN t.typtype = 'r' THEN r.rngsubtype WHEN t.typtype = 'm' THEN m.rngtypid
        ELSE t.typelem END)::bigint,
    'modifier', t.typtypmod,
    'labels', (SELECT coalesce(jsonb_agg(e.enumlabel ORDER BY e.enumsortorder), '[]') FROM pg_enum e WHERE e.enumtypid = t.oid),
    'attributes', (SELECT coalesce(jsonb_agg(jsonb_build_array(a.atttypid::bigint, a.atttypmod) ORDER BY a.attnum), '[]')
        FROM pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
    'conditions', (SELECT coalesce(jsonb_agg(pg_get_expr(o.conbin, 0)), '[]') FROM pg_constraint o WHERE o.contypid = t.oid AND o.contype = 'c'))), '[]')
FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
WHERE t.oid IN (SELECT oid FROM used)";

impl Shape {
    /// Everything but what is in the ledger's schema. Names in expressions are written as they need it everywhere.
    pub(in crate::verify) async fn read(client: &Client, ledger: &str) -> Result<Self, String> {
        let tables = TABLES.replace("[[ledger]]", &quote::literal(ledger));
        let sql = format!("BEGIN READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp; {tables}; {TYPES}; COMMIT");
        let failed = |error| format!("the tables could not be looked at: {}", super::super::seed::said(&error));
        let messages = client.simple_query(&sql).await.map_err(failed)?;
        let mut answers = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        let mut next = || answers.next().ok_or("the tables could not be looked at: an answer is missing");
        let unreadable = |error| format!("the tables could not be looked at: {error}");
        let tables: Vec<Table> = serde_json::from_str(next()?).map_err(unreadable)?;
        let types: Vec<Type> = serde_json::from_str(next()?).map_err(unreadable)?;
        Ok(Self { tables, types: types.into_iter().map(|found| (found.oid, found)).collect() })
    }
}

impl Shape {
    /// Demands of the rows what a later shape of the same database demands of them, so that a migration in between can run:
    /// NOT NULL, CHECK, foreign keys, types, of the columns that keep their names.
    pub(super) fn foresee(&mut self, later: &Self) {
        for table in &mut self.tables {
            let Some(later) = later.tables.iter().find(|later| later.oid == table.oid) else { continue };
            let kept: Vec<i16> = (table.columns.iter())
                .filter(|column| {
                    later.columns.iter().any(|later| later.number == column.number && later.name == column.name)
                })
                .map(|column| column.number)
                .collect();
            for column in &mut table.columns {
                let Some(later) = later.columns.iter().find(|later| later.number == column.number) else { continue };
                column.not_null |= later.not_null;
                if (later.type_oid, later.modifier) != (column.type_oid, column.modifier) {
                    column.becomes = Some((later.type_oid, later.modifier));
                }
            }
            for constraint in &later.constraints {
                let known = table.constraints.iter().any(|known| known.name == constraint.name);
                if !known && constraint.columns.iter().all(|number| kept.contains(number)) {
                    table.constraints.push(constraint.clone());
                }
            }
        }
        for (&oid, found) in &later.types {
            self.types.entry(oid).or_insert_with(|| found.clone());
        }
    }
}

/// How many rows each table has, and how many values that are not NULL each of its columns.
pub(super) async fn counts(client: &Client, tables: &[Table]) -> Result<HashMap<u32, Vec<u64>>, String> {
    if tables.is_empty() {
        return Ok(HashMap::new());
    }
    let parts: Vec<String> = tables
        .iter()
        .map(|table| {
            let columns: Vec<String> =
                table.columns.iter().map(|column| format!(", count({})", quote::ident(&column.name))).collect();
            format!("SELECT {}, ARRAY[count(*){}]::text FROM ONLY {}", table.oid, columns.concat(), table.name)
        })
        .collect();
    let messages = client
        .simple_query(&parts.join(" UNION ALL "))
        .await
        .map_err(|error| format!("the rows could not be counted: {}", super::super::seed::said(&error)))?;
    let mut counts = HashMap::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message
            && let (Some(oid), Some(list)) = (row.get(0).and_then(|oid| oid.parse().ok()), row.get(1))
        {
            counts
                .insert(oid, list.trim_matches(['{', '}']).split(',').filter_map(|count| count.parse().ok()).collect());
        }
    }
    Ok(counts)
}

//! Which relations a dump must hold, by what the server says the names of a loss stand for.

use crate::gate::{GateContext, GateError, MEANT};
use crate::quote::ident;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio_postgres::types::Type;

/// Names as the session's `search_path` resolves them. Each with everything that inherits from it: partitions hold the rows
/// of a partitioned table, and dropping a parent's column drops the children's. What cascades takes the tables along whose
/// foreign keys lead there (manual, TRUNCATE).
const RELATIONS: &str = "\
WITH RECURSIVE named AS (
  SELECT written, place, cascades, meant.relid
  FROM unnest($1::text[], $2::boolean[]) WITH ORDINALITY AS loss(written, cascades, place)
  LEFT JOIN LATERAL (
    SELECT found.relid FROM {meant} AS found(relid) WHERE found.relid IS NOT NULL
  ) AS meant ON true
), tree AS (
  SELECT written, place, cascades, relid FROM named
  UNION
  SELECT tree.written, tree.place, tree.cascades, edge.child
  FROM tree JOIN (
    SELECT inhparent AS parent, inhrelid AS child, false AS by_key FROM pg_catalog.pg_inherits
    UNION ALL
    SELECT confrelid, conrelid, true FROM pg_catalog.pg_constraint WHERE contype = 'f'
  ) AS edge ON edge.parent = tree.relid AND (tree.cascades OR NOT edge.by_key)
)
SELECT tree.written, c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text,
       c.reltuples::float8, CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END, fs.srvname::text
FROM tree
LEFT JOIN pg_catalog.pg_class c ON c.oid = tree.relid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_foreign_table ft ON ft.ftrelid = c.oid
LEFT JOIN pg_catalog.pg_foreign_server fs ON fs.oid = ft.ftserver
ORDER BY tree.place, n.nspname, c.relname";

/// What a dump must hold, and what it cannot.
#[derive(Default)]
pub(super) struct Relations {
    pub(super) wanted: Vec<Relation>,
    pub(super) not_dumped: Vec<Value>,
}

/// A relation that goes into the dump.
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) estimated_rows: Option<f64>,
    pub(super) foreign_server: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    /// Without rows of its own.
    PartitionedTable,
    ForeignTable,
    Sequence,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::PartitionedTable => "partitioned table",
            Self::ForeignTable => "foreign table",
            Self::Sequence => "sequence",
        }
    }
}

impl Relation {
    /// The name as SQL and, a double-quoted part being literal in both, as a pattern of `pg_dump -t` (manual, "Patterns"
    /// of psql).
    pub(super) fn quoted(&self) -> String {
        format!("{}.{}", ident(&self.schema), ident(&self.name))
    }

    pub(super) fn json(&self) -> Value {
        json!({ "name": self.quoted(), "kind": self.kind.name(), "estimated_rows": self.estimated_rows })
    }
}

impl Relations {
    /// Asks the session for the relations of the losses.
    pub(super) async fn of(ctx: &GateContext<'_>) -> Result<Self, GateError> {
        let mut names: Vec<&str> = Vec::new();
        let mut cascades: Vec<bool> = Vec::new();
        for loss in ctx.losses {
            match names.iter().position(|name| *name == loss.relation) {
                Some(at) => cascades[at] |= loss.cascades,
                None => {
                    names.push(loss.relation);
                    cascades.push(loss.cascades);
                }
            }
        }
        let rows = ctx
            .client
            .query_typed(
                &RELATIONS.replacen("{meant}", MEANT, 1),
                &[(&names, Type::TEXT_ARRAY), (&cascades, Type::BOOL_ARRAY)],
            )
            .await
            .map_err(GateError::query("find the relations that the step destroys data of"))?;

        let mut relations = Self::default();
        let mut seen = BTreeSet::new();
        for row in &rows {
            let written: &str = row.get(0);
            let Some(oid) = row.get::<_, Option<u32>>(1) else {
                relations.skip(written, "it does not exist", None);
                continue;
            };
            if !seen.insert(oid) {
                continue;
            }
            let schema: String = row.get(2);
            let name: String = row.get(3);
            let quoted = format!("{}.{}", ident(&schema), ident(&name));
            if row.get::<_, &str>(5) == "t" {
                return Err(GateError::NotDumpable {
                    relation: quoted,
                    why: "it is a temporary table, which only the session that made it can read",
                });
            }
            let kind = match row.get::<_, &str>(4) {
                "r" => Kind::Table,
                "p" => Kind::PartitionedTable,
                "f" => Kind::ForeignTable,
                "S" => Kind::Sequence,
                "m" => {
                    let why = "the rows of a materialized view are had back by REFRESH; its definition is kept here";
                    relations.skip(&quoted, why, row.get(7));
                    continue;
                }
                "v" => {
                    relations.skip(&quoted, "a view has no rows of its own; its definition is kept here", row.get(7));
                    continue;
                }
                _ => {
                    return Err(GateError::NotDumpable {
                        relation: quoted,
                        why: "it is neither a table, a sequence nor a view",
                    });
                }
            };
            // -1 where the table was never analysed (pg_class.h).
            let estimated_rows = Some(row.get::<_, f64>(6)).filter(|rows| *rows >= 0.0 && kind != Kind::Sequence);
            relations.wanted.push(Relation { oid, schema, name, kind, estimated_rows, foreign_server: row.get(8) });
        }
        Ok(relations)
    }

    fn skip(&mut self, relation: &str, why: &str, definition: Option<&str>) {
        let mut entry = json!({ "relation": relation, "why": why });
        if let Some(definition) = definition {
            entry["definition"] = json!(definition);
        }
        self.not_dumped.push(entry);
    }
}

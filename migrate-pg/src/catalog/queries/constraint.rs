//! Constraints of tables and domains.

use super::Query;

/// A foreign key to a partitioned table has further rows for each partition that is referenced; they are its own doing, and
/// so are named by the server: they are left out (`conparentid` on the same table).
pub(super) const CONSTRAINTS: Query = Query {
    reads: "constraints",
    sql: r#"
SELECT 'constraint' AS kind, quote_ident(c.conname) || ' on ' || coalesce(r.name, t.name) AS name,
    CASE WHEN c.contype = 'n' AND r.oid IS NOT NULL THEN 'column' ELSE coalesce(r.kind, t.kind) END AS of_kind,
    CASE WHEN c.contype = 'n' AND r.oid IS NOT NULL
        THEN r.name || '.' || (SELECT quote_ident(a.attname) FROM pg_attribute a
            WHERE a.attrelid = c.conrelid AND a.attnum = c.conkey[1])
        ELSE coalesce(r.name, t.name) END AS of_name,
    regexp_replace(pg_get_constraintdef(c.oid), ' NOT (VALID|ENFORCED)$', '') AS definition,
    [[flag NOT c.conenforced]] AS "NOT ENFORCED", -- 18+
    [[flag NOT c.convalidated AND c.conenforced]] AS "NOT VALID", -- 18+
    [[flag NOT c.convalidated]] AS "NOT VALID", -- ..17
    [[flag c.connoinherit AND c.contype IN ('c', 'n')]] AS "NO INHERIT",
    [[flag c.coninhcount > 0]] AS inherited,
    [[flag c.coninhcount > 0 AND c.conislocal]] AS "declared locally",
    (SELECT quote_ident(p.conname) || ' on ' || p.conrelid::regclass FROM pg_constraint p WHERE p.oid = c.conparentid) AS "part of",
    CASE WHEN c.contype = 'f' THEN NULLIF(c.conindid, 0)::regclass::text END AS "relies on index",
    (SELECT string_agg(DISTINCT CASE g.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica only' WHEN 'A' THEN 'always' END, ', ')
        FROM pg_trigger g WHERE g.tgconstraint = c.oid AND g.tgisinternal AND g.tgenabled <> 'O') AS "own triggers",
    [[comment c.oid pg_constraint 0]] AS comment
FROM pg_constraint c
LEFT JOIN rel r ON r.oid = c.conrelid
LEFT JOIN typ t ON t.oid = c.contypid
WHERE c.contype <> 't' AND (r.oid IS NOT NULL OR t.oid IS NOT NULL)
    AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = c.conparentid AND p.conrelid = c.conrelid)
"#,
    covers: &[
        (
            "pg_constraint",
            "conname contype conrelid contypid conindid conparentid convalidated conenforced connoinherit coninhcount conislocal",
        ),
        ("pg_trigger", "tgconstraint tgisinternal tgenabled"),
    ],
    through: &[(
        "pg_get_constraintdef",
        "pg_constraint",
        "condeferrable condeferred confrelid confupdtype confdeltype confmatchtype conkey confkey conexclop conbin \
         confdelsetcols conperiod",
    )],
};

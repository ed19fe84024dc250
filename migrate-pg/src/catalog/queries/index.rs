//! Indexes and extended statistics.

use super::Query;

pub(super) const INDEXES: Query = Query {
    reads: "indexes",
    sql: r#"
SELECT 'index' AS kind, r.name,
    CASE WHEN c.oid IS NULL THEN t.kind ELSE 'constraint' END AS of_kind,
    CASE WHEN c.oid IS NULL THEN t.name ELSE quote_ident(c.conname) || ' on ' || t.name END AS of_name,
    pg_get_indexdef(i.indexrelid) AS definition,
    [[flag i.indisprimary]] AS "PRIMARY KEY",
    [[flag NOT i.indimmediate]] AS "checked at the end",
    [[flag NOT i.indisvalid]] AS "INVALID",
    [[flag NOT i.indisready]] AS "not ready for writes",
    [[flag NOT i.indislive]] AS "being dropped",
    [[flag i.indisclustered]] AS clustered,
    [[flag i.indisreplident]] AS "replica identity",
    quote_ident(s.spcname) AS tablespace,
    [[depends r.oid pg_class]] AS "DEPENDS ON EXTENSION",
    (SELECT h.inhparent::regclass FROM pg_inherits h WHERE h.inhrelid = i.indexrelid) AS "attached to",
    (SELECT string_agg('STATISTICS of column ' || a.attnum || chr(31) || a.attstattarget, chr(30))
        FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0) AS "*statistics",
    [[comment r.oid pg_class 0]] AS comment
FROM pg_index i
JOIN rel r ON r.oid = i.indexrelid
JOIN rel t ON t.oid = i.indrelid
LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x')
LEFT JOIN pg_tablespace s ON s.oid = r.reltablespace
"#,
    covers: &[(
        "pg_index",
        "indexrelid indrelid indisprimary indimmediate indisvalid indisready indislive indisclustered indisreplident",
    )],
    through: &[(
        "pg_get_indexdef",
        "pg_index",
        "indnatts indnkeyatts indisunique indkey indcollation indclass indoption indexprs indpred indnullsnotdistinct",
    )],
};

pub(super) const STATISTICS: Query = Query {
    reads: "extended statistics",
    sql: r#"
SELECT 'statistics' AS kind, ns.name || '.' || quote_ident(x.stxname) AS name, r.kind AS of_kind, r.name AS of_name,
    pg_get_statisticsobjdef(x.oid) AS definition,
    NULLIF(x.stxstattarget, -1) AS "STATISTICS",
    [[owner x.stxowner]] AS owner,
    [[comment x.oid pg_statistic_ext 0]] AS comment
FROM pg_statistic_ext x
JOIN ns ON ns.oid = x.stxnamespace
JOIN rel r ON r.oid = x.stxrelid
WHERE [[not_member x.oid pg_statistic_ext]]
"#,
    covers: &[("pg_statistic_ext", "stxname stxnamespace stxowner stxrelid stxstattarget")],
    through: &[("pg_get_statisticsobjdef", "pg_statistic_ext", "stxkeys stxkind stxexprs")],
};

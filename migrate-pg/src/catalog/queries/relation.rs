//! Tables, views, materialized views and foreign tables as such.

use super::Query;

pub(super) const RELATIONS: Query = Query {
    reads: "tables and views",
    sql: r#"
SELECT r.kind, r.name,
    [[owner r.relowner]] AS owner,
    [[flag r.relpersistence = 'u']] AS "UNLOGGED",
    am.amname AS "access method",
    quote_ident(s.spcname) AS tablespace,
    CASE WHEN r.reloftype <> 0 THEN format_type(r.reloftype, NULL) END AS "OF",
    CASE WHEN r.relkind = 'p' THEN pg_get_partkeydef(r.oid) END AS "PARTITION BY",
    CASE WHEN r.relispartition THEN h.parents END AS "PARTITION OF",
    CASE WHEN r.relispartition THEN pg_get_expr(r.relpartbound, r.oid) END AS bound,
    [[flag h.pending]] AS "DETACH PENDING",
    CASE WHEN NOT r.relispartition THEN h.parents END AS "INHERITS",
    CASE WHEN r.relkind NOT IN ('r', 'p', 'm') THEN NULL WHEN r.relreplident = 'n' THEN 'NOTHING'
        WHEN r.relreplident = 'f' THEN 'FULL' WHEN r.relreplident = 'i' THEN 'USING INDEX' END AS "REPLICA IDENTITY",
    [[flag r.relrowsecurity]] AS "ROW LEVEL SECURITY",
    [[flag r.relforcerowsecurity]] AS "FORCE ROW LEVEL SECURITY",
    [[flag NOT r.relispopulated]] AS "WITH NO DATA",
    CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END AS definition,
    [[depends r.oid pg_class]] AS "DEPENDS ON EXTENSION",
    quote_ident(fs.srvname) AS server,
    [[comment r.oid pg_class 0]] AS comment,
    [[options r.reloptions]] AS "*options",
    [[options t.reloptions toast.]] AS "*toast",
    [[options f.ftoptions]] AS "*ftoptions",
    [[acl r.relacl 'r' r.relowner]] AS "*privileges",
    [[labels r.oid pg_class 0]] AS "*labels"
FROM rel r
LEFT JOIN pg_am am ON am.oid = r.relam
LEFT JOIN pg_tablespace s ON s.oid = r.reltablespace
LEFT JOIN pg_class t ON t.oid = r.reltoastrelid
LEFT JOIN pg_foreign_table f ON f.ftrelid = r.oid
LEFT JOIN pg_foreign_server fs ON fs.oid = f.ftserver
LEFT JOIN (
    SELECT i.inhrelid, string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) AS parents,
        bool_or(i.inhdetachpending) AS pending
    FROM pg_inherits i GROUP BY i.inhrelid
) h ON h.inhrelid = r.oid
WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f')
"#,
    covers: &[
        (
            "pg_class",
            "relname relnamespace relkind relowner relpersistence relam reltablespace reloftype relispartition relpartbound \
             relreplident relrowsecurity relforcerowsecurity relispopulated reloptions reltoastrelid relacl",
        ),
        ("pg_am", "amname"),
        ("pg_tablespace", "spcname"),
        ("pg_inherits", "inhrelid inhparent inhseqno inhdetachpending"),
        ("pg_foreign_table", "ftrelid ftserver ftoptions"),
    ],
    through: &[
        (
            "pg_get_partkeydef",
            "pg_partitioned_table",
            "partrelid partstrat partnatts partattrs partclass partcollation partexprs",
        ),
        ("pg_get_viewdef", "pg_rewrite", "ev_action"),
    ],
};

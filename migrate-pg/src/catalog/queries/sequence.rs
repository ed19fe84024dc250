//! Sequences: what they do, not where they stand.

use super::Query;

pub(super) const SEQUENCES: Query = Query {
    reads: "sequences",
    sql: r#"
SELECT 'sequence' AS kind, r.name,
    CASE WHEN o.deptype = 'i' THEN 'column' END AS of_kind,
    CASE WHEN o.deptype = 'i' THEN o.refobjid::regclass || '.' || quote_ident(a.attname) END AS of_name,
    [[owner r.relowner]] AS owner,
    [[flag r.relpersistence = 'u']] AS "UNLOGGED",
    format_type(s.seqtypid, NULL) AS "AS",
    s.seqstart AS "START", s.seqincrement AS "INCREMENT", s.seqmin AS "MINVALUE", s.seqmax AS "MAXVALUE", s.seqcache AS "CACHE",
    [[flag s.seqcycle]] AS "CYCLE",
    CASE WHEN o.deptype = 'a' THEN o.refobjid::regclass || '.' || quote_ident(a.attname) END AS "OWNED BY",
    [[comment r.oid pg_class 0]] AS comment,
    [[acl r.relacl 's' r.relowner]] AS "*privileges",
    [[labels r.oid pg_class 0]] AS "*labels"
FROM rel r
JOIN pg_sequence s ON s.seqrelid = r.oid
LEFT JOIN pg_depend o ON o.classid = 'pg_class'::regclass AND o.objid = r.oid AND o.objsubid = 0
    AND o.refclassid = 'pg_class'::regclass AND o.refobjsubid > 0 AND o.deptype IN ('a', 'i')
LEFT JOIN pg_attribute a ON a.attrelid = o.refobjid AND a.attnum = o.refobjsubid
WHERE r.relkind = 'S'
"#,
    covers: &[
        ("pg_sequence", "seqrelid seqtypid seqstart seqincrement seqmax seqmin seqcache seqcycle"),
        ("pg_depend", "refobjsubid"),
    ],
    through: &[],
};

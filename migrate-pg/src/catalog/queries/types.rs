//! Types: domains, enums, ranges, composites, base types.

use super::Query;

pub(super) const TYPES: Query = Query {
    reads: "types",
    sql: r#"
SELECT t.kind, t.name,
    [[owner t.typowner]] AS owner,
    CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS "AS",
    CASE WHEN t.typtype = 'd' AND t.typcollation <> b.typcollation THEN t.typcollation::regcollation::text END AS "COLLATE",
    [[flag t.typnotnull]] AS "NOT NULL",
    coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault)) AS "DEFAULT",
    (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
        FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels,
    format_type(g.rngsubtype, NULL) AS "SUBTYPE",
    oc.ns || '.' || quote_ident(oc.opcname) AS "SUBTYPE_OPCLASS",
    CASE WHEN g.rngcollation <> 0 THEN g.rngcollation::regcollation::text END AS "COLLATION",
    NULLIF(g.rngcanonical, 0)::regprocedure AS "CANONICAL",
    NULLIF(g.rngsubdiff, 0)::regprocedure AS "SUBTYPE_DIFF",
    format_type(g.rngmultitypid, NULL) AS "MULTIRANGE_TYPE_NAME",
    CASE WHEN t.base THEN t.typinput::regprocedure END AS "INPUT",
    CASE WHEN t.base THEN t.typoutput::regprocedure END AS "OUTPUT",
    CASE WHEN t.base THEN NULLIF(t.typreceive, 0)::regprocedure END AS "RECEIVE",
    CASE WHEN t.base THEN NULLIF(t.typsend, 0)::regprocedure END AS "SEND",
    CASE WHEN t.base THEN NULLIF(t.typmodin, 0)::regprocedure END AS "TYPMOD_IN",
    CASE WHEN t.base THEN NULLIF(t.typmodout, 0)::regprocedure END AS "TYPMOD_OUT",
    CASE WHEN t.base THEN NULLIF(t.typanalyze, 0)::regprocedure END AS "ANALYZE",
    CASE WHEN t.base THEN NULLIF(t.typsubscript, 0)::regprocedure END AS "SUBSCRIPT",
    CASE WHEN t.base THEN t.typlen END AS "INTERNALLENGTH",
    CASE WHEN t.base AND t.typbyval THEN '' END AS "PASSEDBYVALUE",
    CASE WHEN t.base THEN t.typalign END AS "ALIGNMENT",
    CASE WHEN t.base THEN t.typstorage END AS "STORAGE",
    CASE WHEN t.base THEN t.typcategory END AS "CATEGORY",
    CASE WHEN t.base AND t.typispreferred THEN '' END AS "PREFERRED",
    CASE WHEN t.base AND t.typelem <> 0 THEN format_type(t.typelem, NULL) END AS "ELEMENT",
    CASE WHEN t.base THEN t.typdelim END AS "DELIMITER",
    CASE WHEN t.base AND t.typcollation <> 0 THEN '' END AS "COLLATABLE",
    [[comment t.oid pg_type 0]] AS comment,
    [[acl t.typacl 'T' t.typowner]] AS "*privileges",
    [[labels t.oid pg_type 0]] AS "*labels"
FROM (SELECT *, typtype = 'b' AND typisdefined AS base FROM typ) t
LEFT JOIN pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_range g ON g.rngtypid = t.oid
LEFT JOIN (SELECT o.oid, o.opcname, quote_ident(n.nspname) AS ns FROM pg_opclass o
    JOIN pg_namespace n ON n.oid = o.opcnamespace) oc ON oc.oid = g.rngsubopc
"#,
    covers: &[
        (
            "pg_type",
            "typname typnamespace typowner typtype typisdefined typbasetype typtypmod typcollation typnotnull typdefaultbin typdefault \
             typinput typoutput typreceive typsend typmodin typmodout typanalyze typsubscript typlen typbyval typalign typstorage \
             typcategory typispreferred typelem typdelim typacl typrelid",
        ),
        ("pg_enum", "enumtypid enumlabel enumsortorder"),
        ("pg_range", "rngtypid rngsubtype rngmultitypid rngcollation rngsubopc rngcanonical rngsubdiff"),
    ],
    through: &[],
};

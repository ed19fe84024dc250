//! Schemas, extensions, and the privileges of what is yet to be made.

use super::Query;

pub(super) const SCHEMAS: Query = Query {
    reads: "schemas",
    sql: r#"
SELECT 'schema' AS kind, ns.name,
    [[owner n.nspowner]] AS owner,
    [[comment n.oid pg_namespace 0]] AS comment,
    [[acl n.nspacl 'n' n.nspowner]] AS "*privileges",
    [[labels n.oid pg_namespace 0]] AS "*labels"
FROM ns JOIN pg_namespace n ON n.oid = ns.oid
WHERE [[not_member n.oid pg_namespace]]
"#,
    covers: &[
        ("pg_namespace", "nspname nspowner nspacl"),
        ("pg_description", "objoid classoid objsubid description"),
        ("pg_seclabel", "objoid classoid objsubid provider label"),
        ("pg_depend", "classid objid refclassid deptype"),
    ],
    through: &[],
};

pub(super) const EXTENSIONS: Query = Query {
    reads: "extensions",
    sql: r#"
SELECT 'extension' AS kind, quote_ident(e.extname) AS name,
    e.extversion AS version,
    quote_ident(n.nspname) AS schema,
    [[owner e.extowner]] AS owner,
    [[flag e.extrelocatable]] AS relocatable,
    (SELECT string_agg('dumped table ' || c.rel::regclass || chr(31) || c.condition, chr(30))
        FROM unnest(e.extconfig, e.extcondition) AS c(rel, condition)) AS "*dumped",
    [[comment e.oid pg_extension 0]] AS comment
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
"#,
    covers: &[("pg_extension", "extname extversion extnamespace extowner extrelocatable extconfig extcondition")],
    through: &[],
};

/// An extension's objects are the extension's, but who may use them is the database's: what differs from what the
/// extension itself granted (manual, 53.29 `pg_init_privs`).
pub(super) const EXTENSION_MEMBERS: Query = Query {
    reads: "privileges of what extensions own",
    sql: "
SELECT 'extension member' AS kind, o.type || ' ' || o.identity AS name,
    'extension' AS of_kind, quote_ident(e.extname) AS of_name,
    array_to_string(ARRAY(SELECT a::text FROM unnest(m.acl) a ORDER BY 1), ', ') AS privileges
FROM (
    SELECT 'pg_class'::regclass AS classid, oid, relacl AS acl FROM pg_class
    UNION ALL SELECT 'pg_proc'::regclass, oid, proacl FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, oid, typacl FROM pg_type
    UNION ALL SELECT 'pg_namespace'::regclass, oid, nspacl FROM pg_namespace
    UNION ALL SELECT 'pg_language'::regclass, oid, lanacl FROM pg_language
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, fdwacl FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid, srvacl FROM pg_foreign_server
) m
JOIN pg_depend d ON d.classid = m.classid AND d.objid = m.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid
LEFT JOIN pg_init_privs i ON i.classoid = m.classid AND i.objoid = m.oid AND i.objsubid = 0
CROSS JOIN LATERAL pg_identify_object(m.classid, m.oid, 0) o
WHERE m.acl IS NOT NULL
    AND NOT (m.acl @> coalesce(i.initprivs, '{}') AND coalesce(i.initprivs, '{}') @> m.acl)
",
    covers: &[("pg_init_privs", "objoid classoid objsubid initprivs"), ("pg_depend", "objsubid refobjid")],
    through: &[],
};

pub(super) const DEFAULT_PRIVILEGES: Query = Query {
    reads: "default privileges",
    sql: r#"
SELECT 'default privileges' AS kind,
    'of role ' || [[owner d.defaclrole]] || coalesce(' in schema ' || quote_ident(n.nspname), '') || ' on '
        || CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
            WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' WHEN 'L' THEN 'large objects' ELSE d.defaclobjtype::text END AS name,
    CASE WHEN d.defaclnamespace = 0
        THEN [[acl d.defaclacl d.letter d.defaclrole]]
        ELSE [[acl_alone d.defaclacl d.defaclrole]] END AS "*privileges"
FROM (SELECT *, CASE defaclobjtype WHEN 'S' THEN 's'::"char" ELSE defaclobjtype END AS letter FROM pg_default_acl) d
LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
WHERE d.defaclnamespace = 0 OR d.defaclnamespace IN (SELECT oid FROM ns)
"#,
    covers: &[("pg_default_acl", "defaclrole defaclnamespace defaclobjtype defaclacl")],
    through: &[],
};

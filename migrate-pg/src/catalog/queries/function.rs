//! Functions, procedures and aggregates.

use super::Query;

pub(super) const FUNCTIONS: Query = Query {
    reads: "functions and procedures",
    sql: r#"
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind,
    ns.name || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')' AS name,
    [[owner p.proowner]] AS owner,
    pg_get_function_arguments(p.oid) AS arguments,
    pg_get_function_result(p.oid) AS "RETURNS",
    quote_ident(l.lanname) AS "LANGUAGE",
    CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' WHEN 'v' THEN 'VOLATILE' END AS volatility,
    [[flag p.prokind = 'w']] AS "WINDOW",
    [[flag p.proisstrict]] AS "STRICT",
    [[flag p.proleakproof]] AS "LEAKPROOF",
    [[flag p.prosecdef]] AS "SECURITY DEFINER",
    CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' WHEN 'u' THEN 'UNSAFE' END AS "PARALLEL",
    p.procost AS "COST",
    NULLIF(p.prorows, 0) AS "ROWS",
    NULLIF(p.prosupport, 0)::regprocedure AS "SUPPORT",
    (SELECT string_agg(format_type(u.type, NULL), ', ' ORDER BY u.at)
        FROM unnest(p.protrftypes) WITH ORDINALITY AS u(type, at)) AS "TRANSFORM FOR",
    p.probin AS library,
    coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) AS body,
    [[flag p.prosqlbody IS NOT NULL]] AS "parsed when made",
    (SELECT string_agg('SET ' || o.option_name || chr(31) || o.option_value, chr(30))
        FROM pg_options_to_table(p.proconfig) o) AS "*settings",
    [[depends p.oid pg_proc]] AS "DEPENDS ON EXTENSION",
    [[comment p.oid pg_proc 0]] AS comment,
    [[acl p.proacl 'f' p.proowner]] AS "*privileges",
    [[labels p.oid pg_proc 0]] AS "*labels"
FROM pg_proc p
JOIN ns ON ns.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind <> 'a' AND [[not_member p.oid pg_proc]]
"#,
    covers: &[(
        "pg_proc",
        "proname pronamespace proowner prokind proargtypes prolang provolatile proisstrict proleakproof prosecdef proparallel \
         procost prorows prosupport protrftypes probin prosrc prosqlbody proconfig proacl",
    )],
    through: &[
        (
            "pg_get_function_arguments",
            "pg_proc",
            "pronargs pronargdefaults proallargtypes proargmodes proargnames proargdefaults provariadic",
        ),
        ("pg_get_function_result", "pg_proc", "prorettype proretset"),
    ],
};

pub(super) const AGGREGATES: Query = Query {
    reads: "aggregates",
    sql: r#"
SELECT 'aggregate' AS kind,
    ns.name || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')' AS name,
    [[owner p.proowner]] AS owner,
    pg_get_function_arguments(p.oid) AS arguments,
    pg_get_function_result(p.oid) AS "RETURNS",
    CASE a.aggkind WHEN 'o' THEN 'ORDERED SET' WHEN 'h' THEN 'HYPOTHETICAL' END AS sort,
    NULLIF(a.aggnumdirectargs, 0) AS "direct arguments",
    NULLIF(a.aggtransfn, 0)::regprocedure AS "SFUNC",
    format_type(a.aggtranstype, NULL) AS "STYPE",
    NULLIF(a.aggtransspace, 0) AS "SSPACE",
    NULLIF(a.aggfinalfn, 0)::regprocedure AS "FINALFUNC",
    [[flag a.aggfinalextra]] AS "FINALFUNC_EXTRA",
    a.aggfinalmodify AS "FINALFUNC_MODIFY",
    NULLIF(a.aggcombinefn, 0)::regprocedure AS "COMBINEFUNC",
    NULLIF(a.aggserialfn, 0)::regprocedure AS "SERIALFUNC",
    NULLIF(a.aggdeserialfn, 0)::regprocedure AS "DESERIALFUNC",
    a.agginitval AS "INITCOND",
    NULLIF(a.aggmtransfn, 0)::regprocedure AS "MSFUNC",
    NULLIF(a.aggminvtransfn, 0)::regprocedure AS "MINVFUNC",
    CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END AS "MSTYPE",
    NULLIF(a.aggmtransspace, 0) AS "MSSPACE",
    NULLIF(a.aggmfinalfn, 0)::regprocedure AS "MFINALFUNC",
    [[flag a.aggmfinalextra]] AS "MFINALFUNC_EXTRA",
    CASE WHEN a.aggmtranstype <> 0 THEN a.aggmfinalmodify END AS "MFINALFUNC_MODIFY",
    a.aggminitval AS "MINITCOND",
    NULLIF(a.aggsortop, 0)::regoperator AS "SORTOP",
    CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' WHEN 'u' THEN 'UNSAFE' END AS "PARALLEL",
    [[depends p.oid pg_proc]] AS "DEPENDS ON EXTENSION",
    [[comment p.oid pg_proc 0]] AS comment,
    [[acl p.proacl 'f' p.proowner]] AS "*privileges",
    [[labels p.oid pg_proc 0]] AS "*labels"
FROM pg_proc p
JOIN pg_aggregate a ON a.aggfnoid = p.oid
JOIN ns ON ns.oid = p.pronamespace
WHERE [[not_member p.oid pg_proc]]
"#,
    covers: &[(
        "pg_aggregate",
        "aggfnoid aggkind aggnumdirectargs aggtransfn aggtranstype aggtransspace aggfinalfn aggfinalextra aggfinalmodify aggcombinefn \
         aggserialfn aggdeserialfn agginitval aggmtransfn aggminvtransfn aggmtranstype aggmtransspace aggmfinalfn aggmfinalextra \
         aggmfinalmodify aggminitval aggsortop",
    )],
    through: &[],
};

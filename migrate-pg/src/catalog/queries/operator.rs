//! Operators, their families and classes, and casts.

use super::Query;

pub(super) const OPERATORS: Query = Query {
    reads: "operators",
    sql: r#"
SELECT 'operator' AS kind,
    ns.name || '.' || o.oprname || ' (' || CASE o.oprkind WHEN 'l' THEN 'NONE' ELSE format_type(o.oprleft, NULL) END || ', '
        || format_type(o.oprright, NULL) || ')' AS name,
    [[owner o.oprowner]] AS owner,
    CASE WHEN o.oprresult <> 0 THEN format_type(o.oprresult, NULL) END AS returns,
    [[flag o.oprcode = 0]] AS "named, and not yet defined",
    NULLIF(o.oprcode, 0)::regprocedure AS "FUNCTION",
    NULLIF(o.oprcom, 0)::regoperator AS "COMMUTATOR",
    NULLIF(o.oprnegate, 0)::regoperator AS "NEGATOR",
    NULLIF(o.oprrest, 0)::regprocedure AS "RESTRICT",
    NULLIF(o.oprjoin, 0)::regprocedure AS "JOIN",
    [[flag o.oprcanhash]] AS "HASHES",
    [[flag o.oprcanmerge]] AS "MERGES",
    [[comment o.oid pg_operator 0]] AS comment
FROM pg_operator o
JOIN ns ON ns.oid = o.oprnamespace
WHERE [[not_member o.oid pg_operator]]
"#,
    covers: &[(
        "pg_operator",
        "oprname oprnamespace oprowner oprkind oprcanmerge oprcanhash oprleft oprright oprresult oprcom oprnegate oprcode oprrest \
         oprjoin",
    )],
    through: &[],
};

/// With the operators and functions of the family's classes: which class one belongs to is only in `pg_depend`.
pub(super) const FAMILIES: Query = Query {
    reads: "operator families",
    sql: r#"
SELECT 'operator family' AS kind, ns.name || '.' || quote_ident(f.opfname) || ' USING ' || am.amname AS name,
    [[owner f.opfowner]] AS owner,
    (SELECT string_agg('operator ' || o.amopstrategy || ' (' || format_type(o.amoplefttype, NULL) || ', '
            || format_type(o.amoprighttype, NULL) || ')' || chr(31) || o.amopopr::regoperator
            || CASE o.amoppurpose WHEN 'o' THEN ' FOR ORDER BY '
                || (SELECT quote_ident(sn.nspname) || '.' || quote_ident(s.opfname) FROM pg_opfamily s
                    JOIN pg_namespace sn ON sn.oid = s.opfnamespace WHERE s.oid = o.amopsortfamily)
                ELSE '' END
            || coalesce(' of class ' || (SELECT quote_ident(c.opcname) FROM pg_depend d JOIN pg_opclass c ON c.oid = d.refobjid
                WHERE d.classid = 'pg_amop'::regclass AND d.objid = o.oid AND d.refclassid = 'pg_opclass'::regclass), ''), chr(30))
        FROM pg_amop o WHERE o.amopfamily = f.oid AND o.amopmethod = f.opfmethod) AS "*operators",
    (SELECT string_agg('function ' || p.amprocnum || ' (' || format_type(p.amproclefttype, NULL) || ', '
            || format_type(p.amprocrighttype, NULL) || ')' || chr(31) || p.amproc::regprocedure
            || coalesce(' of class ' || (SELECT quote_ident(c.opcname) FROM pg_depend d JOIN pg_opclass c ON c.oid = d.refobjid
                WHERE d.classid = 'pg_amproc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_opclass'::regclass), ''), chr(30))
        FROM pg_amproc p WHERE p.amprocfamily = f.oid) AS "*functions",
    [[comment f.oid pg_opfamily 0]] AS comment
FROM pg_opfamily f
JOIN ns ON ns.oid = f.opfnamespace
JOIN pg_am am ON am.oid = f.opfmethod
WHERE [[not_member f.oid pg_opfamily]]
"#,
    covers: &[
        ("pg_opfamily", "opfmethod opfname opfnamespace opfowner"),
        ("pg_amop", "amopfamily amoplefttype amoprighttype amopstrategy amoppurpose amopopr amopmethod amopsortfamily"),
        ("pg_amproc", "amprocfamily amproclefttype amprocrighttype amprocnum amproc"),
    ],
    through: &[],
};

pub(super) const CLASSES: Query = Query {
    reads: "operator classes",
    sql: r#"
SELECT 'operator class' AS kind, ns.name || '.' || quote_ident(c.opcname) || ' USING ' || am.amname AS name,
    [[owner c.opcowner]] AS owner,
    format_type(c.opcintype, NULL) AS "FOR TYPE",
    [[flag c.opcdefault]] AS "DEFAULT",
    quote_ident(fn.nspname) || '.' || quote_ident(f.opfname) AS "FAMILY",
    CASE WHEN c.opckeytype <> 0 THEN format_type(c.opckeytype, NULL) END AS "STORAGE",
    [[comment c.oid pg_opclass 0]] AS comment
FROM pg_opclass c
JOIN ns ON ns.oid = c.opcnamespace
JOIN pg_am am ON am.oid = c.opcmethod
JOIN pg_opfamily f ON f.oid = c.opcfamily
JOIN pg_namespace fn ON fn.oid = f.opfnamespace
WHERE [[not_member c.oid pg_opclass]]
"#,
    covers: &[("pg_opclass", "opcmethod opcname opcnamespace opcowner opcfamily opcintype opcdefault opckeytype")],
    through: &[],
};

/// A cast is in no schema: those that were not there from the start (`FirstNormalObjectId`, transam.h).
pub(super) const CASTS: Query = Query {
    reads: "casts",
    sql: r#"
SELECT 'cast' AS kind, '(' || format_type(c.castsource, NULL) || ' AS ' || format_type(c.casttarget, NULL) || ')' AS name,
    CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION' WHEN 'i' THEN 'WITH INOUT' WHEN 'b' THEN 'WITHOUT FUNCTION' END AS method,
    NULLIF(c.castfunc, 0)::regprocedure AS "FUNCTION",
    CASE c.castcontext WHEN 'e' THEN 'explicit' WHEN 'a' THEN 'AS ASSIGNMENT' WHEN 'i' THEN 'AS IMPLICIT' END AS context,
    [[comment c.oid pg_cast 0]] AS comment
FROM pg_cast c
WHERE c.oid >= 16384 AND [[not_member c.oid pg_cast]]
"#,
    covers: &[("pg_cast", "castsource casttarget castfunc castcontext castmethod")],
    through: &[],
};

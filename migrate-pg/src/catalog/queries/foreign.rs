//! Foreign data wrappers, servers and user mappings. Foreign tables are with the tables.

use super::Query;

pub(super) const WRAPPERS: Query = Query {
    reads: "foreign data wrappers",
    sql: r#"
SELECT 'foreign data wrapper' AS kind, quote_ident(f.fdwname) AS name,
    [[owner f.fdwowner]] AS owner,
    NULLIF(f.fdwhandler, 0)::regprocedure AS "HANDLER",
    NULLIF(f.fdwvalidator, 0)::regprocedure AS "VALIDATOR",
    [[comment f.oid pg_foreign_data_wrapper 0]] AS comment,
    [[options f.fdwoptions]] AS "*options",
    [[acl f.fdwacl 'F' f.fdwowner]] AS "*privileges"
FROM pg_foreign_data_wrapper f
WHERE [[not_member f.oid pg_foreign_data_wrapper]]
"#,
    covers: &[("pg_foreign_data_wrapper", "fdwname fdwowner fdwhandler fdwvalidator fdwacl fdwoptions")],
    through: &[],
};

pub(super) const SERVERS: Query = Query {
    reads: "foreign servers",
    sql: r#"
SELECT 'server' AS kind, quote_ident(s.srvname) AS name,
    [[owner s.srvowner]] AS owner,
    quote_ident(f.fdwname) AS "FOREIGN DATA WRAPPER",
    s.srvtype AS "TYPE",
    s.srvversion AS "VERSION",
    [[comment s.oid pg_foreign_server 0]] AS comment,
    [[options s.srvoptions]] AS "*options",
    [[acl s.srvacl 'S' s.srvowner]] AS "*privileges"
FROM pg_foreign_server s
JOIN pg_foreign_data_wrapper f ON f.oid = s.srvfdw
WHERE [[not_member s.oid pg_foreign_server]]
"#,
    covers: &[("pg_foreign_server", "srvname srvowner srvfdw srvtype srvversion srvacl srvoptions")],
    through: &[],
};

/// Through the view, which all may read, and which leaves out options that the role may not see. They hold passwords: all
/// but the name of the user are told by digest.
pub(super) const USER_MAPPINGS: Query = Query {
    reads: "user mappings",
    sql: r#"
SELECT 'user mapping' AS kind,
    'for ' || CASE m.umuser WHEN 0 THEN 'PUBLIC' ELSE [[owner m.umuser]] END || ' server ' || quote_ident(m.srvname) AS name,
    (SELECT string_agg('option ' || o.option_name || chr(31) || CASE WHEN o.option_name = 'user' THEN o.option_value
            ELSE 'sha256 ' || encode(sha256(convert_to(o.option_value, 'UTF8')), 'hex') END, chr(30))
        FROM pg_options_to_table(m.umoptions) o) AS "*umoptions",
    CASE WHEN m.umoptions IS NULL THEN 'its options, if it has any: only a superuser or the owner of the server may read them' END AS hidden -- others
    NULL AS "*nothing" -- superuser
FROM pg_user_mappings m
"#,
    covers: &[("pg_user_mapping", "umuser umoptions")],
    through: &[("pg_user_mappings", "pg_user_mapping", "umserver")],
};

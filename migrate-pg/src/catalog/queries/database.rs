//! The database itself, whatever its name.

use super::Query;

pub(super) const DATABASE: Query = Query {
    reads: "the database",
    sql: r#"
SELECT 'database' AS kind, 'itself' AS name,
    [[owner d.datdba]] AS owner,
    pg_encoding_to_char(d.encoding) AS "ENCODING",
    d.datcollate AS "LC_COLLATE",
    d.datctype AS "LC_CTYPE",
    d.datlocprovider AS "LOCALE_PROVIDER", -- 15+
    d.daticulocale AS "LOCALE", -- 15..16
    d.datlocale AS "LOCALE", -- 17+
    d.daticurules AS "ICU_RULES", -- 16+
    quote_ident(s.spcname) AS tablespace,
    NULLIF(d.datconnlimit, -1) AS "CONNECTION LIMIT",
    [[flag d.datistemplate]] AS "IS_TEMPLATE",
    [[flag NOT d.datallowconn]] AS "allows no connections",
    (SELECT string_agg('SET ' || o.option_name || coalesce(' for role ' || [[owner NULLIF(c.setrole,0)]], '') || chr(31) || o.option_value, chr(30))
        FROM pg_db_role_setting c CROSS JOIN LATERAL pg_options_to_table(c.setconfig) o
        WHERE c.setdatabase = d.oid) AS "*settings",
    (SELECT h.description FROM pg_shdescription h WHERE h.objoid = d.oid AND h.classoid = 'pg_database'::regclass) AS comment,
    [[acl d.datacl 'd' d.datdba]] AS "*privileges",
    (SELECT string_agg('security label for ' || l.provider || chr(31) || l.label, chr(30))
        FROM pg_shseclabel l WHERE l.objoid = d.oid AND l.classoid = 'pg_database'::regclass) AS "*labels"
FROM pg_database d
JOIN pg_tablespace s ON s.oid = d.dattablespace
WHERE d.datname = current_database()
"#,
    covers: &[
        (
            "pg_database",
            "datdba encoding datcollate datctype datlocprovider daticulocale datlocale daticurules dattablespace datconnlimit \
             datistemplate datallowconn datacl",
        ),
        ("pg_db_role_setting", "setdatabase setrole setconfig"),
        ("pg_shdescription", "objoid classoid description"),
        ("pg_shseclabel", "objoid classoid provider label"),
    ],
    through: &[],
};

//! Of text: collations, conversions, and text search.

use super::Query;

pub(super) const COLLATIONS: Query = Query {
    reads: "collations",
    sql: r#"
SELECT 'collation' AS kind, ns.name || '.' || quote_ident(c.collname)
        || CASE WHEN c.collencoding >= 0 THEN ' for ' || pg_encoding_to_char(c.collencoding) ELSE '' END AS name,
    [[owner c.collowner]] AS owner,
    CASE c.collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' WHEN 'd' THEN 'default' END AS "PROVIDER",
    c.collcollate AS "LC_COLLATE",
    c.collctype AS "LC_CTYPE",
    c.colliculocale AS "LOCALE", -- 15..16
    c.colllocale AS "LOCALE", -- 17+
    c.collicurules AS "RULES", -- 16+
    [[flag NOT c.collisdeterministic]] AS "not deterministic",
    [[comment c.oid pg_collation 0]] AS comment
FROM pg_collation c
JOIN ns ON ns.oid = c.collnamespace
WHERE [[not_member c.oid pg_collation]]
"#,
    covers: &[(
        "pg_collation",
        "collname collnamespace collowner collprovider collisdeterministic collencoding collcollate collctype colliculocale \
         colllocale collicurules",
    )],
    through: &[],
};

pub(super) const CONVERSIONS: Query = Query {
    reads: "conversions",
    sql: r#"
SELECT 'conversion' AS kind, ns.name || '.' || quote_ident(c.conname) AS name,
    [[owner c.conowner]] AS owner,
    pg_encoding_to_char(c.conforencoding) AS "FOR",
    pg_encoding_to_char(c.contoencoding) AS "TO",
    c.conproc::regprocedure AS "FROM",
    [[flag c.condefault]] AS "DEFAULT",
    [[comment c.oid pg_conversion 0]] AS comment
FROM pg_conversion c
JOIN ns ON ns.oid = c.connamespace
WHERE [[not_member c.oid pg_conversion]]
"#,
    covers: &[("pg_conversion", "conname connamespace conowner conforencoding contoencoding conproc condefault")],
    through: &[],
};

pub(super) const PARSERS: Query = Query {
    reads: "text search parsers",
    sql: r#"
SELECT 'text search parser' AS kind, ns.name || '.' || quote_ident(p.prsname) AS name,
    p.prsstart::regprocedure AS "START",
    p.prstoken::regprocedure AS "GETTOKEN",
    p.prsend::regprocedure AS "END",
    NULLIF(p.prsheadline, 0)::regprocedure AS "HEADLINE",
    p.prslextype::regprocedure AS "LEXTYPES",
    [[comment p.oid pg_ts_parser 0]] AS comment
FROM pg_ts_parser p
JOIN ns ON ns.oid = p.prsnamespace
WHERE [[not_member p.oid pg_ts_parser]]
"#,
    covers: &[("pg_ts_parser", "prsname prsnamespace prsstart prstoken prsend prsheadline prslextype")],
    through: &[],
};

pub(super) const TEMPLATES: Query = Query {
    reads: "text search templates",
    sql: r#"
SELECT 'text search template' AS kind, ns.name || '.' || quote_ident(t.tmplname) AS name,
    NULLIF(t.tmplinit, 0)::regprocedure AS "INIT",
    t.tmpllexize::regprocedure AS "LEXIZE",
    [[comment t.oid pg_ts_template 0]] AS comment
FROM pg_ts_template t
JOIN ns ON ns.oid = t.tmplnamespace
WHERE [[not_member t.oid pg_ts_template]]
"#,
    covers: &[("pg_ts_template", "tmplname tmplnamespace tmplinit tmpllexize")],
    through: &[],
};

pub(super) const DICTIONARIES: Query = Query {
    reads: "text search dictionaries",
    sql: r#"
SELECT 'text search dictionary' AS kind, ns.name || '.' || quote_ident(d.dictname) AS name,
    [[owner d.dictowner]] AS owner,
    quote_ident(tn.nspname) || '.' || quote_ident(t.tmplname) AS "TEMPLATE",
    d.dictinitoption AS options,
    [[comment d.oid pg_ts_dict 0]] AS comment
FROM pg_ts_dict d
JOIN ns ON ns.oid = d.dictnamespace
JOIN pg_ts_template t ON t.oid = d.dicttemplate
JOIN pg_namespace tn ON tn.oid = t.tmplnamespace
WHERE [[not_member d.oid pg_ts_dict]]
"#,
    covers: &[("pg_ts_dict", "dictname dictnamespace dictowner dicttemplate dictinitoption")],
    through: &[],
};

pub(super) const CONFIGURATIONS: Query = Query {
    reads: "text search configurations",
    sql: r#"
SELECT 'text search configuration' AS kind, ns.name || '.' || quote_ident(c.cfgname) AS name,
    [[owner c.cfgowner]] AS owner,
    quote_ident(pn.nspname) || '.' || quote_ident(p.prsname) AS "PARSER",
    (SELECT string_agg('mapping for ' || m.token || chr(31) || m.dictionaries, chr(30)) FROM (
        SELECT (SELECT t.alias FROM ts_token_type(c.cfgparser) t WHERE t.tokid = m.maptokentype) AS token,
            string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno) AS dictionaries
        FROM pg_ts_config_map m WHERE m.mapcfg = c.oid GROUP BY m.maptokentype) m) AS "*mappings",
    [[comment c.oid pg_ts_config 0]] AS comment
FROM pg_ts_config c
JOIN ns ON ns.oid = c.cfgnamespace
JOIN pg_ts_parser p ON p.oid = c.cfgparser
JOIN pg_namespace pn ON pn.oid = p.prsnamespace
WHERE [[not_member c.oid pg_ts_config]]
"#,
    covers: &[
        ("pg_ts_config", "cfgname cfgnamespace cfgowner cfgparser"),
        ("pg_ts_config_map", "mapcfg maptokentype mapseqno mapdict"),
    ],
    through: &[],
};

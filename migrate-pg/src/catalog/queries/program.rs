//! What runs in the database: triggers, rules, policies, event triggers, languages, transforms, access methods.

use super::Query;

/// Before 15, a partition's copy of its parent's trigger counts as internal.
pub(super) const TRIGGERS: Query = Query {
    reads: "triggers",
    sql: r#"
SELECT 'trigger' AS kind, quote_ident(g.tgname) || ' on ' || r.name AS name, r.kind AS of_kind, r.name AS of_name,
    pg_get_triggerdef(g.oid) AS definition,
    CASE g.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica only' WHEN 'A' THEN 'always' END AS enabled,
    [[depends g.oid pg_trigger]] AS "DEPENDS ON EXTENSION",
    (SELECT quote_ident(p.tgname) || ' on ' || p.tgrelid::regclass FROM pg_trigger p WHERE p.oid = g.tgparentid) AS "part of",
    [[comment g.oid pg_trigger 0]] AS comment,
    [[comment g.tgconstraint pg_constraint 0]] AS "comment on its constraint"
FROM pg_trigger g
JOIN rel r ON r.oid = g.tgrelid
WHERE NOT g.tgisinternal OR g.tgparentid <> 0 AND g.tgconstraint = 0
"#,
    covers: &[("pg_trigger", "tgrelid tgname tgparentid tgenabled tgisinternal tgconstraint")],
    through: &[(
        "pg_get_triggerdef",
        "pg_trigger",
        "tgfoid tgtype tgconstrrelid tgdeferrable tginitdeferred tgnargs tgattr tgargs tgqual tgoldtable tgnewtable",
    )],
};

pub(super) const RULES: Query = Query {
    reads: "rules",
    sql: "
SELECT 'rule' AS kind, quote_ident(w.rulename) || ' on ' || r.name AS name, r.kind AS of_kind, r.name AS of_name,
    pg_get_ruledef(w.oid) AS definition,
    CASE w.ev_enabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica only' WHEN 'A' THEN 'always' END AS enabled,
    [[comment w.oid pg_rewrite 0]] AS comment
FROM pg_rewrite w
JOIN rel r ON r.oid = w.ev_class
WHERE w.rulename <> '_RETURN'
",
    covers: &[("pg_rewrite", "rulename ev_class ev_enabled")],
    through: &[("pg_get_ruledef", "pg_rewrite", "ev_type is_instead ev_qual ev_action")],
};

pub(super) const POLICIES: Query = Query {
    reads: "policies",
    sql: r#"
SELECT 'policy' AS kind, quote_ident(p.polname) || ' on ' || r.name AS name, r.kind AS of_kind, r.name AS of_name,
    CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END AS "AS",
    CASE p.polcmd WHEN '*' THEN 'ALL' WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' END AS "FOR",
    (SELECT string_agg(CASE u WHEN 0 THEN 'PUBLIC' ELSE [[owner u]] END, ', ' ORDER BY CASE u WHEN 0 THEN '' ELSE [[owner u]] END)
        FROM unnest(p.polroles) u) AS "TO",
    pg_get_expr(p.polqual, p.polrelid) AS "USING",
    pg_get_expr(p.polwithcheck, p.polrelid) AS "WITH CHECK",
    [[comment p.oid pg_policy 0]] AS comment
FROM pg_policy p
JOIN rel r ON r.oid = p.polrelid
"#,
    covers: &[("pg_policy", "polname polrelid polcmd polpermissive polroles polqual polwithcheck")],
    through: &[],
};

pub(super) const EVENT_TRIGGERS: Query = Query {
    reads: "event triggers",
    sql: r#"
SELECT 'event trigger' AS kind, quote_ident(e.evtname) AS name,
    e.evtevent AS "ON",
    e.evtfoid::regprocedure AS "EXECUTE FUNCTION",
    CASE e.evtenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica only' WHEN 'A' THEN 'always' END AS enabled,
    (SELECT string_agg(t, ', ' ORDER BY t) FROM unnest(e.evttags) t) AS "TAG IN",
    [[owner e.evtowner]] AS owner,
    [[comment e.oid pg_event_trigger 0]] AS comment,
    [[labels e.oid pg_event_trigger 0]] AS "*labels"
FROM pg_event_trigger e
WHERE [[not_member e.oid pg_event_trigger]]
"#,
    covers: &[("pg_event_trigger", "evtname evtevent evtowner evtfoid evtenabled evttags")],
    through: &[],
};

pub(super) const LANGUAGES: Query = Query {
    reads: "languages",
    sql: r#"
SELECT 'language' AS kind, quote_ident(l.lanname) AS name,
    [[owner l.lanowner]] AS owner,
    [[flag l.lanpltrusted]] AS "TRUSTED",
    NULLIF(l.lanplcallfoid, 0)::regprocedure AS "HANDLER",
    NULLIF(l.laninline, 0)::regprocedure AS "INLINE",
    NULLIF(l.lanvalidator, 0)::regprocedure AS "VALIDATOR",
    [[comment l.oid pg_language 0]] AS comment,
    [[acl l.lanacl 'l' l.lanowner]] AS "*privileges",
    [[labels l.oid pg_language 0]] AS "*labels"
FROM pg_language l
WHERE l.lanispl AND [[not_member l.oid pg_language]]
"#,
    covers: &[("pg_language", "lanname lanowner lanispl lanpltrusted lanplcallfoid laninline lanvalidator lanacl")],
    through: &[],
};

pub(super) const TRANSFORMS: Query = Query {
    reads: "transforms",
    sql: r#"
SELECT 'transform' AS kind, 'FOR ' || format_type(t.trftype, NULL) || ' LANGUAGE ' || quote_ident(l.lanname) AS name,
    NULLIF(t.trffromsql, 0)::regprocedure AS "FROM SQL",
    NULLIF(t.trftosql, 0)::regprocedure AS "TO SQL",
    [[comment t.oid pg_transform 0]] AS comment
FROM pg_transform t
JOIN pg_language l ON l.oid = t.trflang
WHERE [[not_member t.oid pg_transform]]
"#,
    covers: &[("pg_transform", "trftype trflang trffromsql trftosql")],
    through: &[],
};

/// In no schema either: see the casts.
pub(super) const ACCESS_METHODS: Query = Query {
    reads: "access methods",
    sql: r#"
SELECT 'access method' AS kind, quote_ident(a.amname) AS name,
    CASE a.amtype WHEN 't' THEN 'TABLE' WHEN 'i' THEN 'INDEX' END AS "TYPE",
    a.amhandler::regprocedure AS "HANDLER",
    [[comment a.oid pg_am 0]] AS comment
FROM pg_am a
WHERE a.oid >= 16384 AND [[not_member a.oid pg_am]]
"#,
    covers: &[("pg_am", "amname amtype amhandler")],
    through: &[],
};

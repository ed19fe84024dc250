//! Publications and subscriptions.

use super::Query;

pub(super) const PUBLICATIONS: Query = Query {
    reads: "publications",
    sql: r#"
SELECT 'publication' AS kind, quote_ident(p.pubname) AS name,
    [[owner p.pubowner]] AS owner,
    [[flag p.puballtables]] AS "FOR ALL TABLES",
    concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
        CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END) AS publish,
    [[flag p.pubviaroot]] AS publish_via_partition_root,
    CASE p.pubgencols WHEN 'n' THEN NULL WHEN 's' THEN 'stored' ELSE p.pubgencols::text END AS publish_generated_columns, -- 18+
    (SELECT string_agg('table ' || r.prrelid::regclass || chr(31) || concat_ws(' ',
            (SELECT '(' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')' FROM pg_attribute a -- 15+
                WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)), -- 15+
            'WHERE ' || pg_get_expr(r.prqual, r.prrelid), -- 15+
            NULL), chr(30))
        FROM pg_publication_rel r WHERE r.prpubid = p.oid) AS "*tables",
    (SELECT string_agg('tables in schema ' || quote_ident(n.nspname) || chr(31), chr(30)) -- 15+
        FROM pg_publication_namespace s JOIN pg_namespace n ON n.oid = s.pnnspid WHERE s.pnpubid = p.oid) AS "*schemas", -- 15+
    [[comment p.oid pg_publication 0]] AS comment,
    [[labels p.oid pg_publication 0]] AS "*labels"
FROM pg_publication p
WHERE [[not_member p.oid pg_publication]]
"#,
    covers: &[
        (
            "pg_publication",
            "pubname pubowner puballtables pubinsert pubupdate pubdelete pubtruncate pubviaroot pubgencols",
        ),
        ("pg_publication_rel", "prpubid prrelid prattrs prqual"),
        ("pg_publication_namespace", "pnpubid pnnspid"),
    ],
    through: &[],
};

/// The connection string may hold a password: it is told by digest, where it may be read at all.
pub(super) const SUBSCRIPTIONS: Query = Query {
    reads: "subscriptions",
    sql: r#"
SELECT 'subscription' AS kind, quote_ident(s.subname) AS name,
    [[owner s.subowner]] AS owner,
    [[flag s.subenabled]] AS enabled,
    (SELECT string_agg(quote_ident(p), ', ' ORDER BY p) FROM unnest(s.subpublications) p) AS "PUBLICATION",
    'sha256 ' || encode(sha256(convert_to(s.subconninfo, 'UTF8')), 'hex') AS "CONNECTION", -- superuser
    'its connection string: only a superuser may read it' AS hidden, -- others
    s.subslotname AS slot_name,
    s.subsynccommit AS synchronous_commit,
    [[flag s.subbinary]] AS binary,
    s.substream AS streaming,
    s.subtwophasestate AS two_phase, -- 15+
    [[flag s.subdisableonerr]] AS disable_on_error, -- 15+
    s.suborigin AS origin, -- 16+
    [[flag NOT s.subpasswordrequired]] AS "password not required", -- 16+
    [[flag s.subrunasowner]] AS run_as_owner, -- 16+
    [[flag s.subfailover]] AS failover, -- 17+
    [[comment s.oid pg_subscription 0]] AS comment,
    [[labels s.oid pg_subscription 0]] AS "*labels"
FROM pg_subscription s
WHERE s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
"#,
    covers: &[(
        "pg_subscription",
        "subdbid subname subowner subenabled subpublications subconninfo subslotname subsynccommit subbinary substream \
         subtwophasestate subdisableonerr suborigin subpasswordrequired subrunasowner subfailover",
    )],
    through: &[],
};

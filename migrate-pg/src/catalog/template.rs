//! From the text of a query to the statement for one server: lines that are for other versions go, and what is said in
//! every query (`[[owner …]]`, `[[acl …]]`) is written out.

use super::Scope;
use super::queries::Query;
use crate::quote;
use std::fmt::Write as _;

/// Whom a query is written for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) major: u32,
    pub(super) superuser: bool,
}

/// The statement for one server.
pub(super) fn statement(query: &Query, target: Target, scope: &Scope) -> String {
    written(query.sql, target, scope)
}

/// The same of a text.
pub(super) fn written(text: &str, target: Target, scope: &Scope) -> String {
    let mut sql = prelude(scope);
    for line in text.lines() {
        let (text, condition) = line.rsplit_once(" -- ").unwrap_or((line, ""));
        if holds(condition, target) {
            sql.push_str(text);
            sql.push('\n');
        }
    }
    expand(&sql, scope)
}

/// The schemas, relations and types in scope. A common table expression that a query does not use is not executed.
fn prelude(scope: &Scope) -> String {
    let mut excluded = String::new();
    for schema in scope.excluded() {
        let _ = write!(excluded, ", {}", quote::literal(schema));
    }
    format!(
        "WITH ns AS (SELECT n.oid, quote_ident(n.nspname) AS name FROM pg_namespace n \
           WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema'{excluded})), \
         rel AS (SELECT c.*, ns.name || '.' || quote_ident(c.relname) AS name, \
             CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' \
               WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'composite type' ELSE 'index' END AS kind \
           FROM pg_class c JOIN ns ON ns.oid = c.relnamespace WHERE [[not_member c.oid pg_class]]), \
         typ AS (SELECT t.*, ns.name || '.' || quote_ident(t.typname) AS name, \
             CASE WHEN NOT t.typisdefined THEN 'shell type' WHEN t.typtype = 'd' THEN 'domain' WHEN t.typtype = 'e' THEN 'enum' \
               WHEN t.typtype = 'r' THEN 'range type' WHEN t.typtype = 'c' THEN 'composite type' ELSE 'base type' END AS kind \
           FROM pg_type t JOIN ns ON ns.oid = t.typnamespace \
           WHERE t.typtype <> 'm' AND [[not_member t.oid pg_type]] \
             AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')) \
             AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid))\n"
    )
}

/// Whether a line with this remark is for this server: `15+`, `15..16`, `..16`, `superuser`, `others`.
fn holds(condition: &str, target: Target) -> bool {
    let number = |text: &str| text.parse::<u32>().unwrap_or_else(|_| panic!("`-- {condition}` is no version"));
    match condition {
        "" => true,
        "superuser" => target.superuser,
        "others" => !target.superuser,
        _ => match (condition.strip_suffix('+'), condition.split_once("..")) {
            (Some(from), _) => target.major >= number(from),
            (None, Some(("", to))) => target.major <= number(to),
            (None, Some((from, to))) => (number(from)..=number(to)).contains(&target.major),
            (None, None) => panic!("`-- {condition}` says nothing of versions or roles"),
        },
    }
}

/// Writes the abbreviations out, the inner ones first.
fn expand(sql: &str, scope: &Scope) -> String {
    let mut sql = sql.to_owned();
    while let Some(start) = sql.rfind("[[") {
        let end = start + sql[start..].find("]]").expect("what is opened is closed");
        let inside = sql[start + 2..end].to_owned();
        let (name, rest) = inside.split_once(' ').expect("an abbreviation has an argument");
        let written = if name == "flag" {
            // Any condition, with spaces.
            format!("CASE WHEN {rest} THEN '' END")
        } else {
            named(name, &rest.split(' ').collect::<Vec<_>>(), scope)
        };
        sql.replace_range(start..end + 2, &written);
    }
    sql
}

fn named(name: &str, arguments: &[&str], scope: &Scope) -> String {
    match (name, arguments) {
        ("owner", [oid]) => format!("quote_ident(pg_get_userbyid({oid}))"),
        ("comment", [oid, class, sub]) => format!(
            "(SELECT de.description FROM pg_description de \
             WHERE de.objoid = {oid} AND de.classoid = '{class}'::regclass AND de.objsubid = {sub})"
        ),
        ("labels", [oid, class, sub]) => format!(
            "(SELECT string_agg('security label for ' || la.provider || chr(31) || la.label, chr(30)) FROM pg_seclabel la \
             WHERE la.objoid = {oid} AND la.classoid = '{class}'::regclass AND la.objsubid = {sub})"
        ),
        // ALTER … DEPENDS ON EXTENSION (`DEPENDENCY_AUTO_EXTENSION`, dependency.h).
        ("depends", [oid, class]) => format!(
            "(SELECT string_agg(quote_ident(ex.extname), ', ' ORDER BY ex.extname) FROM pg_depend dx \
             JOIN pg_extension ex ON ex.oid = dx.refobjid WHERE dx.classid = '{class}'::regclass AND dx.objid = {oid} \
             AND dx.refclassid = 'pg_extension'::regclass AND dx.deptype = 'x')"
        ),
        ("options", [options, prefix @ ..]) => format!(
            "(SELECT string_agg('option {}' || op.option_name || chr(31) || coalesce(op.option_value, ''), chr(30)) \
             FROM pg_options_to_table({options}) op)",
            prefix.concat()
        ),
        ("not_member", [_, _]) if scope.has_extension_members() => "true".to_owned(),
        ("not_member", [oid, class]) => format!(
            "NOT EXISTS (SELECT FROM pg_depend me WHERE me.classid = '{class}'::regclass AND me.objid = {oid} \
             AND me.refclassid = 'pg_extension'::regclass AND me.deptype = 'e')"
        ),
        // GRANT and REVOKE that cancel out leave a list that says what none said before: both are shown as nothing.
        ("acl", [acl, letter, owner]) => format!(
            "CASE WHEN {acl} IS NOT NULL THEN \
             (SELECT string_agg('privileges of ' || who || chr(31) || coalesce(ac.what, 'none'), chr(30)) \
              FROM {} ac FULL JOIN {} ad USING (who) WHERE ac.what IS DISTINCT FROM ad.what) END",
            exploded(acl, owner),
            exploded(&format!("acldefault({letter}, {owner})"), owner),
        ),
        ("acl_alone", [acl, owner]) => {
            format!(
                "(SELECT string_agg('privileges of ' || who || chr(31) || ac.what, chr(30)) FROM {} ac)",
                exploded(acl, owner)
            )
        }
        _ => panic!("there is no abbreviation [[{name}]] of {} arguments", arguments.len()),
    }
}

/// A list of privileges as one row for each grantee, and for each grantor other than the owner.
fn exploded(acl: &str, owner: &str) -> String {
    format!(
        "(SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END \
           || CASE WHEN x.grantor = {owner} THEN '' ELSE ' granted by ' || quote_ident(pg_get_userbyid(x.grantor)) END AS who, \
          string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, ', ' \
           ORDER BY x.privilege_type) AS what FROM aclexplode({acl}) x GROUP BY 1)"
    )
}

#[cfg(test)]
mod tests {
    use super::super::queries::{DATABASE, QUERIES};
    use super::*;

    #[test]
    fn every_query_can_be_written_for_every_server() {
        for query in QUERIES.iter().copied().chain([DATABASE]) {
            for major in 14..=18 {
                for superuser in [true, false] {
                    let sql = statement(query, Target { major, superuser }, &Scope::new().exclude_schema("it's"));
                    assert!(!sql.contains("[[") && !sql.contains(" -- "), "{sql}");
                    assert!(sql.contains("'it''s'"), "{sql}");
                }
            }
        }
    }

    #[test]
    fn lines_are_for_the_versions_that_they_name() {
        let at = |major| Target { major, superuser: false };
        assert!(holds("15+", at(15)) && !holds("15+", at(14)));
        assert!(holds("..17", at(17)) && !holds("..17", at(18)));
        assert!(holds("15..16", at(16)) && !holds("15..16", at(17)));
        assert!(holds("others", at(14)) && !holds("superuser", at(14)));
    }
}

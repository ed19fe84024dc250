//! Whether an expression gives another value at each row: what decides whether ADD COLUMN … DEFAULT rewrites the table
//! (`contain_volatile_functions` after inlining).

use super::builtin;
use super::look::Look;
use crate::sql::ast::{Expr, Stmt, Volatility};
use crate::sql::name::Name;
use crate::sql::schema::{Function, Schema};
use std::collections::BTreeSet;

/// How volatile, and what makes it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Immutable or stable: one value for the whole statement.
    Constant,
    /// Volatile, by this function.
    Volatile(String),
    /// Nothing says how volatile this function is.
    Unknown(String),
}

pub(super) fn of(look: &Look<'_>, expression: &Expr) -> Answer {
    of_functions(look.before, &expression.functions, 0)
}

/// The functions of the server that a query may call and that change what the analysis does not follow.
#[rustfmt::skip]
const SIDE_EFFECTS: &[&str] = &[
    "lo_create", "lo_creat", "lo_from_bytea", "lo_import", "lo_put", "lo_truncate", "lo_truncate64", "lo_unlink",
    "lowrite", "pg_cancel_backend", "pg_copy_logical_replication_slot", "pg_copy_physical_replication_slot",
    "pg_create_logical_replication_slot", "pg_create_physical_replication_slot", "pg_drop_replication_slot",
    "pg_import_system_collations", "pg_promote", "pg_replication_origin_advance", "pg_replication_origin_create",
    "pg_replication_origin_drop", "pg_replication_slot_advance", "pg_switch_wal", "pg_terminate_backend",
    "query_to_xml", "query_to_xml_and_xmlschema", "set_config", "ts_stat",
];

/// A function among `called` whose effects cannot be read: its body is not here or holds what is made at run time, or the
/// server's own has side effects.
pub(crate) fn unread_function<'a>(schema: &Schema, called: &'a [Name]) -> Option<&'a Name> {
    called.iter().find(|name| match listed(schema, name) {
        Some(overloads) => {
            overloads.iter().any(|function| function.body.known().is_none_or(|body| body.opaque.is_some()))
        }
        None => SIDE_EFFECTS.contains(&name.name.as_str()) || !is_builtin(schema, name),
    })
}

/// A function among `called` whose body is here, may change something, and cannot be read; or that calls such a one.
/// Functions that are not listed may do what they like in an expression: nothing says that they do.
pub(crate) fn opaque_function(schema: &Schema, called: &[Name]) -> Option<Name> {
    opaque_among(schema, called, &mut BTreeSet::new())
}

fn opaque_among(schema: &Schema, called: &[Name], seen: &mut BTreeSet<Name>) -> Option<Name> {
    called.iter().find_map(|name| {
        if !may_write(schema, name) || !seen.insert(name.clone()) {
            return None;
        }
        listed(schema, name)?.iter().filter_map(|function| function.body.known()).find_map(|body| {
            if body.opaque.is_some() {
                return Some(name.clone());
            }
            body.statements.iter().find_map(|statement| match &statement.stmt {
                Stmt::Query(query) => opaque_among(schema, &query.functions, seen),
                Stmt::Do { body, .. } if body.opaque.is_some() => Some(name.clone()),
                _ => None,
            })
        })
    })
}

/// Whether a listed function is not declared STABLE or IMMUTABLE: those that are run read-only (`SPI_execute_plan`).
pub(crate) fn may_write(schema: &Schema, name: &Name) -> bool {
    listed(schema, name)
        .into_iter()
        .flatten()
        .any(|function| !matches!(function.volatility.known(), Some(Volatility::Immutable | Volatility::Stable)))
}

fn listed<'a>(schema: &'a Schema, name: &Name) -> Option<&'a Vec<Function>> {
    schema.functions.get(&schema.find_functions(name)?)
}

/// Whether the server itself has a function of that name, and the schema lists none.
pub(super) fn is_builtin(schema: &Schema, name: &Name) -> bool {
    if schema.find_functions(name).is_some() {
        return false;
    }
    let system = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
    let name = name.name.as_str();
    let listed =
        [builtin::VOLATILE, builtin::STABLE, builtin::IMMUTABLE].iter().any(|list| list.binary_search(&name).is_ok());
    (system && (listed || is_syntax(name))) || of_extension(name).is_some()
}

/// Functions of the server every form of which is stable (`pg_proc.provolatile`).
const NEVER_IMMUTABLE: &[&str] = &[
    "concat",
    "concat_ws",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_setting",
    "current_time",
    "current_timestamp",
    "current_user",
    "format",
    "localtime",
    "localtimestamp",
    "now",
    "pg_get_viewdef",
    "session_user",
    "statement_timestamp",
    "to_char",
    "to_json",
    "to_jsonb",
    "transaction_timestamp",
    "txid_current",
    "user",
];

/// What makes the expression anything but immutable, where that is certain: indexes and generated columns refuse it
/// (`CheckMutability`, `contain_mutable_functions`). `type_of` answers the built-in type of a column.
pub(super) fn not_immutable(
    schema: &Schema,
    expression: &Expr,
    type_of: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    for name in &expression.functions {
        let listed = schema.find_functions(name).and_then(|found| schema.functions.get(&found));
        let certain = match listed {
            Some(overloads) => overloads.iter().all(|function| {
                let said = matches!(function.volatility.known(), Some(Volatility::Stable | Volatility::Volatile));
                said && function.language.known().is_some_and(|language| language != "sql")
            }),
            None => {
                let server = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
                let name = name.name.as_str();
                server && (builtin::VOLATILE.binary_search(&name).is_ok() || NEVER_IMMUTABLE.contains(&name))
            }
        };
        if certain {
            return Some(format!("{}()", name.name));
        }
    }
    let [column] = expression.columns.as_slice() else { return None };
    let data_type = type_of(column)?;
    let called: Vec<&str> = expression.functions.iter().map(|name| name.name.as_str()).collect();
    match (called.as_slice(), expression.casts.as_slice()) {
        // Casts that depend on TimeZone and DateStyle.
        ([], [cast]) if cast.array == 0 && expression.operators.is_empty() => {
            let to = cast.name.name.as_str();
            let depends = match data_type.as_str() {
                "timestamptz" => matches!(to, "date" | "time" | "timetz" | "timestamp" | "text" | "varchar"),
                "timestamp" => matches!(to, "timestamptz" | "text" | "varchar"),
                "date" => matches!(to, "timestamptz" | "text" | "varchar"),
                "text" | "varchar" => matches!(to, "date" | "time" | "timetz" | "timestamp" | "timestamptz"),
                _ => false,
            };
            depends.then(|| format!("{data_type} to {to}"))
        }
        (["date_trunc"], []) if matches!(data_type.as_str(), "timestamptz" | "date") => {
            (expression.text.matches(',').count() == 1).then(|| format!("date_trunc(text, {data_type})"))
        }
        (["date_part" | "extract"], []) if data_type == "timestamptz" => Some("extract from timestamptz".to_owned()),
        _ => None,
    }
}

fn of_functions(schema: &Schema, functions: &[Name], depth: u8) -> Answer {
    let mut answer = Answer::Constant;
    for name in functions {
        match of_function(schema, name, depth) {
            Answer::Constant => {}
            volatile @ Answer::Volatile(_) => return volatile,
            unknown @ Answer::Unknown(_) => answer = unknown,
        }
    }
    answer
}

fn of_function(schema: &Schema, name: &Name, depth: u8) -> Answer {
    let listed = schema.find_functions(name).and_then(|found| schema.functions.get(&found));
    if let Some(overloads) = listed.filter(|overloads| !overloads.is_empty()) {
        // Which overload is meant is not resolved: the most volatile counts.
        let mut answer = Answer::Constant;
        for function in overloads {
            match of_listed(schema, name, function, depth) {
                Answer::Constant => {}
                volatile @ Answer::Volatile(_) => return volatile,
                unknown @ Answer::Unknown(_) => answer = unknown,
            }
        }
        return answer;
    }
    if name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog") {
        let name = name.name.as_str();
        if builtin::VOLATILE.binary_search(&name).is_ok() {
            return Answer::Volatile(name.to_owned());
        }
        if builtin::STABLE.binary_search(&name).is_ok()
            || builtin::IMMUTABLE.binary_search(&name).is_ok()
            || is_syntax(name)
        {
            return Answer::Constant;
        }
    }
    match of_extension(&name.name) {
        Some(Volatility::Volatile) => Answer::Volatile(name.to_string()),
        Some(_) => Answer::Constant,
        None => Answer::Unknown(name.to_string()),
    }
}

fn of_listed(schema: &Schema, name: &Name, function: &Function, depth: u8) -> Answer {
    match function.volatility.known() {
        Some(Volatility::Immutable | Volatility::Stable) => Answer::Constant,
        // A SQL function of one expression is inlined (`inline_function` in clauses.c): then that expression counts.
        Some(Volatility::Volatile) if depth < 8 => match inlined(function) {
            Some(called) => of_functions(schema, called, depth + 1),
            None => Answer::Volatile(name.to_string()),
        },
        Some(Volatility::Volatile) => Answer::Volatile(name.to_string()),
        None => Answer::Unknown(name.to_string()),
    }
}

/// The functions that the one expression of a SQL function calls, if the planner puts that expression in the call's place.
fn inlined(function: &Function) -> Option<&[Name]> {
    let in_its_way = |option: &String| {
        let option = option.to_ascii_lowercase();
        option.starts_with("security definer")
            || option.starts_with("external security definer")
            || option.starts_with("set ")
    };
    if function.language.known().map(String::as_str) != Some("sql")
        || function.returns_set
        || function.options.iter().any(in_its_way)
    {
        return None;
    }
    let body = function.body.known()?;
    let [statement] = body.statements.as_slice() else { return None };
    let Stmt::Query(query) = &statement.stmt else { return None };
    let plain = query.reads.is_empty() && query.writes.is_empty() && query.into.is_none() && query.row_locks.is_empty();
    let one = query.outputs.as_ref().is_some_and(|outputs| outputs.len() == 1);
    (plain && one && body.opaque.is_none()).then_some(query.functions.as_slice())
}

/// Special syntax that the parser may report as a call, and functions that the grammar itself knows.
fn is_syntax(name: &str) -> bool {
    matches!(
        name,
        "coalesce"
            | "greatest"
            | "least"
            | "nullif"
            | "current_user"
            | "session_user"
            | "user"
            | "current_role"
            | "current_catalog"
            | "current_schema"
            | "current_date"
            | "current_time"
            | "current_timestamp"
            | "localtime"
            | "localtimestamp"
            | "system_user"
            | "extract"
            | "position"
            | "substring"
            | "overlay"
            | "trim"
            | "normalize"
            | "row"
            | "array"
            | "xmlelement"
            | "xmlforest"
            | "xmlconcat"
            | "xmlparse"
            | "xmlpi"
            | "xmlroot"
            | "xmlserialize"
            | "cast"
            | "treat"
            | "collation"
            | "json"
            | "json_array"
            | "json_object"
            | "json_scalar"
            | "json_serialize"
            | "json_exists"
            | "json_query"
            | "json_value"
            | "merge_action"
            | "system"
            | "bernoulli"
    )
}

/// The functions of the extensions that ship with PostgreSQL and that defaults use.
fn of_extension(name: &str) -> Option<Volatility> {
    Some(match name {
        "uuid_generate_v1" | "uuid_generate_v1mc" | "uuid_generate_v4" | "gen_salt" | "gen_random_bytes" => {
            Volatility::Volatile
        }
        "uuid_nil" | "uuid_ns_dns" | "uuid_ns_url" | "uuid_ns_oid" | "uuid_ns_x500" | "uuid_generate_v3"
        | "uuid_generate_v5" | "digest" | "hmac" | "crypt" | "unaccent" | "hstore" | "similarity" | "soundex"
        | "levenshtein" | "metaphone" => Volatility::Immutable,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_lists_are_sorted() {
        for list in [builtin::VOLATILE, builtin::STABLE, builtin::IMMUTABLE] {
            assert!(list.is_sorted());
        }
        let schema = Schema::empty();
        let of = |name: &str| of_function(&schema, &Name::bare(name), 0);
        assert_eq!(of("now"), Answer::Constant);
        assert_eq!(of("clock_timestamp"), Answer::Volatile("clock_timestamp".to_owned()));
        assert_eq!(of("no_such_function"), Answer::Unknown("no_such_function".to_owned()));
    }
}

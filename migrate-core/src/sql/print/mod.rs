//! Our statement facts as SQL text again: for derived downs, for templates in messages, and for the definitions that
//! reports quote. What is printed parses back to the same facts.
#![allow(clippy::format_push_string, reason = "statements are put together clause by clause")]

mod object;
#[cfg(test)]
#[path = "tests.rs"]
mod round_trip;
mod table;

pub(crate) use object::*;
pub(crate) use table::*;

use super::ast::{Expr, SequenceOptions, Target, TypeName};
use super::name::{Name, quoted};

/// Identifiers, quoted, between commas.
pub(crate) fn list<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|name| quoted(name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// A role: the pseudo-roles are keywords and must not be quoted (manual, GRANT: `role_specification`).
pub(crate) fn role(name: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "public" => "PUBLIC".to_owned(),
        "current_user" => "CURRENT_USER".to_owned(),
        "current_role" => "CURRENT_ROLE".to_owned(),
        "session_user" => "SESSION_USER".to_owned(),
        _ => quoted(name),
    }
}

/// A string constant. Backslashes stand for themselves under `standard_conforming_strings`.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// An expression in the parentheses that CHECK, USING and GENERATED need, not doubled where it has them.
pub(crate) fn parenthesised(expression: &Expr) -> String {
    wrapped(&expression.text)
}

/// The text in one pair of parentheses.
pub(crate) fn wrapped(text: &str) -> String {
    if is_wrapped(text) { text.to_owned() } else { format!("({text})") }
}

/// Whether one pair of parentheses holds the whole text. Quoted parts are skipped, so that `(')')` counts as wrapped.
fn is_wrapped(text: &str) -> bool {
    if !text.starts_with('(') {
        return false;
    }
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, char) in text.char_indices() {
        match (quote, char) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(char),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth -= 1;
                if depth == 0 {
                    return at + 1 == text.len();
                }
            }
            (Some(_) | None, _) => {}
        }
    }
    false
}

/// A type as people write it: `integer`, `varchar(20)`, `timestamptz`.
pub(crate) fn type_name(of: &TypeName) -> String {
    let mut out = String::new();
    if of.setof {
        out.push_str("SETOF ");
    }
    if of.percent_type {
        // Table and column, as one name (`table.column`) behind a schema or as schema and name.
        if let Some(schema) = &of.name.schema {
            out.push_str(&format!("{}.", quoted(schema)));
        }
        out.push_str(&option_name(&of.name.name));
        out.push_str("%TYPE");
        return out;
    }
    let builtin = match &of.name.schema {
        None => spelling(&of.name.name),
        Some(schema) if schema == "pg_catalog" => spelling(&of.name.name),
        Some(_) => None,
    };
    let name = builtin.map_or_else(|| of.name.to_string(), str::to_owned);
    let fields = of.name.name == "interval" && of.mods.first().is_some_and(|first| !is_number(first));
    match name.as_str() {
        // `char` alone is `char(1)`; without a length the type has only its internal name.
        "char" if of.mods.is_empty() => out.push_str("bpchar"),
        _ => out.push_str(&name),
    }
    if fields {
        out.push(' ');
        out.push_str(&of.mods.join(" "));
    } else if !of.mods.is_empty() {
        out.push('(');
        out.push_str(&of.mods.join(", "));
        out.push(')');
    }
    for _ in 0..of.array {
        out.push_str("[]");
    }
    out
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The SQL spelling of a built-in type's internal name. Others are identifiers and quoted as such.
pub(crate) fn spelling(internal: &str) -> Option<&'static str> {
    Some(match internal {
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "bool" => "boolean",
        "bpchar" => "char",
        "varchar" => "varchar",
        "numeric" => "numeric",
        "bit" => "bit",
        "varbit" => "bit varying",
        "time" => "time",
        "timetz" => "timetz",
        "timestamp" => "timestamp",
        "timestamptz" => "timestamptz",
        "interval" => "interval",
        "json" => "json",
        "serial2" => "smallserial",
        "serial4" => "serial",
        "serial8" => "bigserial",
        _ => return None,
    })
}

/// Options of a sequence, in the order of the manual's synopsis; empty where none is given.
pub(crate) fn sequence_options(options: &SequenceOptions) -> String {
    let mut parts = Vec::new();
    if let Some(data_type) = &options.data_type {
        parts.push(format!("AS {}", type_name(data_type)));
    }
    for (name, value) in &options.settings {
        parts.push(sequence_setting(name, value));
    }
    match &options.restart {
        Some(Some(value)) => parts.push(format!("RESTART WITH {value}")),
        Some(None) => parts.push("RESTART".to_owned()),
        None => {}
    }
    match &options.owned_by {
        Some(Some((table, column))) => parts.push(format!("OWNED BY {table}.{}", quoted(column))),
        Some(None) => parts.push("OWNED BY NONE".to_owned()),
        None => {}
    }
    parts.join(" ")
}

/// One option of a sequence.
pub(crate) fn sequence_setting(name: &str, value: &str) -> String {
    let none = matches!(value.to_ascii_lowercase().as_str(), "" | "no" | "none" | "false" | "off");
    match name {
        "INCREMENT" => format!("INCREMENT BY {value}"),
        "START" => format!("START WITH {value}"),
        "CYCLE" => if none { "NO CYCLE" } else { "CYCLE" }.to_owned(),
        "LOGGED" => if none { "UNLOGGED" } else { "LOGGED" }.to_owned(),
        "MINVALUE" | "MAXVALUE" if none => format!("NO {name}"),
        _ => format!("{name} {value}"),
    }
}

/// A number or a word stands as it is; anything else needs quotes.
#[allow(dead_code, reason = "held by the tests of the round trip; downs restore these from their own text")]
fn option_value(value: &str) -> String {
    let plain = !value.is_empty()
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+'));
    if plain { value.to_owned() } else { literal(value) }
}

/// Storage parameters or options between parentheses: `(fillfactor = 80, autovacuum_enabled)`.
pub(crate) fn options(options: &[(String, Option<String>)]) -> String {
    let parts: Vec<_> = options
        .iter()
        .map(|(name, value)| {
            value.as_ref().map_or_else(|| option_name(name), |value| format!("{} = {value}", option_name(name)))
        })
        .collect();
    format!("({})", parts.join(", "))
}

/// `toast.autovacuum_enabled` is two identifiers.
pub(crate) fn option_name(name: &str) -> String {
    name.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

/// `WITH (…)` from the text of its options, however much of the clause the text holds.
pub(crate) fn with_clause(text: &str) -> String {
    if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("with")) {
        text.to_owned()
    } else if text.starts_with('(') {
        format!("WITH {text}")
    } else {
        format!("WITH ({text})")
    }
}

/// Types between commas, as in a routine's signature.
pub(crate) fn types(types: &[TypeName]) -> String {
    types.iter().map(type_name).collect::<Vec<_>>().join(", ")
}

/// A routine's or operator's name with its arguments, where they are given.
pub(crate) fn signature(name: &Name, args: Option<&[TypeName]>) -> String {
    args.map_or_else(|| name.to_string(), |args| format!("{name}({})", types(args)))
}

/// An object as COMMENT ON, GRANT and ALTER name it, its kind first: `CONSTRAINT orders_check ON orders`.
pub(crate) fn target(of: &Target) -> String {
    format!("{} {}", of.kind.sql(), target_name(of))
}

/// The object's name alone, as it stands after its kind.
pub(crate) fn target_name(of: &Target) -> String {
    use super::ast::ObjectKind as Kind;
    match (of.kind, &of.on) {
        (Kind::Column, Some(on)) => format!("{on}.{}", quoted(&of.name.name)),
        (Kind::DomainConstraint, Some(on)) => format!("{} ON DOMAIN {on}", quoted(&of.name.name)),
        (_, Some(on)) => format!("{} ON {on}", quoted(&of.name.name)),
        (Kind::Role, None) => role(&of.name.name),
        (_, None) => signature(&of.name, of.args.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(name: &str, mods: &[&str], array: u8) -> TypeName {
        TypeName {
            name: Name::bare(name),
            mods: mods.iter().map(|&text| text.to_owned()).collect(),
            array,
            setof: false,
            percent_type: false,
        }
    }

    #[test]
    fn types_are_spelled_as_people_write_them() {
        assert_eq!(type_name(&plain("int4", &[], 0)), "integer");
        assert_eq!(type_name(&plain("varchar", &["20"], 0)), "varchar(20)");
        assert_eq!(type_name(&plain("numeric", &["10", "2"], 1)), "numeric(10, 2)[]");
        assert_eq!(type_name(&plain("timestamptz", &["3"], 0)), "timestamptz(3)");
        assert_eq!(type_name(&plain("interval", &["day to second(3)"], 0)), "interval day to second(3)");
        assert_eq!(type_name(&plain("serial8", &[], 0)), "bigserial");
        assert_eq!(type_name(&plain("Mood", &[], 0)), "\"Mood\"");
        assert_eq!(type_name(&plain("bpchar", &[], 0)), "bpchar");
    }

    #[test]
    fn a_pair_of_parentheses_is_not_doubled() {
        assert!(is_wrapped("(a > 0)"));
        assert!(is_wrapped("(a = ')')"));
        assert!(!is_wrapped("(a > 0) or (b > 0)"));
        assert!(!is_wrapped("a > 0"));
    }
}

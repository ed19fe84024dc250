//! Whether a type change can lose part of the values: the new type is shorter, coarser or smaller, or USING computes
//! something else. (A value that does not fit at all is refused, not lost; an explicit cast cuts it: manual, 8.3.)

use super::rewrite::{base, shown};
use crate::sql::ast::{Expr, TypeName};
use crate::sql::name::quoted;
use crate::sql::schema::Schema;

/// What is lost, as a sentence.
pub(super) fn loses(
    schema: &Schema,
    column: &str,
    old: &TypeName,
    new: &TypeName,
    using: Option<&Expr>,
) -> Option<String> {
    let says = |why: &str| format!("TYPE {} over {}: {why}", shown(new), shown(old));
    let Some(casts) = using.map_or(Some(Vec::new()), |using| casts_of(using, column)) else {
        return Some(says("USING computes new values; the old ones are gone"));
    };
    let mut steps: Vec<(TypeName, bool)> = casts.into_iter().map(|cast| (base(schema, cast), true)).collect();
    let (old_base, new_base) = (base(schema, old), base(schema, new));
    // What is cast to another type is then assigned to the new one.
    if steps.last().is_none_or(|(last, _)| *last != new_base) {
        steps.push((new_base.clone(), false));
    }
    let explicit = steps.last().is_some_and(|(_, explicit)| *explicit);
    if using.is_some() && is_text(&old_base) && !is_text(&new_base) {
        return Some(says("the text's own spelling is gone"));
    }
    let mut from = &old_base;
    for (to, explicit) in &steps {
        if let Some(why) = one(from, to, *explicit) {
            return Some(says(why));
        }
        from = to;
    }
    // By way of text: what reads the text again cuts as well.
    one(&old_base, &new_base, explicit && steps.len() == 1).map(says)
}

fn is_text(name: &TypeName) -> bool {
    name.array == 0 && matches!(name.name.name.as_str(), "text" | "varchar" | "citext")
}

/// The casts, innermost first, if USING is the column itself, or that and nothing but casts.
fn casts_of<'a>(using: &'a Expr, column: &str) -> Option<Vec<&'a TypeName>> {
    let plain = using.functions.is_empty()
        && using.operators.is_empty()
        && using.subquery.is_none()
        && using.columns.iter().all(|used| used == column)
        && !using.columns.is_empty();
    // COLLATE changes no value.
    let text = using.text.split(" collate ").next().unwrap_or_default();
    let mut rest = text.trim_start_matches("cast(").trim_start_matches('(');
    let own = quoted(column);
    // It may stand with its table's name before it.
    if let Some((table, behind)) = rest.split_once('.')
        && table.chars().all(|char| char.is_alphanumeric() || char == '_' || char == '"')
        && behind.starts_with(&own)
    {
        rest = behind;
    }
    let rest = rest.strip_prefix(own.as_str())?.trim_start_matches(')').trim_start();
    let only_casts = rest.is_empty() || rest.starts_with("::") || rest.starts_with("as ");
    // A type that is cast to twice is listed once.
    let written = text.matches("::").count() + text.matches("cast(").count();
    (plain && only_casts && written == using.casts.len()).then_some(())?;
    // The outermost cast is found first.
    Some(using.casts.iter().rev().collect())
}

fn number(name: &TypeName, at: usize) -> Option<i64> {
    let text: String = name.mods.get(at)?.chars().filter(|char| !char.is_whitespace()).collect();
    text.parse().ok()
}

/// How many characters or bits the longest value of the type has.
fn longest(name: &TypeName) -> Option<i64> {
    match name.name.name.as_str() {
        "varchar" | "bpchar" | "varbit" => number(name, 0),
        "bit" => Some(number(name, 0).unwrap_or(1)),
        "bool" => Some(5),
        "int2" => Some(6),
        "int4" => Some(11),
        "int8" => Some(20),
        "uuid" => Some(36),
        _ => None,
    }
}

fn one(old: &TypeName, new: &TypeName, explicit: bool) -> Option<&'static str> {
    if old.array != new.array {
        return None;
    }
    let (from, to) = (old.name.name.as_str(), new.name.name.as_str());
    if explicit
        && matches!(to, "varchar" | "bpchar" | "bit" | "varbit")
        && let Some(room) = longest(new)
        && longest(old).is_none_or(|length| length > room)
    {
        return Some("an explicit cast cuts what is longer, and does not refuse it");
    }
    let precision = |name: &TypeName| number(name, 0).unwrap_or(6);
    match (from, to) {
        ("numeric", "numeric") => {
            let shrinks = match (number(old, 0), number(new, 0)) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(_), Some(_)) => number(new, 1).unwrap_or(0) < number(old, 1).unwrap_or(0),
            };
            shrinks.then_some("digits behind the point are rounded away")
        }
        ("int2" | "int4" | "int8", "numeric") if number(new, 1).is_some_and(|scale| scale < 0) => {
            Some("a negative scale rounds before the point")
        }
        ("timestamptz", "timestamp") | ("timetz", "time") => {
            Some("which instant was meant depends on the session's time zone")
        }
        ("timestamp" | "timestamptz", "timestamp" | "timestamptz")
        | ("time" | "timetz", "time" | "timetz")
        | ("interval", "interval") => {
            let fields = from == "interval" && !new.mods.is_empty() && old.mods.is_empty();
            (precision(new) < precision(old) || fields).then_some("fractions of seconds or smaller fields are cut")
        }
        ("timestamp" | "timestamptz", "date" | "time" | "timetz") => Some("the other part of each timestamp is gone"),
        ("interval", "time") => Some("the days of each interval are gone"),
        ("float8" | "float4", "numeric") | ("float8" | "numeric", "float4") | ("numeric", "float8" | "money") => {
            Some("digits are rounded away")
        }
        ("int4" | "int8", "float4") | ("int8", "float8") => Some("large numbers are rounded"),
        ("float4" | "float8" | "numeric" | "jsonb", "int2" | "int4" | "int8") => Some("fractions are rounded away"),
        ("int4", "bool") => Some("of each number is left whether it is zero"),
        ("json", "jsonb") => Some("the order, spacing and repetition of keys is gone"),
        ("bpchar", "varchar" | "text") => Some("trailing blanks are gone"),
        ("varchar" | "text" | "bpchar", "name") => Some("what is longer than 63 bytes is cut"),
        // `inet_to_cidr` sets the host's bits to zero.
        ("inet", "cidr") => Some("the host's part of each address is gone"),
        (
            "point" | "lseg" | "path" | "box" | "polygon" | "circle",
            "point" | "lseg" | "path" | "box" | "polygon" | "circle",
        ) if from != to => Some("another shape is computed from each"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::analyze;

    /// Whether the change of column `c` says that values are lost.
    fn lost(from: &str, change: &str) -> bool {
        let setup = format!(
            "CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE state AS ENUM ('sad'); CREATE TABLE t (c {from}, other text)"
        );
        let sql = format!("ALTER TABLE t ALTER COLUMN c TYPE {change}");
        let found = analyze(&setup, &sql, 16).unwrap_or_else(|error| panic!("{from} -> {change}: {error}"));
        !found.facts.losses.is_empty()
    }

    #[test]
    fn what_an_explicit_cast_or_another_value_loses() {
        for (from, change) in [
            ("varchar(20)", "varchar(5) USING c::varchar(5)"),
            ("text", "varchar(5) USING c::varchar(5)"),
            ("date", "char(5) USING c::char(5)"),
            ("text", "text USING c::varchar(3)"),
            ("text", "text USING other"),
            ("text[]", "text USING c[1]"),
            ("text[]", "text[] USING c[1:2]"),
            ("jsonb", "jsonb USING c['x']"),
            ("int", "bool USING c::bool"),
            ("int", "bool USING cast(c AS bool)"),
            ("timestamptz", "timestamptz USING c::date"),
            ("timestamp", "date USING c::text::date"),
            ("int", "varchar(5) USING c::varchar(5)"),
            ("int", "float4"),
            ("bigint", "float8"),
            ("bigint", "float4"),
            ("numeric", "float8"),
            ("int", "numeric(5, -2)"),
            ("numeric(5)", "numeric(5, -2)"),
            ("inet", "cidr"),
        ] {
            assert!(lost(from, change), "{from} -> {change}");
        }
    }

    #[test]
    fn what_keeps_every_value() {
        for (from, change) in [
            ("text", "varchar(5)"),
            ("text", "varchar(5) USING c"),
            ("varchar(5)", "varchar(10) USING c::varchar(10)"),
            ("varchar(5)", "text USING c::text"),
            ("varchar(5)", "text USING t.c::text"),
            ("varchar(5)", "text USING cast(c AS text)"),
            ("int", "bigint USING c::bigint"),
            ("int", "bigint USING (c)::bigint"),
            ("int", "float8"),
            ("int", "text USING c::text"),
            ("uuid", "varchar(36) USING c::varchar(36)"),
            ("mood", "state USING c::text::state"),
            ("mood", "text USING c::text"),
            ("int", "numeric(12, 2)"),
            ("date", "timestamp USING c::timestamp"),
            ("text[]", "varchar[] USING c::varchar[]"),
        ] {
            assert!(!lost(from, change), "{from} -> {change}");
        }
    }
}

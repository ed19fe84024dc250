//! Whether a type change can lose part of the values: the new type is shorter, coarser or smaller, or USING computes
//! something else. (A value that does not fit at all is refused, not lost.)

use super::rewrite::shown;
use crate::sql::ast::{Expr, TypeName};
use crate::sql::schema::Schema;

/// What is lost, as a sentence.
pub(super) fn loses(_schema: &Schema, old: &TypeName, new: &TypeName, using: Option<&Expr>) -> Option<String> {
    let says = |why: &str| Some(format!("TYPE {} over {}: {why}", shown(new), shown(old)));
    if let Some(using) = using
        && (using.columns.is_empty()
            || !using.functions.is_empty()
            || !using.operators.is_empty()
            || using.subquery.is_some())
    {
        return says("USING computes new values; the old ones are gone");
    }
    let number = |name: &TypeName, at: usize| name.mods.get(at).and_then(|text| text.trim().parse::<i64>().ok());
    let (from, to) = (old.name.name.as_str(), new.name.name.as_str());
    if old.array != new.array {
        return None;
    }
    match (from, to) {
        ("numeric", "numeric") => {
            let shrinks = match (number(old, 0), number(new, 0)) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(_), Some(_)) => number(new, 1).unwrap_or(0) < number(old, 1).unwrap_or(0),
            };
            if shrinks { says("digits behind the point are rounded away") } else { None }
        }
        ("timestamp" | "timestamptz" | "time" | "timetz" | "interval", same) if same == from => {
            let (old_precision, new_precision) = (number(old, 0).unwrap_or(6), number(new, 0).unwrap_or(6));
            if new_precision < old_precision || (from == "interval" && !new.mods.is_empty() && old.mods.is_empty()) {
                says("fractions of seconds or smaller fields are cut")
            } else {
                None
            }
        }
        ("timestamp" | "timestamptz", "date" | "time" | "timetz") => says("the other part of each timestamp is gone"),
        ("timestamptz", "timestamp") | ("timetz", "time") => {
            says("which instant was meant depends on the session's time zone")
        }
        ("float8", "float4" | "numeric") | ("numeric", "float4" | "float8") => says("digits are rounded away"),
        ("float4" | "float8" | "numeric", "int2" | "int4" | "int8") => says("fractions are rounded away"),
        ("json", "jsonb") => says("the order, spacing and repetition of keys is gone"),
        ("varchar" | "text" | "bpchar", "bpchar") => None,
        ("bpchar", "varchar" | "text") => says("trailing blanks are gone"),
        ("inet", "cidr") => None,
        ("text" | "varchar", other) if using.is_some() && !matches!(other, "text" | "varchar" | "citext") => {
            says("the text's own spelling is gone")
        }
        _ => None,
    }
}

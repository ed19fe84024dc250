//! Whether a change of a column's type rewrites the table (`ATColumnChangeRequiresRewrite`): it does not where the
//! stored bytes stay valid, by a binary-coercible cast, or where a length coercion is known to be a no-op (the support
//! functions `varchar_support`, `varbit_support`, `numeric_support`, `timestamp_support`, `time_support`,
//! `interval_support`).

use crate::sql::ast::{Expr, TypeName};
use crate::sql::name::Name;
use crate::sql::schema::{Domain, Schema, Type};

/// What a type change does to the stored rows, apart from constraints and indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The rows stay as they are.
    Kept,
    /// They stay if the session's time zone is UTC (`TimestampTimestampTzRequiresRewrite`).
    KeptInUtc,
    Rewritten(String),
}

/// The type behind domains, with the modifiers that count.
pub(super) fn base(schema: &Schema, name: &TypeName) -> TypeName {
    let mut current = name.clone();
    for _ in 0..16 {
        if current.array > 0 {
            return current;
        }
        match domain(schema, &current) {
            Some(domain) => current = domain.base.clone(),
            None => break,
        }
    }
    current
}

pub(super) fn domain<'a>(schema: &'a Schema, name: &TypeName) -> Option<&'a Domain> {
    if name.array > 0 || name.percent_type {
        return None;
    }
    match schema.find_type(&name.name).and_then(|found| schema.types.get(&found)) {
        Some(Type::Domain(domain)) => Some(domain),
        _ => None,
    }
}

/// Whether the domain, or one that it is over, has a CHECK or NOT NULL (`DomainHasConstraints`).
pub(super) fn is_constrained_domain(schema: &Schema, name: &TypeName) -> bool {
    let mut current = name.clone();
    for _ in 0..16 {
        let Some(domain) = domain(schema, &current) else { return false };
        if domain.not_null || !domain.checks.is_empty() {
            return true;
        }
        current = domain.base.clone();
    }
    false
}

pub(super) fn of_type_change(
    schema: &Schema,
    column: &str,
    old: &TypeName,
    new: &TypeName,
    using: Option<&Expr>,
) -> Change {
    if let Some(using) = using
        && !is_plain(schema, column, old, using, new)
    {
        return Change::Rewritten(format!("USING {} gives each row a new value", using.text));
    }
    if same_type(schema, old, new) && old.mods == new.mods {
        return Change::Kept;
    }
    if is_constrained_domain(schema, new) && !same_type(schema, old, new) {
        return Change::Rewritten(format!("the domain {} has constraints, which every row is checked for", new.name));
    }
    let (mut from, to) = (base(schema, old), base(schema, new));
    if domain(schema, old).is_some() {
        // A value of a domain has no length to the parser, whatever the domain is over.
        from.mods = Vec::new();
    }
    let from_name = builtin_name(&from);
    let to_name = builtin_name(&to);
    if from.array > 0 || to.array > 0 {
        // The element's length coercion is not simplified away inside an array; only dropping the length costs nothing.
        let kept = from.array > 0 && to.array > 0 && same_type(schema, &from, &to);
        return if kept && (to.mods.is_empty() || from.mods == to.mods) {
            Change::Kept
        } else {
            Change::Rewritten(format!("an array of {from_name} is not stored like {to_name}"))
        };
    }
    if from_name == to_name && (from.name.schema == to.name.schema || same_type(schema, &from, &to)) {
        return if widens(&from_name, &from.mods, &to.mods) {
            Change::Kept
        } else {
            Change::Rewritten(format!("{} is not a widening of {}", shown(&to), shown(&from)))
        };
    }
    if matches!((from_name.as_str(), to_name.as_str()), ("timestamp", "timestamptz") | ("timestamptz", "timestamp")) {
        // The cast forgets the old precision: any precision below the greatest is coerced to.
        return if widens(&to_name, &[], &to.mods) {
            Change::KeptInUtc
        } else {
            Change::Rewritten(format!("values are rounded to the precision of {}", shown(&to)))
        };
    }
    if binary_coercible(&from_name, &to_name) {
        // The cast itself costs nothing, and forgets the old length: a length of the new type is coerced to.
        return if widens(&to_name, &[], &to.mods) {
            Change::Kept
        } else {
            Change::Rewritten(format!("values are cut or checked to the length of {}", shown(&to)))
        };
    }
    Change::Rewritten(format!("{} is not stored like {}", shown(&from), shown(&to)))
}

pub(super) fn shown(name: &TypeName) -> String {
    crate::sql::print::type_name(name)
}

/// USING that is the column itself, perhaps cast to a type that is stored alike.
fn is_plain(schema: &Schema, column: &str, old: &TypeName, using: &Expr, new: &TypeName) -> bool {
    if !using.functions.is_empty() || !using.operators.is_empty() || using.subquery.is_some() || using.literal {
        return false;
    }
    let quoted = crate::sql::name::quoted(column);
    // COLLATE changes no value (`eval_const_expressions` makes a relabelling of it).
    let text = using.text.split(" collate ").next().unwrap_or_default();
    let text = text.trim_matches(['(', ')']);
    if text == quoted {
        return true;
    }
    let cast = text.starts_with(&format!("{quoted}::"))
        || text.starts_with(&format!("{quoted} ::"))
        || text.starts_with("cast(");
    let [only] = using.casts.as_slice() else { return false };
    if !cast || using.columns.iter().any(|used| used != column) {
        return false;
    }
    let same = only.name == new.name && only.mods == new.mods && only.array == new.array;
    same || (of_type_change(schema, column, old, only, None) == Change::Kept
        && of_type_change(schema, column, only, new, None) == Change::Kept)
}

fn same_type(schema: &Schema, one: &TypeName, other: &TypeName) -> bool {
    if (one.array > 0) != (other.array > 0) {
        return false;
    }
    match (schema.find_type(&one.name), schema.find_type(&other.name)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => builtin_name(one) == builtin_name(other),
        _ => false,
    }
}

/// The name without `pg_catalog`.
fn builtin_name(name: &TypeName) -> String {
    match name.name.schema.as_deref() {
        None | Some("pg_catalog" | "public") => name.name.name.clone(),
        Some(_) => name.name.to_string(),
    }
}

/// Whether the length coercion from one modifier to the other is known to keep every value.
fn widens(name: &str, old: &[String], new: &[String]) -> bool {
    if new == old {
        return true;
    }
    let number = |mods: &[String], at: usize| mods.get(at).and_then(|text| text.trim().parse::<i64>().ok());
    match name {
        "bpchar" => new.is_empty(),
        "varchar" | "varbit" => match (number(old, 0), number(new, 0)) {
            (_, None) => new.is_empty(),
            (None, Some(_)) => false,
            (Some(old), Some(new)) => old <= new,
        },
        "numeric" => match (number(old, 0), number(new, 0)) {
            (_, None) => new.is_empty(),
            (None, Some(_)) => false,
            (Some(old_precision), Some(new_precision)) => {
                // `numeric_support`: the scale must stay, and the precision must not shrink.
                let (old_scale, new_scale) = (number(old, 1).unwrap_or(0), number(new, 1).unwrap_or(0));
                old_scale == new_scale && old_precision <= new_precision
            }
        },
        // `TemporalSimplify`: the maximum precision, 6, is as good as none.
        "timestamp" | "timestamptz" | "time" | "timetz" => {
            let (old, new) = (number(old, 0).unwrap_or(6), number(new, 0).unwrap_or(6));
            new >= 6 || old <= new
        }
        "interval" => interval_widens(old, new),
        _ => false,
    }
}

/// `interval_support`: the least significant field must stay or grow finer, and the precision must not shrink.
fn interval_widens(old: &[String], new: &[String]) -> bool {
    if new.is_empty() {
        return true;
    }
    let parse = |mods: &[String]| {
        let mut finest = 6;
        let mut precision = 6;
        for text in mods {
            if let Ok(number) = text.trim().parse::<i64>() {
                precision = number;
                continue;
            }
            let upper = text.to_ascii_uppercase();
            let last = upper.split_whitespace().next_back().unwrap_or_default().to_owned();
            let (last, inner) =
                last.split_once('(').map_or((last.clone(), None), |(a, b)| (a.to_owned(), Some(b.to_owned())));
            if let Some(number) = inner.and_then(|inner| inner.trim_end_matches(')').parse::<i64>().ok()) {
                precision = number;
            }
            finest = match last.as_str() {
                "YEAR" => 1,
                "MONTH" => 2,
                "DAY" => 3,
                "HOUR" => 4,
                "MINUTE" => 5,
                _ => 6,
            };
        }
        (finest, precision)
    };
    let (old_finest, old_precision) = parse(old);
    let (new_finest, new_precision) = parse(new);
    new_finest >= old_finest
        && (new_finest < 6 || new_precision >= 6 || (old_finest < 6) || new_precision >= old_precision)
}

/// The types that are an OID and show as a name.
pub(super) fn is_oid_alias(name: &str) -> bool {
    matches!(
        name,
        "regclass"
            | "regcollation"
            | "regconfig"
            | "regdictionary"
            | "regnamespace"
            | "regoper"
            | "regoperator"
            | "regproc"
            | "regprocedure"
            | "regrole"
            | "regtype"
    )
}

/// The rows of `pg_cast` with method `b`, on servers 14 to 18, and those of citext.
fn binary_coercible(from: &str, to: &str) -> bool {
    match (from, to) {
        ("bit", "varbit")
        | ("varbit", "bit")
        | ("varchar" | "text", "bpchar" | "citext")
        | ("varchar", "text")
        | ("text", "varchar")
        | ("cidr", "inet")
        | ("int4", "oid")
        | ("oid", "int4")
        | ("xml" | "citext", "text" | "varchar" | "bpchar")
        | ("regoper", "regoperator")
        | ("regoperator", "regoper")
        | ("regproc", "regprocedure")
        | ("regprocedure", "regproc") => true,
        ("int4" | "oid", to) => is_oid_alias(to),
        (from, "int4" | "oid") => is_oid_alias(from),
        _ => false,
    }
}

/// The default operator class of a btree index over a type, as far as types share one: an index over a column whose
/// type changes keeps its file only if the class stays (`CheckIndexCompatible`).
pub(super) fn operator_family(schema: &Schema, name: &TypeName) -> String {
    let base = base(schema, name);
    if base.array > 0 {
        // A polymorphic class: the type must be the very same one.
        return format!("{} array", builtin_name(&base));
    }
    match builtin_name(&base).as_str() {
        "varchar" | "text" => "text".to_owned(),
        "cidr" | "inet" => "inet".to_owned(),
        "oid" => "oid".to_owned(),
        name if name.starts_with("reg") => "oid".to_owned(),
        other => other.to_owned(),
    }
}

/// A name that no schema lists and no server has: how a type change of it goes is not known.
pub(super) fn is_unknown(schema: &Schema, name: &TypeName) -> bool {
    schema.find_type(&name.name).is_none() && !is_builtin(&name.name)
}

/// Whether the server itself has a type of that name.
pub(crate) fn is_builtin(name: &Name) -> bool {
    const TYPES: &[&str] = &[
        "bool",
        "bytea",
        "char",
        "name",
        "int8",
        "int2",
        "int2vector",
        "int4",
        "regproc",
        "text",
        "oid",
        "tid",
        "xid",
        "cid",
        "oidvector",
        "json",
        "xml",
        "xid8",
        "point",
        "lseg",
        "path",
        "box",
        "polygon",
        "line",
        "float4",
        "float8",
        "circle",
        "money",
        "macaddr",
        "inet",
        "cidr",
        "macaddr8",
        "aclitem",
        "bpchar",
        "varchar",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "interval",
        "timetz",
        "bit",
        "varbit",
        "numeric",
        "refcursor",
        "regprocedure",
        "regoper",
        "regoperator",
        "regclass",
        "regcollation",
        "regtype",
        "regrole",
        "regnamespace",
        "uuid",
        "pg_lsn",
        "tsvector",
        "gtsvector",
        "tsquery",
        "regconfig",
        "regdictionary",
        "jsonb",
        "jsonpath",
        "txid_snapshot",
        "pg_snapshot",
        "int4range",
        "numrange",
        "tsrange",
        "tstzrange",
        "daterange",
        "int8range",
        "int4multirange",
        "nummultirange",
        "tsmultirange",
        "tstzmultirange",
        "datemultirange",
        "int8multirange",
        "serial2",
        "serial4",
        "serial8",
        "smallserial",
        "serial",
        "bigserial",
    ];
    name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog") && TYPES.contains(&name.name.as_str())
}

//! The types that a field can be bound as: the one list that the derive checks `#[bind("…")]` against and the runner
//! binds by.

use postgres_types::Type;

/// A built-in type: its names, `pg_type`'s own first and then the standard's (manual, table 8.1), and its array.
struct Bindable {
    names: &'static [&'static str],
    one: Type,
    many: Type,
}

const fn bindable(names: &'static [&'static str], one: Type, many: Type) -> Bindable {
    Bindable { names, one, many }
}

const BINDABLE: &[Bindable] = &[
    bindable(&["bool", "boolean"], Type::BOOL, Type::BOOL_ARRAY),
    bindable(&["int2", "smallint"], Type::INT2, Type::INT2_ARRAY),
    bindable(&["int4", "int", "integer"], Type::INT4, Type::INT4_ARRAY),
    bindable(&["int8", "bigint"], Type::INT8, Type::INT8_ARRAY),
    bindable(&["float4", "real"], Type::FLOAT4, Type::FLOAT4_ARRAY),
    bindable(&["float8", "double precision"], Type::FLOAT8, Type::FLOAT8_ARRAY),
    bindable(&["numeric", "decimal"], Type::NUMERIC, Type::NUMERIC_ARRAY),
    bindable(&["text"], Type::TEXT, Type::TEXT_ARRAY),
    bindable(&["varchar", "character varying"], Type::VARCHAR, Type::VARCHAR_ARRAY),
    bindable(&["bpchar", "char", "character"], Type::BPCHAR, Type::BPCHAR_ARRAY),
    bindable(&["name"], Type::NAME, Type::NAME_ARRAY),
    bindable(&["bytea"], Type::BYTEA, Type::BYTEA_ARRAY),
    bindable(&["uuid"], Type::UUID, Type::UUID_ARRAY),
    bindable(&["date"], Type::DATE, Type::DATE_ARRAY),
    bindable(&["time", "time without time zone"], Type::TIME, Type::TIME_ARRAY),
    bindable(&["timetz", "time with time zone"], Type::TIMETZ, Type::TIMETZ_ARRAY),
    bindable(&["timestamp", "timestamp without time zone"], Type::TIMESTAMP, Type::TIMESTAMP_ARRAY),
    bindable(&["timestamptz", "timestamp with time zone"], Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY),
    bindable(&["interval"], Type::INTERVAL, Type::INTERVAL_ARRAY),
    bindable(&["json"], Type::JSON, Type::JSON_ARRAY),
    bindable(&["jsonb"], Type::JSONB, Type::JSONB_ARRAY),
    bindable(&["inet"], Type::INET, Type::INET_ARRAY),
    bindable(&["cidr"], Type::CIDR, Type::CIDR_ARRAY),
    bindable(&["oid"], Type::OID, Type::OID_ARRAY),
];

/// The type of this name; the modifier of `varchar(20)` says nothing about a parameter.
pub fn bound_type(name: &str) -> Option<Type> {
    let (plain, array) = plain(name);
    let found = BINDABLE.iter().find(|bindable| bindable.names.contains(&plain.as_str()))?;
    Some(if array { found.many.clone() } else { found.one.clone() })
}

/// Every name of every type, without arrays.
#[cfg(feature = "sql")]
pub(crate) fn bound_type_names() -> impl Iterator<Item = &'static str> {
    BINDABLE.iter().flat_map(|bindable| bindable.names).copied()
}

/// What to do about a type that is not built in.
pub const BIND_AS_TEXT: &str =
    "bind it as text and cast in the SQL: `set = \"status = $1::order_status\"`, `#[bind(\"text\")]`";

/// The name as the list spells it, without modifier and brackets, and whether there were brackets.
pub(crate) fn plain(name: &str) -> (String, bool) {
    let mut rest = name.trim();
    let mut array = false;
    while let Some(element) = rest.strip_suffix(']').and_then(|open| open.trim_end().strip_suffix('[')) {
        (rest, array) = (element.trim_end(), true);
    }
    let without = match (rest.find('('), rest.rfind(')')) {
        (Some(open), Some(close)) if open < close => format!("{} {}", &rest[..open], &rest[close + 1..]),
        _ => rest.to_owned(),
    };
    (without.to_ascii_lowercase().split_whitespace().collect::<Vec<_>>().join(" "), array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_all_of_their_names() {
        for (name, expected) in [
            ("text", Some(Type::TEXT)),
            ("VARCHAR(20)", Some(Type::VARCHAR)),
            ("timestamp with time zone", Some(Type::TIMESTAMPTZ)),
            ("timestamp(3) with time zone", Some(Type::TIMESTAMPTZ)),
            ("timestamp (3)", Some(Type::TIMESTAMP)),
            ("double  precision", Some(Type::FLOAT8)),
            ("bigint[]", Some(Type::INT8_ARRAY)),
            ("int [] [ ]", Some(Type::INT4_ARRAY)),
            ("order_status", None),
            ("texxt", None),
        ] {
            assert_eq!(bound_type(name), expected, "{name}");
        }
    }

    #[test]
    fn each_name_is_of_one_type_whose_array_is_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for bindable in BINDABLE {
            assert_eq!(bindable.names[0], bindable.one.name());
            assert_eq!(bindable.many.kind(), &postgres_types::Kind::Array(bindable.one.clone()));
            for name in bindable.names {
                assert!(seen.insert(name), "{name}");
            }
        }
    }
}

//! Type names: every spelling of a type to the one that the catalog has.

use super::super::ast::TypeName;
use super::super::name::Name;
use super::canonical;
use super::names;
use super::tree::{K, Node, Result, Tree, is_type};
use squawk_syntax::ast;

/// The type that the node names.
pub(super) fn type_name(node: &Node) -> Result<TypeName> {
    let setof = node.has(K::SETOF_KW);
    let bare =
        |name: &str, mods: Vec<String>| TypeName { name: Name::bare(name), mods, array: 0, setof, percent_type: false };
    Ok(match node.kind() {
        K::ARRAY_TYPE => {
            let mut element = type_name(&node.need_ty()?)?;
            let bounds = node.all(K::ARRAY_BOUND).count().max(1);
            element.array = u8::try_from(bounds).unwrap_or(u8::MAX);
            element.setof |= setof;
            element
        }
        K::PERCENT_TYPE => TypeName { percent_type: true, ..path(node, setof)? },
        K::PATH_TYPE => path(node, setof)?,
        K::VARCHAR_TYPE => bare("varchar", mods(node)),
        K::CHARACTER_TYPE => bare("bpchar", or_one(mods(node))),
        K::BIT_TYPE => bare("bit", or_one(mods(node))),
        K::BIT_VARYING_TYPE => bare("varbit", mods(node)),
        K::DOUBLE_TYPE => bare("float8", Vec::new()),
        K::TIME_TYPE => bare(if node.has(K::WITH_TIMEZONE) { "timetz" } else { "time" }, mods(node)),
        K::TIMESTAMP_TYPE => bare(if node.has(K::WITH_TIMEZONE) { "timestamptz" } else { "timestamp" }, mods(node)),
        K::INTERVAL_TYPE => {
            let fields =
                node.children().find(|child| interval_fields(child.kind())).map(|child| canonical::text(&child));
            bare("interval", fields.map_or_else(|| mods(node), |fields| vec![fields]))
        }
        kind => return Err(node.fail(format!("a type of an unknown form: {}", super::tree::spoken(kind)))),
    })
}

fn interval_fields(kind: K) -> bool {
    matches!(
        kind,
        K::INTERVAL_YEAR
            | K::INTERVAL_MONTH
            | K::INTERVAL_DAY
            | K::INTERVAL_HOUR
            | K::INTERVAL_MINUTE
            | K::INTERVAL_SECOND
    )
}

fn path(node: &Node, setof: bool) -> Result<TypeName> {
    let reference = node.need(K::PATH_REF)?;
    let mut parts = names::parts(&reference);
    let quoted = reference.descendants().filter(|part| part.kind() == K::PATH_SEGMENT_REF).last();
    let quoted = quoted.is_some_and(|part| ast::is_quoted_name_node(&part));
    let mut mods = mods(node);
    if node.kind() == K::PATH_TYPE {
        // pg_catalog is always searched first, so naming it says nothing more.
        if parts.len() > 1 && parts[parts.len() - 2] == "pg_catalog" {
            parts.drain(..parts.len() - 1);
        }
        if parts.len() == 1 && !quoted {
            parts[0] = alias(&parts[0], &mut mods).to_owned();
        }
    }
    let mut array = u8::try_from(node.all(K::ARRAY_BOUND).count()).unwrap_or(u8::MAX);
    if node.has(K::ARRAY_KW) {
        array = array.max(1);
    }
    // `_int4` is the catalog's name of `int4[]`.
    if let [name] = parts.as_mut_slice()
        && let Some(element) = name.strip_prefix('_').filter(|element| has_array(element))
    {
        *name = element.to_owned();
        array = array.max(1);
    }
    // `%TYPE` names table and column: the column's type of that table, all parts kept.
    let name = if node.kind() == K::PERCENT_TYPE && parts.len() > 2 {
        let column = parts.pop().unwrap_or_default();
        let table = parts.pop().unwrap_or_default();
        Name { schema: parts.pop(), name: format!("{table}.{column}") }
    } else {
        names::from_parts(parts)
    };
    Ok(TypeName { name, mods, array, setof, percent_type: false })
}

/// The catalog's name for the standard's spellings (`SystemTypeName` in `gram.y`).
fn alias<'n>(name: &'n str, mods: &mut Vec<String>) -> &'n str {
    match name {
        "int" | "integer" => "int4",
        "smallint" => "int2",
        "bigint" => "int8",
        "boolean" => "bool",
        "real" => "float4",
        "decimal" | "dec" => "numeric",
        "serial" => "serial4",
        "smallserial" => "serial2",
        "bigserial" => "serial8",
        "float" => {
            let single = mods.first().and_then(|bits| bits.parse::<u32>().ok()).is_some_and(|bits| bits <= 24);
            mods.clear();
            if single { "float4" } else { "float8" }
        }
        other => other,
    }
}

/// Built-in types that schemas have arrays of (`pg_type.dat`).
fn has_array(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "int2"
            | "int4"
            | "int8"
            | "float4"
            | "float8"
            | "numeric"
            | "text"
            | "varchar"
            | "bpchar"
            | "bytea"
            | "uuid"
            | "date"
            | "time"
            | "timetz"
            | "timestamp"
            | "timestamptz"
            | "interval"
            | "json"
            | "jsonb"
            | "inet"
            | "cidr"
            | "macaddr"
            | "oid"
            | "name"
            | "regclass"
    )
}

/// Whether the word, as a type without quotes, means one of another name.
pub(super) fn is_alias(name: &str) -> bool {
    alias(name, &mut Vec::new()) != name
}

fn or_one(mods: Vec<String>) -> Vec<String> {
    if mods.is_empty() { vec!["1".to_owned()] } else { mods }
}

fn mods(node: &Node) -> Vec<String> {
    match node.child(K::ARG_LIST) {
        Some(list) => list.all(K::ARG).map(|arg| canonical::text(&arg)).collect(),
        None => node.all(K::LITERAL).map(|literal| canonical::text(&literal)).collect(),
    }
}

/// The type in canonical SQL.
pub(super) fn sql(ty: &TypeName) -> String {
    let mut text = String::new();
    if ty.setof {
        text.push_str("setof ");
    }
    match (&ty.name.schema, ty.percent_type) {
        (None, false) if keyword_type(&ty.name.name) => text.push_str(&ty.name.name),
        (_, false) => text.push_str(&ty.name.to_string()),
        (schema, true) => {
            if let Some(schema) = schema {
                text.push_str(&super::super::name::quoted(schema));
                text.push('.');
            }
            text.push_str(&ty.name.name);
            text.push_str("%type");
        }
    }
    match ty.mods.as_slice() {
        [] => {}
        [fields] if ty.name == Name::bare("interval") && !fields.starts_with(|char: char| char.is_ascii_digit()) => {
            text.push(' ');
            text.push_str(fields);
        }
        mods => {
            text.push('(');
            text.push_str(&mods.join(", "));
            text.push(')');
        }
    }
    for _ in 0..ty.array {
        text.push_str("[]");
    }
    text
}

/// Keywords that are types without quotes, unlike `"char"`.
fn keyword_type(name: &str) -> bool {
    matches!(name, "varchar" | "bit" | "numeric" | "time" | "timestamp" | "interval")
}

/// Every type in the list.
pub(super) fn all_types(node: &Node) -> Result<Vec<TypeName>> {
    node.children().filter(|child| is_type(child.kind())).map(|child| type_name(&child)).collect()
}

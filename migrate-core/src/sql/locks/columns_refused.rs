//! What a server refuses about a column by its type: storage, compression, defaults, lengths, and the expressions of
//! generated columns (`tablecmds.c`, `cookDefault` in `heap.c`, `transformColumnDefinition`). What is not known is no reason.

use super::cast::is_assignable;
use super::refused::{Refused, error};
use super::{rewrite, volatility};
use crate::sql::ast::{ColumnDef, ConstraintKind, Expr, Generated, TypeDefinition, TypeName};
use crate::sql::schema::{Fact, Schema, Table, Type};
use crate::sql::server::Server;

/// The column of CREATE TABLE or ADD COLUMN; `others` answers the definition of another column of the table.
pub(super) fn column(
    before: &Schema,
    pg: Server<'_>,
    table: Option<&Table>,
    others: &[ColumnDef],
    def: &ColumnDef,
) -> Refused {
    let Some(data_type) = &def.data_type else { return Ok(()) };
    named_type(data_type, true)?;
    lengths(pg, data_type)?;
    if let Some(storage) = &def.storage {
        self::storage(before, data_type, storage)?;
    }
    if let Some(method) = &def.compression {
        compression(before, data_type, method)?;
    }
    if let Some(default) = &def.default {
        self::default(before, pg, data_type, default)?;
    }
    let Some(generated) = &def.generated else { return Ok(()) };
    let is_generated = |name: &str| {
        others.iter().any(|other| other.name == name && other.generated.is_some())
            || table
                .and_then(|table| table.column(name))
                .is_some_and(|column| matches!(column.generated, Fact::Known(Some(_))))
    };
    generation(before, &generated.expression, is_generated)?;
    virtual_column(before, pg, def, data_type, generated)
}

fn virtual_column(
    before: &Schema,
    pg: Server<'_>,
    def: &ColumnDef,
    data_type: &TypeName,
    generated: &Generated,
) -> Refused {
    if generated.stored || pg.before(18) {
        return Ok(());
    }
    if rewrite::domain(before, data_type).is_some() {
        return error("0A000", format!("virtual generated column \"{}\" cannot have a domain type", def.name));
    }
    let key = def.constraints.iter().find_map(|constraint| match constraint.kind {
        ConstraintKind::PrimaryKey { .. } => Some("primary keys"),
        ConstraintKind::Unique { .. } => Some("unique constraints"),
        ConstraintKind::ForeignKey(_) => Some("foreign key constraints"),
        _ => None,
    });
    match key {
        Some(what) => error("0A000", format!("{what} on virtual generated columns are not supported")),
        None => Ok(()),
    }
}

/// Immutable, and of no other generated column (`check_nested_generated`).
pub(super) fn generation(before: &Schema, expression: &Expr, is_generated: impl Fn(&str) -> bool) -> Refused {
    if expression.subquery.is_some() {
        return error("0A000", "cannot use subquery in column generation expression".to_owned());
    }
    if let Some(function) = volatility::not_immutable(before, expression, |_| None) {
        return error("42P17", format!("generation expression is not immutable: {function}"));
    }
    match expression.columns.iter().find(|column| is_generated(column)) {
        Some(column) => {
            error("42P17", format!("cannot use generated column \"{column}\" in column generation expression"))
        }
        None => Ok(()),
    }
}

/// `TypeName` of a column: not a pseudo-type, and `serial` only where a column is made.
pub(super) fn named_type(data_type: &TypeName, made: bool) -> Refused {
    let name = data_type.name.name.as_str();
    if data_type.percent_type || data_type.name.schema.is_some() {
        return Ok(());
    }
    if !made && matches!(name, "serial" | "serial2" | "serial4" | "serial8" | "smallserial" | "bigserial") {
        return error("42704", format!("type \"{name}\" does not exist"));
    }
    let pseudo =
        ["record", "void", "trigger", "event_trigger", "internal", "cstring", "anyelement", "anyarray", "unknown"];
    if data_type.array == 0 && pseudo.contains(&name) {
        return error("42P16", format!("a column cannot have the pseudo-type {name}"));
    }
    Ok(())
}

/// `numerictypmodin`, `anychar_typmodin`, `anybit_typmodin`.
pub(super) fn lengths(pg: Server<'_>, data_type: &TypeName) -> Refused {
    let number = |at: usize| data_type.mods.get(at).and_then(|text| text.replace(' ', "").parse::<i64>().ok());
    let refused = match (data_type.name.name.as_str(), number(0)) {
        ("numeric", Some(precision)) => {
            let scale = number(1).unwrap_or(0);
            let least = if pg.at_least(15) { -1000 } else { 0 };
            let most = if pg.at_least(15) { 1000 } else { precision };
            !(1..=1000).contains(&precision) || !(least..=most).contains(&scale)
        }
        ("varchar" | "bpchar", Some(length)) => !(1..=10_485_760).contains(&length),
        ("bit" | "varbit", Some(length)) => length < 1,
        _ => false,
    };
    if refused { error("22023", format!("the length of type {} is out of range", data_type.name)) } else { Ok(()) }
}

/// `GetAttributeStorage`.
pub(super) fn storage(before: &Schema, data_type: &TypeName, storage: &str) -> Refused {
    let storage = storage.to_ascii_lowercase();
    if !["plain", "external", "extended", "main", "default"].contains(&storage.as_str()) {
        return error("22023", format!("invalid storage type \"{storage}\""));
    }
    if !["plain", "default"].contains(&storage.as_str()) && is_fixed(before, data_type) {
        return error("0A000", format!("column data type {} can only have storage PLAIN", data_type.name));
    }
    Ok(())
}

/// `GetAttributeCompression`. Whether lz4 was built in is not known.
pub(super) fn compression(before: &Schema, data_type: &TypeName, method: &str) -> Refused {
    let method = method.to_ascii_lowercase();
    if method == "default" {
        return Ok(());
    }
    if is_fixed(before, data_type) {
        return error("0A000", format!("column data type {} does not support compression", data_type.name));
    }
    if !["pglz", "lz4"].contains(&method.as_str()) {
        return error("22023", format!("invalid compression method \"{method}\""));
    }
    Ok(())
}

/// The types of fixed length, which are never compressed or moved out (`TypeIsToastable`).
fn is_fixed(before: &Schema, data_type: &TypeName) -> bool {
    let base = rewrite::base(before, data_type);
    if base.array > 0 || base.percent_type {
        return false;
    }
    if let Some(Type::Defined { definition: TypeDefinition::Enum { .. }, .. }) =
        before.find_type(&base.name).and_then(|found| before.types.get(&found))
    {
        return true;
    }
    let name = base.name.name.as_str();
    rewrite::is_builtin(&base.name)
        && (rewrite::is_oid_alias(name)
            || matches!(
                name,
                "bool"
                    | "char"
                    | "name"
                    | "int8"
                    | "int2"
                    | "int4"
                    | "oid"
                    | "tid"
                    | "xid"
                    | "cid"
                    | "xid8"
                    | "point"
                    | "lseg"
                    | "box"
                    | "line"
                    | "float4"
                    | "float8"
                    | "circle"
                    | "money"
                    | "macaddr"
                    | "macaddr8"
                    | "date"
                    | "time"
                    | "timestamp"
                    | "timestamptz"
                    | "interval"
                    | "timetz"
                    | "uuid"
                    | "pg_lsn"
                    | "serial2"
                    | "serial4"
                    | "serial8"
                    | "smallserial"
                    | "serial"
                    | "bigserial"
            ))
}

/// A default of the column: no subquery, and a literal that the type takes.
pub(super) fn default(before: &Schema, pg: Server<'_>, data_type: &TypeName, default: &Expr) -> Refused {
    if default.subquery.is_some() {
        return error("0A000", "cannot use subquery in DEFAULT expression".to_owned());
    }
    let base = rewrite::base(before, data_type);
    if base.array > 0 || base.percent_type || !default.casts.is_empty() || !default.literal || default.null {
        return Ok(());
    }
    let text = default.text.trim();
    let quoted = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).filter(|text| !text.contains('\''));
    if let Some(value) = quoted {
        return if is_value(before, &base, value) {
            Ok(())
        } else {
            error("22P02", format!("invalid input syntax for type {}: \"{value}\"", base.name.name))
        };
    }
    let of = match text {
        "true" | "false" => "bool",
        number if number.trim_start_matches(['-', '+', ' ']).parse::<i32>().is_ok() => "int4",
        number if number.trim_start_matches(['-', '+', ' ']).parse::<f64>().is_ok() => "numeric",
        _ => return Ok(()),
    };
    let of = TypeName {
        name: crate::sql::name::Name::bare(of),
        mods: Vec::new(),
        array: 0,
        setof: false,
        percent_type: false,
    };
    if is_assignable(before, pg, &of, &base) == Some(false) {
        return error("42804", format!("the default is of type {} and the column of type {}", of.name, base.name));
    }
    Ok(())
}

/// Whether the type's input function takes the text; true where that is not known.
fn is_value(before: &Schema, base: &TypeName, value: &str) -> bool {
    if let Some(found) = before.find_type(&base.name) {
        return match before.types.get(&found) {
            Some(Type::Defined { definition: TypeDefinition::Enum { values }, .. }) => {
                values.iter().any(|listed| listed == value)
            }
            _ => true,
        };
    }
    if !rewrite::is_builtin(&base.name) {
        return true;
    }
    let value = value.trim();
    match base.name.name.as_str() {
        // 16 reads other bases and underscores too.
        "int2" | "int4" | "int8" => value.starts_with(|char: char| char.is_ascii_digit() || "+-".contains(char)),
        "bool" => {
            let lower = value.to_ascii_lowercase();
            !lower.is_empty()
                && (["0", "1", "on", "of", "off"].contains(&lower.as_str())
                    || ["true", "false", "yes", "no"].iter().any(|word| word.starts_with(&lower)))
        }
        "uuid" => {
            let digits = value.trim_matches(['{', '}']).replace('-', "");
            digits.len() == 32 && digits.chars().all(|char| char.is_ascii_hexdigit())
        }
        _ => true,
    }
}

//! The operator classes of index keys: whether an access method has a default one for a type, and whether a named one takes
//! it (`GetIndexOpClass` in `indexcmds.c`, `pg_opclass`). Only what comes with the server is known.

use super::refused::{Refused, error};
use super::rewrite;
use crate::sql::ast::TypeName;
use crate::sql::name::quoted;
use crate::sql::outside::{enclosed, pieces};
use crate::sql::schema::{Fact, Index, Schema};

/// Whether the index can be made again when its column has become of the type.
pub(super) fn takes(before: &Schema, index: &Index, column: &str, to: &TypeName, name: &str) -> Refused {
    let is_key = index.columns.known().is_some_and(|keys| keys.iter().flatten().any(|key| key == column));
    let base = rewrite::base(before, to);
    if !is_key || !(rewrite::is_builtin(&base.name) || base.array > 0) {
        return Ok(());
    }
    let Fact::Known(definition) = &index.definition else { return Ok(()) };
    if let Some(class) = named_class(definition, column) {
        if accepts(&class, &base) == Some(false) {
            return error(
                "42804",
                format!("operator class \"{class}\" of index \"{name}\" does not accept data type {}", base.name),
            );
        }
        return Ok(());
    }
    // btree_gin and btree_gist bring default classes of their own.
    let own = ["btree_gin", "btree_gist"].iter().any(|extension| before.extensions.contains_key(*extension));
    if index.method == "btree" || !own { has_default(&index.method, &base) } else { Ok(()) }
}

/// The operator class that the definition `(a, b text_pattern_ops desc)` names for the column.
fn named_class(definition: &str, column: &str) -> Option<String> {
    let at = definition.find('(')?;
    let column = quoted(column);
    let element = pieces(enclosed(&definition[at..])?).into_iter().find_map(|piece| {
        let rest = piece.strip_prefix(column.as_str())?;
        rest.starts_with(' ').then(|| rest.trim().to_owned())
    })?;
    element.split_whitespace().find(|word| word.ends_with("_ops")).map(str::to_owned)
}

fn accepts(class: &str, base: &TypeName) -> Option<bool> {
    let name = base.name.name.as_str();
    let scalar = base.array == 0;
    Some(match class {
        "text_pattern_ops" | "varchar_pattern_ops" | "text_ops" | "varchar_ops" => {
            scalar && matches!(name, "text" | "varchar")
        }
        "bpchar_pattern_ops" | "bpchar_ops" => scalar && name == "bpchar",
        "jsonb_path_ops" | "jsonb_ops" => scalar && name == "jsonb",
        "gin_trgm_ops" | "gist_trgm_ops" => scalar && matches!(name, "text" | "varchar"),
        "int4_ops" => scalar && name == "int4",
        "int8_ops" => scalar && name == "int8",
        "inet_ops" => scalar && matches!(name, "inet" | "cidr"),
        "array_ops" => base.array > 0,
        "tsvector_ops" => scalar && name == "tsvector",
        _ => return None,
    })
}

/// 42704 where the method has no default class for the type.
pub(super) fn has_default(method: &str, base: &TypeName) -> Refused {
    let name = base.name.name.as_str();
    let lacks = match method {
        "gin" => base.array == 0 && !matches!(name, "tsvector" | "jsonb"),
        "btree" | "hash" => {
            base.array == 0
                && matches!(
                    name,
                    "json" | "xml" | "point" | "lseg" | "path" | "box" | "polygon" | "line" | "circle" | "jsonpath"
                )
        }
        _ => false,
    };
    if lacks {
        return error(
            "42704",
            format!("data type {name} has no default operator class for access method \"{method}\""),
        );
    }
    Ok(())
}

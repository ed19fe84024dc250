//! Names and values as SQL text. The runner speaks the simple protocol, which has no parameters: everything that is not
//! a constant of this crate goes through here.

use migrate_core::model::Version;

/// A name, always quoted.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string. Right whatever `standard_conforming_strings` says: a backslash makes it an escape string (manual, 4.1.2.2).
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A string or NULL.
pub(crate) fn literal_or_null(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), literal)
}

/// `jsonb`.
pub(crate) fn json(value: &serde_json::Value) -> String {
    // jsonb has no U+0000 (manual, 8.14); nothing that is recorded here means anything by one.
    format!("{}::jsonb", literal(&value.to_string().replace("\\u0000", "")))
}

/// `bigint[]`.
pub(crate) fn versions(versions: &[Version]) -> String {
    let numbers: Vec<_> = versions.iter().map(ToString::to_string).collect();
    format!("'{{{}}}'::bigint[]", numbers.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_stay_inside() {
        assert_eq!(ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r" E'a\\''b'");
        assert_eq!(literal_or_null(None), "NULL");
        assert_eq!(json(&serde_json::json!({"a": "x'y\u{0}"})), "'{\"a\":\"x''y\"}'::jsonb");
        assert_eq!(versions(&[Version::new(1), Version::new(2)]), "'{1,2}'::bigint[]");
    }
}

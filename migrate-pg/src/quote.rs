//! Names and values as SQL text. The runner speaks the simple protocol, which has no parameters: everything that is not
//! a constant of this crate goes through here.

use migrate_core::model::Version;
use serde_json::Value;

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
pub(crate) fn json(value: &Value) -> String {
    format!("{}::jsonb", literal(&without_nul(value).to_string()))
}

/// jsonb has no U+0000 (manual, 8.14); nothing that is recorded here means anything by one.
fn without_nul(value: &Value) -> Value {
    let text = |text: &str| text.replace('\0', "");
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(all) => Value::Array(all.iter().map(without_nul).collect()),
        Value::Object(all) => all.iter().map(|(key, value)| (text(key), without_nul(value))).collect(),
        other => other.clone(),
    }
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
        let spelled = serde_json::json!({"k\u{0}": ["\\u0000"]});
        assert_eq!(json(&spelled), r#" E'{"k":["\\\\u0000"]}'::jsonb"#);
        assert_eq!(versions(&[Version::new(1), Version::new(2)]), "'{1,2}'::bigint[]");
    }
}

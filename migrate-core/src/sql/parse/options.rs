//! Lists of options: storage parameters, attribute lists, OPTIONS of foreign objects, drop behaviour.

use super::canonical;
use super::names;
use super::tree::{K, Node, Tree};

/// `(fillfactor = 70, toast.x)`: names (with namespace) and values.
pub(super) fn attributes(list: &Node) -> Vec<(String, Option<String>)> {
    let attribute = |option: Node| {
        let namespace = option.child(K::ATTRIBUTE_NAMESPACE).map(|namespace| format!("{}.", names::ident(&namespace)));
        let name = option.child(K::ATTRIBUTE_NAME).map(|name| names::ident(&name)).unwrap_or_default();
        (namespace.unwrap_or_default() + &name, option.child(K::ATTRIBUTE_VALUE).map(|value| value_text(&value)))
    };
    list.all(K::ATTRIBUTE_OPTION).map(attribute).collect()
}

/// Attributes of the list in the child of the kind (`WITH (…)`, `SET (…)`); none where there is none.
pub(super) fn attributes_in(node: &Node, kind: K) -> Vec<(String, Option<String>)> {
    node.child(kind).and_then(|child| child.child(K::ATTRIBUTE_LIST)).map(|list| attributes(&list)).unwrap_or_default()
}

/// `a = 1` and `a = '1'` are the same option.
fn value_text(value: &Node) -> String {
    value
        .child(K::LITERAL)
        .and_then(|literal| canonical::string_value(&literal))
        .unwrap_or_else(|| canonical::text(value))
}

/// Canonical text of the child of the kind.
pub(super) fn text_of(node: &Node, kind: K) -> Option<String> {
    node.child(kind).map(|child| canonical::text(&child))
}

/// `OPTIONS (name 'value', …)`.
pub(super) fn foreign(node: &Node) -> Vec<(String, Option<String>)> {
    let Some(list) = node.child(K::ALTER_OPTION_LIST) else { return Vec::new() };
    let option = |option: Node| {
        let name = option.child(K::FOREIGN_OPTION_NAME).map(|name| names::ident(&name)).unwrap_or_default();
        (name, option.child(K::LITERAL).and_then(|literal| canonical::string_value(&literal)))
    };
    list.children().map(option).collect()
}

/// CASCADE given.
pub(super) fn cascade(node: &Node) -> bool {
    node.has(K::CASCADE) || node.has(K::CASCADE_KW)
}

/// The value of the first string literal in the node.
pub(super) fn string_in(node: &Node) -> Option<String> {
    node.child(K::LITERAL).and_then(|literal| canonical::string_value(&literal))
}

/// Whether a boolean option is on: alone, or with a value that `defGetBoolean` takes for true.
pub(super) fn switched_on(option: &Node) -> bool {
    let text = canonical::text(option);
    let value = text.split_once(' ').map_or("true", |(_, value)| value);
    !matches!(value.trim_matches(['\'', '"']).to_ascii_lowercase().as_str(), "false" | "off" | "0" | "no")
}

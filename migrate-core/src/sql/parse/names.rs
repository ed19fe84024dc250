//! Identifiers and names: folded and truncated like the server's, the last two parts of a dotted name.

use super::super::name::Name;
use super::tree::{K, Node, Result, Tree};
use squawk_syntax::ast;

/// Bytes of an identifier that the catalog keeps: `NAMEDATALEN` - 1.
const MAX_BYTES: usize = 63;

/// The identifier that the node holds, perhaps several nodes deep (`RoleRef` → `RoleNameRef` → token).
pub(super) fn ident(node: &Node) -> String {
    let mut leaf = node.clone();
    while leaf.tokens().next().is_none() {
        let Some(child) = leaf.children().next() else { break };
        leaf = child;
    }
    // `GROUP name` is an old spelling of a role.
    if leaf.kind() == K::ROLE_REF
        && leaf.has(K::GROUP_KW)
        && let Some(child) = leaf.children().next()
    {
        return ident(&child);
    }
    truncated(ast::normalize_name_node(&leaf))
}

/// Cut to the bytes that the catalog keeps, at a character's boundary (`truncate_identifier` in `scansup.c`).
pub(super) fn truncated(mut identifier: String) -> String {
    let mut end = MAX_BYTES.min(identifier.len());
    while !identifier.is_char_boundary(end) {
        end -= 1;
    }
    identifier.truncate(end);
    identifier
}

/// The dotted name below the node; of three parts the last two, since a database's name can only be the current one's.
pub(super) fn name(node: &Node) -> Name {
    from_parts(parts(node))
}

/// All parts of the dotted name below the node.
pub(super) fn parts(node: &Node) -> Vec<String> {
    let segments: Vec<_> = node
        .descendants()
        .filter(|child| matches!(child.kind(), K::PATH_SEGMENT | K::PATH_SEGMENT_REF))
        .filter(|child| child.tokens().next().is_some())
        .map(|child| ident(&child))
        .collect();
    if segments.is_empty() { vec![ident(node)] } else { segments }
}

pub(super) fn from_parts(mut parts: Vec<String>) -> Name {
    let name = parts.pop().unwrap_or_default();
    Name { schema: parts.pop(), name }
}

/// The name under the child of the kind, which the grammar promises.
pub(super) fn name_in(node: &Node, kind: K) -> Result<Name> {
    Ok(name(&node.need(kind)?))
}

/// The identifier under the child of the kind, which the grammar promises.
pub(super) fn ident_in(node: &Node, kind: K) -> Result<String> {
    Ok(ident(&node.need(kind)?))
}

/// Identifiers of all children of the kind.
pub(super) fn idents(node: &Node, kind: K) -> Vec<String> {
    node.all(kind).map(|child| ident(&child)).collect()
}

/// Identifiers of the columns in a column list child of the kind; empty where there is none.
pub(super) fn columns_in(node: &Node, list: K) -> Vec<String> {
    node.child(list).map(|list| columns(&list)).unwrap_or_default()
}

/// Identifiers of the columns in a list.
pub(super) fn columns(list: &Node) -> Vec<String> {
    list.children()
        .filter(|child| matches!(child.kind(), K::COLUMN_NAME | K::COLUMN_NAME_REF | K::PERIOD_COLUMN))
        .map(|child| match child.child(K::COLUMN_NAME_REF) {
            Some(inner) if child.kind() == K::PERIOD_COLUMN => ident(&inner),
            _ => ident(&child),
        })
        .collect()
}

/// The parts of a plain dotted expression, `a.b.c`; `None` for anything else.
pub(super) fn dotted(expression: &Node) -> Option<Vec<String>> {
    match expression.kind() {
        K::NAME_REF => Some(vec![ident(expression)]),
        K::FIELD_EXPR => {
            let mut children = expression.children();
            let mut parts = dotted(&children.next()?)?;
            parts.push(ident(&children.find(|child| child.kind() == K::NAME_REF)?));
            Some(parts)
        }
        _ => None,
    }
}

/// Reads a name out of a string, as `regclassin` does: `'public."Foo"'`. `None` if it is none.
pub(super) fn from_text(text: &str) -> Option<Name> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let part;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut value = String::new();
            let mut chars = quoted.char_indices().peekable();
            let end = loop {
                let (at, char) = chars.next()?;
                if char != '"' {
                    value.push(char);
                } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
                    value.push('"');
                    chars.next();
                } else {
                    break at + 1;
                }
            };
            part = value;
            rest = &quoted[end..];
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let word = rest[..end].trim();
            if word.is_empty() || word.chars().any(char::is_whitespace) {
                return None;
            }
            part = word.to_ascii_lowercase();
            rest = &rest[end..];
        }
        parts.push(truncated(part));
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None if rest.is_empty() => return Some(from_parts(parts)),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_out_of_text() {
        assert_eq!(from_text("public.\"Fo\"\"o\""), Some(Name::qualified("public", "Fo\"o")));
        assert_eq!(from_text(" Orders_id_SEQ "), Some(Name::bare("orders_id_seq")));
        assert_eq!(from_text("a b"), None);
        assert_eq!(from_text(""), None);
        assert_eq!(from_text("\"open"), None);
    }

    #[test]
    fn truncated_at_a_character() {
        assert_eq!(truncated("x".repeat(70)).len(), 63);
        let odd = format!("{}é", "x".repeat(62));
        assert_eq!(truncated(odd), "x".repeat(62));
    }
}

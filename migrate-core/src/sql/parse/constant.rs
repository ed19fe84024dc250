//! Strings that are computed from constants alone, as dynamic SQL often is: literals, `||` between them, and `format`,
//! `concat`, `quote_ident` and `quote_literal` over them.

use super::super::name::quoted;
use super::canonical;
use super::names;
use super::tree::{K, Node, Tree};
use super::walk;

/// The text that the expression always is; `None` where anything in it is not a constant, is NULL, or is not known here.
pub(super) fn text(node: &Node) -> Option<String> {
    let node = walk::uncast_to_text(node)?;
    match node.kind() {
        K::LITERAL => canonical::string_value(&node).or_else(|| number(&node)),
        K::BIN_EXPR if is_concatenation(&node) => {
            let mut sides = node.exprs();
            let (left, right) = (sides.next()?, sides.next()?);
            Some(text(&left)? + &text(&right)?)
        }
        K::CALL_EXPR => call(&node),
        _ => None,
    }
}

fn number(literal: &Node) -> Option<String> {
    let token = literal.tokens().next()?;
    (token.kind() == K::INT_NUMBER && token.text().bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| token.text().to_owned())
}

fn is_concatenation(node: &Node) -> bool {
    let operator = node.child(K::CUSTOM_OP);
    operator.is_some_and(|operator| operator.text().to_string().trim() == "||")
}

fn call(node: &Node) -> Option<String> {
    let callee = node.children().next()?;
    let name = names::from_parts(names::dotted(&callee)?);
    if name.schema.as_deref().is_some_and(|schema| schema != "pg_catalog") {
        return None;
    }
    let list = node.child(K::ARG_LIST)?;
    // A named argument or VARIADIC is another child of its list.
    let arguments: Vec<String> = list
        .children()
        .map(|argument| if argument.kind() == K::ARG { text(&argument.expr()?) } else { None })
        .collect::<Option<_>>()?;
    match (name.name.as_str(), arguments.as_slice()) {
        ("format", [pattern, rest @ ..]) => format(pattern, rest),
        ("concat", parts) => Some(parts.concat()),
        ("quote_ident", [name]) => Some(quoted(name)),
        ("quote_literal", [value]) => literal(value),
        _ => None,
    }
}

/// A literal with a backslash is written with E, which nobody needs here.
fn literal(value: &str) -> Option<String> {
    (!value.contains('\\')).then(|| canonical::string(value))
}

/// `text_format`: `%%`, `%s`, `%I`, `%L`, with `n$` before the letter. Widths and flags are not read.
fn format(pattern: &str, arguments: &[String]) -> Option<String> {
    let mut out = String::new();
    let mut rest = pattern;
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            next = rest[..digits].parse::<usize>().ok()?.checked_sub(1)?;
            rest = rest[digits..].strip_prefix('$')?;
        }
        let argument = arguments.get(next)?;
        next += 1;
        match rest.bytes().next()? {
            b's' => out.push_str(argument),
            b'I' => out.push_str(&quoted(argument)),
            b'L' => out.push_str(&literal(argument)?),
            _ => return None,
        }
        rest = &rest[1..];
    }
    out.push_str(rest);
    Some(out)
}

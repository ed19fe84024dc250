//! Reads the simple conditions that people write of a partition key (`k >= a AND k < b`, `k IN (…)`, `k = a`, `BETWEEN`,
//! `IS NOT NULL`) off a CHECK or a WHERE; whatever else is written says nothing here.

use crate::sql::name::quoted;

/// NULL among literals, which no text is.
pub(super) const NULL: &str = "\u{0}null";

/// A condition on the key that holds for every row.
#[derive(Debug, PartialEq)]
pub(super) enum Condition {
    NotNull,
    Null,
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    AtLeast(String),
    Above(String),
    AtMost(String),
    Below(String),
}

pub(super) fn find_word(text: &str, word: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(at, _)| at).find(|&at| {
        let before = at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'\'');
        let after = bytes.get(at + word.len()).is_none_or(|byte| matches!(byte, b' ' | b'('));
        before && after
    })
}

pub(super) fn parenthesised(text: &str) -> Option<&str> {
    let start = text.find('(')?;
    let mut depth = 0_usize;
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate().skip(start) {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(&text[start + 1..at]);
                }
            }
            _ => {}
        }
    }
    None
}

/// Splits at a separator outside of parentheses and strings.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut quoted, mut start) = (0_usize, false, 0);
    for (at, char) in text.char_indices() {
        match char {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ if char == separator && !quoted && depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + char.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// The parts of a condition between ANDs, all the way down; `or` is what becomes of one whose parts are between ORs.
pub(super) fn conjuncts(text: &str, or: fn(&str) -> Vec<String>) -> Vec<String> {
    let text = strip(text);
    if disjuncts(text).len() > 1 {
        return or(text);
    }
    let parts = between_ands(text);
    if parts.len() == 1 {
        return parts;
    }
    parts.iter().flat_map(|part| conjuncts(part, or)).collect()
}

fn between_ands(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    let (mut depth, mut quoted, mut start) = (0_usize, false, 0);
    let mut parts = Vec::new();
    let mut between = false;
    for (at, byte) in lower.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b' ' if !quoted && depth == 0 => {
                let rest = &lower[at..];
                if rest.starts_with(" between ") {
                    between = true;
                } else if rest.starts_with(" and ") {
                    if between {
                        between = false;
                    } else {
                        parts.push(text[start..at].to_owned());
                        start = at + 5;
                    }
                }
            }
            _ => {}
        }
    }
    parts.push(text[start..].to_owned());
    parts
}

/// The parts between ORs that stand outside of parentheses and strings.
pub(super) fn disjuncts(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut start) = (0_usize, false, 0);
    let mut parts = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b' ' if !quoted
                && depth == 0
                && text.get(at..at + 4).is_some_and(|word| word.eq_ignore_ascii_case(" or ")) =>
            {
                parts.push(&text[start..at]);
                start = at + 4;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Without the parentheses that enclose the whole.
pub(super) fn strip(text: &str) -> &str {
    let text = text.trim();
    match parenthesised(text) {
        Some(inner) if text.starts_with('(') && inner.len() + 2 == text.len() => strip(inner),
        _ => text,
    }
}

pub(super) fn conditions(check: &str, column: &str) -> Vec<Condition> {
    // `k = a OR k = b` says as much as `k IN (a, b)`.
    let either: Vec<&str> = disjuncts(strip(check));
    if either.len() > 1 {
        let values = |part: &&str| match condition(strip(part), &quoted(column)).as_slice() {
            [Condition::OneOf(values)] => Some(values.clone()),
            _ => None,
        };
        let values: Option<Vec<Vec<String>>> = either.iter().map(values).collect();
        return values.map(|values| Condition::OneOf(values.concat())).into_iter().collect();
    }
    conjuncts(check, |_| Vec::new()).iter().flat_map(|text| condition(strip(text), &quoted(column))).collect()
}

fn condition(text: &str, column: &str) -> Vec<Condition> {
    let Some(rest) = text.strip_prefix(column) else { return Vec::new() };
    if !rest.starts_with([' ', '=', '<', '>']) {
        return Vec::new();
    }
    let rest = rest.trim_start();
    let lower = rest.to_ascii_lowercase();
    let value = |operator: &str| {
        let value = rest[operator.len()..].trim();
        is_literal(value).then(|| literal(value))
    };
    let list =
        || parenthesised(rest).map(|list| split(list, ',')).filter(|list| list.iter().all(|value| is_literal(value)));
    if lower == "is not null" {
        return vec![Condition::NotNull];
    }
    if lower == "is null" {
        return vec![Condition::Null];
    }
    if lower.starts_with("in ") || lower.starts_with("in(") {
        return list().map(|list| Condition::OneOf(list.into_iter().map(literal).collect())).into_iter().collect();
    }
    if lower.starts_with("not in") {
        return list().map(|list| Condition::NoneOf(list.into_iter().map(literal).collect())).into_iter().collect();
    }
    if let Some(ends) = lower.strip_prefix("between ") {
        let ends = &rest[rest.len() - ends.len()..];
        if let Some(at) = ends.to_ascii_lowercase().find(" and ") {
            let (low, high) = (ends[..at].trim(), ends[at + 5..].trim());
            if is_literal(low) && is_literal(high) {
                return vec![Condition::AtLeast(literal(low)), Condition::AtMost(literal(high))];
            }
        }
        return Vec::new();
    }
    let found = if rest.starts_with(">=") {
        value(">=").map(Condition::AtLeast)
    } else if rest.starts_with("<=") {
        value("<=").map(Condition::AtMost)
    } else if rest.starts_with("<>") {
        value("<>").map(|value| Condition::NoneOf(vec![value]))
    } else if rest.starts_with('>') {
        value(">").map(Condition::Above)
    } else if rest.starts_with('<') {
        value("<").map(Condition::Below)
    } else if rest.starts_with('=') {
        value("=").map(|value| Condition::OneOf(vec![value]))
    } else {
        None
    };
    found.into_iter().collect()
}

/// A number or a string, perhaps cast, perhaps behind the name of its type (`date '2024-01-01'`).
pub(super) fn is_literal(text: &str) -> bool {
    let text = text.trim();
    let body = text.split("::").next().unwrap_or(text).trim();
    body.parse::<f64>().is_ok()
        || body.eq_ignore_ascii_case("null")
        || (body.ends_with('\'') && body.matches('\'').count() == 2 && {
            let before = &body[..body.find('\'').unwrap_or(0)];
            before.trim().chars().all(|char| char.is_ascii_alphabetic() || char == ' ')
        })
}

pub(super) fn literal(text: &str) -> String {
    let text = text.trim();
    let text = text.split("::").next().unwrap_or(text).trim();
    match (text.find('\''), text.rfind('\'')) {
        (Some(start), Some(end)) if start < end => text[start + 1..end].to_owned(),
        _ if text.eq_ignore_ascii_case("null") => NULL.to_owned(),
        _ => text.to_owned(),
    }
}

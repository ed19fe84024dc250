//! What a CHECK says about a partition key, compared with a partition's bound. Reads the simple conditions that people
//! write for ATTACH (`k >= a AND k < b`, `k IN (…)`, `k = a`, `BETWEEN`, `IS NOT NULL`) over a key of one column;
//! whatever else is written proves nothing here.

use super::hash;
use super::proof::valid_checks;
use crate::sql::ast::{ConstraintKind, PartitionBy};
use crate::sql::name::quoted;
use crate::sql::schema::{Fact, Table};
use std::cmp::Ordering;

/// A bound as far as it is read.
#[derive(Debug, PartialEq)]
enum Bound {
    List(Vec<String>),
    /// Lower end included, upper end excluded; `None` is MINVALUE and MAXVALUE.
    Range(Option<String>, Option<String>),
}

/// NULL among literals, which no text is.
const NULL: &str = "\u{0}null";

/// A condition on the key that holds for every row.
#[derive(Debug, PartialEq)]
enum Condition {
    NotNull,
    Null,
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    AtLeast(String),
    Above(String),
    AtMost(String),
    Below(String),
}

/// Whether valid constraints of the table prove that every row is within the bound.
pub(super) fn is_proved(table: &Table, key: &PartitionBy, values: &str) -> bool {
    let Some((column, bound, conditions)) = read(table, key, values) else { return false };
    let takes_null = matches!(&bound, Bound::List(allowed) if contains(allowed, NULL));
    if !takes_null && !is_not_null(table, &column, &conditions) {
        return false;
    }
    within(&bound, &conditions)
}

fn within(bound: &Bound, conditions: &[Condition]) -> bool {
    match bound {
        Bound::List(allowed) => conditions.iter().any(|condition| match condition {
            Condition::OneOf(values) => values.iter().all(|value| contains(allowed, value)),
            Condition::Null => contains(allowed, NULL),
            _ => false,
        }),
        Bound::Range(from, to) => {
            let above = from.as_ref().is_none_or(|from| {
                conditions.iter().any(|condition| match condition {
                    Condition::AtLeast(value) | Condition::Above(value) => at_least(value, from),
                    Condition::OneOf(values) => values.iter().all(|value| at_least(value, from)),
                    _ => false,
                })
            });
            let below = to.as_ref().is_none_or(|to| {
                conditions.iter().any(|condition| match condition {
                    Condition::Below(value) => at_least(to, value),
                    Condition::AtMost(value) => compare(value, to) == Some(Ordering::Less),
                    Condition::OneOf(values) => values.iter().all(|value| compare(value, to) == Some(Ordering::Less)),
                    _ => false,
                })
            });
            above && below
        }
    }
}

/// Whether valid constraints of the table prove that no row is within the bound.
pub(super) fn is_excluded(table: &Table, key: &PartitionBy, values: &str) -> bool {
    let Some((column, bound, conditions)) = read(table, key, values) else { return false };
    // `FOR VALUES IN (NULL)` wants no more than IS NOT NULL of the others.
    if let Bound::List(taken) = &bound
        && taken.iter().all(|value| value == NULL)
    {
        return is_not_null(table, &column, &conditions);
    }
    if !is_not_null(table, &column, &conditions) {
        return false;
    }
    excludes(&bound, &conditions)
}

fn excludes(bound: &Bound, conditions: &[Condition]) -> bool {
    match bound {
        Bound::List(taken) => conditions.iter().any(|condition| match condition {
            Condition::OneOf(values) => values.iter().all(|value| !contains(taken, value)),
            Condition::NoneOf(values) => taken.iter().all(|value| value == NULL || contains(values, value)),
            Condition::Null => !contains(taken, NULL),
            // Operators are strict.
            _ => taken.iter().all(|value| value == NULL),
        }),
        Bound::Range(from, to) => conditions.iter().any(|condition| {
            let after = |value: &String| to.as_ref().is_some_and(|to| at_least(value, to));
            let before =
                |value: &String| from.as_ref().is_some_and(|from| compare(value, from) == Some(Ordering::Less));
            match condition {
                Condition::AtLeast(value) | Condition::Above(value) => after(value),
                Condition::Below(value) => from.as_ref().is_some_and(|from| at_least(from, value)),
                Condition::AtMost(value) => before(value),
                Condition::OneOf(values) => values.iter().all(|value| after(value) || before(value)),
                Condition::Null => true,
                Condition::NotNull | Condition::NoneOf(_) => false,
            }
        }),
    }
}

/// Whether rows that satisfy the condition may belong to the bound: false only where it is certain that none does, as
/// the planner would prune the partition.
pub(super) fn may_meet(values: &str, column: &str, condition: &str) -> bool {
    let Some(bound) = bound(values) else { return true };
    !excludes(&bound, &conditions(condition, column))
}

/// Whether every row that satisfies the condition belongs to the bound.
pub(super) fn holds_all(values: &str, column: &str, condition: &str) -> bool {
    bound(values).is_some_and(|bound| within(&bound, &conditions(condition, column)))
}

/// The literal that the condition says the column equals.
pub(super) fn equals(condition: &str, column: &str) -> Option<String> {
    conditions(condition, column).into_iter().find_map(|condition| match condition {
        Condition::OneOf(values) if values.len() == 1 => values.into_iter().next(),
        _ => None,
    })
}

pub(super) fn is_null(literal: &str) -> bool {
    literal == NULL
}

/// The literals that the condition says the column is one of.
pub(super) fn one_of(condition: &str, column: &str) -> Option<Vec<String>> {
    conditions(condition, column).into_iter().find_map(|condition| match condition {
        Condition::OneOf(values) => Some(values),
        Condition::Null => Some(vec![NULL.to_owned()]),
        _ => None,
    })
}

/// Whether a row with the literal for its key belongs to the hash partition; `None` where the hash is not known.
pub(super) fn hashes_to(values: &str, data_type: &str, literal: &str) -> Option<bool> {
    let (modulus, remainder) = (u64::from(modulus(values)?), u64::from(number(values, "remainder")?));
    let hash = if literal == NULL { 0 } else { hash::of_row(data_type, literal)? };
    Some(hash % modulus.max(1) == remainder)
}

/// Whether a row whose key equals the literal belongs to the bound; `None` where that cannot be read.
pub(super) fn holds(values: &str, literal: &str) -> Option<bool> {
    match bound(values)? {
        Bound::List(allowed) => Some(contains(&allowed, literal)),
        Bound::Range(..) if literal == NULL => Some(false),
        Bound::Range(from, to) => {
            let above = match from {
                Some(from) => compare(literal, &from)? != Ordering::Less,
                None => true,
            };
            let below = match to {
                Some(to) => compare(literal, &to)? == Ordering::Less,
                None => true,
            };
            Some(above && below)
        }
    }
}

/// The literals at one position of the rows of an `INSERT … VALUES`; `None` where one of them is no literal.
pub(super) fn values_at(insert: &str, position: usize) -> Option<Vec<String>> {
    let lower = insert.to_ascii_lowercase();
    let mut rest = insert[lower.find(" values")? + 7..].trim_start();
    let mut found = Vec::new();
    while rest.starts_with('(') {
        let row = parenthesised(rest)?;
        let value = *split(row, ',').get(position)?;
        if !is_literal(value) {
            return None;
        }
        found.push(literal(value));
        rest = rest[row.len() + 2..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(found)
}

/// The strategy that the bound is one of.
pub(super) fn strategy(values: &str) -> Option<&'static str> {
    let lower = values.to_ascii_lowercase();
    let at = |word: &str| find_word(&lower, word).unwrap_or(usize::MAX);
    let (list, range, hash) = (at("in"), at("from"), at("with"));
    match list.min(range).min(hash) {
        usize::MAX => None,
        first if first == list => Some("LIST"),
        first if first == range => Some("RANGE"),
        _ => Some("HASH"),
    }
}

/// The modulus of a hash partition.
pub(super) fn modulus(values: &str) -> Option<u32> {
    if strategy(values) == Some("HASH") { number(values, "modulus") } else { None }
}

fn number(values: &str, word: &str) -> Option<u32> {
    let at = values.to_ascii_lowercase().find(word)? + word.len();
    let digits = values[at..].chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit);
    digits.collect::<String>().parse().ok()
}

/// Whether it is certain that a row can belong to both bounds.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    match (strategy(one), strategy(other)) {
        // The same rows come round where the moduli have a common factor.
        (Some("HASH"), Some("HASH")) => {
            match (modulus(one), number(one, "remainder"), modulus(other), number(other, "remainder")) {
                (Some(one), Some(first), Some(other), Some(second)) => {
                    let smaller = one.min(other).max(1);
                    one.max(other) % smaller == 0 && first % smaller == second % smaller
                }
                _ => false,
            }
        }
        _ => match (bound(one), bound(other)) {
            (Some(Bound::List(one)), Some(Bound::List(other))) => one.iter().any(|value| contains(&other, value)),
            (Some(Bound::Range(from, to)), Some(Bound::Range(other_from, other_to))) => {
                let starts_before = |from: &Option<String>, to: &Option<String>| match (from, to) {
                    (Some(from), Some(to)) => compare(from, to) == Some(Ordering::Less),
                    _ => true,
                };
                starts_before(&from, &other_to) && starts_before(&other_from, &to)
            }
            _ => false,
        },
    }
}

/// The single plain column of a hash key.
pub(super) fn hash_column(key: &PartitionBy) -> Option<&str> {
    match key.columns.as_slice() {
        [column] if key.strategy == "HASH" && !key.text.contains("),") && key.text.matches(',').count() == 0 => {
            Some(column)
        }
        _ => None,
    }
}

/// The single plain column of a key.
pub(super) fn key_column(key: &PartitionBy) -> Option<&str> {
    match key.columns.as_slice() {
        [column] if key.strategy != "HASH" && !key.text.contains("),") && key.text.matches(',').count() == 0 => {
            Some(column)
        }
        _ => None,
    }
}

fn read(table: &Table, key: &PartitionBy, values: &str) -> Option<(String, Bound, Vec<Condition>)> {
    let column = key_column(key)?.to_owned();
    let bound = bound(values)?;
    let conditions = valid_checks(table).flat_map(|check| conditions(&check.text, &column)).collect();
    Some((column, bound, conditions))
}

fn is_not_null(table: &Table, column: &str, conditions: &[Condition]) -> bool {
    let declared = table.columns.iter().any(|listed| listed.name == column && listed.not_null == Fact::Known(true));
    let unproved = table.constraints.values().any(|constraint| {
        matches!(&constraint.kind, Fact::Known(ConstraintKind::NotNull { column: of }) if of == column)
            && constraint.validated == Fact::Known(false)
    });
    (declared && !unproved) || conditions.contains(&Condition::NotNull)
}

fn bound(values: &str) -> Option<Bound> {
    let lower = values.to_ascii_lowercase();
    let end = |text: &str| match text.to_ascii_lowercase().as_str() {
        "minvalue" | "maxvalue" => None,
        _ => Some(literal(text)),
    };
    if let Some(at) = find_word(&lower, "in") {
        let list = parenthesised(&values[at..])?;
        return Some(Bound::List(split(list, ',').into_iter().map(literal).collect()));
    }
    let (from, to) = (find_word(&lower, "from")?, find_word(&lower, "to")?);
    let from = split(parenthesised(&values[from..])?, ',');
    let to = split(parenthesised(&values[to..])?, ',');
    match (from.as_slice(), to.as_slice()) {
        ([from], [to]) => Some(Bound::Range(end(from), end(to))),
        _ => None,
    }
}

fn find_word(text: &str, word: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(at, _)| at).find(|&at| {
        let before = at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'\'');
        let after = bytes.get(at + word.len()).is_none_or(|byte| matches!(byte, b' ' | b'('));
        before && after
    })
}

fn parenthesised(text: &str) -> Option<&str> {
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
fn split(text: &str, separator: char) -> Vec<&str> {
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

/// The conjuncts of a condition.
fn conjuncts(text: &str) -> Vec<String> {
    let text = strip(text);
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
                } else if rest.starts_with(" or ") {
                    return Vec::new();
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
    if parts.len() == 1 {
        return parts;
    }
    parts.iter().flat_map(|part| conjuncts(part)).collect()
}

/// The parts between ORs that stand outside of parentheses and strings.
fn disjuncts(text: &str) -> Vec<&str> {
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
fn strip(text: &str) -> &str {
    let text = text.trim();
    match parenthesised(text) {
        Some(inner) if text.starts_with('(') && inner.len() + 2 == text.len() => strip(inner),
        _ => text,
    }
}

fn conditions(check: &str, column: &str) -> Vec<Condition> {
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
    conjuncts(check).iter().flat_map(|text| condition(strip(text), &quoted(column))).collect()
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
fn is_literal(text: &str) -> bool {
    let text = text.trim();
    let body = text.split("::").next().unwrap_or(text).trim();
    body.parse::<f64>().is_ok()
        || body.eq_ignore_ascii_case("null")
        || (body.ends_with('\'') && body.matches('\'').count() == 2 && {
            let before = &body[..body.find('\'').unwrap_or(0)];
            before.trim().chars().all(|char| char.is_ascii_alphabetic() || char == ' ')
        })
}

fn literal(text: &str) -> String {
    let text = text.trim();
    let text = text.split("::").next().unwrap_or(text).trim();
    match (text.find('\''), text.rfind('\'')) {
        (Some(start), Some(end)) if start < end => text[start + 1..end].to_owned(),
        _ if text.eq_ignore_ascii_case("null") => NULL.to_owned(),
        _ => text.to_owned(),
    }
}

/// Numbers by value; dates and times in ISO form by their text, which sorts alike.
fn compare(one: &str, other: &str) -> Option<Ordering> {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.partial_cmp(&other),
        (Err(_), Err(_)) => Some(one.cmp(other)),
        _ => None,
    }
}

fn at_least(one: &str, other: &str) -> bool {
    compare(one, other).is_some_and(|order| order != Ordering::Less)
}

fn contains(values: &[String], value: &str) -> bool {
    values.iter().any(|known| compare(known, value) == Some(Ordering::Equal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_conditions_are_read() {
        assert_eq!(bound("FOR VALUES IN ('de', 'at')"), Some(Bound::List(vec!["de".into(), "at".into()])));
        assert_eq!(
            bound("FOR VALUES FROM ('2025-01-01') TO (MAXVALUE)"),
            Some(Bound::Range(Some("2025-01-01".into()), None))
        );
        assert_eq!(bound("FOR VALUES WITH (MODULUS 2, REMAINDER 1)"), None);
        assert_eq!(
            conditions("at IS NOT NULL AND at >= '2025-01-01' AND at < date '2026-01-01'", "at"),
            [Condition::NotNull, Condition::AtLeast("2025-01-01".into()), Condition::Below("2026-01-01".into())]
        );
        assert_eq!(conditions("(at > 1 or b)", "at"), []);
        assert_eq!(
            conditions("at between 1 and 5 and at <> 3", "at"),
            [Condition::AtLeast("1".into()), Condition::AtMost("5".into()), Condition::NoneOf(vec!["3".into()])]
        );
        assert_eq!(holds("FOR VALUES FROM (0) TO (100)", "9"), Some(true));
    }
}

//! What a CHECK says about a partition key, compared with a partition's bound.

use super::bound_of_columns;
use super::condition::{Condition, NULL, conditions, find_word, is_literal, literal, parenthesised, split};
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

/// Whether valid constraints of the table prove that every row is within the bound.
pub(super) fn is_proved(table: &Table, key: &PartitionBy, values: &str) -> bool {
    let Some((column, bound, conditions)) = read(table, key, values) else {
        return bound_of_columns::is_proved(table, key, values);
    };
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

/// The literal at a position of the output of `INSERT … SELECT`; `None` where it is no literal.
pub(super) fn selected_at(insert: &str, position: usize) -> Option<String> {
    let lower = insert.to_ascii_lowercase();
    let joined = [" union ", " intersect ", " except "].iter().any(|word| lower.contains(word));
    if joined || lower.starts_with("with ") || lower.contains("select distinct") {
        return None;
    }
    let list = until(&insert[lower.find(" select ")? + 8..], &[" from ", " where ", " on conflict", " returning "]);
    let value = *split(list, ',').get(position)?;
    is_literal(value).then(|| literal(value))
}

/// The literal that UPDATE sets the column to; `None` where it is no literal.
pub(super) fn assigned(update: &str, column: &str) -> Option<String> {
    let lower = update.to_ascii_lowercase();
    if !lower.starts_with("update ") {
        return None;
    }
    let list = until(&update[lower.find(" set ")? + 5..], &[" from ", " where ", " returning "]);
    let value = split(list, ',').into_iter().find_map(|set| {
        let (of, value) = set.split_once('=')?;
        (of.trim() == quoted(column)).then(|| value.trim())
    })?;
    is_literal(value).then(|| literal(value))
}

/// The text up to the first of the words outside of parentheses and strings.
fn until<'a>(text: &'a str, words: &[&str]) -> &'a str {
    let (mut depth, mut quoted) = (0_usize, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b' ' if !quoted && depth == 0 => {
                let ends =
                    |word: &&str| text.get(at..at + word.len()).is_some_and(|here| here.eq_ignore_ascii_case(word));
                if words.iter().any(ends) {
                    return &text[..at];
                }
            }
            _ => {}
        }
    }
    text
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

pub(super) fn is_not_null(table: &Table, column: &str, conditions: &[Condition]) -> bool {
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

/// Numbers by value; dates and times in ISO form by their text, which sorts alike.
pub(super) fn compare(one: &str, other: &str) -> Option<Ordering> {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.partial_cmp(&other),
        (Err(_), Err(_)) => Some(one.cmp(other)),
        _ => None,
    }
}

pub(super) fn at_least(one: &str, other: &str) -> bool {
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

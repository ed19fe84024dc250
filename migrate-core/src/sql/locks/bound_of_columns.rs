//! The bound of a range key of several columns, `FROM (10, 0) TO (20, 0)`, and whether a CHECK proves it: what the server
//! proves of `(a > 10 OR (a = 10 AND b >= 0)) AND (a < 20 OR (a = 20 AND b < 0))` (`get_qual_for_range`,
//! `predicate_implied_by`). Each alternative of an OR has to prove it; else some part of it has to be proved.

use super::bound::{at_least, compare, is_not_null};
use super::condition::{Condition, conditions, conjuncts, disjuncts, find_word, literal, parenthesised, split, strip};
use super::proof::valid_checks;
use crate::sql::ast::PartitionBy;
use crate::sql::schema::Table;
use std::cmp::Ordering;

/// Whether valid constraints of the table prove that every row is within the bound.
pub(super) fn is_proved(table: &Table, key: &PartitionBy, values: &str) -> bool {
    let plain = key.strategy == "RANGE" && key.text.matches(',').count() + 1 == key.columns.len();
    let Some((from, to)) = ends(values) else { return false };
    if !plain || from.len() != key.columns.len() || to.len() != key.columns.len() {
        return false;
    }
    let said: Vec<String> = valid_checks(table).flat_map(|check| parts(&check.text)).collect();
    let of = |column: &String| said.iter().flat_map(|part| conditions(part, column)).collect::<Vec<_>>();
    key.columns.iter().all(|column| is_not_null(table, column, &of(column)))
        && is_within(&said, &key.columns, &from, End::Lower)
        && is_within(&said, &key.columns, &to, End::Upper)
}

fn ends(values: &str) -> Option<(Vec<&str>, Vec<&str>)> {
    let lower = values.to_ascii_lowercase();
    let (from, to) = (find_word(&lower, "from")?, find_word(&lower, "to")?);
    Some((split(parenthesised(&values[from..])?, ','), split(parenthesised(&values[to..])?, ',')))
}

/// The parts of a condition between ANDs; one whose parts are between ORs as it is.
fn parts(text: &str) -> Vec<String> {
    conjuncts(text, |either| vec![either.to_owned()])
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    /// Included.
    Lower,
    /// Excluded.
    Upper,
}

fn is_within(said: &[String], columns: &[String], bound: &[&str], end: End) -> bool {
    let ([column, rest @ ..], [first, others @ ..]) = (columns, bound) else { return end == End::Lower };
    match (first.to_ascii_lowercase().as_str(), end) {
        ("minvalue", End::Lower) | ("maxvalue", End::Upper) => return true,
        ("minvalue", End::Upper) | ("maxvalue", End::Lower) => return false,
        _ => {}
    }
    let first = literal(first);
    let beyond = |value: &String| match end {
        End::Lower => compare(value, &first) == Some(Ordering::Greater),
        End::Upper => compare(value, &first) == Some(Ordering::Less),
    };
    let of_column: Vec<Condition> = said.iter().flat_map(|part| conditions(part, column)).collect();
    let alone = of_column.iter().any(|condition| match (condition, end) {
        (Condition::OneOf(values), _) => values.iter().all(beyond),
        (Condition::Above(value), End::Lower) => at_least(value, &first),
        (Condition::AtLeast(value), End::Lower) => beyond(value) || (rest.is_empty() && at_least(value, &first)),
        (Condition::Below(value), End::Upper) => at_least(&first, value),
        (Condition::AtMost(value), End::Upper) => beyond(value),
        _ => false,
    });
    let same = |values: &Vec<String>| values.iter().all(|value| compare(value, &first) == Some(Ordering::Equal));
    let equal = of_column.iter().any(|condition| matches!(condition, Condition::OneOf(values) if same(values)));
    alone
        || (equal && is_within(said, rest, others, end))
        || said.iter().any(|part| {
            let either = disjuncts(strip(part));
            either.len() > 1 && either.iter().all(|part| is_within(&parts(part), columns, bound, end))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_proves() {
        let columns = ["a".to_owned(), "b".to_owned()];
        let proves = |check: &str, from: [&str; 2], to: [&str; 2]| {
            let said = parts(check);
            is_within(&said, &columns, &from, End::Lower) && is_within(&said, &columns, &to, End::Upper)
        };
        // Measured on 14 to 18.
        for (check, proved) in [
            ("a > 10 and a < 20", true),
            ("a >= 11 and a <= 19", true),
            ("a = 15", true),
            ("(a > 10 or (a = 10 and b >= 0)) and (a < 20 or (a = 20 and b < 0))", true),
            ("a >= 10 and a < 20", false),
            ("a > 10", false),
        ] {
            assert_eq!(proves(check, ["10", "0"], ["20", "0"]), proved, "{check}");
        }
        assert!(proves("a = 15 and b >= 0 and b < 100", ["15", "0"], ["15", "100"]));
        assert!(!proves("a = 15 and b >= 0 and b <= 100", ["15", "0"], ["15", "100"]));
        assert!(proves("a >= 10 and a < 20", ["MINVALUE", "MINVALUE"], ["20", "0"]));
    }
}

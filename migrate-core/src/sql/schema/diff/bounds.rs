//! Partition bounds: a value has many spellings, and the server keeps the value (`transformPartitionBoundValue` in
//! `parse_utilcmd.c`).

use super::Comparison;
use crate::sql::ast::PartitionBound;
use crate::sql::outside::pieces;
use crate::sql::schema::alike::Alike;
use crate::sql::schema::{Fact, Table};

/// What the types of the partition key let a literal be read as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Moment,
    Text,
    /// Not known, or not read here.
    Other,
}

impl Comparison<'_> {
    /// Whether the bounds of the two states of a partition are the same; `Different` also where they are of other parents.
    pub(super) fn bounds(&self, was: &Table, is: &Table) -> Alike {
        let (Fact::Known(Some((of, one))), Fact::Known(Some((parent, other)))) = (&was.partition_of, &is.partition_of)
        else {
            return Alike::Different;
        };
        let (PartitionBound::Values(one), PartitionBound::Values(other)) = (one, other) else {
            return Alike::Different;
        };
        if of != parent {
            return Alike::Different;
        }
        let key = self.before.table(parent).or_else(|| self.after.table(parent)).and_then(|parent| {
            let by = parent.partition_by.known()?.as_ref()?;
            Some(by.columns.iter().map(|column| kind_of(parent, column)).collect::<Vec<_>>())
        });
        same(one, other, &key.unwrap_or_default())
    }
}

fn kind_of(table: &Table, column: &str) -> Kind {
    let data_type = table.column(column).and_then(|column| column.data_type.known());
    match data_type.map(|data_type| data_type.name.name.as_str()) {
        Some("int2" | "int4" | "int8" | "numeric") => Kind::Number,
        Some("date" | "timestamp" | "timestamptz") => Kind::Moment,
        Some("text" | "varchar" | "bpchar" | "name") => Kind::Text,
        _ => Kind::Other,
    }
}

fn same(one: &str, other: &str, key: &[Kind]) -> Alike {
    let (Some(one), Some(other)) = (lists(one), lists(other)) else { return Alike::Different };
    if one.len() != other.len()
        || one.iter().zip(&other).any(|(one, other)| one.0 != other.0 || one.1.len() != other.1.len())
    {
        return Alike::Different;
    }
    let mut found = Alike::Same;
    for ((word, one), (_, other)) in one.iter().zip(&other) {
        if word == "with" {
            // MODULUS and REMAINDER stand in either order.
            let sorted = |items: &[String]| {
                let mut items = items.to_vec();
                items.sort();
                items
            };
            if sorted(one) != sorted(other) {
                return Alike::Different;
            }
            continue;
        }
        for (at, (one, other)) in one.iter().zip(other).enumerate() {
            // The values of a list are all of the one column; those of a range are each of its own.
            let kind = key.get(if word == "in" { 0 } else { at }).copied().unwrap_or(Kind::Other);
            match (value(one, kind), value(other, kind)) {
                _ if one == other => {}
                (Some(one), Some(other)) if one == other => {}
                (Some(_), Some(_)) => return Alike::Different,
                _ => found = Alike::Perhaps,
            }
        }
    }
    found
}

/// The lists of a bound, each after its word: `from`, `to`, `in`, `with`.
fn lists(bound: &str) -> Option<Vec<(String, Vec<String>)>> {
    let mut out = Vec::new();
    let mut rest = bound;
    while let Some(open) = rest.find('(') {
        let word = rest[..open].trim().rsplit(' ').next()?.to_ascii_lowercase();
        let inner = crate::sql::outside::enclosed(&rest[open..])?;
        out.push((word, pieces(inner).iter().map(|piece| piece.trim().to_owned()).collect()));
        rest = &rest[open + inner.len() + 2..];
    }
    (!out.is_empty()).then_some(out)
}

/// The value that a literal is, in one spelling; `None` where it cannot be read here.
fn value(text: &str, kind: Kind) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "minvalue" | "maxvalue" | "null" | "true" | "false") {
        return Some(lower);
    }
    let bare = lower.rsplit_once("::").map_or(text, |(literal, _)| &text[..literal.len()]).trim();
    let bare = bare.find('\'').map_or(bare, |at| &bare[at..]);
    let inner = bare.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(bare);
    match kind {
        Kind::Number => {
            let number = inner.trim().trim_start_matches('+');
            let digits = number.strip_prefix('-').unwrap_or(number);
            (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| {
                let plain = digits.trim_start_matches('0');
                let sign = if number.starts_with('-') && !plain.is_empty() { "-" } else { "" };
                format!("{sign}{}", if plain.is_empty() { "0" } else { plain })
            })
        }
        Kind::Moment => moment(inner),
        // A constant that is no string is cast, or refused.
        Kind::Text => bare.starts_with('\'').then(|| inner.to_owned()),
        Kind::Other => None,
    }
}

/// `2024-01-01`, `20240101`, with a time of day that is left out where it is midnight; no other form is read, nor a zone.
fn moment(text: &str) -> Option<String> {
    let (date, time) = text.trim().split_once([' ', 'T']).unwrap_or((text.trim(), ""));
    let digits: String = date.split('-').map(|part| format!("{part:0>2}")).collect();
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let time = time.trim();
    let parts: Vec<&str> = if time.is_empty() { Vec::new() } else { time.split(':').collect() };
    if !parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())) || parts.len() == 1
    {
        return None;
    }
    let mut time: Vec<String> = parts.iter().map(|part| format!("{part:0>2}")).collect();
    while time.last().is_some_and(|part| part == "00") {
        time.pop();
    }
    Some(format!("{digits} {}", time.join(":")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_its_values() {
        let dates = "FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')";
        for (one, other, key, expected) in [
            (dates, "FOR VALUES FROM ('20240101') TO ('2024-2-1 00:00:00')", Kind::Moment, Alike::Same),
            (dates, "FOR VALUES FROM (date '2024-01-01') TO ('2024-02-01'::date)", Kind::Moment, Alike::Same),
            (dates, "FOR VALUES FROM ('2024-01-01') TO ('2024-02-02')", Kind::Moment, Alike::Different),
            (dates, "FOR VALUES FROM ('Jan 1, 2024') TO ('2024-02-01')", Kind::Moment, Alike::Perhaps),
            (dates, "FOR VALUES FROM ('Jan 1, 2024') TO ('2024-02-02')", Kind::Moment, Alike::Different),
            (dates, "FOR VALUES FROM ('20240101') TO ('2024-02-01')", Kind::Text, Alike::Different),
            ("FOR VALUES IN (1, 2)", "FOR VALUES IN ('1', 2)", Kind::Number, Alike::Same),
            ("FOR VALUES IN (1, 2)", "FOR VALUES IN (2, 1)", Kind::Number, Alike::Different),
            (
                "FOR VALUES WITH (modulus 4, remainder 1)",
                "FOR VALUES WITH (remainder 1, modulus 4)",
                Kind::Other,
                Alike::Same,
            ),
        ] {
            assert_eq!(same(one, other, &[key]), expected, "{one} {other}");
        }
    }
}

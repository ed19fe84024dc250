//! What differs between two pictures of a schema, in sentences.

use super::object::POSITION;
use super::{Fingerprint, Key, Kind, Object};
use std::collections::BTreeMap;
use std::fmt;

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DifferenceKind {
    /// An object or a property is missing.
    Missing,
    /// An object or a property is there that was not.
    Added,
    /// A property has another value.
    Changed,
    /// The columns that both have are in another order.
    ColumnOrder,
}

/// One thing that differs. What belongs to an object that is missing or new as a whole is not told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    kind: DifferenceKind,
    object: Key,
    property: Option<String>,
    was: Option<String>,
    is: Option<String>,
    moves: Vec<Move>,
}

/// A column, or an attribute of a composite type, that has another place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    column: String,
    was: usize,
    is: usize,
    last: bool,
}

impl Move {
    /// Its name, without the table's.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Its rank before, from 1.
    pub fn was(&self) -> usize {
        self.was
    }

    /// Its rank now, from 1.
    pub fn is(&self) -> usize {
        self.is
    }
}

impl Difference {
    /// How it differs.
    pub fn kind(&self) -> DifferenceKind {
        self.kind
    }

    /// What differs; for the order of columns, their table.
    pub fn object(&self) -> &Key {
        &self.object
    }

    /// Which property of it differs; `None` if the object is missing or new, or the order of columns differs.
    pub fn property(&self) -> Option<&str> {
        self.property.as_deref()
    }

    /// The value before.
    pub fn was(&self) -> Option<&str> {
        self.was.as_deref()
    }

    /// The value now.
    pub fn is(&self) -> Option<&str> {
        self.is.as_deref()
    }

    /// The columns that moved.
    pub fn moves(&self) -> &[Move] {
        &self.moves
    }

    fn whole(kind: DifferenceKind, object: &Key) -> Self {
        Self { kind, object: object.clone(), property: None, was: None, is: None, moves: Vec::new() }
    }
}

impl Fingerprint {
    /// What differs in `other`, seen from `self`: what is expected, or what was before.
    ///
    /// Columns in another order are a difference of a kind of its own, [`DifferenceKind::ColumnOrder`], so that callers may
    /// accept it. There is no difference if and only if the two are equal.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut keys: Vec<&Key> = self.objects.keys().chain(other.objects.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            match (self.objects.get(key), other.objects.get(key)) {
                (Some(object), None) => {
                    if !(object.of.as_ref())
                        .is_some_and(|of| self.objects.contains_key(of) && !other.objects.contains_key(of))
                    {
                        differences.push(Difference::whole(DifferenceKind::Missing, key));
                    }
                }
                (None, Some(object)) => {
                    if !(object.of.as_ref())
                        .is_some_and(|of| other.objects.contains_key(of) && !self.objects.contains_key(of))
                    {
                        differences.push(Difference::whole(DifferenceKind::Added, key));
                    }
                }
                (Some(was), Some(is)) => compare(key, was, is, &mut differences),
                (None, None) => {}
            }
        }
        self.column_order(other, &mut differences);
        differences
    }

    fn column_order(&self, other: &Self, differences: &mut Vec<Difference>) {
        let mut tables: BTreeMap<&Key, Vec<(&Key, usize, usize)>> = BTreeMap::new();
        for (key, was) in &self.objects {
            let Some(is) = other.objects.get(key) else { continue };
            if let (Some(table), Some(was), Some(is)) = (&was.of, was.position(), is.position()) {
                tables.entry(table).or_default().push((key, was, is));
            }
        }
        for (table, mut columns) in tables {
            columns.sort_by_key(|&(_, was, _)| was);
            let ranks: Vec<usize> = columns.iter().map(|&(_, _, is)| is).collect();
            if ranks.is_sorted() {
                continue;
            }
            let stays = longest_increasing(&ranks);
            let of = other
                .objects
                .values()
                .filter(|object| object.of.as_ref() == Some(table))
                .filter_map(Object::position)
                .max();
            let moves: Vec<Move> = columns
                .iter()
                .zip(stays)
                .filter(|&(_, stays)| !stays)
                .map(|(&(key, was, is), _)| {
                    let column = key.name.strip_prefix(&table.name).and_then(|rest| rest.strip_prefix('.'));
                    Move { column: column.unwrap_or(&key.name).to_owned(), was, is, last: Some(is) == of }
                })
                .collect();
            differences.push(Difference { moves, ..Difference::whole(DifferenceKind::ColumnOrder, table) });
        }
    }
}

fn compare(key: &Key, was: &Object, is: &Object, differences: &mut Vec<Difference>) {
    let mut properties: Vec<&String> = was.properties.keys().chain(is.properties.keys()).collect();
    properties.sort();
    properties.dedup();
    let mut push = |property: &str, was: Option<String>, is: Option<String>| {
        let kind = match (&was, &is) {
            (Some(_), None) => DifferenceKind::Missing,
            (None, _) => DifferenceKind::Added,
            (Some(_), Some(_)) => DifferenceKind::Changed,
        };
        differences.push(Difference { property: Some(property.to_owned()), was, is, ..Difference::whole(kind, key) });
    };
    for property in properties {
        let (was, is) = (was.properties.get(property), is.properties.get(property));
        // The place of a column is a matter of its table, since one column that goes moves all that follow.
        if was != is && property != POSITION {
            push(property, was.cloned(), is.cloned());
        }
    }
    if was.of != is.of {
        push("part of", was.of.as_ref().map(Key::to_string), is.of.as_ref().map(Key::to_string));
    }
}

/// Which elements belong to a longest increasing run: the fewest others have moved. Linear in the number of columns squared,
/// of which there are 1,600 at most.
fn longest_increasing(ranks: &[usize]) -> Vec<bool> {
    let mut best = vec![1_usize; ranks.len()];
    let mut previous = vec![None; ranks.len()];
    for at in 0..ranks.len() {
        for before in 0..at {
            if ranks[before] < ranks[at] && best[before] + 1 > best[at] {
                best[at] = best[before] + 1;
                previous[at] = Some(before);
            }
        }
    }
    let mut stays = vec![false; ranks.len()];
    // The first of the longest, so that of two columns that changed places it is the earlier one that moved.
    let mut at = (0..ranks.len()).max_by_key(|&at| (best[at], at));
    while let Some(index) = at {
        stays[index] = true;
        at = previous[index];
    }
    stays
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, object, property, was, is, moves } = self;
        match (kind, property) {
            (DifferenceKind::ColumnOrder, _) => {
                let what = if object.kind == Kind::CompositeType { "attribute" } else { "column" };
                write!(f, "{what} order of {}: ", object.name)?;
                for (index, moved) in moves.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{} was {} and is {}", moved.column, Ordinal(moved.was), Place(moved))?;
                }
                Ok(())
            }
            (DifferenceKind::Missing, None) => write!(f, "{object} is missing"),
            (_, None) => write!(f, "{object} is there and was not"),
            (_, Some(property)) => {
                write!(f, "{object}: {property}")?;
                match (was.as_deref(), is.as_deref()) {
                    (Some(""), Some(is)) => write!(f, " has {} and had nothing", is.trim()),
                    (Some(was), Some("")) => write!(f, " has lost {}", was.trim()),
                    (Some(was), Some(is)) => changed(f, was, is),
                    (Some(was), None) => write!(f, "{} is missing", Value(was)),
                    (None, is) => write!(f, "{} is there and was not", Value(is.unwrap_or_default())),
                }
            }
        }
    }
}

/// Of long texts the first line that differs.
fn changed(f: &mut fmt::Formatter<'_>, was: &str, is: &str) -> fmt::Result {
    let (was_lines, is_lines): (Vec<_>, Vec<_>) = (was.lines().collect(), is.lines().collect());
    if was_lines.len().max(is_lines.len()) <= 1 {
        return write!(f, " was {} and is {}", was.trim(), is.trim());
    }
    let same = was_lines.iter().zip(&is_lines).take_while(|(was, is)| was == is).count();
    match (was_lines.get(same), is_lines.get(same)) {
        (Some(was), Some(is)) => {
            write!(f, " differs from line {}: it was {} and is {}", same + 1, Line(was), Line(is))
        }
        (Some(was), None) => write!(f, " ends before line {}, which was {}", same + 1, Line(was)),
        (None, Some(is)) => write!(f, " goes on with line {}: {}", same + 1, Line(is)),
        (None, None) => f.write_str(" differs in its line ends"),
    }
}

/// One line of a longer text.
struct Line<'a>(&'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.trim().is_empty() { "empty" } else { self.0.trim() })
    }
}

/// A value behind the name of its property: not at all, on the same line, or its first line.
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.trim().lines();
        match (lines.next(), lines.next()) {
            (None, _) => Ok(()),
            (Some(line), None) => write!(f, " {line}"),
            (Some(line), Some(_)) => write!(f, " {line} …"),
        }
    }
}

struct Ordinal(usize);

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match (self.0 % 10, self.0 % 100) {
            (_, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        write!(f, "{}{ending}", self.0)
    }
}

struct Place<'a>(&'a Move);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.last { f.write_str("last") } else { Ordinal(self.0.is).fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(columns: &[&str]) -> Fingerprint {
        let table = Key { kind: Kind::Table, name: "public.users".to_owned() };
        let mut picture = Fingerprint::default();
        picture.objects.insert(table.clone(), Object::default());
        for (index, column) in columns.iter().enumerate() {
            let key = Key { kind: Kind::Column, name: format!("public.users.{column}") };
            let properties = BTreeMap::from([(POSITION.to_owned(), (index + 1).to_string())]);
            picture.objects.insert(key, Object { of: Some(table.clone()), properties });
        }
        picture
    }

    fn sentences(was: &[&str], is: &[&str]) -> Vec<String> {
        picture(was).differences(&picture(is)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_order_of_columns_is_named_by_the_fewest_that_moved() {
        assert_eq!(
            sentences(&["id", "email", "full_name", "status"], &["id", "email", "status", "full_name"]),
            ["column order of public.users: full_name was 3rd and is last"]
        );
        assert_eq!(
            sentences(&["a", "b", "c", "d"], &["d", "b", "c", "a"]),
            ["column order of public.users: a was 1st and is last, d was 4th and is 1st"]
        );
    }

    #[test]
    fn a_column_that_goes_moves_no_other() {
        assert_eq!(sentences(&["a", "b", "c"], &["b", "c"]), ["column public.users.a is missing"]);
        assert_eq!(sentences(&["b"], &["a", "b"]), ["column public.users.a is there and was not"]);
    }

    #[test]
    fn what_goes_with_a_table_is_not_told_apart() {
        let sentences: Vec<_> =
            picture(&["a"]).differences(&Fingerprint::default()).iter().map(ToString::to_string).collect();
        assert_eq!(sentences, ["table public.users is missing"]);
    }

    #[test]
    fn properties_are_told_as_a_person_would() {
        let key = Key { kind: Kind::Column, name: "public.orders.status".to_owned() };
        let object = |properties: &[(&str, &str)]| Object {
            of: None,
            properties: properties.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
        };
        let told = |was: &[(&str, &str)], is: &[(&str, &str)]| {
            let mut differences = Vec::new();
            compare(&key, &object(was), &object(is), &mut differences);
            differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(
            told(&[("DEFAULT", "'pending'::text")], &[]),
            "column public.orders.status: DEFAULT 'pending'::text is missing"
        );
        assert_eq!(told(&[("NOT NULL", "")], &[]), "column public.orders.status: NOT NULL is missing");
        assert_eq!(told(&[], &[("NOT NULL", "")]), "column public.orders.status: NOT NULL is there and was not");
        assert_eq!(
            told(&[("type", "text")], &[("type", "integer")]),
            "column public.orders.status: type was text and is integer"
        );
        assert_eq!(
            told(&[("body", "begin\n  a;\nend")], &[("body", "begin\n  b;\nend")]),
            "column public.orders.status: body differs from line 2: it was a; and is b;"
        );
    }

    #[test]
    fn ordinals() {
        let all: Vec<_> = [1, 2, 3, 4, 11, 12, 13, 21, 112].iter().map(|&n| Ordinal(n).to_string()).collect();
        assert_eq!(all, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]);
    }
}

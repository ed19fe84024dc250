//! Which of the names that are there was probably meant, in `const`: looked for only once an entry is refused.

use super::follow::Change;
use super::verdict::{Fault, Known};
use super::world::{NONE, World, place};
use crate::model::written::trace::{EFFECT, PART, RECORD, RENAME};
use crate::model::{ObjectKey, Space};

/// As long as a name of PostgreSQL can be, and the name of its schema before it (`NAMEDATALEN`, 64 with the end).
const LONGEST: usize = 2 * 63 + 1;

/// A name, by the record that gave it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    entry: u32,
    head: u128,
}

impl Name {
    /// The name that the object has after the effect of the record.
    pub(super) const fn text(&self, known: Known<'_>) -> &'static str {
        known.written(self.entry).names_of(self.head).last(self.head)
    }
}

impl World<'_> {
    /// What an effect was probably meant for that was refused because its object, or the table of it, never was.
    pub(super) const fn meant(&self, change: &Change, entry: u32, fault: Fault, known: Known<'_>) -> Option<Name> {
        let names = known.written(entry).names_of(change.head);
        if matches!(fault, Fault::TableNeverMade) {
            return self.near(Space::Relation, names.owner, NONE, known, entry);
        }
        let owner = if change.head & PART == 0 || change.owner == 0 {
            NONE
        } else {
            self.places[place!(self, change.owner, NONE)].entity
        };
        self.near(names.space, names.own, owner, known, entry)
    }

    /// The name of what is there that differs least from the one that is not, where it differs in a third of its letters
    /// at most. Looked for among the names that the baseline and the entries up to this one wrote.
    const fn near(&self, space: Space, missing: &str, owner: u32, known: Known<'_>, last: u32) -> Option<Name> {
        let mut best = None;
        let mut least = usize::MAX;
        let mut entry = NONE;
        loop {
            let written = known.written(entry);
            let mut at = 1;
            while at < written.trace.len() {
                let head = written.trace[at];
                if matches!(head & RECORD, EFFECT | RENAME) {
                    let name = written.names_of(head).last(head);
                    let found = distance(missing, name);
                    if found < least && found <= slips(missing, name) && self.is_there(space, name, owner) {
                        least = found;
                        best = Some(Name { entry, head });
                    }
                }
                at += crate::model::written::trace::length(head);
            }
            if entry == last {
                return best;
            }
            entry = entry.wrapping_add(1);
        }
    }

    const fn is_there(&self, space: Space, name: &str, owner: u32) -> bool {
        let found = self.places[place!(self, ObjectKey::own(space, name), owner)].entity;
        found != NONE && self.entities[found as usize].alive
    }
}

/// How many letters may be wrong: a third of the longer name, its schema not counted.
const fn slips(missing: &str, name: &str) -> usize {
    let (missing, name) = (own(missing), own(name));
    let longer = if missing > name { missing } else { name };
    longer.div_ceil(3)
}

const fn own(name: &str) -> usize {
    let bytes = name.as_bytes();
    let mut len = 0;
    while len < bytes.len() && bytes[bytes.len() - 1 - len] != b'.' {
        len += 1;
    }
    len
}

/// The least number of insertions, removals and replacements of bytes that turn one name into the other (Levenshtein);
/// capitals count as their small letters.
const fn distance(from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    if to.len() > LONGEST {
        return usize::MAX;
    }
    let mut row = [0; LONGEST + 1];
    let mut column = 0;
    while column <= to.len() {
        row[column] = column;
        column += 1;
    }
    let mut line = 0;
    while line < from.len() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        column = 0;
        while column < to.len() {
            let mut least = diagonal + !from[line].eq_ignore_ascii_case(&to[column]) as usize;
            diagonal = row[column + 1];
            if diagonal + 1 < least {
                least = diagonal + 1;
            }
            if row[column] + 1 < least {
                least = row[column] + 1;
            }
            row[column + 1] = least;
            column += 1;
        }
        line += 1;
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (from, to, expected) in [("", "", 0), ("orders", "Orders", 0), ("odrers", "orders", 2), ("", "id", 2)] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
        assert_eq!(distance("a", &"b".repeat(200)), usize::MAX);
    }

    #[test]
    fn the_schema_is_not_counted() {
        assert_eq!(slips("public.id", "public.idd"), 1);
        assert_eq!(slips("status", "state"), 2);
    }
}

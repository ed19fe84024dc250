//! What the derive found out of a migration's steps, as it stands in the program: a `trace`, which the history check goes by,
//! and what is `told` of the steps besides, numbers in bytes and the texts that some of them stand for.
//!
//! Structs within structs would say it more plainly, and cost the compiler a millisecond a migration, most of it on looking
//! after values that nobody asks for. An element of a list costs two microseconds before anybody reads it, a byte of a string
//! nothing, and reading it out again some; so what every check reads is a list, and everything else is in strings.
//! `sql::check::words` writes them, [`Meta::steps`](super::Meta::steps) makes [`Step`](super::Step)s of them where the program runs,
//! and a message of the history check looks up what it says.

#![allow(clippy::cast_possible_truncation, reason = "what is counted here is in memory")]

use super::{Effect, EffectKind, ObjectKey, Property, Space, Verb};

/// What is known of steps, or of a baseline's objects.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// See [`trace`].
    pub(super) trace: &'static [u128],
    told: &'static [u8],
    texts: &'static str,
}

impl Written {
    /// Of a struct that has none: one that was refused, or that a test made of parts.
    pub(crate) const NOTHING: Self = Self::new(&[0], &[0], "");

    pub(crate) const fn new(trace: &'static [u128], told: &'static [u8], texts: &'static str) -> Self {
        Self { trace, told, texts }
    }

    /// Where it stands: what is at one place is one thing.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.told.as_ptr().addr(), self.texts.as_ptr().addr())
    }

    pub(super) const fn read(self) -> Reader {
        self.read_at(0)
    }

    const fn read_at(self, at: usize) -> Reader {
        Reader { written: self, at }
    }

    /// The object, in words, of the effect that this record of the trace is about.
    pub(super) const fn object_of(self, head: u128) -> &'static str {
        let mut reader = self.read_at(trace::told(head));
        let _kinds = reader.number();
        reader.text()
    }

    /// The names in the effect that this record of the trace is about.
    pub(super) const fn names_of(self, head: u128) -> Names {
        let mut reader = self.read_at(trace::told(head));
        let set = reader.number();
        let (_object, _definition, own) = (reader.text(), reader.text(), reader.text());
        let owner = if set & OWNED != 0 { reader.text() } else { "" };
        let to = if set & RENAMES != 0 { reader.text() } else { "" };
        Names { space: Space::ALL[(set >> 16 & 0xff) as usize], own, owner, to }
    }

    /// The property that this record of the trace is about.
    pub(super) const fn property_of(self, head: u128) -> Property {
        self.read_at(trace::told(head)).property()
    }
}

/// The records of a trace. The first word is no record, but says how much is in it; each record begins with a *head*, in
/// which everything that is small is put together.
pub(crate) mod trace {
    /// How many effects there are, and [`PROPERTIES`] for each property and each thing that one is lost with.
    pub(crate) const PROPERTIES: u128 = 1 << 64;

    // What kind of record it is.
    pub(crate) const RECORD: u128 = 0xff;
    /// The head alone: a step begins.
    pub(crate) const STEP: u128 = 1;
    /// Key, key of the owner: what an up does to an object.
    pub(crate) const EFFECT: u128 = 2;
    /// Key, key of the owner, key of the new name.
    pub(crate) const RENAME: u128 = 3;
    /// Key, key of the owner: what a down takes. Written only of steps whose up may find what it would make.
    pub(crate) const DOWN: u128 = 4;
    /// Key, key of the owner, hash of the text: a property that the down says was there before.
    pub(crate) const SAYS: u128 = 5;
    /// Key, key of the owner, hash of the text: a property that the up makes.
    pub(crate) const HOLDS: u128 = 6;
    /// The hash of the text alone: a property of the object of the record before.
    pub(crate) const SAYS_TOO: u128 = 7;
    pub(crate) const HOLDS_TOO: u128 = 8;
    /// Key, key of the owner: the property before it goes when this object goes.
    pub(crate) const WITH: u128 = 9;

    // Of a step.
    /// By its down it says what was there before: it has one, and rows are not all that it is about.
    pub(crate) const REVERSED: u128 = 1 << 8;

    // Of effects, what becomes of the object.
    pub(crate) const VERB: u128 = 0xff << 8;
    pub(crate) const MAKE: u128 = 1 << 8;
    pub(crate) const ENSURE: u128 = 2 << 8;
    pub(crate) const TAKE: u128 = 3 << 8;
    pub(crate) const TAKE_IF_THERE: u128 = 4 << 8;
    #[cfg(feature = "sql")]
    pub(crate) const NEED: u128 = 5 << 8;

    // Of effects and properties.
    /// The name is told apart by the owner.
    pub(crate) const PART: u128 = 1 << 16;
    pub(crate) const COLUMN: u128 = 1 << 17;

    // Of effects.
    /// A relation or type: a closed world has it, or it is not there.
    pub(crate) const FOLLOWED: u128 = 1 << 18;
    /// A table made with all its columns in the statement.
    pub(crate) const COMPLETE: u128 = 1 << 19;
    /// Where it is there already, it is replaced and not left as it was.
    pub(crate) const REPLACES: u128 = 1 << 20;
    /// Names may have changed that are not followed.
    pub(crate) const TRUSTED: u128 = 1 << 21;
    /// It goes to another schema, with indexes and sequences that are not followed.
    pub(crate) const MOVES: u128 = 1 << 22;
    /// Its owner is a table, for certain. Another part may belong to what is not followed: a constraint to a domain.
    pub(crate) const OF_TABLE: u128 = 1 << 23;

    // Of properties.
    /// All of the object, of which nothing more is known.
    pub(crate) const WHOLE: u128 = 1 << 24;
    pub(crate) const EMPTY: u128 = 1 << 25;
    /// Without it nothing is known of the object.
    pub(crate) const DEFINES: u128 = 1 << 26;
    /// What it is by default goes by something else, which is not among the object's properties.
    pub(crate) const BY_TYPE: u128 = 1 << 27;
    /// The object need not have it again when it is made again.
    pub(crate) const COMES_BY_ITSELF: u128 = 1 << 28;
    /// Hash of what about the object it is.
    pub(crate) const WHAT: u128 = (u64::MAX as u128) << 64;

    /// How many words the record has.
    pub(crate) const fn length(head: u128) -> usize {
        match head & RECORD {
            EFFECT | DOWN | WITH => 3,
            RENAME | SAYS | HOLDS => 4,
            SAYS_TOO | HOLDS_TOO => 2,
            _ => 1,
        }
    }

    /// Where the rest of it is told.
    pub(crate) const fn told(head: u128) -> usize {
        (head >> 32) as u32 as usize
    }

    #[cfg(feature = "sql")]
    pub(crate) const fn told_at(place: usize) -> u128 {
        (place as u32 as u128) << 32
    }
}

/// Of an effect; empty where there is none.
pub(super) struct Names {
    pub(super) space: Space,
    pub(super) own: &'static str,
    pub(super) owner: &'static str,
    to: &'static str,
}

impl Names {
    /// What the object is called after the effect.
    pub(super) const fn last(&self, head: u128) -> &'static str {
        if head & trace::RECORD == trace::RENAME { self.to } else { self.own }
    }
}

/// Goes through what is told, from one end to the other.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    written: Written,
    at: usize,
}

impl Reader {
    const fn byte(&mut self) -> u8 {
        let byte = self.written.told[self.at];
        self.at += 1;
        byte
    }

    /// Seven bits in a byte, the lowest first; the eighth says that there is more.
    pub(super) const fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= ((byte & 0x7f) as u64) << shift;
            if byte & 0x80 == 0 {
                return number;
            }
            shift += 7;
        }
    }

    pub(super) const fn small<const N: usize>(&mut self) -> [u8; N] {
        let mut small = [0; N];
        let mut at = 0;
        while at < N {
            small[at] = self.byte();
            at += 1;
        }
        small
    }

    pub(super) const fn flag(&mut self) -> bool {
        self.number() != 0
    }

    /// Where it begins among the texts, and how long it is.
    pub(super) const fn text(&mut self) -> &'static str {
        let (start, length) = (self.number() as usize, self.number() as usize);
        self.written.texts.split_at(start).1.split_at(length).0
    }

    pub(super) const fn effect(&mut self) -> Effect {
        let set = self.number();
        let (kind, verb, space) = (set & 0xff, set >> 8 & 0xff, set >> 16 & 0xff);
        let (owned, renames) = (set & OWNED != 0, set & RENAMES != 0);
        let (kind, verb, space) =
            (EffectKind::ALL[kind as usize], Verb::ALL[verb as usize], Space::ALL[space as usize]);
        let (object, definition, name) = (self.text(), self.text(), self.text());
        let owner_name = if owned { self.text() } else { "" };
        let to_name = if renames { self.text() } else { "" };
        let id = ObjectKey::of(space, name, owner_name);
        let to = ObjectKey::own(space, to_name);
        Effect { kind, verb, object, definition, id, to, to_name }
    }

    const fn property(&mut self) -> Property {
        let marks = self.number();
        let (object, what, text, sql) = (self.text(), self.text(), self.text(), self.text());
        let (reworded, mentions) = (marks & REWORDED != 0, (marks & 0xff) as u8);
        let (loose_key, constants_key) = (u64::from_le_bytes(self.small()), u64::from_le_bytes(self.small()));
        Property { object, what, text, sql, loose_key, constants_key, reworded, mentions }
    }
}

// What small numbers of an effect or a property are put together in.
pub(crate) const OWNED: u64 = 1 << 24;
pub(crate) const RENAMES: u64 = 1 << 25;
pub(crate) const REWORDED: u64 = 1 << 8;

//! What the derive found out of a migration's steps, as it stands in the program: two lists, one of numbers and one of texts.
//!
//! Structs within structs would say it more plainly, and cost the compiler a millisecond a migration, most of it on looking
//! after values that nobody asks for. `sql::check::words` writes the lists; `const` code reads of them what the history check
//! goes by, and [`Meta::steps`](super::Meta::steps) makes [`Step`](super::Step)s of them where the program runs.

#![allow(clippy::cast_possible_truncation, reason = "what is counted here is in memory")]

use super::{Effect, EffectKind, ObjectKey, Property, Space, Verb};

/// Numbers, and the texts that some of them stand for.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    numbers: &'static [u64],
    texts: &'static [&'static str],
}

impl Written {
    /// Of a struct that has none: one that was refused, or that a test made of parts.
    pub(crate) const NOTHING: Self = Self::new(&[0; 5], &[]);

    pub(crate) const fn new(numbers: &'static [u64], texts: &'static [&'static str]) -> Self {
        Self { numbers, texts }
    }

    /// Where the lists are: what is at one place is one thing.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.numbers.as_ptr().addr(), self.texts.as_ptr().addr())
    }

    /// How many effects there are of all ups, and how many properties with what those hang on.
    pub(super) const fn totals(&self) -> (usize, usize) {
        (self.numbers[0] as usize, self.numbers[1] as usize)
    }

    pub(super) const fn read(self) -> Reader {
        Reader { written: self, at: 2 }
    }
}

/// Goes through what is written, from one end to the other.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    written: Written,
    at: usize,
}

impl Reader {
    pub(super) const fn number(&mut self) -> u64 {
        let number = self.written.numbers[self.at];
        self.at += 1;
        number
    }

    pub(super) const fn flag(&mut self) -> bool {
        self.number() != 0
    }

    pub(super) const fn text(&mut self) -> &'static str {
        self.written.texts[self.number() as usize]
    }

    pub(super) const fn skip(&mut self, numbers: u64) {
        self.at += numbers as usize;
    }

    pub(super) const fn effect(&mut self) -> Effect {
        let set = self.number();
        let (kind, verb, space) = (set & 0xff, set >> 8 & 0xff, set >> 16 & 0xff);
        let (owned, renames, columns_listed) = (set & OWNED != 0, set & RENAMES != 0, set & COLUMNS_LISTED != 0);
        let object = self.text();
        let definition = self.text();
        let id = self.object_in(space, owned);
        let (to, to_name) = if renames { (self.number(), self.text()) } else { (0, "") };
        let (kind, verb) = (EffectKind::ALL[kind as usize], Verb::ALL[verb as usize]);
        Effect { kind, verb, object, definition, id, to, to_name, columns_listed }
    }

    /// What a property is about. What it is lost with stands after it, a number and as many objects, and then the property.
    pub(super) const fn subject(&mut self) -> Subject {
        let set = self.number();
        let same = set & SAME != 0;
        let id = if same { None } else { Some(self.object_in(set & 0xff, set & OWNED != 0)) };
        Subject { id, whole: set & WHOLE != 0, what_key: self.number() }
    }

    /// A property, but for [`Reader::strict`].
    pub(super) const fn property(&mut self) -> Property {
        let marks = self.number();
        let (object, what, text, sql) = (self.text(), self.text(), self.text(), self.text());
        self.skip(2);
        let (reworded, mentions) = (marks & REWORDED != 0, (marks & 0xff) as u8);
        Property { object, what, text, sql, loose_key: self.number(), constants_key: self.number(), reworded, mentions }
    }

    /// Of the property that comes next, the form that is equal for equal things, and its hash: most are asked for no more.
    pub(super) const fn strict(&self) -> (&'static str, u64) {
        let (numbers, at) = (self.written.numbers, self.at);
        (self.written.texts[numbers[at + 5] as usize], numbers[at + 6])
    }

    pub(super) const fn object(&mut self) -> ObjectKey {
        let space = self.number();
        self.object_in(space, true)
    }

    const fn object_in(&mut self, space: u64, owned: bool) -> ObjectKey {
        let space = Space::ALL[space as usize];
        let (key, name) = (self.number(), self.text());
        let (owner, owner_name) = if owned { (self.number(), self.text()) } else { (0, "") };
        ObjectKey { space, key, name, owner, owner_name }
    }
}

/// Which property of which object.
pub(super) struct Subject {
    /// `None`: the object of the property before it.
    pub(super) id: Option<ObjectKey>,
    /// All of the object, of which nothing more is known.
    pub(super) whole: bool,
    /// Hash of what about the object.
    pub(super) what_key: u64,
}

/// How many numbers an object is, one of those that a property is lost with.
pub(super) const OBJECT: u64 = 5;

/// How many numbers a property is.
pub(super) const PROPERTY: u64 = 9;

// What small numbers of an effect or a property are put together in.
pub(crate) const OWNED: u64 = 1 << 24;
pub(crate) const RENAMES: u64 = 1 << 25;
pub(crate) const COLUMNS_LISTED: u64 = 1 << 26;
pub(crate) const REWORDED: u64 = 1 << 27;
pub(crate) const SAME: u64 = 1 << 28;
pub(crate) const WHOLE: u64 = 1 << 29;

//! What the history check knows while it goes through the entries: which names stand for which objects, what those own,
//! and what is known of each. Tables of fixed size, so that `const` code can fill them.
//!
//! A name is found by its hash and confirmed by its text. It stands for an *entity*, which lives as long as its owner, so that a
//! rename carries columns and indexes along and a dropped table takes them with it.

#![allow(clippy::cast_possible_truncation, reason = "a history has fewer than four thousand million effects")]

use crate::model::written::{OBJECT, PROPERTY, Reader, Subject};
use crate::model::{ObjectKey, Property, Space};

pub(super) const NONE: u32 = u32::MAX;

/// Hashes that the derive made; 0 stands for an empty place.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) key: u64,
    /// `None` where it is empty: an empty text is a reference like any other, and the compiler moves all that lie behind it
    /// whenever one of thousands in a table is replaced.
    pub(super) name: Option<&'static str>,
    scope: u32,
    pub(super) entity: u32,
}

#[derive(Clone, Copy)]
pub(super) struct Entity {
    pub(super) alive: bool,
    /// It was there before the history; nothing else is known of it.
    pub(super) assumed: bool,
    /// A table whose columns were all listed when it was made.
    pub(super) complete: bool,
    /// What is known of it may not hold any more.
    pub(super) opaque: bool,
    pub(super) owner: u32,
    /// The entry that made it; `NONE` for the baseline's and assumed ones.
    pub(super) maker: u32,
    /// The entry that took it.
    pub(super) taker: u32,
    pub(super) first_held: u32,
    pub(super) first_part: u32,
    next_part: u32,
    pub(super) first_link: u32,
    /// When a column of it was renamed last.
    pub(super) renamed: u32,
    /// The step whose up found it there, by IF NOT EXISTS or OR REPLACE.
    pub(super) found: u32,
    /// The step that left it as it was, by IF NOT EXISTS.
    pub(super) kept: u32,
    /// The step that took it.
    pub(super) taken: u32,
    /// The step whose down makes it again in ways that are not known.
    pub(super) remade: u32,
    /// The step in which it was asked what goes with it: things that are lost with each other are asked once.
    pub(super) asked: u32,
}

/// One property of one entity, as it was set last.
#[derive(Clone, Copy)]
pub(super) struct Held {
    /// Where the property is written.
    pub(super) property: Option<Reader>,
    pub(super) next: u32,
    /// The step that set it.
    pub(super) since: u32,
    /// The entry that set it.
    pub(super) maker: u32,
    /// The step whose down brings it back.
    pub(super) witnessed: u32,
}

#[derive(Clone, Copy)]
pub(super) struct Slot {
    key: u64,
    entity: u32,
    held: u32,
}

/// What goes when the entity goes that has the link: an index with its column.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) attached: u32,
    /// The definition that says so, and when it was set: a later definition may say otherwise.
    pub(super) held: u32,
    pub(super) since: u32,
    pub(super) next: u32,
}

impl Place {
    pub(super) const EMPTY: Self = Self { key: 0, name: None, scope: NONE, entity: NONE };
}

impl Entity {
    pub(super) const NOBODY: Self = Self {
        alive: false,
        assumed: false,
        complete: false,
        opaque: false,
        owner: NONE,
        maker: NONE,
        taker: NONE,
        first_held: NONE,
        first_part: NONE,
        next_part: NONE,
        first_link: NONE,
        renamed: 0,
        found: 0,
        kept: 0,
        taken: 0,
        remade: 0,
        asked: 0,
    };
}

impl Held {
    pub(super) const NOTHING: Self = Self { property: None, next: NONE, since: 0, maker: NONE, witnessed: 0 };

    /// The property itself.
    pub(super) const fn property(&self) -> Option<Property> {
        match self.property {
            Some(mut reader) => Some(reader.property()),
            None => None,
        }
    }
}

impl Slot {
    pub(super) const EMPTY: Self = Self { key: 0, entity: NONE, held: NONE };
}

impl Link {
    pub(super) const NONE: Self = Self { attached: NONE, held: NONE, since: 0, next: NONE };
}

pub(super) struct World<'w> {
    pub(super) places: &'w mut [Place],
    pub(super) entities: &'w mut [Entity],
    pub(super) slots: &'w mut [Slot],
    pub(super) held: &'w mut [Held],
    pub(super) links: &'w mut [Link],
    pub(super) made: usize,
    pub(super) holding: usize,
    pub(super) linked: usize,
    pub(super) closed: bool,
    /// The step that is gone through, from 1.
    pub(super) now: u32,
    /// When something other than a column was renamed last, or done on trust.
    pub(super) renamed: u32,
    /// When a column was renamed last.
    pub(super) column_renamed: u32,
    /// The step that last found something there which it would have made.
    pub(super) found: u32,
    /// The entity that the last property was of.
    pub(super) subject: u32,
}

impl<'w> World<'w> {
    /// A world in which nothing has happened yet, in tables that are empty.
    pub(super) const fn over(
        places: &'w mut [Place],
        entities: &'w mut [Entity],
        slots: &'w mut [Slot],
        held: &'w mut [Held],
        links: &'w mut [Link],
        closed: bool,
    ) -> Self {
        Self {
            places,
            entities,
            slots,
            held,
            links,
            made: 0,
            holding: 0,
            linked: 0,
            closed,
            now: 1,
            renamed: 0,
            column_renamed: 0,
            found: 0,
            subject: NONE,
        }
    }
}

/// Whether two texts are the same. By patterns: a call costs the compiler's interpreter more than eight comparisons.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    while let ([a0, a1, a2, a3, a4, a5, a6, a7, more @ ..], [b0, b1, b2, b3, b4, b5, b6, b7, others @ ..]) = (a, b) {
        if *a0 != *b0 || *a1 != *b1 || *a2 != *b2 || *a3 != *b3 || *a4 != *b4 || *a5 != *b5 || *a6 != *b6 || *a7 != *b7
        {
            return false;
        }
        (a, b) = (more, others);
    }
    while let ([first, more @ ..], [other, others @ ..]) = (a, b) {
        if *first != *other {
            return false;
        }
        (a, b) = (more, others);
    }
    true
}

const fn mixed(a: u64, b: u64) -> u64 {
    let mixed = (a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0x0000_0100_0000_01b3);
    if mixed == 0 { 1 } else { mixed }
}

/// Whether names of the space are told apart by their owner.
const fn within_owner(space: Space) -> bool {
    matches!(space, Space::Column | Space::Constraint | Space::Trigger | Space::Policy | Space::Rule | Space::EnumValue)
}

impl World<'_> {
    /// Where the name is, or would be.
    pub(super) const fn place(&self, key: u64, name: &str, scope: u32) -> usize {
        let mask = self.places.len() - 1;
        let mut at = (key ^ (key >> 32)) as usize & mask;
        loop {
            let place = &self.places[at];
            if place.key == 0 {
                return at;
            }
            if place.key == key
                && place.scope == scope
                && let Some(known) = place.name
                && same(known, name)
            {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    /// The place of an object within its owner's entity.
    pub(super) const fn place_of(&self, space: Space, key: u64, name: &str, owner: u32) -> usize {
        let (key, scope) = scoped(space, key, owner);
        self.place(key, name, scope)
    }

    pub(super) const fn lives(&self, entity: u32) -> bool {
        let mut at = entity;
        while at != NONE {
            if !self.entities[at as usize].alive {
                return false;
            }
            at = self.entities[at as usize].owner;
        }
        true
    }

    /// Whether this very step took it, as a part of something else.
    pub(super) const fn just_taken(&self, entity: u32) -> bool {
        let mut at = entity;
        while at != NONE {
            if self.entities[at as usize].taken == self.now {
                return true;
            }
            at = self.entities[at as usize].owner;
        }
        false
    }

    pub(super) const fn make(
        &mut self,
        place: usize,
        (space, key, name): (Space, u64, &'static str),
        owner: u32,
        maker: u32,
        assumed: bool,
    ) -> u32 {
        let entity = self.made as u32;
        let mut new = Entity { alive: true, assumed, owner, maker, ..Entity::NOBODY };
        if owner != NONE {
            new.next_part = self.entities[owner as usize].first_part;
            self.entities[owner as usize].first_part = entity;
        }
        self.entities[self.made] = new;
        self.made += 1;
        self.stand(place, (space, key, name), owner, entity);
        entity
    }

    /// The name stands for nobody any more: what had it is called otherwise.
    pub(super) const fn leave(&mut self, place: usize, name: (Space, u64, &'static str), owner: u32, entry: u32) {
        let nobody = self.made as u32;
        self.entities[self.made] = Entity { assumed: true, owner, taker: entry, ..Entity::NOBODY };
        self.made += 1;
        self.stand(place, name, owner, nobody);
    }

    /// The name stands for this entity from now on.
    pub(super) const fn stand(
        &mut self,
        place: usize,
        (space, key, name): (Space, u64, &'static str),
        owner: u32,
        entity: u32,
    ) {
        let (key, scope) = scoped(space, key, owner);
        self.places[place] = Place { key, name: Some(name), scope, entity };
    }

    pub(super) const fn next_part(&self, entity: u32) -> u32 {
        self.entities[entity as usize].next_part
    }

    /// The owner's entity; one that nobody made is assumed, so that its parts have somewhere to hang.
    pub(super) const fn owner(&mut self, id: &ObjectKey) -> u32 {
        if id.owner == 0 {
            return NONE;
        }
        let place = self.place(id.owner, id.owner_name, NONE);
        let found = self.places[place].entity;
        if found != NONE && self.lives(found) {
            found
        } else {
            self.make(place, (Space::Relation, id.owner, id.owner_name), NONE, NONE, true)
        }
    }

    /// The living entity that the name stands for; `NONE` where there is none.
    pub(super) const fn find(&self, id: &ObjectKey) -> u32 {
        let owner = if within_owner(id.space) {
            if id.owner == 0 {
                return NONE;
            }
            let owner = self.places[self.place(id.owner, id.owner_name, NONE)].entity;
            if owner == NONE {
                return NONE;
            }
            owner
        } else {
            NONE
        };
        let found = self.places[self.place_of(id.space, id.key, id.name, owner)].entity;
        if found != NONE && self.lives(found) { found } else { NONE }
    }

    /// The living entity, assumed where nobody made it.
    pub(super) const fn find_or_assume(&mut self, id: &ObjectKey) -> u32 {
        let found = self.find(id);
        if found != NONE {
            return found;
        }
        let owner = self.owner(id);
        let place = self.place_of(id.space, id.key, id.name, owner);
        self.make(place, (id.space, id.key, id.name), owner, NONE, true)
    }

    const fn slot(&self, entity: u32, what: u64) -> usize {
        let mask = self.slots.len() - 1;
        let key = mixed(what, entity as u64 + 1);
        let mut at = (key ^ (key >> 32)) as usize & mask;
        while self.slots[at].key != 0 && !(self.slots[at].key == key && self.slots[at].entity == entity) {
            at = (at + 1) & mask;
        }
        at
    }

    /// The property that the entity has; `NONE` where it is not known.
    pub(super) const fn holds(&self, entity: u32, what: u64) -> u32 {
        self.slots[self.slot(entity, what)].held
    }

    /// The entity that the property is of has it from now on.
    pub(super) const fn hold(&mut self, reader: &mut Reader, maker: u32) {
        let Subject { id, whole, what_key } = reader.subject();
        if let Some(id) = id {
            self.subject = self.find_or_assume(&id);
        }
        let entity = self.subject;
        let mut with = reader.number();
        let mut lost_with = *reader;
        reader.skip(with * OBJECT);
        let place = *reader;
        reader.skip(PROPERTY);
        if self.left_as_it_was(entity) {
            return;
        }
        if whole {
            self.entities[entity as usize].opaque = true;
            return;
        }
        let slot = self.slot(entity, what_key);
        let mut held = self.slots[slot].held;
        if held == NONE {
            held = self.holding as u32;
            self.holding += 1;
            self.held[held as usize].next = self.entities[entity as usize].first_held;
            self.entities[entity as usize].first_held = held;
            self.slots[slot] = Slot { key: mixed(what_key, entity as u64 + 1), entity, held };
        }
        let next = self.held[held as usize].next;
        self.held[held as usize] = Held { property: Some(place), next, since: self.now, maker, witnessed: 0 };
        while with > 0 {
            with -= 1;
            let keeper = self.find_or_assume(&lost_with.object());
            let next = self.entities[keeper as usize].first_link;
            self.links[self.linked] = Link { attached: entity, held, since: self.now, next };
            self.entities[keeper as usize].first_link = self.linked as u32;
            self.linked += 1;
        }
    }

    /// IF NOT EXISTS found it, or what it is part of, there.
    pub(super) const fn left_as_it_was(&self, entity: u32) -> bool {
        let owner = self.entities[entity as usize].owner;
        self.entities[entity as usize].kept == self.now
            || (owner != NONE && self.entities[owner as usize].kept == self.now)
    }
}

/// The key of a name within its owner, for what is named within an owner; the key itself for what is named in a schema.
const fn scoped(space: Space, key: u64, owner: u32) -> (u64, u32) {
    if within_owner(space) { (mixed(key, owner as u64), owner) } else { (key, NONE) }
}

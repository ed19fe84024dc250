//! What the history check knows while it goes through the entries: which names stand for which objects, what those own,
//! and what is known of each. Tables of fixed size, so that `const` code can fill them.
//!
//! A name is found by its key, of 128 bits. It stands for an *entity*, which lives as long as its owner, so that a rename
//! carries columns and indexes along and a dropped table takes them with it.
//!
//! There are numbers in the tables and no references: the compiler moves all references that lie behind one whenever it is
//! written, of thousands in a table. What it interprets costs by the statement, and a call as much as ten.

#![allow(clippy::cast_possible_truncation, reason = "a history has fewer than four thousand million effects")]

use crate::model::written::trace::{PART, WHAT, WHOLE};

pub(super) const NONE: u32 = u32::MAX;

/// Odd, and its multiples by small numbers are far apart, also by their lower bits.
pub(super) const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15;

/// A name within its scope, which is the entity that owns what is named within an owner. The key 0 is an empty place.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) key: u128,
    pub(super) scope: u32,
    pub(super) entity: u32,
}

#[derive(Clone, Copy)]
pub(super) struct Entity {
    /// Neither it nor its owner was taken.
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
    pub(super) next_part: u32,
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
    /// Of the record that set it.
    pub(super) head: u128,
    /// Hash of its text.
    pub(super) text: u128,
    pub(super) next: u32,
    /// The step that set it.
    pub(super) since: u32,
    /// The entry that set it.
    pub(super) maker: u32,
    /// The step whose down brings it back.
    pub(super) witnessed: u32,
}

/// Where a property of an entity is held; `NONE` in an empty one.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) what: u128,
    pub(super) entity: u32,
    pub(super) held: u32,
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
    pub(super) const EMPTY: Self = Self { key: 0, scope: NONE, entity: NONE };
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
    pub(super) const NOTHING: Self = Self { head: 0, text: 0, next: NONE, since: 0, maker: NONE, witnessed: 0 };
}

impl Slot {
    pub(super) const EMPTY: Self = Self { what: 0, entity: NONE, held: NONE };
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
    made: usize,
    holding: usize,
    linked: usize,
    pub(super) closed: bool,
    /// The step that is gone through, from 1.
    pub(super) now: u32,
    /// When something other than a column was renamed last, or done on trust.
    pub(super) renamed: u32,
    /// When a column was renamed last.
    pub(super) column_renamed: u32,
    /// The step that last found something there which it would have made.
    pub(super) found: u32,
    /// The owner that was asked for last, by key and entity, while it lives: most things of a step have the same one.
    near: (u128, u32),
    /// The entity that the last property was of.
    pub(super) subject: u32,
    /// That property, where it is held.
    last_held: u32,
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
            near: (0, NONE),
            subject: NONE,
            last_held: NONE,
        }
    }
}

/// Where a name is in the table, or would be. A macro, since to call costs as much as to look.
macro_rules! place {
    ($world:expr, $key:expr, $scope:expr) => {{
        let (key, scope): (u128, u32) = ($key, $scope);
        let last = $world.places.len() - 1;
        let mut at = (key ^ scope as u128 * crate::model::history::world::SPREAD) as usize & last;
        loop {
            let place = &$world.places[at];
            if (place.key == key && place.scope == scope) || place.key == 0 {
                break at;
            }
            at = (at + 1) & last;
        }
    }};
}
pub(super) use place;

/// Where it is held what an entity's property is, or would be.
macro_rules! slot {
    ($world:expr, $entity:expr, $what:expr) => {{
        let (entity, what): (u32, u128) = ($entity, $what);
        let last = $world.slots.len() - 1;
        let mut at = ((what >> 64) ^ entity as u128 * SPREAD) as usize & last;
        loop {
            let slot = &$world.slots[at];
            if slot.held == NONE || (slot.entity == entity && slot.what == what) {
                break at;
            }
            at = (at + 1) & last;
        }
    }};
}

impl World<'_> {
    /// An entity comes to be, and the name at this place stands for it.
    pub(super) const fn make(
        &mut self,
        place: usize,
        (key, scope): (u128, u32),
        owner: u32,
        maker: u32,
        assumed: bool,
    ) -> u32 {
        let made = self.made;
        self.made = made + 1;
        let entity = made as u32;
        let mut next = NONE;
        if owner != NONE {
            let owner = &mut self.entities[owner as usize];
            next = owner.first_part;
            owner.first_part = entity;
        }
        let new = &mut self.entities[made];
        new.alive = true;
        new.assumed = assumed;
        new.owner = owner;
        new.maker = maker;
        new.next_part = next;
        self.places[place] = Place { key, scope, entity };
        entity
    }

    /// The name stands for nobody any more: what had it is called otherwise.
    pub(super) const fn leave(&mut self, place: usize, owner: u32, entry: u32) {
        self.entities[self.made] = Entity { assumed: true, owner, taker: entry, ..Entity::NOBODY };
        self.places[place].entity = self.made as u32;
        self.made += 1;
        self.near = (0, NONE);
    }

    /// The name stands for this entity from now on.
    pub(super) const fn stand(&mut self, place: usize, (key, scope): (u128, u32), entity: u32) {
        self.places[place] = Place { key, scope, entity };
        self.near = (0, NONE);
    }

    /// The entity is gone, and with it what it owns and what is lost with it. [`lost`](Self::lost) is asked before.
    pub(super) const fn take(&mut self, entity: u32, entry: u32) {
        let gone = &mut self.entities[entity as usize];
        if !gone.alive {
            return;
        }
        gone.alive = false;
        gone.taker = entry;
        gone.taken = self.now;
        self.near = (0, NONE);
        let (mut part, mut link) = (gone.first_part, gone.first_link);
        while part != NONE {
            self.take(part, entry);
            part = self.entities[part as usize].next_part;
        }
        while link != NONE {
            let found = self.links[link as usize];
            if self.held[found.held as usize].since == found.since {
                self.take(found.attached, entry);
            }
            link = found.next;
        }
    }

    /// The entity of an owner with this key; one that nobody made is assumed, so that its parts have somewhere to hang.
    pub(super) const fn owner(&mut self, key: u128) -> u32 {
        if key == self.near.0 {
            return self.near.1;
        }
        if key == 0 {
            return NONE;
        }
        let place = place!(self, key, NONE);
        let mut entity = self.places[place].entity;
        if entity == NONE || !self.entities[entity as usize].alive {
            entity = self.make(place, (key, NONE), NONE, NONE, true);
        }
        self.near = (key, entity);
        entity
    }

    /// Whether it is the owner that was asked for last, and lives.
    pub(super) const fn is_near(&self, owner: u128) -> bool {
        self.near.0 == owner
    }

    /// The living entity that the name stands for; `NONE` where there is none.
    pub(super) const fn find(&self, head: u128, key: u128, owner: u128) -> u32 {
        let mut scope = NONE;
        if head & PART != 0 {
            if owner == 0 {
                return NONE;
            }
            scope = self.places[place!(self, owner, NONE)].entity;
            if scope == NONE {
                return NONE;
            }
        }
        let found = self.places[place!(self, key, scope)].entity;
        if found != NONE && self.entities[found as usize].alive { found } else { NONE }
    }

    /// The living entity, assumed where nobody made it.
    const fn find_or_assume(&mut self, head: u128, key: u128, owner_key: u128) -> u32 {
        let part = head & PART != 0;
        let mut owner = NONE;
        if part {
            owner = self.owner(owner_key);
        }
        let mut place = place!(self, key, owner);
        let found = self.places[place].entity;
        if found != NONE && self.entities[found as usize].alive {
            return found;
        }
        let scope = owner;
        if !part {
            // The owner may be made here, and its name take the place.
            owner = self.owner(owner_key);
            place = place!(self, key, scope);
        }
        self.make(place, (key, scope), owner, NONE, true)
    }

    /// The property that the entity has; `NONE` where it is not known.
    pub(super) const fn holds(&self, entity: u32, what: u128) -> u32 {
        self.slots[slot!(self, entity, what)].held
    }

    /// The object has the property from now on.
    pub(super) const fn hold(&mut self, head: u128, key: u128, owner: u128, text: u128, maker: u32) {
        self.subject = self.find_or_assume(head, key, owner);
        self.hold_too(head, text, maker);
    }

    /// And so it has this one.
    pub(super) const fn hold_too(&mut self, head: u128, text: u128, maker: u32) {
        let entity = self.subject;
        self.last_held = NONE;
        let of = &mut self.entities[entity as usize];
        // IF NOT EXISTS found it, or what it is part of, there.
        if of.kept == self.now || (of.owner != NONE && self.entities[of.owner as usize].kept == self.now) {
            return;
        }
        let of = &mut self.entities[entity as usize];
        if head & WHOLE != 0 {
            of.opaque = true;
            return;
        }
        let what = head & WHAT;
        let slot = slot!(self, entity, what);
        let mut held = self.slots[slot].held;
        let next;
        if held == NONE {
            held = self.holding as u32;
            self.holding += 1;
            next = of.first_held;
            of.first_held = held;
            self.slots[slot] = Slot { what, entity, held };
        } else {
            next = self.held[held as usize].next;
        }
        self.held[held as usize] = Held { head, text, next, since: self.now, maker, witnessed: 0 };
        self.last_held = held;
    }

    /// The property that was held last goes when this object goes.
    pub(super) const fn hangs_on(&mut self, head: u128, key: u128, owner: u128) {
        if self.last_held == NONE {
            return;
        }
        let keeper = self.find_or_assume(head, key, owner);
        let keeper = &mut self.entities[keeper as usize];
        self.links[self.linked] =
            Link { attached: self.subject, held: self.last_held, since: self.now, next: keeper.first_link };
        keeper.first_link = self.linked as u32;
        self.linked += 1;
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
}

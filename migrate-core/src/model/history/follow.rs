//! Which objects come and go by the effects of a step.

use super::verdict::Fault;
use super::world::{NONE, World, place};
use crate::model::written::trace::{
    COLUMN, COMPLETE, ENSURE, FOLLOWED, MAKE, MOVES, OF_TABLE, PART, REPLACES, TAKE, TAKE_IF_THERE, TRUSTED, VERB,
};

/// An effect, as its record in the trace has it.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub(super) head: u128,
    pub(super) key: u128,
    pub(super) owner: u128,
    /// The key of the new name, where it is a rename; else 0.
    pub(super) to: u128,
}

impl World<'_> {
    /// Follows one effect of an up. What it takes is still to be taken: the entity is handed back for that.
    pub(super) const fn follow(&mut self, change: Change, entry: u32) -> (Fault, u32, u32) {
        let Change { head, key, owner: owner_key, to } = change;
        if head & TRUSTED != 0 {
            self.renamed = self.now;
            self.column_renamed = self.now;
        }
        if key == 0 {
            return (Fault::Fine, NONE, NONE);
        }
        if head & OF_TABLE != 0 {
            let orphan = self.orphan(owner_key);
            if !matches!(orphan.0, Fault::Fine) {
                return (orphan.0, orphan.1, NONE);
            }
        }
        let owner = self.owner(owner_key);
        let mut scope = NONE;
        if head & PART != 0 {
            scope = owner;
        }
        let place = place!(self, key, scope);
        let found = self.places[place].entity;
        let there = found != NONE && self.entities[found as usize].alive;
        if to != 0 {
            return self.rename(&change, place, scope, owner, entry);
        }
        match head & VERB {
            MAKE => {
                if there {
                    return (Fault::Taken, self.entities[found as usize].maker, NONE);
                }
                let made = self.make(place, (key, scope), owner, entry, false);
                if head & COMPLETE != 0 {
                    self.entities[made as usize].complete = true;
                }
            }
            ENSURE => {
                if there {
                    self.entities[found as usize].found = self.now;
                    self.found = self.now;
                    if head & REPLACES == 0 {
                        self.entities[found as usize].kept = self.now;
                    }
                } else if owner == NONE || self.entities[owner as usize].kept != self.now {
                    let made = self.make(place, (key, scope), owner, entry, false);
                    self.entities[made as usize].complete = head & COMPLETE != 0;
                }
            }
            TAKE | TAKE_IF_THERE => {
                if there {
                    return (Fault::Fine, NONE, found);
                }
                if head & VERB == TAKE && !(found != NONE && self.just_taken(found)) {
                    let (fault, other) = self.missing(head, owner, found);
                    if matches!(fault, Fault::Fine) {
                        let assumed = self.make(place, (key, scope), owner, NONE, true);
                        self.entities[assumed as usize].alive = false;
                        self.entities[assumed as usize].taker = entry;
                    }
                    return (fault, other, NONE);
                }
            }
            // It is only needed.
            _ => {
                if !there {
                    let (fault, other) = self.missing(head, owner, found);
                    if matches!(fault, Fault::Fine) {
                        self.make(place, (key, scope), owner, NONE, true);
                    }
                    return (fault, other, NONE);
                }
            }
        }
        (Fault::Fine, NONE, NONE)
    }

    const fn rename(&mut self, change: &Change, place: usize, scope: u32, owner: u32, entry: u32) -> (Fault, u32, u32) {
        let mut entity = self.places[place].entity;
        if entity == NONE || !self.entities[entity as usize].alive {
            let (fault, other) = self.missing(change.head, owner, entity);
            if !matches!(fault, Fault::Fine) {
                return (fault, other, NONE);
            }
            entity = self.make(place, (change.key, scope), owner, NONE, true);
        }
        self.leave(place, owner, entry);
        // Definitions that were written before may name it otherwise now.
        if change.head & COLUMN != 0 && owner != NONE {
            self.entities[owner as usize].renamed = self.now;
            self.column_renamed = self.now;
        } else {
            self.renamed = self.now;
        }
        // Its indexes and sequences go to the other schema with it, under names that are not followed.
        if change.head & MOVES != 0 {
            self.entities[entity as usize].opaque = true;
        }
        let place = place!(self, change.to, scope);
        let taken = self.places[place].entity;
        if taken != NONE && self.entities[taken as usize].alive {
            return (Fault::Taken, self.entities[taken as usize].maker, NONE);
        }
        self.stand(place, (change.to, scope), entity);
        (Fault::Fine, NONE, NONE)
    }

    /// What it means that the table is not there whose column or index an effect is about.
    const fn orphan(&self, owner: u128) -> (Fault, u32) {
        if self.is_near(owner) {
            return (Fault::Fine, NONE);
        }
        let found = self.places[place!(self, owner, NONE)].entity;
        if found == NONE {
            return if self.closed { (Fault::TableNeverMade, NONE) } else { (Fault::Fine, NONE) };
        }
        let found = &self.entities[found as usize];
        if found.alive { (Fault::Fine, NONE) } else { (Fault::TableGone, found.taker) }
    }

    /// What it means that the object of an effect is not there.
    const fn missing(&self, head: u128, owner: u32, found: u32) -> (Fault, u32) {
        if found != NONE && !self.entities[found as usize].alive {
            return (Fault::Gone, self.entities[found as usize].taker);
        }
        let column_of_known_table = head & COLUMN != 0
            && owner != NONE
            && self.entities[owner as usize].complete
            && !self.entities[owner as usize].assumed;
        // A constraint's or function's name may be one that the server made up, or an extension brought.
        let followed = head & FOLLOWED != 0;
        if column_of_known_table || (self.closed && followed) { (Fault::NeverMade, NONE) } else { (Fault::Fine, NONE) }
    }
}

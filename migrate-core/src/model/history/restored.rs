//! Whether a down brings back what was there: what it says of the schema before, against what the earlier migrations (or
//! the baseline) made, and what goes with the up, against what it says.

use super::verdict::{Known, Unsure, Verdict};
use super::world::{Held, NONE, World};
use crate::model::property::key;
use crate::model::written::trace::{BY_TYPE, COMES_BY_ITSELF, DEFINES, EMPTY, WHAT, WHOLE};
use crate::model::{Property, Space};

/// What two texts of one property are to each other that are not the same.
enum Said {
    /// Whether they are cannot be known here, for this reason.
    Unsure(Unsure),
    Different,
}

impl World<'_> {
    /// Holds one thing that the down of a step brings back against what is known now, before the up.
    pub(super) const fn witness(&mut self, head: u128, text: u128, known: Known<'_>, verdict: &mut Verdict) {
        let entity = self.subject;
        if entity == NONE {
            if head & DEFINES != 0 {
                verdict.unsure(head, Unsure::NeverSeen);
            }
            return;
        }
        if head & WHOLE != 0 {
            self.entities[entity as usize].remade = self.now;
            verdict.unsure(head, Unsure::NotKnownAfterDown);
            return;
        }
        let at = self.holds(entity, head & WHAT);
        if at == NONE {
            if self.entities[entity as usize].opaque || head & BY_TYPE != 0 || !self.is_known(entity) {
                verdict.unsure(head, Unsure::NeverSeen);
            } else if head & EMPTY == 0 {
                verdict.differs(head, None, self.entities[entity as usize].maker);
            }
            return;
        }
        let held = &mut self.held[at as usize];
        held.witnessed = self.now;
        if held.text == text {
            return;
        }
        let held = *held;
        let (was, says) = (known.property(held.maker, held.head), known.property(verdict.entry, head));
        match self.said(&was, &held, entity, &says) {
            Said::Unsure(why) => verdict.unsure(head, why),
            Said::Different => verdict.differs(head, Some(held.head), held.maker),
        }
    }

    /// Whether everything about the entity is known, so that a property that is not there is one that it has not.
    const fn is_known(&self, entity: u32) -> bool {
        const DEFINITION: u128 = key(Space::Other, "definition") << 64;
        const TYPE: u128 = key(Space::Other, "type") << 64;
        let found = &self.entities[entity as usize];
        found.complete || self.holds(entity, DEFINITION) != NONE || self.holds(entity, TYPE) != NONE
    }

    const fn said(&self, a: &Property, held: &Held, entity: u32, b: &Property) -> Said {
        if self.entities[entity as usize].opaque {
            return Said::Unsure(Unsure::NeverSeen);
        }
        let mentions = if a.mentions > b.mentions { a.mentions } else { b.mentions };
        let owner = self.entities[entity as usize].owner;
        let table = if owner == NONE { entity } else { owner };
        if mentions >= 1 && self.entities[table as usize].renamed > held.since
            || mentions >= 2 && (self.renamed > held.since || self.column_renamed > held.since)
        {
            return Said::Unsure(Unsure::Renamed);
        }
        if a.loose_key == b.loose_key || ((a.reworded || b.reworded) && a.constants_key == b.constants_key) {
            return Said::Unsure(Unsure::Worded);
        }
        Said::Different
    }

    /// Says what goes with the entity and does not come back.
    pub(super) const fn lost(&mut self, entity: u32, verdict: &mut Verdict) {
        let found = self.entities[entity as usize];
        if !found.alive || found.opaque || found.remade == self.now || found.asked == self.now {
            return;
        }
        self.entities[entity as usize].asked = self.now;
        let mut at = found.first_held;
        while at != NONE {
            let held = &mut self.held[at as usize];
            if held.witnessed != self.now && held.head & (EMPTY | COMES_BY_ITSELF) == 0 {
                // Said once, though it hangs on several columns.
                held.witnessed = self.now;
                verdict.loses(held.head, held.maker);
            }
            at = held.next;
        }
        let mut part = found.first_part;
        while part != NONE {
            self.lost(part, verdict);
            part = self.entities[part as usize].next_part;
        }
        let mut link = found.first_link;
        while link != NONE {
            let with = self.links[link as usize];
            if self.held[with.held as usize].since == with.since {
                self.lost(with.attached, verdict);
            }
            link = with.next;
        }
    }

    /// A down that drops what the up only found there, by IF NOT EXISTS or OR REPLACE.
    pub(super) const fn takes_what_was_there(&self, head: u128, key: u128, owner: u128, verdict: &mut Verdict) {
        if self.found != self.now {
            return;
        }
        let found = self.find(head, key, owner);
        if found == NONE || self.entities[found as usize].found != self.now {
            return;
        }
        // Its owner, which the down drops too, speaks for it.
        let owner = self.entities[found as usize].owner;
        if owner == NONE || self.entities[owner as usize].found != self.now {
            verdict.takes(head, self.entities[found as usize].maker);
        }
    }
}

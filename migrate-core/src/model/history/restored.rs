//! Whether a down brings back what was there: what it says of the schema before, against what the earlier migrations (or
//! the baseline) made, and what goes with the up, against what it says.

use super::verdict::{Unsure, Verdict};
use super::world::{Held, NONE, World, same};
use crate::model::written::{OBJECT, PROPERTY, Reader, Subject};
use crate::model::{Effect, Property, Verb};

/// What two texts of one property are to each other that are not the same.
enum Said {
    /// Whether they are cannot be known here, for this reason.
    Unsure(Unsure),
    Different,
}

impl World<'_> {
    /// Holds one thing that the down of a step brings back against what is known now, before the up.
    pub(super) const fn witness(&mut self, reader: &mut Reader, verdict: &mut Verdict) {
        let Subject { id, whole, what_key } = reader.subject();
        if let Some(id) = id {
            self.subject = self.find(&id);
        }
        let entity = self.subject;
        let with = reader.number();
        reader.skip(with * OBJECT);
        let mut says = *reader;
        reader.skip(PROPERTY);
        if entity == NONE {
            let property = &says.property();
            if is_a_definition(property) {
                verdict.unsure(property, Unsure::NeverSeen);
            }
            return;
        }
        if whole {
            self.entities[entity as usize].remade = self.now;
            verdict.unsure(&says.property(), Unsure::NotKnownAfterDown);
            return;
        }
        let held = self.holds(entity, what_key);
        if held == NONE {
            let property = &says.property();
            // What a type is stored as by default is not among its properties.
            let by_type = same(property.what, "STORAGE");
            if self.entities[entity as usize].opaque || by_type || !self.is_known(entity) {
                verdict.unsure(property, Unsure::NeverSeen);
            } else if !property.text.is_empty() {
                verdict.differs(property, "", self.entities[entity as usize].maker);
            }
            return;
        }
        self.held[held as usize].witnessed = self.now;
        let found = self.held[held as usize];
        if let Some(mut written) = found.property
            && !is_same(&written, &says)
        {
            let (known, property) = (written.property(), &says.property());
            match self.said(&known, &found, entity, property) {
                Said::Unsure(why) => verdict.unsure(property, why),
                Said::Different => verdict.differs(property, known.text, found.maker),
            }
        }
    }

    /// Whether everything about the entity is known, so that a property that is not there is one that it has not.
    const fn is_known(&self, entity: u32) -> bool {
        const DEFINITION: u64 = crate::__private::v1::key(crate::model::Space::Other, "definition");
        const TYPE: u64 = crate::__private::v1::key(crate::model::Space::Other, "type");
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
            let held = self.held[at as usize];
            if held.witnessed != self.now
                && let Some(property) = held.property()
                && !property.text.is_empty()
                // Who owns what is made again is whoever makes it, and that is the role that migrates.
                && !same(property.what, "owner")
            {
                verdict.loses(&property, held.maker);
                // Said once, though it hangs on several columns.
                self.held[at as usize].witnessed = self.now;
            }
            at = held.next;
        }
        let mut part = found.first_part;
        while part != NONE {
            self.lost(part, verdict);
            part = self.next_part(part);
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
    pub(super) const fn takes_what_was_there(&self, effect: &Effect, verdict: &mut Verdict) {
        if effect.id.key == 0 || !matches!(effect.verb, Verb::Take | Verb::TakeIfThere) {
            return;
        }
        let found = self.find(&effect.id);
        if found == NONE || self.entities[found as usize].found != self.now {
            return;
        }
        // Its owner, which the down drops too, speaks for it.
        let owner = self.entities[found as usize].owner;
        if owner == NONE || self.entities[owner as usize].found != self.now {
            verdict.takes(effect, self.entities[found as usize].maker);
        }
    }
}

const fn is_same(a: &Reader, b: &Reader) -> bool {
    let ((a, a_key), (b, b_key)) = (a.strict(), b.strict());
    a_key == b_key && same(a, b)
}

const fn is_a_definition(property: &Property) -> bool {
    same(property.what, "definition") || same(property.what, "type")
}

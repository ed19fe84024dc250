//! Which objects come and go by the effects of a step.

use super::verdict::Fault;
use super::world::{NONE, World};
use crate::model::{Effect, EffectKind, Space, Verb};

impl World<'_> {
    /// Follows one effect of an up. What it takes is still to be taken: the entity is handed back for that.
    pub(super) const fn follow(&mut self, effect: &Effect, entry: u32) -> (Fault, u32, u32) {
        if matches!(effect.kind, EffectKind::Assumed | EffectKind::RenameSchema) {
            self.renamed = self.now;
            self.column_renamed = self.now;
        }
        if effect.id.key == 0 {
            return (Fault::Fine, NONE, NONE);
        }
        let orphan = self.orphan(effect);
        if !matches!(orphan.0, Fault::Fine) {
            return (orphan.0, orphan.1, NONE);
        }
        let owner = self.owner(&effect.id);
        let name = (effect.id.space, effect.id.key, effect.id.name);
        let place = self.place_of(name.0, name.1, name.2, owner);
        let found = self.places[place].entity;
        let known = found != NONE;
        let there = known && self.lives(found);
        match effect.verb {
            Verb::Make => {
                if there {
                    return (Fault::Taken, self.entities[found as usize].maker, NONE);
                }
                let made = self.make(place, name, owner, entry, false);
                self.entities[made as usize].complete = lists_its_columns(effect);
            }
            Verb::Ensure => {
                if there {
                    self.entities[found as usize].found = self.now;
                    self.found = self.now;
                    if !matches!(effect.kind, EffectKind::ReplaceView | EffectKind::ReplaceFunction) {
                        self.entities[found as usize].kept = self.now;
                    }
                } else if owner == NONE || self.entities[owner as usize].kept != self.now {
                    let made = self.make(place, name, owner, entry, false);
                    self.entities[made as usize].complete = lists_its_columns(effect);
                }
            }
            Verb::Take | Verb::TakeIfThere => {
                if there {
                    return (Fault::Fine, NONE, found);
                }
                if matches!(effect.verb, Verb::Take) && !(known && self.just_taken(found)) {
                    let (fault, other) = self.missing(effect, owner, known, found);
                    if matches!(fault, Fault::Fine) {
                        let assumed = self.make(place, name, owner, NONE, true);
                        self.entities[assumed as usize].alive = false;
                        self.entities[assumed as usize].taker = entry;
                    }
                    return (fault, other, NONE);
                }
            }
            Verb::Rename => {
                let entity = if there {
                    found
                } else {
                    let (fault, other) = self.missing(effect, owner, known, found);
                    if !matches!(fault, Fault::Fine) {
                        return (fault, other, NONE);
                    }
                    self.make(place, name, owner, NONE, true)
                };
                self.leave(place, name, owner, entry);
                self.remember_rename(effect, owner, entity);
                let to = (effect.id.space, effect.to, effect.to_name);
                let new_place = self.place_of(to.0, to.1, to.2, owner);
                let taken = self.places[new_place].entity;
                if taken != NONE && self.lives(taken) {
                    return (Fault::Taken, self.entities[taken as usize].maker, NONE);
                }
                self.stand(new_place, to, owner, entity);
            }
            Verb::Alter | Verb::Rows | Verb::Use => {
                if !there {
                    let (fault, other) = self.missing(effect, owner, known, found);
                    if matches!(fault, Fault::Fine) {
                        self.make(place, name, owner, NONE, true);
                    }
                    return (fault, other, NONE);
                }
            }
        }
        (Fault::Fine, NONE, NONE)
    }

    /// Definitions that were written before may name it otherwise now.
    const fn remember_rename(&mut self, effect: &Effect, owner: u32, entity: u32) {
        if matches!(effect.id.space, Space::Column) && owner != NONE {
            self.entities[owner as usize].renamed = self.now;
            self.column_renamed = self.now;
        } else {
            self.renamed = self.now;
        }
        // Its indexes and sequences go to the other schema with it, under names that are not followed.
        if matches!(effect.kind, EffectKind::MoveToSchema) {
            self.entities[entity as usize].opaque = true;
        }
    }

    /// The entity is gone, and with it what it owns and what is lost with it. [`lost`](Self::lost) is asked before.
    pub(super) const fn take(&mut self, entity: u32, entry: u32) {
        if !self.entities[entity as usize].alive {
            return;
        }
        self.entities[entity as usize].alive = false;
        self.entities[entity as usize].taker = entry;
        self.entities[entity as usize].taken = self.now;
        let mut part = self.entities[entity as usize].first_part;
        while part != NONE {
            self.take(part, entry);
            part = self.next_part(part);
        }
        let mut link = self.entities[entity as usize].first_link;
        while link != NONE {
            let found = self.links[link as usize];
            if self.held[found.held as usize].since == found.since {
                self.take(found.attached, entry);
            }
            link = found.next;
        }
    }

    /// What it means that the table is not there whose column or index an effect is about. Other parts may belong to what
    /// is not followed: a constraint to a domain.
    const fn orphan(&self, effect: &Effect) -> (Fault, u32) {
        let of_table = matches!(
            effect.kind,
            EffectKind::AddColumn
                | EffectKind::DropColumn
                | EffectKind::RenameColumn
                | EffectKind::ChangeColumnType
                | EffectKind::SetNotNull
                | EffectKind::DropNotNull
                | EffectKind::CreateIndex
        );
        if !of_table || effect.id.owner == 0 || matches!(effect.verb, Verb::TakeIfThere) {
            return (Fault::Fine, NONE);
        }
        let found = self.places[self.place(effect.id.owner, effect.id.owner_name, NONE)].entity;
        if found != NONE && !self.lives(found) {
            return (Fault::TableGone, self.entities[found as usize].taker);
        }
        if found == NONE && self.closed { (Fault::TableNeverMade, NONE) } else { (Fault::Fine, NONE) }
    }

    /// What it means that the object of an effect is not there.
    const fn missing(&self, effect: &Effect, owner: u32, known: bool, found: u32) -> (Fault, u32) {
        if known {
            let mut at = found;
            while at != NONE {
                if !self.entities[at as usize].alive {
                    return (Fault::Gone, self.entities[at as usize].taker);
                }
                at = self.entities[at as usize].owner;
            }
        }
        let column_of_known_table = matches!(effect.id.space, Space::Column)
            && owner != NONE
            && self.entities[owner as usize].complete
            && !self.entities[owner as usize].assumed;
        // A constraint's or function's name may be one that the server made up, or an extension brought.
        let followed = matches!(effect.id.space, Space::Relation | Space::Type);
        if column_of_known_table || (self.closed && followed) { (Fault::NeverMade, NONE) } else { (Fault::Fine, NONE) }
    }
}

const fn lists_its_columns(effect: &Effect) -> bool {
    matches!(effect.kind, EffectKind::CreateTable) && effect.columns_listed
}

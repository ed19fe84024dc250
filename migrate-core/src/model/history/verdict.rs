//! What the check has to say of one entry, and how it says it.

#![allow(clippy::cast_possible_wrap, reason = "a step changes fewer things than an i64 counts")]

use super::text::Text;
use super::world::NONE;
use crate::model::{Effect, Meta, Property};

/// How many differences an error lists.
const LISTED: usize = 6;

/// What the check has to say of one entry.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    pub(super) fault: Fault,
    pub(super) entry: &'static str,
    pub(super) version: i64,
    pub(super) other: &'static str,
    pub(super) other_version: i64,
    pub(super) object: &'static str,
    pub(super) detail: &'static str,
    details: [Option<Detail>; LISTED],
    found: usize,
    unsure: Option<(&'static str, &'static str, Unsure)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    Fine,
    Twice,
    Duplicate,
    Descending,
    NeverMade,
    TableNeverMade,
    Gone,
    TableGone,
    Taken,
    NotNew,
    NotReversed,
}

/// One way in which up and down leave something different.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detail {
    kind: DetailKind,
    object: &'static str,
    what: &'static str,
    /// What the history says.
    was: &'static str,
    /// What the down says.
    is: &'static str,
    sql: &'static str,
    /// The entry that made it so.
    maker: u32,
}

#[derive(Debug, Clone, Copy)]
enum DetailKind {
    Lost,
    Differs,
    Takes,
}

/// Why it cannot be known here whether a down brings back what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsure {
    /// Neither the baseline nor the history says what it was.
    NeverSeen,
    /// What the down makes is not all in its text.
    NotKnownAfterDown,
    /// Something that its definition names was renamed since.
    Renamed,
    /// The texts may be two spellings of one expression.
    Worded,
}

impl Verdict {
    pub(super) const FINE: Self = Self {
        fault: Fault::Fine,
        entry: "",
        version: 0,
        other: "",
        other_version: 0,
        object: "",
        detail: "",
        details: [None; LISTED],
        found: 0,
        unsure: None,
    };

    const fn add(&mut self, detail: Detail) {
        if matches!(self.fault, Fault::Fine) {
            self.fault = Fault::NotReversed;
        }
        if self.found < LISTED {
            self.details[self.found] = Some(detail);
        }
        self.found += 1;
    }

    pub(super) const fn loses(&mut self, property: &Property, maker: u32) {
        self.add(Detail {
            kind: DetailKind::Lost,
            object: property.object,
            what: property.what,
            was: property.text,
            is: "",
            sql: property.sql,
            maker,
        });
    }

    pub(super) const fn differs(&mut self, says: &Property, was: &'static str, maker: u32) {
        self.add(Detail {
            kind: DetailKind::Differs,
            object: says.object,
            what: says.what,
            was,
            is: says.text,
            sql: "",
            maker,
        });
    }

    pub(super) const fn takes(&mut self, effect: &Effect, maker: u32) {
        self.add(Detail { kind: DetailKind::Takes, object: effect.object, what: "", was: "", is: "", sql: "", maker });
    }

    pub(super) const fn unsure(&mut self, property: &Property, why: Unsure) {
        if self.unsure.is_none() {
            self.unsure = Some((property.object, property.what, why));
        }
    }

    /// Why a down of the entry is proved in `cargo test` only, where it cannot be held against the history.
    pub fn unsettled(&self) -> Option<String> {
        let (object, what, why) = self.unsure?;
        let of =
            if what == "definition" || what == "*" { object.to_owned() } else { format!("the {what} of {object}") };
        let because = match why {
            Unsure::NeverSeen => format!("neither a baseline nor an earlier migration says what {of} was"),
            Unsure::NotKnownAfterDown => format!("what the down makes of {of} is not all in its text"),
            Unsure::Renamed => format!("something that {of} names was renamed since it was made"),
            Unsure::Worded => format!("{of} is spelled otherwise in the down, and may be the same"),
        };
        Some(format!("reversal of this migration is checked in cargo test only, because {because}"))
    }

    /// Whether the entry is accepted.
    pub const fn is_fine(&self) -> bool {
        matches!(self.fault, Fault::Fine)
    }

    /// What is wrong, in words; empty where nothing is.
    pub fn message(&self, metas: &[&'static Meta]) -> String {
        let text = self.text(metas);
        String::from_utf8_lossy(text.bytes()).into_owned()
    }

    /// Stops the compilation where the entry is refused.
    ///
    /// # Panics
    ///
    /// Panics with the message: in `const`, that is the compile error.
    #[track_caller]
    pub const fn settle(&self, metas: &[&'static Meta]) {
        if !self.is_fine() {
            let text = self.text(metas);
            match std::str::from_utf8(text.bytes()) {
                Ok(message) => panic!("{}", message),
                Err(_) => panic!("this migration does not fit the history"),
            }
        }
    }

    const fn text(&self, metas: &[&'static Meta]) -> Text {
        let mut text = Text::new();
        let names = (self.entry, self.version);
        let other = (self.other, self.other_version);
        match self.fault {
            Fault::Fine => text,
            Fault::Twice => {
                text.migration(names).push(" is listed twice\n  = take one of the two away");
                text
            }
            Fault::Duplicate => {
                text.migration(names).push(" has the same version as ").migration(other);
                text.push(" before it\n  = a version stands for one migration; give this one a later number");
                text
            }
            Fault::Descending => {
                text.migration(names).push(" stands after ").migration(other).push(", which has the higher version");
                text.push("\n  = list migrations in the order of their versions");
                text
            }
            Fault::NeverMade => {
                text.migration(names).push(" needs ").push(self.object);
                text.push(", which neither the baseline nor an earlier migration of this history ever made");
                self.meant(&mut text);
                text
            }
            Fault::TableNeverMade => {
                text.migration(names).push(" changes ").push(self.object);
                text.push(", but neither the baseline nor an earlier migration of this history ever made that table");
                self.meant(&mut text);
                text
            }
            Fault::TableGone => {
                text.migration(names).push(" changes ").push(self.object).push(", but that table is gone: ");
                text.migration(other).push(" dropped it");
                text
            }
            Fault::Gone => {
                text.migration(names).push(" needs ").push(self.object).push(", which is gone: ");
                text.migration(other).push(" dropped or renamed it");
                text
            }
            Fault::Taken => {
                text.migration(names).push(" makes ").push(self.object).push(", but the name is taken");
                if self.other.is_empty() {
                    text.push(": it was there before (in the baseline, or used by an earlier migration)");
                } else {
                    text.push(": ").migration(other).push(" made it");
                }
                text.push("\n  = choose another name, or drop the first one before");
                text
            }
            Fault::NotReversed => {
                text.migration(names).push(": after up and down, the schema is not what it was:");
                let mut at = 0;
                while at < LISTED
                    && let Some(detail) = &self.details[at]
                {
                    detail.say(&mut text, metas);
                    at += 1;
                }
                if self.found > LISTED {
                    text.push("\n    - and ").number((self.found - LISTED) as i64).push(" more");
                }
                text
            }
            Fault::NotNew => {
                text.migration(names).push(" says by `deploy_from` that ").push(self.object);
                text.push(" is new in its deploy, but ");
                if self.other.is_empty() {
                    text.push("no migration of this history made it");
                } else {
                    text.migration(other).push(" made it, before that");
                }
                text.push("\n  = ").push(self.detail);
                text
            }
        }
    }
}

impl Verdict {
    /// What to write in place of a name that never was.
    const fn meant(&self, text: &mut Text) {
        if self.detail.is_empty() {
            text.push("\n  = check the spelling, or list the migration that makes it first");
        } else {
            text.push("\n  = did you mean `").push(self.detail);
            text.push("`? If not, list the migration that makes it first");
        }
    }
}

impl Detail {
    const fn say(&self, text: &mut Text, metas: &[&'static Meta]) {
        text.push("\n    - ");
        let definition = super::world::same(self.what, "definition");
        match self.kind {
            DetailKind::Takes => {
                text.push("the down drops ").push(self.object).push(", which the up only found there: ");
                self.maker(text, metas);
                text.push(" made it");
            }
            DetailKind::Lost => {
                text.push(self.object);
                if definition {
                    text.push(" is missing, which ");
                } else {
                    text.push(" loses its ").push(self.what);
                    if !self.was.is_empty() {
                        text.push(", ").push(self.was);
                    }
                    text.push(", which ");
                }
                self.maker(text, metas);
                text.push(" made");
                if !self.sql.is_empty() {
                    text.push("\n      = add to the down: ").push(self.sql);
                    // Of a column that comes back empty, SET NOT NULL fails with 23502 as soon as there is a row.
                    if super::world::same(self.what, "nullability") {
                        text.push("\n        or, since the rows have no value for it then: ADD COLUMN … NOT NULL DEFAULT …, and DROP DEFAULT after it");
                    }
                }
            }
            DetailKind::Differs => {
                text.push("by the down, ");
                if definition {
                    text.push(self.object).push(" was");
                } else {
                    text.push("the ").push(self.what).push(" of ").push(self.object).push(" was");
                }
                text.push("\n          ").push(or_none(self.is)).push("\n      and ");
                self.maker(text, metas);
                text.push(" made it\n          ").push(or_none(self.was));
            }
        }
    }

    const fn maker(&self, text: &mut Text, metas: &[&'static Meta]) {
        if self.maker == NONE {
            text.push("the baseline");
        } else if (self.maker as usize) < metas.len() {
            let meta = metas[self.maker as usize];
            text.migration((meta.data.name, meta.data.version));
        } else {
            text.push("an earlier migration");
        }
    }
}

const fn or_none(text: &'static str) -> &'static str {
    if text.is_empty() { "none" } else { text }
}

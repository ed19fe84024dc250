//! What the check has to say of one entry, and how it says it.

#![allow(clippy::cast_possible_wrap, reason = "a step changes fewer things than an i64 counts")]

use super::near::Name;
use super::text::Text;
use super::world::NONE;
use crate::model::{Baseline, Meta, Property, Written};

/// How many differences an error lists.
const LISTED: usize = 6;

/// What the check has to say of one entry: numbers, which say where the words for it are.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    pub(super) fault: Fault,
    pub(super) entry: u32,
    /// The entry that made or took what this one needs or makes; `NONE` where that was before the history.
    pub(super) other: u32,
    /// The head of the effect that is at fault, or which one of the conditions.
    pub(super) at: u128,
    /// What the effect at fault was probably meant for.
    pub(super) meant: Option<Name>,
    details: [Detail; LISTED],
    found: usize,
    unsure: Option<(u128, Unsure)>,
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

/// One way in which up and down leave something different, by the heads of the records that say so.
#[derive(Debug, Clone, Copy)]
pub(super) enum Detail {
    /// What was held is not made again.
    Lost { was: u128, maker: u32 },
    /// What the down says, what the history says, and the entry that made it so.
    Differs { says: u128, was: Option<u128>, maker: u32 },
    /// An effect of the down takes what the up only found.
    Takes { effect: u128, maker: u32 },
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

/// Where the words are.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) metas: &'a [&'static Meta],
    pub(super) baseline: Written,
}

impl<'a> Known<'a> {
    pub(super) const fn of(metas: &'a [&'static Meta], baseline: Option<&Baseline>) -> Self {
        let baseline = match baseline {
            Some(baseline) => baseline.written,
            None => Written::NOTHING,
        };
        Self { metas, baseline }
    }

    /// What the entry has written; of `NONE`, the baseline.
    pub(super) const fn written(self, entry: u32) -> Written {
        if entry == NONE { self.baseline } else { self.metas[entry as usize].words() }
    }

    /// The property that a record of the entry is about.
    pub(super) const fn property(self, entry: u32, head: u128) -> Property {
        self.written(entry).property_of(head)
    }

    /// Name and version.
    const fn name(self, entry: u32) -> (&'static str, i64) {
        let meta = &self.metas[entry as usize].data;
        (meta.name, meta.version)
    }
}

impl Verdict {
    pub(super) const FINE: Self = Self {
        fault: Fault::Fine,
        entry: NONE,
        other: NONE,
        at: 0,
        meant: None,
        details: [Detail::Lost { was: 0, maker: NONE }; LISTED],
        found: 0,
        unsure: None,
    };

    const fn add(&mut self, detail: Detail) {
        if matches!(self.fault, Fault::Fine) {
            self.fault = Fault::NotReversed;
        }
        if self.found < LISTED {
            self.details[self.found] = detail;
        }
        self.found += 1;
    }

    pub(super) const fn loses(&mut self, was: u128, maker: u32) {
        self.add(Detail::Lost { was, maker });
    }

    pub(super) const fn differs(&mut self, says: u128, was: Option<u128>, maker: u32) {
        self.add(Detail::Differs { says, was, maker });
    }

    pub(super) const fn takes(&mut self, effect: u128, maker: u32) {
        self.add(Detail::Takes { effect, maker });
    }

    pub(super) const fn unsure(&mut self, says: u128, why: Unsure) {
        if self.unsure.is_none() {
            self.unsure = Some((says, why));
        }
    }

    /// Why a down of the entry is proved in `cargo test` only, where it cannot be held against the history.
    pub fn unsettled(&self, metas: &[&'static Meta], baseline: Option<&Baseline>) -> Option<String> {
        let (says, why) = self.unsure?;
        let Property { object, what, .. } = Known::of(metas, baseline).property(self.entry, says);
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
    #[cfg(feature = "sql")]
    pub fn message(&self, metas: &[&'static Meta], baseline: Option<&Baseline>) -> String {
        let text = self.text(Known::of(metas, baseline));
        String::from_utf8_lossy(text.bytes()).into_owned()
    }

    /// Stops the compilation: the entry is refused.
    #[track_caller]
    pub(super) const fn refuse(&self, metas: &[&'static Meta], baseline: Option<&Baseline>) -> ! {
        let text = self.text(Known::of(metas, baseline));
        match std::str::from_utf8(text.bytes()) {
            Ok(message) => panic!("{}", message),
            Err(_) => panic!("this migration does not fit the history"),
        }
    }

    const fn text(&self, known: Known<'_>) -> Text {
        let mut text = Text::new();
        if self.is_fine() {
            return text;
        }
        let names = known.name(self.entry);
        let other = if self.other == NONE { ("", 0) } else { known.name(self.other) };
        let object = match self.fault {
            Fault::NeverMade | Fault::TableNeverMade | Fault::TableGone | Fault::Gone | Fault::Taken => {
                known.written(self.entry).object_of(self.at)
            }
            _ => "",
        };
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
                text.migration(names).push(" needs ").push(object);
                text.push(", which neither the baseline nor an earlier migration of this history ever made");
                self.meant(&mut text, known);
                text
            }
            Fault::TableNeverMade => {
                text.migration(names).push(" changes ").push(object);
                text.push(", but neither the baseline nor an earlier migration of this history ever made that table");
                self.meant(&mut text, known);
                text
            }
            Fault::TableGone => {
                text.migration(names).push(" changes ").push(object).push(", but that table is gone: ");
                text.migration(other).push(" dropped it");
                text
            }
            Fault::Gone => {
                text.migration(names).push(" needs ").push(object).push(", which is gone: ");
                text.migration(other).push(" dropped or renamed it");
                text
            }
            Fault::Taken => {
                text.migration(names).push(" makes ").push(object).push(", but the name is taken");
                if self.other == NONE {
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
                while at < LISTED && at < self.found {
                    self.details[at].say(self.entry, &mut text, known);
                    at += 1;
                }
                if self.found > LISTED {
                    text.push("\n    - and ").number((self.found - LISTED) as i64).push(" more");
                }
                text
            }
            Fault::NotNew => {
                let (_, object, because) = known.metas[self.entry as usize].data.new_since[self.at as usize];
                text.migration(names).push(" says by `deploy_from` that ").push(object);
                text.push(" is new in its deploy, but ");
                if self.other == NONE {
                    text.push("no migration of this history made it");
                } else {
                    text.migration(other).push(" made it, before that");
                }
                text.push("\n  = ").push(because);
                text
            }
        }
    }
}

impl Verdict {
    /// What to write in place of a name that never was.
    const fn meant(&self, text: &mut Text, known: Known<'_>) {
        match &self.meant {
            None => {
                text.push("\n  = check the spelling, or list the migration that makes it first");
            }
            Some(name) => {
                text.push("\n  = did you mean `").push(name.text(known));
                text.push("`? If not, list the migration that makes it first");
            }
        }
    }
}

impl Detail {
    /// As a line of the error of this entry.
    const fn say(self, entry: u32, text: &mut Text, known: Known<'_>) {
        text.push("\n    - ");
        match self {
            Self::Takes { effect, maker } => {
                let object = known.written(entry).object_of(effect);
                text.push("the down drops ").push(object).push(", which the up only found there: ");
                text.maker(maker, known);
                text.push(" made it");
            }
            Self::Lost { was, maker } => {
                let Property { object, what, text: was, sql, .. } = known.property(maker, was);
                text.push(object);
                if is_definition(what) {
                    text.push(" is missing, which ");
                } else {
                    text.push(" loses its ").push(what);
                    if !was.is_empty() {
                        text.push(", ").push(was);
                    }
                    text.push(", which ");
                }
                text.maker(maker, known);
                text.push(" made");
                if !sql.is_empty() {
                    text.push("\n      = add to the down: ").push(sql);
                    // Of a column that comes back empty, SET NOT NULL fails with 23502 as soon as there is a row.
                    if matches!(what.as_bytes(), b"nullability") {
                        text.push("\n        or, since the rows have no value for it then: ADD COLUMN … NOT NULL DEFAULT …, and DROP DEFAULT after it");
                    }
                }
            }
            Self::Differs { says, was, maker } => {
                let Property { object, what, text: is, .. } = known.property(entry, says);
                let was = match was {
                    Some(was) => known.property(maker, was).text,
                    None => "",
                };
                text.push("by the down, ");
                if is_definition(what) {
                    text.push(object).push(" was");
                } else {
                    text.push("the ").push(what).push(" of ").push(object).push(" was");
                }
                text.push("\n          ").push(or_none(is)).push("\n      and ");
                text.maker(maker, known);
                text.push(" made it\n          ").push(or_none(was));
            }
        }
    }
}

impl Text {
    const fn maker(&mut self, maker: u32, known: Known<'_>) {
        if maker == NONE {
            self.push("the baseline");
        } else {
            self.migration(known.name(maker));
        }
    }
}

const fn is_definition(what: &str) -> bool {
    matches!(what.as_bytes(), b"definition")
}

const fn or_none(text: &'static str) -> &'static str {
    if text.is_empty() { "none" } else { text }
}

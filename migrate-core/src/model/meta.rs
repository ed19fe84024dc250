//! Everything that is known about one migration, as a constant.

use super::{Backup, LockClass, PgRange, Phase, Step, Version, Written, read};
use crate::__private::v1;
use std::fmt;

/// What the derive knows of a migration: its declaration, which the compiler has held against the SQL, and its steps.
///
/// Only the derive makes one. With the feature `sql` on, a history's SQL can be analysed again and any difference from
/// its `Meta` fails: that stops mistakes, not forgery.
#[derive(Clone, Copy)]
pub struct Meta {
    pub(crate) data: v1::Meta,
    /// Its steps, where the derive wrote them.
    pub(crate) written: Option<Written>,
}

/// Without the SQL, which may hold a password.
impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meta")
            .field("version", &self.version())
            .field("name", &self.name())
            .field("phase", &self.phase())
            .field("lock", &self.lock())
            .field("transactional", &self.transactional())
            .field("digest", &self.digest())
            .field("steps", &self.steps())
            .finish_non_exhaustive()
    }
}

impl Meta {
    #[cfg(test)]
    pub(crate) const BROKEN: Self = v1::Meta::broken("");

    /// The version that orders it.
    pub const fn version(&self) -> Version {
        Version::new(self.data.version)
    }

    /// The name of the struct.
    pub const fn name(&self) -> &'static str {
        self.data.name
    }

    /// The module path and the file of the struct, `shop::migrations (src/migrations.rs)`.
    pub const fn location(&self) -> &'static str {
        self.data.location
    }

    /// The doc comment of the struct, or nothing.
    pub const fn doc(&self) -> &'static str {
        self.data.doc
    }

    /// The declared phase.
    pub const fn phase(&self) -> Phase {
        self.data.phase
    }

    /// The declared lock class.
    pub const fn lock(&self) -> LockClass {
        self.data.lock
    }

    /// Whether all steps run in one transaction.
    pub const fn transactional(&self) -> bool {
        self.data.transactional
    }

    /// The servers it was checked for.
    pub const fn pg(&self) -> PgRange {
        self.data.pg
    }

    /// Its steps, in order.
    pub fn steps(&self) -> &'static [Step] {
        self.written.map_or(self.data.steps, read::steps)
    }

    /// What the history check reads of it.
    pub(super) const fn words(&self) -> Written {
        match self.written {
            Some(written) => written,
            None => Written::NOTHING,
        }
    }

    /// Backup and approval, where it destroys data.
    pub const fn destructive(&self) -> Option<&Destructive> {
        self.data.destructive.as_ref()
    }

    /// The hazards it allows itself, with the reasons.
    pub const fn allows(&self) -> &'static [Allow] {
        self.data.allows
    }

    /// `v1:` and 16 hexadecimal digits over the tokens of its SQL: not over version, name or bound values, and blind to
    /// whitespace, comments and line ends.
    pub const fn digest(&self) -> &'static str {
        self.data.digest
    }

    /// The digests of earlier texts of this migration that may stand in a ledger, accepted on purpose.
    pub const fn supersedes(&self) -> &'static [&'static str] {
        self.data.supersedes
    }

    /// Why it may run after a later version has been applied, where it may.
    pub const fn accept_late(&self) -> Option<&'static str> {
        self.data.accept_late
    }

    /// The first version of the deploy that this migration ships in, where it says so: tables made since that version
    /// have no clients and no rows yet.
    pub const fn deploy_from(&self) -> Option<Version> {
        match self.data.deploy_from {
            Some(number) => Some(Version::new(number)),
            None => None,
        }
    }

    /// Whether the derive refused the struct: its error has been shown, and checks that follow pass over it.
    pub const fn is_broken(&self) -> bool {
        self.data.broken
    }
}

/// What a destructive migration must have before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destructive {
    /// The backup that must have been made.
    pub backup: Backup,
    /// Who approved the text.
    pub approval: Approval,
}

/// A person's word that this text may destroy data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approval {
    /// The person.
    pub name: &'static str,
    /// The digest of the text that was approved, without the `v1:`.
    pub digest: &'static str,
}

/// A hazard that a migration allows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allow {
    /// The hazard's name, `index-not-concurrent`.
    pub hazard: &'static str,
    /// Why it does no harm here.
    pub reason: &'static str,
}

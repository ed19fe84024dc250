//! The small closed sets that declarations are written in: phase, lock class, work, backup, server range. Each has
//! PostgreSQL's or the field's own names, an order that means something, and a text form that reads back.

use std::fmt;

/// A name that is none of the names of the set it was read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {what}; the names are {}", .names.join(", "))]
pub struct ParseNameError {
    what: &'static str,
    given: String,
    names: Vec<&'static str>,
}

impl ParseNameError {
    pub(crate) fn new(what: &'static str, given: &str, names: Vec<&'static str>) -> Self {
        Self { what, given: given.to_owned(), names }
    }
}

/// The members of a set as constants, for expansions: to the compiler a constant is less work than an enum's variant, which
/// it makes a value of and then looks after.
macro_rules! constants {
    ($module:ident: $ty:ident { $($variant:ident),+ $(,)? }) => {
        #[allow(non_upper_case_globals, missing_docs)]
        pub mod $module {
            use super::$ty as Set;
            $(pub const $variant: Set = Set::$variant;)+
        }
    };
}

pub(crate) use constants;

macro_rules! named {
    ($(#[$meta:meta])* $what:literal $ty:ident $(as $module:ident)? { $($(#[$vmeta:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $ty {
            $($(#[$vmeta])* $variant),+
        }

        impl $ty {
            /// Every member of the set, weakest or lightest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name, spelled as in an attribute.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }
        }

        $crate::model::kinds::members! { $($module)? $ty { $($variant),+ } }

        impl std::fmt::Display for $ty {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $ty {
            type Err = $crate::model::ParseNameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|member| member.name() == text).ok_or_else(|| {
                    let names = Self::ALL.iter().map(|member| member.name()).collect();
                    $crate::model::ParseNameError::new($what, text, names)
                })
            }
        }
    };
}

pub(crate) use named;

macro_rules! members {
    ($ty:ident { $($variant:ident),+ }) => {};
    ($module:ident $ty:ident { $($variant:ident),+ }) => {
        $crate::model::kinds::constants! { $module: $ty { $($variant),+ } }
    };
}

pub(crate) use members;

named! {
    /// What clients that are running lose when the migration is applied.
    ///
    /// ```
    /// use migrate_core::model::Phase;
    /// assert!(Phase::Expand < Phase::Contract);
    /// assert_eq!("Migrate".parse(), Ok(Phase::Migrate));
    /// ```
    "phase" Phase as phases {
        /// Nothing.
        Expand,
        /// Nothing, but rows move.
        Migrate,
        /// Something that worked is refused or gone.
        Contract,
    }
}

named! {
    /// PostgreSQL's table-level lock modes, by their own names and in their order of strength (manual, section
    /// 13.3.1, "Table-Level Locks"), or `None`.
    ///
    /// ```
    /// use migrate_core::model::LockClass;
    /// assert!(LockClass::ShareUpdateExclusive < LockClass::AccessExclusive);
    /// assert_eq!(LockClass::ShareRowExclusive.sql(), "SHARE ROW EXCLUSIVE");
    /// assert!(LockClass::Share.conflicts_with(LockClass::RowExclusive));
    /// ```
    "lock class" LockClass as locks {
        /// No lock on any relation that existed before.
        None,
        /// `ACCESS SHARE`: what SELECT takes.
        AccessShare,
        /// `ROW SHARE`: what SELECT … FOR UPDATE takes.
        RowShare,
        /// `ROW EXCLUSIVE`: what INSERT, UPDATE, DELETE and MERGE take.
        RowExclusive,
        /// `SHARE UPDATE EXCLUSIVE`: blocks VACUUM and other schema changes, but neither reads nor writes.
        ShareUpdateExclusive,
        /// `SHARE`: blocks writes.
        Share,
        /// `SHARE ROW EXCLUSIVE`: blocks writes, and itself.
        ShareRowExclusive,
        /// `EXCLUSIVE`: blocks everything but plain reads.
        Exclusive,
        /// `ACCESS EXCLUSIVE`: blocks everything, SELECT included.
        AccessExclusive,
    }
}

impl LockClass {
    /// The mode as SQL spells it, `ACCESS EXCLUSIVE`; `NONE` for no lock.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// The mode as `pg_locks.mode` spells it, `AccessExclusiveLock`; `None` for no lock.
    pub const fn pg_locks_mode(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::AccessShare => "AccessShareLock",
            Self::RowShare => "RowShareLock",
            Self::RowExclusive => "RowExclusiveLock",
            Self::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Self::Share => "ShareLock",
            Self::ShareRowExclusive => "ShareRowExclusiveLock",
            Self::Exclusive => "ExclusiveLock",
            Self::AccessExclusive => "AccessExclusiveLock",
        })
    }

    /// Whether a session that holds `self` makes another wait for `other` (manual, table 13.2, "Conflicting Lock
    /// Modes").
    pub const fn conflicts_with(self, other: Self) -> bool {
        // One bit a mode, AccessShare lowest, in the order of the enum.
        let conflicts: u16 = match self {
            Self::None => 0,
            Self::AccessShare => 0b1000_0000,
            Self::RowShare => 0b1100_0000,
            Self::RowExclusive => 0b1111_0000,
            Self::ShareUpdateExclusive => 0b1111_1000,
            Self::Share => 0b1110_1100,
            Self::ShareRowExclusive => 0b1111_1100,
            Self::Exclusive => 0b1111_1110,
            Self::AccessExclusive => 0b1111_1111,
        };
        match other {
            Self::None => false,
            _ => conflicts & (1 << (other as u16 - 1)) != 0,
        }
    }

    /// Whether reads of the relation wait behind this lock.
    pub const fn blocks_reads(self) -> bool {
        self.conflicts_with(Self::AccessShare)
    }

    /// Whether writes of the relation wait behind this lock.
    pub const fn blocks_writes(self) -> bool {
        self.conflicts_with(Self::RowExclusive)
    }
}

named! {
    /// What is done while the lock is held, lightest first.
    "work" Work {
        /// Catalog rows only: its time does not grow with the table.
        Metadata,
        /// A table that existed is read or verified.
        Scan,
        /// Rows of a table that existed are written.
        Rows,
        /// An index is built or rebuilt on a table that existed.
        IndexBuild,
        /// A table that existed gets a new file.
        Rewrite,
    }
}

named! {
    /// The kind of backup that must exist before a destructive step runs.
    "kind of backup" Backup {
        /// A `pg_dump` of the affected tables, made and verified by the runner right before the step.
        Dump,
    }
}

/// The PostgreSQL major versions a migration is checked for, both ends included.
///
/// ```
/// use migrate_core::model::PgRange;
/// assert!(PgRange::SUPPORTED.contains(16));
/// assert_eq!(PgRange::SUPPORTED.to_string(), "14..=18");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PgRange {
    min: u16,
    max: u16,
}

impl PgRange {
    /// Every version this library knows: 14 to 18.
    pub const SUPPORTED: Self = Self { min: 14, max: 18 };

    /// The range from `min` to `max`; `None` where it is empty or outside of [`PgRange::SUPPORTED`].
    pub const fn new(min: u16, max: u16) -> Option<Self> {
        if min <= max && min >= Self::SUPPORTED.min && max <= Self::SUPPORTED.max {
            Some(Self { min, max })
        } else {
            None
        }
    }

    /// The oldest major version of the range.
    pub const fn min(self) -> u16 {
        self.min
    }

    /// The newest major version of the range.
    pub const fn max(self) -> u16 {
        self.max
    }

    /// Whether a server of this major version is in the range.
    pub const fn contains(self, major: u16) -> bool {
        self.min <= major && major <= self.max
    }

    /// The major versions of the range, oldest first.
    pub fn versions(self) -> impl Iterator<Item = u16> {
        self.min..=self.max
    }
}

impl Default for PgRange {
    fn default() -> Self {
        Self::SUPPORTED
    }
}

impl fmt::Display for PgRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conflict_table_is_symmetric() {
        for &held in LockClass::ALL {
            for &wanted in LockClass::ALL {
                assert_eq!(held.conflicts_with(wanted), wanted.conflicts_with(held), "{held} {wanted}");
            }
        }
    }

    #[test]
    fn names_read_back() {
        for &lock in LockClass::ALL {
            assert_eq!(lock.name().parse(), Ok(lock));
        }
        let error = "access exclusive".parse::<LockClass>().unwrap_err();
        assert!(error.to_string().contains("AccessExclusive"), "{error}");
    }
}

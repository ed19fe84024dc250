//! The number that orders migrations.

use std::fmt;

/// The version of a migration: a positive integer that orders the history, by custom a date and time written
/// `2026_03_01_0900`.
///
/// ```
/// use migrate_core::model::Version;
/// let version = Version::new(2026_03_01_0900);
/// assert_eq!(version.to_string(), "202603010900");
/// assert!(version < Version::new(2026_03_01_0910));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(i64);

impl Version {
    /// The version with this number. The ledger stores it as `bigint`.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number itself.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<i64> for Version {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

//! The server that a statement is looked at for. Its version is only asked about by comparing it, and what was asked is
//! remembered: what was found holds for every version that would have answered the same, so that a statement which is the
//! same on all of them is looked at once.

use crate::model::PgRange;
use std::{cell::Cell, ops::RangeInclusive};

/// A server of one major version.
#[derive(Clone, Copy)]
pub(crate) struct Server<'a> {
    version: u16,
    asked: Option<&'a Asked>,
}

/// The oldest and the newest version that would have given the same answers.
pub(crate) struct Asked(Cell<(u16, u16)>);

impl Server<'_> {
    /// Whether the server is of this version or a newer one.
    pub(crate) fn at_least(self, version: u16) -> bool {
        let is = self.version >= version;
        if let Some(Asked(alike)) = self.asked {
            let (oldest, newest) = alike.get();
            alike.set(if is { (oldest.max(version), newest) } else { (oldest, newest.min(version - 1)) });
        }
        is
    }

    /// Whether the server is older than this version.
    pub(crate) fn before(self, version: u16) -> bool {
        !self.at_least(version)
    }

    /// The version itself, for a message: no other has it.
    pub(crate) fn version(self) -> u16 {
        if let Some(Asked(alike)) = self.asked {
            alike.set((self.version, self.version));
        }
        self.version
    }
}

impl From<u16> for Server<'_> {
    fn from(version: u16) -> Self {
        Self { version, asked: None }
    }
}

/// What `see` finds on the servers of a range: once for each run of versions between which nothing that it asked differs.
pub(crate) fn on_each<T>(range: PgRange, mut see: impl FnMut(Server<'_>) -> T) -> Vec<(RangeInclusive<u16>, T)> {
    let mut found = Vec::new();
    let mut version = range.min();
    while version <= range.max() {
        let asked = Asked(Cell::new((version, range.max())));
        let seen = see(Server { version, asked: Some(&asked) });
        let newest = asked.0.get().1;
        found.push((version..=newest, seen));
        version = newest + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_seen_once_for_each_answer() {
        let see = |bounds: &[u16]| {
            let found =
                on_each(PgRange::SUPPORTED, |server| bounds.iter().filter(|&&bound| server.at_least(bound)).count());
            found.into_iter().map(|(range, count)| (*range.start(), *range.end(), count)).collect::<Vec<_>>()
        };
        assert_eq!(see(&[]), [(14, 18, 0)]);
        assert_eq!(see(&[18]), [(14, 17, 0), (18, 18, 1)]);
        assert_eq!(see(&[17, 15]), [(14, 14, 0), (15, 16, 1), (17, 18, 2)]);
        let versions = on_each(PgRange::SUPPORTED, |server| u32::from(server.version()));
        assert_eq!(versions.iter().map(|(_, version)| *version).collect::<Vec<_>>(), [14, 15, 16, 17, 18]);
    }
}

//! Pauses that instances which started together do not share.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// A source of chance: the standard library's hasher keys, or a seed, so that a test has the same pauses each time.
#[derive(Debug, Clone)]
pub(crate) struct Jitter {
    state: u64,
}

impl Jitter {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self { state: seed.unwrap_or_else(|| RandomState::new().hash_one(0_u8)) }
    }

    /// Between half of the time and all of it.
    pub(crate) fn of(&mut self, time: Duration) -> Duration {
        // SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): even small seeds spread.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let part = u32::try_from((mixed ^ (mixed >> 31)) % 1024).unwrap_or(0);
        time / 2 + time / 2 * part / 1024
    }
}

/// One time, by chance.
pub(crate) fn jittered(time: Duration) -> Duration {
    Jitter::new(None).of(time)
}

/// The `times`th pause, from 1, of those that double from the first on up to the longest; not jittered.
pub(crate) fn doubling(first: Duration, longest: Duration, times: u32) -> Duration {
    first.saturating_mul(1 << times.saturating_sub(1).min(16)).min(longest.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_half_and_all() {
        let time = Duration::from_millis(100);
        let times: Vec<_> = (0..100).map(|_| jittered(time)).collect();
        assert!(times.iter().all(|&jittered| jittered >= time / 2 && jittered <= time), "{times:?}");
        assert!(times.iter().any(|&jittered| jittered != times[0]));
    }

    #[test]
    fn a_seed_repeats_itself_and_another_does_not() {
        let some = |seed| {
            let mut jitter = Jitter::new(Some(seed));
            (0..8).map(|_| jitter.of(Duration::from_secs(1))).collect::<Vec<_>>()
        };
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
        assert_ne!(some(1)[0], some(1)[1]);
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let (first, longest) = (Duration::from_millis(50), Duration::from_secs(2));
        let pauses: Vec<_> = (1..100).map(|times| doubling(first, longest, times)).collect();
        assert_eq!(pauses[..3], [first, first * 2, first * 4]);
        assert!(pauses[10..].iter().all(|&pause| pause == longest));
        assert_eq!(doubling(longest, first, 5), longest);
    }
}

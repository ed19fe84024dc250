//! When a lock that was not had is tried for again.

use super::jitter::{Jitter, doubling};
use std::time::Duration;

/// How often, and after which pauses, a lock is tried for again that was not had in time.
///
/// Attempts come in bursts, since most of what holds a lock holds it for a moment; between bursts there are rests that
/// grow, since what outlives a burst, a report or a backup, takes minutes. While nothing is tried, nothing queues. Every
/// pause is jittered to between half of it and all of it, so that instances do not meet again.
///
/// The default is 6 bursts of 3 attempts, 500 ms apart, with rests of 5, 10, 20, 40 and 60 s: with the default lock timeout
/// of 2 s it gives up after about two and a half minutes.
///
/// ```
/// use migrate_pg::LockSchedule;
/// use std::time::Duration;
///
/// let patient = LockSchedule::new(10, 3).rest(Duration::from_secs(5), Duration::from_secs(300));
/// assert_eq!(patient.attempts(), 30);
/// assert_eq!(LockSchedule::once().pauses().count(), 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockSchedule {
    bursts: u32,
    burst: u32,
    pause: Duration,
    rest: Duration,
    longest: Duration,
    seed: Option<u64>,
}

impl LockSchedule {
    /// So many bursts of so many attempts, both at least 1, with the pauses of the default.
    pub const fn new(bursts: u32, attempts: u32) -> Self {
        Self {
            bursts: if bursts == 0 { 1 } else { bursts },
            burst: if attempts == 0 { 1 } else { attempts },
            pause: Duration::from_millis(500),
            rest: Duration::from_secs(5),
            longest: Duration::from_mins(1),
            seed: None,
        }
    }

    /// One attempt, and an error where it fails.
    pub const fn once() -> Self {
        Self::new(1, 1)
    }

    /// The pause between the attempts of a burst: 500 ms unless said otherwise.
    #[must_use]
    pub const fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The rest after the first burst, which doubles after each further one up to the longest: 5 s and 60 s unless said
    /// otherwise.
    #[must_use]
    pub const fn rest(mut self, first: Duration, longest: Duration) -> Self {
        self.rest = first;
        self.longest = longest;
        self
    }

    /// Makes the jitter the same each time: for tests.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many attempts there are in all.
    pub const fn attempts(&self) -> u32 {
        self.bursts.saturating_mul(self.burst)
    }

    /// The pauses between the attempts, jittered: one fewer than attempts.
    pub fn pauses(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let mut jitter = Jitter::new(self.seed);
        let schedule = self.clone();
        (1..self.attempts()).map(move |attempt| {
            let pause = if attempt % schedule.burst == 0 {
                doubling(schedule.rest, schedule.longest, attempt / schedule.burst)
            } else {
                schedule.pause
            };
            jitter.of(pause)
        })
    }
}

impl Default for LockSchedule {
    fn default() -> Self {
        Self::new(6, 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_and_growing_rests() {
        let pauses: Vec<_> = LockSchedule::default().seed(7).pauses().collect();
        assert_eq!(pauses.len(), 17);
        let half_second = Duration::from_millis(250)..=Duration::from_millis(500);
        for (index, pause) in pauses.iter().enumerate() {
            let rest = match index {
                2 => 5,
                5 => 10,
                8 => 20,
                11 => 40,
                14 => 60,
                _ => {
                    assert!(half_second.contains(pause), "{pauses:?}");
                    continue;
                }
            };
            let rest = Duration::from_secs(rest);
            assert!((rest / 2..=rest).contains(pause), "{pauses:?}");
        }
        assert_eq!(pauses, LockSchedule::default().seed(7).pauses().collect::<Vec<_>>());
        assert_ne!(pauses, LockSchedule::default().seed(8).pauses().collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(LockSchedule::new(0, 0), LockSchedule::once());
        assert_eq!(LockSchedule::new(2, 1).seed(1).pauses().count(), 1);
    }
}

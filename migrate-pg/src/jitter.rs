//! Pauses that instances which started together do not share.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Between half of the time and all of it. The standard library's hasher keys are the randomness at hand, and enough.
pub(crate) fn jittered(time: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 1024;
    let random = u32::try_from(random).unwrap_or(0);
    time / 2 + time / 2 * random / 1024
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
}

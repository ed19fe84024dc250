//! Running beside production's traffic: how long a transaction waits and works, when it tries again, who was in its way,
//! and what is done about them.
//!
//! - [`limits`]: the timeouts of a transaction, and how the sum of its waits is bounded.
//! - [`schedule`], [`jitter`]: when a lock that was not had is tried for again.
//! - [`preflight`]: not to queue where it is known to be in vain.
//! - [`watch`], [`blocker`], [`literals`]: who is in the way, seen from a second connection.
//! - [`policy`]: what may be done to them.
//! - [`concurrent`]: what waits by design: waited for before it begins, and looked after while it runs.
//! - [`attempts`]: all of it around one transaction.

mod attempts;
mod blocker;
mod concurrent;
mod jitter;
mod limits;
mod literals;
mod policy;
mod preflight;
mod schedule;
mod watch;

pub(crate) use attempts::Attempts;
pub(crate) use blocker::Span;
pub use blocker::{Blocker, BlockerKind};
pub(crate) use concurrent::Place;
pub(crate) use jitter::{doubling, jittered};
pub(crate) use limits::{Limits, milliseconds};
pub use policy::BlockerPolicy;
pub(crate) use preflight::{Wanted, who};
pub use schedule::LockSchedule;
pub(crate) use watch::{Bound, Seen, Watch};

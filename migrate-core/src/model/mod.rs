//! What a migration is: plain data, built in `const` by the derive, readable by everyone, with private fields so that
//! nothing but the derive's own constructors can make one.

pub(crate) mod effect;
pub(crate) mod history;
pub(crate) mod kinds;
mod meta;
mod migration;
mod property;
mod read;
mod rows;
mod step;
mod sync;
mod version;
pub(crate) mod written;

pub use effect::{Effect, EffectKind, Space, Verb};
pub use history::{Baseline, History, ObjectName};
pub use kinds::{Backup, LockClass, ParseNameError, PgRange, Phase, Work};
pub use meta::{Allow, Approval, Destructive, Meta};
pub use migration::{Bind, Described, Migration};
pub use property::ObjectKey;
pub(crate) use property::Property;
#[cfg(feature = "sql")]
pub(crate) use property::{half_key, key};
pub use rows::{Mismatch, RowBackfill, RowConverter, RowError, RowIn, RowOut};
pub use step::{Backfill, Concurrent, ConcurrentAction, Down, DownStatement, Loss, Step, StepKind};
pub use sync::SYNC_PREFIX;
pub use version::Version;
pub use written::Written;

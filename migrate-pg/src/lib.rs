//! PostgreSQL migrations that are declared in Rust, checked by the compiler, and run under production's locks.
//!
//! [`Migrator`] runs a history: `Migrator::new(history()).run(&pool).await?` at start-up, which applies what takes nothing
//! from clients that are running and says what it held back; `run_through(Phase::Contract, …)` in a job.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod catalog;
pub mod gate;
pub mod prelude;
#[cfg(feature = "server")]
pub mod testing;
#[cfg(feature = "testing")]
pub mod verify;

mod alone;
mod apply;
mod backfill;
mod baseline;
mod cancel;
mod connect;
mod emptied;
mod error;
mod event;
mod fill;
mod guardian;
mod handle;
mod held;
mod lease;
mod ledger;
mod migrator;
mod online;
mod pipeline;
mod quote;
mod recover;
mod remains;
mod report;
mod run;
mod secrets;
mod status;
mod table;
mod tls;
mod under_way;
mod undo;
mod work;

pub use backfill::{BackfillProgress, BadRows, Pace};
pub use connect::Source;
pub use error::{Error, ErrorKind};
pub use event::{Event, IndexProgress};
pub use handle::{Running, Stopper};
pub use lease::Holder;
pub use migrate_core::model::{Migration, RowBackfill, RowError};
pub use migrate_core::{model, plan, report as review};
#[doc = include_str!("../docs/derive.md")]
pub use migrate_macros::Migration;
#[doc = include_str!("../docs/migrations.md")]
pub use migrate_macros::migrations;
pub use migrator::Migrator;
pub use online::{Blocker, BlockerKind, BlockerPolicy, LockSchedule};
pub use report::{Baselined, Done, Fires, PlanReport, RunReport, StatusReport, StatusRow, StepBegun, UndoReport};

#[doc(hidden)]
pub mod __private {
    pub use migrate_core::__private::v1;
}

/// The test that proves a history, as `migrations!` asks for it.
#[cfg(feature = "testing")]
#[doc(hidden)]
#[macro_export]
macro_rules! __pairs {
    ($test:ident $history:ident $declare:expr) => {
        // A history of a function's own is nobody's test.
        #[allow(unnameable_test_items)]
        #[test]
        fn $test() {
            $crate::verify::test($history, $declare)
        }
    };
}

/// The same without the feature `testing`: what to add.
#[doc(hidden)]
#[macro_export]
macro_rules! __no_pairs {
    ($test:ident $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "`migrations!` makes the test `",
            ::core::stringify!($test),
            "`, which proves on a server that every down reverses its up, ",
            "and needs the feature `testing` for it:\n\n    cargo add --dev migrate-pg --features testing\n\n",
            "or say before the function why nothing is to be proved: `proof = never(\"why\");`"
        ));
    };
}
#[cfg(not(feature = "testing"))]
#[doc(hidden)]
pub use __no_pairs as __pairs;

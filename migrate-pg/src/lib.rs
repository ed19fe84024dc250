//! The side of the migration library that talks to PostgreSQL.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod backfill;
pub mod gate;
pub mod prelude;
#[cfg(feature = "testing")]
#[cfg(feature = "server")]
pub mod testing;

pub use migrate_core::model::Migration;
pub use migrate_macros::{Migration, migrations};

#[doc(hidden)]
pub mod __private {
    pub use migrate_core::__private::v1;
}

//! The side of the migration library that talks to PostgreSQL.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod backfill;
pub mod gate;
#[cfg(feature = "testing")]
pub mod testing;

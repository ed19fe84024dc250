//! placeholder
mod backfill;
pub mod gate;

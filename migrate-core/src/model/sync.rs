//! What is known of `#[sync]` without SQL.

/// How the names of the triggers and functions begin that keep two shapes of a row alike. Triggers fire in the order of
/// their names: these fire last, and see what the others made of the row.
pub const SYNC_PREFIX: &str = "zz_migrate_sync_";

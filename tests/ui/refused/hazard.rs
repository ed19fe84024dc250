//! What hurts in production, not allowed.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = Share)]
#[step(up = "CREATE INDEX idx_orders_status ON orders (status)", down = "DROP INDEX idx_orders_status")]
struct IndexOrderStatus;

fn main() {}

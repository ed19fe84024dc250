//! An `allow` that allows nothing, or that names no hazard.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive,
            allow(index_not_concurrent, reason = "a small table"),
            allow(index_not_concurent, reason = "a small table"))]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = "ALTER TABLE orders DROP COLUMN status")]
struct AddOrderStatus;

fn main() {}

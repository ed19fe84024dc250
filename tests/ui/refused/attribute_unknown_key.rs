//! Keys that no attribute has.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(verison = 2026_03_01_0900, version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive, colour = "red")]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", dwon = "ALTER TABLE orders DROP COLUMN status",
       down = "ALTER TABLE orders DROP COLUMN status")]
struct AddOrderStatus;

fn main() {}

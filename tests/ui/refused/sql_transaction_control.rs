//! Transactions are the runner's.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "BEGIN", down = "COMMIT")]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = "ALTER TABLE orders DROP COLUMN status")]
#[step(up = "COMMIT", down = nothing("the runner's"))]
struct AddOrderStatus;

fn main() {}

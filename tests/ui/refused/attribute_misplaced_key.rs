//! Keys of one attribute in another.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive, destructive(backup = Dump), approved = "")]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = derived, lock = AccessExclusive,
       allow(index_not_concurrent, reason = "small"))]
struct AddOrderStatus;

fn main() {}

//! `#[destructive]` on what destroys nothing.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[destructive(backup = Dump, approved = "Jane Doe @ 9f31c2ab5d04e877")]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = "ALTER TABLE orders DROP COLUMN status")]
struct AddOrderStatus;

fn main() {}

//! Values of another kind than the key has.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = "2026_03_01_0900", phase = "Expand", lock = AccesExclusive, transactional = yes, pg = 13..=18,
            supersedes = "9f31c2ab5d04e877", accept_late = "", deploy_from = -1)]
#[step(up = ADD_STATUS, down = "ALTER TABLE orders DROP COLUMN status")]
#[step(up = include_str!("add.sql"), down = derive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = keep)]
#[backfill(table = "orders", key = "id", batch = 0, set = "status = 'new'", filter = "status IS NULL", down = ["", 1])]
struct AddOrderStatus;

fn main() {}

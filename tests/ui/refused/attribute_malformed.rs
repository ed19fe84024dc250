//! Arguments in another form than `key = value`.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version: 2026_03_01_0900, phase, lock = , transactional(true), "loud")]
#[step = "ALTER TABLE orders ADD COLUMN status text"]
struct AddOrderStatus;

fn main() {}

//! All errors of one struct in one compile, each at its place.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Contract, lock = Share, transactional = false, verson = 2)]
#[destructive(backup = Dump)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text")]
#[step(up = "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'new'", down = "ALTER TABLE users ALTER COLUMN status DROP DEFAULT")]
struct AddOrderStatus {
    status: String,
}

fn main() {}

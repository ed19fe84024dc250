//! Keys and attributes that are given twice.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, phase = Contract, lock = AccessExclusive)]
#[migration(version = 2026_03_01_0910, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = "ALTER TABLE orders DROP COLUMN status",
       up = "ALTER TABLE orders ADD COLUMN state text")]
struct AddOrderStatus;

fn main() {}

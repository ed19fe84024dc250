//! A phase that does not fit the effects.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Contract, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = "ALTER TABLE orders DROP COLUMN status")]
struct AddOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ALTER COLUMN state DROP DEFAULT", down = "ALTER TABLE orders ALTER COLUMN state SET DEFAULT 'new'")]
struct DropOrderState;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", set = "status = 'new'", filter = "status IS NULL", down = keep("goes with the column"))]
struct FillOrderStatus;

fn main() {}

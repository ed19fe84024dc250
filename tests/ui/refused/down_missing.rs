//! Every step says how it is reversed.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text")]
#[step(up = "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'pending'")]
#[step(up = "CREATE VIEW open_orders AS SELECT id FROM orders WHERE status = 'pending'")]
struct AddOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", set = "status = 'new'", filter = "status IS NULL")]
struct FillOrderStatus;

fn main() {}

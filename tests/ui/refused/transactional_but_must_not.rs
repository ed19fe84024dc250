//! A statement that PostgreSQL refuses in a transaction block.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = ShareUpdateExclusive)]
#[step(up = "CREATE INDEX CONCURRENTLY idx_orders_status ON orders (status)",
       down = "DROP INDEX CONCURRENTLY IF EXISTS idx_orders_status")]
struct IndexOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0930, phase = Migrate, lock = RowExclusive, transactional = true)]
#[backfill(table = "orders", key = "id", set = "status = 'new'", filter = "status IS NULL", down = keep("goes with the column"))]
struct FillOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0940, phase = Expand, lock = ShareUpdateExclusive)]
#[step(up = "VACUUM orders", down = nothing("maintenance"))]
struct VacuumOrders;

fn main() {}

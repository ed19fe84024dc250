//! SQL in the parts of a backfill.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders o", key = "id,", set = "status = ", filter = "status IS NUL", down = keep("goes with the column"))]
struct FillOrderStatus;

/// A batch that is no number hides nothing of the rest.
#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", batch = "10k", set = "status = ", filter = "status IS NULL",
           down = keep("goes with the column"))]
struct FillOrderStatusInBatches;

fn main() {}

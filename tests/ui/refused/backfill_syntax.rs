//! SQL in the parts of a backfill.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders o", key = "id,", set = "status = ", filter = "status IS NUL", down = keep("goes with the column"))]
struct FillOrderStatus;

fn main() {}

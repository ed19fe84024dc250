//! A field whose type PostgreSQL has no form for.

use migrate_pg::prelude::*;

struct Status;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", set = "status = $1", filter = "status IS NULL", down = keep("goes with the column"))]
struct FillOrderStatus {
    #[bind("text")]
    status: Status,
}

fn main() {}

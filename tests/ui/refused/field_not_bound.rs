//! Every field is a parameter.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", set = "status = $1, note = $2", filter = "status IS NULL AND note IS NULL", down = keep("goes with the column"))]
struct FillOrderStatus {
    #[bind("text")]
    status: &'static str,
    note: &'static str,
    #[bind(text)]
    third: &'static str,
}

fn main() {}

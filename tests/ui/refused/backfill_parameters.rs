//! Parameters are the fields, in order.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", set = "status = $1, note = $3", filter = "status IS NULL", down = keep("goes with the column"))]
struct TooFew {
    #[bind("text")]
    status: &'static str,
}

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", set = "status = 'new'", filter = "status IS NULL", down = keep("goes with the column"))]
struct TooMany {
    #[bind("text")]
    status: &'static str,
}

#[derive(Migration)]
#[migration(version = 2026_03_01_0930, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ALTER COLUMN status SET DEFAULT $1", down = derived)]
struct NotInDdl {
    #[bind("text")]
    status: &'static str,
}

fn main() {}

//! A backfill walks a key and can be resumed.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", set = "status = 'new'", down = keep("goes with the column"))]
struct FillOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(down = keep("goes with the column"))]
struct FillNothing;

fn main() {}

//! Fields are bound as built-in types.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", set = "status = $1, kind = $2", filter = "status IS NULL AND kind IS NULL", down = keep("goes with the column"))]
struct Fill {
    #[bind("texxt")]
    status: &'static str,
    #[bind("order_kind")]
    kind: &'static str,
}

fn main() {}

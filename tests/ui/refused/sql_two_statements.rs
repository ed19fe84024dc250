//! One statement an up.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text; ALTER TABLE orders ADD COLUMN note text",
       down = ["ALTER TABLE orders DROP COLUMN note", "ALTER TABLE orders DROP COLUMN status"])]
struct AddOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Expand, lock = AccessExclusive)]
#[step(up = "-- nothing yet", down = derived)]
struct Empty;

/// Each statement of a down is read, whatever is wrong with the one before.
#[derive(Migration)]
#[migration(version = 2026_03_01_1200, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN remark text",
       down = ["COMMIT", "ALTER TABLE orders DROP COLUMN remark; ANALYZE orders"])]
struct AddOrderRemark;

fn main() {}

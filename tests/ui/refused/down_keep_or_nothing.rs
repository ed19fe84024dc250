//! `keep` and `nothing` where a real reverse exists.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = nothing("nobody minds a column"))]
#[step(up = "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'pending'", down = keep("a default is fine"))]
struct AddOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN note text", down = "derived")]
#[step(up = "ALTER TABLE orders ADD COLUMN remark text", down = "nothing('to take back')")]
struct AddOrderNote;

fn main() {}

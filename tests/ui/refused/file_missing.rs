//! SQL files are found relative to the manifest.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up_file = "migrations/add_status.sql", down_file = "/migrations/drop_status.sql")]
struct AddOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN note text", up_file = "migrations/add_note.sql",
       down = "ALTER TABLE orders DROP COLUMN note")]
struct AddOrderNote;

fn main() {}

//! A down of another table, of another column, of the wrong kind, and one that does too little.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = "ALTER TABLE users DROP COLUMN status")]
#[step(up = "ALTER TABLE orders ADD COLUMN note text", down = "ALTER TABLE orders DROP COLUMN notes")]
#[step(up = "ALTER TABLE orders ADD COLUMN currency text", down = "ALTER TABLE orders ALTER COLUMN currency DROP DEFAULT")]
#[step(up = "ALTER TABLE orders ADD COLUMN paid_at timestamptz, ADD COLUMN paid_by text", down = "ALTER TABLE orders DROP COLUMN paid_at")]
struct AddOrderColumns;

fn main() {}

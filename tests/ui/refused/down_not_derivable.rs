//! `derived` where the statement does not say what was there before.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_05_01_1200, phase = Contract, lock = AccessExclusive)]
#[destructive(backup = Dump, approved = "Jane Doe @ 0000000000000000")]
#[step(up = "ALTER TABLE users DROP COLUMN full_name", down = derived)]
struct DropFullName;

#[derive(Migration)]
#[migration(version = 2026_05_01_1210, phase = Expand, lock = AccessExclusive)]
#[step(up = "CREATE OR REPLACE VIEW open_orders AS SELECT id, status FROM orders", down = derived)]
struct WidenOpenOrders;

fn main() {}

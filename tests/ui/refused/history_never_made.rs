//! A drop of what neither the history nor the baseline ever made; without a baseline it is unknown, and not refused.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_05_01_1200, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE oders ADD COLUMN note text", down = "ALTER TABLE oders DROP COLUMN note")]
struct Misspelled;

#[derive(Migration)]
#[migration(version = 2026_05_01_1210, phase = Contract, lock = AccessExclusive)]
#[step(up = "DROP VIEW open_orders", down = "CREATE VIEW open_orders AS SELECT id FROM orders")]
struct DropOpenOrders;

migrations! { baseline = "ui/files/schema.sql"; pub fn with_baseline() = [Misspelled, DropOpenOrders] }
migrations! { pub fn without_baseline() = [Misspelled, DropOpenOrders] }

fn main() {}

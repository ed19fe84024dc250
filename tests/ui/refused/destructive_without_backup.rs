//! Destroying data needs a backup.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_05_01_1200, phase = Contract, lock = AccessExclusive)]
#[destructive(approved = "Jane Doe @ 9f31c2ab5d04e877")]
#[step(up = "DROP TABLE legacy_orders", down = "CREATE TABLE legacy_orders (id bigint)")]
struct DropLegacyOrders;

#[derive(Migration)]
#[migration(version = 2026_05_01_1210, phase = Contract, lock = AccessExclusive)]
#[destructive(backup = Dmp, approved = "Jane Doe @ 9f31c2ab5d04e877")]
#[step(up = "DROP TABLE legacy_orders", down = "CREATE TABLE legacy_orders (id bigint)")]
struct Misspelled;

fn main() {}

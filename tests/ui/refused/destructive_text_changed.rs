//! An approval is of one text.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_05_01_1200, phase = Contract, lock = AccessExclusive)]
#[destructive(backup = Dump, approved = "Jane Doe @ 9f31c2ab5d04e877")]
#[step(up = "ALTER TABLE users DROP COLUMN full_name", down = "ALTER TABLE users ADD COLUMN full_name text")]
struct DropFullName;

fn main() {}

//! Destroying data needs a backup and an approval.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_05_01_1200, phase = Contract, lock = AccessExclusive)]
#[step(up = "ALTER TABLE users DROP COLUMN full_name", down = "ALTER TABLE users ADD COLUMN full_name text")]
struct DropFullName;

fn main() {}

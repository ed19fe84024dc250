//! Destroying data needs an approval.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_05_01_1200, phase = Contract, lock = AccessExclusive)]
#[destructive(backup = Dump)]
#[step(up = "ALTER TABLE users DROP COLUMN full_name", down = "ALTER TABLE users ADD COLUMN full_name text")]
struct DropFullName;

#[derive(Migration)]
#[migration(version = 2026_05_01_1210, phase = Contract, lock = AccessExclusive)]
#[destructive(backup = Dump, approved = "yes")]
#[step(up = "ALTER TABLE users DROP COLUMN nickname", down = "ALTER TABLE users ADD COLUMN nickname text")]
struct DropNickname;

fn main() {}

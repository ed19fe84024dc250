//! A rename of what clients name: there is no order of deploy and migration in which none of them fails.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Contract, lock = AccessExclusive)]
#[step(up = "ALTER TABLE users RENAME COLUMN full_name TO name", down = derived)]
struct RenameFullName;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Contract, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders RENAME TO purchases", down = derived)]
struct RenameOrders;

/// The old name stays.
#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Contract, lock = AccessExclusive)]
#[step(up = "ALTER TABLE carts RENAME TO baskets", down = derived)]
#[step(up = "CREATE VIEW carts AS SELECT * FROM baskets", down = derived)]
struct RenameCarts;

fn main() {}

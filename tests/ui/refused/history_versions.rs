//! Versions ascend, and each is there once.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = "ALTER TABLE orders DROP COLUMN status")]
struct AddOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN note text", down = "ALTER TABLE orders DROP COLUMN note")]
struct AddOrderNote;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN currency text", down = "ALTER TABLE orders DROP COLUMN currency")]
struct AddOrderCurrency;

migrations! {
    pub fn history() = [
        AddOrderStatus,
        AddOrderNote,
        AddOrderCurrency,
    ]
}

fn main() {}

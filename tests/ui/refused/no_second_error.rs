//! A refused struct is refused once: not in the history, and not where the history is used.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lok = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = "ALTER TABLE orders DROP COLUMN status")]
struct AddOrderStatus;

migrations! { pub fn history() = [AddOrderStatus] }

fn use_it() -> usize {
    history().len()
}

fn main() {}

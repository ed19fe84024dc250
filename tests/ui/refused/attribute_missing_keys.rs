//! What every migration must say.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(transactional = true)]
#[step(down = "ALTER TABLE orders DROP COLUMN status")]
struct AddOrderStatus;

fn main() {}

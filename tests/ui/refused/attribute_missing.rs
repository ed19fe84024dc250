//! No `#[migration]` and no step.

use migrate_pg::prelude::*;

#[derive(Migration)]
struct AddOrderStatus;

fn main() {}

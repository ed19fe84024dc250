//! An entry without `#[derive(Migration)]`.

use migrate_pg::prelude::*;

struct AddOrderStatus;

migrations! { pub fn history() = [AddOrderStatus, Missing] }

fn main() {}

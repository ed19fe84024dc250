//! Misspelt entries: a unit struct, a struct literal and a call, each one error.

use migrate_pg::prelude::*;

migrations! { pub fn history() = [AddOrdrStatus, FillOrderSttus { status: "new" }, made_elswhere()] }

fn main() {}

//! A baseline with a syntax error.

use migrate_pg::prelude::*;

migrations! { baseline = "ui/files/syntax.sql"; pub fn history() = [] }

fn main() {}

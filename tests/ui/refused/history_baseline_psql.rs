//! A baseline with what is for psql and no server: another database, and rows.

use migrate_pg::prelude::*;

migrations! { baseline = "ui/files/connect.sql"; pub fn another_database() = [] }

migrations! { baseline = "ui/files/copy.sql"; pub fn rows() = [] }

fn main() {}

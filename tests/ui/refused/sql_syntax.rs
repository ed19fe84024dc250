//! An SQL syntax error, in the first and in a later line, in an up, a down and a file.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUM status text", down = "ALTER TABLE orders DROP COLUMN status")]
#[step(up = "CREATE TABLE notes (
                 id bigint PRIMARY KEY,
                 body text NOT NUL
             )",
       down = "DROP TABLE notes WITH ALL")]
#[step(up_file = "ui/files/syntax.sql", down = "DROP TABLE audit")]
struct AddOrderStatus;

fn main() {}

//! A backfill in Rust names what it reads and writes, and says how a row is converted.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 1, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "users", key = "id", set = "first_name = ''", read = "full_name", write = "first_name",
           filter = "first_name IS NULL", down = keep("goes with the column"))]
struct Both;

#[derive(Migration)]
#[migration(version = 2, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "users", key = "id", read = "full_name", filter = "first_name IS NULL", down = keep("goes"))]
struct ReadsOnly;

#[derive(Migration)]
#[migration(version = 3, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "users", key = "id", read = "full_name", write = "first_name", filter = "first_name IS NULL",
           down = keep("goes with the column"))]
struct NoConversion;

#[derive(Migration)]
#[migration(version = 4, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "users", key = "id", read = "full_name", write = "first_name, last_name",
           filter = "first_name IS NULL AND last_name IS NULL", down = keep("goes with the columns"))]
struct SplitNames;

impl RowBackfill for SplitNames {
    type In = (String, i64);
    type Out = (String, String);

    fn convert(&self, (name, _): Self::In) -> Result<Self::Out, RowError> {
        Ok((name.clone(), name))
    }
}

#[derive(Migration)]
#[migration(version = 5, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "users", key = "id", read = "full_name", write = "id, first name", filter = "first_name IS NULL",
           down = keep("goes with the column"))]
struct WritesItsKey;

fn main() {}

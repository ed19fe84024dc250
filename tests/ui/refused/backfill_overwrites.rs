//! A backfill that overwrites values destroys them.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", set = "status = 'cancelled'", filter = "status = 'canceled'",
           down = keep("one spelling is enough"))]
struct OneSpelling;

/// What a conversion in Rust writes is no other.
#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "users", key = "id", read = "email", write = "email, \"Domain\"", filter = "\"Domain\" IS NULL",
           down = keep("goes with the column"))]
struct LowerEmail;

impl RowBackfill for LowerEmail {
    type In = (String,);
    type Out = (String, String);

    fn convert(&self, (email,): Self::In) -> Result<Self::Out, RowError> {
        Ok((email.to_lowercase(), email))
    }
}

#[derive(Migration)]
#[migration(version = 2026_03_01_0930, phase = Migrate, lock = RowExclusive,
            allow(unbatched_rows, reason = "ten rows"))]
#[step(up = "UPDATE settings SET value = 'on' WHERE name = 'beta'",
       down = "UPDATE settings SET value = 'off' WHERE value = 'on'")]
struct SwitchBetaOn;

fn main() {}

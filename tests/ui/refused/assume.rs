//! What is taken on trust: with a reason, of what is not known, and what is not stated counts as the worst.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = None)]
#[step(up = "CALL archive_orders(30)", down = nothing("the archive is append-only"),
       assume(lock = RowExclusive, phase = Migrate, efects = "rows move to the archive"))]
struct WithoutReason;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive)]
#[step(up = "CALL archive_orders(30)", down = nothing("the archive is append-only"),
       assume(lock = RowExclusive, reason = "it is one INSERT and one DELETE"))]
struct TheRestIsTheWorst;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = derived, assume(lock = None, reason = "the table is small"))]
struct KnownBetter;

/// What a misspelt key was meant to state does not count as the worst.
#[derive(Migration)]
#[migration(version = 2026_03_01_0930, phase = Expand, lock = None)]
#[step(up = "CALL archive_orders(30)", down = nothing("the archive is append-only"),
       assume(lok = None, phase = Expand, destrutive = false, reason = "it was read"))]
struct Misspelt;

fn main() {}

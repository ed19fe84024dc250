//! A trigger that keeps two shapes alike says how each column follows from the other shape.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 1, phase = Expand, lock = ShareRowExclusive)]
#[sync(table = "users", old = "full_name", new = "first_name, last_name",
       forward = "split_part(full_name, ' ', 1)", backward = "concat_ws(' ', first_name, surname)")]
struct TooFew;

#[derive(Migration)]
#[migration(version = 2, phase = Expand, lock = ShareRowExclusive)]
#[sync(table = "users", old = "full_name", new = "first_name", forward = "split_part(full_name ' ')")]
struct NoWayBack;

#[derive(Migration)]
#[migration(version = 3, phase = Expand, lock = ShareRowExclusive)]
#[sync(drop = true, table = "users", old = "full_name", new = "name", forward = "full_name", backward = "name")]
struct DropIsAWord;

#[derive(Migration)]
#[migration(version = 4, phase = Expand, lock = AccessExclusive)]
#[sync(drop, table = "users", old = "full_name", new = "name", forward = "full_name", backward = "name")]
struct DropIsContract;

fn main() {}

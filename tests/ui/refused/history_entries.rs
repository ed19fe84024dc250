//! What an entry of a history cannot be.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE notes (id bigint PRIMARY KEY)", down = "DROP TABLE notes")]
struct CreateNotes;

migrations! { pub fn listed_twice() = [CreateNotes, CreateNotes] }

migrations! { pub fn of_some_builds() = [#[cfg(test)] CreateNotes] }

migrations! { pub fn repeated() = [CreateNotes; 2] }

migrations! { pub fn alone() = CreateNotes }

fn main() {}

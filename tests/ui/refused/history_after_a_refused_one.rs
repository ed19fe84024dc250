//! What a refused struct makes and takes is not known: what comes after it in the history is no second error.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lok = None)]
#[step(up = "CREATE TABLE notes (id bigint PRIMARY KEY)", down = "DROP TABLE notes")]
struct CreateNotes;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE notes ADD COLUMN text text", down = derived)]
struct AddText;

migrations! {
    baseline = "ui/files/schema.sql";
    pub fn history() = [CreateNotes, AddText]
}

fn main() {}

//! Data fixes that say how they are taken back.
#![deny(warnings)]
#![allow(dead_code)]

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 1, phase = Migrate, lock = RowExclusive)]
#[step(up = "UPDATE users SET email = 'a@example.org' WHERE id IN (17, 18)",
       down = "UPDATE users SET email = 'a@exmaple.org' WHERE id IN (17, 18)")]
struct MendEmail;

#[derive(Migration)]
#[migration(version = 2, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE countries (code text PRIMARY KEY)", down = derived)]
#[step(up = "INSERT INTO countries VALUES ('de'), ('fr')", down = derived)]
struct CreateCountries;

/// What is there is kept.
#[derive(Migration)]
#[migration(version = 3, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "users", key = "id", set = "first_name = coalesce(first_name, ''), last_name = coalesce(last_name, '')",
           filter = "first_name IS NULL OR last_name IS NULL", down = keep("they read as they did"))]
struct FillNames;

migrations! { fn history() = [MendEmail, CreateCountries, FillNames] }

fn main() {
    assert_eq!(history().len(), 3);
}

//! Data that a down has to bring back.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Migrate, lock = RowExclusive)]
#[step(up = "UPDATE users SET email = 'a@example.org' WHERE id = 17", down = nothing("a typing error"))]
struct MendEmail;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive)]
#[step(up = "DELETE FROM users WHERE id IN (17, 18)", down = nothing("duplicates"))]
struct DropDuplicates;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE countries (code text PRIMARY KEY)", down = derived)]
#[step(up = "CREATE INDEX idx_countries ON countries (lower(code))", down = nothing("goes with the table"))]
#[step(up = "INSERT INTO countries VALUES ('de')", down = nothing("goes with the table"))]
struct CreateCountries;

fn main() {}

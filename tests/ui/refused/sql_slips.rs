//! Slips in keywords, reserved words as names, habits from other databases, a text in double quotes.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABL orders ADD COLUMN status text", down = "ALTER TABLE orders DROP COLUM status")]
struct AddOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN limit integer", down = derived)]
struct AddOrderLimit;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE notes (id bigint AUTO_INCREMENT PRIMARY KEY)", down = derived)]
struct CreateNotes;

#[derive(Migration)]
#[migration(version = 2026_03_01_0930, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN colour text DEFAULT \"none\"", down = derived)]
struct AddOrderColour;

#[derive(Migration)]
#[migration(version = 2026_03_01_0940, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN remark txet", down = derived)]
struct AddOrderRemark;

/// Commands of psql.
#[derive(Migration)]
#[migration(version = 2026_03_01_0950, phase = Expand, lock = None)]
#[step(up = "\\i notes.sql", down = derived)]
#[step(up = "CREATE TABLE tags (id bigint PRIMARY KEY)", down = "\\dt\nDROP TABLE tags")]
#[step(up = "COPY tags FROM stdin;\n1\n\\.\n", down = "DELETE FROM tags")]
struct CreateTags;

#[derive(Migration)]
#[migration(version = 2026_03_01_1000, phase = Migrate, lock = RowExclusive)]
#[step(up = "COPY tags (id) FROM STDIN", down = "DELETE FROM tags")]
struct FillTags;

fn main() {}

//! Statements that the analysis does not know, and how to take them on trust.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = None)]
#[step(up = "CALL archive_orders(30)", down = nothing("the archive is append-only"))]
struct ArchiveOrders;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Expand, lock = None)]
#[step(up = "DO $$ BEGIN EXECUTE 'ALTER TABLE ' || current_setting('shop.table') || ' ADD COLUMN note text'; END $$",
       down = nothing("the column stays"))]
struct AddNoteSomewhere;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = None)]
#[step(up = "DO $$ BEGIN PERFORM archive_orders(30); END $$", down = nothing("the archive is append-only"))]
struct ArchiveOrdersInABlock;

fn main() {}

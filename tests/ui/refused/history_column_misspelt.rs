//! Columns that a backfill or a statement names, of a table whose columns the history knows.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE orders (id bigint PRIMARY KEY, status text, note text)", down = derived)]
struct CreateOrders;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", set = "status = VALUE", filter = "status IS NULL", down = keep("goes with the table"))]
struct FillOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Migrate, lock = RowExclusive)]
#[step(up = "UPDATE orders SET note = 'x' WHERE id = 1 AND notes IS NULL", down = "UPDATE orders SET note = NULL WHERE id = 1 AND notes IS NULL")]
struct NoteOnTheFirst;

#[derive(Migration)]
#[migration(version = 2026_03_01_0930, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "idd", set = "note = ''", filter = "note IS NULL", down = keep("goes with the table"))]
struct FillNote;

migrations! { pub fn history() = [CreateOrders, FillOrderStatus, NoteOnTheFirst, FillNote] }

fn main() {}

//! A declared lock that is stronger than the one that is taken.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = AccessExclusive, transactional = false)]
#[step(up = "CREATE INDEX CONCURRENTLY idx_orders_status ON orders (status)",
       down = "DROP INDEX CONCURRENTLY IF EXISTS idx_orders_status")]
struct IndexOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0930, phase = Expand, lock = AccessExclusive)]
#[step(up = "CREATE TABLE notes (id bigint PRIMARY KEY, body text NOT NULL)", down = "DROP TABLE notes")]
struct CreateNotes;

fn main() {}

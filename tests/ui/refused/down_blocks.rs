//! A down that locks clients out, where the up went CONCURRENTLY so as not to.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = ShareUpdateExclusive, transactional = false)]
#[step(up = "CREATE INDEX CONCURRENTLY idx_orders_status ON orders (status)", down = "DROP INDEX idx_orders_status")]
struct IndexOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Expand, lock = ShareUpdateExclusive, transactional = false)]
#[step(up = "DROP INDEX CONCURRENTLY idx_orders_note", down = "CREATE INDEX idx_orders_note ON orders (note)")]
struct UnindexOrderNote;

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = ShareUpdateExclusive, transactional = false,
            allow(drop_index_not_concurrent, reason = "nobody takes it back while the shop is open"))]
#[step(up = "CREATE INDEX CONCURRENTLY idx_orders_user ON orders (user_id)", down = "DROP INDEX idx_orders_user")]
struct Allowed;

fn main() {}

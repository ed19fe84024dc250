//! An `allow` must name one hazard and say why.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = Share, allow(index_not_concurrent),
            allow(index-not-concurrent, reason = "small table"), allow("index_not_concurrent"), allow())]
#[step(up = "CREATE INDEX idx_orders_status ON orders (status)", down = "DROP INDEX idx_orders_status")]
struct IndexOrderStatus;

fn main() {}

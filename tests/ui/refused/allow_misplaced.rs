//! An `allow` that stands in the wrong place, or is written in another form, is one error: what it was meant for is no second.

use migrate_pg::prelude::*;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = Share)]
#[step(up = "CREATE INDEX orders_status ON orders (status)", down = derived,
       allow(index_not_concurrent, reason = "a small table"))]
struct OfTheStep;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = Share, allow(index-not-concurrent, reason = "a small table"))]
#[step(up = "CREATE INDEX orders_status ON orders (status)", down = derived)]
struct WithHyphens;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = Share, allow("index_not_concurrent", reason = "a small table"))]
#[step(up = "CREATE INDEX orders_status ON orders (status)", down = derived)]
struct InQuotes;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = Share, allow = "index_not_concurrent")]
#[step(up = "CREATE INDEX orders_status ON orders (status)", down = derived)]
struct AsAValue;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = Share, allow(index_not_concurent, reason = "a small table"))]
#[step(up = "CREATE INDEX orders_status ON orders (status)", down = derived)]
struct Misspelt;

#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = Share,
            allow(index_not_concurrent, reason = "a small table"), allow(index_not_concurrent, reason = "of ten rows"))]
#[step(up = "CREATE INDEX orders_status ON orders (status)", down = derived)]
struct Twice;

/// What allows nothing is said beside the hazard that is not allowed.
#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = Share, allow(blocking_rewrite, reason = "a small table"))]
#[step(up = "CREATE INDEX orders_status ON orders (status)", down = derived)]
struct OfAnother;

fn main() {}

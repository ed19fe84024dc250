use migrate_pg::prelude::*;

/// Orders get a status; the default applies to new rows only.
#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text",
       down = "ALTER TABLE orders DROP COLUMN status")]
#[step(up = "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'pending'", down = derived)]
pub struct AddOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", batch = 10_000, set = "status = $1", filter = "status IS NULL", down = keep("goes with the column"))]
pub struct FillOrderStatus {
    #[bind("text")]
    pub status: &'static str,
}

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = ShareUpdateExclusive, transactional = false)]
#[step(up = "CREATE INDEX CONCURRENTLY idx_orders_status ON orders (status)",
       down = "DROP INDEX CONCURRENTLY IF EXISTS idx_orders_status")]
pub struct IndexOrderStatus;

migrations! { pub fn history() = [AddOrderStatus, FillOrderStatus { status: "pending" }, IndexOrderStatus] }

fn main() {
    let history = history();
    assert_eq!(history.len(), 3);
    let versions: Vec<i64> = history.metas().map(|meta| meta.version().get()).collect();
    assert_eq!(versions, [2026_03_01_0900, 2026_03_01_0910, 2026_03_01_0920]);
    let first = history.metas().next().unwrap();
    assert_eq!(first.name(), "AddOrderStatus");
    assert_eq!(first.doc(), "Orders get a status; the default applies to new rows only.");
    assert_eq!(first.steps().len(), 2);
    let binds = history.migrations().nth(1).unwrap().binds();
    assert_eq!(binds.len(), 1);
    assert_eq!(binds[0].sql_type, "text");
}

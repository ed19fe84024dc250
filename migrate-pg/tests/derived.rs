//! From attribute to ledger: a history as a user writes it, run on a real server and taken back.

#![allow(missing_docs, reason = "a history for a test")]

mod support;

use migrate_pg::prelude::*;
use migrate_pg::testing;
use support::{assert_clean, has_column, has_table, value};

#[derive(Migration)]
#[migration(version = 2026_01_01_0900, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE orders (id bigint PRIMARY KEY, note text)", down = "DROP TABLE orders")]
pub struct CreateOrders;

/// Orders get a status; the default applies to new rows only.
#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = "ALTER TABLE orders DROP COLUMN status")]
#[step(up = "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'pending'", down = derived)]
pub struct AddOrderStatus;

#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", batch = 100, set = "status = $1", filter = "status IS NULL", down = keep("goes with the column"))]
pub struct FillOrderStatus {
    #[bind("text")]
    pub status: &'static str,
}

#[derive(Migration)]
#[migration(version = 2026_03_01_0920, phase = Expand, lock = ShareUpdateExclusive, transactional = false)]
#[step(
    up = "CREATE INDEX CONCURRENTLY idx_orders_status ON orders (status)",
    down = "DROP INDEX CONCURRENTLY IF EXISTS idx_orders_status"
)]
pub struct IndexOrderStatus;

migrations! {
    pub fn history() = [CreateOrders, AddOrderStatus, FillOrderStatus { status: "pending" }, IndexOrderStatus]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_as_a_user_writes_it() {
    let database = testing::database().await;
    let client = database.connect().await;
    let pool = database.pool();
    let migrator = Migrator::new(history());
    let report = migrator.run(&pool).await.unwrap();
    assert_eq!(report.applied.iter().map(|done| done.name).collect::<Vec<_>>(), ["CreateOrders", "AddOrderStatus"]);
    assert_eq!(report.held.len(), 2, "the index waits behind the backfill: both touch orders. {report}");
    client.batch_execute("INSERT INTO orders SELECT n, NULL, NULL FROM generate_series(1, 250) n").await.unwrap();
    let report = migrator.run_through(Phase::Migrate, &pool).await.unwrap();
    assert_eq!(report.applied[0].rows, 250);
    assert_eq!(value(&client, "SELECT count(*) FROM orders WHERE status = 'pending'").await, "250");
    assert_eq!(
        value(&client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_orders_status'::regclass").await,
        "t"
    );

    // The column was written since: the gate is asked for, and nothing is taken back without it.
    let error = migrator.undo(3, &pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GateMissing, "{error}");
    assert!(has_column(&client, "orders", "status").await);
    assert_eq!(migrator.undo(2, &pool).await.unwrap().undone.len(), 2);

    let directory = std::env::temp_dir().join(database.name());
    let gated = migrator.clone().gate(Dump::to(&directory, database.config()));
    let undone = gated.down_to(0, &pool).await.unwrap().undone;
    assert_eq!(undone[0].receipts[0]["kind"], "dump", "{undone:?}");
    assert!(!has_table(&client, "orders").await);
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(migrator.run_through(Phase::Contract, &pool).await.unwrap().applied.len(), 4);
    assert_clean(&client).await;
}

/// A constraint that is validated in a migration of its own, by effects as the derive writes them: the proof that
/// `migrations!` makes knows that there is nothing to take back.
mod validated {
    use migrate_pg::prelude::*;

    #[derive(Migration)]
    #[migration(version = 2026_01_01_0900, phase = Expand, lock = None)]
    #[step(up = "CREATE TABLE parts (id bigint PRIMARY KEY, \"Weight\" integer NOT NULL)", down = derived)]
    pub struct CreateParts;

    #[derive(Migration)]
    #[migration(version = 2026_01_01_0910, phase = Contract, lock = AccessExclusive)]
    #[step(up = "ALTER TABLE parts ADD CONSTRAINT weighs CHECK (id > 0) NOT VALID", down = derived)]
    #[step(up = "ALTER TABLE parts ADD CONSTRAINT \"Weighs\" CHECK (\"Weight\" IS NOT NULL) NOT VALID", down = derived)]
    pub struct DemandWeights;

    #[derive(Migration)]
    #[migration(version = 2026_01_01_0920, phase = Migrate, lock = ShareUpdateExclusive)]
    #[step(up = "ALTER TABLE parts VALIDATE CONSTRAINT weighs", down = nothing("what was found to hold holds"))]
    #[step(up = "ALTER TABLE parts VALIDATE CONSTRAINT \"Weighs\"", down = nothing("what was found to hold holds"))]
    pub struct ValidateWeights;

    migrations! { pub fn validated() = [CreateParts, DemandWeights, ValidateWeights] }
}

//! What a down takes and does is computed apart from its up, and stands in the review, in the plan and in the ledger.

#![allow(missing_docs, reason = "a history for a test")]

mod support;

use migrate_pg::prelude::*;
use migrate_pg::review::Review;
use migrate_pg::testing;
use serde_json::{Value, json};
use support::value;

#[derive(Migration)]
#[migration(version = 1, phase = Expand, lock = None)]
#[step(up = "CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(10))", down = "DROP TABLE orders")]
pub struct CreateOrders;

#[derive(Migration)]
#[migration(version = 2, phase = Expand, lock = AccessExclusive)]
#[step(
    up = "ALTER TABLE orders ALTER COLUMN note TYPE varchar(20)",
    down = "ALTER TABLE orders ALTER COLUMN note TYPE varchar(10)"
)]
pub struct Widen;

#[derive(Migration)]
#[migration(version = 3, phase = Expand, lock = ShareUpdateExclusive, transactional = false)]
#[step(
    up = "CREATE INDEX CONCURRENTLY idx_orders_note ON orders (note)",
    down = "DROP INDEX CONCURRENTLY idx_orders_note"
)]
pub struct IndexOrders;

migrations! { pub fn history() = [CreateOrders, Widen, IndexOrders] }

/// Of the first down of each step.
fn expected() -> [Value; 3] {
    let down = |lock: &str, work: &str, transactional: bool, hazards: &[&str]| json!({"lock": lock, "work": work, "transactional": transactional, "hazards": hazards});
    [
        down("AccessExclusive", "Metadata", true, &[]),
        // The up is a change of the catalog; the way back copies the table.
        down("AccessExclusive", "Rewrite", true, &["blocking-rewrite"]),
        down("ShareUpdateExclusive", "Metadata", false, &[]),
    ]
}

fn facts(down: &Value) -> Value {
    json!({"lock": down["lock"], "work": down["work"], "transactional": down["transactional"], "hazards": down["hazards"]})
}

#[test]
fn in_the_review() {
    let review = Review::since(&history(), Version::new(1));
    let json = review.to_json();
    let downs: Vec<Value> = (0..3).map(|at| facts(&json[at]["steps"][0]["down"][0])).collect();
    assert_eq!(downs, expected());
    let text = review.to_string();
    for line in [
        "- [ ] taken back by `ALTER TABLE orders ALTER COLUMN note TYPE varchar(10)`: lock AccessExclusive, work Rewrite, hazard `blocking-rewrite`",
        "- [ ] taken back by `DROP INDEX CONCURRENTLY idx_orders_note`: lock ShareUpdateExclusive, work Metadata, outside a transaction",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_plan_and_in_the_ledger() {
    let database = testing::database().await;
    let pool = database.pool();
    let migrator = Migrator::new(history());
    let plan = migrator.plan(Phase::Expand, &pool).await.unwrap().to_json();
    let downs: Vec<Value> = (0..3).map(|at| facts(&plan["planned"][at]["steps"][0]["down"][0])).collect();
    assert_eq!(downs, expected());

    migrator.run(&pool).await.unwrap();
    let client = database.connect().await;
    let recorded =
        value(&client, "SELECT jsonb_agg(sql->0->'downs'->0 ORDER BY version) FROM migrate.migrations").await;
    let recorded: Vec<Value> = serde_json::from_str(&recorded).unwrap();
    assert_eq!(recorded, expected());
}

//! Rows that are locked by the UPDATE itself. It locks them in the order in which its plan comes upon them, and where that
//! is a scan of an index of the key, it is the key's order: then rows need not be locked beforehand, which would write
//! each of them twice, with a record of its own in the WAL. Whether it is such a scan is what the server's plan says.

use super::batch::{Batch, Params};
use super::error::BackfillError;
use super::progress::Json;
use super::sql::UPDATED;
use super::walk::Walk;
use super::{Key, unsigned};
use serde_json::Value;
use tokio_postgres::types::Type;

/// Leaves the planner nothing but scans of indexes, where there are any that fit. What is impossible costs so much that
/// whatever else the plan has would be compiled for it (before 18).
const SCAN_INDEXES: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off";
const AS_BEFORE: &str =
    "SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL enable_bitmapscan TO DEFAULT; SET LOCAL jit TO DEFAULT";

/// Reads what a bitmap says: a window holds many rows, and each page of them is read once, in the order of the disk,
/// whatever the order of the key.
const SCAN_BITMAPS: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off; SET LOCAL jit = off";

/// How the rows of a batch are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// By the UPDATE, if its plan goes in key order: the next batch asks.
    Ask,
    /// By the UPDATE, whose plan was seen to go in key order in this window.
    Updated,
    /// In key order, before any is updated.
    Locked,
}

impl Walk<'_> {
    /// How the first batch of a window is to lock its rows.
    pub(super) fn how(&self) -> How {
        let backfill = self.job.backfill;
        // Rows that were passed over are found by a subquery, and so is what has one of its own.
        let plain = !self.statements.skips() && is_plain(backfill.set()) && is_plain(backfill.filter());
        if self.shape.is_none() && plain && !self.target.in_order.is_empty() { How::Ask } else { How::Locked }
    }

    /// The end of the batch is looked for, and everything up to there that satisfies the filter is updated.
    pub(super) async fn fill_in_order(
        &self,
        cursor: Option<&Key>,
        end: &Key,
        size: i64,
        check: bool,
        how: How,
    ) -> Result<Batch, BackfillError> {
        let rows = size.max(1);
        let mut params = self.range(cursor, end);
        params.push((&rows, Type::INT8));
        let sql = self.statements.last_of_rows(cursor.is_some());
        let begin = format!("READ WRITE; {SCAN_INDEXES}");
        let (begun, found) = tokio::join!(biased; self.begin(&begin), self.client.query_typed_opt(&sql, &params));
        let failed = |error| BackfillError::database(&self.target.table, "fill a batch")(error);
        begun.map_err(failed)?;
        let found: Option<Key> = found.map_err(failed)?.map(|row| row.get(0));
        let to = found.as_ref().unwrap_or(end);
        let range = self.range(cursor, to);
        let sql = self.statements.whole_range(cursor.is_some());
        if how == How::Ask && !self.is_in_order(&sql, &range).await.map_err(failed)? {
            return self.fill_in_sql(cursor, end, size, check, self.client.batch_execute(AS_BEFORE)).await;
        }
        let row = self.client.query_typed_one(&sql, &range).await.map_err(failed)?;
        let updated = unsigned(row.get(0));
        if updated > 0 {
            self.ledger_moved(row.get(1))?;
            let still = self.still_holds(cursor, &range, check).await.map_err(failed)?;
            self.none_still_holds(still)?;
        }
        // What a client filled in between, or a trigger left as it was, is not updated.
        let matched = if found.is_some() { updated.max(unsigned(size)) } else { updated };
        let last = Some(to.clone());
        Ok(Batch { matched, updated, skipped: 0, last, asked: row.get(2), cut: false, next: How::Updated })
    }

    /// Whether the plan of the statement updates rows in key order.
    async fn is_in_order(&self, sql: &str, params: &Params<'_>) -> Result<bool, tokio_postgres::Error> {
        let row = self.client.query_typed_one(&format!("EXPLAIN (FORMAT JSON) {sql}"), params).await?;
        let plan: Json = row.get(0);
        Ok(is_in_order(&plan.0, &self.target.in_order))
    }

    /// Whether there is a row to fill behind the cursor, up to the end, and what is asked of the backfill. Nothing is locked.
    pub(super) async fn is_any(
        &self,
        cursor: Option<&Key>,
        end: &Key,
    ) -> Result<(bool, Option<String>), BackfillError> {
        let sql = self.statements.is_any(cursor.is_some());
        let params = self.range(cursor, end);
        let bitmaps = if is_plain(self.job.backfill.filter()) { SCAN_BITMAPS } else { "" };
        let begin = format!("READ ONLY; {bitmaps}");
        let (begun, row, ended) = tokio::join!(
            biased;
            self.begin(&begin),
            self.client.query_typed_one(&sql, &params),
            self.client.batch_execute("COMMIT"),
        );
        let failed = |error| BackfillError::database(&self.target.table, "look for rows that are left")(error);
        begun.map_err(failed)?;
        let row = row.map_err(failed)?;
        ended.map_err(failed)?;
        Ok((row.get(0), row.get(1)))
    }
}

/// Whether an expression has no subquery, whose plan the settings would bend, too.
fn is_plain(expression: &str) -> bool {
    !expression.to_ascii_lowercase().contains("select")
}

/// Whether a plan updates by one scan of one of these indexes, forward.
fn is_in_order(plan: &Value, indexes: &[String]) -> bool {
    let parts = |plan: &Value| plan.get("Plans").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |plan: &Value, name: &str| plan.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(plan) = plan.pointer("/0/Plan") else { return false };
    let name = format!("CTE {UPDATED}");
    let Some(update) = parts(plan).into_iter().find(|part| text(part, "Subplan Name") == name) else { return false };
    match &parts(&update)[..] {
        [scan] => {
            text(scan, "Node Type") == "Index Scan"
                && text(scan, "Scan Direction") == "Forward"
                && indexes.contains(&text(scan, "Index Name"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_one_forward_scan_of_an_index_of_the_key_is_in_order() {
        let plan = |scans: Value| {
            json!([{"Plan": {"Node Type": "Result", "Plans": [
                {"Node Type": "CTE Scan", "Subplan Name": "CTE __migrate_last"},
                {"Node Type": "ModifyTable", "Subplan Name": "CTE __migrate_updated", "Plans": scans},
            ]}}])
        };
        let scan = |node: &str, direction: &str, index: &str| json!({"Node Type": node, "Scan Direction": direction, "Index Name": index});
        let indexes = ["items_pkey".to_owned()];
        let good = scan("Index Scan", "Forward", "items_pkey");
        assert!(is_in_order(&plan(json!([good])), &indexes));
        for bad in [
            json!([scan("Index Scan", "Backward", "items_pkey")]),
            json!([scan("Index Scan", "Forward", "items_status")]),
            json!([{"Node Type": "Bitmap Heap Scan"}]),
            json!([{"Node Type": "Seq Scan"}]),
            json!([good, good]),
            json!([]),
        ] {
            assert!(!is_in_order(&plan(bad.clone()), &indexes), "{bad}");
        }
        assert!(!is_in_order(&json!([{"Plan": good}]), &indexes));
    }

    #[test]
    fn a_subquery_is_not_plain() {
        assert!(is_plain("status IS NULL"));
        assert!(!is_plain("total = (Select sum(price) FROM items)"));
    }
}

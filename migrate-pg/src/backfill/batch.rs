//! One batch: one transaction, in which everything goes wrong together.

use super::error::{self, BackfillError};
use super::in_order::How;
use super::rows::{Converted, RawValue, Shape};
use super::sql::shown;
use super::walk::Walk;
use super::{BadRows, Key, Told, unsigned};
use crate::online::milliseconds;
use migrate_core::model::RowConverter;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

/// What a batch did.
pub(super) struct Batch {
    /// Rows that satisfied the filter and were looked at.
    pub(super) matched: u64,
    pub(super) updated: u64,
    /// Rows passed over.
    pub(super) skipped: u64,
    pub(super) last: Option<Key>,
    pub(super) asked: Option<String>,
    /// A row that could not be converted ended it: there may be more behind.
    pub(super) cut: bool,
    /// How the next batch of the window is to be filled.
    pub(super) next: How,
}

pub(super) type Params<'a> = Vec<(&'a (dyn ToSql + Sync), Type)>;

impl Walk<'_> {
    /// One transaction: what goes wrong in it is taken back.
    pub(super) async fn batch(
        &self,
        cursor: Option<&Key>,
        end: &Key,
        size: i64,
        check: bool,
        how: How,
    ) -> Result<Batch, BackfillError> {
        let outcome = match self.shape {
            None if how == How::Locked => {
                let begun = self.begin("READ WRITE");
                self.fill_in_sql(cursor, end, size, check, begun).await
            }
            None => self.fill_in_order(cursor, end, size, check, how).await,
            Some((shape, converter)) => self.fill_in_rust(cursor, end, size, check, shape, *converter).await,
        };
        self.ended(outcome, |batch| batch.updated).await
    }

    /// Commits, or takes back.
    async fn ended<T>(&self, outcome: Result<T, BackfillError>, rows: impl Fn(&T) -> u64) -> Result<T, BackfillError> {
        match outcome {
            Ok(done) => match self.client.batch_execute(&self.statements.commit(rows(&done))).await {
                Ok(()) => Ok(done),
                Err(error) => {
                    Err(self.take_back(BackfillError::database(&self.target.table, "commit a batch")(error)).await)
                }
            },
            Err(error) => Err(self.take_back(error).await),
        }
    }

    async fn take_back(&self, error: BackfillError) -> BackfillError {
        // A connection that is lost has rolled back by itself; what failed first is what is reported.
        if let Err(error) = self.client.batch_execute("ROLLBACK").await {
            tracing::debug!(%error, "a failed batch could not be rolled back");
        }
        error
    }

    /// `before`: what is sent before it, in the same trip.
    pub(super) async fn fill_in_sql(
        &self,
        cursor: Option<&Key>,
        end: &Key,
        size: i64,
        check: bool,
        before: impl Future<Output = Result<(), tokio_postgres::Error>>,
    ) -> Result<Batch, BackfillError> {
        let range = self.range(cursor, end);
        let mut params = range.clone();
        params.push((&size, Type::INT8));
        let sql = self.statements.batch(cursor.is_some());
        let (begun, row) = tokio::join!(biased; before, self.client.query_typed_one(&sql, &params));
        let failed = |error| BackfillError::database(&self.target.table, "fill a batch")(error);
        begun.map_err(failed)?;
        let row = row.map_err(failed)?;
        let batch = Batch {
            matched: unsigned(row.get(0)),
            updated: unsigned(row.get(1)),
            skipped: 0,
            last: row.get(3),
            asked: row.get(4),
            cut: false,
            next: How::Locked,
        };
        if batch.matched > 0 {
            self.ledger_moved(row.get(2))?;
            // In a trip of its own: the passes that come after find nothing nearly everywhere, and it reads the range again.
            let still = self.still_holds(cursor, &range, check && batch.updated > 0).await.map_err(failed)?;
            self.none_still_holds(still)?;
        }
        Ok(batch)
    }

    async fn fill_in_rust(
        &self,
        cursor: Option<&Key>,
        end: &Key,
        size: i64,
        check: bool,
        shape: &Shape,
        converter: &dyn RowConverter,
    ) -> Result<Batch, BackfillError> {
        let range = self.range(cursor, end);
        let mut params = range.clone();
        params.push((&size, Type::INT8));
        let sql = self.statements.fetch(cursor.is_some());
        let (begun, rows) = tokio::join!(biased; self.begin("READ WRITE"), self.client.query_typed(&sql, &params));
        let failed = |error| BackfillError::database(&self.target.table, "fetch a batch")(error);
        begun.map_err(failed)?;
        let rows = rows.map_err(failed)?;
        if rows.is_empty() {
            return Ok(Batch {
                matched: 0,
                updated: 0,
                skipped: 0,
                last: None,
                asked: None,
                cut: false,
                next: How::Locked,
            });
        }
        let pass_over = self.job.bad_rows == BadRows::Skip;
        let converted = Converted::of(&rows, shape, converter, pass_over);
        if converted.looked_at == 0 {
            return Err(self.refused(converted, shape).await?);
        }
        let given = converted.parameters(shape, pass_over);
        let params: Params<'_> =
            given.iter().map(|(value, sql_type)| (&**value as &(dyn ToSql + Sync), sql_type.clone())).collect();
        let sql = self.statements.write_back(pass_over && !converted.bad.is_empty());
        let (row, still) = tokio::join!(
            biased;
            self.client.query_typed_one(&sql, &params),
            self.still_holds(cursor, &range, check),
        );
        let failed = |error| BackfillError::database(&self.target.table, "write a batch back")(error);
        let row = row.map_err(failed)?;
        let still = still.map_err(failed)?;
        self.ledger_moved(row.get(1))?;
        self.none_still_holds(still)?;
        let skipped = if pass_over { converted.bad.len() as u64 } else { 0 };
        if skipped > 0 {
            for (key, error) in row.get::<_, Vec<String>>(4).iter().zip(&converted.bad) {
                (self.job.tell)(Told::Skipped { key, reason: &error.to_string() });
            }
        }
        Ok(Batch {
            matched: u64::try_from(converted.count()).unwrap_or(0) + skipped,
            updated: unsigned(row.get(0)),
            skipped,
            last: row.get(2),
            asked: row.get(3),
            cut: !pass_over && !converted.bad.is_empty(),
            next: How::Locked,
        })
    }

    /// The error of a row that cannot be converted, with its key.
    async fn refused(&self, mut converted: Converted, shape: &Shape) -> Result<BackfillError, BackfillError> {
        let key: Vec<(RawValue, Type)> = converted.bad_key(shape);
        let params: Params<'_> =
            key.iter().map(|(value, sql_type)| (value as &(dyn ToSql + Sync), sql_type.clone())).collect();
        let row = self
            .client
            .query_typed_one(&self.statements.key_as_text(), &params)
            .await
            .map_err(BackfillError::database(&self.target.table, "name the row that cannot be filled"))?;
        let source = converted.bad.remove(0);
        Ok(BackfillError::Row {
            table: self.target.table.clone(),
            row: shown(&row.get(0)),
            reason: source.to_string(),
            source,
        })
    }

    /// The server refuses a row that is alone in its batch: it is passed over, or named in the error.
    pub(super) async fn alone(
        &self,
        cursor: Option<&Key>,
        end: &Key,
        refusal: BackfillError,
    ) -> Result<Batch, BackfillError> {
        let BackfillError::Database { table, source, .. } = refusal else { return Err(refusal) };
        let reason = error::reason(&source);
        let mut params = self.range(cursor, end);
        params.push((&1_i64, Type::INT8));
        let failed = |error| BackfillError::database(&self.target.table, "name the row that cannot be filled")(error);
        if self.job.bad_rows == BadRows::Stop {
            let sql = self.statements.next_row(cursor.is_some());
            let named = async {
                self.begin("READ WRITE").await.map_err(failed)?;
                self.client.query_typed_opt(&sql, &params).await.map_err(failed)
            };
            let row = self.ended(named.await, |_| 0).await?;
            let row = row.map_or_else(|| "it is gone".to_owned(), |row| shown(&row.get(0)));
            return Err(BackfillError::Row { table, row, reason, source: Box::new(source) });
        }
        let sql = self.statements.skip_next_row(cursor.is_some(), &reason);
        let passed = async {
            self.begin("READ WRITE").await.map_err(failed)?;
            let row = self.client.query_typed_opt(&sql, &params).await.map_err(failed)?;
            if let Some(row) = &row {
                self.ledger_moved(row.get(1))?;
            }
            Ok(row)
        };
        let row = self.ended(passed.await, |_| 0).await?;
        let none = Batch { matched: 0, updated: 0, skipped: 0, last: None, asked: None, cut: true, next: How::Locked };
        // It was filled or removed meanwhile: the next batch sees.
        let Some(row) = row else { return Ok(Batch { last: cursor.cloned(), ..none }) };
        let key: Key = row.get(0);
        (self.job.tell)(Told::Skipped { key: &shown(&key), reason: &reason });
        Ok(Batch { matched: 1, skipped: 1, last: Some(key), asked: row.get(2), ..none })
    }

    /// The declaration's own parameters and the range.
    pub(super) fn range<'b>(&'b self, cursor: Option<&'b Key>, end: &'b Key) -> Params<'b> {
        let mut params: Params<'b> =
            self.job.binds.iter().map(|(sql_type, value)| (*value, sql_type.clone())).collect();
        push_key(&mut params, cursor);
        push_key(&mut params, Some(end));
        params
    }

    pub(super) async fn still_holds(
        &self,
        cursor: Option<&Key>,
        range: &Params<'_>,
        check: bool,
    ) -> Result<Option<Row>, tokio_postgres::Error> {
        if !check {
            return Ok(None);
        }
        self.client.query_typed_opt(&self.statements.still_holds(cursor.is_some()), range).await
    }

    pub(super) fn none_still_holds(&self, still: Option<Row>) -> Result<(), BackfillError> {
        let Some(row) = still else { return Ok(()) };
        let set = if self.job.backfill.write().is_empty() {
            format!("SET {}", self.job.backfill.set())
        } else {
            format!("the conversion into {}", self.job.backfill.write().join(", "))
        };
        Err(BackfillError::FilterStillHolds {
            table: self.table(),
            row: shown(&row.get(0)),
            filter: self.filter(),
            set,
        })
    }

    pub(super) fn ledger_moved(&self, rows: i64) -> Result<(), BackfillError> {
        let (version, step) = (self.job.checkpoint.version, self.job.checkpoint.step);
        if rows == 1 { Ok(()) } else { Err(BackfillError::NoLedgerRow { version, step }) }
    }

    /// The isolation level is spelled out since the session's default may be another: under REPEATABLE READ a row that
    /// was written since the transaction began fails the batch instead of being looked at again.
    ///
    /// `migrate.backfill` is what the triggers that keep two shapes of a row alike look at: they leave the backfill's own
    /// writes alone.
    pub(super) async fn begin(&self, access: &str) -> Result<(), tokio_postgres::Error> {
        // 0 would mean no limit at all.
        let lock_timeout = self.job.lock_timeout.as_millis().clamp(1, i32::MAX as u128);
        // The session's own limit is for what Rust converts meanwhile: that is not silence.
        let idle = match self.shape {
            None => format!("; SET LOCAL idle_in_transaction_session_timeout = {}", milliseconds(self.job.idle)),
            Some(_) => String::new(),
        };
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED {access}; SET LOCAL row_security = off; \
             SET LOCAL migrate.backfill = 'on'; SET LOCAL lock_timeout = {lock_timeout}{idle}"
        );
        self.client.batch_execute(&sql).await
    }
}

pub(super) fn push_key<'a>(params: &mut Params<'a>, key: Option<&'a Key>) {
    params.extend(key.into_iter().flatten().map(|column| (column as &(dyn ToSql + Sync), Type::TEXT)));
}

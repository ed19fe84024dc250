//! Several workers on one backfill, each on a connection of its own and in ranges of the key that are its own. The ranges
//! are in the ledger, with a cursor each: a run that comes after goes on in every one of them, with as many workers as it
//! has.
//!
//! The lease is one session's, and workers have others: what keeps those of a run that is gone from writing is the name of
//! the run on each range, which a batch moves the cursor by. The next run puts its own there first, and waits for the
//! batch that is under way.

use super::error::BackfillError;
use super::progress::Share;
use super::retry::Retry;
use super::rows::Shape;
use super::sql::{Place, Statements};
use super::target::Target;
use super::walk::{Found, Pass, Reached, Walk};
use super::{Checkpoint, Job, Key, Told};
use crate::quote::literal;
use migrate_core::model::RowConverter;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Mutex;
use tokio_postgres::types::Type;

/// How many ranges there are for each worker: they are not of one size, and whoever is through takes the next.
const RANGES_A_WORKER: usize = 4;

/// The values between which statistics say about as many rows lie each, of the first column of the key.
const BOUNDS: &str = "\
SELECT s.histogram_bounds::text::text[]
FROM pg_catalog.pg_stats s
JOIN pg_catalog.pg_class c ON c.relname = s.tablename
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = s.schemaname
WHERE c.oid = $1 AND pg_catalog.quote_ident(s.attname) = $2 AND s.histogram_bounds IS NOT NULL
ORDER BY s.inherited DESC LIMIT 1";

/// A range that is not through.
struct Range {
    number: i32,
    until: Option<Key>,
    cursor: Option<Key>,
}

/// All that workers share.
pub(super) struct Crew<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) target: &'a Target,
    pub(super) shape: Option<&'a (Shape, &'a dyn RowConverter)>,
    pub(super) share: &'a Share,
    pub(super) skipping: bool,
}

/// What a crew did.
pub(super) enum Crewed {
    /// There are no ranges.
    Nothing,
    Stopped,
    /// All ranges were walked to their ends; from the start of the table by this crew, where the ends of their windows are
    /// known.
    Through(Vec<(Key, i64)>),
}

impl Crew<'_> {
    /// Walks all ranges, where there are any or there are to be.
    pub(super) async fn walk(&self, cursor: Option<&Key>) -> Result<Crewed, BackfillError> {
        let workers = usize::try_from(self.job.pace.workers).unwrap_or(1);
        let owner = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        let mut whole = false;
        if !self.are_ranges().await? {
            if workers < 2 {
                return Ok(Crewed::Nothing);
            }
            let bounds = self.bounds(workers * RANGES_A_WORKER, cursor).await?;
            if bounds.is_empty() {
                (self.job.tell)(Told::Hidden(
                    "how the key is distributed (pg_stats): the table is walked by one worker; ANALYZE it for more",
                ));
                return Ok(Crewed::Nothing);
            }
            self.make(&bounds, cursor).await?;
            whole = cursor.is_none();
        }
        let ends = Mutex::new(BTreeMap::new());
        let ranges = Mutex::new(self.take(&owner).await?);
        let count = ranges.lock().map_or(0, |ranges| ranges.len()).min(workers);
        let work = (0..count).map(|_| async {
            let worked = self.work(&ranges, &owner, &ends).await;
            if worked.is_err() {
                self.share.abandon();
            }
            worked
        });
        let mut finished = true;
        let mut failure = None;
        for worked in futures_util::future::join_all(work).await {
            match worked {
                Ok(Reached::End) => {}
                Ok(Reached::Stopped) => finished = false,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            Some(error) => Err(error),
            None if !finished => Ok(Crewed::Stopped),
            None => {
                let ends = ends.into_inner().unwrap_or_default();
                Ok(Crewed::Through(if whole { ends.into_values().flatten().collect() } else { Vec::new() }))
            }
        }
    }

    /// One worker: range after range, on its own connection.
    async fn work(
        &self,
        ranges: &Mutex<VecDeque<Range>>,
        owner: &str,
        ends: &Mutex<BTreeMap<i32, Vec<(Key, i64)>>>,
    ) -> Result<Reached, BackfillError> {
        let failed = |source| BackfillError::Worker { table: self.target.table.clone(), source };
        let session = self.job.connect.connect().await.map_err(failed)?;
        let worked = async {
            let pid = session.client().query_typed_one("SELECT pg_catalog.pg_backend_pid()", &[]).await;
            let pid = pid.map_err(self.failed("look which backend it has"))?.get(0);
            loop {
                let Some(range) = ranges.lock().ok().and_then(|mut ranges| ranges.pop_front()) else {
                    return Ok(Reached::End);
                };
                let place = Place::Range { number: range.number, owner: owner.to_owned() };
                let Job { backfill, binds, checkpoint, pace, .. } = self.job;
                let statements = Statements::new(self.target, backfill, binds.len(), checkpoint, place, self.skipping);
                let retry = Retry::new(backfill.batch(), pace.batch_time);
                let client = session.client();
                let mut walk =
                    Walk::new(self.job, (client, pid), self.target, self.shape, statements, retry, self.share);
                let reached = walk.pass(range.cursor, range.until.as_ref(), Pass::Fill, &mut Found::default()).await?;
                if reached == Reached::Stopped {
                    return Ok(reached);
                }
                if let Ok(mut ends) = ends.lock() {
                    ends.insert(range.number, walk.into_ends());
                }
                let Checkpoint { ranges_table, version, step, .. } = checkpoint;
                let sql = format!(
                    "UPDATE {ranges_table} SET done = true WHERE version = {version} AND step = {step} AND range = {} \
                     AND owner = {}",
                    range.number,
                    literal(owner)
                );
                client.batch_execute(&sql).await.map_err(self.failed("record that a range is through"))?;
            }
        };
        let worked = worked.await;
        session.close().await;
        worked
    }

    async fn are_ranges(&self) -> Result<bool, BackfillError> {
        let Checkpoint { ranges_table, version, step, .. } = &self.job.checkpoint;
        let sql = format!("SELECT EXISTS (SELECT FROM {ranges_table} WHERE version = {version} AND step = {step})");
        let row = self.job.client.query_typed_one(&sql, &[]).await.map_err(self.failed("look for its ranges"))?;
        Ok(row.get(0))
    }

    /// The last keys of all ranges but the last one, ascending, behind the cursor.
    async fn bounds(&self, ranges: usize, cursor: Option<&Key>) -> Result<Vec<Key>, BackfillError> {
        let failed = self.failed("look its statistics up");
        let Some(first) = self.target.key.first() else { return Ok(Vec::new()) };
        let client = self.job.client;
        let row = client
            .query_typed_opt(BOUNDS, &[(&self.target.oid, Type::OID), (&first.name, Type::TEXT)])
            .await
            .map_err(&failed)?;
        let Some(all) = row.map(|row| row.get::<_, Vec<String>>(0)) else { return Ok(Vec::new()) };
        let statements = Statements::new(
            self.target,
            self.job.backfill,
            self.job.binds.len(),
            &self.job.checkpoint,
            Place::Step,
            false,
        );
        let mut values: Vec<_> =
            (1..ranges).filter_map(|place| all.get(place * all.len().saturating_sub(1) / ranges)).collect();
        // Of few values in the statistics, some are taken for several places.
        values.dedup();
        let mut bounds: Vec<Key> = Vec::new();
        for value in values {
            let last = bounds.last().or(cursor);
            let mut params: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> = vec![(value, Type::TEXT)];
            super::batch::push_key(&mut params, last);
            let sql = statements.at_least(last.is_some());
            let row = client.query_typed_opt(&sql, &params).await.map_err(&failed)?;
            bounds.extend(row.map(|row| row.get::<_, Key>(0)));
        }
        bounds.dedup();
        Ok(bounds)
    }

    async fn make(&self, bounds: &[Key], cursor: Option<&Key>) -> Result<(), BackfillError> {
        let Checkpoint { ranges_table, version, step, .. } = &self.job.checkpoint;
        let json = |key: Option<&Key>| {
            key.map_or_else(|| "NULL".to_owned(), |key| crate::quote::json(&serde_json::json!(key)))
        };
        let rows: Vec<String> = (0..=bounds.len())
            .map(|number| {
                let from = number.checked_sub(1).map_or(cursor, |before| bounds.get(before));
                format!("({version}, {step}, {number}, '', {}, {})", json(bounds.get(number)), json(from))
            })
            .collect();
        let sql = format!(
            "INSERT INTO {ranges_table} (version, step, range, owner, until, \"cursor\") VALUES {}",
            rows.join(", ")
        );
        self.job.client.batch_execute(&sql).await.map_err(self.failed("write its ranges down"))
    }

    /// Makes the ranges that are not through this run's own.
    async fn take(&self, owner: &str) -> Result<VecDeque<Range>, BackfillError> {
        let Checkpoint { ranges_table, version, step, .. } = &self.job.checkpoint;
        let sql = format!(
            "UPDATE {ranges_table} SET owner = {} WHERE version = {version} AND step = {step} AND NOT done \
             RETURNING range, until::text, \"cursor\"::text",
            literal(owner)
        );
        let rows = self.job.client.query_typed(&sql, &[]).await.map_err(self.failed("take its ranges over"))?;
        let key =
            |text: Option<String>| text.map(|text| super::read_key(&text, self.job.backfill, self.target)).transpose();
        let mut ranges = Vec::new();
        for row in &rows {
            ranges.push(Range { number: row.get(0), until: key(row.get(1))?, cursor: key(row.get(2))? });
        }
        ranges.sort_by_key(|range| range.number);
        Ok(ranges.into())
    }

    fn failed(&self, doing: &'static str) -> impl Fn(tokio_postgres::Error) -> BackfillError {
        let table = self.target.table.clone();
        move |error| BackfillError::database(&table, doing)(error)
    }
}

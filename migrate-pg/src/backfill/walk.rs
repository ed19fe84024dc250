//! A backfill on its way through the table, or through a range of it: window by window, batch by batch, as fast as it may.

use super::batch::{Batch, push_key};
use super::error::{BackfillError, is_of_a_row};
use super::in_order::How;
use super::progress::Share;
use super::retry::Retry;
use super::rows::Shape;
use super::sql::Statements;
use super::target::Target;
use super::throttle::Throttle;
use super::{BackfillProgress, Job, Key, PASSES, Told, WINDOW, unsigned};
use crate::online::{Bound, Seen, Watch};
use migrate_core::model::{RowConverter, Version};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// How often a stop is looked for while it waits.
const GLANCE: Duration = Duration::from_millis(50);
/// How often what holds it up is told.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// How often the ledger is asked whether a pause is over.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Leaves a walk that was asked to stop.
macro_rules! stop_if {
    ($reached:expr) => {
        if let Reached::Stopped = $reached {
            return Ok(Reached::Stopped);
        }
    };
}

/// Waits for what was sent, and sees who is in its way.
async fn over<T>(watch: &mut Option<Watch<'_>>, lock: Duration, sent: impl Future<Output = T>) -> (T, Seen) {
    match watch {
        Some(watch) => watch.over(sent, Bound { lock, only_waits: false }).await,
        None => (sent.await, Seen::default()),
    }
}

/// A backfill on its way.
pub(super) struct Walk<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) client: &'a Client,
    pub(super) target: &'a Target,
    pub(super) shape: Option<&'a (Shape, &'a dyn RowConverter)>,
    pub(super) statements: Statements<'a>,
    retry: Retry,
    throttle: Throttle,
    watch: Option<Watch<'a>>,
    share: &'a Share,
    /// Where the windows of a pass from the start, or through a range, ended, and how many rows there were in each: the next
    /// pass has the same, since to look for their ends takes as long as to look for rows to fill.
    ends: Vec<(Key, i64)>,
    /// The first batch that filled anything has been looked at.
    checked: bool,
}

/// What became of a part of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    End,
    Stopped,
}

/// What a pass found.
#[derive(Default)]
pub(super) struct Found {
    matched: u64,
    updated: u64,
    skipped: u64,
    /// Of a part of it, it counted what was updated, and not what was to be.
    unsure: bool,
}

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// To fill the table.
    Fill,
    /// To see that nothing is left; what is, is filled, and looked at afterwards.
    Check,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        job: &'a Job<'a>,
        (client, pid): (&'a Client, i32),
        target: &'a Target,
        shape: Option<&'a (Shape, &'a dyn RowConverter)>,
        statements: Statements<'a>,
        retry: Retry,
        share: &'a Share,
    ) -> Self {
        let watch = job.connect.watch(Version::new(job.checkpoint.version), pid);
        let (throttle, ends) = (Throttle::default(), Vec::new());
        Self { job, client, target, shape, statements, retry, throttle, watch, share, ends, checked: false }
    }

    /// Passes over the table until one finds nothing to fill. `false` where it was asked to stop.
    ///
    /// `walked`: others have filled the table, and their windows ended at these keys.
    pub(super) async fn until_filled(
        mut self,
        mut cursor: Option<Key>,
        walked: Option<Vec<(Key, i64)>>,
    ) -> Result<bool, BackfillError> {
        let mut passes = 0;
        let mut what = if walked.is_some() { Pass::Check } else { Pass::Fill };
        self.ends = walked.unwrap_or_default();
        loop {
            let from_the_start = cursor.is_none();
            let mut found = Found::default();
            passes += 1;
            if let Reached::Stopped = self.pass(cursor.take(), None, what, &mut found).await? {
                return Ok(false);
            }
            what = Pass::Check;
            if found.matched == 0 && from_the_start && !found.unsure {
                return Ok(true);
            }
            if found.updated + found.skipped == 0 && found.matched > 0 {
                return Err(BackfillError::NoProgress { table: self.table(), filter: self.filter() });
            }
            if passes >= PASSES {
                return Err(BackfillError::Restless { table: self.table(), filter: self.filter(), passes });
            }
            if passes > 1
                && let Reached::Stopped = self.wait(self.retry.pause(passes - 1)).await
            {
                return Ok(false);
            }
        }
    }

    /// Where the windows of the last pass ended.
    pub(super) fn into_ends(self) -> Vec<(Key, i64)> {
        self.ends
    }

    /// Once through the rows behind the cursor, up to the end of the range where it has one.
    pub(super) async fn pass(
        &mut self,
        mut cursor: Option<Key>,
        until: Option<&Key>,
        what: Pass,
        found: &mut Found,
    ) -> Result<Reached, BackfillError> {
        let window = (i64::from(self.job.backfill.batch()) * 10).max(WINDOW);
        // Those of a pass that begins further on say nothing of what is before.
        let keeps = cursor.is_none() || until.is_some();
        let mut known = std::mem::take(&mut self.ends).into_iter();
        loop {
            if self.is_stopped() {
                return Ok(Reached::Stopped);
            }
            let (end, size, asked) = match known.next() {
                Some((end, size)) => (end, size.max(window), None),
                None => {
                    let found = loop {
                        let (mut watch, lock) = (self.watch.take(), self.job.lock_timeout);
                        let (found, seen) = over(&mut watch, lock, self.window(cursor.as_ref(), until, window)).await;
                        self.watch = watch;
                        match found {
                            Ok(found) => break found,
                            Err(error) => stop_if!(self.again(error, seen).await?),
                        }
                    };
                    let Some(found) = found else { return Ok(Reached::End) };
                    found
                }
            };
            if keeps {
                self.ends.push((end.clone(), size));
            }
            let (any, asked) = match what {
                Pass::Fill => (true, asked),
                Pass::Check => loop {
                    let (mut watch, lock) = (self.watch.take(), self.job.lock_timeout);
                    let (found, seen) = over(&mut watch, lock, self.is_any(cursor.as_ref(), &end)).await;
                    self.watch = watch;
                    match found {
                        Ok(found) => break found,
                        Err(error) => stop_if!(self.again(error, seen).await?),
                    }
                },
            };
            stop_if!(self.obey(asked).await?);
            if any && let Reached::Stopped = self.fill(cursor, &end, what, found).await? {
                return Ok(Reached::Stopped);
            }
            self.share.walked(unsigned(size));
            if size < window {
                return Ok(Reached::End);
            }
            cursor = Some(end);
        }
    }

    /// Fills the rows behind the cursor up to the end that satisfy the filter.
    async fn fill(
        &mut self,
        mut cursor: Option<Key>,
        end: &Key,
        what: Pass,
        found: &mut Found,
    ) -> Result<Reached, BackfillError> {
        let mut in_window = 0;
        // What is still to be filled after a pass is what that pass did not see: it is counted.
        let mut how = if what == Pass::Fill { self.how() } else { How::Locked };
        loop {
            let began = Instant::now();
            // A `set` that leaves the filter true would be found out by the second pass only, after it has written the
            // whole table: so the first batch is looked at, too.
            let check = what == Pass::Check || !self.checked;
            let (batch, size, took) = loop {
                if self.is_stopped() {
                    return Ok(Reached::Stopped);
                }
                let size = self.retry.size();
                let attempt = Instant::now();
                let (done, seen) = self.watched(cursor.as_ref(), end, size, check, how).await;
                match done {
                    Ok(batch) => break (batch, size, attempt.elapsed()),
                    Err(error) if is_of_a_row(&error) && size > 1 => self.retry.split(),
                    Err(error) if is_of_a_row(&error) => {
                        break (self.alone(cursor.as_ref(), end, error).await?, size, attempt.elapsed());
                    }
                    Err(error) => stop_if!(self.again(error, seen).await?),
                }
            };
            self.retry.succeeded(batch.matched, took);
            self.checked |= batch.updated > 0;
            how = batch.next;
            found.unsure |= how == How::Updated;
            found.matched += batch.matched;
            found.updated += batch.updated;
            found.skipped += batch.skipped;
            self.share.filled(batch.updated);
            in_window += batch.matched;
            let progress = self.share.progress(batch.updated, began.elapsed(), in_window);
            if batch.matched > 0 {
                (self.job.on_progress)(progress);
            }
            let Batch { matched, last, asked, cut, .. } = batch;
            stop_if!(self.obey(asked).await?);
            if matched > 0
                && let Reached::Stopped = self.make_way(progress, took).await?
            {
                return Ok(Reached::Stopped);
            }
            if !cut && (matched < unsigned(size) || last.as_ref() == Some(end)) {
                return Ok(Reached::End);
            }
            cursor = last;
        }
    }

    /// A batch, and who was in its way.
    async fn watched(
        &mut self,
        cursor: Option<&Key>,
        end: &Key,
        size: i64,
        check: bool,
        how: How,
    ) -> (Result<Batch, BackfillError>, Seen) {
        let (mut watch, lock) = (self.watch.take(), self.job.lock_timeout);
        let found = over(&mut watch, lock, Box::pin(self.batch(cursor, end, size, check, how))).await;
        self.watch = watch;
        found
    }

    /// Waits before what failed is tried again, or hands the error back where there is no point.
    async fn again(&mut self, error: BackfillError, mut seen: Seen) -> Result<Reached, BackfillError> {
        let again = self.retry.after(error, &mut seen)?;
        let pause = again.pause;
        (self.job.tell)(Told::Again(again));
        Ok(self.wait(pause).await)
    }

    /// The end of the next rows behind the cursor, how many they are, and what is asked of the backfill. `None` at the end
    /// of the range.
    async fn window(
        &self,
        cursor: Option<&Key>,
        until: Option<&Key>,
        size: i64,
    ) -> Result<Option<(Key, i64, Option<String>)>, BackfillError> {
        let sql = self.statements.window(cursor.is_some(), until.is_some());
        let mut params = Vec::new();
        push_key(&mut params, cursor);
        push_key(&mut params, until);
        params.push((&size, Type::INT8));
        let (begun, rows, ended) = tokio::join!(
            biased;
            self.begin("READ ONLY"),
            self.client.query_typed_opt(&sql, &params),
            self.client.batch_execute("COMMIT"),
        );
        let failed = |error| BackfillError::database(&self.target.table, "look for its next rows")(error);
        begun.map_err(failed)?;
        let row = rows.map_err(failed)?;
        ended.map_err(failed)?;
        Ok(row.map(|row| (row.get(0), row.get(1), row.get(2))))
    }

    /// What is asked of the backfill.
    async fn asked(&self) -> Result<Option<String>, BackfillError> {
        let row = self.client.query_typed_opt(&self.statements.asked(), &[]).await;
        let row = row.map_err(BackfillError::database(&self.target.table, "ask the ledger whether to go on"))?;
        Ok(row.and_then(|row| row.get(0)))
    }

    /// Does what is asked: waits while that is a pause.
    async fn obey(&self, mut asked: Option<String>) -> Result<Reached, BackfillError> {
        let mut paused = false;
        loop {
            match asked.as_deref() {
                Some("cancel") => return Err(BackfillError::Cancelled),
                Some(_) => {
                    // Of several workers one tells.
                    if !paused && !self.share.paused.swap(true, Ordering::Relaxed) {
                        self.note("backfill paused").await?;
                        (self.job.tell)(Told::Paused);
                    }
                    paused = true;
                }
                None => {
                    if paused && self.share.paused.swap(false, Ordering::Relaxed) {
                        self.note("backfill resumed").await?;
                        (self.job.tell)(Told::Resumed);
                    }
                    return Ok(Reached::End);
                }
            }
            stop_if!(self.wait(ASK_EVERY).await);
            asked = self.asked().await?;
        }
    }

    async fn note(&self, event: &str) -> Result<(), BackfillError> {
        let noted = self.client.batch_execute(&(self.job.event)(event)).await;
        noted.map_err(BackfillError::database(&self.target.table, "add an event to the ledger"))
    }

    /// Waits while it should: for standbys and the archiver, for a vacuum, for its operator.
    async fn make_way(&mut self, progress: BackfillProgress, took: Duration) -> Result<Reached, BackfillError> {
        let pace = self.job.pace;
        let began = Instant::now();
        let mut told: Option<Instant> = None;
        loop {
            if let Some(time) = pace.throttle.as_ref().and_then(|ask| ask(&progress)) {
                stop_if!(self.wait(time).await);
                let asked = self.asked().await?;
                stop_if!(self.obey(asked).await?);
                continue;
            }
            if !self.throttle.is_due(pace.look_every) {
                break;
            }
            let first = self.throttle.is_first();
            let found = self.throttle.look(self.client, &self.target.table, self.target.oid, pace).await?;
            if first {
                found.hidden.iter().for_each(|what| (self.job.tell)(Told::Hidden(what)));
            }
            if !found.vacuum {
                self.share.slowed.store(false, Ordering::Relaxed);
            }
            let Some(why) = found.hold else { break };
            if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                (self.job.tell)(Told::Held { why: &why, waited: began.elapsed() });
                told = Some(Instant::now());
            }
            stop_if!(self.wait(pace.look_every).await);
            let asked = self.asked().await?;
            stop_if!(self.obey(asked).await?);
        }
        if !self.throttle.vacuum {
            return Ok(Reached::End);
        }
        // Of several workers one tells.
        if !self.share.slowed.swap(true, Ordering::Relaxed) {
            (self.job.tell)(Told::Slowed("a vacuum cleans the table"));
        }
        // Half as fast: as long a rest as a batch takes.
        Ok(self.wait(took).await)
    }

    /// Waits, unless it is asked to stop meanwhile.
    async fn wait(&self, time: Duration) -> Reached {
        let until = Instant::now() + time;
        loop {
            if self.is_stopped() {
                return Reached::Stopped;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Reached::End;
            }
            tokio::time::sleep(left.min(GLANCE)).await;
        }
    }

    fn is_stopped(&self) -> bool {
        (self.job.stop)() || self.share.is_abandoned()
    }

    pub(super) fn table(&self) -> String {
        self.target.table.clone()
    }

    pub(super) fn filter(&self) -> String {
        self.job.backfill.filter().to_owned()
    }
}

//! Statements that cannot run in a transaction: recorded, sent by themselves, recorded; and what an interrupted one
//! left is looked at before it is sent again.

use crate::apply::statement_error;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::lease::Lease;
use crate::ledger::{StepRow, StepState, normalised};
use crate::online::{Attempts, Place, milliseconds};
use crate::pipeline::{self, Statement};
use crate::recover::{self, First, GoOn, Mended, Outcome, Remedy, Seen, TakeBack};
use crate::remains::{copies, drop_concurrently, drop_sql, finalize, see};
use crate::under_way::{Target, UnderWay};
use crate::work::Work;
use migrate_core::model::{Concurrent, ConcurrentAction, LockClass, Meta, StepKind, Work as WorkClass};
use migrate_core::plan::State;

/// A statement that cannot run in a transaction, up or down.
pub(crate) struct Alone<'a> {
    pub(crate) meta: &'static Meta,
    /// Counted from 0.
    pub(crate) step: usize,
    /// Which statement of the step's down it is, counted from 0; `None` for the up.
    pub(crate) down: Option<usize>,
    pub(crate) sql: &'a str,
    pub(crate) lock: LockClass,
    pub(crate) work: WorkClass,
    pub(crate) concurrent: Option<&'a Concurrent>,
    /// What the ledger holds of it where an earlier run began it.
    pub(crate) begun: Option<UnderWay>,
    /// The state that its migration is in.
    pub(crate) state: State,
}

impl Alone<'_> {
    fn at(&self, error: Error) -> Error {
        error.at(self.meta).at_step(self.step + 1, self.down.is_some())
    }

    fn place(&self) -> Place {
        Place { version: self.meta.version(), step: self.step + 1 }
    }

    /// What is sent for it: its own statement, or another that finishes it.
    fn sent<'a>(&self, sql: &'a str) -> Statement<'a> {
        let Self { lock, work, step, down, .. } = *self;
        let (limit, down) = (LockClass::AccessExclusive, down.is_some());
        Statement { sql, lock, work, limit, relations: &[], step: step + 1, down, empty: None }
    }
}

impl Work {
    /// Runs the up of a step, or finishes what an earlier run began of it.
    pub(crate) async fn step_alone(
        &self,
        lease: &Lease,
        meta: &'static Meta,
        index: usize,
        begun: Option<UnderWay>,
        state: State,
    ) -> Result<u64> {
        let statement = Alone { begun, ..up(meta, index, state) };
        self.run_alone(lease, &statement).await?;
        self.record(lease, &[self.ledger.step(meta.version(), index + 1, StepState::Done, statement.sql)]).await?;
        Ok(0)
    }

    /// Runs it, or finishes what an earlier run began of it.
    pub(crate) async fn run_alone(&self, lease: &Lease, statement: &Alone<'_>) -> Result<()> {
        let target = statement.concurrent.map(Target::from);
        let (mut sql, was_there, mut finalizes) = match self.next(lease, statement).await? {
            Sent::Nothing => return Ok(()),
            Sent::Statement { was_there } => (statement.sql.to_owned(), was_there, false),
            Sent::Finalize(sql) => (sql, false, true),
        };
        if let Some(target) = &target {
            self.wait_before(lease, statement.place(), target).await.map_err(|error| statement.at(error))?;
        }
        let under_way = self.record_under_way(lease, statement, was_there).await?;
        let mut attempts = Attempts::new(self, lease, statement.meta);
        let result = loop {
            // CONCURRENTLY waits by design, for transactions and not only for locks: a timeout would leave an INVALID index
            // behind each time. What it waits with blocks nobody. To finalize a detach leaves nothing that was not there.
            let waits = !finalizes && (target.is_some() || mentions_concurrently(&sql));
            let limits = attempts.limits();
            let (lock, work) = if waits { Default::default() } else { (limits.lock, limits.statement(statement.work)) };
            let set =
                format!("SET lock_timeout = {}; SET statement_timeout = {}", milliseconds(lock), milliseconds(work));
            let parts = [set.as_str(), &sql, "SET lock_timeout = 0; SET statement_timeout = 0"];
            let sending = pipeline::send(lease.client(), &parts);
            let mut answers = {
                let _busy = lease.busy();
                if waits {
                    self.watch_concurrent(lease, statement.place(), sending).await
                } else {
                    attempts.watched(sending, false).await
                }
            };
            let Err(error) = answers.swap_remove(1) else {
                break self.built(lease, statement).await.map_err(|error| (error, Left::Something));
            };
            let left = self.clean_up(lease, statement, &under_way).await;
            // What is there is not known: IF NOT EXISTS would pass over an INVALID index, and call that a success.
            if left == Left::Something {
                break Err((statement.at(statement_error(&statement.sent(&sql), error)), left));
            }
            let failed = pipeline::Failed::of_work(0, error);
            // Cut off halfway, by somebody who is tired of it, it is finished: writes maintain an INVALID index, and inserts
            // into a partition that is being detached fail.
            let half = matches!(left, Left::Detach | Left::Drop) && failed.sqlstate() == Some("57014");
            let mut again = attempts.after(failed, &[statement.sent(&sql)], "", half).await;
            if let (Ok(()), Some(target)) = (&again, &target) {
                again = self.wait_before(lease, statement.place(), target).await;
            }
            if let Err(error) = again {
                break Err((statement.at(error), left));
            }
            if let (Left::Detach, Some(target)) = (left, &target) {
                sql = finalize(target);
                finalizes = true;
            }
        };
        attempts.close().await;
        let Err((error, left)) = result else { return Ok(()) };
        if left == Left::Nothing {
            self.record(lease, &[self.ledger.settled(statement.meta.version(), statement.step + 1)]).await?;
        }
        Err(error)
    }

    /// The server calls it a success, too, to have passed over an index that is there.
    async fn built(&self, lease: &Lease, statement: &Alone<'_>) -> Result<()> {
        let builds = statement.concurrent.filter(|concurrent| concurrent.action == ConcurrentAction::Create);
        let Some(concurrent) = builds.filter(|_| has_if_not_exists(statement.sql)) else { return Ok(()) };
        match see(lease, &concurrent.into()).await? {
            (Seen::Whole, _) => Ok(()),
            (_, found) => Err(self.refused(
                statement,
                "the server passed over the build, for something of this name that is no valid index of the table",
                found.as_deref(),
            )),
        }
    }

    /// Before it is sent: from here on the ledger says that the statement may have been.
    async fn record_under_way(&self, lease: &Lease, statement: &Alone<'_>, was_there: bool) -> Result<UnderWay> {
        let version = statement.meta.version();
        let mut under_way = UnderWay::new(statement.sql, statement.concurrent, was_there);
        if let Some(target) = under_way.target.as_ref().filter(|target| rebuilds(target.action)) {
            // What this one left of an earlier attempt has been removed.
            under_way.beside = copies(lease, target).await?.into_iter().map(|copy| copy.oid).collect();
        }
        let given = [self.ledger.is_in_state(version, statement.state)];
        let before = [match statement.down {
            None => self.ledger.step_under_way(version, statement.step + 1, statement.sql, &under_way),
            Some(at) => self.ledger.step_undoing(version, statement.step + 1, at, Some(&under_way)),
        }];
        pipeline::Transaction { lease, given: &given, before: &before, work: &[] }
            .send(&self.options.limits, &[], false, |_| Vec::new())
            .await
            .map_err(pipeline::around)?;
        Ok(under_way)
    }

    async fn next(&self, lease: &Lease, statement: &Alone<'_>) -> Result<Sent> {
        // A build that found its index there was not its builder: it begins afresh.
        let Some(begun) = statement.begun.as_ref().filter(|begun| !begun.was_there) else {
            return self.begin(lease, statement).await;
        };
        let (outcome, found) = outcome(lease, begun).await?;
        Ok(match recover::go_on(outcome) {
            GoOn::Send => Sent::Statement { was_there: false },
            GoOn::RemedyAndSend(remedy) => {
                self.remedy(lease, statement, begun, remedy).await?;
                Sent::Statement { was_there: false }
            }
            GoOn::Finalize => {
                let target = begun.target.as_ref().expect("only a detach is finalized");
                self.recovered(statement, "finalizes the interrupted detach".to_owned());
                Sent::Finalize(finalize(target))
            }
            GoOn::Record => {
                self.recovered(statement, format!("the end of it was not recorded, and it was done: {}", begun.sql));
                Sent::Nothing
            }
            GoOn::Refuse(why) => return Err(self.refused(statement, why, found.as_deref())),
        })
    }

    /// Looks at what a build would find before it is recorded as begun.
    async fn begin(&self, lease: &Lease, statement: &Alone<'_>) -> Result<Sent> {
        let builds = statement.concurrent.filter(|concurrent| concurrent.action == ConcurrentAction::Create);
        let Some(concurrent) = builds else { return Ok(Sent::Statement { was_there: false }) };
        let (seen, found) = see(lease, &concurrent.into()).await?;
        match recover::first(has_if_not_exists(statement.sql), seen) {
            First::Send => Ok(Sent::Statement { was_there: false }),
            First::SendAsItIs => Ok(Sent::Statement { was_there: true }),
            First::Refuse(why) => Err(self.refused(statement, why, found.as_deref())),
        }
    }

    /// Removes what half of a statement left.
    async fn remedy(&self, lease: &Lease, statement: &Alone<'_>, begun: &UnderWay, remedy: Remedy) -> Result<()> {
        let Some(target) = &begun.target else { return Ok(()) };
        match remedy {
            Remedy::Remove => {
                if let Some(name) = see(lease, target).await?.1 {
                    self.remove(lease, statement, begun, &name).await?;
                }
            }
            Remedy::Sweep => {
                for copy in copies(lease, target).await?.iter().filter(|copy| !begun.beside.contains(&copy.oid)) {
                    match self.remove(lease, statement, begun, &copy.name).await {
                        Err(error) if copy.toast && error.sqlstate() == Some("42501") => self.recovered(
                            statement,
                            format!("{} is left, and only a superuser can drop it: {}", copy.name, begun.sql),
                        ),
                        // Whoever was building it meanwhile has ended.
                        Err(error) if error.sqlstate() == Some("42704") => {}
                        removed => removed?,
                    }
                }
            }
            Remedy::Finish | Remedy::Finalize => {}
        }
        Ok(())
    }

    async fn remove(&self, lease: &Lease, statement: &Alone<'_>, begun: &UnderWay, name: &str) -> Result<()> {
        // Without a bound it would wait for whoever uses the table. Once a stop is asked for, it is short or cut off.
        let bounded = begun.target.as_ref().filter(|target| target.action != ConcurrentAction::ReindexTable);
        if let Some(target) = bounded.filter(|_| !self.stop.is_asked()) {
            let target = Target { action: ConcurrentAction::Drop, ..target.clone() };
            self.wait_before(lease, statement.place(), &target).await.map_err(|error| statement.at(error))?;
        }
        let _busy = (!self.stop.is_cancelled()).then(|| lease.busy());
        let dropping = drop_concurrently(lease, name);
        self.watch_concurrent(lease, statement.place(), dropping).await.map_err(|error| {
            let sql = drop_sql(name);
            let sent = Statement { lock: LockClass::ShareUpdateExclusive, ..statement.sent(&sql) };
            statement.at(statement_error(&sent, error))
        })?;
        self.recovered(statement, format!("dropped {name}, which this had left: {}", begun.sql));
        Ok(())
    }

    /// Whether a step whose text was mended since it was begun can be run: nothing that only the old text explains may be
    /// left, and what can be removed of it is. Says what the new text then goes on from.
    pub(crate) async fn settle_mended(
        &self,
        lease: &Lease,
        meta: &'static Meta,
        index: usize,
        begun: &UnderWay,
    ) -> Result<Settled> {
        if begun.was_there {
            return Ok(Settled::Afresh);
        }
        let step = &meta.steps()[index];
        let (outcome, _) = outcome(lease, begun).await?;
        let same = step.concurrent().map(Target::from) == begun.target;
        match recover::mended(begun.target.as_ref().map(|target| target.action), same, outcome) {
            Mended::Begin => Ok(Settled::Afresh),
            Mended::RemedyAndBegin(remedy) => {
                let statement = up(meta, index, State::Applying);
                self.remedy(lease, &statement, begun, remedy).await?;
                Ok(Settled::Afresh)
            }
            Mended::GoOn => Ok(Settled::GoesOn(begun.clone())),
            Mended::Refuse => Ok(Settled::Refused),
        }
    }

    /// Whether the up of a step stands, so that its down is to be run: half of an up is finished or removed first.
    pub(crate) async fn stands(&self, lease: &Lease, meta: &'static Meta, index: usize, row: &StepRow) -> Result<bool> {
        if row.state != StepState::Started {
            return Ok(true);
        }
        if matches!(meta.steps()[index].kind(), StepKind::Backfill(_)) {
            return Ok(row.rows > 0);
        }
        let statement = up(meta, index, State::Undoing);
        let Some(begun) = row.begun(&row.up, statement.concurrent) else { return Ok(false) };
        if begun.was_there {
            return Ok(false);
        }
        let (outcome, found) = outcome(lease, &begun).await?;
        match recover::take_back(outcome) {
            TakeBack::Nothing => Ok(false),
            TakeBack::Remedy(remedy) => {
                self.remedy(lease, &statement, &begun, remedy).await?;
                Ok(false)
            }
            TakeBack::Downs => Ok(true),
            TakeBack::FinishAndDowns => {
                self.step_alone(lease, meta, index, Some(begun), State::Undoing).await?;
                Ok(true)
            }
            TakeBack::Refuse(why) => Err(self.refused(&statement, why, found.as_deref())),
        }
    }

    /// After a failure, while the session is there: an index that this step was building must not stay INVALID, since
    /// every write maintains it. What cannot be cleaned up now is found by the next run.
    async fn clean_up(&self, lease: &Lease, statement: &Alone<'_>, under_way: &UnderWay) -> Left {
        // The task of the connection may not have seen its end yet; then asking fails.
        if lease.client().batch_execute("").await.is_err() {
            return Left::Something;
        }
        if under_way.target.is_none() || under_way.was_there {
            return Left::Nothing;
        }
        // To drop an index waits for whoever uses its table. Who asks for an end now is not made to wait for that: the next
        // run finds what is left.
        let hurried = self.stop.is_cancelled();
        let busy = (!hurried).then(|| lease.busy());
        let limit = if hurried { "SET statement_timeout = '2s'" } else { "SET statement_timeout = 0" };
        if lease.client().batch_execute(limit).await.is_err() {
            return Left::Something;
        }
        let cleaned = self.clean_up_after(lease, statement, under_way).await;
        drop(busy);
        if let Err(error) = lease.client().batch_execute("SET statement_timeout = 0").await {
            tracing::debug!(target: "migrate", %error, "the session is gone");
        }
        match cleaned {
            Ok(left) => left,
            Err(error) => {
                let error = error.without_row_values();
                tracing::warn!(target: "migrate", error, "what a failed statement left could not be cleaned up");
                Left::Something
            }
        }
    }

    async fn clean_up_after(&self, lease: &Lease, statement: &Alone<'_>, under_way: &UnderWay) -> Result<Left> {
        Ok(match outcome(lease, under_way).await?.0 {
            Outcome::Half(remedy @ (Remedy::Remove | Remedy::Sweep)) => {
                self.remedy(lease, statement, under_way, remedy).await?;
                Left::Nothing
            }
            Outcome::Half(Remedy::Finalize) => Left::Detach,
            Outcome::Half(Remedy::Finish) => Left::Drop,
            // The server answered with an error: nothing of it was done, and that an index is not seen here does not say
            // that this dropped it.
            _ => Left::Nothing,
        })
    }

    fn recovered(&self, statement: &Alone<'_>, what: String) {
        let (version, step) = (statement.meta.version(), statement.step + 1);
        tracing::warn!(target: "migrate", %version, step, what, "recovered");
        self.tell(&Event::Recovered { version, step, what });
    }

    fn refused(&self, statement: &Alone<'_>, why: &str, found: Option<&str>) -> Error {
        let error = statement.at(Error::new(ErrorKind::Recovery, why)).statement(statement.sql);
        match (found, statement.concurrent) {
            (Some(name), _) => error.help(format!("See whose it is; if nobody's: {}. Then run again.", drop_sql(name))),
            (None, Some(_)) => error.help("See what is there, rename or remove it, and run again."),
            (None, None) => {
                let steps = self.ledger.steps_table();
                let row = format!("version = {} AND step = {}", statement.meta.version(), statement.step + 1);
                let (had, had_none) = match statement.down {
                    None => (
                        format!("UPDATE {steps} SET state = 'done', under_way = false WHERE {row}"),
                        format!("DELETE FROM {steps} WHERE {row}"),
                    ),
                    // What the rest of the down takes back still stands: the row stays.
                    Some(at) => (
                        format!("UPDATE {steps} SET down_at = {}, under_way = false WHERE {row}", at + 1),
                        format!("UPDATE {steps} SET under_way = false WHERE {row}"),
                    ),
                };
                error.help(format!(
                    "See whether the statement had its effect. If so: {had}. If not: {had_none}. Then run again."
                ))
            }
        }
    }
}

/// What a failed statement left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// A partition whose detach is pending: inserts into it fail.
    Detach,
    /// An index that was half dropped: it is INVALID, and the way on is the only one.
    Drop,
    Something,
}

/// What a mended text begins from.
pub(crate) enum Settled {
    /// From nothing.
    Afresh,
    /// From where the old text was.
    GoesOn(UnderWay),
    /// It cannot: what is left only the old text explains.
    Refused,
}

enum Sent {
    Statement {
        /// The index that it builds IF NOT EXISTS does exist.
        was_there: bool,
    },
    Finalize(String),
    Nothing,
}

fn up(meta: &'static Meta, index: usize, state: State) -> Alone<'static> {
    let step = &meta.steps()[index];
    let (sql, lock, work, concurrent) = (step.up(), step.lock(), step.work(), step.concurrent());
    Alone { meta, step: index, down: None, sql, lock, work, concurrent, begun: None, state }
}

/// What became of a statement that was begun, and the name of what is there.
async fn outcome(lease: &Lease, begun: &UnderWay) -> Result<(Outcome, Option<String>)> {
    let Some(target) = &begun.target else { return Ok((recover::outcome_of_other(&begun.sql), None)) };
    let (seen, name) = see(lease, target).await?;
    Ok((recover::outcome(target.action, seen), name.filter(|_| seen != Seen::Gone)))
}

const fn rebuilds(action: ConcurrentAction) -> bool {
    matches!(action, ConcurrentAction::Reindex | ConcurrentAction::ReindexTable)
}

fn mentions_concurrently(sql: &str) -> bool {
    normalised(sql).split(' ').any(|word| word.eq_ignore_ascii_case("CONCURRENTLY"))
}

/// `CREATE [UNIQUE] INDEX CONCURRENTLY IF NOT EXISTS …`.
fn has_if_not_exists(sql: &str) -> bool {
    let sql = normalised(sql);
    let mut words = sql.split(' ').skip_while(|word| !word.eq_ignore_ascii_case("CONCURRENTLY")).skip(1);
    ["IF", "NOT", "EXISTS"].iter().all(|word| words.next().is_some_and(|found| found.eq_ignore_ascii_case(word)))
}

//! Looking on while a statement runs: who is in its way, and for how long it has waited. By a second connection, which is
//! there only while there is something to see: it is asked for when an answer has taken half as long as it may, and given
//! back when what was watched has ended. A pool of one is enough, since the runner's own session has left the pool.

use super::blocker::{self, Blocker, Span};
use super::policy;
use crate::connect::{Session, chain};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{ask, field, unreadable};
use crate::work::Work;
use migrate_core::model::{LockClass, Version};
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// How long a second connection may take to be had.
const CONNECTING: Duration = Duration::from_secs(5);

/// Looks on at one backend.
pub(crate) struct Watch<'a> {
    work: &'a Work,
    version: Version,
    pid: i32,
    session: Option<Session>,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Who was in the way when it was last looked.
    pub(crate) blockers: Vec<Blocker>,
    /// Why nobody could be seen.
    pub(crate) unseen: Option<String>,
    /// For how long it was cancelled for having waited, all its waits together.
    pub(crate) cancelled: Option<Duration>,
    /// The relation that was waited for, and the mode.
    pub(crate) wanted: Option<(u32, LockClass)>,
    /// `deadlock_timeout` of the server.
    pub(crate) deadlock_timeout: Option<Duration>,
}

/// How to look on at what waits under a lock timeout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// All waits together.
    pub(crate) lock: Duration,
    /// Nothing but waits takes long in it, so that the time that passed unseen counts as one.
    pub(crate) only_waits: bool,
}

/// One look at a backend that waits.
pub(super) struct Look {
    pub(super) blockers: Vec<Blocker>,
    /// For how long it has waited for this lock.
    waited: Duration,
    wanted: Option<(u32, LockClass)>,
    deadlock_timeout: Duration,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(work: &'a Work, version: Version, pid: i32) -> Self {
        Self { work, version, pid, session: None }
    }

    /// Waits for `sent`, and looks who is in its way if it takes long; cancels it where its waits together exceed the
    /// bound.
    pub(crate) async fn over<T>(&mut self, sent: impl Future<Output = T>, bound: Bound) -> (T, Seen) {
        let mut seen = Seen::default();
        if bound.lock.is_zero() {
            return (sent.await, seen);
        }
        let mut sent = pin!(sent);
        let before = bound.lock / 2;
        let pause = (bound.lock / 10).clamp(Duration::from_millis(20), Duration::from_millis(500));
        if let Some(done) = unless_done(&mut sent, before).await {
            return (done, seen);
        }
        if self.session.is_none() {
            seen.unseen = Some("there was no time to look".to_owned());
            let opened =
                tokio::select! { biased; done = &mut sent => return (done, seen), opened = open(self.work) => opened };
            match opened {
                Ok(session) => {
                    self.session = Some(session);
                    seen.unseen = None;
                }
                Err(why) => {
                    seen.unseen = Some(why);
                    return (sent.await, seen);
                }
            }
        }
        let mut waited = if bound.only_waits { before } else { Duration::ZERO };
        let mut last_look = Instant::now();
        loop {
            let Some(session) = &self.session else { return (sent.await, seen) };
            let look = tokio::select! { biased; done = &mut sent => return (done, seen), look = look(session.client(), self.pid) => look };
            match look {
                Ok(None) => {}
                Ok(Some(look)) => {
                    waited += look.waited.min(last_look.elapsed());
                    if seen.blockers.is_empty() {
                        tracing::info!(
                            target: "migrate", version = %self.version, waited = ?look.waited,
                            blockers = ?look.blockers.iter().map(ToString::to_string).collect::<Vec<_>>(), "waiting for a lock"
                        );
                    }
                    seen.blockers = look.blockers;
                    seen.wanted = look.wanted.or(seen.wanted);
                    seen.deadlock_timeout = Some(look.deadlock_timeout);
                    // Neither is dropped halfway: what was sent must not arrive at what comes next.
                    policy::apply(self.work, self.version, session.client(), &seen.blockers).await;
                    // What has waited for this lock alone is ended by the server's own timeout.
                    let together = look.waited + bound.lock / 10 < waited;
                    if together && waited >= bound.lock && cancel_waiting(session.client(), self.pid).await {
                        seen.cancelled = Some(waited);
                        return (sent.await, seen);
                    }
                }
                Err(error) => {
                    seen.unseen = Some(chain(&error));
                    self.session = None;
                    continue;
                }
            }
            last_look = Instant::now();
            if let Some(done) = unless_done(&mut sent, pause).await {
                return (done, seen);
            }
        }
    }

    pub(crate) async fn close(self) {
        if let Some(session) = self.session {
            session.close().await;
        }
    }
}

/// The end of `sent`, unless it takes longer.
pub(super) async fn unless_done<F: Future>(sent: &mut Pin<&mut F>, time: Duration) -> Option<F::Output> {
    tokio::select! { biased; done = sent => Some(done), () = tokio::time::sleep(time) => None }
}

pub(super) async fn open(work: &Work) -> Result<Session, String> {
    match tokio::time::timeout(CONNECTING, work.source.session()).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) => Err(format!("no second connection to look with: {}", chain(&error))),
        Err(_) => Err(format!("no second connection to look with within {}", Span(CONNECTING))),
    }
}

/// Whom the backend waits for, if it does.
pub(super) async fn look(client: &Client, pid: i32) -> Result<Option<Look>> {
    let sql = format!(
        "WITH {locks}, w AS MATERIALIZED (SELECT * FROM locks WHERE pid = {pid} AND NOT granted LIMIT 1), \
         same AS MATERIALIZED (SELECT h.* FROM locks h, w WHERE h.locktype = w.locktype AND h.database IS NOT DISTINCT FROM w.database \
           AND h.relation IS NOT DISTINCT FROM w.relation AND h.transactionid IS NOT DISTINCT FROM w.transactionid \
           AND h.virtualxid IS NOT DISTINCT FROM w.virtualxid AND h.classid IS NOT DISTINCT FROM w.classid \
           AND h.objid IS NOT DISTINCT FROM w.objid AND h.page IS NOT DISTINCT FROM w.page AND h.tuple IS NOT DISTINCT FROM w.tuple), \
         b AS MATERIALIZED (SELECT DISTINCT u.pid FROM w, pg_catalog.unnest(pg_catalog.pg_blocking_pids({pid})) AS u(pid)), \
         p AS MATERIALIZED ({prepared}) \
         SELECT w.relation AS wanted, w.mode, (1000 * extract(epoch FROM pg_catalog.clock_timestamp() - w.waitstart))::bigint AS waited, \
         (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout') AS deadlock_timeout, \
         (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
           ON n.oid = c.relnamespace WHERE c.oid = w.relation) AS relation, \
         (SELECT pg_catalog.string_agg(h.mode, ' ') FROM same h WHERE h.granted AND CASE WHEN b.pid = 0 THEN h.virtualtransaction = \
           p.virtualtransaction AND h.pid IS NULL ELSE h.pid = b.pid END) AS holds, {columns} \
         FROM w LEFT JOIN b ON true {who} \
         LEFT JOIN LATERAL (SELECT DISTINCT p.gid, p.owner, p.age, p.virtualtransaction FROM p, w WHERE p.locktype = w.locktype AND p.database IS NOT DISTINCT \
           FROM w.database AND p.relation IS NOT DISTINCT FROM w.relation AND p.transactionid IS NOT DISTINCT FROM w.transactionid) p \
           ON b.pid = 0",
        locks = blocker::LOCKS,
        prepared = blocker::PREPARED,
        columns = blocker::columns(),
        who = blocker::WHO,
    );
    let found = ask(client, &sql).await.map_err(looking)?;
    let Some(first) = found.first() else { return Ok(None) };
    let wanted = match (first.get("wanted"), first.get("mode").and_then(blocker::mode)) {
        (Some(oid), Some(mode)) => Some((oid.parse().map_err(unreadable)?, mode)),
        _ => None,
    };
    let milliseconds = |text: &str| text.parse::<i64>().map(|time| Duration::from_millis(time.max(0).unsigned_abs()));
    // It is set a moment after the wait begins (lock.c, `waitStart`), and is NULL until then.
    let waited = first.get("waited").map_or(Ok(Duration::ZERO), milliseconds).map_err(unreadable)?;
    let deadlock_timeout = milliseconds(field(first, "deadlock_timeout")?).map_err(unreadable)?;
    let mut blockers = Vec::new();
    for row in &found {
        blockers.extend(blocker::read(row)?);
    }
    Ok(Some(Look { blockers, waited, wanted, deadlock_timeout }))
}

/// Cancels what the backend does, if it waits for a lock. Says whether it did.
async fn cancel_waiting(client: &Client, pid: i32) -> bool {
    let sql = format!(
        "SELECT pg_catalog.pg_cancel_backend({pid}) AS cancelled WHERE EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = {pid} \
         AND NOT l.granted)"
    );
    match ask(client, &sql).await {
        Ok(found) => found.first().is_some_and(|row| row.get("cancelled") == Some("t")),
        Err(error) => {
            tracing::warn!(target: "migrate", %error, "a statement that waits for too long could not be cancelled");
            false
        }
    }
}

pub(super) fn looking(error: tokio_postgres::Error) -> Error {
    Error::db(ErrorKind::Session, "who is in the way could not be looked at", error)
}

//! The lease: one runner at a time. A session-level advisory lock, held by the very session that runs the DDL, so that
//! losing one loses both. It is polled, never waited for in the server: a waiting statement is a snapshot, and CREATE INDEX
//! CONCURRENTLY in the other runner would wait for it while it waits for the lock.

use crate::cancel::{Busy, Canceller};
use crate::connect::{Session, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::handle::Stop;
use crate::ledger::{ask, field, rows};
use crate::online::jittered;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;
use tokio_postgres::{Client, NoTls};

/// The first half of the lock's key: "migr" in ASCII.
pub(crate) const CLASS: i32 = 0x6d69_6772;
/// The first half of the key of a second, shared lock, whose other half is the time at which the lease was taken: what
/// `pg_locks` tells of a lock has no time in it.
const SINCE_CLASS: i32 = 0x6d69_6773;
/// That time is counted from here, 2024-01-01 UTC, so that it fits for long.
const SINCE_EPOCH: i64 = 1_704_067_200;

/// Who holds the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process id of its backend.
    pub pid: i32,
    /// The user it logged in as; `None` where this role may not see it.
    pub user: Option<String>,
    /// Its `application_name`.
    pub application: Option<String>,
    /// Its address; `None` for a local socket.
    pub address: Option<String>,
    /// When it took the lease.
    pub since: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let application = self.application.as_deref().filter(|name| !name.is_empty());
        write!(f, "{} (backend {}", application.unwrap_or("an unnamed application"), self.pid)?;
        if let Some(user) = &self.user {
            write!(f, ", user {user}")?;
        }
        if let Some(address) = &self.address {
            write!(f, ", from {address}")?;
        }
        f.write_str(")")?;
        match &self.since {
            Some(since) => write!(f, " since {since}"),
            None => Ok(()),
        }
    }
}

/// How long a second connection may take that only looks for a proxy: in session mode, a pool may have none to give.
const SECOND: Duration = Duration::from_secs(2);

/// What the lease is taken with.
pub(crate) struct Terms<'a> {
    /// The schema of the ledger that it is for.
    pub(crate) ledger: &'a str,
    pub(crate) wait: Duration,
    pub(crate) stop: &'a Stop,
    pub(crate) tell: &'a (dyn Fn(Event) + Send + Sync),
    /// Where a second connection comes from.
    pub(crate) source: &'a Source,
}

/// A session that holds the lease.
pub(crate) struct Lease {
    session: Session,
    object: i32,
    pid: i32,
    busy: Arc<AtomicBool>,
    canceller: Option<Canceller>,
}

impl Lease {
    /// Takes the lease with a session that is ours, or waits for it.
    pub(crate) async fn take(session: Session, terms: &Terms<'_>) -> Result<Self> {
        let object = object(terms.ledger);
        let begun = Instant::now();
        let mut told: Option<Instant> = None;
        let mut pause = Duration::from_millis(50);
        // Two looks before anything is locked: a lock that a proxy's session keeps would be in everybody's way.
        let mut pids = vec![backend(session.client()).await?, backend(session.client()).await?];
        same_backend(&pids)?;
        loop {
            let (pid, taken) = attempt(session.client(), object).await?;
            pids.push(pid);
            if taken {
                break;
            }
            same_backend(&pids)?;
            let waited = begun.elapsed();
            if waited >= terms.wait || told.is_none_or(|told| told.elapsed() >= Duration::from_secs(5)) {
                let holder = holder(session.client(), object).await?;
                if waited >= terms.wait {
                    let text = match &holder {
                        Some(holder) => format!("another runner holds the lease: held by {holder}"),
                        None => "another runner held the lease whenever it was tried".to_owned(),
                    };
                    return Err(Error::new(ErrorKind::Lease, format!("{text}. Waited {} s", waited.as_secs()))
                        .help("Wait for it to end and run again, or allow a longer wait by `lease_wait`."));
                }
                tracing::info!(target: "migrate", ?holder, ?waited, "waiting for the lease");
                (terms.tell)(Event::LeaseWaiting { holder, waited });
                told = Some(Instant::now());
            }
            terms.stop.sleep(jittered(pause)).await;
            terms.stop.check()?;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
        let pid = *pids.last().expect("the loop pushed one");
        let lease = Self { session, object, pid, busy: Arc::default(), canceller: None };
        // A session lock that the next trip does not find was taken in somebody else's session.
        let (found, held, standby) = lease.probe().await?;
        if standby {
            lease.release().await;
            return Err(Error::new(ErrorKind::Session, "the server is a standby, which takes no writes").help(
                "Connect the runner to the primary: with several hosts, `target_session_attrs=read-write` finds it.",
            ));
        }
        pids.push(found);
        let pooled = match same_backend(&pids) {
            Err(error) => Some(error),
            Ok(()) if !held => Some(proxy("the lease was gone in the next round trip")),
            Ok(()) if Box::pin(lease.is_shared(terms.source)).await => {
                Some(proxy(&format!("another connection was given backend {pid}, which holds the lease")))
            }
            Ok(()) => None,
        };
        if let Some(error) = pooled {
            lease.give_back_to_proxy().await;
            lease.session.close().await;
            return Err(error);
        }
        (terms.tell)(Event::LeaseTaken { waited: begun.elapsed() });
        Ok(lease)
    }

    pub(crate) fn client(&self) -> &Client {
        self.session.client()
    }

    /// The process id of its backend.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Has what is in flight cancelled when that is asked for.
    pub(crate) fn cancel_when_asked(&mut self, source: &Source, stop: &Stop) {
        let holds = format!("{} AND l.pid = {}", is_lease(self.object), self.pid);
        self.canceller = Some(Canceller::watch(source.clone(), stop.clone(), holds, self.busy.clone()));
    }

    /// What is sent while this is there may be cancelled.
    pub(crate) fn busy(&self) -> Busy<'_> {
        Busy::new(&self.busy)
    }

    /// An SQL condition: this is the session of the lease, and it holds it.
    pub(crate) fn holds(&self) -> String {
        format!("pg_catalog.pg_backend_pid() = {} AND {}", self.pid, held_here(self.object))
    }

    /// Which backend answers, whether it holds the lease, and whether its server is a standby.
    async fn probe(&self) -> Result<(i32, bool, bool)> {
        let sql = format!(
            "SELECT pg_catalog.pg_backend_pid() AS pid, {} AS held, pg_catalog.pg_is_in_recovery() AS standby",
            held_here(self.object)
        );
        let found = ask(self.client(), &sql).await.map_err(failed)?;
        let row = found.first().ok_or_else(|| proxy("a SELECT had no answer"))?;
        let pid = field(row, "pid")?.parse().map_err(crate::ledger::unreadable)?;
        Ok((pid, row.get("held") == Some("t"), row.get("standby") == Some("t")))
    }

    /// Whether a proxy gives the backend of the lease to others while this session has nothing under way: where nobody else
    /// uses its pool, nothing else tells. A server names its own backend when a connection begins, and a proxy makes that
    /// up: so a second connection is only made where there is a proxy.
    async fn is_shared(&self, source: &Source) -> bool {
        if announced(self.client()).await == Some(self.pid) {
            return false;
        }
        let second = async {
            let session = source.session().await?;
            let pid = backend(session.client()).await;
            session.close().await;
            pid
        };
        match tokio::time::timeout(SECOND, second).await {
            Ok(Ok(pid)) => pid == self.pid,
            Ok(Err(error)) => {
                tracing::debug!(target: "migrate", %error, "no second connection to look for a proxy with");
                false
            }
            Err(_) => false,
        }
    }

    /// Unlocks where this is the session that has the lock; NULL in any other.
    fn unlock(&self) -> String {
        format!(
            "SELECT CASE WHEN pg_catalog.pg_backend_pid() = {} THEN pg_catalog.pg_advisory_unlock_all() IS NULL END AS found",
            self.pid
        )
    }

    /// Unlocks in the session that has the lock, if the proxy hands it out again.
    async fn give_back_to_proxy(&self) {
        let sql = self.unlock();
        for _ in 0..200 {
            match ask(self.client(), &sql).await {
                Ok(found) if found.first().and_then(|row| row.get(0)).is_none() => {}
                _ => return,
            }
        }
        tracing::warn!(target: "migrate", pid = self.pid, "the proxy keeps a session that holds the lease; end it");
    }

    /// Gives the lease up and closes the session. Says nothing if the session is gone: then the lease is, too.
    pub(crate) async fn release(mut self) {
        self.canceller = None;
        if !self.client().is_closed() {
            // In this order: a transaction that was left open by an error would keep its locks.
            let sql = format!("ROLLBACK; {}", self.unlock());
            match tokio::time::timeout(Duration::from_secs(5), self.client().simple_query(&sql))
                .await
                .map(|r| r.map(rows))
            {
                // A proxy that pools transactions answered from another session; this one's lives on in its pool.
                Ok(Ok(found)) if found.first().and_then(|row| row.get(0)).is_none() => self.give_back_to_proxy().await,
                Ok(Ok(_)) => {}
                _ => tracing::debug!(target: "migrate", "the lease ends with its session"),
            }
        }
        self.session.close().await;
    }
}

/// The backend that the server named when the connection began (`BackendKeyData`). It is read from the message that would
/// cancel what is in flight, which is written into memory here; `None` where that is not to be had.
async fn announced(client: &Client) -> Option<i32> {
    let (near, mut far) = tokio::io::duplex(64);
    let read = async move {
        // Length and code come first (manual, "Message Formats", `CancelRequest`). Where TLS is asked for first, `far` is
        // dropped here, and the other side ends.
        let (length, _code) = (far.read_u32().await.ok()?, far.read_u32().await.ok()?);
        if length == 16 { far.read_i32().await.ok() } else { None }
    };
    let token = client.cancel_token();
    let (_, pid) = tokio::join!(token.cancel_query_raw(near, NoTls), read);
    pid
}

fn held_here(object: i32) -> String {
    format!(
        "EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE {} AND l.pid = pg_catalog.pg_backend_pid())",
        is_lease(object)
    )
}

/// Of `pg_locks l`: it is the lock of a lease that somebody holds.
fn is_lease(object: i32) -> String {
    format!(
        "l.locktype = 'advisory' AND l.classid = {CLASS} AND l.objid = {object} AND l.objsubid = 2 AND l.granted AND \
         l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
    )
}

async fn backend(client: &Client) -> Result<i32> {
    let found = ask(client, "SELECT pg_catalog.pg_backend_pid() AS pid").await.map_err(failed)?;
    let row = found.first().ok_or_else(|| proxy("a SELECT had no answer"))?;
    field(row, "pid")?.parse().map_err(crate::ledger::unreadable)
}

async fn attempt(client: &Client, object: i32) -> Result<(i32, bool)> {
    let sql = format!(
        "SELECT pg_catalog.pg_backend_pid() AS pid, CASE WHEN pg_catalog.pg_try_advisory_lock({CLASS}, {object}) THEN \
         pg_catalog.pg_try_advisory_lock_shared({SINCE_CLASS}, \
         (extract(epoch FROM clock_timestamp())::bigint - {SINCE_EPOCH})::integer) ELSE false END AS taken"
    );
    let found = ask(client, &sql).await.map_err(failed)?;
    let row = found.first().ok_or_else(|| proxy("a SELECT had no answer"))?;
    Ok((field(row, "pid")?.parse().map_err(crate::ledger::unreadable)?, row.get("taken") == Some("t")))
}

async fn holder(client: &Client, object: i32) -> Result<Option<Holder>> {
    let sql = format!(
        "SELECT l.pid, a.usename, a.application_name, host(a.client_addr) AS address, \
         date_trunc('second', to_timestamp({SINCE_EPOCH} + s.objid::bigint))::text AS since \
         FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid) \
         LEFT JOIN pg_catalog.pg_locks s ON s.locktype = 'advisory' AND s.classid = {SINCE_CLASS} AND s.objsubid = 2 \
           AND s.pid = l.pid AND s.database = l.database \
         WHERE {}",
        is_lease(object)
    );
    let found = ask(client, &sql).await.map_err(failed)?;
    found
        .first()
        .map(|row| {
            Ok(Holder {
                pid: field(row, "pid")?.parse().map_err(crate::ledger::unreadable)?,
                user: row.get("usename").map(str::to_owned),
                application: row.get("application_name").map(str::to_owned),
                address: row.get("address").map(str::to_owned),
                since: row.get("since").map(str::to_owned),
            })
        })
        .transpose()
}

/// Who runs migrations with this ledger right now.
pub(crate) async fn current_holder(client: &Client, ledger: &str) -> Result<Option<Holder>> {
    holder(client, object(ledger)).await
}

/// The second half of the lock's key: two ledgers in one database have runners of their own.
fn object(ledger: &str) -> i32 {
    // FNV-1a, to 31 bits: it must not change from release to release.
    let hash = ledger.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    i32::try_from(hash >> 1).unwrap_or(0)
}

/// Refuses where consecutive round trips of one connection were answered by different backends.
fn same_backend(pids: &[i32]) -> Result<()> {
    match pids.windows(2).find(|pair| pair[0] != pair[1]) {
        None => Ok(()),
        Some(pair) => Err(proxy(&format!("two round trips were answered by backends {} and {}", pair[0], pair[1]))),
    }
}

fn proxy(seen: &str) -> Error {
    Error::new(
        ErrorKind::Proxy,
        format!("a proxy that pools transactions (PgBouncer with pool_mode = transaction, or the like) is in front of the server: {seen}"),
    )
    .help(
        "The lease is a lock of a session, and such a proxy has none. Connect the runner to the server itself, or to a \
         pool in session mode; the application may go on using the proxy.",
    )
}

fn failed(error: tokio_postgres::Error) -> Error {
    Error::db(ErrorKind::Lease, "the lease could not be asked for", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_ledger_never_changes() {
        assert_eq!(object("migrate"), 0x7466_f43f);
        assert_ne!(object("a"), object("b"));
    }

    #[test]
    fn another_backend_is_a_proxy() {
        assert!(same_backend(&[7, 7, 7]).is_ok());
        let error = same_backend(&[7, 7, 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Proxy);
        assert!(error.to_string().contains("backends 7 and 8"), "{error}");
    }

    #[test]
    fn a_holder_is_named() {
        let mut holder = Holder {
            pid: 7,
            user: Some("deploy".to_owned()),
            application: Some("shop".to_owned()),
            address: None,
            since: Some("2026-01-01 00:00:00+00".to_owned()),
        };
        assert_eq!(holder.to_string(), "shop (backend 7, user deploy) since 2026-01-01 00:00:00+00");
        (holder.user, holder.application, holder.since) = (None, Some(String::new()), None);
        assert_eq!(holder.to_string(), "an unnamed application (backend 7)");
    }
}

//! Who is in the way: what the server shows of a session or a prepared transaction that others wait for.

use super::literals::without_literals;
use crate::error::Result;
use crate::lease;
use crate::ledger::{field, unreadable};
use migrate_core::model::LockClass;
use std::fmt;
use std::time::Duration;
use tokio_postgres::SimpleQueryRow;

/// How much of a query is shown.
const QUERY: usize = 160;

/// Somebody whom a statement waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocker {
    /// The process id of its backend; 0 for a prepared transaction, which has none.
    pub pid: i32,
    /// What it is.
    pub kind: BlockerKind,
    /// The user it logged in as, or who prepared it.
    pub user: Option<String>,
    /// Its `application_name`.
    pub application: Option<String>,
    /// Its address; `None` for a local socket, and where it is hidden.
    pub address: Option<String>,
    /// `active`, `idle in transaction`, …
    pub state: Option<String>,
    /// How long its transaction has been open.
    pub age: Option<Duration>,
    /// Its query, or the last one, shortened, without comments and with `?` for every constant.
    pub query: Option<String>,
    /// The strongest lock that it holds on what is waited for; `None` where it only stands before us in the queue, or
    /// where no relation is waited for.
    pub holds: Option<LockClass>,
    /// The relation that is waited for.
    pub relation: Option<String>,
    /// State, age and query are hidden: this role is neither the other's nor a member of `pg_monitor`.
    pub hidden: bool,
}

/// What somebody in the way is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockerKind {
    /// A client's session.
    Client,
    /// Another runner of migrations.
    Migrator,
    /// An autovacuum worker, which the server cancels after `deadlock_timeout`.
    Autovacuum,
    /// An autovacuum worker against wraparound, which the server does not cancel: it ends when the table is vacuumed.
    AntiWraparound,
    /// A prepared transaction, which stays until somebody commits it or rolls it back.
    Prepared {
        /// Its name.
        gid: String,
    },
    /// A walsender, or a session of a role with REPLICATION.
    Replication,
    /// Another process of the server's, by its own name for it.
    Background(String),
}

/// The columns that [`read`] reads, of a `b(pid)`, an `a` of `pg_stat_activity`, an `r` of `pg_roles` and a `p(gid, owner, age)`.
pub(super) fn columns() -> String {
    format!(
        "b.pid AS blocker, coalesce(a.usename, p.owner) AS usename, a.application_name, host(a.client_addr) AS address, a.state, \
         coalesce((1000 * extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start))::bigint, p.age) AS age, \
         a.query, a.backend_type, p.gid, a.query = '<insufficient privilege>' AS hidden, \
         coalesce(r.rolreplication, false) AND NOT r.rolsuper AS replication, \
         EXISTS (SELECT FROM locks x WHERE x.pid = b.pid AND x.locktype = 'advisory' AND x.classid = {class} AND x.objsubid = 2) \
         AS migrator",
        class = lease::CLASS
    )
}

/// `locks`, read once, for all that follows.
pub(super) const LOCKS: &str = "locks AS MATERIALIZED (SELECT * FROM pg_catalog.pg_locks)";

/// What [`columns`] stand on, behind a `b(pid)`.
pub(super) const WHO: &str = "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid \
     LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid";

/// The prepared transactions that hold a lock, with the row of `locks` that says so as `h`. In `pg_locks` they have no pid;
/// the lock that each holds on its own transaction id says which it is. Their age is that of one moment: each is one row.
pub(super) const PREPARED: &str = "SELECT h.*, x.gid, x.owner, \
     (1000 * extract(epoch FROM pg_catalog.statement_timestamp() - x.prepared))::bigint AS age \
     FROM locks h JOIN locks t ON t.virtualtransaction = h.virtualtransaction AND t.locktype = 'transactionid' AND t.pid IS NULL \
     JOIN pg_catalog.pg_prepared_xacts x ON x.transaction = t.transactionid WHERE h.pid IS NULL AND h.granted";

/// Reads a row with [`columns`] and with `holds` (lock modes, separated by spaces) and `relation`; `None` where there is
/// nobody in it.
pub(super) fn read(row: &SimpleQueryRow) -> Result<Option<Blocker>> {
    if row.get("blocker").is_none() {
        return Ok(None);
    }
    let text = |name| row.get(name).filter(|text: &&str| !text.is_empty()).map(str::to_owned);
    let hidden = row.get("hidden") == Some("t");
    let query = row.get("query").filter(|query| !hidden && !query.is_empty());
    let background = row.get("backend_type").filter(|&kind| kind != "client backend");
    let kind = match (text("gid"), background, row.get("migrator"), row.get("replication")) {
        (Some(gid), ..) => BlockerKind::Prepared { gid },
        // Of a process that it may not see, a role sees neither the kind nor the user of those that have none; and of
        // those, autovacuum is the one that locks tables.
        (_, Some("autovacuum worker"), ..) if query.is_some_and(|query| query.ends_with(WRAPAROUND)) => {
            BlockerKind::AntiWraparound
        }
        (_, Some("autovacuum worker"), ..) => BlockerKind::Autovacuum,
        (_, None, ..) if hidden && row.get("usename").is_none() => BlockerKind::Autovacuum,
        (_, _, Some("t"), _) => BlockerKind::Migrator,
        (_, Some("walsender"), ..) | (_, _, _, Some("t")) => BlockerKind::Replication,
        (_, Some(other), ..) => BlockerKind::Background(other.to_owned()),
        _ => BlockerKind::Client,
    };
    let held = row.get("holds").unwrap_or_default();
    Ok(Some(Blocker {
        pid: field(row, "blocker")?.parse().map_err(unreadable)?,
        kind,
        user: text("usename"),
        application: text("application_name"),
        address: text("address"),
        state: text("state"),
        age: row
            .get("age")
            .and_then(|age| age.parse::<i64>().ok())
            .map(|age| Duration::from_millis(age.max(0).unsigned_abs())),
        query: query.map(|query| without_literals(query, QUERY)).filter(|query| !query.is_empty()),
        holds: held.split(' ').filter_map(mode).max(),
        relation: text("relation"),
        hidden,
    }))
}

/// What `autovac_report_activity` (autovacuum.c) ends the worker's query with.
pub(super) const WRAPAROUND: &str = "(to prevent wraparound)";

/// The lock class of a mode's name in `pg_locks`.
pub(super) fn mode(name: &str) -> Option<LockClass> {
    LockClass::ALL.iter().copied().find(|lock| lock.pg_locks_mode() == Some(name))
}

impl Blocker {
    /// Who it is, without what it does: fit for a ledger that every role may read.
    pub(crate) fn name(&self) -> String {
        let mut text = match &self.kind {
            BlockerKind::Prepared { gid } => format!("prepared transaction \"{gid}\""),
            BlockerKind::Client => format!("backend {}", self.pid),
            BlockerKind::Migrator => format!("another migration (backend {})", self.pid),
            BlockerKind::Autovacuum => format!("autovacuum (backend {})", self.pid),
            BlockerKind::AntiWraparound => format!("autovacuum against wraparound (backend {})", self.pid),
            BlockerKind::Replication => format!("replication (backend {})", self.pid),
            BlockerKind::Background(kind) => format!("{kind} (backend {})", self.pid),
        };
        for (what, name) in [(" of user", &self.user), (", application", &self.application), (", from", &self.address)]
        {
            if let Some(name) = name {
                text.push_str(&format!("{what} {name}"));
            }
        }
        match (&self.holds, &self.relation) {
            (Some(lock), Some(relation)) => text.push_str(&format!(", holds {} on {relation}", lock.sql())),
            (None, Some(relation)) => text.push_str(&format!(", before us in the queue for {relation}")),
            _ => {}
        }
        text
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        match (&self.state, self.age) {
            (Some(state), Some(age)) => write!(f, ", {state}, its transaction open for {}", Span(age))?,
            (Some(state), None) => write!(f, ", {state}")?,
            (None, Some(age)) => write!(f, ", for {}", Span(age))?,
            (None, None) => {}
        }
        if self.hidden {
            f.write_str("; its state, age and query are hidden from this role: grant it pg_monitor")?;
        }
        if let Some(query) = &self.query {
            write!(f, ": {query}")?;
        }
        Ok(())
    }
}

/// A time as people say it.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..2 => write!(f, "{} ms", self.0.as_millis()),
            2..120 => write!(f, "{seconds} s"),
            120..7200 => write!(f, "{} min", seconds / 60),
            7200..172_800 => write!(f, "{} h", seconds / 3600),
            _ => write!(f, "{} days", seconds / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocker() -> Blocker {
        Blocker {
            pid: 42,
            kind: BlockerKind::Client,
            user: Some("app".to_owned()),
            application: Some("reports".to_owned()),
            address: None,
            state: Some("idle in transaction".to_owned()),
            age: Some(Duration::from_mins(12)),
            query: Some("SELECT * FROM orders WHERE id = ?".to_owned()),
            holds: Some(LockClass::AccessShare),
            relation: Some("public.orders".to_owned()),
            hidden: false,
        }
    }

    #[test]
    fn a_blocker_is_named_and_its_query_stays_out_of_the_name() {
        assert_eq!(
            blocker().to_string(),
            "backend 42 of user app, application reports, holds ACCESS SHARE on public.orders, idle in transaction, its \
             transaction open for 12 min: SELECT * FROM orders WHERE id = ?"
        );
        assert_eq!(
            blocker().name(),
            "backend 42 of user app, application reports, holds ACCESS SHARE on public.orders"
        );
    }

    #[test]
    fn what_is_hidden_is_said_to_be() {
        let hidden = Blocker { state: None, age: None, query: None, hidden: true, holds: None, ..blocker() };
        let text = hidden.to_string();
        assert!(
            text.contains("before us in the queue for public.orders; its state, age and query are hidden"),
            "{text}"
        );
        assert!(text.ends_with("pg_monitor"), "{text}");
        let prepared = Blocker {
            pid: 0,
            kind: BlockerKind::Prepared { gid: "tx 1".to_owned() },
            state: None,
            query: None,
            application: None,
            ..blocker()
        };
        assert_eq!(
            prepared.to_string(),
            "prepared transaction \"tx 1\" of user app, holds ACCESS SHARE on public.orders, for 12 min"
        );
    }

    #[test]
    fn times_are_readable() {
        for (seconds, text) in [(1, "1000 ms"), (3, "3 s"), (150, "2 min"), (8000, "2 h"), (200_000, "2 days")] {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), text);
        }
    }
}

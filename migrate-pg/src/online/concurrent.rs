//! CONCURRENTLY: statements that wait by design, for transactions and not for locks alone, and that leave something INVALID
//! where they are cut off. So they get no `lock_timeout`; instead whom they would wait for is waited for *before* they
//! begin, while nothing is half done; and while they run a second connection looks how far they are.
//!
//! Whom they wait for (PostgreSQL 14 to 18, `indexcmds.c`, `index.c`, `tablecmds.c`):
//! - CREATE and REINDEX: twice for transactions that hold a lock on the table that conflicts with SHARE, writers that is
//!   (`WaitForLockers`), and before the index becomes valid for every snapshot in the same database that is older than its
//!   own (`WaitForOlderSnapshots`), of whatever table; REINDEX in the end for anybody with any lock on the table.
//! - DROP: twice for anybody with any lock on the table (`index_drop`).
//! - DETACH: for anybody with any lock on the parent, and then for the lock on the partition; its FINALIZE for older
//!   snapshots.
//!
//! `GetLockConflicts` finds prepared transactions, too. `GetCurrentVirtualXIDs` passes over those without a snapshot, other
//! databases and with them physical walsenders, VACUUM and autovacuum. Replication slots are not waited for.

use super::blocker::{self, Blocker, Span};
use super::policy;
use super::watch::{look, looking, open, unless_done};
use crate::connect::chain;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, IndexProgress};
use crate::lease::Lease;
use crate::ledger::{ask, field, rows};
use crate::quote::literal;
use crate::remains::qualified;
use crate::under_way::Target;
use crate::work::Work;
use migrate_core::model::{ConcurrentAction, LockClass, Version};
use std::collections::HashSet;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// How often it is looked, and after how long first: what ends before is not worth a word, or a connection.
const EVERY: Duration = Duration::from_secs(1);
/// How often the same is told again.
const AGAIN: Duration = Duration::from_secs(30);

/// The step that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) version: Version,
    /// Counted from 1.
    pub(crate) step: usize,
}

impl Work {
    /// Waits until the transactions are gone that are open now and that the statement would wait for.
    pub(crate) async fn wait_before(&self, lease: &Lease, place: Place, target: &Target) -> Result<()> {
        let begun = Instant::now();
        let sql = older(target);
        let mut pause = Duration::from_millis(50);
        let mut first: Option<HashSet<String>> = None;
        let mut told: Option<(Instant, Vec<Blocker>)> = None;
        loop {
            let mut found = older_now(lease.client(), &sql).await?;
            match &first {
                Some(first) => found.retain(|(id, _)| first.contains(id)),
                None => first = Some(found.iter().map(|(id, _)| id.clone()).collect()),
            }
            if found.is_empty() {
                return Ok(());
            }
            let blockers: Vec<_> = found.into_iter().map(|(_, blocker)| blocker).collect();
            let waited = begun.elapsed();
            if waited >= self.options.snapshot_wait {
                return Err(Error::new(
                    ErrorKind::LockTimeout,
                    format!(
                        "not begun: it would wait for transactions that were open before it, and they have not ended within {}",
                        Span(waited)
                    ),
                )
                .blockers(blockers, None)
                .help(
                    "End who is in the way and run again; or allow a longer wait by `snapshot_wait`; or let the runner end \
                     them, by `blockers`.",
                ));
            }
            policy::apply(self, place.version, lease.client(), &blockers).await;
            if waited >= EVERY && told.as_ref().is_none_or(|(at, whom)| at.elapsed() >= AGAIN || !same(whom, &blockers))
            {
                told = Some((Instant::now(), blockers.clone()));
                self.tell_waiting(place, waited, blockers, None);
            }
            self.stop.sleep(pause).await;
            self.stop.check()?;
            pause = (pause * 2).min(EVERY);
        }
    }

    /// Waits for a statement that is CONCURRENTLY under way, and tells how far it is and whom it waits for.
    pub(crate) async fn watch_concurrent<T>(&self, lease: &Lease, place: Place, sent: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let mut sent = pin!(sent);
        if let Some(done) = unless_done(&mut sent, EVERY).await {
            return done;
        }
        let opened = tokio::select! { biased; done = &mut sent => return done, opened = open(self) => opened };
        let session = match opened {
            Ok(session) => session,
            Err(why) => {
                self.tell_waiting(place, begun.elapsed(), Vec::new(), Some(why));
                return sent.await;
            }
        };
        let mut progress = None;
        let mut told: Option<(Instant, Vec<Blocker>)> = None;
        loop {
            let client = session.client();
            let looked =
                async { Ok::<_, Error>((progress_of(client, lease.pid()).await?, look(client, lease.pid()).await?)) };
            let looked = tokio::select! { biased; done = &mut sent => break done, looked = looked => looked };
            match looked {
                Ok((now, waiting)) => {
                    if now.is_some() && now != progress {
                        progress = now;
                        self.tell_progress(place, progress.clone());
                    }
                    let blockers = waiting.map(|look| look.blockers).unwrap_or_default();
                    policy::apply(self, place.version, client, &blockers).await;
                    let news = told.as_ref().is_none_or(|(at, whom)| at.elapsed() >= AGAIN || !same(whom, &blockers));
                    if !blockers.is_empty() && news {
                        told = Some((Instant::now(), blockers.clone()));
                        self.tell_waiting(place, begun.elapsed(), blockers, None);
                    }
                }
                Err(error) => {
                    self.tell_waiting(place, begun.elapsed(), Vec::new(), Some(chain(&error)));
                    return sent.await;
                }
            }
            if let Some(done) = unless_done(&mut sent, EVERY).await {
                break done;
            }
        }
    }

    fn tell_waiting(
        &self,
        Place { version, step }: Place,
        waited: Duration,
        blockers: Vec<Blocker>,
        unseen: Option<String>,
    ) {
        let names: Vec<_> = blockers.iter().map(Blocker::name).collect();
        tracing::info!(target: "migrate", %version, step, ?waited, blockers = ?names, unseen, "waiting for open transactions");
        self.tell(&Event::Waiting { version, step, waited, blockers, unseen });
    }

    fn tell_progress(&self, Place { version, step }: Place, progress: Option<IndexProgress>) {
        let Some(progress) = progress else { return };
        tracing::debug!(target: "migrate", %version, step, ?progress, "building");
        self.tell(&Event::Indexing { version, step, progress });
    }
}

fn same(these: &[Blocker], those: &[Blocker]) -> bool {
    these.len() == those.len()
        && these.iter().zip(those).all(|(this, that)| (this.pid, &this.kind) == (that.pid, &that.kind))
}

/// The SQL that finds whom a statement would wait for.
fn older(target: &Target) -> String {
    let regclass = |name: &str| format!("pg_catalog.to_regclass({})", literal(name));
    let named = regclass(&qualified(target));
    let of_index = format!("(SELECT i.indrelid FROM pg_catalog.pg_index i WHERE i.indexrelid = {named})");
    let table = target.table.as_deref().map(regclass);
    let (tables, lock, snapshots) = match target.action {
        ConcurrentAction::Create => (vec![table.unwrap_or(of_index)], LockClass::Share, true),
        ConcurrentAction::Reindex => (vec![of_index], LockClass::AccessExclusive, true),
        ConcurrentAction::ReindexTable => (vec![named], LockClass::AccessExclusive, true),
        ConcurrentAction::Detach => {
            let parent = table.unwrap_or_else(|| "NULL::regclass".to_owned());
            (vec![parent, named], LockClass::AccessExclusive, false)
        }
        _ => (vec![of_index], LockClass::AccessExclusive, false),
    };
    let modes: Vec<String> = LockClass::ALL
        .iter()
        .filter(|held| held.conflicts_with(lock))
        .filter_map(|held| held.pg_locks_mode())
        .map(|mode| format!("'{mode}'"))
        .collect();
    let tables: Vec<String> = tables.iter().map(|table| format!("({table}::oid)")).collect();
    let snapshots = if snapshots {
        // VACUUM is in pg_stat_progress_vacuum, and VACUUM FULL, which is waited for, is not.
        // Autovacuum has no user.
        "UNION ALL SELECT s.pid, NULL, NULL, NULL FROM pg_catalog.pg_stat_activity s WHERE s.backend_xmin IS NOT NULL AND \
         s.usesysid IS NOT NULL AND s.datname = pg_catalog.current_database() AND s.pid <> pg_catalog.pg_backend_pid() AND s.pid NOT IN (SELECT v.pid FROM \
         pg_catalog.pg_stat_progress_vacuum v)"
    } else {
        ""
    };
    format!(
        "WITH {locks}, t(oid) AS (VALUES {tables}), p AS MATERIALIZED ({prepared}), \
         w(pid, relation, mode, virtualtransaction) AS MATERIALIZED (SELECT coalesce(h.pid, 0), h.relation, h.mode, h.virtualtransaction \
           FROM locks h JOIN t ON h.relation = t.oid WHERE h.locktype = 'relation' AND h.granted AND h.mode IN ({modes}) \
           AND h.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() AND h.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE \
           d.datname = pg_catalog.current_database()) {snapshots}), \
         b AS MATERIALIZED (SELECT w.pid, CASE WHEN w.pid = 0 THEN w.virtualtransaction END AS prepared, pg_catalog.string_agg(w.mode, ' ') AS \
           holds, pg_catalog.min(w.relation) AS relation FROM w GROUP BY 1, 2) \
         SELECT coalesce(p.gid, (SELECT pg_catalog.min(v.virtualtransaction) FROM locks v WHERE v.pid = b.pid AND v.locktype = 'virtualxid' \
           AND v.granted)) AS id, b.holds, (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN \
           pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = b.relation) AS relation, {columns} FROM b {who} \
         LEFT JOIN LATERAL (SELECT DISTINCT p.gid, p.owner, p.age FROM p WHERE p.virtualtransaction = b.prepared) p ON b.pid = 0 \
         WHERE a.backend_type IS DISTINCT FROM 'autovacuum worker' OR a.query LIKE '%{wraparound}' ORDER BY b.pid",
        // Any other autovacuum of the table is cancelled for the statement's own lock.
        wraparound = blocker::WRAPAROUND,
        locks = blocker::LOCKS,
        tables = tables.join(", "),
        prepared = blocker::PREPARED,
        modes = modes.join(", "),
        columns = blocker::columns(),
        who = blocker::WHO,
    )
}

async fn older_now(client: &Client, sql: &str) -> Result<Vec<(String, Blocker)>> {
    let mut found = Vec::new();
    for row in &rows(client.simple_query(sql).await.map_err(looking)?) {
        // Without a transaction of its own any more it has ended since the activity was read.
        let Some(id) = row.get("id") else { continue };
        if let Some(blocker) = blocker::read(row)? {
            found.push((id.to_owned(), blocker));
        }
    }
    Ok(found)
}

async fn progress_of(client: &Client, pid: i32) -> Result<Option<IndexProgress>> {
    let sql = format!(
        "SELECT phase, lockers_total, lockers_done, blocks_total, blocks_done, tuples_total, tuples_done FROM \
         pg_catalog.pg_stat_progress_create_index WHERE pid = {pid}"
    );
    let found = ask(client, &sql).await.map_err(looking)?;
    let Some(row) = found.first() else { return Ok(None) };
    let pair = |done: &str, total: &str| {
        let number = |name: &str| row.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        (number(done), number(total))
    };
    Ok(Some(IndexProgress {
        phase: field(row, "phase")?.to_owned(),
        lockers: pair("lockers_done", "lockers_total"),
        blocks: pair("blocks_done", "blocks_total"),
        tuples: pair("tuples_done", "tuples_total"),
    }))
}

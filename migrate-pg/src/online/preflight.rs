//! Not to queue where it is known to be in vain: a strong lock that waits behind an old transaction makes everybody wait
//! who comes after, for nothing. So the transaction looks before it asks, in the same round trip, by a statement that
//! raises where somebody is in the way who will not be gone in time.
//!
//! In the way are conflicting locks on the statement's relations, held by a transaction that has been open for longer than
//! a bound, by a prepared transaction, or by autovacuum against wraparound, which is not cancelled for us. How old another
//! role's transaction is, only members of `pg_monitor` see; of the others the lock timeout is the bound.

use super::blocker::{self, Blocker};
use super::limits::milliseconds;
use super::watch::looking;
use crate::error::Result;
use crate::ledger::rows;
use crate::quote::literal;
use migrate_core::model::LockClass;
use std::borrow::Cow;
use std::time::Duration;
use tokio_postgres::Client;

/// What the message of a look that found somebody has in front.
const MARK: &str = "migrate would queue behind ";

/// A relation, and the lock that a statement takes on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// By its name in the SQL.
    Named(Cow<'static, str>, LockClass),
    /// As a look at the waiting statement has told.
    Oid(u32, LockClass),
}

impl Wanted {
    fn lock(&self) -> LockClass {
        match self {
            Self::Named(_, lock) | Self::Oid(_, lock) => *lock,
        }
    }

    /// `(oid, modes that conflict)`.
    fn row(&self) -> String {
        let oid = match self {
            Self::Oid(oid, _) => oid.to_string(),
            Self::Named(name, _) => {
                // The compiler takes `public` for what the SQL does not say, and the search_path may say otherwise.
                let named = |name: &str| format!("pg_catalog.to_regclass({})", literal(name));
                match name.strip_prefix("public.") {
                    Some(bare) => format!("coalesce({}, {})::oid", named(name), named(bare)),
                    None => format!("{}::oid", named(name)),
                }
            }
        };
        let wanted = self.lock();
        let modes: Vec<String> = LockClass::ALL
            .iter()
            .filter(|held| held.conflicts_with(wanted))
            .filter_map(|held| held.pg_locks_mode())
            .map(|mode| format!("'{mode}'"))
            .collect();
        format!("({oid}, ARRAY[{}]::text[])", modes.join(", "))
    }
}

/// Only what makes clients wait that come after: a weaker lock may queue.
fn matters(wanted: &Wanted) -> bool {
    wanted.lock().blocks_writes()
}

fn holders(wanted: &[&Wanted]) -> String {
    let wanted: Vec<String> = wanted.iter().map(|wanted| wanted.row()).collect();
    format!(
        "WITH {locks}, wanted(oid, modes) AS (VALUES {values}), p AS MATERIALIZED ({prepared}), \
         b AS MATERIALIZED (SELECT coalesce(h.pid, 0) AS pid, h.relation, h.virtualtransaction, pg_catalog.string_agg(h.mode, ' ') AS holds \
           FROM wanted w JOIN locks h ON h.locktype = 'relation' AND h.relation = w.oid AND h.mode = ANY (w.modes) \
           WHERE h.granted AND h.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() AND h.database = (SELECT d.oid FROM pg_catalog.pg_database d \
           WHERE d.datname = pg_catalog.current_database()) GROUP BY 1, 2, 3) \
         SELECT b.holds, (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n \
         ON n.oid = c.relnamespace WHERE c.oid = b.relation) AS relation, {columns} FROM b {who} \
         LEFT JOIN LATERAL (SELECT DISTINCT p.gid, p.owner, p.age FROM p WHERE p.virtualtransaction = b.virtualtransaction) p ON b.pid = 0",
        locks = blocker::LOCKS,
        values = wanted.join(", "),
        prepared = blocker::PREPARED,
        columns = blocker::columns(),
        who = blocker::WHO,
    )
}

/// Which of the holders will not be gone in time.
fn in_vain(old: Duration) -> String {
    let mut which = vec![
        "gid IS NOT NULL".to_owned(),
        format!("(backend_type = 'autovacuum worker' AND query LIKE '%{}')", blocker::WRAPAROUND),
    ];
    if !old.is_zero() {
        which.push(format!("(age > {} AND backend_type IS DISTINCT FROM 'autovacuum worker')", milliseconds(old)));
    }
    which.join(" OR ")
}

/// An SQL statement that raises 22P02 where queueing is in vain; `None` where there is nothing to look for.
pub(crate) fn check(wanted: &[Wanted], old: Duration) -> Option<String> {
    let wanted: Vec<_> = wanted.iter().filter(|wanted| matters(wanted)).collect();
    (!wanted.is_empty()).then(|| {
        // Within a transaction the activity is that of the first look (manual, 28.2.2).
        format!(
            "SELECT pg_catalog.pg_stat_clear_snapshot(); SELECT CASE WHEN f.found IS NULL THEN 0 ELSE ('{MARK}' || f.found)::integer END FROM (SELECT \
             pg_catalog.string_agg(h.blocker::text, ' ') AS found FROM ({}) h WHERE {}) f",
            holders(&wanted),
            in_vain(old)
        )
    })
}

/// Whether this is the message of a [`check`] that found somebody.
pub(crate) fn is_in_vain(message: &str) -> bool {
    message.contains(MARK)
}

/// Who holds a conflicting lock on these relations now; only those for whom one would wait in vain, where `old` is given.
pub(crate) async fn who(client: &Client, wanted: &[Wanted], old: Option<Duration>) -> Result<Vec<Blocker>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let sql = holders(&wanted.iter().collect::<Vec<_>>());
    let sql = match old {
        Some(old) => format!("SELECT * FROM ({sql}) h WHERE {}", in_vain(old)),
        None => sql,
    };
    // The same relation may be wanted by its name and by the OID that was learned of it.
    let mut found: Vec<Blocker> = Vec::new();
    for row in &rows(client.simple_query(&sql).await.map_err(looking)?) {
        let Some(blocker) = blocker::read(row)? else { continue };
        match found.iter_mut().find(|known| (known.pid, &known.kind) == (blocker.pid, &blocker.kind)) {
            Some(known) if known.holds < blocker.holds => *known = blocker,
            Some(_) => {}
            None => found.push(blocker),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_locks_may_queue() {
        let old = Duration::from_secs(10);
        assert_eq!(check(&[], old), None);
        assert_eq!(check(&[Wanted::Named("public.a".into(), LockClass::ShareUpdateExclusive)], old), None);
        let sql = check(&[Wanted::Named("public.\"it's\"".into(), LockClass::Share)], old).unwrap();
        assert!(sql.contains("to_regclass('public.\"it''s\"')") && sql.contains("age > 10000"), "{sql}");
        assert!(sql.contains("'RowExclusiveLock'") && !sql.contains("'RowShareLock'"), "{sql}");
        assert!(!check(&[Wanted::Oid(7, LockClass::Share)], Duration::ZERO).unwrap().contains("age >"));
    }
}

//! Holding the database to the declaration: whether the locks that a transaction has taken are stronger than what the
//! migration declares. What was there before is written down inside the transaction, before the work; after each
//! statement of the work the server itself compares its `pg_locks` with that, in the same round trip, and ends the
//! transaction where a lock is too strong.
//!
//! A lock that a subtransaction took and rolled back is not held any more, and not seen; nor is what a deferred
//! trigger takes, which runs within COMMIT.

use crate::error::{Error, ErrorKind};
use crate::ledger::{field, rows, unreadable};
use migrate_core::model::LockClass;
use std::fmt;
use tokio_postgres::Client;

/// Where the transaction keeps what was there before.
const BEFORE: &str = "migrate.relations_before";

/// What a lock that is too strong has in front of it in the server's message, whose own words depend on `lc_messages`.
const MARK: &str = "migrate held ";

/// A relation that is locked more strongly than was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    oid: u32,
    lock: LockClass,
    /// `index public.orders_pkey`, from the time before the transaction.
    name: Option<String>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} on {name}", self.lock.sql()),
            None => write!(f, "{} on the relation with OID {}", self.lock.sql(), self.oid),
        }
    }
}

/// Whether any lock is stronger than this one, so that there is anything to look for.
pub(crate) fn can_be_exceeded(limit: LockClass) -> bool {
    limit < LockClass::AccessExclusive
}

/// An SQL statement that writes down the relations that are there, except those that the transaction has locked
/// already: these are the ledger's.
///
/// By OID, for a dropped relation is a bare OID in `pg_locks`. Catalogs and TOAST tables are not locked by their users
/// directly, and nobody else sees a temporary table.
pub(crate) fn record() -> String {
    format!(
        "SELECT pg_catalog.set_config('{BEFORE}', ',' || coalesce(pg_catalog.string_agg(c.oid::text, ','), '') || ',', true) IS NULL \
         FROM pg_catalog.pg_class c WHERE c.relpersistence <> 't' \
         AND c.relnamespace <> ALL (ARRAY(SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname IN \
         ('pg_catalog', 'information_schema', 'pg_toast'))) AND c.oid <> ALL (ARRAY(SELECT l.relation FROM pg_catalog.pg_locks l \
         WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation'))"
    )
}

/// An SQL statement that raises 22P02 where this transaction holds a stronger lock than `limit` on a relation that was
/// there before. A record that is gone (RESET ALL) counts every relation as there before.
pub(crate) fn check(limit: LockClass) -> String {
    let stronger: Vec<String> = LockClass::ALL
        .iter()
        .filter(|&&lock| lock > limit)
        .filter_map(|lock| lock.pg_locks_mode().map(|mode| format!("'{mode}'")))
        .collect();
    format!(
        "SELECT CASE WHEN f.held IS NULL THEN 0 ELSE ('{MARK}' || f.held)::integer END FROM (SELECT \
         pg_catalog.string_agg(l.relation || ' ' || l.mode, ' ') AS held FROM pg_catalog.pg_locks l, \
         (SELECT pg_catalog.current_setting('{BEFORE}', true) AS oids) b WHERE l.pid = pg_catalog.pg_backend_pid() AND \
         l.locktype = 'relation' AND l.relation >= 16384 AND l.mode IN ({}) AND (b.oids IS NULL OR b.oids = '' OR \
         pg_catalog.strpos(b.oids, ',' || l.relation || ',') > 0)) f",
        stronger.join(", ")
    )
}

/// The relations that the message of a failed [`check`] tells of, the strongest lock of each.
pub(crate) fn told(message: &str) -> Vec<Held> {
    let Some((_, list)) = message.split_once(MARK) else { return Vec::new() };
    let mut all: Vec<Held> = Vec::new();
    let words: Vec<&str> = list.split(' ').collect();
    for pair in words.chunks_exact(2) {
        // The last word has the message's closing quote at its end.
        let mode = pair[1].trim_end_matches(|char: char| !char.is_ascii_alphabetic());
        let lock = LockClass::ALL.iter().copied().find(|lock| lock.pg_locks_mode() == Some(mode));
        let (Ok(oid), Some(lock)) = (pair[0].parse(), lock) else { continue };
        match all.iter_mut().find(|held| held.oid == oid) {
            Some(held) => held.lock = held.lock.max(lock),
            None => all.push(Held { oid, lock, name: None }),
        }
    }
    all.sort_by_key(|held| (std::cmp::Reverse(held.lock), held.oid));
    all
}

/// Finds the names out, after the transaction was rolled back: what it dropped or renamed has its own name again.
pub(crate) async fn name(client: &Client, all: &mut [Held]) -> Result<(), Error> {
    let oids: Vec<String> = all.iter().map(|held| held.oid.to_string()).collect();
    let sql = format!(
        "SELECT c.oid, pg_catalog.format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' \
         WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'c' THEN 'composite type' ELSE 'table' END, \
         n.nspname, c.relname) AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid IN ({})",
        oids.join(", ")
    );
    let failed = |error| Error::db(ErrorKind::Session, "the locked relations could not be looked up", error);
    for row in rows(client.simple_query(&sql).await.map_err(failed)?) {
        let oid: u32 = field(&row, "oid")?.parse().map_err(unreadable)?;
        if let Some(held) = all.iter_mut().find(|held| held.oid == oid) {
            held.name = Some(field(&row, "name")?.to_owned());
        }
    }
    Ok(())
}

/// The error of a statement that took a stronger lock than is declared; `declared` says by what.
pub(crate) fn stronger(sql: &str, declared: &str, limit: LockClass, all: &[Held]) -> Error {
    const SHOWN: usize = 5;
    let mut shown: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    if all.len() > SHOWN {
        shown.push(format!("{} more", all.len() - SHOWN));
    }
    let limit = if limit == LockClass::None { "no lock".to_owned() } else { limit.sql().to_owned() };
    Error::new(
        ErrorKind::LockStronger,
        format!("the statement took {}, and {declared} declares {limit} at most", shown.join(", ")),
    )
    .statement(sql)
    .help(
        "What the SQL shows was held against the declaration when it was compiled. So the lock comes from what it does not \
         show: a function, a trigger, a rule or an event trigger that the statement runs, or objects that are not as the \
         history has them. Have that take no such lock; or, if it is to be taken, let the migration show it: by LOCK TABLE \
         as a step before, or, where the analysis does not know the statement, by `assume(lock = …)`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_read_in_any_language() {
        for message in [
            "invalid input syntax for type integer: \"migrate held 16384 ShareLock 16390 RowExclusiveLock 16384 AccessExclusiveLock\"",
            "ungültige Eingabesyntax für Typ integer: »migrate held 16384 ShareLock 16390 RowExclusiveLock 16384 AccessExclusiveLock«",
        ] {
            let held = |oid, lock| Held { oid, lock, name: None };
            assert_eq!(told(message), [held(16384, LockClass::AccessExclusive), held(16390, LockClass::RowExclusive)]);
        }
        assert_eq!(told("invalid input syntax for type integer: \"x\""), []);
    }

    #[test]
    fn nothing_is_stronger_than_the_strongest() {
        assert!(!can_be_exceeded(LockClass::AccessExclusive));
        assert!(can_be_exceeded(LockClass::None) && check(LockClass::None).contains("'AccessShareLock'"));
        let check = check(LockClass::Share);
        assert!(check.contains("'ShareRowExclusiveLock'") && !check.contains("'ShareLock'"), "{check}");
    }

    #[test]
    fn many_relations_are_counted() {
        let all: Vec<_> = (1..=7).map(|oid| Held { oid, lock: LockClass::Share, name: None }).collect();
        let text = stronger("SELECT f()", "the migration", LockClass::None, &all).to_string();
        assert!(
            text.contains("SHARE on the relation with OID 5, 2 more, and the migration declares no lock"),
            "{text}"
        );
    }
}

//! What may be done to those in the way: nothing, unless it was asked for.

use super::blocker::{Blocker, BlockerKind};
use super::limits::milliseconds;
use crate::event::Event;
use crate::lease;
use crate::ledger::ask;
use crate::work::Work;
use migrate_core::model::Version;
use std::time::Duration;
use tokio_postgres::Client;

/// What the runner may do to a session that a migration waits for.
///
/// Only clients' sessions are ever touched: never one of a superuser or of a role with REPLICATION, a walsender, another
/// runner of migrations, autovacuum, or a prepared transaction, which has no session. Whoever runs the migrations
/// needs the right to signal the session (the same role, or `pg_signal_backend`), and to see how old its transaction is
/// (the same role, or `pg_monitor`); what it may not, it leaves, and says so in [`Event::Ended`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BlockerPolicy {
    /// Waits, gives up, and names who was in the way: the default.
    #[default]
    Leave,
    /// Cancels the statement of one whose transaction has been open for longer than this. It does nothing to one that is
    /// idle in a transaction.
    Cancel {
        /// How long its transaction must have been open.
        older_than: Duration,
    },
    /// Ends the session of one whose transaction has been open for longer than this.
    Terminate {
        /// How long its transaction must have been open.
        older_than: Duration,
    },
}

impl BlockerPolicy {
    fn verb(self) -> Option<(&'static str, Duration)> {
        match self {
            Self::Leave => None,
            Self::Cancel { older_than } => Some(("pg_cancel_backend", older_than)),
            Self::Terminate { older_than } => Some(("pg_terminate_backend", older_than)),
        }
    }

    fn fits(self, blocker: &Blocker) -> bool {
        let Some((_, older_than)) = self.verb() else { return false };
        // To wait in the queue before us is no offence: whoever holds it up is ended, or lets it pass.
        let holds = blocker.holds.is_some() || blocker.relation.is_none();
        let idle = blocker.state.as_deref().is_some_and(|state| state != "active");
        blocker.kind == BlockerKind::Client
            && holds
            && blocker.age.is_some_and(|age| age >= older_than)
            && !(idle && matches!(self, Self::Cancel { .. }))
    }
}

/// Does to each of them what the policy allows.
pub(super) async fn apply(work: &Work, version: Version, client: &Client, blockers: &[Blocker]) {
    let policy = work.options.blockers;
    let Some((verb, older_than)) = policy.verb() else { return };
    for blocker in blockers.iter().filter(|blocker| policy.fits(blocker)) {
        let pid = blocker.pid;
        // Asked again by the statement that does it: the pid may be somebody else's by now.
        let sql = format!(
            "SELECT pg_catalog.{verb}(a.pid) AS ended FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid \
             WHERE a.pid = {pid} AND a.backend_type = 'client backend' AND NOT r.rolsuper AND NOT r.rolreplication \
             AND pg_catalog.clock_timestamp() - a.xact_start >= interval '{older_than} milliseconds' \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.classid = {class} \
             AND l.objsubid = 2)",
            older_than = milliseconds(older_than),
            class = lease::CLASS,
        );
        let refused = match ask(client, &sql).await {
            Ok(found) if found.first().is_some_and(|row| row.get("ended") == Some("t")) => None,
            // A superuser's, replication's, or not there any more.
            Ok(_) => continue,
            Err(error) => Some(crate::connect::chain(&error)),
        };
        tracing::warn!(target: "migrate", %version, blocker = blocker.name(), verb, ?refused, "by the policy on who is in the way");
        let terminated = matches!(policy, BlockerPolicy::Terminate { .. });
        work.tell(&Event::Ended { version, blocker: blocker.clone(), terminated, refused });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrate_core::model::LockClass;

    #[test]
    fn only_an_old_clients_session_that_holds_the_lock() {
        let age = Duration::from_mins(1);
        let blocker = Blocker {
            pid: 1,
            kind: BlockerKind::Client,
            user: None,
            application: None,
            address: None,
            state: Some("idle in transaction".to_owned()),
            age: Some(age),
            query: None,
            holds: Some(LockClass::AccessShare),
            relation: Some("public.a".to_owned()),
            hidden: false,
        };
        let terminate = BlockerPolicy::Terminate { older_than: age };
        assert!(terminate.fits(&blocker));
        assert!(!BlockerPolicy::Leave.fits(&blocker));
        assert!(!BlockerPolicy::Cancel { older_than: age }.fits(&blocker), "there is nothing to cancel");
        assert!(!BlockerPolicy::Terminate { older_than: age * 2 }.fits(&blocker));
        assert!(!terminate.fits(&Blocker { holds: None, ..blocker.clone() }), "it queues");
        assert!(!terminate.fits(&Blocker { age: None, ..blocker.clone() }), "hidden");
        for kind in [
            BlockerKind::Autovacuum,
            BlockerKind::AntiWraparound,
            BlockerKind::Migrator,
            BlockerKind::Replication,
            BlockerKind::Prepared { gid: String::new() },
        ] {
            assert!(!terminate.fits(&Blocker { kind, ..blocker.clone() }));
        }
        let active = Blocker { state: Some("active".to_owned()), ..blocker };
        assert!(BlockerPolicy::Cancel { older_than: age }.fits(&active));
    }
}

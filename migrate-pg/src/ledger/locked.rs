//! A ledger that somebody else holds locked: it is waited for as long as for any lock, and who holds it is named.

use super::{Ledger, TABLES, ask_unlimited, ledger_error};
use crate::error::{Error, ErrorKind, Result};
use crate::online::{Wanted, milliseconds, who};
use migrate_core::model::LockClass;
use tokio_postgres::{Client, SimpleQueryRow};

impl Ledger {
    /// Asks the ledger, in one trip, whatever limits the session has.
    pub(super) async fn read(&self, client: &Client, sql: &str) -> Result<Vec<SimpleQueryRow>> {
        match self.ask_within(client, sql).await {
            Ok(rows) => Ok(rows),
            Err(error) if is_locked(&error) => Err(self.locked(client, LockClass::AccessShare, error).await),
            Err(error) => Err(ledger_error(&self.schema, error)),
        }
    }

    /// [`ask`](super::ask), but for so long.
    pub(super) async fn ask_within(
        &self,
        client: &Client,
        sql: &str,
    ) -> Result<Vec<SimpleQueryRow>, tokio_postgres::Error> {
        let lock = milliseconds(self.lock_timeout);
        ask_unlimited(client, &format!("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {lock}; {sql}")).await
    }

    /// The error where somebody holds the ledger for too long. `wanted`: the lock on its tables that was not had.
    pub(super) async fn locked(&self, client: &Client, wanted: LockClass, error: tokio_postgres::Error) -> Error {
        let schema = &self.schema;
        let tables = TABLES.iter().map(|table| Wanted::Named(format!("{schema}.{table}").into(), wanted));
        let (blockers, unseen) = match who(client, &tables.collect::<Vec<_>>(), None).await {
            Ok(found) if found.is_empty() => (found, Some("gone before it could be looked".to_owned())),
            Ok(found) => (found, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        Error::db(ErrorKind::LockTimeout, format!("somebody holds the ledger in schema {} locked", self.name), error)
            .blockers(blockers, unseen)
            .help("End who is in the way and run again; or allow more by `lock_timeout` and `lock_schedule`.")
    }
}

/// A lock was not had in time (manual, appendix A).
pub(super) fn is_locked(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code() == "55P03")
}

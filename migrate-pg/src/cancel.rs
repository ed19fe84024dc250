//! Cancelling what is in flight, where it was asked for: `pg_cancel_backend` from a second connection.

use crate::connect::Source;
use crate::error::{Error, ErrorKind, Result};
use crate::handle::Stop;
use crate::ledger::ask;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Between two attempts: what was asked for just before the statement came to the server has missed it.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a second connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Watches a run, until it is dropped.
pub(crate) struct Canceller {
    task: JoinHandle<()>,
}

impl Canceller {
    /// `holds`: an SQL condition on `pg_locks l`, that it is the lock of the lease. `busy`: something of the work, and not
    /// of the ledger or of a clean-up, is in flight.
    pub(crate) fn watch(source: Source, stop: Stop, holds: String, busy: Arc<AtomicBool>) -> Self {
        let task = tokio::spawn(async move {
            stop.cancelled().await;
            if let Err(error) = cancel(&source, &holds, &busy).await {
                let error = error.without_row_values();
                tracing::warn!(target: "migrate", error, "what is in flight could not be cancelled, and is waited for");
            }
        });
        Self { task }
    }
}

impl Drop for Canceller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn cancel(source: &Source, holds: &str, busy: &AtomicBool) -> Result<()> {
    let session = tokio::time::timeout(CONNECT, source.session()).await.map_err(|_| {
        Error::new(
            ErrorKind::Connect,
            "there was no second connection in time, to cancel what is in flight on the first",
        )
    })??;
    // By the lock and not by the number alone, which another backend may have by now.
    let sql = format!("SELECT pg_catalog.pg_cancel_backend(l.pid) FROM pg_catalog.pg_locks l WHERE {holds}");
    loop {
        if busy.load(Ordering::SeqCst) {
            let failed = |error| Error::db(ErrorKind::Session, "pg_cancel_backend failed", error);
            let found = ask(session.client(), &sql).await.map_err(failed)?;
            if found.is_empty() {
                session.close().await;
                return Ok(());
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// While this is there, what is in flight may be cancelled.
pub(crate) struct Busy<'a>(&'a AtomicBool);

impl<'a> Busy<'a> {
    pub(crate) fn new(busy: &'a AtomicBool) -> Self {
        busy.store(true, Ordering::SeqCst);
        Self(busy)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Whether the server ended a statement because somebody cancelled it (57014, manual, appendix A).
pub(crate) fn is_of_cancelled(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<tokio_postgres::Error>() {
            return error.code() == Some(&tokio_postgres::error::SqlState::QUERY_CANCELED);
        }
        next = error.source();
    }
    false
}

//! The future of a run: a handle to the task that does the work and owns its connection. What was sent to a server cannot
//! be unsent by dropping a future, so the work is never inside of one that somebody else may drop.

use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A run that is under way once it is awaited.
///
/// Dropping it asks the run to stop at its next boundary: between two migrations, two steps, two batches of a
/// backfill, or while it waits for the lease. What is done by then is recorded, the lease is given up, the connection is
/// closed, and the next run goes on from there.
#[must_use = "nothing runs until it is awaited"]
pub struct Running<T> {
    start: Option<Pin<Box<dyn Future<Output = Result<T>> + Send>>>,
    task: Option<JoinHandle<Result<T>>>,
    stop: watch::Sender<Asked>,
}

/// What a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Nothing,
    /// To stop at its next boundary.
    Stop,
    /// And not to wait for what is in flight.
    Cancel,
}

impl<T> Running<T> {
    pub(crate) fn new<F>(work: impl FnOnce(Stop) -> F) -> Self
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (stop, asked) = watch::channel(Asked::Nothing);
        Self { start: Some(Box::pin(work(Stop { asked }))), task: None, stop }
    }

    /// Asks the run to stop at its next boundary, as dropping does; awaiting it then tells when it has.
    pub fn stop(&self) {
        ask(&self.stop, Asked::Stop);
    }

    /// Something to ask for a stop by from elsewhere: a signal handler, another task.
    pub fn stopper(&self) -> Stopper {
        Stopper { stop: self.stop.clone() }
    }
}

impl<T: Send + 'static> Running<T> {
    /// Runs until `shutdown` is there, whatever that is: a signal, a channel, a token. Then it stops at its next boundary, in
    /// a state that the next run goes on from, and this ends with what the run has come to: its result where it ended
    /// all the same, and an error of the kind [`ErrorKind::Stopped`] where it did not. What is in flight is waited for;
    /// [`Stopper::cancel`] ends that too.
    ///
    /// This crate handles no signals.
    ///
    /// ```no_run
    /// # use migrate_pg::prelude::*;
    /// # async fn example(migrator: Migrator, pool: deadpool_postgres::Pool) -> Result<(), migrate_pg::Error> {
    /// # async fn sigterm() {}
    /// let report = migrator.run_through(Phase::Migrate, &pool).until(sigterm()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn until(mut self, shutdown: impl Future) -> Result<T> {
        let shutdown = std::pin::pin!(shutdown);
        tokio::select! {
            biased;
            _ = shutdown => self.stop(),
            result = &mut self => return result,
        }
        self.await
    }
}

/// Asks for more than was asked for before, never for less.
fn ask(asked: &watch::Sender<Asked>, what: Asked) {
    asked.send_if_modified(|asked| {
        let more = what > *asked;
        *asked = what.max(*asked);
        more
    });
}

impl<T: Send + 'static> Future for Running<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(work) = self.start.take() {
            self.task = Some(tokio::spawn(work));
        }
        let task = self.task.as_mut().expect("a finished run is not polled again");
        let Poll::Ready(joined) = Pin::new(task).poll(cx) else { return Poll::Pending };
        self.task = None;
        Poll::Ready(match joined {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::new(ErrorKind::Stopped, "the runtime shut down while the run was under way")),
            },
        })
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<T> fmt::Debug for Running<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("started", &self.start.is_none()).finish_non_exhaustive()
    }
}

/// Asks a run to stop at its next boundary.
#[derive(Debug, Clone)]
pub struct Stopper {
    stop: watch::Sender<Asked>,
}

impl Stopper {
    /// Asks.
    pub fn stop(&self) {
        ask(&self.stop, Asked::Stop);
    }

    /// Asks, and has what is in flight cancelled, by `pg_cancel_backend` from a second connection: a transaction is rolled
    /// back, a batch of a backfill too; the INVALID index of a build is removed. Where a backfill has several workers, the
    /// batch that each of them has under way is waited for. The run ends with an error of the kind
    /// [`ErrorKind::Stopped`], and the next one goes on.
    ///
    /// A role may cancel what runs as itself, or as a role that it is a member of (manual, 9.28.2).
    pub fn cancel(&self) {
        ask(&self.stop, Asked::Cancel);
    }
}

/// The run's side: whether it has been asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    asked: watch::Receiver<Asked>,
}

impl Stop {
    /// With what asks for it. Dropping that asks, too.
    #[cfg(feature = "testing")]
    pub(crate) fn pair() -> (Stopper, Self) {
        let (stop, asked) = watch::channel(Asked::Nothing);
        (Stopper { stop }, Self { asked })
    }

    pub(crate) fn is_asked(&self) -> bool {
        // A sender that is gone was dropped with its handle.
        *self.asked.borrow() >= Asked::Stop || self.asked.has_changed().is_err()
    }

    /// Whether what is in flight is to be cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        *self.asked.borrow() == Asked::Cancel
    }

    /// Waits until what is in flight is to be cancelled.
    pub(crate) async fn cancelled(&self) {
        let mut asked = self.asked.clone();
        if asked.wait_for(|asked| *asked == Asked::Cancel).await.is_err() {
            // Dropped, which cancels nothing.
            std::future::pending::<()>().await;
        }
    }

    /// An error at a boundary where a stop was asked for.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_asked() {
            Err(Error::new(ErrorKind::Stopped, "the run was asked to stop, and did before its next step")
                .help("What was done is recorded. Run again: it goes on from there."))
        } else {
            Ok(())
        }
    }

    /// Sleeps, unless a stop is asked for meanwhile.
    pub(crate) async fn sleep(&self, time: std::time::Duration) {
        let mut asked = self.asked.clone();
        let stopped = async move {
            // An error is a dropped sender: asked, too.
            let _ = asked.wait_for(|asked| *asked >= Asked::Stop).await;
        };
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = stopped => {}
        }
    }
}

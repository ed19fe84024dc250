//! How fast a backfill may go: what its operator says of it.

use super::BackfillProgress;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How fast a backfill may go, and what it makes way for. The defaults are those of a careful operator: batches of half a
/// second, held up while a standby is 10 s or 256 MiB behind or 64 WAL files wait to be archived, half as fast while a
/// vacuum cleans the table, and one batch at a time.
///
/// ```
/// # use migrate_pg::Pace;
/// # use std::time::Duration;
/// let careful = Pace::default().batch_time(Duration::from_millis(100)).ignore_standby("delayed_by_an_hour");
/// ```
#[derive(Clone)]
pub struct Pace {
    pub(crate) batch_time: Duration,
    pub(crate) standby_lag: Option<Duration>,
    pub(crate) standby_bytes: Option<u64>,
    pub(crate) ignored_standbys: Vec<String>,
    pub(crate) archive_backlog: Option<u32>,
    pub(crate) heed_vacuum: bool,
    pub(crate) workers: u32,
    pub(crate) look_every: Duration,
    pub(crate) throttle: Option<Callback>,
}

/// What is asked between batches: how long to wait before it is asked again, or nothing.
pub(crate) type Callback = Arc<dyn Fn(&BackfillProgress) -> Option<Duration> + Send + Sync>;

impl Default for Pace {
    fn default() -> Self {
        Self {
            batch_time: Duration::from_millis(500),
            standby_lag: Some(Duration::from_secs(10)),
            standby_bytes: Some(256 << 20),
            ignored_standbys: Vec::new(),
            archive_backlog: Some(64),
            heed_vacuum: true,
            workers: 1,
            look_every: Duration::from_secs(1),
            throttle: None,
        }
    }
}

impl Pace {
    /// How long a batch should take: their size follows it, up to the one that is declared. 500 ms unless said
    /// otherwise; the rows of a batch are locked for as long.
    #[must_use]
    pub fn batch_time(mut self, time: Duration) -> Self {
        self.batch_time = time;
        self
    }

    /// How far behind a standby may be in replaying, in time and in bytes of WAL, before the backfill waits for it; `None`
    /// for however far. 10 s and 256 MiB unless said otherwise. A standby whose delay is wanted, by
    /// `recovery_min_apply_delay`, is to be ignored by [`Pace::ignore_standby`].
    #[must_use]
    pub fn standby_lag(mut self, time: Option<Duration>, bytes: Option<u64>) -> Self {
        self.standby_lag = time;
        self.standby_bytes = bytes;
        self
    }

    /// A standby (or subscriber) that may be behind, by the `application_name` that `pg_stat_replication` shows.
    #[must_use]
    pub fn ignore_standby(mut self, application_name: impl Into<String>) -> Self {
        self.ignored_standbys.push(application_name.into());
        self
    }

    /// How many WAL files may wait to be archived before the backfill waits for the archiver; `None` for however many. 64
    /// unless said otherwise, which is 1 GiB.
    #[must_use]
    pub fn archive_backlog(mut self, files: Option<u32>) -> Self {
        self.archive_backlog = files;
        self
    }

    /// Whether to go half as fast while a vacuum cleans the table: it does, unless said otherwise.
    #[must_use]
    pub fn heed_vacuum(mut self, heed: bool) -> Self {
        self.heed_vacuum = heed;
        self
    }

    /// How many batches of one backfill run at a time, each on a connection of its own and in a range of the key that is
    /// its own: 1 unless said otherwise. The ranges come from the table's statistics; a table without is walked by one.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// How often to look at standbys, archiver and vacuum: every second unless said otherwise.
    #[must_use]
    pub fn look_every(mut self, time: Duration) -> Self {
        self.look_every = time;
        self
    }

    /// Asked after each batch: `Some(time)` makes the backfill wait and ask again.
    #[must_use]
    pub fn throttle(mut self, ask: impl Fn(&BackfillProgress) -> Option<Duration> + Send + Sync + 'static) -> Self {
        self.throttle = Some(Arc::new(ask));
        self
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace")
            .field("batch_time", &self.batch_time)
            .field("standby_lag", &self.standby_lag)
            .field("standby_bytes", &self.standby_bytes)
            .field("archive_backlog", &self.archive_backlog)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

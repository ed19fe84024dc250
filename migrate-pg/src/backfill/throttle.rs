//! What a backfill waits for between its batches: standbys that are behind, WAL that is not archived, a vacuum of the
//! table, and whatever its operator asks for.

use super::error::BackfillError;
use super::pace::Pace;
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// The standbys that are not to be ignored. Roles without `pg_read_all_stats` see that there is one, and nothing of it.
const STANDBYS: &str = "\
SELECT coalesce(nullif(r.application_name, ''), 'pid ' || r.pid), r.state IS NULL,
  extract(epoch FROM r.replay_lag)::float8,
  greatest(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn), 0)::float8
FROM pg_catalog.pg_stat_replication r
WHERE coalesce(r.application_name, '') <> ALL ($1) AND r.state IS DISTINCT FROM 'backup'
ORDER BY 4 DESC NULLS LAST";

/// How many WAL files there are between the last that was archived and the one that is written now; `NULL` where nothing
/// is archived, or nothing has been yet. The names of files are timeline, and number in two halves (`xlog_internal.h`);
/// `pg_walfile_name` of the place that is written now is the file before where that one is full.
const ARCHIVE: &str = "\
WITH w AS (
  SELECT a.last_archived_wal, a.failed_count > 0 AND a.last_failed_time > coalesce(a.last_archived_time, '-infinity') AS failing,
    pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')) AS bytes
  FROM pg_catalog.pg_stat_archiver a
  WHERE pg_catalog.current_setting('archive_mode') <> 'off'
), n AS (
  SELECT failing,
    pg_catalog.trunc(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0') / bytes)::bigint AS current,
    ('x' || substr(last_archived_wal, 9, 8))::bit(32)::bigint * (4294967296 / bytes)
      + ('x' || substr(last_archived_wal, 17, 8))::bit(32)::bigint AS archived
  FROM w WHERE last_archived_wal IS NULL OR last_archived_wal ~ '^[0-9A-F]{24}'
)
SELECT CASE WHEN archived IS NOT NULL THEN greatest(current - archived - 1, 0) END::bigint, failing FROM n";

/// Vacuums of the table or of a partition of it, and whether there is one whose table this role may not see.
const VACUUM: &str = "\
SELECT bool_or(v.relid = $1 OR v.relid IN (SELECT relid FROM pg_catalog.pg_partition_tree($1))), bool_or(v.relid IS NULL)
FROM pg_catalog.pg_stat_progress_vacuum v WHERE v.datname = pg_catalog.current_database()";

/// What was found to be in the way.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    /// What is waited for, in words; nothing where there is nothing.
    pub(super) hold: Option<String>,
    /// The table is being vacuumed.
    pub(super) vacuum: bool,
    /// What this role is not shown, in words.
    pub(super) hidden: Vec<&'static str>,
}

/// When was last looked.
#[derive(Default)]
pub(super) struct Throttle {
    looked: Option<Instant>,
    pub(super) vacuum: bool,
}

impl Throttle {
    /// Whether it is time to look again.
    pub(super) fn is_due(&self, every: Duration) -> bool {
        self.looked.is_none_or(|looked| looked.elapsed() >= every)
    }

    pub(super) const fn is_first(&self) -> bool {
        self.looked.is_none()
    }

    /// One round trip: the three are asked together.
    pub(super) async fn look(
        &mut self,
        client: &Client,
        table: &str,
        oid: u32,
        pace: &Pace,
    ) -> Result<Found, BackfillError> {
        let standbys = async {
            if pace.standby_lag.is_none() && pace.standby_bytes.is_none() {
                return Ok(Vec::new());
            }
            client.query_typed(STANDBYS, &[(&pace.ignored_standbys, Type::TEXT_ARRAY)]).await
        };
        let archive = async {
            if pace.archive_backlog.is_none() { Ok(None) } else { client.query_typed_opt(ARCHIVE, &[]).await }
        };
        let vacuum = async {
            if pace.heed_vacuum { client.query_typed_opt(VACUUM, &[(&oid, Type::OID)]).await } else { Ok(None) }
        };
        let (standbys, archive, vacuum) = tokio::join!(standbys, archive, vacuum);
        let failed = |error| BackfillError::database(table, "look at standbys, archiver and vacuum")(error);
        let (standbys, archive, vacuum) =
            (standbys.map_err(failed)?, archive.map_err(failed)?, vacuum.map_err(failed)?);
        self.looked = Some(Instant::now());

        let mut found = Found::default();
        let mut hold = String::new();
        for standby in &standbys {
            let (name, hidden) = (standby.get::<_, &str>(0), standby.get::<_, bool>(1));
            if hidden {
                found.hidden.push("how far standbys are behind (pg_stat_replication), which needs pg_monitor");
                continue;
            }
            let lag = standby.get::<_, Option<f64>>(2).filter(|lag| *lag >= 0.0);
            let bytes = standby.get::<_, Option<f64>>(3);
            let late = lag.zip(pace.standby_lag).is_some_and(|(lag, most)| lag > most.as_secs_f64());
            #[allow(clippy::cast_precision_loss, reason = "a threshold")]
            let far = bytes.zip(pace.standby_bytes).is_some_and(|(bytes, most)| bytes > most as f64);
            if late || far {
                let _ = write!(
                    hold,
                    "{}standby {name} is {:.1} s and {:.1} MiB behind",
                    if hold.is_empty() { "" } else { "; " },
                    lag.unwrap_or_default(),
                    bytes.unwrap_or_default() / f64::from(1 << 20)
                );
            }
        }
        if let (Some(row), Some(most)) = (archive, pace.archive_backlog) {
            let (backlog, failing) = (row.get::<_, Option<i64>>(0), row.get::<_, Option<bool>>(1) == Some(true));
            let text = match backlog {
                Some(files) if files > i64::from(most) => Some(format!("{files} WAL files wait to be archived")),
                // Nothing was archived since the statistics began, and the last attempt failed: WAL piles up.
                None if failing => Some("the archiver has archived nothing yet, and fails".to_owned()),
                _ => None,
            };
            if let Some(text) = text {
                let _ = write!(hold, "{}{text}", if hold.is_empty() { "" } else { "; " });
            }
        }
        if let Some(row) = vacuum {
            found.vacuum = row.get::<_, Option<bool>>(0) == Some(true);
            if row.get::<_, Option<bool>>(1) == Some(true) {
                found.hidden.push("which table a vacuum cleans (pg_stat_progress_vacuum), which needs pg_monitor");
            }
        }
        self.vacuum = found.vacuum;
        found.hidden.dedup();
        found.hold = (!hold.is_empty()).then_some(hold);
        Ok(found)
    }
}

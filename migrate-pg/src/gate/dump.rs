//! The `Dump` gate: a `pg_dump` of the affected relations, made and read back right before the step that destroys their
//! data.

mod file;
mod relations;
mod tool;

use self::file::Partial;
use self::relations::{Kind, Relations};
use self::tool::{Connection, Tools, output, quiet};
use super::{BoxFuture, Gate, GateContext, GateError, Receipt};
use crate::quote::ident;
use migrate_core::model::Backup;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_postgres::Config;

/// A gate that makes a `pg_dump` of the affected relations in a directory, in custom format, and verifies it.
///
/// The dump is made on a connection of its own, by the newest `pg_dump` of the machine: in the directory named by the
/// environment variable `MIGRATE_PG_BIN` or by [`Dump::bin_dir`], or else under `/usr/lib/postgresql`, where `pg_config`
/// says, or in `PATH`. It holds the definitions and rows of the relations, their partitions and children included, as of
/// its start: what is written between the dump and the step is not in it. Large objects are not in it.
///
/// Verified means: every relation's data is listed in it under the relation's own OID, it was read back to its end, and it
/// was flushed to disk. Its path, size and SHA-256 are in the receipt. `pg_restore` brings the rows back.
///
/// Until then its name begins with a dot and ends in `.partial`: what a killed process leaves under such a name is no
/// dump, and can be removed.
#[derive(Clone)]
pub struct Dump {
    directory: PathBuf,
    config: Config,
    bin_dir: Option<PathBuf>,
    lock_wait: Duration,
}

impl Dump {
    /// Dumps into this directory, from the database that this configuration connects to: the one that is migrated.
    ///
    /// ```
    /// # use migrate_pg::gate::Dump;
    /// # fn main() -> Result<(), tokio_postgres::Error> {
    /// let config: tokio_postgres::Config = "host=db.example user=migrator password=hunter2 dbname=shop".parse()?;
    /// let gate = Dump::to("/var/backups/migrations", &config);
    /// assert!(!format!("{gate:?}").contains("hunter2"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn to(directory: impl Into<PathBuf>, config: &Config) -> Self {
        Self { directory: directory.into(), config: config.clone(), bin_dir: None, lock_wait: Duration::from_secs(10) }
    }

    /// Runs the `pg_dump` and `pg_restore` of this directory, and no others.
    #[must_use]
    pub fn bin_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.bin_dir = Some(directory.into());
        self
    }

    /// Waits at most this long for the ACCESS SHARE lock on each relation (10 seconds unless told).
    #[must_use]
    pub const fn lock_wait(mut self, limit: Duration) -> Self {
        self.lock_wait = limit;
        self
    }

    async fn check(&self, ctx: &GateContext<'_>) -> Result<(), GateError> {
        let tools = Tools::find(self.bin_dir.as_deref()).await?;
        tools.fits(ctx.server_version_num)?;
        file::check_writable(&self.directory).await?;

        // A dump of nothing shows that the server lets pg_dump in, before any step has run.
        let session = Session::of(ctx).await?;
        let connection = Connection::new(&self.config, &session.user, &session.database);
        let mut command = connection.command(&tools.pg_dump);
        command.args(["--no-password", "--schema-only", "--exclude-schema=*"]);
        session.role(&self.config, &mut command);
        quiet(command, "trying to reach the server", Some(&connection)).await
    }

    async fn dump(&self, ctx: &GateContext<'_>) -> Result<Receipt, GateError> {
        let session = Session::of(ctx).await?;
        let relations = Relations::of(ctx).await?;
        let mut receipt = json!({
            "database": session.database,
            "migration": ctx.migration,
            "version": ctx.version,
            "step": ctx.step,
            "direction": ctx.direction.name(),
            "at": session.now,
            "server_version_num": ctx.server_version_num,
            "relations": relations.wanted.iter().map(relations::Relation::json).collect::<Vec<_>>(),
            "not_dumped": relations.not_dumped,
        });
        // Where the SQL does not say what is destroyed, only the whole database holds it for certain.
        let whole = ctx.losses.is_empty();
        if whole {
            receipt["whole_database"] = json!(true);
        } else if relations.wanted.is_empty() {
            return Ok(Receipt { kind: "dump".to_owned(), json: receipt });
        }

        let tools = Tools::find(self.bin_dir.as_deref()).await?;
        tools.fits(ctx.server_version_num)?;
        let connection = Connection::new(&self.config, &session.user, &session.database);
        let partial = Partial::create(&self.directory, &file::name(ctx, &session.database, &session.stamp)).await?;

        let mut command = connection.command(&tools.pg_dump);
        command.args(["--no-password", "--format=custom", "--strict-names"]);
        command.arg(format!("--lock-wait-timeout={}", self.lock_wait.as_millis().max(1)));
        command.arg("--file").arg(partial.path());
        session.role(&self.config, &mut command);
        for relation in &relations.wanted {
            command.arg("--table").arg(relation.quoted());
        }
        let servers: BTreeSet<_> = relations.wanted.iter().filter_map(|one| one.foreign_server.as_deref()).collect();
        for server in servers {
            command.arg("--include-foreign-data").arg(ident(server));
        }
        quiet(command, "dumping", Some(&connection)).await?;

        verify(&tools, partial.path(), &relations).await?;
        let saved = partial.finish().await?;
        receipt["path"] = json!(saved.path.to_string_lossy());
        receipt["bytes"] = json!(saved.bytes);
        receipt["sha256"] = json!(saved.sha256);
        receipt["pg_dump"] = json!(tools.version.text);
        tracing::info!(path = %saved.path.display(), bytes = saved.bytes, migration = ctx.migration, "dump made");
        Ok(Receipt { kind: "dump".to_owned(), json: receipt })
    }
}

impl Gate for Dump {
    fn name(&self) -> &'static str {
        "dump"
    }

    fn provides(&self) -> Option<Backup> {
        Some(Backup::Dump)
    }

    fn preflight<'a>(&'a self, ctx: &'a GateContext<'a>) -> BoxFuture<'a, Result<(), GateError>> {
        Box::pin(self.check(ctx))
    }

    fn pass<'a>(&'a self, ctx: &'a GateContext<'a>) -> BoxFuture<'a, Result<Receipt, GateError>> {
        Box::pin(self.dump(ctx))
    }
}

impl fmt::Debug for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dump")
            .field("directory", &self.directory)
            .field("bin_dir", &self.bin_dir)
            .field("lock_wait", &self.lock_wait)
            .finish_non_exhaustive()
    }
}

/// Who the runner's session is, and when.
struct Session {
    user: String,
    database: String,
    /// The role that the session has taken by SET ROLE: the dump takes it too, as the same user.
    set_role: Option<String>,
    now: String,
    stamp: String,
}

impl Session {
    async fn of(ctx: &GateContext<'_>) -> Result<Self, GateError> {
        let sql = "SELECT session_user::text, current_database()::text, nullif(current_user, session_user)::text, \
                   to_char(moment, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), to_char(moment, 'YYYYMMDD\"T\"HH24MISS.US\"Z\"') \
                   FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC') AS clock(moment)";
        let row = ctx.client.query_typed_one(sql, &[]).await.map_err(GateError::query("ask who the session is"))?;
        Ok(Self { user: row.get(0), database: row.get(1), set_role: row.get(2), now: row.get(3), stamp: row.get(4) })
    }

    /// A user of the dump's own, other than the runner's, may not be a member of the role, and needs it less.
    fn role(&self, config: &Config, command: &mut tokio::process::Command) {
        let same_user = config.get_user().is_none_or(|user| user == self.user);
        if let Some(role) = self.set_role.as_ref().filter(|_| same_user) {
            command.arg("--role").arg(role);
        }
    }
}

/// Holds the dump against what it must hold, and reads it to its end.
async fn verify(tools: &Tools, path: &Path, relations: &Relations) -> Result<(), GateError> {
    let mut list = tokio::process::Command::new(&tools.pg_restore);
    list.arg("--list").arg(path);
    let list = output(list, "listing the dump", None).await?;
    let entries: Vec<Entry<'_>> = list.lines().filter_map(Entry::read).collect();
    let missing: Vec<String> = relations
        .wanted
        .iter()
        .filter(|relation| {
            let listed =
                |what: &str| entries.iter().any(|entry| entry.oid == relation.oid && entry.rest.starts_with(what));
            !match relation.kind {
                Kind::Table | Kind::ForeignTable => listed("TABLE DATA "),
                Kind::PartitionedTable => listed("TABLE "),
                // The entry with the position has no OID (pg_dump.c, dumpSequenceData).
                Kind::Sequence => {
                    let position = format!("SEQUENCE SET {} {} ", relation.schema, relation.name);
                    listed("SEQUENCE ") && entries.iter().any(|entry| entry.rest.starts_with(&position))
                }
            }
        })
        .map(relations::Relation::quoted)
        .collect();
    if !missing.is_empty() {
        return Err(GateError::Incomplete { missing });
    }

    let mut read = tokio::process::Command::new(&tools.pg_restore);
    read.args(["--file", "-"]).arg(path);
    quiet(read, "reading the dump back", None).await
}

/// One line of `pg_restore --list`: `3310; 0 16385 TABLE DATA public orders postgres`, the second number the relation's
/// OID (`pg_backup_archiver.c`, `PrintTOCSummary`).
struct Entry<'a> {
    oid: u32,
    rest: &'a str,
}

impl<'a> Entry<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (_, rest) = line.split_once("; ")?;
        let (_, rest) = rest.split_once(' ')?;
        let (oid, rest) = rest.split_once(' ')?;
        Some(Self { oid: oid.parse().ok()?, rest })
    }
}

#[cfg(test)]
mod tests;

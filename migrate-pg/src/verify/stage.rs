//! A database of its own with a part of the history applied: by the runner's own code, under its lease.

use super::Pairs;
use super::gate::Proving;
use super::judge::Picture;
use super::rows::{Made, Rows, Shape, refresh};
use super::seed::said;
use crate::catalog::data::{DataDigest, DataScope};
use crate::catalog::{Fingerprint, Scope};
use crate::connect::Source;
use crate::error::{Error, ErrorKind, Result};
use crate::handle::{Stop, Stopper};
use crate::lease::Lease;
use crate::quote::{ident, literal};
use crate::report::Done;
use crate::testing::{Server, TestDatabase};
use crate::work::Work;
use migrate_core::model::{Backup, Meta, Version};
use migrate_core::plan::{Planned, State};
use tokio_postgres::Client;

pub(super) struct Stage<'p> {
    pairs: &'p Pairs,
    work: Work,
    lease: Lease,
    server_version_num: u32,
    /// Reads and seeds. It never is inside of a transaction while a step runs: CREATE INDEX CONCURRENTLY would wait for it.
    pub(super) client: Client,
    rows: Rows,
    /// Dropped, it would ask the run to stop.
    _stop: Stopper,
    _database: TestDatabase,
}

impl<'p> Stage<'p> {
    /// A fresh database with roles, extensions and baseline.
    pub(super) async fn new(pairs: &'p Pairs, server: &Server) -> Result<Self> {
        let failed = |error| Error::new(ErrorKind::Proof, "no database for the proof").because(error);
        let database = server.database().await.map_err(failed)?;
        let client = database.try_connect().await.map_err(failed)?;
        declare(pairs, &client).await?;
        let (asker, stop) = Stop::pair();
        let mut migrator = pairs.migrator.clone().load_baseline(true);
        for &backup in Backup::ALL {
            migrator = migrator.gate(Proving(backup));
        }
        let work = migrator.work_on(Source::from(database.config()), stop);
        let lease = work.lease(work.source.session().await?).await?;
        let look = work.look(lease.client()).await?;
        let server_version_num = look.server_version_num;
        let stage = Self {
            pairs,
            work,
            lease,
            server_version_num,
            client,
            rows: Rows::default(),
            _stop: asker,
            _database: database,
        };
        stage.work.settle_baseline(&stage.lease, &look).await?;
        Ok(stage)
    }

    pub(super) fn metas(&self) -> Vec<&'static Meta> {
        self.work.metas()
    }

    /// The session that the migrations run on: it has the runner's role and `search_path`.
    pub(super) fn runner(&self) -> &Client {
        self.lease.client()
    }

    /// Applies a migration, as a run does.
    pub(super) async fn up(&self, meta: &'static Meta) -> Result<Done> {
        self.apply(meta, None).await
    }

    async fn apply(&self, meta: &'static Meta, unfinished: Option<State>) -> Result<Done> {
        let planned = Planned { meta, unfinished, gates: Vec::new(), passes: Vec::new() };
        self.work.preflight_up(&self.lease, &[meta], self.server_version_num).await?;
        self.work.apply(&self.lease, &planned, self.server_version_num).await
    }

    /// Takes a migration back, as an undo does that may pass over what cannot be.
    pub(super) async fn down(&self, meta: &'static Meta) -> Result<Done> {
        self.work.undo_one(&self.lease, meta, State::Applied, self.server_version_num).await
    }

    /// The schema and the rows. `without` are columns that a second look at the rows leaves out.
    pub(super) async fn look(&self, without: &[(&str, &str)]) -> Result<Picture, String> {
        let ledger = self.work.ledger.name.as_str();
        let scope = Scope::new().exclude_schema(ledger).database(true);
        let schema = Fingerprint::read(&self.client, &scope).await.map_err(|error| error.to_string())?;
        let rows = DataScope::new().exclude_schema(ledger);
        let data = DataDigest::read(&self.client, &rows).await.map_err(|error| error.to_string())?;
        let narrow = if without.is_empty() {
            None
        } else {
            let narrow = without.iter().fold(rows, |rows, &(table, column)| rows.exclude_column(table, column));
            Some(DataDigest::read(&self.client, &narrow).await.map_err(|error| error.to_string())?)
        };
        Ok(Picture { schema, data, narrow })
    }

    /// Writes the seeds for this version, and says whether there were any.
    pub(super) async fn seed(&self, version: Version) -> Result<bool, String> {
        let mut seeded = false;
        for seed in self.pairs.seeds.iter().filter(|seed| seed.version == version) {
            seed.write(&self.client).await.map_err(|why| format!("the seed failed: {why}"))?;
            seeded = true;
        }
        if seeded {
            refresh(&self.client, &self.work.ledger.name).await?;
        }
        Ok(seeded)
    }

    /// Makes rows for tables that have none; they fit `later`, too.
    pub(super) async fn fill(&mut self, later: Option<&Shape>) -> Result<Made, String> {
        self.rows.fill(&self.client, &self.work.ledger.name, later).await
    }

    /// What the tables are like once a migration has been applied, which is taken back again.
    pub(super) async fn foresee(&self, meta: &'static Meta) -> Result<Shape, String> {
        self.up(meta).await.map_err(|error| format!("also on empty tables, the up fails: {error}"))?;
        let shape = Shape::read(&self.client, &self.work.ledger.name).await?;
        self.down(meta).await.map_err(|error| format!("on empty tables, the down fails: {error}"))?;
        Ok(shape)
    }

    /// Gives the lease up; the database goes with the value.
    pub(super) async fn end(self) {
        self.lease.release().await;
    }
}

/// Makes the declared roles and extensions. Roles are the whole server's: one that is there is as good.
async fn declare(pairs: &Pairs, client: &Client) -> Result<()> {
    let mut statements = Vec::new();
    for role in &pairs.roles {
        statements.push((
            format!("role {role}"),
            format!(
                "DO $declare$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}) THEN CREATE ROLE {}; END IF; \
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $declare$",
                literal(role),
                ident(role)
            ),
        ));
    }
    for extension in &pairs.extensions {
        statements.push((
            format!("extension {extension}"),
            format!("CREATE EXTENSION IF NOT EXISTS {} CASCADE", ident(extension)),
        ));
    }
    for (what, sql) in statements {
        client.batch_execute(&sql).await.map_err(|error| {
            let text = format!("the declared {what} could not be made: {}", said(&error));
            Error::new(ErrorKind::Proof, text)
                .help("Install it on the server for tests, or name another server by MIGRATE_TEST_DATABASE_URL.")
        })?;
    }
    Ok(())
}

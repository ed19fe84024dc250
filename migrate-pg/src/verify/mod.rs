//! The proof that every down reverses its up, on a server: what `cargo test` runs for each `migrations!`.
//!
//! On a fresh database, with its baseline and rows, each migration is applied, taken back and applied again by the runner's
//! own code. After the down the [fingerprint](crate::catalog) of the schema and the digest of all rows are what they were
//! before; after the second up, what they were after the first. What a migration declares that it destroys or keeps, and
//! what is filled from the clock, at random or from a sequence, is exempt, and is named.
//!
//! ```no_run
//! # use migrate_pg::model::History;
//! # fn history() -> History { unreachable!() }
//! use migrate_pg::{Migrator, verify::Pairs};
//!
//! #[tokio::test]
//! async fn downs_reverse() {
//!     let proof = Pairs::of(Migrator::new(history())).role("app").seed(2026_03_01_0900, "INSERT INTO orders DEFAULT VALUES").prove().await.unwrap();
//!     assert!(proof.holds(), "{proof}");
//! }
//! ```

mod drift;
mod exempt;
mod gate;
mod gone;
mod judge;
mod named;
mod pair;
mod proof;
mod rows;
mod seed;
mod stage;
mod volatile;
mod walk;
mod words;

pub use self::drift::Drift;
pub use self::pair::{Pair, PairProof};
pub use self::proof::{Outcome, Proof, ProofLine};

use self::seed::Seed;
use crate::connect::Source;
use crate::error::{Error, ErrorKind, Result};
use crate::migrator::Migrator;
use crate::testing::{self, Server};
use migrate_core::model::{History, Version};
use std::error::Error as StdError;
use std::fmt;
use tokio_postgres::Client;

/// The pairs of up and down of a history, and what their proof needs.
#[derive(Clone)]
pub struct Pairs {
    migrator: Migrator,
    server: Option<Server>,
    roles: Vec<String>,
    extensions: Vec<String>,
    seeds: Vec<Seed>,
    from: Option<Version>,
}

impl Pairs {
    /// The pairs of this runner's history, run with its settings. Gates are passed without a backup, unless the runner has one
    /// of its own for the kind that is asked for.
    pub fn of(migrator: Migrator) -> Self {
        Self { migrator, server: None, roles: Vec::new(), extensions: Vec::new(), seeds: Vec::new(), from: None }
    }

    /// Proves on this server, and not on the one for tests that [`testing::server`] finds.
    #[must_use]
    pub fn server(mut self, server: Server) -> Self {
        self.server = Some(server);
        self
    }

    /// A role that has to be there. Roles are the whole server's: on one that goes on running they stay.
    #[must_use]
    pub fn role(mut self, name: impl Into<String>) -> Self {
        self.roles.push(name.into());
        self
    }

    /// An extension that has to be there before the baseline.
    #[must_use]
    pub fn extension(mut self, name: impl Into<String>) -> Self {
        self.extensions.push(name.into());
        self
    }

    /// Rows to write once the migration of this version has been applied (0: before the first), as SQL. Tables that are
    /// still empty then are given rows all the same.
    #[must_use]
    pub fn seed(mut self, version: impl Into<Version>, sql: impl Into<String>) -> Self {
        self.seeds.push(Seed::sql(version.into(), sql.into()));
        self
    }

    /// The same by an `async fn(&tokio_postgres::Client) -> Result<(), …>`.
    #[must_use]
    pub fn seed_with<F, E>(mut self, version: impl Into<Version>, function: F) -> Self
    where
        F: for<'a> AsyncFn(&'a Client) -> Result<(), E> + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        self.seeds.push(Seed::function(version.into(), function));
        self
    }

    /// Proves from this version on; what is before is only applied.
    #[must_use]
    pub fn from(mut self, version: impl Into<Version>) -> Self {
        self.from = Some(version.into());
        self
    }

    /// The proof. What fails is in it; an error is that it could not be begun.
    ///
    /// # Errors
    ///
    /// Where there is no server, or what is declared cannot be made on it, or the baseline cannot be loaded.
    pub async fn prove(&self) -> Result<Proof> {
        let server = match &self.server {
            Some(server) => server.clone(),
            None => testing::try_server().await.map_err(|error| {
                Error::new(ErrorKind::Proof, format!("no server for the proof: {error}")).because(error)
            })?,
        };
        walk::prove(self, &server).await
    }

    /// What is found on a server, against what the history makes of an empty database of the same version when it applies
    /// what that server's ledger says is applied. Only reads there.
    ///
    /// Owners are compared as well: name the role that owns production's objects by [`Migrator::role`] and
    /// [`role`](Self::role). To compare with what a release was like when it was built, keep a
    /// [`Fingerprint`](crate::catalog::Fingerprint) as JSON.
    ///
    /// # Errors
    ///
    /// Where the ledger does not fit this program, a migration is half done, or there is no server of the version to make
    /// what is expected.
    pub async fn drift(&self, source: impl Into<Source>) -> Result<Drift> {
        drift::drift(self, source.into()).await
    }
}

impl fmt::Debug for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairs")
            .field("migrator", &self.migrator)
            .field("server", &self.server)
            .field("roles", &self.roles)
            .field("extensions", &self.extensions)
            .field("seeds", &self.seeds.iter().map(|seed| seed.version).collect::<Vec<_>>())
            .field("from", &self.from)
            .finish()
    }
}

/// Whether rows are what a statement failed on: data exceptions and violated constraints (manual, appendix A, classes 22
/// and 23).
fn is_of_rows(sqlstate: &str) -> bool {
    sqlstate.starts_with("22") || sqlstate.starts_with("23")
}

/// The test that `migrations!` makes.
///
/// # Panics
///
/// If something fails: with all of it, a line for each migration.
#[doc(hidden)]
pub fn test(history: fn() -> History, declare: impl FnOnce(Pairs) -> Pairs) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime needs an I/O driver");
    let pairs = declare(Pairs::of(Migrator::new(history())));
    match runtime.block_on(pairs.prove()) {
        Ok(proof) if proof.holds() => println!("{proof}"),
        Ok(proof) => panic!("the history was not proved, that each up runs and each down reverses it:\n\n{proof}"),
        Err(error) => panic!("the proof that every down reverses its up could not be begun: {error}"),
    }
}

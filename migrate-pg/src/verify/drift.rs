//! Drift: what the history makes of an empty database, against what is found on a server.

use super::Pairs;
use super::stage::Stage;
use crate::catalog::{Difference, Fingerprint, Scope};
use crate::connect::Source;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Look;
use crate::testing::{self, Binaries, Server};
use migrate_core::model::Meta;
use migrate_core::plan::State;
use std::fmt;

/// What is found on a server and is not as its history has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drift {
    /// How many migrations the ledger says are applied.
    pub applied: usize,
    /// What differs, seen from what is expected.
    pub differences: Vec<Difference>,
}

impl Drift {
    /// Whether nothing differs.
    pub fn is_none(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return writeln!(f, "what is found on the server is what the {} applied migrations make", self.applied);
        }
        writeln!(f, "expected by the history ({} applied migrations), against found on the server:", self.applied)?;
        self.differences.iter().try_for_each(|difference| writeln!(f, "    {difference}"))
    }
}

pub(super) async fn drift(pairs: &Pairs, source: Source) -> Result<Drift> {
    let work = pairs.migrator.work_on(source, crate::handle::Stop::pair().1);
    let session = work.source.session().await?;
    let look = work.look(session.client()).await?;
    let applied = applied(&look, |version| work.history.find(version).map(migrate_core::model::Migration::meta))?;
    let scope = Scope::new().exclude_schema(work.ledger.name.as_str());
    let read = |error: crate::catalog::CatalogError| {
        Error::new(ErrorKind::Proof, format!("the schema could not be read: {error}")).because(error)
    };
    let found = Fingerprint::read(session.client(), &scope).await.map_err(read)?;
    session.close().await;

    let major = u16::try_from(look.server_version_num / 10_000).unwrap_or_default();
    let stage = Stage::new(pairs, &server(pairs, major).await?).await?;
    for meta in &applied {
        stage.up(meta).await?;
    }
    let expected = Fingerprint::read(&stage.client, &scope).await.map_err(read)?;
    stage.end().await;
    Ok(Drift { applied: applied.len(), differences: expected.differences(&found) })
}

/// What the ledger says is applied, in its order.
fn applied(
    look: &Look,
    find: impl Fn(migrate_core::model::Version) -> Option<&'static Meta>,
) -> Result<Vec<&'static Meta>> {
    let mut applied = Vec::new();
    for row in &look.rows {
        if row.state != State::Applied {
            let text = format!("{} {} is half done: finish it or take it back first", row.version, row.name);
            return Err(Error::new(ErrorKind::Proof, text));
        }
        let meta = find(row.version).ok_or_else(|| {
            let text = format!("{} {} is applied, and this program does not have it", row.version, row.name);
            Error::new(ErrorKind::Missing, text).help("Ask for the drift from the release that is deployed.")
        })?;
        if meta.digest() != row.digest && !meta.supersedes().contains(&row.digest.as_str()) {
            return Err(Error::new(ErrorKind::Edited, "the text was edited after it was applied").at(meta));
        }
        applied.push(meta);
    }
    Ok(applied)
}

/// A server of the same version: what a catalog holds is another thing on another one.
async fn server(pairs: &Pairs, major: u16) -> Result<Server> {
    let failed = |error: crate::testing::ServerError| {
        Error::new(ErrorKind::Proof, format!("no server for what is expected: {error}")).because(error)
    };
    let server = match &pairs.server {
        Some(server) => server.clone(),
        None => {
            let shared = testing::try_server().await.map_err(failed)?;
            if shared.major() == major {
                shared
            } else {
                let all = Binaries::find_all().map_err(failed)?;
                match all.into_iter().find(|binaries| binaries.major() == major) {
                    Some(binaries) => Server::builder().binaries(binaries).start().await.map_err(failed)?,
                    None => shared,
                }
            }
        }
    };
    if server.major() == major {
        return Ok(server);
    }
    let text = format!(
        "the server is PostgreSQL {major}, and what is expected would be made on PostgreSQL {}, whose catalogs hold other things",
        server.major()
    );
    Err(Error::new(ErrorKind::Proof, text).help(format!(
        "Name the bin directory of PostgreSQL {major} in MIGRATE_PG_SERVERS, or a server by `Pairs::server`."
    )))
}

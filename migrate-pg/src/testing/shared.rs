//! The server that all tests of one process share.

use std::sync::OnceLock;

use super::server::{block_on, on_thread};
use super::{Server, ServerError, TestDatabase};

const URL: &str = "MIGRATE_TEST_DATABASE_URL";

/// A failure is kept as well: a hundred tests shall not each wait for the same server that cannot start.
static SHARED: OnceLock<Result<Server, ServerError>> = OnceLock::new();

/// An empty database on the [shared server](server), dropped when the value is.
///
/// # Panics
///
/// If there is no server; [`try_database`] returns the error.
pub async fn database() -> TestDatabase {
    try_database().await.unwrap_or_else(|error| panic!("no database for this test: {error}"))
}

/// As [`database`].
pub async fn try_database() -> Result<TestDatabase, ServerError> {
    try_server().await?.database().await
}

/// The server that all tests of this process share: the one of `MIGRATE_TEST_DATABASE_URL`, else one that is started at
/// the first call and goes when the process ends.
///
/// # Panics
///
/// If there is no server; [`try_server`] returns the error.
pub async fn server() -> Server {
    try_server().await.unwrap_or_else(|error| panic!("no server for this test: {error}"))
}

/// As [`server`].
pub async fn try_server() -> Result<Server, ServerError> {
    let shared = match SHARED.get() {
        Some(shared) => shared,
        None => on_thread(|| SHARED.get_or_init(find_or_start)).await,
    };
    match shared {
        Ok(server) => Ok(server.clone()),
        Err(error) => Err(ServerError::Shared(error)),
    }
}

fn find_or_start() -> Result<Server, ServerError> {
    match std::env::var(URL) {
        Ok(url) if !url.is_empty() => block_on(Server::running(&url, Some(URL))),
        _ => Server::builder().start_blocking(),
    }
}

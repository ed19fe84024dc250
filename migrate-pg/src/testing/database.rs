//! A database that exists as long as the value does.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use super::server::{block_on, connect};
use super::{Server, ServerError, url};

/// How often a template that others are using is asked for; the server itself waits 5 s each time.
const CREATE_ATTEMPTS: u32 = 10;

const POOL_SIZE: usize = 8;

/// Which database on which server.
#[derive(Clone)]
pub(super) struct Location {
    server: Server,
    name: String,
}

/// An empty database with a name of its own; it is dropped, and its connections are closed, when the value is dropped.
pub struct TestDatabase {
    location: Location,
    config: Config,
    url: String,
}

impl TestDatabase {
    pub(super) async fn create(server: Server) -> Result<Self, ServerError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}_{}", server.mark().await?, COUNT.fetch_add(1, Ordering::Relaxed));
        let mut config = server.config().clone();
        config.dbname(&name);
        let url = url::with_database(server.url(), &name);
        // Made before the database is, so that a caller who goes away in between leaves none.
        let database = Self { location: Location { server, name }, config, url };
        database.location.create().await?;
        Ok(database)
    }

    /// The server that it is on.
    pub fn server(&self) -> &Server {
        &self.location.server
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.location.name
    }

    /// How to connect to it.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same as a connection string, which `psql` and `pg_dump` read too. It holds the password if there is one.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A pool of up to eight connections to it.
    pub fn pool(&self) -> Pool {
        self.pool_of(POOL_SIZE)
    }

    /// A pool of up to `size` connections to it.
    pub fn pool_of(&self, size: usize) -> Pool {
        let manager =
            Manager::from_config(self.config.clone(), NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        Pool::builder(manager).max_size(size).build().expect("a pool without timeouts needs nothing else")
    }

    /// A connection to it, whose task is spawned on the current runtime.
    ///
    /// # Panics
    ///
    /// If the server refuses; [`try_connect`](Self::try_connect) returns the error.
    pub async fn connect(&self) -> Client {
        self.try_connect().await.unwrap_or_else(|error| panic!("no connection for this test: {error}"))
    }

    /// As [`connect`](Self::connect).
    pub async fn try_connect(&self) -> Result<Client, ServerError> {
        connect(&self.config, &format!("database `{}` on {}", self.name(), self.server().name())).await
    }
}

impl fmt::Debug for TestDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDatabase")
            .field("name", &self.location.name)
            .field("server", &self.location.server)
            .finish_non_exhaustive()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let location = self.location.clone();
        // A thread of its own, since a runtime that drops this value cannot be waited on.
        match thread::spawn(move || block_on(location.drop())).join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("a test database is left: {error}"),
            Err(_) => eprintln!("a test database is left: {}", self.location.name),
        }
    }
}

impl Location {
    pub(super) fn of(server: Server, name: String) -> Self {
        Self { server, name }
    }

    async fn create(&self) -> Result<(), ServerError> {
        let client = self.session().await?;
        let mut attempt = 1;
        loop {
            // `template1` may hold what somebody put there, and is refused while anybody is connected to it.
            let error = match client.batch_execute(&format!("CREATE DATABASE {} TEMPLATE template0", self.name)).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if error.code() != Some(&SqlState::OBJECT_IN_USE) || attempt == CREATE_ATTEMPTS {
                return Err(self.failed("creating", error));
            }
            tokio::time::sleep(Duration::from_millis(50 * u64::from(attempt))).await;
            attempt += 1;
        }
    }

    /// A session that says whose it is: whoever cleans up after this process waits for its end.
    async fn session(&self) -> Result<Client, ServerError> {
        let mut config = self.server.config().clone();
        config.application_name(self.name.rsplit_once('_').map_or(self.name.as_str(), |(mark, _)| mark));
        connect(&config, self.server.name()).await
    }

    pub(super) async fn drop(&self) -> Result<(), ServerError> {
        let client = self.session().await?;
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // One by one: two statements in one message are a transaction, which DROP DATABASE refuses.
        client.batch_execute("SET statement_timeout = '30s'").await.map_err(|error| self.failed("dropping", error))?;
        match client.batch_execute(&statement).await {
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {
                // A subscription keeps its database, whatever FORCE ends.
                self.unsubscribe().await?;
                client.batch_execute(&statement).await
            }
            done => done,
        }
        .map_err(|error| self.failed("dropping", error))
    }

    /// Drops the subscriptions without asking the servers that they are to.
    async fn unsubscribe(&self) -> Result<(), ServerError> {
        let mut config = self.server.config().clone();
        config.dbname(&self.name);
        let client = connect(&config, &format!("database `{}` on {}", self.name, self.server.name())).await?;
        let find = "SELECT pg_catalog.quote_ident(s.subname) FROM pg_catalog.pg_subscription s \
                    JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()";
        for row in client.query(find, &[]).await.map_err(|error| self.failed("dropping", error))? {
            let name: String = row.get(0);
            for sql in ["DISABLE", "SET (slot_name = NONE)"] {
                let sql = format!("ALTER SUBSCRIPTION {name} {sql}");
                client.batch_execute(&sql).await.map_err(|error| self.failed("dropping", error))?;
            }
            let sql = format!("DROP SUBSCRIPTION {name}");
            client.batch_execute(&sql).await.map_err(|error| self.failed("dropping", error))?;
        }
        Ok(())
    }

    fn failed(&self, verb: &str, source: tokio_postgres::Error) -> ServerError {
        ServerError::Database {
            action: format!("{verb} database `{}`", self.name),
            server: self.server.name().to_owned(),
            source,
        }
    }
}

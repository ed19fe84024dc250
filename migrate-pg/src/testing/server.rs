//! One PostgreSQL server, started here or running already.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

use super::keeper::{self, Keeper};
use super::locate::SUPPORTED;
use super::postmaster::Postmaster;
use super::{Binaries, ServerError, TestDatabase, directory};

/// The superuser of a server that was started here; it has no password.
const SUPERUSER: &str = "postgres";

/// The number in the name of the socket.
const PORT: u16 = 5432;

/// Faster, and as a production server otherwise: what a test observes of locks, plans and autovacuum is real.
/// The data is thrown away, so that nothing of it has to survive a crash of the machine.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("max_connections", "200"),
    ("max_prepared_transactions", "10"),
    ("wal_level", "logical"),
];

/// A PostgreSQL server for tests.
///
/// A handle: the server stops, and its files are removed, when the last clone and the last [`TestDatabase`] on it are
/// dropped, or when the process ends in whatever way.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    url: String,
    name: String,
    major: u16,
    origin: Origin,
}

enum Origin {
    Started {
        postmaster: Postmaster,
        binaries: Binaries,
        mark: String,
    },
    /// The keeper is there from the first database on.
    Running(OnceCell<Keeper>),
}

impl Server {
    /// Starts a server of the version that [`Binaries::find`] finds.
    ///
    /// Most tests want [`database`](super::database) instead, which shares one server.
    pub async fn start() -> Result<Self, ServerError> {
        Self::builder().start().await
    }

    /// Chooses version and settings of a server to start.
    ///
    /// ```no_run
    /// # use migrate_pg::testing::{Binaries, Server, ServerError};
    /// # async fn example() -> Result<(), ServerError> {
    /// for binaries in Binaries::find_all()? {
    ///     let server = Server::builder().binaries(binaries).setting("deadlock_timeout", "100ms").start().await?;
    ///     let db = server.database().await?;
    ///     println!("PostgreSQL {} at {}", server.major(), db.url());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder { binaries: None, tcp_port: None, settings: Vec::new(), primary: None }
    }

    /// Uses a server that is running already, without TLS. The role must be allowed to create databases.
    pub async fn at(url: &str) -> Result<Self, ServerError> {
        Self::running(url, None).await
    }

    pub(super) async fn running(url: &str, variable: Option<&'static str>) -> Result<Self, ServerError> {
        let origin = variable.unwrap_or("the connection string");
        let mut config: Config = url.parse().map_err(|error| ServerError::BadUrl { origin, reason: reason(&error) })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(ServerError::BadUrl { origin, reason: "it names no host".into() });
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        let mut name = format!("the server at {}", address(&config));
        if let Some(variable) = variable {
            write!(name, " (of {variable})").expect("a String takes every write");
        }
        let client = connect(&config, &name).await?;
        let failed =
            |source| ServerError::Database { action: "asking its version".into(), server: name.clone(), source };
        let number: i32 = client
            .query_typed("SELECT current_setting('server_version_num')::int4", &[])
            .await
            .and_then(|rows| rows[0].try_get(0))
            .map_err(failed)?;
        let major = u16::try_from(number / 10_000).unwrap_or_default();
        if !SUPPORTED.contains(&major) {
            return Err(ServerError::UnsupportedVersion { server: name, major });
        }
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                url: url.to_owned(),
                name,
                major,
                origin: Origin::Running(OnceCell::new()),
            }),
        })
    }

    /// The major version.
    pub fn major(&self) -> u16 {
        self.inner.major
    }

    /// How to connect to the database that the server was started with, as a role that may create others.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The same as a connection string, with the password if there is one.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// The programs of a server that was started here.
    pub fn binaries(&self) -> Option<&Binaries> {
        match &self.inner.origin {
            Origin::Started { binaries, .. } => Some(binaries),
            Origin::Running(_) => None,
        }
    }

    /// What a server that was started here has logged so far.
    pub fn log(&self) -> Option<std::io::Result<String>> {
        match &self.inner.origin {
            Origin::Started { postmaster, .. } => Some(postmaster.log()),
            Origin::Running(_) => None,
        }
    }

    /// Connects to [`config`](Self::config)'s database; the connection's task is spawned on the current runtime.
    pub async fn connect(&self) -> Result<Client, ServerError> {
        connect(&self.inner.config, &self.inner.name).await
    }

    /// Creates an empty database of its own name, dropped when the value is.
    pub async fn database(&self) -> Result<TestDatabase, ServerError> {
        TestDatabase::create(self.clone()).await
    }

    /// What the names of this process's databases on it begin with.
    pub(super) async fn mark(&self) -> Result<&str, ServerError> {
        match &self.inner.origin {
            Origin::Started { mark, .. } => Ok(mark),
            Origin::Running(keeper) => Ok(keeper.get_or_try_init(|| Keeper::new(self)).await?.mark()),
        }
    }

    /// The server in words, without password.
    pub(super) fn name(&self) -> &str {
        &self.inner.name
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.inner.name)
            .field("major", &self.inner.major)
            .finish_non_exhaustive()
    }
}

/// Chooses version and settings of a server; made by [`Server::builder`].
#[derive(Clone, Debug)]
pub struct ServerBuilder {
    binaries: Option<Binaries>,
    tcp_port: Option<u16>,
    settings: Vec<(String, String)>,
    /// The connection string for replication.
    primary: Option<String>,
}

impl ServerBuilder {
    /// Starts these binaries, not those that [`Binaries::find`] finds.
    #[must_use]
    pub fn binaries(mut self, binaries: Binaries) -> Self {
        self.binaries = Some(binaries);
        self
    }

    /// Sets a configuration parameter of the server; the last value of a name counts.
    ///
    /// Without it, a server has no TCP port, `fsync`, `full_page_writes` and `synchronous_commit` off,
    /// `max_connections` 200, `max_prepared_transactions` 10, `wal_level` logical, the time zone UTC, and PostgreSQL's
    /// own defaults for the rest.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Listens on this port of 127.0.0.1, too: for what a socket does not show, TLS for one. It does not start where
    /// somebody else has the port.
    #[must_use]
    pub fn tcp_port(mut self, port: u16) -> Self {
        self.tcp_port = Some(port);
        self
    }

    /// Makes it a standby that streams from this server under this `application_name`: of the same version, by
    /// `pg_basebackup`, which not every installation has.
    #[must_use]
    pub fn standby_of(mut self, primary: &Server, application_name: &str) -> Self {
        let value = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
        let host = primary.config().get_hosts().first().map_or_else(String::new, |host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(directory) => directory.display().to_string(),
        });
        let port = primary.config().get_ports().first().copied().unwrap_or(5432);
        let user = primary.config().get_user().unwrap_or(SUPERUSER);
        self.primary = Some(format!(
            "host={} port={port} user={} application_name={}",
            value(&host),
            value(user),
            value(application_name)
        ));
        self
    }

    /// Starts the server and waits until it accepts connections.
    pub async fn start(self) -> Result<Server, ServerError> {
        on_thread(move || self.start_blocking()).await
    }

    pub(super) fn start_blocking(self) -> Result<Server, ServerError> {
        let binaries = self.binaries.map_or_else(Binaries::find, Ok)?;
        let defaults = SETTINGS.iter().copied();
        let chosen = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let port = self.tcp_port.unwrap_or(PORT);
        let listens = self.tcp_port.map(|_| ("listen_addresses", "127.0.0.1"));
        let settings = configuration_file(defaults.chain(listens).chain(chosen), port);
        let postmaster = Postmaster::start(&binaries, &settings, self.primary.as_deref())?;

        let socket = postmaster.directory();
        let mut config = Config::new();
        config.host_path(socket).port(port).user(SUPERUSER).dbname("postgres");
        let colon = if port == PORT { String::new() } else { format!(":{port}") };
        let url = format!("postgresql://{SUPERUSER}@{}{colon}/postgres", super::url::encode(socket));
        let name = format!("the test server of PostgreSQL {} in `{}`", binaries.version(), socket.display());
        let major = binaries.major();
        let mark = keeper::mark(directory::random());
        Ok(Server {
            inner: Arc::new(Inner { config, url, name, major, origin: Origin::Started { postmaster, binaries, mark } }),
        })
    }
}

/// The lines as `postgresql.conf` quotes them: doubled quotes, and backslash escapes (`GUC_scanstr`).
fn configuration_file<'a>(settings: impl Iterator<Item = (&'a str, &'a str)>, port: u16) -> String {
    let mut file = String::from("\n");
    for (name, value) in settings {
        let value = value.replace('\\', r"\\").replace('\'', "''").replace('\n', r"\n");
        writeln!(file, "{name} = '{value}'").expect("a String takes every write");
    }
    // Last, so that nothing moves them: the connection strings count on them. Relative to the data directory.
    writeln!(file, "unix_socket_directories = '..'\nport = {port}").expect("a String takes every write");
    file
}

/// Connects without TLS and spawns the connection's task on the current runtime.
pub(super) async fn connect(config: &Config, server: &str) -> Result<Client, ServerError> {
    let (client, connection) =
        config.connect(NoTls).await.map_err(|source| ServerError::Connect { server: server.to_owned(), source })?;
    tokio::spawn(async move {
        // The client sees the same failure at its next statement; at a forced drop of its database there is none.
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the test server ended");
        }
    });
    Ok(client)
}

/// Runs blocking work where it keeps no runtime from its other tasks, and belongs to no runtime that may end before it.
pub(super) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread = thread::spawn(move || {
        // Nobody receives when the caller's future was dropped; then the result is dropped too.
        drop(sender.send(work()));
    });
    match receiver.await {
        Ok(result) => result,
        Err(_) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the thread sends before it ends"),
        },
    }
}

/// Runs a future on a thread that has no runtime.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs an I/O driver, which the machine refuses only when it is out of file descriptors")
        .block_on(work)
}

fn address(config: &Config) -> String {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match (config.get_hosts().first(), config.get_hostaddrs().first()) {
        (Some(Host::Tcp(host)), _) => format!("{host}:{port}"),
        (Some(Host::Unix(directory)), _) => format!("{}:{port}", directory.display()),
        (None, Some(address)) => format!("{address}:{port}"),
        (None, None) => "an unnamed host".into(),
    }
}

/// Why a connection string does not parse, from the driver's cause: its own text says only that it does not.
fn reason(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_quoted() {
        let file = configuration_file([("search_path", r"'a', b\c")].into_iter(), PORT);
        assert!(file.contains("\nsearch_path = '''a'', b\\\\c'\n"), "{file}");
    }
}

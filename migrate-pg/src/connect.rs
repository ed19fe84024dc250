//! Where the connections come from: a `deadpool_postgres::Pool`, whose connection is detached before anything is set on
//! it, or a connection string, connected with TLS as its `sslmode` says.

use crate::error::{Error, ErrorKind, Result};
use crate::tls::{self, Verify};
use deadpool_postgres::{ClientWrapper, Object, Pool};
use std::fmt;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};

/// Where the runner gets its connection from.
///
/// Made from a pool, a connection string or a `tokio_postgres::Config`; every method of `Migrator` that talks to a server
/// takes anything that turns into one. One connection is enough, also of a pool of one: it leaves the pool, which
/// makes another when it needs to, and is closed in the end.
#[derive(Clone)]
pub struct Source {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Pool(Pool),
    Config { config: Box<Config>, verify: Verify },
    Unreadable(String),
}

impl Source {
    /// A connection, of the pool if there is one.
    pub(crate) async fn session(&self) -> Result<Session> {
        match &self.kind {
            Kind::Pool(pool) => {
                let object = pool.get().await.map_err(|error| {
                    Error::new(ErrorKind::Connect, format!("no connection from the pool: {}", chain(&error)))
                        .because(error)
                })?;
                Ok(Session { held: Held::Pooled(object) })
            }
            Kind::Config { config, verify } => connect(config, verify).await,
            Kind::Unreadable(why) => {
                Err(Error::new(ErrorKind::ConnectionString, format!("the connection string could not be read: {why}"))
                    .help(
                        "Write a URL, `postgres://user@host:5432/database?sslmode=require`, with special characters \
                 percent-encoded; or key-value pairs, `host=… user=… dbname=…`, with values that hold spaces in '…'.",
                    ))
            }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Pool(_) => "Source(pool)",
            Kind::Config { .. } => "Source(config)",
            Kind::Unreadable(_) => "Source(unreadable)",
        })
    }
}

impl From<Pool> for Source {
    fn from(pool: Pool) -> Self {
        Self { kind: Kind::Pool(pool) }
    }
}

impl From<&Pool> for Source {
    fn from(pool: &Pool) -> Self {
        pool.clone().into()
    }
}

impl From<Config> for Source {
    /// Encrypted as the configuration's `ssl_mode` says; a certificate is not verified, since the configuration has no
    /// way to ask for it. Use a connection string with `sslmode=verify-full`.
    fn from(config: Config) -> Self {
        Self { kind: Kind::Config { config: Box::new(config), verify: Verify::Nothing } }
    }
}

impl From<&Config> for Source {
    fn from(config: &Config) -> Self {
        config.clone().into()
    }
}

impl From<&str> for Source {
    /// `sslmode` means what it means to libpq: `disable`, `prefer`, `require` (encrypted, the certificate not
    /// verified), `verify-ca` and `verify-full` (verified against the system's roots, or against `sslrootcert`).
    fn from(text: &str) -> Self {
        let kind = match tls::read_connection_string(text) {
            Ok((config, verify)) => Kind::Config { config: Box::new(config), verify },
            Err(why) => Kind::Unreadable(why),
        };
        Self { kind }
    }
}

impl From<&String> for Source {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

/// A connection and whom it belongs to.
pub(crate) struct Session {
    held: Held,
}

enum Held {
    Pooled(Object),
    Detached(ClientWrapper),
    Own { client: Client, task: JoinHandle<()> },
}

impl Session {
    pub(crate) fn client(&self) -> &Client {
        match &self.held {
            Held::Pooled(object) => object,
            Held::Detached(wrapper) => wrapper,
            Held::Own { client, .. } => client,
        }
    }

    /// The same connection, out of the pool for good: from here on it may be configured.
    pub(crate) fn detach(self) -> Self {
        match self.held {
            Held::Pooled(object) => Self { held: Held::Detached(Object::take(object)) },
            held => Self { held },
        }
    }

    /// Ends a session that is ours; gives one that is still the pool's back to it.
    pub(crate) async fn close(self) {
        match self.held {
            // Dropping a detached one aborts its connection task, which closes the socket.
            Held::Pooled(_) | Held::Detached(_) => {}
            Held::Own { client, task } => {
                drop(client);
                // The task ends when it has sent Terminate; a server that does not read must not hold us up.
                if tokio::time::timeout(Duration::from_secs(2), task).await.is_err() {
                    tracing::debug!(target: "migrate", "the connection was not closed in time");
                }
            }
        }
    }
}

async fn connect(config: &Config, verify: &Verify) -> Result<Session> {
    let failed = |error: tokio_postgres::Error| {
        // What the server says is shown by itself.
        let why = if error.as_db_error().is_some() { "the server refused it".to_owned() } else { chain(&error) };
        let text = format!("no connection to {}: {why}", describe(config));
        Error::db(ErrorKind::Connect, text, error)
    };
    let (client, task) = if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        (client, tokio::spawn(drive(connection)))
    } else {
        let (client, connection) = config.connect(tls::connector(verify)?).await.map_err(failed)?;
        (client, tokio::spawn(drive(connection)))
    };
    Ok(Session { held: Held::Own { client, task } })
}

async fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        // Whoever waits for an answer on it gets an error of his own; this is for the log.
        tracing::debug!(target: "migrate", error = %chain(&error), "the connection ended");
    }
}

/// Host, port and database: what a person needs to see, and nothing that is secret.
fn describe(config: &Config) -> String {
    use tokio_postgres::config::Host;
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            Host::Unix(path) => format!("{} (port {port})", path.display()),
        }
    });
    let hosts = hosts.collect::<Vec<_>>().join(", ");
    match config.get_dbname() {
        Some(database) => format!("database {database} at {hosts}"),
        None => hosts,
    }
}

/// An error and its causes: tokio-postgres leaves the cause out of its own text.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

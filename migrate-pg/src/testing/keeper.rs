//! Databases on a server that was running already, and whose they are.
//!
//! Their names carry a mark of who made them. As long as that process lives it holds an advisory lock by the mark, on a
//! connection that does nothing else, and a child waits for its end to drop them (`keeper.sh`, by `psql`). Where there is no
//! `psql`, or the child was killed too, the next process that comes finds databases whose lock nobody holds, and drops them.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config};

use super::database::Location;
use super::server::{block_on, connect, on_thread};
use super::{Server, ServerError, directory};

const DROPPER: &str = include_str!("keeper.sh");

/// What all marks begin with.
const PREFIX: &str = "migrate_test_";

/// Databases of ours whose lock nobody holds, in whichever database it was taken: `pg_locks` lists those of all. One `bigint`
/// is two halves there (`objsubid` 1).
const ORPHANS: &str = "SELECT d.datname::text FROM pg_catalog.pg_database d \
    WHERE d.datname ~ '^migrate_test_[0-9a-f]{16}_[0-9]+$' AND pg_catalog.pg_has_role(d.datdba, 'USAGE') AND NOT EXISTS \
    (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND \
    pg_catalog.lpad(pg_catalog.to_hex(l.classid::bigint), 8, '0') || pg_catalog.lpad(pg_catalog.to_hex(l.objid::bigint), 8, '0') \
    = pg_catalog.substr(d.datname::text, 14, 16))";

/// Holds the lock, and keeps the child waiting; both end with the value.
pub(super) struct Keeper {
    mark: String,
    /// It waits for the end of its pipe.
    dropper: Option<Child>,
    let_go: Option<oneshot::Sender<()>>,
    holding: Option<JoinHandle<()>>,
}

/// A mark that nobody else has.
pub(super) fn mark(token: u64) -> String {
    format!("{PREFIX}{token:016x}")
}

impl Keeper {
    /// Takes the lock, and drops what was left by processes that are gone.
    pub(super) async fn new(server: &Server) -> Result<Self, ServerError> {
        let server = server.clone();
        on_thread(move || Self::start(&server)).await
    }

    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    fn start(server: &Server) -> Result<Self, ServerError> {
        let token = directory::random();
        let mark = mark(token);
        let (let_go, asked) = oneshot::channel();
        let (sender, ready) = std::sync::mpsc::channel();
        let (config, name, cleaner) = (server.config().clone(), server.name().to_owned(), server.clone());
        let holding = thread::spawn(move || {
            block_on(async move {
                match hold(&config, &name, token).await {
                    Ok(client) => {
                        sweep(&client, &cleaner).await;
                        // The server is not kept by what the server keeps.
                        drop(cleaner);
                        // Whoever asked may be gone; then the other channel has ended, too.
                        let _ = sender.send(Ok(()));
                        let _ = asked.await;
                    }
                    Err(error) => {
                        drop(cleaner);
                        let _ = sender.send(Err(error));
                    }
                }
            });
        });
        ready.recv().expect("it sends before it ends")?;
        Ok(Self { dropper: dropper(server.config(), &mark), mark, let_go: Some(let_go), holding: Some(holding) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The databases dropped themselves, and each of them kept the server.
        if let Some(mut dropper) = self.dropper.take()
            && let Err(error) = dropper.kill().and_then(|()| dropper.wait())
        {
            eprintln!("the process that would drop test databases cannot be ended: {error}");
        }
        drop(self.let_go.take());
        if let Some(holding) = self.holding.take()
            && holding.join().is_err()
        {
            eprintln!("the thread that kept the test databases ended badly");
        }
    }
}

async fn hold(config: &Config, name: &str, token: u64) -> Result<Client, ServerError> {
    let client = connect(config, name).await?;
    let lock = format!(
        "SET idle_session_timeout = 0; SET idle_in_transaction_session_timeout = 0; SELECT pg_catalog.pg_advisory_lock({})",
        token.cast_signed()
    );
    client.batch_execute(&lock).await.map_err(|source| ServerError::Database {
        action: "taking the lock of this process's databases".into(),
        server: name.to_owned(),
        source,
    })?;
    Ok(client)
}

/// What cannot be dropped is said, and is no reason not to test.
async fn sweep(client: &Client, server: &Server) {
    let names = match client.query_typed(ORPHANS, &[]).await {
        Ok(rows) => rows,
        Err(error) => {
            return eprintln!("databases of earlier test processes may be left on {}: {error}", server.name());
        }
    };
    for row in names {
        let location = Location::of(server.clone(), row.get(0));
        if let Err(error) = location.drop().await {
            eprintln!("a test database of an earlier process is left: {error}");
        }
    }
}

/// The child that outlives this process; without it, the next process does its work.
fn dropper(config: &Config, mark: &str) -> Option<Child> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", DROPPER, "migrate-pg-databases", mark]).current_dir("/");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PG")) {
            shell.env_remove(name);
        }
    }
    let host = config.get_hosts().first().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(directory) => directory.display().to_string(),
    });
    let settings = [
        ("PGHOST", host),
        ("PGHOSTADDR", config.get_hostaddrs().first().map(ToString::to_string)),
        ("PGPORT", config.get_ports().first().map(ToString::to_string)),
        ("PGUSER", config.get_user().map(str::to_owned)),
        ("PGPASSWORD", config.get_password().map(|password| String::from_utf8_lossy(password).into_owned())),
        ("PGDATABASE", config.get_dbname().or(config.get_user()).map(str::to_owned)),
        ("PGSSLMODE", Some("disable".to_owned())),
        ("PGCONNECT_TIMEOUT", Some("10".to_owned())),
        ("PGAPPNAME", Some("migrate_test_dropper".to_owned())),
    ];
    for (name, value) in settings {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    // A Ctrl-C goes to the terminal's foreground process group: it must not be in it.
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    match shell.spawn() {
        Ok(child) => Some(child),
        Err(error) => {
            eprintln!("test databases of a process that is killed are left to the next one: /bin/sh: {error}");
            None
        }
    }
}

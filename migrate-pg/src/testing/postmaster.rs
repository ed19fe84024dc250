//! The server's process: started under a shell that outlives this process long enough to clean up after it.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::user::User;
use super::{Binaries, ServerError, directory, user};

/// Statics never drop and a killed process runs no destructor, so stopping the server is another process's work.
const REAPER: &str = include_str!("reaper.sh");

/// Slow enough for `initdb` on a loaded machine; a server that fails ends the wait at once.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// Immediate shutdown kills what does not end within 5 s (PostgreSQL's `SIGKILL_CHILDREN_AFTER_SECS`).
const GONE_WITHIN: Duration = Duration::from_secs(15);

const POLL: Duration = Duration::from_millis(10);

/// A running server; dropping it stops the server and removes its files.
#[derive(Debug)]
pub(super) struct Postmaster {
    directory: PathBuf,
    reaper: Child,
}

impl Postmaster {
    /// Starts a new server, or a standby of the one with this connection string, with these lines of `postgresql.conf`, and
    /// waits until it accepts connections.
    pub(super) fn start(binaries: &Binaries, settings: &str, primary: Option<&str>) -> Result<Self, ServerError> {
        let owner = user::to_run_as()?;
        if let Some(owner) = &owner {
            owner.can_run(&binaries.program("initdb"))?;
        }
        let directory = directory::create(owner.as_ref())?;
        let reaper = match spawn(&directory, binaries, settings, primary, owner.as_ref()) {
            Ok(reaper) => reaper,
            Err((action, source)) => {
                remove(&directory);
                return Err(ServerError::Io { action: action.to_owned(), source });
            }
        };
        let mut postmaster = Self { directory, reaper };
        postmaster.wait_until_ready(binaries)?;
        Ok(postmaster)
    }

    /// The directory of the server's socket, log and data.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What `initdb` and the server wrote so far.
    pub(super) fn log(&self) -> io::Result<String> {
        fs::read(self.directory.join("log")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn wait_until_ready(&mut self, binaries: &Binaries) -> Result<(), ServerError> {
        let started = Instant::now();
        loop {
            if is_ready(&self.directory) {
                return Ok(());
            }
            let ended = self.directory.join("ended").exists()
                || self
                    .reaper
                    .try_wait()
                    .map_err(|source| ServerError::Io { action: "waiting for the server".into(), source })?
                    .is_some();
            if ended {
                return Err(ServerError::DidNotStart {
                    version: binaries.version().to_owned(),
                    directory: binaries.directory().to_owned(),
                    log: self.end_of_log(),
                });
            }
            if started.elapsed() > READY_WITHIN {
                return Err(ServerError::TimedOut {
                    version: binaries.version().to_owned(),
                    directory: binaries.directory().to_owned(),
                    waited: READY_WITHIN,
                    log: self.end_of_log(),
                });
            }
            thread::sleep(POLL);
        }
    }

    fn end_of_log(&self) -> String {
        match self.log() {
            Ok(log) => {
                let lines: Vec<&str> = log.lines().collect();
                lines[lines.len().saturating_sub(20)..].join("\n")
            }
            Err(error) => format!("(the log cannot be read: {error})"),
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        drop(self.reaper.stdin.take());
        let asked = Instant::now();
        while asked.elapsed() < GONE_WITHIN {
            match self.reaper.try_wait() {
                Ok(None) => thread::sleep(POLL),
                Ok(Some(status)) => {
                    if !status.success() || self.directory.exists() {
                        eprintln!(
                            "the test server's files in `{}` could not be removed ({status})",
                            self.directory.display()
                        );
                    }
                    return;
                }
                Err(error) => {
                    eprintln!("the test server in `{}` cannot be waited for: {error}", self.directory.display());
                    return;
                }
            }
        }
        eprintln!("the test server in `{}` did not stop in {} s", self.directory.display(), GONE_WITHIN.as_secs());
    }
}

fn spawn(
    directory: &Path,
    binaries: &Binaries,
    settings: &str,
    primary: Option<&str>,
    owner: Option<&User>,
) -> Result<Child, (&'static str, io::Error)> {
    let log = File::create(directory.join("log")).map_err(|error| ("creating its log", error))?;
    let log_too = log.try_clone().map_err(|error| ("opening its log", error))?;
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", REAPER, "migrate-pg-server"])
        .args([directory, binaries.directory()])
        .arg(settings)
        .arg(primary.unwrap_or_default())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(log_too)
        // A Ctrl-C goes to the terminal's foreground process group: the reaper must not be in it.
        .process_group(0)
        // `initdb` takes the server's time zone from here.
        .env("TZ", "UTC");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PG")) {
            shell.env_remove(name);
        }
    }
    if let Some(owner) = owner {
        shell.uid(owner.uid).gid(owner.gid);
    }
    shell.spawn().map_err(|error| ("running /bin/sh as the user of the server", error))
}

/// The eighth line of `postmaster.pid` is the server's state (`src/include/utils/pidfile.h`, `PM_STATUS_READY`).
fn is_ready(directory: &Path) -> bool {
    fs::read_to_string(directory.join("data/postmaster.pid"))
        .is_ok_and(|file| file.lines().nth(7).is_some_and(|state| state.trim_end() == "ready"))
}

fn remove(directory: &Path) {
    if let Err(error) = fs::remove_dir_all(directory) {
        eprintln!("the test server's directory `{}` could not be removed: {error}", directory.display());
    }
}

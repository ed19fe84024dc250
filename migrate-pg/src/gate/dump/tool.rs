//! The programs `pg_dump` and `pg_restore`: which ones, how new, how they reach the server, and how they are run without
//! the password showing anywhere.

use crate::gate::GateError;
use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, TargetSessionAttrs};

/// Where Debian's and Ubuntu's packages put each version's programs, beside the wrapper that is in PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A `pg_dump` and the `pg_restore` of the same directory.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) pg_dump: PathBuf,
    pub(super) pg_restore: PathBuf,
    pub(super) version: Version,
}

/// What a program says its version is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) text: String,
}

impl Version {
    /// Reads `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; betas write `19beta1`.
    fn read(answer: &str) -> Option<Self> {
        let (_, rest) = answer.split_once(") ")?;
        let text = rest.split_whitespace().next()?;
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        Some(Self { major: text[..digits].parse().ok()?, text: text.to_owned() })
    }
}

impl Tools {
    /// Those of `only`; else those that `MIGRATE_PG_BIN` names; else the newest of the machine.
    pub(super) async fn find(only: Option<&Path>) -> Result<Self, GateError> {
        if let Some(directory) = only {
            return Self::newest(vec![directory.to_owned()]).await;
        }
        let mut directories = installed().await;
        if let Some(named) = env::var_os("MIGRATE_PG_BIN").map(PathBuf::from) {
            // It may hold a server without client programs.
            if is_there(&program(&named, "pg_dump")).await {
                return Self::newest(vec![named]).await;
            }
            directories.insert(0, named);
        }
        Self::newest(directories).await
    }

    async fn newest(directories: Vec<PathBuf>) -> Result<Self, GateError> {
        let mut newest: Option<Self> = None;
        let mut useless = None;
        for directory in &directories {
            let pg_dump = program(directory, "pg_dump");
            let pg_restore = program(directory, "pg_restore");
            if !is_there(&pg_dump).await || !is_there(&pg_restore).await {
                continue;
            }
            match version(&pg_dump).await {
                Ok(version) if newest.as_ref().is_none_or(|best| best.version.major < version.major) => {
                    newest = Some(Self { pg_dump, pg_restore, version });
                }
                Ok(_) => {}
                Err(error) => useless = Some(error),
            }
        }
        match (newest, useless) {
            (Some(tools), _) => Ok(tools),
            (None, Some(error)) => Err(error),
            (None, None) => Err(GateError::ToolNotFound { program: "pg_dump", searched: directories }),
        }
    }

    /// A `pg_dump` refuses a server of a newer major version (manual, `pg_dump`, "Notes"): it says so before, and names
    /// the remedy.
    pub(super) fn fits(&self, server_version_num: u32) -> Result<(), GateError> {
        let server = server_version_num / 10_000;
        if self.version.major >= server {
            return Ok(());
        }
        Err(GateError::ToolTooOld { path: self.pg_dump.clone(), found: self.version.text.clone(), server })
    }
}

/// The directories that may hold client programs, each once, those of one version before PATH with its wrappers.
async fn installed() -> Vec<PathBuf> {
    let mut directories = Vec::new();
    if let Ok(mut versions) = tokio::fs::read_dir(DEBIAN).await {
        while let Ok(Some(version)) = versions.next_entry().await {
            directories.push(version.path().join("bin"));
        }
        directories.sort();
    }
    let mut pg_config = Command::new("pg_config");
    pg_config.arg("--bindir").stdin(Stdio::null()).kill_on_drop(true);
    if let Ok(output) = pg_config.output().await
        && output.status.success()
    {
        directories.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    if let Some(path) = env::var_os("PATH") {
        directories.extend(env::split_paths(&path).filter(|directory| !directory.as_os_str().is_empty()));
    }
    let mut seen = BTreeSet::new();
    directories.retain(|directory| seen.insert(directory.clone()));
    directories
}

fn program(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

async fn is_there(program: &Path) -> bool {
    tokio::fs::try_exists(program).await.unwrap_or(false)
}

async fn version(path: &Path) -> Result<Version, GateError> {
    let mut command = Command::new(path);
    command.arg("--version");
    let answer = output(command, "telling its version", None).await?;
    Version::read(&answer).ok_or_else(|| GateError::ToolUnknown { path: path.to_owned(), answer })
}

/// How the programs reach the server: libpq's environment variables (manual, section 34.15), in which the password is
/// readable for the child and its user alone, unlike in arguments.
pub(super) struct Connection {
    variables: Vec<(&'static str, OsString)>,
    password: Option<Vec<u8>>,
}

impl Connection {
    /// As `config` says; where it leaves user and database to be guessed, as the session of the runner has them.
    pub(super) fn new(config: &Config, user: &str, database: &str) -> Self {
        let mut variables: Vec<(&'static str, OsString)> = vec![
            ("PGUSER", config.get_user().unwrap_or(user).into()),
            ("PGDATABASE", config.get_dbname().unwrap_or(database).into()),
            ("PGAPPNAME", config.get_application_name().unwrap_or("migrate").into()),
        ];
        if !config.get_hosts().is_empty() {
            let hosts = config.get_hosts().iter().map(|host| match host {
                Host::Tcp(name) => OsStr::new(name),
                #[cfg(unix)]
                Host::Unix(directory) => directory.as_os_str(),
            });
            variables.push(("PGHOST", hosts.collect::<Vec<_>>().join(OsStr::new(","))));
        }
        if !config.get_hostaddrs().is_empty() {
            let addresses: Vec<_> = config.get_hostaddrs().iter().map(ToString::to_string).collect();
            variables.push(("PGHOSTADDR", addresses.join(",").into()));
        }
        if !config.get_ports().is_empty() {
            let ports: Vec<_> = config.get_ports().iter().map(ToString::to_string).collect();
            variables.push(("PGPORT", ports.join(",").into()));
        }
        if let Some(options) = config.get_options() {
            variables.push(("PGOPTIONS", options.into()));
        }
        if let Some(timeout) = config.get_connect_timeout() {
            variables.push(("PGCONNECT_TIMEOUT", timeout.as_secs().max(1).to_string().into()));
        }
        let sslmode = match config.get_ssl_mode() {
            SslMode::Disable => "disable",
            SslMode::Require => "require",
            _ => "prefer",
        };
        variables.push(("PGSSLMODE", sslmode.into()));
        match config.get_channel_binding() {
            ChannelBinding::Disable => variables.push(("PGCHANNELBINDING", "disable".into())),
            ChannelBinding::Require => variables.push(("PGCHANNELBINDING", "require".into())),
            _ => {}
        }
        match config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite => variables.push(("PGTARGETSESSIONATTRS", "read-write".into())),
            TargetSessionAttrs::ReadOnly => variables.push(("PGTARGETSESSIONATTRS", "read-only".into())),
            _ => {}
        }
        let password = config.get_password().filter(|password| !password.is_empty()).map(<[u8]>::to_vec);
        if let Some(password) = &password {
            variables.push(("PGPASSWORD", os_string(password)));
        }
        Self { variables, password }
    }

    /// A command that reaches this server and no other, whatever the environment of this process says.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in env::vars_os() {
            let libpq = name.to_str().is_some_and(|name| {
                // Certificates, Kerberos and the password file are the machine's, not the target's.
                let of_the_machine = ["PGSSL", "PGKRB", "PGGSS", "PGPASSFILE"];
                name.starts_with("PG") && !of_the_machine.iter().any(|kept| name.starts_with(kept))
            });
            if libpq {
                command.env_remove(name);
            }
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

#[cfg(unix)]
fn os_string(bytes: &[u8]) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Runs a program to its end and returns what it wrote. It is killed if the future is dropped.
pub(super) async fn output(
    command: Command,
    doing: &'static str,
    connection: Option<&Connection>,
) -> Result<String, GateError> {
    let output = run(command, Stdio::piped(), doing, connection).await?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

/// The same, without keeping what it wrote.
pub(super) async fn quiet(
    command: Command,
    doing: &'static str,
    connection: Option<&Connection>,
) -> Result<(), GateError> {
    run(command, Stdio::null(), doing, connection).await.map(drop)
}

async fn run(
    mut command: Command,
    stdout: Stdio,
    doing: &'static str,
    connection: Option<&Connection>,
) -> Result<Vec<u8>, GateError> {
    let path = PathBuf::from(command.as_std().get_program());
    // Its messages in English, as the rest of the error is; the encoding stays, since names are arguments.
    command.env("LC_MESSAGES", "C").stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().map_err(GateError::io("run", &path))?;
    let output = child.wait_with_output().await.map_err(GateError::io("run", &path))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let mut message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if let Some(password) = connection.and_then(|connection| connection.password.as_deref()) {
        message = message.replace(&*String::from_utf8_lossy(password), "********");
    }
    Err(GateError::ToolFailed { path, doing, status: output.status, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_write_them() {
        let major = |answer| Version::read(answer).map(|version| (version.major, version.text));
        assert_eq!(major("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some((15, "15.18".to_owned())));
        assert_eq!(major("pg_dump (PostgreSQL) 19beta1"), Some((19, "19beta1".to_owned())));
        assert_eq!(major("pg_dump (PostgreSQL) "), None);
        assert_eq!(major("command not found"), None);
    }

    #[test]
    fn the_password_is_in_the_environment_of_the_child_only() {
        let mut config = Config::new();
        config.host("db1.example").host("db2.example").port(6432).dbname("shop").user("migrator").password("hunter2");
        let command = Connection::new(&config, "nobody", "nowhere").command(Path::new("pg_dump"));
        let variable = |name| command.as_std().get_envs().find_map(|(key, value)| (key == name).then_some(value?));
        assert_eq!(variable("PGPASSWORD"), Some(OsStr::new("hunter2")));
        assert_eq!(variable("PGHOST"), Some(OsStr::new("db1.example,db2.example")));
        assert_eq!(variable("PGPORT"), Some(OsStr::new("6432")));
        assert_eq!(variable("PGUSER"), Some(OsStr::new("migrator")));
        assert_eq!(variable("PGDATABASE"), Some(OsStr::new("shop")));
        assert!(command.as_std().get_args().next().is_none());
    }
}

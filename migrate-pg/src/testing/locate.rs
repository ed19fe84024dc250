//! Finds the PostgreSQL servers that are installed on this machine.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ServerError;

/// The major versions that the library supports.
pub(super) const SUPPORTED: RangeInclusive<u16> = 14..=18;

const BIN: &str = "MIGRATE_PG_BIN";
const SERVERS: &str = "MIGRATE_PG_SERVERS";

/// Where distributions put versions side by side: what stands before and after the version in a directory's name.
const INSTALLED: &[(&str, &str)] = &[
    ("/usr/lib/postgresql/", "/bin"),                       // Debian, Ubuntu
    ("/usr/pgsql-", "/bin"),                                // RHEL, Fedora (PGDG)
    ("/usr/libexec/postgresql", ""),                        // Alpine
    ("/opt/homebrew/opt/postgresql@", "/bin"),              // Homebrew, Apple silicon
    ("/usr/local/opt/postgresql@", "/bin"),                 // Homebrew, Intel
    ("/home/linuxbrew/.linuxbrew/opt/postgresql@", "/bin"), // Homebrew, Linux
    ("/Applications/Postgres.app/Contents/Versions/", "/bin"),
];

/// The programs of one PostgreSQL server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
    version: String,
    major: u16,
}

impl Binaries {
    /// The server whose `initdb` and `postgres` are in `directory`.
    pub fn at(directory: impl AsRef<Path>) -> Result<Self, ServerError> {
        named(None, directory.as_ref())
    }

    /// The server to test on: the one that `MIGRATE_PG_BIN` names, else the first of `PATH`, `pg_config --bindir`, the
    /// newest that a package installed, and the newest in `MIGRATE_PG_SERVERS`.
    pub fn find() -> Result<Self, ServerError> {
        Search::of_this_machine().first()
    }

    /// One server of each major version that is found, oldest first: for tests that hold on every version.
    pub fn find_all() -> Result<Vec<Self>, ServerError> {
        Search::of_this_machine().all()
    }

    /// The directory of the programs.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The major version.
    pub fn major(&self) -> u16 {
        self.major
    }

    /// The version as the server writes it: `17.2`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The path of one of the programs: `initdb`, `pg_dump`, …. Not every installation has them all.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// What to look at, in this order.
struct Search {
    bin: Option<PathBuf>,
    servers: Vec<PathBuf>,
    path: Vec<PathBuf>,
    pg_config: Option<PathBuf>,
    installed: Vec<PathBuf>,
}

impl Search {
    fn of_this_machine() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let split = |list: &OsStr| std::env::split_paths(list).filter(|dir| !dir.as_os_str().is_empty()).collect();
        Self {
            bin: set(BIN).map(PathBuf::from),
            servers: set(SERVERS).map(|list| split(&list)).unwrap_or_default(),
            path: set("PATH").map(|list| split(&list)).unwrap_or_default(),
            pg_config: output(Command::new("pg_config").arg("--bindir")).map(PathBuf::from),
            installed: newest_first(INSTALLED),
        }
    }

    fn first(&self) -> Result<Binaries, ServerError> {
        if let Some(directory) = &self.bin {
            return named(Some(BIN), directory);
        }
        let mut unusable = Vec::new();
        if let Some(found) = self.unnamed(&mut unusable).next() {
            return Ok(found);
        }
        if let Some(newest) = self.listed()?.into_iter().max_by_key(Binaries::major) {
            return Ok(newest);
        }
        Err(self.not_found(unusable))
    }

    fn all(&self) -> Result<Vec<Binaries>, ServerError> {
        let mut unusable = Vec::new();
        let mut versions = BTreeMap::new();
        let named = self.bin.as_deref().map(|directory| named(Some(BIN), directory)).transpose()?;
        for found in named.into_iter().chain(self.listed()?).chain(self.unnamed(&mut unusable)) {
            versions.entry(found.major).or_insert(found);
        }
        if versions.is_empty() { Err(self.not_found(unusable)) } else { Ok(versions.into_values().collect()) }
    }

    /// A directory that was named and cannot be used is an error: a version would be left out in silence.
    fn listed(&self) -> Result<Vec<Binaries>, ServerError> {
        self.servers.iter().map(|directory| named(Some(SERVERS), directory)).collect()
    }

    /// The usable servers that nobody named; those that cannot be used are told.
    fn unnamed<'a>(&'a self, unusable: &'a mut Vec<String>) -> impl Iterator<Item = Binaries> + 'a {
        // What is in PATH is often a link into the directory that also holds `initdb`.
        let linked = self
            .path
            .iter()
            .filter_map(|directory| directory.join("postgres").canonicalize().ok()?.parent().map(Path::to_owned));
        let rest = self.pg_config.iter().chain(&self.installed).cloned();
        linked.chain(rest).filter(|directory| directory.join("postgres").exists()).filter_map(|directory| {
            match probe(&directory) {
                Ok(found) => Some(found),
                Err(reason) => {
                    unusable.push(format!("`{}` ({reason})", directory.display()));
                    None
                }
            }
        })
    }

    fn not_found(&self, unusable: Vec<String>) -> ServerError {
        let mut searched = vec!["PATH".to_owned()];
        searched.push(match &self.pg_config {
            Some(directory) => format!("`{}` (pg_config --bindir)", directory.display()),
            None => "pg_config --bindir (it does not run)".to_owned(),
        });
        searched.extend(INSTALLED.iter().map(|(before, after)| format!("{before}*{after}")));
        searched.extend(unusable);
        ServerError::NotFound { searched }
    }
}

fn named(variable: Option<&'static str>, directory: &Path) -> Result<Binaries, ServerError> {
    probe(directory).map_err(|reason| ServerError::BadBinDirectory {
        variable,
        directory: directory.to_owned(),
        reason,
    })
}

fn probe(directory: &Path) -> Result<Binaries, String> {
    if !directory.is_dir() {
        return Err("there is no such directory".into());
    }
    for program in ["initdb", "postgres"] {
        if !directory.join(program).is_file() {
            return Err(format!("it holds no `{program}`"));
        }
    }
    let directory = directory.canonicalize().map_err(|error| error.to_string())?;
    let banner = output(Command::new(directory.join("postgres")).arg("--version"))
        .ok_or("its `postgres --version` fails: a library that it needs may be missing")?;
    let (version, major) = version(&banner).ok_or_else(|| format!("its `postgres --version` says `{banner}`"))?;
    if !SUPPORTED.contains(&major) {
        return Err(format!(
            "it is PostgreSQL {version}; versions {} to {} are supported",
            SUPPORTED.start(),
            SUPPORTED.end()
        ));
    }
    Ok(Binaries { directory, version, major })
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `postgres (PostgreSQL) 18beta1`.
fn version(banner: &str) -> Option<(String, u16)> {
    let version = banner.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    Some((version.to_owned(), version[..digits].parse().ok()?))
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn newest_first(places: &[(&str, &str)]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (before, after) in places {
        let prefix = Path::new(before);
        let (parent, stem) = if before.ends_with('/') {
            (prefix, "")
        } else {
            (prefix.parent().unwrap_or(prefix), prefix.file_name().and_then(OsStr::to_str).unwrap_or_default())
        };
        let Ok(entries) = fs::read_dir(parent) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if let Some(major) = name.to_str().and_then(|name| name.strip_prefix(stem)?.parse::<u16>().ok()) {
                found.push((major, entry.path().join(after.trim_start_matches('/'))));
            }
        }
    }
    found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    found.into_iter().map(|(_, directory)| directory).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Search {
        Search { bin: None, servers: vec![], path: vec![], pg_config: None, installed: vec![] }
    }

    #[test]
    fn versions_are_read_from_the_banner() {
        assert_eq!(version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(("15.18".to_owned(), 15)));
        assert_eq!(version("postgres (PostgreSQL) 18beta1"), Some(("18beta1".to_owned(), 18)));
        assert_eq!(version("postgres (PostgreSQL) devel"), None);
        assert_eq!(version("pg_config 15"), None);
    }

    #[test]
    fn finding_nothing_says_what_to_install_and_what_to_set() {
        let message = nothing().first().unwrap_err().to_string();
        for part in ["apt-get install postgresql", "postgresql@17", BIN, "MIGRATE_TEST_DATABASE_URL", "PATH"] {
            assert!(message.contains(part), "{part} in: {message}");
        }
        assert!(matches!(nothing().all(), Err(ServerError::NotFound { .. })));
    }

    #[test]
    fn a_named_directory_is_used_or_refused_but_never_passed_over() {
        let installed = Binaries::find().unwrap();
        let bad = PathBuf::from("/nonexistent/bin");
        let search = Search { bin: Some(bad.clone()), path: vec![installed.directory.clone()], ..nothing() };
        let message = search.first().unwrap_err().to_string();
        assert!(message.starts_with("MIGRATE_PG_BIN: `/nonexistent/bin` is not"), "{message}");
        assert!(message.contains("there is no such directory"), "{message}");

        let search = Search { servers: vec![installed.directory.clone(), bad], ..nothing() };
        let message = search.all().unwrap_err().to_string();
        assert!(message.starts_with("MIGRATE_PG_SERVERS: `/nonexistent/bin` is not"), "{message}");
    }

    #[test]
    fn a_directory_without_a_server_says_what_is_missing() {
        let message = Binaries::at("/").unwrap_err().to_string();
        assert!(message.contains("it holds no `initdb`"), "{message}");
        assert!(message.contains("pg_config --bindir"), "{message}");
    }

    #[test]
    fn a_listed_server_is_found_without_any_other() {
        let installed = Binaries::find().unwrap();
        let search = Search { servers: vec![installed.directory.clone()], ..nothing() };
        assert_eq!(search.first().unwrap(), installed);
        assert_eq!(search.all().unwrap(), vec![installed]);
    }

    #[test]
    fn all_versions_come_once_each_and_oldest_first() {
        let all = Binaries::find_all().unwrap();
        assert!(all.is_sorted_by(|a, b| a.major() < b.major()), "{all:?}");
    }
}

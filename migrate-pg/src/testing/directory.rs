//! The private directory that holds one server: its data, its socket, its log.

use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::ServerError;
use super::user::User;

/// `sun_path` holds 108 bytes on Linux and 104 on macOS and the BSDs, the closing NUL among them.
const SOCKET_PATH_LIMIT: usize = 103;

/// Makes a new directory that `owner` (or else this process's user) alone can enter.
pub(super) fn create(owner: Option<&User>) -> Result<PathBuf, ServerError> {
    let name = format!("migrate-pg-{}-{:08x}", std::process::id(), random() >> 32);
    let mut tried = Vec::new();
    for parent in [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")] {
        match create_in(&parent, &name, owner) {
            Ok(directory) => return Ok(directory),
            Err(reason) => tried.push(format!("`{}`: {reason}", parent.display())),
        }
    }
    Err(ServerError::Directory { reason: tried.join("; ") })
}

fn create_in(parent: &Path, name: &str, owner: Option<&User>) -> Result<PathBuf, String> {
    let say = |error: io::Error| error.to_string();
    let parent = parent.canonicalize().map_err(say)?;
    let directory = parent.join(name);
    let socket = directory.join(".s.PGSQL.5432");
    if socket.as_os_str().len() > SOCKET_PATH_LIMIT {
        return Err(format!("a Unix socket there would have a path of more than {SOCKET_PATH_LIMIT} bytes"));
    }
    if let Some(user) = owner {
        open_to_all(&parent).map_err(|reason| format!("{reason}, and user `{}` must", user.name))?;
    }
    DirBuilder::new().mode(0o700).create(&directory).map_err(say)?;
    if let Some(user) = owner
        && let Err(error) = std::os::unix::fs::chown(&directory, Some(user.uid), Some(user.gid))
    {
        fs::remove_dir(&directory).map_err(say)?;
        return Err(say(error));
    }
    Ok(directory)
}

/// Whether any user can reach `parent` and remove its own directory from it again.
fn open_to_all(parent: &Path) -> Result<(), String> {
    for ancestor in parent.ancestors() {
        let mode = fs::metadata(ancestor).map_err(|error| error.to_string())?.mode();
        if mode & 0o001 == 0 {
            return Err(format!("not everybody can enter `{}`", ancestor.display()));
        }
    }
    match fs::metadata(parent) {
        Ok(metadata) if metadata.mode() & 0o002 == 0 => Err("not everybody can write there".into()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// A number that no other process has: the standard library seeds its hash tables from the system's randomness.
pub(super) fn random() -> u64 {
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish()
}

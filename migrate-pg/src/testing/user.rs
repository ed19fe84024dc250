//! The user that a server runs as: PostgreSQL refuses root, so a test process of root's starts it as somebody else.

use std::path::Path;
use std::process::{Command, Stdio};

use super::ServerError;

/// A user that is not root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: &'static str,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Whom to run the server as: `None` is whoever runs the tests.
pub(super) fn to_run_as() -> Result<Option<User>, ServerError> {
    match id(&["-u"]) {
        Some(0) => {}
        Some(_) => return Ok(None),
        None => return Err(ServerError::NoUnprivilegedUser { reason: "`id -u` does not tell who runs this".into() }),
    }
    for name in ["postgres", "_postgres", "nobody"] {
        if let (Some(uid), Some(gid)) = (id(&["-u", name]), id(&["-g", name]))
            && uid != 0
        {
            return Ok(Some(User { name, uid, gid }));
        }
    }
    Err(ServerError::NoUnprivilegedUser { reason: "there is no user `postgres`, `_postgres` or `nobody`".into() })
}

impl User {
    /// Runs `program --version` as this user, since a bin directory below root's home is closed to it.
    pub(super) fn can_run(&self, program: &Path) -> Result<(), ServerError> {
        use std::os::unix::process::CommandExt as _;
        let unreachable =
            |reason| ServerError::Unreachable { program: program.to_owned(), user: self.name.to_owned(), reason };
        let output = Command::new(program)
            .arg("--version")
            .current_dir("/")
            .stdin(Stdio::null())
            .uid(self.uid)
            .gid(self.gid)
            .output()
            .map_err(|error| unreachable(error.to_string()))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(unreachable(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
    }
}

/// Asks `id`, which knows every source of users that the system has, not `/etc/passwd` alone.
fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

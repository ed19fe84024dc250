//! What `pg_dump --schema-only` prints.

use migrate_pg::testing::{Binaries, Server, TestDatabase};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest `pg_dump` that can dump a server of this version: it dumps servers that are older than itself too. `.ci/servers`
/// puts one of 18 beside the server of 18, so that all versions can be dumped.
pub fn pg_dump(server: &Server) -> Option<PathBuf> {
    let found = Binaries::find_all().unwrap_or_default();
    let beside = found.iter().map(|binaries| binaries.program("pg_dump"));
    let of_its_own = server.binaries().map(|binaries| binaries.program("pg_dump"));
    let candidates = of_its_own.into_iter().chain(["pg_dump".into()]).chain(beside);
    candidates
        .filter_map(|path| Some((major(&path)?, path)))
        .filter(|(major, _)| *major >= server.major())
        .min_by_key(|(major, _)| *major)
        .map(|(_, path)| path)
}

fn major(program: &Path) -> Option<u16> {
    let banner = String::from_utf8(Command::new(program).arg("--version").output().ok()?.stdout).ok()?;
    banner.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
}

pub fn dump(program: &Path, database: &TestDatabase) -> String {
    let output = Command::new(program).args(["--schema-only", "--dbname", database.url()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // Newer releases bracket the dump with a random word, and set what older servers do not have.
    let of_the_program = [r"\restrict", r"\unrestrict", "SET transaction_timeout = "];
    let kept = text.lines().filter(|line| !of_the_program.iter().any(|begin| line.starts_with(begin)));
    kept.collect::<Vec<_>>().join("\n")
}

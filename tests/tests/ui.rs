//! What the compiler says, held against the files in `ui/`: `refused/*.rs` with its `.stderr`, and `pass/*.rs`.
//!
//! After a message was changed on purpose, `TRYBUILD=overwrite cargo test -p migrate-tests --test ui` writes the files
//! again; read every one of them as the user who gets it.

use std::{fs, io, path::Path, process::Command};

#[test]
fn ui() {
    if let Err(why) = right_compiler() {
        eprintln!("\n\n    SKIPPED: the compile-error tests did not run. {why}\n\n");
        return;
    }
    hand_over_files().expect("the SQL files of the cases are copied into the package that trybuild makes");
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/refused/*.rs");
}

/// The texts of the compiler's own part of a message change with its version: they are those of the pinned one.
fn right_compiler() -> Result<(), String> {
    let toolchain = include_str!("../../rust-toolchain.toml");
    let pinned = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'))
        .ok_or("rust-toolchain.toml names no channel")?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version =
        Command::new(rustc).arg("--version").output().map_err(|error| format!("rustc does not run: {error}"))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    if version.split(' ').nth(1) == Some(pinned) {
        Ok(())
    } else {
        Err(format!("They hold for rustc {pinned}, which rust-toolchain.toml names; this is {version}."))
    }
}

/// The cases are compiled in a package that trybuild makes, and SQL files are found relative to a package's manifest.
fn hand_over_files() -> io::Result<()> {
    let test = std::env::current_exe()?;
    // target/debug/deps/ui-…
    let target = test.ancestors().nth(3).ok_or_else(|| io::Error::other("the test is not in a target directory"))?;
    let to = target.join("tests/trybuild").join(env!("CARGO_PKG_NAME")).join("ui/files");
    fs::create_dir_all(&to)?;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/files"))? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

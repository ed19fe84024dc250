//! The command as it is run: without a person at a terminal it signs nothing, and what it would sign is shown first.

use std::{
    fs,
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

const MIGRATIONS: &str = r#"use migrate_pg::prelude::*;

/// Names are in two columns by now.
#[derive(Migration)]
#[migration(version = 2026_05_01_1200, phase = Contract, lock = AccessExclusive)]
#[destructive(backup = Dump)]
#[step(up_file = "drop.sql", down = "ALTER TABLE users ADD COLUMN full_name text")]
pub struct DropFullName;

#[derive(Migration)]
#[migration(version = 2026_05_01_1210, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE users ADD COLUMN nickname text", down = derived)]
pub struct AddNickname;

#[derive(Migration)]
#[migration(version = 2026_05_01_1220, phase = Expand, lock = Share)]
#[destructive(backup = Dump)]
#[step(up = "DROP TABLE legacy", down = "CREATE TABLE legacy (id bigint)")]
pub struct NotReady;
"#;

/// A crate with these migrations.
fn package() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"shop\"\n").unwrap();
    fs::write(folder.path().join("drop.sql"), "-- for good\nALTER TABLE users\n    DROP COLUMN full_name;\n").unwrap();
    fs::write(folder.path().join("src/migrations.rs"), MIGRATIONS).unwrap();
    folder
}

fn approve(folder: &TempDir, migration: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_approve"))
        .args(["src/migrations.rs", migration, "--as", "Jane Doe"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn refused(folder: &TempDir, migration: &str) -> String {
    let output = approve(folder, migration);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fs::read_to_string(folder.path().join("src/migrations.rs")).unwrap(), MIGRATIONS);
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn it_shows_what_is_destroyed_and_asks_a_person() {
    let folder = package();
    let output = approve(&folder, "DropFullName");
    let shown = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "DropFullName (202605011200) in src/migrations.rs",
        "Names are in two columns by now.",
        "up        ALTER TABLE users\n                DROP COLUMN full_name",
        "down      ALTER TABLE users ADD COLUMN full_name text",
        "destroys  the column full_name of ",
        "approved so far: by nobody",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
    }
    let error = refused(&folder, "DropFullName");
    assert!(error.contains("an approval is a person's: run this in a terminal"), "{error}");
}

#[test]
fn what_cannot_be_signed_is_said() {
    let folder = package();
    for (migration, expected) in [
        ("AddNickname", "`AddNickname` destroys nothing, and needs no approval"),
        ("NotReady", "src/migrations.rs:16:48: `phase = Expand` does not fit"),
        ("NotReady", "src/migrations.rs:16:63: `lock = Share` is too weak"),
        ("Missing", "src/migrations.rs: there is no struct `Missing`"),
    ] {
        let error = refused(&folder, migration);
        assert!(error.contains(expected), "{expected:?} is not in\n{error}");
    }
}

#[test]
fn wrong_arguments_are_explained() {
    let output = Command::new(env!("CARGO_BIN_EXE_approve")).arg("src/migrations.rs").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("usage: approve FILE.rs STRUCT"));
}

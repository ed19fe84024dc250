//! SQL in files: it is read where the program is built, and the build is run again when a file changes.

#![allow(missing_docs, reason = "a history for a test")]

use migrate_pg::prelude::*;
use migrate_pg::review::Review;
use std::path::Path;

#[derive(Migration)]
#[migration(version = 1, phase = Expand, lock = None)]
#[step(up_file = "tests/files/create_notes.sql", down_file = "tests/files/drop_notes.sql")]
pub struct CreateNotes;

/// What a role may do, and a type of an extension: both are there when the history is proved.
#[derive(Migration)]
#[migration(version = 2, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE old ADD COLUMN email citext", down = derived)]
#[step(up = "GRANT SELECT ON old TO reader_of_files", down = derived)]
pub struct Email;

async fn rows(client: &tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("INSERT INTO notes SELECT n, 'note ' || n FROM generate_series(1, 5) n").await
}

migrations! {
    baseline = "tests/files/baseline.sql";
    roles = ["reader_of_files"];
    extensions = ["citext"];
    seed(0) = "tests/files/rows.sql";
    seed(1) = rows;
    pub fn history() = [CreateNotes, Email]
}

#[derive(Migration)]
#[migration(version = 1, phase = Expand, lock = AccessExclusive)]
#[step(
    up = "ALTER TABLE elsewhere ALTER COLUMN note TYPE varchar(20)",
    down = "ALTER TABLE elsewhere ALTER COLUMN note TYPE varchar(10)"
)]
pub struct Widen;

migrations! {
    proof = never("the table is not there");
    pub fn of_a_table_that_is_elsewhere() = [Widen]
}

#[test]
fn what_only_the_proof_can_tell_is_said_in_the_review() {
    let review = Review::since(&of_a_table_that_is_elsewhere(), Version::new(1));
    let why = "reversal of this migration is checked in cargo test only, because neither a baseline nor an earlier migration \
               says what the type of column elsewhere.note was";
    assert!(review.to_string().contains(&format!("- [ ] {why}")), "{review}");
    assert_eq!(review.to_json()[0]["unsettled"], why);
}

#[test]
fn the_text_is_the_file_s() {
    let history = history();
    let step = &history.metas().next().unwrap().steps()[0];
    assert!(step.up().contains("\"Größe\" text"), "{}", step.up());
    assert!(history.baseline().unwrap().sql().contains("CREATE TABLE old"));
}

/// Cargo builds again what a file of its dep-info is newer than (the Cargo book, "Build cache").
#[test]
fn cargo_knows_the_files() {
    let built = std::env::current_exe().unwrap();
    let written = std::fs::read_to_string(built.with_extension("d")).unwrap();
    let known: Vec<&str> = written.lines().next().unwrap().split_whitespace().collect();
    for file in ["create_notes.sql", "drop_notes.sql", "baseline.sql"] {
        let listed = known.iter().any(|path| Path::new(path).ends_with(Path::new("tests/files").join(file)));
        assert!(listed, "{file} is not in {written}");
    }
}

//! What the tests across the crates share: the lock corpus, read.
#![forbid(unsafe_code)]

use migrate_core::model::{LockClass, Work};
use std::collections::BTreeMap;

/// One statement of the corpus and what servers did.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// Its family.
    pub family: String,
    /// The SQL that made the schema.
    pub setup: String,
    /// The statement.
    pub sql: String,
    /// What was recorded, by server version.
    pub truth: BTreeMap<u16, Truth>,
}

/// What one server did.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    /// It refused, with this SQLSTATE.
    Error(String),
    /// It did this.
    Done {
        /// Inside a transaction block.
        in_transaction: bool,
        /// The strongest lock; `None` where it was not recorded.
        lock_class: Option<LockClass>,
        /// The locks on tables, partitions and materialized views; `None` where they were not recorded.
        locks: Option<BTreeMap<String, LockClass>>,
        /// The work.
        work: Work,
        /// Whether a table, a column or rows were gone; `None` where it was not recorded.
        destructive: Option<bool>,
    },
}

/// Every case of `tests/lock-corpus`, or of the file that the environment variable `MIGRATE_LOCK_CASES` names: what the
/// example `measure` wrote.
///
/// # Panics
///
/// Where the file cannot be read, or a line of it is no case.
pub fn corpus() -> Vec<Case> {
    let text = match std::env::var_os("MIGRATE_LOCK_CASES") {
        Some(path) => std::fs::read_to_string(path).expect("MIGRATE_LOCK_CASES names a file"),
        None => include_str!("../lock-corpus/statements.jsonl").to_owned(),
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(case).collect()
}

fn case(line: &str) -> Case {
    let value: serde_json::Value = serde_json::from_str(line).expect("a line of the corpus is JSON");
    let text = |key: &str| value[key].as_str().expect("a case has its texts").to_owned();
    let mut truth = BTreeMap::new();
    for (versions, recorded) in value["truth"].as_object().expect("a case has its truth") {
        let (first, last) = versions.split_once('-').unwrap_or((versions, versions));
        let version = |text: &str| text.parse::<u16>().expect("versions are numbers");
        for pg in version(first)..=version(last) {
            truth.insert(pg, recorded_truth(recorded));
        }
    }
    Case { id: text("id"), family: text("family"), setup: text("setup"), sql: text("sql"), truth }
}

fn recorded_truth(recorded: &serde_json::Value) -> Truth {
    if let Some(error) = recorded["error"].as_str() {
        return Truth::Error(error.to_owned());
    }
    let class = |value: &serde_json::Value| value.as_str().map(|name| name.parse().expect("a lock class"));
    Truth::Done {
        in_transaction: recorded["in_transaction"].as_bool().expect("recorded"),
        lock_class: class(&recorded["lock_class"]),
        locks: recorded["locks"]
            .as_object()
            .map(|locks| locks.iter().map(|(name, lock)| (name.clone(), class(lock).expect("a lock class"))).collect()),
        work: recorded["work"].as_str().expect("recorded").parse().expect("a kind of work"),
        destructive: recorded["destructive"].as_bool(),
    }
}

/// One pair of the pair corpus.
#[derive(Debug, Clone)]
pub struct PairCase {
    /// Its name.
    pub id: String,
    /// The SQL that makes the schema.
    pub setup: String,
    /// The statements of the up.
    pub up: Vec<String>,
    /// The statements of the down.
    pub down: Vec<String>,
    /// The server versions that can run it.
    pub pg: std::ops::RangeInclusive<u16>,
    /// Whether the down takes back the up.
    pub reverses: bool,
    /// What is wrong with it.
    pub why: String,
    /// The first layer that catches a wrong one: `derive`, `history` or `server`.
    pub caught: Option<String>,
}

/// Every pair of `tests/pair-corpus`.
pub fn pair_corpus() -> Vec<PairCase> {
    pair_cases(include_str!("../pair-corpus/pairs.jsonl"))
}

/// The pairs of a text in the format of `tests/pair-corpus`.
///
/// # Panics
///
/// Where a line is not of that format.
pub fn pair_cases(text: &str) -> Vec<PairCase> {
    text.lines().filter(|line| !line.trim().is_empty()).map(pair_case).collect()
}

fn pair_case(line: &str) -> PairCase {
    let value: serde_json::Value = serde_json::from_str(line).expect("a line of the corpus is JSON");
    let text = |key: &str| value[key].as_str().unwrap_or_else(|| panic!("{key} is missing: {line}")).to_owned();
    let list = |key: &str| -> Vec<String> {
        let list = value[key].as_array().unwrap_or_else(|| panic!("{key} is missing: {line}"));
        list.iter().map(|text| text.as_str().expect("a statement is a string").to_owned()).collect()
    };
    let versions = value["pg"].as_str().unwrap_or("14-18");
    let (first, last) = versions.split_once('-').unwrap_or((versions, versions));
    let version = |text: &str| text.parse::<u16>().expect("versions are numbers");
    let reverses = match value["expect"].as_str() {
        Some("reverses") => true,
        Some("differs") => false,
        other => panic!("{other:?} is not expected: {line}"),
    };
    PairCase {
        id: text("id"),
        setup: text("setup"),
        up: list("up"),
        down: list("down"),
        pg: version(first)..=version(last),
        reverses,
        why: text("why"),
        caught: value["caught"].as_str().map(str::to_owned),
    }
}

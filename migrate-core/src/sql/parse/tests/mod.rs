//! What the reading of SQL promises, over whole corpora and field by field.

mod actions;
mod bodies;
mod kinds;
mod objects;
mod queries;
mod tables;

use super::parse;
use crate::sql::ast::{Stmt, TableAction};

/// The one statement in the SQL.
fn one(sql: &str) -> Stmt {
    let mut statements = parse(sql).unwrap_or_else(|error| panic!("{}", error.render(sql)));
    assert_eq!(statements.len(), 1, "{sql}");
    statements.remove(0).stmt
}

/// The one action of an ALTER TABLE.
fn action(sql: &str) -> TableAction {
    match one(sql) {
        Stmt::AlterTable(mut alter) if alter.actions.len() == 1 => alter.actions.remove(0),
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn the_lock_corpus_parses() {
    let corpus = include_str!("../../../../../tests/lock-corpus/statements.jsonl");
    let mut wrong = Vec::new();
    for line in corpus.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        for field in ["setup", "sql"] {
            let sql = entry[field].as_str().unwrap_or_default();
            if let Err(error) = parse(sql) {
                wrong.push(format!("{} {field}: {}", entry["id"], error.render(sql)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

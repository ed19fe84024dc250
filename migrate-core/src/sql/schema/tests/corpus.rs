//! Every case of the lock corpus: its setup applies, and its statement fails exactly where the servers said so.

use crate::sql::ast::Statement;
use crate::sql::parse::parse;
use crate::sql::schema::{ApplyError, Schema};
use serde_json::Value;

fn run(schema: &mut Schema, statements: &[Statement], pg: u16) -> Result<(), ApplyError> {
    statements.iter().try_for_each(|statement| schema.apply(statement, pg).map(|_| ()))
}

/// What the parser does not read yet.
const NOT_READ: &[&str] = &["at-add-column-compression", "at-add-column-storage"];

#[test]
fn setups_apply_and_statements_fail_where_servers_fail() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/lock-corpus/statements.jsonl");
    let corpus = std::fs::read_to_string(path).expect("the corpus is in the repository");
    let mut wrong = Vec::new();
    let mut unread = Vec::new();
    let mut cases = 0;
    for line in corpus.lines() {
        let case: Value = serde_json::from_str(line).expect("one case a line");
        let text = |key: &str| case[key].as_str().expect("a string").to_owned();
        let (id, setup, sql) = (text("id"), text("setup"), text("sql"));
        let (Ok(setup), Ok(statements)) = (parse(&setup), parse(&sql)) else {
            unread.push(id);
            continue;
        };
        for (versions, truth) in case["truth"].as_object().expect("versions") {
            let mut bounds = versions.split('-').map(|bound| bound.parse::<u16>().expect("a version"));
            let first = bounds.next().expect("a version");
            for pg in first..=bounds.next().unwrap_or(first) {
                cases += 1;
                let mut schema = Schema::empty();
                if let Err(error) = run(&mut schema, &setup, pg) {
                    wrong.push(format!("{id} on {pg}: setup: {error}"));
                    continue;
                }
                schema.settle();
                // What the schema does not decide, the locks' own checks refuse.
                let refused = statements.iter().find_map(|it| crate::sql::locks::facts(it, &schema, pg.into()).err());
                let answer = refused.or_else(|| run(&mut schema, &statements, pg).err()).map(|error| error.sqlstate);
                let expected = truth["error"].as_str();
                if answer != expected {
                    wrong.push(format!("{id} on {pg}: expected {expected:?}, got {answer:?}: {sql}"));
                }
            }
        }
    }
    unread.retain(|id| !NOT_READ.contains(&id.as_str()));
    assert!(unread.is_empty(), "the parser does not read {unread:?}");
    assert!(cases > 2000, "{cases} cases");
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
}

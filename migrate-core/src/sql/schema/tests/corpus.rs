//! Every case of the lock corpus: its setup applies, and its statement fails exactly where the servers said so.

use super::{apply, closed};
use serde_json::Value;

/// The servers' answer hangs on rows, settings or privileges, which no schema shows.
const NOT_OF_THE_SCHEMA: &[&str] = &[];

#[test]
fn setups_apply_and_statements_fail_where_servers_fail() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/lock-corpus/statements.jsonl");
    let corpus = std::fs::read_to_string(path).expect("the corpus is in the repository");
    let mut wrong = Vec::new();
    let mut cases = 0;
    for line in corpus.lines() {
        let case: Value = serde_json::from_str(line).expect("one case a line");
        let text = |key: &str| case[key].as_str().expect("a string").to_owned();
        let (id, setup, sql) = (text("id"), text("setup"), text("sql"));
        for (versions, truth) in case["truth"].as_object().expect("versions") {
            let mut bounds = versions.split('-').map(|bound| bound.parse::<u16>().expect("a version"));
            let first = bounds.next().expect("a version");
            for pg in first..=bounds.next().unwrap_or(first) {
                cases += 1;
                let mut schema = match closed(&setup, pg) {
                    Ok(schema) => schema,
                    Err(error) => {
                        wrong.push(format!("{id} on {pg}: setup: {error}"));
                        continue;
                    }
                };
                schema.settle();
                let answer = apply(&mut schema, &sql, pg).err().map(|error| error.sqlstate);
                let expected = truth["error"].as_str();
                if answer != expected && !NOT_OF_THE_SCHEMA.contains(&id.as_str()) {
                    wrong.push(format!("{id} on {pg}: expected {expected:?}, got {answer:?}: {sql}"));
                }
            }
        }
    }
    assert!(cases > 2000, "{cases} cases");
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
}

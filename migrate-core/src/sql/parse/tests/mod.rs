//! What the reading of SQL promises, over whole corpora and field by field.

mod kinds;

use super::parse;

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

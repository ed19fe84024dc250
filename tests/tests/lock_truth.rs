//! Predicts every case of the lock corpus on every version, prints the score of each fact, and fails on each wrong one
//! that is not listed, with its reason, in `EXCEPTIONS`.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use migrate_core::sql::{AnalyzeError, analyze};
use migrate_tests::{Truth, corpus};
use std::collections::{BTreeMap, BTreeSet};

/// Cases (with the fact) that are not predicted as recorded, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "create-index-concurrently-if-not-exists-existing",
        "locks",
        "the record was sampled and missed it: the table is locked in SHARE UPDATE EXCLUSIVE mode until the index is found; \
         with that mode held by another session the statement waits, on 14 and on 18",
    ),
    (
        "do-execute-dynamic",
        "locks",
        "EXECUTE of a computed string: which relations cannot be known, and the analysis says so",
    ),
    (
        "drop-database-force",
        "destructive",
        "the record looks at the tables of the session's own database; those of the one that is dropped are gone",
    ),
    ("do-execute-dynamic", "work", "EXECUTE of a computed string: the worst case"),
];

#[test]
fn every_case_is_predicted_on_every_version() {
    let mut right: BTreeMap<&str, usize> = BTreeMap::new();
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for case in corpus() {
        for (&pg, truth) in &case.truth {
            let predicted = analyze(&case.setup, &case.sql, pg);
            let mut check = |fact: &'static str, predicted: String, recorded: String| {
                *asked.entry(fact).or_default() += 1;
                if predicted == recorded {
                    *right.entry(fact).or_default() += 1;
                } else {
                    wrong
                        .entry((case.id.clone(), fact))
                        .or_default()
                        .push(format!("{pg}: predicted {predicted}, recorded {recorded}"));
                }
            };
            match (truth, predicted) {
                (Truth::Error(recorded), Err(AnalyzeError::Statement { sqlstate, .. })) => {
                    check("error", sqlstate, recorded.clone());
                }
                (Truth::Error(recorded), predicted) => {
                    check(
                        "error",
                        predicted.map_or_else(|error| error.to_string(), |_| "none".to_owned()),
                        recorded.clone(),
                    );
                }
                (Truth::Done { .. }, Err(error)) => check("error", format!("{error}"), "none".to_owned()),
                (Truth::Done { in_transaction, lock_class, locks, work, destructive }, Ok(found)) => {
                    check("in_transaction", found.facts.in_transaction.to_string(), in_transaction.to_string());
                    if let Some(class) = lock_class {
                        check("lock_class", found.facts.lock_class.to_string(), class.to_string());
                    }
                    if let Some(locks) = locks {
                        let predicted: BTreeMap<String, _> = found.table_locks().into_iter().collect();
                        check("locks", format!("{predicted:?}"), format!("{locks:?}"));
                    }
                    check("work", found.facts.work.to_string(), work.to_string());
                    if let Some(destructive) = destructive {
                        check("destructive", found.facts.destructive.to_string(), destructive.to_string());
                    }
                }
            }
        }
    }
    for (fact, asked) in &asked {
        println!("{fact:15} {:5} of {asked:5}", right.get(fact).unwrap_or(&0));
    }
    let excepted: BTreeSet<(&str, &str)> = EXCEPTIONS.iter().map(|(id, fact, _)| (*id, *fact)).collect();
    let mut unexpected = 0;
    for ((id, fact), said) in &wrong {
        let known = excepted.contains(&(id.as_str(), *fact));
        unexpected += usize::from(!known);
        println!("{} {id} {fact}: {}", if known { "known" } else { "WRONG" }, said.join("; "));
    }
    for (id, fact) in &excepted {
        assert!(wrong.contains_key(&((*id).to_owned(), fact)), "{id} {fact} is listed as wrong, and is right");
    }
    assert_eq!(unexpected, 0, "facts that are wrong and not listed");
}

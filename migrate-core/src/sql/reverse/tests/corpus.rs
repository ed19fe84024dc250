//! The derived down of every statement of the lock corpus reverses it, by the decision's own account.

use super::super::derive::{derive, mechanical};
use super::super::{Derived, decide};
use crate::model::PgRange;
use crate::sql::parse::parse;
use crate::sql::schema::Schema;
use serde_json::Value;

/// Where the rules alone do not do, and why: there `derive` says what would be left.
const BY_RULES_ALONE: &[(&str, &str)] = &[
    ("part-drop-check-only", "the children keep theirs, and ONLY cannot be given back"),
    ("part-drop-not-null-only", "from 18 on ONLY cannot be given back"),
    ("inh-drop-not-null-only", "from 18 on the child keeps its own, and with it the name"),
    ("at-drop-column-inheritance-parent-only", "the child keeps its own"),
    ("part-attach-sub", "DETACH leaves the key, the foreign key and the index that ATTACH made"),
    ("deep-add-fk-of-sub-partitioned", "the partitions had a foreign key that the new one took over"),
    ("tree-m-attach-partition-spare-sub-for-values-in-es", "DETACH leaves the keys and indexes that ATTACH made"),
    ("hunt-inherit-3", "a child had the column itself, and it goes with the parent's"),
    ("hunt-view-77", "the temporary view stays beside the one of its name"),
    ("hunt-partdef-4", "DETACH leaves the index that ATTACH made"),
    ("hunt-statistics-14", "the expression comes back in another place of the list"),
    ("pt-alter-table-lp-detach-partition-lp-d", "ATTACH attaches an index of the partition's that hung on none"),
    ("pt-ev-attach-partition-ev-new-for-values-2025-01-01", "DETACH leaves the keys and indexes that ATTACH made"),
    (
        "tree-create-m-eu-25-partition-of-m-eu-for-values-2026",
        "the new partition is referenced through its parent: DROP wants a DETACH first",
    ),
    (
        "tree-create-m-x-partition-of-m-for-values-in-null",
        "the new partition is referenced through its parent: DROP wants a DETACH first",
    ),
    (
        "tree-create-m-x-partition-of-m-note-not-null-for-valu",
        "the new partition is referenced through its parent: DROP wants a DETACH first",
    ),
    (
        "tree-create-m-x-partition-of-m-constraint-v-ok-check",
        "the new partition is referenced through its parent: DROP wants a DETACH first",
    ),
    ("tree-m-add-foreign-key-dev-id-references-dev", "the partitions had a foreign key that the new one took over"),
    ("inhr-alter-table-leaf-add-constraint-n-ok-check-n-0", "what is inherited too cannot be dropped"),
    ("inhr-alter-table-both-no-inherit-base", "the parent comes back as the last one"),
    ("pt-create-index-on-lp-n", "the partitions had indexes that the new one took over"),
    ("pt-drop-table-lp-d", "a partition that is made anew gets an index of the parent's that the old one had not"),
];

#[test]
fn derived_downs_reverse_their_ups() {
    let corpus = include_str!("../../../../../tests/lock-corpus/statements.jsonl");
    let (mut derived, mut wrong, mut skipped) = (0, Vec::new(), 0);
    for line in corpus.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| case[key].as_str().unwrap().to_owned();
        let truth = case["truth"].as_object().unwrap();
        // The versions that ran it; a case that no version ran has nothing to reverse.
        let mut ran: Vec<u16> = truth
            .iter()
            .filter(|(_, truth)| truth.get("error").is_none())
            .flat_map(|(range, _)| {
                let (low, high) = range.split_once('-').unwrap_or((range, range));
                low.parse::<u16>().unwrap()..=high.parse::<u16>().unwrap()
            })
            .collect();
        ran.sort_unstable();
        let (Some(&low), Some(&high)) = (ran.first(), ran.last()) else {
            skipped += 1;
            continue;
        };
        let pg = PgRange::new(low, high).unwrap();
        let mut before = Schema::empty();
        let setup = parse(&text("setup")).unwrap();
        if let Some(error) = setup.iter().find_map(|statement| before.apply(statement, high).err()) {
            wrong.push(format!("{}: setup: {}", text("id"), error.message));
            continue;
        }
        before.settle();
        let up = parse(&text("sql")).unwrap();
        let Derived::Sql(downs) = mechanical(&up[0], &before, pg) else { continue };
        derived += 1;
        match parse(&downs.join(";\n")) {
            Ok(downs_parsed) => {
                let verdict = decide(&before, &up, &downs_parsed, pg);
                if BY_RULES_ALONE.iter().any(|(id, _)| *id == text("id")) {
                    assert!(!verdict.reverses(), "{} is listed, and its down does", text("id"));
                    assert!(!matches!(derive(&up[0], &before, pg), Derived::Sql(_)), "{}", text("id"));
                } else if !verdict.reverses() {
                    wrong.push(format!(
                        "{}: {}\n  {}\n  {}",
                        text("id"),
                        text("sql"),
                        downs.join("\n  "),
                        verdict.differences.join("\n  ")
                    ));
                }
            }
            Err(error) => wrong.push(format!("{}: {}: {error:?}", text("id"), downs.join("; "))),
        }
    }
    assert!(wrong.is_empty(), "{} of {derived} ({skipped} skipped):\n{}", wrong.len(), wrong.join("\n"));
    assert!(derived >= 300, "{derived}");
}

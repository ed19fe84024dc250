//! `docs/derived-downs.md`: for each kind of effect whether the down of a statement is derived, over the statements of the
//! lock corpus and the ups of the pair corpus, and why it is not where it is not.

use super::super::{Derived, derive};
use crate::model::{EffectKind, PgRange, Verb};
use crate::sql::parse::parse;
use crate::sql::schema::Schema;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Kinds that no statement of the corpus that runs has as its own effect, each with the reason.
const NOT_IN_THE_CORPUS: &[(EffectKind, &str)] =
    &[(EffectKind::Assumed, "a declaration says it, of a statement that is not read")];

#[derive(Default)]
struct Row {
    derived: usize,
    nothing: usize,
    /// Why not, and a statement that shows it.
    why: BTreeMap<String, (usize, String)>,
}

/// The reason without the names that the statement brings.
fn plain(why: &str, sql: &str) -> String {
    let words: BTreeSet<&str> = sql
        .split(|char: char| !(char.is_alphanumeric() || char == '_'))
        .filter(|word| word.chars().any(|char| char.is_ascii_lowercase()) && word.len() < 40)
        .collect();
    // What stands in backticks or after a colon is of this one statement.
    let head = why.split("; ").next().unwrap_or(why);
    let mut out: Vec<String> = Vec::new();
    for word in head.split(' ') {
        let bare = word.trim_matches(|char: char| !(char.is_alphanumeric() || char == '_'));
        let named = bare.contains('_')
            || bare.chars().any(|char| char.is_ascii_digit())
            || word.contains('.') && !word.ends_with('.')
            || (words.contains(bare) && !COMMON.contains(&bare));
        if !named {
            out.push(word.to_owned());
        } else if out.last().is_none_or(|last| last != "…") {
            out.push("…".to_owned());
        }
    }
    out.join(" ")
}

/// Words of sentences that statements hold too.
const COMMON: &[&str] = &[
    "a",
    "is",
    "it",
    "the",
    "to",
    "of",
    "on",
    "in",
    "as",
    "and",
    "or",
    "not",
    "was",
    "be",
    "no",
    "what",
    "that",
    "so",
    "by",
    "for",
    "from",
    "with",
    "all",
    "table",
    "column",
    "index",
    "view",
    "type",
    "function",
    "default",
    "value",
    "schema",
    "data",
    "rows",
    "same",
    "there",
    "new",
    "name",
    "values",
    "option",
    "options",
    "sequence",
    "trigger",
    "role",
    "constraint",
];

/// A statement, what was there before it, and the servers that run it.
struct Case {
    setup: String,
    up: String,
    pg: PgRange,
}

/// The statements of the lock corpus that a server runs, and the first ups of the pair corpus.
fn cases() -> Vec<Case> {
    let locks = include_str!("../../../../../tests/lock-corpus/statements.jsonl").lines().filter_map(|line| {
        let case: Value = serde_json::from_str(line).unwrap();
        let mut ran: Vec<u16> = Vec::new();
        for (range, _) in case["truth"].as_object().unwrap().iter().filter(|(_, it)| it.get("error").is_none()) {
            let (low, high) = ends(range);
            ran.extend(low..=high);
        }
        let (&low, &high) = (ran.iter().min()?, ran.iter().max()?);
        let text = |key: &str| case[key].as_str().unwrap().to_owned();
        Some(Case { setup: text("setup"), up: text("sql"), pg: PgRange::new(low, high).unwrap() })
    });
    let pairs = include_str!("../../../../../tests/pair-corpus/pairs.jsonl").lines().map(|line| {
        let case: Value = serde_json::from_str(line).unwrap();
        let (low, high) = ends(case["pg"].as_str().unwrap_or("14-18"));
        let up = case["up"][0].as_str().unwrap().to_owned();
        Case { setup: case["setup"].as_str().unwrap().to_owned(), up, pg: PgRange::new(low, high).unwrap() }
    });
    let mut seen = BTreeSet::new();
    locks.chain(pairs).filter(|case| seen.insert((case.setup.clone(), case.up.clone()))).collect()
}

fn ends(range: &str) -> (u16, u16) {
    let (low, high) = range.split_once('-').unwrap_or((range, range));
    (low.parse().unwrap(), high.parse().unwrap())
}

fn page() -> (String, Vec<EffectKind>) {
    let mut rows: BTreeMap<usize, (EffectKind, Row)> = BTreeMap::new();
    for Case { setup, up, pg } in cases() {
        let mut before = Schema::empty();
        if parse(&setup).unwrap().iter().any(|statement| before.apply(statement, pg.max()).is_err()) {
            continue;
        }
        before.settle();
        let up = parse(&up).unwrap();
        let Ok(changes) = before.clone().apply(&up[0], pg.max()) else { continue };
        // The first effect is the statement's own; the others came with it.
        let own = changes.iter().find(|change| change.verb != Verb::Use).or(changes.first());
        let Some(change) = own else { continue };
        let row = &mut rows.entry(change.kind as usize).or_insert_with(|| (change.kind, Row::default())).1;
        match derive(&up[0], &before, pg) {
            Derived::Sql(_) => row.derived += 1,
            Derived::Nothing(_) => row.nothing += 1,
            Derived::Irreversible(why) | Derived::Needs(why, _) => {
                let entry = row.why.entry(plain(&why, &up[0].text)).or_insert_with(|| (0, up[0].text.clone()));
                entry.0 += 1;
            }
        }
    }
    let mut page = String::from(
        "# Downs that are derived\n\nFor each kind of effect: of how many statements of the lock corpus and ups of the pair corpus the down is derived, of how many there is nothing to \
         take back, and of how many it must be written by hand, and why. This page is generated: `MIGRATE_BLESS=1 cargo test -p migrate-core --features sql`.\n\n\
         | effect | derived | nothing to take back | by hand |\n|---|---|---|---|\n",
    );
    for (kind, row) in rows.values() {
        let by_hand: usize = row.why.values().map(|(count, _)| count).sum();
        let _ = writeln!(page, "| {kind:?} | {} | {} | {by_hand} |", row.derived, row.nothing);
    }
    page.push_str("\n## Where none is derived, and why\n");
    for (kind, row) in rows.values().filter(|(_, row)| !row.why.is_empty()) {
        let _ = writeln!(page, "\n### {kind:?}\n");
        for (why, (count, example)) in &row.why {
            let example = example.split_whitespace().collect::<Vec<_>>().join(" ");
            let example: String = example.chars().take(110).collect();
            let _ = writeln!(page, "- {why} ({count}, as in `{example}`)");
        }
    }
    let there: BTreeSet<usize> = rows.keys().copied().collect();
    let missing = EffectKind::ALL.iter().copied().filter(|kind| !there.contains(&(*kind as usize))).collect();
    (page, missing)
}

#[test]
fn the_page_says_what_is_derived() {
    let (page, missing) = page();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/derived-downs.md");
    if std::env::var_os("MIGRATE_BLESS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert!(NOT_IN_THE_CORPUS.iter().all(|(_, why)| !why.is_empty()));
    let listed: Vec<EffectKind> = NOT_IN_THE_CORPUS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(missing, listed, "kinds of effect that no statement of the corpus has");
    assert!(
        std::fs::read_to_string(path).is_ok_and(|written| written == page),
        "docs/derived-downs.md is not what is derived; write it again with MIGRATE_BLESS=1 cargo test -p migrate-core --features sql"
    );
}

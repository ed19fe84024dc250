//! Which layer catches each wrong pair of the pair corpus, and that none refuses a right one: the derive, which sees the
//! migration alone; the history check, which sees what was made before it; the proof on a server. What is recorded in the corpus is
//! held against what they say; `MIGRATE_UPDATE=1` records it again.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use migrate_core::model::{EffectKind, LockClass, PgRange, Phase, Verb};
use migrate_core::sql;
use migrate_core::sql::check::{self, Declaration, DownDeclaration, Entry, SqlText, StepDeclaration};
use migrate_tests::{PairCase, pair_corpus};
use std::collections::BTreeMap;

fn text(text: &str) -> SqlText {
    SqlText { text: text.to_owned(), file: None }
}

/// The pair as a migration: a step an up; the downs are the last up's first.
fn declaration(pair: &PairCase) -> Declaration {
    let mut downs: Vec<Vec<SqlText>> = if pair.up.len() == 1 {
        vec![pair.down.iter().map(|down| text(down)).collect()]
    } else {
        assert_eq!(pair.up.len(), pair.down.len(), "{}: several ups have a down each", pair.id);
        pair.down.iter().rev().map(|down| vec![text(down)]).collect()
    };
    let steps = pair.up.iter().map(|up| {
        let down = Some(DownDeclaration::Sql(downs.remove(0)));
        StepDeclaration::Statement { up: text(up), down, assume: None }
    });
    Declaration {
        name: "Pair".to_owned(),
        file: None,
        version: 1,
        phase: Phase::Contract,
        lock: LockClass::AccessExclusive,
        transactional: true,
        pg: PgRange::new(*pair.pg.start(), *pair.pg.end()).expect("a range of servers"),
        steps: steps.collect(),
        destructive: None,
        allows: Vec::new(),
        deploy_from: None,
        binds: Vec::new(),
    }
}

/// The layer that refuses the pair, and what it says.
fn refused(pair: &PairCase) -> (&'static str, String) {
    let checked = match check::analyse(&declaration(pair)) {
        Ok(checked) => checked,
        Err(problems) => {
            let said: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
            return ("derive", said.join("\n"));
        }
    };
    let baseline =
        check::baseline(&text(&pair.setup)).unwrap_or_else(|problem| panic!("{}: {}", pair.id, problem.message));
    let found = check::history(Some(&baseline), &[Entry { version: 1, name: "Pair", checked: &checked }]);
    match &found[0].refused {
        Some(message) => ("history", message.clone()),
        None => {
            // What the report says of it.
            let mut said: Vec<String> = checked.steps.iter().flat_map(|step| step.notes.clone()).collect();
            said.retain(|note| note.starts_with("reversal of this step is checked in cargo test only, because "));
            said.extend(found[0].unsettled.clone());
            ("server", said.join("\n"))
        }
    }
}

/// Writes `caught` again, and leaves the rest of each line as it is.
fn record(found: &BTreeMap<String, &'static str>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/pair-corpus/pairs.jsonl");
    let text = std::fs::read_to_string(path).expect("the corpus");
    let lines = text.lines().map(|line| {
        let pair: serde_json::Value = serde_json::from_str(line).expect("a line of the corpus is JSON");
        let kept = line.split(", \"caught\": ").next().unwrap_or(line).trim_end_matches('}');
        match pair["id"].as_str().and_then(|id| found.get(id)) {
            Some(layer) => format!("{kept}, \"caught\": \"{layer}\"}}\n"),
            None => format!("{kept}}}\n"),
        }
    });
    std::fs::write(path, lines.collect::<String>()).expect("the corpus can be written");
}

/// Kinds of effect that no pair is about on one side, each with the reason.
const WITHOUT_RIGHT: &[(EffectKind, &str)] = &[
    (EffectKind::SetSetting, "it ends with its session or transaction: nothing is left that a down could take back"),
    (EffectKind::LockRelation, "it ends with its transaction: nothing is left that a down could take back"),
    (EffectKind::Assumed, "a declaration says it, of a statement that is not read"),
];
const WITHOUT_WRONG: &[(EffectKind, &str)] = &[
    (EffectKind::LockRelation, "it ends with its transaction: nothing is left that could be wrong"),
    (EffectKind::Assumed, "a declaration says it, of a statement that is not read"),
];

/// What the ups do: of each statement the first effect, which is its own; what comes with it is not what the pair is about.
fn kinds(pair: &PairCase) -> Vec<EffectKind> {
    let mut setup = pair.setup.clone();
    let mut kinds = Vec::new();
    for up in &pair.up {
        let found = sql::analyze(&setup, up, *pair.pg.end()).unwrap_or_else(|error| panic!("{}: {error}", pair.id));
        let changes = &found.facts.changes;
        let own = changes.iter().find(|change| change.verb != Verb::Use).or(changes.first());
        kinds.extend(own.map(|change| change.kind));
        setup = format!("{setup};\n{up}");
    }
    kinds
}

#[test]
fn each_kind_of_effect_has_right_and_wrong_pairs() {
    let (mut right, mut wrong) = (BTreeMap::new(), BTreeMap::new());
    for pair in pair_corpus() {
        for kind in kinds(&pair) {
            *(if pair.reverses { &mut right } else { &mut wrong }).entry(kind).or_insert(0) += 1;
        }
    }
    for (side, found, listed) in [("right", &right, WITHOUT_RIGHT), ("wrong", &wrong, WITHOUT_WRONG)] {
        assert!(listed.iter().all(|(_, why)| !why.is_empty()));
        let missing: Vec<EffectKind> =
            EffectKind::ALL.iter().copied().filter(|kind| !found.contains_key(kind)).collect();
        let listed: Vec<EffectKind> = listed.iter().map(|(kind, _)| *kind).collect();
        println!("{} kinds of effect have {side} pairs, {} are listed", found.len(), listed.len());
        assert_eq!(missing, listed, "kinds of effect without a {side} pair");
    }
}

#[test]
fn each_layer_catches_what_is_recorded() {
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::new());
    let mut found = BTreeMap::new();
    for pair in pair_corpus() {
        let (layer, said) = refused(&pair);
        if pair.reverses {
            *counts.entry("right").or_insert(0) += 1;
            if layer != "server" {
                wrong.push(format!("RIGHT {} is refused by the {layer}:\n{said}", pair.id));
            }
        } else {
            *counts.entry(layer).or_insert(0) += 1;
            found.insert(pair.id.clone(), layer);
            if layer == "server" && said.is_empty() {
                wrong.push(format!("SILENT {}: nothing says that only a server can tell", pair.id));
            }
            if pair.caught.as_deref() != Some(layer) {
                wrong.push(format!("LAYER {} {layer} ({:?} is recorded): {said}", pair.id, pair.caught));
            }
        }
    }
    println!("{counts:?}");
    if std::env::var_os("MIGRATE_UPDATE").is_some() {
        return record(&found);
    }
    assert!(wrong.is_empty(), "{} pairs:\n{}", wrong.len(), wrong.join("\n"));
}

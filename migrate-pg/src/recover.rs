//! What became of a statement that cannot run in a transaction, that the ledger says was under way, and whose end nobody
//! recorded: a decision from what it does and from what is on the server. What follows from it for a run that goes on, for
//! one whose text was mended since, and for an undo is decided here, too; `docs/recovery.md` shows it as tables.

use migrate_core::model::ConcurrentAction;

/// What is on the server of what the statement acts on: an index, or a partition's bond to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// No index of this name; no partition of this parent.
    Gone,
    /// The index, on the table of the statement where that is known, and good; a partition.
    Whole,
    /// The index, not good: a build or a drop of it did not end. A partition whose detach did not end.
    Half,
    /// Something else has the name, or an index of another table.
    Foreign,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing.
    NotDone,
    /// It had its effect.
    Done,
    /// Half of it: what to do about that.
    Half(Remedy),
    /// It is harmless to have, and harmless to do again: VACUUM and the like.
    Harmless,
    /// Not known, but doing it twice comes to doing it once.
    Again,
    /// Only a person can tell.
    Unknown(&'static str),
}

/// What to do about half of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Drop the INVALID index of the build. Then nothing of it is done.
    Remove,
    /// Send it again: it takes up where it was. Then it is done.
    Finish,
    /// ALTER TABLE … DETACH PARTITION … FINALIZE. Then it is done.
    Finalize,
    /// Drop the INVALID copies beside the index, which is good as it was.
    Sweep,
}

/// Of a statement whose kind is known.
pub(crate) const fn outcome(action: ConcurrentAction, seen: Seen) -> Outcome {
    use ConcurrentAction::{Create, Detach, Drop, Reindex, ReindexTable};
    match (action, seen) {
        (Create, Seen::Gone) | (Drop | Detach, Seen::Whole) => Outcome::NotDone,
        (Create, Seen::Whole) | (Drop | Detach, Seen::Gone) => Outcome::Done,
        (Create, Seen::Half) => Outcome::Half(Remedy::Remove),
        (Drop, Seen::Half) => Outcome::Half(Remedy::Finish),
        (Detach, Seen::Half) => Outcome::Half(Remedy::Finalize),
        (Reindex | ReindexTable, _) => Outcome::Half(Remedy::Sweep),
        (Create, Seen::Foreign) => Outcome::Unknown(
            "something else has the name of the index now, and whether the index was built cannot be told",
        ),
        _ => Outcome::Unknown("what the statement acts on is something else now"),
    }
}

/// Of any other statement, normalised.
pub(crate) fn outcome_of_other(normalised: &str) -> Outcome {
    let upper = normalised.to_ascii_uppercase();
    let words: Vec<&str> = upper.split(' ').take(8).collect();
    if matches!(words.first(), Some(&("VACUUM" | "ANALYZE" | "REINDEX" | "CLUSTER" | "CHECKPOINT" | "REFRESH"))) {
        Outcome::Harmless
    } else if words.starts_with(&["ALTER", "SYSTEM"])
        || words.windows(2).any(|pair| pair == ["IF", "EXISTS"])
        || words.windows(3).any(|three| three == ["IF", "NOT", "EXISTS"])
    {
        Outcome::Again
    } else {
        Outcome::Unknown("the statement was sent and its end was not seen: whether it had its effect cannot be told")
    }
}

/// What to do before a statement is sent that nobody has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    Send,
    /// Send it, and remember that the index was there before.
    SendAsItIs,
    Refuse(&'static str),
}

/// Whether a build may begin: what is there already is not this step's, and must not be taken for its own afterwards.
pub(crate) const fn first(if_not_exists: bool, seen: Seen) -> First {
    match (seen, if_not_exists) {
        (Seen::Gone, _) => First::Send,
        (Seen::Whole, true) => First::SendAsItIs,
        // IF NOT EXISTS would keep it, and without that the server's message would not say that it is invalid.
        (Seen::Half, _) => First::Refuse(
            "an INVALID index of this name is there, left by something else than this step: every write maintains it, \
             and no query uses it",
        ),
        (Seen::Whole, false) => First::Refuse("an index of this name is there already, and this step did not make it"),
        (Seen::Foreign, true) => First::Refuse(
            "something else than an index of this table has the name, and IF NOT EXISTS would pass over the build in silence",
        ),
        // The server says best what is in the way.
        (Seen::Foreign, false) => First::Send,
    }
}

/// What a run does that goes on with the same text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GoOn {
    Send,
    /// Apply the remedy, then send the statement.
    RemedyAndSend(Remedy),
    Finalize,
    Record,
    Refuse(&'static str),
}

pub(crate) const fn go_on(outcome: Outcome) -> GoOn {
    match outcome {
        Outcome::NotDone | Outcome::Harmless | Outcome::Again | Outcome::Half(Remedy::Finish) => GoOn::Send,
        Outcome::Half(Remedy::Finalize) => GoOn::Finalize,
        Outcome::Half(remedy) => GoOn::RemedyAndSend(remedy),
        Outcome::Done => GoOn::Record,
        Outcome::Unknown(why) => GoOn::Refuse(why),
    }
}

/// What a run does about the old text where the text was mended since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mended {
    /// Nothing of the old text stands: the new text begins afresh.
    Begin,
    /// What the old text made is removed; then the new one begins afresh.
    RemedyAndBegin(Remedy),
    /// The new text does the same to the same, and goes on where the old one was.
    GoOn,
    /// Only the old text explains what is there.
    Refuse,
}

/// `same`: the new text does the same to what the old one acted on.
pub(crate) const fn mended(action: Option<ConcurrentAction>, same: bool, outcome: Outcome) -> Mended {
    match (action, outcome) {
        // A text that builds another index under the same name must not pass for the one that was built.
        (Some(ConcurrentAction::Create), Outcome::Done | Outcome::Half(_)) => Mended::RemedyAndBegin(Remedy::Remove),
        (_, Outcome::NotDone | Outcome::Harmless) => Mended::Begin,
        (_, Outcome::Half(Remedy::Sweep)) => Mended::RemedyAndBegin(Remedy::Sweep),
        (Some(_), Outcome::Done | Outcome::Half(_)) if same => Mended::GoOn,
        _ => Mended::Refuse,
    }
}

/// What an undo does about an up that was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakeBack {
    /// Nothing stands: no down is run.
    Nothing,
    /// Apply the remedy; then nothing stands.
    Remedy(Remedy),
    /// It stands: run its downs.
    Downs,
    /// Finish it, for half of it no down is made; then run its downs.
    FinishAndDowns,
    Refuse(&'static str),
}

pub(crate) const fn take_back(outcome: Outcome) -> TakeBack {
    match outcome {
        Outcome::NotDone => TakeBack::Nothing,
        Outcome::Done | Outcome::Harmless => TakeBack::Downs,
        Outcome::Half(remedy @ (Remedy::Remove | Remedy::Sweep)) => TakeBack::Remedy(remedy),
        Outcome::Half(Remedy::Finish | Remedy::Finalize) | Outcome::Again => TakeBack::FinishAndDowns,
        Outcome::Unknown(why) => TakeBack::Refuse(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const ACTIONS: [ConcurrentAction; 5] = [
        ConcurrentAction::Create,
        ConcurrentAction::Drop,
        ConcurrentAction::Reindex,
        ConcurrentAction::ReindexTable,
        ConcurrentAction::Detach,
    ];
    const SEEN: [Seen; 4] = [Seen::Gone, Seen::Whole, Seen::Half, Seen::Foreign];

    #[test]
    fn only_an_index_that_this_step_was_building_is_dropped() {
        for action in ACTIONS {
            for seen in SEEN {
                let found = outcome(action, seen);
                let building = action == ConcurrentAction::Create && seen == Seen::Half;
                assert_eq!(go_on(found) == GoOn::RemedyAndSend(Remedy::Remove), building, "{action:?} {seen:?}");
                assert_eq!(take_back(found) == TakeBack::Remedy(Remedy::Remove), building, "{action:?} {seen:?}");
                for same in [false, true] {
                    let removes = mended(Some(action), same, found) == Mended::RemedyAndBegin(Remedy::Remove);
                    let built = action == ConcurrentAction::Create && matches!(seen, Seen::Half | Seen::Whole);
                    assert_eq!(removes, built, "{action:?} {seen:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_another_s_is_never_touched() {
        for action in [ConcurrentAction::Create, ConcurrentAction::Drop, ConcurrentAction::Detach] {
            let found = outcome(action, Seen::Foreign);
            assert!(matches!(go_on(found), GoOn::Refuse(_)));
            assert!(matches!(take_back(found), TakeBack::Refuse(_)));
            assert_eq!(mended(Some(action), true, found), Mended::Refuse);
        }
    }

    #[test]
    fn an_undo_runs_downs_only_for_what_stands() {
        let undo = |action, seen| take_back(outcome(action, seen));
        assert_eq!(undo(ConcurrentAction::Create, Seen::Gone), TakeBack::Nothing);
        assert_eq!(undo(ConcurrentAction::Create, Seen::Whole), TakeBack::Downs);
        assert_eq!(undo(ConcurrentAction::Drop, Seen::Whole), TakeBack::Nothing);
        assert_eq!(undo(ConcurrentAction::Drop, Seen::Half), TakeBack::FinishAndDowns);
        assert_eq!(undo(ConcurrentAction::Drop, Seen::Gone), TakeBack::Downs);
        assert_eq!(undo(ConcurrentAction::Detach, Seen::Half), TakeBack::FinishAndDowns);
        assert_eq!(undo(ConcurrentAction::Detach, Seen::Whole), TakeBack::Nothing);
    }

    #[test]
    fn what_is_there_before_a_build_is_not_taken_for_its_own() {
        assert_eq!(first(false, Seen::Gone), First::Send);
        assert!(matches!(first(false, Seen::Whole), First::Refuse(_)));
        assert_eq!(first(true, Seen::Whole), First::SendAsItIs);
        assert!(matches!(first(true, Seen::Half), First::Refuse(_)));
        assert!(matches!(first(true, Seen::Foreign), First::Refuse(_)));
    }

    #[test]
    fn a_mended_text_that_does_the_same_goes_on() {
        let found = outcome(ConcurrentAction::Drop, Seen::Half);
        assert_eq!(mended(Some(ConcurrentAction::Drop), true, found), Mended::GoOn);
        assert_eq!(mended(Some(ConcurrentAction::Drop), false, found), Mended::Refuse);
        assert_eq!(mended(None, false, Outcome::Again), Mended::Refuse);
        assert_eq!(mended(None, false, Outcome::Harmless), Mended::Begin);
    }

    #[test]
    fn what_is_not_known_to_repeat_is_left_to_a_person() {
        for sql in ["VACUUM orders", "analyze", "REINDEX DATABASE CONCURRENTLY d"] {
            assert_eq!(outcome_of_other(sql), Outcome::Harmless, "{sql}");
        }
        for sql in [
            "ALTER SYSTEM SET work_mem = '64MB'",
            "ALTER TYPE t ADD VALUE IF NOT EXISTS 'x'",
            "DROP DATABASE IF EXISTS x",
        ] {
            assert_eq!(outcome_of_other(sql), Outcome::Again, "{sql}");
        }
        for sql in ["CREATE DATABASE x", "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p"] {
            assert!(matches!(outcome_of_other(sql), Outcome::Unknown(_)), "{sql}");
        }
    }

    fn seen(seen: Seen) -> &'static str {
        match seen {
            Seen::Gone => "not there",
            Seen::Whole => "whole",
            Seen::Half => "half",
            Seen::Foreign => "somebody else's",
        }
    }

    fn remedy(remedy: Remedy) -> &'static str {
        match remedy {
            Remedy::Remove => "drop the index that it made",
            Remedy::Finish => "send it again, which finishes it",
            Remedy::Finalize => "finalize the detach",
            Remedy::Sweep => "drop the INVALID copies beside the index",
        }
    }

    fn outcome_name(outcome: Outcome) -> String {
        match outcome {
            Outcome::NotDone => "nothing was done".to_owned(),
            Outcome::Done => "done".to_owned(),
            Outcome::Half(half) => format!("half; {}", remedy(half)),
            Outcome::Harmless => "harmless".to_owned(),
            Outcome::Again => "may be done again".to_owned(),
            Outcome::Unknown(_) => "not known".to_owned(),
        }
    }

    /// The tables of the page, from the decisions.
    fn tables() -> [String; 2] {
        let mut outcomes =
            String::from("| statement | not there | whole | half | somebody else's |\n|---|---|---|---|---|\n");
        for action in ACTIONS {
            let cells: Vec<String> = SEEN.iter().map(|&seen| outcome_name(outcome(action, seen))).collect();
            writeln!(outcomes, "| {} | {} |", crate::under_way::action_name(action), cells.join(" | ")).unwrap();
        }
        let mut next = String::from(
            "| statement | found | a run with the same text | a run with a mended text | an undo |\n|---|---|---|---|---|\n",
        );
        let every = ACTIONS
            .iter()
            .flat_map(|&action| SEEN.iter().map(move |&what| (Some(action), seen(what), outcome(action, what))));
        let others = [Outcome::Harmless, Outcome::Again, Outcome::Unknown("")].map(|found| (None, "", found));
        for (action, what, found) in every.chain(others) {
            // Of a rebuild nothing needs to be found.
            let rebuild = matches!(action, Some(ConcurrentAction::Reindex | ConcurrentAction::ReindexTable));
            if rebuild && what != "whole" {
                continue;
            }
            let run = match go_on(found) {
                GoOn::Send => "sends it".to_owned(),
                GoOn::RemedyAndSend(half) => format!("{}, then sends it", remedy(half)),
                GoOn::Finalize => remedy(Remedy::Finalize).to_owned(),
                GoOn::Record => "records that it is done".to_owned(),
                GoOn::Refuse(_) => "refuses".to_owned(),
            };
            let text = |mended| match mended {
                Mended::Begin => "begins afresh".to_owned(),
                Mended::RemedyAndBegin(half) => format!("{}, then begins afresh", remedy(half)),
                Mended::GoOn => "goes on as with the same text".to_owned(),
                Mended::Refuse => "refuses".to_owned(),
            };
            let (other, same) = (text(mended(action, false, found)), text(mended(action, true, found)));
            let mended =
                if other == same { other } else { format!("{other}; if it does the same to the same, {same}") };
            let undo = match take_back(found) {
                TakeBack::Nothing => "runs no down".to_owned(),
                TakeBack::Remedy(half) => format!("{}, runs no down", remedy(half)),
                TakeBack::Downs => "runs its downs".to_owned(),
                TakeBack::FinishAndDowns => "finishes it as a run does, then runs its downs".to_owned(),
                TakeBack::Refuse(_) => "refuses".to_owned(),
            };
            let statement = action.map_or_else(
                || format!("another, {}", outcome_name(found)),
                |action| crate::under_way::action_name(action).to_owned(),
            );
            writeln!(next, "| {statement} | {} | {run} | {mended} | {undo} |", if rebuild { "whatever" } else { what })
                .unwrap();
        }
        [outcomes, next]
    }

    /// `MIGRATE_BLESS=1 cargo test -p migrate-pg --lib recover` writes the tables of the page again.
    #[test]
    fn the_page_says_what_is_decided() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/recovery.md");
        let page = std::fs::read_to_string(file).unwrap();
        let mut expected = page.clone();
        for (name, table) in ["outcomes", "next"].into_iter().zip(tables()) {
            let mark = format!("<!-- {name} -->\n");
            let from = expected.find(&mark).expect("the page has the mark") + mark.len();
            let to = from + expected[from..].find("<!-- end -->").expect("the table ends");
            expected.replace_range(from..to, &format!("\n{table}\n"));
        }
        if std::env::var_os("MIGRATE_BLESS").is_some() {
            std::fs::write(file, expected).unwrap();
        } else {
            assert_eq!(page, expected, "docs/recovery.md: MIGRATE_BLESS=1 cargo test -p migrate-pg --lib recover");
        }
    }
}

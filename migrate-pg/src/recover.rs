//! What to do about a statement that cannot run in a transaction and that an earlier run began without recording its end:
//! a decision from what it does, whether the ledger says that it was begun, and what is on the server.

use migrate_core::model::IndexAction;

/// What is on the server under the name of a statement's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Absent,
    /// The index, on the table of the statement where that is known, and good.
    Valid,
    /// The index, on the table of the statement, and not good: a build or a drop of it did not end.
    Invalid,
    /// Something else of that name, or an index of another table.
    Foreign,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Run the statement.
    Run,
    /// Drop what the unfinished build left, then run the statement.
    DropAndRun,
    /// Drop what the unfinished rebuild left beside the index, then run the statement.
    SweepAndRun,
    /// The statement had its effect before its end could be recorded.
    Done,
    /// Only a person can tell.
    Refuse(&'static str),
}

/// For a statement on one index. `begun`: the ledger says that this step was under way.
pub(crate) const fn index(action: IndexAction, begun: bool, seen: Seen) -> Next {
    match (action, begun, seen) {
        (IndexAction::Create, true, Seen::Invalid) => Next::DropAndRun,
        (IndexAction::Create, true, Seen::Valid) | (IndexAction::Drop, true, Seen::Absent) => Next::Done,
        (IndexAction::Create, true, Seen::Foreign) => {
            Next::Refuse("something else has the name of the index now, and whether the index was built cannot be told")
        }
        // IF NOT EXISTS would keep it, and without that the server's message would not say that it is invalid.
        (IndexAction::Create, false, Seen::Invalid) => Next::Refuse(
            "an INVALID index of this name is there, left by something else than this step: every write maintains it, \
             and no query uses it",
        ),
        (IndexAction::Reindex | IndexAction::ReindexTable, true, _) => Next::SweepAndRun,
        // The server says best what is wrong where anything is.
        _ => Next::Run,
    }
}

/// For DETACH PARTITION CONCURRENTLY. `pending`: `pg_inherits.inhdetachpending`, or `None` where it is no partition.
pub(crate) const fn detach(begun: bool, pending: Option<bool>) -> DetachNext {
    match (begun, pending) {
        (true, None) => DetachNext::Done,
        (true, Some(true)) => DetachNext::Finalize,
        _ => DetachNext::Run,
    }
}

/// What to do about a DETACH PARTITION CONCURRENTLY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DetachNext {
    Run,
    Finalize,
    Done,
}

/// For any other statement that was begun. It may be run again where doing it twice comes to doing it once.
pub(crate) fn other(normalised: &str) -> Next {
    let upper = normalised.to_ascii_uppercase();
    let words: Vec<&str> = upper.split(' ').take(8).collect();
    let again =
        matches!(words.first(), Some(&("VACUUM" | "ANALYZE" | "REINDEX" | "CLUSTER" | "CHECKPOINT" | "REFRESH")))
            || words.starts_with(&["ALTER", "SYSTEM"])
            || words.windows(2).any(|pair| pair == ["IF", "EXISTS"])
            || words.windows(3).any(|three| three == ["IF", "NOT", "EXISTS"]);
    if again {
        Next::Run
    } else {
        Next::Refuse("the statement was sent and its end was not seen: whether it had its effect cannot be told")
    }
}

/// Parent and partition of `ALTER TABLE … DETACH PARTITION … CONCURRENTLY`, as the statement names them.
pub(crate) fn detached(normalised: &str) -> Option<(&str, &str)> {
    let words: Vec<&str> = normalised.split(' ').collect();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|found| found.eq_ignore_ascii_case(word));
    let mut at = 2;
    if !is(0, "ALTER") || !is(1, "TABLE") {
        return None;
    }
    if is(at, "IF") && is(at + 1, "EXISTS") {
        at += 2;
    }
    // A quoted name with a space in it falls apart here, matches nothing, and is left to a person.
    let matches =
        is(at + 1, "DETACH") && is(at + 2, "PARTITION") && is(at + 4, "CONCURRENTLY") && words.len() == at + 5;
    matches.then(|| (words[at], words[at + 3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: [Seen; 4] = [Seen::Absent, Seen::Valid, Seen::Invalid, Seen::Foreign];

    #[test]
    fn only_an_index_that_this_step_was_building_is_dropped() {
        for action in [IndexAction::Create, IndexAction::Drop, IndexAction::Reindex, IndexAction::ReindexTable] {
            for begun in [false, true] {
                for seen in SEEN {
                    let drops = index(action, begun, seen) == Next::DropAndRun;
                    assert_eq!(drops, action == IndexAction::Create && begun && seen == Seen::Invalid);
                }
            }
        }
    }

    #[test]
    fn an_unfinished_build_is_finished_or_found_done() {
        let begun = |seen| index(IndexAction::Create, true, seen);
        assert_eq!(begun(Seen::Absent), Next::Run);
        assert_eq!(begun(Seen::Valid), Next::Done);
        assert!(matches!(begun(Seen::Foreign), Next::Refuse(_)));
        assert!(matches!(index(IndexAction::Create, false, Seen::Invalid), Next::Refuse(_)));
        assert_eq!(index(IndexAction::Create, false, Seen::Valid), Next::Run);
    }

    #[test]
    fn an_unfinished_drop_is_finished() {
        for seen in SEEN {
            let expected = if seen == Seen::Absent { Next::Done } else { Next::Run };
            assert_eq!(index(IndexAction::Drop, true, seen), expected);
            assert_eq!(index(IndexAction::Drop, false, seen), Next::Run);
        }
    }

    #[test]
    fn what_is_not_known_to_repeat_is_left_to_a_person() {
        for sql in ["VACUUM orders", "analyze", "ALTER SYSTEM SET work_mem = '64MB'", "CREATE DATABASE IF NOT EXISTS x"]
        {
            assert_eq!(other(sql), Next::Run, "{sql}");
        }
        for sql in ["CREATE DATABASE x", "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p"] {
            assert!(matches!(other(sql), Next::Refuse(_)), "{sql}");
        }
    }

    #[test]
    fn a_detach_is_finalized() {
        assert_eq!(detach(true, Some(true)), DetachNext::Finalize);
        assert_eq!(detach(true, Some(false)), DetachNext::Run);
        assert_eq!(detach(true, None), DetachNext::Done);
        assert_eq!(detach(false, None), DetachNext::Run);
        assert_eq!(detached("ALTER TABLE IF EXISTS a.p DETACH PARTITION c CONCURRENTLY"), Some(("a.p", "c")));
        assert_eq!(detached("ALTER TABLE p DETACH PARTITION c"), None);
        assert_eq!(detached("ALTER TABLE \"a b\" DETACH PARTITION c CONCURRENTLY"), None);
    }
}

//! No input makes the analysis panic or hang: the corpus' statements cut, with tokens doubled, dropped and swapped,
//! nested deeply, a megabyte long, and bytes that are no SQL at all.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use migrate_core::sql::analyze;
use migrate_tests::corpus;
use std::time::{Duration, Instant};

/// A small generator of our own (xorshift), so that every run asks the same.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or(0)
    }
}

fn mutated(sql: &str, random: &mut Random) -> String {
    let mut words: Vec<&str> = sql.split_inclusive([' ', ',', '(', ')', ';']).collect();
    match random.below(6) {
        0 => {
            let mut end = random.below(sql.len());
            while !sql.is_char_boundary(end) {
                end -= 1;
            }
            return sql[..end].to_owned();
        }
        1 => {
            let at = random.below(words.len());
            words.insert(at, words[at]);
        }
        2 => {
            words.remove(random.below(words.len()));
        }
        3 => {
            let (one, other) = (random.below(words.len()), random.below(words.len()));
            words.swap(one, other);
        }
        4 => {
            const EXTRA: [&str; 10] = ["'", "\"", "$$", "(", "/*", "--", "\u{0}", "é", " CASCADE ", "::"];
            words.insert(random.below(words.len()), EXTRA[random.below(EXTRA.len())]);
        }
        _ => words.reverse(),
    }
    words.concat()
}

#[test]
fn mutated_statements_are_answered() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let cases = corpus();
    for round in 0..2 {
        for case in &cases {
            let pg = 14 + u16::try_from(random.below(5)).unwrap_or(0);
            let sql = mutated(&case.sql, &mut random);
            // The answer may be an error; that there is one is what is tested.
            drop(analyze(&case.setup, &sql, pg));
            if round == 0 {
                drop(analyze("", &sql, pg));
                drop(analyze(&mutated(&case.setup, &mut random), &case.sql, pg));
            }
        }
    }
}

/// A statement of each kind that the parser's grammar has; a test of the core proves that none is missing.
const KINDS: &str = include_str!("../../migrate-core/src/sql/parse/tests/kinds.txt");

#[test]
fn every_kind_of_statement_is_answered() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let setup = corpus().into_iter().map(|case| case.setup).max_by_key(String::len).expect("there are cases");
    let kinds: Vec<&str> = KINDS.lines().map(|line| line.splitn(3, '|').nth(2).expect("a sample")).collect();
    assert!(kinds.len() > 150, "{} kinds", kinds.len());
    for sql in kinds {
        for pg in 14..=18 {
            drop(analyze("", sql, pg));
        }
        drop(analyze(&setup, sql, 18));
        drop(analyze(sql, "SELECT 1", 18));
        drop(analyze("", &format!("DO $x$ BEGIN {sql}; END $x$"), 18));
        for _ in 0..12 {
            let mutated = mutated(sql, &mut random);
            drop(analyze("", &mutated, 14 + u16::try_from(random.below(5)).unwrap_or(0)));
        }
        drop(analyze(&setup, &mutated(sql, &mut random), 18));
    }
}

#[test]
fn deep_and_long_input_is_answered() {
    let deep = 5_000;
    let inputs = [
        format!("SELECT {}1{}", "(".repeat(deep), ")".repeat(deep)),
        format!("SELECT {}", "NOT ".repeat(deep)),
        format!("ALTER TABLE t ADD CHECK ({}a{})", "(".repeat(deep), ")".repeat(deep)),
        format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(deep), ") x".repeat(deep)),
        format!("SELECT '{}'", "x".repeat(1 << 20)),
        format!("SELECT 1 -- {}", "x".repeat(1 << 20)),
        format!("INSERT INTO t VALUES {}(1)", "(1),".repeat(100_000)),
        "(".repeat(100_000),
        "SELECT ".repeat(50_000),
        format!("SELECT {}1{}", "f(".repeat(deep), ")".repeat(deep)),
        format!("SELECT {}1{}", "CASE WHEN a THEN ".repeat(deep), " END".repeat(deep)),
        format!("SELECT {}1{}", "ARRAY[".repeat(deep), "]".repeat(deep)),
        format!("DO $$ {}NULL; {} $$", "BEGIN ".repeat(deep), "END; ".repeat(deep)),
        format!("DO $$ BEGIN {}NULL; {} END $$", "IF a THEN ".repeat(deep), "END IF; ".repeat(deep)),
        format!("CREATE VIEW v AS {}SELECT 1{}", "(SELECT * FROM ".repeat(deep), ") x".repeat(deep)),
        format!("CREATE POLICY p ON t USING ({}a{})", "(a OR ".repeat(deep), ")".repeat(deep)),
        format!("ALTER TABLE t ADD CHECK (a IN (1{}))", ", 1".repeat(1 << 18)),
        format!("COMMENT ON TABLE t IS '{}'", "''".repeat(1 << 19)),
        format!(
            "CREATE TABLE l (a int{})",
            (0..8_000).map(|at| format!(", column_{at:06} text NOT NULL DEFAULT 'x'")).collect::<String>()
        ),
        "\u{0}\u{feff}\u{202e}".to_owned(),
    ];
    for input in &inputs {
        let shown: String = input.chars().take(30).collect();
        // What overflows a stack ends the process: the last one named is it.
        println!("{shown}…");
        let started = Instant::now();
        drop(analyze("CREATE TABLE t (a int)", input, 16));
        let took = started.elapsed();
        assert!(took < Duration::from_mins(1), "{shown}… took {took:?}");
    }
}

//! Room for the parser: for source that nests deeply a thread with a stack as large as it may need; and its panics as
//! errors.

use super::super::source::SyntaxError;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Source that is longer than this is refused: the parser's offsets are 32 bits wide, and no migration is this long.
const MAX_BYTES: usize = 64 << 20;
/// Brackets that may enclose one place.
const MAX_BRACKETS: usize = 2_000;
/// Words that may stand between two commas or semicolons, over all brackets around a place: the tree's depth at most.
const MAX_RUN: usize = 200_000;

/// What is surely left of any thread's stack (threads of Rust's have 2 MiB, main threads 8 MiB): source that needs no more is
/// parsed where it is asked for, since a thread costs more than most statements do.
const IN_PLACE: usize = 512 << 10;
const MIN_STACK: usize = 16 << 20;
const PER_BRACKET: usize = 128 << 10;
const PER_WORD: usize = 4 << 10;

/// Runs the parser with a stack as large as the source may need, and turns its panics into errors.
pub(super) fn on_large<T: Send>(
    sql: &str,
    work: impl FnOnce() -> Result<T, SyntaxError> + Send,
) -> Result<T, SyntaxError> {
    let whole = |message: String| SyntaxError { message, offset: 0, len: 0 };
    if sql.len() > MAX_BYTES {
        return Err(whole(format!("{} bytes of SQL are more than the {MAX_BYTES} that are read", sql.len())));
    }
    let nesting = nesting(sql);
    if nesting.brackets > MAX_BRACKETS || nesting.run > MAX_RUN {
        return Err(SyntaxError { message: "nested too deep to be read".to_owned(), offset: nesting.at, len: 0 });
    }
    let failed = || whole("the parser failed on this SQL (a fault of the parser, not of the SQL)".to_owned());
    let needed = nesting.brackets * PER_BRACKET + nesting.run * PER_WORD;
    if needed <= IN_PLACE {
        // Nothing that the parser could leave half-done is seen afterwards.
        return catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(failed()));
    }
    let stack = MIN_STACK + needed;
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("sql-parser".to_owned()).stack_size(stack).spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(failed()),
            Err(error) => Err(whole(format!("no thread to parse SQL on: {error}"))),
        }
    })
}

/// Words that a block of PL/pgSQL counts as, which nests by one word.
const BLOCK: usize = 8;

fn opens_block(rest: &[u8]) -> bool {
    ["begin", "loop"]
        .iter()
        .any(|word| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes())))
}

#[derive(Debug, Default)]
struct Nesting {
    /// Most brackets around a place.
    brackets: usize,
    /// Most words since the last comma or semicolon, over all open brackets.
    run: usize,
    /// Where the limit was crossed, or the deepest place.
    at: usize,
}

/// How deep the source may nest, seen from its bytes alone: strings and comments count like words, which is only more.
fn nesting(sql: &str) -> Nesting {
    let mut most = Nesting::default();
    let mut open: Vec<usize> = Vec::new();
    let (mut total, mut run) = (0_usize, 0_usize);
    let mut in_word = false;
    for (at, byte) in sql.bytes().enumerate() {
        let word = byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        let starts = word && !in_word;
        in_word = word;
        match byte {
            b'(' | b'[' => {
                open.push(run);
                total += run + 1;
                run = 0;
            }
            b')' | b']' => {
                if let Some(before) = open.pop() {
                    total -= before + 1;
                    run = before + 1;
                }
            }
            b',' | b';' => run = 0,
            _ if starts && opens_block(&sql.as_bytes()[at..]) => run += BLOCK,
            _ if starts || (!word && !byte.is_ascii_whitespace()) => run += 1,
            _ => {}
        }
        if open.len() > most.brackets || total + run > most.run {
            most.at = if most.brackets > MAX_BRACKETS || most.run > MAX_RUN { most.at } else { at };
            most.brackets = most.brackets.max(open.len());
            most.run = most.run.max(total + run);
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::{BLOCK, IN_PLACE, PER_BRACKET, PER_WORD, nesting};

    #[test]
    fn counts_brackets_and_words() {
        let found = nesting("SELECT ((1)), a + b + c");
        assert_eq!((found.brackets, found.run), (2, 5));
    }

    /// Half of what a thread has by default is enough for what is parsed in place, whatever it nests.
    #[test]
    fn what_is_parsed_in_place_needs_little_stack() {
        let deepest = (IN_PLACE - 12 * PER_WORD) / (PER_BRACKET + PER_WORD);
        let longest = IN_PLACE / PER_WORD;
        let texts = [
            format!("SELECT {}1{}", "(".repeat(deepest), ")".repeat(deepest)),
            format!("SELECT {}1{}", "f(".repeat(deepest), ")".repeat(deepest)),
            format!("SELECT * FROM {}t{}", "(SELECT a FROM ".repeat(deepest - 1), ") x".repeat(deepest - 1)),
            format!("SELECT {} true", "NOT ".repeat(longest - 3)),
            format!("SELECT 1{}", " + 1".repeat(longest / 2 - 3)),
            format!("SELECT {}1{}", "CASE WHEN a THEN b ELSE ".repeat(longest / 7), " END".repeat(longest / 7)),
            format!(
                "DO $$ BEGIN {} END $$",
                "IF a THEN ".repeat(longest / 3 - 6) + "NULL;" + &"END IF;".repeat(longest / 3 - 6)
            ),
            format!("DO $$ {}NULL; {} $$", "BEGIN ".repeat(longest / BLOCK - 2), "END; ".repeat(longest / BLOCK - 2)),
        ];
        for text in texts {
            let needed = nesting(&text);
            assert!(needed.brackets * PER_BRACKET + needed.run * PER_WORD <= IN_PLACE, "{text}: {needed:?}");
            let shown = text.clone();
            let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || parse(&text).map(|_| ()));
            let parsed = thread.unwrap().join().unwrap();
            assert!(parsed.is_ok(), "{shown}: {parsed:?}");
        }
    }

    #[test]
    fn deep_brackets_neither_overflow_nor_pass_the_limit() {
        let deep = |depth: usize| format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&deep(1_500)).is_ok());
        let error = parse(&deep(50_000)).expect_err("too deep");
        assert_eq!(error.message, "nested too deep to be read");
        assert!(error.offset > 1_000);
    }

    #[test]
    fn long_chains_do_not_overflow() {
        let chain = format!("SELECT 1{}", " + 1".repeat(5_000));
        assert!(parse(&chain).is_ok());
        let not = format!("SELECT {} true", "NOT ".repeat(3_000));
        assert!(parse(&not).is_ok());
        assert!(parse(&format!("SELECT 1{}", " + 1".repeat(300_000))).is_err());
    }

    #[test]
    fn a_megabyte_in_linear_time() {
        let rows = "(1, 'text', now()), ".repeat(55_000);
        let sql = format!("INSERT INTO t (a, b, c) VALUES {rows}(1, 'x', now())");
        assert!(sql.len() > 1_000_000);
        let started = std::time::Instant::now();
        assert!(parse(&sql).is_ok());
        let many = "CREATE TABLE t (id int);\n".repeat(5_000);
        assert_eq!(parse(&many).map(|statements| statements.len()), Ok(5_000));
        assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
    }
}

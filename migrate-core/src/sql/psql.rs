//! What `pg_dump` writes for `psql` and no server understands: commands that begin with a backslash, and the rows of COPY.
//! What it always writes is taken out, so that its file can be read as it is; anything else says what to do instead.

use super::digest::tokens::{Cursor, Token};
use super::source::SyntaxError;
use std::borrow::Cow;
use std::ops::Range;

/// The script with blanks in the place of what is for `psql`, so that every other byte stays where it was.
///
/// # Errors
///
/// A command of `psql` that does something, and rows.
pub(super) fn taken_out(sql: &str) -> Result<Cow<'_, str>, SyntaxError> {
    let mut cut: Vec<Range<usize>> = Vec::new();
    let mut cursor = Cursor::new(sql);
    // The tokens of the statement so far, of which only the first few and the latest matter.
    let (mut start, mut first, mut latest) = (0, Vec::new(), None);
    while let Some((token, at)) = cursor.next_placed() {
        if token == Token::Punctuation('\\') {
            let line = cursor.skip_line();
            if !written_by_pg_dump(&sql[at..line]) {
                return Err(command(&sql[at..line], at));
            }
            cut.push(at..line);
            continue;
        }
        if first.is_empty() {
            start = at;
        }
        if token == Token::Punctuation(';') {
            if is_transaction_timeout(&first) {
                cut.push(start..at + 1);
            }
            first.clear();
            latest = None;
            continue;
        }
        let word = |word: &str| Token::Word(word.to_owned());
        if first.first() == Some(&word("copy")) && latest == Some(word("from")) && token == word("stdin") {
            return Err(SyntaxError { message: ROWS.to_owned(), offset: start, len: cursor.at() - start });
        }
        if first.len() < 5 {
            first.push(token.clone());
        }
        latest = Some(token);
    }
    if cut.is_empty() {
        return Ok(Cow::Borrowed(sql));
    }
    let mut out = String::with_capacity(sql.len());
    let mut from = 0;
    for range in cut {
        out.push_str(&sql[from..range.start]);
        out.push_str(&" ".repeat(range.len()));
        from = range.end;
    }
    out.push_str(&sql[from..]);
    Ok(Cow::Owned(out))
}

/// `\restrict KEY` and `\unrestrict KEY`, around every plain dump since August 2025 (`RestrictArchive` in
/// `pg_backup_archiver.c`). The key is another one in each dump.
fn written_by_pg_dump(line: &str) -> bool {
    let mut words = line.split_whitespace();
    matches!(words.next(), Some("\\restrict" | "\\unrestrict")) && words.nth(1).is_none()
}

/// `SET transaction_timeout = 0`: `pg_dump` of 17 writes it whatever the server, and a server before 17 refuses it. The
/// session is the runner's, which has its own timeouts.
fn is_transaction_timeout(statement: &[Token]) -> bool {
    let word = |word: &str| Token::Word(word.to_owned());
    statement
        == [word("set"), word("transaction_timeout"), Token::Operator("=".to_owned()), Token::Number("0".to_owned())]
}

const ROWS: &str = "COPY … FROM stdin has rows behind it, which psql sends and which are no SQL: a baseline is dumped with \
                    `pg_dump --schema-only`, and a step has INSERT";

/// The COPY whose rows are in the script, where there is one.
pub(super) fn rows(sql: &str) -> Option<SyntaxError> {
    taken_out(sql).err().filter(|error| error.message == ROWS)
}

/// The command of `psql` that stands here, where one does: at the start of a line, behind a backslash.
pub(super) fn command_at(sql: &str, offset: usize) -> Option<SyntaxError> {
    let line = sql.get(offset..)?.lines().next()?;
    let starts = sql[..offset].rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
    (starts && line.starts_with('\\')).then(|| command(line, offset))
}

fn command(line: &str, offset: usize) -> SyntaxError {
    let name = line.split_whitespace().next().unwrap_or(line);
    let advice = match name {
        "\\connect" | "\\c" => {
            "the runner is connected already: leave the line out (of a dump, write it without `--create`)"
        }
        "\\i" | "\\ir" | "\\include" | "\\include_relative" => "put the text of the file that it names in its place",
        "\\." => "it ends rows, and a baseline is a schema: dump it with `pg_dump --schema-only`",
        "\\restrict" | "\\unrestrict" => "`pg_dump` writes it with one word behind it, on a line of its own",
        _ => "leave it out",
    };
    SyntaxError {
        message: format!("`{name}` is a command of psql, which no server understands: {advice}"),
        offset,
        len: name.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pg_dump_writes_is_blank() {
        let sql = "\\restrict aB9\nSET transaction_timeout = 0;\nSET lock_timeout = 0;\n\n\\unrestrict aB9\n";
        let out = taken_out(sql).unwrap();
        assert_eq!(out.len(), sql.len());
        let lines: Vec<&str> = out.lines().map(str::trim).collect();
        assert_eq!(lines, ["", "", "SET lock_timeout = 0;", "", ""]);
        assert!(matches!(taken_out("CREATE TABLE t (id int);"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn what_is_quoted_is_no_command() {
        for sql in [
            "SELECT '\n\\restrict x\n';",
            "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$\n\\restrict x\n\\connect y\n$$;",
            "/*\n\\connect x\n*/ -- \\connect",
            "COMMENT ON TABLE t IS E'copy\\n\\\\connect from stdin';",
            "SELECT \"\n\\connect\";",
        ] {
            assert!(matches!(taken_out(sql), Ok(Cow::Borrowed(_))), "{sql}");
        }
    }

    #[test]
    fn what_does_something_is_refused() {
        let refused = |sql: &str| {
            let error = taken_out(sql).unwrap_err();
            (error.message, sql[error.offset..error.offset + error.len].to_owned())
        };
        let (message, place) = refused("CREATE SCHEMA a;\n\\connect other\n");
        assert!(message.contains("without `--create`"), "{message}");
        assert_eq!(place, "\\connect");
        let (message, place) = refused("COPY public.\"a from\" (id, v) FROM stdin;\n1\tx\n\\.\n");
        assert!(message.contains("--schema-only"), "{message}");
        assert_eq!(place, "COPY public.\"a from\" (id, v) FROM stdin");
        assert!(refused("SELECT 1 \\gexec").0.contains("`\\gexec` is a command of psql"));
        assert!(refused("\\restrict x \\! rm -r").0.contains("one word behind it"));
        assert!(taken_out("COPY t FROM '/tmp/rows'").is_ok());
    }
}

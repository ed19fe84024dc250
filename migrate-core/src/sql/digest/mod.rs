//! The digest that an approval signs and the ledger keeps.
//!
//! `v1:` and the first 16 hexadecimal digits of a SHA-256 over a *token form* of the migration. The form is this text, in
//! UTF-8, one line an item:
//!
//! ```text
//! migrate digest v1
//! up
//! w5:alter          each token: a letter for its kind, its length in bytes, a colon, its text
//! w5:table
//! …
//! down              followed by the tokens, once a statement; or one of the lines
//! derived
//! keep
//! nothing
//! missing
//! ```
//!
//! and for a backfill the lines `backfill`, `table`, `key`, `set` and `filter`, each but the first followed by its tokens,
//! and its down; in place of `set`, where rows are converted in Rust, a line `read` and a line `write` for each column. The
//! Rust is not part of it. Kinds of token are `w` word (folded), `q` quoted identifier, `s` string, `n` number, `$` parameter, `o`
//! operator, `p` punctuation, `u` `U&"…"`, and `E` `B` `X` `N` `U` for prefixed strings.
//!
//! Whitespace, comments, line ends, the case of words and a trailing semicolon do not count; neither do version, name,
//! batch size, reasons or bound values. A token of any kind that the server sees does.

pub(super) mod tokens;

pub(in crate::sql) use tokens::find_words;

use super::check::{DownDeclaration, Fill, StepDeclaration};
use sha2::{Digest as _, Sha256};

/// The digest of these steps: `v1:9f31c2ab5d04e877`.
///
/// ```
/// # use migrate_core::sql::{check::{StepDeclaration, SqlText}, digest};
/// let step = |sql: &str| StepDeclaration::Statement {
///     up: SqlText { text: sql.to_owned(), file: None },
///     down: None,
///     assume: None,
/// };
/// assert_eq!(digest(&[step("DROP TABLE t")]), digest(&[step("drop  table t; -- gone")]));
/// ```
pub fn digest(steps: &[StepDeclaration]) -> String {
    let mut form = String::from("migrate digest v1\n");
    for step in steps {
        match step {
            StepDeclaration::Statement { up, down, assume: _ } => {
                section(&mut form, "up", &up.text);
                write_down(&mut form, down.as_ref());
            }
            StepDeclaration::Sync { up, down, install: _ } => {
                section(&mut form, "up", &up.text);
                write_down(&mut form, Some(down));
            }
            StepDeclaration::Backfill { table, key, batch: _, fill, filter, down } => {
                form.push_str("backfill\n");
                section(&mut form, "table", table);
                for column in key {
                    section(&mut form, "key", column);
                }
                match fill {
                    Fill::Set(set) => section(&mut form, "set", set),
                    Fill::Rows { read, write } => {
                        for (name, columns) in [("read", read), ("write", write)] {
                            for column in columns {
                                section(&mut form, name, column);
                            }
                        }
                    }
                }
                section(&mut form, "filter", filter.as_deref().unwrap_or_default());
                write_down(&mut form, down.as_ref());
            }
        }
    }
    hash(&form)
}

/// The digest of a script, a baseline.
pub fn digest_of_script(sql: &str) -> String {
    let mut form = String::from("migrate digest v1\n");
    section(&mut form, "script", sql);
    hash(&form)
}

/// The positional parameters of the SQL, as often as they stand there; `None` for one that is no positive number.
pub(super) fn numbers(sql: &str) -> Vec<Option<u32>> {
    if !sql.contains('$') {
        return Vec::new();
    }
    let number = |token: tokens::Token| match token {
        tokens::Token::Parameter(digits) => Some(digits.parse().ok().filter(|number| *number > 0)),
        _ => None,
    };
    tokens::tokens(sql).into_iter().filter_map(number).collect()
}

fn write_down(form: &mut String, down: Option<&DownDeclaration>) {
    match down {
        None => form.push_str("missing\n"),
        Some(DownDeclaration::Derived) => form.push_str("derived\n"),
        Some(DownDeclaration::Keep(_)) => form.push_str("keep\n"),
        Some(DownDeclaration::Nothing(_)) => form.push_str("nothing\n"),
        Some(DownDeclaration::Sql(statements)) => {
            for statement in statements {
                section(form, "down", &statement.text);
            }
        }
    }
}

fn section(form: &mut String, name: &str, sql: &str) {
    form.push_str(name);
    form.push('\n');
    for token in tokens::tokens(sql) {
        token.write(form);
    }
}

fn hash(form: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::from("v1:");
    for byte in &Sha256::digest(form.as_bytes())[..8] {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::check::SqlText;

    fn sql(text: &str) -> SqlText {
        SqlText { text: text.to_owned(), file: None }
    }

    fn statement(up: &str, down: DownDeclaration) -> StepDeclaration {
        StepDeclaration::Statement { up: sql(up), down: Some(down), assume: None }
    }

    /// These never change: an approval or a ledger of any earlier release holds them.
    #[test]
    fn golden() {
        let drop = statement(
            "ALTER TABLE users DROP COLUMN full_name",
            DownDeclaration::Sql(vec![sql("ALTER TABLE users ADD COLUMN full_name text")]),
        );
        let derived =
            statement("CREATE TABLE \"Été\" (id int DEFAULT 1.5e3, t text DEFAULT E'\\n')", DownDeclaration::Derived);
        let backfill = StepDeclaration::Backfill {
            table: "orders".into(),
            key: vec!["id".into()],
            batch: 10,
            fill: Fill::Set("status = $1".into()),
            filter: Some("status IS NULL".into()),
            down: Some(DownDeclaration::Keep("goes".into())),
        };
        let rows = StepDeclaration::Backfill {
            table: "users".into(),
            key: vec!["id".into()],
            batch: 10,
            fill: Fill::Rows {
                read: vec!["full_name".into()],
                write: vec!["first_name".into(), "\"Last Name\"".into()],
            },
            filter: Some("first_name IS NULL".into()),
            down: Some(DownDeclaration::Keep("goes".into())),
        };
        assert_eq!(
            [
                digest(std::slice::from_ref(&drop)),
                digest(&[derived]),
                digest(&[drop, backfill]),
                digest(&[rows]),
                digest(&[]),
                digest_of_script("SELECT 1")
            ],
            [
                "v1:0b1bc8d344eae613",
                "v1:73af527a0861397c",
                "v1:0cc399455b36d3f0",
                "v1:18415c778d922983",
                "v1:7cb2cd4d2f1f05f3",
                "v1:b3c5b970fb4ba2f1",
            ]
        );
    }
}

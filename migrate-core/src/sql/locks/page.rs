//! `docs/lock-table.md`, printed from the lock table.

use super::table::{Row, TABLE};
use crate::model::LockClass;
use std::fmt::Write as _;

/// The lock table as a page of Markdown: what `docs/lock-table.md` holds.
pub fn lock_table_markdown() -> String {
    let mut page = String::from(
        "# The lock table\n\n\
         Printed from `migrate-core/src/sql/locks/table.rs`, from which the analysis decides; a test keeps this page \
         equal to it.\n\n\
         *Lock* is the lock on the relation that the statement names, by PostgreSQL's own names; *others* the locks on \
         relations that it reaches; *work* what is done while they are held. Only relations that existed before the \
         migration count. `alone` refuses a transaction block. Where no version is named, the row is true for \
         PostgreSQL 14 to 18.\n\n\
         *Loses* is data that the database cannot give back. The facts keep two of it apart: `destructive` is a table, \
         a column or rows gone; `losses` lists those, and also a sequence's lost position and values that a type change \
         cuts.\n",
    );
    for (heading, row) in TABLE {
        if !heading.is_empty() {
            let _ = write!(
                page,
                "\n## {}\n\n| statement | lock | others | work | remarks |\n|---|---|---|---|---|\n",
                heading.trim()
            );
        }
        write_row(&mut page, row);
    }
    page
}

fn write_row(page: &mut String, row: &Row) {
    let mut statement = row.statement.replace('|', "\\|");
    if row.since > 14 || row.until < 18 {
        let _ = match (row.since, row.until) {
            (since, 18) => write!(statement, " (from {since})"),
            (14, until) => write!(statement, " (to {until})"),
            (since, until) => write!(statement, " ({since} to {until})"),
        };
    }
    let lock = |lock: LockClass| if lock == LockClass::None { "none".to_owned() } else { format!("`{lock}`") };
    let others: Vec<String> = row.others.iter().map(|(class, on)| format!("{}: {on}", lock(*class))).collect();
    let mut work = format!("`{}`", row.work);
    for (other, when) in row.unless {
        let _ = write!(work, "; `{other}`: {when}");
    }
    let mut remarks: Vec<String> = Vec::new();
    if !row.transaction {
        remarks.push("alone.".to_owned());
    }
    if !row.loses.is_empty() {
        remarks.push(format!("Loses {}.", row.loses));
    }
    if !row.note.is_empty() {
        remarks.push(row.note.to_owned());
    }
    if !row.source.is_empty() {
        remarks.push(format!("*{}*", row.source));
    }
    let _ = writeln!(
        page,
        "| {statement} `{}` | {} | {} | {work} | {} |",
        row.rule,
        lock(row.lock),
        others.join("; "),
        remarks.join(" ")
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_page_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lock-table.md");
        if std::env::var_os("MIGRATE_BLESS").is_some() {
            std::fs::write(path, lock_table_markdown()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == lock_table_markdown(),
            "docs/lock-table.md is not what the lock table says; write it again with MIGRATE_BLESS=1 cargo test -p migrate-core --features sql"
        );
    }

    #[test]
    fn rows_are_consistent() {
        let mut seen = BTreeSet::new();
        for (_, row) in TABLE {
            assert!(row.since <= row.until && row.since >= 14 && row.until <= 18, "{}", row.rule);
            for pg in row.since..=row.until {
                assert!(seen.insert((row.rule, pg)), "{} is said twice for {pg}", row.rule);
            }
            assert!(!row.source.is_empty(), "{} names no source", row.rule);
            assert!(
                row.unless.iter().all(|(work, _)| *work != row.work || row.work == crate::model::Work::Rewrite),
                "{}",
                row.rule
            );
        }
    }
}

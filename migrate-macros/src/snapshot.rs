//! The expansions shown in `docs/expansion.md` are those that the macros make.
//!
//! After a change on purpose, `UPDATE_EXPANSION=1 cargo test -p migrate-macros` writes the page again.

use crate::{expand, files::Files, history};
use proc_macro2::TokenStream;
use std::{env, fs, path::Path};

const MIGRATION: &str = r#"/// Orders get a status.
#[derive(Migration)]
#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]
#[step(up = "ALTER TABLE orders ADD COLUMN status text", down = "ALTER TABLE orders DROP COLUMN status")]
pub struct AddOrderStatus;
"#;

const BACKFILL: &str = r#"#[derive(Migration)]
#[migration(version = 2026_03_01_0910, phase = Migrate, lock = RowExclusive, transactional = false)]
#[backfill(table = "orders", key = "id", set = "status = $1", filter = "status IS NULL", down = keep("goes with the column"))]
pub struct FillOrderStatus {
    #[bind("text")]
    pub status: &'static str,
}
"#;

const REFUSED: &str = r"#[derive(Migration)]
struct AddOrderNote;
";

const HISTORY: &str = r#"migrations! {
    pub fn history() = [AddOrderStatus, FillOrderStatus { status: "pending" }]
}
"#;

fn formatted(tokens: TokenStream) -> String {
    let file = syn::parse2(tokens).expect("the expansion is Rust");
    prettyplease::unparse(&file)
}

fn derived(source: &str) -> String {
    let input = syn::parse_str(source).expect("a struct");
    formatted(expand::derive(&input, &Files::new(None, None)))
}

fn page() -> String {
    let listed = history::migrations(
        HISTORY.trim().trim_start_matches("migrations! {").trim_end_matches('}').parse().expect("tokens"),
        &Files::new(None, None),
    );
    let mut page =
        "# What the macros write\n\nThis page is written by a test of `migrate-macros`, and cannot go stale.\n"
            .to_owned();
    for (title, text, source, expansion) in [
        (
            "A migration",
            "What the check found out is in constants: a list of numbers, which the history check goes by, and two strings with everything else, which cost the compiler nothing until somebody asks; a program that only runs migrations links no SQL parser, and `Meta::steps` shows what they say.",
            MIGRATION,
            derived(MIGRATION),
        ),
        ("A backfill with a parameter", "Fields are bound where the migration runs.", BACKFILL, derived(BACKFILL)),
        (
            "A struct that is refused",
            "It implements the trait all the same, so that its own errors are the only ones.",
            REFUSED,
            derived(REFUSED),
        ),
        (
            "A history",
            "The check of the whole history is `const` code; each entry's verdict stands at the entry's own place.",
            HISTORY,
            formatted(listed),
        ),
    ] {
        page.extend([format!(
            "\n## {title}\n\n{text}\n\n```rust,ignore\n{source}```\n\nbecomes\n\n```rust,ignore\n{expansion}```\n"
        )]);
    }
    page
}

#[test]
fn the_page_shows_what_the_macros_write() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/expansion.md");
    let page = page();
    if env::var_os("UPDATE_EXPANSION").is_some() {
        fs::write(&path, &page).expect("docs/expansion.md can be written");
    }
    let written = fs::read_to_string(&path).expect("docs/expansion.md is there");
    assert!(
        written == page,
        "docs/expansion.md is not what the macros write; if that is on purpose: UPDATE_EXPANSION=1 cargo test -p migrate-macros"
    );
}

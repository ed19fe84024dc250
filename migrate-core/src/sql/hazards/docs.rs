//! The documentation of every hazard, from the same words as its messages.

use super::{Severity, all};
use std::fmt::Write;

const HEAD: &str = "# Hazards

What hurts in production, by name. A migration that raises one that is refused does not compile, unless it allows it by that name, with
underscores, and a reason:

```rust
#[migration(version = 2026_03_01_0900, phase = Expand, lock = Share, allow(index_not_concurrent, reason = \"the table has ten rows\"))]
```

Relations and columns that came with the same migration or deploy have no clients, and raise nothing. Advice is off unless asked for.

This page is generated from the hazards themselves (`migrate-core/src/sql/hazards/`).

| name | what | |
|---|---|---|
";

/// `docs/hazards.md`.
pub fn docs() -> String {
    let mut out = HEAD.to_owned();
    for hazard in all() {
        let _ = writeln!(
            out,
            "| [`{0}`](#{0}) | {1} | {2} |",
            hazard.name,
            escaped(hazard.title),
            in_words(hazard.severity)
        );
    }
    for hazard in all() {
        let _ = write!(
            out,
            "\n## {}\n\n{}. {}\n\n- **Why:** {}\n- **Lock:** {}.\n- **Instead:** {}\n",
            hazard.name,
            hazard.title,
            match hazard.severity {
                Severity::Blocking => "Refused, unless allowed by name with a reason.",
                Severity::Advice => "Advice.",
            },
            hazard.why,
            hazard.lock,
            hazard.safe,
        );
    }
    out
}

fn in_words(severity: Severity) -> &'static str {
    match severity {
        Severity::Blocking => "refused",
        Severity::Advice => "advice",
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::docs;

    /// `MIGRATE_BLESS=1 cargo test` writes it.
    #[test]
    fn the_page_is_as_generated() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hazards.md");
        if std::env::var_os("MIGRATE_BLESS").is_some() {
            std::fs::write(page, docs()).unwrap();
        }
        let written = std::fs::read_to_string(page).unwrap_or_default();
        assert!(
            written == docs(),
            "docs/hazards.md is out of date: MIGRATE_BLESS=1 cargo test -p migrate-core --features sql hazards"
        );
    }
}

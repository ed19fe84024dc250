//! Which keywords SQL must quote when they are names.

/// Whether `identifier` is a keyword that `quote_identifier` (`ruleutils.c`) quotes: every one but the unreserved.
pub(super) fn needs_quotes(identifier: &str) -> bool {
    matches!(
        identifier,
        "all" | "and" | "any" | "as" | "asc" | "both" | "case" | "cast" | "check" | "column" | "table" | "user"
    )
}

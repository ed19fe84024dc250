//! The name of an effect's object, out of the words for it.

/// The name in `materialized view public."Order Totals"`: what follows the words for the kind of object.
pub(super) fn name_of(object: &str) -> &str {
    const NOUNS: &[&str] = &[
        "materialized view",
        "foreign table",
        "partitioned table",
        "unique index",
        "event trigger",
        "foreign key",
        "primary key",
        "check constraint",
        "unique constraint",
        "enum type",
        "composite type",
        "range type",
        "table",
        "partition",
        "column",
        "index",
        "view",
        "sequence",
        "type",
        "domain",
        "enum",
        "schema",
        "extension",
        "function",
        "procedure",
        "routine",
        "aggregate",
        "constraint",
        "trigger",
        "policy",
        "rule",
        "role",
    ];
    NOUNS.iter().find_map(|noun| object.strip_prefix(noun)?.strip_prefix(' ')).unwrap_or(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_words_for_the_kind() {
        assert_eq!(name_of("materialized view public.\"Order Totals\""), "public.\"Order Totals\"");
        assert_eq!(name_of("column orders.status"), "orders.status");
    }
}

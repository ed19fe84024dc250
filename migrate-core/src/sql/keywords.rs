//! Which keywords SQL must quote when they are names.

/// Whether `identifier` is a keyword that `quote_identifier` (`ruleutils.c`) quotes: every one but the unreserved, of any
/// version from 14 to 18.
pub(super) fn needs_quotes(identifier: &str) -> bool {
    QUOTED.binary_search(&identifier).is_ok()
}

/// `SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T', 'C')`, the union over servers of 14, 15, 16, 17 and 18.
#[rustfmt::skip]
const QUOTED: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between",
    "bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce", "collate",
    "collation", "column", "concurrently", "constraint", "create", "cross", "current_catalog", "current_date",
    "current_role", "current_schema", "current_time", "current_timestamp", "current_user", "dec", "decimal",
    "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "exists", "extract", "false", "fetch",
    "float", "for", "foreign", "freeze", "from", "full", "grant", "greatest", "group", "grouping", "having", "ilike",
    "in", "initially", "inner", "inout", "int", "integer", "intersect", "interval", "into", "is", "isnull", "join",
    "json", "json_array", "json_arrayagg", "json_exists", "json_object", "json_objectagg", "json_query",
    "json_scalar", "json_serialize", "json_table", "json_value", "lateral", "leading", "least", "left", "like",
    "limit", "localtime", "localtimestamp", "merge_action", "national", "natural", "nchar", "none", "normalize",
    "not", "notnull", "null", "nullif", "numeric", "offset", "on", "only", "or", "order", "out", "outer", "overlaps",
    "overlay", "placing", "position", "precision", "primary", "real", "references", "returning", "right", "row",
    "select", "session_user", "setof", "similar", "smallint", "some", "substring", "symmetric", "system_user",
    "table", "tablesample", "then", "time", "timestamp", "to", "trailing", "treat", "trim", "true", "union", "unique",
    "user", "using", "values", "varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes",
    "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot",
    "xmlserialize", "xmltable",
];

/// Whether an unquoted column, table or constraint of this name is a syntax error, on some version from 14 to 18.
pub(super) fn is_reserved(word: &str) -> bool {
    needs_quotes(word) && COLUMNS_TOO.binary_search(&word).is_err()
}

/// Those of them with `catcode` C: they cannot be functions or types, and can be columns.
#[rustfmt::skip]
const COLUMNS_TOO: &[&str] = &[
    "between", "bigint", "bit", "boolean", "char", "character", "coalesce", "dec", "decimal", "exists",
    "extract", "float", "greatest", "grouping", "inout", "int", "integer", "interval", "json", "json_array",
    "json_arrayagg", "json_exists", "json_object", "json_objectagg", "json_query", "json_scalar",
    "json_serialize", "json_table", "json_value", "least", "merge_action", "national", "nchar", "none",
    "normalize", "nullif", "numeric", "out", "overlay", "position", "precision", "real", "row", "setof",
    "smallint", "substring", "time", "timestamp", "treat", "trim", "values", "varchar", "xmlattributes",
    "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot",
    "xmlserialize", "xmltable",
];

#[cfg(test)]
mod tests {
    use super::{COLUMNS_TOO, QUOTED, is_reserved, needs_quotes};

    #[test]
    fn sorted_for_the_search() {
        assert!(QUOTED.is_sorted_by(|a, b| a < b));
        assert!(COLUMNS_TOO.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn categories() {
        for quoted in [
            "select",
            "user",
            "left",
            "authorization",
            "coalesce",
            "between",
            "json_table",
            "merge_action",
            "system_user",
        ] {
            assert!(needs_quotes(quoted), "{quoted}");
        }
        assert!(["user", "order", "left", "limit"].into_iter().all(is_reserved));
        assert!(!["coalesce", "values", "name"].into_iter().any(is_reserved));
        for plain in ["name", "value", "data", "type", "begin", "orders", "storage", ""] {
            assert!(!needs_quotes(plain), "{plain}");
        }
    }
}

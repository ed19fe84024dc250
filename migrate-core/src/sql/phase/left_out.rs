//! What a new column comes to in the rows of clients that do not know it and leave it out, and whether a constraint over
//! new columns refuses those rows.

use super::Judge;
use crate::sql::ast::{ColumnDef, Expr};
use crate::sql::name::Name;
use crate::sql::schema::Type;

/// What a column comes to that an INSERT leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LeftOut {
    Null,
    /// The same literal in every row, in its canonical text.
    Literal(String),
    /// Another value in each row: a sequence, a random identifier.
    Distinct,
    /// What is not known here.
    Other,
}

/// Functions that give another value each time (manual, "Sequence Manipulation Functions", "UUID Functions").
const DISTINCT: &[&str] = &[
    "nextval",
    "gen_random_uuid",
    "uuidv4",
    "uuidv7",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "gen_random_bytes",
];

/// Functions that are not NULL though an argument is (`pg_proc.proisstrict` false), and tell how many are.
const COUNTING: &[&str] = &["num_nulls", "num_nonnulls"];

impl LeftOut {
    fn by_default(default: Option<&Expr>) -> Self {
        match default {
            None => Self::Null,
            Some(default) if default.null => Self::Null,
            Some(default) if default.literal => Self::Literal(default.text.clone()),
            Some(default) if default.functions.iter().any(|called| DISTINCT.contains(&called.name.as_str())) => {
                Self::Distinct
            }
            Some(_) => Self::Other,
        }
    }

    /// Whether two rows without the column never have the same value of it, to a unique index.
    pub(super) fn is_never_the_same(&self, nulls_not_distinct: bool) -> bool {
        match self {
            Self::Null => !nulls_not_distinct,
            Self::Distinct => true,
            Self::Literal(_) | Self::Other => false,
        }
    }
}

impl Judge<'_> {
    pub(super) fn left_out(&self, table: &Name, column: &str) -> LeftOut {
        let Some(table) = self.before.table(&self.before.resolve(table)) else { return LeftOut::Other };
        let Some(column) = table.columns.iter().find(|candidate| candidate.name == column) else {
            return LeftOut::Other;
        };
        if column.identity.known().is_some_and(Option::is_some) {
            return LeftOut::Distinct;
        }
        match (column.default.known(), column.generated.known()) {
            (Some(default), Some(None)) => LeftOut::by_default(default.as_ref()),
            _ => LeftOut::Other,
        }
    }

    pub(super) fn left_out_of_new(&self, column: &ColumnDef) -> LeftOut {
        let serial = column.data_type.as_ref().is_some_and(|data_type| data_type.serial().is_some());
        if serial || column.identity.is_some() {
            return LeftOut::Distinct;
        }
        if column.generated.is_some() {
            return LeftOut::Other;
        }
        match (&column.default, column.data_type.as_ref().and_then(|data_type| self.domain_of(&data_type.name))) {
            (None, Some((default, _))) => LeftOut::by_default(default),
            (default, _) => LeftOut::by_default(default.as_ref()),
        }
    }

    /// The default of a known domain, and whether it refuses NULL.
    pub(super) fn domain_of(&self, name: &Name) -> Option<(Option<&Expr>, bool)> {
        match self.before.find_type(name).and_then(|name| self.before.types.get(&name)) {
            Some(Type::Domain(domain)) => Some((domain.default.as_ref(), domain.not_null)),
            _ => None,
        }
    }
}

/// Whether the CHECK, all of whose columns are new, is known to refuse a row in which `columns` come to this.
pub(super) fn refuses(check: &Expr, columns: &[(&str, LeftOut)]) -> bool {
    let null = |name: &str| columns.iter().any(|(column, value)| *column == name && *value == LeftOut::Null);
    let any_null = columns.iter().any(|(_, value)| *value == LeftOut::Null);
    let counts = check.functions.iter().any(|called| COUNTING.contains(&called.name.as_str()));
    check.proves_not_null.iter().any(|column| null(column))
        || (counts && any_null)
        || columns.iter().any(|(column, value)| match value {
            LeftOut::Literal(value) => !holds_of(&check.text, column, value),
            _ => false,
        })
}

/// Whether the CHECK is NULL, which it accepts, or true in every row in which the column is NULL: operators are strict, and
/// only AND can make FALSE of NULL.
pub(super) fn is_null_with(check: &Expr, column: &str) -> bool {
    const OTHERWISE: [&str; 9] = ["and", "is", "case", "coalesce", "nullif", "greatest", "least", "row", "array"];
    let words = check.text.split(|char: char| !char.is_alphanumeric() && char != '_');
    let strict = check.functions.is_empty()
        && check.subquery.is_none()
        && !words.into_iter().any(|word| OTHERWISE.contains(&word.to_ascii_lowercase().as_str()));
    // Within OR, a part without the column may still be FALSE; with a NULL beside it the whole is NULL.
    strict && check.columns.iter().any(|named| named == column)
}

/// Whether a CHECK of the form `column = literal`, `column > number`, `column in ('a', 'b')`, perhaps several `ANDed`, holds
/// of the literal; true where the form is another.
fn holds_of(check: &str, column: &str, value: &str) -> bool {
    let column = crate::sql::name::quoted(column);
    let bare = |text: &str| {
        let mut text = text.trim();
        while let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).filter(|it| balanced(it))
        {
            text = inner.trim();
        }
        text.to_owned()
    };
    let check = bare(check);
    // AND within quotes or BETWEEN would be cut: such a part is of no form known here, and holds.
    check.split(" and ").all(|part| {
        let part = bare(part);
        let Some(said) = part.strip_prefix(&column).filter(|rest| rest.starts_with(' ')) else { return true };
        let said = said.trim_start();
        if let Some(list) = said.strip_prefix("in ").map(bare) {
            let literals: Option<Vec<&str>> = list.split(',').map(|one| literal(one.trim())).collect();
            return literals.is_none_or(|literals| literal(value).is_none_or(|value| literals.contains(&value)));
        }
        let Some((operator, other)) = said.split_once(' ') else { return true };
        let (Some(mine), Some(other)) = (literal(value), literal(other.trim())) else { return true };
        match (operator, mine.parse::<f64>(), other.parse::<f64>()) {
            (">", Ok(mine), Ok(other)) => mine > other,
            (">=", Ok(mine), Ok(other)) => mine >= other,
            ("<", Ok(mine), Ok(other)) => mine < other,
            ("<=", Ok(mine), Ok(other)) => mine <= other,
            ("=", Err(_), Err(_)) => mine == other,
            ("<>", Err(_), Err(_)) => mine != other,
            _ => true,
        }
    })
}

/// A number, or a string with its quotes, without the cast behind it.
fn literal(text: &str) -> Option<&str> {
    let text = text.split("::").next().unwrap_or(text).trim();
    let quoted =
        text.len() > 1 && text.starts_with('\'') && text.ends_with('\'') && !text[1..text.len() - 1].contains('\'');
    (quoted || text.parse::<f64>().is_ok()).then_some(text)
}

fn balanced(text: &str) -> bool {
    let mut depth = 0_i32;
    text.chars().all(|char| {
        depth += i32::from(char == '(') - i32::from(char == ')');
        depth >= 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_checks_accept_null() {
        let parsed = |text| crate::sql::parse::parse_expression(text).unwrap();
        for (check, expected) in [
            ("ends > begins", true),
            ("ends > begins OR open", true),
            ("ends > begins AND open", false),
            ("begins > 0", false),
            ("ends IS NOT NULL", false),
            ("coalesce(ends, 0) > begins", false),
            ("ends IN (1, 2)", true),
        ] {
            assert_eq!(is_null_with(&parsed(check), "ends"), expected, "{check}");
        }
    }

    #[test]
    fn literals_are_held_against_simple_checks() {
        for (check, value, expected) in [
            ("status in ('new', 'paid')", "'new'", true),
            ("status in ('new', 'paid')", "'old'", false),
            ("(status in ('new', 'paid'))", "'old'::text", false),
            ("status > 0", "0", false),
            ("status >= 0 and status <= 100", "0", true),
            ("status >= 0 and status <= 100", "101", false),
            ("status = 'a'", "'a'", true),
            ("status <> ''", "''", false),
            ("length(status) > 3", "''", true),
            ("status between 1 and 3", "0", true),
            ("other > 5", "0", true),
            ("status ~ '^a'", "'b'", true),
        ] {
            assert_eq!(holds_of(check, "status", value), expected, "{check} of {value}");
        }
    }
}

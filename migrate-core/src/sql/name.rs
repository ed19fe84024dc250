//! Names as PostgreSQL compares them: folded to lower case unless quoted, and quoted again where SQL needs it.

use std::fmt;

/// A name, perhaps with its schema. Both parts are what the catalog stores: unquoted, folded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The schema, where the SQL names one.
    pub schema: Option<String>,
    /// The name within the schema.
    pub name: String,
}

impl Name {
    /// A name without schema.
    pub fn bare(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }

    /// A name with its schema.
    pub fn qualified(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: Some(schema.into()), name: name.into() }
    }
}

impl fmt::Display for Name {
    /// The name quoted as SQL needs it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quoted(schema))?;
        }
        f.write_str(&quoted(&self.name))
    }
}

/// The identifier as SQL must spell it: quoted where it is not a plain lower-case name or is a keyword that cannot
/// stand as a column's name (`quote_identifier` in `ruleutils.c`, which quotes every keyword but the unreserved).
pub fn quoted(identifier: &str) -> String {
    let mut chars = identifier.chars();
    let plain = chars.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && chars.all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_');
    if plain && !super::keywords::needs_quotes(identifier) {
        identifier.to_owned()
    } else {
        format!("\"{}\"", identifier.replace('"', "\"\""))
    }
}

//! The columns that a trigger or a rule names of its own table, read off its text: those of `UPDATE OF`, and those of the
//! old and the new row. PostgreSQL writes down that it depends on them.

use std::collections::BTreeSet;

/// `text` is canonical: keywords in lower case, names quoted only where they must be.
pub(crate) fn row_columns(text: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = ["old.", "new."].iter().flat_map(|row| columns_after(text, row)).collect();
    found.extend(update_of(text));
    found
}

/// The columns of `update of a, b`.
pub(crate) fn update_of(text: &str) -> Vec<String> {
    let Some((_, rest)) = text.split_once("update of ") else { return Vec::new() };
    let mut found = Vec::new();
    let mut rest = rest;
    loop {
        let (name, length) = name_at(rest);
        if length == 0 {
            return found;
        }
        found.push(name);
        match rest[length..].strip_prefix(", ") {
            Some(next) => rest = next,
            None => return found,
        }
    }
}

/// The columns that stand after `old.`, `new.`, outside of strings.
pub(crate) fn columns_after(text: &str, row: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut quoted, mut previous) = (false, ' ');
    for (at, char) in text.char_indices() {
        if char == '\'' {
            quoted = !quoted;
        }
        let begins = !previous.is_alphanumeric() && !matches!(previous, '_' | '.' | '"');
        if !quoted && begins && text[at..].get(..row.len()).is_some_and(|here| here.eq_ignore_ascii_case(row)) {
            found.push(name_at(&text[at + row.len()..]).0);
        }
        previous = char;
    }
    found.retain(|name| !name.is_empty());
    found
}

/// The name that the text begins with, and its length in bytes.
fn name_at(text: &str) -> (String, usize) {
    let Some(rest) = text.strip_prefix('"') else {
        let end = text.find(|char: char| !(char.is_alphanumeric() || char == '_' || char == '$')).unwrap_or(text.len());
        return (text[..end].to_owned(), end);
    };
    let mut name = String::new();
    let mut chars = rest.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        if char == '"' {
            if chars.peek().is_some_and(|(_, next)| *next == '"') {
                chars.next();
            } else {
                return (name, at + 2);
            }
        }
        name.push(char);
    }
    (String::new(), 0)
}

#[cfg(test)]
mod tests {
    use super::row_columns;

    #[test]
    fn columns_are_read() {
        let columns = |text: &str| row_columns(text).into_iter().collect::<Vec<_>>();
        assert_eq!(
            columns(
                "after update of a, \"B c\" or insert for each row when (old.d <> new.\"E\") execute function f('new.x')"
            ),
            ["B c", "E", "a", "d"]
        );
        assert_eq!(columns("on delete to t where old.nm = 'z' do instead nothing"), ["nm"]);
        assert!(columns("before insert for each row execute function f()").is_empty());
    }
}

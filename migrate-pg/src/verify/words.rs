//! SQL as words: enough to see which columns a SET list assigns, which functions an expression calls, and which constants
//! stand in it.

/// One word of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// A name or key word, as PostgreSQL folds it.
    Name(String),
    /// A string constant, without its quotes.
    Text(String),
    /// A number.
    Number(String),
    /// Any other character.
    Sign(char),
}

/// The words of a piece of SQL that a server has accepted, or has written. Comments are not words.
pub(super) fn words(sql: &str) -> Vec<Word> {
    let chars: Vec<char> = sql.chars().collect();
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        if c.is_whitespace() {
            at += 1;
        } else if c == '-' && next == Some('-') {
            at = end_of_line(&chars, at);
        } else if c == '/' && next == Some('*') {
            at = end_of_comment(&chars, at);
        } else if c == '\'' {
            let (text, end) = quoted(&chars, at, '\'', false);
            words.push(Word::Text(text));
            at = end;
        } else if matches!(c, 'e' | 'E') && next == Some('\'') {
            let (text, end) = quoted(&chars, at + 1, '\'', true);
            words.push(Word::Text(text));
            at = end;
        } else if c == '"' {
            let (name, end) = quoted(&chars, at, '"', false);
            words.push(Word::Name(name));
            at = end;
        } else if let Some((text, end)) = (c == '$').then(|| dollar_quoted(&chars, at)).flatten() {
            words.push(Word::Text(text));
            at = end;
        } else if c.is_alphabetic() || c == '_' {
            let end = run(&chars, at, |c| c.is_alphanumeric() || c == '_' || c == '$');
            words.push(Word::Name(chars[at..end].iter().collect::<String>().to_lowercase()));
            at = end;
        } else if c.is_ascii_digit() {
            let end = run(&chars, at, |c| c.is_ascii_digit() || c == '.');
            words.push(Word::Number(chars[at..end].iter().collect()));
            at = end;
        } else {
            words.push(Word::Sign(c));
            at += 1;
        }
    }
    words
}

fn run(chars: &[char], from: usize, belongs: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|&c| !belongs(c)).map_or(chars.len(), |length| from + length)
}

fn end_of_line(chars: &[char], from: usize) -> usize {
    run(chars, from, |c| c != '\n')
}

/// Comments nest (manual, 4.1.5).
fn end_of_comment(chars: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_u32);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (at, depth) = (at + 2, depth + 1),
            ('*', Some('/')) if depth == 1 => return at + 2,
            ('*', Some('/')) => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    at
}

/// What stands between two quotes, and where it ends. A doubled quote is one.
fn quoted(chars: &[char], open: usize, quote: char, escapes: bool) -> (String, usize) {
    let mut text = String::new();
    let mut at = open + 1;
    while at < chars.len() {
        if chars[at] == quote {
            if chars.get(at + 1) != Some(&quote) {
                return (text, at + 1);
            }
            at += 1;
        } else if escapes && chars[at] == '\\' {
            at += 1;
        }
        text.extend(chars.get(at));
        at += 1;
    }
    (text, at)
}

fn dollar_quoted(chars: &[char], open: usize) -> Option<(String, usize)> {
    let close = run(chars, open + 1, |c| c.is_alphanumeric() || c == '_');
    if chars.get(close) != Some(&'$') || chars.get(open + 1).is_some_and(char::is_ascii_digit) {
        return None;
    }
    let tag = &chars[open..=close];
    let body = &chars[close + 1..];
    let length = body.windows(tag.len()).position(|window| window == tag)?;
    Some((body[..length].iter().collect(), close + 1 + length + tag.len()))
}

/// The columns that a SET list assigns, as their names are: `a = 1, ("B", c) = (…)`.
pub(super) fn assigned(set: &str) -> Vec<String> {
    let mut columns = Vec::new();
    let mut depth = 0_u32;
    let mut left = true;
    for word in words(set) {
        match word {
            Word::Sign('(' | '[') => depth += 1,
            Word::Sign(')' | ']') => depth = depth.saturating_sub(1),
            Word::Sign('=') if depth == 0 => left = false,
            Word::Sign(',') if depth == 0 => left = true,
            Word::Name(name) if left && depth <= 1 => columns.push(name),
            _ => {}
        }
    }
    columns
}

/// Functions that are called without parentheses, and may answer otherwise the next time.
pub(super) const CHANGING: &[&str] = &[
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "current_user",
    "session_user",
    "user",
    "current_role",
];

/// Whether the name is a function that is called without parentheses (manual, table 9.33 and section 9.27).
fn bare(name: &str) -> bool {
    CHANGING.contains(&name) || matches!(name, "current_catalog" | "current_schema")
}

/// The names that stand before an opening parenthesis, and the functions that SQL calls without one.
pub(super) fn called(sql: &str) -> Vec<String> {
    let words = words(sql);
    let mut called: Vec<String> = words
        .iter()
        .enumerate()
        .filter_map(|(at, word)| match word {
            Word::Name(name) if words.get(at + 1) == Some(&Word::Sign('(')) || bare(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    called.sort();
    called.dedup();
    called
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_one_word() {
        assert_eq!(
            words(r#"SELECT 'it''s', E'a\'b', $x$no 'word$x$, "Mixed ""Case""" -- ,"c""#),
            [
                Word::Name("select".into()),
                Word::Text("it's".into()),
                Word::Sign(','),
                Word::Text("a'b".into()),
                Word::Sign(','),
                Word::Text("no 'word".into()),
                Word::Sign(','),
                Word::Name("Mixed \"Case\"".into()),
            ]
        );
        assert_eq!(
            words("/* a /* b */ c */ 1.5 + $1"),
            [Word::Number("1.5".into()), Word::Sign('+'), Word::Sign('$'), Word::Number("1".into())]
        );
    }

    #[test]
    fn the_left_sides_of_a_set_list() {
        assert_eq!(
            assigned("status = coalesce(a, b), (\"First\", c) = (SELECT d, e FROM f), g[1] = 2"),
            ["status", "First", "c", "g"]
        );
    }

    #[test]
    fn functions_are_called_with_or_without_parentheses() {
        assert_eq!(
            called("lower(x) || to_char(CURRENT_TIMESTAMP, 'now()')"),
            ["current_timestamp", "lower", "to_char"]
        );
    }
}

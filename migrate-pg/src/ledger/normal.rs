//! SQL without what does not matter: the form in which the ledger keeps statements, so that they can be compared with
//! the program's and shown to a person.

use crate::secrets::without_passwords;

/// The statement without comments, with one space wherever there was white space, and without a closing semicolon.
/// Passwords are blotted out: everybody may read the ledger.
/// What is inside quotes stays as it is otherwise (manual, 4.1: strings, escape strings, dollar quotes, nested comments).
pub(crate) fn normalised(sql: &str) -> String {
    let sql = without_passwords(sql);
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql.as_str();
    let mut gap = false;
    while let Some(first) = rest.chars().next() {
        let token = if first.is_whitespace() {
            gap = true;
            rest = &rest[first.len_utf8()..];
            continue;
        } else if rest.starts_with("--") {
            gap = true;
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
            continue;
        } else if rest.starts_with("/*") {
            gap = true;
            rest = &rest[comment(rest)..];
            continue;
        } else if first == '\'' {
            // E'…' knows backslashes; the E was written just before.
            let escapes = !gap && is_escape_prefix(&out);
            &rest[..quoted(rest, '\'', escapes)]
        } else if first == '"' {
            &rest[..quoted(rest, '"', false)]
        } else if first == '$' && !out.ends_with(|c: char| !gap && (c.is_alphanumeric() || c == '_')) {
            &rest[..dollar(rest)]
        } else {
            &rest[..first.len_utf8()]
        };
        if gap && !out.is_empty() {
            out.push(' ');
        }
        gap = false;
        out.push_str(token);
        rest = &rest[token.len()..];
    }
    out.trim_end_matches([';', ' ']).to_owned()
}

fn is_escape_prefix(before: &str) -> bool {
    let mut last = before.chars().rev();
    matches!(last.next(), Some('e' | 'E')) && !last.next().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a quoted token; a doubled quote inside it ends one and begins the next, which comes to the same.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return at + 1;
        }
        if c == '\\' && escapes {
            chars.next();
        }
    }
    text.len()
}

fn dollar(text: &str) -> usize {
    let tag_end = text[1..].find(|c: char| !c.is_alphanumeric() && c != '_').map(|end| end + 1);
    match tag_end {
        Some(end) if text[end..].starts_with('$') && !text[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            let tag = &text[..=end];
            text[tag.len()..].find(tag).map_or(text.len(), |body| tag.len() * 2 + body)
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn only_what_does_not_matter_goes() {
        for (sql, expected) in [
            ("SELECT\r\n  1 ; \n", "SELECT 1"),
            ("-- why\nSELECT 1 -- one\n, 2", "SELECT 1 , 2"),
            ("SELECT/* a /* b */ c */1", "SELECT 1"),
            ("SELECT 'a  -- b''  c'", "SELECT 'a  -- b''  c'"),
            (r"SELECT E'a\'  b'  , 'c\'  ", r"SELECT E'a\'  b' , 'c\'"),
            ("SELECT \"a  b\"", "SELECT \"a  b\""),
            ("DO $x$  a  $y$  b $x$  ;", "DO $x$  a  $y$  b $x$"),
            ("SELECT $1,  $2", "SELECT $1, $2"),
            ("SELECT 'open  ", "SELECT 'open"),
            ("ä  ö", "ä ö"),
            ("ALTER ROLE a  PASSWORD 'secret'", "ALTER ROLE a PASSWORD '******'"),
        ] {
            assert_eq!(normalised(sql), expected, "{sql}");
        }
    }
}

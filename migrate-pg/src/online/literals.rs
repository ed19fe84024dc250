//! A query of somebody else's, fit to be shown: its constants and comments left out, since they are other people's data.

/// On one line, every string, number and bit constant replaced by `?`, comments gone, cut to `most` characters.
///
/// What cannot be told for sure, since the server cuts queries at `track_activity_query_size` and what a backslash means in
/// a plain string depends on the session's `standard_conforming_strings`, ends the text.
pub(super) fn without_literals(sql: &str, most: usize) -> String {
    let chars: Vec<char> = sql.chars().collect();
    let mut at = 0;
    let mut shown = String::new();
    let mut length = 0;
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        let before = shown.chars().last();
        let in_word = before.is_some_and(is_word);
        let piece: String = match c {
            '\'' => {
                // The prefix of a constant (E, B, X, N, U&) is a letter that was shown already, and says nothing.
                let mut back = shown.chars().rev();
                let escapes =
                    back.next().is_some_and(|c| c.eq_ignore_ascii_case(&'e')) && !back.next().is_some_and(is_word);
                match string_end(&chars, at + 1, escapes) {
                    Some(end) => at = end,
                    None => at = chars.len(),
                }
                "?".to_owned()
            }
            '"' => {
                let end = (at + 1..chars.len()).find(|&end| chars[end] == '"').map_or(chars.len(), |end| end + 1);
                let name = chars[at..end].iter().collect();
                at = end;
                name
            }
            '$' if !in_word && !next.is_some_and(|c| c.is_ascii_digit()) => {
                at = dollar_end(&chars, at);
                "?".to_owned()
            }
            '-' if next == Some('-') => {
                at = (at..chars.len()).find(|&end| matches!(chars[end], '\n' | '\r')).unwrap_or(chars.len());
                continue;
            }
            '/' if next == Some('*') => {
                at = comment_end(&chars, at);
                " ".to_owned()
            }
            _ if c.is_ascii_digit() && !in_word && before != Some('$') => {
                at = number_end(&chars, at);
                "?".to_owned()
            }
            _ if c.is_whitespace() => {
                at += 1;
                " ".to_owned()
            }
            _ => {
                at += 1;
                c.to_string()
            }
        };
        if piece == " " && (shown.is_empty() || shown.ends_with(' ')) {
            continue;
        }
        length += piece.chars().count();
        if length > most {
            return format!("{} …", shown.trim_end());
        }
        shown.push_str(&piece);
    }
    shown.trim_end().to_owned()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '"' | '$')
}

/// Behind the closing quote; `None` where that cannot be told.
fn string_end(chars: &[char], mut at: usize, escapes: bool) -> Option<usize> {
    loop {
        match chars.get(at)? {
            '\\' if escapes => at += 2,
            '\\' => return None,
            '\'' if chars.get(at + 1) == Some(&'\'') => at += 2,
            '\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn dollar_end(chars: &[char], at: usize) -> usize {
    let tag = chars[at + 1..].iter().take_while(|&&c| c.is_alphanumeric() || c == '_').count();
    let fence = &chars[at..(at + tag + 2).min(chars.len())];
    if fence.len() < 2 || fence.last() != Some(&'$') {
        return at + 1;
    }
    let body = at + fence.len();
    let close = chars[body..].windows(fence.len()).position(|window| window == fence);
    close.map_or(chars.len(), |close| body + close + fence.len())
}

/// Comments nest (manual, 4.1.5).
fn comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0_usize;
    loop {
        match (chars.get(at), chars.get(at + 1)) {
            (Some('/'), Some('*')) => {
                depth += 1;
                at += 2;
            }
            (Some('*'), Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            (Some(_), _) => at += 1,
            (None, _) => return chars.len(),
        }
    }
}

fn number_end(chars: &[char], at: usize) -> usize {
    let part_of = |end: usize| {
        chars[end].is_alphanumeric()
            || matches!(chars[end], '.' | '_')
            || (matches!(chars[end], '+' | '-') && matches!(chars[end - 1], 'e' | 'E') && end > at + 1)
    };
    (at + 1..chars.len()).find(|&end| !part_of(end)).unwrap_or(chars.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_left_out() {
        for (sql, shown) in [
            ("SELECT * FROM t WHERE a = 'it''s' AND b=12.5e-3", "SELECT * FROM t WHERE a = ? AND b=?"),
            ("SELECT 'a\\' OR 'secret", "SELECT ?"),
            ("SELECT E'a\\'b', x", "SELECT E?, x"),
            ("SELECT U&'d\\0061t' , B'101', X'1F'", "SELECT U&?"),
            ("SELECT $1, $tag$ sec'ret $tag$, $$x$$, t1.c2", "SELECT $1, ?, ?, t1.c2"),
            ("SELECT \"Col 1\" /* secret /* 7 */ */ FROM\n\tt -- secret", "SELECT \"Col 1\" FROM t"),
            ("SELECT $cut$ sec", "SELECT ?"),
            ("SELECT 'cut of", "SELECT ?"),
            ("INSERT INTO t2 VALUES (-1, 0x1F, 1_000)", "INSERT INTO t2 VALUES (-?, ?, ?)"),
            (
                "autovacuum: VACUUM public.t (to prevent wraparound)",
                "autovacuum: VACUUM public.t (to prevent wraparound)",
            ),
            ("SELECT 'ä' AS größe", "SELECT ? AS größe"),
            ("", ""),
            ("$", "?"),
            ("a'", "a?"),
            ("SELECT date'\\', 'secret'", "SELECT date?"),
        ] {
            assert_eq!(without_literals(sql, 200), shown, "{sql}");
        }
        assert_eq!(without_literals("SELECT aaaaaaaaa, bbbb", 10), "SELECT aaa …");
        assert_eq!(without_literals(&"x".repeat(300), 200).chars().count(), 202);
    }
}

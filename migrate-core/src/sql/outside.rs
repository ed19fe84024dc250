//! The places of a canonical text that stand outside of quotes and parentheses.

/// Each character, with its place, that stands outside of quotes and parentheses; the outermost parentheses themselves
/// are among them.
pub(crate) fn outside(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut depth, mut quote) = (0_usize, None);
    text.char_indices().filter(move |&(_, char)| match (quote, char) {
        (Some(open), _) => {
            if open == char {
                quote = None;
            }
            false
        }
        (None, '\'' | '"') => {
            quote = Some(char);
            false
        }
        (None, '(') => {
            depth += 1;
            depth == 1
        }
        (None, ')') => {
            depth = depth.saturating_sub(1);
            depth == 0
        }
        _ => depth == 0,
    })
}

/// What stands between the parenthesis that opens the text and its own closing one.
pub(crate) fn enclosed(text: &str) -> Option<&str> {
    let (at, _) = outside(text).find(|&(_, char)| char == ')')?;
    text.get(1..at)
}

/// The pieces between the commas.
pub(crate) fn pieces(list: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut from = 0;
    for (at, char) in outside(list) {
        if char == ',' {
            out.push(list[from..at].trim());
            from = at + 1;
        }
    }
    out.push(list[from..].trim());
    out.retain(|piece| !piece.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::{enclosed, pieces};

    #[test]
    fn quotes_and_parentheses_hide_what_is_in_them() {
        assert_eq!(enclosed("(a = ')' and (b)) to x"), Some("a = ')' and (b)"));
        assert_eq!(enclosed("(a"), None);
        assert_eq!(pieces("a = 'x, y', f(1, 2), \"b,c\""), ["a = 'x, y'", "f(1, 2)", "\"b,c\""]);
        assert!(pieces(" ").is_empty());
    }
}

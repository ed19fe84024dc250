//! Passwords in SQL: they run, and are never shown, logged or kept.

/// The statement with what follows the word PASSWORD blotted out, in SQL (`PASSWORD '…'`) and in connection strings in it
/// (`password=…`). As long as before, so that positions stay right.
pub(crate) fn without_passwords(sql: &str) -> String {
    let mut shown: Vec<char> = sql.chars().collect();
    let lower: Vec<char> = shown.iter().map(char::to_ascii_lowercase).collect();
    let word: Vec<char> = "password".chars().collect();
    let mut at = 0;
    while at + word.len() < lower.len() {
        if lower[at..at + word.len()] != word[..] {
            at += 1;
            continue;
        }
        at += word.len();
        while lower.get(at).is_some_and(|c| c.is_whitespace() || *c == '=') {
            at += 1;
        }
        let equals = lower[at - 1] == '=';
        let quoted = lower.get(at) == Some(&'\'');
        if !quoted && !equals {
            continue;
        }
        at += usize::from(quoted);
        while let Some(&c) = lower.get(at) {
            let doubled = quoted && c == '\'' && lower.get(at + 1) == Some(&'\'');
            if doubled {
                shown[at] = '*';
                at += 1;
            } else if c == '\'' || (!quoted && c.is_whitespace()) {
                break;
            }
            shown[at] = '*';
            at += 1;
        }
    }
    shown.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_blotted_out() {
        for (sql, expected) in [
            ("ALTER ROLE a PASSWORD 'it''s' LOGIN", "ALTER ROLE a PASSWORD '*****' LOGIN"),
            ("CONNECTION 'host=h password=abc user=u' x", "CONNECTION 'host=h password=*** user=u' x"),
            ("OPTIONS (user 'u', password 'abc')", "OPTIONS (user 'u', password '***')"),
            ("ALTER TABLE a ADD COLUMN password text", "ALTER TABLE a ADD COLUMN password text"),
            ("ALTER ROLE a password", "ALTER ROLE a password"),
        ] {
            assert_eq!(without_passwords(sql), expected);
        }
    }
}

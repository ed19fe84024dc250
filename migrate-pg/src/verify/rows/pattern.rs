//! Texts that match a pattern: of what people write into a CHECK with `~`, and of LIKE.

/// A text that matches a regular expression, the `n`th of a few. `None` where the expression says more than is read
/// here: then the server is asked with other texts.
pub(super) fn matching(pattern: &str, n: usize) -> Option<String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut reader = Reader { chars: &chars, at: 0, n };
    let text = reader.alternatives()?;
    (reader.at == chars.len()).then_some(text)
}

/// A text that a LIKE pattern matches.
pub(super) fn like(pattern: &str, n: usize) -> String {
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => text.push_str(&format!("x{n}")),
            '_' => text.push('x'),
            '\\' => text.extend(chars.next()),
            other => text.push(other),
        }
    }
    text
}

struct Reader<'a> {
    chars: &'a [char],
    at: usize,
    n: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, c: char) -> bool {
        let there = self.peek() == Some(c);
        self.at += usize::from(there);
        there
    }

    fn alternatives(&mut self) -> Option<String> {
        let mut all = vec![self.sequence()?];
        while self.take('|') {
            all.push(self.sequence()?);
        }
        let at = self.n % all.len();
        Some(all.swap_remove(at))
    }

    fn sequence(&mut self) -> Option<String> {
        let mut text = String::new();
        while let Some(c) = self.peek() {
            if c == '|' || c == ')' {
                break;
            }
            if c == '^' || c == '$' {
                self.at += 1;
                continue;
            }
            let start = self.at;
            let once = self.atom()?;
            let after = self.at;
            let times = self.quantifier()?;
            let end = self.at;
            // Read again for each repetition, so that no two need be the same.
            for repeat in 0..times {
                if repeat == 0 {
                    text.push_str(&once);
                } else {
                    self.at = start;
                    self.n += 1;
                    text.push_str(&self.atom()?);
                    debug_assert_eq!(self.at, after);
                }
            }
            self.at = end;
        }
        Some(text)
    }

    fn atom(&mut self) -> Option<String> {
        let c = self.peek()?;
        self.at += 1;
        Some(match c {
            '(' => {
                if self.take('?') && !self.take(':') {
                    return None;
                }
                let text = self.alternatives()?;
                if !self.take(')') {
                    return None;
                }
                text
            }
            '[' => self.class()?.to_string(),
            '.' => nth(&['x', 'y', 'z'], self.n)?.to_string(),
            '\\' => {
                let escaped = self.peek()?;
                self.at += 1;
                escape(escaped, self.n)?
            }
            '*' | '+' | '?' | '{' => return None,
            other => other.to_string(),
        })
    }

    /// How often: as seldom as is allowed, and once where that is no time.
    fn quantifier(&mut self) -> Option<usize> {
        let times = match self.peek() {
            Some('*' | '+' | '?') => {
                self.at += 1;
                1
            }
            Some('{') => {
                self.at += 1;
                let start = self.at;
                while self.peek()? != '}' {
                    self.at += 1;
                }
                let text: String = self.chars[start..self.at].iter().collect();
                self.at += 1;
                let least: usize = text.split(',').next()?.trim().parse().ok()?;
                let most: usize =
                    text.split(',').nth(1).map_or(Some(least), |most| most.trim().parse().ok().or(Some(least + 1)))?;
                least.max(1).min(most)
            }
            _ => return Some(1),
        };
        // The lazy form.
        self.take('?');
        Some(times)
    }

    fn class(&mut self) -> Option<char> {
        let negated = self.take('^');
        let mut members = Vec::new();
        loop {
            let c = self.peek()?;
            self.at += 1;
            match c {
                ']' if !members.is_empty() => break,
                '[' if self.peek() == Some(':') => {
                    let rest: String = self.chars[self.at..].iter().collect();
                    let name = rest.strip_prefix(':')?.split(":]").next()?.to_owned();
                    self.at += name.chars().count() + 3;
                    members.extend(named(&name)?);
                }
                '\\' => {
                    let escaped = self.peek()?;
                    self.at += 1;
                    members.extend(escape(escaped, 0)?.chars());
                    if escaped == 'd' {
                        members.extend('0'..='9');
                    }
                }
                from if self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|&c| c != ']') => {
                    let to = self.chars[self.at + 1];
                    self.at += 2;
                    members.extend(from..=to);
                }
                one => members.push(one),
            }
        }
        if negated {
            let others: Vec<char> = ('a'..='z').chain('0'..='9').filter(|c| !members.contains(c)).collect();
            return nth(&others, self.n);
        }
        nth(&members, self.n)
    }
}

fn nth(members: &[char], n: usize) -> Option<char> {
    members.get(n.checked_rem(members.len())?).copied()
}

fn named(class: &str) -> Option<Vec<char>> {
    Some(match class {
        "alpha" | "lower" => ('a'..='z').collect(),
        "upper" => ('A'..='Z').collect(),
        "digit" | "xdigit" => ('0'..='9').collect(),
        "alnum" => ('a'..='z').chain('0'..='9').collect(),
        "space" | "blank" => vec![' '],
        "punct" => vec!['-', '.'],
        _ => return None,
    })
}

fn escape(c: char, n: usize) -> Option<String> {
    Some(match c {
        'd' => char::from_digit(u32::try_from(n % 10).ok()?, 10)?.to_string(),
        'w' => nth(&['a', 'b', 'c', '1'], n)?.to_string(),
        's' => " ".to_owned(),
        'S' | 'D' | 'W' => if c == 'W' { "-" } else { "x" }.to_owned(),
        'm' | 'M' | 'y' | 'A' | 'Z' => String::new(),
        other if !other.is_alphanumeric() => other.to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_as_people_write_them() {
        for (pattern, expected) in [
            ("^[A-Z]{3}$", Some("ABC")),
            ("^[^@]+@[^@]+\\.[^@]+$", Some("a@a.a")),
            ("^(open|closed)$", Some("open")),
            ("^\\d{3}-\\d{2}$", Some("012-23")),
            ("^#[0-9a-fA-F]{2,6}$", Some("#01")),
            ("^[[:alpha:]_][[:alnum:]_]*$", Some("aa")),
            ("^(?:x|y)+z?$", Some("xz")),
            ("(?i)x", None),
            ("^\\1$", None),
        ] {
            assert_eq!(matching(pattern, 0).as_deref(), expected, "{pattern}");
        }
        assert_eq!(matching("^(open|closed)$", 1).as_deref(), Some("closed"));
        assert_eq!(like("%@_.com", 1), "x1@x.com");
    }
}

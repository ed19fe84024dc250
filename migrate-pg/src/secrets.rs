//! Passwords in SQL: they run, and are never shown, logged or kept.

/// The statement with what follows the word PASSWORD blotted out, in SQL (`PASSWORD '…'`) and in connection strings in it
/// (`password=…`, `://user:…@`). As long as before, so that positions stay right.
pub(crate) fn without_passwords(sql: &str) -> String {
    let mut blot =
        Blot { lower: sql.chars().map(|c| c.to_ascii_lowercase()).collect(), shown: sql.chars().collect(), at: 0 };
    while blot.at < blot.lower.len() {
        if blot.here("password") {
            blot.at += "password".len();
            blot.value();
        } else if blot.here("://") {
            blot.at += 3;
            blot.user_info();
        } else {
            blot.at += 1;
        }
    }
    blot.shown.into_iter().collect()
}

struct Blot {
    lower: Vec<char>,
    shown: Vec<char>,
    at: usize,
}

impl Blot {
    fn here(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, c)| self.lower.get(self.at + offset) == Some(&c))
    }

    fn peek(&self) -> Option<char> {
        self.lower.get(self.at).copied()
    }

    /// Blots characters out up to `end`, which stays.
    fn until(&mut self, end: &str) {
        while self.at < self.lower.len() && !self.here(end) {
            self.shown[self.at] = '*';
            self.at += 1;
        }
        self.at = (self.at + end.chars().count()).min(self.lower.len());
    }

    /// What stands behind the word: a string constant of any form, or the value of a connection string.
    fn value(&mut self) {
        // `"password"`, as the name of an option may be written.
        if self.peek() == Some('"') {
            self.at += 1;
        }
        let mut equals = false;
        loop {
            match self.peek() {
                Some('=') => {
                    equals = true;
                    self.at += 1;
                }
                Some(c) if c.is_whitespace() => self.at += 1,
                Some(_) if self.here("--") => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                Some(_) if self.here("/*") => self.comment(),
                _ => break,
            }
        }
        let escapes = self.here("e'");
        if escapes || self.here("n'") {
            self.at += 1;
        } else if self.here("u&'") {
            self.at += 2;
        }
        let quotes = self.lower[self.at..].iter().take_while(|c| **c == '\'').count();
        let after = self.lower.get(self.at + quotes).copied();
        let empty = !equals && after.is_none_or(|c| c.is_whitespace() || matches!(c, ';' | ',' | ')'));
        if quotes > 0 && quotes % 2 == 0 && !empty {
            // A quoted value inside of a literal, or of one inside of a literal.
            self.at += quotes;
            self.until(&"'".repeat(quotes));
        } else if self.peek() == Some('\'') {
            self.at += 1;
            self.quoted(escapes);
        } else if self.peek() == Some('$') {
            let rest = self.lower[self.at + 1..].iter();
            let tag: String = rest.take_while(|c| **c != '$' && !c.is_whitespace()).collect();
            let fence = format!("${tag}$");
            if self.here(&fence) {
                self.at += fence.chars().count();
                self.until(&fence);
            }
        } else if equals {
            while self.peek().is_some_and(|c| c != '\'' && !c.is_whitespace()) {
                self.shown[self.at] = '*';
                self.at += 1;
            }
        }
    }

    /// Comments nest (manual, 4.1.5).
    fn comment(&mut self) {
        let mut depth = 0;
        while self.peek().is_some() {
            let (opens, closes) = (self.here("/*"), self.here("*/"));
            self.at += if opens || closes { 2 } else { 1 };
            depth += usize::from(opens);
            depth -= usize::from(closes);
            if depth == 0 {
                return;
            }
        }
    }

    fn quoted(&mut self, escapes: bool) {
        while let Some(c) = self.peek() {
            let pair = (c == '\'' && self.lower.get(self.at + 1) == Some(&'\'')) || (escapes && c == '\\');
            if c == '\'' && !pair {
                return;
            }
            for _ in 0..=usize::from(pair) {
                if self.at < self.shown.len() {
                    self.shown[self.at] = '*';
                    self.at += 1;
                }
            }
        }
    }

    /// `user:secret@` behind the slashes of a URL.
    fn user_info(&mut self) {
        let end = self.lower[self.at..].iter().position(|c| c.is_whitespace() || matches!(c, '\'' | '/' | '"'));
        let authority = self.at..end.map_or(self.lower.len(), |end| self.at + end);
        let Some(host) = self.lower[authority.clone()].iter().rposition(|c| *c == '@') else { return };
        let Some(secret) = self.lower[authority.clone()].iter().position(|c| *c == ':') else { return };
        for at in authority.start + secret + 1..authority.start + host {
            self.shown[at] = '*';
        }
        self.at = authority.end;
    }
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
            ("ALTER ROLE a PASSWORD E'a\\'b' LOGIN", "ALTER ROLE a PASSWORD E'****' LOGIN"),
            ("ALTER ROLE a PASSWORD $x$a'b$x$ LOGIN", "ALTER ROLE a PASSWORD $x$***$x$ LOGIN"),
            ("ALTER ROLE a PASSWORD /* new */ 'abc'", "ALTER ROLE a PASSWORD /* new */ '***'"),
            ("PASSWORD /* a /* b */ c */ 'abc'", "PASSWORD /* a /* b */ c */ '***'"),
            ("ALTER ROLE a PASSWORD /* x", "ALTER ROLE a PASSWORD /* x"),
            ("ALTER ROLE a PASSWORD /*", "ALTER ROLE a PASSWORD /*"),
            ("OPTIONS (\"password\" 'abc')", "OPTIONS (\"password\" '***')"),
            ("CONNECTION 'password=''a b'' host=h'", "CONNECTION 'password=''***'' host=h'"),
            ("EXECUTE 'ALTER ROLE a PASSWORD ''abc'' x'", "EXECUTE 'ALTER ROLE a PASSWORD ''***'' x'"),
            ("'EXECUTE ''ALTER ROLE a PASSWORD ''''abc'''''''", "'EXECUTE ''ALTER ROLE a PASSWORD ''''***'''''''"),
            ("ALTER ROLE a PASSWORD '' LOGIN", "ALTER ROLE a PASSWORD '' LOGIN"),
            ("ALTER ROLE a PASSWORD '''abc' LOGIN", "ALTER ROLE a PASSWORD '*****' LOGIN"),
            ("CONNECTION 'postgres://u:a:b@h/d' x", "CONNECTION 'postgres://u:***@h/d' x"),
            ("SELECT 'http://h:80/a@b'", "SELECT 'http://h:80/a@b'"),
            ("ALTER ROLE a PASSWORD 'abc", "ALTER ROLE a PASSWORD '***"),
            ("ALTER ROLE a PASSWORD $", "ALTER ROLE a PASSWORD $"),
            ("ALTER ROLE a PASSWORD NULL", "ALTER ROLE a PASSWORD NULL"),
        ] {
            assert_eq!(without_passwords(sql), expected);
        }
    }
}

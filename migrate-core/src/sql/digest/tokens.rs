//! The token form that digests are taken over: PostgreSQL's own lexical rules (manual, section 4.1, "Lexical Structure";
//! `scan.l`), written here and not borrowed from the parser crate, so that a newer parser never changes a digest.

use std::borrow::Cow;
use std::ops::Range;

/// One token, reduced to what the server would make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sql) enum Token {
    /// A keyword or an unquoted identifier, folded to lower case (ASCII only, as `downcase_identifier` does for UTF-8).
    Word(String),
    /// A quoted identifier, quotes undone. `U&"…"` keeps its escapes and is `UnicodeQuoted`.
    Quoted(String),
    UnicodeQuoted(String),
    /// A string constant, `'…'` or `$tag$…$tag$`, quotes undone, CRLF as LF.
    String(String),
    /// `E'…'`, `B'…'`, `X'…'`, `N'…'`, `U&'…'`: the prefix in lower case and the body with its escapes.
    Prefixed(char, String),
    /// A number, in lower case.
    Number(String),
    /// `$1`.
    Parameter(String),
    /// An operator.
    Operator(String),
    /// One of `( ) [ ] , ; : .` or whatever else stands alone.
    Punctuation(char),
}

impl Token {
    fn parts(&self) -> (char, Cow<'_, str>) {
        match self {
            Self::Word(text) => ('w', text.into()),
            Self::Quoted(text) => ('q', text.into()),
            Self::UnicodeQuoted(text) => ('u', text.into()),
            Self::String(text) => ('s', text.into()),
            Self::Prefixed(prefix, text) => (prefix.to_ascii_uppercase(), text.into()),
            Self::Number(text) => ('n', text.into()),
            Self::Parameter(text) => ('$', text.into()),
            Self::Operator(text) => ('o', text.into()),
            Self::Punctuation(char) => ('p', char.to_string().into()),
        }
    }

    /// `w5:alter`: a letter for the kind, the length in bytes, the text.
    pub(super) fn write(&self, out: &mut String) {
        let (kind, text) = self.parts();
        out.push(kind);
        out.push_str(&text.len().to_string());
        out.push(':');
        out.push_str(&text);
        out.push('\n');
    }
}

/// The tokens of `sql`, without comments, whitespace and trailing semicolons. Never fails: what cannot be closed runs to
/// the end, since it is the parser's part to refuse it.
pub(super) fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = Cursor::new(sql);
    while let Some(token) = rest.next_token() {
        // Two strings separated by a newline are one (manual, 4.1.2.1); to the digest they stay two tokens, as written.
        tokens.push(token);
    }
    while tokens.last() == Some(&Token::Punctuation(';')) {
        tokens.pop();
    }
    tokens
}

/// Where these words stand next to each other in a part of `sql`, in any case, outside of quotes and comments: `None`
/// where they do not, or in more than one place.
pub(in crate::sql) fn find_words(sql: &str, part: Range<usize>, words: &[&str]) -> Option<Range<usize>> {
    let mut cursor = Cursor { text: &sql[..part.end], at: part.start };
    let mut all = Vec::new();
    loop {
        cursor.skip_blank();
        let start = cursor.at;
        let Some(token) = cursor.next_token() else { break };
        all.push((token, start..cursor.at));
    }
    let is = |(token, _): &(Token, Range<usize>), word: &&str| matches!(token, Token::Word(text) if text.eq_ignore_ascii_case(word));
    let mut found = all.windows(words.len().max(1)).filter(|window| window.iter().zip(words).all(|(a, b)| is(a, b)));
    let window = found.next().filter(|_| !words.is_empty())?;
    if found.next().is_some() {
        return None;
    }
    Some(window.first()?.1.start..window.last()?.1.end)
}

const OPERATOR: &str = "+-*/<>=~!@#%^&|`?";

/// Goes through SQL token by token.
pub(in crate::sql) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(in crate::sql) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The byte behind the last token.
    pub(in crate::sql) fn at(&self) -> usize {
        self.at
    }

    /// The next token, and the byte that it begins at.
    pub(in crate::sql) fn next_placed(&mut self) -> Option<(Token, usize)> {
        self.skip_blank();
        let at = self.at;
        Some((self.next_token()?, at))
    }

    /// Goes on to the end of the line, and says where that is.
    pub(in crate::sql) fn skip_line(&mut self) -> usize {
        self.take_while(|char| char != '\n' && char != '\r');
        self.at
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, mut keep: impl FnMut(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|char| !keep(char)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn next_token(&mut self) -> Option<Token> {
        self.skip_blank();
        let first = self.peek()?;
        Some(match first {
            '\'' => {
                self.at += 1;
                Token::String(normal_lines(&self.until_quote('\'', false)))
            }
            '"' => {
                self.at += 1;
                Token::Quoted(self.until_quote('"', false))
            }
            '$' => self.dollar(),
            _ if first.is_ascii_digit()
                || (first == '.' && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit())) =>
            {
                Token::Number(self.number().to_ascii_lowercase())
            }
            _ if is_word_start(first) => self.word(),
            _ if OPERATOR.contains(first) => self.operator(),
            _ => {
                self.at += first.len_utf8();
                Token::Punctuation(first)
            }
        })
    }

    fn skip_blank(&mut self) {
        loop {
            self.take_while(|char| char.is_ascii_whitespace() || char == '\u{b}' || char == '\u{feff}');
            if self.rest().starts_with("--") {
                self.take_while(|char| char != '\n' && char != '\r');
            } else if self.rest().starts_with("/*") {
                self.skip_block_comment();
            } else {
                return;
            }
        }
    }

    /// Block comments nest (manual, 4.1.5).
    fn skip_block_comment(&mut self) {
        let mut depth = 0usize;
        while !self.rest().is_empty() {
            if self.rest().starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if self.rest().starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += self.peek().map_or(0, char::len_utf8);
            }
        }
    }

    /// The text up to the closing quote, doubled quotes undone; with `escapes` a backslash keeps the next character, both
    /// as written.
    fn until_quote(&mut self, quote: char, escapes: bool) -> String {
        let mut out = String::new();
        while let Some(char) = self.peek() {
            self.at += char.len_utf8();
            if char == quote {
                if self.peek() != Some(quote) {
                    break;
                }
                self.at += 1;
            } else if escapes && char == '\\' {
                out.push(char);
                let Some(escaped) = self.peek() else { break };
                self.at += escaped.len_utf8();
                out.push(escaped);
                continue;
            }
            out.push(char);
        }
        out
    }

    fn dollar(&mut self) -> Token {
        let rest = self.rest();
        let after = &rest[1..];
        if after.starts_with(|char: char| char.is_ascii_digit()) {
            self.at += 1;
            return Token::Parameter(self.take_while(|char| char.is_ascii_digit()).to_owned());
        }
        let tag = after.find(|char: char| !is_word_part(char) || char == '$').unwrap_or(after.len());
        if !after[tag..].starts_with('$') {
            self.at += 1;
            return Token::Punctuation('$');
        }
        let opening = &rest[..tag + 2];
        let body = &rest[opening.len()..];
        let end = body.find(opening).unwrap_or(body.len());
        self.at += (opening.len() + end + opening.len()).min(rest.len());
        Token::String(normal_lines(&body[..end]))
    }

    fn number(&mut self) -> &'a str {
        let start = self.at;
        self.take_while(|char| char.is_ascii_alphanumeric() || char == '.' || char == '_');
        let exponent = self.text[start..self.at].ends_with(['e', 'E'])
            && !self.text[start..self.at].to_ascii_lowercase().starts_with("0x");
        if exponent && self.rest().starts_with(['+', '-']) {
            self.at += 1;
            self.take_while(|char| char.is_ascii_digit() || char == '_');
        }
        &self.text[start..self.at]
    }

    fn word(&mut self) -> Token {
        let word = self.take_while(is_word_part);
        let mut prefix = word.chars();
        if let (Some(letter), None) = (prefix.next().map(|char| char.to_ascii_lowercase()), prefix.next()) {
            if self.peek() == Some('\'') && "ebxn".contains(letter) {
                self.at += 1;
                return Token::Prefixed(letter, normal_lines(&self.until_quote('\'', letter == 'e')));
            }
            if letter == 'u' && self.rest().starts_with("&'") {
                self.at += 2;
                return Token::Prefixed('u', normal_lines(&self.until_quote('\'', false)));
            }
            if letter == 'u' && self.rest().starts_with("&\"") {
                self.at += 2;
                return Token::UnicodeQuoted(self.until_quote('"', false));
            }
        }
        Token::Word(word.to_ascii_lowercase())
    }

    /// The longest operator, which ends before a comment, and ends in `+` or `-` only where it holds a character that no
    /// SQL operator has (manual, 4.1.3).
    fn operator(&mut self) -> Token {
        let rest = self.rest();
        let mut end = rest.find(|char| !OPERATOR.contains(char)).unwrap_or(rest.len());
        for comment in ["--", "/*"] {
            if let Some(at) = rest[..end].find(comment) {
                end = at;
            }
        }
        while end > 1
            && rest[..end].ends_with(['+', '-'])
            && !rest[..end].contains(['~', '!', '@', '#', '%', '^', '&', '|', '`', '?'])
        {
            end -= 1;
        }
        self.at += end;
        Token::Operator(rest[..end].to_owned())
    }
}

fn is_word_start(char: char) -> bool {
    char.is_ascii_alphabetic() || char == '_' || !char.is_ascii()
}

fn is_word_part(char: char) -> bool {
    is_word_start(char) || char.is_ascii_digit() || char == '$'
}

fn normal_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(sql: &str) -> String {
        let mut out = String::new();
        for token in tokens(sql) {
            let (kind, text) = token.parts();
            out.push(kind);
            out.push_str(&text);
            out.push(' ');
        }
        out.trim_end().to_owned()
    }

    #[test]
    fn blanks_comments_case_and_semicolons_do_not_count() {
        let plain = form("ALTER TABLE orders ADD COLUMN status text");
        assert_eq!(
            plain,
            form("\u{feff}alter  table\r\n orders -- why\n add /* a /* nested */ b */ column status text ;; ")
        );
    }

    #[test]
    fn what_the_server_sees_counts() {
        assert_eq!(form(r#""Orders" 'it''s' E'\'x' $1 $$a$$ $t$b$$c$t$"#), r"qOrders sit's E\'x $1 sa sb$$c");
        assert_ne!(form(r#""Orders""#), form("Orders"));
        assert_eq!(form("a<-1"), "wa o< o- n1");
        assert_eq!(form("a@-1"), "wa o@- n1");
        assert_eq!(form("a/*c*/-/*d*/b"), "wa o- wb");
        assert_eq!(form("1e-5+2.5::int"), "n1e-5 o+ n2.5 p: p: wint");
        assert_eq!(form("naïve"), "wnaïve");
        assert_eq!(form("U&'\\0061' u&\"x\""), "U\\0061 ux");
        assert_eq!(form("'a\r\nb'"), form("'a\nb'"));
    }

    #[test]
    fn words_are_found_where_they_stand() {
        let sql = "ALTER TABLE \"add column\" /* ADD COLUMN */ add\n  column a text, ADD COLUMNN b";
        let at = find_words(sql, 0..sql.len(), &["ADD", "COLUMN"]).unwrap();
        assert_eq!(&sql[at], "add\n  column");
        assert_eq!(find_words(sql, 0..10, &["ADD", "COLUMN"]), None);
        assert_eq!(find_words("ADD a, ADD b", 0..12, &["ADD"]), None);
        assert_eq!(find_words("ADD", 0..3, &[]), None);
    }

    #[test]
    fn what_is_not_closed_ends() {
        for open in ["'abc", "\"abc", "$x$abc", "/* abc", "$", "E'\\", "$x"] {
            tokens(open);
        }
    }
}

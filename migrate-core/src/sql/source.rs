//! Where something stands in SQL: a syntax error, and an excerpt that shows the line with a caret under it.

use std::fmt;
use std::ops::Range;

/// SQL that does not parse: the first error, where it stands, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the source.
    pub offset: usize,
    /// Length in bytes; 0 for a place between two tokens.
    pub len: usize,
}

impl SyntaxError {
    /// The error's place as a byte range of the source.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.len
    }

    /// The error over all of the token that it stands before, and naming it as the source spells it.
    pub(crate) fn at_token(mut self, sql: &str) -> Self {
        let rest = sql.get(self.offset..).unwrap_or_default();
        if self.len > 0 || rest.trim_start().is_empty() {
            return self;
        }
        let start = rest.len() - rest.trim_start().len();
        let token = &rest[start..];
        let word =
            token.find(|char: char| !(char.is_alphanumeric() || matches!(char, '_' | '$'))).unwrap_or(token.len());
        let len = if word > 0 { word } else { token.chars().next().map_or(0, char::len_utf8) };
        self.offset += start;
        self.len = len;
        // The parser names kinds of tokens, `found COLUMNN_KW`.
        let kind = self.message.rsplit(' ').next().unwrap_or_default();
        let named = [", found ", ", got "].iter().any(|word| self.message.ends_with(&format!("{word}{kind}")));
        if named && kind.chars().all(|char| char.is_ascii_uppercase() || char == '_') && kind != "EOF" {
            let keep = self.message.len() - kind.len();
            self.message.replace_range(keep.., &format!("`{}`", &token[..len]));
        }
        self
    }

    /// The message, and the excerpt of `sql` that it is about.
    pub fn render(&self, sql: &str) -> String {
        format!("{}\n{}", self.message, Excerpt::new(sql, self.range()))
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SyntaxError {}

/// A line of SQL with its number and a caret under a part of it.
///
/// ```
/// use migrate_core::sql::Excerpt;
/// let shown = Excerpt::new("SELECT 1;\nSELEC 2", 10..15).to_string();
/// assert_eq!(shown, "  --> line 2, column 1\n   |\n 2 | SELEC 2\n   | ^^^^^");
/// ```
#[derive(Debug, Clone)]
pub struct Excerpt<'sql> {
    sql: &'sql str,
    range: Range<usize>,
    file: Option<&'sql str>,
}

/// Characters of a line that are shown at most.
const WIDTH: usize = 120;

impl<'sql> Excerpt<'sql> {
    /// An excerpt of `sql` that points at the byte range; a range outside of it points at the end.
    pub fn new(sql: &'sql str, range: Range<usize>) -> Self {
        let start = floor_boundary(sql, range.start);
        let end = floor_boundary(sql, range.end).max(start);
        Self { sql, range: start..end, file: None }
    }

    /// With the file's name in the first line, `--> migrations/up.sql:3:12`.
    #[must_use]
    pub fn file(mut self, file: &'sql str) -> Self {
        self.file = Some(file);
        self
    }

    /// Line and column of the place, both from 1; the column counts characters.
    pub fn position(&self) -> (usize, usize) {
        let before = &self.sql[..self.range.start];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        (line, column)
    }
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.position();
        let start = self.sql[..self.range.start].rfind('\n').map_or(0, |at| at + 1);
        let end = self.sql[start..].find('\n').map_or(self.sql.len(), |at| start + at);
        let text = self.sql[start..end].trim_end_matches('\r');
        let before = self.sql[start..self.range.start].chars().count();
        let marked = self.sql[self.range.start..self.range.end.min(end).max(self.range.start)].chars().count().max(1);

        let chars = text.chars().count();
        let first = if chars > WIDTH && before > WIDTH / 2 { before - WIDTH / 2 } else { 0 };
        let clipped_left = first > 0;
        let clipped_right = chars > first + WIDTH;
        let mut shown = String::new();
        for char in text.chars().skip(first).take(WIDTH) {
            shown.push(if char == '\t' || char.is_control() { ' ' } else { char });
        }
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        match self.file {
            Some(file) => writeln!(f, " {margin}--> {file}:{line}:{column}")?,
            None => writeln!(f, " {margin}--> line {line}, column {column}")?,
        }
        writeln!(f, " {margin} |")?;
        let left = if clipped_left { "… " } else { "" };
        let right = if clipped_right { " …" } else { "" };
        writeln!(f, " {number} | {left}{}{right}", shown.trim_end())?;
        let indent = before - first + if clipped_left { 2 } else { 0 };
        let marked = marked.min(WIDTH.saturating_sub(before - first).max(1));
        write!(f, " {margin} | {}{}", " ".repeat(indent), "^".repeat(marked))
    }
}

fn floor_boundary(sql: &str, at: usize) -> usize {
    let mut at = at.min(sql.len());
    while !sql.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::{Excerpt, SyntaxError};

    fn show(sql: &str, part: &str) -> String {
        let at = sql.find(part).expect("the part is in it");
        Excerpt::new(sql, at..at + part.len()).to_string()
    }

    #[test]
    fn caret_under_the_part() {
        let sql = "SELECT 1;\n\nALTER TABLE orders ADD COLUMNN status text;\n";
        assert_eq!(
            show(sql, "COLUMNN"),
            "  --> line 3, column 24\n   |\n 3 | ALTER TABLE orders ADD COLUMNN status text;\n   |                        ^^^^^^^"
        );
    }

    #[test]
    fn columns_count_characters_and_tabs_take_one() {
        assert_eq!(show("\té 'ü' bad", "bad"), "  --> line 1, column 8\n   |\n 1 |  é 'ü' bad\n   |        ^^^");
    }

    #[test]
    fn windows_line_ends() {
        assert_eq!(show("a\r\nb bad\r\nc", "bad"), "  --> line 2, column 3\n   |\n 2 | b bad\n   |   ^^^");
    }

    #[test]
    fn long_lines_are_clipped_around_the_caret() {
        let sql = format!("{} bad {}", "x".repeat(500), "y".repeat(500));
        let shown = show(&sql, "bad");
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines[2].chars().count() < 140, "{}", lines[2]);
        let at = lines[2].chars().position(|char| char == 'b').expect("shown");
        assert_eq!(lines[3].chars().position(|char| char == '^'), Some(at));
    }

    #[test]
    fn places_outside_point_at_the_end() {
        assert_eq!(Excerpt::new("ab", 90..95).to_string(), "  --> line 1, column 3\n   |\n 1 | ab\n   |   ^");
        assert_eq!(Excerpt::new("", 0..0).to_string(), "  --> line 1, column 1\n   |\n 1 | \n   | ^");
    }

    #[test]
    fn a_range_over_lines_marks_the_first() {
        assert_eq!(show("a b\nc", "b\nc"), "  --> line 1, column 3\n   |\n 1 | a b\n   |   ^");
    }

    #[test]
    fn errors_cover_and_name_their_token() {
        let error =
            SyntaxError { message: "expected command, found IDENT".into(), offset: 1, len: 0 }.at_token("1 SELEC 2");
        assert_eq!((error.message.as_str(), error.range()), ("expected command, found `SELEC`", 2..7));
        let end = SyntaxError { message: "expected R_PAREN".into(), offset: 2, len: 0 };
        assert_eq!(end.clone().at_token("1 "), end);
    }

    #[test]
    fn names_the_file() {
        assert!(
            Excerpt::new("a b", 2..3)
                .file("migrations/up.sql")
                .to_string()
                .starts_with("  --> migrations/up.sql:1:3\n")
        );
    }
}

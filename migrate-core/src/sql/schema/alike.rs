//! Whether two canonical texts say the same. PostgreSQL keeps an expression as a tree and writes it out in its own way, so
//! that one expression has many texts: what a person wrote, and what a dump says of it. Texts are told apart only where
//! no rewriting of PostgreSQL's makes the one of the other; where that cannot be known from the texts, it is not known.

/// What two texts are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alike {
    Same,
    /// They may be two spellings of one expression.
    Perhaps,
    Different,
}

/// A text in the forms that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    /// Equal: the same.
    pub strict: String,
    /// Unequal: not the same, unless one has a construct that PostgreSQL writes in other words.
    pub loose: String,
    /// The constants alone: what stays whatever the words are.
    pub constants: String,
    /// There is such a construct.
    pub reworded: bool,
    /// What it names: nothing, perhaps columns of its own table, or other things.
    pub mentions: Mentions,
}

/// What a text names, and so what a rename may have changed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mentions {
    Nothing,
    Columns,
    Objects,
}

/// Constructs that `ruleutils.c` writes in other words than they may be written in.
const REWORDED: &[&str] = &[
    "between",
    "symmetric",
    "extract",
    "date_part",
    "substring",
    "overlay",
    "position",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "zone",
    "timezone",
    "interval",
    "similar",
    "normalize",
    "collation",
    "some",
    "overlaps",
    "natural",
    // Operator classes that are not written out where they are the type's own.
    "text_ops",
    "int4_ops",
    "int8_ops",
    "uuid_ops",
    "jsonb_ops",
    "timestamptz_ops",
    "array_ops",
    "range_ops",
    "multirange_ops",
    "box_ops",
    "circle_ops",
    "point_ops",
    "date_ops",
    "timestamp_ops",
    "int2_ops",
    "numeric_ops",
    "bool_ops",
    "bpchar_ops",
    "float8_ops",
    "inet_ops",
    "gist_int4_ops",
    "gist_int8_ops",
    "gist_uuid_ops",
    "gist_text_ops",
    "gist_date_ops",
];

pub(crate) fn alike(a: &str, b: &str) -> Alike {
    if a == b { Alike::Same } else { form(a).alike(&form(b)) }
}

impl Form {
    pub(crate) fn alike(&self, other: &Self) -> Alike {
        if self.strict == other.strict {
            Alike::Same
        } else if self.loose == other.loose || ((self.reworded || other.reworded) && self.constants == other.constants)
        {
            Alike::Perhaps
        } else {
            Alike::Different
        }
    }
}

/// The forms of a text.
pub(crate) fn form(text: &str) -> Form {
    let tokens = strict(between(tokens(text)));
    let loose = loose(&tokens);
    let mut constants: Vec<&str> = loose.iter().filter(|token| constant(token)).map(String::as_str).collect();
    constants.sort_unstable();
    Form {
        strict: tokens.join(" "),
        constants: constants.join(" "),
        reworded: loose.iter().any(|token| REWORDED.contains(&token.as_str()))
            || all_columns(&tokens)
            || using_index(&tokens),
        mentions: mentions(&tokens),
        loose: loose.join(" "),
    }
}

fn constant(token: &str) -> bool {
    token.starts_with('\'') || token.starts_with(|char: char| char.is_ascii_digit())
}

/// `SELECT *`, which is written out as the columns that there are.
fn all_columns(tokens: &[String]) -> bool {
    tokens.windows(2).any(|pair| pair[1] == "*" && matches!(pair[0].as_str(), "select" | "," | "." | "distinct"))
}

/// A constraint that takes over an index whose columns are not known.
fn using_index(tokens: &[String]) -> bool {
    tokens.windows(2).any(|pair| pair[0] == "USING" && pair[1] == "INDEX")
}

fn word(token: &str) -> bool {
    token.starts_with(|char: char| char.is_alphabetic() || char == '_' || char == '"')
}

fn mentions(tokens: &[String]) -> Mentions {
    let mut found = Mentions::Nothing;
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).map(String::as_str);
        let lower = token.to_ascii_lowercase();
        // What stands before a parenthesis and is no function.
        let syntax = ["check", "in", "any", "include", "where", "and", "or", "not", "unique", "key", "with", "btree"];
        let call = next == Some("(") && !syntax.contains(&lower.as_str());
        if token == "." || (word(token) && (call || lower == "references" || lower == "from")) {
            return Mentions::Objects;
        }
        if word(token) {
            found = Mentions::Columns;
        }
    }
    found
}

/// Literals, words, numbers and operators, without the space between.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        let first = chars[at];
        if first.is_whitespace() {
            at += 1;
            continue;
        }
        if first == '\'' || first == '"' {
            at += 1;
            while at < chars.len() {
                if chars[at] == first {
                    if chars.get(at + 1) == Some(&first) {
                        at += 1;
                    } else {
                        break;
                    }
                }
                at += 1;
            }
            at += 1;
        } else if first.is_alphanumeric() || first == '_' {
            let number = first.is_ascii_digit();
            while at < chars.len()
                && (chars[at].is_alphanumeric() || matches!(chars[at], '_' | '$') || (number && chars[at] == '.'))
            {
                at += 1;
            }
        } else if matches!(first, '(' | ')' | '[' | ']' | ',' | ';' | '.') {
            at += 1;
        } else {
            while at < chars.len() && "+-*/<>=~!@#%^&|`?:".contains(chars[at]) {
                at += 1;
            }
            if at == start {
                at += 1;
            }
        }
        out.push(chars[start..at.min(chars.len())].iter().collect());
    }
    out
}

/// `(a between 1 and 2)` as the two comparisons that it is written out as (`transformAExprBetween` in `parse_expr.c`), where
/// the operands are plain. `a in (1, 2)` is not always `a = any (array[1, 2])`: its constants take on the type of `a`.
fn between(tokens: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if let [before, column, between, low, and, high, after] = &tokens[at..(at + 7).min(tokens.len())]
            && (before.as_str(), between.as_str(), and.as_str(), after.as_str()) == ("(", "between", "and", ")")
            && word(column)
            && constant(low)
            && constant(high)
        {
            out.extend([before, column, ">=", low, "and", column, "<=", high].map(str::to_owned));
            at += 6;
            continue;
        }
        out.push(tokens[at].clone());
        at += 1;
    }
    out
}

/// Spellings that PostgreSQL never tells apart.
fn strict(tokens: Vec<String>) -> Vec<String> {
    // A constant by itself is of the type that it is cast to.
    if let [_, cast, _] = tokens.as_slice()
        && cast == "::"
    {
        return tokens;
    }
    let mut out: Vec<String> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        match token.as_str() {
            "public" | "pg_catalog" if rest.peek().is_some_and(|next| next == ".") => {
                rest.next();
            }
            "::" if out.last().is_some_and(|last| last.starts_with('\''))
                && !(out.len() >= 3
                    && out[out.len() - 3] == "nextval"
                    && rest.peek().is_some_and(|next| next == "text"))
                && rest.peek().is_some_and(|next| next == "text" || next == "regclass") =>
            {
                rest.next();
                // An array of them is another type.
                if rest.peek().is_some_and(|next| next == "[") {
                    out.extend(["::".to_owned(), "text".to_owned()]);
                }
            }
            "like" | "ilike" => {
                let negated = out.last().is_some_and(|last| last == "not");
                if negated {
                    out.pop();
                }
                let star = if token == "ilike" { "*" } else { "" };
                out.push(format!("{}~~{star}", if negated { "!" } else { "" }));
            }
            // What a rule does besides is what it does unless it says INSTEAD.
            "also" if out.last().is_some_and(|last| last == "do") => {}
            _ => match token.strip_prefix("'public.") {
                Some(name) if out.len() >= 2 && out[out.len() - 2] == "nextval" => out.push(format!("'{name}")),
                _ => out.push(token),
            },
        }
    }
    out
}

/// Without what PostgreSQL adds and leaves out: parentheses, casts, qualifiers, and the forms of lists.
fn loose(tokens: &[String]) -> Vec<String> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut at = 0;
    let view = tokens.first().is_some_and(|first| first == "(") && tokens.iter().any(|token| token == "AS");
    while at < tokens.len() {
        let token = tokens[at].as_str();
        match token {
            // An array is not what it is of.
            "[" if tokens.get(at + 1).is_some_and(|next| next == "]") => out.push("[]".to_owned()),
            // The columns of a view stand before its query, and their names in the query are these again.
            "as" if view && tokens.get(at + 1).is_some_and(|next| word(next)) => at += 1,
            "(" | ")" | "[" | "]" | "as" | "asc" | "array" | "inner" | "outer" => {}
            // The columns that a foreign key refers to are the primary key's where it names none. Those that an INSERT of a
            // rule fills are written out; without a list it fills them all.
            "REFERENCES" | "into" if token == "REFERENCES" || out.last().is_some_and(|last| last == "insert") => {
                out.push(token.to_owned());
                at += 1;
                while tokens.get(at + 1).is_some_and(|next| next == ".") {
                    at += 2;
                }
                out.extend(tokens.get(at).cloned());
                if tokens.get(at + 1).is_some_and(|next| next == "(") {
                    while at + 1 < tokens.len() && tokens[at] != ")" {
                        at += 1;
                    }
                }
            }
            "in" => out.extend(["=".to_owned(), "any".to_owned()]),
            "::" => {
                at += 1;
                // The words of a type, its modifiers, and its array brackets.
                while tokens.get(at + 1).is_some_and(|next| next == ".") {
                    at += 2;
                }
                if tokens.get(at + 1).is_some_and(|next| next == "(") {
                    while at + 1 < tokens.len() && tokens[at] != ")" {
                        at += 1;
                    }
                }
                if tokens.get(at + 1..at + 3).is_some_and(|next| next == ["[", "]"]) {
                    at += 2;
                }
            }
            _ if tokens.get(at + 1).is_some_and(|next| next == ".") && word(token) => at += 1,
            _ if token.len() > 2 && token.starts_with('\'') => {
                let inner = &token[1..token.len() - 1];
                let plain = inner.starts_with(|char: char| char.is_ascii_digit()) && inner.parse::<f64>().is_ok();
                match inner {
                    "t" | "true" | "on" | "yes" => out.push("true".to_owned()),
                    "f" | "false" | "off" | "no" => out.push("false".to_owned()),
                    _ if plain => out.push(inner.to_owned()),
                    _ => out.push(token.to_owned()),
                }
            }
            _ => out.push(token.to_owned()),
        }
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Alike, Mentions, alike, form};

    #[test]
    fn spellings_of_one_expression_are_not_told_apart() {
        for (a, b) in [
            ("status <> 'paid'", "status <> 'paid'::text"),
            ("nextval('public.s'::regclass)", "nextval('s')"),
            ("public.f(a)", "f(a)"),
            ("name like 'a%'", "name ~~ 'a%'"),
            ("(age between 1 and 5)", "(age >= 1 and age <= 5)"),
            ("on insert to t do also nothing", "on insert to t do nothing"),
        ] {
            assert_eq!(alike(a, b), Alike::Same, "{a} {b}");
        }
        for (a, b) in [
            ("a > 0 and b > 0", "(a > 0) and (b > 0)"),
            ("status in ('a', 'b')", "status = any (array['a'::text, 'b'::text])"),
            ("age between 1 and 5", "age >= 1 and age <= 5"),
            ("'5'", "5"),
            ("orders.id", "id"),
            ("(a, b) AS select aa as a, b from t", "(a, b) AS select aa, b from t"),
            ("do insert into log (id, a) values (1, 2)", "do insert into log values (1, 2)"),
            ("at > '2024-01-01'::date", "at > '2024-01-01'"),
        ] {
            assert_eq!(alike(a, b), Alike::Perhaps, "{a} {b}");
        }
    }

    #[test]
    fn what_is_different_is() {
        for (a, b) in [
            ("age > 0", "age >= 0"),
            ("status <> 'paid'", "status <> 'new'"),
            ("numeric(10,2)", "numeric(12,2)"),
            ("do insert into log values (1, 2)", "do instead insert into log values (1, 2)"),
            ("(a, b) AS select aa as a, b from t", "(a, c) AS select aa as a, b as c from t"),
            ("USING btree (a)", "USING btree (b)"),
            ("age between 1 and 5", "age between 1 and 6"),
            ("FOREIGN KEY (a) REFERENCES t(id)", "FOREIGN KEY (a) REFERENCES t(id) ON DELETE CASCADE"),
            ("status in ('a', 'b')", "status in ('a', 'c')"),
        ] {
            assert_eq!(alike(a, b), Alike::Different, "{a} {b}");
        }
    }

    #[test]
    fn what_a_text_names_is_known() {
        assert_eq!(form("'x'").mentions, Mentions::Nothing);
        assert_eq!(form("0").mentions, Mentions::Nothing);
        assert_eq!(form("USING btree (a)").mentions, Mentions::Columns);
        assert_eq!(form("f(a)").mentions, Mentions::Objects);
    }
}

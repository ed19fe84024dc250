//! What function bodies run: SQL in strings, SQL-standard bodies; and places in bodies as places in the source.

use super::super::ast::{Body, Statement, Stmt};
use super::super::source::SyntaxError;
use super::query;
use super::statement;
use super::tree::{K, Node, Result, Tree};
use squawk_syntax::body::{Body as Parsed, BodyLanguage};
use squawk_syntax::{SourceFile, syntax_error};

/// A body in a language that is not read.
pub(super) fn opaque(language: &str) -> Body {
    Body { opaque: Some(format!("a body in language {language} is not read")), ..Body::default() }
}

/// A SQL-standard body: RETURN or BEGIN ATOMIC.
pub(super) fn standard(node: &Node) -> Result<Body> {
    let mut body = Body::default();
    if node.kind() == K::RETURN_STMT {
        evaluate(node, &mut body)?;
    }
    for child in node.children().filter(|_| node.kind() == K::ATOMIC_BODY) {
        if child.kind() == K::RETURN_STMT {
            evaluate(&child, &mut body)?;
        } else {
            body.statements.extend(statement::statement(&child)?);
        }
    }
    Ok(body)
}

/// A body in SQL in a string.
pub(super) fn sql(parsed: &Parsed<SourceFile>) -> Result<Body> {
    refuse(&parsed.errors())?;
    let mut statements = statement::statements(&parsed.syntax()).map_err(|error| mapped(error, parsed))?;
    remap(&mut statements, parsed);
    Ok(Body { statements, ..Body::default() })
}

/// The parser recovers from errors by guessing; none may pass.
pub(super) fn refuse(errors: &[syntax_error::SyntaxError]) -> Result<()> {
    match errors.iter().min_by_key(|error| error.range().start()) {
        None => Ok(()),
        Some(first) => {
            let range = first.range();
            Err(SyntaxError { message: worded(first.message()), offset: range.start().into(), len: range.len().into() })
        }
    }
}

/// The parser's message with its names of tokens as a person writes them: `R_PAREN` is `)`, `TEXT_KW` is TEXT.
fn worded(message: &str) -> String {
    let word = |word: &str| match word {
        "L_PAREN" => "`(`".to_owned(),
        "R_PAREN" => "`)`".to_owned(),
        "L_BRACK" => "`[`".to_owned(),
        "R_BRACK" => "`]`".to_owned(),
        "COMMA" => "`,`".to_owned(),
        "SEMICOLON" => "`;`".to_owned(),
        "COLON" => "`:`".to_owned(),
        "DOT" => "`.`".to_owned(),
        "EQ" => "`=`".to_owned(),
        "STAR" => "`*`".to_owned(),
        "MINUS" => "`-`".to_owned(),
        "PLUS" => "`+`".to_owned(),
        "SLASH" => "`/`".to_owned(),
        "L_ANGLE" => "`<`".to_owned(),
        "R_ANGLE" => "`>`".to_owned(),
        "EOF" => "the end of the SQL".to_owned(),
        "IDENT" => "a name".to_owned(),
        "STRING" => "a string".to_owned(),
        "INT_NUMBER" | "FLOAT_NUMBER" => "a number".to_owned(),
        "command" => "a command".to_owned(),
        other => other.strip_suffix("_KW").map_or_else(|| other.to_owned(), str::to_owned),
    };
    let mut out = String::new();
    let mut rest = message;
    while let Some(start) = rest.find(|char: char| char.is_ascii_alphanumeric() || char == '_') {
        let len = rest[start..].find(|char: char| !char.is_ascii_alphanumeric() && char != '_');
        let end = len.map_or(rest.len(), |len| start + len);
        out.push_str(&rest[..start]);
        out.push_str(&word(&rest[start..end]));
        rest = &rest[end..];
    }
    out.push_str(rest);
    // What has an article in the parser's own words already.
    out.replace(" a a ", " a ").replace(" an a ", " a ").replace(" a the ", " the ")
}

pub(super) fn mapped<T: BodyLanguage>(error: SyntaxError, parsed: &Parsed<T>) -> SyntaxError {
    let range = place(error.range(), parsed);
    SyntaxError { message: error.message, offset: range.start, len: range.len() }
}

/// The place in the source of a place in the body's string.
pub(super) fn place<T: BodyLanguage>(range: std::ops::Range<usize>, parsed: &Parsed<T>) -> std::ops::Range<usize> {
    // The parser's offsets are 32 bits wide; a longer source is refused before it is parsed.
    let [start, end] = [range.start, range.end].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
    let source = parsed.source_range(rowan::TextRange::new(start.into(), end.into()));
    source.start().into()..source.end().into()
}

/// Spans of the body's string to spans of the source.
pub(super) fn remap<T: BodyLanguage>(statements: &mut [Statement], parsed: &Parsed<T>) {
    for statement in statements {
        statement.span = place(statement.span.clone(), parsed);
        match &mut statement.stmt {
            Stmt::CreateFunction(function) => remap(&mut function.body.statements, parsed),
            Stmt::Do { body, .. } => remap(&mut body.statements, parsed),
            Stmt::CreateSchema { elements, .. } => remap(elements, parsed),
            _ => {}
        }
    }
}

/// What looks like a column in a body may be a parameter or a variable.
pub(super) fn may_name_variables(statement: &mut Statement) {
    let body = match &mut statement.stmt {
        Stmt::CreateFunction(function) => &mut function.body,
        Stmt::Do { body, .. } => body,
        _ => return,
    };
    for inner in &mut body.statements {
        if let Stmt::Query(query) | Stmt::Call { query, .. } = &mut inner.stmt {
            query.writes.iter_mut().for_each(|write| write.own_columns.clear());
        }
        may_name_variables(inner);
    }
}

/// An expression that the body evaluates: a query, where it reads or calls anything.
pub(super) fn evaluate(node: &Node, body: &mut Body) -> Result<()> {
    let query = query::evaluated(node)?;
    if query.reads.is_empty() && query.functions.is_empty() && query.writes.is_empty() {
        return Ok(());
    }
    body.statements.push(Statement {
        span: node.range(),
        text: node.text().to_string().trim().to_owned(),
        stmt: Stmt::Query(query),
    });
    Ok(())
}

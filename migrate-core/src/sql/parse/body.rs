//! What function bodies and DO blocks run: SQL in strings, SQL-standard bodies, PL/pgSQL.

use super::super::ast::{Body, Statement, Stmt};
use super::super::source::SyntaxError;
use super::canonical;
use super::query;
use super::statement;
use super::tree::{K, Node, Result, Tree, is_expr};
use squawk_syntax::body::{Body as Parsed, BodyLanguage};
use squawk_syntax::{SourceFile, ast, syntax_error};

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

/// A body in PL/pgSQL.
pub(super) fn plpgsql(parsed: &Parsed<ast::Plpgsql>) -> Result<Body> {
    refuse(&parsed.errors())?;
    let mut body = Body::default();
    procedural(&parsed.syntax(), &mut body).map_err(|error| mapped(error, parsed))?;
    remap(&mut body.statements, parsed);
    Ok(body)
}

/// The parser recovers from errors by guessing; none may pass.
pub(super) fn refuse(errors: &[syntax_error::SyntaxError]) -> Result<()> {
    match errors.iter().min_by_key(|error| error.range().start()) {
        None => Ok(()),
        Some(first) => {
            let range = first.range();
            Err(SyntaxError {
                message: first.message().to_owned(),
                offset: range.start().into(),
                len: range.len().into(),
            })
        }
    }
}

fn mapped<T: BodyLanguage>(error: SyntaxError, parsed: &Parsed<T>) -> SyntaxError {
    let range = place(error.range(), parsed);
    SyntaxError { message: error.message, offset: range.start, len: range.len() }
}

/// The place in the source of a place in the body's string.
fn place<T: BodyLanguage>(range: std::ops::Range<usize>, parsed: &Parsed<T>) -> std::ops::Range<usize> {
    // The parser's offsets are 32 bits wide; a longer source is refused before it is parsed.
    let [start, end] = [range.start, range.end].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
    let source = parsed.source_range(rowan::TextRange::new(start.into(), end.into()));
    source.start().into()..source.end().into()
}

fn remap<T: BodyLanguage>(statements: &mut [Statement], parsed: &Parsed<T>) {
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

/// Gathers the statements below a PL/pgSQL node.
fn procedural(node: &Node, body: &mut Body) -> Result<()> {
    match node.kind() {
        K::PLPGSQL_COMMIT_STMT | K::PLPGSQL_ROLLBACK_STMT => body.commits = true,
        K::PLPGSQL_DYN_EXECUTE_STMT
        | K::PLPGSQL_FOR_DYN_STMT
        | K::PLPGSQL_RETURN_QUERY_EXECUTE_STMT
        | K::PLPGSQL_OPEN_EXECUTE => {
            execute(node, body)?;
            for child in node.children().filter(|child| child.kind() != K::PLPGSQL_EXPR) {
                procedural(&child, body)?;
            }
        }
        K::PLPGSQL_EXPR => evaluate(node, body)?,
        K::PLPGSQL_PERFORM_STMT | K::PLPGSQL_EXEC_SQL_STMT | K::PLPGSQL_CALL_STMT | K::PLPGSQL_DO_STMT => {
            for child in node.children() {
                body.statements.extend(statement::statement(&child)?);
            }
        }
        kind if ast_statement(kind) => body.statements.extend(statement::statement(node)?),
        kind if is_expr(kind) || kind == K::ARG_LIST => evaluate(node, body)?,
        _ => {
            for child in node.children() {
                procedural(&child, body)?;
            }
        }
    }
    Ok(())
}

fn ast_statement(kind: K) -> bool {
    use squawk_syntax::ast::AstNode;
    ast::Stmt::can_cast(kind)
}

/// EXECUTE of a string: read where it is a constant.
fn execute(node: &Node, body: &mut Body) -> Result<()> {
    let Some(expression) = node.child(K::PLPGSQL_EXPR) else { return Ok(()) };
    evaluate(&expression, body)?;
    let literal = sole_expression(&expression).map(|expression| canonical::unwrapped(&expression));
    let value = literal
        .filter(|literal| literal.kind() == K::LITERAL)
        .and_then(|literal| Some((canonical::string_value(&literal)?, literal)));
    let Some((text, literal)) = value else {
        body.opaque = Some("EXECUTE of a string that is computed".to_owned());
        return Ok(());
    };
    let range = literal.range();
    let parsed = SourceFile::parse(&text);
    // The string's own offsets mean nothing in the source: errors and statements stand at the literal.
    let at_literal = |error: SyntaxError| SyntaxError { offset: range.start, len: range.len(), ..error };
    refuse(&parsed.errors()).map_err(at_literal)?;
    let mut statements = statement::statements(&parsed.syntax_node()).map_err(at_literal)?;
    for statement in &mut statements {
        statement.span = range.clone();
    }
    body.statements.extend(statements);
    Ok(())
}

fn sole_expression(node: &Node) -> Option<Node> {
    if let Some(list) = node.child(K::TARGET_LIST) {
        return list.child(K::TARGET)?.expr();
    }
    node.expr()
}

/// An expression that the body evaluates: a query, where it reads or calls anything.
fn evaluate(node: &Node, body: &mut Body) -> Result<()> {
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

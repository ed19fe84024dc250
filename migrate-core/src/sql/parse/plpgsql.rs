//! Bodies in PL/pgSQL: the statements, expressions and `EXECUTEd` strings in them, whether or not control reaches them.

use super::super::ast::{Body, Statement};
use super::super::source::SyntaxError;
use super::body::{evaluate, mapped, refuse, remap};
use super::constant;
use super::statement;
use super::tree::{K, Node, Result, Token, Tree, is_expr};
use squawk_syntax::SourceFile;
use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::body::Body as Parsed;
use std::ops::Range;

/// A body in PL/pgSQL.
pub(super) fn plpgsql(parsed: &Parsed<ast::Plpgsql>) -> Result<Body> {
    let adapted = without_targets(parsed)?;
    let tree = if let Some(adapted) = &adapted {
        adapted.syntax()
    } else {
        refuse(&parsed.errors())?;
        parsed.syntax()
    };
    let mut body = Body::default();
    procedural(&tree, &mut body).map_err(|error| mapped(error, parsed))?;
    own_text(&mut body.statements, parsed.text());
    remap(&mut body.statements, parsed);
    Ok(body)
}

/// Statements show the source, not the text with blanks for INTO.
fn own_text(statements: &mut [Statement], text: &str) {
    for statement in statements {
        // What an EXECUTEd string holds stands elsewhere: at the string.
        if let Some(own) = text.get(statement.span.clone()).filter(|own| own.len() == statement.text.len()) {
            own.clone_into(&mut statement.text);
        }
    }
}

/// The body parsed again without `INTO target, …`, which PL/pgSQL takes out of SQL statements before it runs them
/// (`make_execsql_stmt` in `pl_gram.y`) and the parser does not know there; `None` where there is none.
fn without_targets(parsed: &Parsed<ast::Plpgsql>) -> Result<Option<Parsed<ast::Plpgsql>>> {
    let targets = targets(&parsed.syntax());
    if targets.is_empty() {
        return Ok(None);
    }
    let mut text = parsed.text().to_owned();
    for target in targets {
        text.replace_range(target.clone(), &" ".repeat(target.len()));
    }
    let tag = (0..).map(|at| format!("$body{at}$")).find(|tag| !text.contains(tag.as_str())).unwrap_or_default();
    let before = format!("DO {tag}");
    let whole = SourceFile::parse(&format!("{before}{text}{tag}"));
    let body = whole.syntax_node().children().next().and_then(ast::Do::cast).and_then(|it| it.plpgsql());
    let Some(body) = body else { return Ok(None) };
    refuse(&body.errors())
        .map_err(|error| mapped(SyntaxError { offset: error.offset.saturating_sub(before.len()), ..error }, parsed))?;
    Ok(Some(body))
}

/// Where the body names INTO and its targets: not INSERT INTO, MERGE INTO, FETCH … INTO, IMPORT … INTO.
fn targets(root: &Node) -> Vec<Range<usize>> {
    let tokens: Vec<Token> = root
        .descendants_with_tokens()
        .filter_map(rowan::NodeOrToken::into_token)
        .filter(|token| !token.kind().is_trivia())
        .collect();
    let word = |at: usize| tokens.get(at).map(|token| token.text().to_ascii_lowercase()).unwrap_or_default();
    let mut found = Vec::new();
    for at in 1..tokens.len() {
        if word(at) != "into" || matches!(word(at - 1).as_str(), "insert" | "merge") {
            continue;
        }
        let first =
            (0..at).rev().find(|before| matches!(word(*before).as_str(), ";" | "begin" | "then" | "else" | "loop"));
        if matches!(word(first.map_or(0, |before| before + 1)).as_str(), "fetch" | "import" | "move") {
            continue;
        }
        let mut end = at + 1 + usize::from(word(at + 1) == "strict");
        loop {
            while word(end + 1) == "." {
                end += 2;
            }
            while word(end + 1) == "[" {
                end = (end + 1..tokens.len()).find(|close| word(*close) == "]").unwrap_or(end + 1);
            }
            if word(end + 1) != "," {
                break;
            }
            end += 2;
        }
        if let Some(last) = tokens.get(end) {
            found.push(tokens[at].text_range().start().into()..last.text_range().end().into());
        }
    }
    found
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
    ast::Stmt::can_cast(kind)
}

/// EXECUTE of a string: read where it is a constant, or computed from constants.
fn execute(node: &Node, body: &mut Body) -> Result<()> {
    let Some(expression) = node.child(K::PLPGSQL_EXPR) else { return Ok(()) };
    let value = sole_expression(&expression).and_then(|computed| Some((constant::text(&computed)?, computed)));
    let Some((text, literal)) = value else {
        evaluate(&expression, body)?;
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

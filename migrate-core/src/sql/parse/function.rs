//! CREATE FUNCTION and PROCEDURE, ALTER of routines, CALL and DO.

use super::super::ast::{Body, CreateFunction, ObjectKind, Routine, Stmt, Volatility};
use super::body;
use super::canonical;
use super::names;
use super::object;
use super::plpgsql;
use super::query;
use super::tree::{K, Node, Result, Tree};
use squawk_syntax::ast::{self, AstNode};

pub(super) fn create(node: &Node) -> Result<Stmt> {
    let procedure = node.kind() == K::CREATE_PROCEDURE;
    let (kind, rule) =
        if procedure { (ObjectKind::Procedure, K::PROCEDURE_NAME) } else { (ObjectKind::Function, K::FUNCTION_NAME) };
    let parameters = node.need(K::PARAM_LIST)?;
    let returns = node.child(K::RET_TYPE);
    let mut function = CreateFunction {
        routine: Routine { kind, name: names::name_in(node, rule)?, args: Some(object::input_types(&parameters)?) },
        or_replace: node.has(K::OR_REPLACE),
        parameters: parameter_list(&parameters),
        returns_set: returns.as_ref().is_some_and(|clause| {
            clause.has(K::TABLE_KW)
                || clause.ty().is_some_and(|ty| ty.descendants_with_tokens().any(|part| part.kind() == K::SETOF_KW))
        }),
        returns: returns.map(|clause| canonical::text(&clause).trim_start_matches("returns ").to_owned()),
        language: "sql".to_owned(),
        volatility: Volatility::Volatile,
        options: Vec::new(),
        body_text: String::new(),
        body: Body::default(),
    };
    let mut definition = None;
    for option in node.child(K::FUNC_OPTION_LIST).iter().flat_map(Node::children) {
        match option.kind() {
            K::LANGUAGE_FUNC_OPTION => function.language = language(&option),
            K::IMMUTABLE => function.volatility = Volatility::Immutable,
            K::STABLE => function.volatility = Volatility::Stable,
            K::VOLATILE => function.volatility = Volatility::Volatile,
            K::AS_FUNC_OPTION => definition = option.any(&[K::AS_DEFINITION, K::AS_OBJ_FILE]),
            _ => function.options.push(canonical_option(&canonical::text(&option))),
        }
    }
    let language = function.language.clone();
    function.options.retain(|option| !is_default_option(option, &language));
    function.options.sort();
    match (definition, node.any(&[K::RETURN_STMT, K::ATOMIC_BODY])) {
        (_, Some(body)) => {
            function.body_text = canonical::text(&body);
            function.body = body::standard(&body)?;
        }
        (Some(definition), None) if definition.kind() == K::AS_DEFINITION => {
            let literal = definition.need(K::LITERAL)?;
            function.body_text =
                canonical::string_value(&literal).ok_or_else(|| literal.fail("expected a string here"))?;
            function.body = of_language(&function.language, node, &literal)?;
        }
        (Some(definition), None) => {
            function.body_text = canonical::text(&definition);
            function.body = body::opaque(&function.language);
        }
        (None, None) => return Err(node.fail("no function body specified")),
    }
    Ok(Stmt::CreateFunction(Box::new(function)))
}

/// The parameters, each in one spelling: IN is what no mode says, and `=` is DEFAULT.
fn parameter_list(list: &Node) -> String {
    let one = |param: Node| {
        let parts = param.children_with_tokens().filter(|part| !part.kind().is_trivia()).map(|part| match &part {
            squawk_syntax::SyntaxElement::Node(node) => {
                let text = canonical::text(node);
                match text.strip_prefix("= ") {
                    Some(default) => format!("default {default}"),
                    None => text,
                }
            }
            squawk_syntax::SyntaxElement::Token(token) => token.text().to_ascii_lowercase(),
        });
        parts.filter(|part| part != "in").collect::<Vec<_>>().join(" ")
    };
    format!("({})", list.children().map(one).collect::<Vec<_>>().join(", "))
}

/// One spelling of each option.
fn canonical_option(text: &str) -> String {
    match text {
        "returns null on null input" => "strict".to_owned(),
        "external security definer" => "security definer".to_owned(),
        "external security invoker" => "security invoker".to_owned(),
        _ => match text.strip_prefix("set ").and_then(|rest| rest.split_once(" to ").or(rest.split_once(" = "))) {
            Some((name, value)) => {
                let items: Vec<&str> = value.split(", ").map(bare_word).collect();
                format!("set {name} = {}", items.join(", "))
            }
            None => text.to_owned(),
        },
    }
}

/// `'pg_catalog'` and `pg_catalog` are the same value of a setting.
fn bare_word(item: &str) -> &str {
    let inner = item.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inner
        .filter(|inner| {
            inner.starts_with(|char: char| char.is_ascii_lowercase() || char == '_')
                && inner.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
        })
        .unwrap_or(item)
}

/// What is so without the option (manual, CREATE FUNCTION).
pub(crate) fn is_default_option(option: &str, language: &str) -> bool {
    let cost = if matches!(language, "c" | "internal") { "cost 1" } else { "cost 100" };
    matches!(option, "called on null input" | "security invoker" | "not leakproof" | "parallel unsafe" | "rows 1000")
        || option == cost
}

fn of_language(language: &str, node: &Node, literal: &Node) -> Result<Body> {
    let function = ast::CreateFunction::cast(node.clone());
    let procedure = ast::CreateProcedure::cast(node.clone());
    match language {
        "plpgsql" => {
            let parsed = function.and_then(|it| it.plpgsql()).or_else(|| procedure.and_then(|it| it.plpgsql()));
            plpgsql::plpgsql(&parsed.ok_or_else(|| literal.fail("expected a body in PL/pgSQL here"))?)
        }
        "sql" => {
            let parsed = function.and_then(|it| it.sql_body()).or_else(|| procedure.and_then(|it| it.sql_body()));
            body::sql(&parsed.ok_or_else(|| literal.fail("expected a body in SQL here"))?)
        }
        other => Ok(body::opaque(other)),
    }
}

/// The language that an option names: an identifier or a string.
fn language(option: &Node) -> String {
    match option.child(K::LANGUAGE_REF) {
        Some(name) => names::ident(&name),
        None => super::options::string_in(option).unwrap_or_default(),
    }
}

pub(super) fn alter(node: &Node) -> Result<Stmt> {
    let (kind, rule) = match node.kind() {
        K::ALTER_FUNCTION => (ObjectKind::Function, K::FUNCTION_SIG),
        K::ALTER_PROCEDURE => (ObjectKind::Procedure, K::PROCEDURE_SIG),
        _ => (ObjectKind::Routine, K::ROUTINE_SIG),
    };
    let signature = node.need(rule)?;
    if let Some(action) = node.children().find(|child| object::is_common(child.kind())) {
        return object::common_action(&action, object::routine_target(&signature, kind)?, false);
    }
    let options = node.need(K::FUNC_OPTION_LIST)?;
    Ok(Stmt::AlterFunction {
        routine: object::routine(&signature, kind)?,
        options: canonical::text(&options),
        list: options.children().map(|option| canonical_option(&canonical::text(&option))).collect(),
    })
}

pub(super) fn call(node: &Node) -> Result<Stmt> {
    let function = names::name_in(node, K::PROCEDURE_NAME_REF)?;
    let mut query = query::evaluated(node)?;
    query.functions.insert(0, function.clone());
    Ok(Stmt::Call { function, query })
}

pub(super) fn do_block(node: &Node) -> Result<Stmt> {
    let language = node.child(K::DO_LANGUAGE).map_or_else(|| "plpgsql".to_owned(), |option| language(&option));
    let parsed = ast::Do::cast(node.clone()).and_then(|it| it.plpgsql());
    let body = match parsed {
        Some(parsed) => plpgsql::plpgsql(&parsed)?,
        None if language == "plpgsql" => return Err(node.fail("expected a body in PL/pgSQL here")),
        None => body::opaque(&language),
    };
    Ok(Stmt::Do { language, body })
}

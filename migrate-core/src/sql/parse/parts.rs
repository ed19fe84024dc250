//! Parts of statements that declarations give by themselves: expressions, SET lists, names, types, parameters.

use super::super::ast::{Expr, TypeName};
use super::super::digest::numbers;
use super::super::name::{Name, quoted};
use super::super::source::SyntaxError;
use super::tree::{K, Node, Result, Tree};
use super::{body, expr, names, stack, types};
use squawk_syntax::SourceFile;
use std::collections::BTreeSet;

/// An expression, `lower(name) || $1`.
pub(crate) fn parse_expression(sql: &str) -> Result<Expr, SyntaxError> {
    wrapped("SELECT (", sql, ")", |root| {
        let select = sole(root, K::SELECT)?;
        let list = select.child(K::SELECT_CLAUSE).filter(|_| select.children().count() == 1);
        let list = list.filter(|clause| clause.children().count() == 1).and_then(|clause| clause.child(K::TARGET_LIST));
        let only = list.filter(|list| list.all(K::TARGET).count() == 1).and_then(|list| list.child(K::TARGET));
        let only = only.filter(|target| target.children().count() == 1).and_then(|target| target.expr());
        match only.filter(|expression| expression.kind() == K::PAREN_EXPR && expression.expr().is_some()) {
            Some(expression) => expr::expr(&expression),
            None => Err(root.fail("expected one expression here")),
        }
    })
}

/// Assignments of UPDATE … SET, `a = 1, b = lower(c)`.
pub(crate) fn parse_set_list(sql: &str) -> Result<Vec<(String, Expr)>, SyntaxError> {
    wrapped("UPDATE t SET ", sql, "", |root| {
        let update = sole(root, K::UPDATE)?;
        let list = update.need(K::SET_CLAUSE)?.need(K::SET_COLUMN_LIST)?;
        if update.children().count() != 2 {
            return Err(update.fail("expected only assignments here"));
        }
        let mut assignments = Vec::new();
        for set in list.children() {
            let target = set.child(K::COLUMN_TARGET).filter(|target| target.children().count() == 1);
            let value = set.child(K::SET_EXPR).and_then(|value| value.expr());
            let (Some(target), Some(value)) = (target, value) else {
                return Err(set.fail("expected `column = expression` here"));
            };
            assignments.push((names::ident_in(&target, K::COLUMN_NAME_REF)?, expr::expr(&value)?));
        }
        Ok(assignments)
    })
}

/// Whether the text is one name as the catalog has it, short enough not to be cut: it says what it is without a parser.
fn plain(sql: &str) -> bool {
    sql.len() < 64 && quoted(sql) == sql
}

/// A table's name, perhaps with its schema.
pub(crate) fn parse_table_name(sql: &str) -> Result<Name, SyntaxError> {
    match sql.split_once('.') {
        None if plain(sql) => return Ok(Name::bare(sql)),
        Some((schema, name)) if plain(schema) && plain(name) => return Ok(Name::qualified(schema, name)),
        _ => {}
    }
    wrapped("DROP TABLE ", sql, "", |root| {
        let drop = sole(root, K::DROP_TABLE)?;
        if drop.children().count() != 1 {
            return Err(drop.fail("expected one table's name here"));
        }
        names::name_in(&drop, K::TABLE_NAME_REF)
    })
}

/// Columns between commas.
pub(crate) fn parse_column_list(sql: &str) -> Result<Vec<String>, SyntaxError> {
    if plain(sql) {
        return Ok(vec![sql.to_owned()]);
    }
    wrapped("COPY t (", sql, ") FROM STDIN", |root| {
        let copy = sole(root, K::COPY)?;
        Ok(names::columns(&copy.need(K::COPY_TABLE)?.need(K::COLUMN_REF_LIST)?))
    })
}

/// A type, `numeric(10, 2)[]`.
pub(crate) fn parse_type(sql: &str) -> Result<TypeName, SyntaxError> {
    if plain(sql) && !types::is_alias(sql) {
        return Ok(TypeName { name: Name::bare(sql), mods: Vec::new(), array: 0, setof: false, percent_type: false });
    }
    wrapped("ALTER TABLE t ALTER c TYPE ", sql, "", |root| {
        let alter = sole(root, K::ALTER_TABLE)?;
        let action = alter.need(K::ALTER_COLUMN)?.need(K::SET_TYPE)?;
        if action.children().count() != 1 || alter.children().count() != 2 {
            return Err(action.fail("expected only a type here"));
        }
        types::type_name(&action.need_ty()?)
    })
}

/// The positional parameters that the SQL uses; the last of the set is the highest.
pub(crate) fn parameters(sql: &str) -> Result<BTreeSet<u32>, SyntaxError> {
    let said = numbers(sql);
    if said.iter().all(Option::is_some) {
        return Ok(said.into_iter().flatten().collect());
    }
    // The parser knows the place of the wrong one.
    stack::on_large(sql, || {
        let mut used = BTreeSet::new();
        for token in
            SourceFile::parse(sql).syntax_node().descendants_with_tokens().filter_map(rowan::NodeOrToken::into_token)
        {
            if token.kind() == K::POSITIONAL_PARAM {
                let number = token.text().strip_prefix('$').and_then(|digits| digits.parse().ok());
                let range = token.text_range();
                used.insert(number.filter(|number| *number > 0).ok_or_else(|| SyntaxError {
                    message: format!("there is no parameter {}", token.text()),
                    offset: range.start().into(),
                    len: range.len().into(),
                })?);
            }
        }
        Ok(used)
    })
}

/// The one statement of the kind in the file.
fn sole(root: &Node, kind: K) -> Result<Node> {
    let mut children = root.children();
    match (children.next(), children.next()) {
        (Some(only), None) if only.kind() == kind => Ok(only),
        (_, Some(second)) => Err(second.fail("expected nothing more here")),
        (Some(other), None) => Err(other.fail("not expected here")),
        (None, None) => Err(root.fail("expected something here")),
    }
}

/// Reads a part as a part of the statement around it, with errors at their place in the part.
fn wrapped<T: Send>(
    before: &str,
    sql: &str,
    after: &str,
    read: impl FnOnce(&Node) -> Result<T> + Send,
) -> Result<T, SyntaxError> {
    // The newline keeps a comment at the part's end from swallowing what follows.
    let whole = format!("{before}{sql}\n{after}");
    stack::on_large(&whole, || {
        let parsed = SourceFile::parse(&whole);
        body::refuse(&parsed.errors())?;
        let root = parsed.syntax_node();
        if root.children().count() > 1 {
            let second = root.children().nth(1).unwrap_or_else(|| root.clone());
            return Err(second.fail("expected nothing more here"));
        }
        read(&root)
    })
    .map_err(|error| {
        let start = error.offset.saturating_sub(before.len()).min(sql.len());
        let end = (error.offset + error.len).saturating_sub(before.len()).clamp(start, sql.len());
        SyntaxError { message: error.message, offset: start, len: end - start }.at_token(sql)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let expression = parse_expression("lower(Name) || $2 -- why").expect("an expression");
        assert_eq!(expression.text, "lower(name) || $2");
        assert_eq!(expression.columns, ["name"]);
        for wrong in ["", "1, 2", "1) FROM t WHERE (a", "SELECT 1", "a b", "1; SELECT 2", "(SELECT 1"] {
            assert!(parse_expression(wrong).is_err(), "{wrong}");
        }
        assert!(parse_expression("(SELECT max(id) FROM t)").is_ok());
        let error = parse_expression("a +* )").expect_err("wrong");
        assert!(error.offset + error.len <= 6, "{error:?}");
    }

    #[test]
    fn set_lists() {
        let list = parse_set_list("total = price * $1, \"Note\" = NULL").expect("a SET list");
        let shown: Vec<_> = list.iter().map(|(name, value)| (name.as_str(), value.text.as_str())).collect();
        assert_eq!(shown, [("total", "price * $1"), ("Note", "null")]);
        for wrong in ["a = 1 WHERE true", "a", "", "a = 1 FROM x", "a = DEFAULT", "(a, b) = (1, 2)", "a[1] = 2"] {
            assert!(parse_set_list(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn table_names() {
        assert_eq!(parse_table_name("Public.\"Orders\""), Ok(Name::qualified("public", "Orders")));
        for wrong in ["a, b", "a CASCADE", "", "a; DROP TABLE b", "if exists a"] {
            assert!(parse_table_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn plain_names_are_what_the_parser_makes_of_them() {
        for name in ["id", "orders", "_x1", "if", "value", "name", "date", "only_x"] {
            assert!(plain(name), "{name}");
            let spelled = format!("{name} ");
            assert_eq!(parse_table_name(name), parse_table_name(&spelled), "{name}");
            assert_eq!(parse_column_list(name), parse_column_list(&spelled), "{name}");
            let qualified = format!("app.{name}");
            assert_eq!(parse_table_name(&qualified), parse_table_name(&format!("{qualified} ")), "{name}");
        }
        for not in ["", "Id", "select", "a b", "a,b", "é", "1a", "user"] {
            assert!(!plain(not), "{not}");
        }
    }

    #[test]
    fn column_lists() {
        assert_eq!(parse_column_list("a, \"B\""), Ok(vec!["a".to_owned(), "B".to_owned()]));
        assert!(parse_column_list("a b").is_err());
        assert!(parse_column_list("").is_err());
    }

    #[test]
    fn types_alone() {
        for name in ["text", "jsonb", "serial", "bigserial", "date", "uuid", "status"] {
            assert_eq!(parse_type(name), parse_type(&format!("{name} ")), "{name}");
        }
        let ty = parse_type("numeric(10, 2)[]").expect("a type");
        assert_eq!((ty.name, ty.mods, ty.array), (Name::bare("numeric"), vec!["10".to_owned(), "2".to_owned()], 1));
        for wrong in ["int USING 1", "int, DROP COLUMN b", ""] {
            assert!(parse_type(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn positional_parameters() {
        assert_eq!(
            parameters("UPDATE t SET a = $2 WHERE b = $1 AND c = '$9' -- $8").map(Vec::from_iter),
            Ok(vec![1, 2])
        );
        assert!(parameters("SELECT $0").is_err());
    }
}

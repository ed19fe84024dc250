//! From the parser's tree to our own statements. The only module that knows the parser crate.
//!
//! Every statement that the grammar has becomes a [`Stmt`]; a node that is not known is an error, never left out. Any
//! syntax error is an error of the whole: what the parser recovers to is a guess.
//!
//! [`Stmt`]: super::ast::Stmt

mod access;
mod adapt;
mod alter_table;
mod body;
mod canonical;
mod constant;
mod constraint;
mod describe;
mod dml;
mod drop;
mod expr;
mod function;
mod hint;
mod index;
mod maintenance;
mod memory;
mod names;
mod object;
mod options;
mod other;
mod parts;
mod plpgsql;
mod query;
mod replication;
mod reserved;
mod schema;
mod sequence;
mod session;
mod stack;
mod statement;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod trigger;
mod types;
mod user_type;
mod view;
mod walk;

use super::ast::Statement;
use super::source::SyntaxError;
pub(crate) use function::is_default_option;
#[allow(unused_imports, reason = "grows with its users")]
pub(crate) use parts::{parameters, parse_column_list, parse_expression, parse_set_list, parse_table_name, parse_type};
use squawk_syntax::SourceFile;

/// A name as functions take it in a string, `'"Shop".orders'`.
pub(crate) fn name_in(text: &str) -> Option<super::name::Name> {
    names::from_text(text)
}

/// The statements in the SQL, or the first thing wrong with it.
pub(crate) fn parse(sql: &str) -> Result<Vec<Statement>, SyntaxError> {
    memory::of(sql, read)
}

fn read(sql: &str) -> Result<Vec<Statement>, SyntaxError> {
    let mut statements = read_all(sql)?;
    statements.iter_mut().for_each(body::may_name_variables);
    Ok(statements)
}

fn read_all(sql: &str) -> Result<Vec<Statement>, SyntaxError> {
    stack::on_large(sql, || {
        let parsed = SourceFile::parse(sql);
        let refused = match body::refuse(&parsed.errors()) {
            Ok(()) => {
                reserved::refuse(&parsed.syntax_node())?;
                return statement::statements(&parsed.syntax_node());
            }
            Err(error) => error,
        };
        let Some((adapted, clauses)) = adapt::taken_out(sql, &parsed.syntax_node()) else { return Err(refused) };
        let parsed = SourceFile::parse(&adapted);
        body::refuse(&parsed.errors())?;
        let mut statements = statement::statements(&parsed.syntax_node())?;
        adapt::put_back(sql, &mut statements, clauses);
        Ok(statements)
    })
    .map_err(|error| hint::hinted(sql, error.at_token(sql)))
}

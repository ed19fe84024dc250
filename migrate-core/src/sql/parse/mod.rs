//! From the parser's tree to our own statements. The only module that knows the parser crate.
//!
//! Every statement that the grammar has becomes a [`Stmt`]; a node that is not known is an error, never left out. Any
//! syntax error is an error of the whole: what the parser recovers to is a guess.
//!
//! [`Stmt`]: super::ast::Stmt

mod alter_table;
mod body;
mod canonical;
mod constraint;
mod dml;
mod drop;
mod expr;
mod function;
mod index;
mod names;
mod object;
mod options;
mod query;
mod sequence;
mod statement;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod types;
mod user_type;
mod view;
mod walk;

use super::ast::Statement;
use super::source::SyntaxError;
use squawk_syntax::SourceFile;

/// The statements in the SQL, or the first thing wrong with it.
pub(crate) fn parse(sql: &str) -> Result<Vec<Statement>, SyntaxError> {
    on_large_stack(sql, || {
        let parsed = SourceFile::parse(sql);
        body::refuse(&parsed.errors())?;
        statement::statements(&parsed.syntax_node())
    })
}

/// Source that is longer than this is refused: the parser's offsets are 32 bits wide, and no migration is this long.
const MAX_BYTES: usize = 64 << 20;

/// Runs the parser on a thread with a stack as large as the source may need, and turns its panics into errors.
fn on_large_stack<T: Send>(sql: &str, work: impl FnOnce() -> Result<T, SyntaxError> + Send) -> Result<T, SyntaxError> {
    let whole = |message: String| SyntaxError { message, offset: 0, len: 0 };
    if sql.len() > MAX_BYTES {
        return Err(whole(format!("{} bytes of SQL are more than the {MAX_BYTES} that are read", sql.len())));
    }
    let stack = 64 << 20;
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("sql-parser".to_owned()).stack_size(stack).spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                Err(whole("the parser failed on this SQL (a fault of the parser, not of the SQL)".to_owned()))
            }
            Err(error) => Err(whole(format!("no thread to parse SQL on: {error}"))),
        }
    })
}

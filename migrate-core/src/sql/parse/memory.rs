//! The statements that were read last, by their text: on the way through one migration the same few texts are asked for
//! several times (a down is derived, then held to account, then looked at; a later step is the witness of an earlier one),
//! and reading is most of what a short statement costs.

use super::super::ast::Statement;
use super::super::source::SyntaxError;
use std::cell::RefCell;
use std::collections::VecDeque;

/// As many texts as one step has, and some.
const TEXTS: usize = 8;
/// A longer text is rarely asked for twice, and costs much to keep.
const BYTES: usize = 4 << 10;

thread_local! {
    static LAST: RefCell<VecDeque<(String, Vec<Statement>)>> = const { RefCell::new(VecDeque::new()) };
}

/// What `read` makes of the text, or made of it a moment ago.
pub(super) fn of(
    sql: &str,
    read: impl FnOnce(&str) -> Result<Vec<Statement>, SyntaxError>,
) -> Result<Vec<Statement>, SyntaxError> {
    if sql.len() > BYTES {
        return read(sql);
    }
    let known = LAST.with_borrow(|last| last.iter().find(|(text, _)| text == sql).map(|(_, read)| read.clone()));
    if let Some(statements) = known {
        return Ok(statements);
    }
    let statements = read(sql)?;
    LAST.with_borrow_mut(|last| {
        if last.len() == TEXTS {
            last.pop_front();
        }
        last.push_back((sql.to_owned(), statements.clone()));
    });
    Ok(statements)
}

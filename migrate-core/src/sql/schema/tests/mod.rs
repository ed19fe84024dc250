//! The schema against PostgreSQL's rules, a file a family, and against what real servers answered.

mod corpus;
mod names;
mod worlds;

use super::{ApplyError, Schema};
use crate::sql::Change;
use crate::sql::parse::parse;

/// The schema after the statements, in an empty database.
fn closed(sql: &str, pg: u16) -> Result<Schema, ApplyError> {
    let mut schema = Schema::empty();
    apply(&mut schema, sql, pg)?;
    Ok(schema)
}

fn apply(schema: &mut Schema, sql: &str, pg: u16) -> Result<Vec<Change>, ApplyError> {
    let mut changes = Vec::new();
    for statement in parse(sql).expect("the test's SQL parses") {
        changes.extend(schema.apply(&statement, pg)?);
    }
    Ok(changes)
}

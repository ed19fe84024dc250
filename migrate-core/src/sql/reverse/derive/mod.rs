//! The down of one up, where the schema before says what to bring back: one file a family.

mod alter;
mod column;
mod drop;
mod object;
mod typed;

pub(crate) use alter::switch;

use crate::model::PgRange;
use crate::sql::ast::{Statement, Stmt};
use crate::sql::schema::Schema;

/// What a derived down is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Derived {
    /// These statements, in order.
    Sql(Vec<String>),
    /// PostgreSQL has nothing to take back, for this reason.
    Nothing(&'static str),
    /// PostgreSQL cannot take it back, for this reason.
    Irreversible(String),
    /// It cannot be derived: what the down must restore, and a down to fill in.
    Needs(String, Option<String>),
}

/// Why a reverse cannot be derived, and what it would look like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Need {
    why: String,
    template: Option<String>,
}

impl Need {
    fn new(why: impl Into<String>, template: impl Into<String>) -> Self {
        Self { why: why.into(), template: Some(template.into()) }
    }

    fn bare(why: impl Into<String>) -> Self {
        Self { why: why.into(), template: None }
    }
}

impl From<Need> for Derived {
    fn from(need: Need) -> Self {
        Self::Needs(need.why, need.template)
    }
}

impl From<Result<Vec<String>, Need>> for Derived {
    fn from(result: Result<Vec<String>, Need>) -> Self {
        match result {
            Ok(statements) if statements.is_empty() => {
                Self::Nothing("the statement changes nothing that is not so already")
            }
            Ok(statements) => Self::Sql(statements),
            Err(need) => need.into(),
        }
    }
}

/// The statement, the schema around it, and the servers it is for.
struct Context<'a> {
    before: &'a Schema,
    after: &'a Schema,
    pg: PgRange,
}

/// The down of `up`, run on the schema `before`.
///
/// A mechanical reverse that would leave something different by [`decide`]'s account is not one.
///
/// [`decide`]: super::decide
pub(crate) fn derive(up: &Statement, before: &Schema, pg: PgRange) -> Derived {
    match mechanical(up, before, pg) {
        Derived::Sql(statements) => held_to_account(up, before, pg, statements),
        other => other,
    }
}

fn held_to_account(up: &Statement, before: &Schema, pg: PgRange, statements: Vec<String>) -> Derived {
    let text = statements.join(";\n");
    let downs = match crate::sql::parse::parse(&text) {
        Ok(downs) => downs,
        Err(error) => {
            return Derived::Needs(format!("the mechanical reverse does not parse: {}", error.message), Some(text));
        }
    };
    let verdict = super::decide(before, std::slice::from_ref(up), &downs, pg);
    if verdict.reverses() {
        return Derived::Sql(statements);
    }
    Derived::Needs(
        format!("the mechanical reverse does not do: after it, {}", verdict.differences.join("; ")),
        Some(text),
    )
}

/// The reverse by the rules alone.
///
/// Names that PostgreSQL makes up and things that go with others are read off the schema after the statement, on the newest
/// server of the range.
pub(super) fn mechanical(up: &Statement, before: &Schema, pg: PgRange) -> Derived {
    let mut after = before.clone();
    if let Err(error) = after.apply(up, pg.max()) {
        return Derived::Needs(format!("the statement itself would fail: {}", error.message), None);
    }
    statement(&up.stmt, &Context { before, after: &after, pg })
}

fn statement(stmt: &Stmt, context: &Context<'_>) -> Derived {
    match stmt {
        Stmt::AlterTable(alter) => alter::alter_table(alter, context),
        Stmt::Drop(drop) => drop::dropped(drop, context),
        Stmt::CreateType { .. }
        | Stmt::AlterEnumAddValue { .. }
        | Stmt::AlterEnumRenameValue { .. }
        | Stmt::AlterComposite { .. }
        | Stmt::CreateDomain(_)
        | Stmt::AlterDomain { .. } => typed::of_types(stmt, context),
        Stmt::Explain { analyze: true, statement: inner } => statement(inner, context),
        _ => object::other(stmt, context),
    }
}

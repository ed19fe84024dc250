//! UPDATE and DELETE of many rows in one statement.

use super::case::Case;
use super::safe_form::SafeForm;
use super::safe_form::struct_name;
use super::{Finding, Hazard, Severity};
use crate::sql::ast::{ConstraintKind, Dml, DmlKind, Query, Stmt};
use crate::sql::locks::run_by;
use crate::sql::name::Name;
use crate::sql::schema::Fact;

pub(super) static HAZARD: Hazard = Hazard {
    name: "unbatched-rows",
    title: "UPDATE or DELETE of many rows in one statement",
    severity: Severity::Blocking,
    why: "Every row that it touches stays locked until the end: clients that write to one of them wait; one long transaction keeps \
          VACUUM from cleaning up, and replicas apply it in one piece. One that fails starts from nothing.",
    lock: "ROW EXCLUSIVE on the table, and FOR UPDATE on each row",
    safe: "A backfill: batches by key, each its own transaction, resumable.",
};

pub(super) fn detect(case: &Case<'_>) -> Vec<Finding> {
    // What is inside a DO block is looked at as a statement of its own.
    let queries = if matches!(case.stmt, Stmt::Do { .. }) { Vec::new() } else { run_by(case.stmt) };
    let mut found = Vec::new();
    for (query, write) in queries.into_iter().flat_map(|query| query.writes.iter().map(move |write| (query, write))) {
        let what = match write.kind {
            DmlKind::Update => "UPDATE",
            DmlKind::Delete => "DELETE",
            DmlKind::Merge if write.merge_actions.iter().any(|action| *action != DmlKind::Insert) => "MERGE",
            DmlKind::Merge | DmlKind::Insert => continue,
        };
        let Some(table) = case.old(&write.table) else { continue };
        if picks_few_rows(case, query, write, &table) {
            continue;
        }
        let rows = if write.filter.is_some() { "the rows that its WHERE picks" } else { "every row" };
        let message = format!(
            "{what} locks {rows} of {table} in one transaction, each until the end: clients that write to one of them wait, and \
             the time grows with the table"
        );
        found
            .push(Finding::new(&HAZARD, message).about(&table).at(case.text, what).safe(backfill(case, write, &table)));
    }
    found
}

/// `WHERE key = constant`, or one of a few, by a column that is unique. Of a table that is not known, `id` counts as such.
fn picks_few_rows(case: &Case<'_>, query: &Query, write: &Dml, table: &Name) -> bool {
    let Some(column) = &query.point_lookup else { return false };
    if query.writes.len() != 1 || write.kind == DmlKind::Merge {
        return false;
    }
    let unique = |columns: &[String]| matches!(columns, [only] if only == column);
    let constrained = case.table(table).is_some_and(|table| {
        table.constraints.values().any(|constraint| {
            matches!(&constraint.kind, Fact::Known(ConstraintKind::PrimaryKey { columns, .. }
                | ConstraintKind::Unique { columns, .. }) if unique(columns))
        })
    });
    let indexed = case.before.indexes_of(table).iter().any(|(_, index)| {
        index.unique == Fact::Known(true)
            && index.predicate.is_none()
            && index.columns.known().is_some_and(|columns| matches!(columns.as_slice(), [Some(only)] if only == column))
    });
    let complete = case.table(table).is_some_and(|table| table.complete);
    constrained || indexed || (!complete && column == "id")
}

fn backfill(case: &Case<'_>, write: &Dml, table: &Name) -> SafeForm {
    let name = &write.table;
    if write.kind != DmlKind::Update {
        return SafeForm::new().note(
            "Rows are deleted in batches by key, each its own transaction, by a job of the service; a migration that needs them \
             gone comes after it.",
        );
    }
    let set = match write.columns.as_slice() {
        [only] => format!("{} = VALUE", crate::sql::name::quoted(only)),
        several => several
            .iter()
            .map(|column| format!("{} = VALUE", crate::sql::name::quoted(column)))
            .collect::<Vec<_>>()
            .join(", "),
    };
    let filter = write.filter.as_ref().map_or_else(
        || {
            write.columns.first().map_or_else(
                || "CONDITION".to_owned(),
                |column| format!("{} IS NULL", crate::sql::name::quoted(column)),
            )
        },
        |filter| filter.text.clone(),
    );
    SafeForm::new()
        .note("The filter holds for rows that still want filling, and no longer for those that are filled; VALUE is what SET gave.")
        .backfill(
            &struct_name("Fill", &[&name.name]),
            name,
            &case.key(table),
            &set,
            &filter,
            "the rows may keep what they were given",
        )
}

#[cfg(test)]
mod tests {
    use super::super::harness::{refused, shop, unknown};

    #[test]
    fn many_rows() {
        for before in [shop(), unknown()] {
            for sql in [
                "UPDATE orders SET note = 'x'",
                "UPDATE orders SET note = 'x' WHERE note IS NULL",
                "DELETE FROM orders WHERE total = 5",
                "WITH gone AS (DELETE FROM orders RETURNING id) SELECT count(*) FROM gone",
            ] {
                assert_eq!(refused(&before, sql), ["unbatched-rows"], "{sql}");
            }
            assert!(refused(&before, "UPDATE orders SET note = 'x' WHERE id = 5").is_empty());
            assert!(refused(&before, "DELETE FROM orders WHERE id IN (5, 6)").is_empty());
            assert_eq!(refused(&before, "DELETE FROM orders WHERE id IN (SELECT id FROM users)"), ["unbatched-rows"]);
            assert!(refused(&before, "INSERT INTO users (id, email) SELECT id, note FROM orders").is_empty());
        }
    }

    #[test]
    fn a_key_is_what_the_schema_says() {
        assert!(refused(&shop(), "UPDATE users SET full_name = 'x' WHERE email = 'a'").is_empty());
        assert_eq!(refused(&unknown(), "UPDATE users SET full_name = 'x' WHERE email = 'a'"), ["unbatched-rows"]);
    }
}

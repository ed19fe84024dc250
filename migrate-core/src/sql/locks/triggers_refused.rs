//! Which triggers PostgreSQL refuses to make (`CreateTriggerFiringOn` in `trigger.c`, `CreateEventTrigger`).

use super::refused::{Refused, error};
use crate::sql::ast::CreateTrigger;
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Relation, Schema, Table, columns_after, update_of};
use crate::sql::server::Server;

pub(super) fn trigger(before: &Schema, create: &CreateTrigger) -> Refused {
    let on = before.resolve(&create.table);
    let name = &on.name;
    let events = || create.events.iter().map(|event| event.to_ascii_uppercase());
    let truncates = events().any(|event| event.starts_with("TRUNCATE"));
    match before.relation(&on) {
        Some(Relation::MaterializedView(_)) => {
            return error("42809", format!("relation \"{name}\" cannot have triggers"));
        }
        Some(Relation::Table(_)) if create.instead_of => return error("42809", format!("\"{name}\" is a table")),
        Some(Relation::View(_)) if truncates || (create.for_each_row && !create.instead_of) => {
            return error("42809", format!("\"{name}\" is a view"));
        }
        _ => {}
    }
    if truncates && create.for_each_row {
        return error("0A000", "TRUNCATE FOR EACH ROW triggers are not supported".to_owned());
    }
    let table = before.table(&on);
    if create.definition.contains(" referencing ") {
        let of_columns = events().any(|event| event.starts_with("UPDATE OF"));
        transitions(before, create, &on, table)?;
        if of_columns || create.events.len() > 1 {
            return error("0A000", "transition tables cannot be specified for these events".to_owned());
        }
    }
    if let Some(table) = table.filter(|table| table.complete) {
        columns(create, table, name)?;
    }
    if create.or_replace && before.is_cloned_trigger(&on, &create.name) {
        return error(
            "42710",
            format!("trigger \"{}\" for relation \"{name}\" is an internal or a child trigger", create.name),
        );
    }
    returns(before, &create.function, "trigger")
}

fn transitions(before: &Schema, create: &CreateTrigger, on: &Name, table: Option<&Table>) -> Refused {
    let Some(table) = table else { return Ok(()) };
    let name = &on.name;
    if table.foreign == Fact::Known(true) {
        return error("42809", format!("\"{name}\" is a foreign table"));
    }
    if !create.definition.starts_with("after") {
        return error("42P17", "transition table name can only be specified for an AFTER trigger".to_owned());
    }
    let partition = matches!(table.partition_of, Fact::Known(Some(_)));
    if create.for_each_row && (before.is_partitioned(on) || partition || !table.inherits.is_empty()) {
        return error(
            "0A000",
            "ROW triggers with transition tables are not supported on partitions and inheritance children".to_owned(),
        );
    }
    Ok(())
}

fn columns(create: &CreateTrigger, table: &Table, name: &str) -> Refused {
    let missing = |columns: Vec<String>| {
        columns.into_iter().find(|column| table.column(column).is_none() && !is_system_column(column) && column != "*")
    };
    if let Some(column) = missing(update_of(&create.definition)) {
        return error("42703", format!("column \"{column}\" of relation \"{name}\" does not exist"));
    }
    let rows = ["old.", "new."].into_iter().flat_map(|row| columns_after(&create.definition, row)).collect();
    match missing(rows) {
        Some(column) => error("42703", format!("column {column} of the row does not exist")),
        None => Ok(()),
    }
}

fn is_system_column(name: &str) -> bool {
    matches!(name, "tableoid" | "ctid" | "xmin" | "xmax" | "cmin" | "cmax")
}

/// `function … must return type …`, where every function of that name returns another.
fn returns(before: &Schema, function: &Name, wanted: &str) -> Refused {
    let Some(listed) = before.find_functions(function).and_then(|found| before.functions.get(&found)) else {
        return Ok(());
    };
    let wrong = |returns: &Option<String>| {
        returns.as_ref().is_some_and(|returns| returns.trim_start_matches("pg_catalog.") != wanted)
    };
    if !listed.is_empty() && listed.iter().all(|function| wrong(&function.returns)) {
        return error("42P17", format!("function {} must return type {wanted}", function.name));
    }
    Ok(())
}

/// `CREATE EVENT TRIGGER name ON event … EXECUTE FUNCTION f()`, as canonical text.
pub(super) fn event_trigger(before: &Schema, pg: Server<'_>, text: &str) -> Refused {
    let lower = text.to_ascii_lowercase();
    let Some(event) = lower.split(" on ").nth(1).and_then(|rest| rest.split_whitespace().next()) else { return Ok(()) };
    let known = matches!(event, "ddl_command_start" | "ddl_command_end" | "table_rewrite" | "sql_drop")
        || (event == "login" && pg.at_least(17));
    if !known {
        return error("42601", format!("unrecognized event name \"{event}\""));
    }
    let called = ["execute function ", "execute procedure "]
        .into_iter()
        .find_map(|words| lower.rfind(words).map(|at| &text[at + words.len()..]))
        .and_then(|call| call.split('(').next())
        .and_then(crate::sql::parse::name_in);
    called.map_or(Ok(()), |function| returns(before, &function, "event_trigger"))
}

//! What hangs on objects without being one: comments, privileges and owners, which go with their object and come back only
//! where somebody says them again.

use crate::sql::ast::{ObjectKind, Target};
use crate::sql::name::Name;
use crate::sql::print;
use crate::sql::schema::{Fact, Schema, World};

/// The key in [`Schema::others`] of the object that a statement names: its kind, and its full name.
fn key(target: &Target, schema: &Schema) -> String {
    let noun = match target.kind {
        ObjectKind::Statistics => "statistics object".to_owned(),
        ObjectKind::DomainConstraint => "constraint".to_owned(),
        kind => kind.sql().to_lowercase(),
    };
    match &target.on {
        Some(on) => format!("{noun} {}.{}", schema.resolve(on), Name::bare(&target.name.name)),
        None => match target.kind {
            ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Sequence
            | ObjectKind::Index => {
                let found = schema.resolve(&target.name);
                format!("{} {found}", schema.relation_id(&found).noun)
            }
            ObjectKind::Type | ObjectKind::Domain => {
                let found = schema.find_type(&target.name).unwrap_or_else(|| schema.place(&target.name));
                format!("{} {found}", schema.type_id(&found).noun)
            }
            _ => format!("{noun} {}", target.name),
        },
    }
}

/// The comment that the target had, where the schema says so.
pub(crate) fn old_comment(target: &Target, before: &Schema) -> Fact<Option<String>> {
    if let Some(text) = before.others.get(&format!("comment on {}", key(target, before))) {
        return Fact::Known(Some(text.clone()));
    }
    let table = target.on.as_ref().unwrap_or(&target.name);
    let new = before.is_new(&before.resolve(table));
    let column_is_new = target.kind == ObjectKind::Column
        && before
            .table(&before.resolve(table))
            .and_then(|table| table.column(&target.name.name))
            .is_some_and(|column| column.generated.known().is_some());
    if before.world == World::Closed || new || column_is_new { Fact::Known(None) } else { Fact::Unknown }
}

/// How a trigger or rule is enabled, where that is not as usual: `DISABLE`, `ENABLE ALWAYS`, `ENABLE REPLICA`.
pub(crate) fn state<'s>(noun: &str, table: &Name, name: &str, schema: &'s Schema) -> Option<&'s str> {
    schema.others.get(&format!("state on {noun} {table}.{}", Name::bare(name))).map(String::as_str)
}

/// The statements that bring back comments, privileges and owners that are not there any more.
pub(super) fn lost(before: &Schema, after: &Schema) -> Vec<String> {
    before
        .others
        .iter()
        .filter(|(key, _)| !after.others.contains_key(*key))
        .flat_map(|(key, text)| statement(key, text))
        .collect()
}

pub(crate) fn statement(key: &str, text: &str) -> Vec<String> {
    if let Some(object) = key.strip_prefix("comment on ") {
        return vec![format!("COMMENT ON {} IS {}", spelled(object), print::literal(text))];
    }
    if let Some(object) = key.strip_prefix("owner on ") {
        return vec![format!("ALTER {} OWNER TO {}", spelled(object), print::role(text))];
    }
    if let Some((object, grantee)) = key.strip_prefix("privileges on ").and_then(|rest| rest.rsplit_once(" to ")) {
        return privileges(object, grantee, text);
    }
    if let Some(rest) = key.strip_prefix("state on ") {
        let (noun, name) = rest.split_once(' ').unwrap_or((rest, ""));
        return split_last(name)
            .map(|(table, name)| format!("ALTER TABLE {table} {text} {} {name}", noun.to_uppercase()))
            .into_iter()
            .collect();
    }
    // An object that is nothing but the statement that made it.
    if text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("create ")) {
        return vec![text.to_owned()];
    }
    Vec::new()
}

fn privileges(object: &str, grantee: &str, text: &str) -> Vec<String> {
    let on = spelled(object);
    // GRANT knows views and the like as tables.
    let on = ["VIEW ", "MATERIALIZED VIEW ", "FOREIGN TABLE "]
        .iter()
        .find_map(|kind| on.strip_prefix(kind).map(|name| format!("TABLE {name}")))
        .unwrap_or(on);
    let mut statements = Vec::new();
    for (suffix, tail) in [(" WITH GRANT OPTION", " WITH GRANT OPTION"), ("", "")] {
        let held: Vec<&str> = text
            .split("; ")
            .filter(|held| !held.is_empty() && !held.starts_with('-'))
            .filter_map(|held| match held.strip_suffix(" WITH GRANT OPTION") {
                Some(held) => (!suffix.is_empty()).then_some(held),
                None => suffix.is_empty().then_some(held),
            })
            .collect();
        if !held.is_empty() {
            statements.push(format!("GRANT {} ON {on} TO {}{tail}", held.join(", "), print::role(grantee)));
        }
    }
    let taken: Vec<&str> = text.split("; ").filter_map(|held| held.strip_prefix('-')).collect();
    if !taken.is_empty() {
        statements.push(format!("REVOKE {} ON {on} FROM {}", taken.join(", "), print::role(grantee)));
    }
    statements
}

/// `constraint public.orders.qty_ok` as `CONSTRAINT qty_ok ON public.orders`.
fn spelled(object: &str) -> String {
    for noun in ["constraint", "trigger", "policy", "rule"] {
        if let Some((owner, name)) =
            object.strip_prefix(noun).and_then(|rest| rest.strip_prefix(' ')).and_then(split_last)
        {
            return format!("{} {name} ON {owner}", noun.to_uppercase());
        }
    }
    for noun in [
        "materialized view",
        "foreign table",
        "statistics object",
        "table",
        "view",
        "index",
        "sequence",
        "column",
        "function",
        "procedure",
        "aggregate",
        "type",
        "domain",
        "schema",
        "extension",
    ] {
        if let Some(name) = object.strip_prefix(noun).and_then(|rest| rest.strip_prefix(' ')) {
            let noun = if noun == "statistics object" { "statistics" } else { noun };
            return format!("{} {name}", noun.to_uppercase());
        }
    }
    object.to_owned()
}

/// Splits at the last dot that is not inside quotes.
fn split_last(name: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut last = None;
    for (at, char) in name.char_indices() {
        match char {
            '"' => quoted = !quoted,
            '.' if !quoted => last = Some(at),
            _ => {}
        }
    }
    last.map(|at| (&name[..at], &name[at + 1..]))
}

//! What each kind of thing is, as a text to compare: equal texts, equal things.
#![allow(clippy::format_push_string, reason = "texts are put together part by part")]

use super::say::shown;
use crate::model::Space;
use crate::sql::ObjectId;
use crate::sql::ast::{ConstraintKind, SequenceOptions, TriggerMode};
use crate::sql::name::{Name, quoted};
use crate::sql::schema::text::{
    column_text, constraint_text, domain_text, list, sequence_text, type_definition_text, type_text,
};
use crate::sql::schema::{Column, Constraint, Fact, Index, Relation, Sequence, Table, Trigger, Type, View};

pub(super) fn text_fact<T>(fact: &Fact<T>, text: impl Fn(&T) -> String) -> Fact<String> {
    match fact {
        Fact::Known(value) => Fact::Known(text(value)),
        Fact::Unknown => Fact::Unknown,
    }
}

/// A NOT NULL that PostgreSQL 18 keeps as a constraint under a name of its own making: the column says the same.
pub(crate) fn says_only_not_null(name: &str, of: &Constraint) -> bool {
    matches!(of.kind, Fact::Known(ConstraintKind::NotNull { .. }))
        && of.validated != Fact::Known(false)
        && !of.no_inherit
        && made_up_not_null(name)
}

/// `orders_id_not_null`, perhaps with a number.
pub(super) fn made_up_not_null(name: &str) -> bool {
    name.trim_end_matches(|char: char| char.is_ascii_digit()).ends_with("_not_null")
}

pub(super) fn as_table(relation: Option<&Relation>) -> Option<&Table> {
    match relation {
        Some(Relation::Table(table)) => Some(table),
        _ => None,
    }
}

pub(super) fn column_id(table: &Name, column: &str) -> ObjectId {
    part_id(Space::Column, "column", table, column)
}

pub(super) fn part_id(space: Space, noun: &'static str, owner: &Name, name: &str) -> ObjectId {
    ObjectId { space, noun, owner: Some(owner.clone()), name: Name::bare(name) }
}

/// The value, where it is not what none means.
pub(super) fn unless(value: Option<&String>, default: &str) -> String {
    or_none(value.filter(|value| *value != default))
}

pub(super) fn or_none(value: Option<&String>) -> String {
    value.map_or_else(|| "none".to_owned(), Clone::clone)
}

pub(super) fn names(names: &[Name]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.iter().map(shown).collect::<Vec<_>>().join(", ") }
}

/// The default without a cast to the column's own type, which PostgreSQL adds by itself; a default of NULL is none
/// (`AddRelationNewConstraints` in `heap.c`).
pub(crate) fn default_text(text: &str, column: &Column) -> String {
    if text == "null" {
        return String::new();
    }
    if let Some((literal, cast)) = text.rsplit_once("::")
        && literal.len() > 1
        && literal.starts_with('\'')
        && literal.ends_with('\'')
        && let Some(data_type) = column.data_type.known()
    {
        let plain = crate::sql::ast::TypeName { mods: Vec::new(), ..data_type.clone() };
        if cast == type_text(&plain) || cast == type_text(data_type) {
            return literal.to_owned();
        }
    }
    text.to_owned()
}

/// What makes the default explicit: no setting at all.
pub(crate) fn is_default(what: &str, value: &str, column: &Column) -> bool {
    match what {
        "STATISTICS" => matches!(value, "-1" | "DEFAULT" | "default"),
        "STORAGE" => {
            value.eq_ignore_ascii_case("default")
                || column
                    .data_type
                    .known()
                    .and_then(default_storage)
                    .is_some_and(|default| default.eq_ignore_ascii_case(value))
        }
        _ => value.eq_ignore_ascii_case("default"),
    }
}

/// `typstorage` of a built-in type (`pg_type.dat`).
pub(crate) fn default_storage(data_type: &crate::sql::ast::TypeName) -> Option<&'static str> {
    if data_type.array > 0 {
        return Some("EXTENDED");
    }
    Some(match data_type.name.name.as_str() {
        "text" | "varchar" | "bpchar" | "bytea" | "json" | "jsonb" | "xml" | "tsvector" | "bit" | "varbit" | "path"
        | "polygon" => "EXTENDED",
        "numeric" | "inet" | "cidr" => "MAIN",
        "int2" | "int4" | "int8" | "float4" | "float8" | "bool" | "uuid" | "date" | "time" | "timetz" | "timestamp"
        | "timestamptz" | "interval" | "tsquery" => "PLAIN",
        _ => return None,
    })
}

/// Whether something else speaks for the relation: a constraint for its index, an identity column for its sequence, a
/// parent for the index of its partition.
pub(crate) fn part_of_another(relation: &Relation) -> bool {
    match relation {
        Relation::Index(index) => index.constraint.is_some() || index.parent.is_some(),
        Relation::Sequence(sequence) => sequence.identity,
        _ => false,
    }
}

pub(super) fn relation_text(relation: &Relation) -> Option<String> {
    match relation {
        Relation::Table(table) => Some(table_text(table)),
        Relation::View(view) => view_text(view),
        Relation::MaterializedView(view) => {
            view_text(view).map(|text| if view.populated { text } else { format!("{text} WITH NO DATA") })
        }
        Relation::Sequence(sequence) => sequence_definition(sequence),
        Relation::Index(index) => index_definition(index),
    }
}

pub(crate) fn view_text(view: &View) -> Option<String> {
    let definition = view.definition.known()?;
    let columns = view.columns.known().map_or_else(String::new, |columns| format!("({}) ", list(columns)));
    let options = if view.options.is_empty() { String::new() } else { format!("{} ", view.options) };
    Some(format!("{columns}{options}AS {definition}"))
}

pub(crate) fn sequence_definition(sequence: &Sequence) -> Option<String> {
    let options = sequence.options.known()?;
    let mut text = sequence_text(&normal(options));
    if sequence.unlogged {
        text.push_str(" UNLOGGED");
    }
    if let Fact::Known(Some((table, column))) = &sequence.owned_by {
        text.push_str(&format!(" OWNED BY {}.{}", shown(table), quoted(column)));
    }
    Some(text.trim_start().to_owned())
}

/// The options without those that say what is so anyway (manual, CREATE SEQUENCE), in one order.
pub(crate) fn normal(options: &SequenceOptions) -> SequenceOptions {
    let mut settings: Vec<_> = options
        .settings
        .iter()
        .filter(|(name, value)| {
            !matches!(
                (name.as_str(), value.as_str()),
                ("INCREMENT" | "START" | "CACHE", "1") | ("MINVALUE" | "MAXVALUE" | "CYCLE", "NO") | ("LOGGED", _)
            )
        })
        .cloned()
        .collect();
    settings.sort();
    let data_type = options.data_type.clone().filter(|data_type| data_type.name.name != "int8");
    SequenceOptions { data_type, settings, owned_by: None, restart: None }
}

pub(crate) fn index_definition(index: &Index) -> Option<String> {
    let definition = index.definition.known()?;
    let table = index.table.known().map_or_else(String::new, |table| format!("ON {} ", shown(table)));
    let valid = if index.valid { "" } else { " INVALID" };
    Some(format!("{table}{definition}{valid}"))
}

/// What it is, and how it is enabled. Of a trigger that is not listed, that is kept by itself, under `state on …`.
pub(super) fn trigger_text(trigger: &Trigger) -> Option<String> {
    let state = match trigger.mode {
        None => " DISABLED",
        Some(TriggerMode::Origin) => "",
        Some(TriggerMode::Always) => " ENABLED ALWAYS",
        Some(TriggerMode::Replica) => " ENABLED ON REPLICAS",
    };
    trigger.definition.known().map(|definition| format!("{definition}{state}"))
}

pub(crate) fn defined_type_text(of: &Type) -> Option<String> {
    match of {
        Type::Defined { definition, .. } => Some(type_definition_text(definition)),
        Type::Domain(domain) => Some(domain_text(domain)),
        Type::Mentioned { .. } => None,
    }
}

/// What is published, and how where that is not as usual (manual, CREATE PUBLICATION: all actions, not via the root).
pub(super) fn publication_text(scope: &crate::sql::ast::PublicationScope) -> String {
    let mut text = crate::sql::print::publication_scope(scope);
    let with = scope.with.as_deref().unwrap_or_default().to_ascii_lowercase();
    let inside = with.trim_start_matches("with").trim().trim_start_matches('(').trim_end_matches(')');
    // A list of actions has commas of its own, inside quotes.
    let mut options: Vec<String> = Vec::new();
    for (at, piece) in inside.split('\'').enumerate() {
        if at % 2 == 1 {
            let mut actions: Vec<&str> = piece.split(',').map(str::trim).collect();
            actions.sort_unstable();
            if let Some(last) = options.last_mut() {
                last.push_str(&actions.join(", "));
            }
        } else {
            for (which, option) in piece.split(',').enumerate() {
                match options.last_mut() {
                    Some(last) if which == 0 => last.push_str(option),
                    _ => options.push(option.to_owned()),
                }
            }
        }
    }
    let mut options: Vec<String> = options
        .iter()
        .map(|option| option.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|option| {
            !matches!(
                option.replace(' ', "").as_str(),
                "" | "publish=delete,insert,truncate,update"
                    | "publish_via_partition_root=false"
                    | "publish_generated_columns=none"
            )
        })
        .collect();
    options.sort();
    if !options.is_empty() {
        text.push_str(&format!(" WITH ({})", options.join(", ")));
    }
    text
}

pub(crate) fn partition_key(table: &Table) -> Fact<String> {
    text_fact(&table.partition_by, |by| by.as_ref().map_or_else(|| "none".to_owned(), |by| by.text.clone()))
}

pub(crate) fn partition_of(table: &Table) -> Fact<String> {
    text_fact(&table.partition_of, |of| {
        of.as_ref().map_or_else(
            || "no partition".to_owned(),
            |(parent, bound)| format!("partition of {} {}", shown(parent), crate::sql::print::bound(bound)),
        )
    })
}

/// The key without the schema that goes without saying.
pub(super) fn spoken(key: &str) -> String {
    key.replace(" public.", " ").replace("state on ", "state of ")
}

/// The table's columns and constraints.
pub(super) fn table_text(table: &Table) -> String {
    let mut items: Vec<String> =
        table.columns.iter().map(|column| format!("{} {}", quoted(&column.name), column_text(column))).collect();
    items.extend(
        table.constraints.iter().map(|(name, of)| format!("CONSTRAINT {} {}", quoted(name), constraint_text(of))),
    );
    format!("({})", items.join(", "))
}

//! What each kind of thing is, as a text to compare: equal texts, equal things.
#![allow(clippy::format_push_string, reason = "texts are put together part by part")]

use super::say::shown;
use crate::model::Space;
use crate::sql::ObjectId;
use crate::sql::ast::{ConstraintKind, Identity, PublicationScope, SequenceOptions, TriggerMode};
use crate::sql::name::{Name, quoted};
use crate::sql::schema::naming::object_name;
use crate::sql::schema::parameters;
use crate::sql::schema::text::{
    column_text, constraint_text, domain_text, identity_text, list, sequence_text, type_definition_text, type_text,
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
    let data_type = column.data_type.known();
    // With a length to be held to it is no bare constant any more, and stays.
    if text == "null" && data_type.is_none_or(|data_type| data_type.mods.is_empty()) {
        return String::new();
    }
    if let Some(text) = data_type.and_then(|data_type| constant_of(text, &data_type.name.name)) {
        return text;
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

/// A constant as the column's type has it: `'t'` of a boolean, `'1'` of an integer; and a text that is not of the
/// column's type, which stays one.
fn constant_of(text: &str, data_type: &str) -> Option<String> {
    if let Some(literal) = text.strip_suffix("::text")
        && literal.ends_with('\'')
        && literal.starts_with('\'')
        && data_type != "text"
    {
        return Some(format!("text {literal}"));
    }
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    match data_type {
        "bool" => match inner {
            "t" | "true" | "on" | "yes" | "1" => Some("true".to_owned()),
            "f" | "false" | "off" | "no" | "0" => Some("false".to_owned()),
            _ => None,
        },
        "int2" | "int4" | "int8" => inner.trim().parse::<i64>().ok().map(|number| number.to_string()),
        "json" | "jsonb"
            if inner.chars().all(|char| char.is_whitespace() || "{}[]".contains(char)) && data_type == "jsonb" =>
        {
            Some(format!("'{}'", inner.split_whitespace().collect::<String>()))
        }
        _ => None,
    }
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
    let mut options = normal(sequence.options.known()?);
    // Its own name, which an identity's options may give.
    options.settings.retain(|(name, _)| name != "SEQUENCE NAME");
    let mut text = sequence_text(&options);
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
    let number = |wanted: &str| {
        options.settings.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.parse::<i64>().ok())
    };
    let up = number("INCREMENT").is_none_or(|increment| increment > 0);
    let (least, most) = match options.data_type.as_ref().map(|data_type| data_type.name.name.as_str()) {
        Some("int2") => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Some("int4") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let (least, most) = if up { (1, most) } else { (least, -1) };
    let first = if up { number("MINVALUE").unwrap_or(least) } else { number("MAXVALUE").unwrap_or(most) };
    let mut settings: Vec<_> = options
        .settings
        .iter()
        .filter(|(name, value)| {
            let value_is = |number: i64| value.parse() == Ok(number);
            !match name.as_str() {
                "INCREMENT" | "CACHE" => value == "1",
                "START" => value_is(first),
                "MINVALUE" => value == "NO" || value_is(least),
                "MAXVALUE" => value == "NO" || value_is(most),
                "CYCLE" => value == "NO",
                "LOGGED" => true,
                _ => false,
            }
        })
        .cloned()
        .collect();
    settings.sort();
    let data_type = options.data_type.clone().filter(|data_type| data_type.name.name != "int8");
    SequenceOptions { data_type, settings, owned_by: None, restart: None }
}

/// The identity of a column without what it would be unsaid.
pub(crate) fn identity_of(table: &Name, column: &Column) -> Fact<String> {
    text_fact(&column.identity, |identity| {
        let Some(identity) = identity else { return String::new() };
        let mut options = normal(&identity.options);
        let own = object_name(&table.name, Some(&column.name), Some("seq"));
        options.settings.retain(|(name, value)| {
            name != "SEQUENCE NAME" || value.rsplit('.').next().is_none_or(|last| last.trim_matches('"') != own)
        });
        identity_text(&Identity { always: identity.always, options })
    })
}

pub(crate) fn index_definition(index: &Index) -> Option<String> {
    let definition = index.definition.known()?;
    // The constraint says what the index is; only its parameters are its own.
    let with;
    let definition = if index.constraint.is_some() {
        with = parameters::written(&parameters::split(definition).1);
        &with
    } else {
        definition
    };
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
pub(super) fn publication_text(scope: &PublicationScope) -> String {
    let mut sorted = PublicationScope { with: None, ..scope.clone() };
    for (_, _, columns, _) in &mut sorted.tables {
        columns.sort();
    }
    sorted.tables.sort_by(|one, other| one.0.cmp(&other.0));
    sorted.schemas.sort();
    let text = crate::sql::print::publication_scope(&sorted);
    let mut with =
        parameters::booleans(parameters::read(&scope.with.as_deref().unwrap_or_default().to_ascii_lowercase()));
    if let Some(publish) = with.get_mut("publish") {
        let mut actions: Vec<&str> = publish.trim_matches('\'').split(',').map(str::trim).collect();
        actions.sort_unstable();
        *publish = actions.join(", ");
    }
    with.retain(|name, value| {
        !matches!(
            (name.as_str(), value.as_str()),
            ("publish", "delete, insert, truncate, update")
                | ("publish_via_partition_root", "false")
                | ("publish_generated_columns", "none")
        )
    });
    format!("{text} {}", parameters::written(&with)).trim_end().to_owned()
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

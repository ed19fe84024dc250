//! The schema as a flat list: what is known of each object, one property at a time, as normalised text. What a migration
//! makes known is the difference of two such lists, and the history is checked over them.

use super::alike::{Form, form};
use super::diff::{
    default_text, defined_type_text, described, identity_of, index_definition, is_default, part_of_another,
    partition_key, partition_of, says_only_not_null, sequence_definition, view_text,
};
use super::text::{constraint_text, literal, type_text};
use super::{Column, Constraint, Fact, Index, Relation, RowSecurityFlag, Schema, Table};
use crate::model::Space;
use crate::sql::ast::{ConstraintKind, Persistence};
use crate::sql::name::{Name, quoted};
use crate::sql::print;
use crate::sql::reverse::{attached, restore, switch};
use crate::sql::{Change, ObjectId};
use std::collections::BTreeMap;

/// Which object, and what about it.
pub(crate) type PropertyKey = (Space, Option<Name>, Name, String);

/// One property of one object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Property {
    pub object: ObjectId,
    /// `type`, `default`, `definition`, `comment`, `SELECT to app_ro` …
    pub what: String,
    /// What it is; empty where it is known that there is none.
    pub text: String,
    /// The statement that gives the object this property; empty where there is none to show.
    pub sql: String,
    /// What the object is lost with: the columns of an index, the table that a view reads.
    pub with: Vec<ObjectId>,
}

impl Property {
    pub(crate) fn key(&self) -> PropertyKey {
        key_of(&self.object, &self.what)
    }

    pub(crate) fn form(&self) -> Form {
        form(&self.text)
    }
}

/// Relations share one namespace, whatever table an index is of.
pub(crate) fn key_of(object: &ObjectId, what: &str) -> PropertyKey {
    let owner = if object.space == Space::Relation { None } else { object.owner.clone() };
    (object.space, owner, object.name.clone(), what.to_owned())
}

/// What stands for an object of which not everything is known: nothing is to be held against it.
pub(crate) const OPAQUE: &str = "*";

/// Every property that is known.
pub(crate) fn properties(schema: &Schema) -> BTreeMap<PropertyKey, Property> {
    let mut list = List::default();
    for (name, relation) in &schema.relations {
        match relation {
            Relation::Table(table) => list.table(name, table, schema),
            // A constraint speaks for its index, a parent for that of its partition.
            Relation::Index(_) if part_of_another(relation) => {}
            Relation::Index(index) => list.index(name, index, schema),
            Relation::View(view) | Relation::MaterializedView(view) => {
                let id = schema.relation_id(name);
                let head =
                    if matches!(relation, Relation::View(_)) { "CREATE VIEW" } else { "CREATE MATERIALIZED VIEW" };
                let with = view.depends.keys().map(|read| schema.relation_id(read)).collect();
                if let Some(text) = view_text(view) {
                    list.add_with(&id, "definition", text, restore::view(head, name, view), with);
                }
                if !view.populated {
                    list.add(&id, "rows", "WITH NO DATA".to_owned(), None);
                }
            }
            Relation::Sequence(sequence) => {
                let id = schema.relation_id(name);
                if part_of_another(relation) {
                    continue;
                }
                let owner = sequence.owned_by.known().cloned().flatten();
                let with = owner.iter().map(|(table, column)| column_id(table, column)).collect();
                if let Some(text) = sequence_definition(sequence) {
                    list.add_with(&id, "definition", text, restore::sequence(name, sequence), with);
                }
            }
        }
    }
    for (name, of) in &schema.types {
        if let Some(text) = defined_type_text(of) {
            list.add(&schema.type_id(name), "definition", text, None);
        }
    }
    for (name, overloads) in &schema.functions {
        for of in overloads {
            let Some(args) = &of.routine.args else { continue };
            let signature = format!("{}({})", name.name, args.iter().map(type_text).collect::<Vec<_>>().join(", "));
            let id = ObjectId {
                space: Space::Routine,
                noun: "function",
                owner: None,
                name: Name { schema: name.schema.clone(), name: signature },
            };
            match &of.definition {
                Fact::Known(text) => list.add(&id, "definition", text.clone(), None),
                Fact::Unknown => {}
            }
        }
    }
    for (name, version) in &schema.extensions {
        // In `public` is where it is where nothing says so.
        let placed = version.clone().filter(|schema| schema != "public").unwrap_or_default();
        list.named(Space::Extension, "extension", &Name::bare(name), placed);
    }
    for (name, scope) in &schema.publications {
        list.named(Space::Publication, "publication", &Name::bare(name), print::publication_scope(scope));
    }
    for (name, (table, text)) in &schema.statistics {
        let id = ObjectId { space: Space::Statistics, noun: "statistics object", owner: None, name: name.clone() };
        list.add_with(&id, "definition", text.clone(), None, statistics_on(schema, table, text));
    }
    list.others(schema);
    list.out
}

/// The table of a statistics object, and its columns.
fn statistics_on(schema: &Schema, table: &Name, text: &str) -> Vec<ObjectId> {
    let columns = schema.table(table).into_iter().flat_map(|listed| &listed.columns);
    let used = columns.filter(|column| super::apply::dependents::mentions(text, &column.name));
    std::iter::once(schema.relation_id(table)).chain(used.map(|column| column_id(table, &column.name))).collect()
}

/// What the object is lost with: the columns of an index or a constraint, what a view reads, the table of a trigger.
pub(super) fn lost_with(schema: &Schema, object: &ObjectId) -> Vec<ObjectId> {
    let table = object.owner.as_ref().and_then(|owner| Some((owner, schema.table(owner)?)));
    match object.space {
        Space::Relation => match schema.relations.get(&object.name) {
            Some(Relation::Index(index)) => index
                .table
                .known()
                .map(|table| index.uses.iter().map(|column| column_id(table, column)).collect())
                .unwrap_or_default(),
            Some(Relation::View(view) | Relation::MaterializedView(view)) => {
                let mut with: Vec<_> = view.depends.keys().map(|read| schema.relation_id(read)).collect();
                for (read, columns) in &view.depends {
                    with.extend(columns.certain.iter().chain(&columns.possible).map(|column| column_id(read, column)));
                }
                with
            }
            Some(Relation::Sequence(sequence)) => {
                let owner = sequence.owned_by.known().cloned().flatten();
                owner.iter().map(|(table, column)| column_id(table, column)).collect()
            }
            _ => Vec::new(),
        },
        Space::Constraint => table
            .and_then(|(name, table)| {
                let kind = table.constraints.get(&object.name.name)?.kind.known()?;
                Some(constraint_columns(name, kind, schema))
            })
            .unwrap_or_default(),
        Space::Policy => table
            .and_then(|(name, table)| {
                let policy = table.policies.get(&object.name.name)?;
                Some(policy.columns.iter().map(|column| column_id(name, column)).collect())
            })
            .unwrap_or_default(),
        Space::Statistics => schema
            .statistics
            .get(&object.name)
            .map(|(table, text)| statistics_on(schema, table, text))
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn column_id(table: &Name, column: &str) -> ObjectId {
    part(Space::Column, "column", table, column)
}

fn part(space: Space, noun: &'static str, owner: &Name, name: &str) -> ObjectId {
    ObjectId { space, noun, owner: Some(owner.clone()), name: Name::bare(name) }
}

#[derive(Default)]
struct List {
    out: BTreeMap<PropertyKey, Property>,
}

impl List {
    fn add(&mut self, object: &ObjectId, what: impl Into<String>, text: String, sql: Option<String>) {
        self.add_with(object, what, text, sql, Vec::new());
    }

    fn add_with(
        &mut self,
        object: &ObjectId,
        what: impl Into<String>,
        text: String,
        sql: Option<String>,
        with: Vec<ObjectId>,
    ) {
        let property = Property { object: object.clone(), what: what.into(), text, sql: sql.unwrap_or_default(), with };
        self.out.insert(property.key(), property);
    }

    fn opaque(&mut self, object: &ObjectId) {
        self.add(object, OPAQUE, String::new(), None);
    }

    fn named(&mut self, space: Space, noun: &'static str, name: &Name, text: String) {
        let id = ObjectId { space, noun, owner: None, name: name.clone() };
        self.add(&id, "definition", text, None);
    }

    fn table(&mut self, name: &Name, table: &Table, schema: &Schema) {
        let id = schema.relation_id(name);
        if table.new && !table.complete {
            self.opaque(&id);
        }
        let default = |text: String, default: &str| if text == default { String::new() } else { text };
        if let Fact::Known(persistence) = &table.persistence {
            let (text, sql) = match persistence {
                Persistence::Permanent => ("", "LOGGED"),
                Persistence::Unlogged => ("unlogged", "UNLOGGED"),
                Persistence::Temporary => ("temporary", ""),
            };
            self.add(&id, "persistence", text.to_owned(), Some(format!("ALTER TABLE {name} SET {sql}")));
        }
        if let Fact::Known(text) = partition_key(table) {
            self.add(&id, "partition key", default(text, "none"), None);
        }
        if let Fact::Known(text) = partition_of(table) {
            self.add(&id, "partition bound", default(text, "no partition"), None);
        }
        for (what, fact, none) in [
            ("tablespace", &table.tablespace, "pg_default"),
            ("access method", &table.access_method, "heap"),
            ("replica identity", &table.replica_identity, "DEFAULT"),
            ("clustering index", &table.clustered_on, ""),
        ] {
            if let Fact::Known(value) = fact {
                let text = default(value.clone().unwrap_or_default(), none);
                // What names an index is lost with it: it is said of the index.
                let index = text.rsplit(' ').next().unwrap_or_default().trim_matches('"');
                let index = Name { schema: name.schema.clone(), name: index.to_owned() };
                let named = match what {
                    "clustering index" => !text.is_empty(),
                    "replica identity" => text.to_ascii_uppercase().starts_with("USING INDEX"),
                    _ => false,
                };
                if named {
                    let index =
                        ObjectId { space: Space::Relation, noun: "index", owner: Some(name.clone()), name: index };
                    self.add(&index, what, text, None);
                } else {
                    self.add(&id, what, text, None);
                }
            }
        }
        if let Fact::Known(flags) = &table.row_security {
            for (flag, what, sql) in [
                (RowSecurityFlag::Enabled, "row level security", "ENABLE"),
                (RowSecurityFlag::Forced, "forced row level security", "FORCE"),
            ] {
                let text = if flags.contains(&flag) { "enabled" } else { "" };
                self.add(&id, what, text.to_owned(), Some(format!("ALTER TABLE {name} {sql} ROW LEVEL SECURITY")));
            }
        }
        for (option, value) in &table.options {
            let value = value.clone().unwrap_or_else(|| "true".to_owned());
            let sql = format!("ALTER TABLE {name} SET ({} = {value})", print::option_name(option));
            self.add(&id, format!("parameter {option}"), value, Some(sql));
        }
        for column in table.columns.iter().filter(|column| !column.inherited) {
            self.column(name, column);
        }
        for (constraint, of) in &table.constraints {
            if of.inherited || says_only_not_null(constraint, of) {
                continue;
            }
            let Fact::Known(kind) = &of.kind else { continue };
            let with = constraint_columns(name, kind, schema);
            let sql = restore::constraint(constraint, of)
                .map(|definition| format!("ALTER TABLE {name} ADD {}", print::constraint(&definition)));
            let id = part(Space::Constraint, "constraint", name, constraint);
            let plain = Constraint { validated: Fact::Known(true), ..of.clone() };
            self.add_with(&id, "definition", constraint_text(&plain), sql, with);
            if of.validated == Fact::Known(false) && of.enforced {
                self.add(&id, "validity", "NOT VALID".to_owned(), None);
            }
        }
        for (trigger, of) in &table.triggers {
            let parent =
                table.partition_of.known().and_then(|of| of.as_ref()).and_then(|(parent, _)| schema.table(parent));
            if parent.is_some_and(|parent| parent.triggers.contains_key(trigger)) {
                continue;
            }
            if let Fact::Known(text) = &of.definition {
                let sql = restore::trigger(trigger, name, of).ok();
                let id = part(Space::Trigger, "trigger", name, trigger);
                self.add(&id, "definition", text.clone(), sql);
                let state = match switch(of.mode) {
                    "ENABLE" => "",
                    state => state,
                };
                let sql = format!("ALTER TABLE {name} {state} TRIGGER {}", quoted(trigger));
                self.add(&id, "state", state.to_owned(), Some(sql));
            }
        }
        for (policy, of) in &table.policies {
            if let Fact::Known(text) = &of.definition {
                let sql = format!("CREATE POLICY {} ON {name} {text}", quoted(policy));
                self.add(&part(Space::Policy, "policy", name, policy), "definition", text.clone(), Some(sql));
            }
        }
        for (rule, text) in table.rules.iter().filter(|(_, text)| !text.is_empty()) {
            self.add(&part(Space::Rule, "rule", name, rule), "definition", text.clone(), Some(text.clone()));
        }
    }

    fn column(&mut self, table: &Name, column: &Column) {
        let id = column_id(table, &column.name);
        let alter = |action: &str| Some(format!("ALTER TABLE {table} ALTER COLUMN {} {action}", quoted(&column.name)));
        if let Fact::Known(data_type) = &column.data_type {
            let text = type_text(data_type);
            let sql = alter(&format!("TYPE {}", print::type_name(data_type)));
            self.add(&id, "type", text, sql);
        }
        if let Fact::Known(collation) = &column.collation {
            self.add(&id, "collation", collation.as_ref().map_or_else(String::new, ToString::to_string), None);
        }
        if let Fact::Known(not_null) = &column.not_null {
            let text = if *not_null { "NOT NULL" } else { "" };
            self.add(&id, "nullability", text.to_owned(), alter("SET NOT NULL"));
        }
        if let Fact::Known(default) = &column.default {
            let text = default.as_ref().map_or_else(String::new, |of| default_text(&of.text, column));
            let sql = alter(&format!("SET DEFAULT {text}"));
            self.add(&id, "default", text, sql);
        }
        if let Fact::Known(generated) = &column.generated {
            self.add(&id, "expression", generated.as_ref().map_or_else(String::new, print::generated), None);
        }
        if let Fact::Known(text) = identity_of(table, column) {
            let sql = alter(&format!("ADD {text}"));
            self.add(&id, "identity", text, sql);
        }
        for (what, value) in
            [("STORAGE", &column.storage), ("COMPRESSION", &column.compression), ("STATISTICS", &column.statistics)]
        {
            if let Some(value) = value {
                let text = if is_default(what, value, column) { String::new() } else { value.clone() };
                self.add(&id, what, text, alter(&format!("SET {what} {value}")));
            }
        }
        for (option, value) in &column.options {
            let value = value.clone().unwrap_or_else(|| "true".to_owned());
            let sql = alter(&format!("SET ({} = {value})", print::option_name(option)));
            self.add(&id, format!("option {option}"), value, sql);
        }
    }

    fn index(&mut self, name: &Name, index: &Index, schema: &Schema) {
        let (Some(text), Some(table)) = (index_definition(index), index.table.known()) else { return };
        let with = index.uses.iter().map(|column| column_id(table, column)).collect();
        self.add_with(&schema.relation_id(name), "definition", text, restore::index(name, index), with);
    }

    /// Comments, privileges, owners and states, which are kept by the text of what they are on.
    fn others(&mut self, schema: &Schema) {
        for (key, text) in &schema.others {
            if let Some(object) = key.strip_prefix("comment on ") {
                if let Some(id) = read_object(object, schema) {
                    let sql = attached::statement(key, text).into_iter().next();
                    self.add(&id, "comment", literal(text), sql);
                }
            } else if let Some(object) = key.strip_prefix("default on ") {
                if let Some(id) = read_object(object, schema) {
                    let table = id.owner.as_ref().map(ToString::to_string).unwrap_or_default();
                    let sql = format!("ALTER VIEW {table} ALTER COLUMN {} SET DEFAULT {text}", quoted(&id.name.name));
                    self.add(&id, "default", text.clone(), Some(sql));
                }
            } else if let Some((index, column)) =
                key.strip_prefix("statistics target on index ").and_then(|rest| rest.rsplit_once('.'))
            {
                if let Some(name) = joined(pieces(index)) {
                    let sql = format!("ALTER INDEX {name} ALTER COLUMN {column} SET STATISTICS {text}");
                    let id = schema.relation_id(&name);
                    self.add(&id, format!("statistics target of column {column}"), text.clone(), Some(sql));
                }
            } else if let Some(object) = key.strip_prefix("statistics target on ") {
                if let Some(id) = read_object(object, schema) {
                    let sql = format!("ALTER STATISTICS {} SET STATISTICS {text}", id.name);
                    self.add(&id, "statistics target", text.clone(), Some(sql));
                }
            } else if let Some(object) = key.strip_prefix("state on ") {
                if let Some(id) = read_object(object, schema) {
                    let sql = attached::statement(key, text).into_iter().next();
                    self.add(&id, "state", text.clone(), sql);
                }
            } else if let Some((object, grantee)) =
                key.strip_prefix("privileges on ").and_then(|rest| rest.rsplit_once(" to "))
                && let Some(id) = read_object(object, schema)
            {
                for held in text.split("; ").filter(|held| !held.is_empty()) {
                    self.privilege(&id, grantee, held);
                }
            }
        }
    }

    fn privilege(&mut self, id: &ObjectId, grantee: &str, held: &str) {
        let (held, taken) = held.strip_prefix('-').map_or((held, false), |held| (held, true));
        let (plain, with_option) = held.strip_suffix(" WITH GRANT OPTION").map_or((held, false), |plain| (plain, true));
        let text = match (taken, with_option) {
            (true, _) => "",
            (false, true) => "granted WITH GRANT OPTION",
            (false, false) => "granted",
        };
        let (privilege, id) =
            match plain.split_once(" (").and_then(|(word, rest)| Some((word, rest.strip_suffix(')')?))) {
                Some((word, column)) if id.space == Space::Relation => (word, column_id(&id.name, &unquoted(column))),
                _ => (plain, id.clone()),
            };
        let noun = if id.noun == "function" { "FUNCTION " } else { "" };
        let on = match &id.owner {
            Some(owner) if id.space == Space::Column => owner.to_string(),
            _ if id.space == Space::Routine => {
                id.name.schema.as_ref().map_or_else(String::new, |s| format!("{}.", quoted(s))) + &id.name.name
            }
            _ => id.name.to_string(),
        };
        let tail = if with_option { " WITH GRANT OPTION" } else { "" };
        let sql = format!("GRANT {plain} ON {noun}{on} TO {}{tail}", print::role(grantee));
        self.add(&id, format!("{privilege} to {grantee}"), text.to_owned(), Some(sql));
    }
}

/// The columns that a constraint is lost with, of its own table and of the one it refers to.
fn constraint_columns(table: &Name, kind: &ConstraintKind, schema: &Schema) -> Vec<ObjectId> {
    match kind {
        ConstraintKind::Check(expression) => expression.columns.iter().map(|column| column_id(table, column)).collect(),
        ConstraintKind::NotNull { column } => vec![column_id(table, column)],
        ConstraintKind::Unique { columns, include, .. } | ConstraintKind::PrimaryKey { columns, include, .. } => {
            columns.iter().chain(include).map(|column| column_id(table, column)).collect()
        }
        ConstraintKind::ForeignKey(key) => {
            let mut with: Vec<_> = key.columns.iter().map(|column| column_id(table, column)).collect();
            let references = schema.resolve(&key.references);
            if references != *table {
                with.push(schema.relation_id(&references));
            }
            with.extend(key.referenced_columns.iter().map(|column| column_id(&references, column)));
            with
        }
        ConstraintKind::UniqueUsingIndex { .. }
        | ConstraintKind::PrimaryKeyUsingIndex { .. }
        | ConstraintKind::Exclude { .. } => Vec::new(),
    }
}

/// Whether a history follows the property, so that it verifies what a down says of it.
pub(crate) fn is_followed(object: &ObjectId, property: &str) -> bool {
    match object.space {
        _ if property == "owner" => false,
        Space::Other => {
            // `comment on table public.t`, `privileges on table public.t to app_ro`.
            if object.name.name.starts_with("owner on ") {
                return false;
            }
            let on = object.name.name.split_once(" on ").map(|(_, on)| on.rsplit_once(" to ").map_or(on, |(on, _)| on));
            matches!(property, "setting" | "privilege")
                && on.is_some_and(|on| read_object(on, &Schema::open()).is_some())
        }
        Space::Constraint => object.noun == "constraint",
        Space::Role => false,
        _ => true,
    }
}

/// Whether a history can hold the down of such a change against what was there: it follows the object and what is changed.
pub(crate) fn is_held(change: &Change) -> bool {
    use crate::model::{EffectKind as Kind, Verb};
    // A class without a family makes one, which stays.
    if change.object.noun == "operator class" {
        return false;
    }
    // What is made or renamed goes by its name alone.
    if matches!(change.verb, Verb::Make | Verb::Rename | Verb::Use) {
        return true;
    }
    match (change.kind, change.object.space) {
        (Kind::ChangeOwner | Kind::ValidateConstraint, _) | (_, Space::Other | Space::Role | Space::Publication) => {
            false
        }
        (Kind::Grant | Kind::Revoke | Kind::SetComment, Space::Routine) => false,
        (_, Space::Schema) => change.object.noun != "all in schema" && !matches!(change.verb, Verb::Take),
        (_, Space::Type) => matches!(change.verb, Verb::Take | Verb::TakeIfThere),
        (Kind::ChangeIdentity | Kind::SetExpression, _) => false,
        (_, Space::Column) => change.object.noun != "attribute",
        (_, Space::Constraint) => change.object.noun == "constraint",
        _ => true,
    }
}

/// `column public.orders.status` as the object it is; `None` for kinds that a history does not follow.
fn read_object(text: &str, schema: &Schema) -> Option<ObjectId> {
    const PARTS: &[(&str, Space)] = &[
        ("column", Space::Column),
        ("constraint", Space::Constraint),
        ("trigger", Space::Trigger),
        ("policy", Space::Policy),
        ("rule", Space::Rule),
    ];
    const RELATIONS: &[&str] = &["table", "view", "materialized view", "foreign table", "index", "sequence"];
    for &(noun, space) in PARTS {
        if let Some(rest) = text.strip_prefix(noun).and_then(|rest| rest.strip_prefix(' ')) {
            let mut pieces = pieces(rest);
            let name = pieces.pop()?;
            return Some(part(space, static_noun(noun), &joined(pieces)?, &name));
        }
    }
    for noun in RELATIONS {
        if let Some(rest) = text.strip_prefix(noun).and_then(|rest| rest.strip_prefix(' ')) {
            return Some(schema.relation_id(&joined(pieces(rest))?));
        }
    }
    for (noun, space) in
        [("schema", Space::Schema), ("extension", Space::Extension), ("publication", Space::Publication)]
    {
        if let Some(rest) = text.strip_prefix(noun).and_then(|rest| rest.strip_prefix(' ')) {
            return Some(ObjectId { space, noun, owner: None, name: Name::bare(unquoted(rest)) });
        }
    }
    if let Some(rest) = text.strip_prefix("statistics object ") {
        let name = joined(pieces(rest))?;
        return Some(ObjectId { space: Space::Statistics, noun: "statistics object", owner: None, name });
    }
    for noun in ["type", "domain"] {
        if let Some(rest) = text.strip_prefix(noun).and_then(|rest| rest.strip_prefix(' ')) {
            return Some(schema.type_id(&joined(pieces(rest))?));
        }
    }
    None
}

fn static_noun(noun: &str) -> &'static str {
    match noun {
        "column" => "column",
        "constraint" => "constraint",
        "trigger" => "trigger",
        "policy" => "policy",
        _ => "rule",
    }
}

fn joined(mut pieces: Vec<String>) -> Option<Name> {
    let name = pieces.pop()?;
    let schema = pieces.pop();
    pieces.is_empty().then_some(Name { schema, name })
}

/// The parts of a dotted name, unquoted.
fn pieces(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut in_quotes = false;
    for char in text.chars() {
        match char {
            '"' => {
                in_quotes = !in_quotes;
                if let Some(last) = out.last_mut() {
                    last.push(char);
                }
            }
            '.' if !in_quotes => out.push(String::new()),
            _ => {
                if let Some(last) = out.last_mut() {
                    last.push(char);
                }
            }
        }
    }
    out.iter().map(|piece| unquoted(piece)).collect()
}

fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// The object as people say it.
pub(crate) fn in_words(object: &ObjectId) -> String {
    described(object)
}

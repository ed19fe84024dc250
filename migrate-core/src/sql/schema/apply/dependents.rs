//! What depends on an object: what goes with it in silence, and what it cannot go without (`findDependentObjects` in
//! `dependency.c`; each kind of dependency is recorded by the code that makes the object).

use super::change::{column, constraint, object, part, routine};
use crate::model::Space;
use crate::sql::ObjectId;
use crate::sql::ast::{ConstraintKind, Expr, TypeDefinition, TypeName};
use crate::sql::name::{Name, quoted};
use crate::sql::schema::{Fact, Relation, Schema, Type, row_columns};
use std::collections::BTreeSet;

/// An object that depends on another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dependent {
    pub object: ObjectId,
    /// It goes with the other in silence; else only by CASCADE.
    pub automatic: bool,
}

/// The types that `btree_gist` and `btree_gin` have classes for, and the methods themselves none.
const SCALARS: &[&str] = &[
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "money",
    "oid",
    "timestamp",
    "timestamptz",
    "time",
    "timetz",
    "date",
    "interval",
    "char",
    "varchar",
    "text",
    "bpchar",
    "bytea",
    "bit",
    "varbit",
    "macaddr",
    "macaddr8",
    "uuid",
    "bool",
    "name",
];

#[derive(Default)]
struct Found(Vec<Dependent>);

impl Found {
    fn auto(&mut self, object: ObjectId) {
        self.0.push(Dependent { object, automatic: true });
    }

    fn normal(&mut self, object: ObjectId) {
        self.0.push(Dependent { object, automatic: false });
    }
}

impl Schema {
    /// What depends on the object directly, as far as the schema knows.
    pub(crate) fn dependents(&self, of: &ObjectId) -> Vec<Dependent> {
        let mut found = Found::default();
        match (of.space, &of.owner) {
            (Space::Relation, _) => self.on_relation(&of.name, &mut found),
            (Space::Column, Some(table)) => self.on_column(table, &of.name.name, &mut found),
            (Space::Constraint, Some(table)) => self.on_constraint(table, &of.name.name, &mut found),
            (Space::Type, _) => self.on_type(&of.name, &mut found),
            (Space::Routine, _) => self.on_routine(&of.name, &mut found),
            (Space::Schema, _) => self.on_schema(&of.name.name, &mut found),
            (Space::Extension, _) => self.on_extension(&of.name.name, &mut found),
            (Space::Other, _) => self.on_other(of, &mut found),
            _ => {}
        }
        found.0
    }

    fn on_relation(&self, name: &Name, found: &mut Found) {
        match self.relations.get(name) {
            Some(Relation::Table(_)) => {
                for partition in self.partitions_of(name) {
                    found.auto(self.relation_id(&partition));
                }
                for child in self.children_of(name) {
                    found.normal(self.relation_id(&child));
                }
                for key in self.foreign_keys_to(name).into_iter().filter(|key| key.table != name) {
                    found.normal(constraint(key.table, key.constraint));
                }
                // A key that references a partitioned table has a part on each partition, which holds the whole
                // (`addFkRecurseReferenced`).
                let mut below = name.clone();
                while let Some((parent, _)) =
                    self.table(&below).and_then(|table| table.partition_of.known()).cloned().flatten()
                {
                    for key in self.foreign_keys_to(&parent) {
                        found.normal(constraint(key.table, key.constraint));
                    }
                    below = parent;
                }
                for sequence in self.sequences_owned_by(name, None) {
                    found.auto(self.relation_id(&sequence));
                }
                for (statistics, (table, _)) in &self.statistics {
                    if table == name {
                        found.auto(object(Space::Statistics, "statistics object", statistics.clone()));
                    }
                }
                self.on_type(name, found);
            }
            Some(Relation::Sequence(_)) => {
                for (table, column) in self.columns_using_sequence(name) {
                    found.normal(part(Space::Other, "default", &table, &column));
                }
            }
            Some(Relation::Index(index)) => {
                for (child, other) in self.indexes() {
                    if other.parent.as_ref() == Some(name) {
                        found.auto(self.relation_id(child));
                    }
                }
                if let (Fact::Known(table), Fact::Known(true), Fact::Known(columns)) =
                    (&index.table, &index.unique, &index.columns)
                    && index.constraint.is_none()
                {
                    let columns: Vec<String> = columns.iter().flatten().cloned().collect();
                    self.on_uniqueness(table, &columns, found);
                }
            }
            _ => {}
        }
        for (index, _) in self.indexes_of(name) {
            found.auto(self.relation_id(index));
        }
        for (view, listed) in self.views() {
            if listed.depends.contains_key(name) {
                found.normal(self.relation_id(view));
            }
        }
        for (table, listed) in self.tables().filter(|(table, _)| *table != name) {
            for (policy, _) in listed.policies.iter().filter(|(_, policy)| policy.reads.contains(name)) {
                found.normal(part(Space::Policy, "policy", table, policy));
            }
        }
        for (function, overloads) in &self.functions {
            for listed in overloads.iter().filter(|listed| listed.depends.contains(name)) {
                found.normal(routine("function", function, listed.routine.args.as_deref()));
            }
        }
    }

    fn on_column(&self, table: &Name, name: &str, found: &mut Found) {
        for (index, _) in self.indexes_using_column(table, name) {
            found.auto(self.relation_id(index));
        }
        for (key, listed) in self.table(table).into_iter().flat_map(|table| &table.constraints) {
            if listed.kind.known().is_some_and(|kind| constraint_columns(kind).contains(&name)) {
                found.auto(constraint(table, key));
            }
        }
        for sequence in self.sequences_owned_by(table, Some(name)) {
            found.auto(self.relation_id(&sequence));
        }
        for (statistics, (of, text)) in &self.statistics {
            if of == table && mentions(text, name) {
                found.auto(object(Space::Statistics, "statistics object", statistics.clone()));
            }
        }
        for view in
            self.views().filter(|(_, view)| view.depends.get(table).is_some_and(|used| used.certain.contains(name)))
        {
            found.normal(self.relation_id(view.0));
        }
        for other in self.table(table).into_iter().flat_map(|table| &table.columns) {
            if let Fact::Known(Some(generated)) = &other.generated
                && generated.expression.columns.iter().any(|used| used == name)
            {
                found.normal(column(table, &other.name));
            }
        }
        for (policy, listed) in self.table(table).into_iter().flat_map(|table| &table.policies) {
            if listed.columns.contains(name) {
                found.normal(part(Space::Policy, "policy", table, policy));
            }
        }
        let listed = self.table(table);
        for (trigger, _) in listed
            .into_iter()
            .flat_map(|table| &table.triggers)
            .filter(|(_, trigger)| trigger.definition.known().is_some_and(|text| row_columns(text).contains(name)))
        {
            found.normal(part(Space::Trigger, "trigger", table, trigger));
        }
        for (rule, _) in
            listed.into_iter().flat_map(|table| &table.rules).filter(|(_, text)| row_columns(text).contains(name))
        {
            found.normal(part(Space::Rule, "rule", table, rule));
        }
        for key in self.foreign_keys_to(table) {
            if key.key.referenced_columns.iter().any(|used| used == name) {
                found.normal(constraint(key.table, key.constraint));
            }
        }
    }

    fn on_constraint(&self, table: &Name, name: &str, found: &mut Found) {
        let Some(listed) = self.table(table).and_then(|table| table.constraints.get(name)) else { return };
        if let Some(index) = listed.index.as_ref().filter(|index| self.relations.contains_key(*index)) {
            found.auto(self.relation_id(index));
        }
        if let Fact::Known(ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. }) =
            &listed.kind
        {
            self.on_uniqueness(table, columns, found);
        }
    }

    /// Foreign keys that rest on the uniqueness of these columns, where nothing else makes them unique.
    fn on_uniqueness(&self, table: &Name, columns: &[String], found: &mut Found) {
        let set = |columns: &[String]| columns.iter().cloned().collect::<BTreeSet<_>>();
        let wanted = set(columns);
        let constraints = self.table(table).into_iter().flat_map(|table| table.constraints.values());
        let ways = constraints
            .filter(|constraint| match &constraint.kind {
                Fact::Known(ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. }) => {
                    set(columns) == wanted
                }
                _ => false,
            })
            .count();
        if ways > 1 {
            return;
        }
        for key in self.foreign_keys_to(table) {
            if set(&key.key.referenced_columns) == wanted {
                found.normal(constraint(key.table, key.constraint));
            }
        }
    }

    fn on_type(&self, name: &Name, found: &mut Found) {
        let is = |used: &TypeName| {
            self.is_type(used, name)
                || (self.relations.contains_key(name) && self.find_relation(&used.name).as_ref() == Some(name))
        };
        for (table, listed) in self.tables() {
            for used in &listed.columns {
                if used.data_type.known().is_some_and(is) {
                    found.normal(column(table, &used.name));
                }
            }
            if listed.of_type.as_ref() == Some(name) {
                found.normal(self.relation_id(table));
            }
        }
        for (other, listed) in self.types.iter().filter(|(other, _)| *other != name) {
            let uses = match listed {
                Type::Domain(domain) => is(&domain.base),
                // The attribute depends, not the type that has it.
                Type::Defined { definition: TypeDefinition::Composite { attributes }, .. } => {
                    for (attribute, ..) in attributes.iter().filter(|(_, used, _)| is(used)) {
                        found.normal(part(Space::Column, "attribute", other, attribute));
                    }
                    false
                }
                Type::Defined { definition: TypeDefinition::Range { subtype: Some(used), .. }, .. } => is(used),
                Type::Defined { .. } | Type::Mentioned { .. } => false,
            };
            if uses {
                found.normal(self.type_id(other));
            }
        }
        for (function, overloads) in &self.functions {
            for listed in overloads.iter().filter(|listed| listed.routine.args.iter().flatten().any(is)) {
                found.normal(routine("function", function, listed.routine.args.as_deref()));
            }
        }
    }

    /// `signature` is the routine's identity, `f(int4)`: the expressions that call it only name `f`.
    fn on_routine(&self, signature: &Name, found: &mut Found) {
        let bare = signature.name.split('(').next().unwrap_or(&signature.name);
        let name = Name { schema: signature.schema.clone(), name: bare.to_owned() };
        if self.functions.get(&name).is_some_and(|overloads| overloads.len() > 1) {
            return;
        }
        let calls = |expression: &Expr| expression.functions.iter().any(|used| self.is_function(used, &name));
        for (table, listed) in self.tables() {
            for (trigger, _) in listed.triggers.iter().filter(|(_, trigger)| trigger.function.known() == Some(&name)) {
                found.normal(part(Space::Trigger, "trigger", table, trigger));
            }
            for used in &listed.columns {
                if used.default.known().and_then(Option::as_ref).is_some_and(calls) {
                    found.normal(part(Space::Other, "default", table, &used.name));
                }
                if used.generated.known().and_then(Option::as_ref).is_some_and(|it| calls(&it.expression)) {
                    found.normal(column(table, &used.name));
                }
            }
            for (key, check) in &listed.constraints {
                if matches!(&check.kind, Fact::Known(ConstraintKind::Check(expression)) if calls(expression)) {
                    found.normal(constraint(table, key));
                }
            }
        }
        for (index, listed) in self.indexes() {
            if listed.functions.iter().any(|used| self.is_function(used, &name)) {
                found.normal(self.relation_id(index));
            }
        }
        for (view, listed) in self.views() {
            if listed.functions.iter().any(|used| self.is_function(used, &name)) {
                found.normal(self.relation_id(view));
            }
        }
    }

    fn on_schema(&self, name: &str, found: &mut Found) {
        let inside = |object: &Name| object.schema.as_deref() == Some(name);
        for relation in self.relations.keys().filter(|relation| inside(relation)) {
            found.normal(self.relation_id(relation));
        }
        for listed in self.types.keys().filter(|listed| inside(listed)) {
            found.normal(self.type_id(listed));
        }
        for (function, overloads) in self.functions.iter().filter(|(function, _)| inside(function)) {
            for listed in overloads {
                found.normal(routine("function", function, listed.routine.args.as_deref()));
            }
        }
        for statistics in self.statistics.keys().filter(|statistics| inside(statistics)) {
            found.normal(object(Space::Statistics, "statistics object", statistics.clone()));
        }
    }

    /// What uses an object that has nothing but a definition: found by its name in texts.
    fn on_other(&self, of: &ObjectId, found: &mut Found) {
        let bare = of.name.name.split('(').next().unwrap_or(&of.name.name);
        let uses: Box<dyn Fn(&str) -> bool> = match of.noun {
            "collation" => Box::new(|text: &str| {
                let lower = text.to_ascii_lowercase();
                lower.contains("collate ") && mentions(text, bare)
            }),
            "operator" => Box::new(|text: &str| {
                text.split(|char: char| !"+-*/<>=~!@#%^&|`?".contains(char)).any(|symbol| symbol == bare)
            }),
            "text search configuration" => Box::new(|text: &str| text.contains(&format!("'{bare}'"))),
            _ => return self.on_definition(of, found),
        };
        for (table, listed) in self.tables() {
            for used in &listed.columns {
                let collated = of.noun == "collation"
                    && matches!(&used.collation, Fact::Known(Some(collation)) if collation.name == bare);
                let generated = used.generated.known().and_then(Option::as_ref);
                if collated || generated.is_some_and(|generated| uses(&generated.expression.text)) {
                    found.normal(column(table, &used.name));
                }
                if used.default.known().and_then(Option::as_ref).is_some_and(|default| uses(&default.text)) {
                    found.normal(part(Space::Other, "default", table, &used.name));
                }
            }
            for (key, check) in &listed.constraints {
                if matches!(&check.kind, Fact::Known(ConstraintKind::Check(expression)) if uses(&expression.text)) {
                    found.normal(constraint(table, key));
                }
            }
        }
        for (index, listed) in self.indexes() {
            if listed.definition.known().is_some_and(|text| uses(text)) {
                found.normal(self.relation_id(index));
            }
        }
        for (view, listed) in self.views() {
            if listed.definition.known().is_some_and(|text| uses(text)) {
                found.normal(self.relation_id(view));
            }
        }
    }

    /// A wrapper's servers; a server's foreign tables and user mappings. Which server a foreign table is on is not kept:
    /// with one server it is that.
    fn on_definition(&self, of: &ObjectId, found: &mut Found) {
        let clause = match of.noun {
            "foreign-data wrapper" => format!("foreign data wrapper {}", quoted(&of.name.name)),
            "server" => format!("server {}", quoted(&of.name.name)),
            _ => return,
        };
        let wanted = if of.noun == "server" { "user mapping " } else { "server " };
        for (key, text) in &self.others {
            if let Some(name) = key.strip_prefix(wanted)
                && mentions(&text.to_ascii_lowercase(), &of.name.name.to_ascii_lowercase())
                && text.to_ascii_lowercase().contains(&clause.to_ascii_lowercase())
            {
                match (of.noun, name.split_once('.')) {
                    ("server", Some((server, role))) => {
                        found.normal(part(Space::Other, "user mapping", &Name::bare(server), role));
                    }
                    ("server", None) => found.normal(object(Space::Other, "user mapping", Name::bare(name))),
                    _ => found.normal(object(Space::Other, "server", Name::bare(name.trim_matches('"')))),
                }
            }
        }
        if of.noun == "server" && self.others.keys().filter(|key| key.starts_with("server ")).count() < 2 {
            for (table, _) in self.tables().filter(|(_, table)| table.foreign == Fact::Known(true)) {
                found.normal(self.relation_id(table));
            }
        }
    }

    /// Columns of the types that a well-known extension brings.
    fn on_extension(&self, extension: &str, found: &mut Found) {
        let types: &[&str] = match extension {
            "citext" => &["citext"],
            "hstore" => &["hstore"],
            _ => &[],
        };
        let classes: &[&str] = match extension {
            "pg_trgm" => &["gin_trgm_ops", "gist_trgm_ops"],
            _ => &[],
        };
        let functions: &[&str] = match extension {
            "pgcrypto" => &["crypt", "gen_salt", "digest", "hmac", "gen_random_bytes"],
            "uuid-ossp" => &["uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"],
            _ => &[],
        };
        let method = match extension {
            "btree_gist" => Some("gist"),
            "btree_gin" => Some("gin"),
            _ => None,
        };
        for (index, listed) in self.indexes().filter(|(_, listed)| method == Some(listed.method.as_str())) {
            let (Some(table), Some(keys)) = (listed.table.known(), listed.columns.known()) else { continue };
            let scalar = |column: &String| {
                let data_type = self.table(table)?.column(column)?.data_type.known()?;
                Some(data_type.array == 0 && SCALARS.contains(&data_type.name.name.as_str()))
            };
            if keys.iter().flatten().any(|column| scalar(column) == Some(true)) {
                match &listed.constraint {
                    Some(name) => found.normal(constraint(table, name)),
                    None => found.normal(self.relation_id(index)),
                }
            }
        }
        for (table, listed) in self.tables() {
            for used in &listed.columns {
                if used.data_type.known().is_some_and(|used| types.contains(&used.name.name.as_str())) {
                    found.normal(column(table, &used.name));
                }
                let calls =
                    |expression: &Expr| expression.functions.iter().any(|used| functions.contains(&used.name.as_str()));
                if used.default.known().and_then(Option::as_ref).is_some_and(calls) {
                    found.normal(part(Space::Other, "default", table, &used.name));
                }
            }
        }
        for (index, listed) in self.indexes() {
            let uses = |text: &String| classes.iter().any(|class| mentions(text, class));
            if listed.definition.known().is_some_and(uses) {
                found.normal(self.relation_id(index));
            }
        }
    }
}

/// The columns of its own table that a constraint hangs on.
pub(super) fn constraint_columns(kind: &ConstraintKind) -> Vec<&str> {
    let names: Vec<&String> = match kind {
        ConstraintKind::Check(expression) => expression.columns.iter().collect(),
        ConstraintKind::NotNull { column } => vec![column],
        ConstraintKind::Unique { columns, include, .. } | ConstraintKind::PrimaryKey { columns, include, .. } => {
            columns.iter().chain(include).collect()
        }
        ConstraintKind::Exclude { columns, .. } => columns.iter().collect(),
        ConstraintKind::ForeignKey(key) => key.columns.iter().collect(),
        ConstraintKind::UniqueUsingIndex { .. } | ConstraintKind::PrimaryKeyUsingIndex { .. } => Vec::new(),
    };
    names.into_iter().map(String::as_str).collect()
}

/// Whether the identifier stands in the text as a word of its own.
pub(in crate::sql::schema) fn mentions(text: &str, identifier: &str) -> bool {
    let quoted = quoted(identifier);
    let word = |char: char| char.is_alphanumeric() || char == '_' || char == '$';
    text.match_indices(quoted.as_str()).any(|(at, found)| {
        !text[..at].chars().next_back().is_some_and(word) && !text[at + found.len()..].chars().next().is_some_and(word)
    })
}

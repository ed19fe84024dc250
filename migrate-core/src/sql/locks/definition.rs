//! What a server refuses about a new table or index, given what is there: partitions that conflict, keys that do not hold
//! the partition key, foreign keys between what cannot reference each other. What the schema does not know is no reason.

use super::actions_refused::virtual_column;
use super::refused::{Refused, error};
use super::{bound, index_classes, rewrite, volatility};
use crate::sql::ast::{
    AttributeAction, ConstraintKind, CreateIndex, CreateTable, DomainAction, ForeignKey, PartitionBound, PartitionBy,
    Persistence, TypeName,
};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Relation, Schema, Table, Type, World};

pub(super) fn table(before: &Schema, create: &CreateTable) -> Refused {
    if create.if_not_exists && before.relation(&before.place(&create.name)).is_some() {
        return Ok(());
    }
    if let Some((parent, values)) = &create.partition_of {
        let parent = before.resolve(parent);
        partition(before, &parent, values, &create.name.name)?;
        parents_keys(before, &parent, create)?;
    }
    for parent in &create.inherits {
        if before.is_partitioned(&before.resolve(parent)) {
            return error("42809", format!("cannot inherit from partitioned table \"{}\"", parent.name));
        }
        inherited_types(before, parent, create)?;
    }
    if let Some(server) = &create.foreign_server
        && before.world == World::Closed
        && !before.is_extended()
        && !before.others.contains_key(&format!("server {}", Name::bare(server)))
    {
        return error("42704", format!("server \"{server}\" does not exist"));
    }
    let constraints = create.columns.iter().flat_map(|column| &column.constraints).chain(&create.constraints);
    for constraint in constraints {
        if create.foreign_server.is_some() {
            foreign(&constraint.kind)?;
        }
        match &constraint.kind {
            ConstraintKind::ForeignKey(key) => {
                persistence(before, create, key)?;
                for (at, column) in key.columns.iter().enumerate() {
                    let own = create.columns.iter().find(|own| own.name == *column);
                    if let Some(own) = own.and_then(|own| own.data_type.as_ref()) {
                        comparable(before, own, key, at)?;
                    }
                }
            }
            ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } => {
                if let Some(by) = &create.partition_by {
                    holds_key(columns, by, &create.name)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// `transformPartitionBound` and `check_new_partition_bound`.
pub(super) fn partition(before: &Schema, parent: &Name, values: &PartitionBound, new: &str) -> Refused {
    let by = before.table(parent).and_then(|table| table.partition_by.known()).and_then(Option::as_ref);
    let Some(by) = by else { return Ok(()) };
    let PartitionBound::Values(text) = values else {
        if by.strategy == "HASH" {
            return error("42P16", "a hash-partitioned table may not have a default partition".to_owned());
        }
        if before.default_partition_of(parent).is_some() {
            return error("42P17", format!("partition \"{new}\" conflicts with existing default partition"));
        }
        return Ok(());
    };
    if bound::strategy(text).is_some_and(|strategy| strategy != by.strategy) {
        return error("42P16", format!("invalid bound specification for a {} partition", by.strategy.to_lowercase()));
    }
    let moduli = |text: &str| bound::modulus(text);
    if let Some(new_modulus) = moduli(text) {
        let known = before.partitions_of(parent).into_iter().filter_map(|sibling| {
            let of = before.table(&sibling)?.partition_of.known()?.as_ref()?.1.clone();
            if let PartitionBound::Values(text) = of { moduli(&text) } else { None }
        });
        // Each is a factor of the next larger (`check_new_partition_bound`).
        if known.into_iter().any(|other| new_modulus.max(other) % new_modulus.min(other).max(1) != 0) {
            return error(
                "42P16",
                "every hash partition modulus must be a factor of the next larger modulus".to_owned(),
            );
        }
    }
    for sibling in before.partitions_of(parent) {
        let listed = before.table(&sibling).and_then(|table| table.partition_of.known()).and_then(Option::as_ref);
        if let Some((_, PartitionBound::Values(other))) = listed
            && bound::overlap(text, other)
        {
            return error("42P17", format!("partition \"{new}\" would overlap partition \"{}\"", sibling.name));
        }
    }
    Ok(())
}

/// The parent's keys come to be on a partition: one with partitions of its own must be able to have them, and a foreign
/// table has none.
fn parents_keys(before: &Schema, parent: &Name, create: &CreateTable) -> Refused {
    for (_, index) in before.indexes_of(parent) {
        if index.unique != Fact::Known(true) {
            continue;
        }
        if create.foreign_server.is_some() {
            return error(
                "42809",
                format!("cannot create foreign partition of partitioned table \"{}\" with unique indexes", parent.name),
            );
        }
        if let (Some(by), Fact::Known(columns)) = (&create.partition_by, &index.columns) {
            holds_key(&columns.iter().flatten().cloned().collect::<Vec<_>>(), by, &create.name)?;
        }
    }
    Ok(())
}

/// A column of the table's own of an inherited one's name must have its type (`MergeAttributes`).
fn inherited_types(before: &Schema, parent: &Name, create: &CreateTable) -> Refused {
    let Some(parent) = before.table(&before.resolve(parent)) else { return Ok(()) };
    for own in &create.columns {
        let inherited = parent.column(&own.name).and_then(|column| column.data_type.known());
        if let (Some(inherited), Some(data_type)) = (inherited, &own.data_type)
            && before.resolve_type(inherited).name != before.resolve_type(data_type).name
        {
            return error("42804", format!("column \"{}\" has a type conflict", own.name));
        }
    }
    Ok(())
}

/// `ATAddForeignKeyConstraint`: a table references none that is gone sooner.
fn persistence(before: &Schema, create: &CreateTable, key: &ForeignKey) -> Refused {
    let referenced = before.resolve(&key.references);
    let Some(Fact::Known(other)) = before.table(&referenced).map(|table| &table.persistence) else { return Ok(()) };
    match (create.persistence, *other) {
        (Persistence::Temporary, Persistence::Temporary) | (Persistence::Unlogged, Persistence::Unlogged) => Ok(()),
        (_, Persistence::Permanent) if create.persistence != Persistence::Temporary => Ok(()),
        (Persistence::Temporary, _) => {
            error("42P16", "constraints on temporary tables may reference only temporary tables".to_owned())
        }
        (Persistence::Permanent, _) => {
            error("42P16", "constraints on permanent tables may reference only permanent tables".to_owned())
        }
        (Persistence::Unlogged, _) => {
            error("42P16", "constraints on unlogged tables may reference only permanent or unlogged tables".to_owned())
        }
    }
}

/// The kinds of built-in type between which there are comparison operators of one B-tree family, or an implicit cast to
/// one that has them.
fn kind(schema: &Schema, data_type: &TypeName) -> Option<&'static str> {
    if data_type.array > 0 {
        return None;
    }
    let resolved = schema.resolve_type(data_type);
    if !rewrite::is_builtin(&resolved.name) {
        return None;
    }
    Some(match resolved.name.name.as_str() {
        "int2" | "int4" | "int8" | "serial2" | "serial4" | "serial8" | "numeric" | "float4" | "float8" => "number",
        "text" | "varchar" | "bpchar" | "name" => "text",
        "date" | "timestamp" | "timestamptz" => "time",
        "uuid" => "uuid",
        "bool" => "bool",
        "bytea" => "bytea",
        _ => return None,
    })
}

/// `foreign key constraint … cannot be implemented`: no equality between the two columns.
pub(super) fn comparable(before: &Schema, own: &TypeName, key: &ForeignKey, at: usize) -> Refused {
    let Some(table) = before.table(&before.resolve(&key.references)) else { return Ok(()) };
    let columns = super::column::referenced_columns(Some(table), key);
    let other = columns.get(at).and_then(|column| table.column(column)).and_then(|column| column.data_type.known());
    let Some(other) = other else { return Ok(()) };
    match (kind(before, own), kind(before, other)) {
        (Some(own), Some(other)) if own != other => error(
            "42804",
            format!(
                "foreign key constraint to \"{}\" cannot be implemented: key columns are of incompatible types",
                key.references.name
            ),
        ),
        _ => Ok(()),
    }
}

/// A unique key of a partitioned table holds every column of the partition key (`DefineIndex`).
pub(super) fn holds_key(columns: &[String], by: &PartitionBy, table: &Name) -> Refused {
    let expression = by.columns.is_empty() || by.text.contains("((");
    if expression || by.columns.iter().any(|column| !columns.contains(column)) {
        return error(
            "0A000",
            format!("unique constraint on partitioned table \"{}\" must include all partitioning columns", table.name),
        );
    }
    Ok(())
}

/// What a foreign table cannot have (`transformColumnDefinition`, `transformTableConstraint`).
pub(super) fn foreign(kind: &ConstraintKind) -> Refused {
    let what = match kind {
        ConstraintKind::PrimaryKey { .. } | ConstraintKind::PrimaryKeyUsingIndex { .. } => "primary key",
        ConstraintKind::Unique { .. } | ConstraintKind::UniqueUsingIndex { .. } => "unique",
        ConstraintKind::Exclude { .. } => "exclusion",
        ConstraintKind::ForeignKey(_) => "foreign key",
        _ => return Ok(()),
    };
    error("0A000", format!("{what} constraints are not supported on foreign tables"))
}

/// A constraint of a domain is checked in columns of it, and of domains over it; a column of an array or a composite
/// with it forbids the change (`get_rels_with_domain`, `find_composite_type_dependencies`).
pub(super) fn domain(before: &Schema, name: &Name, action: &DomainAction) -> Refused {
    let Some(found) = before.find_type(name) else { return Ok(()) };
    let Some(Type::Domain(listed)) = before.types.get(&found) else { return Ok(()) };
    let checks = match action {
        DomainAction::AddCheck { not_valid, .. } => !not_valid,
        DomainAction::SetNotNull | DomainAction::AddNotNull { .. } => !listed.not_null,
        DomainAction::ValidateConstraint { name } => listed.checks.contains_key(name),
        _ => false,
    };
    if !checks {
        return Ok(());
    }
    for used in before.columns_of_type(&found) {
        let column = before.table(&used.table).and_then(|table| table.column(&used.column));
        let data_type = column.and_then(|column| column.data_type.known());
        if data_type.is_some_and(|data_type| !is_domain_over(before, data_type, &found)) {
            return error(
                "0A000",
                format!(
                    "cannot alter type \"{}\" because column \"{}.{}\" uses it",
                    name.name, used.table.name, used.column
                ),
            );
        }
    }
    Ok(())
}

fn is_domain_over(before: &Schema, data_type: &TypeName, wanted: &Name) -> bool {
    if data_type.array > 0 {
        return false;
    }
    match before.find_type(&data_type.name) {
        Some(found) if found == *wanted => true,
        Some(found) => match before.types.get(&found) {
            Some(Type::Domain(domain)) => is_domain_over(before, &domain.base, wanted),
            _ => false,
        },
        None => false,
    }
}

/// The type of an attribute stays as long as a table stores the composite (`ATPrepAlterColumnType`).
pub(super) fn composite(before: &Schema, name: &Name, actions: &[AttributeAction]) -> Refused {
    let Some(found) = before.find_type(name) else { return Ok(()) };
    if !actions.iter().any(|action| matches!(action, AttributeAction::SetType { .. })) {
        return Ok(());
    }
    match before.columns_of_type(&found).first() {
        Some(used) => error(
            "0A000",
            format!(
                "cannot alter type \"{}\" because column \"{}.{}\" uses it",
                name.name, used.table.name, used.column
            ),
        ),
        None => Ok(()),
    }
}

/// A foreign table whose wrapper has no handler cannot be read or written (`GetFdwRoutine`). Known where no wrapper has.
pub(super) fn handled(before: &Schema, names: &[&Name], depth: u8) -> Refused {
    let mut wrappers = before.others.iter().filter(|(key, _)| key.starts_with("foreign-data wrapper ")).peekable();
    let none = !before.extensions.keys().any(|name| name.ends_with("_fdw"))
        && wrappers.peek().is_some()
        && wrappers.all(|(_, text)| {
            let text = text.to_ascii_lowercase();
            !text.contains(" handler ") || text.contains(" no handler")
        });
    if !none || depth > 16 {
        return Ok(());
    }
    for name in names {
        let found = before.resolve(name);
        match before.relation(&found) {
            Some(Relation::Table(table)) if table.foreign == Fact::Known(true) => {
                return error("55000", "the foreign-data wrapper has no handler".to_owned());
            }
            Some(Relation::View(view)) => {
                let inner: Vec<&Name> =
                    view.query.known().into_iter().flat_map(|query| &query.reads).map(|(it, _)| it).collect();
                handled(before, &inner, depth + 1)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// One plain column is no extended statistics; one expression is (`CreateStatistics`).
pub(super) fn statistics(table: Option<&Table>, text: &str) -> Refused {
    let lower = text.to_ascii_lowercase();
    let from = if lower.starts_with("on ") { Some(3) } else { lower.find(" on ").map(|at| at + 4) };
    let (Some(from), Some(to)) = (from, lower.rfind(" from ")) else { return Ok(()) };
    let listed = lower.get(from..to).unwrap_or_default();
    let mut seen: Vec<&str> = Vec::new();
    for piece in crate::sql::outside::pieces(listed) {
        let plain = piece.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
        if plain && table.is_some_and(|table| virtual_column(table, piece)) {
            return error("0A000", format!("statistics on virtual generated columns are not supported: {piece}"));
        }
        if plain && table.is_some_and(|table| table.complete && table.column(piece).is_none()) {
            return error("42703", format!("column \"{piece}\" does not exist"));
        }
        if plain && seen.contains(&piece) {
            return error("42701", "duplicate column name in statistics definition".to_owned());
        }
        seen.push(piece);
    }
    if listed.contains([',', '(']) {
        return Ok(());
    }
    error("42P17", "extended statistics require at least 2 columns".to_owned())
}

/// The WHERE of a published table calls immutable functions of the server only (`check_simple_rowfilter_expr`).
pub(super) fn row_filter(before: &Schema, filter: &str) -> Refused {
    let Ok(expression) = crate::sql::parse::parse_expression(filter) else { return Ok(()) };
    let own = expression.functions.iter().any(|name| before.find_functions(name).is_some());
    if own || volatility::not_immutable(before, &expression, |_| None).is_some() {
        return error("0A000", "invalid publication WHERE expression".to_owned());
    }
    Ok(())
}

pub(super) fn index(before: &Schema, create: &CreateIndex) -> Refused {
    let target = before.resolve(&create.table);
    let listed = before.table(&target);
    if listed.is_some_and(|table| table.foreign == Fact::Known(true)) {
        return error("42809", format!("cannot create index on relation \"{}\"", target.name));
    }
    let type_of = |column: &str| {
        let data_type = listed?.column(column)?.data_type.known().map(|data_type| before.resolve_type(data_type))?;
        (data_type.array == 0 && rewrite::is_builtin(&data_type.name)).then_some(data_type.name.name)
    };
    let expressions = create.elements.iter().filter_map(|element| element.expression.as_ref());
    for expression in expressions.chain(&create.predicate) {
        if let Some(function) = volatility::not_immutable(before, expression, type_of) {
            return error(
                "42P17",
                format!("functions in index expression and predicate must be marked IMMUTABLE: {function}"),
            );
        }
    }
    if let Some(table) = listed {
        let expressions =
            create.elements.iter().filter_map(|element| element.expression.as_ref()).chain(&create.predicate);
        let mut used = create.elements.iter().filter_map(|element| element.column.as_ref());
        let in_expression = expressions.flat_map(|expression| &expression.columns);
        if let Some(column) = used.by_ref().chain(in_expression).find(|column| virtual_column(table, column)) {
            return error("0A000", format!("indexes on virtual generated columns are not supported: {column}"));
        }
        let own = ["btree_gin", "btree_gist"].iter().any(|extension| before.extensions.contains_key(*extension));
        let method = create.method.as_str();
        for element in create.elements.iter().filter(|element| element.opclass.is_none() && !own) {
            let data_type = element.column.as_ref().and_then(|column| table.column(column)?.data_type.known());
            let base = data_type.map(|data_type| rewrite::base(before, data_type));
            if let Some(base) = base.filter(|base| rewrite::is_builtin(&base.name)) {
                index_classes::has_default(method, &base)?;
            }
        }
    }
    let by = before.table(&target).and_then(|table| table.partition_by.known()).and_then(Option::as_ref);
    if let (true, Some(by)) = (create.unique, by) {
        let columns: Vec<String> = create.elements.iter().filter_map(|element| element.column.clone()).collect();
        holds_key(&columns, by, &target)?;
    }
    Ok(())
}

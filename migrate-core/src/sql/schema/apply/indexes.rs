//! CREATE INDEX, ALTER INDEX … ATTACH PARTITION, REINDEX (`DefineIndex` in `indexcmds.c`).

use super::Apply;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{CreateIndex, IndexElement, ObjectKind, ReindexScope, TypeName};
use crate::sql::name::{Name, quoted};
use crate::sql::schema::error::{Applied, plain};
use crate::sql::schema::naming::columns_part;
use crate::sql::schema::parameters;
use crate::sql::schema::text::{list, unqualified};
use crate::sql::schema::{ApplyError, Fact, Index, Relation};
use std::collections::BTreeSet;

impl Apply<'_> {
    pub(super) fn create_index(&mut self, create: &CreateIndex) -> Applied {
        let table = self.indexed_relation(&create.table)?;
        let schema = table.schema.clone().unwrap_or_else(|| "public".to_owned());
        let verb = if create.if_not_exists { Verb::Ensure } else { Verb::Make };
        let name = match &create.name {
            Some(name) => Name::qualified(&schema, name),
            None => self.index_name(&table, create),
        };
        if !self.free_relation(&name, create.if_not_exists)? {
            let object = self.schema.relation_id(&name);
            self.change(EffectKind::CreateIndex, Verb::Ensure, object, index_text(create));
            return Ok(());
        }
        self.need_index_columns(&table, create)?;
        if create.concurrently && self.schema.is_partitioned(&table) {
            return Err(ApplyError::new(
                "0A000",
                format!("cannot create index on partitioned table \"{}\" concurrently", table.name),
            ));
        }
        self.make_index(&table, &name, create, None);
        self.index_made(&name, verb);
        if !create.only {
            self.index_partitions(&table, &name, create)?;
        } else if !self.schema.partitions_of(&table).is_empty() {
            self.set_valid(&name, false);
        }
        Ok(())
    }

    /// A table or materialized view. Where only the name is known it is taken for a table.
    fn indexed_relation(&mut self, name: &Name) -> Applied<Name> {
        match self.schema.find_relation(name) {
            Some(found) => match self.schema.relations.get(&found) {
                Some(Relation::Table(_) | Relation::MaterializedView(_)) => Ok(found),
                _ => Err(ApplyError::new("42809", format!("cannot create index on relation \"{}\"", found.name))),
            },
            None => self.need_table(name),
        }
    }

    fn need_index_columns(&mut self, table: &Name, create: &CreateIndex) -> Applied {
        if !matches!(self.schema.relations.get(table), Some(Relation::Table(_))) {
            let known = self.schema.view(table).and_then(|view| view.columns.known()).cloned();
            let Some(known) = known else { return Ok(()) };
            return match uses(create).into_iter().find(|column| !known.contains(column)) {
                Some(missing) => Err(ApplyError::new("42703", format!("column \"{missing}\" does not exist"))),
                None => Ok(()),
            };
        }
        for column in uses(create) {
            self.need_any_column(table, &column)
                .map_err(|_| ApplyError::new("42703", format!("column \"{column}\" does not exist")))?;
        }
        Ok(())
    }

    /// `ChooseIndexName`: table, columns (`expr` for an expression), `idx`.
    fn index_name(&self, table: &Name, create: &CreateIndex) -> Name {
        let mut parts: Vec<String> = Vec::new();
        let named = create.elements.iter().map(|element| match (&element.column, &element.expression) {
            (Some(column), _) => column.clone(),
            (None, Some(expression)) => expression_name(&expression.text),
            (None, None) => "expr".to_owned(),
        });
        // Names within one index are made distinct before they are put together (`ChooseIndexColumnNames`).
        for name in named.chain(create.include.iter().cloned()) {
            let mut candidate = name.clone();
            let mut count = 1;
            while parts.contains(&candidate) {
                candidate = format!("{name}{count}");
                count += 1;
            }
            parts.push(candidate);
        }
        let part = columns_part(parts.iter().map(String::as_str));
        let schema = table.schema.as_deref().unwrap_or("public");
        self.schema.choose_relation_name(&table.name, Some(&part), "idx", schema, false)
    }

    fn make_index(&mut self, table: &Name, name: &Name, create: &CreateIndex, parent: Option<&Name>) {
        let partitioned = self.schema.is_partitioned(table);
        self.schema.dropped.remove(name);
        self.schema.relations.insert(
            name.clone(),
            Relation::Index(Index {
                table: Fact::Known(table.clone()),
                new: true,
                unique: Fact::Known(create.unique),
                method: create.method.clone(),
                columns: Fact::Known(create.elements.iter().map(|element| element.column.clone()).collect()),
                include: create.include.clone(),
                uses: uses(create),
                predicate: create.predicate.clone(),
                functions: called(create),
                definition: Fact::Known(unqualified(
                    &index_text(&self.with_default_classes(table, create)),
                    &table.name,
                )),
                valid: true,
                partitioned,
                parent: parent.cloned(),
                constraint: None,
            }),
        );
    }

    /// Without the operator classes that the types of the columns have anyway.
    fn with_default_classes(&self, table: &Name, create: &CreateIndex) -> CreateIndex {
        let mut create = create.clone();
        let Some(table) = self.schema.table(table) else { return create };
        for element in &mut create.elements {
            let of_column = element.column.as_ref().and_then(|column| table.column(column));
            if let (Some(class), Some(data_type)) = (&element.opclass, of_column.and_then(|of| of.data_type.known()))
                && Some(class.trim_start_matches("pg_catalog.")) == default_class(data_type, &create.method)
            {
                element.opclass = None;
            }
            // Nor the collation that the column has anyway.
            if let (Some(collation), Some(Fact::Known(own))) = (&element.collation, of_column.map(|of| &of.collation)) {
                let own = own.as_ref().map_or("default", |own| own.name.as_str());
                if collation.name == own {
                    element.collation = None;
                }
            }
        }
        create
    }

    /// Writes the change of a new index down.
    pub(super) fn index_made(&mut self, name: &Name, verb: Verb) {
        let object = self.schema.relation_id(name);
        let text = self.schema.index(name).and_then(|index| index.definition.known()).cloned().unwrap_or_default();
        if self.schema.index(name).is_some_and(|index| index.new) {
            self.change(EffectKind::CreateIndex, verb, object, text);
        }
    }

    /// An index on each partition below, attached: an equal one that is there, or a new one.
    fn index_partitions(&mut self, table: &Name, parent: &Name, create: &CreateIndex) -> Applied {
        for child in self.schema.partitions_of(table) {
            if let Some(own) = self.equal_index(&child, parent) {
                self.set_parent(&own, parent);
                continue;
            }
            let name = self.index_name(&child, create);
            self.make_index(&child, &name, create, Some(parent));
            self.index_made(&name, Verb::Make);
            self.index_partitions(&child, &name, create)?;
        }
        Ok(())
    }

    /// An index of `table` with the same definition as `like`, that belongs to no other parent.
    pub(super) fn equal_index(&self, table: &Name, like: &Name) -> Option<Name> {
        let like = self.schema.index(like)?;
        self.schema
            .indexes_of(table)
            .into_iter()
            .find(|(_, index)| {
                index.parent.is_none()
                    && index.constraint.is_some() == like.constraint.is_some()
                    && index.definition == like.definition
            })
            .map(|(name, _)| name.clone())
    }

    pub(super) fn set_parent(&mut self, index: &Name, parent: &Name) {
        if let Some(Relation::Index(listed)) = self.schema.relations.get_mut(index) {
            listed.parent = Some(parent.clone());
        }
    }

    pub(super) fn set_valid(&mut self, index: &Name, valid: bool) {
        if let Some(Relation::Index(listed)) = self.schema.relations.get_mut(index) {
            listed.valid = valid;
        }
    }

    /// A copy of a partitioned table's index on its new partition, and so on down.
    pub(super) fn copy_index(&mut self, parent: &Name, child: &Name) -> Applied {
        let Some(source) = self.schema.index(parent).cloned() else { return Ok(()) };
        if let Some(own) = self.equal_index(child, parent) {
            self.set_parent(&own, parent);
            return Ok(());
        }
        let keys = source.name_parts();
        let part = columns_part(keys.iter().map(String::as_str));
        let schema = child.schema.as_deref().unwrap_or("public");
        let name = self.schema.choose_relation_name(&child.name, Some(&part), "idx", schema, false);
        let partitioned = self.schema.is_partitioned(child);
        self.schema.dropped.remove(&name);
        self.schema.relations.insert(
            name.clone(),
            Relation::Index(Index {
                table: Fact::Known(child.clone()),
                new: true,
                parent: Some(parent.clone()),
                partitioned,
                valid: true,
                ..source
            }),
        );
        self.index_made(&name, Verb::Make);
        for grandchild in self.schema.partitions_of(child) {
            self.copy_index(&name, &grandchild)?;
        }
        Ok(())
    }

    pub(super) fn attach_index(&mut self, index: &Name, child: &Name) -> Applied {
        let index = self.need_relation(index, ObjectKind::Index)?;
        let child = self.need_relation(child, ObjectKind::Index)?;
        // Of a table that nothing tells of it is not known: an index ON ONLY it is made to be attached to.
        let plain = |table: &Name| {
            self.closed() || self.schema.table(table).is_some_and(|table| table.partition_by == Fact::Known(None))
        };
        if self.schema.index(&index).is_some_and(|it| it.table.known().is_some_and(plain) && !it.partitioned) {
            return Err(ApplyError::wrong_kind(&index, "a partitioned index"));
        }
        if self.schema.index(&child).is_some_and(|it| it.parent.as_ref() == Some(&index)) {
            self.alter_relation(EffectKind::ChangeIndex, &index, format!("ATTACH PARTITION {child}"));
            return Ok(());
        }
        let (parent_table, child_table) = (self.index_table(&index), self.index_table(&child));
        if let (Some(parent_table), Some(child_table)) = (&parent_table, &child_table) {
            let known = self.schema.table(child_table).and_then(|table| table.partition_of.known());
            if known.is_some_and(|of| of.as_ref().is_none_or(|(parent, _)| parent != parent_table)) {
                return Err(ApplyError::new(
                    "55000",
                    format!("cannot attach index \"{}\" as a partition of index \"{}\"", child.name, index.name),
                ));
            }
        }
        if let (Some(above), Some(below)) = (self.schema.index(&index), self.schema.index(&child))
            && let (Fact::Known(keys), Fact::Known(own)) = (&above.columns, &below.columns)
            && (keys != own || above.method != below.method || above.predicate.is_some() != below.predicate.is_some())
        {
            return Err(ApplyError::new(
                "42P17",
                format!("cannot attach index \"{}\" as a partition of index \"{}\"", child.name, index.name),
            ));
        }
        self.set_parent(&child, &index);
        if let Some(parent_table) = parent_table {
            let all = self.schema.partitions_of(&parent_table).into_iter().all(|partition| {
                self.schema
                    .indexes_of(&partition)
                    .into_iter()
                    .any(|(_, it)| it.parent.as_ref() == Some(&index) && it.valid)
            });
            let known = self.schema.table(&parent_table).is_some_and(|table| table.complete);
            if all && known {
                self.set_valid(&index, true);
            }
        }
        self.alter_relation(EffectKind::ChangeIndex, &index, format!("ATTACH PARTITION {child}"));
        Ok(())
    }

    fn index_table(&self, index: &Name) -> Option<Name> {
        self.schema.index(index).and_then(|index| index.table.known()).cloned()
    }

    pub(super) fn reindex(&mut self, scope: &ReindexScope) -> Applied {
        match scope {
            ReindexScope::Index(name) => {
                let found = self.need_relation(name, ObjectKind::Index)?;
                self.set_valid(&found, true);
                self.alter_relation(EffectKind::Reindex, &found, "");
            }
            ReindexScope::Table(name) => {
                let found = match self.schema.find_relation(name) {
                    Some(found) => found,
                    None => self.need_table(name)?,
                };
                self.alter_relation(EffectKind::Reindex, &found, "");
            }
            ReindexScope::Schema(name) => {
                if self.closed() && !self.schema.schemas.contains(name) {
                    return Err(ApplyError::no_schema(name));
                }
                let object = super::change::object(crate::model::Space::Schema, "schema", Name::bare(name));
                self.change(EffectKind::Reindex, Verb::Use, object, "");
            }
            ReindexScope::Database | ReindexScope::System => {}
        }
        Ok(())
    }

    /// CLUSTER: the index becomes the one to cluster on.
    pub(super) fn cluster(&mut self, table: Option<&Name>, index: Option<&str>) -> Applied {
        let Some(table) = table else { return Ok(()) };
        let found = match self.schema.find_relation(table) {
            Some(found) => found,
            None => self.need_table(table)?,
        };
        if let Some(index) = index {
            let of_table = Name { schema: found.schema.clone(), name: index.to_owned() };
            if !self.schema.relations.contains_key(&of_table) && self.known_absent(&of_table) {
                return Err(ApplyError::new(
                    "42704",
                    format!("index \"{index}\" for table \"{}\" does not exist", plain(&found)),
                ));
            }
            // Of a partitioned table only the partitions are: it has no rows itself (`cluster.c`, `cluster_multiple_rels`).
            if let Some(Relation::Table(listed)) = self.schema.relations.get_mut(&found)
                && !matches!(listed.partition_by, Fact::Known(Some(_)))
            {
                listed.clustered_on = Fact::Known(Some(index.to_owned()));
            }
        }
        self.alter_relation(EffectKind::ClusterTable, &found, index.unwrap_or_default());
        Ok(())
    }
}

impl Index {
    /// What the name of a copy is put together from.
    pub(super) fn name_parts(&self) -> Vec<String> {
        let keys = self.columns.known().map_or(&[][..], Vec::as_slice);
        let keys = keys.iter().map(|key| key.clone().unwrap_or_else(|| "expr".to_owned()));
        keys.chain(self.include.iter().cloned()).collect()
    }
}

/// The operator class that an index of the method takes for the type, of those that schemas name (`pg_opclass.dat`).
fn default_class(data_type: &TypeName, method: &str) -> Option<&'static str> {
    if data_type.array > 0 {
        return matches!(method, "btree" | "gin" | "hash").then_some("array_ops");
    }
    if data_type.name.name == "jsonb" {
        return matches!(method, "btree" | "gin" | "hash").then_some("jsonb_ops");
    }
    if !matches!(method, "btree" | "hash") {
        return None;
    }
    Some(match data_type.name.name.as_str() {
        "text" | "varchar" => "text_ops",
        "bpchar" => "bpchar_ops",
        "int2" => "int2_ops",
        "int4" => "int4_ops",
        "int8" => "int8_ops",
        "numeric" => "numeric_ops",
        "uuid" => "uuid_ops",
        "date" => "date_ops",
        "timestamp" => "timestamp_ops",
        "timestamptz" => "timestamptz_ops",
        "bool" => "bool_ops",
        "bytea" => "bytea_ops",
        _ => return None,
    })
}

/// Every function that the index calls.
fn called(create: &CreateIndex) -> Vec<Name> {
    let keys = create.elements.iter().filter_map(|element| element.expression.as_ref());
    keys.chain(&create.predicate).flat_map(|expression| expression.functions.iter().cloned()).collect()
}

/// Every column that the index reads.
fn uses(create: &CreateIndex) -> BTreeSet<String> {
    let elements = create.elements.iter().flat_map(|element| {
        element.column.iter().chain(element.expression.iter().flat_map(|expression| &expression.columns))
    });
    let predicate = create.predicate.iter().flat_map(|predicate| &predicate.columns);
    elements.chain(&create.include).chain(predicate).cloned().collect()
}

/// The name of an expression column: the function's where it is one call, else `expr` (`FigureIndexColname`).
fn expression_name(text: &str) -> String {
    let text = text.trim().trim_start_matches('(');
    let end = text.find(|char: char| !(char.is_alphanumeric() || char == '_' || char == '.')).unwrap_or(text.len());
    let (head, tail) = text.split_at(end);
    let name = head.rsplit('.').next().unwrap_or(head);
    let mut depth = 0_i32;
    let mut closes = None;
    for (at, char) in tail.char_indices() {
        match char {
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    closes = Some(at);
                    break;
                }
            }
            _ => {}
        }
    }
    let whole = closes.is_some_and(|at| tail[at + 1..].trim_matches([' ', ')']).is_empty());
    if tail.starts_with('(') && whole && !name.is_empty() { name.to_owned() } else { "expr".to_owned() }
}

/// Canonical text of the index without names: `UNIQUE USING btree (a DESC) WHERE (b)`.
fn index_text(create: &CreateIndex) -> String {
    let mut text = String::new();
    if create.unique {
        text.push_str("UNIQUE ");
    }
    let elements: Vec<String> = create.elements.iter().map(element_text).collect();
    text.push_str(&format!("USING {} ({})", create.method, elements.join(", ")));
    if !create.include.is_empty() {
        text.push_str(&format!(" INCLUDE ({})", list(&create.include)));
    }
    if create.nulls_not_distinct {
        text.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(with) = &create.with {
        text.push_str(&format!(" {}", parameters::written(&parameters::read(with))));
    }
    if let Some(tablespace) = &create.tablespace {
        text.push_str(&format!(" TABLESPACE {}", quoted(tablespace)));
    }
    if let Some(predicate) = &create.predicate {
        text.push_str(&format!(" WHERE ({})", predicate.text));
    }
    text
}

fn element_text(element: &IndexElement) -> String {
    let mut text = match (&element.column, &element.expression) {
        (Some(column), _) => quoted(column),
        (None, Some(expression)) => format!("({})", expression.text),
        (None, None) => String::new(),
    };
    if let Some(collation) = &element.collation {
        text.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(opclass) = &element.opclass {
        text.push_str(&format!(" {opclass}"));
    }
    if element.descending {
        text.push_str(" DESC");
    }
    // NULLS FIRST is what DESC means, NULLS LAST what ASC means.
    match element.nulls_first {
        Some(true) if !element.descending => text.push_str(" NULLS FIRST"),
        Some(false) if element.descending => text.push_str(" NULLS LAST"),
        _ => {}
    }
    text
}

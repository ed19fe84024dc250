//! CREATE TABLE (`DefineRelation` in `tablecmds.c`, `transformCreateStmt` in `parse_utilcmd.c`).

use super::Apply;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{ColumnDef, ConstraintDef, CreateTable, Persistence, TypeDefinition};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::resolve::TEMP;
use crate::sql::schema::text::{column_text, list};
use crate::sql::schema::{ApplyError, Column, Fact, Relation, Table, Type};
use std::collections::{BTreeMap, BTreeSet};

impl Apply<'_> {
    pub(super) fn create_table(&mut self, create: &CreateTable) -> Applied {
        let verb = if create.if_not_exists { Verb::Ensure } else { Verb::Make };
        let name = self.new_relation_name(&create.name, create.persistence);
        if !self.free_relation(&name, create.if_not_exists)? {
            let object = self.schema.relation_id(&name);
            self.change(EffectKind::CreateTable, Verb::Ensure, object, "");
            return Ok(());
        }
        let mut table = Table {
            foreign: Fact::Known(create.foreign_server.is_some()),
            persistence: Fact::Known(create.persistence),
            options: create.with.iter().cloned().collect(),
            tablespace: Fact::Known(create.tablespace.clone()),
            access_method: Fact::Known(create.using.clone()),
            partition_by: Fact::Known(create.partition_by.clone()),
            ..Table::fresh()
        };
        let mut parents = Vec::new();
        for parent in &create.inherits {
            let parent = self.need_table(parent)?;
            if parents.contains(&parent) {
                return Err(ApplyError::new(
                    "42P07",
                    format!("relation \"{}\" would be inherited from more than once", parent.name),
                ));
            }
            parents.push(parent);
        }
        table.inherits.clone_from(&parents);
        if let Some((parent, bound)) = &create.partition_of {
            let parent = self.need_table(parent)?;
            self.need_partitioned(&parent)?;
            table.partition_of = Fact::Known(Some((parent.clone(), bound.clone())));
            parents.push(parent);
        }
        if let Some(of) = &create.of_type {
            self.columns_of_composite(of, &mut table)?;
        }
        for parent in &parents {
            self.inherit_columns(parent, &mut table)?;
        }
        self.schema.relations.insert(name.clone(), Relation::Table(table));
        let at = self.changes.len();

        let mut constraints: Vec<ConstraintDef> = Vec::new();
        for def in &create.columns {
            self.create_column(&name, def)?;
            constraints.extend(def.constraints.iter().cloned());
        }
        let mut likes = Vec::new();
        for like in &create.likes {
            likes.push(self.like_columns(&name, like)?);
        }
        constraints.extend(create.constraints.iter().cloned());
        // A table without rows has none to look at: what is NOT VALID here is valid (`transformCheckConstraints`,
        // `transformFKConstraints`). A foreign table's rows are elsewhere.
        if create.foreign_server.is_none() {
            constraints.iter_mut().for_each(|def| def.not_valid = false);
        }
        for parent in &parents {
            self.inherit_checks(parent, &name)?;
        }
        if !parents.is_empty() {
            self.own_not_nulls(&name, &create.columns)?;
        }
        self.add_constraints(&name, &constraints, verb)?;
        for like in likes {
            self.like_parts(&name, like)?;
        }
        self.check_partition_key(&name)?;
        if let Some((parent, _)) = self.partition_parent(&name) {
            self.inherit_partition_parts(&parent, &name)?;
        }
        self.table_changes(&name, verb, at, create)
    }

    /// The change of the table, one a column, before what its constraints made.
    fn table_changes(&mut self, name: &Name, verb: Verb, at: usize, create: &CreateTable) -> Applied {
        let made = self.changes.split_off(at);
        let object = self.schema.relation_id(name);
        self.change(EffectKind::CreateTable, verb, object, table_text(create));
        let columns: Vec<(String, String)> =
            self.table(name)?.columns.iter().map(|column| (column.name.clone(), column_text(column))).collect();
        for (column, text) in columns {
            self.change(EffectKind::AddColumn, verb, super::change::column(name, &column), text);
        }
        self.changes.extend(made);
        Ok(())
    }

    pub(super) fn new_relation_name(&self, name: &Name, persistence: Persistence) -> Name {
        if persistence == Persistence::Temporary { Name::qualified(TEMP, &name.name) } else { self.schema.place(name) }
    }

    /// Adds a column of CREATE TABLE, merging it with an inherited one of the name.
    fn create_column(&mut self, table: &Name, def: &ColumnDef) -> Applied {
        let existing = self.table(table)?.columns.iter().position(|column| column.name == def.name);
        if let Some(at) = existing {
            let inherited = self.table(table)?.columns[at].inherited;
            if !inherited && def.data_type.is_some() {
                return Err(ApplyError::new("42701", format!("column \"{}\" specified more than once", def.name)));
            }
        } else if def.data_type.is_none() {
            return Err(ApplyError::new("42703", format!("column \"{}\" does not exist", def.name)));
        }
        let made = self.column_from(table, def)?;
        let listed = self.table_mut(table)?;
        match existing {
            None => listed.columns.push(made),
            Some(at) => {
                let column = &mut listed.columns[at];
                column.inherited = column.inherited && def.data_type.is_none();
                if made.not_null == Fact::Known(true) {
                    column.not_null = Fact::Known(true);
                }
                if def.default.is_some() {
                    column.default = made.default;
                }
                if def.generated.is_some() {
                    column.generated = made.generated;
                }
                if def.identity.is_some() {
                    column.identity = made.identity;
                }
            }
        }
        Ok(())
    }

    /// Columns that a parent hands down; equal names merge.
    fn inherit_columns(&mut self, parent: &Name, table: &mut Table) -> Applied {
        let source = self.table(parent)?;
        table.complete &= source.complete;
        let partition = table.partition_of.known().and_then(Option::as_ref).is_some();
        for column in &source.columns {
            if let Some(same) = table.columns.iter_mut().find(|same| same.name == column.name) {
                if column.not_null == Fact::Known(true) {
                    same.not_null = Fact::Known(true);
                }
                continue;
            }
            let identity = if partition { column.identity.clone() } else { Fact::Known(None) };
            let identity = if self.pg.at_least(17) { identity } else { Fact::Known(None) };
            table.columns.push(Column { inherited: true, identity, statistics: None, ..column.clone() });
        }
        Ok(())
    }

    /// `CREATE TABLE … OF type`.
    fn columns_of_composite(&mut self, of: &Name, table: &mut Table) -> Applied {
        let Some(found) = self.schema.find_type(of) else {
            let placed = self.schema.place(of);
            if !self.schema.type_may_exist(&placed) {
                return Err(ApplyError::undefined("type", of));
            }
            table.of_type = Some(placed);
            table.complete = false;
            return Ok(());
        };
        match self.schema.types.get(&found) {
            Some(Type::Defined { definition: TypeDefinition::Composite { attributes }, .. }) => {
                table.columns = attributes
                    .iter()
                    .map(|(name, data_type, collation)| Column {
                        data_type: Fact::Known(data_type.clone()),
                        collation: Fact::Known(collation.clone()),
                        ..Column::fresh(name)
                    })
                    .collect();
            }
            Some(Type::Mentioned { .. }) => table.complete = false,
            _ => return Err(ApplyError::new("42809", format!("type {} is not a composite type", of.name))),
        }
        table.of_type = Some(found);
        Ok(())
    }

    fn check_partition_key(&mut self, name: &Name) -> Applied {
        let Fact::Known(Some(by)) = self.table(name)?.partition_by.clone() else { return Ok(()) };
        for column in &by.columns {
            if !self.has_column(name, column)? {
                return Err(ApplyError::new(
                    "42703",
                    format!("column \"{column}\" named in partition key does not exist"),
                ));
            }
        }
        Ok(())
    }
}

/// What the table is besides its columns and constraints.
fn table_text(create: &CreateTable) -> String {
    let mut parts = Vec::new();
    match create.persistence {
        Persistence::Permanent => {}
        Persistence::Unlogged => parts.push("UNLOGGED".to_owned()),
        Persistence::Temporary => parts.push("TEMPORARY".to_owned()),
    }
    if let Some(of) = &create.of_type {
        parts.push(format!("OF {of}"));
    }
    if let Some((parent, bound)) = &create.partition_of {
        let bound = match bound {
            crate::sql::ast::PartitionBound::Default => "DEFAULT",
            crate::sql::ast::PartitionBound::Values(text) => text,
        };
        parts.push(format!("PARTITION OF {parent} {bound}"));
    }
    if !create.inherits.is_empty() {
        let names: Vec<String> = create.inherits.iter().map(ToString::to_string).collect();
        parts.push(format!("INHERITS ({})", names.join(", ")));
    }
    if let Some(by) = &create.partition_by {
        parts.push(format!("PARTITION BY {}", by.text));
    }
    if let Some(server) = &create.foreign_server {
        parts.push(format!("SERVER {}", list(std::slice::from_ref(server))));
    }
    if let Some(method) = &create.using {
        parts.push(format!("USING {method}"));
    }
    if !create.with.is_empty() {
        let options: Vec<String> = create
            .with
            .iter()
            .map(|(name, value)| value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}={value}")))
            .collect();
        parts.push(format!("WITH ({})", options.join(", ")));
    }
    if let Some(tablespace) = &create.tablespace {
        parts.push(format!("TABLESPACE {tablespace}"));
    }
    parts.join(" ")
}

impl Table {
    /// A table that a statement has just made, known in full.
    pub(super) fn fresh() -> Self {
        Self {
            complete: true,
            new: true,
            foreign: Fact::Known(false),
            persistence: Fact::Known(Persistence::Permanent),
            columns: Vec::new(),
            absent: BTreeSet::new(),
            constraints: BTreeMap::new(),
            triggers: BTreeMap::new(),
            policies: BTreeMap::new(),
            rules: BTreeMap::new(),
            partition_by: Fact::Known(None),
            partition_of: Fact::Known(None),
            inherits: Vec::new(),
            of_type: None,
            row_security: Fact::Known(BTreeSet::new()),
            options: BTreeMap::new(),
            tablespace: Fact::Known(None),
            access_method: Fact::Known(None),
            replica_identity: Fact::Known(None),
            clustered_on: Fact::Known(None),
            owner: Fact::Unknown,
        }
    }
}

impl Column {
    /// A column that a statement has just made: without anything that the statement does not give.
    pub(super) fn fresh(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            data_type: Fact::Unknown,
            collation: Fact::Known(None),
            not_null: Fact::Known(false),
            default: Fact::Known(None),
            generated: Fact::Known(None),
            identity: Fact::Known(None),
            storage: None,
            compression: None,
            statistics: None,
            options: BTreeMap::new(),
            inherited: false,
        }
    }
}

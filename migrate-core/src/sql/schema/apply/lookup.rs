//! Finding what a statement names. In the closed world what is not listed is not there; in the open world mentioning it
//! lists it, with everything about it unknown.

use super::Apply;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::ObjectKind;
use crate::sql::name::Name;
use crate::sql::schema::error::{Applied, plain};
use crate::sql::schema::resolve::is_system;
use crate::sql::schema::{ApplyError, Column, Fact, Index, Relation, Schema, Sequence, Table, View, World};
use std::collections::{BTreeMap, BTreeSet};

/// Columns that every table has (manual, section 5.6, "System Columns").
pub(super) const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

impl Apply<'_> {
    /// The relation that the statement names as a `kind`. `None`: it is not there, and IF EXISTS was said.
    pub(super) fn relation_as(&mut self, name: &Name, kind: ObjectKind, if_exists: bool) -> Applied<Option<Name>> {
        if let Some(found) = self.schema.find_relation(name) {
            self.check_kind(&found, kind)?;
            return Ok(Some(found));
        }
        let placed = self.schema.resolve(name);
        if self.known_absent(&placed) {
            return if if_exists { Ok(None) } else { Err(missing_relation(name, kind)) };
        }
        if placed.schema.as_deref().is_some_and(is_system) {
            return Ok(Some(placed));
        }
        self.schema.relations.insert(placed.clone(), mentioned(kind));
        Ok(Some(placed))
    }

    /// The relation that must be there, as a `kind`.
    pub(super) fn need_relation(&mut self, name: &Name, kind: ObjectKind) -> Applied<Name> {
        match self.relation_as(name, kind, false)? {
            Some(found) => Ok(found),
            None => Err(missing_relation(name, kind)),
        }
    }

    /// The table (or foreign table) that must be there.
    pub(super) fn need_table(&mut self, name: &Name) -> Applied<Name> {
        self.need_relation(name, ObjectKind::Table)
    }

    /// Only whether it may be there: a read does not say what kind of relation it is.
    pub(super) fn check_readable(&self, name: &Name) -> Applied {
        let found = self.schema.resolve(name);
        let system = found.schema.as_deref().is_some_and(is_system);
        if system || self.schema.relations.contains_key(&found) || !self.known_absent(&found) {
            Ok(())
        } else {
            Err(ApplyError::no_relation(name))
        }
    }

    /// Whether a relation that is not listed is known not to be there.
    pub(super) fn known_absent(&self, name: &Name) -> bool {
        if name.schema.as_deref().is_some_and(is_system) {
            return false;
        }
        self.closed() || self.schema.dropped.contains(name)
    }

    /// Whether the name is free for a new relation (and its row type). `Ok(false)`: taken, and IF NOT EXISTS was said.
    pub(super) fn free_relation(&mut self, name: &Name, if_not_exists: bool) -> Applied<bool> {
        self.need_schema(name)?;
        if self.schema.relations.contains_key(name) {
            return if if_not_exists { Ok(false) } else { Err(ApplyError::relation_exists(name)) };
        }
        self.schema.dropped.remove(name);
        Ok(true)
    }

    /// The schema of a new object must be there; where others may be, naming it is enough.
    pub(super) fn need_schema(&mut self, name: &Name) -> Applied {
        let schema = name.schema.as_deref().unwrap_or("public");
        if self.closed() && !self.schema.schemas.contains(schema) && schema != super::super::resolve::TEMP {
            return Err(ApplyError::no_schema(schema));
        }
        Ok(())
    }

    pub(super) fn table_mut(&mut self, name: &Name) -> Applied<&mut Table> {
        match self.schema.relations.get_mut(name) {
            Some(Relation::Table(table)) => Ok(table),
            Some(_) => Err(ApplyError::wrong_kind(name, "a table")),
            None => Err(ApplyError::no_relation(name)),
        }
    }

    pub(super) fn table(&self, name: &Name) -> Applied<&Table> {
        self.schema.table(name).ok_or_else(|| ApplyError::no_relation(name))
    }

    /// The column that must be there.
    pub(super) fn need_column(&mut self, table: &Name, column: &str) -> Applied<&mut Column> {
        if !self.has_column(table, column)? {
            return Err(ApplyError::no_column(column, table));
        }
        let listed = self.table_mut(table)?;
        let found = listed.columns.iter_mut().find(|listed| listed.name == column);
        found.ok_or_else(|| ApplyError::no_column(column, table))
    }

    /// Whether the column is there; in a table that is not known in full, an unlisted one becomes listed.
    pub(super) fn has_column(&mut self, table: &Name, column: &str) -> Applied<bool> {
        let listed = self.table_mut(table)?;
        if listed.columns.iter().any(|listed| listed.name == column) {
            return Ok(true);
        }
        if listed.complete || listed.absent.contains(column) {
            return Ok(false);
        }
        listed.columns.push(Column::mentioned(column));
        Ok(true)
    }

    /// As [`Apply::need_column`], for a column that may be a system column.
    pub(super) fn need_any_column(&mut self, table: &Name, column: &str) -> Applied {
        if SYSTEM_COLUMNS.contains(&column) { Ok(()) } else { self.need_column(table, column).map(|_| ()) }
    }

    fn check_kind(&mut self, name: &Name, kind: ObjectKind) -> Applied {
        let (right, expected) = match (kind, self.schema.relations.get_mut(name)) {
            (ObjectKind::Table, found) => (matches!(found, Some(Relation::Table(_))), "a table"),
            (ObjectKind::ForeignTable, Some(Relation::Table(table))) => match table.foreign {
                Fact::Known(foreign) => (foreign, "a foreign table"),
                Fact::Unknown => {
                    table.foreign = Fact::Known(true);
                    (true, "a foreign table")
                }
            },
            (ObjectKind::ForeignTable, _) => (false, "a foreign table"),
            (ObjectKind::View, found) => (matches!(found, Some(Relation::View(_))), "a view"),
            (ObjectKind::MaterializedView, found) => {
                (matches!(found, Some(Relation::MaterializedView(_))), "a materialized view")
            }
            (ObjectKind::Sequence, found) => (matches!(found, Some(Relation::Sequence(_))), "a sequence"),
            (ObjectKind::Index, found) => (matches!(found, Some(Relation::Index(_))), "an index"),
            _ => return Ok(()),
        };
        if right {
            return Ok(());
        }
        if let Some(Relation::Table(table)) = self.schema.relations.get(name)
            && !table.new
            && table.only_mentioned()
        {
            self.schema.relations.insert(name.clone(), mentioned(kind));
            return Ok(());
        }
        Err(ApplyError::wrong_kind(name, expected))
    }

    /// Writes down that the statement only uses the relation.
    pub(super) fn uses(&mut self, kind: EffectKind, verb: Verb, name: &Name) {
        let found = self.schema.resolve(name);
        if !found.schema.as_deref().is_some_and(is_system) {
            let object = self.schema.relation_id(&found);
            self.change(kind, verb, object, "");
        }
    }
}

fn missing_relation(name: &Name, kind: ObjectKind) -> ApplyError {
    let noun = match kind {
        ObjectKind::View => "view",
        ObjectKind::MaterializedView => "materialized view",
        ObjectKind::Sequence => "sequence",
        _ => "relation",
    };
    ApplyError::new("42P01", format!("{noun} \"{}\" does not exist", plain(name)))
}

/// What a relation is of which only the name and the kind are known.
fn mentioned(kind: ObjectKind) -> Relation {
    match kind {
        ObjectKind::View => Relation::View(View::mentioned()),
        ObjectKind::MaterializedView => Relation::MaterializedView(View::mentioned()),
        ObjectKind::Sequence => Relation::Sequence(Sequence {
            new: false,
            options: Fact::Unknown,
            unlogged: false,
            owned_by: Fact::Unknown,
            identity: false,
        }),
        ObjectKind::Index => Relation::Index(Index::mentioned()),
        ObjectKind::ForeignTable => Relation::Table(Table { foreign: Fact::Known(true), ..Table::mentioned() }),
        _ => Relation::Table(Table::mentioned()),
    }
}

impl Schema {
    /// Whether a type that is not listed may be there.
    pub(super) fn type_may_exist(&self, name: &Name) -> bool {
        self.world == World::Open && !self.dropped_types.contains(name)
    }
}

impl Table {
    /// A table of which only the name is known.
    pub(crate) fn mentioned() -> Self {
        Self {
            complete: false,
            new: false,
            foreign: Fact::Unknown,
            persistence: Fact::Unknown,
            columns: Vec::new(),
            absent: BTreeSet::new(),
            constraints: BTreeMap::new(),
            triggers: BTreeMap::new(),
            policies: BTreeMap::new(),
            rules: BTreeMap::new(),
            partition_by: Fact::Unknown,
            partition_of: Fact::Unknown,
            inherits: Vec::new(),
            of_type: None,
            row_security: Fact::Unknown,
            options: BTreeMap::new(),
            tablespace: Fact::Unknown,
            access_method: Fact::Unknown,
            replica_identity: Fact::Unknown,
            clustered_on: Fact::Unknown,
            owner: Fact::Unknown,
        }
    }

    fn only_mentioned(&self) -> bool {
        !self.complete && self.constraints.is_empty() && self.foreign == Fact::Unknown
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Column {
    /// A column of which only the name is known.
    pub(crate) fn mentioned(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            data_type: Fact::Unknown,
            collation: Fact::Unknown,
            not_null: Fact::Unknown,
            default: Fact::Unknown,
            generated: Fact::Unknown,
            identity: Fact::Unknown,
            storage: None,
            compression: None,
            statistics: None,
            options: BTreeMap::new(),
            inherited: false,
        }
    }
}

impl View {
    fn mentioned() -> Self {
        Self {
            new: false,
            columns: Fact::Unknown,
            query: Fact::Unknown,
            definition: Fact::Unknown,
            options: String::new(),
            tablespace: None,
            populated: true,
            depends: BTreeMap::new(),
            functions: Vec::new(),
        }
    }
}

impl Index {
    fn mentioned() -> Self {
        Self {
            table: Fact::Unknown,
            new: false,
            unique: Fact::Unknown,
            method: "btree".to_owned(),
            columns: Fact::Unknown,
            include: Vec::new(),
            uses: BTreeSet::new(),
            predicate: None,
            functions: Vec::new(),
            definition: Fact::Unknown,
            valid: true,
            partitioned: false,
            parent: None,
            constraint: None,
        }
    }
}

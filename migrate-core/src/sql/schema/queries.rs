//! What hangs together: the questions that locks, CASCADE and reversal ask of the schema. Names given are
//! schema-qualified (see [`Schema::resolve`]), and so are the names answered.

use super::{Fact, Index, Relation, Schema, Sequence, Table, Type, View};
use crate::sql::RelationKind;
use crate::sql::ast::{ConstraintKind, ForeignKey, PartitionBound, TypeDefinition, TypeName};
use crate::sql::name::Name;
use std::collections::{BTreeMap, BTreeSet};

/// A foreign key and the table that has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ForeignKeyOf<'a> {
    pub table: &'a Name,
    pub constraint: &'a str,
    pub key: &'a ForeignKey,
}

/// A column of a type, perhaps inside a composite type, an array or a domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ColumnOfType {
    pub table: Name,
    pub column: String,
    /// The column's own type is the type asked for, not one that contains it.
    pub direct: bool,
}

impl Schema {
    pub(crate) fn table(&self, name: &Name) -> Option<&Table> {
        match self.relations.get(name) {
            Some(Relation::Table(table)) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn index(&self, name: &Name) -> Option<&Index> {
        match self.relations.get(name) {
            Some(Relation::Index(index)) => Some(index),
            _ => None,
        }
    }

    pub(crate) fn sequence(&self, name: &Name) -> Option<&Sequence> {
        match self.relations.get(name) {
            Some(Relation::Sequence(sequence)) => Some(sequence),
            _ => None,
        }
    }

    /// The view or materialized view.
    pub(crate) fn view(&self, name: &Name) -> Option<&View> {
        match self.relations.get(name) {
            Some(Relation::View(view) | Relation::MaterializedView(view)) => Some(view),
            _ => None,
        }
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = (&Name, &Table)> {
        self.relations.iter().filter_map(|(name, relation)| match relation {
            Relation::Table(table) => Some((name, table)),
            _ => None,
        })
    }

    pub(crate) fn indexes(&self) -> impl Iterator<Item = (&Name, &Index)> {
        self.relations.iter().filter_map(|(name, relation)| match relation {
            Relation::Index(index) => Some((name, index)),
            _ => None,
        })
    }

    /// Views and materialized views.
    pub(crate) fn views(&self) -> impl Iterator<Item = (&Name, &View)> {
        self.relations.iter().filter_map(|(name, relation)| match relation {
            Relation::View(view) | Relation::MaterializedView(view) => Some((name, view)),
            _ => None,
        })
    }

    pub(crate) fn sequences(&self) -> impl Iterator<Item = (&Name, &Sequence)> {
        self.relations.iter().filter_map(|(name, relation)| match relation {
            Relation::Sequence(sequence) => Some((name, sequence)),
            _ => None,
        })
    }

    /// What kind of relation it is; `Unknown` for one that is not listed, or listed only because something mentioned it.
    pub(crate) fn relation_kind(&self, name: &Name) -> RelationKind {
        match self.relations.get(name) {
            Some(Relation::Table(table)) => match table.foreign {
                Fact::Known(true) => RelationKind::ForeignTable,
                Fact::Known(false) => RelationKind::Table,
                Fact::Unknown => RelationKind::Unknown,
            },
            Some(Relation::View(_)) => RelationKind::View,
            Some(Relation::MaterializedView(_)) => RelationKind::MaterializedView,
            Some(Relation::Sequence(_)) => RelationKind::Sequence,
            Some(Relation::Index(_)) => RelationKind::Index,
            None => RelationKind::Unknown,
        }
    }

    /// Whether the statements so far made the relation.
    pub(crate) fn is_new(&self, name: &Name) -> bool {
        match self.relations.get(name) {
            Some(Relation::Table(table)) => table.new,
            Some(Relation::View(view) | Relation::MaterializedView(view)) => view.new,
            Some(Relation::Sequence(sequence)) => sequence.new,
            Some(Relation::Index(index)) => index.new,
            None => false,
        }
    }

    /// Everything listed is taken for old: what follows is a migration of its own.
    pub(crate) fn settle(&mut self) {
        self.relations.change(|_, relation| match relation {
            Relation::Table(table) => table.new = false,
            Relation::View(view) | Relation::MaterializedView(view) => view.new = false,
            Relation::Sequence(sequence) => sequence.new = false,
            Relation::Index(index) => index.new = false,
        });
        self.types.change(|_, listed| match listed {
            Type::Defined { new, .. } => *new = false,
            Type::Domain(domain) => domain.new = false,
            Type::Mentioned { .. } => {}
        });
        self.functions.change(|_, overloads| overloads.iter_mut().for_each(|function| function.new = false));
    }

    /// The indexes of a table or materialized view, as far as listed.
    pub(crate) fn indexes_of(&self, table: &Name) -> Vec<(&Name, &Index)> {
        self.indexes().filter(|(_, index)| index.table.known() == Some(table)).collect()
    }

    /// The indexes of the table in whose keys, expressions, INCLUDE or predicate the column stands.
    pub(crate) fn indexes_using_column(&self, table: &Name, column: &str) -> Vec<(&Name, &Index)> {
        self.indexes_of(table).into_iter().filter(|(_, index)| index.uses.contains(column)).collect()
    }

    /// Partitions of the table, one level down.
    pub(crate) fn partitions_of(&self, table: &Name) -> Vec<Name> {
        self.tables()
            .filter(|(_, other)| matches!(&other.partition_of, Fact::Known(Some((parent, _))) if parent == table))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Partitions and inheritance children, one level down.
    pub(crate) fn children_of(&self, table: &Name) -> Vec<Name> {
        let mut children = self.partitions_of(table);
        children
            .extend(self.tables().filter(|(_, other)| other.inherits.contains(table)).map(|(name, _)| name.clone()));
        children
    }

    /// Partitions and inheritance children at every depth, nearest first, each once.
    pub(crate) fn descendants_of(&self, table: &Name) -> Vec<Name> {
        let mut found = self.children_of(table);
        if found.is_empty() {
            return found;
        }
        let mut below: BTreeMap<&Name, Vec<&Name>> = BTreeMap::new();
        for (name, other) in self.tables() {
            let partitioned = other.partition_of.known().and_then(Option::as_ref).map(|(parent, _)| parent);
            for parent in partitioned.into_iter().chain(&other.inherits) {
                below.entry(parent).or_default().push(name);
            }
        }
        let mut seen: BTreeSet<Name> = found.iter().cloned().collect();
        let mut at = 0;
        while let Some(parent) = found.get(at) {
            let more = below.get(parent).into_iter().flatten().filter(|child| seen.insert((**child).clone()));
            let more: Vec<Name> = more.map(|child| (*child).clone()).collect();
            found.extend(more);
            at += 1;
        }
        found
    }

    /// Whether a parent of the table, other than these, has the column too: then it is inherited, also where the table's
    /// own definition gave it (`attinhcount`).
    pub(crate) fn is_inherited(&self, table: &Name, column: &str, but: &[Name]) -> bool {
        let from = |parent: &Name| self.table(parent).is_some_and(|parent| parent.column(column).is_some());
        self.parents_of(table).iter().any(|parent| !but.contains(parent) && from(parent))
    }

    /// The composite type of that name.
    pub(crate) fn find_composite(&self, name: &Name) -> Option<Name> {
        self.find_type(name).filter(|found| {
            matches!(self.types.get(found), Some(Type::Defined { definition: TypeDefinition::Composite { .. }, .. }))
        })
    }

    /// The partitioned table that this one is a partition of, and its inheritance parents.
    pub(crate) fn parents_of(&self, table: &Name) -> Vec<Name> {
        let Some(table) = self.table(table) else { return Vec::new() };
        let partitioned = table.partition_of.known().and_then(Option::as_ref).map(|(parent, _)| parent.clone());
        partitioned.into_iter().chain(table.inherits.iter().cloned()).collect()
    }

    /// The default partition of a partitioned table.
    pub(crate) fn default_partition_of(&self, table: &Name) -> Option<Name> {
        self.tables()
            .find(|(_, other)| {
                matches!(&other.partition_of, Fact::Known(Some((parent, PartitionBound::Default))) if parent == table)
            })
            .map(|(name, _)| name.clone())
    }

    pub(crate) fn is_partitioned(&self, table: &Name) -> bool {
        self.table(table).is_some_and(|table| matches!(table.partition_by, Fact::Known(Some(_))))
    }

    /// The table's own foreign keys.
    pub(crate) fn foreign_keys_of<'a>(&'a self, table: &'a Name) -> Vec<ForeignKeyOf<'a>> {
        self.all_foreign_keys().filter(|key| key.table == table).collect()
    }

    /// The foreign keys, of this and of other tables, that reference the table.
    pub(crate) fn foreign_keys_to<'a>(&'a self, table: &'a Name) -> Vec<ForeignKeyOf<'a>> {
        self.all_foreign_keys().filter(|key| key.key.references == *table).collect()
    }

    /// The other tables that reference the table.
    pub(crate) fn referencing_tables(&self, table: &Name) -> BTreeSet<Name> {
        self.foreign_keys_to(table).into_iter().map(|key| key.table.clone()).filter(|name| name != table).collect()
    }

    /// What references the table or one that it is a partition of: that foreign key references the partition too.
    pub(crate) fn referencing_through_parents(&self, table: &Name) -> BTreeSet<Name> {
        let mut found = BTreeSet::new();
        let mut next = Some(table.clone());
        while let Some(table) = next {
            found.extend(self.referencing_tables(&table));
            let above = self.table(&table).and_then(|listed| listed.partition_of.known()).and_then(Option::as_ref);
            next = above.map(|(parent, _)| parent.clone()).filter(|parent| *parent != table);
        }
        found
    }

    /// The other tables that the table references.
    pub(crate) fn referenced_tables(&self, table: &Name) -> BTreeSet<Name> {
        let keys = self.foreign_keys_of(table).into_iter();
        keys.map(|key| key.key.references.clone()).filter(|name| name != table).collect()
    }

    pub(crate) fn all_foreign_keys(&self) -> impl Iterator<Item = ForeignKeyOf<'_>> {
        self.tables().flat_map(|(name, table)| {
            table.constraints.iter().filter_map(move |(constraint, listed)| match &listed.kind {
                Fact::Known(ConstraintKind::ForeignKey(key)) => Some(ForeignKeyOf { table: name, constraint, key }),
                _ => None,
            })
        })
    }

    /// The constraint that makes these columns unique in the table, as a foreign key needs: its primary key where
    /// `columns` is empty.
    pub(crate) fn unique_constraint_on(&self, table: &Name, columns: &[String]) -> Option<&str> {
        let wanted: BTreeSet<&String> = columns.iter().collect();
        self.table(table)?.constraints.iter().find_map(|(name, constraint)| {
            let fits = match &constraint.kind {
                Fact::Known(ConstraintKind::PrimaryKey { columns: keys, .. }) => {
                    columns.is_empty() || keys.iter().collect::<BTreeSet<_>>() == wanted
                }
                Fact::Known(ConstraintKind::Unique { columns: keys, .. }) => {
                    keys.iter().collect::<BTreeSet<_>>() == wanted
                }
                _ => false,
            };
            fits.then_some(name.as_str())
        })
    }

    /// Views and materialized views that read the relation, directly or through other views.
    pub(crate) fn views_reading(&self, relation: &Name) -> Vec<Name> {
        self.views_from(
            self.views()
                .filter(|(_, view)| view.depends.contains_key(relation))
                .map(|(name, _)| name.clone())
                .collect(),
        )
    }

    /// Views and materialized views that use the column, with those that read such a view. Where `certain`, only those
    /// that certainly do; else also those that perhaps do (a `*`, an unqualified name that several tables have).
    pub(crate) fn views_using_column(&self, relation: &Name, column: &str, certain: bool) -> Vec<Name> {
        let direct = self.views().filter(|(_, view)| {
            view.depends.get(relation).is_some_and(|used| {
                used.certain.contains(column) || (!certain && (used.any || used.possible.contains(column)))
            })
        });
        self.views_from(direct.map(|(name, _)| name.clone()).collect())
    }

    fn views_from(&self, direct: Vec<Name>) -> Vec<Name> {
        let mut found: Vec<Name> = Vec::new();
        let mut next = direct;
        while let Some(name) = next.pop() {
            if found.contains(&name) {
                continue;
            }
            next.extend(
                self.views().filter(|(_, view)| view.depends.contains_key(&name)).map(|(name, _)| name.clone()),
            );
            found.push(name);
        }
        found.sort();
        found
    }

    /// Sequences owned by the table, or by its one column.
    pub(crate) fn sequences_owned_by(&self, table: &Name, column: Option<&str>) -> Vec<Name> {
        self.sequences()
            .filter(|(_, sequence)| {
                matches!(&sequence.owned_by, Fact::Known(Some((owner, of)))
                    if owner == table && column.is_none_or(|column| column == of))
            })
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Columns whose default uses the sequence.
    pub(crate) fn columns_using_sequence(&self, sequence: &Name) -> Vec<(Name, String)> {
        self.columns_where(|column| {
            column
                .default
                .known()
                .and_then(Option::as_ref)
                .is_some_and(|default| default.sequences.iter().any(|used| self.resolve(used) == *sequence))
        })
    }

    fn columns_where(&self, wanted: impl Fn(&super::Column) -> bool) -> Vec<(Name, String)> {
        let mut found = Vec::new();
        for (name, table) in self.tables() {
            let columns = table.columns.iter().filter(|column| wanted(column));
            found.extend(columns.map(|column| (name.clone(), column.name.clone())));
        }
        found
    }

    /// Whether a call written as `used` means the function listed as `function`.
    pub(super) fn is_function(&self, used: &Name, function: &Name) -> bool {
        match self.find_functions(used) {
            Some(found) => found == *function,
            // An aggregate is not listed among the functions.
            None => self.candidates(used).any(|candidate| candidate == *function),
        }
    }

    /// Whether a type written as `used` means the listed type `wanted` (as such or as an array of it).
    pub(crate) fn is_type(&self, used: &TypeName, wanted: &Name) -> bool {
        !used.percent_type && self.find_type(&used.name).is_some_and(|found| found == *wanted)
    }

    /// The type and every type that contains it: domains over it, composites with it, ranges of it, at any depth. A table
    /// is a composite type too.
    pub(crate) fn types_containing(&self, wanted: &Name) -> BTreeSet<Name> {
        let mut found = BTreeSet::from([wanted.clone()]);
        loop {
            let contains = |used: &TypeName| found.iter().any(|inner| self.is_type(used, inner));
            let more: Vec<Name> = self
                .types
                .iter()
                .filter(|(name, _)| !found.contains(*name))
                .filter(|(_, listed)| match listed {
                    Type::Domain(domain) => contains(&domain.base),
                    Type::Defined { definition: TypeDefinition::Composite { attributes }, .. } => {
                        attributes.iter().any(|(_, used, _)| contains(used))
                    }
                    Type::Defined { definition: TypeDefinition::Range { subtype: Some(used), .. }, .. } => {
                        contains(used)
                    }
                    Type::Defined { .. } | Type::Mentioned { .. } => false,
                })
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    /// Columns of tables whose values hold the type: of it, of an array of it, or of a domain, composite or range that
    /// contains it.
    pub(crate) fn columns_of_type(&self, wanted: &Name) -> Vec<ColumnOfType> {
        let containing = self.types_containing(wanted);
        let mut found = Vec::new();
        for (name, table) in self.tables() {
            for column in &table.columns {
                let Fact::Known(used) = &column.data_type else { continue };
                if containing.iter().any(|inner| self.is_type(used, inner)) {
                    let direct = self.is_type(used, wanted) && used.array == 0;
                    found.push(ColumnOfType { table: name.clone(), column: column.name.clone(), direct });
                }
            }
        }
        found
    }

    /// The tables that have such columns, each once.
    pub(crate) fn tables_with_type(&self, wanted: &Name) -> BTreeSet<Name> {
        self.columns_of_type(wanted).into_iter().map(|column| column.table).collect()
    }
}

//! Partitions and inheritance: what a partition gets from its parent, ATTACH, DETACH, INHERIT.

use super::Apply;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{ConstraintKind, Expr, PartitionBound};
use crate::sql::name::Name;
use crate::sql::schema::error::{Applied, plain};
use crate::sql::schema::text::constraint_text;
use crate::sql::schema::{ApplyError, Constraint, Fact, Relation, Schema};

impl Apply<'_> {
    pub(super) fn need_partitioned(&mut self, parent: &Name) -> Applied {
        let listed = self.table_mut(parent)?;
        if listed.partition_by == Fact::Known(None) {
            return Err(ApplyError::new("42P17", format!("table \"{}\" is not partitioned", parent.name)));
        }
        Ok(())
    }

    pub(super) fn partition_parent(&self, table: &Name) -> Option<(Name, PartitionBound)> {
        self.schema.table(table)?.partition_of.known()?.clone()
    }

    /// CHECK constraints of a parent come to be on a new child.
    pub(super) fn inherit_checks(&mut self, parent: &Name, child: &Name) -> Applied {
        let checks: Vec<(String, Constraint)> = self
            .table(parent)?
            .constraints
            .iter()
            .filter(|(_, it)| matches!(it.kind, Fact::Known(ConstraintKind::Check(_))) && !it.no_inherit)
            .map(|(name, it)| (name.clone(), it.clone()))
            .collect();
        let not_nulls: Vec<(String, String)> = self
            .table(parent)?
            .constraints
            .iter()
            .filter_map(|(name, it)| match &it.kind {
                Fact::Known(ConstraintKind::NotNull { column }) if !it.no_inherit => {
                    Some((name.clone(), column.clone()))
                }
                _ => None,
            })
            .collect();
        // What a partition has of its parent's is not its own any more (`MergeConstraintsIntoExisting`).
        let partition = self.partition_parent(child).is_some();
        let merge = |it: &mut Constraint| {
            it.inherited = true;
            it.local &= !partition;
        };
        for (name, check) in checks {
            let validated = Fact::Known(check.enforced);
            let made = Constraint { inherited: true, local: false, validated, ..check };
            self.table_mut(child)?.constraints.entry(name).and_modify(merge).or_insert(made);
        }
        for (name, column) in not_nulls {
            match self.not_null_constraint(child, &column) {
                Some(own) => {
                    self.table_mut(child)?.constraints.entry(own).and_modify(merge);
                }
                None => {
                    let kind = ConstraintKind::NotNull { column };
                    let made = Constraint { inherited: true, local: false, ..Constraint::plain(kind) };
                    self.table_mut(child)?.constraints.entry(name).or_insert(made);
                }
            }
        }
        Ok(())
    }

    /// Keys, indexes, foreign keys and row triggers of a partitioned table come to be on its partition.
    pub(super) fn inherit_partition_parts(&mut self, parent: &Name, child: &Name) -> Applied {
        let source = self.table(parent)?.clone();
        for (name, constraint) in &source.constraints {
            let made = Constraint { inherited: true, local: false, index: None, ..constraint.clone() };
            match (&constraint.kind, &constraint.index) {
                (Fact::Known(ConstraintKind::ForeignKey(_)), _) => self.copy_foreign_key(child, name, &made)?,
                (Fact::Known(_), Some(index)) => self.copy_key(child, index, &made)?,
                _ => {}
            }
        }
        let indexes: Vec<Name> = self
            .schema
            .indexes_of(parent)
            .into_iter()
            .filter(|(_, index)| index.constraint.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        for index in indexes {
            self.copy_index(&index, child)?;
        }
        for (name, trigger) in source.triggers {
            if trigger.row {
                self.table_mut(child)?.triggers.entry(name).or_insert(trigger);
            }
        }
        Ok(())
    }

    pub(super) fn attach_partition(&mut self, parent: &Name, partition: &Name, bound: &PartitionBound) -> Applied {
        self.need_partitioned(parent)?;
        let child = self.need_table(partition)?;
        let listed = self.table(&child)?;
        if matches!(listed.partition_of, Fact::Known(Some(_))) {
            return Err(ApplyError::new("42809", format!("\"{}\" is already a partition", child.name)));
        }
        if *bound == PartitionBound::Default && self.schema.default_partition_of(parent).is_some() {
            return Err(ApplyError::new(
                "42P17",
                format!("partition \"{}\" conflicts with existing default partition", child.name),
            ));
        }
        let (mut missing, mut extra) = (None, None);
        let (above, below) = (self.table(parent)?, self.table(&child)?);
        if above.complete && below.complete {
            missing =
                above.columns.iter().find(|column| below.column(&column.name).is_none()).map(|it| it.name.clone());
            extra = below.columns.iter().find(|column| above.column(&column.name).is_none()).map(|it| it.name.clone());
        }
        if let Some(column) = missing {
            return Err(ApplyError::new("42804", format!("child table is missing column \"{column}\"")));
        }
        if let Some(column) = extra {
            return Err(ApplyError::new(
                "42804",
                format!(
                    "table \"{}\" contains column \"{column}\" not found in parent \"{}\"",
                    child.name,
                    plain(parent)
                ),
            ));
        }
        self.check_like_parent(parent, &child)?;
        let (above, below) = (self.table(parent)?, self.table(&child)?);
        let missing = above.constraints.iter().find(|(name, listed)| {
            matches!(listed.kind, Fact::Known(ConstraintKind::Check(_)))
                && !listed.no_inherit
                && below.complete
                && !below.constraints.contains_key(*name)
        });
        if let Some((name, _)) = missing {
            return Err(ApplyError::new("42804", format!("child table is missing constraint \"{name}\"")));
        }
        let listed = self.table_mut(&child)?;
        listed.partition_of = Fact::Known(Some((parent.clone(), bound.clone())));
        for column in &mut listed.columns {
            column.inherited = true;
        }
        self.inherit_checks(parent, &child)?;
        self.inherit_partition_parts(parent, &child)?;
        let bound = match bound {
            PartitionBound::Default => "DEFAULT",
            PartitionBound::Values(text) => text,
        };
        self.alter_relation(EffectKind::AttachPartition, parent, format!("{child} {bound}"));
        Ok(())
    }

    /// What a parent's column is, its child's must be too (`MergeAttributesIntoExisting`).
    fn check_like_parent(&self, parent: &Name, child: &Name) -> Applied {
        let (above, below) = (self.table(parent)?, self.table(child)?);
        for column in &above.columns {
            let Some(own) = below.column(&column.name) else { continue };
            if let (Fact::Known(inherited), Fact::Known(data_type)) = (&column.data_type, &own.data_type)
                && (!self.schema.same_type(inherited, data_type) || inherited.mods != data_type.mods)
            {
                let message =
                    format!("child table \"{}\" has different type for column \"{}\"", child.name, column.name);
                return Err(ApplyError::new("42804", message));
            }
            if column.not_null == Fact::Known(true) && own.not_null == Fact::Known(false) {
                let message =
                    format!("column \"{}\" in child table \"{}\" must be marked NOT NULL", own.name, child.name);
                return Err(ApplyError::new("42804", message));
            }
        }
        Ok(())
    }

    pub(super) fn detach_partition(&mut self, parent: &Name, partition: &Name, concurrently: bool) -> Applied {
        let child = self.need_table(partition)?;
        let listed = self.table(&child)?;
        let known = listed.partition_of.known();
        if known.is_some_and(|of| of.as_ref().is_none_or(|(of, _)| of != parent)) {
            return Err(ApplyError::new(
                "42P01",
                format!("relation \"{}\" is not a partition of relation \"{}\"", child.name, parent.name),
            ));
        }
        if concurrently && self.schema.default_partition_of(parent).is_some() {
            return Err(ApplyError::new(
                "55000",
                "cannot detach partitions concurrently when a default partition exists",
            ));
        }
        if concurrently {
            self.keep_bound(parent, &child)?;
            if !self.closed() && self.schema.kept_bound_name(parent, &child).is_none() {
                self.schema.others.insert(format!("kept bound of {child}"), String::new());
            }
        }
        self.drop_cloned_triggers(&child);
        let listed = self.table_mut(&child)?;
        listed.partition_of = Fact::Known(None);
        for column in &mut listed.columns {
            column.inherited = false;
        }
        for constraint in listed.constraints.values_mut() {
            (constraint.inherited, constraint.local) = (false, true);
        }
        let indexes: Vec<Name> = self.schema.indexes_of(&child).into_iter().map(|(name, _)| name.clone()).collect();
        for index in indexes {
            if let Some(Relation::Index(listed)) = self.schema.relations.get_mut(&index) {
                listed.parent = None;
            }
        }
        self.alter_relation(EffectKind::DetachPartition, parent, child.to_string());
        Ok(())
    }

    /// DETACH CONCURRENTLY leaves the partition's bound as a CHECK (`DetachAddConstraintIfNeeded`). Its text is the bound:
    /// the server writes it out as a comparison.
    fn keep_bound(&mut self, parent: &Name, child: &Name) -> Applied {
        let Fact::Known(Some(by)) = self.table(parent)?.partition_by.clone() else { return Ok(()) };
        let Some((_, PartitionBound::Values(bound))) = self.partition_parent(child) else { return Ok(()) };
        let expression = Expr {
            text: format!("{} {bound}", by.text),
            functions: Vec::new(),
            columns: by.columns.clone(),
            casts: Vec::new(),
            operators: Vec::new(),
            literal: false,
            null: false,
            subquery: None,
            proves_not_null: Vec::new(),
            sequences: Vec::new(),
        };
        let Some(name) = self.schema.kept_bound_name(parent, child) else { return Ok(()) };
        let kept = Constraint::plain(ConstraintKind::Check(expression));
        let text = constraint_text(&kept);
        self.table_mut(child)?.constraints.insert(name.clone(), kept);
        self.change(EffectKind::AddConstraint, Verb::Make, super::change::constraint(child, &name), text);
        Ok(())
    }

    pub(super) fn inherit(&mut self, table: &Name, parent: &Name) -> Applied {
        let parent = self.need_table(parent)?;
        if self.table(table)?.inherits.contains(&parent) {
            return Err(ApplyError::new(
                "42P07",
                format!("relation \"{}\" would be inherited from more than once", parent.name),
            ));
        }
        let columns: Vec<String> = self.table(&parent)?.columns.iter().map(|column| column.name.clone()).collect();
        for column in &columns {
            if !self.has_column(table, column)? {
                return Err(ApplyError::new("42804", format!("child table is missing column \"{column}\"")));
            }
        }
        let listed = self.table_mut(table)?;
        listed.inherits.push(parent.clone());
        self.inherit_checks(&parent, table)?;
        self.alter_relation(EffectKind::ChangeInheritance, table, format!("INHERIT {parent}"));
        Ok(())
    }

    pub(super) fn no_inherit(&mut self, table: &Name, parent: &Name) -> Applied {
        let parent = self.need_table(parent)?;
        let complete = self.table(table)?.complete;
        let listed = self.table_mut(table)?;
        let before = listed.inherits.len();
        listed.inherits.retain(|other| *other != parent);
        if complete && listed.inherits.len() == before {
            return Err(ApplyError::new(
                "42P01",
                format!("relation \"{}\" is not a parent of relation \"{}\"", parent.name, table.name),
            ));
        }
        if listed.inherits.is_empty() {
            for column in &mut listed.columns {
                column.inherited = false;
            }
            for constraint in listed.constraints.values_mut() {
                (constraint.inherited, constraint.local) = (false, true);
            }
        }
        self.alter_relation(EffectKind::ChangeInheritance, table, format!("NO INHERIT {parent}"));
        Ok(())
    }
}

impl Schema {
    /// The name of the CHECK that DETACH CONCURRENTLY would leave on the partition now, where it leaves one.
    pub(crate) fn kept_bound_name(&self, parent: &Name, child: &Name) -> Option<String> {
        let by = self.table(parent)?.partition_by.known()?.as_ref()?;
        let (_, PartitionBound::Values(_)) = self.table(child)?.partition_of.known()?.as_ref()? else { return None };
        let only = if let [column] = by.columns.as_slice() { Some(column.as_str()) } else { None };
        let schema = child.schema.as_deref().unwrap_or("public");
        Some(self.choose_constraint_name(&child.name, only, "check", schema, &[]))
    }
}

//! Constraints that come down from parents to children, and go with them.

use super::Apply;
use crate::model::Verb;
use crate::sql::ast::ConstraintKind;
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::{Constraint, Fact, Relation};

impl Apply<'_> {
    /// CHECK and FOREIGN KEY constraints, and keys of partitioned tables, come to be on the children too.
    pub(super) fn hand_down(&mut self, table: &Name, name: &str, constraint: &Constraint) -> Applied {
        let Fact::Known(kind) = &constraint.kind else { return Ok(()) };
        if constraint.no_inherit {
            return Ok(());
        }
        let to_children = match kind {
            ConstraintKind::Check(_) => self.schema.children_of(table),
            _ => self.schema.partitions_of(table),
        };
        for child in to_children {
            let made = Constraint { inherited: true, local: false, index: None, ..constraint.clone() };
            match kind {
                ConstraintKind::Check(_) => {
                    let listed = &mut self.table_mut(&child)?.constraints;
                    listed.entry(name.to_owned()).and_modify(|it| it.inherited = true).or_insert_with(|| made.clone());
                    self.hand_down(&child, name, &made)?;
                }
                ConstraintKind::ForeignKey(_) => self.copy_foreign_key(&child, name, &made)?,
                _ => {
                    if let Some(parent_index) = &constraint.index {
                        self.copy_key(&child, parent_index, &made)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A partition's own foreign key below its parent's: the same name where it is free.
    pub(super) fn copy_foreign_key(&mut self, child: &Name, name: &str, constraint: &Constraint) -> Applied {
        let same = self.table(child)?.constraints.iter().find(|(_, other)| other.kind == constraint.kind);
        if let Some(same) = same.map(|(name, _)| name.clone()) {
            if let Some(own) = self.table_mut(child)?.constraints.get_mut(&same) {
                (own.inherited, own.local) = (true, false);
            }
            return Ok(());
        }
        let name = if self.table(child)?.constraints.contains_key(name) {
            let schema = child.schema.clone().unwrap_or_else(|| "public".to_owned());
            let Fact::Known(kind) = &constraint.kind else { return Ok(()) };
            self.constraint_name(child, &schema, kind)
        } else {
            name.to_owned()
        };
        self.table_mut(child)?.constraints.insert(name.clone(), constraint.clone());
        self.hand_down(child, &name, constraint)
    }

    /// A partition's own key, with its index attached to its parent's: an equal one of its own, or a new one.
    pub(super) fn copy_key(&mut self, child: &Name, parent_index: &Name, constraint: &Constraint) -> Applied {
        let Fact::Known(kind) = constraint.kind.clone() else { return Ok(()) };
        let own = self.table(child)?.constraints.iter().find(|(_, other)| other.kind == constraint.kind);
        if let Some((own_name, own)) = own {
            let (own_name, index) = (own_name.clone(), own.index.clone());
            if let Some(Relation::Index(index)) = index.and_then(|index| self.schema.relations.get_mut(&index)) {
                index.parent = Some(parent_index.clone());
            }
            if let Some(own) = self.table_mut(child)?.constraints.get_mut(&own_name) {
                (own.inherited, own.local) = (true, false);
            }
            return Ok(());
        }
        let schema = child.schema.clone().unwrap_or_else(|| "public".to_owned());
        let name = self.constraint_name(child, &schema, &kind);
        let index = self.back_constraint(child, &name, &kind)?;
        if let Some(Relation::Index(listed)) = index.as_ref().and_then(|index| self.schema.relations.get_mut(index)) {
            listed.parent = Some(parent_index.clone());
        }
        let made = Constraint { index: index.clone(), ..constraint.clone() };
        self.table_mut(child)?.constraints.insert(name.clone(), made.clone());
        if let ConstraintKind::PrimaryKey { columns, .. } = &kind {
            self.primary_key_columns(child, columns)?;
        }
        if let Some(index) = index {
            self.index_made(&index, Verb::Make);
        }
        self.hand_down(child, &name, &made)
    }

    pub(super) fn take_handed_down(
        &mut self,
        table: &Name,
        dropped: &Constraint,
        only: bool,
        cascade: bool,
    ) -> Applied {
        for child in self.schema.children_of(table) {
            let same = self.table(&child)?.constraints.iter().find(|(_, it)| it.inherited && it.kind == dropped.kind);
            let Some((name, constraint)) = same.map(|(name, it)| (name.clone(), it.clone())) else { continue };
            // What is the child's own too stays.
            if only || constraint.local {
                if let Some(below) = self.table_mut(&child)?.constraints.get_mut(&name) {
                    (below.inherited, below.local) = (false, true);
                }
            } else {
                if let Fact::Known(ConstraintKind::NotNull { column }) = &constraint.kind {
                    self.need_column(&child, column)?.not_null = Fact::Known(false);
                }
                let at = self.changes.len();
                self.remove_constraint(&child, &name, cascade, Verb::Take)?;
                self.unsaid(&child, at);
                self.take_handed_down(&child, &constraint, false, cascade)?;
            }
        }
        Ok(())
    }
}

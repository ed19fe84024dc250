//! RENAME and SET SCHEMA: the object takes its new name wherever the schema refers to it.

use super::Apply;
use super::change::{constraint as constraint_id, object, part};
use crate::model::{EffectKind, Space};
use crate::sql::ObjectId;
use crate::sql::ast::{ConstraintKind, ObjectKind, Target};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::{ApplyError, Fact, Relation};

impl Apply<'_> {
    pub(super) fn rename(&mut self, target: &Target, if_exists: bool, to: &str) -> Applied {
        match target.kind {
            ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Sequence
            | ObjectKind::Index => {
                let Some(found) = self.renamed_relation(target, if_exists)? else { return Ok(()) };
                self.rename_relation(&found, to)?;
            }
            ObjectKind::Column => {
                let on = target.on.clone().unwrap_or_else(|| target.name.clone());
                let found = self.need_table(&on)?;
                self.rename_column(&found, &target.name.name, to, false)?;
            }
            ObjectKind::Constraint => {
                let on = target.on.clone().unwrap_or_else(|| target.name.clone());
                let found = self.need_table(&on)?;
                self.rename_constraint(&found, &target.name.name, to)?;
            }
            ObjectKind::Type | ObjectKind::Domain => {
                let found = self.need_any_type(&target.name)?;
                let to = Name { schema: found.schema.clone(), name: to.to_owned() };
                self.move_type(&found, &to, EffectKind::RenameType)?;
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
                self.move_routine(target, EffectKind::RenameFunction, |name| Name {
                    schema: name.schema.clone(),
                    name: to.to_owned(),
                })?;
            }
            ObjectKind::Schema => self.rename_schema(&target.name.name, to)?,
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => self.rename_part(target, if_exists, to)?,
            ObjectKind::Publication => {
                if let Some(scope) = self.schema.publications.remove(&target.name.name) {
                    self.schema.publications.insert(to.to_owned(), scope);
                } else if self.closed() {
                    return Err(ApplyError::undefined("publication", &target.name));
                }
                let id = |name: &str| object(Space::Publication, "publication", Name::bare(name));
                self.renamed(EffectKind::ChangePublication, id(&target.name.name), id(to));
            }
            ObjectKind::Statistics => {
                let from = self.found(target)?;
                let to = Name { schema: from.name.schema.clone(), name: to.to_owned() };
                self.move_statistics(&from, to);
            }
            kind => {
                let from = super::others::target_id(kind, target);
                let to = ObjectId { name: Name { name: to.to_owned(), ..from.name.clone() }, ..from.clone() };
                self.move_other(&from, &to);
                self.renamed(EffectKind::ChangeObject, from, to);
            }
        }
        Ok(())
    }

    /// ALTER TABLE renames any relation, and so does ALTER INDEX (`RangeVarCallbackForAlterRelation` looks at the other
    /// kinds only).
    fn renamed_relation(&mut self, target: &Target, if_exists: bool) -> Applied<Option<Name>> {
        match self.schema.find_relation(&target.name) {
            Some(found) if matches!(target.kind, ObjectKind::Table | ObjectKind::Index) => Ok(Some(found)),
            _ => self.relation_as(&target.name, target.kind, if_exists),
        }
    }

    pub(super) fn set_schema(&mut self, target: &Target, if_exists: bool, to: &str) -> Applied {
        if self.closed() && !self.schema.schemas.contains(to) {
            return Err(ApplyError::no_schema(to));
        }
        match target.kind {
            ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Sequence
            | ObjectKind::Index => {
                let Some(found) = self.renamed_relation(target, if_exists)? else { return Ok(()) };
                self.relation_to_schema(&found, to)?;
            }
            ObjectKind::Type | ObjectKind::Domain => {
                let found = self.need_any_type(&target.name)?;
                let moved = Name::qualified(to, &found.name);
                self.move_type(&found, &moved, EffectKind::MoveToSchema)?;
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
                self.move_routine(target, EffectKind::MoveToSchema, |name| Name::qualified(to, &name.name))?;
            }
            ObjectKind::Extension => self.alter_extension(&target.name.name, "", Some(to))?,
            ObjectKind::Statistics => {
                let from = self.found(target)?;
                let moved = Name::qualified(to, &from.name.name);
                self.move_statistics(&from, moved);
            }
            kind => {
                let from = super::others::target_id(kind, target);
                let moved = ObjectId { name: Name::qualified(to, &from.name.name), ..from.clone() };
                self.move_other(&from, &moved);
                self.renamed(EffectKind::MoveToSchema, from, moved);
            }
        }
        Ok(())
    }

    pub(super) fn rename_relation(&mut self, from: &Name, to: &str) -> Applied<Name> {
        let to = Name { schema: from.schema.clone(), name: to.to_owned() };
        let kind = match self.schema.relations.get(from) {
            Some(Relation::View(_)) => EffectKind::RenameView,
            Some(Relation::MaterializedView(_)) => EffectKind::ChangeMaterializedView,
            Some(Relation::Sequence(_)) => EffectKind::RenameSequence,
            Some(Relation::Index(_)) => EffectKind::RenameIndex,
            _ => EffectKind::RenameTable,
        };
        self.move_relation(from, &to, kind)?;
        // An index that backs a constraint takes the constraint's name with it.
        if let Some(Relation::Index(index)) = self.schema.relations.get_mut(&to)
            && let Some(constraint) = index.constraint.replace(to.name.clone())
            && let Fact::Known(table) = index.table.clone()
        {
            let listed = self.table_mut(&table)?;
            if let Some(mut moved) = listed.constraints.remove(&constraint) {
                moved.index = Some(to.clone());
                listed.constraints.insert(to.name.clone(), moved);
            }
            let ids = (constraint_id(&table, &constraint), constraint_id(&table, &to.name));
            self.renamed(EffectKind::RenameConstraint, ids.0, ids.1);
        } else if let Some(Relation::Index(index)) = self.schema.relations.get_mut(&to) {
            index.constraint = None;
        }
        Ok(to)
    }

    pub(super) fn relation_to_schema(&mut self, from: &Name, schema: &str) -> Applied<Name> {
        if self.closed() && !self.schema.schemas.contains(schema) {
            return Err(ApplyError::no_schema(schema));
        }
        // It is there already: nothing happens (`AlterTableNamespaceInternal`).
        if from.schema.as_deref() == Some(schema) {
            return Ok(from.clone());
        }
        if let Some(Relation::Sequence(sequence)) = self.schema.relations.get(from)
            && matches!(sequence.owned_by, Fact::Known(Some(_)))
        {
            return Err(ApplyError::new("0A000", "cannot move an owned sequence into another schema"));
        }
        let to = Name::qualified(schema, &from.name);
        let owned: Vec<Name> = self
            .schema
            .indexes_of(from)
            .into_iter()
            .map(|(name, _)| name.clone())
            .chain(self.schema.sequences_owned_by(from, None))
            .collect();
        self.move_relation(from, &to, EffectKind::MoveToSchema)?;
        for part in owned {
            self.move_relation(&part, &Name::qualified(schema, &part.name), EffectKind::MoveToSchema)?;
        }
        Ok(to)
    }

    pub(super) fn rename_constraint(&mut self, table: &Name, name: &str, to: &str) -> Applied {
        if !self.has_constraint(table, name)? {
            return Err(ApplyError::new(
                "42704",
                format!("constraint \"{name}\" for table \"{}\" does not exist", table.name),
            ));
        }
        let listed = self.table(table)?;
        if listed.constraints.contains_key(to) {
            return Err(ApplyError::constraint_exists(to, table));
        }
        if listed.constraints.get(name).is_some_and(|it| it.inherited) {
            return Err(ApplyError::new("42P16", format!("cannot rename inherited constraint \"{name}\"")));
        }
        let index = listed.constraints.get(name).and_then(|it| it.index.clone());
        let checked = matches!(
            listed.constraints.get(name).map(|it| &it.kind),
            Some(Fact::Known(ConstraintKind::Check(_) | ConstraintKind::NotNull { .. }))
        );
        let mut all = vec![table.clone()];
        if checked {
            all.extend(self.schema.descendants_of(table));
        }
        for owner in &all {
            let listed = self.table_mut(owner)?;
            if let Some(constraint) = listed.constraints.remove(name) {
                listed.constraints.insert(to.to_owned(), constraint);
            }
        }
        let ids = (constraint_id(table, name), constraint_id(table, to));
        self.move_other(&ids.0, &ids.1);
        self.renamed(EffectKind::RenameConstraint, ids.0, ids.1);
        if let Some(index) = index {
            let moved = Name { schema: index.schema.clone(), name: to.to_owned() };
            self.move_relation(&index, &moved, EffectKind::RenameIndex)?;
            if let Some(Relation::Index(listed)) = self.schema.relations.get_mut(&moved) {
                listed.constraint = Some(to.to_owned());
            }
        }
        Ok(())
    }

    fn rename_part(&mut self, target: &Target, if_exists: bool, to: &str) -> Applied {
        let (space, noun, kind) = match target.kind {
            ObjectKind::Trigger => (Space::Trigger, "trigger", EffectKind::RenameTrigger),
            ObjectKind::Policy => (Space::Policy, "policy", EffectKind::ChangePolicy),
            _ => (Space::Rule, "rule", EffectKind::ChangeObject),
        };
        let on = target.on.clone().unwrap_or_else(|| target.name.clone());
        let Some(owner) = self.triggered(&on, if_exists)? else { return Ok(()) };
        let name = &target.name.name;
        let (from_id, to_id) = (part(space, noun, &owner, name), part(space, noun, &owner, to));
        if target.kind == ObjectKind::Trigger {
            self.check_renamed_trigger(&owner, name)?;
            // From 15 on the name is looked for only where it changes (`renametrig`).
            let listed = self.schema.table(&owner).is_some_and(|table| table.triggers.contains_key(to));
            if name == to && listed && self.pg.at_least(15) {
                return Ok(());
            }
            if self.pg.at_least(15) {
                self.rename_cloned(&owner, name, to);
            }
        }
        if let Some(Relation::Table(table)) = self.schema.relations.get_mut(&owner) {
            let complete = table.complete;
            let moved = match target.kind {
                ObjectKind::Trigger => move_key(&mut table.triggers, name, to),
                ObjectKind::Policy => move_key(&mut table.policies, name, to),
                _ => move_key(&mut table.rules, name, to),
            };
            match moved {
                Moved::Yes => {}
                Moved::Missing if !complete => {}
                Moved::Missing => {
                    return Err(ApplyError::new(
                        "42704",
                        format!("{noun} \"{name}\" for table \"{}\" does not exist", owner.name),
                    ));
                }
                Moved::Taken => {
                    return Err(ApplyError::new(
                        "42710",
                        format!("{noun} \"{to}\" for relation \"{}\" already exists", owner.name),
                    ));
                }
            }
        }
        self.move_other(&from_id, &to_id);
        self.renamed(kind, from_id, to_id);
        Ok(())
    }

    fn need_any_type(&mut self, name: &Name) -> Applied<Name> {
        if let Some(found) = self.schema.find_type(name) {
            Ok(found)
        } else if self.closed() && self.schema.find_relation(name).is_some() {
            Err(ApplyError::new("42809", format!("{} is a table's row type", name.name)))
        } else {
            let placed = self.schema.place(name);
            if self.schema.type_may_exist(&placed) { Ok(placed) } else { Err(ApplyError::undefined("type", name)) }
        }
    }

    fn rename_schema(&mut self, from: &str, to: &str) -> Applied {
        if !self.schema.schemas.remove(from) && self.closed() {
            return Err(ApplyError::no_schema(from));
        }
        if !self.schema.schemas.insert(to.to_owned()) {
            return Err(ApplyError::new("42P06", format!("schema \"{to}\" already exists")));
        }
        let at = self.changes.len();
        let inside = |name: &Name| name.schema.as_deref() == Some(from);
        let relations: Vec<Name> = self.schema.relations.keys().filter(|name| inside(name)).cloned().collect();
        for name in relations {
            self.move_relation(&name, &Name::qualified(to, &name.name), EffectKind::MoveToSchema)?;
        }
        let types: Vec<Name> = self.schema.types.keys().filter(|name| inside(name)).cloned().collect();
        for name in types {
            self.move_type(&name, &Name::qualified(to, &name.name), EffectKind::MoveToSchema)?;
        }
        let functions: Vec<Name> = self.schema.functions.keys().filter(|name| inside(name)).cloned().collect();
        for name in functions {
            if let Some(mut overloads) = self.schema.functions.remove(&name) {
                let moved = Name::qualified(to, &name.name);
                overloads.iter_mut().for_each(|function| function.routine.name = moved.clone());
                self.schema.functions.insert(moved, overloads);
            }
        }
        for schema in &mut self.schema.search_path {
            if schema == from {
                to.clone_into(schema);
            }
        }
        // What is inside keeps its name within the schema, but its key is another one.
        let inside = self.changes.split_off(at);
        let id = |name: &str| object(Space::Schema, "schema", Name::bare(name));
        self.renamed(EffectKind::RenameSchema, id(from), id(to));
        self.changes.extend(inside);
        Ok(())
    }

    fn move_statistics(&mut self, from: &ObjectId, to: Name) {
        if let Some(listed) = self.schema.statistics.remove(&from.name) {
            self.schema.statistics.insert(to.clone(), listed);
        }
        let moved = ObjectId { name: to, ..from.clone() };
        self.move_other(from, &moved);
        self.renamed(EffectKind::ChangeStatistics, from.clone(), moved);
    }
}

enum Moved {
    Yes,
    Missing,
    Taken,
}

fn move_key<T>(map: &mut std::collections::BTreeMap<String, T>, from: &str, to: &str) -> Moved {
    if map.contains_key(to) {
        return Moved::Taken;
    }
    match map.remove(from) {
        Some(value) => {
            map.insert(to.to_owned(), value);
            Moved::Yes
        }
        None => Moved::Missing,
    }
}

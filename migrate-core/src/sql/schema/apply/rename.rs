//! RENAME and SET SCHEMA: the object takes its new name wherever the schema refers to it.

use super::Apply;
use super::change::{constraint as constraint_id, object, part, routine};
use crate::model::{EffectKind, Space};
use crate::sql::ObjectId;
use crate::sql::ast::{ConstraintKind, ObjectKind, Routine, Target, TypeDefinition, TypeName};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::{ApplyError, Column, Fact, Relation, Type};

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

    /// ALTER TABLE renames any relation; the other kinds only their own.
    fn renamed_relation(&mut self, target: &Target, if_exists: bool) -> Applied<Option<Name>> {
        match self.schema.find_relation(&target.name) {
            Some(found) if target.kind == ObjectKind::Table => Ok(Some(found)),
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

    /// Gives a relation another name, everywhere.
    pub(super) fn move_relation(&mut self, from: &Name, to: &Name, kind: EffectKind) -> Applied {
        if from == to {
            return Err(ApplyError::relation_exists(to));
        }
        if self.schema.relations.contains_key(to) || self.schema.types.contains_key(to) {
            return Err(ApplyError::relation_exists(to));
        }
        let id = self.schema.relation_id(from);
        let Some(relation) = self.schema.relations.remove(from) else {
            return Err(ApplyError::no_relation(from));
        };
        self.schema.dropped.insert(from.clone());
        self.schema.dropped.remove(to);
        self.schema.relations.insert(to.clone(), relation);
        let rename = |name: &mut Name| {
            if name == from {
                name.clone_from(to);
            }
        };
        // Views and defaults hold the object itself, not its name: names in their texts follow.
        let (old, new) = (from.clone(), to.clone());
        let path = self.schema.search_path.clone();
        let means = move |name: &Name| {
            *name == old
                || (name.schema.is_none()
                    && name.name == old.name
                    && old.schema.as_ref().is_some_and(|it| path.contains(it)))
        };
        for relation in self.schema.relations.values_mut() {
            match relation {
                Relation::Table(table) => {
                    table.inherits.iter_mut().for_each(rename);
                    if let Fact::Known(Some((parent, _))) = &mut table.partition_of {
                        rename(parent);
                    }
                    if let Some(of) = &mut table.of_type {
                        rename(of);
                    }
                    for constraint in table.constraints.values_mut() {
                        if let Some(index) = &mut constraint.index {
                            rename(index);
                        }
                        if let Fact::Known(ConstraintKind::ForeignKey(key)) = &mut constraint.kind {
                            rename(&mut key.references);
                        }
                    }
                    for policy in table.policies.values_mut() {
                        policy.reads.iter_mut().for_each(rename);
                    }
                    for default in table.columns.iter_mut().filter_map(default_of) {
                        for sequence in default.sequences.iter_mut().filter(|it| means(it)) {
                            sequence.clone_from(&new);
                            default.text = default.text.replace(&from.name, &to.name);
                        }
                    }
                }
                Relation::View(view) | Relation::MaterializedView(view) => {
                    if let Some(used) = view.depends.remove(from) {
                        view.depends.insert(to.clone(), used);
                        if let Fact::Known(query) = &mut view.query {
                            query.reads.iter_mut().filter(|(it, _)| means(it)).for_each(|(it, _)| it.clone_from(&new));
                        }
                    }
                }
                Relation::Sequence(sequence) => {
                    if let Fact::Known(Some((table, _))) = &mut sequence.owned_by {
                        rename(table);
                    }
                }
                Relation::Index(index) => {
                    if let Fact::Known(table) = &mut index.table {
                        rename(table);
                    }
                    if let Some(parent) = &mut index.parent {
                        rename(parent);
                    }
                }
            }
        }
        self.schema.statistics.values_mut().for_each(|(table, _)| rename(table));
        for scope in self.schema.publications.values_mut() {
            scope.tables.iter_mut().for_each(|(table, ..)| rename(table));
        }
        for function in self.schema.functions.values_mut().flatten() {
            function.depends.iter_mut().for_each(rename);
        }
        let target = ObjectId { name: to.clone(), ..id.clone() };
        self.move_other(&id, &target);
        self.renamed(kind, id, target);
        Ok(())
    }

    /// Comments, privileges and the like follow their object.
    pub(super) fn move_other(&mut self, from: &ObjectId, to: &ObjectId) {
        let (old, new) = (super::others::key(from), super::others::key(to));
        let parts = (format!(" {}.", from.name), format!(" {}.", to.name));
        let entries = std::mem::take(&mut self.schema.others);
        self.schema.others = entries
            .into_iter()
            .map(|(entry, text)| {
                let entry = if entry == old {
                    new.clone()
                } else if let Some((what, on)) = entry.split_once(" on ") {
                    let moved = match on.strip_prefix(old.as_str()) {
                        Some(rest) if rest.is_empty() || rest.starts_with(" to ") => format!("{new}{rest}"),
                        _ => on.replacen(&parts.0, &parts.1, 1),
                    };
                    format!("{what} on {moved}")
                } else {
                    entry
                };
                (entry, text)
            })
            .collect();
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
        match self.schema.find_type(name) {
            Some(found) => Ok(found),
            None => {
                let placed = self.schema.place(name);
                if self.schema.type_may_exist(&placed) { Ok(placed) } else { Err(ApplyError::undefined("type", name)) }
            }
        }
    }

    fn move_type(&mut self, from: &Name, to: &Name, kind: EffectKind) -> Applied {
        if self.schema.types.contains_key(to) || self.schema.table(to).is_some() {
            return Err(ApplyError::duplicate("type", &to.name));
        }
        let id = self.schema.type_id(from);
        let uses: Vec<(Name, String)> = self
            .schema
            .tables()
            .flat_map(|(table, listed)| listed.columns.iter().map(move |column| (table, column)))
            .filter(|(_, column)| column.data_type.known().is_some_and(|used| self.schema.is_type(used, from)))
            .map(|(table, column)| (table.clone(), column.name.clone()))
            .collect();
        let containing: Vec<Name> = self.schema.types.keys().cloned().collect();
        let old = self.schema.clone_names(from);
        for (table, column) in uses {
            if let Fact::Known(used) = &mut self.need_column(&table, &column)?.data_type {
                used.name.clone_from(to);
            }
        }
        for name in containing {
            let rename = |used: &mut TypeName| {
                if old.contains(&used.name) {
                    used.name.clone_from(to);
                }
            };
            match self.schema.types.get_mut(&name) {
                Some(Type::Domain(domain)) => rename(&mut domain.base),
                Some(Type::Defined { definition: TypeDefinition::Composite { attributes }, .. }) => {
                    attributes.iter_mut().for_each(|(_, used, _)| rename(used));
                }
                Some(Type::Defined { definition: TypeDefinition::Range { subtype: Some(used), .. }, .. }) => {
                    rename(used);
                }
                _ => {}
            }
        }
        if let Some(listed) = self.schema.types.remove(from) {
            self.schema.types.insert(to.clone(), listed);
        }
        self.schema.dropped_types.insert(from.clone());
        self.schema.dropped_types.remove(to);
        for relation in self.schema.relations.values_mut() {
            if let Relation::Table(table) = relation
                && table.of_type.as_ref() == Some(from)
            {
                table.of_type = Some(to.clone());
            }
        }
        for function in self.schema.functions.values_mut().flatten() {
            for used in function.routine.args.iter_mut().flatten() {
                if old.contains(&used.name) {
                    used.name.clone_from(to);
                }
            }
        }
        let moved = ObjectId { name: to.clone(), ..id.clone() };
        self.move_other(&id, &moved);
        self.renamed(kind, id, moved);
        Ok(())
    }

    fn move_routine(&mut self, target: &Target, kind: EffectKind, to: impl Fn(&Name) -> Name) -> Applied {
        let given = Routine { kind: target.kind, name: target.name.clone(), args: target.args.clone() };
        let (from, at) = self.need_routine(&given)?;
        let to = to(&from);
        let noun = super::functions::noun(target.kind);
        let Some(overloads) = self.schema.functions.get_mut(&from) else {
            return Err(ApplyError::new("42883", format!("{noun} {} does not exist", from.name)));
        };
        let mut function = overloads.remove(at);
        if overloads.is_empty() {
            self.schema.functions.remove(&from);
        }
        let args = function.routine.args.clone();
        let taken = self.schema.functions.get(&to).is_some_and(|overloads| {
            overloads.iter().any(|it| self.schema.same_args(it.routine.args.as_deref(), args.as_deref()))
        });
        if taken {
            return Err(ApplyError::new("42723", format!("function {} already exists", to.name)));
        }
        function.routine.name = to.clone();
        self.schema.functions.entry(to.clone()).or_default().push(function);
        for relation in self.schema.relations.values_mut() {
            if let Relation::Table(table) = relation {
                for trigger in table.triggers.values_mut() {
                    if trigger.function.known() == Some(&from) {
                        trigger.function = Fact::Known(to.clone());
                    }
                }
            }
        }
        let (old, new) = (routine(noun, &from, args.as_deref()), routine(noun, &to, args.as_deref()));
        self.move_other(&old, &new);
        self.renamed(kind, old, new);
        Ok(())
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

fn default_of(column: &mut Column) -> Option<&mut crate::sql::ast::Expr> {
    match &mut column.default {
        Fact::Known(Some(default)) => Some(default),
        _ => None,
    }
}

impl crate::sql::schema::Schema {
    /// The spellings that mean the listed type: qualified, and bare where the search path finds it.
    fn clone_names(&self, name: &Name) -> Vec<Name> {
        let bare = Name::bare(&name.name);
        let mut names = vec![name.clone()];
        if self.find_type(&bare).as_ref() == Some(name) {
            names.push(bare);
        }
        names
    }
}

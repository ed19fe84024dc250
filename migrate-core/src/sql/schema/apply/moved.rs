//! An object under another name or in another schema: everything that refers to it follows.

use super::Apply;
use super::change::routine;
use crate::model::EffectKind;
use crate::sql::ObjectId;
use crate::sql::ast::{ConstraintKind, Routine, Target, TypeDefinition, TypeName};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::{ApplyError, Column, Fact, Relation, Type};

impl Apply<'_> {
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
        self.schema.relations.change(|_, relation| match relation {
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
        });
        self.schema.statistics.change(|_, (table, _)| rename(table));
        self.schema.publications.change(|_, scope| scope.tables.iter_mut().for_each(|(table, ..)| rename(table)));
        self.schema.functions.change(|_, overloads| {
            overloads.iter_mut().for_each(|function| function.depends.iter_mut().for_each(rename));
        });
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
            .iter()
            .map(|(entry, text)| {
                let entry = if *entry == old {
                    new.clone()
                } else if let Some((what, on)) = entry.split_once(" on ") {
                    let moved = match on.strip_prefix(old.as_str()) {
                        Some(rest) if rest.is_empty() || rest.starts_with(" to ") => format!("{new}{rest}"),
                        _ => on.replacen(&parts.0, &parts.1, 1),
                    };
                    format!("{what} on {moved}")
                } else {
                    entry.clone()
                };
                (entry, text.clone())
            })
            .collect();
    }

    pub(super) fn move_type(&mut self, from: &Name, to: &Name, kind: EffectKind) -> Applied {
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
        self.schema.relations.change(|_, relation| {
            if let Relation::Table(table) = relation
                && table.of_type.as_ref() == Some(from)
            {
                table.of_type = Some(to.clone());
            }
        });
        self.schema.functions.change(|_, overloads| {
            for used in overloads.iter_mut().flat_map(|function| function.routine.args.iter_mut().flatten()) {
                if old.contains(&used.name) {
                    used.name.clone_from(to);
                }
            }
        });
        let moved = ObjectId { name: to.clone(), ..id.clone() };
        self.move_other(&id, &moved);
        self.renamed(kind, id, moved);
        Ok(())
    }

    pub(super) fn move_routine(&mut self, target: &Target, kind: EffectKind, to: impl Fn(&Name) -> Name) -> Applied {
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
        self.schema.functions.at(to.clone(), Vec::new).push(function);
        self.schema.relations.change(|_, relation| {
            if let Relation::Table(table) = relation {
                for trigger in table.triggers.values_mut() {
                    if trigger.function.known() == Some(&from) {
                        trigger.function = Fact::Known(to.clone());
                    }
                }
            }
        });
        let (old, new) = (routine(noun, &from, args.as_deref()), routine(noun, &to, args.as_deref()));
        self.move_other(&old, &new);
        self.renamed(kind, old, new);
        Ok(())
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

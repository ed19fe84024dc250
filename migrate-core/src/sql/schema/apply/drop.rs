//! DROP of every kind, RESTRICT and CASCADE (`performMultipleDeletions` in `dependency.c`).

use super::Apply;
use super::change::{column, constraint, object, part, routine};
use crate::model::{EffectKind, Space, Verb};
use crate::sql::ast::{ConstraintKind, Drop, ObjectKind, Target, TypeDefinition};
use crate::sql::name::Name;
use crate::sql::schema::error::{Applied, plain};
use crate::sql::schema::{ApplyError, Fact, Relation, Type};
use crate::sql::{Change, ObjectId};
use std::collections::BTreeSet;

impl Apply<'_> {
    pub(super) fn drop(&mut self, drop: &Drop) -> Applied {
        let mut targets = Vec::new();
        for target in &drop.targets {
            if let Some(found) = self.drop_target(target, drop)? {
                targets.push(found);
            }
        }
        let verb = if drop.if_exists { Verb::TakeIfThere } else { Verb::Take };
        self.remove(&targets, drop.cascade, verb)
    }

    /// The object to drop; `None` where it is not there and may not be. What is not there leaves its own change.
    fn drop_target(&mut self, target: &Target, drop: &Drop) -> Applied<Option<ObjectId>> {
        let name = &target.name;
        let found = match target.kind {
            ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Sequence
            | ObjectKind::Index => {
                let Some(found) = self.dropped_relation(target, drop)? else { return Ok(None) };
                self.schema.relation_id(&found)
            }
            ObjectKind::Type | ObjectKind::Domain => {
                if let Some(found) = self.schema.find_type(name) {
                    if target.kind == ObjectKind::Domain
                        && matches!(self.schema.types.get(&found), Some(Type::Defined { .. }))
                    {
                        return Err(ApplyError::wrong_kind(&found, "a domain"));
                    }
                    self.schema.type_id(&found)
                } else if let Some(table) = self.schema.find_relation(name).filter(|_| self.closed()) {
                    return Err(required(&format!("type {}", plain(&table)), &format!("table {}", plain(&table))));
                } else {
                    let placed = self.schema.place(name);
                    let noun = if target.kind == ObjectKind::Domain { "domain" } else { "type" };
                    if !self.schema.type_may_exist(&placed) {
                        return self.not_there(drop, object(Space::Type, noun, placed), |it| {
                            ApplyError::undefined("type", it)
                        });
                    }
                    object(Space::Type, noun, placed)
                }
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate => {
                return self.dropped_routine(target, drop);
            }
            ObjectKind::Schema => {
                let id = object(Space::Schema, "schema", name.clone());
                if !self.schema.schemas.contains(&name.name) && self.closed() {
                    return self.not_there(drop, id, |it| ApplyError::no_schema(&it.name));
                }
                id
            }
            ObjectKind::Extension => {
                let id = object(Space::Extension, "extension", name.clone());
                if !self.has_extension(&name.name) && self.closed() {
                    return self.not_there(drop, id, |it| ApplyError::undefined("extension", it));
                }
                id
            }
            ObjectKind::Publication => {
                let id = object(Space::Publication, "publication", name.clone());
                if !self.schema.publications.contains_key(&name.name) && self.closed() {
                    return self.not_there(drop, id, |it| ApplyError::undefined("publication", it));
                }
                id
            }
            ObjectKind::Statistics => {
                let found = self.schema.candidates(name).find(|it| self.schema.statistics.contains_key(it));
                let placed = self.schema.place(name);
                let id = object(Space::Statistics, "statistics object", found.clone().unwrap_or(placed));
                if found.is_none() && self.closed() {
                    return self.not_there(drop, id, |it| ApplyError::undefined("statistics object", it));
                }
                id
            }
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => {
                return self.dropped_part(target, drop);
            }
            ObjectKind::Owned => {
                self.change(EffectKind::DropObject, Verb::TakeIfThere, object(Space::Other, "owned", name.clone()), "");
                return Ok(None);
            }
            kind => {
                let id = other_id(kind, target);
                let key = super::others::key(&id);
                let listed = self.schema.others.contains_key(&key);
                // Roles and the like may be there before the first statement of a closed world too.
                if !listed && self.closed() && kind == ObjectKind::Collation {
                    return self.not_there(drop, id, |it| ApplyError::undefined("collation", it));
                }
                id
            }
        };
        Ok(Some(found))
    }

    fn not_there(
        &mut self,
        drop: &Drop,
        id: ObjectId,
        error: impl FnOnce(&Name) -> ApplyError,
    ) -> Applied<Option<ObjectId>> {
        if !drop.if_exists {
            return Err(error(&id.name));
        }
        self.change(drop_kind(&id), Verb::TakeIfThere, id, "");
        Ok(None)
    }

    fn dropped_relation(&mut self, target: &Target, drop: &Drop) -> Applied<Option<Name>> {
        let Some(found) = self.relation_as(&target.name, target.kind, true)? else {
            let noun = match target.kind {
                ObjectKind::View => "view",
                ObjectKind::MaterializedView => "materialized view",
                ObjectKind::Sequence => "sequence",
                ObjectKind::Index => "index",
                ObjectKind::ForeignTable => "foreign table",
                _ => "table",
            };
            let id = object(Space::Relation, noun, self.schema.place(&target.name));
            return self
                .not_there(drop, id, |name| {
                    let state = if target.kind == ObjectKind::Index { "42704" } else { "42P01" };
                    ApplyError::new(state, format!("{noun} \"{}\" does not exist", plain(name)))
                })
                .map(|_| None);
        };
        match self.schema.relations.get(&found) {
            Some(Relation::Table(table)) if target.kind == ObjectKind::Table && table.foreign == Fact::Known(true) => {
                return Err(ApplyError::wrong_kind(&found, "a table"));
            }
            Some(Relation::Index(index)) => {
                if let (Some(constraint), Some(table)) = (&index.constraint, index.table.known()) {
                    return Err(required(
                        &format!("index {}", plain(&found)),
                        &format!("constraint {constraint} on table {}", plain(table)),
                    ));
                }
                if let Some(parent) = index.parent.clone()
                    && !drop.targets.iter().any(|other| self.schema.resolve(&other.name) == parent)
                {
                    return Err(required(&format!("index {}", plain(&found)), &format!("index {}", plain(&parent))));
                }
            }
            Some(Relation::Sequence(sequence)) if sequence.identity => {
                if let Fact::Known(Some((table, column))) = &sequence.owned_by {
                    return Err(required(
                        &format!("sequence {}", plain(&found)),
                        &format!("column {column} of table {}", plain(table)),
                    ));
                }
            }
            _ => {}
        }
        Ok(Some(found))
    }

    fn dropped_routine(&mut self, target: &Target, drop: &Drop) -> Applied<Option<ObjectId>> {
        let noun = match target.kind {
            ObjectKind::Procedure => "procedure",
            ObjectKind::Aggregate => "aggregate",
            _ => "function",
        };
        let found = self.schema.find_functions(&target.name);
        let name = found.clone().unwrap_or_else(|| self.schema.place(&target.name));
        let overloads = found.and_then(|found| self.schema.functions.get(&found));
        let matching: Vec<_> = overloads
            .into_iter()
            .flatten()
            .filter(|listed| self.schema.same_args(listed.routine.args.as_deref(), target.args.as_deref()))
            .collect();
        let other_kind = |listed: &ObjectKind| match target.kind {
            ObjectKind::Function => *listed == ObjectKind::Procedure,
            ObjectKind::Procedure => *listed == ObjectKind::Function,
            _ => false,
        };
        if let [one] = matching.as_slice()
            && other_kind(&one.routine.kind)
        {
            return Err(ApplyError::new("42809", format!("{} is not a {noun}", name.name)));
        }
        match matching.as_slice() {
            [one] => Ok(Some(routine(noun, &name, one.routine.args.as_deref()))),
            [] => {
                let id = routine(noun, &name, target.args.as_deref());
                if self.closed() && target.kind != ObjectKind::Aggregate {
                    let message = format!("{noun} {} does not exist", id.name.name);
                    return self.not_there(drop, id, |_| ApplyError::new("42883", message));
                }
                Ok(Some(id))
            }
            _ => Err(ApplyError::new("42725", format!("function name \"{}\" is not unique", name.name))),
        }
    }

    fn dropped_part(&mut self, target: &Target, drop: &Drop) -> Applied<Option<ObjectId>> {
        let (space, noun) = match target.kind {
            ObjectKind::Trigger => (Space::Trigger, "trigger"),
            ObjectKind::Policy => (Space::Policy, "policy"),
            _ => (Space::Rule, "rule"),
        };
        let on = target.on.clone().unwrap_or_else(|| target.name.clone());
        let Some(owner) = self.triggered(&on, drop.if_exists)? else {
            return self.not_there(drop, part(space, noun, &self.schema.place(&on), &target.name.name), |_| {
                ApplyError::no_relation(&on)
            });
        };
        let id = part(space, noun, &owner, &target.name.name);
        let listed = match self.schema.relations.get(&owner) {
            Some(Relation::Table(table)) if table.complete => match target.kind {
                ObjectKind::Trigger => table.triggers.contains_key(&target.name.name),
                ObjectKind::Policy => table.policies.contains_key(&target.name.name),
                _ => table.rules.contains_key(&target.name.name),
            },
            Some(Relation::Table(_)) => true,
            Some(_) => self.schema.others.contains_key(&super::others::key(&id)) || !self.closed(),
            None => true,
        };
        if target.kind == ObjectKind::Trigger && self.schema.is_cloned_trigger(&owner, &target.name.name) {
            return Err(ApplyError::new(
                "2BP01",
                format!(
                    "cannot drop trigger {} because the one of the partitioned table requires it",
                    target.name.name
                ),
            ));
        }
        if !listed {
            let message = format!("{noun} \"{}\" for relation \"{}\" does not exist", target.name.name, plain(&owner));
            let message = if target.kind == ObjectKind::Trigger {
                format!("trigger \"{}\" for table \"{}\" does not exist", target.name.name, plain(&owner))
            } else {
                message
            };
            return self.not_there(drop, id, |_| ApplyError::new("42704", message));
        }
        Ok(Some(id))
    }

    /// Removes the objects and what depends on them; without CASCADE what does not go in silence forbids it.
    pub(super) fn remove(&mut self, targets: &[ObjectId], cascade: bool, verb: Verb) -> Applied {
        let mut seen: BTreeSet<ObjectId> = targets.iter().cloned().collect();
        let mut order: Vec<ObjectId> = targets.to_vec();
        let mut at = 0;
        let mut blocked = Vec::new();
        while at < order.len() {
            let dependents = self.schema.dependents(&order[at]);
            // Before 15 a generated column goes in silence with the column that it is computed from.
            let computed = self.pg.before(15) && order[at].space == Space::Column;
            let (automatic, normal): (Vec<_>, Vec<_>) = dependents.into_iter().partition(|it| {
                it.automatic || (computed && it.object.space == Space::Column && it.object.noun == "column")
            });
            for dependent in automatic {
                if seen.insert(dependent.object.clone()) {
                    order.push(dependent.object);
                }
            }
            for dependent in normal {
                // The default goes with its column, of whose sequence it asks.
                let id = &dependent.object;
                if id.noun == "default"
                    && id.owner.as_ref().is_some_and(|table| seen.contains(&column(table, &id.name.name)))
                {
                    continue;
                }
                if cascade {
                    if seen.insert(dependent.object.clone()) {
                        order.push(dependent.object);
                    }
                } else {
                    blocked.push(dependent.object);
                }
            }
            at += 1;
        }
        let goes_anyway = |id: &ObjectId| {
            seen.contains(id) || id.owner.as_ref().is_some_and(|owner| seen.contains(&self.schema.relation_id(owner)))
        };
        if let (Some(target), Some(dependent)) = (targets.first(), blocked.iter().find(|id| !goes_anyway(id))) {
            let (object, dependent) = (describe(target), describe(dependent));
            return Err(ApplyError::new(
                "2BP01",
                format!("cannot drop {object} because other objects depend on it: {dependent} depends on it"),
            ));
        }
        for (at, object) in order.iter().enumerate() {
            // The NOT NULL of a column is part of what the column is, and goes with it unsaid.
            if at >= targets.len()
                && object.space == Space::Constraint
                && let Some(owner) = &object.owner
                && let Some(Relation::Table(table)) = self.schema.relations.get_mut(owner)
                && let Some(listed) = table.constraints.get(&object.name.name)
                && matches!(listed.kind, Fact::Known(ConstraintKind::NotNull { .. }))
            {
                table.constraints.remove(&object.name.name);
                continue;
            }
            let verb = if at < targets.len() { verb } else { Verb::Take };
            self.take(object, verb)?;
        }
        Ok(())
    }

    /// Takes one object out of the schema, with what lives only inside it.
    fn take(&mut self, id: &ObjectId, verb: Verb) -> Applied {
        let own = &id.name.name;
        match (id.space, &id.owner) {
            (Space::Relation, _) => {
                if let Some(Relation::Index(index)) = self.schema.relations.get(&id.name)
                    && let Fact::Known(table) = index.table.clone()
                {
                    self.index_gone(&table, own);
                }
                self.schema.relations.remove(&id.name);
                self.schema.dropped.insert(id.name.clone());
            }
            (Space::Type, _) => {
                self.schema.types.remove(&id.name);
                self.schema.dropped_types.insert(id.name.clone());
            }
            (Space::Routine, _) => self.take_routine(id),
            (Space::Schema, _) => {
                self.schema.schemas.remove(own);
            }
            (Space::Extension, _) => {
                self.schema.extensions.remove(own);
            }
            (Space::Publication, _) => {
                self.schema.publications.remove(own);
            }
            (Space::Statistics, _) => {
                self.schema.statistics.remove(&id.name);
            }
            // A part of something that went with it has nothing left to say.
            (_, Some(owner)) if self.schema.dropped.contains(owner) && !self.schema.relations.contains_key(owner) => {
                return Ok(());
            }
            (Space::Column, Some(owner)) if id.noun == "attribute" => {
                if let Some(Type::Defined { definition: TypeDefinition::Composite { attributes }, .. }) =
                    self.schema.types.get_mut(owner)
                {
                    attributes.retain(|(attribute, ..)| attribute != own);
                }
                self.change(EffectKind::ChangeType, verb, id.clone(), "");
                return Ok(());
            }
            (Space::Column, Some(owner)) => {
                let table = self.table_mut(owner)?;
                table.columns.retain(|column| column.name != *own);
                if !table.complete {
                    table.absent.insert(own.clone());
                }
            }
            (Space::Constraint, Some(owner)) => {
                self.table_mut(owner)?.constraints.remove(own);
            }
            (Space::Trigger | Space::Policy | Space::Rule, Some(owner)) => {
                if id.space == Space::Trigger && self.schema.is_partitioned(owner) {
                    for partition in self.schema.descendants_of(owner) {
                        self.table_mut(&partition)?.triggers.remove(own);
                    }
                }
                if let Some(Relation::Table(table)) = self.schema.relations.get_mut(owner) {
                    match id.space {
                        Space::Trigger => {
                            let definition = table.triggers.get(own).map(|trigger| trigger.definition.clone());
                            drop_from(&mut table.triggers, own);
                            self.take_cloned_triggers(owner, own, definition.as_ref());
                        }
                        Space::Policy => drop_from(&mut table.policies, own),
                        _ => drop_from(&mut table.rules, own),
                    }
                }
                self.schema.others.remove(&super::others::key(id));
            }
            (Space::Other, Some(owner)) if id.noun == "default" => {
                self.need_column(owner, own)?.default = Fact::Known(None);
                self.alter_column_change(EffectKind::DropDefault, owner, own, "");
                return Ok(());
            }
            _ => {
                self.schema.others.remove(&super::others::key(id));
                if id.noun == "operator family" {
                    let class = ObjectId { noun: "operator class", ..id.clone() };
                    self.schema.others.remove(&super::others::key(&class));
                }
            }
        }
        self.forget_about(id);
        self.change(drop_kind(id), verb, id.clone(), "");
        Ok(())
    }

    /// A table is no longer clustered on, nor known by, an index that is gone.
    fn index_gone(&mut self, table: &Name, index: &str) {
        let Some(Relation::Table(table)) = self.schema.relations.get_mut(table) else { return };
        if matches!(&table.clustered_on, Fact::Known(Some(on)) if on == index) {
            table.clustered_on = Fact::Known(None);
        }
        if matches!(&table.replica_identity, Fact::Known(Some(of)) if *of == format!("USING INDEX {index}")) {
            table.replica_identity = Fact::Known(Some("USING INDEX of one that is gone".to_owned()));
        }
    }

    /// The row triggers that a partitioned table made on its partitions go with it (`CloneRowTriggersToPartition`).
    fn take_cloned_triggers(&mut self, table: &Name, trigger: &str, definition: Option<&Fact<String>>) {
        if definition.is_none() || !self.schema.is_partitioned(table) {
            return;
        }
        for child in self.schema.descendants_of(table) {
            if let Some(Relation::Table(child)) = self.schema.relations.get_mut(&child)
                && child.triggers.get(trigger).map(|cloned| &cloned.definition) == definition
            {
                child.triggers.remove(trigger);
            }
        }
    }

    fn take_routine(&mut self, id: &ObjectId) {
        let bare = id.name.name.split('(').next().unwrap_or(&id.name.name);
        let name = Name { schema: id.name.schema.clone(), name: bare.to_owned() };
        // An aggregate is no more than the statement that made it.
        let made = [format!("aggregate {}", Name::bare(&id.name.name)), format!("aggregate {}", id.name)];
        self.schema.others.retain(|other, _| !made.contains(other));
        if let Some(overloads) = self.schema.functions.get_mut(&name) {
            overloads.retain(|listed| routine(id.noun, &name, listed.routine.args.as_deref()).name != id.name);
            if overloads.is_empty() {
                self.schema.functions.remove(&name);
            }
        }
    }

    /// Removes comments, privileges and labels of what is gone, and its place in publications.
    fn forget_about(&mut self, id: &ObjectId) {
        let key = super::others::key(id);
        let dot = format!("{key}.");
        let about = |other: &String| {
            other.split_once(" on ").is_some_and(|(_, on)| {
                on == key || on.starts_with(&dot) || on.split_once(" to ").is_some_and(|(on, _)| on == key)
            })
        };
        // What is said of a table's columns, constraints and the rest goes with it: `comment on column public.t.a`.
        let inside = format!("{}.", id.name);
        let inside = |other: &String| {
            id.space == Space::Relation
                && other.split_once(" on ").is_some_and(|(_, on)| {
                    on.split_once(' ').is_some_and(|(noun, rest)| {
                        matches!(noun, "column" | "constraint" | "trigger" | "policy" | "rule")
                            && rest.starts_with(&inside)
                    })
                })
        };
        self.schema.others.retain(|other, _| !about(other) && !inside(other));
        if let (Space::Column, Some(table)) = (id.space, &id.owner) {
            self.forget_column_privileges(table, &id.name.name);
        }
        if id.space == Space::Relation {
            self.schema.publications.change(|_, scope| {
                scope.tables.retain(|(table, ..)| *table != id.name);
            });
        }
    }
}

impl Apply<'_> {
    /// `UPDATE (a)` goes with `a`.
    fn forget_column_privileges(&mut self, table: &Name, column: &str) {
        let on = format!("privileges on {} to ", super::others::key(&self.schema.relation_id(table)));
        let of_column = [format!(" ({column})"), format!(" ({column}) WITH GRANT OPTION")];
        self.schema.others.change(|key, held| {
            if key.starts_with(&on) {
                let kept = held.split("; ").filter(|held| !of_column.iter().any(|tail| held.ends_with(tail.as_str())));
                *held = kept.collect::<Vec<_>>().join("; ");
            }
        });
        self.schema.others.retain(|key, held| !(key.starts_with(&on) && held.is_empty()));
    }
}

fn drop_from<T>(map: &mut std::collections::BTreeMap<String, T>, name: &str) {
    map.remove(name);
}

/// 2BP01 for a part that cannot go alone.
fn required(object: &str, requirer: &str) -> ApplyError {
    ApplyError::new("2BP01", format!("cannot drop {object} because {requirer} requires it"))
}

/// The object as PostgreSQL's messages describe it.
fn describe(id: &ObjectId) -> String {
    match &id.owner {
        Some(owner) if id.noun == "column" => format!("column {} of table {}", id.name.name, plain(owner)),
        Some(owner) if id.noun == "default" => {
            format!("default value for column {} of table {}", id.name.name, plain(owner))
        }
        Some(owner) if id.space != Space::Relation => format!("{} {} on table {}", id.noun, id.name.name, plain(owner)),
        _ => format!("{} {}", id.noun, plain(&id.name)),
    }
}

fn other_id(kind: ObjectKind, target: &Target) -> ObjectId {
    super::others::target_id(kind, target)
}

/// The kind of change that taking the object is.
pub(super) fn drop_kind(id: &ObjectId) -> EffectKind {
    match (id.space, id.noun) {
        (Space::Relation, "view") => EffectKind::DropView,
        (Space::Relation, "materialized view") => EffectKind::DropMaterializedView,
        (Space::Relation, "sequence") => EffectKind::DropSequence,
        (Space::Relation, "index") => EffectKind::DropIndex,
        (Space::Relation, _) => EffectKind::DropTable,
        (Space::Column, _) => EffectKind::DropColumn,
        (Space::Constraint, _) => EffectKind::DropConstraint,
        (Space::Type, "domain") => EffectKind::DropDomain,
        (Space::Type, _) => EffectKind::DropType,
        (Space::Routine, _) => EffectKind::DropFunction,
        (Space::Schema, _) => EffectKind::DropSchema,
        (Space::Extension, _) => EffectKind::DropExtension,
        (Space::Publication, _) => EffectKind::DropPublication,
        (Space::Statistics, _) => EffectKind::DropStatistics,
        (Space::Trigger, _) => EffectKind::DropTrigger,
        (Space::Policy, _) => EffectKind::DropPolicy,
        (Space::Rule, _) => EffectKind::DropRule,
        _ => EffectKind::DropObject,
    }
}

impl Apply<'_> {
    /// Removes one column and what hangs on it.
    pub(super) fn remove_column(&mut self, table: &Name, name: &str, cascade: bool, verb: Verb) -> Applied {
        self.remove(&[column(table, name)], cascade, verb)
    }

    /// Drops what `remove` wrote down of columns and constraints of a child: they came down unsaid and go unsaid; only
    /// names in the schema's namespace are said.
    pub(super) fn unsaid(&mut self, child: &Name, at: usize) {
        let said = |change: &Change| {
            change.object.owner.as_ref() != Some(child)
                || !matches!(change.object.space, Space::Column | Space::Constraint)
        };
        let tail = self.changes.split_off(at);
        self.changes.extend(tail.into_iter().filter(said));
    }

    pub(super) fn remove_constraint(&mut self, table: &Name, name: &str, cascade: bool, verb: Verb) -> Applied {
        self.remove(&[constraint(table, name)], cascade, verb)
    }
}

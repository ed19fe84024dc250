//! ALTER VIEW, MATERIALIZED VIEW, INDEX and SEQUENCE with the actions of ALTER TABLE.

use super::Apply;
use super::change::column as column_id;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{ReplicaIdentity, TableAction};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::parameters::{self, Parameters};
use crate::sql::schema::{ApplyError, Fact, Relation};

impl Apply<'_> {
    /// One action on a relation that is no table; answers its name afterwards.
    pub(super) fn other_relation_action(&mut self, name: Name, action: &TableAction) -> Applied<Name> {
        let kind = match self.schema.relations.get(&name) {
            Some(Relation::View(_)) => EffectKind::ChangeView,
            Some(Relation::MaterializedView(_)) => EffectKind::ChangeMaterializedView,
            Some(Relation::Sequence(_)) => EffectKind::ChangeSequence,
            _ => EffectKind::ChangeIndex,
        };
        match action {
            TableAction::RenameTo { to } => return self.rename_relation(&name, to),
            TableAction::SetSchema { to } => return self.relation_to_schema(&name, to),
            TableAction::RenameColumn { name: column, to } => self.rename_view_column(&name, column, to)?,
            TableAction::OwnerTo { to } => {
                if let Some(Relation::Sequence(sequence)) = self.schema.relations.get(&name)
                    && matches!(sequence.owned_by, Fact::Known(Some(_)))
                {
                    return Err(ApplyError::new("0A000", format!("cannot change owner of sequence \"{}\"", name.name)));
                }
                let id = self.schema.relation_id(&name);
                self.record_owner(&id, to);
                self.alter_relation(EffectKind::ChangeOwner, &name, to.clone());
            }
            TableAction::SetOptions { options } => {
                let text = super::alter::options_text(options);
                self.change_parameters(&name, |listed| parameters::set(listed, options));
                self.alter_relation(kind, &name, text);
            }
            TableAction::ResetOptions { options } => {
                let text = format!("RESET ({})", options.join(", "));
                self.change_parameters(&name, |listed| listed.retain(|option, _| !options.contains(option)));
                self.alter_relation(kind, &name, text);
            }
            TableAction::SetDefault { column, expression } => {
                self.need_view_column(&name, column)?;
                let entry = format!("default on {}", super::others::key(&column_id(&name, column)));
                self.schema.others.insert(entry, expression.text.clone());
                self.column_altered(EffectKind::SetDefault, &name, column, expression.text.clone());
            }
            TableAction::DropDefault { column } => {
                self.need_view_column(&name, column)?;
                let entry = format!("default on {}", super::others::key(&column_id(&name, column)));
                self.schema.others.remove(&entry);
                self.column_altered(EffectKind::DropDefault, &name, column, "");
            }
            TableAction::SetStatistics { column, target } => {
                if let (Some(Relation::Index(index)), Ok(number)) =
                    (self.schema.relations.get(&name), column.parse::<usize>())
                    && let Some(keys) = index.columns.known()
                {
                    match number.checked_sub(1).and_then(|at| keys.get(at)) {
                        Some(Some(_)) => {
                            return Err(ApplyError::new(
                                "0A000",
                                format!("cannot alter statistics on non-expression column of index \"{}\"", name.name),
                            ));
                        }
                        None if number > keys.len() + index.include.len() => {
                            return Err(ApplyError::new(
                                "42703",
                                format!("column number {number} of relation \"{}\" does not exist", name.name),
                            ));
                        }
                        _ => {}
                    }
                }
                let id = self.schema.relation_id(&name);
                let entry = format!("statistics target on {}.{column}", super::others::key(&id));
                if matches!(target.to_ascii_lowercase().as_str(), "-1" | "default") {
                    self.schema.others.remove(&entry);
                } else {
                    self.schema.others.insert(entry, target.clone());
                }
                self.column_altered(EffectKind::SetColumnOption, &name, column, format!("STATISTICS {target}"));
            }
            TableAction::SetStorage { column, storage } => {
                self.column_altered(EffectKind::SetColumnOption, &name, column, format!("STORAGE {storage}"));
            }
            TableAction::SetCompression { column, method } => {
                self.column_altered(EffectKind::SetColumnOption, &name, column, format!("COMPRESSION {method}"));
            }
            TableAction::SetColumnOptions { column, options } => {
                let text = super::alter::options_text(options);
                self.column_altered(EffectKind::SetColumnOption, &name, column, text);
            }
            TableAction::ResetColumnOptions { column, options } => {
                let text = format!("RESET ({})", options.join(", "));
                self.column_altered(EffectKind::SetColumnOption, &name, column, text);
            }
            TableAction::SetTablespace { to } => {
                if let Some(Relation::MaterializedView(view)) = self.schema.relations.get_mut(&name) {
                    view.tablespace = Some(to.clone()).filter(|to| to != "pg_default");
                }
                self.alter_relation(EffectKind::SetTablespace, &name, to.clone());
            }
            TableAction::ReplicaIdentity(identity) => {
                if let ReplicaIdentity::Index(index) = identity {
                    self.need_index_of(&name, index)?;
                }
                let text = super::alter::replica_identity_text(identity).unwrap_or_else(|| "DEFAULT".to_owned());
                self.alter_relation(EffectKind::SetReplicaIdentity, &name, text);
            }
            TableAction::DropIdentity { column, if_exists: true } => self.need_view_column(&name, column)?,
            TableAction::AddIdentity { column, .. }
            | TableAction::SetIdentity { column, .. }
            | TableAction::DropIdentity { column, .. } => {
                self.need_view_column(&name, column)?;
                return Err(ApplyError::new("55000", format!("column \"{column}\" has no identity")));
            }
            TableAction::RenameConstraint { name: constraint, .. } => {
                return Err(ApplyError::no_constraint(constraint, &name));
            }
            TableAction::SetAccessMethod { method } => {
                let text = method.clone().unwrap_or_default();
                self.alter_relation(EffectKind::SetAccessMethod, &name, text);
            }
            TableAction::ClusterOn { index } => {
                self.need_index_of(&name, index)?;
                self.alter_relation(EffectKind::ClusterTable, &name, format!("CLUSTER ON {index}"));
            }
            TableAction::SetWithoutCluster => {
                self.alter_relation(EffectKind::ClusterTable, &name, "WITHOUT CLUSTER");
            }
            TableAction::SetLogged | TableAction::SetUnlogged => {
                let logged = matches!(action, TableAction::SetLogged);
                if let Some(Relation::Sequence(sequence)) = self.schema.relations.get_mut(&name) {
                    sequence.unlogged = !logged;
                }
                self.alter_relation(EffectKind::SetLogged, &name, if logged { "LOGGED" } else { "UNLOGGED" });
            }
            TableAction::EnableTrigger { .. } | TableAction::DisableTrigger { .. } => {
                self.alter_relation(EffectKind::ChangeTrigger, &name, "");
            }
            TableAction::EnableRule { .. } | TableAction::DisableRule { .. } => {
                self.alter_relation(EffectKind::ChangeObject, &name, "");
            }
            _ => {
                return Err(ApplyError::new(
                    "42809",
                    format!("ALTER action cannot be performed on relation \"{}\"", name.name),
                ));
            }
        }
        Ok(name)
    }

    fn need_view_column(&self, view: &Name, column: &str) -> Applied {
        let known = self.schema.view(view).and_then(|view| view.columns.known());
        if known.is_some_and(|columns| !columns.iter().any(|known| known == column)) {
            return Err(ApplyError::no_column(column, view));
        }
        Ok(())
    }

    fn rename_view_column(&mut self, view: &Name, column: &str, to: &str) -> Applied {
        self.need_view_column(view, column)
            .map_err(|_| ApplyError::new("42703", format!("column \"{column}\" does not exist")))?;
        if let Some(Relation::View(listed) | Relation::MaterializedView(listed)) = self.schema.relations.get_mut(view)
            && let Fact::Known(columns) = &mut listed.columns
        {
            if columns.iter().any(|known| known == to) {
                return Err(ApplyError::column_exists(to, view));
            }
            for known in columns.iter_mut().filter(|known| *known == column) {
                to.clone_into(known);
            }
        }
        self.rename_column_uses(view, column, to);
        self.renamed(EffectKind::RenameColumn, column_id(view, column), column_id(view, to));
        Ok(())
    }

    /// Changes the parameters of a view or an index where they stand in its definition.
    fn change_parameters(&mut self, name: &Name, change: impl FnOnce(&mut Parameters)) {
        match self.schema.relations.get_mut(name) {
            Some(Relation::View(view) | Relation::MaterializedView(view)) => {
                let mut listed = parameters::read(&view.options);
                change(&mut listed);
                view.options = parameters::written(&listed);
            }
            Some(Relation::Index(index)) => {
                if let Fact::Known(definition) = &mut index.definition {
                    let (head, mut listed, tail) = parameters::split(definition);
                    change(&mut listed);
                    let with = parameters::written(&listed);
                    let pieces = [head, with.as_str(), tail];
                    *definition = pieces.into_iter().filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ");
                }
            }
            _ => {}
        }
    }

    /// Writes down a change of a view's or index's own kind.
    pub(super) fn relation_used(&mut self, kind: EffectKind, name: &Name) {
        let id = self.schema.relation_id(name);
        self.change(kind, Verb::Use, id, "");
    }
}

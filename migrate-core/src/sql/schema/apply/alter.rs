//! ALTER TABLE: the actions in PostgreSQL's passes, each handed to the file of its family (`ATPrepCmd` and `ATExecCmd` in
//! `tablecmds.c`).

use super::Apply;
use super::change::{constraint as constraint_id, object, part};
use crate::model::{EffectKind, Space, Verb};
use crate::sql::ast::{
    AlterTable, ObjectKind, Persistence, ReplicaIdentity, RowSecurity, TableAction, TriggerMode, TriggerScope,
};
use crate::sql::name::Name;
use crate::sql::schema::error::{Applied, plain};
use crate::sql::schema::parameters;
use crate::sql::schema::{ApplyError, Constraint, Fact, Relation, RowSecurityFlag};
use std::collections::BTreeSet;

/// PostgreSQL's pass of an action (`AlterTablePass`): what is dropped goes first, so that a name can be used again.
fn pass(action: &TableAction) -> u8 {
    match action {
        TableAction::DropColumn { .. }
        | TableAction::DropConstraint { .. }
        | TableAction::DropNotNull { .. }
        | TableAction::DropExpression { .. }
        | TableAction::DropIdentity { .. }
        | TableAction::DropDefault { .. } => 0,
        TableAction::SetType { .. } => 1,
        TableAction::AddColumn { .. } => 2,
        TableAction::SetExpression { .. } => 3,
        TableAction::AddConstraint(_) => 5,
        TableAction::SetNotNull { .. } | TableAction::AddIdentity { .. } | TableAction::SetDefault { .. } => 4,
        _ => 6,
    }
}

impl Apply<'_> {
    pub(super) fn alter_table(&mut self, alter: &AlterTable) -> Applied {
        let found = match self.schema.find_relation(&alter.name) {
            Some(found) => {
                // ALTER INDEX … RENAME renames any relation (`RangeVarCallbackForAlterRelation`).
                let renames = alter.kind == ObjectKind::Index
                    && matches!(alter.actions.as_slice(), [TableAction::RenameTo { .. }]);
                if alter.kind != ObjectKind::Table && !renames {
                    self.relation_as(&alter.name, alter.kind, false)?;
                }
                found
            }
            None => match self.relation_as(&alter.name, alter.kind, alter.if_exists)? {
                Some(found) => found,
                None => return Ok(()),
            },
        };
        let mut actions: Vec<&TableAction> = alter.actions.iter().collect();
        actions.sort_by_key(|action| pass(action));
        let mut name = found;
        for action in actions {
            name = if matches!(self.schema.relations.get(&name), Some(Relation::Table(_))) {
                self.table_action(name, alter.only, action)?
            } else {
                self.other_relation_action(name, action)?
            };
        }
        Ok(())
    }

    /// One action on a table; answers the table's name afterwards.
    fn table_action(&mut self, name: Name, only: bool, action: &TableAction) -> Applied<Name> {
        match action {
            TableAction::AddColumn { if_not_exists, column } => {
                if self.partition_parent(&name).is_some() {
                    return Err(ApplyError::new("42809", "cannot add column to a partition"));
                }
                let there = self.table(&name)?.column(&column.name).is_some();
                if only && !there && !self.schema.children_of(&name).is_empty() {
                    return Err(ApplyError::new("42P16", "column must be added to child tables too"));
                }
                self.add_column(&name, *if_not_exists, column)?;
            }
            TableAction::DropColumn { name: column, if_exists, cascade } => {
                self.drop_column(&name, column, *if_exists, *cascade, only)?;
            }
            TableAction::AddConstraint(def) if only => self.add_constraint_only(&name, def, Verb::Make)?,
            TableAction::AddConstraint(def) => self.add_constraint(&name, def, Verb::Make)?,
            TableAction::DropConstraint { name: constraint, if_exists, cascade } => {
                self.drop_constraint(&name, constraint, *if_exists, *cascade, only)?;
            }
            TableAction::ValidateConstraint { name: constraint } => self.validate(&name, constraint)?,
            TableAction::AlterConstraint { name: constraint, deferrable, initially_deferred, enforced, inherit } => {
                self.alter_constraint(&name, constraint, |it| {
                    if let Some(deferrable) = deferrable {
                        it.deferrable = *deferrable;
                        it.initially_deferred &= *deferrable;
                    }
                    if let Some(initially_deferred) = initially_deferred {
                        it.initially_deferred = *initially_deferred;
                        it.deferrable |= *initially_deferred;
                    }
                    if let Some(enforced) = enforced {
                        it.enforced = *enforced;
                        it.validated = Fact::Known(*enforced);
                    }
                    if let Some(inherit) = inherit {
                        it.no_inherit = !inherit;
                    }
                })?;
                if let Some(inherit) = inherit {
                    self.not_null_inheritable(&name, constraint, *inherit)?;
                }
            }
            TableAction::RenameColumn { name: column, to } => self.rename_column(&name, column, to, only)?,
            TableAction::RenameConstraint { name: constraint, to } => self.rename_constraint(&name, constraint, to)?,
            TableAction::RenameTo { to } => return self.rename_relation(&name, to),
            TableAction::SetSchema { to } => return self.relation_to_schema(&name, to),
            TableAction::OwnerTo { to } => {
                self.table_mut(&name)?.owner = Fact::Known(to.clone());
                self.alter_relation(EffectKind::ChangeOwner, &name, to.clone());
            }
            TableAction::EnableTrigger { which, mode } => self.switch_triggers(&name, which, Some(*mode))?,
            TableAction::DisableTrigger { which } => self.switch_triggers(&name, which, None)?,
            TableAction::EnableRule { name: rule, mode } => self.switch_rule(&name, rule, switch_word(Some(*mode)))?,
            TableAction::DisableRule { name: rule } => self.switch_rule(&name, rule, "DISABLE")?,
            TableAction::RowSecurity(action) => self.row_security(&name, *action)?,
            TableAction::ClusterOn { index } => {
                self.need_index_of(&name, index)?;
                self.table_mut(&name)?.clustered_on = Fact::Known(Some(index.clone()));
                self.alter_relation(EffectKind::ClusterTable, &name, format!("CLUSTER ON {index}"));
            }
            TableAction::SetWithoutCluster => {
                self.table_mut(&name)?.clustered_on = Fact::Known(None);
                self.alter_relation(EffectKind::ClusterTable, &name, "WITHOUT CLUSTER");
            }
            TableAction::SetWithoutOids => {}
            TableAction::SetTablespace { to } => {
                let kept = (to != "pg_default").then(|| to.clone());
                self.table_mut(&name)?.tablespace = Fact::Known(kept);
                self.alter_relation(EffectKind::SetTablespace, &name, to.clone());
            }
            TableAction::SetLogged | TableAction::SetUnlogged => {
                let logged = matches!(action, TableAction::SetLogged);
                self.set_logged(&name, logged)?;
            }
            TableAction::SetAccessMethod { method } => {
                self.table_mut(&name)?.access_method = Fact::Known(method.clone());
                self.alter_relation(EffectKind::SetAccessMethod, &name, method.clone().unwrap_or_default());
            }
            TableAction::SetOptions { options } => {
                self.table_mut(&name)?.options.extend(options.iter().cloned());
                self.alter_relation(EffectKind::SetTableOption, &name, options_text(options));
            }
            TableAction::ResetOptions { options } => {
                self.table_mut(&name)?.options.retain(|option, _| !options.contains(option));
                self.alter_relation(EffectKind::SetTableOption, &name, format!("RESET ({})", options.join(", ")));
            }
            TableAction::Inherit { parent } => self.inherit(&name, parent)?,
            TableAction::NoInherit { parent } => self.no_inherit(&name, parent)?,
            TableAction::OfType { name: of } => {
                let found = self.schema.find_type(of).unwrap_or_else(|| self.schema.place(of));
                self.table_mut(&name)?.of_type = Some(found.clone());
                self.alter_relation(EffectKind::ChangeInheritance, &name, format!("OF {found}"));
            }
            TableAction::NotOf => {
                self.table_mut(&name)?.of_type = None;
                self.alter_relation(EffectKind::ChangeInheritance, &name, "NOT OF");
            }
            TableAction::ReplicaIdentity(identity) => self.replica_identity(&name, identity)?,
            TableAction::AttachPartition { partition, bound } => self.attach_partition(&name, partition, bound)?,
            TableAction::DetachPartition { partition, concurrently, .. } => {
                self.detach_partition(&name, partition, *concurrently)?;
            }
            TableAction::ForeignOptions { column, text } => {
                let options = match column {
                    Some(column) => &mut self.need_column(&name, column)?.options,
                    None => &mut self.table_mut(&name)?.options,
                };
                parameters::set_foreign(options, text);
                self.alter_relation(EffectKind::SetTableOption, &name, text.clone());
            }
            TableAction::Unsupported { text } => {
                return Err(ApplyError::new("42601", format!("syntax error: no server of 14 to 18 has {text}")));
            }
            other => self.column_action(&name, only, other)?,
        }
        Ok(name)
    }

    fn validate(&mut self, table: &Name, name: &str) -> Applied {
        let mut below = vec![table.clone()];
        below.extend(self.schema.descendants_of(table));
        if !self.has_constraint(table, name)? {
            return Err(ApplyError::no_constraint(name, table));
        }
        for table in below {
            if let Some(constraint) = self.table_mut(&table)?.constraints.get_mut(name) {
                if !constraint.enforced {
                    return Err(ApplyError::new("55000", "cannot validate NOT ENFORCED constraint"));
                }
                constraint.validated = Fact::Known(true);
            }
        }
        self.change(EffectKind::ValidateConstraint, Verb::Alter, constraint_id(table, name), "");
        Ok(())
    }

    /// Whether the constraint is there; in a table that is not known in full, an unlisted one becomes listed.
    pub(super) fn has_constraint(&mut self, table: &Name, name: &str) -> Applied<bool> {
        let listed = self.table_mut(table)?;
        if listed.constraints.contains_key(name) {
            return Ok(true);
        }
        if listed.complete {
            return Ok(false);
        }
        let mentioned = Constraint {
            kind: Fact::Unknown,
            validated: Fact::Unknown,
            enforced: true,
            deferrable: false,
            initially_deferred: false,
            no_inherit: false,
            index: None,
            inherited: false,
            local: true,
        };
        listed.constraints.insert(name.to_owned(), mentioned);
        Ok(true)
    }

    fn alter_constraint(&mut self, table: &Name, name: &str, change: impl Fn(&mut Constraint)) -> Applied {
        if !self.has_constraint(table, name)? {
            return Err(ApplyError::no_constraint(name, table));
        }
        let mut text = String::new();
        let mut below = vec![table.clone()];
        below.extend(self.schema.descendants_of(table));
        for (at, table) in below.iter().enumerate() {
            if let Some(constraint) = self.table_mut(table)?.constraints.get_mut(name)
                && (at == 0 || constraint.inherited)
            {
                change(constraint);
                if at == 0 {
                    text = crate::sql::schema::text::constraint_text(constraint);
                }
            }
        }
        self.change(EffectKind::ChangeConstraint, Verb::Alter, constraint_id(table, name), text);
        Ok(())
    }

    fn switch_triggers(&mut self, table: &Name, which: &TriggerScope, mode: Option<TriggerMode>) -> Applied {
        let word = switch_word(mode);
        let listed = self.table_mut(table)?;
        let all = match which {
            TriggerScope::Named(name) => {
                if listed.complete && !listed.triggers.contains_key(name) {
                    return Err(ApplyError::new(
                        "42704",
                        format!("trigger \"{name}\" for table \"{}\" does not exist", plain(table)),
                    ));
                }
                let id = part(Space::Trigger, "trigger", table, name);
                self.change(EffectKind::ChangeTrigger, Verb::Alter, id, word);
                vec![name.clone()]
            }
            TriggerScope::All | TriggerScope::User => {
                let all = listed.triggers.keys().cloned().collect();
                let scope = if *which == TriggerScope::All { "ALL" } else { "USER" };
                self.alter_relation(EffectKind::ChangeTrigger, table, format!("{word} TRIGGER {scope}"));
                all
            }
        };
        for name in &all {
            if let Some(trigger) = self.table_mut(table)?.triggers.get_mut(name) {
                trigger.mode = mode;
                continue;
            }
            // Of a trigger that is not listed only the unusual is kept, so that ENABLE takes DISABLE back.
            let entry = format!("state on {}", super::others::key(&part(Space::Trigger, "trigger", table, name)));
            if word == "ENABLE" {
                self.schema.others.remove(&entry);
            } else {
                self.schema.others.insert(entry, word.to_owned());
            }
        }
        Ok(())
    }

    fn switch_rule(&mut self, table: &Name, rule: &str, word: &str) -> Applied {
        let listed = self.table_mut(table)?;
        if listed.complete && !listed.rules.contains_key(rule) {
            return Err(ApplyError::new(
                "42704",
                format!("rule \"{rule}\" for relation \"{}\" does not exist", table.name),
            ));
        }
        let id = part(Space::Rule, "rule", table, rule);
        let entry = format!("state on {}", super::others::key(&id));
        if word == "ENABLE" {
            self.schema.others.remove(&entry);
        } else {
            self.schema.others.insert(entry, word.to_owned());
        }
        self.change(EffectKind::ChangeObject, Verb::Alter, id, word);
        Ok(())
    }

    fn row_security(&mut self, table: &Name, action: RowSecurity) -> Applied {
        let (flag, on, kind) = match action {
            RowSecurity::Enable => (RowSecurityFlag::Enabled, true, EffectKind::EnableRowSecurity),
            RowSecurity::Disable => (RowSecurityFlag::Enabled, false, EffectKind::DisableRowSecurity),
            RowSecurity::Force => (RowSecurityFlag::Forced, true, EffectKind::EnableRowSecurity),
            RowSecurity::NoForce => (RowSecurityFlag::Forced, false, EffectKind::DisableRowSecurity),
        };
        if let Fact::Known(flags) = &mut self.table_mut(table)?.row_security {
            if on {
                flags.insert(flag);
            } else {
                flags.remove(&flag);
            }
        }
        let text = if flag == RowSecurityFlag::Forced { "FORCE" } else { "" };
        self.alter_relation(kind, table, text);
        Ok(())
    }

    pub(super) fn need_index_of(&mut self, table: &Name, index: &str) -> Applied {
        let name = Name { schema: table.schema.clone(), name: index.to_owned() };
        let belongs = match self.schema.index(&name) {
            Some(listed) => listed.table.known().is_none_or(|of| of == table),
            None => !self.known_absent(&name),
        };
        if belongs {
            Ok(())
        } else {
            Err(ApplyError::new("42704", format!("index \"{index}\" for table \"{}\" does not exist", plain(table))))
        }
    }

    fn replica_identity(&mut self, table: &Name, identity: &ReplicaIdentity) -> Applied {
        if let ReplicaIdentity::Index(index) = identity {
            self.need_index_of(table, index)?;
        }
        let text = replica_identity_text(identity);
        self.table_mut(table)?.replica_identity = Fact::Known(text.clone());
        let text = text.unwrap_or_else(|| "DEFAULT".to_owned());
        self.alter_relation(EffectKind::SetReplicaIdentity, table, text);
        Ok(())
    }

    fn set_logged(&mut self, table: &Name, logged: bool) -> Applied {
        let persistence = if logged { Persistence::Permanent } else { Persistence::Unlogged };
        self.table_mut(table)?.persistence = Fact::Known(persistence);
        for sequence in self.schema.sequences_owned_by(table, None) {
            if let Some(Relation::Sequence(sequence)) = self.schema.relations.get_mut(&sequence) {
                sequence.unlogged = !logged;
            }
        }
        self.alter_relation(EffectKind::SetLogged, table, if logged { "LOGGED" } else { "UNLOGGED" });
        Ok(())
    }

    pub(super) fn alter_all_in_tablespace(&mut self, kind: ObjectKind, from: &str, to: &str) {
        let mut moved: BTreeSet<Name> = BTreeSet::new();
        if kind == ObjectKind::Table {
            self.schema.relations.change(|name, relation| {
                if let Relation::Table(table) = relation
                    && table.tablespace == Fact::Known(Some(from.to_owned()))
                {
                    table.tablespace = Fact::Known((to != "pg_default").then(|| to.to_owned()));
                    moved.insert(name.clone());
                }
            });
        }
        for name in moved {
            self.alter_relation(EffectKind::SetTablespace, &name, to);
        }
        let id = object(Space::Other, "tablespace", Name::bare(from));
        self.change(EffectKind::SetTablespace, Verb::Use, id, to);
    }
}

fn switch_word(mode: Option<TriggerMode>) -> &'static str {
    match mode {
        None => "DISABLE",
        Some(TriggerMode::Origin) => "ENABLE",
        Some(TriggerMode::Always) => "ENABLE ALWAYS",
        Some(TriggerMode::Replica) => "ENABLE REPLICA",
    }
}

/// What is not the default: `FULL`, `USING INDEX orders_pkey`.
pub(super) fn replica_identity_text(identity: &ReplicaIdentity) -> Option<String> {
    match identity {
        ReplicaIdentity::Default => None,
        ReplicaIdentity::Full => Some("FULL".to_owned()),
        ReplicaIdentity::Nothing => Some("NOTHING".to_owned()),
        ReplicaIdentity::Index(index) => Some(format!("USING INDEX {index}")),
    }
}

/// `fillfactor=70, toast.autovacuum_enabled=off`.
pub(super) fn options_text(options: &[(String, Option<String>)]) -> String {
    let spelled = options.iter().map(|(name, value)| match value {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    });
    format!("({})", spelled.collect::<Vec<_>>().join(", "))
}

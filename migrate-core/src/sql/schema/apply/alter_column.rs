//! The actions of ALTER TABLE … ALTER COLUMN.

use super::Apply;
use super::columns::names_no_column;
use super::sequences::merge_options;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{ConstraintKind, Expr, Generated, Identity, SequenceOptions, TableAction, TypeName};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::text::{identity_text, sequence_text, type_text};
use crate::sql::schema::{ApplyError, Column, Fact, Relation, Trigger, row_columns};

impl Apply<'_> {
    pub(super) fn column_action(&mut self, table: &Name, only: bool, action: &TableAction) -> Applied {
        match action {
            TableAction::SetType { column, data_type, collation, .. } => {
                self.set_type(table, column, data_type, collation.as_ref(), only)
            }
            TableAction::SetDefault { column, expression } => {
                self.need_column(table, column)?;
                names_no_column(expression)?;
                if matches!(self.need_column(table, column)?.generated, Fact::Known(Some(_))) {
                    return Err(generated_column(column, table));
                }
                if matches!(self.need_column(table, column)?.identity, Fact::Known(Some(_))) {
                    return Err(identity_column(column, table));
                }
                self.each(table, column, only, |it| it.default = Fact::Known(Some(expression.clone())))?;
                self.column_altered(EffectKind::SetDefault, table, column, expression.text.clone());
                Ok(())
            }
            TableAction::DropDefault { column } => {
                if matches!(self.need_column(table, column)?.generated, Fact::Known(Some(_))) {
                    return Err(generated_column(column, table));
                }
                if matches!(self.need_column(table, column)?.identity, Fact::Known(Some(_))) {
                    return Err(identity_column(column, table));
                }
                self.each(table, column, only, |it| it.default = Fact::Known(None))?;
                self.column_altered(EffectKind::DropDefault, table, column, "");
                Ok(())
            }
            TableAction::SetNotNull { column } => {
                self.need_column(table, column)?;
                self.each(table, column, only, |it| it.not_null = Fact::Known(true))?;
                self.catalogue_not_nulls(table)?;
                // SET NOT NULL validates a constraint that is there NOT VALID (18 and later).
                if let Some(name) = self.not_null_constraint(table, column)
                    && let Some(constraint) = self.table_mut(table)?.constraints.get_mut(&name)
                {
                    constraint.validated = Fact::Known(true);
                    constraint.local = true;
                }
                for child in self.schema.descendants_of(table) {
                    self.not_null_handed_down(&child, column)?;
                }
                self.column_altered(EffectKind::SetNotNull, table, column, "");
                Ok(())
            }
            TableAction::DropNotNull { column } => self.drop_not_null(table, column, only),
            TableAction::SetExpression { column, expression } => self.set_expression(table, column, only, expression),
            TableAction::DropExpression { column, if_exists } => self.drop_expression(table, column, only, *if_exists),
            TableAction::AddIdentity { column, identity } => self.add_identity(table, column, identity),
            TableAction::SetIdentity { column, always, options } => self.set_identity(table, column, *always, options),
            TableAction::DropIdentity { column, if_exists } => self.drop_identity(table, column, *if_exists),
            TableAction::SetStatistics { column, target } => {
                self.need_column(table, column)?;
                let kept = (target != "-1" && !target.eq_ignore_ascii_case("default")).then(|| target.clone());
                self.each(table, column, only, |it| it.statistics.clone_from(&kept))?;
                self.option_changed(table, column, format!("STATISTICS {target}"))
            }
            TableAction::SetStorage { column, storage } => {
                if storage.eq_ignore_ascii_case("default") && self.pg.before(16) {
                    return Err(ApplyError::new("42601", "syntax error at or near \"DEFAULT\""));
                }
                self.need_column(table, column)?;
                let kept = (!storage.eq_ignore_ascii_case("default")).then(|| storage.clone());
                self.each(table, column, only, |it| it.storage.clone_from(&kept))?;
                self.option_changed(table, column, format!("STORAGE {storage}"))
            }
            TableAction::SetCompression { column, method } => {
                let kept = (!method.eq_ignore_ascii_case("default")).then(|| method.clone());
                self.need_column(table, column)?.compression = kept;
                self.option_changed(table, column, format!("COMPRESSION {method}"))
            }
            TableAction::SetColumnOptions { column, options } => {
                self.need_column(table, column)?.options.extend(options.iter().cloned());
                self.option_changed(table, column, super::alter::options_text(options))
            }
            TableAction::ResetColumnOptions { column, options } => {
                self.need_column(table, column)?.options.retain(|option, _| !options.contains(option));
                self.option_changed(table, column, format!("RESET ({})", options.join(", ")))
            }
            _ => Ok(()),
        }
    }

    fn option_changed(&mut self, table: &Name, column: &str, text: String) -> Applied {
        self.column_altered(EffectKind::SetColumnOption, table, column, text);
        Ok(())
    }

    /// Changes the column in the table and, unless ONLY, in every child that has it.
    fn each(&mut self, table: &Name, column: &str, only: bool, change: impl Fn(&mut Column)) -> Applied {
        change(self.need_column(table, column)?);
        let below = if only { Vec::new() } else { self.schema.descendants_of(table) };
        for child in below {
            if self.has_column(&child, column)? {
                change(self.need_column(&child, column)?);
            }
        }
        Ok(())
    }

    fn set_type(
        &mut self,
        table: &Name,
        column: &str,
        data_type: &TypeName,
        collation: Option<&Name>,
        only: bool,
    ) -> Applied {
        let inherited = self.need_column(table, column)?.inherited || self.schema.is_inherited(table, column, &[]);
        let below = if only { Vec::new() } else { self.schema.descendants_of(table) };
        let family: Vec<Name> = std::iter::once(table.clone()).chain(below.iter().cloned()).collect();
        if inherited || below.iter().any(|child| self.schema.is_inherited(child, column, &family)) {
            return Err(ApplyError::new("42P16", format!("cannot alter inherited column \"{column}\"")));
        }
        let data_type = self.need_type(data_type)?;
        self.check_retypable(table, column, only)?;
        let text = type_text(&data_type);
        let text = collation.map_or_else(|| text.clone(), |collation| format!("{text} COLLATE {collation}"));
        self.each(table, column, only, |it| {
            it.data_type = Fact::Known(data_type.clone());
            it.collation = Fact::Known(collation.cloned());
        })?;
        // The sequence of an identity column follows its type (`ATPrepAlterColumnType`).
        for sequence in self.schema.sequences_owned_by(table, Some(column)) {
            if let Some(Relation::Sequence(sequence)) = self.schema.relations.get_mut(&sequence)
                && sequence.identity
                && let Fact::Known(options) = &mut sequence.options
            {
                options.data_type = (data_type.name.name != "int8").then(|| data_type.clone());
            }
        }
        self.column_altered(EffectKind::ChangeColumnType, table, column, text);
        Ok(())
    }

    /// What forbids a change of type (`RememberAllDependentForRebuilding`).
    fn check_retypable(&mut self, table: &Name, column: &str, only: bool) -> Applied {
        if only && !self.schema.children_of(table).is_empty() {
            return Err(ApplyError::new(
                "42P16",
                format!("type of inherited column \"{column}\" must be changed in child tables too"),
            ));
        }
        let listed = self.table(table)?;
        let generated = listed.columns.iter().any(|other| {
            other.name != column
                && other
                    .generated
                    .known()
                    .and_then(Option::as_ref)
                    .is_some_and(|it| it.expression.columns.iter().any(|used| used == column))
        });
        if generated {
            let state = if self.pg.at_least(15) { "0A000" } else { "42601" };
            return Err(ApplyError::new(state, "cannot alter type of a column used by a generated column"));
        }
        if let Fact::Known(Some(by)) = &listed.partition_by
            && by.columns.iter().any(|key| key == column)
        {
            return Err(ApplyError::new(
                "42P16",
                format!(
                    "cannot alter column \"{column}\" because it is part of the partition key of relation \"{}\"",
                    table.name
                ),
            ));
        }
        let of_trigger =
            |trigger: &Trigger| trigger.definition.known().is_some_and(|text| row_columns(text).contains(column));
        if listed.triggers.values().any(of_trigger) {
            return Err(ApplyError::new("0A000", "cannot alter type of a column used in a trigger definition"));
        }
        if listed.rules.values().any(|text| row_columns(text).contains(column)) {
            return Err(ApplyError::new("0A000", "cannot alter type of a column used by a view or rule"));
        }
        if listed.policies.values().any(|policy| policy.columns.contains(column)) {
            return Err(ApplyError::new("0A000", "cannot alter type of a column used in a policy definition"));
        }
        if !self.schema.views_using_column(table, column, true).is_empty() {
            return Err(ApplyError::new("0A000", "cannot alter type of a column used by a view or rule"));
        }
        Ok(())
    }

    fn drop_not_null(&mut self, table: &Name, column: &str, only: bool) -> Applied {
        let listed = self.need_column(table, column)?;
        if matches!(listed.identity, Fact::Known(Some(_))) {
            return Err(identity_column(column, table));
        }
        let in_primary_key = self.table(table)?.constraints.values().any(|constraint| {
            matches!(&constraint.kind, Fact::Known(ConstraintKind::PrimaryKey { columns, .. })
                if columns.iter().any(|key| key == column))
        });
        if in_primary_key {
            return Err(ApplyError::new("42P16", format!("column \"{column}\" is in a primary key")));
        }
        for parent in self.schema.parents_of(table) {
            // From 18 on the constraint of every parent is inherited, not only that of a partitioned one.
            let bound = self.partition_parent(table).is_some() || self.pg.at_least(18);
            let above = self.schema.table(&parent).and_then(|parent| parent.column(column));
            if bound && above.is_some_and(|above| above.not_null == Fact::Known(true)) {
                return Err(ApplyError::new(
                    "42P16",
                    format!("column \"{column}\" is marked NOT NULL in parent table"),
                ));
            }
        }
        let mut all = vec![table.clone()];
        if !only {
            all.extend(self.schema.descendants_of(table));
        }
        for name in &all {
            if self.has_column(name, column)? {
                if let Some(own) = self.not_null_constraint(name, column)
                    && name != table
                    && let Some(constraint) = self.table_mut(name)?.constraints.get_mut(&own)
                    && constraint.local
                {
                    // A child's own stays (18 and later).
                    constraint.inherited = false;
                    continue;
                }
                self.need_column(name, column)?.not_null = Fact::Known(false);
                if let Some(constraint) = self.not_null_constraint(name, column) {
                    self.table_mut(name)?.constraints.remove(&constraint);
                }
            }
        }
        self.column_altered(EffectKind::DropNotNull, table, column, "");
        Ok(())
    }

    fn set_expression(&mut self, table: &Name, column: &str, only: bool, expression: &Expr) -> Applied {
        let listed = self.need_column(table, column)?;
        let stored = match &listed.generated {
            Fact::Known(Some(generated)) => Some(generated.stored),
            Fact::Known(None) => return Err(not_generated(column, table)),
            Fact::Unknown => None,
        };
        if let Some(stored) = stored {
            let generated = Generated { expression: expression.clone(), stored };
            self.each(table, column, only, |it| it.generated = Fact::Known(Some(generated.clone())))?;
        }
        self.column_altered(EffectKind::SetExpression, table, column, expression.text.clone());
        Ok(())
    }

    fn drop_expression(&mut self, table: &Name, column: &str, only: bool, if_exists: bool) -> Applied {
        let listed = self.need_column(table, column)?;
        match &listed.generated {
            Fact::Known(None) if if_exists => return Ok(()),
            Fact::Known(None) => return Err(not_generated(column, table)),
            Fact::Known(Some(generated)) if !generated.stored => {
                return Err(ApplyError::new(
                    "0A000",
                    "ALTER TABLE / DROP EXPRESSION is not supported for virtual generated columns",
                ));
            }
            _ => {}
        }
        self.each(table, column, only, |it| it.generated = Fact::Known(None))?;
        self.column_altered(EffectKind::DropExpression, table, column, "");
        Ok(())
    }

    fn add_identity(&mut self, table: &Name, column: &str, identity: &Identity) -> Applied {
        let listed = self.need_column(table, column)?;
        let error = match listed {
            Column { identity: Fact::Known(Some(_)), .. } => Some((
                "55000",
                format!("column \"{column}\" of relation \"{}\" is already an identity column", table.name),
            )),
            Column { not_null: Fact::Known(false), .. } => Some((
                "55000",
                format!(
                    "column \"{column}\" of relation \"{}\" must be declared NOT NULL before identity can be added",
                    table.name
                ),
            )),
            Column { default: Fact::Known(Some(_)), .. } => Some((
                "55000",
                format!("column \"{column}\" of relation \"{}\" already has a default value", table.name),
            )),
            _ => None,
        };
        if let Some((state, message)) = error {
            return Err(ApplyError::new(state, message));
        }
        let integer = listed.data_type.known().map_or_else(|| "int8".to_owned(), |it| it.name.name.clone());
        listed.identity = Fact::Known(Some(identity.clone()));
        self.column_altered(EffectKind::AddIdentity, table, column, identity_text(identity));
        self.owned_sequence(table, column, &integer, Some(&identity.options));
        Ok(())
    }

    fn set_identity(&mut self, table: &Name, column: &str, always: Option<bool>, options: &SequenceOptions) -> Applied {
        let listed = self.need_column(table, column)?;
        match &mut listed.identity {
            Fact::Known(None) => return Err(no_identity(column, table)),
            Fact::Known(Some(identity)) => {
                if let Some(always) = always {
                    identity.always = always;
                }
                merge_options(&mut identity.options, options);
            }
            Fact::Unknown => {}
        }
        for sequence in self.schema.sequences_owned_by(table, Some(column)) {
            if let Some(Relation::Sequence(sequence)) = self.schema.relations.get_mut(&sequence)
                && let Fact::Known(known) = &mut sequence.options
            {
                merge_options(known, options);
            }
        }
        let kind = always.map(|always| if always { "ALWAYS" } else { "BY DEFAULT" });
        let text: Vec<String> = kind.map(str::to_owned).into_iter().chain([sequence_text(options)]).collect();
        self.column_altered(EffectKind::ChangeIdentity, table, column, text.join(" ").trim().to_owned());
        Ok(())
    }

    fn drop_identity(&mut self, table: &Name, column: &str, if_exists: bool) -> Applied {
        let listed = self.need_column(table, column)?;
        if listed.identity == Fact::Known(None) {
            return if if_exists { Ok(()) } else { Err(no_identity(column, table)) };
        }
        listed.identity = Fact::Known(None);
        self.column_altered(EffectKind::DropIdentity, table, column, "");
        for sequence in self.schema.sequences_owned_by(table, Some(column)) {
            if self.schema.sequence(&sequence).is_some_and(|sequence| sequence.identity) {
                let id = self.schema.relation_id(&sequence);
                self.remove(&[id], false, Verb::Take)?;
            }
        }
        Ok(())
    }
}

fn identity_column(column: &str, table: &Name) -> ApplyError {
    ApplyError::new("42601", format!("column \"{column}\" of relation \"{}\" is an identity column", table.name))
}

fn generated_column(column: &str, table: &Name) -> ApplyError {
    ApplyError::new("42601", format!("column \"{column}\" of relation \"{}\" is a generated column", table.name))
}

fn no_identity(column: &str, table: &Name) -> ApplyError {
    ApplyError::new("55000", format!("column \"{column}\" of relation \"{}\" is not an identity column", table.name))
}

fn not_generated(column: &str, table: &Name) -> ApplyError {
    ApplyError::new("55000", format!("column \"{column}\" of relation \"{}\" is not a generated column", table.name))
}

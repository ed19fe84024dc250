//! Constraints: their names, the indexes behind them, what they need to be there, and what they hand down.

use super::Apply;
use super::change::{column as column_id, constraint as constraint_id};
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{ConstraintDef, ConstraintKind, ForeignKey};
use crate::sql::name::Name;
use crate::sql::schema::error::{Applied, plain};
use crate::sql::schema::naming::columns_part;
use crate::sql::schema::text::constraint_text;
use crate::sql::schema::{ApplyError, Constraint, Fact, Index, Relation};
use std::collections::BTreeSet;

/// The order in which PostgreSQL makes the constraints of one statement: checks with the table, then the primary key's
/// index, then the other indexes, then foreign keys.
fn rank(kind: &ConstraintKind) -> u8 {
    match kind {
        ConstraintKind::Check(_) => 0,
        ConstraintKind::NotNull { .. } => 1,
        ConstraintKind::PrimaryKey { .. } | ConstraintKind::PrimaryKeyUsingIndex { .. } => 2,
        ConstraintKind::Unique { .. } | ConstraintKind::UniqueUsingIndex { .. } | ConstraintKind::Exclude { .. } => 3,
        ConstraintKind::ForeignKey(_) => 4,
    }
}

impl Apply<'_> {
    pub(super) fn add_constraints(&mut self, table: &Name, defs: &[ConstraintDef], verb: Verb) -> Applied {
        let mut ordered: Vec<&ConstraintDef> = defs.iter().collect();
        ordered.sort_by_key(|def| rank(&def.kind));
        let mut keys: Vec<Vec<String>> = Vec::new();
        for def in ordered {
            // A second key over the same columns, without a name of its own, is the first one's index again.
            if let ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } = &def.kind {
                if def.name.is_none() && keys.contains(columns) {
                    continue;
                }
                keys.push(columns.clone());
            }
            if self.merges_check(table, def, true)? {
                continue;
            }
            self.add_constraint_to(table, def, verb, false)?;
        }
        // Columns that are NOT NULL have a catalogued constraint from 18 on.
        self.catalogue_not_nulls(table)
    }

    pub(super) fn add_constraint(&mut self, table: &Name, def: &ConstraintDef, verb: Verb) -> Applied {
        if self.merges_check(table, def, false)? {
            let name = def.name.clone().unwrap_or_default();
            self.change(EffectKind::AddConstraint, Verb::Ensure, constraint_id(table, &name), "");
            return Ok(());
        }
        self.add_constraint_to(table, def, verb, false)?;
        self.not_null_added(table, def, verb);
        Ok(())
    }

    /// ALTER TABLE ONLY … ADD CONSTRAINT: what children must have too is refused, a partitioned key waits for theirs.
    pub(super) fn add_constraint_only(&mut self, table: &Name, def: &ConstraintDef, verb: Verb) -> Applied {
        let partitioned = self.schema.is_partitioned(table);
        let has_children = !self.schema.children_of(table).is_empty();
        match &def.kind {
            ConstraintKind::Check(_) | ConstraintKind::NotNull { .. } if has_children && !def.no_inherit => {
                return Err(ApplyError::new("42P16", "constraint must be added to child tables too"));
            }
            ConstraintKind::ForeignKey(key) if partitioned => {
                return Err(ApplyError::new(
                    "42809",
                    format!(
                        "cannot use ONLY for foreign key on partitioned table \"{}\" referencing relation \"{}\"",
                        table.name, key.references.name
                    ),
                ));
            }
            _ => {}
        }
        self.add_constraint_to(table, def, verb, true)?;
        self.not_null_added(table, def, verb);
        Ok(())
    }

    /// ADD … NOT NULL as an action of its own: a column's own NOT NULL is part of what the column is.
    fn not_null_added(&mut self, table: &Name, def: &ConstraintDef, verb: Verb) {
        let ConstraintKind::NotNull { column } = &def.kind else { return };
        match self.not_null_constraint(table, column) {
            Some(name) => {
                let listed = self.schema.table(table).and_then(|table| table.constraints.get(&name));
                let text = listed.map(constraint_text).unwrap_or_default();
                self.change(EffectKind::AddConstraint, verb, constraint_id(table, &name), text);
            }
            None => self.column_altered(EffectKind::SetNotNull, table, column, ""),
        }
    }

    /// A CHECK that came down from a parent is what a table's own of the same name and condition becomes one with; on a
    /// partition only where the table is being made (`MergeWithExistingConstraint`).
    fn merges_check(&mut self, table: &Name, def: &ConstraintDef, made: bool) -> Applied<bool> {
        let (Some(name), ConstraintKind::Check(expression)) = (&def.name, &def.kind) else { return Ok(false) };
        let partition = self.partition_parent(table).is_some();
        let Some(listed) = self.table(table)?.constraints.get(name) else { return Ok(false) };
        let same = matches!(&listed.kind, Fact::Known(ConstraintKind::Check(known)) if known.text == expression.text);
        if !same || !listed.inherited || (partition && !made) {
            return Ok(false);
        }
        if def.no_inherit || (!def.not_valid && listed.enforced && listed.validated == Fact::Known(false)) {
            return Err(ApplyError::new("42P17", format!("constraint \"{name}\" conflicts with the inherited one")));
        }
        if let Some(listed) = self.table_mut(table)?.constraints.get_mut(name) {
            listed.local = true;
        }
        Ok(true)
    }

    fn add_constraint_to(&mut self, table: &Name, def: &ConstraintDef, verb: Verb, only: bool) -> Applied {
        let schema = table.schema.clone().unwrap_or_else(|| "public".to_owned());
        let kind = self.settle_kind(table, &def.kind)?;
        let name = match (&def.name, &kind) {
            (Some(name), _) => name.clone(),
            (None, ConstraintKind::UniqueUsingIndex { index } | ConstraintKind::PrimaryKeyUsingIndex { index }) => {
                index.clone()
            }
            (None, kind) => self.constraint_name(table, &schema, kind),
        };
        if let ConstraintKind::NotNull { column } = &kind {
            return self.add_not_null(table, column, def, &name);
        }
        let partition = self.partition_parent(table).is_some();
        if let Some(there) = self.table_mut(table)?.constraints.get_mut(&name) {
            // An equal one that only came down becomes the table's own too (`MergeWithExistingConstraint`).
            if matches!(kind, ConstraintKind::Check(_)) && there.kind == Fact::Known(kind) && !there.local && !partition
            {
                there.local = true;
                return Ok(());
            }
            return Err(ApplyError::constraint_exists(&name, table));
        }
        let index = self.back_constraint(table, &name, &kind)?;
        let kind = self.without_using_index(kind, index.as_ref());
        if let ConstraintKind::PrimaryKey { columns, .. } = &kind {
            self.primary_key_columns(table, &columns.clone())?;
        }
        let constraint = Constraint {
            validated: Fact::Known(!def.not_valid && !def.not_enforced),
            kind: Fact::Known(kind),
            enforced: !def.not_enforced,
            deferrable: def.deferrable || def.initially_deferred,
            initially_deferred: def.initially_deferred,
            no_inherit: def.no_inherit,
            index: index.clone(),
            inherited: false,
            local: true,
        };
        let text = constraint_text(&constraint);
        self.table_mut(table)?.constraints.insert(name.clone(), constraint.clone());
        self.change(EffectKind::AddConstraint, verb, constraint_id(table, &name), text);
        if let Some(index) = index {
            self.index_made(&index, verb);
            if only && !self.schema.partitions_of(table).is_empty() {
                self.set_valid(&index, false);
            }
        }
        if only { Ok(()) } else { self.hand_down(table, &name, &constraint) }
    }

    /// The kind with everything it names resolved and found.
    fn settle_kind(&mut self, table: &Name, kind: &ConstraintKind) -> Applied<ConstraintKind> {
        match kind {
            ConstraintKind::Check(expression) => {
                for column in &expression.columns {
                    self.need_any_column(table, column).map_err(|_| no_such_column(column))?;
                }
            }
            ConstraintKind::NotNull { column } => {
                self.need_column(table, column)?;
            }
            ConstraintKind::Unique { columns, include, .. } => {
                self.need_key_columns(table, columns.iter().chain(include))?;
            }
            ConstraintKind::PrimaryKey { columns, include, .. } => {
                self.need_key_columns(table, columns.iter().chain(include))?;
                let listed = self.table(table)?;
                let another = listed
                    .constraints
                    .values()
                    .any(|other| matches!(other.kind, Fact::Known(ConstraintKind::PrimaryKey { .. })));
                if another {
                    return Err(ApplyError::new(
                        "42P16",
                        format!("multiple primary keys for table \"{}\" are not allowed", table.name),
                    ));
                }
            }
            ConstraintKind::Exclude { columns, predicate, .. } => {
                let more = predicate.iter().flat_map(|predicate| &predicate.columns);
                self.need_key_columns(table, columns.iter().chain(more))?;
            }
            ConstraintKind::UniqueUsingIndex { .. } | ConstraintKind::PrimaryKeyUsingIndex { .. } => {}
            ConstraintKind::ForeignKey(key) => return self.settle_foreign_key(table, key),
        }
        Ok(kind.clone())
    }

    fn need_key_columns<'b>(&mut self, table: &Name, columns: impl Iterator<Item = &'b String>) -> Applied {
        for column in columns {
            if !self.has_column(table, column)? {
                return Err(ApplyError::new("42703", format!("column \"{column}\" named in key does not exist")));
            }
        }
        Ok(())
    }

    fn settle_foreign_key(&mut self, table: &Name, key: &ForeignKey) -> Applied<ConstraintKind> {
        for column in &key.columns {
            if !self.has_column(table, column)? {
                return Err(ApplyError::new(
                    "42703",
                    format!("column \"{column}\" referenced in foreign key constraint does not exist"),
                ));
            }
        }
        let references = self.need_table(&key.references)?;
        let mut referenced_columns = key.referenced_columns.clone();
        for column in &referenced_columns {
            if !self.has_column(&references, column)? {
                return Err(ApplyError::new(
                    "42703",
                    format!("column \"{column}\" referenced in foreign key constraint does not exist"),
                ));
            }
        }
        let target = self.table(&references)?;
        if referenced_columns.is_empty() {
            let primary = target.constraints.values().find_map(|constraint| match &constraint.kind {
                Fact::Known(ConstraintKind::PrimaryKey { columns, .. }) => Some(columns.clone()),
                _ => None,
            });
            match primary {
                Some(columns) => referenced_columns = columns,
                None if target.complete => {
                    return Err(ApplyError::new(
                        "42704",
                        format!("there is no primary key for referenced table \"{}\"", references.name),
                    ));
                }
                None => {}
            }
        } else if target.complete && !self.is_unique(&references, &referenced_columns) {
            return Err(ApplyError::new(
                "42830",
                format!(
                    "there is no unique constraint matching given keys for referenced table \"{}\"",
                    references.name
                ),
            ));
        }
        if !referenced_columns.is_empty() && referenced_columns.len() != key.columns.len() {
            return Err(ApplyError::new(
                "42830",
                "number of referencing and referenced columns for foreign key disagree",
            ));
        }
        Ok(ConstraintKind::ForeignKey(ForeignKey { references, referenced_columns, ..key.clone() }))
    }

    /// Whether a constraint or a plain unique index makes these columns unique.
    fn is_unique(&self, table: &Name, columns: &[String]) -> bool {
        let wanted: BTreeSet<&String> = columns.iter().collect();
        self.schema.unique_constraint_on(table, columns).is_some()
            || self.schema.indexes_of(table).into_iter().any(|(_, index)| {
                index.unique != Fact::Known(false)
                    && index.predicate.is_none()
                    && match &index.columns {
                        Fact::Known(keys) => keys.iter().flatten().collect::<BTreeSet<_>>() == wanted,
                        Fact::Unknown => true,
                    }
            })
    }

    pub(super) fn constraint_name(&self, table: &Name, schema: &str, kind: &ConstraintKind) -> String {
        let choose =
            |second: Option<&str>, label| self.schema.choose_constraint_name(&table.name, second, label, schema, &[]);
        let index = |second: Option<&str>, label| {
            self.schema.choose_relation_name(&table.name, second, label, schema, true).name
        };
        let part = |columns: &[String]| columns_part(columns.iter().map(String::as_str));
        match kind {
            ConstraintKind::Check(expression) => {
                let columns: BTreeSet<&String> = expression.columns.iter().collect();
                let only = if columns.len() == 1 { columns.first().map(|name| name.as_str()) } else { None };
                choose(only, "check")
            }
            ConstraintKind::NotNull { column } => choose(Some(column), "not_null"),
            ConstraintKind::Unique { columns, include, .. } => {
                let all: Vec<String> = columns.iter().chain(include).cloned().collect();
                index(Some(&part(&all)), "key")
            }
            ConstraintKind::PrimaryKey { .. } => index(None, "pkey"),
            ConstraintKind::Exclude { columns, .. } => index(Some(&part(columns)), "excl"),
            ConstraintKind::ForeignKey(key) => choose(Some(&part(&key.columns)), "fkey"),
            ConstraintKind::UniqueUsingIndex { index } | ConstraintKind::PrimaryKeyUsingIndex { index } => {
                index.clone()
            }
        }
    }

    /// Makes, or takes over, the index behind a key.
    pub(super) fn back_constraint(&mut self, table: &Name, name: &str, kind: &ConstraintKind) -> Applied<Option<Name>> {
        let schema = table.schema.clone().unwrap_or_else(|| "public".to_owned());
        let index_name = Name::qualified(schema, name);
        let include = match kind {
            ConstraintKind::Unique { include, .. } | ConstraintKind::PrimaryKey { include, .. } => include.clone(),
            _ => Vec::new(),
        };
        let (columns, uses, method, unique, predicate) = match kind {
            ConstraintKind::Unique { columns, include, without_overlaps, .. }
            | ConstraintKind::PrimaryKey { columns, include, without_overlaps, .. } => {
                let method = if *without_overlaps { "gist" } else { "btree" };
                (columns, columns.iter().chain(include).cloned().collect(), method.to_owned(), true, None)
            }
            ConstraintKind::Exclude { method, columns, predicate, .. } => {
                let more = predicate.iter().flat_map(|predicate| predicate.columns.clone());
                (columns, columns.iter().cloned().chain(more).collect(), method.clone(), false, predicate.clone())
            }
            ConstraintKind::UniqueUsingIndex { index } | ConstraintKind::PrimaryKeyUsingIndex { index } => {
                return self.take_over_index(table, index, &index_name).map(Some);
            }
            _ => return Ok(None),
        };
        if self.schema.relations.contains_key(&index_name) {
            return Err(ApplyError::relation_exists(&index_name));
        }
        let partitioned = self.schema.is_partitioned(table);
        self.schema.dropped.remove(&index_name);
        self.schema.relations.insert(
            index_name.clone(),
            Relation::Index(Index {
                table: Fact::Known(table.clone()),
                new: true,
                unique: Fact::Known(unique),
                method,
                columns: Fact::Known(columns.iter().cloned().map(Some).collect()),
                include,
                uses,
                functions: predicate.iter().flat_map(|predicate| predicate.functions.clone()).collect(),
                predicate,
                definition: Fact::Known(constraint_text(&Constraint::plain(kind.clone()))),
                valid: true,
                partitioned,
                parent: None,
                constraint: Some(name.to_owned()),
            }),
        );
        Ok(Some(index_name))
    }

    /// ADD CONSTRAINT … USING INDEX: the index takes the constraint's name.
    fn take_over_index(&mut self, table: &Name, index: &str, to: &Name) -> Applied<Name> {
        let from = Name { schema: table.schema.clone(), name: index.to_owned() };
        if !self.schema.relations.contains_key(&from) && self.known_absent(&from) {
            return Err(ApplyError::new("42704", format!("index \"{index}\" does not exist")));
        }
        self.need_relation(&from, crate::sql::ast::ObjectKind::Index)?;
        if let Some(Relation::Index(listed)) = self.schema.relations.get(&from) {
            let problem = if listed.constraint.is_some() {
                Some(("55000", format!("index \"{index}\" is already associated with a constraint")))
            } else if listed.table.known().is_some_and(|of| of != table) {
                Some(("42809", format!("index \"{index}\" does not belong to table \"{}\"", table.name)))
            } else if listed.unique == Fact::Known(false) {
                Some(("42809", format!("\"{index}\" is not a unique index")))
            } else if !listed.valid {
                Some(("55000", format!("index \"{index}\" is not valid")))
            } else {
                None
            };
            if let Some((state, message)) = problem {
                return Err(ApplyError::new(state, message));
            }
        }
        if from != *to {
            self.move_relation(&from, to, EffectKind::RenameIndex)?;
        }
        if let Some(Relation::Index(listed)) = self.schema.relations.get_mut(to) {
            listed.constraint = Some(to.name.clone());
            listed.table = Fact::Known(table.clone());
            listed.unique = Fact::Known(true);
        }
        // The index goes with its constraint from now on, so that what takes the constraint back has to make the index again.
        if from == *to {
            self.relation_used(EffectKind::ChangeIndex, to);
        }
        Ok(to.clone())
    }

    /// A constraint USING INDEX is an ordinary one afterwards, over the index's columns.
    fn without_using_index(&self, kind: ConstraintKind, index: Option<&Name>) -> ConstraintKind {
        let listed = index.and_then(|index| self.schema.index(index));
        let columns = listed
            .and_then(|index| index.columns.known())
            .map(|columns| columns.iter().flatten().cloned().collect::<Vec<_>>());
        let include = listed.map(|index| index.include.clone()).unwrap_or_default();
        let definition = listed.and_then(|index| index.definition.known());
        let nulls_not_distinct = definition.is_some_and(|text| text.contains(" NULLS NOT DISTINCT"));
        match (kind, columns) {
            (ConstraintKind::UniqueUsingIndex { .. }, Some(columns)) => ConstraintKind::Unique {
                columns,
                include,
                nulls_not_distinct,
                with: None,
                tablespace: None,
                without_overlaps: false,
            },
            (ConstraintKind::PrimaryKeyUsingIndex { .. }, Some(columns)) => {
                ConstraintKind::PrimaryKey { columns, include, with: None, tablespace: None, without_overlaps: false }
            }
            (kind, _) => kind,
        }
    }

    pub(super) fn drop_constraint(
        &mut self,
        table: &Name,
        name: &str,
        if_exists: bool,
        cascade: bool,
        only: bool,
    ) -> Applied {
        let verb = if if_exists { Verb::TakeIfThere } else { Verb::Take };
        let listed = self.table(table)?;
        match listed.constraints.get(name) {
            None if listed.complete => {
                if !if_exists {
                    return Err(ApplyError::no_constraint(name, table));
                }
                self.change(EffectKind::DropConstraint, verb, constraint_id(table, name), "");
                return Ok(());
            }
            None => {}
            Some(constraint) if constraint.inherited => {
                return Err(ApplyError::new(
                    "42P16",
                    format!("cannot drop inherited constraint \"{name}\" of relation \"{}\"", plain(table)),
                ));
            }
            Some(_) => {}
        }
        let dropped = listed.constraints.get(name).cloned();
        if let Some(Fact::Known(ConstraintKind::NotNull { column })) = dropped.as_ref().map(|it| &it.kind) {
            self.need_column(table, column)?.not_null = Fact::Known(false);
        }
        self.remove_constraint(table, name, cascade, verb)?;
        let Some(dropped) = dropped else { return Ok(()) };
        self.take_handed_down(table, &dropped, only, cascade)
    }

    /// Writes down SET NOT NULL or its like for a column.
    pub(super) fn column_altered(&mut self, kind: EffectKind, table: &Name, name: &str, text: impl Into<String>) {
        self.change(kind, Verb::Alter, column_id(table, name), text);
    }
}

fn no_such_column(column: &str) -> ApplyError {
    ApplyError::new("42703", format!("column \"{column}\" does not exist"))
}

impl Constraint {
    /// A constraint of that kind with nothing else said.
    pub(super) fn plain(kind: ConstraintKind) -> Self {
        Self {
            kind: Fact::Known(kind),
            validated: Fact::Known(true),
            enforced: true,
            deferrable: false,
            initially_deferred: false,
            no_inherit: false,
            index: None,
            inherited: false,
            local: true,
        }
    }
}

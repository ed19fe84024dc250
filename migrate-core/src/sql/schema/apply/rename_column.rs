//! RENAME COLUMN: keys, indexes, foreign keys, policies, views and owned sequences refer to the column, not to its name.

use super::Apply;
use super::change::column as column_id;
use super::lookup::SYSTEM_COLUMNS;
use crate::model::EffectKind;
use crate::sql::ast::{ConstraintKind, Expr};
use crate::sql::name::{Name, quoted};
use crate::sql::schema::error::Applied;
use crate::sql::schema::{ApplyError, Fact, Relation, row_columns};

impl Apply<'_> {
    pub(super) fn rename_column(&mut self, table: &Name, from: &str, to: &str, only: bool) -> Applied {
        if !self.has_column(table, from)? {
            return Err(ApplyError::new("42703", format!("column \"{from}\" does not exist")));
        }
        let listed = self.table_mut(table)?;
        if listed.column(from).is_some_and(|column| column.inherited) || self.schema.is_inherited(table, from, &[]) {
            return Err(ApplyError::new("42P16", format!("cannot rename inherited column \"{from}\"")));
        }
        let children = self.schema.descendants_of(table);
        if only && !children.is_empty() {
            return Err(ApplyError::new(
                "42P16",
                format!("inherited column \"{from}\" must be renamed in child tables too"),
            ));
        }
        let family: Vec<Name> = std::iter::once(table.clone()).chain(children.iter().cloned()).collect();
        if let Some(child) = children.iter().find(|child| self.schema.is_inherited(child, from, &family)) {
            return Err(ApplyError::new(
                "42P16",
                format!("cannot rename inherited column \"{from}\": {} has it from another parent too", child.name),
            ));
        }
        self.rename_own_column(table, from, to)?;
        for child in children {
            if self.table(&child)?.column(from).is_some() {
                self.rename_own_column(&child, from, to)?;
            }
        }
        let ids = (column_id(table, from), column_id(table, to));
        self.renamed(EffectKind::RenameColumn, ids.0, ids.1);
        Ok(())
    }

    fn rename_own_column(&mut self, table: &Name, from: &str, to: &str) -> Applied {
        let listed = self.table_mut(table)?;
        if SYSTEM_COLUMNS.contains(&to) || listed.columns.iter().any(|column| column.name == to) {
            return Err(ApplyError::column_exists(to, table));
        }
        for column in &mut listed.columns {
            if column.name == from {
                to.clone_into(&mut column.name);
            }
            if let Fact::Known(Some(generated)) = &mut column.generated {
                rename_in(&mut generated.expression, from, to);
            }
        }
        if !listed.complete {
            listed.absent.insert(from.to_owned());
        }
        listed.absent.remove(to);
        for constraint in listed.constraints.values_mut() {
            if let Fact::Known(kind) = &mut constraint.kind {
                rename_in_constraint(kind, from, to);
            }
        }
        for trigger in listed.triggers.values_mut() {
            if let Fact::Known(text) = &mut trigger.definition
                && row_columns(text).contains(from)
            {
                *text = replace_word(text, from, to);
            }
        }
        for text in listed.rules.values_mut().filter(|text| row_columns(text).contains(from)) {
            *text = replace_word(text, from, to);
        }
        for policy in listed.policies.values_mut() {
            if policy.columns.remove(from) {
                policy.columns.insert(to.to_owned());
                if let Fact::Known(text) = &mut policy.definition {
                    *text = replace_word(text, from, to);
                }
            }
        }
        if let Fact::Known(Some(by)) = &mut listed.partition_by {
            rename_name(&mut by.columns, from, to);
            by.text = replace_word(&by.text, from, to);
        }
        let ids = (column_id(table, from), column_id(table, to));
        self.move_other(&ids.0, &ids.1);
        self.rename_column_uses(table, from, to);
        Ok(())
    }

    /// The column's new name in what other relations say of it.
    pub(super) fn rename_column_uses(&mut self, relation: &Name, from: &str, to: &str) {
        self.schema.relations.change(|name, other| match other {
            Relation::Table(table) => {
                for constraint in table.constraints.values_mut() {
                    if let Fact::Known(ConstraintKind::ForeignKey(key)) = &mut constraint.kind
                        && key.references == *relation
                    {
                        rename_name(&mut key.referenced_columns, from, to);
                    }
                }
            }
            Relation::Index(index) if index.table.known() == Some(relation) => {
                if index.uses.remove(from) {
                    index.uses.insert(to.to_owned());
                    if let Fact::Known(text) = &mut index.definition {
                        *text = replace_word(text, from, to);
                    }
                }
                if let Fact::Known(columns) = &mut index.columns {
                    for column in columns.iter_mut().flatten().filter(|column| *column == from) {
                        to.clone_into(column);
                    }
                }
                if let Some(predicate) = &mut index.predicate {
                    rename_in(predicate, from, to);
                }
            }
            Relation::Sequence(sequence) => {
                if let Fact::Known(Some((table, column))) = &mut sequence.owned_by
                    && table == relation
                    && column == from
                {
                    to.clone_into(column);
                }
            }
            Relation::View(view) | Relation::MaterializedView(view) if name != relation => {
                let alone = view.depends.len() == 1;
                if let Some(used) = view.depends.get_mut(relation) {
                    let mut renamed = false;
                    for set in [&mut used.certain, &mut used.possible] {
                        if set.remove(from) {
                            set.insert(to.to_owned());
                            renamed = true;
                        }
                    }
                    // A query that has the new name already, as that of a column it puts out, could not be renamed back.
                    if let Fact::Known(text) = &mut view.definition
                        && renamed
                        && alone
                        && replace_word(text, to, "") == *text
                    {
                        *text = replace_word(text, from, to);
                    }
                }
            }
            _ => {}
        });
        self.schema.statistics.change(|_, (of, text)| {
            if of == relation {
                *text = replace_word(text, from, to);
            }
        });
        self.schema.publications.change(|_, scope| {
            for (table, _, columns, _) in &mut scope.tables {
                if table == relation {
                    rename_name(columns, from, to);
                }
            }
        });
    }
}

fn rename_name(names: &mut [String], from: &str, to: &str) {
    for name in names.iter_mut().filter(|name| *name == from) {
        to.clone_into(name);
    }
}

fn rename_in(expression: &mut Expr, from: &str, to: &str) {
    if expression.columns.iter().any(|column| column == from) {
        rename_name(&mut expression.columns, from, to);
        rename_name(&mut expression.proves_not_null, from, to);
        expression.text = replace_word(&expression.text, from, to);
    }
}

fn rename_in_constraint(kind: &mut ConstraintKind, from: &str, to: &str) {
    match kind {
        ConstraintKind::Check(expression) => rename_in(expression, from, to),
        ConstraintKind::NotNull { column } => {
            if column == from {
                to.clone_into(column);
            }
        }
        ConstraintKind::Unique { columns, include, .. } | ConstraintKind::PrimaryKey { columns, include, .. } => {
            rename_name(columns, from, to);
            rename_name(include, from, to);
        }
        ConstraintKind::Exclude { columns, elements, predicate, .. } => {
            rename_name(columns, from, to);
            *elements = replace_word(elements, from, to);
            if let Some(predicate) = predicate {
                rename_in(predicate, from, to);
            }
        }
        ConstraintKind::ForeignKey(key) => rename_name(&mut key.columns, from, to),
        ConstraintKind::UniqueUsingIndex { .. } | ConstraintKind::PrimaryKeyUsingIndex { .. } => {}
    }
}

/// The text with the identifier replaced where it stands as a word, outside string constants.
fn replace_word(text: &str, from: &str, to: &str) -> String {
    let (from, to) = (quoted(from), quoted(to));
    let word = |char: char| char.is_alphanumeric() || char == '_' || char == '$' || char == '"';
    let mut replaced = String::with_capacity(text.len());
    let mut in_string = false;
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let bounded = !replaced.chars().next_back().is_some_and(word);
        if !in_string
            && bounded
            && rest.starts_with(from.as_str())
            && !rest[from.len()..].chars().next().is_some_and(word)
        {
            replaced.push_str(&to);
            rest = &rest[from.len()..];
            continue;
        }
        if char == '\'' {
            in_string = !in_string;
        }
        replaced.push(char);
        rest = &rest[char.len_utf8()..];
    }
    replaced
}

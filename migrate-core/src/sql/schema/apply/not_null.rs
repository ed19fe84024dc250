//! NOT NULL: a property of the column up to 17, a constraint in the catalog from 18 on.

use super::Apply;
use crate::sql::ast::{ColumnDef, ConstraintDef, ConstraintKind};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::{ApplyError, Constraint, Fact, Relation, Schema};
use crate::sql::server::Server;
use std::collections::BTreeSet;

impl Apply<'_> {
    pub(super) fn primary_key_columns(&mut self, table: &Name, columns: &[String]) -> Applied {
        for column in columns {
            self.need_column(table, column)?.not_null = Fact::Known(true);
            for child in self.schema.descendants_of(table) {
                if self.has_column(&child, column)? {
                    self.need_column(&child, column)?.not_null = Fact::Known(true);
                }
            }
        }
        self.catalogue_not_nulls(table)
    }

    pub(super) fn add_not_null(&mut self, table: &Name, column: &str, def: &ConstraintDef, name: &str) -> Applied {
        self.need_column(table, column)?.not_null = Fact::Known(true);
        if self.pg.at_least(18) {
            if let Some(already) = self.not_null_constraint(table, column) {
                self.table_mut(table)?.constraints.entry(already).and_modify(|it| it.local = true);
            } else {
                if self.table(table)?.constraints.contains_key(name) {
                    return Err(ApplyError::constraint_exists(name, table));
                }
                let constraint = Constraint {
                    validated: Fact::Known(!def.not_valid),
                    no_inherit: def.no_inherit,
                    ..Constraint::plain(ConstraintKind::NotNull { column: column.to_owned() })
                };
                self.table_mut(table)?.constraints.insert(name.to_owned(), constraint);
            }
        }
        if !def.no_inherit {
            for child in self.schema.descendants_of(table) {
                if self.has_column(&child, column)? {
                    self.need_column(&child, column)?.not_null = Fact::Known(true);
                    self.not_null_handed_down(&child, column)?;
                }
            }
        }
        Ok(())
    }

    /// A child's NOT NULL constraint below its parent's: its own, or one under the parent's name.
    pub(super) fn not_null_handed_down(&mut self, child: &Name, column: &str) -> Applied {
        if let Some(own) = self.not_null_constraint(child, column) {
            self.table_mut(child)?.constraints.entry(own).and_modify(|it| it.inherited = true);
        }
        self.catalogue_not_nulls(child)
    }

    /// ALTER CONSTRAINT … INHERIT, NO INHERIT of a NOT NULL constraint (`ATExecAlterConstrInheritability`): the children's
    /// come to be, or stay as their own.
    pub(super) fn not_null_inheritable(&mut self, table: &Name, name: &str, inherit: bool) -> Applied {
        let listed = self.table(table)?.constraints.get(name).map(|it| it.kind.clone());
        let Some(Fact::Known(ConstraintKind::NotNull { column })) = listed else { return Ok(()) };
        if inherit {
            for child in self.schema.descendants_of(table) {
                self.need_column(&child, &column)?.not_null = Fact::Known(true);
                self.not_null_handed_down(&child, &column)?;
            }
            return Ok(());
        }
        for child in self.schema.children_of(table) {
            if let Some(own) = self.not_null_constraint(&child, &column) {
                let made_own = |it: &mut Constraint| (it.inherited, it.local) = (false, true);
                self.table_mut(&child)?.constraints.entry(own).and_modify(made_own);
            }
        }
        Ok(())
    }

    /// The NOT NULL that CREATE TABLE itself says of inherited columns, from 18 on: the child's own, under a name of its own
    /// where it is not given one (`AddRelationNotNullConstraints`).
    pub(super) fn own_not_nulls(&mut self, table: &Name, columns: &[ColumnDef]) -> Applied {
        let schema = table.schema.clone().unwrap_or_else(|| "public".to_owned());
        for def in columns.iter().filter(|def| def.not_null || def.identity.is_some()) {
            let Some(above) = self.not_null_constraint(table, &def.name) else { continue };
            let Some(constraint) = self.table_mut(table)?.constraints.remove(&above) else { continue };
            let given = def.constraints.iter().find(|it| matches!(it.kind, ConstraintKind::NotNull { .. }));
            let name = given.and_then(|it| it.name.clone()).unwrap_or_else(|| {
                self.schema.choose_constraint_name(&table.name, Some(&def.name), "not_null", &schema, &[])
            });
            self.table_mut(table)?.constraints.insert(name, Constraint { local: true, ..constraint });
        }
        Ok(())
    }

    /// The catalogued NOT NULL constraint of a column, from 18 on.
    pub(super) fn not_null_constraint(&self, table: &Name, column: &str) -> Option<String> {
        let listed = self.schema.table(table)?;
        let found = listed.constraints.iter().find(|(_, constraint)| {
            matches!(&constraint.kind, Fact::Known(ConstraintKind::NotNull { column: of }) if of == column)
        });
        found.map(|(name, _)| name.clone())
    }

    /// Gives each NOT NULL column its constraint, as 18 and later catalogue it.
    pub(super) fn catalogue_not_nulls(&mut self, table: &Name) -> Applied {
        let schema = table.schema.clone().unwrap_or_else(|| "public".to_owned());
        let listed = self.table(table)?;
        if self.pg.before(18) {
            return Ok(());
        }
        let catalogued: BTreeSet<&str> = listed
            .constraints
            .values()
            .filter_map(|constraint| match &constraint.kind {
                Fact::Known(ConstraintKind::NotNull { column }) => Some(column.as_str()),
                _ => None,
            })
            .collect();
        let columns: Vec<(String, bool)> = listed
            .columns
            .iter()
            .filter(|column| column.not_null == Fact::Known(true) && !catalogued.contains(column.name.as_str()))
            .map(|column| (column.name.clone(), column.inherited))
            .collect();
        for (column, inherited) in columns {
            let above = self.not_null_above(table, &column);
            let kind = ConstraintKind::NotNull { column: column.clone() };
            let (name, constraint) = match above {
                Some((name, above)) if !self.table(table)?.constraints.contains_key(&name) => {
                    (name, Constraint { inherited: true, local: false, ..above })
                }
                _ => {
                    let name = self.schema.choose_constraint_name(&table.name, Some(&column), "not_null", &schema, &[]);
                    (name, Constraint { inherited, local: !inherited, ..Constraint::plain(kind) })
                }
            };
            self.table_mut(table)?.constraints.insert(name, constraint);
        }
        Ok(())
    }

    /// A parent's NOT NULL constraint of the column: it comes down under its name.
    fn not_null_above(&self, table: &Name, column: &str) -> Option<(String, Constraint)> {
        self.schema.parents_of(table).into_iter().find_map(|parent| {
            let name = self.not_null_constraint(&parent, column)?;
            let constraint = self.schema.table(&parent)?.constraints.get(&name)?;
            (!constraint.no_inherit).then(|| (name.clone(), constraint.clone()))
        })
    }
}

impl Schema {
    /// The schema as the server would hold it, whichever version the statements so far were applied as: the constraints
    /// behind NOT NULL are catalogued from 18 on, and only there.
    pub(crate) fn seen_by(mut self, pg: Server<'_>) -> Self {
        let tables: Vec<Name> = self.tables().map(|(name, _)| name.clone()).collect();
        let any = self.tables().any(|(_, table)| {
            table.columns.iter().any(|column| column.not_null == Fact::Known(true))
                || table.constraints.values().any(|it| matches!(it.kind, Fact::Known(ConstraintKind::NotNull { .. })))
        });
        if !any {
            return self;
        }
        if pg.before(18) {
            self.relations.change(|_, relation| {
                if let Relation::Table(table) = relation {
                    table.constraints.retain(|_, it| !matches!(it.kind, Fact::Known(ConstraintKind::NotNull { .. })));
                }
            });
            return self;
        }
        let mut apply = Apply { schema: &mut self, pg, changes: Vec::new() };
        let (tops, below): (Vec<_>, Vec<_>) =
            tables.into_iter().partition(|table| apply.schema.parents_of(table).is_empty());
        for table in tops.into_iter().chain(below) {
            // Only a name that is no table fails here, and these are the names of the tables.
            let catalogued = apply.catalogue_not_nulls(&table);
            debug_assert!(catalogued.is_ok(), "{table}: {catalogued:?}");
        }
        self
    }
}

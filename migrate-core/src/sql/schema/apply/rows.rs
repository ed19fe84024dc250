//! Statements that read and write rows: no change to the schema, but what they name must be there.

use super::Apply;
use super::change::part;
use super::lookup::SYSTEM_COLUMNS;
use crate::model::{EffectKind, Space, Verb};
use crate::sql::ast::{DmlKind, ObjectKind, Persistence, Query};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::resolve::is_system;
use crate::sql::schema::{ApplyError, Fact, Relation};

impl Apply<'_> {
    /// Every relation that the query names must be there, and every column it writes.
    pub(super) fn check_query(&mut self, query: &Query) -> Applied {
        self.check_query_of(query, None)
    }

    /// The same, where the query may read `itself` (a recursive view).
    pub(super) fn check_query_of(&mut self, query: &Query, itself: Option<&Name>) -> Applied {
        for (name, _) in &query.reads {
            if itself.is_none_or(|itself| itself.name != name.name) {
                self.check_readable(name)?;
            }
        }
        for dml in &query.writes {
            self.check_readable(&dml.table)?;
            let found = self.schema.resolve(&dml.table);
            if matches!(self.schema.relations.get(&found), Some(Relation::Table(_))) {
                for column in dml.columns.iter().chain(&dml.own_columns) {
                    self.need_any_column(&found, column)?;
                }
            }
            if let Some(Relation::MaterializedView(_)) = self.schema.relations.get(&found) {
                return Err(ApplyError::new("42809", format!("cannot change materialized view \"{}\"", found.name)));
            }
        }
        Ok(())
    }

    pub(super) fn query(&mut self, query: &Query) -> Applied {
        if let Some((name, temporary)) = &query.into {
            let persistence = if *temporary { Persistence::Temporary } else { Persistence::Permanent };
            return self.make_table_as(name, persistence, &[], query, false, &query.text);
        }
        self.check_query(query)?;
        for dml in &query.writes {
            let kinds: Vec<DmlKind> =
                if dml.kind == DmlKind::Merge { dml.merge_actions.clone() } else { vec![dml.kind] };
            for kind in kinds {
                let kind = match kind {
                    DmlKind::Insert => EffectKind::InsertRows,
                    DmlKind::Update | DmlKind::Merge => EffectKind::UpdateRows,
                    DmlKind::Delete => EffectKind::DeleteRows,
                };
                self.uses(kind, Verb::Rows, &dml.table);
            }
            let table = self.schema.resolve(&dml.table);
            let followed = !table.schema.as_deref().is_some_and(is_system);
            for column in dml.own_columns.iter().filter(|column| followed && !SYSTEM_COLUMNS.contains(&column.as_str()))
            {
                self.change(EffectKind::ReadRows, Verb::Use, part(Space::Column, "column", &table, column), "");
            }
        }
        let mut read: Vec<&Name> = Vec::new();
        for (name, _) in &query.reads {
            let written = query.writes.iter().any(|dml| dml.table == *name);
            if !written && !read.contains(&name) {
                read.push(name);
                self.uses(EffectKind::ReadRows, Verb::Use, name);
            }
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, tables: &[(Name, bool)], cascade: bool) -> Applied {
        let mut named = Vec::new();
        for (name, only) in tables {
            let found = self.need_table(name)?;
            if !only {
                named.extend(self.schema.descendants_of(&found));
            }
            named.push(found);
        }
        let mut at = 0;
        while at < named.len() {
            for table in self.schema.referencing_through_parents(&named[at]) {
                if named.contains(&table) {
                    continue;
                }
                if !cascade {
                    return Err(ApplyError::new(
                        "0A000",
                        "cannot truncate a table referenced in a foreign key constraint",
                    ));
                }
                named.push(table);
            }
            at += 1;
        }
        for table in named {
            let object = self.schema.relation_id(&table);
            self.change(EffectKind::TruncateTable, Verb::Rows, object, "");
        }
        Ok(())
    }

    pub(super) fn lock(&mut self, tables: &[(Name, bool)]) -> Applied {
        for (name, _) in tables {
            self.check_readable(name)?;
            self.uses(EffectKind::LockRelation, Verb::Use, name);
        }
        Ok(())
    }

    pub(super) fn copy(
        &mut self,
        table: Option<&Name>,
        query: Option<&Query>,
        from: bool,
        columns: &[String],
    ) -> Applied {
        if let Some(query) = query {
            self.query(query)?;
        }
        if let Some(name) = table {
            self.check_readable(name)?;
            let found = self.schema.resolve(name);
            if matches!(self.schema.relations.get(&found), Some(Relation::Table(_))) {
                for column in columns {
                    self.need_column(&found, column)?;
                }
            }
            if from {
                self.uses(EffectKind::InsertRows, Verb::Rows, name);
            } else {
                self.uses(EffectKind::ReadRows, Verb::Use, name);
            }
        }
        Ok(())
    }

    pub(super) fn maintain(&mut self, tables: &[(Name, bool)]) -> Applied {
        for (name, _) in tables {
            self.check_readable(name)?;
            self.uses(EffectKind::Maintain, Verb::Use, name);
        }
        Ok(())
    }

    /// CALL: the procedure's body runs, as far as it is known.
    pub(super) fn call(&mut self, function: &Name, query: &Query) -> Applied {
        self.check_query(query)?;
        let found = self.schema.find_functions(function);
        if found.is_none() && self.closed() && function.schema.as_deref() != Some("pg_catalog") {
            return Err(ApplyError::new("42883", format!("procedure {} does not exist", function.name)));
        }
        let name = found.unwrap_or_else(|| self.schema.place(function));
        let overloads = self.schema.functions.get(&name).into_iter().flatten();
        let mut procedures = overloads.map(|listed| listed.routine.kind != ObjectKind::Function);
        if procedures.next().is_some_and(|first| !first) && procedures.all(|is| !is) {
            return Err(ApplyError::new("42809", format!("{} is not a procedure", function.name)));
        }
        let listed = self.schema.functions.get(&name).and_then(|overloads| overloads.first());
        let args = listed.filter(|it| it.definition != Fact::Unknown).and_then(|it| it.routine.args.clone());
        let id = super::change::routine("procedure", &name, args.as_deref());
        self.change(EffectKind::ReadRows, Verb::Use, id, "");
        Ok(())
    }
}

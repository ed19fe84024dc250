//! CREATE TABLE AS, SELECT INTO, and what a query's outputs are called.

use super::Apply;
use super::change::column as column_id;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{CreateTableAs, Persistence, Query};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::{ApplyError, Column, Fact, Relation, Table};

impl Apply<'_> {
    pub(super) fn create_table_as(&mut self, create: &CreateTableAs) -> Applied {
        self.make_table_as(
            &create.name,
            create.persistence,
            &create.columns,
            &create.query,
            create.if_not_exists,
            &create.definition,
        )
    }

    pub(super) fn make_table_as(
        &mut self,
        name: &Name,
        persistence: Persistence,
        columns: &[String],
        query: &Query,
        if_not_exists: bool,
        definition: &str,
    ) -> Applied {
        self.check_query(query)?;
        let verb = if if_not_exists { Verb::Ensure } else { Verb::Make };
        let name = self.new_relation_name(name, persistence);
        if !self.free_relation(&name, if_not_exists)? {
            let object = self.schema.relation_id(&name);
            self.change(EffectKind::CreateTable, Verb::Ensure, object, "");
            return Ok(());
        }
        let outputs = self.output_names(query, columns)?;
        let mut table = Table { persistence: Fact::Known(persistence), ..Table::fresh() };
        match outputs {
            Fact::Known(names) => {
                table.columns = names
                    .iter()
                    .enumerate()
                    .map(|(at, name)| Column { data_type: self.output_type(query, at), ..Column::fresh(name) })
                    .collect();
            }
            Fact::Unknown => table.complete = false,
        }
        let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        self.schema.relations.insert(name.clone(), Relation::Table(table));
        let object = self.schema.relation_id(&name);
        self.change(EffectKind::CreateTable, verb, object, format!("AS {definition}"));
        for column in names {
            self.change(EffectKind::AddColumn, verb, column_id(&name, &column), "");
        }
        Ok(())
    }

    /// The output's type where it is a bare column of the one table that is read.
    pub(super) fn output_type(&self, query: &Query, at: usize) -> Fact<crate::sql::ast::TypeName> {
        let output = query.outputs.as_ref().and_then(|outputs| outputs.get(at)).and_then(|it| it.column.as_deref());
        match (query.reads.as_slice(), output) {
            ([(relation, _)], Some(output)) => self
                .schema
                .table(&self.schema.resolve(relation))
                .and_then(|table| table.column(output))
                .map_or(Fact::Unknown, |column| column.data_type.clone()),
            _ => Fact::Unknown,
        }
    }

    /// What a query's columns are called: `given` first, the rest by its outputs; a lone `*` over known relations is
    /// expanded.
    pub(super) fn output_names(&self, query: &Query, given: &[String]) -> Applied<Fact<Vec<String>>> {
        let own = match &query.outputs {
            Some(outputs) => {
                let names = outputs.iter().map(|it| it.name.clone().unwrap_or_else(|| "?column?".to_owned()));
                Some(names.collect::<Vec<_>>())
            }
            None => self.star(query),
        };
        let Some(mut names) = own else {
            // A `*` may bring more columns than are given names: then only the first are known, which is not all.
            return Ok(Fact::Unknown);
        };
        if given.len() > names.len() {
            return Err(ApplyError::new("42601", "too many column names were specified"));
        }
        names.splice(..given.len(), given.iter().cloned());
        if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(*name)) {
            return Err(ApplyError::new("42701", format!("column \"{}\" specified more than once", twice.1)));
        }
        Ok(Fact::Known(names))
    }

    /// The columns of `SELECT * FROM one_relation`, where they are known.
    fn star(&self, query: &Query) -> Option<Vec<String>> {
        let [(relation, _)] = query.reads.as_slice() else { return None };
        let text = query.text.to_ascii_lowercase();
        let list = text.strip_prefix("select")?.trim_start().strip_prefix('*')?.trim_start();
        if !list.starts_with("from") {
            return None;
        }
        self.relation_columns(&self.schema.resolve(relation))
    }

    /// The columns of a relation, where all are known.
    pub(super) fn relation_columns(&self, name: &Name) -> Option<Vec<String>> {
        match self.schema.relations.get(name)? {
            Relation::Table(table) if table.complete => {
                Some(table.columns.iter().map(|column| column.name.clone()).collect())
            }
            Relation::View(view) | Relation::MaterializedView(view) => view.columns.known().cloned(),
            _ => None,
        }
    }
}

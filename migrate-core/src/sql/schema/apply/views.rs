//! Views and materialized views: their columns, what they read, and ALTER VIEW's own actions.

use super::Apply;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{CreateMaterializedView, CreateView, ObjectKind, Query, Statement, Stmt, TableAction, TypeName};
use crate::sql::name::Name;
use crate::sql::outside::pieces;
use crate::sql::parse::parse;
use crate::sql::print;
use crate::sql::schema::error::Applied;
use crate::sql::schema::parameters;
use crate::sql::schema::resolve::{TEMP, is_system};
use crate::sql::schema::text::unqualified;
use crate::sql::schema::{ApplyError, ColumnUse, Fact, Relation, View};
use std::collections::BTreeMap;

impl Apply<'_> {
    pub(super) fn create_view(&mut self, create: &CreateView) -> Applied {
        self.check_query_of(&create.query, create.recursive.then_some(&create.name))?;
        let temporary = create.temporary || self.reads_temporary(&create.query);
        let name = if temporary { Name::qualified(TEMP, &create.name.name) } else { self.schema.place(&create.name) };
        let columns = self.output_names(&create.query, &create.columns)?;
        let replaced = create.or_replace && self.schema.relations.contains_key(&name);
        if replaced {
            self.check_replaceable(&name, &columns, &create.query)?;
        } else {
            self.free_relation(&name, false)?;
        }
        let new = !replaced || self.schema.is_new(&name);
        let mut view = self.view_of(&create.query, columns, &create.definition);
        view.new = new;
        // A recursive view reads itself, and does not depend on itself.
        view.depends.remove(&name);
        view.options = parameters::written(&parameters::read(&create.options));
        self.schema.relations.insert(name.clone(), Relation::View(view));
        let object = self.schema.relation_id(&name);
        let (kind, verb) = match (create.or_replace, replaced) {
            (false, _) => (EffectKind::CreateView, Verb::Make),
            (true, true) => (EffectKind::ReplaceView, Verb::Alter),
            (true, false) => (EffectKind::ReplaceView, Verb::Ensure),
        };
        self.change(kind, verb, object, view_text(&create.columns, &create.options, &create.definition));
        Ok(())
    }

    pub(super) fn create_materialized_view(&mut self, create: &CreateMaterializedView) -> Applied {
        self.check_query(&create.query)?;
        let verb = if create.if_not_exists { Verb::Ensure } else { Verb::Make };
        let name = self.schema.place(&create.name);
        if !self.free_relation(&name, create.if_not_exists)? {
            let object = self.schema.relation_id(&name);
            self.change(EffectKind::CreateMaterializedView, Verb::Ensure, object, "");
            return Ok(());
        }
        let columns = self.output_names(&create.query, &create.columns)?;
        let mut view = self.view_of(&create.query, columns, &create.definition);
        view.populated = create.with_data;
        view.tablespace.clone_from(&create.tablespace);
        view.options = parameters::written(&parameters::read(create.with.as_deref().unwrap_or_default()));
        let text = view_text(&create.columns, &view.options, &create.definition);
        self.schema.relations.insert(name.clone(), Relation::MaterializedView(view));
        let object = self.schema.relation_id(&name);
        self.change(EffectKind::CreateMaterializedView, verb, object, text);
        Ok(())
    }

    fn view_of(&self, query: &Query, columns: Fact<Vec<String>>, definition: &str) -> View {
        View {
            new: true,
            columns,
            query: Fact::Known(query.clone()),
            definition: Fact::Known(match query.reads.as_slice() {
                [(one, _)] if !definition.contains(" join ") => unqualified(definition, &one.name),
                _ => definition.to_owned(),
            }),
            options: String::new(),
            populated: true,
            tablespace: None,
            depends: self.depends(query),
            functions: query.functions.clone(),
        }
    }

    /// CREATE OR REPLACE VIEW may add columns at the end, nothing else (`checkViewColumns` in `view.c`).
    fn check_replaceable(&mut self, name: &Name, columns: &Fact<Vec<String>>, query: &Query) -> Applied {
        let Some(Relation::View(view)) = self.schema.relations.get(name) else {
            return self.need_relation(name, ObjectKind::View).map(|_| ());
        };
        let (Fact::Known(old), Fact::Known(new)) = (&view.columns, columns) else { return Ok(()) };
        if new.len() < old.len() {
            return Err(ApplyError::new("42P16", "cannot drop columns from view"));
        }
        if let Some((old, new)) = old.iter().zip(new).find(|(old, new)| old != new) {
            return Err(ApplyError::new("42P16", format!("cannot change name of view column \"{old}\" to \"{new}\"")));
        }
        let Fact::Known(was) = &view.query else { return Ok(()) };
        for (at, column) in old.iter().enumerate() {
            if let (Some(old), Some(new)) = (self.replaceable_type(was, at), self.replaceable_type(query, at))
                && old != new
            {
                let message = format!("cannot change data type of view column \"{column}\" from {old} to {new}");
                return Err(ApplyError::new("42P16", message));
            }
        }
        Ok(())
    }

    /// The type of an output column, as SQL: of a column of the only relation that is read, or of a cast.
    fn replaceable_type(&self, query: &Query, at: usize) -> Option<String> {
        let output = query.outputs.as_ref()?.get(at)?;
        let data_type = match output.column {
            Some(_) => self.output_type(query, at).known()?.clone(),
            None => {
                let lower = query.text.to_ascii_lowercase();
                let from = lower.strip_prefix("select ").map(|_| "select ".len())?;
                let list = &query.text[from..lower.find(" from ").unwrap_or(lower.len())];
                let piece = pieces(list).get(at).copied()?;
                let value = piece.rsplit_once(" as ").map_or(piece, |(value, _)| value);
                // Only what is cast as a whole.
                let (value, to) = value.rsplit_once("::")?;
                let plain = |text: &str| text.chars().all(|char| char.is_alphanumeric() || char == '_' || char == '.');
                if !plain(value.trim()) {
                    return None;
                }
                written_type(to.trim())?
            }
        };
        Some(print::type_name(&self.schema.resolve_type(&data_type)))
    }

    fn reads_temporary(&self, query: &Query) -> bool {
        query.reads.iter().any(|(name, _)| self.schema.resolve(name).schema.as_deref() == Some(TEMP))
    }

    /// Which relations the query depends on, and which of their columns: a name that only one of them can have is
    /// certain.
    pub(super) fn depends(&self, query: &Query) -> BTreeMap<Name, ColumnUse> {
        let mut depends: BTreeMap<Name, ColumnUse> = query
            .reads
            .iter()
            .map(|(name, _)| self.schema.resolve(name))
            .filter(|name| !name.schema.as_deref().is_some_and(is_system))
            .map(|name| (name, ColumnUse::default()))
            .collect();
        let known: BTreeMap<Name, Option<Vec<String>>> =
            depends.keys().map(|name| (name.clone(), self.relation_columns(name))).collect();
        for column in &query.columns {
            let holders: Vec<&Name> = known
                .iter()
                .filter(|(_, columns)| columns.as_ref().is_none_or(|columns| columns.contains(column)))
                .map(|(name, _)| name)
                .collect();
            let certain = holders.len() == 1;
            for holder in holders {
                let Some(used) = depends.get_mut(holder) else { continue };
                if certain {
                    used.certain.insert(column.clone());
                } else {
                    used.possible.insert(column.clone());
                }
            }
        }
        if query.outputs.is_none() {
            let alone = known.len() == 1;
            for (name, used) in &mut depends {
                match known.get(name).and_then(Option::as_ref) {
                    Some(columns) if alone && self.star_of(query) => used.certain.extend(columns.iter().cloned()),
                    Some(columns) => used.possible.extend(columns.iter().cloned()),
                    None => used.any = true,
                }
            }
        }
        depends
    }

    fn star_of(&self, query: &Query) -> bool {
        let text = query.text.to_ascii_lowercase();
        text.strip_prefix("select").is_some_and(|rest| rest.trim_start().starts_with('*'))
    }

    pub(super) fn refresh(&mut self, name: &Name, concurrently: bool, with_data: bool) -> Applied {
        let found = match self.schema.find_relation(name) {
            Some(found) if self.schema.table(&found).is_some_and(|table| table.complete) => {
                return Err(ApplyError::new("0A000", format!("\"{}\" is not a materialized view", found.name)));
            }
            _ => self.need_relation(name, ObjectKind::MaterializedView)?,
        };
        if concurrently {
            if self.schema.view(&found).is_some_and(|view| view.query != Fact::Unknown && !view.populated) {
                let why = "CONCURRENTLY cannot be used when the materialized view is not populated";
                return Err(ApplyError::new("0A000", why));
            }
            let known = self.schema.view(&found).is_some_and(|view| view.query != Fact::Unknown);
            let unique = self.schema.indexes_of(&found).into_iter().any(|(_, index)| {
                index.unique == Fact::Known(true)
                    && index.predicate.is_none()
                    && index.columns.known().is_some_and(|keys| keys.iter().all(Option::is_some))
            });
            if known && !unique {
                return Err(ApplyError::new(
                    "55000",
                    format!("cannot refresh materialized view \"{found}\" concurrently"),
                ));
            }
        }
        if let Some(Relation::MaterializedView(view)) = self.schema.relations.get_mut(&found) {
            view.populated = with_data;
        }
        self.alter_relation(EffectKind::RefreshMaterializedView, &found, "");
        Ok(())
    }
}

/// The type as it is written in a cast.
fn written_type(text: &str) -> Option<TypeName> {
    let statements = parse(&format!("ALTER TABLE t ADD COLUMN c {text}")).ok()?;
    let [Statement { stmt: Stmt::AlterTable(alter), .. }] = statements.as_slice() else { return None };
    match alter.actions.as_slice() {
        [TableAction::AddColumn { column, .. }] => column.data_type.clone(),
        _ => None,
    }
}

fn view_text(columns: &[String], options: &str, definition: &str) -> String {
    let mut parts = Vec::new();
    if !columns.is_empty() {
        parts.push(format!("({})", crate::sql::schema::text::list(columns)));
    }
    if !options.is_empty() {
        parts.push(options.to_owned());
    }
    parts.push(format!("AS {definition}"));
    parts.join(" ")
}

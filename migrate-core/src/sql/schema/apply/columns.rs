//! Columns made from their definitions: types, serial and identity sequences; ADD COLUMN and DROP COLUMN.

use super::Apply;
use super::change::column as column_id;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{ColumnDef, Expr, SequenceOptions, TypeName};
use crate::sql::name::{Name, quoted};
use crate::sql::schema::error::{Applied, plain};
use crate::sql::schema::text::{column_text, sequence_text};
use crate::sql::schema::{ApplyError, Column, Fact, Relation, Sequence};

impl Apply<'_> {
    /// The column that the definition makes in `table`, with its sequence.
    pub(super) fn column_from(&mut self, table: &Name, def: &ColumnDef) -> Applied<Column> {
        if super::lookup::SYSTEM_COLUMNS.contains(&def.name.as_str()) {
            return Err(ApplyError::new(
                "42701",
                format!("column name \"{}\" conflicts with a system column name", def.name),
            ));
        }
        let mut column = Column::fresh(&def.name);
        column.collation = Fact::Known(def.collation.clone());
        column.not_null = Fact::Known(def.not_null || def.identity.is_some());
        def.default.iter().try_for_each(names_no_column)?;
        column.default = Fact::Known(def.default.clone());
        column.generated = Fact::Known(def.generated.clone());
        column.identity = Fact::Known(def.identity.clone());
        column.storage.clone_from(&def.storage);
        column.compression.clone_from(&def.compression);
        column.options.extend(def.options.iter().cloned());
        for sequence in def.default.iter().flat_map(|default| &default.sequences) {
            self.check_readable(sequence)?;
        }
        let Some(data_type) = &def.data_type else { return Ok(column) };
        if let Some(integer) = data_type.serial() {
            let sequence = self.owned_sequence(table, &def.name, integer, None);
            column.data_type = Fact::Known(builtin(integer));
            column.not_null = Fact::Known(true);
            column.default = Fact::Known(Some(nextval(&sequence)));
        } else {
            column.data_type = Fact::Known(self.need_type(data_type)?);
        }
        if let Some(identity) = &def.identity {
            let integer = data_type.name.name.clone();
            self.owned_sequence(table, &def.name, &integer, Some(&identity.options));
        }
        Ok(column)
    }

    /// Makes the sequence of a serial (`identity` `None`) or identity column.
    pub(super) fn owned_sequence(
        &mut self,
        table: &Name,
        column: &str,
        integer: &str,
        identity: Option<&SequenceOptions>,
    ) -> Name {
        let schema = table.schema.as_deref().unwrap_or("public");
        let given = identity.and_then(|options| {
            options.settings.iter().find(|(name, _)| name == "SEQUENCE NAME").map(|(_, value)| value.clone())
        });
        let name = match given {
            Some(given) => Name::qualified(schema, given.rsplit('.').next().unwrap_or(&given).trim_matches('"')),
            None => self.schema.choose_relation_name(&table.name, Some(column), "seq", schema, false),
        };
        let mut options = identity.cloned().unwrap_or_default();
        if integer != "int8" {
            options.data_type = Some(builtin(integer));
        }
        super::sequences::without_defaults(&mut options);
        let text = sequence_text(&options);
        self.schema.dropped.remove(&name);
        self.schema.relations.insert(
            name.clone(),
            Relation::Sequence(Sequence {
                new: true,
                options: Fact::Known(options),
                unlogged: false,
                owned_by: Fact::Known(Some((table.clone(), column.to_owned()))),
                identity: identity.is_some(),
            }),
        );
        let object = self.schema.relation_id(&name);
        self.change(EffectKind::CreateSequence, Verb::Make, object, text);
        name
    }

    /// The type, resolved; an error if it is known not to be there.
    pub(super) fn need_type(&mut self, data_type: &TypeName) -> Applied<TypeName> {
        if data_type.percent_type {
            return Ok(data_type.clone());
        }
        let resolved = self.schema.resolve_type(data_type);
        let placed = self.schema.place(&data_type.name);
        if resolved.name == data_type.name && self.schema.dropped_types.contains(&placed) {
            return Err(ApplyError::new("42704", format!("type \"{}\" does not exist", plain(&data_type.name))));
        }
        if self.closed() && self.is_no_type(data_type) {
            return Err(ApplyError::new("42704", format!("type \"{}\" does not exist", plain(&data_type.name))));
        }
        Ok(resolved)
    }

    /// Whether it is certain that there is no type by that name: no listed one, no row type, none of the server's, and no
    /// extension that may have brought it.
    fn is_no_type(&self, data_type: &TypeName) -> bool {
        const OF_EXTENSIONS: &[&str] = &[
            "citext",
            "hstore",
            "ltree",
            "lquery",
            "ltxtquery",
            "cube",
            "seg",
            "isbn",
            "isbn13",
            "ean13",
            "vector",
            "halfvec",
            "sparsevec",
            "geometry",
            "geography",
            "raster",
            "box2d",
            "box3d",
            "lo",
            "earth",
            "query_int",
        ];
        // Extensions that bring no types but those above.
        #[rustfmt::skip]
        const KNOWN: &[&str] = &[
            "amcheck", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dblink", "dict_int", "dict_xsyn",
            "earthdistance", "file_fdw", "fuzzystrmatch", "hstore", "intarray", "isn", "lo", "ltree", "pageinspect",
            "pg_buffercache", "pg_freespacemap", "pg_prewarm", "pg_stat_statements", "pg_trgm", "pg_visibility",
            "pgcrypto", "pgrowlocks", "pgstattuple", "plpgsql", "postgres_fdw", "seg", "sslinfo", "tcn",
            "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp", "vector", "xml2",
        ];
        let name = data_type.name.name.as_str();
        let pseudo = name.starts_with("any") || name.starts_with('_') || name.starts_with("pg_");
        data_type.name.schema.is_none()
            && self.schema.extensions.keys().all(|extension| KNOWN.contains(&extension.as_str()))
            && !pseudo
            && !crate::sql::locks::is_builtin_type(&data_type.name)
            && !OF_EXTENSIONS.contains(&name)
            && self.schema.find_type(&data_type.name).is_none()
            && self.schema.find_relation(&data_type.name).is_none()
    }

    /// A child that has a column of the name merges the new one with it, if it is of the same type (`ATExecAddColumn`).
    fn check_merged_types(&self, table: &Name, def: &ColumnDef) -> Applied {
        let Some(new) = &def.data_type else { return Ok(()) };
        let new = self.schema.resolve_type(new);
        for child in self.schema.children_of(table) {
            let own = self.schema.table(&child).and_then(|child| child.column(&def.name));
            if let Some(Fact::Known(own)) = own.map(|column| &column.data_type)
                && (!self.schema.same_type(own, &new) || own.mods != new.mods)
            {
                return Err(ApplyError::new(
                    "42804",
                    format!("child table \"{}\" has different type for column \"{}\"", child.name, def.name),
                ));
            }
        }
        Ok(())
    }

    pub(super) fn add_column(&mut self, table: &Name, if_not_exists: bool, def: &ColumnDef) -> Applied {
        let verb = if if_not_exists { Verb::Ensure } else { Verb::Make };
        let listed = self.table_mut(table)?;
        if let Some(there) = listed.columns.iter().find(|column| column.name == def.name) {
            if !if_not_exists {
                return Err(ApplyError::column_exists(&def.name, table));
            }
            let text = column_text(there);
            self.change(EffectKind::AddColumn, Verb::Ensure, column_id(table, &def.name), text);
            return Ok(());
        }
        listed.absent.remove(&def.name);
        self.check_merged_types(table, def)?;
        let at = self.changes.len();
        let made = self.column_from(table, def)?;
        let text = column_text(&made);
        let inherited = Column { inherited: true, identity: Fact::Known(None), ..made.clone() };
        self.table_mut(table)?.columns.push(made);
        let sequences = self.changes.split_off(at);
        self.change(EffectKind::AddColumn, verb, column_id(table, &def.name), text);
        self.changes.extend(sequences);
        for child in self.schema.descendants_of(table) {
            let below = self.table_mut(&child)?;
            if below.columns.iter().all(|column| column.name != def.name) {
                below.columns.push(inherited.clone());
            }
        }
        self.add_constraints(table, &def.constraints, verb)?;
        let refreshed = self.table(table)?.column(&def.name).map(column_text);
        if let (Some(text), Some(change)) = (refreshed, self.changes.get_mut(at)) {
            change.definition = text;
        }
        Ok(())
    }

    pub(super) fn drop_column(
        &mut self,
        table: &Name,
        name: &str,
        if_exists: bool,
        cascade: bool,
        only: bool,
    ) -> Applied {
        let verb = if if_exists { Verb::TakeIfThere } else { Verb::Take };
        if !self.has_column(table, name)? {
            if !if_exists {
                return Err(ApplyError::no_column(name, table));
            }
            self.change(EffectKind::DropColumn, verb, column_id(table, name), "");
            return Ok(());
        }
        let listed = self.table(table)?;
        if listed.column(name).is_some_and(|column| column.inherited) || self.schema.is_inherited(table, name, &[]) {
            return Err(ApplyError::new("42P16", format!("cannot drop inherited column \"{name}\"")));
        }
        if let Fact::Known(Some(by)) = &listed.partition_by
            && by.columns.iter().any(|key| key == name)
        {
            return Err(ApplyError::new(
                "42P16",
                format!(
                    "cannot drop column \"{name}\" because it is part of the partition key of relation \"{}\"",
                    table.name
                ),
            ));
        }
        let children = if only { self.schema.children_of(table) } else { self.schema.descendants_of(table) };
        if only && !self.schema.partitions_of(table).is_empty() {
            return Err(ApplyError::new(
                "42P16",
                "cannot drop column from only the partitioned table when partitions exist",
            ));
        }
        self.remove_column(table, name, cascade, verb)?;
        for child in children {
            let inherited = self.table(&child)?.column(name).is_some_and(|column| column.inherited);
            if only {
                if let Some(column) = self.table_mut(&child)?.columns.iter_mut().find(|column| column.name == name) {
                    column.inherited = false;
                }
            } else if inherited {
                let at = self.changes.len();
                self.remove_column(&child, name, cascade, Verb::Take)?;
                self.unsaid(&child, at);
            }
        }
        Ok(())
    }
}

fn builtin(name: &str) -> TypeName {
    TypeName { name: Name::bare(name), mods: Vec::new(), array: 0, setof: false, percent_type: false }
}

fn nextval(sequence: &Name) -> Expr {
    let spelled = match sequence.schema.as_deref() {
        Some("public") | None => quoted(&sequence.name),
        Some(_) => sequence.to_string(),
    };
    Expr {
        text: format!("nextval('{}'::regclass)", spelled.replace('\'', "''")),
        functions: vec![Name::bare("nextval")],
        columns: Vec::new(),
        casts: vec![builtin("regclass")],
        operators: Vec::new(),
        literal: false,
        null: false,
        subquery: None,
        proves_not_null: Vec::new(),
        sequences: vec![sequence.clone()],
    }
}

/// A default is worked out before there is a row (`cookDefault` in `heap.c`).
pub(super) fn names_no_column(default: &Expr) -> Applied {
    match default.columns.first().filter(|_| default.subquery.is_none()) {
        None => Ok(()),
        Some(column) => Err(ApplyError::new(
            "0A000",
            format!(
                "cannot use column reference in DEFAULT expression ({column} is read as a column; a text is written in single quotes)"
            ),
        )),
    }
}

//! CREATE TABLE … (LIKE source INCLUDING …) (`transformTableLikeClause` and `expandTableLikeClause` in
//! `parse_utilcmd.c`).

use super::Apply;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{ConstraintKind, Identity, LikeClause, TypeName};
use crate::sql::name::Name;
use crate::sql::schema::error::Applied;
use crate::sql::schema::naming::columns_part;
use crate::sql::schema::{ApplyError, Column, Constraint, Fact, Index, Relation};

/// What a LIKE clause copies after the columns are there.
pub(super) struct LikeParts {
    source: Name,
    constraints: bool,
    indexes: bool,
    statistics: bool,
    comments: bool,
}

impl LikeClause {
    /// Later options override earlier ones in SQL; the clause only tells what is included and excluded.
    fn includes(&self, what: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|it| it.eq_ignore_ascii_case(what));
        let all = self.including.iter().any(|it| it.eq_ignore_ascii_case("all"));
        (all || named(&self.including)) && !named(&self.excluding)
    }
}

impl Apply<'_> {
    pub(super) fn like_columns(&mut self, table: &Name, like: &LikeClause) -> Applied<LikeParts> {
        let source = match self.schema.find_relation(&like.source) {
            Some(found) => found,
            None => self.need_table(&like.source)?,
        };
        let (columns, complete) = match self.schema.relations.get(&source) {
            Some(Relation::Table(listed)) => (listed.columns.clone(), listed.complete),
            Some(Relation::View(view) | Relation::MaterializedView(view)) => match &view.columns {
                Fact::Known(names) => (names.iter().map(|name| unknown_type(name)).collect(), true),
                Fact::Unknown => (Vec::new(), false),
            },
            _ => (Vec::new(), false),
        };
        for column in columns {
            let name = column.name.clone();
            if self.table(table)?.column(&name).is_some() {
                return Err(ApplyError::new("42701", format!("column \"{name}\" specified more than once")));
            }
            let identity = if like.includes("identity") { column.identity.clone() } else { Fact::Known(None) };
            let keep = |what: &str, value: Option<String>| if like.includes(what) { value } else { None };
            let mut made = Column {
                default: if like.includes("defaults") { column.default } else { Fact::Known(None) },
                generated: if like.includes("generated") { column.generated } else { Fact::Known(None) },
                storage: keep("storage", column.storage),
                compression: keep("compression", column.compression),
                inherited: false,
                statistics: None,
                ..column
            };
            // The copy's sequence is of bigint, with the bounds of the column's (`generateSerialExtraStmts` is given no type).
            let mut identity = identity;
            if let Fact::Known(Some(identity)) = &mut identity {
                bounds_of(identity, made.data_type.known());
            }
            made.identity = identity.clone();
            self.table_mut(table)?.columns.push(made);
            if let Fact::Known(Some(identity)) = identity {
                self.owned_sequence(table, &name, "int8", Some(&identity.options));
            }
        }
        self.table_mut(table)?.complete &= complete;
        let not_nulls: Vec<(String, Constraint)> = self
            .schema
            .table(&source)
            .into_iter()
            .flat_map(|source| &source.constraints)
            .filter(|(_, it)| matches!(it.kind, Fact::Known(ConstraintKind::NotNull { .. })))
            .map(|(name, it)| (name.clone(), Constraint { inherited: false, local: true, ..it.clone() }))
            .collect();
        self.table_mut(table)?.constraints.extend(not_nulls);
        Ok(LikeParts {
            source,
            constraints: like.includes("constraints"),
            indexes: like.includes("indexes"),
            statistics: like.includes("statistics"),
            comments: like.includes("comments"),
        })
    }

    pub(super) fn like_parts(&mut self, table: &Name, like: LikeParts) -> Applied {
        let Some(source) = self.schema.table(&like.source).cloned() else { return self.catalogue_not_nulls(table) };
        for (name, constraint) in &source.constraints {
            let made = Constraint { inherited: false, local: true, index: None, ..constraint.clone() };
            match &constraint.kind {
                Fact::Known(ConstraintKind::Check(_)) if like.constraints => {
                    self.table_mut(table)?.constraints.entry(name.clone()).or_insert(made);
                }
                Fact::Known(
                    kind @ (ConstraintKind::Unique { .. }
                    | ConstraintKind::PrimaryKey { .. }
                    | ConstraintKind::Exclude { .. }),
                ) if like.indexes => {
                    let def = crate::sql::ast::ConstraintDef {
                        name: None,
                        kind: kind.clone(),
                        not_valid: false,
                        deferrable: made.deferrable,
                        initially_deferred: made.initially_deferred,
                        no_inherit: false,
                        not_enforced: false,
                    };
                    self.add_constraint(table, &def, Verb::Make)?;
                }
                _ => {}
            }
        }
        if like.indexes {
            let indexes: Vec<(Name, Index)> = self
                .schema
                .indexes_of(&like.source)
                .into_iter()
                .filter(|(_, index)| index.constraint.is_none())
                .map(|(name, index)| (name.clone(), index.clone()))
                .collect();
            for (old, index) in indexes {
                let new = self.like_index(table, index);
                if like.comments {
                    let of = |name: &Name| format!("comment on index {name}");
                    self.copy_comment(&of(&old), of(&new));
                }
            }
        }
        if like.comments {
            let of = |noun: &str, table: &Name, name: &str| format!("comment on {noun} {table}.{}", Name::bare(name));
            for column in &source.columns {
                self.copy_comment(&of("column", &like.source, &column.name), of("column", table, &column.name));
            }
            for (name, _) in
                source.constraints.iter().filter(|(_, it)| matches!(it.kind, Fact::Known(ConstraintKind::Check(_))))
            {
                if like.constraints {
                    self.copy_comment(&of("constraint", &like.source, name), of("constraint", table, name));
                }
            }
        }
        if like.statistics {
            let copied: Vec<String> = self
                .schema
                .statistics
                .values()
                .filter(|(of, _)| *of == like.source)
                .map(|(_, text)| text.clone())
                .collect();
            for text in copied {
                let name = self.statistics_name(table, &text);
                self.schema.statistics.insert(name.clone(), (table.clone(), text.clone()));
                let object = super::change::object(crate::model::Space::Statistics, "statistics object", name);
                self.change(EffectKind::CreateStatistics, Verb::Make, object, text);
            }
        }
        self.catalogue_not_nulls(table)
    }

    fn copy_comment(&mut self, from: &str, to: String) {
        if let Some(text) = self.schema.others.get(from).cloned() {
            self.schema.others.insert(to, text);
        }
    }

    fn like_index(&mut self, table: &Name, source: Index) -> Name {
        let keys = source.name_parts();
        let part = columns_part(keys.iter().map(String::as_str));
        let schema = table.schema.as_deref().unwrap_or("public");
        let name = self.schema.choose_relation_name(&table.name, Some(&part), "idx", schema, false);
        self.schema.dropped.remove(&name);
        let made = Index { table: Fact::Known(table.clone()), new: true, parent: None, partitioned: false, ..source };
        self.schema.relations.insert(name.clone(), Relation::Index(made));
        self.index_made(&name, Verb::Make);
        name
    }
}

fn unknown_type(name: &str) -> Column {
    Column { data_type: Fact::Unknown, ..Column::fresh(name) }
}

/// The bounds that the type gives a sequence, said.
fn bounds_of(identity: &mut Identity, data_type: Option<&TypeName>) {
    let most = match data_type.map(|data_type| data_type.name.name.as_str()) {
        Some("int2") => i64::from(i16::MAX),
        Some("int4") => i64::from(i32::MAX),
        _ => return,
    };
    let settings = &mut identity.options.settings;
    let down = settings.iter().any(|(name, value)| name == "INCREMENT" && value.starts_with('-'));
    let (bound, value) = if down { ("MINVALUE", -most - 1) } else { ("MAXVALUE", most) };
    if !settings.iter().any(|(name, value)| name == bound && value != "NO") {
        settings.retain(|(name, _)| name != bound);
        settings.push((bound.to_owned(), value.to_string()));
    }
}

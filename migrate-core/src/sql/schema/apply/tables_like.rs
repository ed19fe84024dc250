//! CREATE TABLE … (LIKE source INCLUDING …) (`transformTableLikeClause` and `expandTableLikeClause` in
//! `parse_utilcmd.c`).

use super::Apply;
use crate::model::{EffectKind, Verb};
use crate::sql::ast::{ConstraintKind, LikeClause};
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
            let made = Column {
                default: if like.includes("defaults") { column.default } else { Fact::Known(None) },
                generated: if like.includes("generated") { column.generated } else { Fact::Known(None) },
                storage: keep("storage", column.storage),
                compression: keep("compression", column.compression),
                identity: identity.clone(),
                inherited: false,
                statistics: None,
                ..column
            };
            let integer = made.data_type.known().map_or_else(|| "int8".to_owned(), |it| it.name.name.clone());
            self.table_mut(table)?.columns.push(made);
            if let Fact::Known(Some(identity)) = identity {
                self.owned_sequence(table, &name, &integer, Some(&identity.options));
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
            let indexes: Vec<Index> = self
                .schema
                .indexes_of(&like.source)
                .into_iter()
                .filter(|(_, index)| index.constraint.is_none())
                .map(|(_, index)| index.clone())
                .collect();
            for index in indexes {
                self.like_index(table, index);
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

    fn like_index(&mut self, table: &Name, source: Index) {
        let keys = source.name_parts();
        let part = columns_part(keys.iter().map(String::as_str));
        let schema = table.schema.as_deref().unwrap_or("public");
        let name = self.schema.choose_relation_name(&table.name, Some(&part), "idx", schema, false);
        self.schema.dropped.remove(&name);
        let made = Index { table: Fact::Known(table.clone()), new: true, parent: None, partitioned: false, ..source };
        self.schema.relations.insert(name.clone(), Relation::Index(made));
        self.index_made(&name, Verb::Make);
    }
}

fn unknown_type(name: &str) -> Column {
    Column { data_type: Fact::Unknown, ..Column::fresh(name) }
}

//! New relations take no lock of their own; they lock what they refer to, and what they are computed from.

use super::look::Look;
use super::table;
use super::{attach, query};
use crate::model::{LockClass, Work};
use crate::sql::ast::{
    ConstraintDef, ConstraintKind, CreateMaterializedView, CreateTable, CreateTableAs, CreateView, Query,
};
use crate::sql::name::Name;
use crate::sql::schema::Relation;

pub(super) fn create_table(look: &mut Look<'_>, create: &CreateTable) {
    let row = &table::CREATE_TABLE;
    look.row(row);
    let own = look.before.place(&create.name);
    let column_constraints = create.columns.iter().flat_map(|column| column.constraints.iter());
    let constraints: Vec<&ConstraintDef> = column_constraints.chain(create.constraints.iter()).collect();
    // IF NOT EXISTS of a table that is there stops before anything is opened.
    if create.if_not_exists && look.before.relation(&own).is_some() {
        return;
    }
    for constraint in constraints {
        if let ConstraintKind::ForeignKey(key) = &constraint.kind {
            let referenced = look.resolve(&key.references);
            for name in look.family(&referenced, false) {
                look.lock_because(row, &name, row.second(), || {
                    format!("REFERENCES puts triggers on the referenced table {name}")
                });
            }
        }
    }
    for like in &create.likes {
        let source = look.resolve(&like.source);
        let row = &table::CREATE_TABLE_LIKE;
        look.lock(row, &source, row.second());
    }
    if let Some(of) = &create.of_type {
        let of = look.before.find_type(of).unwrap_or_else(|| look.before.place(of));
        look.lock_type(row, &of, LockClass::AccessShare);
    }
    for parent in &create.inherits {
        let parent = look.resolve(parent);
        let row = &table::CREATE_TABLE_INHERITS;
        look.lock(row, &parent, row.second());
    }
    if let Some((parent, bound)) = &create.partition_of {
        let row = &table::CREATE_PARTITION;
        let parent = look.resolve(parent);
        look.lock_because(row, &parent, row.second(), || {
            format!("CREATE TABLE … PARTITION OF takes ACCESS EXCLUSIVE on the parent {parent}")
        });
        attach::default_partition(look, row, &parent, bound);
        attach::parents_foreign_keys(look, row, &parent);
    }
}

/// What is computed into a new relation is read, unless WITH NO DATA.
fn computed(look: &mut Look<'_>, row: &'static table::Row, query: &Query, with_data: bool) {
    look.row(row);
    if with_data {
        query::run(look, query);
    } else {
        query::named_relations(look, row, query);
    }
}

/// Where IF NOT EXISTS finds the name taken, the query was parsed already (`ExecCreateTableAs`).
pub(super) fn create_table_as(look: &mut Look<'_>, create: &CreateTableAs) {
    let row = &table::CREATE_TABLE_AS;
    if create.if_not_exists && look.before.relation(&look.before.place(&create.name)).is_some() {
        return query::named_relations(look, row, &create.query);
    }
    computed(look, row, &create.query, create.with_data);
}

pub(super) fn create_materialized_view(look: &mut Look<'_>, create: &CreateMaterializedView) {
    let row = &table::CREATE_MATERIALIZED_VIEW;
    if create.if_not_exists && look.before.relation(&look.before.place(&create.name)).is_some() {
        return query::named_relations(look, row, &create.query);
    }
    computed(look, row, &create.query, create.with_data);
}

pub(super) fn create_view(look: &mut Look<'_>, create: &CreateView) {
    let row = &table::CREATE_VIEW;
    look.row(row);
    query::named_relations(look, row, &create.query);
    // One in the temporary schema replaces none elsewhere.
    if create.or_replace && !create.temporary {
        let own = look.resolve(&create.name);
        let there = matches!(look.before.relation(&own), Some(Relation::View(_)));
        if there || (look.before.relation(&own).is_none() && look.open()) {
            look.lock_because(row, &own, LockClass::AccessExclusive, || {
                format!("OR REPLACE takes ACCESS EXCLUSIVE on the view {own} if it is there")
            });
        }
    }
}

pub(super) fn refresh(look: &mut Look<'_>, name: &Name, concurrently: bool, with_data: bool) {
    let row = if concurrently { &table::REFRESH_CONCURRENTLY } else { &table::REFRESH };
    let name = look.resolve(name);
    look.lock(row, &name, row.lock);
    let what = if concurrently { "computes the query again and compares" } else { "writes it whole" };
    look.work(row, &name, row.work, format!("{} {what}: {name}", row.statement));
    if !with_data {
        return;
    }
    match look.before.view(&name).and_then(|view| view.query.known()) {
        Some(query) => {
            let query = query.clone();
            query::run(look, &query);
            look.work(row, &name, Work::Scan, format!("{} reads what {name} is computed from", row.statement));
        }
        None => look.unknown(format!("what {name} is computed from is not known: it is read under ACCESS SHARE")),
    }
}

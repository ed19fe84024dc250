//! CREATE INDEX and REINDEX: the table is locked against writes while the index is built, unless CONCURRENTLY; REINDEX
//! also shuts the index itself to planners.

use super::look::Look;
use super::table::{self, Row};
use crate::model::{LockClass, Work};
use crate::sql::ast::{CreateIndex, Reindex, ReindexScope};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Relation};

pub(super) fn create_index(look: &mut Look<'_>, create: &CreateIndex) {
    let row = if create.concurrently { &table::CREATE_INDEX_CONCURRENTLY } else { &table::CREATE_INDEX };
    look.row(row);
    let target = look.resolve(&create.table);
    let there = create.if_not_exists
        && create.name.as_ref().is_some_and(|name| {
            let index = Name { schema: target.schema.clone(), name: name.clone() };
            look.before.relation(&index).is_some()
        });
    let family =
        if look.before.is_partitioned(&target) { look.family(&target, create.only) } else { vec![target.clone()] };
    // The partitions are locked before it is looked whether the name is taken (`ProcessUtilitySlow`).
    for name in &family {
        look.lock(row, name, row.lock);
    }
    if there {
        return;
    }
    for name in look.with_storage(&family) {
        // A partition's own index that is like the new one becomes its part (`DefineIndex`).
        if name != target && look.before.indexes_of(&name).len() == look.after.indexes_of(&name).len() {
            continue;
        }
        look.work(row, &name, row.work, format!("{} reads {name} and builds the index", row.statement));
    }
}

pub(super) fn attach_index(look: &mut Look<'_>, index: &Name, child: &Name) {
    let row = &table::ATTACH_INDEX;
    let (index, child) = (look.resolve(index), look.resolve(child));
    look.lock(row, &index, row.lock);
    look.lock(row, &child, row.second());
    for name in [&index, &child] {
        let on = look.before.index(name).and_then(|index| index.table.known());
        match on {
            Some(on) => {
                let on = look.resolve(on);
                look.lock(row, &on, LockClass::AccessShare);
            }
            None => {
                look.unknown(format!("the table of the index {name} is not known: it is locked in ACCESS SHARE mode"));
            }
        }
    }
}

pub(super) fn reindex(look: &mut Look<'_>, reindex: &Reindex) {
    match &reindex.scope {
        ReindexScope::Index(name) => {
            let name = look.resolve(name);
            let Some(index) = look.before.index(&name) else {
                let row = row(reindex, false);
                look.lock(row, &name, if reindex.concurrently { row.lock } else { row.second() });
                if look.open() {
                    look.unknown(format!(
                        "the table of the index {name} is not known: it is locked in {} mode",
                        row.lock.sql()
                    ));
                    look.work(row, &name, row.work, format!("REINDEX builds {name} again"));
                }
                return;
            };
            let row = row(reindex, index.partitioned);
            let on = index.table.known().map(|on| look.resolve(on));
            if index.partitioned {
                look.row(row);
                if let Some(on) = &on {
                    for leaf in look.with_storage(&look.family(on, false)) {
                        let leaf_index = look
                            .before
                            .indexes_of(&leaf)
                            .into_iter()
                            .find(|(_, child)| child.columns == index.columns)
                            .map(|(name, _)| name.clone());
                        rebuild(look, row, reindex, &leaf, leaf_index.as_ref());
                    }
                }
                return;
            }
            if let Some(on) = on {
                rebuild(look, row, reindex, &on, Some(&name));
            } else {
                look.lock(row, &name, if reindex.concurrently { row.lock } else { row.second() });
                look.unknown(format!(
                    "the table of the index {name} is not known: it is locked in {} mode",
                    row.lock.sql()
                ));
                look.work(row, &name, row.work, format!("REINDEX builds {name} again"));
            }
        }
        ReindexScope::Table(name) => {
            let name = look.resolve(name);
            let partitioned = look.before.is_partitioned(&name);
            let row = row(reindex, partitioned);
            look.row(row);
            if partitioned {
                for leaf in look.with_storage(&look.family(&name, false)) {
                    rebuild(look, row, reindex, &leaf, None);
                }
            } else {
                rebuild(look, row, reindex, &name, None);
            }
        }
        ReindexScope::Schema(schema) => {
            let names: Vec<Name> = look.stored_relations();
            many(look, reindex, names.into_iter().filter(|name| name.schema.as_deref() == Some(schema)).collect());
        }
        ReindexScope::Database => {
            let names = look.stored_relations();
            many(look, reindex, names);
        }
        ReindexScope::System => look.row(row(reindex, true)),
    }
}

fn row(reindex: &Reindex, many: bool) -> &'static Row {
    match (reindex.concurrently, many) {
        (true, _) => &table::REINDEX_CONCURRENTLY,
        (false, true) => &table::REINDEX_PARTITIONED,
        (false, false) => &table::REINDEX_INDEX,
    }
}

fn many(look: &mut Look<'_>, reindex: &Reindex, names: Vec<Name>) {
    let row = row(reindex, true);
    look.row(row);
    for name in look.with_storage(&names) {
        rebuild(look, row, reindex, &name, None);
    }
    if look.open() {
        look.unknown(
            "which tables there are is not known: every one of them is locked against writes, one after another"
                .to_owned(),
        );
        look.at_least(row, row.lock, Work::IndexBuild, "REINDEX of all tables builds every index again");
    }
}

/// One table's index or, without `only`, all of them.
fn rebuild(look: &mut Look<'_>, row: &'static Row, reindex: &Reindex, on: &Name, only: Option<&Name>) {
    look.lock(row, on, row.lock);
    let indexes: Vec<Name> = match only {
        Some(index) => vec![index.clone()],
        None => look.before.indexes_of(on).into_iter().map(|(name, _)| name.clone()).collect(),
    };
    for index in &indexes {
        let class = if reindex.concurrently { row.lock } else { row.second() };
        look.lock_because(row, index, class, || {
            format!("{} takes {} on the index {index}, for which planners wait", row.statement, class.sql())
        });
    }
    let complete = match look.before.relation(on) {
        Some(Relation::Table(table)) => table.complete,
        Some(Relation::MaterializedView(view)) => view.query != Fact::Unknown,
        _ => false,
    };
    if !indexes.is_empty() || !complete {
        look.work(row, on, row.work, format!("{} builds the indexes of {on} again", row.statement));
    }
    if !complete && look.open() && !reindex.concurrently {
        look.at_least(
            row,
            LockClass::AccessExclusive,
            Work::IndexBuild,
            &format!("REINDEX takes ACCESS EXCLUSIVE on every index of {on}"),
        );
    }
}

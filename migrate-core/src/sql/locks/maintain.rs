//! TRUNCATE, LOCK TABLE, VACUUM, ANALYZE, CLUSTER: statements about whole tables.

use super::look::Look;
use super::table::{self, Row};
use crate::model::{LockClass, Work};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Relation};
use std::collections::BTreeSet;

pub(super) fn truncate(look: &mut Look<'_>, tables: &[(Name, bool)], restart_identity: bool, cascade: bool) {
    let row = &table::TRUNCATE;
    look.row(row);
    let mut all: BTreeSet<Name> = BTreeSet::new();
    let mut next: Vec<(Name, bool)> = tables.iter().map(|(name, only)| (look.resolve(name), *only)).collect();
    while let Some((name, only)) = next.pop() {
        for member in look.family(&name, only) {
            if !all.insert(member.clone()) || !cascade {
                continue;
            }
            next.extend(look.before.referencing_through_parents(&member).into_iter().map(|other| (other, false)));
        }
    }
    for name in &all {
        look.lock(row, name, row.lock);
        if cascade {
            look.lose_with_referencing(name);
        } else {
            look.lose(name, None);
        }
        let indexed = !look.before.is_partitioned(name) && !look.before.indexes_of(name).is_empty();
        let unknown = look.open() && look.before.table(name).is_none_or(|table| !table.complete);
        if indexed || unknown {
            look.work(row, name, Work::IndexBuild, format!("the indexes of {name} get new, empty files"));
        }
        if restart_identity {
            for sequence in look.before.sequences_owned_by(name, None) {
                look.lock(row, &sequence, row.second());
                look.lose_value(&sequence, None);
            }
        }
    }
    if cascade && look.open() {
        look.worst(row, "which tables reference the truncated ones is not known: CASCADE empties them too");
    }
}

pub(super) fn lock_table(look: &mut Look<'_>, tables: &[(Name, bool)], mode: LockClass) {
    let row = &table::LOCK_TABLE;
    for (name, only) in tables {
        let name = look.resolve(name);
        lock_one(look, row, &name, *only, mode, 0);
    }
}

fn lock_one(look: &mut Look<'_>, row: &'static Row, name: &Name, only: bool, mode: LockClass, depth: u8) {
    if depth > 24 {
        return;
    }
    for member in look.family(name, only) {
        look.lock_because(row, &member, mode, || format!("LOCK TABLE … IN {} MODE", mode.sql()));
    }
    let behind: Vec<(Name, bool)> = match look.before.relation(name) {
        Some(Relation::View(view)) => view.query.known().map(|query| query.reads.clone()).unwrap_or_default(),
        _ => Vec::new(),
    };
    for (inner, only) in behind {
        let inner = look.resolve(&inner);
        // Of what a view reads, tables and views are locked (`LockViewRecurse_walker`).
        let other = match look.before.relation(&inner) {
            Some(Relation::Table(table)) => table.foreign == Fact::Known(true),
            Some(Relation::View(_)) | None => false,
            Some(_) => true,
        };
        if other {
            continue;
        }
        lock_one(look, row, &inner, only, mode, depth + 1);
    }
}

pub(super) fn vacuum(look: &mut Look<'_>, tables: &[(Name, bool)], full: bool, analyze: bool) {
    let row = if full { &table::VACUUM_FULL } else { &table::VACUUM };
    look.row(row);
    for (name, only) in listed(look, row, tables) {
        let members = maintained(look, &name, only);
        for member in &members {
            look.lock(row, member, row.lock);
        }
        for member in look.with_storage(&members) {
            look.work(row, &member, row.work, format!("{} writes {member} anew", row.statement));
        }
        if analyze {
            sampled(look, row, &name);
        }
    }
}

pub(super) fn analyze(look: &mut Look<'_>, tables: &[(Name, bool)]) {
    let row = &table::ANALYZE;
    for (name, only) in listed(look, row, tables) {
        for member in maintained(look, &name, only) {
            look.lock(row, &member, row.lock);
        }
        sampled(look, row, &name);
    }
}

/// The tables named, or every table that is listed.
fn listed(look: &mut Look<'_>, row: &'static Row, tables: &[(Name, bool)]) -> Vec<(Name, bool)> {
    if !tables.is_empty() {
        // Of others the server says that it skips them, and lets them go.
        let maintained = |(name, only): &(Name, bool)| {
            let name = look.resolve(name);
            let other = matches!(
                look.before.relation(&name),
                Some(Relation::View(_) | Relation::Sequence(_) | Relation::Index(_))
            );
            (!other).then_some((name, *only))
        };
        return tables.iter().filter_map(maintained).collect();
    }
    if look.open() {
        look.unknown(format!(
            "which tables there are is not known: every one of them is locked in {} mode",
            row.lock.sql()
        ));
        look.at_least(row, row.lock, row.work, &format!("{} of the whole database", row.statement));
    }
    look.stored_relations().into_iter().map(|name| (name, false)).collect()
}

/// A partitioned table brings its partitions; an inheritance parent its children from 18 on (`expand_vacuum_rel`).
fn maintained(look: &Look<'_>, name: &Name, only: bool) -> Vec<Name> {
    let expands = !only && (look.pg.at_least(18) || look.before.is_partitioned(name));
    look.family(name, !expands)
}

/// ANALYZE of a parent samples its children under `AccessShare` (`acquire_inherited_sample_rows`).
fn sampled(look: &mut Look<'_>, row: &'static Row, name: &Name) {
    for child in look.before.descendants_of(name) {
        look.lock(row, &child, LockClass::AccessShare);
    }
}

pub(super) fn cluster(look: &mut Look<'_>, target: Option<&Name>) {
    let Some(target) = target else {
        let row = &table::CLUSTER_MANY;
        look.row(row);
        let clustered: Vec<Name> = look
            .before
            .tables()
            .filter(|(_, table)| matches!(table.clustered_on, Fact::Known(Some(_))))
            .map(|(name, _)| name.clone())
            .collect();
        for name in clustered {
            look.lock(row, &name, row.lock);
            look.work(row, &name, row.work, format!("CLUSTER rewrites {name}"));
        }
        if look.open() {
            look.unknown("which tables are clustered is not known: each of them is rewritten under ACCESS EXCLUSIVE");
            look.at_least(row, row.lock, row.work, "CLUSTER of all clustered tables");
        }
        return;
    };
    let target = look.resolve(target);
    let row = if look.before.is_partitioned(&target) { &table::CLUSTER_MANY } else { &table::CLUSTER };
    look.row(row);
    let family = if look.before.is_partitioned(&target) { look.family(&target, false) } else { vec![target.clone()] };
    for name in &family {
        look.lock(row, name, row.lock);
    }
    for name in look.with_storage(&family) {
        look.work(row, &name, row.work, format!("CLUSTER rewrites {name}"));
    }
}

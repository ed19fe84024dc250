//! ATTACH and DETACH PARTITION, and what a new partition costs the parent: the default partition is read unless its
//! constraints prove that nothing in it belongs to the new one.

use super::bound;
use super::dml;
use super::look::Look;
use super::table::Row;
use crate::model::{LockClass, Work};
use crate::sql::ast::PartitionBound;
use crate::sql::name::Name;
use crate::sql::schema::Fact;

pub(super) fn attach(look: &mut Look<'_>, row: &'static Row, parent: &Name, partition: &Name, bound: &PartitionBound) {
    let partition = look.resolve(partition);
    for name in look.family(&partition, false) {
        look.lock_because(row, &name, row.second(), || {
            format!("ATTACH PARTITION takes ACCESS EXCLUSIVE on {name} itself")
        });
    }
    let key = look.before.table(parent).and_then(|table| table.partition_by.known()).cloned().flatten();
    let proved = match (&key, bound, look.before.table(&partition)) {
        (Some(key), PartitionBound::Values(values), Some(table)) => bound::is_proved(table, key, values),
        _ => false,
    };
    let lone_default =
        *bound == PartitionBound::Default && look.before.partitions_of(parent).is_empty() && !look.open();
    if !proved && !lone_default {
        for name in look.with_storage(&look.family(&partition, false)) {
            look.work(
                row,
                &name,
                row.work,
                format!("ATTACH PARTITION reads every row of {name}: no valid constraint proves the bound"),
            );
        }
        if key.is_none() {
            look.unknown(format!("the partition key of {parent} is not known, so neither is whether constraints of {partition} prove the bound"));
        }
    }
    let missing = look.before.indexes_of(parent).into_iter().find(|(_, index)| {
        !look.before.indexes_of(&partition).iter().any(|(_, other)| {
            other.columns == index.columns
                && other.method == index.method
                && other.predicate == index.predicate
                && (index.unique != Fact::Known(true) || other.unique == Fact::Known(true))
        })
    });
    if let Some((index, _)) = missing {
        let why = format!("ATTACH PARTITION builds the counterpart of {index} on {partition}");
        for name in look.with_storage(&look.family(&partition, false)) {
            look.work(row, &name, Work::IndexBuild, why.clone());
        }
    }
    if *bound != PartitionBound::Default {
        default_partition(look, row, parent, bound);
    }
    parents_foreign_keys(look, row, parent);
    // A key of the partition's own that is like one of the parent's gives its triggers up
    // (`tryAttachPartitionForeignKey`).
    let before = look.before;
    let own: Vec<Name> = before
        .foreign_keys_of(parent)
        .into_iter()
        .filter(|key| before.foreign_keys_of(&partition).into_iter().any(|own| own.key == key.key))
        .map(|key| look.resolve(&key.key.references))
        .collect();
    for referenced in own {
        look.lock_because(row, &referenced, LockClass::AccessExclusive, || {
            format!("the triggers of the foreign key of {partition} go, since its parent has the same")
        });
    }
}

/// The default partition is locked, and read unless it is proved to have nothing of the new bound.
pub(super) fn default_partition(look: &mut Look<'_>, row: &'static Row, parent: &Name, new: &PartitionBound) {
    let Some(rest) = look.before.default_partition_of(parent) else {
        if look.open() && look.before.table(parent).is_none_or(|table| !table.complete) && look.existed(parent) {
            look.maybe_stronger(format!("whether {parent} has a default partition is not known: it would be locked in ACCESS EXCLUSIVE mode and read"));
        }
        return;
    };
    let key = look.before.table(parent).and_then(|table| table.partition_by.known()).cloned().flatten();
    let excluded = match (&key, new, look.before.table(&rest)) {
        (Some(key), PartitionBound::Values(values), Some(table)) => bound::is_excluded(table, key, values),
        _ => false,
    };
    for name in look.family(&rest, false) {
        look.lock_because(row, &name, LockClass::AccessExclusive, || {
            format!("the default partition {name} must have no row of the new partition")
        });
        if !excluded && !look.before.is_partitioned(&name) {
            look.work(row, &name, Work::Scan, format!("every row of the default partition {name} is read"));
        }
    }
}

/// A partition takes over its parent's foreign keys: the tables that they reference are locked for their triggers.
pub(super) fn parents_foreign_keys(look: &mut Look<'_>, row: &'static Row, parent: &Name) {
    for referenced in look.before.referenced_tables(parent) {
        let referenced = look.resolve(&referenced);
        for name in look.family(&referenced, false) {
            look.lock(row, &name, LockClass::ShareRowExclusive);
        }
    }
    // And what references the parent references the partition (`CloneFkReferenced`).
    let class = if look.pg.at_least(15) { LockClass::ShareRowExclusive } else { LockClass::AccessShare };
    for referencing in look.before.referencing_through_parents(parent) {
        look.lock(row, &referencing, class);
    }
}

pub(super) fn detach(look: &mut Look<'_>, row: &'static Row, parent: &Name, partition: &Name) {
    let partition = look.resolve(partition);
    look.lock(row, &partition, row.second());
    for name in look.before.descendants_of(&partition) {
        look.lock(row, &name, row.second());
    }
    if let Some(rest) = look.before.default_partition_of(parent)
        && rest != partition
    {
        look.lock(row, &rest, row.second());
    }
    for referenced in look.before.referenced_tables(parent) {
        let referenced = look.resolve(&referenced);
        look.lock(row, &referenced, LockClass::ShareRowExclusive);
    }
    // No row may reference what leaves (`ATDetachCheckNoForeignKeyRefs`), and its triggers go.
    let referencing = look.before.referencing_through_parents(parent);
    if !referencing.is_empty() {
        // The rows that leave are told by the partition's bound.
        dml::partition_of(look, row, parent);
    }
    for referencing in referencing {
        for name in look.family(&referencing, false) {
            look.lock(row, &name, LockClass::AccessExclusive);
            if !look.before.is_partitioned(&name) {
                look.work(
                    row,
                    &name,
                    Work::Scan,
                    format!("DETACH PARTITION checks that no row of {name} references {partition}"),
                );
            }
        }
    }
}

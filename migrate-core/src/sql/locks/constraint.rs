//! The actions on constraints: which of them read the table, build an index, or lock the table on the other side of a
//! foreign key.

use super::look::Look;
use super::table::{self, Row};
use super::{drop as dropping, proof};
use crate::model::{LockClass, Work};
use crate::sql::ast::{ConstraintDef, ConstraintKind};
use crate::sql::name::Name;
use crate::sql::schema::{Constraint, Fact};

pub(super) fn row(look: &Look<'_>, constraint: &ConstraintDef) -> &'static Row {
    match &constraint.kind {
        ConstraintKind::Check(_) => &table::ADD_CHECK,
        ConstraintKind::NotNull { .. } => &table::ADD_NOT_NULL,
        ConstraintKind::Unique { .. } if look.pg.at_least(18) => &table::ADD_UNIQUE_18,
        ConstraintKind::Unique { .. } => &table::ADD_UNIQUE,
        ConstraintKind::PrimaryKey { .. } => &table::ADD_PRIMARY_KEY,
        ConstraintKind::UniqueUsingIndex { .. } | ConstraintKind::PrimaryKeyUsingIndex { .. } => {
            &table::ADD_USING_INDEX
        }
        ConstraintKind::Exclude { .. } => &table::ADD_EXCLUDE,
        ConstraintKind::ForeignKey(_) => &table::ADD_FOREIGN_KEY,
    }
}

/// CHECK and NOT NULL go to children of every kind unless NO INHERIT, and so does the NOT NULL that a primary key
/// brings; the rest goes to partitions. From 18 on the constraint is prepared on all of them (`ATPrepCmd`).
pub(super) fn reaches_children(look: &Look<'_>, target: &Name, constraint: &ConstraintDef) -> bool {
    look.pg.at_least(18)
        || match constraint.kind {
            ConstraintKind::Check(_) | ConstraintKind::NotNull { .. } => !constraint.no_inherit,
            ConstraintKind::PrimaryKey { .. } => true,
            _ => look.before.is_partitioned(target),
        }
}

pub(super) fn add(look: &mut Look<'_>, row: &'static Row, target: &Name, family: &[Name], new: &ConstraintDef) {
    let checked = !new.not_valid && !new.not_enforced;
    match &new.kind {
        ConstraintKind::Check(expression) => {
            if checked {
                for name in reached(look, target, family, new) {
                    if merges(look, &name, new, &expression.text) {
                        continue;
                    }
                    look.work(
                        row,
                        &name,
                        row.work,
                        format!("ADD CHECK ({}) reads every row of {name}", expression.text),
                    );
                }
            }
        }
        ConstraintKind::NotNull { column } => {
            if checked {
                let family = reached(look, target, family, new);
                super::column::set_not_null(look, row, &family, column, &[]);
            }
        }
        ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. } | ConstraintKind::Exclude { .. } => {
            // A PRIMARY KEY of an inheritance parent makes the children's columns NOT NULL, no more.
            for name in look.with_storage(&partitions_and_self(look, target, family)) {
                if name != *target && look.before.indexes_of(&name).len() == look.after.indexes_of(&name).len() {
                    continue;
                }
                look.work(row, &name, row.work, format!("{} builds the index of {name} under the lock", row.statement));
            }
        }
        ConstraintKind::PrimaryKeyUsingIndex { index } => {
            let index = look.resolve(&Name { schema: target.schema.clone(), name: index.clone() });
            let columns = look.before.index(&index).and_then(|index| index.columns.known());
            let Some(columns) = columns else {
                look.unknown(format!(
                    "the columns of {index} are not known: if one is not NOT NULL, every row of {target} is read"
                ));
                look.work(row, target, Work::Scan, format!("ADD PRIMARY KEY USING INDEX reads every row of {target} unless the columns of {index} are NOT NULL"));
                look.lock(row, &index, LockClass::AccessShare);
                return;
            };
            let columns: Vec<String> = columns.iter().flatten().cloned().collect();
            for column in columns {
                if proof::of_not_null(look, target, &column, &[]) != proof::Proof::Proved {
                    look.work(
                        row,
                        target,
                        Work::Scan,
                        format!("ADD PRIMARY KEY USING INDEX reads every row of {target}: {column} is not NOT NULL"),
                    );
                }
            }
            look.lock(row, &index, LockClass::AccessShare);
        }
        ConstraintKind::UniqueUsingIndex { index } => {
            let index = look.resolve(&Name { schema: target.schema.clone(), name: index.clone() });
            look.lock(row, &index, LockClass::AccessShare);
        }
        ConstraintKind::ForeignKey(key) => {
            let referenced = look.resolve(&key.references);
            for name in look.family(&referenced, false) {
                look.lock_because(row, &name, row.second(), || {
                    format!("ADD FOREIGN KEY puts triggers on the referenced table {name}")
                });
            }
            if checked {
                for name in look.with_storage(family) {
                    look.work(
                        row,
                        &name,
                        row.work,
                        format!("ADD FOREIGN KEY looks up every row of {name} in {referenced}"),
                    );
                }
            }
        }
    }
}

fn reached(look: &Look<'_>, target: &Name, family: &[Name], new: &ConstraintDef) -> Vec<Name> {
    let reached = if new.no_inherit { vec![target.clone()] } else { family.to_vec() };
    look.with_storage(&reached)
}

/// The table has that CHECK under that name: it takes the new one for its own, and nothing is verified
/// (`MergeWithExistingConstraint`).
fn merges(look: &Look<'_>, table: &Name, new: &ConstraintDef, text: &str) -> bool {
    new.name.as_ref().and_then(|name| constraint(look, table, name)).is_some_and(
        |listed| matches!(&listed.kind, Fact::Known(ConstraintKind::Check(expression)) if expression.text == text),
    )
}

fn partitions_and_self(look: &Look<'_>, target: &Name, family: &[Name]) -> Vec<Name> {
    if look.before.is_partitioned(target) { family.to_vec() } else { vec![target.clone()] }
}

fn constraint<'a>(look: &Look<'a>, target: &Name, name: &str) -> Option<&'a Constraint> {
    look.before.table(target)?.constraints.get(name)
}

pub(super) fn alter(
    look: &mut Look<'_>,
    row: &'static Row,
    target: &Name,
    family: &[Name],
    name: &str,
    enforced: Option<bool>,
) {
    let Some(enforced) = enforced else { return };
    let Some(listed) = constraint(look, target, name) else {
        look.maybe_stronger(format!("what {name} of {target} references is not known: that table is locked too"));
        if enforced {
            look.work(row, target, Work::Scan, format!("ALTER CONSTRAINT {name} ENFORCED reads every row of {target}"));
        }
        return;
    };
    if listed.enforced == enforced {
        return;
    }
    if let Fact::Known(ConstraintKind::ForeignKey(key)) = &listed.kind {
        let referenced = look.resolve(&key.references);
        let class = if enforced { LockClass::ShareRowExclusive } else { LockClass::AccessExclusive };
        for other in look.family(&referenced, false) {
            look.lock(row, &other, class);
        }
    }
    if enforced {
        for name in look.with_storage(family) {
            look.work(row, &name, Work::Scan, format!("ALTER CONSTRAINT … ENFORCED checks every row of {name}"));
        }
    }
}

pub(super) fn validate(look: &mut Look<'_>, row: &'static Row, target: &Name, family: &[Name], name: &str) {
    match constraint(look, target, name) {
        Some(listed) if listed.validated == Fact::Known(true) => return,
        Some(listed) => {
            if let Fact::Known(ConstraintKind::ForeignKey(key)) = &listed.kind {
                let referenced = look.resolve(&key.references);
                look.lock(row, &referenced, row.second());
                // The query that looks for rows without a counterpart reads them (`RI_Initial_Check`).
                for partition in look.before.descendants_of(&referenced) {
                    look.lock(row, &partition, LockClass::AccessShare);
                }
            }
        }
        None => look.unknown(format!(
            "whether {name} is a foreign key, and of which table, is not known: that table is locked in ROW SHARE mode"
        )),
    }
    for member in look.with_storage(family) {
        look.work(row, &member, row.work, format!("VALIDATE CONSTRAINT {name} reads every row of {member}"));
    }
}

/// The children that DROP, RENAME or ALTER CONSTRAINT goes on to: those that have the constraint from their parent.
pub(super) fn heirs(look: &Look<'_>, target: &Name, name: &str) -> Vec<Name> {
    let before = look.before;
    let Some(listed) = constraint(look, target, name) else {
        let none = before.table(target).is_some_and(|table| table.complete);
        return if none { Vec::new() } else { before.descendants_of(target) };
    };
    let inherits = match &listed.kind {
        Fact::Known(ConstraintKind::Check(_) | ConstraintKind::NotNull { .. }) => !listed.no_inherit,
        _ => before.is_partitioned(target),
    };
    if inherits { before.descendants_of(target) } else { Vec::new() }
}

pub(super) fn is_valid(look: &Look<'_>, target: &Name, name: &str) -> bool {
    constraint(look, target, name).is_some_and(|listed| listed.validated == Fact::Known(true))
}

pub(super) fn drop(look: &mut Look<'_>, row: &'static Row, target: &Name, only: bool, name: &str) {
    if only && !heirs(look, target, name).is_empty() {
        // The direct children are told that the constraint is now theirs.
        for child in look.before.children_of(target) {
            look.lock(row, &child, row.lock);
        }
    }
    match constraint(look, target, name) {
        Some(Constraint { kind: Fact::Known(ConstraintKind::ForeignKey(key)), .. }) => {
            // Opened by itself, besides what its triggers are on (`dropconstraint_internal`).
            let referenced = look.resolve(&key.references);
            look.lock(row, &referenced, row.second());
        }
        Some(listed) if listed.kind == Fact::Unknown => {
            look.unknown(format!("what {name} of {target} is is not known: if it is a foreign key, the table it references is locked in ACCESS EXCLUSIVE mode too"));
        }
        None if look.open() => {
            look.unknown(format!("what {name} of {target} is is not known: if it is a foreign key, the table it references is locked in ACCESS EXCLUSIVE mode too"));
        }
        _ => {}
    }
    dropping::reached(look, row);
}

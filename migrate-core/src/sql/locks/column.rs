//! The actions on a column: what ADD COLUMN costs, what DROP COLUMN takes with it, what a new type does to rows,
//! constraints, indexes and the other side of foreign keys.

use super::look::Look;
use super::rewrite::{self, Change};
use super::table::Row;
use super::volatility::{self, Answer};
use super::{drop as dropping, narrowing, program, proof};
use crate::bound::bound_type_names;
use crate::model::{LockClass, Work};
use crate::sql::ast::{ColumnDef, ConstraintKind, Expr, SequenceOptions, TypeName};
use crate::sql::name::Name;
use crate::sql::schema::{Fact, Relation, Table};
use crate::sql::schema::{Schema, World};
use crate::sql::similar::is_slip;

fn column<'a>(table: Option<&'a Table>, name: &str) -> Option<&'a crate::sql::schema::Column> {
    table?.columns.iter().find(|column| column.name == name)
}

pub(super) fn add(
    look: &mut Look<'_>,
    row: &'static Row,
    target: &Name,
    family: &[Name],
    if_not_exists: bool,
    new: &ColumnDef,
) {
    if if_not_exists && column(look.before.table(target), &new.name).is_some() {
        return;
    }
    let foreign =
        matches!(look.before.relation(target), Some(Relation::Table(table)) if table.foreign == Fact::Known(true));
    let stored = if foreign { Vec::new() } else { look.with_storage(family) };
    let (work, because) = add_work(look, new);
    for name in &stored {
        look.work(row, name, work, because.clone());
    }
    if let Some(default) = new.default.as_ref().filter(|default| !default.null) {
        // Evaluated, once or for every row: what it calls is run.
        program::functions(look, &default.functions);
    }
    for constraint in &new.constraints {
        if let ConstraintKind::ForeignKey(key) = &constraint.kind {
            let referenced = look.resolve(&key.references);
            for name in look.family(&referenced, false) {
                look.lock_because(row, &name, row.second(), || {
                    format!("REFERENCES puts triggers on the referenced table {name}")
                });
            }
        }
    }
}

/// The heaviest thing that a new column makes PostgreSQL do, and why.
fn add_work(look: &mut Look<'_>, new: &ColumnDef) -> (Work, String) {
    let column = &new.name;
    let add = |what: String| format!("ADD COLUMN {column} {what}");
    if let Some(generated) = &new.generated
        && generated.stored
    {
        return (Work::Rewrite, add("is a stored generated column: every row is written again".to_owned()));
    }
    if new.identity.is_some() {
        return (Work::Rewrite, add("is an identity: every row is given a number".to_owned()));
    }
    let mut default = new.default.clone().filter(|default| !default.null);
    if let Some(data_type) = &new.data_type {
        if matches!(
            data_type.name.name.as_str(),
            "serial2" | "serial4" | "serial8" | "smallserial" | "serial" | "bigserial"
        ) {
            return (Work::Rewrite, add("is a serial: every row is given a number".to_owned()));
        }
        if rewrite::is_constrained_domain(look.before, data_type) {
            let domain = rewrite::shown(data_type);
            return (
                Work::Rewrite,
                add(format!("is of the domain {domain}, whose constraints are checked by writing every row again")),
            );
        }
        if may_be_domain(look.before, data_type) {
            let shown = rewrite::shown(data_type);
            look.unknown(format!("whether {shown} is a domain with constraints is not known: taken for one"));
            return (
                Work::Rewrite,
                add(format!(
                    "is of the type {shown}: if that is a domain with constraints, every row is written again{}",
                    bound_type_names()
                        .find(|known| is_slip(&shown, known))
                        .map_or_else(String::new, |known| format!("; did you mean `{known}`?"))
                )),
            );
        }
        if default.is_none() && new.default.is_none() {
            default = domain_default(look, data_type);
        }
    }
    if let Some(default) = &default {
        match volatility::of(look, default) {
            Answer::Constant => {}
            Answer::Volatile(function) => {
                return (
                    Work::Rewrite,
                    add(format!("has a volatile default: {function}() gives every row its own value")),
                );
            }
            Answer::Unknown(function) => {
                look.unknown(format!("whether {function}() is volatile is not known: taken for volatile"));
                return (
                    Work::Rewrite,
                    add(format!("has a default that calls {function}(), which is volatile unless it says otherwise")),
                );
            }
        }
    }
    let indexed = new.constraints.iter().any(|constraint| {
        matches!(
            constraint.kind,
            ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. } | ConstraintKind::Exclude { .. }
        )
    });
    if indexed {
        return (Work::IndexBuild, add("is UNIQUE or the primary key: the index is built under the lock".to_owned()));
    }
    for constraint in &new.constraints {
        match &constraint.kind {
            ConstraintKind::Check(_) if !constraint.not_enforced && !constraint.not_valid => {
                return (Work::Scan, add("has a CHECK, for which every row is read".to_owned()));
            }
            ConstraintKind::ForeignKey(_)
                if !constraint.not_enforced && !constraint.not_valid && new.default.is_some() =>
            {
                return (Work::Scan, add("has REFERENCES and a default, for which every row is looked up".to_owned()));
            }
            _ => {}
        }
    }
    if new.not_null && default.is_none() && new.generated.is_none() {
        return (Work::Scan, add("is NOT NULL without a default: every row is read, and refused".to_owned()));
    }
    if new.not_null && new.generated.is_some() {
        return (Work::Scan, add("is NOT NULL: every row's value is computed and checked".to_owned()));
    }
    (Work::Metadata, String::new())
}

/// Whether the type may be a domain of which nothing is known here.
pub(crate) fn may_be_domain(schema: &Schema, data_type: &TypeName) -> bool {
    rewrite::is_unknown(schema, data_type)
        && data_type.array == 0
        && schema.world == World::Open
        && !is_extension_type(&data_type.name.name)
}

/// The types of the extensions that ship with PostgreSQL and a few more that everybody uses: none is a domain but the
/// ones of `earthdistance`.
fn is_extension_type(name: &str) -> bool {
    matches!(
        name,
        "citext"
            | "hstore"
            | "ltree"
            | "lquery"
            | "ltxtquery"
            | "cube"
            | "seg"
            | "isbn"
            | "isbn13"
            | "issn"
            | "ean13"
            | "upc"
            | "query_int"
            | "geometry"
            | "geography"
            | "box2d"
            | "box3d"
            | "raster"
            | "vector"
            | "halfvec"
            | "sparsevec"
            | "semver"
    )
}

/// The default that a column takes from its domain.
fn domain_default(look: &Look<'_>, data_type: &TypeName) -> Option<Expr> {
    let mut current = data_type.clone();
    for _ in 0..16 {
        let domain = rewrite::domain(look.before, &current)?;
        if let Some(default) = &domain.default {
            return Some(default.clone()).filter(|default| !default.null);
        }
        current = domain.base.clone();
    }
    None
}

pub(super) fn drop(
    look: &mut Look<'_>,
    row: &'static Row,
    target: &Name,
    family: &[Name],
    only: bool,
    name: &str,
    if_exists: bool,
) {
    let listed = look.before.table(target);
    let missing = listed
        .is_some_and(|table| (table.complete && column(Some(table), name).is_none()) || table.absent.contains(name));
    if missing && if_exists {
        return;
    }
    if only {
        // The direct children are told that the column is now theirs.
        for child in look.before.children_of(target) {
            look.lock(row, &child, row.lock);
        }
    }
    look.lose(target, Some(name));
    for child in family.iter().filter(|child| *child != target) {
        // Only where the child really loses it: one that has the column of its own keeps it.
        let lost = column(look.before.table(child), name).is_some() && column(look.after.table(child), name).is_none();
        if lost {
            look.lose(child, Some(name));
        }
    }
    dropping::reached(look, row);
}

pub(super) fn set_type(
    look: &mut Look<'_>,
    row: &'static Row,
    family: &[Name],
    name: &str,
    new: &TypeName,
    collation: Option<&Name>,
    using: Option<&Expr>,
) {
    for target in family {
        other_side(look, row, target, name);
        if look.before.is_partitioned(target) {
            continue;
        }
        one_type(look, row, target, name, new, collation, using);
    }
}

fn one_type(
    look: &mut Look<'_>,
    row: &'static Row,
    target: &Name,
    name: &str,
    new: &TypeName,
    collation: Option<&Name>,
    using: Option<&Expr>,
) {
    let listed = column(look.before.table(target), name);
    if matches!(look.before.relation(target), Some(Relation::Table(table)) if table.foreign == Fact::Known(true)) {
        return;
    }
    let Some(Fact::Known(old)) = listed.map(|column| &column.data_type) else {
        look.unknown(format!(
            "the type of {target}.{name} before the change is not known: taken for one that is stored otherwise"
        ));
        look.work(
            row,
            target,
            Work::Rewrite,
            format!("TYPE {} rewrites {target} unless {name} is of a type that is stored alike", rewrite::shown(new)),
        );
        look.lose_value(target, Some(name));
        return;
    };
    let virtual_column = listed
        .and_then(|column| column.generated.known())
        .and_then(Option::as_ref)
        .is_some_and(|generated| !generated.stored);
    if let Some(what) = narrowing::loses(look.before, name, old, new, using)
        && !virtual_column
    {
        look.lose_value(target, Some(name));
        look.unknown(what);
    }
    let change = rewrite::of_type_change(look.before, name, old, new, using);
    let (old, new_shown) = (old.clone(), rewrite::shown(new));
    match change {
        Change::Rewritten(why) if !virtual_column => {
            look.work(
                row,
                target,
                Work::Rewrite,
                format!("ALTER COLUMN {name} TYPE {new_shown} rewrites {target}: {why}"),
            );
            return;
        }
        Change::KeptInUtc if !virtual_column => {
            look.unknown(format!(
                "ALTER COLUMN {name} TYPE {new_shown} rewrites {target} unless the session's TimeZone is UTC"
            ));
            if look.open() {
                look.work(
                    row,
                    target,
                    Work::Rewrite,
                    format!(
                        "ALTER COLUMN {name} TYPE {new_shown} rewrites {target} unless the session's TimeZone is UTC"
                    ),
                );
                return;
            }
        }
        _ => {}
    }
    if let Some(check) = enforced_check_on(look.before.table(target), name) {
        look.work(
            row,
            target,
            Work::Scan,
            format!("the CHECK {check} uses {name} and is checked again for every row of {target}"),
        );
    }
    let old_collation = listed.and_then(|column| column.collation.known()).and_then(Option::as_ref);
    let collation_changes = match (old_collation, collation) {
        (None, None) => false,
        (Some(old), Some(new)) => old.name != new.name,
        (Some(old), None) => old.name != "default",
        (None, Some(new)) => new.name != "default",
    };
    let family_changes = rewrite::operator_family(look.before, &old) != rewrite::operator_family(look.before, new);
    let rebuilt: Vec<String> = look
        .before
        .indexes_using_column(target, name)
        .into_iter()
        .filter(|(_, index)| {
            let keys = index.columns.known();
            let plain = keys.is_some_and(|keys| keys.iter().all(Option::is_some)) && index.predicate.is_none();
            let is_key = keys.is_none_or(|keys| keys.iter().flatten().any(|key| key == name));
            // The parent's index is made again, and this one with it, under no file of before. `array_ops` of GIN is
            // polymorphic and keeps elements, which no column's type is (`CheckIndexCompatible`).
            let elements = is_key && index.method == "gin" && old.array > 0;
            !plain || elements || (is_key && (collation_changes || family_changes)) || index.parent.is_some()
        })
        .map(|(index, _)| index.to_string())
        .collect();
    if let Some(first) = rebuilt.first() {
        look.work(row, target, Work::IndexBuild, format!("the index {first} over {name} is built again"));
    }
    if look.before.table(target).is_none_or(|table| !table.complete) && look.open() {
        look.unknown(format!("which CHECKs and indexes of {target} use {name} is not known: those with an expression or predicate are checked or built again"));
    }
}

/// An enforced, validated CHECK of the table over the column.
fn enforced_check_on(table: Option<&Table>, name: &str) -> Option<String> {
    table?.constraints.iter().find_map(|(constraint, listed)| match &listed.kind {
        Fact::Known(ConstraintKind::Check(expression))
            if listed.enforced
                && listed.validated != Fact::Known(false)
                && expression.columns.iter().any(|column| column == name) =>
        {
            Some(constraint.clone())
        }
        _ => None,
    })
}

/// The foreign keys of the column, from it and to it, are made again: their other tables are locked.
fn other_side(look: &mut Look<'_>, row: &'static Row, target: &Name, name: &str) {
    let mut others = Vec::new();
    for key in look.before.foreign_keys_of(target) {
        if key.key.columns.iter().any(|column| column == name) {
            others.push(key.key.references.clone());
        }
    }
    for key in look.before.foreign_keys_to(target) {
        let referenced = referenced_columns(look.before.table(target), key.key);
        if referenced.iter().any(|column| column == name) {
            others.push(key.table.clone());
        }
    }
    for other in others {
        let other = look.resolve(&other);
        look.lock_because(row, &other, row.second(), || {
            format!("the foreign key between {target} and {other} uses {name} and is made again")
        });
    }
}

/// The referenced columns of a foreign key: those of the primary key where it names none.
pub(super) fn referenced_columns(table: Option<&Table>, key: &crate::sql::ast::ForeignKey) -> Vec<String> {
    if !key.referenced_columns.is_empty() {
        return key.referenced_columns.clone();
    }
    let primary = table.and_then(|table| {
        table.constraints.values().find_map(|constraint| match &constraint.kind {
            Fact::Known(ConstraintKind::PrimaryKey { columns, .. }) => Some(columns.clone()),
            _ => None,
        })
    });
    primary.unwrap_or_default()
}

pub(super) fn set_not_null(look: &mut Look<'_>, row: &'static Row, family: &[Name], name: &str, dropped: &[&str]) {
    for target in look.with_storage(family) {
        match proof::of_not_null(look, &target, name, dropped) {
            proof::Proof::Proved => {}
            proof::Proof::Missing => {
                look.work(
                    row,
                    &target,
                    row.work,
                    format!("SET NOT NULL reads every row of {target}: no valid CHECK proves that {name} is not null"),
                );
            }
            proof::Proof::Unknown => {
                look.unknown(format!(
                    "whether a valid CHECK of {target} proves that {name} is not null is not known: taken for not"
                ));
                look.work(
                    row,
                    &target,
                    row.work,
                    format!(
                        "SET NOT NULL reads every row of {target} unless a valid CHECK proves that {name} is not null"
                    ),
                );
            }
        }
    }
}

pub(super) fn set_expression(look: &mut Look<'_>, row: &'static Row, family: &[Name], name: &str, _expression: &Expr) {
    for target in look.with_storage(family) {
        let table = look.before.table(&target);
        let generated = column(table, name).and_then(|column| column.generated.known()).and_then(Option::as_ref);
        match generated {
            Some(generated) if !generated.stored => {
                if let Some(check) = enforced_check_on(table, name) {
                    look.work(
                        row,
                        &target,
                        Work::Scan,
                        format!("the CHECK {check} uses {name} and is checked again for every row of {target}"),
                    );
                }
            }
            Some(_) => {
                look.lose_value(&target, Some(name));
                look.work(
                    row,
                    &target,
                    Work::Rewrite,
                    format!("SET EXPRESSION of a stored column writes every row of {target} again"),
                );
            }
            None => {
                look.unknown(format!("whether {target}.{name} is stored or virtual is not known: taken for stored"));
                look.work(
                    row,
                    &target,
                    Work::Rewrite,
                    format!("SET EXPRESSION of a stored column writes every row of {target} again"),
                );
            }
        }
    }
}

pub(super) fn drop_identity(look: &mut Look<'_>, row: &'static Row, target: &Name, name: &str) {
    for sequence in look.before.sequences_owned_by(target, Some(name)) {
        if look.before.sequence(&sequence).is_some_and(|sequence| sequence.identity) {
            look.lock(row, &sequence, row.second());
            look.lose_value(&sequence, None);
        }
    }
}

pub(super) fn set_identity(
    look: &mut Look<'_>,
    row: &'static Row,
    target: &Name,
    name: &str,
    options: &SequenceOptions,
) {
    let changes = options.data_type.is_some() || !options.settings.is_empty() || options.restart.is_some();
    if !changes {
        return;
    }
    for sequence in look.before.sequences_owned_by(target, Some(name)) {
        look.lock(row, &sequence, LockClass::ShareRowExclusive);
        if options.restart.is_some() {
            look.lose_value(&sequence, None);
        }
    }
}

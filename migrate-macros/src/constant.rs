//! Writes what is known of a migration into constants, through the functions of `migrate_core::__private::v1`.
//!
//! As text, which the compiler's own lexer reads: a token that is handed over by itself costs a macro that was built without
//! optimisation, as all are in a debug build, more than everything else that is done for it.

use crate::ast::{Migration, StepKind};
use migrate_core::sql::{
    LostData,
    check::{
        Checked, CheckedConcurrent, CheckedDown, CheckedDownStatement, CheckedEffect, CheckedName, CheckedObject,
        CheckedProperty, CheckedStep, NewSince,
    },
};
use proc_macro2::TokenStream;

/// The `Meta` of a migration, as an expression.
pub(crate) fn meta(migration: &Migration, checked: &Checked, attributes: &[usize]) -> TokenStream {
    let head = &migration.head;
    let phase = head.phase.value().map_or("Contract", |phase| phase.name());
    let lock = head.lock.value().map_or("AccessExclusive", |lock| lock.name());
    let written = attributes.iter().map(|&attribute| &migration.steps[attribute].kind);
    let steps = written.zip(&checked.steps).map(|(written, checked)| step(written, checked));
    let meta = format!(
        "__v1::meta({version}, {name}, ::core::concat!(::core::module_path!(), \" (\", ::core::file!(), \")\"), {doc}, \
         __v1::phases::{phase}, __v1::locks::{lock}, {transactional}, {digest}, {steps})",
        version = head.version.value().copied().unwrap_or_default(),
        name = literal(&migration.ident.to_string()),
        doc = literal(&migration.doc),
        transactional = head.transactional.value().copied().unwrap_or(true),
        digest = literal(&checked.digest),
        steps = slice(steps),
    );
    let plain = head.pg.value().is_none()
        && migration.destructive.is_none()
        && head.allows.is_empty()
        && head.supersedes.value().is_none()
        && head.accept_late.value().is_none()
        && head.deploy_from.value().is_none()
        && checked.new_since.is_empty();
    if plain {
        return tokens(&meta);
    }
    let destructive = migration.destructive.as_ref().and_then(|destructive| {
        let backup = destructive.backup.value()?.name();
        let (name, digest) = destructive.approved.value()?.rsplit_once('@')?;
        let (name, digest) = (literal(name.trim()), literal(digest.trim()));
        Some(format!("__v1::destructive(__v1::Backup::{backup}, {name}, {digest})"))
    });
    let allows = head.allows.iter().map(|allow| {
        let hazard = literal(&allow.hazard.value.replace('_', "-"));
        let reason = literal(allow.reason.value().map_or("", String::as_str));
        format!("__v1::Allow {{ hazard: {hazard}, reason: {reason} }}")
    });
    let new_since = checked
        .new_since
        .iter()
        .map(|NewSince { key, relation, because }| format!("({key}, {}, {})", literal(relation), literal(because)));
    tokens(&format!(
        "__v1::meta_with({meta}, {pg}, {destructive}, {allows}, {supersedes}, {accept_late}, {deploy_from}, {new_since})",
        pg = head.pg.value().map_or_else(
            || "__v1::PgRange::SUPPORTED".to_owned(),
            |range| format!("__v1::pg_range({}, {})", range.min(), range.max())
        ),
        destructive = option(destructive),
        allows = slice(allows),
        supersedes = slice(head.supersedes.value().into_iter().flatten().map(|digest| literal(digest))),
        accept_late = option(head.accept_late.value().map(|reason| literal(reason))),
        deploy_from = option(head.deploy_from.value().map(ToString::to_string)),
        new_since = slice(new_since),
    ))
}

/// The effects, as a slice.
pub(crate) fn effect_list(effects: &[CheckedEffect]) -> TokenStream {
    tokens(&self::effects(effects))
}

/// The names of a baseline's objects, as a slice.
pub(crate) fn name_list(names: &[CheckedName]) -> TokenStream {
    let text = |text: &String| literal(text);
    tokens(&slice(names.iter().map(|CheckedName { owner, name, arguments }| {
        let owner = owner
            .as_ref()
            .map(|owner| format!("({}, {})", option(owner.schema.as_ref().map(text)), literal(&owner.name)));
        format!(
            "__v1::ObjectName {{ schema: {schema}, owner: {owner}, name: {name}, arguments: {arguments} }}",
            schema = option(name.schema.as_ref().map(text)),
            owner = option(owner),
            name = literal(&name.name),
            arguments = option(arguments.as_ref().map(|arguments| slice(arguments.iter().map(text)))),
        )
    })))
}

fn step(written: &StepKind, checked: &CheckedStep) -> String {
    let CheckedStep {
        up,
        down,
        phase,
        lock,
        locks,
        work,
        transactional,
        destructive,
        effects,
        makes,
        restores,
        destroys,
        concurrent,
        notes,
    } = checked;
    let kind = match written {
        StepKind::Statement { .. } | StepKind::Sync(_) => "__v1::StepKind::Statement".to_owned(),
        StepKind::Backfill(backfill) if backfill.in_rust() => format!(
            "__v1::StepKind::Backfill(__v1::backfill_rows({table}, {key}, {batch}, {read}, {write}, {filter}))",
            table = literal(backfill.table.value().map_or("", String::as_str)),
            key = slice(backfill.key.value().into_iter().flatten().map(|column| literal(column))),
            batch = backfill.batch.value().copied().unwrap_or_default(),
            read = slice(backfill.read.value().into_iter().flatten().map(|column| literal(column))),
            write = slice(backfill.write.value().into_iter().flatten().map(|column| literal(column))),
            filter = literal(backfill.filter.value().map_or("", String::as_str)),
        ),
        StepKind::Backfill(backfill) => format!(
            "__v1::StepKind::Backfill(__v1::backfill({table}, {key}, {batch}, {set}, {filter}))",
            table = literal(backfill.table.value().map_or("", String::as_str)),
            key = slice(backfill.key.value().into_iter().flatten().map(|column| literal(column))),
            batch = backfill.batch.value().copied().unwrap_or_default(),
            set = literal(backfill.set.value().map_or("", String::as_str)),
            filter = literal(backfill.filter.value().map_or("", String::as_str)),
        ),
    };
    let down = match down {
        CheckedDown::Sql(list) => format!("__v1::Down::Sql({})", slice(list.iter().map(down_statement))),
        CheckedDown::Keep(reason) => format!("__v1::Down::Keep({})", literal(reason)),
        CheckedDown::Nothing(reason) => format!("__v1::Down::Nothing({})", literal(reason)),
        CheckedDown::Irreversible(reason) => format!("__v1::Down::Irreversible({})", literal(reason)),
    };
    let locks = locks.iter().map(|(relation, lock)| format!("({}, __v1::locks::{})", literal(relation), lock.name()));
    let step = format!(
        "__v1::step({kind}, {up}, {down}, __v1::phases::{phase}, __v1::locks::{lock}, {locks}, __v1::works::{work}, \
         {transactional}, {destructive}, {effects})",
        up = literal(up),
        phase = phase.name(),
        lock = lock.name(),
        locks = slice(locks),
        work = work.name(),
        effects = self::effects(effects),
    );
    let step = if makes.is_empty() && restores.is_empty() {
        step
    } else {
        format!("__v1::step_known({step}, {}, {})", properties(makes), properties(restores))
    };
    if destroys.is_empty() && concurrent.is_none() && notes.is_empty() {
        return step;
    }
    format!(
        "__v1::step_with({step}, {}, {}, {})",
        losses(destroys),
        self::concurrent(concurrent.as_ref()),
        slice(notes.iter().map(|note| literal(note)))
    )
}

fn down_statement(statement: &CheckedDownStatement) -> String {
    let CheckedDownStatement { sql, lock, work, transactional, destroys, concurrent, hazards, effects } = statement;
    let down = format!(
        "__v1::down({}, __v1::locks::{}, __v1::works::{}, {transactional}, {})",
        literal(sql),
        lock.name(),
        work.name(),
        self::effects(effects)
    );
    if destroys.is_empty() && concurrent.is_none() && hazards.is_empty() {
        return down;
    }
    format!(
        "__v1::down_with({down}, {}, {}, {})",
        losses(destroys),
        self::concurrent(concurrent.as_ref()),
        slice(hazards.iter().map(|hazard| literal(hazard)))
    )
}

fn effects(effects: &[CheckedEffect]) -> String {
    slice(effects.iter().map(|effect| {
        let CheckedEffect { kind, verb, object, definition, id, to, to_name, columns_listed } = effect;
        format!(
            "__v1::effect(__v1::effects::{}, __v1::verbs::{verb:?}, {}, {}, {}, {to}, {}, {columns_listed})",
            kind.name(),
            literal(object),
            literal(definition),
            object_key(id),
            literal(to_name),
        )
    }))
}

fn object_key(id: &CheckedObject) -> String {
    let CheckedObject { space, key, name, owner, owner_name } = id;
    format!("__v1::object(__v1::spaces::{space:?}, {key}, {}, {owner}, {})", literal(name), literal(owner_name))
}

/// The properties, as a slice.
pub(crate) fn property_list(properties: &[CheckedProperty]) -> TokenStream {
    tokens(&self::properties(properties))
}

fn properties(properties: &[CheckedProperty]) -> String {
    slice(properties.iter().map(|property| {
        let CheckedProperty {
            id,
            object,
            what,
            what_key,
            text,
            sql,
            strict,
            strict_key,
            loose_key,
            constants_key,
            reworded,
            mentions,
            with,
        } = property;
        format!(
            "__v1::property({}, {}, ({}, {what_key}), {}, {}, ({}, {strict_key}), {loose_key}, {constants_key}, {reworded}, \
             {mentions}, {})",
            object_key(id),
            literal(object),
            literal(what),
            literal(text),
            literal(sql),
            literal(strict),
            slice(with.iter().map(object_key)),
        )
    }))
}

fn losses(losses: &[LostData]) -> String {
    slice(losses.iter().map(|loss| {
        let column = option(loss.column.as_deref().map(|column| literal(&migrate_core::sql::quoted(column))));
        format!(
            "__v1::Loss {{ relation: {}, column: {column}, cascades: {} }}",
            literal(&loss.relation.to_string()),
            loss.cascades
        )
    }))
}

fn concurrent(concurrent: Option<&CheckedConcurrent>) -> String {
    option(concurrent.map(|CheckedConcurrent { action, name, table }| {
        format!(
            "__v1::Concurrent {{ action: __v1::ConcurrentAction::{action:?}, schema: {}, name: {}, table: {} }}",
            option(name.schema.as_deref().map(literal)),
            literal(&name.name),
            option(table.as_ref().map(|table| literal(&table.to_string())))
        )
    }))
}

/// The text as a string literal: what `Debug` escapes, Rust reads.
fn literal(text: &str) -> String {
    format!("{text:?}")
}

fn slice(items: impl Iterator<Item = String>) -> String {
    format!("&[{}]", items.collect::<Vec<_>>().join(", "))
}

fn option(value: Option<String>) -> String {
    value.map_or_else(
        || "::core::option::Option::None".to_owned(),
        |value| format!("::core::option::Option::Some({value})"),
    )
}

/// Read by the compiler's own lexer, without the check that `proc_macro2` makes before it. Tests have no compiler around them.
fn tokens(text: &str) -> TokenStream {
    let read = if proc_macro::is_available() {
        text.parse::<proc_macro::TokenStream>().map(Into::into).ok()
    } else {
        text.parse().ok()
    };
    read.expect("what is written here is Rust: every text in it is a literal")
}

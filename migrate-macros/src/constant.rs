//! Writes what is known of a migration into constants, through the functions of `migrate_core::__private::v1`: what it declares
//! by name, and what was found out of its steps as the lists of [`Words`].
//!
//! As text, which the compiler's own lexer reads: a token that is handed over by itself costs a macro that was built without
//! optimisation, as all are in a debug build, more than everything else that is done for it.

use crate::ast::{Migration, StepKind};
use migrate_core::sql::check::{Checked, CheckedBaseline, Filling, NewSince, Words};
use proc_macro2::TokenStream;
use std::fmt::Write;

/// The `Meta` of a migration, as an expression.
pub(crate) fn meta(migration: &Migration, checked: &Checked, attributes: &[usize]) -> TokenStream {
    let head = &migration.head;
    let phase = head.phase.value().map_or("Contract", |phase| phase.name());
    let lock = head.lock.value().map_or("AccessExclusive", |lock| lock.name());
    let written = attributes.iter().map(|&attribute| &migration.steps[attribute].kind);
    let steps = Words::of_steps(checked, written.map(filling));
    let meta = format!(
        "__v1::meta({version}, {name}, ::core::concat!(::core::module_path!(), \" (\", ::core::file!(), \")\"), {doc}, \
         __v1::phases::{phase}, __v1::locks::{lock}, {transactional}, {digest}, {steps})",
        version = head.version.value().copied().unwrap_or_default(),
        name = literal(&migration.ident.to_string()),
        doc = literal(&migration.doc),
        transactional = head.transactional.value().copied().unwrap_or(true),
        digest = literal(&checked.digest),
        steps = words(&steps),
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
        .map(|NewSince { key, relation, because, .. }| format!("({key}, {}, {})", literal(relation), literal(because)));
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

/// What is known of a baseline's objects.
pub(crate) fn baseline(checked: &CheckedBaseline) -> TokenStream {
    tokens(&words(&Words::of_baseline(checked)))
}

fn words(words: &Words) -> String {
    let mut out = String::from("__v1::written(&[");
    for number in words.trace() {
        let _ = write!(out, "{number},");
    }
    let _ = write!(out, "], b\"{}\", {})", words.told().escape_ascii(), literal(words.texts()));
    out
}

fn filling(written: &StepKind) -> Option<Filling<'_>> {
    let StepKind::Backfill(backfill) = written else { return None };
    Some(Filling {
        table: backfill.table.value().map_or("", String::as_str),
        key: backfill.key.value().map_or(&[], Vec::as_slice),
        batch: backfill.batch.value().copied().unwrap_or_default(),
        set: backfill.set.value().map_or("", String::as_str),
        read: backfill.read.value().map_or(&[], Vec::as_slice),
        write: backfill.write.value().map_or(&[], Vec::as_slice),
        filter: backfill.filter.value().map_or("", String::as_str),
    })
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

//! Reads a struct's attributes. Every mistake is noted and reading goes on, so that one compile shows them all.

use crate::{
    args::{Arg, Args, Form, Format},
    ast::{Allow, Assume, Backfill, Bind, Destructive, Down, Given, Head, Migration, Slot, Sql, Step, StepKind, Sync},
    ctxt::Ctxt,
    value,
};
use migrate_core::{model, sql::similar};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, Index, Lit, LitStr, Member, Meta, Path, parse::Parser,
    parse2,
};

const MIGRATION: Format = Format {
    title: "`#[migration]`",
    keys: &[
        "version",
        "phase",
        "lock",
        "transactional",
        "pg",
        "allow",
        "supersedes",
        "accept_late",
        "deploy_from",
        "crate",
    ],
    repeatable: &["allow"],
    example: "`#[migration(version = 2026_03_01_0900, phase = Expand, lock = AccessExclusive)]`",
};

const STEP: Format = Format {
    title: "`#[step]`",
    keys: &["up", "up_file", "down", "down_file", "assume"],
    repeatable: &[],
    example: "`#[step(up = \"ALTER TABLE …\", down = \"ALTER TABLE …\")]`",
};

const BACKFILL: Format = Format {
    title: "`#[backfill]`",
    keys: &["table", "key", "batch", "set", "read", "write", "filter", "down", "down_file"],
    repeatable: &[],
    example: "`#[backfill(table = \"orders\", key = \"id\", batch = 10_000, set = \"status = $1\", \
              filter = \"status IS NULL\", down = keep(\"why the rows may stay\"))]`, or with \
              `read = \"full_name\", write = \"first_name, last_name\"` in place of `set` and an `impl RowBackfill`",
};

const SYNC: Format = Format {
    title: "`#[sync]`",
    keys: &["drop", "table", "old", "new", "forward", "backward"],
    repeatable: &[],
    example: "`#[sync(table = \"users\", old = \"full_name\", new = \"first_name, last_name\", forward = [\"split_part(full_name, \
              ' ', 1)\", \"…\"], backward = \"concat_ws(' ', first_name, last_name)\")]`, and `#[sync(drop, …)]` with the same to \
              take it away",
};

const DESTRUCTIVE: Format = Format {
    title: "`#[destructive]`",
    keys: &["backup", "approved"],
    repeatable: &[],
    example: "`#[destructive(backup = Dump, approved = \"NAME @ …\")]`, where `approved` is written by the program `approve`",
};

const ALLOW: Format = Format {
    title: "`allow`",
    keys: &["reason"],
    repeatable: &[],
    example: "`allow(index_not_concurrent, reason = \"the table has no rows before the launch\")`",
};

const ASSUME: Format = Format {
    title: "`assume`",
    keys: &["lock", "phase", "transactional", "destructive", "effects", "reason"],
    repeatable: &[],
    example: "`assume(lock = None, phase = Expand, effects = \"what it changes\", reason = \"how that is known\")`; \
              what it does not state counts as the worst",
};

/// Where a key belongs that stands in an attribute which does not have it.
pub(crate) fn home_of(key: &str) -> Option<String> {
    let attributes = [&MIGRATION, &STEP, &BACKFILL, &SYNC, &DESTRUCTIVE];
    if let Some(own) = attributes.iter().find(|format| format.title == format!("`#[{key}]`")) {
        return Some(format!("; it is an attribute of its own, {}", own.example));
    }
    let home = attributes.iter().find(|format| format.keys.contains(&key))?;
    Some(match key {
        "allow" => format!(
            "; it belongs to {} and holds for all steps: `#[migration(…, {})]`",
            home.title,
            ALLOW.example.trim_matches('`')
        ),
        _ => format!("; it belongs to {}", home.title),
    })
}

/// How rows in a batch are counted where the attribute says nothing.
const DEFAULT_BATCH: u32 = 10_000;

/// Reads a struct. Nothing comes back where there is no struct to speak of.
pub(crate) fn migration(input: &DeriveInput, ctxt: &Ctxt) -> Option<Migration> {
    let shape = shape(input, ctxt);
    let mut head = None;
    let mut destructive: Option<Destructive> = None;
    let mut steps = Vec::new();
    let mut doc = Vec::new();
    for attribute in &input.attrs {
        let Some(ident) = attribute.path().get_ident() else { continue };
        match ident.to_string().as_str() {
            "migration" if head.is_none() => head = Some(read_head(attribute, ctxt)),
            "destructive" if destructive.is_none() => destructive = Some(read_destructive(attribute, ctxt)),
            once @ ("migration" | "destructive") => {
                ctxt.error(ident, format!("`#[{once}]` is given twice; keep one of the two"));
            }
            "step" => steps.push(read_step(attribute, ctxt)),
            "backfill" => steps.push(read_backfill(attribute, ctxt)),
            "sync" => steps.push(read_sync(attribute, ctxt)),
            "bind" => ctxt.error(attribute, "`#[bind(\"…\")]` belongs on a field, whose value it binds to a parameter"),
            "doc" => doc.extend(doc_line(attribute)),
            _ => {}
        }
    }
    let in_rust = steps.iter().filter(|step| matches!(&step.kind, StepKind::Backfill(backfill) if backfill.in_rust()));
    for second in in_rust.skip(1) {
        let message = "a struct converts rows in one way, and this is its second backfill with `read` and `write`; give it a \
                       struct of its own";
        ctxt.error(&second.name, message);
    }
    if head.is_none() {
        let message = format!("`{}` has no `#[migration]` attribute", input.ident);
        ctxt.error(&input.ident, MIGRATION.message(&message));
    }
    if steps.is_empty() {
        let message = format!("`{}` has no step: a migration is at least one `#[step]` or `#[backfill]`", input.ident);
        ctxt.error(&input.ident, STEP.message(&message));
    }
    shape.map(|binds| Migration {
        ident: input.ident.clone(),
        doc: doc.join("\n").trim().to_owned(),
        head: head.unwrap_or_default(),
        steps,
        destructive,
        binds,
        meant: input.attrs.iter().flat_map(meant_allows).collect(),
    })
}

/// The path of the library in `#[migration(crate = …)]`, for structs that are refused.
pub(crate) fn library(input: &DeriveInput) -> Option<Path> {
    let quiet = Ctxt::new();
    let attribute = input.attrs.iter().find(|attribute| attribute.path().is_ident("migration"));
    let path =
        attribute.and_then(|attribute| read_head(attribute, &quiet).krate.given().map(|path| path.value.clone()));
    // These errors are shown by the reading that this one repeats.
    drop(quiet.finish());
    path
}

/// The fields of a struct without generics; everything else is refused.
fn shape(input: &DeriveInput, ctxt: &Ctxt) -> Option<Vec<Bind>> {
    let ident = &input.ident;
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            let message = format!(
                "a migration is a struct, and `{ident}` is an enum: its text must be one and the same wherever it runs; \
                 write a struct for each variant and list them in `migrations!`"
            );
            ctxt.error(data.enum_token, message);
            return None;
        }
        Data::Union(data) => {
            ctxt.error(data.union_token, format!("a migration is a struct, and `{ident}` is a union; write `struct`"));
            return None;
        }
    };
    if !input.generics.params.is_empty() || input.generics.where_clause.is_some() {
        let message = format!(
            "a migration has no generics: `{ident}` must be one type with one text and one version; \
             use `&'static str` for a borrowed field and a concrete type for a parameter"
        );
        let generics = &input.generics;
        let place = if generics.params.is_empty() { quote!(#ident) } else { quote!(#generics) };
        ctxt.error(place, message);
        return None;
    }
    Some(fields.iter().enumerate().map(|(index, field)| read_field(index, field, fields, ctxt)).collect())
}

fn read_field(index: usize, field: &syn::Field, fields: &Fields, ctxt: &Ctxt) -> Bind {
    let place = match fields {
        Fields::Named(_) => field.ident.to_token_stream(),
        _ => field.ty.to_token_stream(),
    };
    let member = field.ident.clone().map_or_else(|| Member::Unnamed(Index::from(index)), Member::Named);
    let what = match &member {
        Member::Named(ident) => format!("field `{ident}`"),
        Member::Unnamed(_) => format!("field {}", index + 1),
    };
    let format = "`#[bind(\"text\")]`, with the PostgreSQL type of the parameter";
    let mut sql_type = Slot::Absent;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("bind")) {
        let literal = match &attribute.meta {
            Meta::List(list) => parse2::<LitStr>(list.tokens.clone()).ok(),
            _ => None,
        };
        sql_type = match literal {
            _ if !sql_type.is_absent() => {
                ctxt.error(attribute.path(), format!("`#[bind]` is given twice on {what}; keep one of the two"));
                Slot::Refused
            }
            Some(literal) if !literal.value().trim().is_empty() => {
                Slot::Given(Given { value: literal.value().trim().to_owned(), tokens: literal.to_token_stream() })
            }
            _ => {
                let message = format!("`#[bind]` names the type in quotes\nthe correct format looks like {format}");
                ctxt.error(attribute, message);
                Slot::Refused
            }
        };
    }
    if sql_type.is_absent() {
        let parameter = index + 1;
        let message = format!(
            "{what} is not bound to a parameter: every field of a migration is one, in order, and this would be ${parameter}\n\
             the correct format looks like {format}"
        );
        ctxt.error(&place, message);
        sql_type = Slot::Refused;
    }
    Bind { member, place, sql_type }
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else { return None };
    let text = text.value();
    Some(text.strip_prefix(' ').unwrap_or(&text).trim_end().to_owned())
}

fn read_head(attribute: &Attribute, ctxt: &Ctxt) -> Head {
    let mut args = Args::of_attribute(attribute, &MIGRATION, ctxt);
    let mut head = Head {
        name: attribute.path().to_token_stream(),
        version: value_of(&mut args, "version", &MIGRATION, ctxt, value::version),
        phase: value_of(&mut args, "phase", &MIGRATION, ctxt, phase),
        lock: value_of(&mut args, "lock", &MIGRATION, ctxt, lock),
        transactional: value_of(&mut args, "transactional", &MIGRATION, ctxt, value::bool),
        pg: value_of(&mut args, "pg", &MIGRATION, ctxt, value::pg),
        allows: Vec::new(),
        supersedes: value_of(&mut args, "supersedes", &MIGRATION, ctxt, digests),
        accept_late: value_of(&mut args, "accept_late", &MIGRATION, ctxt, value::text),
        deploy_from: value_of(&mut args, "deploy_from", &MIGRATION, ctxt, value::version),
        krate: value_of(&mut args, "crate", &MIGRATION, ctxt, |tokens| {
            Parser::parse2(Path::parse_mod_style, tokens.clone()).map_err(|_| {
                Error::new_spanned(
                    tokens,
                    "expected the path of `migrate_pg` without quotes: `crate = ::shop::migrate_pg`",
                )
            })
        }),
    };
    while let Some(arg) = args.take("allow") {
        head.allows.extend(ctxt.ok(arg.list(&ALLOW)).and_then(|list| read_allow(list.value, &list.tokens, ctxt)));
    }
    for (key, absent) in
        [("version", head.version.is_absent()), ("phase", head.phase.is_absent()), ("lock", head.lock.is_absent())]
    {
        if absent {
            ctxt.error(&head.name, MIGRATION.message(&format!("`#[migration]` does not say its `{key}`")));
        }
    }
    head
}

/// The hazards of the `allow`s in this attribute, however they are written, that are not read as what they say.
fn meant_allows(attribute: &Attribute) -> Vec<String> {
    let Meta::List(list) = &attribute.meta else { return Vec::new() };
    let in_its_place = attribute.path().is_ident("migration");
    let ours =
        ["migration", "step", "backfill", "sync", "destructive"].iter().any(|name| attribute.path().is_ident(name));
    let pieces = if ours { crate::args::split_at_commas(list.tokens.clone()) } else { Vec::new() };
    let meant = |piece: TokenStream| {
        let mut trees = piece.into_iter();
        if !matches!(trees.next(), Some(TokenTree::Ident(key)) if key == "allow") {
            return None;
        }
        // `allow(…)`, or `allow = …`.
        let (named, well_formed) = match trees.next() {
            Some(TokenTree::Group(group)) => {
                let first = crate::args::split_at_commas(group.stream()).into_iter().next()?;
                let well_formed = parse2::<syn::Ident>(first.clone()).is_ok();
                (first, well_formed)
            }
            _ => (trees.collect(), false),
        };
        let name = named.to_string().replace([' ', '"'], "").replace('-', "_");
        (!(in_its_place && well_formed)).then_some(name)
    };
    pieces.into_iter().filter_map(meant).collect()
}

/// `allow(hazard, reason = "…")`: the name comes first, the rest are keys.
fn read_allow(list: TokenStream, key: &TokenStream, ctxt: &Ctxt) -> Option<Allow> {
    let mut pieces = crate::args::split_at_commas(list).into_iter();
    let first = pieces.next().unwrap_or_default();
    let Ok(hazard) = parse2::<syn::Ident>(first.clone()) else {
        let hyphens = first.to_string().replace(' ', "");
        let hint = if hyphens.contains('-') && parse2::<LitStr>(first.clone()).is_err() {
            format!("a hazard is written with underscores here: `{}`", hyphens.replace('-', "_"))
        } else {
            "`allow` begins with the name of the hazard, without quotes".to_owned()
        };
        ctxt.error(if first.is_empty() { key.clone() } else { first }, ALLOW.message(&hint));
        return None;
    };
    let rest = pieces.flat_map(|piece| quote!(#piece,)).collect();
    let mut args = Args::split(rest, &ALLOW, ctxt);
    let reason = value_of(&mut args, "reason", &ALLOW, ctxt, value::text);
    if reason.is_absent() {
        let message = format!("`allow({hazard})` gives no reason; a reviewer needs one to judge it");
        ctxt.error(&first, ALLOW.message(&message));
    }
    Some(Allow { hazard: Given { value: hazard.to_string(), tokens: first }, reason })
}

fn read_step(attribute: &Attribute, ctxt: &Ctxt) -> Step {
    let mut args = Args::of_attribute(attribute, &STEP, ctxt);
    let name = attribute.path().to_token_stream();
    let up = text_or_file(
        &mut args,
        "up",
        &STEP,
        ctxt,
        |tokens| Ok(Sql::Text(value::string(tokens)?)),
        |tokens| Ok(Sql::File(value::text(tokens)?)),
    );
    if up.is_absent() {
        ctxt.error(&name, STEP.message("this step has no `up`: the one statement that it runs"));
    }
    let down = down(&mut args, &STEP, ctxt);
    let assume = match args.take("assume").map(|arg| arg.list(&ASSUME)) {
        None => missing(&args, "assume"),
        Some(list) => ctxt.ok(list).map_or(Slot::Refused, |list| {
            Slot::Given(Given { value: read_assume(list.value, &list.tokens, ctxt), tokens: list.tokens })
        }),
    };
    Step { name, down, kind: StepKind::Statement { up, assume } }
}

fn read_assume(list: TokenStream, key: &TokenStream, ctxt: &Ctxt) -> Assume {
    let mut args = Args::split(list, &ASSUME, ctxt);
    let assume = Assume {
        lock: value_of(&mut args, "lock", &ASSUME, ctxt, lock),
        phase: value_of(&mut args, "phase", &ASSUME, ctxt, phase),
        transactional: value_of(&mut args, "transactional", &ASSUME, ctxt, value::bool),
        destructive: value_of(&mut args, "destructive", &ASSUME, ctxt, value::bool),
        effects: value_of(&mut args, "effects", &ASSUME, ctxt, value::text),
        reason: value_of(&mut args, "reason", &ASSUME, ctxt, value::text),
    };
    if assume.reason.is_absent() {
        let message = "`assume` gives no reason; a reviewer needs one to judge what is taken on trust";
        ctxt.error(key, ASSUME.message(message));
    }
    assume
}

fn read_backfill(attribute: &Attribute, ctxt: &Ctxt) -> Step {
    let mut args = Args::of_attribute(attribute, &BACKFILL, ctxt);
    let name = attribute.path().to_token_stream();
    let mut batch = value_of(&mut args, "batch", &BACKFILL, ctxt, value::batch);
    if batch.is_absent() {
        batch = Slot::Given(Given { value: DEFAULT_BATCH, tokens: name.clone() });
    }
    let backfill = Backfill {
        table: value_of(&mut args, "table", &BACKFILL, ctxt, value::text),
        key: value_of(&mut args, "key", &BACKFILL, ctxt, value::columns),
        batch,
        set: value_of(&mut args, "set", &BACKFILL, ctxt, value::text),
        read: value_of(&mut args, "read", &BACKFILL, ctxt, value::columns),
        write: value_of(&mut args, "write", &BACKFILL, ctxt, value::columns),
        filter: value_of(&mut args, "filter", &BACKFILL, ctxt, value::string),
    };
    let (in_rust, no_set) = (backfill.in_rust(), backfill.set.is_absent());
    if in_rust && !no_set {
        let message = "what fills the rows is said twice: `set` is SQL, `read` and `write` are the columns of a conversion in \
                       Rust; keep one of the two";
        ctxt.error(backfill.set.tokens_or(&name), message);
    }
    for (key, absent) in [
        ("table", backfill.table.is_absent()),
        ("set", no_set && !in_rust),
        ("read", in_rust && no_set && backfill.read.is_absent()),
        ("write", in_rust && no_set && backfill.write.is_absent()),
    ] {
        if absent {
            ctxt.error(&name, BACKFILL.message(&format!("this backfill does not say its `{key}`")));
        }
    }
    Step { name, down: down(&mut args, &BACKFILL, ctxt), kind: StepKind::Backfill(backfill) }
}

fn read_sync(attribute: &Attribute, ctxt: &Ctxt) -> Step {
    let mut args = Args::of_attribute(attribute, &SYNC, ctxt);
    let name = attribute.path().to_token_stream();
    let drop = args.take("drop");
    if let Some(Arg { key, form: Form::Value(_) | Form::List(_) }) = &drop {
        ctxt.error(key, SYNC.message("`drop` stands alone, and says that the trigger is taken away"));
    }
    let expressions = |tokens: TokenStream| value::strings(tokens);
    let sync = Sync {
        drop: drop.is_some(),
        table: value_of(&mut args, "table", &SYNC, ctxt, value::text),
        old: value_of(&mut args, "old", &SYNC, ctxt, value::columns),
        new: value_of(&mut args, "new", &SYNC, ctxt, value::columns),
        forward: value_of(&mut args, "forward", &SYNC, ctxt, expressions),
        backward: value_of(&mut args, "backward", &SYNC, ctxt, expressions),
    };
    for (key, absent) in [
        ("table", sync.table.is_absent()),
        ("old", sync.old.is_absent()),
        ("new", sync.new.is_absent()),
        ("forward", sync.forward.is_absent()),
        ("backward", sync.backward.is_absent()),
    ] {
        if absent {
            ctxt.error(&name, SYNC.message(&format!("this `#[sync]` does not say its `{key}`")));
        }
    }
    Step { name, down: Slot::Absent, kind: StepKind::Sync(sync) }
}

fn read_destructive(attribute: &Attribute, ctxt: &Ctxt) -> Destructive {
    let mut args = Args::of_attribute(attribute, &DESTRUCTIVE, ctxt);
    Destructive {
        name: attribute.path().to_token_stream(),
        backup: value_of(&mut args, "backup", &DESTRUCTIVE, ctxt, |tokens| {
            value::name(tokens, "kind of backup", model::Backup::ALL, model::Backup::name)
        }),
        approved: value_of(&mut args, "approved", &DESTRUCTIVE, ctxt, value::string),
    }
}

/// What `down` and `down_file` say between them.
fn down(args: &mut Args, format: &Format, ctxt: &Ctxt) -> Slot<Down> {
    text_or_file(args, "down", format, ctxt, read_down, |tokens| Ok(Down::Sql(value::sql(tokens, Sql::File)?)))
}

fn read_down(tokens: TokenStream) -> syn::Result<Down> {
    const FORMS: &str = "a `down` is one of\n  \"ALTER TABLE …\"              one statement\n  [\"…\", \"…\"]                   \
                         several, in this order\n  derived                      where the reverse is mechanical, the macro writes it\n  \
                         nothing(\"why\")               where PostgreSQL has nothing to take back\n  keep(\"why\")                  \
                         for rows that a backfill filled";
    let mut trees = tokens.clone().into_iter();
    match (trees.next(), trees.next(), trees.next()) {
        (Some(TokenTree::Ident(word)), None, None) if word == "derived" => Ok(Down::Derived),
        (Some(TokenTree::Ident(word)), Some(TokenTree::Group(group)), None)
            if (word == "keep" || word == "nothing") && group.delimiter() == Delimiter::Parenthesis =>
        {
            if group.stream().is_empty() {
                return Err(Error::new_spanned(tokens, format!("`{word}` needs its reason: `{word}(\"why\")`")));
            }
            let reason = value::text(group.stream())?;
            Ok(if word == "keep" { Down::Keep(reason) } else { Down::Nothing(reason) })
        }
        (Some(TokenTree::Ident(word)), None, None) if word == "keep" || word == "nothing" => {
            Err(Error::new_spanned(tokens, format!("`{word}` needs its reason: `{word}(\"why\")`")))
        }
        (Some(TokenTree::Ident(word)), next, _) if !matches!(&next, Some(TokenTree::Punct(bang)) if bang.as_char() == '!') =>
        {
            let hint = similar::did_you_mean(&word.to_string(), ["derived", "keep", "nothing"]);
            Err(Error::new_spanned(tokens, format!("`{word}` is no way to reverse a step{hint}\n{FORMS}")))
        }
        _ => {
            let list = value::sql(tokens.clone(), Sql::Text)?;
            if let [Given { value: Sql::Text(text), tokens }] = list.as_slice()
                && let Some(word) = ["derived", "keep", "nothing"].iter().find(|word| is_call_of(text, word))
            {
                return Err(Error::new_spanned(
                    tokens,
                    format!("`{word}` is written without quotes around it; {FORMS}"),
                ));
            }
            if list.is_empty() {
                return Err(Error::new_spanned(tokens, format!("this list of statements is empty; {FORMS}")));
            }
            Ok(Down::Sql(list))
        }
    }
}

/// `keep`, or `keep(…)`.
fn is_call_of(text: &str, word: &str) -> bool {
    text.trim().strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.trim_start().starts_with('('))
}

/// The value of `key` or of `key_file`, of which there may be one.
fn text_or_file<T>(
    args: &mut Args,
    key: &str,
    format: &Format,
    ctxt: &Ctxt,
    text: impl FnOnce(TokenStream) -> syn::Result<T>,
    file: impl FnOnce(TokenStream) -> syn::Result<T>,
) -> Slot<T> {
    let file_key = format!("{key}_file");
    match (args.take(key), args.take(&file_key)) {
        (Some(_), Some(second)) => {
            ctxt.error(
                &second.key,
                format!("`{key}` and `{file_key}` are two places for the same SQL; keep one of the two"),
            );
            Slot::Refused
        }
        (Some(arg), None) => slot(arg, format, ctxt, text),
        (None, Some(arg)) => slot(arg, format, ctxt, file),
        (None, None) if args.was_meant(&file_key) => Slot::Refused,
        (None, None) => missing(args, key),
    }
}

fn missing<T>(args: &Args, key: &str) -> Slot<T> {
    if args.was_meant(key) { Slot::Refused } else { Slot::Absent }
}

fn value_of<T>(
    args: &mut Args,
    key: &str,
    format: &Format,
    ctxt: &Ctxt,
    read: impl FnOnce(TokenStream) -> syn::Result<T>,
) -> Slot<T> {
    match args.take(key) {
        Some(arg) => slot(arg, format, ctxt, read),
        None => missing(args, key),
    }
}

fn slot<T>(arg: Arg, format: &Format, ctxt: &Ctxt, read: impl FnOnce(TokenStream) -> syn::Result<T>) -> Slot<T> {
    let given = arg.value(format).and_then(|tokens| Ok(Given { value: read(tokens.clone())?, tokens }));
    ctxt.ok(given).map_or(Slot::Refused, Slot::Given)
}

fn phase(tokens: TokenStream) -> syn::Result<model::Phase> {
    value::name(tokens, "phase", model::Phase::ALL, model::Phase::name)
}

fn lock(tokens: TokenStream) -> syn::Result<model::LockClass> {
    value::name(tokens, "lock class", model::LockClass::ALL, model::LockClass::name)
}

/// `"v1:9f31c2ab5d04e877"`, or a list of such.
fn digests(tokens: TokenStream) -> syn::Result<Vec<String>> {
    let digests = value::strings(tokens)?;
    let read = |digest: Given<String>| {
        let well_formed = digest
            .value
            .strip_prefix("v1:")
            .is_some_and(|hex| hex.len() == 16 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        if well_formed {
            Ok(digest.value)
        } else {
            let message =
                "a digest is `v1:` and 16 hexadecimal digits, as the runner's error shows it and the ledger stores it";
            Err(Error::new_spanned(digest.tokens, message))
        }
    };
    digests.into_iter().map(read).collect()
}

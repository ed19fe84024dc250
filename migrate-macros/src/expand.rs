//! The implementations that the derive writes; the constants in them are `constant`'s.

use crate::{
    ast::Migration,
    attr, constant,
    ctxt::{Ctxt, compile_errors},
    files::Files,
    valid,
};
use migrate_core::sql::check::Checked;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Path, spanned::Spanned};

/// The expansion of the derive. A refused struct gets an implementation too, so that its errors are the only ones.
pub(crate) fn derive(input: &DeriveInput, files: &Files) -> TokenStream {
    let ctxt = Ctxt::new();
    let migration = attr::migration(input, &ctxt);
    let checked = migration.as_ref().and_then(|migration| valid::check(migration, files, &ctxt));
    let errors = ctxt.finish();
    match (migration, checked) {
        (Some(migration), Some(checked)) if errors.is_empty() => {
            let library = library(migration.head.krate.value());
            described(&migration, &checked, &library, &files.tracked())
        }
        _ => {
            let errors = compile_errors(&errors);
            let broken = broken(input);
            quote!(#errors #broken)
        }
    }
}

/// The path of the library in expansions.
pub(crate) fn library(renamed: Option<&Path>) -> TokenStream {
    renamed.map_or_else(|| quote!(::migrate_pg), |path| quote!(#path))
}

fn described(migration: &Migration, checked: &Checked, library: &TokenStream, tracked: &TokenStream) -> TokenStream {
    let ident = &migration.ident;
    let meta = constant::meta(migration, checked);
    let binds = (!migration.binds.is_empty()).then(|| {
        let binds = migration.binds.iter().map(|bind| {
            let member = &bind.member;
            let sql_type = bind.sql_type.value();
            // The cast carries the field's span: a type that PostgreSQL has no form for is an error of that field.
            let value = quote_spanned!(bind.place.span()=> &self.#member as &(dyn __v1::ToSql + ::core::marker::Sync));
            quote!(__v1::Bind { sql_type: #sql_type, value: #value })
        });
        quote! {
            fn binds(&self) -> ::std::vec::Vec<#library::__private::v1::Bind<'_>> {
                use #library::__private::v1 as __v1;
                ::std::vec![#(#binds),*]
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #library::__private::v1::Described for #ident {
            const META: &'static #library::__private::v1::BuiltMeta = {
                use #library::__private::v1 as __v1;
                #tracked
                &#meta
            };
            #binds
        }
    }
}

fn broken(input: &DeriveInput) -> TokenStream {
    let ident = &input.ident;
    let name = ident.to_string();
    let library = library(attr::library(input).as_ref());
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        const _: () = {
            use #library::__private::v1 as __v1;
            #[automatically_derived]
            impl #impl_generics __v1::Described for #ident #type_generics #where_clause {
                const META: &'static __v1::BuiltMeta = &__v1::Meta::broken(#name);
            }
        };
    }
}
<<<<<<< HEAD

fn meta(migration: &Migration, checked: &Checked) -> TokenStream {
    let head = &migration.head;
    let version = head.version.value();
    let name = migration.ident.to_string();
    let doc = &migration.doc;
    let phase = head.phase.value().map(|phase| member("Phase", phase.name()));
    let lock = head.lock.value().map(|lock| member("LockClass", lock.name()));
    let transactional = head.transactional.value().copied().unwrap_or(true);
    let pg = if let Some(range) = head.pg.value() {
        let (min, max) = (range.min(), range.max());
        quote!(__v1::pg_range(#min, #max))
    } else {
        quote!(__v1::PgRange::SUPPORTED)
    };
    let steps = migration.steps.iter().zip(&checked.steps).map(|(written, checked)| step(&written.kind, checked));
    let destructive = option(migration.destructive.as_ref().and_then(|destructive| {
        let backup = member("Backup", destructive.backup.value()?.name());
        let (name, digest) = destructive.approved.value()?.rsplit_once('@')?;
        let (name, digest) = (name.trim(), digest.trim());
        Some(quote!(__v1::destructive(#backup, #name, #digest)))
    }));
    let allows = head.allows.iter().map(|allow| {
        let hazard = allow.hazard.value.replace('_', "-");
        let reason = allow.reason.value();
        quote!(__v1::Allow { hazard: #hazard, reason: #reason })
    });
    let digest = &checked.digest;
    let new_since =
        checked.new_since.iter().map(|NewSince { key, relation, because }| quote!((#key, #relation, #because)));
    let supersedes = head.supersedes.value().into_iter().flatten();
    let accept_late = option(head.accept_late.value());
    let deploy_from = option(head.deploy_from.value());
    quote! {
        __v1::Meta {
            version: #version,
            name: #name,
            location: ::core::concat!(::core::module_path!(), " (", ::core::file!(), ")"),
            doc: #doc,
            phase: #phase,
            lock: #lock,
            transactional: #transactional,
            pg: #pg,
            steps: &[#(#steps),*],
            destructive: #destructive,
            allows: &[#(#allows),*],
            digest: #digest,
            supersedes: &[#(#supersedes),*],
            accept_late: #accept_late,
            deploy_from: #deploy_from,
            new_since: &[#(#new_since),*],
            broken: false,
        }
        .build()
    }
}

fn step(written: &StepKind, checked: &CheckedStep) -> TokenStream {
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
        destroys,
        concurrent,
        notes,
    } = checked;
    let kind = match written {
        StepKind::Statement { .. } => quote!(__v1::StepKind::Statement),
        StepKind::Backfill(backfill) => {
            let (table, batch, set) = (backfill.table.value(), backfill.batch.value(), backfill.set.value());
            let key = backfill.key.value().into_iter().flatten();
            let filter = backfill.filter.value().map_or("", String::as_str);
            quote! {
                __v1::StepKind::Backfill(
                    __v1::Backfill { table: #table, key: &[#(#key),*], batch: #batch, set: #set, filter: #filter }.build()
                )
            }
        }
    };
    let down = match down {
        CheckedDown::Sql(list) => {
            let list = list.iter().map(down_statement);
            quote!(__v1::Down::Sql(&[#(#list),*]))
        }
        CheckedDown::Keep(reason) => quote!(__v1::Down::Keep(#reason)),
        CheckedDown::Nothing(reason) => quote!(__v1::Down::Nothing(#reason)),
        CheckedDown::Irreversible(reason) => quote!(__v1::Down::Irreversible(#reason)),
    };
    let phase = member("Phase", phase.name());
    let lock = member("LockClass", lock.name());
    let locks = locks.iter().map(|(relation, lock)| {
        let lock = member("LockClass", lock.name());
        quote!((#relation, #lock))
    });
    let work = member("Work", work.name());
    let (effects, destroys) = (self::effects(effects), losses(destroys));
    let concurrent = self::concurrent(concurrent.as_ref());
    quote! {
        __v1::Step {
            kind: #kind,
            up: #up,
            down: #down,
            phase: #phase,
            lock: #lock,
            locks: &[#(#locks),*],
            work: #work,
            transactional: #transactional,
            destructive: #destructive,
            effects: #effects,
            destroys: #destroys,
            concurrent: #concurrent,
            notes: &[#(#notes),*],
        }
        .build()
    }
}

fn down_statement(statement: &CheckedDownStatement) -> TokenStream {
    let CheckedDownStatement { sql, lock, work, transactional, destroys, concurrent, hazards, effects } = statement;
    let lock = member("LockClass", lock.name());
    let work = member("Work", work.name());
    let (effects, destroys) = (self::effects(effects), losses(destroys));
    let concurrent = self::concurrent(concurrent.as_ref());
    quote! {
        __v1::DownStatement {
            sql: #sql,
            lock: #lock,
            work: #work,
            transactional: #transactional,
            destroys: #destroys,
            concurrent: #concurrent,
            hazards: &[#(#hazards),*],
            effects: #effects,
        }
        .build()
    }
}

/// The constant slice of these effects.
pub(crate) fn effects(effects: &[CheckedEffect]) -> TokenStream {
    let effects = effects.iter().map(|effect| {
        let CheckedEffect { kind, verb, space, object, definition, owner, key, to, definition_hash, columns_listed } =
            effect;
        let kind = member("EffectKind", kind.name());
        let verb = member("Verb", &format!("{verb:?}"));
        let space = member("Space", &format!("{space:?}"));
        quote! {
            __v1::Effect {
                kind: #kind,
                verb: #verb,
                space: #space,
                object: #object,
                definition: #definition,
                owner: #owner,
                key: #key,
                to: #to,
                definition_hash: #definition_hash,
                columns_listed: #columns_listed,
            }
            .build()
        }
    });
    quote!(&[#(#effects),*])
}

fn losses(losses: &[LostData]) -> TokenStream {
    let losses = losses.iter().map(|loss| {
        let relation = loss.relation.to_string();
        let column = option(loss.column.as_deref().map(migrate_core::sql::quoted));
        let cascades = loss.cascades;
        quote!(__v1::Loss { relation: #relation, column: #column, cascades: #cascades })
    });
    quote!(&[#(#losses),*])
}

fn concurrent(concurrent: Option<&CheckedConcurrent>) -> TokenStream {
    option(concurrent.map(|CheckedConcurrent { action, name, table }| {
        let action = member("ConcurrentAction", &format!("{action:?}"));
        let schema = option(name.schema.as_ref());
        let name = &name.name;
        let table = option(table.as_ref().map(ToString::to_string));
        quote!(__v1::Concurrent { action: #action, schema: #schema, name: #name, table: #table })
    }))
}

/// `__v1::Phase::Expand`.
fn member(set: &str, name: &str) -> TokenStream {
    let set = Ident::new(set, Span::call_site());
    let name = format_ident!("{name}");
    quote!(__v1::#set::#name)
}

fn option(value: Option<impl quote::ToTokens>) -> TokenStream {
    value.map_or_else(|| quote!(::core::option::Option::None), |value| quote!(::core::option::Option::Some(#value)))
}
=======
>>>>>>> 416bb11 (The derive looks at each statement once for all servers that would answer the same, and writes its constants as text)

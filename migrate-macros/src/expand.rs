//! The implementations that the derive writes; the constants in them are `constant`'s.

use crate::{
    ast::{Given, Migration, StepKind},
    attr, constant,
    ctxt::{Ctxt, compile_errors},
    files::Files,
    valid,
};
use migrate_core::sql::check::Checked;
use proc_macro2::{Ident, TokenStream};
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

fn described(
    migration: &Migration,
    (checked, attributes): &(Checked, Vec<usize>),
    library: &TokenStream,
    tracked: &TokenStream,
) -> TokenStream {
    let ident = &migration.ident;
    let meta = constant::meta(migration, checked, attributes);
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
    let conversion = migration.steps.iter().find_map(|step| match &step.kind {
        StepKind::Backfill(backfill) => Some((backfill.read.given()?, backfill.write.given()?)),
        StepKind::Statement { .. } | StepKind::Sync(_) => None,
    });
    let (converter, counts) = conversion.map(|(read, write)| conversion_of(ident, library, read, write)).unzip();
    quote! {
        #counts
        #[automatically_derived]
        impl #library::__private::v1::Described for #ident {
            const META: &'static #library::__private::v1::BuiltMeta = {
                use #library::__private::v1 as __v1;
                #tracked
                &#meta
            };
            #binds
            #converter
        }
    }
}

/// The conversion of a backfill in Rust, and that its rows have as many columns as the attribute names.
fn conversion_of(
    ident: &Ident,
    library: &TokenStream,
    read: &Given<Vec<String>>,
    write: &Given<Vec<String>>,
) -> (TokenStream, TokenStream) {
    let converter = quote_spanned! {ident.span()=>
        fn converter(&self) -> ::core::option::Option<&dyn #library::__private::v1::RowConverter> {
            ::core::option::Option::Some(#library::__private::v1::converter(self))
        }
    };
    let count = |given: &Given<Vec<String>>, count: TokenStream, name: &str, side: &str| {
        let columns = given.value.len();
        let message = format!(
            "`{name}` names {columns} column{}, and `{side}` of `impl RowBackfill for {ident}` is a tuple of another length",
            if columns == 1 { "" } else { "s" }
        );
        quote_spanned! {given.tokens.span()=>
            const _: () = ::core::assert!(#count::<#ident>() == #columns, #message);
        }
    };
    let read = count(read, quote!(#library::__private::v1::columns_read), "read", "In");
    let write = count(write, quote!(#library::__private::v1::columns_written), "write", "Out");
    (converter, quote!(#read #write))
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

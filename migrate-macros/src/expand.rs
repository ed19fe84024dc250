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

//! `#[derive(Migration)]` and `migrations!`. Use them through `migrate_pg`, which documents them.
//!
//! The derive goes through one stage a file: `attr` reads the attributes into the values of `ast`, `valid` hands them to
//! `migrate_core`, which knows SQL and decides, and `expand` writes what was found out into the constants of `constant`.
#![forbid(unsafe_code)]

mod args;
mod ast;
mod attr;
mod constant;
mod ctxt;
mod expand;
mod files;
mod history;
mod settings;
#[cfg(test)]
mod snapshot;
mod valid;
mod value;

use files::Files;
use proc_macro::TokenStream;

/// Makes a struct a migration: see `migrate_pg::Migration`.
#[proc_macro_derive(Migration, attributes(migration, step, backfill, sync, destructive, bind))]
pub fn derive_migration(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::derive(&input, &files_of_the_crate()).into()
}

/// Makes the history of a program: see `migrate_pg::migrations`.
#[proc_macro]
pub fn migrations(input: TokenStream) -> TokenStream {
    history::migrations(input.into(), &files_of_the_crate()).into()
}

fn files_of_the_crate() -> Files {
    let source = proc_macro::Span::call_site().file();
    Files::new(std::env::var_os("CARGO_MANIFEST_DIR").map(Into::into), (!source.is_empty()).then_some(source))
}

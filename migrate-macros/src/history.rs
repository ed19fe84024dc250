//! `migrations!`: the list of all migrations, checked against each other.

use crate::{
    constant,
    ctxt::{Ctxt, compile_errors},
    expand,
    files::{Files, located},
    settings::{Seed, Settings},
};
use migrate_core::sql::check::{self, CheckedBaseline, SqlText};
use proc_macro2::{TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{
    Attribute, Expr, Ident, LitStr, Token, Visibility, bracketed, parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    spanned::Spanned,
    token,
};

const FORMAT: &str = "the correct format looks like
    migrations! {
        baseline = \"schema.sql\";               // only for a database that was there before
        roles = [\"app\"];                       // what the proof needs on an empty server
        extensions = [\"citext\"];
        seed(2026_03_01_0900) = \"seed.sql\";    // or an async fn: rows for the proof, where none can be made
        pub fn history() = [CreateUsers, CreateOrders]
    }";

/// What stands between the braces.
struct Migrations {
    settings: Settings,
    attributes: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    entries: Punctuated<Expr, Token![,]>,
}

impl Parse for Migrations {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let explain: fn(syn::Error) -> syn::Error = |error| syn::Error::new(error.span(), format!("{error}\n{FORMAT}"));
        let settings = Settings::parse(input, explain)?;
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        input.parse::<Token![fn]>().map_err(explain)?;
        let name = input.parse().map_err(explain)?;
        let parameters;
        if !input.peek(token::Paren) {
            return Err(explain(input.error("expected `()`")));
        }
        parenthesized!(parameters in input);
        if !parameters.is_empty() {
            return Err(explain(parameters.error("the function takes no parameters")));
        }
        input.parse::<Token![=]>().map_err(explain)?;
        let list;
        if !input.peek(token::Bracket) {
            return Err(explain(input.error("expected the list of all migrations, in brackets")));
        }
        bracketed!(list in input);
        let entries = entries(&list, explain)?;
        input.parse::<Option<Token![;]>>()?;
        if !input.is_empty() {
            return Err(explain(input.error("one `migrations!` makes one history")));
        }
        Ok(Self { settings, attributes, visibility, name, entries })
    }
}

fn entries(list: ParseStream<'_>, explain: fn(syn::Error) -> syn::Error) -> syn::Result<Punctuated<Expr, Token![,]>> {
    let mut entries = Punctuated::new();
    while !list.is_empty() {
        if list.peek(Token![#]) {
            let message = "an entry has no attributes: a history is one and the same in every build, as is the ledger that it is \
                           held against; leave the attribute out, or put `#[cfg(…)]` before the `fn` of each of two histories";
            return Err(list.error(message));
        }
        entries.push_value(list.parse()?);
        if !list.is_empty() {
            let comma = list.parse().map_err(|_| explain(list.error("expected a comma between two entries")))?;
            entries.push_punct(comma);
        }
    }
    Ok(entries)
}

/// The expansion of `migrations!`.
pub(crate) fn migrations(input: TokenStream, files: &Files) -> TokenStream {
    match syn::parse2::<Migrations>(input.clone()) {
        Ok(migrations) => expand(&migrations, files),
        Err(error) => {
            let errors = compile_errors(&[error]);
            let function = promised(input);
            quote!(#errors #function)
        }
    }
}

fn expand(migrations: &Migrations, files: &Files) -> TokenStream {
    let Migrations { settings, attributes, visibility, name, entries } = migrations;
    let library = expand::library(settings.krate.as_ref());
    let ctxt = Ctxt::new();
    for (_, seed) in &settings.seeds {
        if let Seed::File(path) = seed
            && let Err(message) = files.read(&path.value())
        {
            ctxt.error(path, message);
        }
    }
    let baseline = settings.baseline.as_ref().map(|path| (path, read_baseline(path, files, &ctxt)));
    let errors = compile_errors(&ctxt.finish());
    let baseline = match baseline {
        // Of a broken one no object is known, which would make every drop an error: then there is none.
        None | Some((_, None)) => quote!(::core::option::Option::None),
        Some((path, Some(checked))) => {
            let path = located(&path.value());
            let objects = constant::baseline(&checked);
            let CheckedBaseline { digest, sql, .. } = checked;
            let sql = match sql {
                None => quote!(::core::include_str!(#path)),
                Some(sql) => quote!({
                    const _: &[u8] = ::core::include_bytes!(#path);
                    #sql
                }),
            };
            quote!(::core::option::Option::Some(__v1::baseline(#sql, #digest, #objects)))
        }
    };
    let count = entries.len();
    let metas = entries.iter().map(|entry| {
        if is_unit(entry) {
            quote_spanned!(entry.span()=> __v1::meta_by(&#entry))
        } else {
            quote_spanned!(entry.span()=> __v1::meta_of(|| #entry))
        }
    });
    let boxes = entries.iter().map(|entry| quote_spanned!(entry.span()=> __v1::Entry(#entry).boxed()));
    let verdicts = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| quote_spanned!(entry.span()=> const _: () = __MIGRATION_HISTORY.settle(#index);));
    let conditions: Vec<&Attribute> = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect();
    let test = settings.test(&library, name, &conditions);
    quote! {
        #errors
        #test
        #(#attributes)*
        #visibility fn #name() -> #library::__private::v1::History {
            use #library::__private::v1 as __v1;
            #[allow(unused_imports)]
            use #library::__private::v1::Refused as _;
            // References, since a constant is copied wherever it is named: the check is to stay linear.
            const __MIGRATION_METAS: &[&__v1::BuiltMeta; #count] = &[#(#metas),*];
            const __MIGRATION_BASELINE: ::core::option::Option<__v1::BuiltBaseline> = #baseline;
            // Linear, and long for thousands of entries: the compiler may say that it takes its time, and must not refuse.
            #[allow(long_running_const_eval)]
            const __MIGRATION_HISTORY: &__v1::CheckedHistory<#count> = {
                const BASELINE: ::core::option::Option<&__v1::BuiltBaseline> = __MIGRATION_BASELINE.as_ref();
                const CAPACITY: usize = __v1::history_capacity(__MIGRATION_METAS, BASELINE);
                &__v1::CheckedHistory::new::<CAPACITY>(__MIGRATION_METAS, BASELINE)
            };
            #(#verdicts)*
            __v1::History::from_checked(::std::vec![#(#boxes),*], __MIGRATION_BASELINE)
        }
    }
}

/// Whether an entry is a unit struct, which is told by its name from a constant.
///
/// Its `Meta` is read without a closure, which would cost the compiler a millisecond an entry. As a value and not as a
/// type: the entry is named as a value again where the list is made, and what is misspelt is then one error, not two.
fn is_unit(entry: &Expr) -> bool {
    match entry {
        Expr::Path(path) if path.qself.is_none() => path.path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            let camel_case = name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
            camel_case || name.len() == 1
        }),
        _ => false,
    }
}

fn read_baseline(path: &LitStr, files: &Files, ctxt: &Ctxt) -> Option<CheckedBaseline> {
    let text = match files.read(&path.value()) {
        Ok(text) => text,
        Err(message) => {
            ctxt.error(path, message);
            return None;
        }
    };
    match check::baseline(&SqlText { text, file: Some(path.value()) }) {
        Ok(baseline) => Some(baseline),
        Err(problem) => {
            ctxt.error(path, problem.message);
            None
        }
    }
}

/// The function that a malformed input was to define, so that its callers are not in error too. It has no body that could
/// run: the error beside it stops the build.
fn promised(input: TokenStream) -> Option<TokenStream> {
    let library = expand::library(renamed(input.clone()).as_ref());
    let mut trees = input.into_iter().peekable();
    while let Some(tree) = trees.next() {
        if let (TokenTree::Ident(word), Some(TokenTree::Ident(name))) = (&tree, trees.peek())
            && word == "fn"
        {
            let unreachable = "this history was refused by the compiler";
            return Some(quote! {
                #[allow(dead_code)]
                pub(crate) fn #name() -> #library::__private::v1::History { ::core::unreachable!(#unreachable) }
            });
        }
    }
    None
}

/// What `crate = …;` says, in an input that is malformed elsewhere.
fn renamed(input: TokenStream) -> Option<syn::Path> {
    let mut trees =
        input.into_iter().skip_while(|tree| !matches!(tree, TokenTree::Ident(word) if word == "crate")).skip(1);
    matches!(trees.next(), Some(TokenTree::Punct(punct)) if punct.as_char() == '=').then_some(())?;
    let path = trees.take_while(|tree| !matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ';')).collect();
    syn::parse::Parser::parse2(syn::Path::parse_mod_style, path).ok()
}

//! What stands before the function in `migrations!`: `key = value;`, each key once but `seed(VERSION)`.

use migrate_core::sql::similar;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    Ident, LitInt, LitStr, Path, Token, bracketed,
    ext::IdentExt,
    parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    spanned::Spanned,
    token,
};

const KEYS: [&str; 6] = ["baseline", "roles", "extensions", "seed", "proof", "crate"];

/// The settings of a history.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) baseline: Option<LitStr>,
    pub(crate) krate: Option<Path>,
    roles: Option<Vec<LitStr>>,
    extensions: Option<Vec<LitStr>>,
    pub(crate) seeds: Vec<(LitInt, Seed)>,
    /// Why no test proves it, where none does.
    never: Option<LitStr>,
}

/// Who writes the rows.
pub(crate) enum Seed {
    File(LitStr),
    Function(Path),
}

impl Settings {
    /// `explain` adds the correct format to an error.
    pub(crate) fn parse(input: ParseStream<'_>, explain: impl Fn(syn::Error) -> syn::Error) -> syn::Result<Self> {
        let mut settings = Self::default();
        while input.peek(Ident::peek_any)
            && (input.peek2(Token![=]) || input.peek2(token::Paren))
            && !input.peek(Token![pub])
        {
            let key = input.call(Ident::parse_any)?;
            let twice = settings.one(&key, input).map_err(&explain)?;
            if twice {
                return Err(syn::Error::new(key.span(), format!("`{key}` is given twice; keep one of the two")));
            }
            input.parse::<Token![;]>().map_err(&explain)?;
        }
        Ok(settings)
    }

    fn one(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
        let name = key.to_string();
        if !KEYS.contains(&name.as_str()) {
            let hint = similar::did_you_mean(&name, KEYS);
            return Err(syn::Error::new(key.span(), format!("`migrations!` has no setting `{name}`{hint}")));
        }
        if name == "seed" {
            if !input.peek(token::Paren) {
                let message = "`seed` says after which migration its rows are written: `seed(2026_03_01_0900) = …`; 0 is before the first";
                return Err(syn::Error::new(key.span(), message));
            }
            let version;
            parenthesized!(version in input);
            let number: LitInt = version.parse()?;
            number.base10_parse::<i64>()?;
            if !version.is_empty() {
                return Err(version.error("one version is expected"));
            }
            input.parse::<Token![=]>()?;
            let twice = self.seeds.iter().any(|(other, _)| other.base10_digits() == number.base10_digits());
            self.seeds.push((number, input.parse()?));
            return Ok(twice);
        }
        input.parse::<Token![=]>()?;
        Ok(match name.as_str() {
            "baseline" => self.baseline.replace(input.parse()?).is_some(),
            "crate" => self.krate.replace(input.call(Path::parse_mod_style)?).is_some(),
            "roles" => self.roles.replace(names(input)?).is_some(),
            "extensions" => self.extensions.replace(names(input)?).is_some(),
            _ => self.never.replace(never(input)?).is_some(),
        })
    }

    /// The call of the macro that makes the test, which is compiled with the tests only.
    pub(crate) fn test(&self, library: &TokenStream, history: &Ident, conditions: &[&syn::Attribute]) -> TokenStream {
        if self.never.is_some() {
            return TokenStream::new();
        }
        let test = Ident::new(&format!("prove_{}", history.unraw()), history.span());
        let roles = self.roles.iter().flatten();
        let extensions = self.extensions.iter().flatten();
        let seeds = self.seeds.iter().map(|(version, seed)| match seed {
            Seed::File(path) => {
                let path = crate::files::located(&path.value());
                quote!(.seed(#version, ::core::include_str!(#path)))
            }
            Seed::Function(function) => quote_spanned!(function.span()=> .seed_with(#version, #function)),
        });
        quote! {
            #[cfg(test)]
            #(#conditions)*
            #library::__pairs! { #test #history |pairs| pairs #(.role(#roles))* #(.extension(#extensions))* #(#seeds)* }
        }
    }
}

impl Parse for Seed {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return Ok(Self::File(input.parse()?));
        }
        let wrong = |error: syn::Error| {
            syn::Error::new(
                error.span(),
                "a file is expected, `\"seed.sql\"`, or the path of an `async fn(&tokio_postgres::Client)`",
            )
        };
        input.call(Path::parse_mod_style).map(Self::Function).map_err(wrong)
    }
}

fn names(input: ParseStream<'_>) -> syn::Result<Vec<LitStr>> {
    if !input.peek(token::Bracket) {
        return Err(input.error("a list of names is expected: `[\"app\", \"readonly\"]`"));
    }
    let list;
    bracketed!(list in input);
    Ok(Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?.into_iter().collect())
}

/// `never("why")`
fn never(input: ParseStream<'_>) -> syn::Result<LitStr> {
    let message = "a proof is left out for a reason: `proof = never(\"why\");`";
    let word = input.call(Ident::parse_any).map_err(|error| syn::Error::new(error.span(), message))?;
    if word != "never" || !input.peek(token::Paren) {
        return Err(syn::Error::new(word.span(), message));
    }
    let reason;
    parenthesized!(reason in input);
    let why: LitStr = reason.parse().map_err(|error| syn::Error::new(error.span(), message))?;
    if why.value().trim().is_empty() || !reason.is_empty() {
        return Err(syn::Error::new(why.span(), message));
    }
    Ok(why)
}

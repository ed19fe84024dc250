//! The arguments of an attribute, split at their commas by hand: a mistake in one does not hide the others, as it would
//! with a parser that stops at its first error.

use crate::{ast::Given, attr, ctxt::Ctxt};
use migrate_core::sql::similar;
use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Meta};

/// What an attribute looks like, for reading it and for the messages.
pub(crate) struct Format {
    /// What it is called in messages: `#[step]`.
    pub(crate) title: &'static str,
    /// The keys that it may have.
    pub(crate) keys: &'static [&'static str],
    /// Those of them that may be repeated.
    pub(crate) repeatable: &'static [&'static str],
    /// An example of the correct form.
    pub(crate) example: &'static str,
}

impl Format {
    /// A message with the correct form below it.
    pub(crate) fn message(&self, message: &str) -> String {
        format!("{message}\nthe correct format looks like {}", self.example)
    }
}

/// The arguments of one attribute that are left to be read.
#[derive(Default)]
pub(crate) struct Args {
    args: Vec<Arg>,
    /// Keys that were meant by arguments that were refused: their absence is no further error.
    meant: Vec<String>,
}

/// `key = value`, `key(list)`, or `key` alone.
pub(crate) struct Arg {
    pub(crate) key: Ident,
    pub(crate) form: Form,
}

pub(crate) enum Form {
    Bare,
    Value(TokenStream),
    List(TokenStream),
}

impl Args {
    /// The arguments of an attribute. Notes those that are malformed, unknown or given twice.
    pub(crate) fn of_attribute(attribute: &Attribute, format: &Format, ctxt: &Ctxt) -> Self {
        match &attribute.meta {
            Meta::List(list) => Self::split(list.tokens.clone(), format, ctxt),
            other => {
                ctxt.error(other, format.message(&format!("{} has its arguments in parentheses", format.title)));
                Self { args: Vec::new(), meant: format.keys.iter().map(ToString::to_string).collect() }
            }
        }
    }

    pub(crate) fn split(tokens: TokenStream, format: &Format, ctxt: &Ctxt) -> Self {
        let mut read = Self::default();
        for piece in split_at_commas(tokens) {
            let first = piece.clone().into_iter().next();
            let arg = ctxt.ok(Arg::read(piece, format));
            if let Some(TokenTree::Ident(key)) = &first
                && !arg.as_ref().is_some_and(|arg| format.keys.iter().any(|known| arg.key == known))
                && let Some(meant) = similar::nearest(&key.to_string(), format.keys.iter().copied())
            {
                read.meant.push(meant.to_owned());
            }
            let Some(arg) = arg else { continue };
            let key = arg.key.to_string();
            if !format.keys.contains(&key.as_str()) {
                let hint = attr::home_of(&key).unwrap_or_else(|| {
                    match similar::did_you_mean(&key, format.keys.iter().copied()) {
                        hint if hint.is_empty() => format!("; its keys are {}", format.keys.join(", ")),
                        hint => hint,
                    }
                });
                ctxt.error(&arg.key, format.message(&format!("{} has no key `{key}`{hint}", format.title)));
            } else if !format.repeatable.contains(&key.as_str()) && read.args.iter().any(|other| other.key == key) {
                ctxt.error(&arg.key, format!("`{key}` is given twice in {}; keep one of the two", format.title));
            } else {
                read.args.push(arg);
            }
        }
        read
    }

    /// Whether an argument that was refused was probably this one.
    pub(crate) fn was_meant(&self, key: &str) -> bool {
        self.meant.iter().any(|meant| meant == key)
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Arg> {
        let index = self.args.iter().position(|arg| arg.key == key)?;
        Some(self.args.remove(index))
    }
}

impl Arg {
    fn read(piece: TokenStream, format: &Format) -> syn::Result<Self> {
        let whole = piece.clone();
        let refuse = |message: &str| Err(syn::Error::new_spanned(&whole, format.message(message)));
        let mut tokens = piece.into_iter();
        let Some(TokenTree::Ident(key)) = tokens.next() else {
            return refuse(&format!("{} is written in the form `key = value`", format.title));
        };
        match tokens.next() {
            None => Ok(Self { key, form: Form::Bare }),
            Some(TokenTree::Punct(punct)) if punct.as_char() == '=' => {
                let value: TokenStream = tokens.collect();
                if value.is_empty() {
                    return refuse(&format!("`{key}` has no value after the `=`"));
                }
                Ok(Self { key, form: Form::Value(value) })
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => match tokens.next() {
                None => Ok(Self { key, form: Form::List(group.stream()) }),
                Some(next) => Err(syn::Error::new_spanned(
                    next,
                    format!("expected a comma after `{key}(…)` and before the next key"),
                )),
            },
            Some(_) => refuse(&format!("expected `{key} = …`")),
        }
    }

    /// The tokens after the `=`.
    pub(crate) fn value(self, format: &Format) -> syn::Result<TokenStream> {
        match self.form {
            Form::Value(value) => Ok(value),
            Form::Bare | Form::List(_) => {
                Err(syn::Error::new_spanned(&self.key, format.message(&format!("expected `{} = …`", self.key))))
            }
        }
    }

    /// The tokens between the parentheses.
    pub(crate) fn list(self, format: &Format) -> syn::Result<Given<TokenStream>> {
        match self.form {
            Form::List(value) => Ok(Given { value, tokens: self.key.into_token_stream() }),
            Form::Bare | Form::Value(_) => {
                Err(syn::Error::new_spanned(&self.key, format.message(&format!("expected `{}(…)`", self.key))))
            }
        }
    }
}

/// The pieces between commas; a comma at the end makes none.
pub(crate) fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => pieces.push(piece.drain(..).collect()),
            _ => piece.push(token),
        }
    }
    pieces.push(piece.into_iter().collect());
    pieces.retain(|piece: &TokenStream| !piece.is_empty());
    pieces
}

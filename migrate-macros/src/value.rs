//! Reads the values that attributes are made of: strings, numbers, names out of a closed set, ranges.

use crate::{
    args::split_at_commas,
    ast::{Given, Sql},
};
use migrate_core::{model::PgRange, sql::similar};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{Error, Expr, ExprLit, ExprRange, Ident, Lit, LitBool, LitInt, LitStr, RangeLimits, parse2};

type Result<T> = syn::Result<T>;

/// A string literal, or `concat!` of literals.
pub(crate) fn string(tokens: TokenStream) -> Result<String> {
    if let Ok(literal) = parse2::<LitStr>(tokens.clone()) {
        return Ok(literal.value());
    }
    match parse2::<Expr>(tokens.clone()) {
        Ok(Expr::Macro(call)) if call.mac.path.is_ident("concat") => {
            split_at_commas(call.mac.tokens).into_iter().map(piece).collect()
        }
        Ok(Expr::Macro(call)) if call.mac.path.is_ident("include_str") => Err(Error::new_spanned(
            tokens,
            "the macro reads the SQL itself and cannot see through `include_str!`; write `up_file = \"…\"` or \
             `down_file = \"…\"`, relative to the Cargo.toml",
        )),
        _ => Err(Error::new_spanned(tokens, "expected a string literal: \"…\", r#\"…\"#, or concat!(\"…\", \"…\")")),
    }
}

/// One argument of `concat!`, as the text it contributes.
fn piece(tokens: TokenStream) -> Result<String> {
    match parse2::<Lit>(tokens.clone()) {
        Ok(Lit::Str(text)) => Ok(text.value()),
        Ok(Lit::Int(number)) => Ok(number.base10_digits().to_owned()),
        Ok(Lit::Char(char)) => Ok(char.value().to_string()),
        Ok(Lit::Bool(bool)) => Ok(bool.value.to_string()),
        _ => Err(Error::new_spanned(tokens, "expected a literal: the macro sees `concat!` before names are resolved")),
    }
}

/// A string that says something: a reason, a path.
pub(crate) fn text(tokens: TokenStream) -> Result<String> {
    let text = string(tokens.clone())?;
    if text.trim().is_empty() {
        return Err(Error::new_spanned(tokens, "this text is empty; say something that a reviewer can judge"));
    }
    Ok(text)
}

/// A string, or a list of strings in brackets.
pub(crate) fn strings(tokens: TokenStream) -> Result<Vec<Given<String>>> {
    let given = |tokens: TokenStream| Ok(Given { value: string(tokens.clone())?, tokens });
    match bracketed(&tokens) {
        Some(list) => split_at_commas(list).into_iter().map(given).collect(),
        None => Ok(vec![given(tokens)?]),
    }
}

/// SQL in string literals or in files.
pub(crate) fn sql(tokens: TokenStream, source: fn(String) -> Sql) -> Result<Vec<Given<Sql>>> {
    let list = strings(tokens)?;
    Ok(list.into_iter().map(|Given { value, tokens }| Given { value: source(value), tokens }).collect())
}

/// The columns of a key: `"a, b"` or `["a", "b"]`.
pub(crate) fn columns(tokens: TokenStream) -> Result<Vec<String>> {
    let list = strings(tokens)?;
    let columns = match list.as_slice() {
        [one] => split_identifiers(&one.value),
        many => many.iter().map(|column| column.value.trim().to_owned()).collect(),
    };
    Ok(columns.into_iter().filter(|column| !column.is_empty()).collect())
}

/// SQL identifiers between commas that are not inside of double quotes.
fn split_identifiers(text: &str) -> Vec<String> {
    let mut quoted = false;
    let pieces = text.split(|char: char| {
        quoted ^= char == '"';
        char == ',' && !quoted
    });
    pieces.map(|piece| piece.trim().to_owned()).collect()
}

pub(crate) fn bool(tokens: TokenStream) -> Result<bool> {
    parse2::<LitBool>(tokens.clone())
        .map(|literal| literal.value)
        .map_err(|_| Error::new_spanned(tokens, "expected `true` or `false`"))
}

/// A version: `2026_03_01_0900`.
pub(crate) fn version(tokens: TokenStream) -> Result<i64> {
    let number = parse2::<LitInt>(tokens.clone()).ok().filter(|literal| literal.suffix().is_empty());
    match number.and_then(|literal| literal.base10_parse::<i64>().ok()) {
        Some(version) if version > 0 => Ok(version),
        _ => Err(Error::new_spanned(
            tokens,
            "a version is a positive whole number that fits in 64 bits, by custom a date and time: 2026_03_01_0900",
        )),
    }
}

/// The number of rows of a batch.
pub(crate) fn batch(tokens: TokenStream) -> Result<u32> {
    match parse2::<LitInt>(tokens.clone()).and_then(|literal| literal.base10_parse::<u32>()) {
        Ok(rows) if rows > 0 => Ok(rows),
        _ => Err(Error::new_spanned(tokens, "a batch is a number of rows, at least 1: 10_000")),
    }
}

/// A server range: `14..=18`.
pub(crate) fn pg(tokens: TokenStream) -> Result<PgRange> {
    let supported = PgRange::SUPPORTED;
    let end = |expr: Option<Box<Expr>>| match expr.as_deref() {
        Some(Expr::Lit(ExprLit { lit: Lit::Int(number), .. })) => number.base10_parse::<u16>().ok(),
        _ => None,
    };
    let bounds = match parse2::<Expr>(tokens.clone()) {
        Ok(Expr::Range(ExprRange { start, limits: RangeLimits::Closed(_), end: last, .. })) => {
            end(start).zip(end(last))
        }
        _ => None,
    };
    let Some((min, max)) = bounds else {
        return Err(Error::new_spanned(
            tokens,
            format!("the servers are a range of PostgreSQL's major versions, both ends included: `pg = {supported}`"),
        ));
    };
    PgRange::new(min, max).ok_or_else(|| {
        let message = if min > max {
            format!("this range is empty; write `pg = {max}..={min}`")
        } else {
            format!(
                "the analysis knows PostgreSQL {} to {}; the range must lie within",
                supported.min(),
                supported.max()
            )
        };
        Error::new_spanned(tokens, message)
    })
}

/// One name of a closed set.
pub(crate) fn name<T: Copy>(tokens: TokenStream, what: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T> {
    let names = all.iter().map(|&member| name(member));
    let listed = names.clone().collect::<Vec<_>>().join(", ");
    let find = |text: &str| all.iter().copied().find(|&member| name(member) == text);
    if let Ok(ident) = parse2::<Ident>(tokens.clone()) {
        let ident = ident.to_string();
        return find(&ident).ok_or_else(|| {
            let hint = similar::did_you_mean(&ident, names);
            Error::new_spanned(tokens, format!("`{ident}` is not a {what}{hint}\nthe names are {listed}"))
        });
    }
    let bare = parse2::<LitStr>(tokens.clone()).ok().map(|literal| literal.value()).filter(|text| find(text).is_some());
    Err(Error::new_spanned(
        tokens,
        match bare {
            Some(bare) => format!("a {what} is written without quotes: `{bare}`"),
            None => format!("expected a {what}: one of {listed}"),
        },
    ))
}

/// The tokens between brackets, where that is all there is.
pub(crate) fn bracketed(tokens: &TokenStream) -> Option<TokenStream> {
    let mut trees = tokens.clone().into_iter();
    match (trees.next(), trees.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::Bracket => Some(group.stream()),
        _ => None,
    }
}

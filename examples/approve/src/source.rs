//! The Rust source that a migration stands in: finds the struct, and changes nothing of the file but the approval.

use proc_macro2::{TokenStream, TokenTree};
use std::ops::Range;
use syn::{Attribute, DeriveInput, ItemStruct, Meta, visit::Visit};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The struct of this name, wherever in the file it is.
pub(crate) fn find(text: &str, name: &str) -> Result<DeriveInput, String> {
    let file = syn::parse_file(text).map_err(|error| {
        let start = error.span().start();
        format!("the file is not Rust: line {}, column {}: {error}", start.line, start.column + 1)
    })?;
    let mut search = Search { name, found: Vec::new() };
    search.visit_file(&file);
    match search.found.len() {
        1 => Ok(search.found.remove(0).into()),
        0 => Err(format!(
            "there is no struct `{name}` in the file (one that a macro writes cannot be found: approve it where its text is)"
        )),
        count => Err(format!("there are {count} structs `{name}` in the file; give each a name of its own")),
    }
}

struct Search<'a> {
    name: &'a str,
    found: Vec<ItemStruct>,
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        if item.ident == self.name {
            self.found.push(item.clone());
        }
    }
}

/// The text with this approval in the struct's `#[destructive]` attribute, in place of the one that is there.
pub(crate) fn with_approval(
    text: &str,
    attribute: &Attribute,
    approved: Option<&TokenStream>,
    approval: &str,
) -> Result<String, String> {
    // The parser passes over a byte order mark without counting it.
    let shift = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    let literal = format!("{approval:?}");
    let (range, insertion) = match approved {
        Some(tokens) => (extent(tokens).ok_or("the approval has no tokens")?, literal),
        None => {
            let Meta::List(list) = &attribute.meta else {
                return Err("`#[destructive]` has no arguments".to_owned());
            };
            let final_token = list.tokens.clone().into_iter().last().ok_or("`#[destructive]` has no arguments")?;
            let comma = matches!(&final_token, TokenTree::Punct(punct) if punct.as_char() == ',');
            let end = final_token.span().byte_range().end;
            (end..end, format!("{} approved = {literal}", if comma { "" } else { "," }))
        }
    };
    let mut text = text.to_owned();
    text.replace_range(range.start + shift..range.end + shift, &insertion);
    Ok(text)
}

/// From the first to the last of the tokens.
fn extent(tokens: &TokenStream) -> Option<Range<usize>> {
    let mut spans = tokens.clone().into_iter().map(|tree| tree.span().byte_range());
    let first = spans.next()?;
    let end = spans.last().map_or(first.end, |last| last.end);
    Some(first.start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{attr, ctxt::Ctxt};

    /// Signs the struct `Drop` in this text as Jane.
    fn signed(text: &str) -> Result<String, String> {
        let input = find(text, "Drop")?;
        let ctxt = Ctxt::new();
        let migration = attr::migration(&input, &ctxt).unwrap();
        let errors: Vec<String> = ctxt.finish().iter().map(ToString::to_string).collect();
        assert_eq!(errors, [""; 0]);
        let attribute = input.attrs.iter().find(|attribute| attribute.path().is_ident("destructive")).unwrap();
        let approved = migration.destructive.as_ref().and_then(|destructive| destructive.approved.given());
        with_approval(text, attribute, approved.map(|given| &given.tokens), "Jane Doe @ 0123456789abcdef")
    }

    fn with_attribute(attribute: &str) -> String {
        format!(
            "// Ünïcödé before it.\nmod inner {{\n    struct Other;\n\n    #[derive(Migration)]\n    \
             #[migration(version = 1, phase = Contract, lock = AccessExclusive)]\n    {attribute}  // stays\n    \
             #[step(up = \"DROP TABLE t\", down = \"CREATE TABLE t ()\")]\n    pub struct Drop;\n}}\n"
        )
    }

    #[test]
    fn only_the_approval_changes() {
        let after = "approved = \"Jane Doe @ 0123456789abcdef\"";
        for (before, expected) in [
            ("#[destructive(backup = Dump)]", format!("#[destructive(backup = Dump, {after})]")),
            ("#[destructive(backup = Dump,)]", format!("#[destructive(backup = Dump, {after})]")),
            (
                "#[destructive( approved=\"Max @ 1111111111111111\",\n   backup = Dump )]",
                format!("#[destructive( {},\n   backup = Dump )]", after.replace(" = ", "=")),
            ),
            (
                "#[destructive(backup = Dump, approved = concat!(\"Max\", \" @ 1111111111111111\"))]",
                format!("#[destructive(backup = Dump, {after})]"),
            ),
            ("#[destructive(backup = Dump, approved = \"\")]", format!("#[destructive(backup = Dump, {after})]")),
        ] {
            let text = with_attribute(before);
            assert_eq!(signed(&text).unwrap(), with_attribute(&expected));
            let marked = format!("{BYTE_ORDER_MARK}{}", text.replace('\n', "\r\n"));
            let expected = format!("{BYTE_ORDER_MARK}{}", with_attribute(&expected).replace('\n', "\r\n"));
            assert_eq!(signed(&marked).unwrap(), expected);
        }
    }

    #[test]
    fn signing_twice_is_signing_once() {
        let once = signed(&with_attribute("#[destructive(backup = Dump)]")).unwrap();
        assert_eq!(signed(&once).unwrap(), once);
    }

    #[test]
    fn what_cannot_be_found_is_said() {
        assert!(find("struct A;", "Drop").unwrap_err().contains("no struct `Drop`"));
        assert!(find("mod a { struct Drop; } mod b { struct Drop; }", "Drop").unwrap_err().contains("2 structs"));
        assert!(find("struct {", "Drop").unwrap_err().contains("line 1, column 8"));
    }
}

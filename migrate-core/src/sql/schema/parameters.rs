//! Lists of parameters, `(name = value, …)`, as canonical texts hold them: one spelling, one order, and what ALTER makes of
//! them. Views, indexes, aggregates, operators, dictionaries and foreign objects have such a list and not much else.

use super::text::literal;
use crate::sql::outside::{enclosed, outside, pieces};
use std::collections::BTreeMap;

/// Names and values; a name alone is `true`.
pub(crate) type Parameters = BTreeMap<String, String>;

/// What `with (a = 1, b) with local check option` says.
pub(crate) fn read(text: &str) -> Parameters {
    let mut out = Parameters::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let lower = rest.to_ascii_lowercase();
        if let Some(list) = rest.find('(').and_then(|at| enclosed(&rest[at..]).map(|list| (at, list))) {
            let (at, inner) = list;
            // The check option may stand before or after the list.
            out.extend(check_option(&lower[..at]));
            out.extend(items(inner));
            rest = rest[at + inner.len() + 2..].trim();
        } else {
            out.extend(check_option(&lower));
            break;
        }
    }
    out
}

/// `WITH CHECK OPTION` is a parameter too (`DefineView` in `view.c`).
fn check_option(text: &str) -> Option<(String, String)> {
    let kind = if text.contains("local check option") { "local" } else { "cascaded" };
    text.contains("check option").then(|| ("check_option".to_owned(), kind.to_owned()))
}

/// The items of a list without its parentheses.
pub(crate) fn items(list: &str) -> Parameters {
    pieces(list)
        .into_iter()
        .map(|piece| match piece.split_once('=') {
            Some((name, value)) => (name.trim().to_owned(), plain(value.trim())),
            None => (piece.to_owned(), "true".to_owned()),
        })
        .collect()
}

/// A value in one spelling: words and numbers without quotes. `on` is not `true`: storage parameters are kept, and dumped,
/// as they were written (`transformRelOptions` in `reloptions.c`).
fn plain(value: &str) -> String {
    let inner = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).filter(|inner| {
        !inner.is_empty()
            && !inner.contains('\'')
            && inner.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "_.-".contains(char))
    });
    inner.unwrap_or(value).to_owned()
}

/// The same with booleans as `true` and `false`, of what the catalogs hold as such.
pub(crate) fn booleans(mut parameters: Parameters) -> Parameters {
    for value in parameters.values_mut() {
        match value.as_str() {
            "on" | "yes" => "true".clone_into(value),
            "off" | "no" => "false".clone_into(value),
            _ => {}
        }
    }
    parameters
}

/// `with (a = 1, b = true)`; empty where there is none.
pub(crate) fn written(parameters: &Parameters) -> String {
    if parameters.is_empty() { String::new() } else { format!("with ({})", listed(parameters)) }
}

fn listed(parameters: &Parameters) -> String {
    parameters.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
}

/// An index's definition before and after its storage parameters, and these.
pub(crate) fn split(definition: &str) -> (&str, Parameters, &str) {
    let places: Vec<usize> = outside(definition).map(|(at, _)| at).collect();
    let find = |word: &str| places.iter().copied().find(|&at| definition[at..].starts_with(word));
    if let Some(at) = find("with (") {
        let list = enclosed(&definition[at + "with ".len()..]).unwrap_or_default();
        let end = at + "with (".len() + list.len() + 1;
        return (definition[..at].trim_end(), items(list), definition[end..].trim_start());
    }
    let end = find("TABLESPACE ").or(find("WHERE (")).unwrap_or(definition.len());
    (definition[..end].trim_end(), Parameters::new(), &definition[end..])
}

/// What `SET (…)` does.
pub(crate) fn set(parameters: &mut Parameters, options: &[(String, Option<String>)]) {
    parameters.extend(
        options.iter().map(|(name, value)| (name.clone(), value.as_deref().map_or_else(|| "true".to_owned(), plain))),
    );
}

/// The definition with the list that ends it in one order and spelling: `create aggregate s(int4) (sfunc = f, stype = int4)`.
pub(crate) fn definition(text: &str) -> String {
    match last_list(text) {
        Some((head, list)) if list.contains('=') => {
            let mut parameters = booleans(items(list));
            // The older spelling of what an operator calls.
            if let Some(function) = parameters.remove("procedure") {
                parameters.insert("function".to_owned(), function);
            }
            if parameters.get("deterministic").is_some_and(|value| value == "true") {
                parameters.remove("deterministic");
            }
            format!("{head} ({})", listed(&parameters))
        }
        _ => foreign_definition(text),
    }
}

/// The definition with what an ALTER that only sets parameters makes of it; `None` where it does something else.
pub(crate) fn altered(text: &str, by: &str) -> Option<String> {
    if let Some((at, given)) = foreign_options(by) {
        // Nothing else: `alter server s options (…)`.
        let bare = !by[..at].contains(" version ") && !by[..at].contains(" type ") && by.ends_with(')');
        return bare.then(|| foreign_altered(text, given));
    }
    let (head, list) = last_list(by)?;
    let head = head.strip_suffix(" set").unwrap_or(head);
    if !(head.starts_with("alter operator ") || head.starts_with("alter text search dictionary ")) {
        return None;
    }
    let (own_head, own) = last_list(text)?;
    let mut parameters = items(own);
    let given = items(list);
    for piece in pieces(list) {
        let name = piece.split('=').next().unwrap_or(piece).trim();
        // A name alone takes a dictionary's option away, NONE an operator's.
        if !piece.contains('=') || given.get(name).is_some_and(|value| value == "none") {
            parameters.remove(name);
        } else if let Some(value) = given.get(name) {
            parameters.insert(name.to_owned(), value.clone());
        }
    }
    Some(format!("{own_head} ({})", listed(&parameters)))
}

/// Whether [`altered`] knows what the ALTER does to any definition.
pub(crate) fn follows(by: &str) -> bool {
    by.ends_with(" refresh version") || foreign_options(by).is_some() || altered("x ()", by).is_some()
}

/// What stands before the list in parentheses that ends the text, and the list.
fn last_list(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_suffix(')')?;
    let open = outside(text).filter(|&(_, char)| char == '(').last()?.0;
    Some((text[..open].trim_end(), &inner[open + 1..]))
}

/// Where `options (…)` begins, and what is in it.
fn foreign_options(text: &str) -> Option<(usize, &str)> {
    let places: Vec<usize> = outside(text).map(|(at, _)| at).collect();
    let at = places.into_iter().find(|&at| text[at..].starts_with("options ("))?;
    Some((at, enclosed(&text[at + "options ".len()..])?))
}

fn foreign_definition(text: &str) -> String {
    match foreign_options(text) {
        Some(_) => foreign_altered(text, ""),
        None => text.to_owned(),
    }
}

/// `OPTIONS (host 'h', SET port '1', DROP user)` over the options that the definition has.
pub(crate) fn foreign_altered(text: &str, given: &str) -> String {
    let (head, own) = foreign_options(text).map_or((text, ""), |(at, own)| (text[..at].trim_end(), own));
    let mut options: BTreeMap<&str, &str> = pieces(own).into_iter().filter_map(|piece| piece.split_once(' ')).collect();
    for piece in pieces(given) {
        match piece.split_once(' ') {
            Some(("drop", name)) => {
                options.remove(name.trim());
            }
            Some(("set" | "add", rest)) if !rest.starts_with('\'') => options.extend(rest.trim().split_once(' ')),
            other => options.extend(other),
        }
    }
    if options.is_empty() {
        return head.to_owned();
    }
    let listed: Vec<String> = options.iter().map(|(name, value)| format!("{name} {value}")).collect();
    format!("{head} options ({})", listed.join(", ")).trim_start().to_owned()
}

/// The items that take the clause's back.
pub(crate) fn foreign_back(held: &BTreeMap<String, Option<String>>, clause: &str) -> String {
    let given = clause.find('(').and_then(|at| enclosed(&clause[at..])).unwrap_or_default();
    let value = |name: &str| held.get(name).map(|value| literal(value.as_deref().unwrap_or_default()));
    let back = pieces(given).into_iter().filter_map(|piece| {
        let (first, rest) = piece.split_once(' ')?;
        let name = if rest.starts_with('\'') { first } else { rest.split(' ').next()? };
        Some(match (first, value(name)) {
            ("drop", Some(value)) => format!("ADD {name} {value}"),
            (_, Some(value)) => format!("SET {name} {value}"),
            (_, None) => format!("DROP {name}"),
        })
    });
    back.collect::<Vec<_>>().join(", ")
}

/// The same over the options of a table or column.
pub(crate) fn set_foreign(options: &mut BTreeMap<String, Option<String>>, clause: &str) {
    let given = clause.find('(').and_then(|at| enclosed(&clause[at..])).unwrap_or_default();
    let held: Vec<String> = options
        .iter()
        .map(|(name, value)| format!("{name} {}", literal(value.as_deref().unwrap_or_default())))
        .collect();
    let altered = foreign_altered(&format!("options ({})", held.join(", ")), given);
    let list = foreign_options(&altered).map_or("", |(_, list)| list);
    *options = pieces(list)
        .into_iter()
        .filter_map(|piece| piece.split_once(' '))
        .map(|(name, value)| (name.to_owned(), Some(value.trim_matches('\'').replace("''", "'"))))
        .collect();
}

#[cfg(test)]
mod tests {
    use super::{altered, definition, foreign_altered, read, set_foreign, written};

    #[test]
    fn lists_have_one_spelling() {
        for (one, other) in [
            ("with (security_barrier)", "with (security_barrier = true)"),
            ("with (a = 'on', b = '5')", "with (b = 5, a = on)"),
            ("with (a = 1) with local check option", "with (check_option = local, a = 1)"),
        ] {
            assert_eq!(written(&read(one)), written(&read(other)), "{one}");
        }
        assert_eq!(
            definition("create aggregate s(int4) (stype = int4, sfunc = f)"),
            "create aggregate s(int4) (sfunc = f, stype = int4)"
        );
        assert_eq!(definition("create language l"), "create language l");
    }

    #[test]
    fn what_alter_sets_is_in_the_definition() {
        let server = "create server s foreign data wrapper w options (host 'h')";
        let up = altered(server, "alter server s options (set host 'g', add port '1')").unwrap();
        assert_eq!(up, "create server s foreign data wrapper w options (host 'g', port '1')");
        assert_eq!(altered(&up, "alter server s options (set host 'h', drop port)").unwrap(), server);
        assert_eq!(altered(server, "alter server s version '2'"), None);
        assert_eq!(foreign_altered("", "set t 'z'"), "options (t 'z')");
        let mut options = std::collections::BTreeMap::from([("t".to_owned(), Some("it's".to_owned()))]);
        set_foreign(&mut options, "options (add u 'v')");
        assert_eq!(options["t"].as_deref(), Some("it's"));
        set_foreign(&mut options, "options (drop t, set u 'w')");
        assert_eq!(options, std::collections::BTreeMap::from([("u".to_owned(), Some("w".to_owned()))]));
        let dictionary = "create text search dictionary d (stopwords = english, template = simple)";
        let up = altered(dictionary, "alter text search dictionary d (accept = false)").unwrap();
        assert_eq!(altered(&up, "alter text search dictionary d (accept)").unwrap(), dictionary);
    }
}

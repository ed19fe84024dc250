//! Splits a person's name: what SQL can't say well, and a backfill in Rust can.

/// Words before a name that are no part of it.
const TITLES: &[&str] = &["dr", "dr.", "mr", "mr.", "mrs", "mrs.", "ms", "ms.", "prof", "prof.", "sir"];
/// Words that a last name begins with.
const PARTICLES: &[&str] = &["da", "de", "del", "den", "der", "di", "du", "la", "le", "ten", "van", "von", "zu"];
/// Words after a name that belong to the last name.
const SUFFIXES: &[&str] = &["jr", "jr.", "sr", "sr.", "ii", "iii", "iv"];

/// First and last name; no last name where there is one word only. `None` where there is no name at all.
pub fn split(full: &str) -> Option<(String, Option<String>)> {
    // `Lovelace, Ada`
    if let Some((last, first)) = full.split_once(',')
        && !is_one_of(SUFFIXES, first.trim())
        && !first.trim().is_empty()
    {
        return Some((first.trim().to_owned(), Some(last.trim().to_owned())));
    }
    let without_comma = full.replace(',', " ");
    let words: Vec<&str> = without_comma.split_whitespace().collect();
    let titles = words.iter().take(words.len().saturating_sub(1)).take_while(|word| is_one_of(TITLES, word)).count();
    let words = &words[titles..];
    let suffixes = words.iter().skip(2).rev().take_while(|word| is_one_of(SUFFIXES, word)).count();
    let mut last = words.len().checked_sub(1 + suffixes)?;
    while last > 1 && is_one_of(PARTICLES, words[last - 1]) {
        last -= 1;
    }
    Some(match last {
        0 => (words.join(" "), None),
        last => (words[..last].join(" "), Some(words[last..].join(" "))),
    })
}

fn is_one_of(list: &[&str], word: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_are_split() {
        for (full, first, last) in [
            ("Ada Lovelace", "Ada", Some("Lovelace")),
            ("Lovelace, Ada", "Ada", Some("Lovelace")),
            ("Dr. Ludwig van der Meer", "Ludwig", Some("van der Meer")),
            ("Martin Luther King, Jr.", "Martin Luther", Some("King Jr.")),
            ("  María   José  de la Cruz ", "María José", Some("de la Cruz")),
            ("Plato", "Plato", None),
            ("Van Morrison", "Van", Some("Morrison")),
            ("Dr. Dre", "Dre", None),
        ] {
            assert_eq!(split(full), Some((first.to_owned(), last.map(str::to_owned))), "{full}");
        }
        assert_eq!(split("  "), None);
    }
}

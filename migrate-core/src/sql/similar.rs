//! Which of the known names was probably meant.

/// `; did you mean `lock`?`, or nothing where no known name is near.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The known name that differs least, where it differs in a third of its letters at most.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.into_iter().map(|name| (distance(&given.to_lowercase(), &name.to_lowercase()), name));
    let (distance, name) = distances.min()?;
    (distance <= given.len().max(name.len()).div_ceil(3)).then_some(name)
}

/// One letter more, less or other in four, or two letters the other way round.
pub(super) fn is_slip(word: &str, keyword: &str) -> bool {
    let sorted = |word: &str| {
        let mut bytes = word.as_bytes().to_vec();
        bytes.sort_unstable();
        bytes
    };
    let distance = distance(word, keyword);
    word.len() > 2 && (distance == 1 || distance == 2 && (word.len() > 6 || sorted(word) == sorted(keyword)))
}

/// The least number of insertions, removals and replacements of characters that turn one word into the other
/// (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, char) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for column in 0..to.len() {
            let replaced = diagonal + usize::from(to[column] != char);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (from, to, expected) in
            [("", "", 0), ("phase", "phase", 0), ("fase", "phase", 2), ("lokc", "lock", 2), ("", "up", 2)]
        {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn only_near_names_are_proposed() {
        let known = ["version", "phase", "lock", "transactional"];
        assert_eq!(did_you_mean("verison", known), "; did you mean `version`?");
        assert_eq!(did_you_mean("transaction", known), "; did you mean `transactional`?");
        assert_eq!(did_you_mean("colour", known), "");
    }
}

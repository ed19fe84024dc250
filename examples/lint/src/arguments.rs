//! The command line.

use migrate_core::model::PgRange;
use migrate_core::sql::hazards;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Human,
    Github,
    Sarif,
}

#[derive(Debug)]
pub struct Arguments {
    pub files: Vec<String>,
    pub setup: Option<String>,
    pub pg: PgRange,
    pub format: Format,
    /// Hazards by name, with `-`.
    pub allowed: Vec<&'static str>,
    pub advice: bool,
    /// Whether pairs are tried on a server, and on which; `None` inside is one of our own.
    pub prove: Option<Option<String>>,
    pub help: bool,
}

impl Arguments {
    pub fn read(given: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            files: Vec::new(),
            setup: None,
            pg: PgRange::SUPPORTED,
            format: Format::Human,
            allowed: Vec::new(),
            advice: false,
            prove: None,
            help: false,
        };
        let mut given = given.into_iter().peekable();
        while let Some(argument) = given.next() {
            let (key, inline) = match argument.split_once('=') {
                Some((key, value)) if key.starts_with("--") => (key.to_owned(), Some(value.to_owned())),
                _ => (argument, None),
            };
            if key == "--prove" {
                // The URL may be left out.
                let url = inline.or_else(|| given.next_if(|next| !next.starts_with('-')));
                arguments.prove = Some(url);
                continue;
            }
            let mut value = || inline.clone().or_else(|| given.next()).ok_or_else(|| format!("{key} wants a value"));
            match key.as_str() {
                "--setup" => arguments.setup = Some(value()?),
                "--pg" => arguments.pg = range(&value()?)?,
                "--format" => {
                    arguments.format = match value()?.as_str() {
                        "human" => Format::Human,
                        "github" => Format::Github,
                        "sarif" => Format::Sarif,
                        other => return Err(format!("`{other}` is no format: human, github, sarif")),
                    }
                }
                "--allow" => {
                    let name = value()?;
                    let hazard = hazards::named(&name).ok_or_else(|| format!("there is no hazard `{name}`"))?;
                    arguments.allowed.push(hazard.name);
                }
                "--advice" => arguments.advice = true,
                "--help" | "-h" => arguments.help = true,
                other if other.starts_with('-') && other != "-" => return Err(format!("`{other}` is no option")),
                file => arguments.files.push(file.to_owned()),
            }
        }
        Ok(arguments)
    }
}

/// `14..=18`, `14..18` as shells like it, or one version.
fn range(text: &str) -> Result<PgRange, String> {
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    let number = |text: &str| text.trim_start_matches('=').trim().parse::<u16>().ok();
    number(min)
        .zip(number(max))
        .and_then(|(min, max)| PgRange::new(min, max))
        .ok_or_else(|| format!("`{text}` is no range of server versions within {}", PgRange::SUPPORTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Arguments, String> {
        Arguments::read(words.iter().map(|&word| word.to_owned()))
    }

    #[test]
    fn options_are_read() {
        let arguments =
            read(&["--pg=15..=17", "--format", "sarif", "--allow", "index_not_concurrent", "a.sql"]).unwrap();
        assert_eq!(arguments.pg, PgRange::new(15, 17).unwrap());
        assert_eq!(arguments.format, Format::Sarif);
        assert_eq!(arguments.allowed, ["index-not-concurrent"]);
        assert_eq!(arguments.files, ["a.sql"]);
        assert_eq!(arguments.prove, None);
        assert_eq!(read(&["--prove"]).unwrap().prove, Some(None));
        for words in [&["--prove", "postgres://h/d"][..], &["--prove=postgres://h/d"]] {
            assert_eq!(read(words).unwrap().prove, Some(Some("postgres://h/d".to_owned())));
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for words in [&["--nonsense"][..], &["--pg", "9"], &["--format", "xml"], &["--allow", "x"], &["--setup"]] {
            assert!(read(words).is_err(), "{words:?}");
        }
    }
}

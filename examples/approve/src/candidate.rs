//! A destructive migration that waits for a signature: everything about it but the approval has been checked.

use crate::{ast::Migration, attr, ctxt::Ctxt, files::Files, source, valid};
use migrate_core::sql::{
    check::{self, Checked, CheckedDown},
    digest, quoted,
};
use proc_macro2::TokenStream;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};
use syn::{Attribute, spanned::Spanned};

pub(crate) struct Candidate {
    path: PathBuf,
    text: String,
    migration: Migration,
    attribute: Attribute,
    checked: Checked,
    /// 16 hexadecimal digits.
    digest: String,
    /// Who is to approve it.
    name: String,
}

impl Candidate {
    /// Reads the struct and checks it as it would be with this person's approval.
    pub(crate) fn read(path: &Path, migration: &str, name: &str) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let input = source::find(&text, migration).map_err(|why| format!("{}: {why}", path.display()))?;
        let files = Files::new(manifest_folder(path), Some(path.display().to_string()));

        let ctxt = Ctxt::new();
        let read = attr::migration(&input, &ctxt);
        let declared = read.as_ref().map(|migration| valid::declaration(migration, &files, &ctxt));
        let errors = ctxt.finish();
        let (Some(migration), Some(mut declared), true) = (read, declared, errors.is_empty()) else {
            return Err(not_ready(path, errors.iter().map(|error| (error.span(), error.to_string()))));
        };

        let digest = digest(&declared.declaration.steps);
        let digest = digest.strip_prefix("v1:").unwrap_or(&digest).to_owned();
        if let Some(destructive) = &mut declared.declaration.destructive {
            destructive.approved = Some(format!("{name} @ {digest}"));
        }
        let checked = check::check(&declared.declaration).map_err(|problems| {
            let problems =
                problems.into_iter().map(|problem| (declared.place(&migration, problem.site).span(), problem.message));
            not_ready(path, problems)
        })?;
        if !checked.steps.iter().any(|step| step.destructive) {
            return Err(format!("`{}` destroys nothing, and needs no approval", migration.ident));
        }
        let attribute = input.attrs.iter().find(|attribute| attribute.path().is_ident("destructive"));
        let attribute = attribute.ok_or("the struct has no `#[destructive]` attribute")?.clone();
        Ok(Self { path: path.to_owned(), text, migration, attribute, checked, digest, name: name.to_owned() })
    }

    /// What the attribute says now: who, and the digest.
    fn approved(&self) -> Option<(&str, &str)> {
        let (name, digest) = self.migration.destructive.as_ref()?.approved.value()?.rsplit_once('@')?;
        Some((name.trim(), digest.trim()))
    }

    pub(crate) fn is_signed_by(&self, name: &str) -> bool {
        self.approved() == Some((name, &self.digest))
    }

    /// Writes the approval into the file.
    pub(crate) fn write(&self) -> Result<(), String> {
        let now = fs::read_to_string(&self.path).map_err(|error| format!("{}: {error}", self.path.display()))?;
        if now != self.text {
            return Err(format!("{} has changed since it was shown; run this again", self.path.display()));
        }
        let approved = self.migration.destructive.as_ref().and_then(|destructive| destructive.approved.given());
        let approved: Option<&TokenStream> = approved.map(|given| &given.tokens);
        let approval = format!("{} @ {}", self.name, self.digest);
        let text = source::with_approval(&self.text, &self.attribute, approved, &approval)?;
        fs::write(&self.path, text).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.migration.head.version.value().copied().unwrap_or_default();
        writeln!(f, "{} ({version}) in {}", self.migration.ident, self.path.display())?;
        for line in self.migration.doc.lines() {
            writeln!(f, "  {line}")?;
        }
        for (index, step) in self.checked.steps.iter().enumerate() {
            writeln!(f, "\nstep {}", index + 1)?;
            sql(f, "up", &step.up)?;
            match &step.down {
                CheckedDown::Sql(list) => list.iter().try_for_each(|statement| sql(f, "down", &statement.sql))?,
                CheckedDown::Keep(why) => sql(f, "down", &format!("keeps the rows: {why}"))?,
                CheckedDown::Nothing(why) => sql(f, "down", &format!("nothing: {why}"))?,
                CheckedDown::Irreversible(why) => sql(f, "down", &format!("cannot be taken back: {why}"))?,
            }
            for loss in &step.destroys {
                match &loss.column {
                    Some(column) => writeln!(f, "  destroys  the column {} of {}", quoted(column), loss.relation)?,
                    None => writeln!(f, "  destroys  the rows of {}", loss.relation)?,
                }
            }
            if step.destructive && step.destroys.is_empty() {
                writeln!(f, "  destroys  data that the analysis cannot name")?;
            }
        }
        writeln!(f)?;
        match self.approved() {
            None => writeln!(f, "approved so far: by nobody"),
            Some((name, digest)) if digest == self.digest => writeln!(f, "approved so far: by {name}, this text"),
            Some((name, _)) => writeln!(f, "approved so far: by {name}, but the text has changed since"),
        }
    }
}

/// SQL beside its label, its further lines below the first.
fn sql(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    let mut lines = text.lines();
    writeln!(f, "  {label:<8}  {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(f, "            {line}"))
}

/// The folder of the nearest Cargo.toml, which `up_file` and `down_file` are relative to.
fn manifest_folder(path: &Path) -> Option<PathBuf> {
    let path = fs::canonicalize(path).ok()?;
    path.ancestors().skip(1).find(|folder| folder.join("Cargo.toml").is_file()).map(Path::to_owned)
}

fn not_ready(path: &Path, problems: impl Iterator<Item = (proc_macro2::Span, String)>) -> String {
    let mut text = "the migration has errors besides its approval; mend them first, and sign last".to_owned();
    for (span, message) in problems {
        let start = span.start();
        text.extend([format!("\n\n{}:{}:{}: {message}", path.display(), start.line, start.column + 1)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const DROP: &str = r#"#[derive(Migration)]
#[migration(version = 1, phase = Contract, lock = AccessExclusive)]
#[destructive(backup = Dump)]
#[step(up = "ALTER TABLE users DROP COLUMN full_name", down = "ALTER TABLE users ADD COLUMN full_name text")]
pub struct Drop;
"#;

    fn read(path: &Path, name: &str) -> Candidate {
        Candidate::read(path, "Drop", name).unwrap()
    }

    #[test]
    fn a_signature_is_of_one_text_and_the_derive_accepts_it() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("migrations.rs");
        fs::write(&path, DROP).unwrap();

        let candidate = read(&path, "Jane Doe");
        assert!(!candidate.is_signed_by("Jane Doe"));
        candidate.write().unwrap();
        let signed = fs::read_to_string(&path).unwrap();
        let line = format!("#[destructive(backup = Dump, approved = \"Jane Doe @ {}\")]", candidate.digest);
        assert_eq!(signed, DROP.replace("#[destructive(backup = Dump)]", &line));

        let again = read(&path, "Jane Doe");
        assert!(again.is_signed_by("Jane Doe"));
        assert!(!read(&path, "Max Roe").is_signed_by("Max Roe"));
        let input = source::find(&signed, "Drop").unwrap();
        let ctxt = Ctxt::new();
        let migration = attr::migration(&input, &ctxt).unwrap();
        let checked = valid::check(&migration, &Files::new(None, None), &ctxt);
        let errors: Vec<String> = ctxt.finish().iter().map(ToString::to_string).collect();
        assert!(checked.is_some(), "{errors:?}");

        let edited =
            signed.replace("ALTER TABLE users DROP COLUMN full_name", "ALTER TABLE users DROP COLUMN full_names");
        fs::write(&path, edited.replace("ADD COLUMN full_name ", "ADD COLUMN full_names ")).unwrap();
        let edited = read(&path, "Jane Doe");
        assert!(!edited.is_signed_by("Jane Doe"));
        assert!(edited.to_string().contains("approved so far: by Jane Doe, but the text has changed since"));
    }

    #[test]
    fn what_changed_while_it_was_shown_is_not_signed() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("migrations.rs");
        fs::write(&path, DROP).unwrap();
        let candidate = read(&path, "Jane Doe");
        let changed = DROP.replace("full_name", "nickname");
        fs::write(&path, &changed).unwrap();
        assert!(candidate.write().unwrap_err().contains("has changed since it was shown"));
        assert_eq!(fs::read_to_string(&path).unwrap(), changed);
    }
}

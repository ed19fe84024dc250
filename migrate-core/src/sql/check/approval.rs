//! Backup and approval: what destroys data needs both, and what does not needs neither.

use super::analysed::Analysed;
use super::declaration::{Declaration, Site};
use super::excerpt::{assumed, quote};
use super::overwritten::instead;
use super::run::Problems;

pub(super) fn approval(declaration: &Declaration, steps: &[Analysed], digest: &str, problems: &mut Problems) {
    let destroyer = steps.iter().enumerate().find(|(_, step)| step.checked.destructive);
    let Some((at, step)) = destroyer else {
        if declaration.destructive.is_some() {
            problems.add(
                Site::Destructive,
                "no step destroys data: what existed before can be had back from the database, or by the downs\n  = leave `#[destructive(…)]` out",
            );
        }
        return;
    };
    let lost = match step.checked.destroys.as_slice() {
        [] => "data that existed before".to_owned(),
        list => list
            .iter()
            .map(|loss| match &loss.column {
                Some(column) => format!("the values of {}.{}", loss.relation, crate::sql::name::quoted(column)),
                None => format!("the rows of {}", loss.relation),
            })
            .collect::<Vec<_>>()
            .join(", "),
    };
    let sign = sign_command(declaration);
    let Some(destructive) = &declaration.destructive else {
        problems.add(
            Site::Step(at),
            format!(
                "step {} destroys {lost}: it needs a backup and a person's approval\n{}{}  = write `#[destructive(backup = Dump, approved = \"\")]` and have a person sign the text:\n        {sign}{}",
                at + 1,
                quote(declaration, at, step),
                assumed(declaration, at, |assume| assume.destructive.is_some(), "destructive = false"),
                instead(&step.overwritten).map_or(String::new(), |instead| format!("\n  = or, {instead}")),
            ),
        );
        return;
    };
    if destructive.backup.is_none() {
        problems.add(
            Site::Backup,
            format!(
                "step {} destroys {lost}: say which backup must have been made before it runs\n  = write `backup = Dump` (a pg_dump of the affected tables, made and verified by the runner right before the step)",
                at + 1,
            ),
        );
    }
    let approved = destructive.approved.as_deref().map(str::trim).unwrap_or_default();
    if approved.is_empty() {
        problems.add(
            Site::Approved,
            format!(
                "step {} destroys {lost}, and nobody has approved it\n{}  = a person who has read it signs it with\n        {sign}",
                at + 1,
                quote(declaration, at, step),
            ),
        );
        return;
    }
    let signature = approved.rsplit_once('@').map(|(name, signed)| (name.trim(), signed.trim()));
    let well_formed = |name: &str, signed: &str| {
        !name.is_empty() && signed.len() == 16 && signed.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    match signature {
        Some((name, signed)) if well_formed(name, signed) => {
            if !digest.strip_prefix("v1:").is_some_and(|now| now.eq_ignore_ascii_case(signed)) {
                problems.add(
                    Site::Approved,
                    format!(
                        "the SQL has changed since {name} approved it: the approval is of another text\n  = {name}, or somebody else who has read the text as it is now, signs it with\n        {sign}",
                    ),
                );
            }
        }
        _ => problems.add(
            Site::Approved,
            format!(
                "`{approved}` is not an approval: it is a person's name, `@`, and the 16 hexadecimal digits of the text that was approved\n  = a person who has read the SQL signs it with\n        {sign}",
            ),
        ),
    }
}

/// The program that signs, and how a project that is not this one comes by it.
pub const SIGNS: &str = "approve";
/// See [`SIGNS`].
pub const INSTALLS: &str = concat!("cargo install --git ", env!("CARGO_PKG_REPOSITORY"), " approve");

fn sign_command(declaration: &Declaration) -> String {
    format!(
        "{SIGNS} {} {} --as \"YOUR NAME\"\n    in a terminal; once: {INSTALLS}",
        declaration.file.as_deref().unwrap_or("path/to/file.rs"),
        declaration.name
    )
}

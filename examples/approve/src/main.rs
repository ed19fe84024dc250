//! Signs a destructive migration.
//!
//! ```text
//! cargo install --git https://github.com/migrate-rs/migrate approve      # once; in this repository: cargo run -p approve --
//! approve src/migrations.rs DropFullName --as "Jane Doe"
//! ```
//!
//! It shows what the migration runs and what that destroys, asks the person at the terminal, and writes
//! `approved = "Jane Doe @ 9f31c2ab5d04e877"` into the source: the digest binds the signature to the text, so that an edit
//! of the SQL no longer compiles. The attributes are read by the derive's own stages, so that both mean the same.

mod candidate;
mod source;

// The stages that the derive reads attributes with. They name each other from the root of their crate.
#[path = "../../../migrate-macros/src/args.rs"]
mod args;
#[path = "../../../migrate-macros/src/ast.rs"]
#[allow(dead_code, reason = "an approval needs a part of what the derive needs")]
mod ast;
#[path = "../../../migrate-macros/src/attr.rs"]
#[allow(dead_code, reason = "an approval needs a part of what the derive needs")]
mod attr;
#[path = "../../../migrate-macros/src/ctxt.rs"]
#[allow(dead_code, reason = "an approval needs a part of what the derive needs")]
mod ctxt;
#[path = "../../../migrate-macros/src/files.rs"]
#[allow(dead_code, reason = "an approval needs a part of what the derive needs")]
mod files;
#[path = "../../../migrate-macros/src/valid.rs"]
#[allow(dead_code, reason = "an approval needs a part of what the derive needs")]
mod valid;
#[path = "../../../migrate-macros/src/value.rs"]
mod value;

use candidate::Candidate;
use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

const USAGE: &str = "usage: approve FILE.rs STRUCT --as \"YOUR NAME\"

Shows what the destructive migration STRUCT in FILE.rs runs and destroys, asks, and writes your approval into the file.
Run it in a terminal: an approval is a person's.";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    file: PathBuf,
    migration: String,
    name: String,
}

fn main() -> ExitCode {
    let request = match request(std::env::args_os().skip(1)) {
        Ok(Some(request)) => request,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("approve: {why}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match sign(&request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("approve: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the arguments; nothing where help was asked for.
fn request(args: impl Iterator<Item = OsString>) -> Result<Option<Request>, String> {
    let mut args = args.map(|arg| arg.into_string().map_err(|arg| format!("`{}` is not UTF-8", arg.display())));
    let (mut places, mut name) = (Vec::new(), None);
    while let Some(arg) = args.next().transpose()? {
        match arg.as_str() {
            "-h" | "--help" => return Ok(None),
            "--as" => name = Some(args.next().transpose()?.ok_or("`--as` needs a name after it")?),
            flag if flag.starts_with('-') => return Err(format!("there is no option `{flag}`")),
            _ => places.push(arg),
        }
    }
    let [file, migration] = <[String; 2]>::try_from(places).map_err(|_| "name one file and one struct")?;
    let name = name.ok_or("say who approves: `--as \"YOUR NAME\"`")?.trim().to_owned();
    if name.is_empty() || name.contains(['@', '"', '\\']) || name.contains(char::is_control) {
        return Err("a name has at least one letter, and no `@`, quote, backslash or line break".to_owned());
    }
    Ok(Some(Request { file: file.into(), migration, name }))
}

fn sign(request: &Request) -> Result<(), String> {
    let candidate = Candidate::read(&request.file, &request.migration, &request.name)?;
    println!("{candidate}");
    if candidate.is_signed_by(&request.name) {
        println!("{} has approved this very text already; nothing to do.", request.name);
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err("an approval is a person's: run this in a terminal, where it can ask".to_owned());
    }
    print!("To approve this as {}, type the name of the struct; anything else changes nothing: ", request.name);
    io::stdout().flush().map_err(|error| error.to_string())?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| error.to_string())?;
    if answer.trim() != request.migration {
        return Err("not approved; the file is as it was".to_owned());
    }
    candidate.write()?;
    println!("approved by {} in {}", request.name, request.file.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Option<Request>, String> {
        request(args.iter().map(OsString::from))
    }

    #[test]
    fn arguments() {
        let request = parsed(&["src/a.rs", "--as", " Jane Doe ", "Drop"]).unwrap().unwrap();
        assert_eq!(request, Request { file: "src/a.rs".into(), migration: "Drop".into(), name: "Jane Doe".into() });
        assert_eq!(parsed(&["--help"]), Ok(None));
        for wrong in [
            &["src/a.rs", "Drop"][..],
            &["src/a.rs", "--as", "Jane"],
            &["a", "b", "c", "--as", "Jane"],
            &["a", "b", "--as"],
            &["a", "b", "--as", "Jane @ Acme"],
            &["a", "b", "--as", " "],
            &["a", "b", "--as", "Jane", "--yes"],
        ] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }
}

//! Says of SQL statements what they do to a database that is in use.
//!
//! Without a file: reads JSON Lines on standard input and writes one line for each: `{"id","setup","sql","pg"}` asks what a
//! statement does, `{"id","setup","up","down","pg"}` whether the downs take back the ups. With files: reads each as one
//! migration, and says what hurts in it.
#![forbid(unsafe_code)]

mod arguments;
mod github;
mod human;
mod lines;
mod prove;
mod sarif;
mod script;

use arguments::{Arguments, Format};
use prove::Prover;
use script::Script;
use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

const USAGE: &str = "\
lint                                    JSON Lines on standard input:
      {\"id\",\"setup\",\"sql\",\"pg\"}         what the statement does
      {\"id\",\"setup\",\"up\",\"down\",\"pg\"}   whether the downs take back the ups (a text each, or a list): \"verdict\"
                                        \"reverses\", \"differs\" with the \"differences\", or \"server\" (only a server
                                        can tell) with the \"reason\"; without \"setup\" nothing is known of the schema
      \"pg\" is the server's major version, and must be there
lint --prove [URL]                      the same lines, the pairs tried on that server, or on one started from local
                                        binaries, each in a database that is dropped: \"reverses\" or \"differs\", by
                                        schema and rows; tables that are empty are given rows, said in a \"note\"
lint [OPTIONS] FILE.sql …               each file as one migration; exit 1 where something is refused

    --setup FILE.sql                    the schema that is there before, and nothing else; without it nothing is known
    --pg 14..=18                        the server versions
    --format human | github | sarif     for people, as annotations of a GitHub workflow, as SARIF 2.1.0
    --allow NAME                        a hazard that does no harm here; may be repeated
    --advice                            advice too
";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lint: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let arguments = Arguments::read(std::env::args().skip(1))?;
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.help {
        write!(out, "{USAGE}").and_then(|()| out.flush()).map_err(|error| error.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.files.is_empty() {
        let prover = arguments.prove.as_ref().map(|url| Prover::new(url.as_deref())).transpose()?;
        lines::answer(io::stdin().lock(), &mut out, prover.as_ref())
            .and_then(|()| out.flush())
            .map_err(|error| error.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.prove.is_some() {
        return Err("--prove reads pairs on standard input, and no files".to_owned());
    }
    let setup = arguments.setup.as_deref().map(read).transpose()?;
    let mut scripts = Vec::new();
    for file in &arguments.files {
        scripts.push(Script::analysed(file, read(file)?, setup.as_deref(), &arguments));
    }
    let written = match arguments.format {
        Format::Human => scripts.iter().try_for_each(|script| human::write(script, &mut out)),
        Format::Github => scripts.iter().try_for_each(|script| github::write(script, &mut out)),
        Format::Sarif => sarif::write(&scripts, &mut out),
    };
    written.and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    Ok(if scripts.iter().any(Script::is_refused) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read(file: &str) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))
}

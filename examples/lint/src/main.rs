//! Says of SQL statements what they do to a database that is in use.
//!
//! Without arguments: reads JSON Lines `{"id","setup","sql","pg"}` on standard input and writes one line for each.
#![forbid(unsafe_code)]

mod lines;

use std::io::{self, BufWriter, Write as _};

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    lines::answer(io::stdin().lock(), &mut out)?;
    out.flush()
}

//! Annotations of a GitHub workflow (GitHub's documentation, "Workflow commands", `::error file=…`).

use crate::script::Script;
use migrate_core::sql::hazards::Severity;
use std::io::{self, Write};
use std::ops::Range;

pub fn write(script: &Script, out: &mut impl Write) -> io::Result<()> {
    if let Some(error) = &script.error {
        let place = error.span().map_or_else(String::new, |span| place(script, &span));
        return writeln!(
            out,
            "::error file={}{place},title=SQL::{}",
            property(&script.file),
            message(&error.to_string())
        );
    }
    for (span, finding) in &script.findings {
        let level = match finding.hazard.severity {
            Severity::Blocking => "error",
            Severity::Advice => "notice",
        };
        let mut text = format!("{}\n{}", finding.message, finding.hazard.safe);
        if !finding.safe_form.is_empty() {
            text.push_str("\n\n");
            text.push_str(&finding.safe_form);
        }
        writeln!(
            out,
            "::{level} file={}{},title={}::{}",
            property(&script.file),
            place(script, span),
            finding.hazard.name,
            message(&text)
        )?;
    }
    Ok(())
}

fn place(script: &Script, span: &Range<usize>) -> String {
    let (line, column) = script.position(span.start);
    let (end_line, end_column) = script.position(span.end);
    // The columns are only shown for what stands on one line.
    if line == end_line {
        format!(",line={line},col={column},endColumn={end_column}")
    } else {
        format!(",line={line},endLine={end_line}")
    }
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

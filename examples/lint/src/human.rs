//! For people: the SQL with a caret, the lock, the reason, and the safe form.

use crate::script::Script;
use migrate_core::sql::Excerpt;
use migrate_core::sql::hazards::Severity;
use std::io::{self, Write};

pub fn write(script: &Script, out: &mut impl Write) -> io::Result<()> {
    if let Some(error) = &script.error {
        writeln!(out, "error: {error}")?;
        match error.span() {
            Some(span) => writeln!(out, "{}\n", Excerpt::new(&script.sql, span).file(&script.file))?,
            None => writeln!(out)?,
        }
        return Ok(());
    }
    for (span, finding) in &script.findings {
        let hazard = finding.hazard;
        let level = match hazard.severity {
            Severity::Blocking => "error",
            Severity::Advice => "advice",
        };
        writeln!(out, "{level}[{}]: {}", hazard.name, finding.message)?;
        writeln!(out, "{}", Excerpt::new(&script.sql, span.clone()).file(&script.file))?;
        writeln!(out, "  = lock: {}", hazard.lock)?;
        writeln!(out, "  = why: {}", hazard.why)?;
        writeln!(out, "  = instead: {}", hazard.safe)?;
        if !finding.safe_form.is_empty() {
            writeln!(out, "  = the safe form:\n")?;
            for line in finding.safe_form.lines() {
                writeln!(out, "{}", format!("        {line}").trim_end())?;
            }
        }
        writeln!(out)?;
    }
    let refused = script.findings.iter().filter(|(_, finding)| finding.hazard.severity == Severity::Blocking).count();
    match refused {
        0 => writeln!(out, "{}: nothing is refused", script.file),
        count => writeln!(out, "{}: {count} refused", script.file),
    }
}

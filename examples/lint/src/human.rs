//! For people: the SQL with a caret, the lock, the reason, and the safe form.

use crate::script::Script;
use migrate_core::sql::hazards::Severity;
use migrate_core::sql::{Excerpt, Facts};
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
    for (span, facts) in &script.statements {
        let (line, _) = script.position(span.start);
        let first = script.sql[span.clone()].lines().next().unwrap_or_default();
        let more = if script.sql[span.clone()].lines().nth(1).is_some() { " …" } else { "" };
        writeln!(out, "{}:{line}: {first}{more}", script.file)?;
        writeln!(out, "    {}", explained(facts))?;
    }
    writeln!(out)?;
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

/// `lock AccessExclusive (public.orders); work Metadata; phase Expand`.
fn explained(facts: &Facts) -> String {
    let locked: Vec<String> =
        facts
            .locks
            .iter()
            .map(|(relation, lock)| {
                if lock.class == facts.lock_class { relation.to_string() } else { format!("{relation} {}", lock.class) }
            })
            .collect();
    let mut parts = vec![format!("lock {}", facts.lock_class)];
    if !locked.is_empty() {
        parts[0].push_str(&format!(" ({})", locked.join(", ")));
    }
    parts.push(format!("work {}", facts.work));
    parts.push(format!("phase {}", facts.phase));
    if !facts.in_transaction {
        parts.push("not in a transaction".to_owned());
    }
    if facts.destructive {
        parts.push("destroys data".to_owned());
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use crate::arguments::Arguments;
    use crate::script::Script;

    fn written(sql: &str) -> String {
        let arguments = Arguments::read(["x.sql".to_owned()]).unwrap();
        let mut out = Vec::new();
        super::write(&Script::analysed("x.sql", sql.to_owned(), None, &arguments), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_script_is_explained_where_nothing_is_refused_too() {
        let sql = "ALTER TABLE orders\n  ADD COLUMN status text;\nCREATE INDEX CONCURRENTLY i ON orders (status);";
        assert_eq!(
            written(sql),
            "x.sql:1: ALTER TABLE orders …\n    lock AccessExclusive (public.orders); work Metadata; phase Expand\n\
             x.sql:3: CREATE INDEX CONCURRENTLY i ON orders (status)\n    lock ShareUpdateExclusive (public.orders); work IndexBuild; \
             phase Expand; not in a transaction\n\nx.sql: nothing is refused\n"
        );
        let refused = written("DROP TABLE orders");
        assert!(refused.contains("destroys data"), "{refused}");
    }
}

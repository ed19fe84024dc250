//! SARIF 2.1.0, the Static Analysis Results Interchange Format (OASIS).

use crate::script::Script;
use migrate_core::sql::hazards::{self, Severity};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::ops::Range;

pub fn write(scripts: &[Script], out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &log(scripts))?;
    out.write_all(b"\n")
}

fn log(scripts: &[Script]) -> Value {
    let rules: Vec<Value> = hazards::all()
        .iter()
        .map(|hazard| {
            json!({
                "id": hazard.name,
                "shortDescription": { "text": hazard.title },
                "fullDescription": { "text": hazard.why },
                "help": { "text": format!("{}\n\nLock: {}.", hazard.safe, hazard.lock) },
                "defaultConfiguration": { "level": level(hazard.severity) },
            })
        })
        .collect();
    let results: Vec<Value> = scripts.iter().flat_map(results).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "lint", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Blocking => "error",
        Severity::Advice => "note",
    }
}

fn results(script: &Script) -> Vec<Value> {
    if let Some(error) = &script.error {
        let span = error.span().unwrap_or(0..0);
        return vec![json!({
            "level": "error",
            "message": { "text": error.to_string() },
            "locations": [location(script, &span)],
        })];
    }
    script
        .findings
        .iter()
        .map(|(span, finding)| {
            let mut text = finding.message.clone();
            if !finding.safe_form.is_empty() {
                text.push_str("\n\nThe safe form:\n\n");
                text.push_str(&finding.safe_form);
            }
            json!({
                "ruleId": finding.hazard.name,
                "level": level(finding.hazard.severity),
                "message": { "text": text },
                "locations": [location(script, span)],
            })
        })
        .collect()
}

fn location(script: &Script, span: &Range<usize>) -> Value {
    let (line, column) = script.position(span.start);
    let (end_line, end_column) = script.position(span.end);
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": script.file },
            "region": { "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;

    #[test]
    fn every_result_has_its_rule_and_place() {
        let arguments = Arguments::read(["a.sql".to_owned()]).unwrap();
        let sql = "SELECT 1;\nCREATE INDEX ON orders (status);\n".to_owned();
        let log = log(&[Script::analysed("a.sql", sql, None, &arguments)]);
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["ruleId"], "index-not-concurrent");
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 2);
        let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
        assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]));
    }
}

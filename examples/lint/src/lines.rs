//! JSON Lines in, JSON Lines out. A line that cannot be read is answered with an error, and the next one is read.

use migrate_core::sql::{AnalyzeError, analyze};
use serde_json::{Value, json};
use std::io::{self, BufRead, Write};

pub fn answer(mut input: impl BufRead, out: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let reply = one(&line);
        serde_json::to_writer(&mut *out, &reply)?;
        out.write_all(b"\n")?;
        // Each answer is there before the next line is asked for: a caller may wait for it.
        out.flush()?;
    }
}

fn one(line: &[u8]) -> Value {
    let request: Value = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => {
            return json!({ "id": null, "pg": null, "error": "input", "message": format!("not a line of JSON: {error}") });
        }
    };
    let id = request.get("id").cloned().unwrap_or(Value::Null);
    let refuse = |message: &str| json!({ "id": id, "pg": request.get("pg"), "error": "input", "message": message });
    let Some(sql) = request.get("sql").and_then(Value::as_str) else { return refuse("`sql` is missing, or no string") };
    let setup = match request.get("setup") {
        None | Some(Value::Null) => "",
        Some(Value::String(setup)) => setup,
        Some(_) => return refuse("`setup` is no string"),
    };
    let Some(pg) = request.get("pg").and_then(version) else { return refuse("`pg` is missing, or no number") };
    match analyze(setup, sql, pg) {
        Ok(found) => found.json(&id),
        Err(error) => {
            let code = match &error {
                AnalyzeError::Statement { sqlstate, .. } => sqlstate.clone(),
                AnalyzeError::Setup { .. } => "setup".to_owned(),
                _ => "input".to_owned(),
            };
            json!({ "id": id, "pg": pg, "error": code, "message": error.to_string() })
        }
    }
}

fn version(value: &Value) -> Option<u16> {
    match value {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_does_not_end_the_run() {
        let input = b"nonsense\n\n{\"id\":1}\n{\"id\":2,\"sql\":\"DROP TABLE t\",\"setup\":\"CREATE TABLE t (a int)\",\"pg\":16}\n{\"id\":3,\"sql\":\"DROP TABLE t\",\"pg\":16}\n\xff\n";
        let mut out = Vec::new();
        answer(&input[..], &mut out).unwrap();
        let replies: Vec<Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(replies.len(), 5);
        assert_eq!(replies[1]["id"], 1);
        assert_eq!(replies[2]["lock_class"], "AccessExclusive");
        assert_eq!(replies[2]["destructive"], true);
        assert_eq!(replies[3]["error"], "42P01");
    }
}

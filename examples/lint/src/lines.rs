//! JSON Lines in, JSON Lines out. A line that cannot be read is answered with an error, and the next one is read.

use crate::prove::Prover;
use migrate_core::sql::similar::did_you_mean;
use migrate_core::sql::{AnalyzeError, analyze, judge_pair};
use serde_json::{Value, json};
use std::io::{self, BufRead, Write};

/// Pairs are proved where there is a server to prove them on, and judged by their SQL otherwise.
pub fn answer(mut input: impl BufRead, out: &mut impl Write, prover: Option<&Prover>) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let reply = one(&line, prover);
        serde_json::to_writer(&mut *out, &reply)?;
        out.write_all(b"\n")?;
        // Each answer is there before the next line is asked for: a caller may wait for it.
        out.flush()?;
    }
}

fn one(line: &[u8], prover: Option<&Prover>) -> Value {
    let request: Value = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => {
            return json!({ "id": null, "pg": null, "error": "input", "message": format!("not a line of JSON: {error}") });
        }
    };
    let id = request.get("id").cloned().unwrap_or(Value::Null);
    let refuse = |message: &str| json!({ "id": id, "pg": request.get("pg"), "error": "input", "message": message });
    let setup = match request.get("setup") {
        None | Some(Value::Null) => None,
        Some(Value::String(setup)) => Some(setup.as_str()),
        Some(_) => return refuse("`setup` is no string"),
    };
    let pg = request.get("pg").and_then(version);
    let pg = match (pg, prover, request.get("sql")) {
        (Some(pg), ..) => pg,
        // A pair is proved on the version that the server has.
        (None, Some(_), None) => 0,
        _ => {
            let message = format!("`pg`, the server's major version, is missing or no number{}", unknown(&request));
            return refuse(&message);
        }
    };
    let answer = match (request.get("sql"), request.get("up"), request.get("down")) {
        (Some(Value::String(sql)), None, None) => {
            analyze(setup.unwrap_or_default(), sql, pg).map(|found| found.json(&id))
        }
        (None, Some(up), Some(down)) => {
            let (Some(ups), Some(downs)) = (texts(up), texts(down)) else {
                return refuse("`up` and `down` are a string each, or an array of strings");
            };
            if let Some(prover) = prover {
                return prover.answer(&id, setup, &ups, &downs);
            }
            judge_pair(setup, &ups, &downs, pg).map(|pair| pair.json(&id))
        }
        (None, Some(_), None) => return refuse("`down` is missing"),
        (None, None, Some(_)) => return refuse("`up` is missing"),
        (None, None, None) => {
            let message = format!("`sql` is missing, or `up` and `down`{}", unknown(&request));
            return refuse(&message);
        }
        (Some(Value::String(_)), ..) => return refuse("`sql` is one statement, `up` and `down` are a pair: not both"),
        (Some(_), ..) => return refuse("`sql` is no string"),
    };
    answer.unwrap_or_else(|error| {
        let code = match &error {
            AnalyzeError::Statement { sqlstate, .. } => sqlstate.clone(),
            AnalyzeError::Setup { .. } => "setup".to_owned(),
            _ => "input".to_owned(),
        };
        json!({ "id": id, "pg": pg, "error": code, "message": error.to_string() })
    })
}

/// The keys that mean nothing here, where one is missing that may have been meant. A caller may keep others for itself.
fn unknown(request: &Value) -> String {
    const KEYS: [&str; 6] = ["id", "setup", "sql", "up", "down", "pg"];
    let keys = request.as_object().into_iter().flatten().map(|(key, _)| key);
    keys.filter(|key| !KEYS.contains(&key.as_str()))
        .map(|key| format!("; `{key}` is no key{}", did_you_mean(key, KEYS)))
        .collect()
}

/// One text, or a list of them.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
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
        answer(&input[..], &mut out, None).unwrap();
        let replies: Vec<Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(replies.len(), 5);
        assert_eq!(replies[1]["id"], 1);
        assert_eq!(replies[2]["lock_class"], "AccessExclusive");
        assert_eq!(replies[2]["destructive"], true);
        assert_eq!(replies[3]["error"], "42P01");
    }

    #[test]
    fn pairs_are_proved() {
        let prover = Prover::new(None).unwrap();
        let pg = prover.server().major();
        let pair = |setup: &str, up: &str, down: &str| {
            let line = json!({ "id": 7, "setup": setup, "up": [up], "down": down, "pg": 14 }).to_string();
            one(line.as_bytes(), Some(&prover))
        };
        let setup = "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x')";
        let right = pair(setup, "ALTER TABLE t ADD c int", "ALTER TABLE t DROP c");
        assert_eq!(right, json!({ "id": 7, "pg": pg, "verdict": "reverses", "differences": [] }));
        let wrong = pair(setup, "UPDATE t SET b = lower(b), a = 2", "UPDATE t SET b = 'x'");
        assert_eq!(wrong["verdict"], "differs");
        assert_eq!(wrong["differences"], json!(["table public.t: column a holds other values"]));
        let made = pair("CREATE TABLE t (a int)", "ALTER TABLE t ADD c int", "ALTER TABLE t DROP c");
        assert_eq!((&made["verdict"], made["note"].is_string()), (&json!("reverses"), true));
        assert_eq!(pair(setup, "DROP TABLE u", "SELECT 1")["error"], "42P01");
        assert_eq!(pair("nonsense", "SELECT 1", "SELECT 1")["error"], "setup");
        let statement = one(b"{\"id\":1,\"sql\":\"SELECT 1\",\"pg\":16}", Some(&prover));
        assert_eq!(statement["lock_class"], "None");
        let input = b"{\"id\":1,\"up\":\"SELECT 1\",\"down\":\"SELECT 1\"}\nnonsense\n";
        let mut out = Vec::new();
        answer(&input[..], &mut out, Some(&prover)).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 2);
        prover.assert_nothing_left();
    }

    #[test]
    fn a_key_that_was_meant_is_named() {
        let message = |line: &str| one(line.as_bytes(), None)["message"].as_str().unwrap().to_owned();
        let wrong = message(r#"{"id":1,"sql":"SELECT 1","pgg":16}"#);
        assert!(wrong.starts_with("`pg`, the server's major version, is missing"), "{wrong}");
        assert!(wrong.ends_with("`pgg` is no key; did you mean `pg`?"), "{wrong}");
        assert!(message(r#"{"id":1,"pg":16,"sqll":"SELECT 1"}"#).ends_with("did you mean `sql`?"));
        assert_eq!(one(br#"{"id":1,"pg":16,"sql":"SELECT 1","note":"ours"}"#, None)["lock_class"], "None");
    }

    #[test]
    fn pairs_are_judged() {
        let ask = |line: &str| one(line.as_bytes(), None);
        let setup = "CREATE TABLE t (a int, b int); CREATE INDEX t_b ON t (b)";
        let pair = |up: &str, down: &str| {
            one(json!({ "id": "p", "setup": setup, "up": [up], "down": [down], "pg": 18 }).to_string().as_bytes(), None)
        };
        let right = pair("ALTER TABLE t ADD c int", "ALTER TABLE t DROP c");
        assert_eq!(right, json!({ "id": "p", "pg": 18, "verdict": "reverses", "differences": [] }));
        let wrong = pair("ALTER TABLE t DROP b", "ALTER TABLE t ADD b int");
        assert_eq!(wrong["verdict"], "differs");
        assert_eq!(wrong["differences"], json!(["index t_b is missing"]));
        let server = pair("UPDATE t SET a = 1", "UPDATE t SET a = NULL");
        assert_eq!(server["verdict"], "server");
        assert!(server["reason"].as_str().unwrap().contains("depends on the data"));
        assert_eq!(pair("ALTER TABLE t ADD c int", "ALTER TABLE nonsense")["verdict"], "differs");
        assert_eq!(pair("ALTER TABLE none ADD c int", "SELECT 1")["error"], "42P01");
        let open = ask(
            "{\"id\":1,\"pg\":16,\"up\":\"ALTER TABLE t ALTER a TYPE text\",\"down\":\"ALTER TABLE t ALTER a TYPE int\"}",
        );
        assert_eq!(open["verdict"], "server");
        for line in [
            "{\"id\":1,\"pg\":16,\"up\":[\"SELECT 1\"]}",
            "{\"id\":1,\"pg\":16,\"up\":[1],\"down\":[]}",
            "{\"id\":1,\"pg\":9,\"up\":[\"SELECT 1\"],\"down\":[\"SELECT 1\"]}",
            "{\"id\":1,\"pg\":16,\"up\":[],\"down\":[]}",
            "[]",
        ] {
            assert_eq!(ask(line)["error"], "input", "{line}");
        }
    }
}

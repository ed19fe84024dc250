//! The program as it is called: pairs on standard input, a real server, and what it exits with.

use migrate_pg::testing;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

fn lint(arguments: &[&str], lines: &[Value]) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_lint"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    for line in lines {
        // One that refuses its arguments does not read them.
        let _ = writeln!(input, "{line}");
    }
    drop(input);
    process.wait_with_output().unwrap()
}

fn answers(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn pairs_are_proved_on_the_server_of_the_url() {
    let server = testing::server().await;
    let setup =
        "CREATE TABLE t (a int, b text NOT NULL DEFAULT 'x'); CREATE INDEX t_b ON t (b); INSERT INTO t VALUES (1)";
    let lines = [
        json!({ "id": "right", "setup": setup, "up": "ALTER TABLE t ADD c int", "down": "ALTER TABLE t DROP c" }),
        json!({ "id": "wrong", "setup": setup, "up": ["ALTER TABLE t ALTER b DROP DEFAULT", "DROP INDEX t_b"],
                "down": ["CREATE INDEX t_b ON t (a)", "SELECT 1"] }),
        // Only rows tell.
        json!({ "id": "rows", "setup": setup, "up": "UPDATE t SET a = 2", "down": "UPDATE t SET a = 3" }),
        json!({ "id": "refused", "setup": setup, "up": "DROP TABLE u", "down": "SELECT 1" }),
        json!({ "id": "half", "up": "SELECT 1" }),
    ];
    let output = lint(&["--prove", server.url()], &lines);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let pg = server.major();
    let found = answers(&output);
    assert_eq!(found[0], json!({ "id": "right", "pg": pg, "verdict": "reverses", "differences": [] }));
    assert_eq!(
        (&found[1]["id"], &found[1]["pg"], &found[1]["verdict"], &found[1]["differences"]),
        (
            &json!("wrong"),
            &json!(pg),
            &json!("differs"),
            &json!([
                "column public.t.b: DEFAULT 'x'::text is missing",
                "index public.t_b: definition was CREATE INDEX t_b ON public.t USING btree (b) and is CREATE INDEX t_b ON public.t USING btree (a)"
            ])
        )
    );
    assert_eq!(
        (&found[2]["verdict"], &found[2]["differences"]),
        (&json!("differs"), &json!(["table public.t: column a holds other values"]))
    );
    assert_eq!((&found[3]["id"], &found[3]["error"]), (&json!("refused"), &json!("42P01")));
    assert_eq!((&found[4]["id"], &found[4]["error"]), (&json!("half"), &json!("input")));
    assert_eq!(found.len(), lines.len());

    let client = server.connect().await.unwrap();
    let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'migrate_test_%'";
    assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[test]
fn what_cannot_be_called_so_exits_with_two_and_says_why() {
    let nobody = lint(&["--prove", "postgresql://u:secret@127.0.0.1:1/d"], &[json!({ "id": 1 })]);
    assert_eq!(nobody.status.code(), Some(2), "{nobody:?}");
    let said = String::from_utf8_lossy(&nobody.stderr);
    assert!(said.starts_with("lint: connecting to the server at 127.0.0.1:1") && !said.contains("secret"), "{said}");
    assert!(nobody.stdout.is_empty(), "{nobody:?}");

    let both = lint(&["--prove", "--pg", "16", "up.sql"], &[]);
    assert_eq!(both.status.code(), Some(2), "{both:?}");
}

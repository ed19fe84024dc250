use super::*;
use crate::gate::Direction;
use crate::testing::{self, TestDatabase};
use migrate_core::model::Loss;
use std::fs;
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use tokio_postgres::Client;

/// A directory that goes when the test does.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("migrate_test_dump_{}_{count}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A program that the gate takes for `pg_dump`; `pg_restore` is beside it.
    fn program(&self, body: &str) -> PathBuf {
        let bin = self.0.join("bin");
        fs::create_dir(&bin).unwrap();
        for name in ["pg_dump", "pg_restore"] {
            let path = bin.join(name);
            // By a child: a file that this process writes may be open still, in a child that another test forks just
            // then, and a program that is open for writing cannot be run (ETXTBSY, execve(2)).
            let mut write = std::process::Command::new("sh");
            write.args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", body]).arg(path);
            assert!(write.status().unwrap().success());
        }
        bin
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

struct Fixture {
    db: TestDatabase,
    client: Client,
    scratch: Scratch,
}

async fn fixture(setup: &str) -> Fixture {
    let db = testing::database().await;
    let client = db.connect().await;
    client.batch_execute(setup).await.unwrap();
    Fixture { db, client, scratch: Scratch::new() }
}

impl Fixture {
    fn gate(&self) -> Dump {
        Dump::to(self.scratch.0.join("dumps"), self.db.config())
    }

    fn dumps(&self) -> Vec<String> {
        fs::read_dir(self.scratch.0.join("dumps"))
            .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default()
    }

    fn context<'a>(&'a self, losses: &'a [Loss]) -> GateContext<'a> {
        GateContext {
            client: &self.client,
            version: 202_605_011_200,
            migration: "DropFullName",
            step: 1,
            losses,
            direction: Direction::Up,
            server_version_num: u32::from(self.db.server().major()) * 10_000 + 4,
        }
    }

    /// The client programs, where the machine has some that are new enough for the server.
    async fn tools(&self) -> Option<Tools> {
        let tools = Tools::find(None).await;
        let fit = tools.as_ref().is_ok_and(|tools| tools.fits(self.context(&[]).server_version_num).is_ok());
        if !fit {
            let major = self.db.server().major();
            // Where the runner of tests does not keep it to itself.
            writeln!(
                std::io::stderr(),
                "SKIPPED: no pg_dump for a server of version {major} on this machine ({tools:?})"
            )
            .unwrap();
            return None;
        }
        tools.ok()
    }

    async fn text(&self, sql: &str) -> Option<String> {
        self.client.query_typed_one(sql, &[]).await.unwrap().get(0)
    }
}

fn rows(relation: &'static str) -> Loss {
    Loss { relation, column: None, cascades: false }
}

#[tokio::test]
async fn the_rows_come_back_out_of_a_dump() {
    let fixture = fixture(
        "CREATE SCHEMA \"Shop\"; SET search_path = \"Shop\", public;
         CREATE TABLE \"Order \"\"Items\"\".*\" (id int, \"Full Name\" text);
         INSERT INTO \"Order \"\"Items\"\".*\" SELECT n, 'name ' || n FROM generate_series(1, 1000) n;
         CREATE TABLE parted (id int, note text) PARTITION BY RANGE (id);
         CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
         CREATE TABLE parted_low_1 PARTITION OF parted_low FOR VALUES FROM (0) TO (100);
         CREATE TABLE parted_high PARTITION OF parted DEFAULT;
         INSERT INTO parted SELECT n, 'p' || n FROM generate_series(1, 300) n;
         CREATE TABLE parent (id int); CREATE TABLE child (extra text) INHERITS (parent);
         INSERT INTO child VALUES (1, 'kept');
         CREATE SEQUENCE tickets; SELECT setval('tickets', 4711);
         CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM parted;
         CREATE VIEW names AS SELECT \"Full Name\" FROM \"Order \"\"Items\"\".*\";
         CREATE TABLE bystander (id int); ANALYZE",
    )
    .await;
    let Some(tools) = fixture.tools().await else { return };
    let everything = "SELECT md5(string_agg(line, '|' ORDER BY line)) FROM (
        SELECT t::text FROM \"Shop\".\"Order \"\"Items\"\".*\" t UNION ALL SELECT t::text FROM \"Shop\".parted t
        UNION ALL SELECT t::text FROM \"Shop\".child t UNION ALL SELECT last_value::text FROM \"Shop\".tickets) s(line)";
    let before = fixture.text(everything).await;
    let losses = [
        Loss { relation: "\"Order \"\"Items\"\".*\"", column: Some("\"Full Name\""), cascades: false },
        Loss { relation: "\"Shop\".\"Order \"\"Items\"\".*\"", column: Some("id"), cascades: false },
        rows("parted"),
        rows("parent"),
        rows("public.tickets"),
        rows("totals"),
        rows("names"),
        rows("missing"),
    ];
    let ctx = fixture.context(&losses);
    let gate = fixture.gate();
    gate.preflight(&ctx).await.unwrap();
    assert_eq!(fixture.dumps(), [""; 0], "preflight leaves nothing");
    let Receipt { kind, json } = gate.pass(&ctx).await.unwrap();
    assert_eq!((kind.as_str(), gate.provides()), ("dump", Some(Backup::Dump)));

    let path = Path::new(json["path"].as_str().unwrap());
    let bytes = fs::read(path).unwrap();
    assert_eq!(fixture.dumps(), [path.file_name().unwrap().to_str().unwrap()], "and no partial file");
    let name = format!("{}-202605011200-DropFullName-step2-up-2", fixture.db.name());
    assert!(fixture.dumps()[0].starts_with(&name), "{:?}", fixture.dumps());
    assert_eq!(json["bytes"], bytes.len());
    let sum = std::process::Command::new("sha256sum").arg(path).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(json["sha256"], sum.split_whitespace().next().unwrap());
    assert_eq!(json["pg_dump"], tools.version.text);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let names: Vec<_> = json["relations"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let expected = [
        "\"Shop\".\"Order \"\"Items\"\".*\"",
        "\"Shop\".\"parted\"",
        "\"Shop\".\"parted_high\"",
        "\"Shop\".\"parted_low\"",
        "\"Shop\".\"parted_low_1\"",
        "\"Shop\".\"child\"",
        "\"Shop\".\"parent\"",
        "\"Shop\".\"tickets\"",
    ];
    assert_eq!(names, expected);
    assert_eq!(json["relations"][0]["estimated_rows"], 1000.0);
    let not_dumped = json["not_dumped"].as_array().unwrap();
    assert_eq!(not_dumped.len(), 3, "{not_dumped:?}");
    assert!(not_dumped[0]["definition"].as_str().unwrap().contains("count(*)"));
    assert_eq!(not_dumped[2]["relation"], "missing");

    let gone = "DROP TABLE \"Order \"\"Items\"\".*\", parted, parent, child CASCADE; DROP SEQUENCE tickets";
    fixture.client.batch_execute(gone).await.unwrap();
    let connection = Connection::new(fixture.db.config(), "nobody", "nowhere");
    let mut restore = connection.command(&tools.pg_restore);
    restore.args(["--exit-on-error", "--dbname", fixture.db.name()]).arg(path);
    quiet(restore, "restoring", Some(&connection)).await.unwrap();
    assert_eq!(fixture.text(everything).await, before);
}

#[tokio::test]
async fn what_a_truncation_reaches_is_dumped_too() {
    let fixture = fixture(
        "CREATE TABLE head (id int PRIMARY KEY); CREATE SCHEMA \"Other One\";
         CREATE TABLE \"Other One\".\"Mid\" (id int PRIMARY KEY, head int REFERENCES head) PARTITION BY RANGE (id);
         CREATE TABLE \"Other One\".mid_1 PARTITION OF \"Other One\".\"Mid\" FOR VALUES FROM (0) TO (10);
         CREATE TABLE tail (mid int REFERENCES \"Other One\".mid_1, self int); CREATE TABLE bystander (id int);
         INSERT INTO head VALUES (1); INSERT INTO \"Other One\".\"Mid\" VALUES (2, 1); INSERT INTO tail VALUES (2, 3)",
    )
    .await;
    let Some(_) = fixture.tools().await else { return };
    let names = |receipt: &Receipt| {
        let all = receipt.json["relations"].as_array().unwrap();
        all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let only = fixture.gate().pass(&fixture.context(&[rows("head")])).await.unwrap();
    assert_eq!(names(&only), ["\"public\".\"head\""]);
    let losses = [Loss { relation: "head", column: None, cascades: true }];
    let all = fixture.gate().pass(&fixture.context(&losses)).await.unwrap();
    let expected = ["\"Other One\".\"Mid\"", "\"Other One\".\"mid_1\"", "\"public\".\"head\"", "\"public\".\"tail\""];
    assert_eq!(names(&all), expected);
}

#[tokio::test]
async fn nothing_there_to_dump_is_a_receipt_that_says_so() {
    let fixture = fixture("").await;
    let losses = [rows("missing"), rows("nowhere.missing")];
    let receipt = fixture.gate().pass(&fixture.context(&losses)).await.unwrap();
    assert_eq!(receipt.json["not_dumped"].as_array().unwrap().len(), 2);
    assert_eq!(receipt.json.get("path"), None);
    assert_eq!(fixture.dumps(), [""; 0]);
}

#[tokio::test]
async fn the_database_of_somebody_else_is_no_backup() {
    let setup = "CREATE TABLE users (id int, full_name text)";
    let fixture = fixture(setup).await;
    if fixture.tools().await.is_none() {
        return;
    }
    let other = testing::database().await;
    let client = other.connect().await;
    // The same name, and another OID.
    client.batch_execute("CREATE TABLE before (); CREATE TABLE users (id int, full_name text)").await.unwrap();
    let losses = [rows("users")];
    let gate = Dump::to(fixture.scratch.0.join("dumps"), other.config());
    let error = gate.pass(&fixture.context(&losses)).await.unwrap_err();
    let GateError::Incomplete { missing } = error else { panic!("{error:?}") };
    assert_eq!(missing, ["\"public\".\"users\""]);
    assert_eq!(fixture.dumps(), [""; 0]);

    client.batch_execute("DROP TABLE users").await.unwrap();
    let error = gate.pass(&fixture.context(&losses)).await.unwrap_err();
    assert!(matches!(error, GateError::ToolFailed { doing: "dumping", .. }), "{error:?}");
    assert_eq!(fixture.dumps(), [""; 0]);
}

#[tokio::test]
async fn a_locked_table_is_not_waited_for_without_end() {
    let fixture = fixture("CREATE TABLE users (id int)").await;
    if fixture.tools().await.is_none() {
        return;
    }
    let other = fixture.db.connect().await;
    other.batch_execute("BEGIN; LOCK TABLE users").await.unwrap();
    let losses = [rows("users")];
    let began = Instant::now();
    let gate = fixture.gate().lock_wait(Duration::from_millis(100));
    let error = gate.pass(&fixture.context(&losses)).await.unwrap_err();
    let GateError::ToolFailed { message, .. } = &error else { panic!("{error:?}") };
    assert!(message.contains("users"), "{message}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(fixture.dumps(), [""; 0]);
}

#[tokio::test]
async fn a_temporary_table_is_refused() {
    let fixture = fixture("CREATE TEMP TABLE users (id int)").await;
    let losses = [rows("users")];
    let error = fixture.gate().pass(&fixture.context(&losses)).await.unwrap_err();
    assert!(matches!(error, GateError::NotDumpable { .. }), "{error:?}");
}

#[tokio::test]
async fn without_pg_dump_preflight_says_where_it_looked() {
    let fixture = fixture("").await;
    let empty = fixture.scratch.0.join("empty");
    fs::create_dir(&empty).unwrap();
    let error = fixture.gate().bin_dir(&empty).preflight(&fixture.context(&[])).await.unwrap_err();
    assert!(matches!(error, GateError::ToolNotFound { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("MIGRATE_PG_BIN") && message.contains(empty.to_str().unwrap()), "{message}");
}

#[tokio::test]
async fn a_pg_dump_older_than_the_server_is_refused_before_anything_runs() {
    let fixture = fixture("CREATE TABLE users (id int)").await;
    let bin = fixture.scratch.program("echo 'pg_dump (PostgreSQL) 13.9'; echo \"$@\" >> \"$0.ran\"");
    let losses = [rows("users")];
    let ctx = fixture.context(&losses);
    let gate = fixture.gate().bin_dir(&bin);
    for error in [gate.preflight(&ctx).await.unwrap_err(), gate.pass(&ctx).await.unwrap_err()] {
        let GateError::ToolTooOld { found, server, .. } = &error else { panic!("{error:?}") };
        assert_eq!((found.as_str(), *server), ("13.9", u32::from(fixture.db.server().major())));
        assert!(error.to_string().contains("is of version 13.9, and cannot dump a server of version"), "{error}");
    }
    let ran = fs::read_to_string(bin.join("pg_dump.ran")).unwrap();
    assert_eq!(ran, "--version\n--version\n", "nothing but its version was asked for");
    assert_eq!(fixture.dumps(), [""; 0]);
}

#[tokio::test]
async fn the_password_is_shown_nowhere() {
    let fixture = fixture("CREATE TABLE users (id int); SET ROLE pg_read_all_data").await;
    let major = fixture.db.server().major();
    let bin = fixture.scratch.program(&format!(
        "if [ \"$1\" = --version ]; then echo 'pg_dump (PostgreSQL) {major}.0'; exit; fi
         echo \"$@\" > \"$0.args\"; env > \"$0.env\"
         echo \"pg_dump: error: no entry for $PGPASSWORD\" >&2; exit 1"
    ));
    let mut config = fixture.db.config().clone();
    config.password("hunter2 'x");
    let gate = Dump::to(fixture.scratch.0.join("dumps"), &config).bin_dir(&bin);
    let losses = [rows("users")];
    let ctx = fixture.context(&losses);
    for error in [gate.preflight(&ctx).await.unwrap_err(), gate.pass(&ctx).await.unwrap_err()] {
        let shown = format!("{error} {error:?} {gate:?}");
        assert!(shown.contains("no entry for ********"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let arguments = fs::read_to_string(bin.join("pg_dump.args")).unwrap();
    assert!(arguments.contains("--table \"public\".\"users\"") && !arguments.contains("hunter2"), "{arguments}");
    assert!(arguments.contains("--role pg_read_all_data"), "{arguments}");
    config.user("somebody_else");
    let gate = Dump::to(fixture.scratch.0.join("dumps"), &config).bin_dir(&bin);
    gate.pass(&ctx).await.unwrap_err();
    let arguments = fs::read_to_string(bin.join("pg_dump.args")).unwrap();
    assert!(!arguments.contains("--role"), "{arguments}");
    let environment = fs::read_to_string(bin.join("pg_dump.env")).unwrap();
    assert!(environment.contains("PGUSER=somebody_else\n"));
    assert!(environment.contains("PGPASSWORD=hunter2 'x\n"));
    assert!(std::env::var_os("PGPASSWORD").is_none_or(|password| password != "hunter2 'x"));
    assert_eq!(fixture.dumps(), [""; 0]);
}

#[tokio::test]
async fn a_dropped_future_takes_program_and_file_with_it() {
    let fixture = fixture("CREATE TABLE users (id int)").await;
    let major = fixture.db.server().major();
    let bin = fixture.scratch.program(&format!(
        "if [ \"$1\" = --version ]; then echo 'pg_dump (PostgreSQL) {major}.0'; exit; fi
         echo $$ > \"$0.pid\"; mv \"$0.pid\" \"$0.started\"; exec sleep 600"
    ));
    let started = bin.join("pg_dump.started");
    let gate = fixture.gate().bin_dir(&bin);
    let losses = [rows("users")];
    let ctx = fixture.context(&losses);
    tokio::select! {
        outcome = gate.pass(&ctx) => panic!("{outcome:?}"),
        () = async {
            while !started.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(fixture.dumps().len(), 1, "the partial file");
        } => {}
    }
    assert_eq!(fixture.dumps(), [""; 0]);
    let process = PathBuf::from("/proc").join(fs::read_to_string(&started).unwrap().trim()).join("exe");
    for _ in 0..400 {
        // A link that cannot be read: gone, or a zombie that is about to be reaped.
        if fs::read_link(&process).is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the program still runs");
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_found_out_early() {
    let fixture = fixture("").await;
    if fixture.tools().await.is_none() {
        return;
    }
    let file = fixture.scratch.0.join("file");
    fs::write(&file, "").unwrap();
    let gate = Dump::to(file.join("dumps"), fixture.db.config());
    let error = gate.preflight(&fixture.context(&[])).await.unwrap_err();
    assert!(matches!(error, GateError::Io { .. }), "{error:?}");
    assert_eq!(fixture.scratch.files(), ["file"]);
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_is_found_out_early() {
    let fixture = fixture("").await;
    if fixture.tools().await.is_none() {
        return;
    }
    let mut config = fixture.db.config().clone();
    config.user("no_such_user");
    let gate = Dump::to(fixture.scratch.0.join("dumps"), &config);
    let error = gate.preflight(&fixture.context(&[])).await.unwrap_err();
    let GateError::ToolFailed { message, .. } = &error else { panic!("{error:?}") };
    assert!(message.contains("no_such_user"), "{message}");
}

#[tokio::test]
async fn where_nothing_says_what_is_lost_the_whole_database_is_kept() {
    let fixture = fixture("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)").await;
    let Some(tools) = fixture.tools().await else { return };
    let ctx = fixture.context(&[]);
    let Receipt { json, .. } = fixture.gate().pass(&ctx).await.unwrap();
    assert_eq!(json["whole_database"], true);
    let path = json["path"].as_str().unwrap();
    let list = std::process::Command::new(&tools.pg_restore).args(["--list", path]).output().unwrap();
    assert!(String::from_utf8(list.stdout).unwrap().contains("TABLE DATA public kept"));
}

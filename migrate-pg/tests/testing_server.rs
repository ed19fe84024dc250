//! The server for tests, on real servers: it starts, serves databases in parallel, and leaves nothing behind.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use migrate_pg::testing::{self, Binaries, Server, ServerError, TestDatabase};
use tokio_postgres::Client;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

fn socket_directory(server: &Server) -> PathBuf {
    match &server.config().get_hosts()[0] {
        Host::Unix(directory) => directory.clone(),
        Host::Tcp(host) => panic!("the server listens on {host}"),
    }
}

fn postmaster_pid(directory: &Path) -> u32 {
    let file = std::fs::read_to_string(directory.join("data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().parse().unwrap()
}

/// A zombie counts as running, so this is true until the server's parent has seen it end.
fn is_running(pid: u32) -> bool {
    Command::new("kill").args(["-0", &pid.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim() == "0"
}

#[track_caller]
fn assert_gone(directory: &Path, pid: u32) {
    let asked = Instant::now();
    while directory.exists() || is_running(pid) {
        assert!(
            asked.elapsed() < Duration::from_secs(10),
            "after 10 s: directory {} exists: {}, server {pid} runs: {}",
            directory.display(),
            directory.exists(),
            is_running(pid)
        );
        thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn every_version_found_starts_serves_and_goes() {
    let found = Binaries::find_all().unwrap();
    for binaries in found {
        let server = Server::builder().binaries(binaries.clone()).start().await.unwrap();
        assert_eq!(server.major(), binaries.major());
        assert_eq!(server.binaries(), Some(&binaries));
        let directory = socket_directory(&server);
        let pid = postmaster_pid(&directory);
        assert!(is_running(pid));

        let db = server.database().await.unwrap();
        let client = db.connect().await;
        assert_eq!(text(&client, "SHOW server_version").await.split(' ').next(), Some(binaries.version()));
        assert_eq!(text(&client, "SHOW listen_addresses").await, "");
        assert_eq!(text(&client, "SHOW autovacuum").await, "on");
        assert_eq!(text(&client, "SHOW wal_level").await, "logical");
        assert_eq!(text(&client, "SHOW max_prepared_transactions").await, "10");
        assert_eq!(text(&client, "SELECT current_database()::text").await, db.name());
        assert!(server.log().unwrap().unwrap().contains("ready to accept connections"));

        // The database's handle keeps the server alive.
        drop(server);
        assert_eq!(text(&client, "SELECT 'still'").await, "still");
        drop(db);
        assert!(!directory.exists(), "{}", directory.display());
        assert!(!is_running(pid));
        println!("PostgreSQL {}: started, served and gone", binaries.version());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn databases_are_made_and_used_in_parallel() {
    let tasks: Vec<_> = (0..16)
        .map(|i: i32| {
            tokio::spawn(async move {
                let db = testing::database().await;
                let client = db.connect().await;
                client.batch_execute(&format!("CREATE TABLE t AS SELECT {i} AS i")).await.unwrap();
                let pool = db.pool_of(1);
                let row = pool.get().await.unwrap().query_one("SELECT i FROM t", &[]).await.unwrap();
                assert_eq!(row.get::<_, i32>(0), i);
                db
            })
        })
        .collect();
    let mut databases = Vec::new();
    for task in tasks {
        databases.push(task.await.unwrap());
    }
    let mut names: Vec<_> = databases.iter().map(|db| db.name().to_owned()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 16);

    let client = testing::server().await.connect().await.unwrap();
    let count = "SELECT count(*)::text FROM pg_database WHERE datname = ANY ($1)";
    assert_eq!(client.query_one(count, &[&names]).await.unwrap().get::<_, String>(0), "16");
    drop(databases);
    assert_eq!(client.query_one(count, &[&names]).await.unwrap().get::<_, String>(0), "0");
}

#[test]
fn the_shared_server_outlives_the_runtime_that_started_it() {
    let run = || -> TestDatabase {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let db = testing::database().await;
            db.connect().await.batch_execute("CREATE TABLE t ()").await.unwrap();
            db
        })
    };
    let (first, second) = (run(), run());
    assert_eq!(first.server().url(), second.server().url());
}

#[tokio::test]
async fn dropping_a_database_closes_its_connections() {
    let db = testing::database().await;
    let client = db.connect().await;
    client.batch_execute("BEGIN; CREATE TABLE t ()").await.unwrap();
    drop(db);
    let error = client.batch_execute("COMMIT").await.unwrap_err();
    assert!(error.is_closed() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN), "{error:?}");
}

#[tokio::test]
async fn the_connection_string_is_understood_by_driver_and_programs() {
    let db = testing::database().await;
    let parsed: tokio_postgres::Config = db.url().parse().unwrap();
    let (client, connection) = parsed.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(text(&client, "SELECT current_database()::text").await, db.name());
    if let Some(psql) = db.server().binaries().map(|found| found.program("psql")).filter(|psql| psql.exists()) {
        let output = Command::new(psql).args(["-XAtc", "SELECT current_database()", db.url()]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), db.name(), "{output:?}");
    }
}

#[tokio::test]
async fn a_running_server_is_used_by_its_connection_string() {
    let started = Server::start().await.unwrap();
    let running = Server::at(started.url()).await.unwrap();
    assert_eq!(running.major(), started.major());
    assert!(running.binaries().is_none());
    let client = started.connect().await.unwrap();
    let count = "SELECT count(*)::text FROM pg_database WHERE datname LIKE 'migrate\\_test\\_%'";
    let db = running.database().await.unwrap();
    db.connect().await.batch_execute("CREATE TABLE t ()").await.unwrap();
    assert_eq!(text(&client, count).await, "1");
    drop(db);
    assert_eq!(text(&client, count).await, "0");

    client.batch_execute("CREATE ROLE limited LOGIN").await.unwrap();
    let limited = started.url().replace("postgres@", "limited:secret@");
    let error = Server::at(&limited).await.unwrap().database().await.unwrap_err();
    assert!(error.to_string().contains("CREATEDB"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn a_setting_the_server_refuses_is_shown_with_its_log() {
    let error = Server::builder().setting("shared_buffers", "a lot").start().await.unwrap_err();
    assert!(matches!(error, ServerError::DidNotStart { .. }), "{error}");
    assert!(error.to_string().contains("invalid value for parameter \"shared_buffers\""), "{error}");
}

#[tokio::test]
async fn a_setting_replaces_the_default() {
    let server =
        Server::builder().setting("max_connections", "7").setting("cluster_name", "it's").start().await.unwrap();
    let client = server.connect().await.unwrap();
    assert_eq!(text(&client, "SHOW max_connections").await, "7");
    assert_eq!(text(&client, "SHOW cluster_name").await, "it's");
}

#[tokio::test]
async fn nonsense_for_a_connection_string_is_refused_without_showing_it() {
    for url in ["postgresql://u:secret@h:port/d", "password=secret bogus=1", "user=u password=secret"] {
        let error = Server::at(url).await.unwrap_err();
        assert!(matches!(error, ServerError::BadUrl { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

/// The body of the processes that the tests below start and end: this binary again, with this test alone.
#[test]
#[ignore = "run by the tests below, each in a process of its own"]
fn holder() {
    let Ok(end) = std::env::var("MIGRATE_TEST_HOLDER") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (directory, database) = runtime.block_on(async {
        let db = testing::database().await;
        db.connect().await.batch_execute("CREATE TABLE t ()").await.unwrap();
        let directory = socket_directory(db.server());
        let name = db.name().to_owned();
        // Ending in whatever way, the process runs no destructor.
        std::mem::forget(db);
        (directory, name)
    });
    println!("\nholding {database} {}", directory.display());
    std::io::stdout().flush().unwrap();
    match end.as_str() {
        "panic" => panic!("as asked"),
        "exit" => {}
        _ => thread::sleep(Duration::from_mins(2)),
    }
}

struct Holder {
    process: Child,
    /// Kept, since a process that writes to a closed pipe fails for that alone.
    _output: BufReader<ChildStdout>,
    database: String,
    directory: PathBuf,
    server: u32,
}

/// Starts `program`, a copy of this binary, as a holder in a process group of its own, as a terminal does.
fn hold(program: &Path, end: &str, adjust: impl FnOnce(&mut Command)) -> Holder {
    let mut command = Command::new(program);
    command
        .args(["--exact", "holder", "--include-ignored", "--nocapture"])
        .env("MIGRATE_TEST_HOLDER", end)
        .env_remove("MIGRATE_TEST_DATABASE_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    adjust(&mut command);
    let mut process = command.spawn().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let (database, directory) = (&mut output)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| {
            let (database, directory) = line.strip_prefix("holding ")?.split_once(' ')?;
            Some((database.to_owned(), PathBuf::from(directory)))
        })
        .expect("the process says which server it holds");
    // A process that ends by itself may be gone with its server before the file is read.
    let server = if end == "wait" { postmaster_pid(&directory) } else { 0 };
    Holder { process, _output: output, database, directory, server }
}

fn this_binary() -> PathBuf {
    std::env::current_exe().unwrap()
}

fn signal(name: &str, target: &str) {
    assert!(Command::new("kill").args(["-s", name, "--", target]).status().unwrap().success());
}

#[test]
fn a_killed_process_leaves_no_server_and_no_files() {
    let mut holder = hold(&this_binary(), "wait", |_| {});
    assert!(is_running(holder.server) && holder.directory.is_dir());
    holder.process.kill().unwrap();
    holder.process.wait().unwrap();
    assert_gone(&holder.directory, holder.server);
}

/// Holds a database on a server that was running already.
fn hold_on(url: &str, end: &str, adjust: impl FnOnce(&mut Command)) -> Holder {
    hold(&this_binary(), end, |command| {
        command.env("MIGRATE_TEST_DATABASE_URL", url);
        adjust(command);
    })
}

async fn databases(client: &Client) -> Vec<String> {
    let sql = "SELECT datname::text FROM pg_database WHERE datname LIKE 'migrate\\_test\\_%' ORDER BY 1";
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn wait_until_no_database(client: &Client, after: &str) {
    let asked = Instant::now();
    while !databases(client).await.is_empty() {
        assert!(asked.elapsed() < Duration::from_mins(1), "left after {after}: {:?}", databases(client).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn has_psql() -> bool {
    Command::new("psql").arg("--version").output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_killed_process_leaves_no_database_on_a_running_server() {
    if !has_psql() {
        println!("skipped: there is no psql, and the next test process drops them");
        return;
    }
    let server = Server::start().await.unwrap();
    let client = server.connect().await.unwrap();
    for end in ["KILL", "INT", "panic", "exit"] {
        let waits = ["KILL", "INT"].contains(&end);
        if end == "INT" && ignored(2) {
            println!("SIGINT is ignored here: skipped");
            continue;
        }
        let mut holder = hold_on(server.url(), if waits { "wait" } else { end }, |_| {});
        if waits {
            assert_eq!(databases(&client).await, [holder.database.as_str()]);
            signal(end, &format!("-{}", holder.process.id()));
        }
        holder.process.wait().unwrap();
        wait_until_no_database(&client, end).await;
    }
}

/// Without `psql`, and where the process that is to drop them was killed too.
#[tokio::test]
async fn the_next_process_drops_what_a_killed_one_left_and_nothing_of_one_that_lives() {
    let server = Server::start().await.unwrap();
    let client = server.connect().await.unwrap();
    // Not every process connects to the same database.
    client.batch_execute("CREATE DATABASE other").await.unwrap();
    client.batch_execute("CREATE DATABASE migrate_test_of_somebody").await.unwrap();
    let no_psql = |command: &mut Command| {
        command.env("PATH", "/nonexistent");
    };
    let other = format!("{}/other", server.url().rsplit_once('/').unwrap().0);
    let lives = hold_on(&other, "wait", no_psql);
    let mut killed = hold_on(server.url(), "wait", no_psql);
    killed.process.kill().unwrap();
    killed.process.wait().unwrap();
    let lock = "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory'";
    while text(&client, lock).await != "1" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(databases(&client).await.contains(&killed.database));

    let running = Server::at(server.url()).await.unwrap();
    let mine = running.database().await.unwrap();
    let mut there = vec![lives.database.clone(), mine.name().to_owned(), "migrate_test_of_somebody".to_owned()];
    there.sort();
    assert_eq!(databases(&client).await, there);
    drop(mine);
    drop(running);
    // A server that is let go of is not held any more.
    while text(&client, lock).await != "1" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut lives = lives;
    lives.process.kill().unwrap();
    lives.process.wait().unwrap();
}

/// Whether this process ignores the signal (`/proc/self/status`, signal(7)); not known where there is no /proc.
fn ignored(signal: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

#[test]
fn ctrl_c_leaves_no_server_and_no_files() {
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        // A shell that starts this in the background, or nohup, has it ignored, and the child inherits that.
        if ignored(number) {
            println!("SIG{name} is ignored here: skipped");
            continue;
        }
        let mut holder = hold(&this_binary(), "wait", |_| {});
        // A terminal sends it to the whole foreground process group.
        signal(name, &format!("-{}", holder.process.id()));
        assert!(!holder.process.wait().unwrap().success());
        assert_gone(&holder.directory, holder.server);
    }
}

#[test]
fn a_process_killed_while_its_server_starts_leaves_no_files() {
    let temporary = tempdir("starting");
    let mut process = Command::new(this_binary())
        .args(["--exact", "holder", "--include-ignored"])
        .env("MIGRATE_TEST_HOLDER", "wait")
        .env("TMPDIR", &temporary)
        .env_remove("MIGRATE_TEST_DATABASE_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let entries = || std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let started = Instant::now();
    while !entries().iter().any(|directory| directory.join("data").is_dir()) {
        assert!(started.elapsed() < Duration::from_secs(30), "initdb did not start");
        thread::sleep(Duration::from_millis(5));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    while !entries().is_empty() {
        assert!(started.elapsed() < Duration::from_mins(1), "left: {:?}", entries());
        thread::sleep(Duration::from_millis(20));
    }
    std::fs::remove_dir(&temporary).unwrap();
}

#[test]
fn a_process_that_ends_by_itself_leaves_no_files() {
    for (end, succeeds) in [("exit", true), ("panic", false)] {
        let mut holder = hold(&this_binary(), end, |_| {});
        assert_eq!(holder.process.wait().unwrap().success(), succeeds, "{end}");
        let asked = Instant::now();
        while holder.directory.exists() {
            assert!(asked.elapsed() < Duration::from_secs(10), "{} is left after {end}", holder.directory.display());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[tokio::test]
async fn a_server_of_roots_runs_as_somebody_else() {
    if !is_root() {
        println!("skipped: not run by root");
        return;
    }
    let server = Server::start().await.unwrap();
    let directory = socket_directory(&server);
    let metadata = std::fs::metadata(&directory).unwrap();
    assert_ne!(metadata.uid(), 0);
    assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::metadata(directory.join("data")).unwrap().uid(), metadata.uid());
}

#[test]
fn a_user_without_privileges_starts_a_server_too() {
    if !is_root() {
        println!("skipped: not run by root, so every test here shows it");
        return;
    }
    // The build directory may be closed to that user.
    let directory = tempdir("copy");
    let program = directory.join("tests");
    std::fs::copy(this_binary(), &program).unwrap();
    let mut holder = hold(&program, "wait", |command| {
        command.uid(65_534).gid(65_534).current_dir("/").env("HOME", "/nonexistent");
    });
    assert_eq!(std::fs::metadata(&holder.directory).unwrap().uid(), 65_534);
    holder.process.kill().unwrap();
    holder.process.wait().unwrap();
    assert_gone(&holder.directory, holder.server);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_temporary_directory_too_deep_for_a_socket_is_passed_over() {
    let directory = tempdir("deep");
    let deep = directory.join("d".repeat(100));
    std::fs::create_dir(&deep).unwrap();
    let mut holder = hold(&this_binary(), "wait", |command| {
        command.env("TMPDIR", &deep);
    });
    assert!(!holder.directory.starts_with(&directory), "{}", holder.directory.display());
    holder.process.kill().unwrap();
    holder.process.wait().unwrap();
    assert_gone(&holder.directory, holder.server);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn programs_that_only_root_can_reach_are_refused_with_the_reason() {
    if !is_root() {
        println!("skipped: not run by root");
        return;
    }
    let installed = Binaries::find().unwrap();
    let directory = tempdir("closed");
    for program in ["initdb", "postgres"] {
        std::os::unix::fs::symlink(installed.program(program), directory.join(program)).unwrap();
    }
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700)).unwrap();
    let closed = Binaries::at(&directory).unwrap();
    let error = Server::builder().binaries(closed).start().await.unwrap_err();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(matches!(error, ServerError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("mode o+x"), "{error}");
}

#[test]
fn a_bad_bin_directory_in_the_environment_is_named() {
    let output = Command::new(this_binary())
        .args(["--exact", "holder", "--include-ignored", "--nocapture"])
        .env("MIGRATE_TEST_HOLDER", "exit")
        .env("MIGRATE_PG_BIN", "/nonexistent/bin")
        .env_remove("MIGRATE_TEST_DATABASE_URL")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("no database for this test: MIGRATE_PG_BIN: `/nonexistent/bin` is not"), "{message}");
}

/// A new directory that everybody can use.
fn tempdir(name: &str) -> PathBuf {
    let directory = Path::new("/tmp").join(format!("migrate-pg-test-{name}-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    directory
}

/// As nextest runs a binary: it asks for the list, and gives each test a process of its own, several at a time.
#[test]
fn tests_in_processes_of_their_own_pass_and_leave_nothing() {
    let list = Command::new(this_binary()).args(["--list", "--format", "terse"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let names: Vec<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    // Some that have the server of the process, and one that starts its own.
    let chosen = [
        "databases_are_made_and_used_in_parallel",
        "the_shared_server_outlives_the_runtime_that_started_it",
        "dropping_a_database_closes_its_connections",
        "the_connection_string_is_understood_by_driver_and_programs",
        "a_setting_replaces_the_default",
    ];
    let directory = tempdir("nextest");
    let running = chosen.map(|name| {
        assert!(names.contains(&name), "{name} is not listed: {names:?}");
        Command::new(this_binary())
            .args(["--exact", name, "--nocapture"])
            .envs([("NEXTEST", "1"), ("NEXTEST_EXECUTION_MODE", "process-per-test")])
            .env("TMPDIR", &directory)
            .env_remove("MIGRATE_TEST_DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    });
    for (name, process) in chosen.iter().zip(running) {
        // The ends of both pipes: nothing that the test started holds them open.
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed; 0 failed"), "{name}: {output:?}");
    }
    // The server of a process goes with it, in a moment. What has its files there runs until they are gone.
    let entries = || std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let asked = Instant::now();
    while !entries().is_empty() {
        assert!(asked.elapsed() < Duration::from_mins(1), "left: {:?}", entries());
        thread::sleep(Duration::from_millis(20));
    }
    let processes = Command::new("ps").args(["-e", "-o", "args"]).output().unwrap();
    let processes = String::from_utf8_lossy(&processes.stdout).into_owned();
    assert!(!processes.contains(directory.to_str().unwrap()), "{processes}");
    std::fs::remove_dir(&directory).unwrap();
}

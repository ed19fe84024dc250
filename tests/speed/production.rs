//! A server with the settings of one in production, the programs of PostgreSQL's own, and numbers from the environment.

use migrate_pg::testing::{Server, TestDatabase};
use std::path::PathBuf;
use tokio::process::Command;

/// Tests give durability away for speed, and a benchmark must not.
pub async fn server() -> Server {
    let settings = [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("wal_level", "replica"),
        ("shared_buffers", "512MB"),
        ("max_wal_size", "4GB"),
        ("checkpoint_timeout", "30min"),
    ];
    let builder = settings.into_iter().fold(Server::builder(), |builder, (name, value)| builder.setting(name, value));
    builder.start().await.expect("a server")
}

/// A program that comes with the server, or else with another one's client.
pub fn program(server: &Server, name: &str) -> Command {
    let beside = server.binaries().map(|binaries| binaries.program(name)).filter(|path| path.exists());
    let mut command = Command::new(beside.unwrap_or_else(|| PathBuf::from(name)));
    command.kill_on_drop(true);
    command
}

/// What an operator types into psql: each statement by itself.
pub async fn psql(database: &TestDatabase, statements: &[String]) {
    let mut psql = program(database.server(), "psql");
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", database.url()]);
    for statement in statements {
        psql.args(["--command", statement]);
    }
    let output = psql.output().await.expect("psql is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A number from the environment, so that a benchmark can be tried small.
pub fn number(variable: &str, otherwise: u32) -> u32 {
    match std::env::var(variable) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{variable}={value} is not a number")),
        Err(_) => otherwise,
    }
}

//! A PostgreSQL server for tests, and databases on it that go away by themselves.
//!
//! [`database`] makes an empty database on a server that all tests of the process share. The server is started on
//! first use from the PostgreSQL binaries of the machine, listens on a Unix socket in a private directory only, and
//! leaves neither process nor file behind, also when the test process panics, is interrupted, or is killed.
//!
//! ```no_run
//! # use migrate_pg::testing;
//! #[tokio::test]
//! async fn orders_have_a_status() {
//!     let db = testing::database().await;
//!     let client = db.connect().await;
//!     client.batch_execute("CREATE TABLE orders (id bigint, status text)").await.unwrap();
//! }
//! ```
//!
//! # Where the server comes from
//!
//! | environment variable | meaning |
//! |---|---|
//! | `MIGRATE_TEST_DATABASE_URL` | use this running server: databases are created on it, and dropped afterwards |
//! | `MIGRATE_PG_BIN` | the bin directory (the one that holds `initdb`) to start a server from |
//! | `MIGRATE_PG_SERVERS` | more bin directories, colon-separated, for tests that run on [every version](Binaries::find_all) |
//!
//! On a server that was running already, the databases (`migrate_test_…`) of a test process that is killed are dropped by a
//! child of its, with `psql`; where there is no `psql`, by the next test process that makes one there. Each process holds
//! a connection and an advisory lock there, by which the others see that it lives.
//!
//! With none of them, the binaries are looked for in `PATH`, where `pg_config --bindir` says, and where distributions
//! and Homebrew put them. As `initdb` refuses to run as root, a server started by root runs as the user `postgres`, or
//! else `nobody`.
//!
//! Under a test runner that gives each test a process of its own, each test has a server of its own; set
//! `MIGRATE_TEST_DATABASE_URL` where that is too slow.
#[cfg(not(unix))]
compile_error!("the feature `testing` starts PostgreSQL through a Unix shell and Unix sockets: it needs Unix");

mod database;
mod directory;
mod error;
mod keeper;
mod locate;
mod postmaster;
mod server;
mod shared;
mod url;
mod user;

pub use self::database::TestDatabase;
pub use self::error::ServerError;
pub use self::locate::Binaries;
pub use self::server::{Server, ServerBuilder};
pub use self::shared::{database, server, try_database, try_server};

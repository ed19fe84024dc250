//! What a PostgreSQL migration *is*, and everything that can be known about it without a server.
//!
//! Nothing here does I/O and nothing is async. Users depend on `migrate-pg`, which re-exports what they need; this crate
//! is for tools that want the model, and, with the feature `sql`, the analysis of SQL statements: which lock each
//! takes on which relation, what work it does while it holds it, whether it destroys data, and what reverses it.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bound;
pub mod model;
pub mod plan;
pub mod report;

#[cfg(feature = "sql")]
pub mod sql;

#[doc(hidden)]
pub mod __private;

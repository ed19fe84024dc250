//! PostgreSQL migrations that are declared in Rust, checked by the compiler, and run under production's locks.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod connect;
mod error;
mod quote;
mod tls;

pub use connect::Source;
pub use error::{Error, ErrorKind};

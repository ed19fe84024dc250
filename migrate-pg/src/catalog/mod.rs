//! A live schema as a value: everything that `pg_dump --schema-only` would print, and what it would not, to compare, print
//! and keep.
//!
//! A [`Fingerprint`] names objects as people do, never by OID, and so is the same for two databases that were made in
//! different ways to the same end. Teams use it for drift (what the history makes on an empty server, against what is
//! found in production); the proof that a down reverses its up is that the fingerprint before and after is the same.
//!
//! ```no_run
//! use migrate_pg::catalog::{Fingerprint, Scope};
//! # async fn example(expected: &tokio_postgres::Client, production: &tokio_postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let scope = Scope::new().exclude_schema("migrate");
//! let expected = Fingerprint::read(expected, &scope).await?;
//! let found = Fingerprint::read(production, &scope).await?;
//! for difference in expected.differences(&found) {
//!     println!("{difference}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `verify::Pairs::drift` (feature `testing`) does that with the ledger's own word for what is applied.
//!
//! What is not part of it is a written list, [`OMISSIONS`], with the reason of each; a test holds both against the catalogs
//! of every version. The rows of the tables are the matter of [`data`].

pub mod data;

mod difference;
mod error;
mod fingerprint;
mod json;
mod kind;
mod object;
mod omissions;
mod positions;
mod queries;
mod read;
mod scope;
mod session;
mod template;

pub use difference::{Difference, DifferenceKind, Move};
pub use error::CatalogError;
pub use fingerprint::Fingerprint;
pub use kind::Kind;
pub use object::{Key, Object};
pub use omissions::{OMISSIONS, Omission};
pub use queries::{Covered, covered};
pub use scope::Scope;

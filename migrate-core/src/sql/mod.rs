//! Everything that reads SQL: the parser, our statement facts, the symbolic schema, the lock table, hazards, reversal,
//! and the analysis that puts them together.

mod analyze;
#[allow(dead_code, reason = "grows with its modules")]
pub(crate) mod ast;
pub mod check;
mod digest;
mod facts;
#[allow(dead_code, reason = "grows with its modules")]
pub mod hazards;
mod keywords;
#[allow(dead_code, reason = "grows with its modules")]
mod locks;
mod name;
#[allow(dead_code, reason = "grows with its modules")]
pub(crate) mod parse;
#[allow(dead_code, reason = "grows with its modules")]
mod phase;
#[allow(dead_code, reason = "grows with its modules")]
mod print;
#[allow(dead_code, reason = "grows with its modules")]
mod reverse;
#[allow(dead_code, reason = "grows with its modules")]
pub(crate) mod schema;
mod script;
mod source;

pub use analyze::{Analysis, AnalyzeError, analyze};
pub use digest::{digest, digest_of_script};
pub use facts::{Change, Facts, LostData, ObjectId, Reason, RelationKind, RelationLock};
pub use locks::lock_table_markdown;
pub use name::{Name, quoted};
pub use script::{ScriptError, ScriptStatement, analyze_script};
pub use source::{Excerpt, SyntaxError};

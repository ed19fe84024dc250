//! Everything that reads SQL: the parser, our statement facts, the symbolic schema, the lock table, hazards, reversal,
//! and the analysis that puts them together.

mod analyze;
pub(crate) mod ast;
pub mod check;
mod digest;
mod facts;
pub mod hazards;
mod keywords;
mod locks;
mod name;
mod outside;
pub(crate) mod parse;
mod phase;
mod print;
mod psql;
mod reverse;
pub(crate) mod schema;
mod script;
mod server;
#[doc(hidden)]
pub mod similar;
mod source;

pub use analyze::{Analysis, AnalyzeError, analyze};
pub use digest::{digest, digest_of_script};
pub use facts::{Change, Facts, LostData, ObjectId, Reason, RelationKind, RelationLock};
pub use locks::lock_table_markdown;
pub use name::{Name, quoted};
pub use reverse::{Pair, PairVerdict, judge_pair};
pub use script::{ScriptError, ScriptStatement, analyze_script};
pub use source::{Excerpt, SyntaxError};

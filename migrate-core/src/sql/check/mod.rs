//! Holds a declaration against its SQL: the whole of what the derive refuses is decided here, and the derive only turns
//! the sites of problems into spans.

mod checked;
mod declaration;

pub use checked::{Checked, CheckedBaseline, CheckedDown, CheckedDownStatement, CheckedIndex, CheckedStep};
pub use declaration::{
    AllowDeclaration, Assume, Declaration, DestructiveDeclaration, DownDeclaration, Problem, Site, SqlText,
    StepDeclaration,
};

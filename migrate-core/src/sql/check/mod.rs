//! Holds a declaration against its SQL: the whole of what the derive refuses is decided here, and the derive only turns
//! the sites of problems into spans.

mod allow;
mod analysed;
mod approval;
mod backfill;
mod baseline;
mod checked;
mod declaration;
mod declared;
mod down;
mod effects;
mod excerpt;
mod heads;
mod history;
mod overwritten;
mod proof;
mod properties;
mod read;
mod run;
mod step;
mod sync;
#[cfg(test)]
mod tests;
mod visible;
mod words;

pub use baseline::baseline;
pub use checked::{
    Checked, CheckedBaseline, CheckedConcurrent, CheckedDown, CheckedDownStatement, CheckedEffect, CheckedName,
    CheckedObject, CheckedProperty, CheckedStep, NewSince,
};
pub use declaration::{
    AllowDeclaration, Assume, Declaration, DestructiveDeclaration, DownDeclaration, Fill, Problem, Site, SqlText,
    StepDeclaration,
};
pub use history::{Entry, Finding, history};
pub use run::{analyse, check};
pub use sync::{SyncDeclaration, SyncPart, sync_steps};
pub use words::{Filling, Words};

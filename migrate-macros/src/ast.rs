//! A migration as its attributes spell it: each value beside the tokens it was read from, so that whatever is wrong with
//! it later can be shown where it was written.

use migrate_core::model::{Backup, LockClass, PgRange, Phase};
use proc_macro2::TokenStream;
use syn::{Ident, Member};

/// A struct with `#[derive(Migration)]`.
pub(crate) struct Migration {
    pub(crate) ident: Ident,
    /// The doc comment.
    pub(crate) doc: String,
    pub(crate) head: Head,
    /// `#[step]`, `#[backfill]` and `#[sync]`, in the order in which they are written.
    pub(crate) steps: Vec<Step>,
    pub(crate) destructive: Option<Destructive>,
    pub(crate) binds: Vec<Bind>,
    /// The hazards that an `allow` was meant for which is malformed or misplaced: what they find is no second error.
    pub(crate) meant: Vec<String>,
}

/// `#[migration(…)]`.
#[derive(Default)]
pub(crate) struct Head {
    /// The attribute's name; the struct's where there is no such attribute.
    pub(crate) name: TokenStream,
    pub(crate) version: Slot<i64>,
    pub(crate) phase: Slot<Phase>,
    pub(crate) lock: Slot<LockClass>,
    pub(crate) transactional: Slot<bool>,
    pub(crate) pg: Slot<PgRange>,
    pub(crate) allows: Vec<Allow>,
    pub(crate) supersedes: Slot<Vec<String>>,
    pub(crate) accept_late: Slot<String>,
    pub(crate) deploy_from: Slot<i64>,
    pub(crate) krate: Slot<syn::Path>,
}

/// `#[step(…)]`, `#[backfill(…)]` or `#[sync(…)]`.
pub(crate) struct Step {
    /// The attribute's name.
    pub(crate) name: TokenStream,
    pub(crate) down: Slot<Down>,
    pub(crate) kind: StepKind,
}

pub(crate) enum StepKind {
    Statement { up: Slot<Sql>, assume: Slot<Assume> },
    Backfill(Backfill),
    Sync(Sync),
}

/// What a `#[backfill(…)]` has besides its `down`.
pub(crate) struct Backfill {
    pub(crate) table: Slot<String>,
    pub(crate) key: Slot<Vec<String>>,
    pub(crate) batch: Slot<u32>,
    pub(crate) set: Slot<String>,
    /// With `write`, in place of `set`: the rows are converted in Rust.
    pub(crate) read: Slot<Vec<String>>,
    pub(crate) write: Slot<Vec<String>>,
    pub(crate) filter: Slot<String>,
}

/// `#[sync(…)]`.
pub(crate) struct Sync {
    /// Whether the trigger is taken away.
    pub(crate) drop: bool,
    pub(crate) table: Slot<String>,
    pub(crate) old: Slot<Vec<String>>,
    pub(crate) new: Slot<Vec<String>>,
    pub(crate) forward: Slot<Vec<Given<String>>>,
    pub(crate) backward: Slot<Vec<Given<String>>>,
}

/// Where SQL is.
pub(crate) enum Sql {
    Text(String),
    /// In a file, relative to the manifest.
    File(String),
}

pub(crate) enum Down {
    Sql(Vec<Given<Sql>>),
    Derived,
    Keep(String),
    Nothing(String),
}

/// `assume(…)`.
pub(crate) struct Assume {
    pub(crate) lock: Slot<LockClass>,
    pub(crate) phase: Slot<Phase>,
    pub(crate) transactional: Slot<bool>,
    pub(crate) destructive: Slot<bool>,
    pub(crate) effects: Slot<String>,
    pub(crate) reason: Slot<String>,
}

/// `#[destructive(…)]`.
pub(crate) struct Destructive {
    /// The attribute's name.
    pub(crate) name: TokenStream,
    pub(crate) backup: Slot<Backup>,
    pub(crate) approved: Slot<String>,
}

/// `allow(…)`.
pub(crate) struct Allow {
    /// The hazard's name.
    pub(crate) hazard: Given<String>,
    pub(crate) reason: Slot<String>,
}

/// A field.
pub(crate) struct Bind {
    pub(crate) member: Member,
    /// The field's name or type, whatever points at it best.
    pub(crate) place: TokenStream,
    /// `#[bind("…")]`.
    pub(crate) sql_type: Slot<String>,
}

impl Backfill {
    /// Whether the rows are converted in Rust.
    pub(crate) fn in_rust(&self) -> bool {
        !self.read.is_absent() || !self.write.is_absent()
    }
}

/// A value and the tokens it was read from.
#[derive(Clone)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) tokens: TokenStream,
}

/// What an attribute says of one key.
#[derive(Default)]
pub(crate) enum Slot<T> {
    /// Nothing.
    #[default]
    Absent,
    /// Something that was refused, with an error already noted: what depends on it is not checked.
    Refused,
    Given(Given<T>),
}

impl<T> Slot<T> {
    pub(crate) fn given(&self) -> Option<&Given<T>> {
        if let Self::Given(given) = self { Some(given) } else { None }
    }

    pub(crate) fn value(&self) -> Option<&T> {
        self.given().map(|given| &given.value)
    }

    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The tokens of the value, or these where there are none.
    pub(crate) fn tokens_or(&self, other: &TokenStream) -> TokenStream {
        self.given().map_or_else(|| other.clone(), |given| given.tokens.clone())
    }
}

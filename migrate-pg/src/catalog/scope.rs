//! What of a database a fingerprint is taken of.

/// What of a database is looked at: everything that users made, by default. The system's own schemas and temporary
/// objects never are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    excluded: Vec<String>,
    extension_members: bool,
    sequence_positions: bool,
    database: bool,
}

impl Scope {
    /// Everything that users made. What an extension made is represented by the extension and its version, sequences by
    /// their parameters without their position, and the database itself is left out.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves a schema out, and all that is in it: the migration ledger's, for one.
    #[must_use]
    pub fn exclude_schema(mut self, name: impl Into<String>) -> Self {
        self.excluded.push(name.into());
        self
    }

    /// Looks at the objects that extensions made too.
    #[must_use]
    pub fn extension_members(mut self, yes: bool) -> Self {
        self.extension_members = yes;
        self
    }

    /// Takes the position of every sequence as a property of it. Sequences are not part of a transaction's picture: their
    /// positions are read right after it.
    #[must_use]
    pub fn sequence_positions(mut self, yes: bool) -> Self {
        self.sequence_positions = yes;
        self
    }

    /// Takes the properties of the database itself: encoding, settings, privileges, not its name.
    #[must_use]
    pub fn database(mut self, yes: bool) -> Self {
        self.database = yes;
        self
    }

    pub(super) fn excluded(&self) -> &[String] {
        &self.excluded
    }

    pub(super) fn has_extension_members(&self) -> bool {
        self.extension_members
    }

    pub(super) fn has_sequence_positions(&self) -> bool {
        self.sequence_positions
    }

    pub(super) fn has_database(&self) -> bool {
        self.database
    }
}

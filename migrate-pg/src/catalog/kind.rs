//! The kinds of objects that a fingerprint holds.

use std::fmt;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// What an object is, in PostgreSQL's word for it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Kind {
            /// Its name: `materialized view`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            pub(super) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

// In the order in which they are printed.
kinds! {
    /// The database itself: its encoding, settings and privileges.
    Database = "database",
    /// An extension, which stands for its member objects.
    Extension = "extension",
    /// An object of an extension whose privileges were changed since.
    ExtensionMember = "extension member",
    /// A schema.
    Schema = "schema",
    /// What new objects of a role are granted.
    DefaultPrivileges = "default privileges",
    /// A procedural language.
    Language = "language",
    /// A table or index access method.
    AccessMethod = "access method",
    /// A collation.
    Collation = "collation",
    /// An encoding conversion.
    Conversion = "conversion",
    /// A domain.
    Domain = "domain",
    /// An enumerated type.
    Enum = "enum",
    /// A range type, with its multirange type.
    Range = "range type",
    /// A composite type that was made as one.
    CompositeType = "composite type",
    /// A base type.
    BaseType = "base type",
    /// A type that is named and not yet defined.
    ShellType = "shell type",
    /// A function.
    Function = "function",
    /// A procedure.
    Procedure = "procedure",
    /// An aggregate function.
    Aggregate = "aggregate",
    /// An operator.
    Operator = "operator",
    /// An operator family.
    OperatorFamily = "operator family",
    /// An operator class.
    OperatorClass = "operator class",
    /// A cast.
    Cast = "cast",
    /// A transform.
    Transform = "transform",
    /// A text search parser.
    TextSearchParser = "text search parser",
    /// A text search template.
    TextSearchTemplate = "text search template",
    /// A text search dictionary.
    TextSearchDictionary = "text search dictionary",
    /// A text search configuration.
    TextSearchConfiguration = "text search configuration",
    /// A foreign data wrapper.
    ForeignDataWrapper = "foreign data wrapper",
    /// A foreign server.
    Server = "server",
    /// A user mapping.
    UserMapping = "user mapping",
    /// A sequence.
    Sequence = "sequence",
    /// A table, partitioned or not.
    Table = "table",
    /// A foreign table.
    ForeignTable = "foreign table",
    /// A view.
    View = "view",
    /// A materialized view.
    MaterializedView = "materialized view",
    /// A column of a table, view, materialized view or foreign table.
    Column = "column",
    /// An attribute of a composite type.
    Attribute = "attribute",
    /// A constraint of a table or domain.
    Constraint = "constraint",
    /// An index.
    Index = "index",
    /// An extended statistics object.
    Statistics = "statistics",
    /// A trigger.
    Trigger = "trigger",
    /// A rewrite rule.
    Rule = "rule",
    /// A row security policy.
    Policy = "policy",
    /// An event trigger.
    EventTrigger = "event trigger",
    /// A publication.
    Publication = "publication",
    /// A subscription.
    Subscription = "subscription",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

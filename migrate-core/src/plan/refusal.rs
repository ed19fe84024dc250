//! What forbids a run, and what to do about it.

use super::{Applied, State};
use crate::model::{Meta, PgRange, Version};
use std::fmt;

/// Why nothing may be run: one or more reasons.
#[derive(Debug, Clone)]
pub struct Refused {
    refusals: Vec<Refusal>,
}

impl Refused {
    pub(super) fn new(refusals: Vec<Refusal>) -> Self {
        Self { refusals }
    }

    /// Every reason.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, refusal) in self.refusals.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{refusal}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// One reason why nothing may be run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Refusal {
    /// An applied migration has another text now.
    Edited {
        /// The migration as it is now.
        meta: &'static Meta,
        /// What the ledger has.
        applied: Applied,
    },
    /// A migration appeared before one that is applied already, and was not there when that one was applied.
    OutOfOrder {
        /// The migration that appeared.
        meta: &'static Meta,
        /// The applied one that it should come before.
        after: Version,
    },
    /// The database is newer than the program, by a Contract too: what this program relies on may be gone.
    Ahead {
        /// The applied Contract migrations that the program does not know.
        contracts: Vec<Applied>,
    },
    /// A migration that was applied, or begun, is not in the program, though later ones are.
    Missing {
        /// What the ledger has.
        applied: Applied,
    },
    /// A migration that would run was not checked for a server of this version.
    Server {
        /// The migration.
        meta: &'static Meta,
        /// The server's major version.
        server: u16,
    },
    /// The library knows nothing of servers of this version.
    UnsupportedServer {
        /// The server's major version.
        server: u16,
    },
    /// The derive refused the struct, and the program was built all the same.
    Broken {
        /// The name of the struct.
        name: &'static str,
    },
    /// The history is not in the order of its versions.
    NotAscending {
        /// The migration that stands in the wrong place.
        meta: &'static Meta,
        /// The version before it.
        after: Version,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { meta, applied } => write!(
                f,
                "migration {} {} was edited after it was applied: its digest was {} and is {} now.\n  Put the text back \
                 and write the change as a new migration; or, where both texts leave the same schema, accept the edit on \
                 purpose by `supersedes = \"{}\"` in its #[migration(…)].",
                meta.version(),
                meta.name(),
                applied.digest,
                meta.digest(),
                applied.digest,
            ),
            Self::OutOfOrder { meta, after } => write!(
                f,
                "migration {} {} is not applied, but {after}, which comes after it, is, and was applied without knowing \
                 of it.\n  Renumber it to come after {after}; or, where the order does not matter, say so by \
                 `accept_late = \"why\"` in its #[migration(…)].",
                meta.version(),
                meta.name(),
            ),
            Self::Ahead { contracts } => {
                write!(f, "the database is ahead of this program by a Contract migration that it does not know:")?;
                for row in contracts {
                    write!(f, " {} {}", row.version, row.name)?;
                }
                write!(
                    f,
                    ".\n  What this program relies on may be gone. Deploy a release that knows it, or take it back with \
                     `undo` from such a release first."
                )
            }
            Self::Missing { applied } if applied.state != State::Applied => write!(
                f,
                "migration {} {} was begun and is not finished ({} in the ledger), and this program does not have it, though \
                 it has later ones.\n  Put it back into migrations!, and run again or take back what there is of it with \
                 `undo`; or do that from a release that has it.",
                applied.version, applied.name, applied.state,
            ),
            Self::Missing { applied } => write!(
                f,
                "migration {} {} is applied, but this program does not have it, though it has later ones.\n  Put it back \
                 into migrations!; or take it back with `undo` from a release that has it.",
                applied.version, applied.name,
            ),
            Self::Server { meta, server } => write!(
                f,
                "migration {} {} was checked for PostgreSQL {}, and this server is {server}.\n  Widen its range by \
                 `pg = …` and let the compiler check it again, or run it on a server of that range.",
                meta.version(),
                meta.name(),
                meta.pg(),
            ),
            Self::UnsupportedServer { server } => write!(
                f,
                "this server is PostgreSQL {server}; what statements lock is known for {} only.\n  Upgrade the server or \
                 this library.",
                PgRange::SUPPORTED,
            ),
            Self::Broken { name } => write!(
                f,
                "migration {name} was refused by its derive.\n  Build the program again and mend what the compiler says."
            ),
            Self::NotAscending { meta, after } => write!(
                f,
                "migration {} {} stands after {after} in the history.\n  List the migrations in the order of their versions.",
                meta.version(),
                meta.name(),
            ),
        }
    }
}

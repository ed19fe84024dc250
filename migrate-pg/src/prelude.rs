//! What a file with migrations needs: `use migrate_pg::prelude::*`.

pub use crate::gate::{Dump, Gate, GateContext, GateError, Receipt};
pub use crate::{Error, ErrorKind, Event, Migration, Migrator, Source, migrations};
pub use migrate_core::model::{Backup, History, LockClass, Phase, Version, Work};

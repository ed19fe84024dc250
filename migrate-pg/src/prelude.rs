//! What a file with migrations needs: `use migrate_pg::prelude::*`.

pub use crate::gate::{Dump, Gate, GateContext, GateError, Receipt};
pub use crate::{BadRows, Error, ErrorKind, Event, Migration, Migrator, Pace, Source, migrations};
pub use migrate_core::model::{Backup, History, LockClass, Phase, RowBackfill, RowError, Version, Work};

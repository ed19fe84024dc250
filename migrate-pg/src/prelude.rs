//! What a program that has migrations needs: `use migrate_pg::prelude::*;`.

pub use crate::{Migration, migrations};

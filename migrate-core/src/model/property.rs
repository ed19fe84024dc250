//! What is known of one object, one property at a time: what an up makes so, and what its down says was so before. The
//! history check compares the two over all migrations.

use super::Space;
use crate::__private::v1;

/// One property of one object, as a text that is the same for every spelling.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    pub(crate) data: v1::Property,
}

impl Property {
    /// The object in words, `column orders.status`.
    pub const fn object(&self) -> &'static str {
        self.data.object
    }

    /// What about it: `type`, `default`, `definition`, `comment`, `SELECT to app_ro`.
    pub const fn what(&self) -> &'static str {
        self.data.what
    }

    /// What it is; empty where there is none.
    pub const fn text(&self) -> &'static str {
        self.data.text
    }

    /// The statement that gives the object this property, as it was when the property was made; empty where there is none
    /// to show.
    pub const fn sql(&self) -> &'static str {
        self.data.sql
    }
}

/// An object by the hashes that the history check follows it by, and by its name, which confirms them.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct ObjectKey {
    pub space: Space,
    /// The hash of the name within the owner (of the qualified name, without owner).
    pub key: u64,
    pub name: &'static str,
    /// The hash of the owner's name, 0 without owner.
    pub owner: u64,
    pub owner_name: &'static str,
}

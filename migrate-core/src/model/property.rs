//! What is known of one object, one property at a time: what an up makes so, and what its down says was so before. The
//! history check compares the two over all migrations.

use super::Space;

/// One property of one object, as a text that is the same for every spelling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Property {
    /// The object in words, `column orders.status`.
    pub(crate) object: &'static str,
    /// What about it: `type`, `default`, `definition`, `comment`, `SELECT to app_ro`.
    pub(crate) what: &'static str,
    /// What it is; empty where there is none.
    pub(crate) text: &'static str,
    /// The statement that gives the object this property, as it was when the property was made; empty where there is none
    /// to show.
    pub(crate) sql: &'static str,
    /// Hashes of two looser forms, and whether the looser one counts: see `sql::schema::alike`.
    pub(crate) loose_key: u64,
    pub(crate) constants_key: u64,
    pub(crate) reworded: bool,
    /// What a rename may change in it: 0 nothing, 1 a column of its own table, 2 any object.
    pub(crate) mentions: u8,
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

//! What is known of one object, one property at a time: what an up makes so, and what its down says was so before. The
//! history check compares the two over all migrations.

#![allow(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]

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

/// An object by the hashes that the history check follows it by: of 128 bits, so that no two names share one.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct ObjectKey {
    pub space: Space,
    /// The hash of the name within the owner (of the qualified name, without owner); 0 where the object is not followed.
    pub key: u128,
    pub name: &'static str,
    /// The hash of the owner's name, 0 without owner.
    pub owner: u128,
    pub owner_name: &'static str,
}

impl ObjectKey {
    /// The object of this name; the owner's is empty where there is none.
    pub(crate) const fn of(space: Space, name: &'static str, owner_name: &'static str) -> Self {
        Self { space, key: Self::own(space, name), name, owner: Self::owner(space, owner_name), owner_name }
    }

    /// The key of an object's own name.
    pub(crate) const fn own(space: Space, name: &str) -> u128 {
        match space {
            Space::Other | Space::Role => 0,
            _ if name.is_empty() => 0,
            _ => key(space, name),
        }
    }

    /// The key of the name of what owns something in this space.
    pub(crate) const fn owner(space: Space, name: &str) -> u128 {
        match space {
            _ if name.is_empty() => 0,
            Space::EnumValue => key(Space::Type, name),
            _ => key(Space::Relation, name),
        }
    }
}

/// The key of a name in a space, or of any text: never 0, so that 0 can say that there is none.
///
/// Eight bytes at a time, since it is computed in macros that were built without optimisation; two hashes that are made in
/// different ways, of 64 bits each. It stands in no ledger and in no database, and may change from one release to the next.
pub(crate) const fn key(space: Space, text: &str) -> u128 {
    let mut bytes = text.as_bytes();
    // A word of its own: mixed into the first letters, a space and a letter would cancel out.
    let mut hash = Hash::NEW.with(((bytes.len() as u64) << 8) | space as u64);
    while let Some((eight, more)) = bytes.split_first_chunk::<8>() {
        hash = hash.with(u64::from_le_bytes(*eight));
        bytes = more;
    }
    let mut last = 0;
    while let [more @ .., byte] = bytes {
        last = last << 8 | *byte as u64;
        bytes = more;
    }
    let Hash { a, b } = hash.with(last).with(0);
    let key = (b as u128) << 64 | a as u128;
    if key == 0 { 1 } else { key }
}

/// Half of the key of a text.
#[cfg(feature = "sql")]
pub(crate) const fn half_key(text: &str) -> u64 {
    key(Space::Other, text) as u64
}

#[derive(Clone, Copy)]
struct Hash {
    a: u64,
    b: u64,
}

impl Hash {
    const NEW: Self = Self { a: 0x243f_6a88_85a3_08d3, b: 0x1319_8a2e_0370_7344 };

    const fn with(self, word: u64) -> Self {
        // Both halves of the product: the upper bits of the word come to count in the lower ones too.
        let product = (self.a ^ word) as u128 * 0x9e37_79b9_7f4a_7c15;
        let a = product as u64 ^ (product >> 64) as u64;
        let b = (self.b.rotate_left(25) ^ word).wrapping_mul(0xd6e8_feb8_6659_fd93);
        Self { a, b: b ^ b >> 32 }
    }
}

#[cfg(test)]
mod tests {
    use super::{Space, key};

    /// A column `b` and a constraint `c` of one table are two things: each space has keys of its own. Either half of a key
    /// tells them apart, and so do the few lowest bits, well enough for a table that is searched by them.
    #[test]
    fn keys_are_told_apart_by_either_half() {
        let (mut lower, mut upper) = (std::collections::HashMap::new(), std::collections::HashMap::new());
        let mut places = [0; 1 << 12];
        for space in [Space::Column, Space::Constraint, Space::Trigger, Space::Policy, Space::Rule, Space::EnumValue] {
            for first in b'a'..=b'z' {
                for rest in ["", "a", "\0", "ab", "_id", "_of_the_order", "_of_the_orders", "_of_the_order\0"] {
                    let name = format!("{}{rest}", char::from(first));
                    let key = key(space, &name);
                    assert_ne!(key, 0);
                    for other in
                        [lower.insert(key as u64, name.clone()), upper.insert((key >> 64) as u64, name.clone())]
                    {
                        assert_eq!(other, None, "{space:?} {name} and the other have one key");
                    }
                    places[key as usize % places.len()] += 1;
                }
            }
        }
        let most = places.iter().max();
        assert!(most <= Some(&6), "{most:?} of {} names have one place in {}", lower.len(), places.len());
    }
}

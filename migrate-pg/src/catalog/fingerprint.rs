//! The picture of a whole schema.

use super::object::HIDDEN;
use super::{Key, Kind, Object};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// A complete picture of a live schema. Two are equal if nothing differs, column order included.
///
/// What the role may not read is said by [`hidden`](Self::hidden), and is not compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fingerprint {
    pub(super) objects: BTreeMap<Key, Object>,
}

impl Fingerprint {
    /// All objects, in the order in which they are printed.
    pub fn objects(&self) -> impl Iterator<Item = (&Key, &Object)> {
        self.objects.iter()
    }

    /// One object by its kind and its name as the fingerprint writes it.
    pub fn object(&self, kind: Kind, name: &str) -> Option<&Object> {
        self.objects.get(&Key { kind, name: name.to_owned() })
    }

    /// What the role that read it was not allowed to read: each object, and what of it.
    pub fn hidden(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.objects.iter().filter_map(|(key, object)| Some((key, object.property(HIDDEN)?)))
    }

    /// SHA-256 of the whole, in hexadecimal.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        // Each text with its length, so that nothing runs into its neighbour.
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        for (key, object) in &self.objects {
            add(key.kind.name());
            add(&key.name);
            add(object.of.as_ref().map_or("", |of| of.kind.name()));
            add(object.of.as_ref().map_or("", |of| &of.name));
            add(&object.properties.len().to_string());
            for (name, value) in &object.properties {
                add(name);
                add(value);
            }
        }
        hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            use fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// One object a paragraph, a property a line; the further lines of a value are indented.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, object)) in self.objects.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{key}")?;
            if let Some(of) = &object.of {
                writeln!(f, "    part of {of}")?;
            }
            for (name, value) in &object.properties {
                match value.as_str() {
                    "" => writeln!(f, "    {name}")?,
                    _ => writeln!(f, "    {name}: {}", value.trim().replace('\n', "\n        "))?,
                }
            }
        }
        Ok(())
    }
}

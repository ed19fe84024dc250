//! The map that a [`super::Schema`] keeps its objects in: a copy shares everything with its original until one of them is
//! changed. Every statement is looked at over the schema before it and after it, on each server version, so that a script
//! of a thousand tables would otherwise copy each of them some thousand times.

use rpds::RedBlackTreeMapSync;
use std::borrow::Borrow;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shelf<K: Ord, V>(RedBlackTreeMapSync<K, V>);

impl<K: Ord, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(RedBlackTreeMapSync::new_sync())
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> Shelf<K, V> {
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }

    pub(crate) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// What is at the key, a new value where there is nothing.
    pub(crate) fn at(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        if !self.0.contains_key(&key) {
            self.0.insert_mut(key.clone(), new());
        }
        self.0.get_mut(&key).expect("it was put there")
    }

    /// What was there before, where something was.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.0.get(&key).cloned();
        self.0.insert_mut(key, value);
        before
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let before = self.0.get(key)?.clone();
        self.0.remove_mut(key);
        Some(before)
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        let gone: Vec<K> = self.0.iter().filter(|(key, value)| !keep(key, value)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.0.remove_mut(&key);
        }
    }

    /// Changes values; one that comes out as it went in stays shared.
    pub(crate) fn change(&mut self, mut change: impl FnMut(&K, &mut V)) {
        let mut changed = Vec::new();
        for (key, value) in &self.0 {
            let mut new = value.clone();
            change(key, &mut new);
            if new != *value {
                changed.push((key.clone(), new));
            }
        }
        for (key, value) in changed {
            self.0.insert_mut(key, value);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values()
    }
}

impl<'a, K: Ord, V> IntoIterator for &'a Shelf<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = <&'a RedBlackTreeMapSync<K, V> as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Shelf<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

//! A map for what an agent has few of.

use std::borrow::Borrow;

/// Entries in one vector, in the order of their keys. To add or remove one moves those behind it, so this is for what is
/// bounded by tens, or added and removed at the end. There it takes less memory than a `BTreeMap`, whose smallest node
/// has room for eleven entries, and a tenth of its code for each pair of types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SortedMap<K, V> {
    entries: Vec<(K, V)>,
}

impl<K: Ord, V> SortedMap<K, V> {
    pub(crate) fn new() -> Self {
        Self { entries: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        self.entries.get(at).map(|(_, value)| value)
    }

    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        self.entries.get_mut(at).map(|(_, value)| value)
    }

    /// What is known under `key`; if nothing is, `value` is from now on.
    pub(crate) fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        let at = self.find(&key).unwrap_or_else(|at| {
            self.entries.insert(at, (key, value()));
            at
        });
        &mut self.entries[at].1
    }

    /// Replaces what was known under `key`.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.find(&key) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (key, value)),
        }
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        Some(self.entries.remove(at).1)
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.entries.retain_mut(|(key, value)| keep(key, value));
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// Where `key` is, or else where it belongs.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.entries
            .binary_search_by(|(known, _)| known.borrow().cmp(key))
    }
}

impl<K: Ord, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn map(entries: &[(u8, char)]) -> SortedMap<u8, char> {
        let mut map = SortedMap::new();
        for (key, value) in entries {
            map.insert(*key, *value);
        }
        map
    }

    fn told(map: &SortedMap<u8, char>) -> Vec<(u8, char)> {
        map.iter().map(|(key, value)| (*key, *value)).collect()
    }

    #[test]
    fn entries_are_told_in_the_order_of_their_keys() {
        let map = map(&[(3, 'c'), (1, 'a'), (2, 'b')]);
        assert_eq!(told(&map), [(1, 'a'), (2, 'b'), (3, 'c')]);
        assert_eq!(map.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(map.values().collect::<String>(), "abc");
    }

    #[test]
    fn a_key_has_one_value_the_last_one() {
        let mut map = map(&[(1, 'a'), (2, 'b'), (1, 'c')]);
        assert_eq!((map.len(), map.get(&1)), (2, Some(&'c')));
        assert_eq!(*map.get_or_insert_with(1, || 'x'), 'c');
        assert_eq!(*map.get_or_insert_with(0, || 'x'), 'x');
        assert_eq!(told(&map), [(0, 'x'), (1, 'c'), (2, 'b')]);
    }

    #[test]
    fn what_is_removed_is_gone_and_nothing_else() {
        let mut map = map(&[(1, 'a'), (2, 'b'), (3, 'c')]);
        assert_eq!((map.remove(&2), map.remove(&2)), (Some('b'), None));
        assert!(!map.contains_key(&2) && map.contains_key(&1));
        map.retain(|key, _| *key != 1);
        assert_eq!(told(&map), [(3, 'c')]);
        map.clear();
        assert!(map.is_empty());
    }

    #[test]
    fn values_can_be_changed_in_place() {
        let mut map = map(&[(1, 'a'), (2, 'b')]);
        if let Some(value) = map.get_mut(&1) {
            *value = 'z';
        }
        map.values_mut()
            .for_each(|value| *value = value.to_ascii_uppercase());
        for (key, value) in map.iter_mut().filter(|(key, _)| **key == 2) {
            *value = char::from(b'0' + *key);
        }
        assert_eq!(told(&map), [(1, 'Z'), (2, '2')]);
        assert_eq!(map.get_mut(&9), None);
    }
}

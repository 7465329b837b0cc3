//! Deadlines by name: each key has at most one.

use std::collections::{BTreeMap, BTreeSet};

use clearline_core::Instant;

/// When which of `K` is due.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines<K> {
    at: BTreeMap<K, Instant>,
    queue: BTreeSet<(Instant, K)>,
}

impl<K: Copy + Ord> Deadlines<K> {
    pub(crate) fn new() -> Self {
        Self {
            at: BTreeMap::new(),
            queue: BTreeSet::new(),
        }
    }

    /// Plans `key`, in place of an earlier plan.
    pub(crate) fn set(&mut self, key: K, at: Instant) {
        self.clear(key);
        self.at.insert(key, at);
        self.queue.insert((at, key));
    }

    /// Forgets `key`.
    pub(crate) fn clear(&mut self, key: K) {
        if let Some(at) = self.at.remove(&key) {
            self.queue.remove(&(at, key));
        }
    }

    /// The earliest, with its key.
    pub(crate) fn next(&self) -> Option<(Instant, K)> {
        self.queue.first().copied()
    }

    /// Takes the earliest one that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = self.next()?;
        (at <= now).then(|| self.clear(key))?;
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_keys_come_in_order_and_once() {
        let mut deadlines = Deadlines::new();
        deadlines.set('b', Instant::from_secs(2));
        deadlines.set('a', Instant::from_secs(9));
        deadlines.set('a', Instant::from_secs(1));
        deadlines.set('c', Instant::from_secs(1));
        deadlines.clear('c');
        assert_eq!(deadlines.next(), Some((Instant::from_secs(1), 'a')));
        assert_eq!(deadlines.pop_due(Instant::from_millis(999)), None);
        assert_eq!(deadlines.pop_due(Instant::from_secs(5)), Some('a'));
        assert_eq!(deadlines.pop_due(Instant::from_secs(5)), Some('b'));
        assert_eq!(deadlines.pop_due(Instant::from_secs(50)), None);
        assert_eq!(deadlines.next(), None);
    }
}

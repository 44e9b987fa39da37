//! What a subscriber knows: subscriptions that look again and again tell only what differs from the look before.

use std::collections::BTreeMap;

/// The values of the last look, by key.
#[derive(Debug)]
pub struct Known<K, V>(BTreeMap<K, V>);

impl<K, V> Default for Known<K, V> {
    fn default() -> Self {
        Known(BTreeMap::new())
    }
}

impl<K: Ord, V: PartialEq + Clone> Known<K, V> {
    /// Takes a look in. Gives the values that are new or others than before, in the order of the look, and those that are
    /// gone, as they were.
    pub fn take(&mut self, look: impl IntoIterator<Item = (K, V)>) -> (Vec<V>, Vec<(K, V)>) {
        let mut before = std::mem::take(&mut self.0);
        let mut changed = Vec::new();
        for (key, value) in look {
            if before.remove(&key).as_ref() != Some(&value) {
                changed.push(value.clone());
            }
            self.0.insert(key, value);
        }
        (changed, before.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_from_the_look_before_is_told() {
        let mut known = Known::default();
        assert_eq!(known.take([("b", 2), ("a", 1)]), (vec![2, 1], vec![]), "the first look is told in its order");
        assert_eq!(known.take([("a", 1), ("b", 3), ("c", 4)]), (vec![3, 4], vec![]));
        assert_eq!(known.take([("c", 4)]), (vec![], vec![("a", 1), ("b", 3)]));
        assert_eq!(known.take([("a", 1), ("c", 4)]), (vec![1], vec![]), "what was gone is new again");
    }
}

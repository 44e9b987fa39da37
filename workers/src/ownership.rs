//! Who owns what: from a key to its key group, from the group to a worker.
//!
//! Bills and facts without a bill are placed by `market::key_group`; cells, feature keys, rules and alerts by the mix below.
//! Invariant: neither hash ever changes, for state on disk is laid out by group.

use std::sync::Arc;

use billwatch_market::key_group::{KEY_GROUPS, key_group};

/// Owner of each key group: worker index = process * threads + thread. As long as [`KEY_GROUPS`].
pub type Owners = Arc<[u32]>;

/// Key group of a key made of numbers. Test vectors below.
#[inline]
pub const fn group_of_words(words: [u64; 3]) -> u16 {
    let mut hash = words[0].wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ hash >> 32 ^ words[1]).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 32 ^ words[2]).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (hash >> (64 - KEY_GROUPS.trailing_zeros())) as u16
}

/// Key group of a rule that compares keys, by its pattern id.
pub fn group_of_rule(id: &str) -> u16 {
    key_group(id.as_bytes())
}

/// Groups spread evenly over workers, neighbours together: the assignment of a cluster that nobody has rescaled.
pub fn even_owners(workers: usize) -> Owners {
    (0..usize::from(KEY_GROUPS)).map(|group| (group * workers / usize::from(KEY_GROUPS)) as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_never_change_and_spread() {
        let vectors: [([u64; 3], u16); 3] = [([0, 0, 0], 0), ([1, 2, 3], 867), ([u64::MAX, 7, 1 << 60], 98)];
        for (words, group) in vectors {
            assert_eq!(group_of_words(words), group, "{words:?}");
        }
        let mut counts = vec![0u32; usize::from(KEY_GROUPS)];
        for number in 0..100_000u64 {
            counts[usize::from(group_of_words([number % 7, 2 << 60 | number, 0]))] += 1;
        }
        assert!(counts.iter().all(|count| (40..180).contains(count)), "{:?}", counts.iter().max());
        let owners = even_owners(3);
        assert_eq!((owners[0], owners[341], owners[342], owners[1023]), (0, 0, 1, 2));
    }
}

//! Where each event id stands in the sequences: to know redelivery and variants (facts.md 7).
//!
//! The id is kept as a 64-bit hash, its place as source and number in one word: 16 bytes an id, 18 to 37 with the table's
//! room. Two ids with one hash only look like variants: their contents differ (the id is part of it), so both are accepted,
//! and workers compare whole ids. The table is cut into 256 parts, so that growing never stops the sequencer for long.

use std::hash::{BuildHasherDefault, Hasher};

use billwatch_market::fact::Source;
use hashbrown::HashMap;

const PARTS: usize = 256;
const NUMBER_BITS: u32 = 60;

/// Source and number of an accepted fact.
pub type Place = (Source, u64);

/// All event ids.
#[derive(Debug)]
pub struct EventIndex {
    first: Vec<HashMap<u64, u64, BuildHasherDefault<AsIs>>>,
    /// Further places of an id, in order of acceptance; also places whose number needs more than 60 bits.
    more: HashMap<u64, Vec<Place>>,
}

impl Default for EventIndex {
    fn default() -> Self {
        EventIndex { first: (0..PARTS).map(|_| HashMap::default()).collect(), more: HashMap::new() }
    }
}

impl EventIndex {
    /// Places of the facts with this hash of their event id, in order of acceptance.
    pub fn places(&self, event: u64) -> impl Iterator<Item = Place> + '_ {
        let first = self.first[part(event)].get(&event).map(|&packed| {
            let source = Source::from_rank((packed >> NUMBER_BITS) as u8).expect("only ranks are packed");
            (source, packed & ((1 << NUMBER_BITS) - 1))
        });
        // `more` is empty in a healthy market: no second look-up then.
        let more = if self.more.is_empty() { None } else { self.more.get(&event) };
        first.into_iter().chain(more.into_iter().flatten().copied())
    }

    /// Adds the place of an accepted fact.
    pub fn insert(&mut self, event: u64, (source, number): Place) {
        if number >> NUMBER_BITS == 0 {
            let packed = u64::from(source.rank()) << NUMBER_BITS | number;
            match self.first[part(event)].entry(event) {
                hashbrown::hash_map::Entry::Vacant(vacant) => {
                    vacant.insert(packed);
                    return;
                }
                hashbrown::hash_map::Entry::Occupied(_) => {}
            }
        }
        self.more.entry(event).or_default().push((source, number));
    }
}

fn part(event: u64) -> usize {
    // The table inside uses the low and the top bits.
    (event >> 32) as usize % PARTS
}

/// The key is a hash already.
#[derive(Default)]
pub struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only u64 keys are hashed");
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_an_id_is_found_in_order() {
        let mut index = EventIndex::default();
        assert_eq!(index.places(7).count(), 0);
        index.insert(7, (Source::Ngbs, 1 << 61));
        index.insert(7, (Source::Simu, 3));
        index.insert(7, (Source::Refd, 9));
        index.insert(8, (Source::Simu, (1 << 60) - 1));
        let mut places: Vec<Place> = index.places(7).collect();
        places.sort();
        assert_eq!(places, vec![(Source::Refd, 9), (Source::Ngbs, 1 << 61), (Source::Simu, 3)]);
        assert_eq!(index.places(8).collect::<Vec<_>>(), vec![(Source::Simu, (1 << 60) - 1)]);
    }
}

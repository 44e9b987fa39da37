//! Where each event id stands in the sequences: to know redelivery and variants (facts.md 7).
//!
//! The id is kept as a 64-bit hash, its place as source and number in one word: 16 bytes an id, 18 to 37 with the table's
//! room. Two ids with one hash only look like variants: their contents differ (the id is part of it), so both are accepted,
//! and workers compare whole ids. The table is cut into 256 parts, so that growing never stops the sequencer for long.
//! Contents of further places are kept in one set, so that a fact of an id with many variants is judged by one look.

use std::hash::{BuildHasherDefault, Hasher};

use billwatch_market::fact::Source;
use hashbrown::{HashMap, HashSet};

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
    /// Content hashes of the facts at further places. A content has its event id in it, so one set is enough for all.
    contents: HashSet<u64, BuildHasherDefault<AsIs>>,
}

impl Default for EventIndex {
    fn default() -> Self {
        EventIndex {
            first: (0..PARTS).map(|_| HashMap::default()).collect(),
            more: HashMap::new(),
            contents: HashSet::default(),
        }
    }
}

impl EventIndex {
    /// Places of the facts with this hash of their event id, in order of acceptance.
    pub fn places(&self, event: u64) -> impl Iterator<Item = Place> + '_ {
        self.first(event).into_iter().chain(self.further(event).iter().copied())
    }

    /// The place that is not among the further ones.
    pub fn first(&self, event: u64) -> Option<Place> {
        self.first[part(event)].get(&event).map(|&packed| {
            let source = Source::from_rank((packed >> NUMBER_BITS) as u8).expect("only ranks are packed");
            (source, packed & ((1 << NUMBER_BITS) - 1))
        })
    }

    /// The other places.
    pub fn further(&self, event: u64) -> &[Place] {
        // `more` is empty in a healthy market: no second look-up then.
        if self.more.is_empty() { &[] } else { self.more.get(&event).map_or(&[], Vec::as_slice) }
    }

    /// True when a fact of this content stands at a further place.
    pub fn is_further(&self, content: u64) -> bool {
        self.contents.contains(&content)
    }

    /// Adds the place of an accepted fact.
    pub fn insert(&mut self, event: u64, content: u64, (source, number): Place) {
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
        self.contents.insert(content);
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
        index.insert(7, 71, (Source::Ngbs, 1 << 61));
        index.insert(7, 72, (Source::Simu, 3));
        index.insert(7, 73, (Source::Refd, 9));
        index.insert(8, 81, (Source::Simu, (1 << 60) - 1));
        assert_eq!((index.first(7), index.further(7).len()), (Some((Source::Simu, 3)), 2));
        assert_eq!([71, 72, 73, 81].map(|content| index.is_further(content)), [true, false, true, false]);
        let mut places: Vec<Place> = index.places(7).collect();
        places.sort();
        assert_eq!(places, vec![(Source::Refd, 9), (Source::Ngbs, 1 << 61), (Source::Simu, 3)]);
        assert_eq!(index.places(8).collect::<Vec<_>>(), vec![(Source::Simu, (1 << 60) - 1)]);
    }
}

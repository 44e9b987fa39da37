//! Which numbers of each source's sequence are used, and by what content.
//!
//! Memory: 16 bytes a record (content hash and place in the log) in blocks of [`BLOCK`] numbers, and one interval a run of
//! used numbers. A block with few numbers is a short list: a source that numbers by the clock, one record a block, costs some
//! 150 bytes a record instead of 4 KiB.

use std::collections::BTreeMap;

use billwatch_market::fact::{SOURCES, Source};
use hashbrown::HashMap;

use crate::log::Position;

const BLOCK: u64 = 256;
/// Numbers that a list holds; then the whole block takes no more than twice as much.
const FEW: usize = 64;

/// What stands under a number that was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used {
    /// Hash of the content.
    pub content: u64,
    /// Frame that holds the record; for a redelivered fact, which has no record of its own: [`Used::NO_RECORD`].
    pub position: Position,
}

impl Used {
    /// No frame.
    pub const NO_RECORD: Position = u64::MAX;
    const NEVER: Used = Used { content: 0, position: 0 };
}

/// The sequences of all sources.
#[derive(Debug, Default)]
pub struct Sequences {
    sources: [Sequence; SOURCES.len()],
}

/// The used numbers of one block.
#[derive(Debug)]
enum Block {
    /// By place in the block, in order.
    Few(Vec<(u8, Used)>),
    All(Box<[Used; BLOCK as usize]>),
}

impl Block {
    fn get(&self, place: u8) -> Option<Used> {
        match self {
            Block::Few(list) => list.binary_search_by_key(&place, |(place, _)| *place).ok().map(|at| list[at].1),
            Block::All(all) => Some(all[usize::from(place)]).filter(|used| *used != Used::NEVER),
        }
    }

    fn set(&mut self, place: u8, used: Used) {
        match self {
            Block::All(all) => all[usize::from(place)] = used,
            Block::Few(list) => match list.binary_search_by_key(&place, |(place, _)| *place) {
                Ok(at) => list[at].1 = used,
                Err(at) if list.len() < FEW => {
                    if list.len() == list.capacity() {
                        list.reserve_exact(list.len());
                    }
                    list.insert(at, (place, used));
                }
                Err(_) => {
                    let mut all = Box::new([Used::NEVER; BLOCK as usize]);
                    list.iter().for_each(|(place, used)| all[usize::from(*place)] = *used);
                    all[usize::from(place)] = used;
                    *self = Block::All(all);
                }
            },
        }
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        match self {
            Block::Few(list) => list.capacity() * size_of::<(u8, Used)>(),
            Block::All(all) => size_of_val(&**all),
        }
    }
}

#[derive(Debug, Default)]
struct Sequence {
    blocks: HashMap<u64, Block>,
    /// Runs of used numbers: first -> last. Neighbouring runs are joined.
    runs: BTreeMap<u64, u64>,
}

impl Sequences {
    /// What was accepted under the number.
    pub fn get(&self, source: Source, number: u64) -> Option<Used> {
        self.of(source).blocks.get(&(number / BLOCK))?.get((number % BLOCK) as u8)
    }

    /// The number was accepted with this content.
    pub fn accept(&mut self, source: Source, number: u64, used: Used) {
        let sequence = &mut self.sources[usize::from(source.rank())];
        let block = sequence.blocks.entry(number / BLOCK).or_insert_with(|| Block::Few(Vec::with_capacity(1)));
        block.set((number % BLOCK) as u8, used);
        sequence.fill(number);
    }

    /// The number was used by a record that was refused. False when it was used before.
    pub fn fill(&mut self, source: Source, number: u64) -> bool {
        self.sources[usize::from(source.rank())].fill(number)
    }

    /// Runs of missing numbers below the highest used one, first ones first.
    pub fn gaps(&self, source: Source) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut next = 1;
        self.of(source).runs.iter().filter_map(move |(&first, &last)| {
            let gap = (next < first).then(|| (next, first - 1));
            next = last.saturating_add(1);
            gap
        })
    }

    /// Number of runs of missing numbers below the highest used one.
    pub fn gap_count(&self, source: Source) -> usize {
        let runs = &self.of(source).runs;
        let begins_at_first = runs.first_key_value().is_some_and(|(first, _)| *first <= 1);
        runs.len() - usize::from(begins_at_first)
    }

    fn of(&self, source: Source) -> &Sequence {
        &self.sources[usize::from(source.rank())]
    }
}

impl Sequence {
    fn fill(&mut self, number: u64) -> bool {
        let before = self.runs.range(..=number).next_back().map(|(&first, &last)| (first, last));
        let mut run = (number, number);
        if let Some((first, last)) = before {
            if last >= number {
                return false;
            }
            if last + 1 == number {
                run.0 = first;
            }
        }
        if let Some(after) = number.checked_add(1)
            && let Some(last) = self.runs.remove(&after)
        {
            run.1 = last;
        }
        self.runs.insert(run.0, run.1);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gaps_are_the_missing_numbers(numbers in prop::collection::vec(1u64..60, 1..50)) {
            let mut sequences = Sequences::default();
            let mut used = BTreeSet::new();
            for number in numbers {
                prop_assert_eq!(sequences.fill(Source::Ngbs, number), used.insert(number));
                let missing: Vec<u64> = (1..*used.last().unwrap()).filter(|number| !used.contains(number)).collect();
                let gaps: Vec<(u64, u64)> = sequences.gaps(Source::Ngbs).collect();
                prop_assert_eq!(sequences.gap_count(Source::Ngbs), gaps.len());
                let listed: Vec<u64> = gaps.iter().flat_map(|&(first, last)| first..=last).collect();
                prop_assert_eq!(listed, missing);
                prop_assert!(gaps.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "each gap is one run");
            }
            prop_assert_eq!(sequences.gaps(Source::Cpes).count(), 0);
        }
    }

    proptest! {
        #[test]
        fn every_used_number_is_found_however_they_lie(
            numbers in prop::collection::vec((1u64..2_000, 1u64..9), 1..600),
        ) {
            let mut sequences = Sequences::default();
            let mut plain = std::collections::BTreeMap::new();
            for (number, content) in numbers {
                let used = Used { content, position: number };
                sequences.accept(Source::Ngbs, number, used);
                plain.insert(number, used);
            }
            for number in 0..2_100 {
                prop_assert_eq!(sequences.get(Source::Ngbs, number), plain.get(&number).copied());
            }
        }
    }

    #[test]
    fn numbers_taken_from_the_clock_cost_little() {
        const RECORDS: u64 = 100_000;
        let mut sequences = Sequences::default();
        for record in 0..RECORDS {
            // Some milliseconds apart, as a busy source numbers them: one or two a block.
            let number = 1_751_958_000_000 + record * 173;
            sequences.accept(Source::Ngbs, number, Used { content: record + 1, position: record });
        }
        let blocks = &sequences.of(Source::Ngbs).blocks;
        let of_lists: usize = blocks.values().map(Block::bytes).sum();
        let of_table = blocks.capacity() * (size_of::<(u64, Block)>() + 1);
        let each = (of_lists + of_table) as u64 / RECORDS;
        assert!(each < 128, "{each} bytes a record");
    }

    #[test]
    fn the_highest_number_is_a_number() {
        let mut sequences = Sequences::default();
        let used = Used { content: 5, position: 0 };
        sequences.accept(Source::Ngbs, u64::MAX, used);
        assert_eq!(sequences.get(Source::Ngbs, u64::MAX), Some(used));
        assert_eq!(sequences.gaps(Source::Ngbs).collect::<Vec<_>>(), vec![(1, u64::MAX - 1)]);
        assert_eq!(sequences.get(Source::Ngbs, 1), None);
    }
}

//! Which numbers of each source's sequence are used, and by what content.
//!
//! Memory: 16 bytes a record (content hash and place in the log) in blocks of [`BLOCK`] numbers, and one interval a run of
//! used numbers. Numbers far apart cost a block each (4 KiB): the price of a source that skips wildly.

use std::collections::BTreeMap;

use billwatch_market::fact::{SOURCES, Source};
use hashbrown::HashMap;

use crate::log::Position;

const BLOCK: u64 = 256;

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

#[derive(Debug, Default)]
struct Sequence {
    blocks: HashMap<u64, Box<[Used; BLOCK as usize]>>,
    /// Runs of used numbers: first -> last. Neighbouring runs are joined.
    runs: BTreeMap<u64, u64>,
}

impl Sequences {
    /// What was accepted under the number.
    pub fn get(&self, source: Source, number: u64) -> Option<Used> {
        let used = self.of(source).blocks.get(&(number / BLOCK))?[(number % BLOCK) as usize];
        (used != Used::NEVER).then_some(used)
    }

    /// The number was accepted with this content.
    pub fn accept(&mut self, source: Source, number: u64, used: Used) {
        let sequence = &mut self.sources[usize::from(source.rank())];
        let block = sequence.blocks.entry(number / BLOCK).or_insert_with(|| Box::new([Used::NEVER; BLOCK as usize]));
        block[(number % BLOCK) as usize] = used;
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
                let listed: Vec<u64> = gaps.iter().flat_map(|&(first, last)| first..=last).collect();
                prop_assert_eq!(listed, missing);
                prop_assert!(gaps.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "each gap is one run");
            }
            prop_assert_eq!(sequences.gaps(Source::Cpes).count(), 0);
        }
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

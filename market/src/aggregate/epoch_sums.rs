//! The changes of one epoch, added up cell by cell before anything leaves the shard.
//!
//! A fact changes about 66 cells, but the facts of an epoch change the same ones again and again: 10,000 facts make some
//! 660,000 changes of 20,000 cells. So most of the work is adding, and an addition must not look anything up. Items that are
//! codes have a number in their enumeration: (pair, item) is a place in an array, one array a business date. Parties, days
//! and numbers, 5 % of the changes, go through a hash map, as do dates beyond the few that an epoch has open, and sums that
//! leave 64 bits.
//!
//! Invariant: [`EpochSums::drain`] gives each changed cell once, with the sum of all its changes, and leaves nothing behind.
//! Cells whose changes cancel are left out.

use std::{ops::Range, sync::Arc};

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{Aggregates, CellKey, CellSink};
use crate::{
    ids::Day,
    items::{Enumeration, Item},
};

/// Items before the codes of an enumeration: the specials, whose bits are below this.
const SPECIALS: u32 = 5;
/// Dates with an array of their own (about 0.7 MB each with the embedded catalogue); further dates are rare in one epoch.
const DENSE_DAYS: usize = 16;
/// Bits of an item's code below its enumeration.
const ROW_BITS: u32 = u16::BITS;

/// Where the cells of each pair lie in the array of a date. Immutable, shared by the shards of a process.
#[derive(Debug)]
pub struct CellLayout {
    pairs: Vec<PairPlace>,
    /// The way back from a place.
    cells: Vec<(u16, Item)>,
    values: usize,
}

#[derive(Clone, Copy, Debug)]
struct PairPlace {
    /// The items of its enumeration without the row; of a pair whose items are no codes, those of no item.
    codes: u64,
    /// Number of slots.
    width: u16,
    /// Number of items that have a place.
    items: u32,
    first_cell: u32,
    first_value: u32,
}

impl CellLayout {
    /// The layout of the fed pairs.
    pub fn new(aggregates: &Aggregates) -> Self {
        let mut layout = CellLayout { pairs: Vec::new(), cells: Vec::new(), values: 0 };
        for number in 0..aggregates.pairs().len() as u16 {
            let pair = aggregates.pair(number);
            let width = aggregates.slots(number).len();
            let codes = pair.enumeration.map_or(0, |known| aggregates.meanings().vocabulary().codes(known).len());
            let place = PairPlace {
                codes: pair.enumeration.map_or(u64::MAX, codes_of),
                width: width as u16,
                items: SPECIALS + codes as u32,
                first_cell: layout.cells.len() as u32,
                first_value: layout.values as u32,
            };
            layout.pairs.push(place);
            layout.cells.extend((0..SPECIALS).map(|bits| (number, Item::from_bits(u64::from(bits)))));
            if let Some(enumeration) = pair.enumeration {
                layout.cells.extend((0..codes as u16).map(|row| (number, Item::code(enumeration, row))));
            }
            layout.values += place.items as usize * (1 + width);
        }
        layout
    }

    /// Number of places in the array of a date.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }
}

fn codes_of(enumeration: Enumeration) -> u64 {
    Item::code(enumeration, 0).bits() >> ROW_BITS
}

impl PairPlace {
    /// The number of an item among those of the pair; `None` when it has no place in the array.
    #[inline]
    fn item(&self, item: Item) -> Option<u32> {
        let bits = item.bits();
        let place = if bits >> ROW_BITS == self.codes {
            SPECIALS + u32::from(bits as u16)
        } else if bits < u64::from(SPECIALS) {
            bits as u32
        } else {
            return None;
        };
        (place < self.items).then_some(place)
    }

    /// Where a cell's values lie: whether it was changed in this epoch, then its sums.
    #[inline]
    fn values(&self, place: u32) -> Range<usize> {
        let length = 1 + usize::from(self.width);
        let first = self.first_value as usize + place as usize * length;
        first..first + length
    }
}

/// The cells of one business date.
struct DenseDay {
    date: Day,
    /// For each cell, side by side for the cache: 1 when it is in `changed`, and its sums.
    values: Box<[i64]>,
    changed: Vec<u32>,
}

/// Adds up the changes of an epoch. Keep it between epochs: it keeps its memory.
pub struct EpochSums {
    layout: Arc<CellLayout>,
    days: Vec<DenseDay>,
    /// How many of `days` are in use in this epoch, from the front.
    open: usize,
    /// Start of the cell's sums in `sparse_values`.
    sparse: HashMap<CellKey, u32>,
    sparse_values: Vec<i128>,
    /// A part of a cell with a place lies in `sparse`, because its sums left 64 bits.
    overflowed: bool,
    changes: u64,
}

impl EpochSums {
    /// Nothing yet.
    pub fn new(layout: Arc<CellLayout>) -> Self {
        EpochSums {
            layout,
            days: Vec::new(),
            open: 0,
            sparse: HashMap::new(),
            sparse_values: Vec::new(),
            overflowed: false,
            changes: 0,
        }
    }

    /// Adds everything that a sink has collected.
    pub fn add_all(&mut self, sink: &CellSink) {
        let mut day: Option<usize> = None;
        self.changes += sink.cells().len() as u64;
        for delta in sink.cells() {
            let (key, sums) = (delta.key, sink.part(delta.part));
            let pair = self.layout.pairs[usize::from(key.pair)];
            let place = pair.item(key.item);
            // The changes of a fact share their date, but for a few.
            if day.is_none_or(|day| self.days[day].date != key.date) {
                day = self.day(key.date);
            }
            let (Some(place), Some(day)) = (place, day) else {
                self.add_sparse(key, sums);
                continue;
            };
            let day = &mut self.days[day];
            let [is_changed, totals @ ..] = &mut day.values[pair.values(place)] else { continue };
            if *is_changed == 0 {
                *is_changed = 1;
                day.changed.push(pair.first_cell + place);
            }
            if !add_narrow(totals, sums) {
                self.overflowed = true;
                self.add_sparse(key, sums);
            }
        }
    }

    /// The array of a date; `None` when all are taken by other dates.
    fn day(&mut self, date: Day) -> Option<usize> {
        if let Some(day) = self.days[..self.open].iter().position(|day| day.date == date) {
            return Some(day);
        }
        if self.open == DENSE_DAYS {
            return None;
        }
        if self.open == self.days.len() {
            self.days.push(DenseDay { date, values: vec![0; self.layout.values].into(), changed: Vec::new() });
        }
        self.days[self.open].date = date;
        self.open += 1;
        Some(self.open - 1)
    }

    fn add_sparse(&mut self, key: CellKey, sums: &[i128]) {
        let values = &mut self.sparse_values;
        let first = *self.sparse.entry(key).or_insert_with(|| {
            values.resize(values.len() + sums.len(), 0);
            (values.len() - sums.len()) as u32
        });
        for (total, sum) in values[first as usize..first as usize + sums.len()].iter_mut().zip(sums) {
            *total += sum;
        }
    }

    /// Hands out every cell that changed, with the sums of its slots, in no order; then begins anew.
    pub fn drain(&mut self, mut each: impl FnMut(CellKey, &[i128])) {
        let is_nothing = |sums: &[i128]| sums.iter().all(|sum| *sum == 0);
        let mut wide: SmallVec<[i128; 8]> = SmallVec::new();
        for day in &mut self.days[..self.open] {
            for cell in day.changed.drain(..) {
                let (pair, item) = self.layout.cells[cell as usize];
                let place = self.layout.pairs[usize::from(pair)];
                let values = &mut day.values[place.values(cell - place.first_cell)];
                wide.clear();
                wide.extend(values[1..].iter().map(|sum| i128::from(*sum)));
                values.fill(0);
                let key = CellKey { pair, date: day.date, item };
                if self.overflowed
                    && let Some(first) = self.sparse.remove(&key)
                {
                    wide.iter_mut().zip(&self.sparse_values[first as usize..]).for_each(|(sum, more)| *sum += more);
                }
                if !is_nothing(&wide) {
                    each(key, &wide);
                }
            }
        }
        self.overflowed = false;
        self.open = 0;
        for (key, first) in self.sparse.drain() {
            let width = usize::from(self.layout.pairs[usize::from(key.pair)].width);
            let sums = &self.sparse_values[first as usize..first as usize + width];
            if !is_nothing(sums) {
                each(key, sums);
            }
        }
        self.sparse_values.clear();
        self.changes = 0;
    }

    /// Changes added since the last [`EpochSums::drain`].
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Bytes held.
    pub fn heap_bytes(&self) -> usize {
        let day = self.layout.values * size_of::<i64>();
        let changed: usize = self.days.iter().map(|day| day.changed.capacity() * 4).sum();
        let sparse = self.sparse.capacity() * (size_of::<(CellKey, u32)>() + 1);
        self.days.len() * day + changed + sparse + self.sparse_values.capacity() * size_of::<i128>()
    }
}

/// Adds sums to totals of 64 bits; false, and nothing added, when one of them does not fit.
#[inline]
fn add_narrow(totals: &mut [i64], sums: &[i128]) -> bool {
    for (place, sum) in sums.iter().enumerate() {
        let Some(total) = i64::try_from(*sum).ok().and_then(|sum| totals[place].checked_add(sum)) else {
            // What was added so far fitted, so it can be taken back.
            totals.iter_mut().zip(&sums[..place]).for_each(|(total, sum)| *total -= *sum as i64);
            return false;
        };
        totals[place] = total;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::LazyLock};

    use proptest::prelude::*;

    use super::*;
    use crate::{ids::PartyId, items::Enumeration};

    static AGGREGATES: LazyLock<Aggregates> = LazyLock::new(|| Aggregates::embedded().unwrap());

    /// A change: pair, date, kind of item, number in the kind, sum.
    type Change = (u16, i32, u8, u16, i64);

    fn change() -> impl Strategy<Value = Change> {
        (
            0u16..40,
            20_000i32..20_020,
            0u8..4,
            0u16..6,
            prop_oneof![8 => -2i64..3, 1 => Just(i64::MAX), 1 => Just(-i64::MAX)],
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// More dates than arrays, items of every kind, sums that cancel or leave 64 bits, two epochs: as one map would add
        /// them.
        #[test]
        fn equals_one_map(epochs in proptest::collection::vec(proptest::collection::vec(change(), 0..300), 1..3)) {
            let aggregates = &*AGGREGATES;
            let mut sums = EpochSums::new(Arc::new(CellLayout::new(aggregates)));
            for changes in epochs {
                let mut expected: BTreeMap<CellKey, Vec<i128>> = BTreeMap::new();
                let mut sink = CellSink::default();
                for (pair, date, kind, number, sum) in changes {
                    let own = aggregates.pair(pair).enumeration.unwrap_or(Enumeration(0));
                    let item = match kind {
                        0 => Item::from_bits(u64::from(number % 5)),
                        1 => Item::code(own, number),
                        2 => Item::code(Enumeration(own.0 + 1), number),
                        _ => Item::party(PartyId::legal(u64::from(number) + 1)),
                    };
                    let key = CellKey { pair, date: Day(date), item };
                    let values: Vec<i128> = (1..=aggregates.slots(pair).len() as i128).map(|slot| slot * i128::from(sum)).collect();
                    let mut part = sink.begin_part();
                    values.iter().for_each(|value| part.sum(*value));
                    let part = part.end();
                    sink.push(pair, key.date, item, part);
                    let total = expected.entry(key).or_insert_with(|| vec![0; values.len()]);
                    total.iter_mut().zip(values).for_each(|(total, value)| *total += value);
                }
                expected.retain(|_, total| total.iter().any(|sum| *sum != 0));
                sums.add_all(&sink);
                let mut drained = BTreeMap::new();
                let mut twice = false;
                sums.drain(|key, total| twice |= drained.insert(key, total.to_vec()).is_some());
                prop_assert!(!twice);
                prop_assert_eq!(drained, expected);
                let mut left = 0;
                sums.drain(|_, _| left += 1);
                prop_assert_eq!(left, 0);
            }
        }
    }
}

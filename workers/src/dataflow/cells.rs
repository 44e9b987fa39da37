//! Totals of aggregate cells, kept by the owner of the cell. Shards add up an epoch first (`aggregate::epoch_sums`) and ship
//! only what changed.
//!
//! A [`CellTable`] is one map a (theme, dimension) from (date, item) to a place in an arena of sums. Sums are linear, so a
//! cell that comes to nothing is no cell.

use billwatch_market::{aggregate::CellKey, ids::Day, items::Item};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::unsaved::{Marks, Sweep};
use crate::{limits::ROWS_AT_ONCE, ownership::group_of_words};

/// A changed cell on its way to its owner: what is added to its sums.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CellRow {
    /// Which cell.
    pub key: CellKey,
    /// Added to its slots.
    pub sums: SmallVec<[i128; 4]>,
}

/// Key group of a cell.
#[inline]
pub fn cell_group(key: &CellKey) -> u16 {
    group_of_words([u64::from(key.pair) << 32 | u64::from(key.date.0 as u32), key.item.bits(), 0])
}

/// Place of a cell: of its first sum.
type CellPlace = u32;

/// Sums by cell.
#[derive(Default)]
pub struct CellTable {
    /// By pair: place of the first sum.
    places: Vec<HashMap<(Day, Item), CellPlace>>,
    /// By pair: number of slots.
    slots: Vec<u8>,
    sums: Vec<i128>,
}

impl CellTable {
    /// The place of a cell; made, with sums of nothing, when it never was.
    #[inline]
    fn place_of(&mut self, key: &CellKey, slots: usize) -> CellPlace {
        let pair = usize::from(key.pair);
        if self.places.len() <= pair {
            self.places.resize_with(pair + 1, HashMap::new);
            self.slots.resize(pair + 1, 0);
        }
        self.slots[pair] = slots as u8;
        let sums = &mut self.sums;
        *self.places[pair].entry((key.date, key.item)).or_insert_with(|| {
            sums.resize(sums.len() + slots, 0);
            (sums.len() - slots) as CellPlace
        })
    }

    #[inline]
    fn add_at(&mut self, place: CellPlace, more: &[i128]) {
        let sums = &mut self.sums[place as usize..][..more.len()];
        sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }

    /// Adds to a cell.
    pub fn add(&mut self, key: CellKey, more: &[i128]) {
        let place = self.place_of(&key, more.len());
        self.add_at(place, more);
    }

    /// The sums of a cell of a pair, by its place.
    fn at(&self, pair: u16, place: CellPlace) -> &[i128] {
        &self.sums[place as usize..place as usize + usize::from(self.slots[usize::from(pair)])]
    }

    /// The sums of a cell; `None` when it never was.
    pub fn get(&self, key: &CellKey) -> Option<&[i128]> {
        let pair = usize::from(key.pair);
        let place = *self.places.get(pair)?.get(&(key.date, key.item))?;
        Some(self.at(key.pair, place))
    }

    /// Cells of a pair whose sums are not all zero, in no order.
    pub fn of_pair(&self, pair: u16) -> impl Iterator<Item = (CellKey, &[i128])> {
        let slots = self.slots.get(usize::from(pair)).map_or(0, |slots| usize::from(*slots));
        let places = self.places.get(usize::from(pair)).into_iter().flatten();
        places
            .map(move |((date, item), place)| {
                (CellKey { pair, date: *date, item: *item }, &self.sums[*place as usize..*place as usize + slots])
            })
            .filter(|(_, sums)| sums.iter().any(|sum| *sum != 0))
    }

    /// Every cell whose sums are not all zero, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (CellKey, &[i128])> {
        (0..self.places.len()).flat_map(|pair| self.of_pair(pair as u16))
    }

    /// Bytes held.
    pub fn heap_bytes(&self) -> usize {
        let maps: usize =
            self.places.iter().map(|places| places.capacity() * (size_of::<((Day, Item), u32)>() + 1)).sum();
        maps + self.sums.capacity() * size_of::<i128>()
    }
}

/// Totals of one worker.
#[derive(Default)]
pub struct Cells {
    table: CellTable,
    /// Changed in the last epoch: for subscriptions; kept only when there are any.
    changed: Vec<CellRow>,
    /// True while somebody subscribes.
    pub keep_changed: bool,
    /// Changed and not saved, each once: its place is marked.
    unsaved: Sweep<(CellKey, CellPlace)>,
    marks: Marks,
    /// True when checkpoints can be taken.
    pub keep_dirty: bool,
}

impl Cells {
    /// Adds changes.
    pub fn add(&mut self, rows: &[CellRow]) {
        for rows in rows.chunks(ROWS_AT_ONCE) {
            // Cells lie anywhere in memory: all are found first, so that the processor waits for several at once.
            let places: SmallVec<[CellPlace; ROWS_AT_ONCE]> =
                rows.iter().map(|row| self.table.place_of(&row.key, row.sums.len())).collect();
            for (row, place) in rows.iter().zip(places) {
                self.table.add_at(place, &row.sums);
                if self.keep_dirty && self.marks.set(place as usize) {
                    self.unsaved.push((row.key, place));
                }
            }
        }
        if self.keep_changed {
            self.changed.extend_from_slice(rows);
        }
    }

    /// The totals.
    pub fn table(&self) -> &CellTable {
        &self.table
    }

    /// Changes of the last epoch; begins the next.
    pub fn take_changed(&mut self) -> Vec<CellRow> {
        std::mem::take(&mut self.changed)
    }

    /// Begins a sweep over what is not saved.
    pub fn begin_sweep(&mut self) {
        self.unsaved.begin();
    }

    /// The next cell of the sweep, with its sums now.
    pub fn take_unsaved(&mut self) -> Option<(CellKey, &[i128])> {
        let (key, place) = self.unsaved.pop()?;
        self.marks.clear(place as usize);
        Some((key, self.table.at(key.pair, place)))
    }

    /// Puts a cell of a checkpoint back.
    pub fn restore(&mut self, key: CellKey, sums: &[i128]) {
        self.table.add(key, sums);
    }

    /// Bytes held, estimated.
    pub fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.unsaved.heap_bytes() + self.marks.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_add_up_and_nothing_is_no_cell() {
        let key = |pair, day| CellKey { pair, date: Day(day), item: Item::ALL };
        let mut table = CellTable::default();
        table.add(key(3, 1), &[1, 10]);
        table.add(key(3, 1), &[1, 5]);
        table.add(key(1, 1), &[7]);
        table.add(key(1, 2), &[7]);
        table.add(key(1, 2), &[-7]);
        assert_eq!(table.get(&key(3, 1)), Some(&[2, 15][..]));
        assert_eq!(table.iter().count(), 2, "a cell without sums is none");
    }
}

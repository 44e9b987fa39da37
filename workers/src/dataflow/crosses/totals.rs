//! Cells of crosses, kept by their owner.

use std::collections::BTreeMap;

use billwatch_market::aggregate::cross::{CrossId, CrossKey};
use hashbrown::HashMap;

use super::CrossRow;
use crate::dataflow::unsaved::UnsavedSet;

/// Where the sums of a cell begin, and how many there are.
type Place = (u32, u8);

/// Cells of one cross.
#[derive(Default)]
struct Table {
    version: u64,
    places: HashMap<CrossKey, Place>,
    sums: Vec<i128>,
}

impl Table {
    fn at(&self, (start, length): Place) -> &[i128] {
        &self.sums[start as usize..start as usize + usize::from(length)]
    }

    fn add(&mut self, key: CrossKey, more: &[i128]) {
        let sums = &mut self.sums;
        let (start, _) = *self.places.entry(key).or_insert_with(|| {
            sums.resize(sums.len() + more.len(), 0);
            ((sums.len() - more.len()) as u32, more.len() as u8)
        });
        sums[start as usize..].iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }
}

/// A cell of one life of a cross: with the epoch of its order.
pub type CellName = (CrossId, u64, CrossKey);

/// Cells of all crosses.
#[derive(Default)]
pub struct CrossTotals {
    tables: BTreeMap<CrossId, Table>,
    unsaved: UnsavedSet<CellName>,
    /// True when checkpoints can be taken.
    pub keep_dirty: bool,
}

impl CrossTotals {
    /// Begins a cross.
    pub fn keep(&mut self, id: CrossId, version: u64) {
        self.tables.entry(id).or_insert_with(|| Table { version, ..Table::default() });
    }

    /// Ends a cross: its cells go, on the disk as well.
    pub fn drop(&mut self, id: CrossId) {
        let Some(table) = self.tables.remove(&id) else { return };
        if self.keep_dirty {
            table.places.into_keys().for_each(|key| self.unsaved.insert((id, table.version, key)));
        }
    }

    /// Adds changes. Those of a cross that was dropped are nobody's.
    pub fn add(&mut self, rows: &[CrossRow]) {
        for row in rows {
            if let Some(table) = self.tables.get_mut(&row.cross) {
                table.add(row.key, &row.sums);
                if self.keep_dirty {
                    self.unsaved.insert((row.cross, table.version, row.key));
                }
            }
        }
    }

    /// Puts a cell of a checkpoint back.
    pub fn restore(&mut self, (id, version, key): CellName, sums: &[i128]) {
        let table = self.tables.get_mut(&id).filter(|table| table.version == version);
        if let Some(table) = table {
            table.add(key, sums);
        }
    }

    /// Cells of a cross whose sums are not all zero, in no order.
    pub fn of(&self, id: CrossId) -> impl Iterator<Item = (&CrossKey, &[i128])> {
        let cells = self.tables.get(&id).into_iter();
        let cells = cells.flat_map(|table| table.places.iter().map(move |(key, place)| (key, table.at(*place))));
        cells.filter(|(_, sums)| sums.iter().any(|sum| *sum != 0))
    }

    /// Cells that a cross has here, those that came to nothing included.
    pub fn cells(&self, id: CrossId) -> usize {
        self.tables.get(&id).map_or(0, |table| table.places.len())
    }

    /// Begins a sweep over what is not saved.
    pub fn begin_sweep(&mut self) {
        self.unsaved.begin();
    }

    /// The next cell of the sweep, with its sums now; without sums it has gone.
    pub fn take_unsaved(&mut self) -> Option<(CellName, &[i128])> {
        let name = self.unsaved.pop()?;
        let (id, version, key) = name;
        let table = self.tables.get(&id).filter(|table| table.version == version);
        Some((name, table.and_then(|table| Some(table.at(*table.places.get(&key)?))).unwrap_or_default()))
    }

    /// Bytes held, estimated.
    pub fn heap_bytes(&self) -> usize {
        let bytes = |table: &Table| {
            table.places.capacity() * (size_of::<(CrossKey, Place)>() + 1) + table.sums.capacity() * size_of::<i128>()
        };
        self.tables.values().map(bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use billwatch_market::{ids::Day, items::Item};

    use super::*;

    #[test]
    fn what_is_dropped_goes_from_the_disk_too() {
        let key = |day| CrossKey { stock: false, date: Day(day), items: [Item::ALL; 4] };
        let id = CrossId(7);
        let row = |day, sum: i128| CrossRow { cross: id, key: key(day), sums: [sum].into_iter().collect() };
        let mut totals = CrossTotals { keep_dirty: true, ..CrossTotals::default() };
        totals.add(&[row(1, 5)]);
        assert_eq!(totals.of(id).count(), 0, "nobody keeps it");
        totals.keep(id, 3);
        totals.add(&[row(1, 5), row(1, 6), row(2, 1), row(2, -1)]);
        assert_eq!(totals.of(id).collect::<Vec<_>>(), [(&key(1), &[11][..])]);
        assert_eq!(totals.cells(id), 2);
        let swept = |totals: &mut CrossTotals| {
            totals.begin_sweep();
            let mut rows = Vec::new();
            while let Some((name, sums)) = totals.take_unsaved() {
                rows.push((name, sums.to_vec()));
            }
            rows.sort();
            rows
        };
        assert_eq!(swept(&mut totals), [((id, 3, key(1)), vec![11]), ((id, 3, key(2)), vec![0])]);
        totals.drop(id);
        totals.keep(id, 9);
        totals.restore((id, 3, key(1)), &[11]);
        assert_eq!(totals.cells(id), 0, "that was another life of the cross");
        assert_eq!(swept(&mut totals), [((id, 3, key(1)), vec![]), ((id, 3, key(2)), vec![])]);
    }
}

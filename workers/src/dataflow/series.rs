//! Feature cells in memory: for each (feature, key) its cells in order of (bucket, member).
//!
//! Most series have a few cells and lie in one sorted vector; those of large institutions grow into an ordered map. Totals by
//! bucket are kept beside a large series, so that a rule which asks for sums does not walk over its members; and, from the
//! first time that a rule asks for the members of a whole series (a balance), totals by member.

use std::{cell::OnceCell, collections::BTreeMap};

use billwatch_market::pattern::{Cell, FeatureDelta, FeatureIndex, Key, Member, Windows, largest_of};
use hashbrown::{HashMap, HashSet};

/// Cells from which on a series is an ordered map.
const LARGE: usize = 48;

#[derive(Clone, Copy, Debug)]
struct Entry {
    bucket: i64,
    member: Member,
    cell: Cell,
}

#[derive(Debug)]
enum Series {
    Small(Vec<Entry>),
    Large(Box<Large>),
}

#[derive(Debug, Default)]
struct Large {
    cells: BTreeMap<(i64, Member), Cell>,
    totals: BTreeMap<i64, Cell>,
    /// By member, over all buckets, without those that come to nothing; kept only where a rule has asked for it.
    by_member: OnceCell<BTreeMap<Member, Cell>>,
}

/// A cell by its name.
pub type CellName = (FeatureIndex, Key, i64, Member);

/// All series of one worker for one purpose.
#[derive(Default)]
pub struct SeriesStore {
    series: Vec<HashMap<Key, Series>>,
    /// For each feature: how many cells lie in a bucket.
    buckets: Vec<BTreeMap<i64, u32>>,
    cells: usize,
    dirty: HashSet<BucketName>,
    /// True when checkpoints can be taken.
    pub keep_dirty: bool,
}

/// A bucket by its name.
pub type BucketName = (FeatureIndex, Key, i64);

impl SeriesStore {
    /// Adds a change; true when the key is new for the feature.
    pub fn add(&mut self, delta: &FeatureDelta) -> bool {
        if self.keep_dirty {
            self.dirty.insert((delta.feature, delta.key, delta.bucket));
        }
        self.add_cell(delta, Cell { count: delta.count, sum: i128::from(delta.sum) })
    }

    /// Puts a cell of a checkpoint back. True when the key is new for the feature.
    pub fn restore(&mut self, name: CellName, cell: Cell) -> bool {
        let (feature, key, bucket, member) = name;
        let place = FeatureDelta { feature, key, bucket, member, count: 0, sum: 0 };
        self.add_cell(&place, cell)
    }

    fn add_cell(&mut self, delta: &FeatureDelta, change: Cell) -> bool {
        if change.is_empty() {
            // What cancelled out on the way leaves no trace.
            return false;
        }
        let feature = usize::from(delta.feature.0);
        if self.series.len() <= feature {
            self.series.resize_with(feature + 1, HashMap::new);
            self.buckets.resize_with(feature + 1, BTreeMap::new);
        }
        let mut new_key = false;
        let series = self.series[feature].entry(delta.key).or_insert_with(|| {
            new_key = true;
            Series::Small(Vec::new())
        });
        let grown = match series {
            Series::Small(entries) => {
                let place = (delta.bucket, delta.member);
                let grown = match entries.binary_search_by_key(&place, |entry| (entry.bucket, entry.member)) {
                    Ok(at) => {
                        entries[at].cell.add(change);
                        if entries[at].cell.is_empty() {
                            entries.remove(at);
                            -1
                        } else {
                            0
                        }
                    }
                    Err(at) => {
                        entries.insert(at, Entry { bucket: delta.bucket, member: delta.member, cell: change });
                        1
                    }
                };
                if entries.len() > LARGE {
                    let mut large = Large::default();
                    for entry in entries.drain(..) {
                        large.add((entry.bucket, entry.member), entry.cell);
                    }
                    *series = Series::Large(Box::new(large));
                }
                grown
            }
            Series::Large(large) => large.add((delta.bucket, delta.member), change),
        };
        if grown != 0 {
            self.cells = self.cells.wrapping_add_signed(grown);
            let count = self.buckets[feature].entry(delta.bucket).or_insert(0);
            *count = count.wrapping_add_signed(grown as i32);
            if *count == 0 {
                self.buckets[feature].remove(&delta.bucket);
            }
        }
        new_key
    }

    /// Buckets of a feature in which any key has a cell, ascending.
    pub fn buckets(&self, feature: FeatureIndex, from: i64, to: i64, mut each: impl FnMut(i64)) {
        if let Some(buckets) = self.buckets.get(usize::from(feature.0))
            && from <= to
        {
            buckets.range(from..=to).for_each(|(bucket, _)| each(*bucket));
        }
    }

    /// Features with their keys, for one key as a person names it.
    pub fn features_of(&self, key: Key, mut each: impl FnMut(FeatureIndex)) {
        for (feature, series) in self.series.iter().enumerate() {
            if series.contains_key(&key) {
                each(FeatureIndex(feature as u16));
            }
        }
    }

    /// Every cell, in no order.
    pub fn every_cell(&self, mut each: impl FnMut(CellName, Cell)) {
        for (feature, series) in self.series.iter().enumerate() {
            let feature = FeatureIndex(feature as u16);
            for (key, series) in series {
                series
                    .cells(i64::MIN, i64::MAX, &mut |bucket, member, cell| each((feature, *key, bucket, member), cell));
            }
        }
    }

    /// Buckets touched since the last call, with all their cells now; for a checkpoint.
    pub fn take_dirty(&mut self) -> Vec<(BucketName, Vec<(Member, Cell)>)> {
        let names = std::mem::take(&mut self.dirty);
        let cells = |(feature, key, bucket): BucketName| {
            let mut cells = Vec::new();
            self.cells(feature, key, bucket, bucket, &mut |_, member, cell| cells.push((member, cell)));
            cells
        };
        names.into_iter().map(|name| (name, cells(name))).collect()
    }

    /// Bytes held, estimated.
    pub fn heap_bytes(&self) -> usize {
        let tables: usize =
            self.series.iter().map(|series| series.capacity() * (size_of::<Key>() + size_of::<Series>() + 1)).sum();
        // A cell in a map costs its entry and a third more for half-empty nodes.
        tables + self.cells * (size_of::<Entry>() * 4 / 3) + self.dirty.capacity() * (size_of::<BucketName>() + 1)
    }
}

impl Large {
    fn add(&mut self, place: (i64, Member), change: Cell) -> isize {
        let total = self.totals.entry(place.0).or_default();
        total.add(change);
        if total.is_empty() {
            // Cells that cancel each other leave no total, and a missing total reads as none.
            self.totals.remove(&place.0);
        }
        if let Some(by_member) = self.by_member.get_mut() {
            let total = by_member.entry(place.1).or_default();
            total.add(change);
            if total.is_empty() {
                by_member.remove(&place.1);
            }
        }
        let mut grown = 0;
        let cell = self.cells.entry(place).or_insert_with(|| {
            grown = 1;
            Cell::default()
        });
        cell.add(change);
        if cell.is_empty() {
            self.cells.remove(&place);
            grown -= 1;
        }
        grown
    }

    /// Totals by member over all buckets.
    fn by_member(&self) -> &BTreeMap<Member, Cell> {
        self.by_member.get_or_init(|| {
            let cells = self.cells.iter().map(|((_, member), cell)| (*member, *cell));
            add_up(cells.collect()).into_iter().collect()
        })
    }

    /// True when no cell lies outside the buckets.
    fn lies_within(&self, from: i64, to: i64) -> bool {
        let first = self.cells.first_key_value().map(|((bucket, _), _)| *bucket);
        let last = self.cells.last_key_value().map(|((bucket, _), _)| *bucket);
        first.is_none_or(|first| from <= first) && last.is_none_or(|last| last <= to)
    }
}

/// Totals by member, ascending, without those that come to nothing.
fn add_up(mut cells: Vec<(Member, Cell)>) -> Vec<(Member, Cell)> {
    cells.sort_unstable_by_key(|(member, _)| *member);
    cells.dedup_by(|next, total| {
        let same = next.0 == total.0;
        if same {
            total.1.add(next.1);
        }
        same
    });
    cells.retain(|(_, total)| !total.is_empty());
    cells
}

impl Series {
    fn cells(&self, from: i64, to: i64, each: &mut dyn FnMut(i64, Member, Cell)) {
        if from > to {
            return;
        }
        match self {
            Series::Small(entries) => {
                let first = entries.partition_point(|entry| entry.bucket < from);
                for entry in entries[first..].iter().take_while(|entry| entry.bucket <= to) {
                    each(entry.bucket, entry.member, entry.cell);
                }
            }
            Series::Large(large) => {
                for ((bucket, member), cell) in large.cells.range((from, Member::MIN)..=(to, Member::MAX)) {
                    each(*bucket, *member, *cell);
                }
            }
        }
    }
}

impl Windows for SeriesStore {
    fn cells(&self, feature: FeatureIndex, key: Key, from: i64, to: i64, each: &mut dyn FnMut(i64, Member, Cell)) {
        if let Some(series) = self.series.get(usize::from(feature.0)).and_then(|series| series.get(&key)) {
            series.cells(from, to, each);
        }
    }

    fn keys(&self, feature: FeatureIndex, each: &mut dyn FnMut(Key)) {
        let Some(series) = self.series.get(usize::from(feature.0)) else { return };
        let is_empty = |series: &Series| match series {
            Series::Small(entries) => entries.is_empty(),
            Series::Large(large) => large.cells.is_empty(),
        };
        let mut keys: Vec<Key> = series.iter().filter(|(_, series)| !is_empty(series)).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys.into_iter().for_each(each);
    }

    fn members(&self, feature: FeatureIndex, key: Key, from: i64, to: i64) -> Vec<(Member, Cell)> {
        let Some(series) = self.series.get(usize::from(feature.0)).and_then(|series| series.get(&key)) else {
            return Vec::new();
        };
        if let Series::Large(large) = series
            && large.lies_within(from, to)
        {
            return large.by_member().iter().map(|(member, cell)| (*member, *cell)).collect();
        }
        let mut cells = Vec::new();
        series.cells(from, to, &mut |_, member, cell| cells.push((member, cell)));
        add_up(cells)
    }

    fn member(&self, feature: FeatureIndex, key: Key, from: i64, to: i64, wanted: Member) -> Cell {
        let mut total = Cell::default();
        match self.series.get(usize::from(feature.0)).and_then(|series| series.get(&key)) {
            Some(Series::Large(large)) if large.lies_within(from, to) => {
                return large.by_member().get(&wanted).copied().unwrap_or_default();
            }
            Some(series) => series.cells(from, to, &mut |_, member, cell| {
                if member == wanted {
                    total.add(cell);
                }
            }),
            None => {}
        }
        total
    }

    fn largest(&self, feature: FeatureIndex, key: Key, from: i64, to: i64, count: usize) -> i128 {
        if let Some(Series::Large(large)) = self.series.get(usize::from(feature.0)).and_then(|series| series.get(&key))
            && large.lies_within(from, to)
        {
            return largest_of(large.by_member().values().map(|cell| cell.sum), count);
        }
        largest_of(self.members(feature, key, from, to).into_iter().map(|(_, cell)| cell.sum), count)
    }

    fn cell_count(&self, feature: FeatureIndex, key: Key, from: i64, to: i64) -> usize {
        match self.series.get(usize::from(feature.0)).and_then(|series| series.get(&key)) {
            Some(Series::Small(entries)) => {
                let before = |bucket: i64| entries.partition_point(|entry| entry.bucket < bucket);
                before(to.saturating_add(1)).saturating_sub(before(from))
            }
            Some(Series::Large(large)) => large.cells.len(),
            None => 0,
        }
    }

    fn total(&self, feature: FeatureIndex, key: Key, from: i64, to: i64) -> Cell {
        let mut total = Cell::default();
        if from > to {
            return total;
        }
        match self.series.get(usize::from(feature.0)).and_then(|series| series.get(&key)) {
            Some(Series::Large(large)) => large.totals.range(from..=to).for_each(|(_, cell)| total.add(*cell)),
            Some(small) => small.cells(from, to, &mut |_, _, cell| total.add(cell)),
            None => {}
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use billwatch_market::pattern::PlainWindows;
    use proptest::prelude::*;

    use super::*;

    fn delta() -> impl Strategy<Value = FeatureDelta> {
        (0u16..2, 0u64..2, 0i64..40, 0u128..4, -2i64..3, -5i64..6).prop_map(
            |(feature, key, bucket, member, count, sum)| FeatureDelta {
                feature: FeatureIndex(feature),
                key: Key(key, 0),
                bucket,
                member,
                count,
                sum,
            },
        )
    }

    #[test]
    fn nothing_leaves_no_key_behind() {
        let keys_of = |store: &SeriesStore| {
            let mut keys = Vec::new();
            store.keys(FeatureIndex(0), &mut |key| keys.push(key));
            keys
        };
        let delta =
            |bucket, count| FeatureDelta { feature: FeatureIndex(0), key: Key(1, 0), bucket, member: 0, count, sum: 0 };
        let mut store = SeriesStore::default();
        store.add(&delta(0, 0));
        assert_eq!(keys_of(&store), []);
        for weight in [1, -1] {
            for bucket in 0..=LARGE as i64 {
                store.add(&delta(bucket, weight));
            }
        }
        assert_eq!(keys_of(&store), []);
    }

    proptest! {
        /// Small, large and in between, with cells that vanish: the same as the plain windows.
        #[test]
        fn equals_the_plain_windows(deltas in proptest::collection::vec(delta(), 0..400)) {
            let mut plain = PlainWindows::default();
            let mut store = SeriesStore::default();
            for (place, delta) in deltas.iter().enumerate() {
                plain.add(delta);
                store.add(delta);
                // Totals by member are made at the first question and kept up from then on.
                if place % 100 == 99 {
                    let members = |windows: &dyn Windows| windows.members(delta.feature, delta.key, i64::MIN, i64::MAX);
                    prop_assert_eq!(members(&store), members(&plain));
                }
            }
            for feature in [FeatureIndex(0), FeatureIndex(1)] {
                for key in [Key(0, 0), Key(1, 0)] {
                    for (from, to) in [(i64::MIN, i64::MAX), (5, 20), (7, 7), (9, 3)] {
                        prop_assert_eq!(store.members(feature, key, from, to), plain.members(feature, key, from, to));
                        prop_assert_eq!(store.total(feature, key, from, to), plain.total(feature, key, from, to));
                    }
                }
                let keys = |windows: &dyn Windows| {
                    let mut keys = Vec::new();
                    windows.keys(feature, &mut |key| keys.push(key));
                    keys
                };
                prop_assert_eq!(keys(&store), keys(&plain));
            }
        }
    }
}

//! Features: keyed, bucketed totals that many rules share, and how judges read them.
//!
//! A cell holds (count, sum) of one feature, key, bucket and member. Cells are linear in the facts, so a bucket's content never
//! depends on order. A day bucket is the business date of the fact; a narrower bucket is a stated fraction of the window
//! (rules name it), by event time. A stock (balance) is the sum of all cells up to a bucket.
//!
//! [`Windows`] is what a judge may read. The plain evaluator uses [`PlainWindows`]; the engine brings its own.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::alert::Key;
use crate::ids::{DAY_MS, Day};

/// Place of a feature in the loaded rule set ([`super::Patterns::features`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct FeatureIndex(pub u16);

/// What one member adds to a bucket: a party, bill, day, digit or event as a number; 0 for features without members.
pub type Member = u128;

/// How time is cut for a feature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BucketWidth {
    /// One bucket a business date; the bucket is `Day::0`.
    Day,
    /// One bucket this many ms of event time; the bucket is `event_time / width`, rounded down.
    Millis(i64),
}

impl BucketWidth {
    /// The bucket of a fact.
    pub fn bucket(self, biz_date: Day, event_time: i64) -> i64 {
        match self {
            BucketWidth::Day => i64::from(biz_date.0),
            BucketWidth::Millis(width) => event_time.div_euclid(width),
        }
    }

    /// Buckets in a day; of widths that do not divide it, rounded down.
    pub fn per_day(self) -> i64 {
        match self {
            BucketWidth::Day => 1,
            BucketWidth::Millis(width) => DAY_MS / width,
        }
    }

    /// The business date on which a bucket lies.
    pub fn date(self, bucket: i64) -> Day {
        match self {
            BucketWidth::Day => Day(bucket as i32),
            BucketWidth::Millis(width) => Day::of_time(bucket.saturating_mul(width)),
        }
    }

    /// Last instant of a bucket, ms.
    pub fn last_ms(self, bucket: i64) -> i64 {
        match self {
            BucketWidth::Day => Day(bucket as i32).end_ms() - 1,
            BucketWidth::Millis(width) => bucket.saturating_add(1).saturating_mul(width) - 1,
        }
    }
}

/// A change of one cell. Packed, for many of them travel: 64 bytes instead of 80.
#[repr(Rust, packed(8))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct FeatureDelta {
    /// Which feature.
    pub feature: FeatureIndex,
    /// Whose cell.
    pub key: Key,
    /// When, in buckets of the feature.
    pub bucket: i64,
    /// 0 for features without members.
    pub member: Member,
    /// Facts added; 0 for balances.
    pub count: i64,
    /// Added amount: fen, or the product that the feature's amount says.
    pub sum: i64,
}

/// Content of a cell, or of many.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// Facts; 0 for balances.
    pub count: i64,
    /// Sum of amounts.
    pub sum: i128,
}

impl Cell {
    /// Nothing left.
    pub fn is_empty(self) -> bool {
        self.count == 0 && self.sum == 0
    }

    /// Adds another cell.
    pub fn add(&mut self, other: Cell) {
        self.count += other.count;
        self.sum += other.sum;
    }
}

/// What judges may read. Empty cells are never shown.
pub trait Windows {
    /// Calls `each(bucket, member, cell)` for the cells with `from <= bucket <= to`, ascending by (bucket, member).
    fn cells(&self, feature: FeatureIndex, key: Key, from: i64, to: i64, each: &mut dyn FnMut(i64, Member, Cell));

    /// Calls `each` for every key of the feature that has cells, ascending. Only collective rules ask.
    fn keys(&self, feature: FeatureIndex, each: &mut dyn FnMut(Key));

    /// Last bucket of a feature in which any key has a cell. Only collective rules ask.
    fn last_bucket(&self, feature: FeatureIndex) -> Option<i64>;

    /// Total of the cells with `from <= bucket <= to`.
    fn total(&self, feature: FeatureIndex, key: Key, from: i64, to: i64) -> Cell {
        let mut total = Cell::default();
        self.cells(feature, key, from, to, &mut |_, _, cell| total.add(cell));
        total
    }

    /// Totals by member, ascending by member, without those that come to nothing.
    fn members(&self, feature: FeatureIndex, key: Key, from: i64, to: i64) -> Vec<(Member, Cell)> {
        let mut totals: BTreeMap<Member, Cell> = BTreeMap::new();
        self.cells(feature, key, from, to, &mut |_, member, cell| totals.entry(member).or_default().add(cell));
        totals.into_iter().filter(|(_, cell)| !cell.is_empty()).collect()
    }

    /// Total of one member.
    fn member(&self, feature: FeatureIndex, key: Key, from: i64, to: i64, wanted: Member) -> Cell {
        let mut total = Cell::default();
        self.cells(feature, key, from, to, &mut |_, member, cell| {
            if member == wanted {
                total.add(cell);
            }
        });
        total
    }

    /// Sum of the `count` largest sums of members.
    fn largest(&self, feature: FeatureIndex, key: Key, from: i64, to: i64, count: usize) -> i128 {
        let members = self.members(feature, key, from, to);
        largest_of(members.into_iter().map(|(_, cell)| cell.sum), count)
    }

    /// Sum of the members `first..=last` in the buckets `from..=to`.
    fn sum_of_members(
        &self,
        feature: FeatureIndex,
        key: Key,
        (from, to): (i64, i64),
        (first, last): (Member, Member),
    ) -> i128 {
        let mut sum = 0;
        self.cells(feature, key, from, to, &mut |_, member, cell| {
            if (first..=last).contains(&member) {
                sum += cell.sum;
            }
        });
        sum
    }

    /// Calls `each` for the buckets with a cell that counts facts, ascending.
    fn buckets_with_facts(&self, feature: FeatureIndex, key: Key, from: i64, to: i64, each: &mut dyn FnMut(i64)) {
        let mut last = None;
        self.cells(feature, key, from, to, &mut |bucket, _, cell| {
            if cell.count != 0 && last.replace(bucket) != Some(bucket) {
                each(bucket);
            }
        });
    }

    /// The first bucket with a cell.
    fn first_bucket(&self, feature: FeatureIndex, key: Key) -> Option<i64> {
        let mut first = None;
        self.cells(feature, key, i64::MIN, i64::MAX, &mut |bucket, _, _| first = first.or(Some(bucket)));
        first
    }

    /// How many cells there are, or more: at least as many as members.
    fn cell_count(&self, feature: FeatureIndex, key: Key, from: i64, to: i64) -> usize {
        let mut count = 0;
        self.cells(feature, key, from, to, &mut |_, _, _| count += 1);
        count
    }
}

/// Sum of the `count` largest numbers. Rules ask for ten at most, so the largest so far stand in a short row.
pub fn largest_of(sums: impl Iterator<Item = i128>, count: usize) -> i128 {
    let mut row: SmallVec<[i128; 16]> = SmallVec::new();
    for sum in sums {
        if row.len() == count {
            // Descending: the last is the least.
            if row.last().is_none_or(|least| sum <= *least) {
                continue;
            }
            row.pop();
        }
        let place = row.partition_point(|larger| *larger >= sum);
        row.insert(place, sum);
    }
    row.into_iter().sum()
}

/// Cells of one key, ascending by (bucket, member).
type CellsOfKey = BTreeMap<(i64, Member), Cell>;

/// Plain windows: of every feature the keys in order, of every key its cells in order. Nothing empty is kept.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct PlainWindows {
    features: BTreeMap<FeatureIndex, BTreeMap<Key, CellsOfKey>>,
}

impl PlainWindows {
    /// Adds a change.
    pub fn add(&mut self, delta: &FeatureDelta) {
        let (feature, key, place) = (delta.feature, delta.key, (delta.bucket, delta.member));
        let keys = self.features.entry(feature).or_default();
        let cells = keys.entry(key).or_default();
        let cell = cells.entry(place).or_default();
        cell.add(Cell { count: delta.count, sum: delta.sum.into() });
        if cell.is_empty() {
            cells.remove(&place);
        }
        if cells.is_empty() {
            keys.remove(&key);
        }
        if keys.is_empty() {
            self.features.remove(&feature);
        }
    }

    /// Puts a cell in place, as a baseline stated by evidence.
    pub fn set(&mut self, feature: FeatureIndex, key: Key, bucket: i64, member: Member, cell: Cell) {
        let keys = self.features.entry(feature).or_default();
        keys.entry(key).or_default().insert((bucket, member), cell);
    }

    /// Every bucket in which the feature has a cell for the key, ascending.
    pub fn buckets(&self, feature: FeatureIndex, key: Key) -> BTreeSet<i64> {
        self.of_key(feature, key).into_iter().flatten().map(|((bucket, _), _)| *bucket).collect()
    }

    fn of_key(&self, feature: FeatureIndex, key: Key) -> Option<&CellsOfKey> {
        self.features.get(&feature)?.get(&key)
    }
}

impl Windows for PlainWindows {
    fn cells(&self, feature: FeatureIndex, key: Key, from: i64, to: i64, each: &mut dyn FnMut(i64, Member, Cell)) {
        let Some(cells) = self.of_key(feature, key).filter(|_| from <= to) else { return };
        for ((bucket, member), cell) in cells.range((from, Member::MIN)..=(to, Member::MAX)) {
            each(*bucket, *member, *cell);
        }
    }

    fn first_bucket(&self, feature: FeatureIndex, key: Key) -> Option<i64> {
        self.of_key(feature, key)?.keys().next().map(|(bucket, _)| *bucket)
    }

    fn last_bucket(&self, feature: FeatureIndex) -> Option<i64> {
        let last_of_keys = self.features.get(&feature)?.values().filter_map(|cells| cells.keys().next_back());
        last_of_keys.map(|(bucket, _)| *bucket).max()
    }

    fn keys(&self, feature: FeatureIndex, each: &mut dyn FnMut(Key)) {
        self.features.get(&feature).into_iter().flatten().for_each(|(key, _)| each(*key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(key: u64, bucket: i64, member: Member, count: i64, sum: i64) -> FeatureDelta {
        FeatureDelta { feature: FeatureIndex(3), key: Key(key, 0), bucket, member, count, sum }
    }

    #[test]
    fn totals_are_linear_and_leave_nothing_behind() {
        let mut windows = PlainWindows::default();
        let deltas = [delta(1, 5, 7, 1, 100), delta(1, 6, 7, 1, 50), delta(1, 6, 8, 1, 1), delta(2, 6, 0, 1, 9)];
        deltas.iter().for_each(|delta| windows.add(delta));
        assert_eq!(windows.total(FeatureIndex(3), Key(1, 0), 6, 9), Cell { count: 2, sum: 51 });
        let members = windows.members(FeatureIndex(3), Key(1, 0), 5, 6);
        assert_eq!(members, [(7, Cell { count: 2, sum: 150 }), (8, Cell { count: 1, sum: 1 })]);
        let mut keys = Vec::new();
        windows.keys(FeatureIndex(3), &mut |key| keys.push(key));
        assert_eq!(keys, [Key(1, 0), Key(2, 0)]);
        for delta in deltas {
            windows.add(&FeatureDelta { count: -delta.count, sum: -delta.sum, ..delta });
        }
        assert_eq!(windows, PlainWindows::default());
    }

    #[test]
    fn the_largest_are_summed() {
        let sums = [3i128, -1, 9, 9, 4, 0];
        for (count, sum) in [(0, 0), (1, 9), (2, 18), (3, 22), (6, 24), (9, 24)] {
            assert_eq!(largest_of(sums.into_iter(), count), sum);
        }
        assert_eq!(largest_of(std::iter::once(-2), 1), -2);
        assert_eq!(largest_of(std::iter::empty(), 1), 0);
    }

    #[test]
    fn buckets_of_a_day_and_below() {
        let day = Day::parse("2025-10-08").unwrap();
        assert_eq!(BucketWidth::Day.bucket(day, 0), i64::from(day.0));
        assert_eq!(BucketWidth::Day.last_ms(i64::from(day.0)), day.end_ms() - 1);
        let five_minutes = BucketWidth::Millis(300_000);
        let bucket = five_minutes.bucket(day, day.start_ms() + 299_999);
        assert_eq!(five_minutes.date(bucket), day);
        assert_eq!(five_minutes.last_ms(bucket), day.start_ms() + 299_999);
    }
}

//! Feature cells in memory, by key: all series of a key lie together, for a fact mostly touches several, and rules read
//! several.
//!
//! A key that was ever seen keeps its place ([`KeyPlace`]), so whoever notes what an epoch touched notes small numbers. Series
//! that were emptied are not shown.

use std::{
    cell::{Cell as Slot, RefCell},
    collections::BTreeMap,
    hash::BuildHasher as _,
};

use billwatch_market::pattern::{Cell, FeatureDelta, FeatureIndex, Key, Member, Windows};
use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};
use smallvec::SmallVec;

use super::{series::Series, unsaved::Sweep};

/// A cell by its name.
pub type CellName = (FeatureIndex, Key, i64, Member);
/// A bucket by its name.
pub type BucketName = (FeatureIndex, Key, i64);
/// Place of a key in its store.
pub type KeyPlace = u32;

/// All series of one worker for one purpose.
#[derive(Default)]
pub struct SeriesStore {
    places: HashTable<KeyPlace>,
    hasher: DefaultHashBuilder,
    keys: Vec<KeySeries>,
    /// The key of the last change: those of one fact mostly come together.
    last: KeyPlace,
    /// The key of the last question: a rule asks for several features.
    asked: Slot<KeyPlace>,
    /// By feature: keys that ever had a cell.
    keys_of: Vec<KeysOf>,
    /// By feature: how many cells lie in a bucket. Only rules that judge all keys of a bucket ask.
    buckets: Option<Vec<BTreeMap<i64, u32>>>,
    cells: usize,
    /// Keys with buckets that are not saved.
    unsaved: Sweep<KeyPlace>,
    /// True when checkpoints can be taken.
    pub keep_dirty: bool,
}

/// Keys that ever had a cell of a feature.
#[derive(Default)]
struct KeysOf {
    /// In the order in which they came.
    places: Vec<KeyPlace>,
    /// Ascending, as far as they were when somebody asked last.
    in_order: RefCell<Vec<(Key, KeyPlace)>>,
}

impl KeysOf {
    /// Calls `each` for every key, ascending.
    fn in_order(&self, keys: &[KeySeries], mut each: impl FnMut(Key, KeyPlace)) {
        let known = self.in_order.borrow().len();
        if known < self.places.len() {
            let mut in_order = self.in_order.borrow_mut();
            in_order.extend(self.places[known..].iter().map(|place| (keys[*place as usize].key, *place)));
            // Two runs, which a stable sort merges.
            in_order.sort();
        }
        self.in_order.borrow().iter().for_each(|(key, place)| each(*key, *place));
    }

    fn heap_bytes(&self) -> usize {
        self.places.capacity() * size_of::<KeyPlace>()
            + self.in_order.borrow().capacity() * size_of::<(Key, KeyPlace)>()
    }
}

/// One key.
struct KeySeries {
    key: Key,
    /// Its features, in the order in which they came: banks have a hundred, and are asked for one after the other.
    features: SmallVec<[FeatureIndex; 8]>,
    /// Of each feature.
    series: SmallVec<[Series; 1]>,
    /// Buckets that are not saved, in order: a large institution has many.
    unsaved: Vec<(FeatureIndex, i64)>,
}

impl KeySeries {
    fn series(&self, feature: FeatureIndex) -> Option<&Series> {
        Some(&self.series[self.place_of(feature)?])
    }

    fn place_of(&self, feature: FeatureIndex) -> Option<usize> {
        self.features.iter().position(|known| *known == feature)
    }
}

impl SeriesStore {
    /// For rules that judge all keys of a bucket at once: knows the buckets of a feature.
    pub fn with_buckets() -> Self {
        SeriesStore { buckets: Some(Vec::new()), ..SeriesStore::default() }
    }

    /// Adds a change. True when the key is new for the feature.
    pub fn add(&mut self, delta: &FeatureDelta) -> bool {
        let place = self.place_of(delta.key);
        self.add_at(place, delta)
    }

    /// The same, at the place of its key.
    pub fn add_at(&mut self, place: KeyPlace, delta: &FeatureDelta) -> bool {
        if self.keep_dirty {
            let key = &mut self.keys[place as usize];
            let bucket = (delta.feature, delta.bucket);
            if let Err(at) = key.unsaved.binary_search(&bucket) {
                if key.unsaved.is_empty() {
                    self.unsaved.push(place);
                }
                key.unsaved.insert(at, bucket);
            }
        }
        let change = Cell { count: delta.count, sum: i128::from(delta.sum) };
        self.add_cell(place, (delta.feature, delta.bucket, delta.member), change)
    }

    /// Puts a cell of a checkpoint back. True when the key is new for the feature.
    pub fn restore(&mut self, name: CellName, cell: Cell) -> bool {
        let (feature, key, bucket, member) = name;
        let place = self.place_of(key);
        self.add_cell(place, (feature, bucket, member), cell)
    }

    /// The place of a key; made when it was never seen.
    pub fn place_of(&mut self, key: Key) -> KeyPlace {
        let SeriesStore { keys, hasher, places, last, .. } = self;
        if keys.get(*last as usize).is_none_or(|known| known.key != key) {
            let is_it = |place: &KeyPlace| keys[*place as usize].key == key;
            let rehash = |place: &KeyPlace| hasher.hash_one(keys[*place as usize].key);
            *last = match places.entry(hasher.hash_one(key), is_it, rehash) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    let place = keys.len() as KeyPlace;
                    entry.insert(place);
                    keys.push(KeySeries {
                        key,
                        features: SmallVec::new(),
                        series: SmallVec::new(),
                        unsaved: Vec::new(),
                    });
                    place
                }
            };
        }
        *last
    }

    fn add_cell(
        &mut self,
        place: KeyPlace,
        (feature, bucket, member): (FeatureIndex, i64, Member),
        change: Cell,
    ) -> bool {
        if change.is_empty() {
            // What cancelled out on the way leaves no trace.
            return false;
        }
        let key = &mut self.keys[place as usize];
        let found = key.place_of(feature);
        let at = found.unwrap_or_else(|| {
            key.features.push(feature);
            key.series.push(Series::default());
            key.series.len() - 1
        });
        let grown = key.series[at].add(bucket, member, change);
        let number = usize::from(feature.0);
        if found.is_none() {
            if self.keys_of.len() <= number {
                self.keys_of.resize_with(number + 1, KeysOf::default);
            }
            self.keys_of[number].places.push(place);
        }
        if grown != 0 {
            self.cells = self.cells.wrapping_add_signed(grown);
            self.count_bucket(number, bucket, grown);
        }
        found.is_none()
    }

    fn count_bucket(&mut self, feature: usize, bucket: i64, grown: isize) {
        let Some(buckets) = &mut self.buckets else { return };
        if buckets.len() <= feature {
            buckets.resize_with(feature + 1, BTreeMap::new);
        }
        let count = buckets[feature].entry(bucket).or_insert(0);
        *count = count.wrapping_add_signed(grown as i32);
        if *count == 0 {
            buckets[feature].remove(&bucket);
        }
    }

    /// Buckets of a feature in which any key has a cell, ascending.
    pub fn buckets(&self, feature: FeatureIndex, from: i64, to: i64, mut each: impl FnMut(i64)) {
        if let Some(buckets) = self.buckets.as_ref().and_then(|buckets| buckets.get(usize::from(feature.0)))
            && from <= to
        {
            buckets.range(from..=to).for_each(|(bucket, _)| each(*bucket));
        }
    }

    /// The key at a place.
    pub fn key_at(&self, place: KeyPlace) -> Key {
        self.keys[place as usize].key
    }

    /// Places of the keys that ever had a cell of a feature; a place never goes away.
    pub fn places_with(&self, feature: FeatureIndex) -> &[KeyPlace] {
        self.keys_of.get(usize::from(feature.0)).map_or(&[], |keys| &keys.places)
    }

    /// The windows of one key, without looking for it again and again.
    pub fn at(&self, place: KeyPlace) -> KeyWindows<'_> {
        KeyWindows { store: self, own: &self.keys[place as usize] }
    }

    /// Features with their keys, for one key as a person names it.
    pub fn features_of(&self, key: Key, mut each: impl FnMut(FeatureIndex)) {
        if let Some(own) = self.find(key) {
            let mut features: Vec<FeatureIndex> = own.features.to_vec();
            features.sort_unstable();
            features.into_iter().for_each(&mut each);
        }
    }

    /// Every cell, in no order.
    pub fn every_cell(&self, mut each: impl FnMut(CellName, Cell)) {
        for own in &self.keys {
            for (feature, series) in own.features.iter().zip(&own.series) {
                series.cells(i64::MIN, i64::MAX, &mut |bucket, member, cell| {
                    each((*feature, own.key, bucket, member), cell);
                });
            }
        }
    }

    /// Begins a sweep over what is not saved.
    pub fn begin_sweep(&mut self) {
        self.unsaved.begin();
    }

    /// Takes the next key of the sweep: hands each of its buckets that is not saved over, with all cells that it has now.
    /// False at the end of the sweep.
    pub fn take_unsaved(&mut self, mut each: impl FnMut(BucketName, &[(Member, Cell)])) -> bool {
        let Some(place) = self.unsaved.pop() else { return false };
        let own = &mut self.keys[place as usize];
        let mut cells = Vec::new();
        for (feature, bucket) in std::mem::take(&mut own.unsaved) {
            cells.clear();
            if let Some(series) = own.series(feature) {
                series.cells(bucket, bucket, &mut |_, member, cell| cells.push((member, cell)));
            }
            each((feature, own.key, bucket), &cells);
        }
        true
    }

    /// Bytes held, estimated.
    pub fn heap_bytes(&self) -> usize {
        let listed: usize = self.keys_of.iter().map(KeysOf::heap_bytes).sum();
        let unsaved: usize =
            self.keys.iter().map(|own| own.unsaved.capacity() * size_of::<(FeatureIndex, i64)>()).sum();
        let spilled = self.keys.iter().map(|own| {
            let series = if own.series.spilled() { own.series.capacity() * size_of::<Series>() } else { 0 };
            let features = if own.features.spilled() { own.features.capacity() * size_of::<FeatureIndex>() } else { 0 };
            series + features
        });
        // A single cell lies in its series; more of them cost their entry and half as much for room to grow.
        self.keys.capacity() * (size_of::<KeySeries>() + size_of::<KeyPlace>() + 1)
            + spilled.sum::<usize>()
            + self.cells * 72
            + listed
            + unsaved
            + self.unsaved.heap_bytes()
    }

    fn find(&self, key: Key) -> Option<&KeySeries> {
        if let Some(own) = self.keys.get(self.asked.get() as usize).filter(|own| own.key == key) {
            return Some(own);
        }
        let is_it = |place: &KeyPlace| self.keys[*place as usize].key == key;
        let place = *self.places.find(self.hasher.hash_one(key), is_it)?;
        self.asked.set(place);
        Some(&self.keys[place as usize])
    }

    fn series(&self, feature: FeatureIndex, key: Key) -> Option<&Series> {
        self.find(key)?.series(feature)
    }
}

/// The windows of a store, with one key at hand.
pub struct KeyWindows<'a> {
    store: &'a SeriesStore,
    own: &'a KeySeries,
}

/// How windows find a series; all else they ask of it.
trait Finds {
    fn series_of(&self, feature: FeatureIndex, key: Key) -> Option<&Series>;
    fn store(&self) -> &SeriesStore;
}

impl Finds for SeriesStore {
    fn series_of(&self, feature: FeatureIndex, key: Key) -> Option<&Series> {
        self.series(feature, key)
    }

    fn store(&self) -> &SeriesStore {
        self
    }
}

impl Finds for KeyWindows<'_> {
    fn series_of(&self, feature: FeatureIndex, key: Key) -> Option<&Series> {
        if key == self.own.key { self.own.series(feature) } else { self.store.series(feature, key) }
    }

    fn store(&self) -> &SeriesStore {
        self.store
    }
}

macro_rules! windows_of_series {
    ($windows:ty) => {
        impl Windows for $windows {
            fn cells(
                &self,
                feature: FeatureIndex,
                key: Key,
                from: i64,
                to: i64,
                each: &mut dyn FnMut(i64, Member, Cell),
            ) {
                if let Some(series) = self.series_of(feature, key) {
                    series.cells(from, to, each);
                }
            }

            fn keys(&self, feature: FeatureIndex, each: &mut dyn FnMut(Key)) {
                let store = self.store();
                let Some(keys) = store.keys_of.get(usize::from(feature.0)) else { return };
                keys.in_order(&store.keys, |key, place| {
                    if store.keys[place as usize].series(feature).is_some_and(|series| !series.is_empty()) {
                        store.asked.set(place);
                        each(key);
                    }
                });
            }

            fn last_bucket(&self, feature: FeatureIndex) -> Option<i64> {
                let buckets = self.store().buckets.as_ref()?.get(usize::from(feature.0))?;
                buckets.last_key_value().map(|(bucket, _)| *bucket)
            }

            fn buckets_with_facts(
                &self,
                feature: FeatureIndex,
                key: Key,
                from: i64,
                to: i64,
                each: &mut dyn FnMut(i64),
            ) {
                if let Some(series) = self.series_of(feature, key) {
                    series.buckets_with_facts(from, to, each);
                }
            }

            fn total(&self, feature: FeatureIndex, key: Key, from: i64, to: i64) -> Cell {
                self.series_of(feature, key).map_or(Cell::default(), |series| series.total(from, to))
            }

            fn members(&self, feature: FeatureIndex, key: Key, from: i64, to: i64) -> Vec<(Member, Cell)> {
                self.series_of(feature, key).map_or(Vec::new(), |series| series.members(from, to))
            }

            fn member(&self, feature: FeatureIndex, key: Key, from: i64, to: i64, wanted: Member) -> Cell {
                self.series_of(feature, key).map_or(Cell::default(), |series| series.member(from, to, wanted))
            }

            fn largest(&self, feature: FeatureIndex, key: Key, from: i64, to: i64, count: usize) -> i128 {
                self.series_of(feature, key).map_or(0, |series| series.largest(from, to, count))
            }

            fn sum_of_members(
                &self,
                feature: FeatureIndex,
                key: Key,
                (from, to): (i64, i64),
                (first, last): (Member, Member),
            ) -> i128 {
                self.series_of(feature, key).map_or(0, |series| series.sum_of_members(from, to, first, last))
            }

            fn first_bucket(&self, feature: FeatureIndex, key: Key) -> Option<i64> {
                self.series_of(feature, key)?.first_bucket()
            }

            fn cell_count(&self, feature: FeatureIndex, key: Key, from: i64, to: i64) -> usize {
                self.series_of(feature, key).map_or(0, |series| series.cell_count(from, to))
            }
        }
    };
}

windows_of_series!(SeriesStore);
windows_of_series!(KeyWindows<'_>);

#[cfg(test)]
mod tests {
    use billwatch_market::pattern::PlainWindows;
    use proptest::prelude::*;

    use super::{super::series::LARGE, *};

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
        fn equals_the_plain_windows(deltas in proptest::collection::vec(delta(), 0..600)) {
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
                        let totals = |windows: &dyn Windows| {
                            let mut buckets = Vec::new();
                            windows.buckets_with_facts(feature, key, from, to, &mut |bucket| buckets.push(bucket));
                            let member = windows.member(feature, key, from, to, 2);
                            let largest: Vec<_> =
                                (1..4).map(|count| windows.largest(feature, key, from, to, count)).collect();
                            (buckets, member, largest, windows.sum_of_members(feature, key, (from, to), (1, 2)))
                        };
                        prop_assert_eq!(totals(&store), totals(&plain));
                        prop_assert!(
                            store.cell_count(feature, key, from, to) >= plain.members(feature, key, from, to).len()
                        );
                        let place = store.place_of(key);
                        prop_assert_eq!(totals(&store.at(place)), totals(&plain));
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

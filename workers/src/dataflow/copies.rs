//! What features of rules that compare keys send to the owners of these rules, added up over an epoch.
//!
//! A copy is beside the delta that goes to the owner of its key. Most rules that compare keys read sums of a key only, so
//! members are left out where no such rule tells them apart, and what an epoch adds to one cell leaves once.

use billwatch_market::pattern::{FeatureDelta, FeatureIndex, Key, Member, PatternIndex, Patterns};
use hashbrown::{HashMap, hash_map::Entry};
use smallvec::SmallVec;

use super::series_store::CellName;

/// Copies of one worker.
pub(super) struct Copies {
    of: Vec<Feature>,
    /// (count, sum) of the epoch.
    cells: HashMap<CellName, (i64, i64)>,
}

/// Whom a change is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum To {
    /// The worker that owns rules on the feature.
    Rules(u32),
    /// The worker that owns the key.
    Key,
}

/// How a feature is copied.
struct Feature {
    /// To whom; mostly nobody.
    owners: SmallVec<[u32; 2]>,
    /// With its members.
    by_member: bool,
    /// For the owner of the key, too: nearly every fact feeds the feature.
    added_up: bool,
}

impl Copies {
    /// `owner`: of a rule. `everywhere`: features that every worker must know whole.
    pub fn new(
        patterns: &Patterns,
        owner: impl Fn(PatternIndex) -> u32,
        everywhere: &[FeatureIndex],
        workers: u32,
    ) -> Self {
        let of = |feature: usize| {
            let feature = FeatureIndex(feature as u16);
            if everywhere.contains(&feature) {
                return Feature { owners: (0..workers).collect(), by_member: true, added_up: false };
            }
            let readers = patterns.readers(feature).iter();
            let mut owners: SmallVec<[u32; 2]> = readers
                .filter(|reader| reader.collective || reader.group)
                .map(|reader| owner(reader.pattern))
                .collect();
            owners.sort_unstable();
            owners.dedup();
            let added_up = patterns.is_added_up(feature);
            Feature { owners, by_member: added_up || patterns.compared_by_member(feature), added_up }
        };
        Copies { of: (0..patterns.feature_count()).map(of).collect(), cells: HashMap::new() }
    }

    /// True when the owner of the key is told with the copies alone ([`Copies::ship`]).
    #[inline]
    pub fn is_added_up(&self, feature: FeatureIndex) -> bool {
        self.of[usize::from(feature.0)].added_up
    }

    /// Notes a change of a cell; what cannot be added to what is noted leaves at once.
    #[inline]
    pub fn note(&mut self, delta: &FeatureDelta, give: impl FnMut(To, FeatureDelta)) {
        let of = &self.of[usize::from(delta.feature.0)];
        if of.added_up || !of.owners.is_empty() {
            let member = if of.by_member { delta.member } else { 0 };
            self.add((delta.feature, delta.key, delta.bucket, member), (delta.count, delta.sum), give);
        }
    }

    fn add(&mut self, name: CellName, change: (i64, i64), give: impl FnMut(To, FeatureDelta)) {
        match self.cells.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(change);
            }
            Entry::Occupied(mut entry) => {
                let (count, sum) = *entry.get();
                match count.checked_add(change.0).zip(sum.checked_add(change.1)) {
                    Some(both) => *entry.get_mut() = both,
                    None => {
                        let full = entry.insert(change);
                        self.of[usize::from(name.0.0)].hand_over(delta(name, full), give);
                    }
                }
            }
        }
    }

    /// Hands over what the epoch added.
    pub fn ship(&mut self, mut give: impl FnMut(To, FeatureDelta)) {
        for (name, change) in self.cells.drain().filter(|(_, change)| *change != (0, 0)) {
            self.of[usize::from(name.0.0)].hand_over(delta(name, change), &mut give);
        }
    }
}

impl Feature {
    fn hand_over(&self, row: FeatureDelta, mut give: impl FnMut(To, FeatureDelta)) {
        self.owners.iter().for_each(|owner| give(To::Rules(*owner), row));
        if self.added_up {
            give(To::Key, row);
        }
    }
}

fn delta((feature, key, bucket, member): (FeatureIndex, Key, i64, Member), (count, sum): (i64, i64)) -> FeatureDelta {
    FeatureDelta { feature, key, bucket, member, count, sum }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn copies(patterns: &Patterns) -> Copies {
        Copies::new(patterns, |_| 1, &[], 2)
    }

    /// A feature of which only sums are compared, and one whose members are told apart.
    fn compared(patterns: &Patterns) -> (FeatureIndex, FeatureIndex) {
        let all = || (0..patterns.feature_count()).map(|place| FeatureIndex(place as u16));
        let mut groups = all().filter(|feature| patterns.readers(*feature).iter().any(|reader| reader.group));
        let summed = groups.find(|feature| !patterns.compared_by_member(*feature));
        (summed.unwrap(), all().find(|feature| patterns.compared_by_member(*feature)).unwrap())
    }

    #[test]
    fn an_epoch_leaves_once_for_each_cell() {
        let patterns = Patterns::embedded();
        let mut copies = copies(&patterns);
        let (summed, told) = compared(&patterns);
        let alone = patterns.feature("endorsed_in").unwrap();
        assert!(patterns.readers(alone).iter().all(|reader| !reader.collective && !reader.group));
        let row = |feature, member, sum| FeatureDelta { feature, key: Key(7, 0), bucket: 3, member, count: 1, sum };
        for delta in [row(summed, 1, 5), row(summed, 2, 6), row(told, 1, 5), row(told, 2, 6), row(alone, 1, 5)] {
            copies.note(&delta, |_, _| panic!("nothing is full"));
        }
        copies.note(&FeatureDelta { count: -1, sum: -6, ..row(told, 2, 0) }, |_, _| panic!("nothing is full"));
        let mut shipped = BTreeMap::new();
        copies.ship(|owner, delta| {
            assert_eq!(owner, To::Rules(1));
            shipped.insert((delta.feature, delta.member), (delta.count, delta.sum));
        });
        assert_eq!(shipped, BTreeMap::from([((summed, 0), (2, 11)), ((told, 1), (1, 5))]));
        copies.ship(|_, _| panic!("an epoch begins empty"));
    }

    #[test]
    fn what_is_too_much_for_one_number_leaves_in_two() {
        let patterns = Patterns::embedded();
        let mut copies = copies(&patterns);
        let (feature, _) = compared(&patterns);
        let row = FeatureDelta { feature, key: Key(7, 0), bucket: 3, member: 1, count: 1, sum: i64::MAX };
        let mut sum = 0i128;
        copies.note(&row, |_, delta| sum += i128::from(delta.sum));
        copies.note(&row, |_, delta| sum += i128::from(delta.sum));
        copies.ship(|_, delta| sum += i128::from(delta.sum));
        assert_eq!(sum, 2 * i128::from(i64::MAX));
    }
}
